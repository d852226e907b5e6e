"""What loading costs and leaves behind, who may import whom, and what the package offers."""

from __future__ import annotations

import ast
import shutil
import sys
from graphlib import TopologicalSorter
from importlib import import_module, metadata
from typing import TYPE_CHECKING

import IPython
import pytest
from shells import EXTENSION, ROOT, Shell, bare_shell, loaded_shell, run_python

import vertex_claude_magic
from vertex_claude_magic import errors

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = ROOT / "vertex_claude_magic"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"requests", "urllib3", "google.auth", "ipywidgets", "pydantic", "pandas", "markdown_it", "tqdm", "tornado",
         "nbformat", "numpy", "narwhals", "polars", "pyarrow"}  # fmt: skip
NAMES = ("claude", "claude_models", "claude_panel", "claude_fix", "claude_usage", "claude_logging", "claude_doctor",
         "claude_demo", "claude_chat", "claude_compare", "claude_map", "claude_batch", "claude_hint")  # fmt: skip

# The layout, from the bottom up: a row imports from the rows above it in this list, for types and lazily too.
ROWS = (
    ("json_types",), ("named_tuple",), ("secret_forms",), ("text",), ("spelling",), ("errors",), ("files",), ("process",), ("markdown",), ("frames",), ("models",), ("vertex",), ("prompts",), ("answers",),
    ("settings",), ("transport",), ("records",), ("session",), ("chats", "health", "classroom", "tables"), ("client",), ("emulator",), ("notebook",), ("cli",),
)  # fmt: skip
RANK = {name: number for number, names in enumerate(ROWS) for name in names}
# The package itself and its command line may name anything, lazily.
ENTRY_POINTS = {"__init__.py", "__main__.py"}
LAID_OUT = [path for path in MODULES if path.parent != PACKAGE or path.name not in ENTRY_POINTS]


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def row_of(module: str) -> str:
    return module.split(".")[1]


def imported(path: Path) -> set[str]:
    """Every module that a file imports: at the top, inside functions, and for types only."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in NAMED else str(node.module) for name in names}
    return found


NAMED = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in MODULES
}
INSIDE = {name: {each for each in imported(path) if each in NAMED} for name, path in NAMED.items()}


def test_no_modules_import_one_another_in_a_circle():
    """Imports for types and lazy ones count, and so does a text that is the full dotted name of a module."""
    # The name of the package alone is what %load_ext is given.
    dotted = {name for name in NAMED if "." in name}
    graph = {name: (INSIDE[name] | (texts(path) & dotted)) - {name} for name, path in NAMED.items()}
    # It raises CycleError, which names the circle.
    assert set(TopologicalSorter(graph).static_order()) == set(NAMED)


def texts(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {each.value for each in nodes if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@pytest.mark.parametrize("path", LAID_OUT, ids=named)
def test_a_row_imports_only_from_the_rows_above_it(path):
    """Type-only and lazy imports count, so that no two folders import each other."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for other in INSIDE[name]:
        assert row_of(other) == row_of(name) or RANK[row_of(other)] < RANK[row_of(name)], (
            f"{name} imports {other}"
        )


@pytest.mark.parametrize(
    "path", [path for path in LAID_OUT if named(path).split("/")[0] not in {"notebook", "cli"}], ids=named
)
def test_only_the_notebook_folder_imports_ipython(path):
    """Requests, replies and sessions work in any Python."""
    assert not {name.split(".")[0] for name in imported(path)} & {"IPython", "ipywidgets", "ipykernel"}


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_only_one_module_changes_the_filters_of_warnings(path):
    """Two threads that save them and put them back would leave the user without warnings (`ignored_warnings`)."""
    names = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
    }
    changing = names & {"catch_warnings", "filterwarnings", "resetwarnings", "simplefilter"}
    assert not changing or named(path) == "process.py"


LOADED = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "{EXTENSION}")
print(*sorted(set(sys.modules) - before))
"""


def test_loading_the_extension_imports_next_to_nothing():
    """Case 35: none of the heavy libraries, and so no network and no credentials."""
    loaded = set(run_python(LOADED).split())
    assert not {
        name for name in loaded if any(name == heavy or name.startswith(f"{heavy}.") for heavy in HEAVY)
    }
    own = {name for name in loaded if name.startswith(EXTENSION)}
    assert own == {
        EXTENSION,
        f"{EXTENSION}.named_tuple",
        *(f"{EXTENSION}.notebook{part}" for part in ("", ".magics", ".settings", ".hooks", ".cells")),
        *(f"{EXTENSION}.settings{part}" for part in ("", ".loaded", ".registry")),
    }


ASKED = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "{EXTENSION}")
shell.run_cell("%%claude\\nWhat is the answer?").raise_error()
print("imported:", *sorted(set(sys.modules) - before))
"""


def test_a_plain_question_imports_what_it_uses_and_no_more(claude_emulator):
    """The imports are most of what a first answer takes beyond one by hand (benchmarks/README.md)."""
    printed = run_python(ASKED, **claude_emulator.environment)
    asked = {name for name in printed.rpartition("imported:")[2].split() if name.startswith(EXTENSION)}
    # A module more is a decision: to find, read and run one takes a quarter of a millisecond.
    assert len(asked) <= 94
    assert not {f"{EXTENSION}.{name}" for name in ("vertex.tool_call", "answers", "chats", "frames")} & asked
    slow = [name for name in asked if "NamedTuple" in typing_imports(NAMED[name])]
    assert slow == [f"{EXTENSION}.named_tuple"]


def typing_imports(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    found = [each for each in nodes if isinstance(each, ast.ImportFrom) and each.module == "typing"]
    return {alias.name for each in found for alias in each.names}


def test_one_name_of_a_class_has_one_meaning():
    """Outside of the emulator, which plays the other side and has its own words for it."""
    where: dict[str, list[str]] = {}
    for path in LAID_OUT:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(named(path))
    apart = {
        name: files for name, files in where.items() if len([f for f in files if "emulator" not in f]) > 1
    }
    assert apart == {}


def test_importing_the_package_imports_only_the_package():
    """`import vertex_claude_magic` is free, and IPython is not needed for it (case 49)."""
    loaded = run_python("import sys, vertex_claude_magic; print(*sys.modules)").split()
    assert [name for name in loaded if name.startswith(EXTENSION)] == [EXTENSION]
    assert not {"IPython", "traitlets", *HEAVY} & set(loaded)


def test_without_the_extras_the_package_and_the_extension_load():
    """Case 93: pandas, pydantic, tornado and the like are looked for only where they are used."""
    missing = ("pandas", "pydantic", "PIL", "matplotlib", "pypdf", "tornado", "nbclient", "anthropic")
    block = f"import sys\nsys.modules.update(dict.fromkeys({missing!r}))\n"
    assert EXTENSION in run_python(block + LOADED)
    demo = "from vertex_claude_magic.emulator import Emulator\ntry: Emulator()\nexcept ImportError as error: print(error)"
    assert 'pip install "vertex-claude-magic[demo]"' in run_python(block + demo)


def test_the_public_names_are_kept():
    """A tripwire: removing or adding one is a decision."""
    assert vertex_claude_magic.__all__ == [
        "Chat",
        "Claude",
        "ClaudeError",
        "ClaudeInterrupt",
        "Event",
        "Exchange",
        "Reply",
        "Request",
        "Usage",
        "load_ipython_extension",
        "unload_ipython_extension",
    ]
    assert all(getattr(vertex_claude_magic, name) for name in vertex_claude_magic.__all__)
    assert set(vertex_claude_magic.__all__) <= set(dir(vertex_claude_magic))
    with pytest.raises(AttributeError, match="no attribute 'Cloude'"):
        vertex_claude_magic.Cloude  # noqa: B018


def test_every_public_name_is_in_the_reference():
    """And what each error is that is no ClaudeError."""
    pages = {
        page: (ROOT / "docs/reference" / page).read_text(encoding="utf-8")
        for page in ("python.md", "errors.md")
    }
    for name in vertex_claude_magic.__all__:
        if isinstance(public := getattr(vertex_claude_magic, name), type):
            page = "errors.md" if issubclass(public, BaseException) else "python.md"
            assert (f"autoclass:: {EXTENSION}.{name}\n" if page == "python.md" else f"`{name}`") in pages[
                page
            ]
    others = [name for name in errors.__all__ if not issubclass(getattr(errors, name), errors.ClaudeError)]
    assert all(f"`{name}`" in pages["errors.md"] for name in others)
    assert "`claude_emulator`" in pages["python.md"]


@pytest.mark.parametrize("path", LAID_OUT, ids=named)
def test_every_module_says_what_it_offers(path):
    """`__all__` is there, sorted, and each of its names exists."""
    if path.name == "__init__.py" and "__all__" not in path.read_text(encoding="utf-8"):
        return
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    if name.endswith("__main__"):
        return
    offered = import_module(name).__all__
    assert list(offered) == sorted(offered, key=lambda word: (not word.isupper(), word[0].islower(), word))
    assert all(hasattr(import_module(name), word) for word in offered)


def test_the_version_is_that_of_the_distribution():
    """One place holds it."""
    assert vertex_claude_magic.__version__ == metadata.version("vertex-claude-magic")


def traces(ip) -> dict[str, list]:
    """Everything in a shell that tells of the extension."""
    formatters = [ip.display_formatter.ipython_display_formatter, *ip.display_formatter.formatters.values()]
    printers = [{**each.type_printers, **each.deferred_printers} for each in formatters]
    return {
        "magics": [name for kind in ip.magics_manager.magics.values() for name in kind if name in NAMES],
        "configurables": [each for each in ip.configurables if type(each).__name__ == "ClaudeMagics"],
        "transformers": [
            each
            for each in (*ip.input_transformer_manager.token_transformers, *ip.input_transformers_cleanup)
            if _ours(each)
        ],
        "events": [each for calls in ip.events.callbacks.values() for each in calls if _ours(each)],
        "completers": [each for each in _completers(ip) if "claude" in each],
        "printers": [key for each in printers for key in each if "vertex_claude" in str(key)],
        "registry": [name for name in ip.magics_manager.registry if name == "ClaudeMagics"],
    }


def _completers(ip) -> list[str]:
    """What answers Tab: a matcher from IPython 8.6 on, before it a hook for our lines and one for templates."""
    matchers = ip.Completer.custom_matchers if IPython.version_info >= (8, 6) else []
    hooks = ip.strdispatchers["complete_command"]
    patterns = [
        f"claude {each.pattern}" for each in hooks.regexs if "claude" in each.pattern or "{" in each.pattern
    ]
    return [*(each.matcher_identifier for each in matchers), *hooks.strs, *patterns]


def _ours(thing) -> bool:
    return getattr(thing, "__module__", "").startswith(EXTENSION)


ONCE = {
    "magics": 17,
    "configurables": 1,
    "transformers": 2,
    "events": 2,
    "completers": 1 if IPython.version_info >= (8, 6) else 2,
    "printers": 5,
    "registry": 1,
}
RELOADS = {
    "%load_ext twice": "%load_ext {e}",
    "%reload_ext": "%reload_ext {e}",
    "%reload_ext twice": "%reload_ext {e}\n%reload_ext {e}",
    "importlib.reload": "import importlib, {e} as m\nimportlib.reload(m)\nm.load_ipython_extension(get_ipython())",
    "unload and load": "%unload_ext {e}\n%load_ext {e}",
    "called by hand": "import {e} as m\nm.load_ipython_extension(get_ipython())",
}


def counts(shell: Shell) -> dict[str, int]:
    return {name: len(found) for name, found in traces(shell.ip).items()}


@pytest.mark.parametrize("cell", RELOADS.values(), ids=RELOADS.keys())
def test_however_often_it_is_loaded_it_is_there_once(cell, claude_emulator, monkeypatch):
    """Case 48: one registration, no hook twice, and it still works."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    shell = loaded_shell(claude_emulator)
    shell.ok("%claude -q hi")
    shell.ok(cell.format(e=EXTENSION))
    assert counts(shell) == ONCE
    assert shell.ok("%claude -q Again?").complete


def test_unloading_takes_everything_back():
    """Case 48: magics, settings, hooks, Tab completion, displays, and the demo's emulator."""
    shell = loaded_shell()
    shell.ok("%claude_demo")
    emulator = shell.magics.emulator
    emulator.answer("Hi.")
    shell.ok("%claude -q hi")
    shell.ok(f"%unload_ext {EXTENSION}")
    assert not any(counts(shell).values())
    assert not emulator._thread.is_alive()


def test_unloading_what_was_never_loaded_is_harmless():
    """Twice, too."""
    ip = bare_shell()
    for _ in range(2):
        vertex_claude_magic.unload_ipython_extension(ip)
    assert not any(map(len, traces(ip).values()))


AUTORELOAD = f"""
import os, sys, time
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell
from vertex_claude_magic.emulator import Emulator
shell = InteractiveShell.instance()
for line in ("load_ext autoreload", "autoreload 2", "load_ext {EXTENSION}"):
    shell.run_line_magic(*line.split(" ", 1))
shell.run_cell("%claude_demo").raise_error()
demo = next(each for each in shell.configurables if type(each).__name__ == "ClaudeMagics").emulator
demo.answer("Before.", "After.")
shell.run_cell("a = %claude -q one?").raise_error()
for path in Path("{{folder}}", "{EXTENSION}").rglob("*.py"):
    path.write_text(path.read_text() + "\\n")
    os.utime(path, (time.time() + 5,) * 2)
shell.run_cell("b = %claude -q two?").raise_error()
print(shell.user_ns["a"].text, shell.user_ns["b"].text)
names = [type(each).__name__ for each in shell.configurables]
print(names.count("ClaudeMagics"), len(shell.input_transformer_manager.token_transformers))
"""


@pytest.mark.skipif(
    IPython.version_info[0] < 8 and sys.version_info >= (3, 12),
    reason="autoreload of IPython 7 needs the module imp, which Python 3.12 removed",
)
def test_autoreload_of_every_room_breaks_nothing(tmp_path):
    """Case 48: a developer's `%autoreload 2` while every file of the package changes."""
    shutil.copytree(PACKAGE, tmp_path / EXTENSION, ignore=shutil.ignore_patterns("__pycache__"))
    lines = run_python(AUTORELOAD.replace("{folder}", str(tmp_path)), folder=tmp_path).splitlines()
    assert lines[-2] == "Before. After."
    assert lines[-1] == f"1 {len(bare_shell().input_transformer_manager.token_transformers) + 1}"
