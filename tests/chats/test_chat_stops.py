"""Stop pressed at any line of a turn: what was answered is in the conversation, and the next one may ask."""

from __future__ import annotations

import pytest
from journals import client, rows
from processes import eventually
from stops import stops

from vertex_claude_magic import ClaudeInterrupt
from vertex_claude_magic.chats import conversation, locks
from vertex_claude_magic.records import chats
from vertex_claude_magic.session import asking, exchange

STOPPED = {
    "while it is taken or let go": ((locks, chats), ()),
    "while the question is made ready": ((exchange, asking), ("__init__", "build", "started", "start", "lifecycle")),
}  # fmt: skip


@pytest.mark.parametrize(("where", "only"), STOPPED.values(), ids=STOPPED)
def test_a_conversation_is_free_again(claude_emulator, where, only):
    """For this thread, also while a traceback has what was stopped, and for other processes."""
    claude, kept = client(claude_emulator), []

    def ask(number: int) -> None:
        try:
            claude.chat(f"talk{number}").stream("One").reply  # noqa: B018 - it asks
        except KeyboardInterrupt as error:
            kept.append(error)
            raise

    for number, place in enumerate(stops(ask, *where, only=only), start=1):
        assert claude.chat(f"talk{number}").ask("Two").turn, place
    assert len(kept) > 20
    assert eventually(lambda: not any(row["holder"] for row in rows("chats")))


def test_a_turn_that_was_answered_is_in_its_conversation(claude_emulator):
    """Once, with all that was paid for, and the error has its number; marked where stop came before it was settled."""
    claude, seen = client(claude_emulator), []
    ending = ("wait", "_end_round", "settle", "_ending", "_settled", "_tell", "_free", "release", "write")

    def ask(number: int) -> None:
        before = len(rows())
        try:
            claude.chat(f"talk{number}").ask(f"What is {number} + 2?")
        except ClaudeInterrupt as stopped:
            if [row["state"] for row in rows()[before:]] == ["done"]:
                seen.append((claude.chat(f"talk{number}").turns, stopped.reply))
            raise

    claude.ask("What is 1 + 1?")
    for number, place in enumerate(stops(ask, exchange, conversation, locks, chats, only=ending), start=1):
        assert claude.chat(f"talk{number}").ask("And 3 + 3?").complete, place
    assert seen
    for turns, reply in seen:
        assert [(turn.number, turn.reply.text) for turn in turns] == [(reply.turn, reply.text)]
        assert turns[0].state == "interrupted" or reply.complete
    assert "ok" in {turns[0].state for turns, _ in seen}
