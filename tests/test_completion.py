"""Tab on the line of a magic."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from shells import loaded_shell

from vertex_claude_magic.notebook.completion import candidates
from vertex_claude_magic.notebook.options import OPTIONS

# The line up to the cursor, some of what is offered, some of what is not.
LINES = [
    ("%%claude --m", {"--max-tokens", "--model"}, {"--beta"}),
    ("%%claude --", {option.long for option in OPTIONS}, {"-m"}),
    ("%%claude -m so", {"sonnet", "sonnet-4.5"}, {"opus"}),
    (
        "%%claude -m claude-son",
        {"claude-sonnet-5-5", "claude-sonnet-4-5@20250929"},
        {"claude-opus-4-1@20250805"},
    ),
    ("%%claude -m claude-sonnet-4-5@2", {"claude-sonnet-4-5@20250929"}, {"claude-sonnet-5-5"}),
    ("%%claude --model=op", {"opus", "opus-4.1"}, {"sonnet"}),
    ("%%claude answer -q -r ", {"global", "us", "eu", "us-east5"}, {"opus"}),
    ("%%claude --region=us-", {"us-east5"}, {"us"}),
    ("%%claude --effort h", {"high"}, {"low"}),
    ("%%claude --thinking ", {"adaptive", "off", "between_tools"}, set()),
    ("%%claude -f ", {"markdown", "text", "json", "code"}, set()),
    ("%%claude -a my_", {"my_frame", "my_type", "my_notes.txt"}, {"_my_secret"}),
    ("%%claude --attach=my_folder/", {"my_folder/report.pdf"}, {"my_frame"}),
    ("%%claude --as ", {"df", "my_type"}, set()),
    ("%claude -m hai", {"haiku"}, {"sonnet"}),
    ("%claude --no", {"--no-stream"}, set()),
    ("%claude_models so", {"sonnet"}, {"opus"}),
    ("%claude_models --", {"--region", "--check", "--probe", "--live", "--project"}, {"--model", "--table"}),
    ("%claude_models --check ", {"sonnet", "haiku"}, set()),
    ("%claude_logging ", {"status", "on", "off"}, {"sonnet"}),
    ("%claude_logging on --t", {"--table"}, {"--temperature", "--thinking"}),
    ("%claude_logging on -m hai", {"haiku"}, {"sonnet"}),
    ("%claude_logging off -r e", {"eu"}, {"us"}),
    ("%claude_models --region e", {"eu"}, {"us"}),
    ("%claude_demo ", {"stop"}, set()),
    ("%claude_usage --", {"--by", "--days", "--session"}, {"--model"}),
    ("%claude_usage --days 7 --by ", {"day", "model", "notebook"}, {"my_type"}),
]


@pytest.fixture(scope="module")
def shell():
    shell = loaded_shell()
    shell.ip.user_ns.update(my_frame=[1], my_type=int, _my_secret=1)
    return shell


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the notebook, with a few files."""
    (tmp_path / "my_notes.txt").write_text("Notes.")
    (tmp_path / "my_folder").mkdir()
    (tmp_path / "my_folder" / "report.pdf").write_text("")
    monkeypatch.chdir(tmp_path)


def completed(shell, line: str, cursor: int | None = None) -> set[str]:
    """Every line that the completer of a kernel would make of this one."""
    with provisionalcompleter():
        found = list(shell.ip.Completer.completions(line, len(line) if cursor is None else cursor))
    return {line[: each.start] + each.text + line[each.end :] for each in found}


@pytest.mark.parametrize(("line", "offered", "others"), LINES, ids=[row[0] for row in LINES])
def test_tab_offers_what_may_stand_there(shell, line, offered, others):
    """Through IPython's own completer, whose words end at `@` and `=`."""
    at = max(line.rfind(" "), line.rfind("=") if "--" in line else -1) + 1
    lines = completed(shell, line)
    assert {line[:at] + word for word in offered} <= lines
    assert not {line[:at] + word for word in others} & lines


def test_retired_models_are_not_offered():
    """They would be refused."""
    assert "claude-3-opus@20240229" not in candidates("%%claude -m", "claude")


@pytest.mark.parametrize(
    "before",
    [
        "",
        "%%claude",
        "%%claude -n",
        "%claude_logging on",
        "%claude_logging on --table",
        "%%claude -s 'a",
        "%other",
    ],
)
def test_nothing_is_made_up_where_free_text_stands(before):
    """Numbers and texts are the user's."""
    assert candidates(before, "wor") == []


def test_a_word_that_goes_on_behind_the_cursor_is_no_trouble(shell):
    """Only what stands before the cursor counts."""
    assert "%%claude -m sonnet -q" in completed(shell, "%%claude -m son -q", len("%%claude -m son"))


def test_other_lines_complete_as_ever(shell):
    """A variable of the user's is still found."""
    shell.ip.user_ns["my_variable"] = 1
    assert "my_variable" in completed(shell, "my_var")
