"""The conversations of this notebook, for Tab and the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.chats.naming import home
from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.records.chats import ChatStore
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.session.session import open_session
from vertex_claude_magic.settings.loaded import loaded

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.chats import ChatRow

__all__ = ["chat_rows"]


def chat_rows() -> list[ChatRow]:
    """Return the conversations, the one that changed last first; none where no magics are loaded."""
    if loaded() is None:
        return []
    session = open_session()
    try:
        target, stores = session.target(), session.records.stores
        return ChatStore(journal_of(target, stores), stores).listed(home())
    except ClaudeError:
        # Tab is not the place for an error; the question says what is wrong.
        return []
