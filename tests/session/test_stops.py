"""Stop pressed at any line of a question: nothing hangs, and what was sent is counted."""

from __future__ import annotations

import gc
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from journals import asked, client, rows
from processes import eventually
from stops import stops

from vertex_claude_magic import process
from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.records import budget, playback, recorder, session_records
from vertex_claude_magic.session import exchange, session, stream
from vertex_claude_magic.transport import transport, waiting

if TYPE_CHECKING:
    from vertex_claude_magic import Claude
    from vertex_claude_magic.emulator import Emulator


def to_the_end(claude: Claude, _: Emulator) -> None:
    claude.ask("Hello")


def left(claude: Claude, emulator: Emulator) -> None:
    emulator.answer(Reply(fault=Fault(stall_after=700)))
    with claude.stream("Hello") as stream:
        next(iter(stream))


def replayed(claude: Claude, _: Emulator) -> None:
    claude.ask("Once more", replay="auto", replay_pace="recorded")


@pytest.mark.parametrize("ask", [to_the_end, left, replayed])
def test_what_tidies_up_waits_for_nothing_that_was_stopped(claude_emulator, ask):
    """Also where stop comes into the waits of Python's library."""
    claude = client(claude_emulator, replay="off")
    claude.ask("Once more")
    inside = ("settle", "cancel", "set", "wait", "clear", "__enter__", "__exit__", "notify_all", "notify")
    places = []
    for place in stops(
        lambda _: ask(claude, claude_emulator), threading, transport, waiting, playback, only=inside
    ):
        places.append(place)
        assert claude.ask("Next").complete
        # So that no thread starts while stop is pressed.
        assert eventually(lambda: claude._session.transport._threads._waiting)
    assert places


LIMITS = {"no limit": {}, "of the day": {"max_daily_cost": 1e6}}


ENDS = ((recorder, stream), ("begin", "_added", "_leave_secrets_out", "end", "_keep", "_ending", "attempt", "close",
                             "record", "stop", "_hang_up", "_pace", "_server"))  # fmt: skip
STARTS = ((exchange, session, transport, process, session_records, budget, recorder, stream),
          ("_begin", "_open", "send", "start", "__init__", "start_thread", "reserve", "_begin_within", "_call", "begin"))  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize(("where", "only"), [STARTS, ENDS], ids=["when it is sent", "when it ends"])
def test_a_call_that_was_sent_is_kept_once(claude_emulator, limit, where, only):
    """In the journal and in the sums, and none is left under way."""
    claude = client(claude_emulator, **limit)
    claude.ask("Hello")
    places = [*stops(lambda number: claude.ask(f"What is {number}?"), *where, only=only)]
    assert len(places) > 30
    sums, calls = claude._session.records.budget, rows()
    assert len(asked(claude_emulator)) <= len(calls) == len({call["key"] for call in calls})
    assert {call["state"] for call in calls} <= {"done", "stopped"}
    worst = [call["cost_most"] if call["cost"] is None else call["cost"] for call in calls]
    assert (sums._held, sums.spent(local=True)) == ({}, pytest.approx(sum(worst)))


def test_freeing_a_question_runs_nothing_in_which_a_stop_is_lost(claude_emulator):
    """Python only prints what is raised in a weak reference's callback or a finalizer (sys.unraisablehook).

    One finalizer has to be: of a stream, which closes those that nobody closed.
    """
    claude = client(claude_emulator)
    asked = claude.stream("Hello")
    assert asked.reply.complete
    run = []
    gc.collect()
    gc.disable()
    try:
        sys.setprofile(lambda frame, event, _: run.append(frame.f_code.co_name) if event == "call" else None)
        del asked
    finally:
        sys.setprofile(None)
        gc.enable()
    assert set(run) <= {"__del__"}
