"""Stop pressed at any line of a question: nothing hangs, and what was sent is counted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from journals import client
from processes import eventually
from stops import stops

from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.records import playback
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
