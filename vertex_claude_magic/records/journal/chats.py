"""Conversations in the journal: who they belong to, their turns in order, and which process asks now.

The messages of a turn are parts, as those of calls are, so that what was sent and answered is there once. Each turn
counts as a use of its parts and attachments: pruning the calls takes nothing away from a conversation.

Functions take a connection inside of a transaction; `Database` provides it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.markdown.characters import replace_invalid
from vertex_claude_magic.records.journal.parts import (
    add_attachments,
    add_part,
    attachment,
    drop_attachments,
    drop_part,
    pack,
    read_part,
    unpack,
)
from vertex_claude_magic.records.journal.runs import lives
from vertex_claude_magic.vertex.digest import attachments, canonical, parts_of, with_attachments

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence


__all__ = [
    "ChatRow",
    "StoredChat",
    "StoredTurn",
    "hold",
    "listed",
    "read",
    "release",
    "rename",
    "revision_of",
    "write",
]


class StoredTurn(NamedTuple):
    """One turn as it is stored.

    Args:
        state: "ok", "interrupted" (or refused), or "sent" (interrupted, and part of the conversation all the same).
        messages: What it adds to the conversation, as it is sent: the prompt, calls and results of tools, the answer.
        about: The rest, as JSON.
        id: Its number in the journal, None where it is not there.
    """

    state: str
    messages: tuple[Mapping[str, Any], ...]
    about: Mapping[str, Any]
    id: int | None = None


class StoredChat(NamedTuple):
    """A conversation as it is stored; `revision` is another one after each change."""

    revision: str = ""
    turns: tuple[StoredTurn, ...] = ()


class ChatRow(NamedTuple):
    """A conversation in a list; `changed` is in seconds since 1970 (UTC)."""

    notebook: str
    name: str
    turns: int
    changed: float


def revision_of(connection: sqlite3.Connection, notebook: str, name: str) -> str:
    """Return what tells the present state of a conversation from others, empty where there is none."""
    return _row(connection, notebook, name)[0]


def read(connection: sqlite3.Connection, notebook: str, name: str) -> StoredChat:
    """Return a conversation, one without turns where there is none.

    Raises:
        JournalError: it was changed by another program.
    """
    revision, number = _row(connection, notebook, name)
    rows = connection.execute(
        "SELECT id, state, content FROM chat_turns WHERE chat = ? ORDER BY number, id", (number,)
    ).fetchall()
    turns = []
    for identity, state, content in rows:
        stored = unpack(content)
        kept = [read_part(connection, part) for part in stored["messages"]]
        messages = tuple(with_attachments(message, partial(_attached, connection)) for message in kept)
        turns.append(StoredTurn(state=state, messages=messages, about=stored["about"], id=identity))
    return StoredChat(revision, tuple(turns))


def write(
    connection: sqlite3.Connection, notebook: str, name: str, turns: Sequence[StoredTurn], at: float
) -> StoredChat:
    """Store the turns of a conversation in place of those that are there, and return it; without turns it goes.

    Args:
        connection: The journal.
        notebook: Whose it is.
        name: Its name.
        turns: All of them; of those with an `id`, which are there, only state and place are stored anew.
        at: Seconds since 1970 (UTC).
    """
    _, number = _row(connection, notebook, name)
    if not number:
        number = _added(connection, notebook, name, at)
    rows = connection.execute("SELECT id, number, state FROM chat_turns WHERE chat = ?", (number,)).fetchall()
    there = {identity: (place, state) for identity, place, state in rows}
    for gone in there.keys() - {turn.id for turn in turns}:
        _drop_turn(connection, gone)
    written: list[StoredTurn] = []
    for place, turn in enumerate(turns, start=1):
        if turn.id not in there:
            written.append(turn._replace(id=_add_turn(connection, number, place, turn)))
            continue
        if there[turn.id] != (place, turn.state):
            connection.execute(
                "UPDATE chat_turns SET number = ?, state = ? WHERE id = ?", (place, turn.state, turn.id)
            )
        written.append(turn)
    if not written:
        connection.execute("DELETE FROM chats WHERE id = ? AND holder = ''", (number,))
    revision = uuid4().hex
    connection.execute("UPDATE chats SET revision = ?, changed = ? WHERE id = ?", (revision, at, number))
    return StoredChat(revision if written else "", tuple(written))


def _add_turn(connection: sqlite3.Connection, chat: int, place: int, turn: StoredTurn) -> int:
    # As in calls, attachments are hashes and cache marks are left out.
    parts = parts_of(canonical("", {}, {"messages": list(turn.messages)}), may_have_marks=False)
    numbers = [
        add_part(connection, digest, message)
        for digest, message in zip(parts.hashes, parts.messages or (), strict=True)
    ]
    row = (chat, place, turn.state, pack({"messages": numbers, "about": dict(turn.about)}))
    cursor = connection.execute(
        "INSERT INTO chat_turns (chat, number, state, content) VALUES (?, ?, ?, ?)", row
    )
    number = int(cursor.lastrowid or 0)
    if any(not isinstance(message.get("content"), str) for message in turn.messages):
        add_attachments(connection, "turn", number, attachments(list(turn.messages)))
    return number


def _drop_turn(connection: sqlite3.Connection, number: int) -> None:
    (content,) = connection.execute("SELECT content FROM chat_turns WHERE id = ?", (number,)).fetchone()
    for part in unpack(content)["messages"]:
        drop_part(connection, part)
    drop_attachments(connection, "turn", number)
    connection.execute("DELETE FROM chat_turns WHERE id = ?", (number,))


def _attached(connection: sqlite3.Connection, name: str) -> bytes:
    content = attachment(connection, name)
    if content is None:
        raise JournalError(
            "An attachment of this conversation is no longer in the journal.",
            cure="Clear the conversation (%claude_chat NAME --clear), and run its cells again.",
        )
    return content


def listed(connection: sqlite3.Connection, notebook: str | None = None) -> list[ChatRow]:
    """Return the conversations of a notebook, or of all of them, the one that changed last first."""
    rows = connection.execute(
        "SELECT notebook, name, (SELECT COUNT(*) FROM chat_turns WHERE chat = chats.id) AS many, changed FROM chats"
        " WHERE many > 0 AND (?1 IS NULL OR notebook = ?1) ORDER BY changed DESC, name",
        (notebook if notebook is None else replace_invalid(notebook),),
    ).fetchall()
    return [ChatRow(*row) for row in rows]


def rename(connection: sqlite3.Connection, notebook: str, name: str, new: str) -> None:
    """Give a conversation another name, which is free."""
    connection.execute("DELETE FROM chats WHERE notebook = ? AND name = ?", _key(notebook, new))
    connection.execute(
        "UPDATE chats SET name = ?, revision = ?, holder = '' WHERE notebook = ? AND name = ?",
        (replace_invalid(new), uuid4().hex, *_key(notebook, name)),
    )


def hold(connection: sqlite3.Connection, notebook: str, name: str, process: str, at: float) -> bool:
    """Say that a process asks in a conversation now, and tell whether no other one does.

    A process that has ended holds nothing.
    """
    row = connection.execute(
        "SELECT id, holder FROM chats WHERE notebook = ? AND name = ?", _key(notebook, name)
    ).fetchone()
    number, holder = row if row is not None else (_added(connection, notebook, name, at), "")
    if holder not in {"", process} and lives(holder):
        return False
    connection.execute("UPDATE chats SET holder = ? WHERE id = ?", (process, number))
    return True


def release(connection: sqlite3.Connection, notebook: str, name: str, process: str) -> None:
    """Say that a process has asked; a conversation that has no turns goes."""
    connection.execute(
        "UPDATE chats SET holder = '' WHERE notebook = ? AND name = ? AND holder = ?",
        (*_key(notebook, name), process),
    )
    connection.execute(
        "DELETE FROM chats WHERE notebook = ? AND name = ? AND holder = ''"
        " AND NOT EXISTS (SELECT 1 FROM chat_turns WHERE chat = chats.id)",
        _key(notebook, name),
    )


def _added(connection: sqlite3.Connection, notebook: str, name: str, at: float) -> int:
    cursor = connection.execute(
        "INSERT INTO chats (notebook, name, revision, changed) VALUES (?, ?, '', ?)",
        (*_key(notebook, name), at),
    )
    return int(cursor.lastrowid or 0)


def _row(connection: sqlite3.Connection, notebook: str, name: str) -> tuple[str, int]:
    row = connection.execute(
        "SELECT revision, id FROM chats WHERE notebook = ? AND name = ?", _key(notebook, name)
    ).fetchone()
    return (str(row[0]), int(row[1])) if row is not None else ("", 0)


def _key(notebook: str, name: str) -> tuple[str, str]:
    # A name of a file may hold half a character, which SQLite takes no more than any other UTF-8 does.
    return replace_invalid(notebook), replace_invalid(name)
