"""Stop pressed at any line of a turn: the next one may ask."""

from __future__ import annotations

import pytest
from journals import client, rows
from processes import eventually
from stops import stops

from vertex_claude_magic.chats import locks
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
