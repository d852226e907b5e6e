"""The files of a lesson, as they are handed out: copied to a folder of their own, where the notebooks run once."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.cli.lesson.private import private_parts, text_of
from vertex_claude_magic.cli.notebook_check import NOT_REHEARSED, Rehearsal, rehearse
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.python_source import parse_python
from vertex_claude_magic.records.notebook_file import read_notebook
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["MANIFEST", "NOTEBOOKS", "POLICY", "POLICY_FILE", "Lesson", "copy_lesson", "look_at"]

# Where the files of the lesson are in what is handed out.
NOTEBOOKS, POLICY_FILE, MANIFEST = "notebooks", "claude-policy.toml", "lesson.json"
POLICY = """\
# Written by vertex-claude lesson build. Answers come from the recordings, unless a notebook sets replay.
[defaults]
replay = "only"
"""
# What is there without a package to install, in a kernel of JupyterLite too.
_EVERYWHERE = {
    "vertex_claude_magic",
    "IPython",
    "ipywidgets",
    "traitlets",
    "google",
} | sys.stdlib_module_names
_LINE = re.compile(r"^\s*[%!].*$", re.MULTILINE)
# Typed answers need it.
_TYPED = re.compile(r"(?:\s--as\s|\bas_=)")
# Another way to replay than that of a lesson: as a setting, as an option of a line, or in Python.
_SENDING = re.compile(r"""\breplay\s*=\s*['"](?:auto|refresh|off)\b|--replay[ =](?:auto|refresh|off)\b""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """What is known of a lesson after its notebooks have run.

    By notebook: `runs`, the `recordings` that were asked for answers, and `imports`, the packages that are not part of
    Python. What keeps the lesson from being handed out, a line each: `private` is what must be taken out, `faults` is
    what does not run as it is. `sending` are the cells that set another way to replay than the lesson's policy,
    `unsearched` the files that are no text, in which nothing private would have been found.
    """

    runs: Mapping[str, Rehearsal]
    recordings: Mapping[str, Sequence[str]]
    imports: Mapping[str, Sequence[str]]
    private: Sequence[str]
    faults: Sequence[str]
    sending: Sequence[str]
    unsearched: Sequence[str]


def copy_lesson(folder: Path, out: Path) -> None:
    """Copy the files of a lesson, without hidden ones, what Python leaves beside them, and lessons built in it.

    Args:
        folder: The lesson.
        out: The new folder.

    Raises:
        OSError: a file cannot be copied.
        OptionError: it is not a folder, has no notebook, or a link in it leads out of it or to a folder.
    """
    if not folder.is_dir():
        raise OptionError(f"There is no folder {quote(str(folder))}.", cure="Check the path.")
    root = folder.resolve()

    def ignored(place: str, names: list[str]) -> list[str]:
        found = []
        for name in names:
            path = Path(place, name)
            if name.startswith(".") or name == "__pycache__" or (path / MANIFEST).is_file():
                found.append(name)
            elif path.is_symlink() and (path.is_dir() or not path.resolve().is_relative_to(root)):
                raise OptionError(
                    f"{quote(str(path))} is a link to a folder, or to a file outside of the lesson.",
                    cure="Put a copy there.",
                )
        return found

    shutil.copytree(folder, out, ignore=ignored)
    if not any(out.rglob("*.ipynb")):
        raise OptionError(
            f"There is no notebook in {quote(str(folder))}.", cure="Name the folder of a lesson."
        )


def look_at(staged: Path, journal: Path, known: Mapping[str, str], allowed: Collection[str] = ()) -> Lesson:
    """Run the notebooks of a staged lesson as its readers will, and look for what must not be handed out.

    Args:
        staged: The folder that is handed out; the lesson is in its folder `notebooks`.
        journal: An empty journal, so that the user's own answers nothing.
        known: What is known of whoever makes the lesson.
        allowed: Texts that may be in it.

    Raises:
        OptionError: a notebook cannot be read.
    """
    root = (staged / NOTEBOOKS).resolve()
    private: list[str] = []
    faults: list[str] = []
    sending: list[str] = []
    unsearched: list[str] = []
    for path in sorted(filter(Path.is_file, root.rglob("*"))):
        name, data = path.relative_to(root).as_posix(), path.read_bytes()
        private += private_parts(name, data, known, allowed)
        # A database may be valid UTF-8, but its texts do not begin and end where words do.
        if "\0" in (text_of(data) or "\0"):
            unsearched.append(name)
    runs: dict[str, Rehearsal] = {}
    recordings: dict[str, list[str]] = {}
    imports: dict[str, list[str]] = {}
    own = {path.stem if path.is_file() else path.name for path in root.rglob("*")}
    for path in sorted(root.rglob("*.ipynb")):
        name = path.relative_to(root).as_posix()
        content = read_notebook(path).content
        run = runs[name] = rehearse(path, content, journal=journal)
        inside = [path.resolve() for path in run.recordings if path.resolve().is_relative_to(root)]
        recordings[name] = [path.relative_to(root).as_posix() for path in inside]
        code = {
            number: "".join(cell.get("source", ""))
            for number, cell in enumerate(content["cells"], start=1)
            if cell.get("cell_type") == "code"
        }
        sources = [*code.values()]
        sending += [f"{name}, cell {number}" for number, source in code.items() if _SENDING.search(source)]
        typed = {"pydantic"} if any(_TYPED.search(source) for source in sources) else set()
        imports[name] = sorted((_imported(sources) | typed) - _EVERYWHERE - own)
        faults += _unanswered(name, run, root)
    return Lesson(
        runs=runs,
        recordings=recordings,
        imports=imports,
        private=private,
        faults=faults,
        sending=sending,
        unsearched=unsearched,
    )


def _unanswered(name: str, run: Rehearsal, root: Path) -> list[str]:
    """Return what keeps a notebook from running as it is."""
    problems = [
        f"{name}, cell {each.cell}: {each.state}{f' ({each.why})' if each.why else ''}"
        for each in run.questions
        if each.state != "recorded" and not each.expected
    ]
    problems += [f"{name}, cell {number} failed: {why}" for number, why in run.failed.items()]
    asked = any(each.state != NOT_REHEARSED for each in run.questions)
    if problems and asked and not run.recordings:
        problems.append(
            f"{name} sets no recording; its first cells need: "
            f'%config ClaudeMagics.recording = "{name.rpartition("/")[2].removesuffix(".ipynb")}.claude"'
        )
    for recording in run.recordings:
        if not recording.resolve().is_relative_to(root):
            problems.append(
                f"{name} takes its answers from outside of the lesson ({quote(recording.name, 80)})"
            )
    return problems


def _imported(sources: Sequence[str]) -> set[str]:
    """Return the top packages that cells import; cells that are not Python are left out.

    >>> sorted(_imported(["%load_ext x", "import numpy as np, os.path", "%%claude\\nimport this"]))
    ['numpy', 'os']
    """
    found: set[str] = set()
    for source in sources:
        if source.lstrip().startswith("%%"):
            continue
        try:
            tree = parse_python(_LINE.sub("", source))
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found
