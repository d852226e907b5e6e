"""`%claude_fix` where the error was raised outside of the cell's own lines: the code that failed is sent."""

from __future__ import annotations

import importlib
import re
import sys
from typing import TYPE_CHECKING

import IPython
import pytest

from vertex_claude_magic.classroom.failure import changed_source, read_failure
from vertex_claude_magic.prompts.values.exceptions import is_library_file

HELPER = '''
LIMIT = 3

def mean(xs):
    # an empty list is allowed
    return sum(xs) / len(xs)


class Bag:
    """Not sent."""

    def __init__(self, xs):
        self.xs = xs

    @property
    def middle(self):
        # the middle one
        return self.xs[len(self.xs) // 2]

    def run(self, work):
        # calls back
        return work(self)


def checked(xs):
    # wraps the error
    try:
        return mean(xs)
    except ZeroDivisionError as error:
        raise ValueError("no numbers") from error


def parsed(text):
    import json
    # lets the library fail
    return json.loads(text)
'''

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def no_error_yet(monkeypatch):
    """What an earlier test left would be the last error of this one."""
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        monkeypatch.delattr(sys, name, raising=False)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """The working folder of the notebook, with a module of the user's in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    importlib.invalidate_caches()
    yield tmp_path
    for name in [
        name for name, module in sys.modules.items() if str(tmp_path) in str(getattr(module, "__file__", ""))
    ]:
        del sys.modules[name]


def fix(shell, cell: str, *, fails: bool = True) -> str:
    """Run a cell that fails, then %claude_fix; return the text that was sent."""
    shell.emulator.answer("No.")
    # IPython up to 8 shows an error below %time itself.
    if fails and not (IPython.version_info < (9,) and re.search(r"%time\b", cell)):
        shell.error(cell)
    else:
        # Some magics show the error themselves.
        shell.run(cell)
    shell.ok("%claude_fix")
    content = shell.body["messages"][0]["content"]
    return content if isinstance(content, str) else "\n".join(block["text"] for block in content)


def no_ipython(sent: str) -> bool:
    return not any(
        word in sent
        for word in ("IPython/", "interactiveshell", "run_cell_magic", "safe_execfile", "run_code")
    )


# The user's own modules


@pytest.mark.parametrize(
    ("cell", "sent", "kept", "line"),
    [
        ("import helper\nhelper.mean([])", ["an empty list is allowed", 'name="xs"'], ["class Bag"], 6),
        ("import helper\nhelper.Bag([]).middle", ["@property", "the middle one"], ["class Bag", "an empty list"], 18),
        ("import helper\nhelper.checked([])", ["wraps the error", "an empty list is allowed"], ["class Bag"], 30),
        ("import helper\nhelper.parsed('{')", ["lets the library fail", 'about="raised in json.decoder.'], ["class Bag"], 36),
        ("import helper\nhelper.Bag([1]).run(lambda bag: bag.nosuch)", ["calls back", "in run"], ["an empty"], 22),
        ("import helper\nf = lambda: helper.mean(())\nf()", ["an empty list is allowed"], ["class Bag"], 6),
    ],
)  # fmt: skip
def test_the_function_of_a_module_that_failed_is_sent(shell, folder, cell, sent, kept, line):
    """With the lines that it has in its file, and nothing else of the file."""
    text = fix(shell, cell)
    assert '<data name="helper.py" kind="Python file"' in text
    assert f"failed in line {line}" in text
    assert all(each in text for each in sent)
    assert not any(each in text for each in kept)
    assert cell in text
    assert no_ipython(text)
    assert str(folder) not in text


def test_calls_from_module_to_module_are_all_sent(shell, folder):
    """The innermost first, and three at most."""
    for name, inner in (("a1", "a2"), ("a2", "a3"), ("a3", "a4")):
        (folder / f"{name}.py").write_text(
            f"import {inner}\ndef go(x):\n    # in {name}\n    return {inner}.go(x)\n"
        )
    (folder / "a4.py").write_text("def go(x):\n    # in a4\n    return x.nosuch\n")
    text = fix(shell, "import a1\na1.go(1)")
    assert [name for name in ("a1", "a2", "a3", "a4") if f"# in {name}" in text] == ["a2", "a3", "a4"]
    assert text.index("# in a4") < text.index("# in a3") < text.index("# in a2")


@pytest.mark.parametrize("place", ["lib/own_tools.py", "src/pkg/own_tools.py", "IPython_notes/own_tools.py"])
def test_own_files_are_own_wherever_they_are(shell, folder, place, monkeypatch):
    """Also in a folder whose name sounds like one of Python's."""
    path = folder / place
    path.parent.mkdir(parents=True)
    path.write_text("def go():\n    # mine\n    return [][0]\n")
    monkeypatch.syspath_prepend(str(path.parent))
    assert "# mine" in fix(shell, "import own_tools\nown_tools.go()")


def test_a_module_that_fails_while_it_is_imported_is_sent_around_its_line(shell, folder):
    """There is no function to send."""
    (folder / "broken.py").write_text("x = 1\n# here\ny = x / 0\n" + "z = 1\n" * 500)
    text = fix(shell, "import broken")
    assert "# here\ny = x / 0" in text
    assert text.count("z = 1") < 100
    assert '<data name="x" kind="int">1</data>' in text


@pytest.mark.parametrize("line", ["def f(:", "x = = 1", "if x:\nprint(x)", "print 'x'"])
@pytest.mark.parametrize("cell", ["import broken", "from broken import x", "%run broken.py"])
def test_a_module_that_python_cannot_read_is_sent_around_its_line(shell, folder, line, cell):
    """A syntax error has no step in the file that holds it."""
    (folder / "broken.py").write_text(f"# above\n{line}\n")
    text = fix(shell, cell, fails=not cell.startswith("%"))
    assert '<data name="broken.py" kind="Python file"' in text
    assert f"# above\n{line.splitlines()[0]}" in text
    assert no_ipython(text)


def test_a_file_that_was_edited_since_is_marked_as_such(shell, folder):
    """The lines of the traceback are those of the file as it is now, and the code that ran is not."""
    shell.ok("import helper")
    (folder / "helper.py").write_text("# new\n" + HELPER.replace("len(xs)", "max(1, len(xs))"))
    assert "changed since it was loaded" in fix(shell, "helper.mean([])")


def test_a_long_function_is_sent_around_its_line(shell, folder):
    """The rest of it costs tokens and tells little."""
    body = "".join(f"    x{number} = {number}\n" for number in range(400))
    (folder / "long.py").write_text(f"def go():\n{body}    1 / 0\n")
    text = fix(shell, "import long\nlong.go()")
    assert "1 / 0" in text
    assert "x0 = 0" not in text
    assert text.count(" = ") < 200


# %run, %%time and their like


@pytest.mark.parametrize(
    "cell", ["%run helper_script.py", "%run -i helper_script.py", "%run ./helper_script.py 1"]
)
def test_the_script_of_run_is_sent(shell, folder, cell):
    """IPython shows its error without the cell's own step."""
    (folder / "helper_script.py").write_text("def f(x):\n    # in the script\n    return 1 / x\nf(0)\n")
    text = fix(shell, cell, fails=False)
    assert "# in the script" in text
    assert '<data name="x" kind="int">0</data>' in text
    assert "failed in line 3" in text
    assert no_ipython(text)


@pytest.mark.skipif(IPython.version_info < (9,), reason="IPython up to 8 shows the error below %time itself")
@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%%time\na = 0\n1 / a", 3),
        ("%time 1 / a", 1),
        ("b = 1\n%time 1 / a", 2),
        ("%%timeit -n1 -r1\nb = 1\nc = 2\n1 / a", 4),
        ("%timeit -n1 -r1 1 / a", 1),
        ("\n%%time\nb = 1\n1 / a", 3),
    ],
)
def test_the_line_below_a_timing_magic_is_that_of_the_cell(shell, cell, line):
    """With the values that it names."""
    shell.ok("a = 0")
    text = fix(shell, cell)
    assert f'kind="notebook cell" about="failed in line {line}"' in text
    assert '<data name="a" kind="int">0</data>' in text
    assert no_ipython(text)


@pytest.mark.parametrize(
    "cell", ["%%prun -q\nz = 0\n1 / z", "%%capture\n1 / 0", "%%time\nimport helper\nhelper.mean([])"]
)
def test_other_magics_that_run_code_send_the_cell(shell, folder, cell):
    """And nothing of IPython's or of the profiler's."""
    text = fix(shell, cell, fails="capture" not in cell)
    assert "ZeroDivisionError" in text
    assert no_ipython(text)
    assert "cProfile" not in text
    assert ("an empty list is allowed" in text) == ("helper" in cell)


# Strings


@pytest.mark.parametrize(
    "call",
    [
        "exec(code)",
        "exec(compile(code, 'made.py', 'exec'))",
        "def run(text):\n    exec(text, {})\nrun(code)",
        "ns = {}\nexec(code, ns)",
    ],
)
def test_a_string_that_was_compiled_is_sent(shell, call):
    """As long as whoever compiled it still holds it."""
    shell.ok("code = '# in the string\\nz = 0\\n1 / z'")
    text = fix(shell, call)
    assert "# in the string\nz = 0\n1 / z" in text
    assert "ZeroDivisionError" in text
    assert no_ipython(text)


def test_the_expression_of_eval_is_sent_with_its_values(shell):
    """As text of the code, beside the cell."""
    shell.ok("expression, z = '1 / z', 0")
    text = fix(shell, "eval(expression)")
    assert (
        '<data name="string" kind="code in a string" about="lines 1 to 1, failed in line 1">1 / z</data>'
        in text
    )
    assert '<data name="z" kind="int">0</data>' in text


@pytest.mark.parametrize(
    "call",
    [
        "from pathlib import Path\nexec(Path('made.py').read_text())",
        "from pathlib import Path\npath = Path('made.py')\nexec(path.read_text())",
        "name = 'made.py'\nwith open(name) as file:\n    exec(compile(file.read(), name, 'exec'))",
    ],
)
def test_a_file_whose_text_was_run_is_sent(shell, folder, call):
    """It is found by its name, and taken only if it is the code that ran."""
    (folder / "made.py").write_text("# from a file\nz = 0\n1 / z\n")
    assert "# from a file\nz = 0\n1 / z" in fix(shell, call)


def test_a_string_that_nobody_holds_is_not_guessed(shell, folder):
    """A file of another content is not sent in its place."""
    (folder / "made.py").write_text("# another\nz = 1\n")
    text = fix(shell, "name = 'made.py'\nexec('x = 0' + chr(10) + f'1 / {name and 0}')")
    assert "# another" not in text
    assert 'name="string"' not in text


def test_a_function_from_an_earlier_timed_cell_is_not_looked_for_in_this_one(shell):
    """Its lines are not those of the cell that calls it."""
    shell.ok("%%time\n\n\n\ndef f(x):\n    return 1 / x")
    text = fix(shell, "f(0)")
    assert '<data name="cell" kind="notebook cell" about="failed in line 1">f(0)</data>' in text
    assert "ZeroDivisionError" in text


# Groups


def test_a_group_of_exceptions_sends_the_code_of_its_members():
    """Where Python has them (3.11)."""
    group = getattr(__builtins__, "ExceptionGroup", None) or __import__("builtins").__dict__.get(
        "ExceptionGroup"
    )
    if group is None:
        pytest.skip("Python 3.10 has no groups")
    errors = []
    for work in (first_work, second_work):
        try:
            work()
        except ValueError as error:
            errors.append(error)
    failure = read_failure(group("both", errors), lambda name: None)
    assert [source.function for source in failure.sources] == [
        "first_work", "test_a_group_of_exceptions_sends_the_code_of_its_members", "second_work",
    ]  # fmt: skip


def first_work():
    raise ValueError("first")


def second_work():
    raise ValueError("second")


# What is done with the answer


def test_a_change_to_a_file_makes_no_cell_and_says_where_it_belongs(shell, folder):
    """A new cell with the function in it would change nothing in the module."""
    shell.error("import helper\nhelper.mean([])")
    mended = "def mean(xs):\n    # an empty list is allowed\n    return sum(xs) / len(xs) if xs else 0"
    shell.emulator.answer(f"Empty.\n```python\n{mended}\n```")
    shell.ok("%claude_fix")
    assert getattr(shell.ip, "rl_next_input", None) is None
    assert "The change belongs in helper.py (mean), so there is no new cell." in shell.page.text
    assert "+    return sum(xs) / len(xs) if xs else 0" in shell.page.text


def test_a_change_to_the_cell_makes_a_cell(shell, folder):
    """As ever."""
    shell.error("import helper\nhelper.mean([])")
    shell.emulator.answer("Give it numbers.\n```python\nimport helper\nhelper.mean([1])\n```")
    shell.ok("%claude_fix")
    assert shell.ip.rl_next_input == "import helper\nhelper.mean([1])"


def test_what_is_installed_is_not_the_users():
    """Python's own files, packages, IPython wherever it is, and this package."""
    import json

    import markdown_it

    import vertex_claude_magic

    for module in (json, markdown_it, vertex_claude_magic, importlib):
        assert is_library_file(str(module.__file__))
    assert is_library_file("<frozen importlib._bootstrap>")
    assert is_library_file("/src/IPython/core/x.py")
    assert not is_library_file(__file__)
    assert changed_source(read_failure(ValueError("x"), lambda name: None), "x = 1") is None
