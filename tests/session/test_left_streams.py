"""A stream that its program leaves: the connection is closed, and the journal and the sums say how it ended."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from journals import asked, client, rows
from processes import eventually, forked, needs_fork
from tool_use import use

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.session.stream import _unclosed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic import Claude

LONG = "Once upon a time. " * 40


@pytest.fixture
def slow(claude_emulator):
    """A service that begins its answers and never ends them."""
    claude_emulator.answer(*[Reply(content=LONG, fault=Fault(stall_after=900))] * 3)
    return claude_emulator


def states() -> list[str]:
    return [row["state"] for row in rows()]


def settled(claude: Claude) -> list[str]:
    """How the calls are recorded once nothing is set aside for any."""
    budget = claude._session.records.budget
    assert eventually(lambda: not budget._held)
    # What another thread does of it still is waited for.
    _unclosed.record_all()
    return states()


def begun(claude: Claude):
    """The answer to a question, of which the first event was read."""
    stream = claude.stream("Hello")
    assert next(iter(stream)).type == "message_start"
    return stream


@pytest.mark.parametrize("options", [{}, {"max_daily_cost": 5.0}], ids=["no limit", "a limit for the day"])
def test_a_loop_that_ends_early_leaves_a_stopped_call(slow, options):
    claude = client(slow, **options)
    for _ in range(3):
        for event in claude.stream("Hello"):
            if event.text:
                break
    assert len(asked(slow)) == 3
    assert settled(claude) == ["stopped"] * 3
    assert [row["input_tokens"] > 0 for row in rows()] == [True] * 3


def test_a_stream_that_nobody_reads_leaves_a_stopped_call(slow):
    claude = client(slow)
    claude.stream("Hello")
    assert settled(claude) == ["stopped"]


def test_a_stream_that_the_garbage_collector_finds_leaves_a_stopped_call(slow):
    claude = client(slow)
    cycle = [begun(claude)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert settled(claude) == ["stopped"]


@contextmanager
def transaction(claude: Claude) -> Iterator[None]:
    database = claude._session.records.stores.journal("").database
    with database._lock:
        database._opened().execute("BEGIN IMMEDIATE")
        yield
        database._opened().execute("ROLLBACK")


INSIDE = {
    "a transaction of the journal": transaction,
    "the lock of the session's sums": lambda claude: claude._session.records.budget._lock,
    "the lock of its notices": lambda claude: claude._session.records._lock,
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
def test_a_stream_may_be_freed_anywhere(slow, inside):
    """The garbage collector runs in any thread and at any moment."""
    claude = client(slow)
    stream = begun(claude)
    with inside(claude):
        del stream
    assert settled(claude) == ["stopped"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("inside", INSIDE.values(), ids=INSIDE)
def test_a_question_that_is_left_between_two_functions_may_be_freed_anywhere(claude_emulator, inside):
    """Its answer is whole, with the calls that had ended."""
    claude_emulator.answer([use(1, "lower", text="A"), use(2, "lower", text="B")])
    claude = client(claude_emulator)

    def lower(text: str) -> str:
        """Make it small."""
        return text.lower()

    for event in claude.stream("Hello", tools=[lower]):
        if event.type == "tool_result":
            break
    del event
    with inside(claude):
        gc.collect()
    assert settled(claude) == ["done"]
    journal = claude._session.records.stores.journal("")
    [kept] = journal.recent()
    assert [result["content"] for result in kept.answer["tool_results"]] == ["a"]


FAILS = {
    "refused": (Fault(status=400), {}, ["failed"]),
    "broken off": (Reply(content=LONG, fault=Fault(cut_after=900)), {}, ["failed"]),
    "not the data": (Reply(content="Many."), {"as_": int}, ["done", "done"]),
}


@pytest.mark.parametrize(("answer", "options", "recorded"), FAILS.values(), ids=FAILS)
def test_a_question_that_has_failed_is_recorded_though_its_object_lives(
    claude_emulator, answer, options, recorded
):
    """Such as in a variable of the notebook, or in the traceback."""
    claude_emulator.answer(*[answer] * 2)
    stream = client(claude_emulator).stream("Hello", **options)
    with pytest.raises(errors.ClaudeError):
        _ = stream.reply
    assert states() == recorded


SCRIPT = """
from vertex_claude_magic import Claude
claude = Claude(model="haiku")
"""
ENDS = {
    "the loop is its last statement": "for event in claude.stream('Hi'): break",
    "a variable has the stream": "stream = claude.stream('Hi')\nnext(iter(stream))",
    "nothing was read": "stream = claude.stream('Hi')",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_a_script_that_ends_with_an_open_stream_leaves_a_stopped_call_and_says_nothing(slow, end):
    command = [sys.executable, "-W", "error", "-c", SCRIPT + end]
    environment = {**os.environ, **slow.environment}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=600, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert states() == ["stopped"]


@needs_fork
def test_a_stream_that_a_fork_leaves_is_recorded_by_the_process_that_asked(slow):
    """The limit has the call in the journal from its beginning."""
    claude = client(slow, max_daily_cost=5.0)
    streams = [begun(claude)]

    def leave() -> list[str]:
        streams.clear()
        _unclosed.record_all()
        return states()

    assert forked(leave) == ["sent"]
    streams.clear()
    assert settled(claude) == ["stopped"]
