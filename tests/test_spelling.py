"""Cures name an option as their reader writes it: with dashes in a cell, as a keyword in Python."""

from __future__ import annotations

import ast
import copy
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import vertex_claude_magic
from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.spelling import Spelled, in_python, option, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

CURE = spelled("Lower {}, or use {}.", option("max_tokens"), option("region", "eu", "us"))


def test_a_text_is_that_of_a_cell_and_carries_the_one_of_python():
    """So that whoever knows nothing of it has what there always was."""
    assert CURE == "Lower --max-tokens, or use --region eu or us."
    assert CURE.python == 'Lower max_tokens=, or use region="eu" or "us".'


@pytest.mark.parametrize(
    "foreign", ["{max_tokens}", "{0}", "{", "}}", "{0.__class__}", "--max-tokens", "%s {}"]
)
def test_what_others_write_is_left_alone(foreign):
    """Braces and dashes in a part are text, in both spellings."""
    text = spelled("{}: lower {}.", foreign, option("max_tokens"))
    assert (text, text.python) == (f"{foreign}: lower --max-tokens.", f"{foreign}: lower max_tokens=.")


def test_texts_are_parts_of_texts():
    """Each in its spelling; an ordinary text has one."""
    text = spelled("Wait. {} {note}", CURE, note="{x}")
    assert text.python == f"Wait. {CURE.python} {{x}}"
    assert in_python(f"Wait. {CURE}") == f"Wait. {CURE}"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_keep_both_spellings(again):
    """Also across processes, alone and in an error."""
    error = again(errors.BadRequest("No.", cure=again(CURE)))
    assert isinstance(error.cure, Spelled)
    error.spell_for_python()
    assert error.cure == CURE.python


TOO_MANY = Fault(status=400, message="max_tokens: 99 is above the maximum allowed number of output tokens")


@pytest.mark.parametrize("ask", ["ask", "count"])
def test_python_code_gets_keywords(claude_emulator, ask):
    """What it is told, it can write."""
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    claude_emulator.fail(TOO_MANY)
    with pytest.raises(errors.BadRequest) as refused:
        getattr(claude, ask)("Hello")
    assert refused.value.cure == "Lower max_tokens=."
    assert str(refused.value).endswith(" Lower max_tokens=.")


def test_a_cell_gets_options(shell):
    """As they are written there."""
    shell.emulator.fail(TOO_MANY)
    assert shell.error("%claude Hello").cure == "Lower --max-tokens."


@pytest.mark.parametrize("ends", ["the events", "the reply"])
def test_an_error_of_a_stream_names_options_as_python_does(claude, claude_emulator, ends):
    """Whoever reads its events, or waits for its reply, is a program."""
    claude_emulator.fail(400)
    stream = claude.stream("Hi")
    with pytest.raises(errors.BadRequest) as caught:
        list(stream) if ends == "the events" else stream.reply
    assert "Claude.request shows what is sent" in caught.value.cure
    claude_emulator.answer(Reply(content='{"value"', stop_reason="max_tokens"))
    stream = claude.stream("Hi", as_=int)
    with pytest.raises(errors.AnswerTruncated) as caught:
        _ = stream.reply
    assert "max_tokens=" in caught.value.cure


# Whose messages are read where options have dashes, or which write a line: everything else may reach Python code.
ON_A_LINE = {
    "__main__.py": "vertex-claude",
    "chats/notebook_file.py": "the cells of a saved conversation",
    "cli/": "vertex-claude",
    "emulator/": "vertex-claude emulator",
    "errors.py": "puts message and cure together, which are spelled before",
    "health/": "%claude_doctor, %claude_models and vertex-claude doctor",
    "notebook/": "the magics",
    "records/recording/recording.py": "vertex-claude journal export",
    "settings/registry.py": "the help of a line",
    "spelling.py": "both spellings",
    "transport/logging_config.py": "%claude_logging",
}
# A whole command is the same wherever it is read.
COMMAND = re.compile(r"%claude|gcloud |jupyter |vertex-claude ")
DASHES = re.compile(r"(?<![\w-])--[a-z]")
SPELLED = {"Spelling", "in_python", "spelled"}


def written_texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts of a module that are neither docstrings nor spelled, and the texts of errors in f-strings as `--error`."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(node.value)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Spelling":
            skipped.update(ast.walk(node))
        if isinstance(node, ast.JoinedStr):
            skipped.update(node.values)
            parts = [each.value if isinstance(each, ast.Constant) else "{}" for each in node.values]
            yield node.lineno, "".join(map(str, parts))
            for each in ast.walk(node):
                if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and each.func.id in SPELLED:
                    skipped.update(ast.walk(each))
            for each in ast.walk(node):
                cure = isinstance(each, ast.Name) and each.id.endswith("CURE")
                if each not in skipped and (
                    cure or (isinstance(each, ast.Attribute) and each.attr in {"message", "cure"})
                ):
                    yield node.lineno, f"--error {ast.unparse(each)}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.lineno, node.value


PACKAGE = Path(vertex_claude_magic.__file__).parent


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for path in PACKAGE.rglob("*.py")
        if not (name := path.relative_to(PACKAGE).as_posix()).startswith(tuple(ON_A_LINE))
    ),
)
def test_no_text_that_python_code_may_get_has_an_option_with_dashes(name):
    """Each is made by `option`, `flag`, `name_of` or `field`, and stays what they return in every text around it."""
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    assert [
        (line, text) for line, text in written_texts(tree) if DASHES.search(text) and not COMMAND.search(text)
    ] == []


@pytest.mark.parametrize(
    "name", sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
)
def test_a_cure_that_raises_or_lowers_an_option_is_one_of_the_ways_of_a_cure(name):
    """Only `ways` knows whether a policy keeps the reader from it, and makes the sentence."""
    tree = ast.parse((PACKAGE / name).read_text(encoding="utf-8"))
    texts = [
        node.args[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "spelled"
        if isinstance(node.args[0], ast.Constant)
    ]
    assert [text for text in texts if re.search(r"\b(Raise|Lower) \{", text)] == []


REFUSED = {
    "a limit": lambda claude: claude.ask("Hi", max_cost=1e-9),
    "a limit of a price that is not known": lambda claude: claude.ask("Hi", model="claude-new-9", max_cost=1),
    "a limit of columns": lambda claude: claude.compare("Hi", models=["haiku", "opus"], max_cost=1e-9),
    "a format": lambda claude: claude.compare("Hi", models=["haiku", "opus"], format="code"),
    "a format of a table": lambda claude: claude.map(["a"], "{{ item }}", format="code"),
    "a column": lambda claude: claude.map([{"answer": 1}], "{{ answer }}"),
    "a replay": lambda claude: claude.ask("Hi", replay="only"),
    "a replay of a count": lambda claude: claude.count("Hi", replay="only"),
    "no tool": lambda claude: claude.ask("Hi", tools=[","]),
    "tools twice": lambda claude: claude.ask("Hi", tools=["web_search"], set={"tools": []}),
    "a name": lambda claude: claude.ask("Hi", tools=["a b.c"]),
    "a variable": lambda claude: claude.ask("{{ nosuch }}", names={}),
    "a call": lambda claude: claude.ask("{{ f(1) }}", names={}),
    "a reply": lambda claude: claude.ask("Hi", after="nosuch"),
    "two conversations": lambda claude: claude.ask("Hi", after="nosuch", chat="talk"),
    "messages": lambda claude: claude.ask("Hi", chat="talk", set={"messages": []}),
    "a batch": lambda claude: claude.batch(
        [{"n": 1}], "{{ n }}", to="gs://rows/x", max_cost=1e-9
    ),
    "a batch that goes on": lambda claude: claude.batch([{"n": 1}], "{{ n }}", to="gs://rows/x").retry(),
    "a batch that has not ended": lambda claude: claude.batch([{"n": 1}], "{{ n }}", to="gs://rows/x").result(),
}  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED.values(), ids=REFUSED.keys())
def test_what_python_code_cannot_do_is_told_in_keywords(claude, claude_emulator, refused, caplog):
    """In the message, in the cure, and in the log."""
    claude_emulator.buckets.make("rows", "us-east5")
    with pytest.raises(errors.ClaudeError) as caught:
        refused(claude)
    assert not DASHES.search(f"{caught.value} {caplog.text}")


WARNED = {
    "a recording": lambda claude: Claude(recording="none.claude", replay="only").close(),
    "a location": lambda claude: claude.ask("Hi"),
    "a limit of a table": lambda claude: (
        claude.map(["a"], "{{ item }}"),
        claude.map(["a", "b"], "{{ item }}", max_cost=1e-9),
    ),
    "a replay of a table": lambda claude: claude.map(["a", "b"], "{{ item }}", replay="only"),
    "marks": lambda claude: claude.map(["a"], "{{ item }}", cache=True),
}


@pytest.mark.parametrize("warned", WARNED.values(), ids=WARNED.keys())
def test_what_the_log_of_a_program_says_has_keywords(claude, warned, caplog, monkeypatch):
    """And so has the column of errors in a table, which is read by code."""
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "us-east5")
    result = warned(claude)
    assert caplog.text
    assert not DASHES.search(f"{caplog.text} {result}")


def test_a_magic_that_calls_python_code_has_options_with_dashes(shell):
    """The batch is an object of Python code too."""
    shell.emulator.buckets.make("rows", "us-east5")
    shell.ok("rows = [{'n': 1}]")
    shell.ok("%%claude_batch labels rows -m sonnet --to gs://rows/x\n{{ n }}")
    assert shell.error("%claude_batch labels --retry-failed").cure == (
        "Wait for its end: %claude_batch labels --wait."
    )
    assert shell.error("labels.retry()").cure == "Wait for its end: .wait()."
