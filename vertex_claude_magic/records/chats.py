"""Where the conversations of a session are: in the journal, or in the kernel where there is none.

Where a journal cannot be written to, that is said once, and the conversation goes on in the kernel. Where it cannot be
read, the question is not asked: without what was said before, the answer would be to another question.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.prompts.secrets import find_secret, searchable
from vertex_claude_magic.records.journal import chats
from vertex_claude_magic.records.journal.chats import ChatRow, StoredChat
from vertex_claude_magic.records.journal.location import is_there
from vertex_claude_magic.records.journal.runs import this_process

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.records.journal.chats import StoredTurn
    from vertex_claude_magic.records.journal.journal import Journal
    from vertex_claude_magic.records.stores import Stores

__all__ = ["ChatStore"]

T = TypeVar("T")

_NO_JOURNAL = (
    "The journal is off, so conversations exist only in this kernel; %claude_chat NAME --save FILE saves one."
)


class ChatStore:
    """The conversations that a session may read and change.

    Args:
        journal: The journal, None where it is off.
        stores: The open files of the session, which also hold what is in the kernel only.
        tell: Takes a notice for the user, given once.
        clock: Seconds since 1970 (UTC).
    """

    def __init__(
        self,
        journal: Journal | None,
        stores: Stores,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._known = stores.chats
        self._tell = tell
        self._clock = clock

    def read(self, notebook: str, name: str) -> StoredChat:
        """Return a conversation, one without turns where there is none.

        Raises:
            JournalError: the journal cannot be read.
        """
        if (held := self._known.get(("", notebook, name))) is not None:
            return held
        journal = self._journal
        if journal is None or not is_there(journal.path):
            return StoredChat()
        place = (str(journal.path), notebook, name)
        known = self._known.get(place)

        def work(connection: sqlite3.Connection) -> StoredChat:
            if known is not None and known.revision == chats.revision_of(connection, notebook, name):
                # A long conversation is not read again with each turn.
                return known
            return chats.read(connection, notebook, name)

        found = self._known[place] = journal.database.read(work)
        return found

    def write(self, notebook: str, name: str, turns: Sequence[StoredTurn], *, hurry: bool = False) -> None:
        """Store all turns of a conversation; without turns it goes. `hurry` is that of `Database.write`."""
        journal, held = self._journal, ("", notebook, name)
        if held not in self._known:
            if journal is None:
                self._tell(_NO_JOURNAL)
            elif find_secret(searchable([[each.messages, each.about] for each in turns if each.id is None])):
                self._tell(
                    f"{name} seems to contain a key or a token, so from now on it exists only in this kernel."
                )
            else:
                at = self._clock()
                try:
                    stored = journal.database.write(
                        lambda connection: chats.write(connection, notebook, name, turns, at), hurry=hurry
                    )
                except JournalError as error:
                    # The call itself tells of the same error, and what was told is not told again.
                    self._tell(str(error))
                    self._tell(f"{name} exists only in this kernel as long as the journal cannot be used.")
                else:
                    self._known[str(journal.path), notebook, name] = stored
                    return
        if turns:
            self._known[held] = StoredChat(uuid4().hex, tuple(turns))
        else:
            self._known.pop(held, None)

    def rename(self, notebook: str, name: str, new: str) -> None:
        """Give a conversation another name, which is free.

        Raises:
            JournalError: the journal cannot be written to.
        """
        held = self._known.pop(("", notebook, name), None)
        if held is not None:
            self._known["", notebook, new] = held
        elif self._journal is not None:
            self._journal.database.write(lambda connection: chats.rename(connection, notebook, name, new))

    def listed(self, notebook: str | None = None) -> list[ChatRow]:
        """Return the conversations of a notebook, or of all of them (None), the one that changed last first.

        Raises:
            JournalError: the journal cannot be read.
        """
        now = self._clock()
        held = [
            ChatRow(whose, name, len(chat.turns), now)
            for (path, whose, name), chat in self._known.items()
            if not path and notebook in {None, whose}
        ]
        journal = self._journal
        if journal is None or not is_there(journal.path):
            return held
        mine = {(row.notebook, row.name) for row in held}
        stored = journal.database.read(lambda connection: chats.listed(connection, notebook))
        return [*held, *(row for row in stored if (row.notebook, row.name) not in mine)]

    def hold(self, notebook: str, name: str) -> bool:
        """Say that this process asks in a conversation now, and tell whether no other process does."""
        process, at = this_process(), self._clock()
        return self._try(lambda connection: chats.hold(connection, notebook, name, process, at), True)

    def release(self, notebook: str, name: str) -> None:
        """Say that this process has asked."""
        process = this_process()
        self._try(lambda connection: chats.release(connection, notebook, name, process), None)

    def _try(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        if self._journal is None:
            return otherwise
        try:
            return self._journal.database.write(work)
        except JournalError as error:
            self._tell(str(error))
            return otherwise
