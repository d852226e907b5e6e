"""Which parts of an answer are Python, and which of them go into one new cell."""

from __future__ import annotations

import sys

import IPython
import pytest

from vertex_claude_magic.notebook.display.code_blocks import choose_blocks, find_blocks


def fence(code: str, language: str = "") -> str:
    return f"```{language}\n{code}\n```\n"


def codes(markdown: str) -> list[str]:
    return [block.code for block in find_blocks(markdown)]


# A fence that does not say what it holds

CODE = [
    "x = 1",
    "import pandas as pd\ndf = pd.read_csv('a.csv')\ndf",
    "print('hello')",
    "df.groupby('a').mean()",
    "def f(x):\n    return x + 1",
    "for x in range(3):\n    print(x)",
    "%matplotlib inline\nplt.plot(x)",
    "!pip install narwhals",
    # IPython 7 does not read this line on Python 3.12 and later.
    *(["files = !ls *.csv\nfiles"] if IPython.version_info >= (8,) or sys.version_info < (3, 12) else []),
    "%%time\nfit()",
    "%%bash\nls -l",
    "await fetch()",
    "[x ** 2 for x in xs]",
    "df['price']",
    "result = {'a': 1}  # a dict\nprint(result)",
    "assert mean([1]) == 1",
    "f'{x}'",
]
NOT_CODE = [
    "$ pip install narwhals",
    "$ ls\ndata.csv",
    "% pip install narwhals",
    "pip install narwhals",
    "ls -la",
    "pytest -q",
    "cd project\nmake test",
    "git clone https://host/x.git",
    "project/\n├── data/\n└── main.py",
    "src\nmain.py\ntests",
    "42",
    "3.14\n2.72",
    "[1, 2, 3]",
    "(3, 4)",
    "   a  b\n0  1  2\n1  3  4",
    "array([1, 2, 3])",
    "Counter({'a': 3, 'b': -1})",
    "Index(['a', 'b'], dtype='object')",
    "datetime.date(2026, 1, 2)",
    "True",
    "hello",
    '{"name": "Ada", "age": 36, "ok": true, "none": null}',
    '[{"a": 1}, {"b": [1, 2]}]',
    "name: Ada\nage: 36",
    "[project]\nname = 'x'",
    "[tool.ruff]\nselect = ['E']",
    "Traceback (most recent call last):\nValueError: no",
    "SELECT a FROM t",
    "x <- c(1, 2)",
    "const x = () => 1;",
    "<b>bold</b>",
    "What is it?",
    "Is this a question?\nReally?",
    "%% a comment of MATLAB\nx",
    "a, b\n1, 2",
    "...",
    "pass",
    "# only a comment",
    "y = mx + b\nwhere m is the slope",
    "x > 5",
]


@pytest.mark.parametrize("code", CODE)
def test_what_parses_and_does_something_is_code(code):
    """IPython's magics and commands count as such."""
    assert codes(f"So:\n\n{fence(code)}") == [code]


@pytest.mark.parametrize("text", NOT_CODE)
def test_what_only_looks_like_python_is_shown(text):
    """Commands, trees, results, data and other languages."""
    assert codes(f"So:\n\n{fence(text)}\nDone.") == []


@pytest.mark.parametrize(
    "words", ["Output:", "This prints:", "The result is", "You will see:", "which **returns**", "It shows"]
)
def test_a_printed_result_that_parses_is_told_by_the_words_before_it(words):
    """An assignment of a plain value may be one; what calls or imports cannot."""
    assert codes(f"{words}\n{fence('accuracy = 0.93')}") == []
    assert codes(f"{words}\n{fence('print(accuracy)')}") == ["print(accuracy)"]
    assert codes(f"{words}\n{fence('accuracy = 0.93', 'python')}") == ["accuracy = 0.93"]


@pytest.mark.parametrize(
    "language", ["bash", "sql", "json", "text", "console", "r", "js", "toml", "output", "diff"]
)
def test_other_languages_are_shown(language):
    """Even if Python could read them."""
    assert codes(fence("x = 1", language)) == []


@pytest.mark.parametrize(
    "language", ["python", "Python", "py", "{python}", "{.python}", "python title=a", "python:a.py", "python{1,3}",
                 "ipython3", "{code-cell} ipython3", "pycon"],
)  # fmt: skip
def test_python_has_many_names(language):
    """What says that it is Python is believed."""
    assert codes(fence("42", language)) == ["42"]


# Sessions

SESSIONS = [
    (">>> x = 1\n>>> x\n1", "x = 1\nx"),
    (
        ">>> for i in range(2):\n...     print(i)\n...\n0\n1\n>>> done()",
        "for i in range(2):\n    print(i)\n\ndone()",
    ),
    ("In [1]: x = 1\n\nIn [2]: x\nOut[2]: 1", "x = 1\nx"),
    (
        "In [1]: def f():\n   ...:     return 1\n   ...:\n\nIn [2]: f()\nOut[2]: 1",
        "def f():\n    return 1\n\nf()",
    ),
    (">>> 1/0\nTraceback (most recent call last):\n  ...\nZeroDivisionError", "1/0"),
    ("    >>> x = 1\n    >>> x\n    1", "x = 1\nx"),
    ("# a session\n>>> x = 1", "x = 1"),
]


@pytest.mark.parametrize("language", ["python", "pycon", ""])
@pytest.mark.parametrize(("session", "typed"), SESSIONS)
def test_a_session_loses_its_prompts_and_results(session, typed, language):
    """What was typed is the code."""
    assert codes(fence(session, language)) == [typed]


def test_a_doctest_in_a_docstring_stays():
    """It is part of the code."""
    code = 'def f(x):\n    """Add.\n\n    >>> f(1)\n    2\n    """\n    return x + 1'
    assert codes(fence(code, "python")) == [code]
    flush = 'def f(x):\n    """\n>>> f(1)\n2\n"""\n    return x + 1'
    assert codes(fence(flush, "python")) == [flush]


# No fences at all


@pytest.mark.parametrize("code", CODE)
def test_an_answer_that_is_nothing_but_code_is_code(code):
    """As "answer with code only" gives it."""
    assert codes(f"\n{code}\n") == [code]


@pytest.mark.parametrize(
    "text", [*NOT_CODE, "No.", "Yes", "I would use pandas.", "Use `x = 1`.", "Note: this", "", " "]
)
def test_an_answer_of_prose_is_not(text):
    """However short."""
    assert codes(text) == []


def test_code_without_fences_may_hold_fences():
    """In a text of its own."""
    code = 'README = """\n```bash\nls\n```\n"""\nprint(README)'
    assert codes(code) == [code]


def test_a_session_without_fences_is_code_too():
    """With the same rule."""
    assert codes(">>> x = 1\n>>> x\n1\n") == ["x = 1\nx"]


# Which blocks go into the new cell


def chosen(*parts: str) -> tuple[str, tuple[str, ...]]:
    choice = choose_blocks(find_blocks("\n".join(parts)))
    assert choice is not None
    return choice.text, choice.notes


@pytest.mark.parametrize(
    "magic", ["%%timeit -n1", "%%bash", "%%writefile a.py", "%%html", "%%capture out", "%%sql"]
)
def test_a_block_with_a_cell_magic_never_shares_the_cell(magic):
    """Where it comes first, it goes in alone; later, it is a comment below the steps before it."""
    first, step = fence(f"{magic}\nbody", "python"), fence("x = 1", "python")
    text, notes = chosen(first, "Then", step)
    assert text == f"{magic}\nbody"
    assert notes == (f"Block 2 follows {magic.split()[0]} and needs a cell of its own.",)
    text, notes = chosen(step, "Then", first, "Then", fence("y = 2", "python"))
    lines = text.split("\n")
    assert lines[0] == "x = 1"
    assert all(line.startswith("#") for line in lines[1:] if line)
    assert f"# {magic}" in lines
    assert "# y = 2" in lines
    assert notes[0] == f"Block 2 begins with {magic.split()[0]} and needs a cell of its own."
    assert notes[1].startswith("Block 3 follows one")


@pytest.mark.parametrize("end", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_a_comment_cannot_be_left(end):
    """Whatever Python or a front end takes for the end of a line."""
    text, _ = chosen(fence("x = 1", "python"), fence(f"%%time{end}y = 2{end}z = 3", "python"))
    assert all(line.startswith("#") for line in text.splitlines()[1:] if line)


@pytest.mark.parametrize(
    "words",
    ["Alternatively, with polars:", "Or:", "or, in one line", "**Option 2**", "### Option B: polars", "Another way:",
     "If you prefer polars, use this instead:", "It is long. Or use polars:", "## Approach 2", "A simpler version:",
     "The second option", "- Alternative: polars"],
)  # fmt: skip
def test_an_alternative_is_not_put_beside_what_it_replaces(words):
    """Nor is what follows it; the reader chooses."""
    text, notes = chosen(
        "With pandas:", fence("x = 1", "python"), words, fence("x = 2", "python"), fence("y = x")
    )
    assert text == "x = 1"
    assert [note.split(" is ")[0] for note in notes] == ["Block 2", "Block 3"]


@pytest.mark.parametrize(
    "words",
    ["Then:", "For x or y:", "This needs version 2 of pandas:", "Now sort the rows:", "Order matters:", ""],
)
def test_steps_go_in_together(words):
    """With a line between them that tells which is which."""
    text, notes = chosen("Option 1:", fence("x = 1", "python"), words, fence("y = 2", "python"))
    assert text == "# --- block 1 of 2 ---\nx = 1\n\n# --- block 2 of 2 ---\ny = 2"
    assert not notes


def test_a_block_that_cannot_run_is_left_out_and_named():
    """The first that can run goes in."""
    text, notes = chosen(fence("print 'x'", "python"), fence("x = 1", "python"))
    assert text == "x = 1"
    assert notes == ("Block 1 is not in the new cell: it has a syntax error in line 1.",)


def test_code_with_a_mistake_goes_in_if_there_is_no_other():
    """It can be mended there, and the page names the line."""
    text, notes = chosen(fence("x = 1\nx = = 2", "python"))
    assert text == "x = 1\nx = = 2"
    assert notes == ("It cannot run as it is: it has a syntax error in line 2.",)


@pytest.mark.parametrize("session", ["$ pip install x", "$ ls\na.csv"])
def test_a_shell_session_is_no_cell_even_if_it_says_python(session):
    """It is shown."""
    assert choose_blocks(find_blocks(fence(session, "python"))) is None


@pytest.mark.parametrize(
    "code", ["(" * 50_000, "x = " + "-" * 90_000 + "1", "a" + ".b" * 40_000, "%x\n" * 20_000, "x?\n" * 20_000,
             "\0", "x = '\ud800'", "if a:\n b\n" + "elif a:\n b\n" * 5_000, "x = 1\n" * 50_000],
)  # fmt: skip
def test_code_that_no_parser_likes_harms_nobody(code):
    """It ends in bounded time and raises nothing, with and without a fence."""
    for text in (fence(code, "python"), fence(code), code):
        choose_blocks(find_blocks(text))
