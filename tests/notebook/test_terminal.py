"""The answer as plain text in a terminal."""

from __future__ import annotations

import io

import pytest

from vertex_claude_magic.notebook.display.terminal import TerminalAnswer
from vertex_claude_magic.vertex.reply import Reply
from vertex_claude_magic.vertex.tool_call import REFUSED, ToolCall

ESCAPES = [
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;http://evil.test\x1b\\",
    "\x1b[2J\x1b[1;31m",
    "\x9b31m",
    "\x9d0;title\x9c",
    "\x1bP1$r0m\x1b\\",
    "\x1b(0",
    "\x1bc",
]


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def build(out, clock):
    """Return a function that makes and starts an answer that writes to `out`."""

    def start(**options):
        answer = TerminalAnswer(out, clock=clock, **options)
        answer.start("m · global")
        return answer

    return start


def reply(text, **fields):
    values = {"complete": True, "stop_reason": "end_turn", "model": "m", **fields}
    return Reply(blocks=({"type": "text", "text": text},), **values)


def test_text_is_written_as_it_comes(build, out):
    """Each draw writes what is new, and only that; then nothing is due."""
    answer = build()
    answer.text("one ")
    assert answer.due_in() == 0
    answer.draw()
    answer.text("two")
    answer.draw()
    assert out.getvalue() == "one two"
    assert answer.due_in() is None
    answer.finish(reply("one two"), metadata={})
    assert out.getvalue() == "one two\n\nm · 0.0 s · cost unknown\n"


@pytest.mark.parametrize("streamed", [True, False])
def test_what_was_said_between_two_rounds_is_not_said_again(build, out, streamed):
    """A terminal keeps it; where nothing was written before the end, it stands below the answer."""
    answer = build(**({} if streamed else {"format": "json"}))
    answer.text("1")
    answer.between("The first answer did not match.")
    answer.text('{"a": 2}')
    answer.draw()
    notes = ["The first answer did not match.", "Another note."]
    answer.finish(reply('{"a": 2}'), notes=notes, metadata={})
    assert [out.getvalue().count(note) for note in notes] == [1, 1]


ROWS = "| a |\n|---|\n| 1 |\n"
OTHER_ROWS = "| b | a |\n|---|---|\n|  | 1 |\n"
ENDS = {
    "more": ("one ", "one two", "one two"),
    "the same": ("one", "one", "one"),
    "in a fence": ("print(1)\n", "```python\nprint(1)\n```", "print(1)\n"),
    "another table": (ROWS, OTHER_ROWS, f"{ROWS}\n\n{OTHER_ROWS}"),
}


@pytest.mark.parametrize(("came", "shown", "written"), ENDS.values(), ids=ENDS)
def test_what_is_shown_in_the_end_may_be_another_text_than_what_came(build, out, came, shown, written):
    """What the terminal has written stays, and nothing is written in part."""
    answer = build()
    answer.text(came)
    answer.draw()
    answer.finish(reply(shown), metadata={})
    assert out.getvalue().removesuffix("\nm · 0.0 s · cost unknown\n").rstrip("\n") == written.rstrip("\n")


@pytest.mark.parametrize("escape", ESCAPES)
def test_an_escape_sequence_never_gets_through_however_it_is_split(build, out, escape):
    """Case 57: one character at a time, the text around it stays and nothing of the sequence does."""
    answer, text = build(), f"before {escape} after"
    for character in text:
        answer.text(character)
        answer.draw()
    answer.finish(reply(text), metadata={})
    assert out.getvalue().startswith("before  after\n")


def test_an_escape_that_never_ends_does_not_hold_text_back_for_ever(build, out):
    """After some thousand characters, or at a line end, it is text."""
    answer = build()
    answer.text("\x1b]0;" + "x" * 3_000)
    answer.draw()
    assert out.getvalue() == ""
    answer.text("x" * 3_000)
    answer.draw()
    assert len(out.getvalue()) > 5_900
    assert "\x1b" not in out.getvalue()


def test_the_waiting_line_is_written_over_in_a_terminal(build, out, clock):
    """It goes away before the text, without any escape sequence."""
    answer = build(tty=True)
    assert out.getvalue() == "◌ m · global"
    answer.status("retrying in 2 s (overloaded)")
    answer.draw()
    assert out.getvalue().endswith("\r◌ m · global · retrying in 2 s (overloaded)")
    clock.now += 2
    answer.draw()
    assert out.getvalue().endswith("· 2 s")
    answer.text("Hi")
    answer.draw()
    assert out.getvalue().endswith(" \rHi")
    assert "\x1b" not in out.getvalue()
    assert answer.due_in() is None


def test_the_waiting_line_fits_into_a_narrow_terminal(build, out):
    """A line that wraps could not be written over."""
    answer = build(tty=True)
    answer.status("a very long reason " * 20)
    answer.draw()
    assert max(len(line) for line in out.getvalue().split("\r")) <= 79


def test_no_waiting_line_in_a_pipe(build, out):
    """A file gets the text and the footer only."""
    answer = build()
    answer.status("retrying")
    answer.draw()
    assert answer.due_in() is None
    assert out.getvalue() == ""


def test_thinking_stands_behind_a_bar(build, out):
    """Each line of it, and a blank line before the answer."""
    answer = build(show_thinking=True)
    answer.thinking("First\nsec")
    answer.draw()
    answer.thinking("ond")
    answer.text("Answer")
    answer.draw()
    assert out.getvalue() == "│ First\n│ second\n\nAnswer"


def test_thinking_is_dimmed_in_a_terminal(build, out):
    """Only our own escape sequences are written, and each is ended."""
    answer = build(show_thinking=True, tty=True)
    answer.thinking("Hm \x1b[31m")
    answer.draw()
    assert out.getvalue().endswith("\x1b[2m│ Hm \x1b[22m")


def test_thinking_is_not_written_unless_asked_for(build, out):
    """In a terminal the waiting line says that it goes on."""
    answer = build(tty=True)
    answer.thinking("secret")
    answer.draw()
    assert "secret" not in out.getvalue()
    assert out.getvalue().endswith("· thinking")


def test_json_is_written_at_the_end(build, out):
    """Indented if it is JSON, otherwise as it came with a note."""
    answer = build(format="json")
    answer.text('{"a":1}')
    answer.draw()
    assert out.getvalue() == ""
    answer.finish(reply('{"a":1}'), metadata={})
    assert out.getvalue().startswith('{\n  "a": 1\n}\n\n')


def test_an_answer_that_was_not_streamed_is_written_whole(build, out):
    """And so is the rest of one that was streamed in part."""
    answer = build()
    answer.text("All ")
    answer.finish(reply("All at once", complete=False), notes=["a note"], metadata={})
    assert out.getvalue().splitlines()[0] == "All at once"
    assert "⚠ Stopped. This is a partial answer" in out.getvalue()
    assert out.getvalue().endswith("\na note\n")


def test_an_abandoned_answer_takes_its_waiting_line_away(build, out):
    """The error begins on an empty line."""
    answer = build(tty=True)
    answer.abandon()
    assert out.getvalue().endswith("\r")
    assert answer.due_in() is None


def test_quiet_writes_nothing(build, out):
    """Not even the footer."""
    answer = build(tty=True, quiet=True)
    answer.text("text")
    answer.draw()
    answer.finish(reply("text"), metadata={})
    answer.abandon()
    assert out.getvalue() == ""


def test_an_answer_of_several_rounds_that_was_not_streamed_is_written_whole(build, out):
    """Every text, with the calls between them, as a page shows them."""
    calls = (ToolCall(id="t", name="mean", arguments={"column": "mass"}, content="2.5"),)
    first, last = reply("Let me look.", tool_calls=calls), reply("It is 2.5.")
    whole = reply("It is 2.5.", tool_calls=calls, parts=(first, last))
    build().finish(whole, metadata={})
    written = out.getvalue()
    assert written.startswith('Let me look.\n\n[mean(column="mass")]\n\nIt is 2.5.\n')


def test_a_call_is_announced_and_its_end_is_written_below(build, out):
    """What a function returned cannot move the cursor."""
    answer = build()
    answer.text("Let me look.")
    answer.runs('mean(column="\x1b[2J")')
    answer.called(ToolCall(id="t", name="mean", content="2.5\x1b[31m", seconds=0.1))
    answer.text("It is 2.5.")
    answer.draw()
    answer.finish(reply("It is 2.5."), metadata={})
    written = out.getvalue()
    assert "\x1b" not in written
    assert written.index("Let me look.") < written.index("Running mean") < written.index("→ 2.5")
    assert written.count("It is 2.5.") == 1


@pytest.mark.parametrize("tty", [False, True])
def test_texts_and_lines_of_calls_have_a_blank_line_between_them(build, out, tty):
    """Also a call from a record, which nothing announced."""
    answer = build(tty=tty)
    answer.text("Let me look.")
    answer.runs("mean()")
    answer.called(ToolCall(id="t", name="mean", content="2.5", seconds=0.1))
    answer.called(ToolCall(id="t", name="mean", content="2.5", seconds=0.1, replayed=True))
    answer.text("\n\nIt is 2.5.")
    answer.finish(reply("It is 2.5."), metadata={})
    assert (
        "Let me look.\n\nRunning mean()\n\n→ 2.5 · 0.1 s\n\n[mean() · not called again]\n\nIt is 2.5."
        in out.getvalue()
    )


@pytest.mark.parametrize("tty", [False, True])
def test_a_call_that_waits_for_a_yes_is_written_as_it_stands(build, out, tty):
    """Not as Markdown, which would take characters out; what came before is over, so that nothing is written over it."""
    answer, call = build(tty=tty), 'run(code="**a** `b` _c_ ' + "d" * 200 + '")'
    answer.text("May *I*")
    answer.draw()
    assert answer.asks(call)
    assert out.getvalue().endswith(f"\n\nRuns only after your yes: {call}\n")
    answer.text("As you like.")
    answer.finish(reply("As you like."), metadata={})
    _, _, after = out.getvalue().partition(call)
    assert "As you like." in after
    assert "\x1b[1A" not in after


CALL = ToolCall(id="t", name="load", content="1", seconds=0.1)
STOPS = {
    "while it runs": [("runs", "load()")],
    "while it is asked": [("asks", "load()")],
    "after the yes": [("asks", "load()"), ("runs", "load()")],
    "after one": [("runs", "load()"), ("called", CALL)],
    "in the second": [("runs", "load()"), ("called", CALL), ("runs", "load()")],
    "between two rounds": [("between", "The first answer did not match.")],
}


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize("drawn", [False, True])
@pytest.mark.parametrize("steps", STOPS.values(), ids=STOPS)
def test_what_stands_above_a_call_that_was_stopped_is_not_written_again(build, out, steps, drawn, tty):
    """The reply is that of the round that called; what came of the next one is another text."""
    answer = build(tty=tty)
    answer.text("Let me ")
    if drawn:
        answer.draw()
    answer.text("look.")
    for name, value in steps:
        getattr(answer, name)(value)
        answer.draw()
    above = out.getvalue()
    answer.finish(reply("Let me look.", complete=False, stop_reason=None), metadata={})
    assert "look." in above
    assert "look." not in out.getvalue()[len(above) :]
    assert "partial answer" in out.getvalue()


@pytest.mark.parametrize("steps", STOPS.values(), ids=STOPS)
def test_a_text_below_a_call_is_written_although_it_says_what_the_one_above_said(build, out, steps):
    """Also where it is the same, or a part of it, or more."""
    for text in ("Let me look.", "look", "Let me look. And see."):
        answer = build()
        answer.text("Let me look.")
        for name, value in steps:
            getattr(answer, name)(value)
        above = len(out.getvalue())
        answer.text(text[:3])
        answer.draw()
        answer.finish(reply(text), metadata={})
        assert out.getvalue()[above:].startswith(f"\n{text}\n")


@pytest.mark.parametrize("came", ["\n", "  ", "\n\n \t"])
@pytest.mark.parametrize("shown", ["Hello", "\n\nHello", "```python\nHello\n```"])
def test_blanks_are_no_beginning_of_an_answer(build, out, came, shown):
    """Whatever stands before it, the answer is written, and once."""
    answer = build()
    answer.text(came)
    answer.draw()
    answer.finish(reply(shown), metadata={})
    assert out.getvalue().partition("\n\nm · ")[0].strip() == shown.strip()


def test_a_call_that_was_not_allowed_is_no_error(build, out):
    """One line below the question, without the words that the model reads."""
    answer = build()
    answer.asks("mean()")
    answer.called(ToolCall(id="t", name="mean", content=REFUSED, is_error=True))
    assert out.getvalue() == "Runs only after your yes: mean()\n\n→ not allowed\n"


@pytest.mark.parametrize("options", [{"quiet": True}, {"format": "json"}])
def test_what_writes_nothing_leaves_the_call_to_the_line_that_asks(build, out, options):
    assert build(tty=True, **options).asks("run()") is False
    assert "run" not in out.getvalue()
