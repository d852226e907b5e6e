"""Cures name an option as their reader writes it: with dashes in a cell, as a keyword in Python."""

from __future__ import annotations

import copy
import pickle

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.spelling import Spelled, in_python, option, spelled

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
