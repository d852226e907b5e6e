"""The names of the conversations of this notebook, for Tab and the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.chats.naming import home
from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.records.chats import ChatStore
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.records.stores import Stores
from vertex_claude_magic.settings.loaded import loaded
from vertex_claude_magic.settings.target import resolve_target

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.chats import ChatRow

__all__ = ["chat_names", "chats_line"]

_MOST_SHOWN = 4


def chat_names() -> list[str]:
    """Return the names, that of the one which changed last first; none where no magics are loaded."""
    return [row.name for row in _rows()]


def chats_line() -> str:
    """Return a line about the conversations of this notebook and where the next question goes, empty without any."""
    rows = _rows()
    if not rows:
        return ""
    shown = [f"{row.name} ({row.turns} turn{'' if row.turns == 1 else 's'})" for row in rows[:_MOST_SHOWN]]
    more = f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else ""
    goes = f"A cell with -c {rows[0].name} asks there; without -c it stands alone."
    return f"Conversations: {', '.join(shown)}{more}. {goes}"


def _rows() -> list[ChatRow]:
    known = loaded()
    if known is None or not isinstance(known.stores, Stores):
        return []
    try:
        target = resolve_target(known.options)
        return ChatStore(journal_of(target, known.stores), known.stores).listed(home())
    except ClaudeError:
        # Tab is no place for an error; the question says what is wrong.
        return []
