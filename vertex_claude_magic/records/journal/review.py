"""What a reader asks of the journal: the last calls, one call whole, its attachments, what may be exported.

Functions take a connection inside of a transaction; `Database` provides it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal import calls
from vertex_claude_magic.records.journal.parts import read_request, unpack
from vertex_claude_magic.records.recording.file_text import is_recordable
from vertex_claude_magic.records.repeats import of_last_session

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.records.journal.calls import StoredCall

__all__ = ["DAMAGED", "JournalEntry", "answers", "attachments", "clear", "entry", "last"]

# In place of a content that cannot be read any more.
DAMAGED: Mapping[str, Any] = {"damaged": True}
# An answer that was given again has no content of its own; its question is that of the answer.
_ANSWERED = (
    "(SELECT other.call FROM contents AS other JOIN calls AS origin ON origin.id = other.call"
    " WHERE origin.key = calls.key AND origin.replayable > 0 ORDER BY origin.id DESC LIMIT 1)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalEntry:
    """One call as the journal has it; columns that were not known are None.

    `at` is seconds since 1970 (UTC), costs are USD. `request` is what decides the answer, `answer` a recorded reply;
    None where they are not stored, `DAMAGED` where they cannot be read.
    """

    id: int
    at: float
    notebook: str
    state: str
    source: str
    asked: str
    model: str
    region: str
    input_tokens: int | None
    cache_write_tokens: int | None
    cache_read_tokens: int | None
    output_tokens: int | None
    cost: float | None
    cost_most: float | None
    saved: float | None
    seconds: float | None
    stop_reason: str | None
    error: str | None
    message_id: str | None
    request_id: str | None
    request: Mapping[str, Any] | None
    answer: Mapping[str, Any] | None


_COLUMNS = [entry.name for entry in fields(JournalEntry) if entry.name not in {"request", "answer"}]
_SELECT = (
    f"SELECT {', '.join(f'calls.{name}' for name in _COLUMNS)}, asked.request, asked.frame, asked.turn, contents.answer"  # noqa: S608 - fixed names
    " FROM calls LEFT JOIN contents ON contents.call = calls.id LEFT JOIN contents AS asked"
    f" ON asked.call = COALESCE(contents.call, {_ANSWERED})"
)


def last(connection: sqlite3.Connection, count: int) -> list[JournalEntry]:
    """Return the last calls, the oldest of them first."""
    rows = connection.execute(f"{_SELECT} ORDER BY calls.id DESC LIMIT ?", (count,)).fetchall()
    return [_entry(connection, row) for row in reversed(rows)]


def entry(connection: sqlite3.Connection, number: int) -> JournalEntry | None:
    """Return one call, None if there is none of this number."""
    row = connection.execute(f"{_SELECT} WHERE calls.id = ?", (number,)).fetchone()
    return None if row is None else _entry(connection, row)


def _entry(connection: sqlite3.Connection, row: tuple[Any, ...]) -> JournalEntry:
    *values, request, frame, turn, answer = row
    return JournalEntry(
        **dict(zip(_COLUMNS, values, strict=True)),
        request=None if request is None else _read(lambda: read_request(connection, request, frame, turn)),
        answer=None if answer is None else _read(lambda: unpack(answer)),
    )


def _read(work: Callable[[], Any]) -> Mapping[str, Any]:
    try:
        found = work()
    except (JournalError, KeyError, TypeError, AttributeError):
        # Also what can be read, and is no longer what was written.
        return DAMAGED
    return found if isinstance(found, dict) else DAMAGED


def attachments(connection: sqlite3.Connection, number: int) -> dict[str, bytes]:
    """Return the attachments of a call by their hash, 64 hexadecimal digits."""
    rows = connection.execute(
        "SELECT attachments.hash, attachments.content FROM attachments JOIN call_attachments"
        " ON call_attachments.hash = attachments.hash WHERE call_attachments.call = ? ORDER BY attachments.hash",
        (number,),
    )
    return {name.hex(): content for name, content in rows.fetchall()}


def answers(
    connection: sqlite3.Connection,
    *,
    notebook: str = "",
    since: str = "",
    model: str = "",
    asked: str = "",
    most: int = 100_000,
) -> list[StoredCall]:
    """Return the answers that would be given again from a recording, the service's before those of this machine.

    Args:
        connection: The journal.
        notebook: Only what this notebook asked; its name will do, without its folder.
        since: Only from this day on (YYYY-MM-DD).
        model: Only what this model answered.
        asked: Beside `model`, also what another one answered that was asked by this name, such as "haiku".
        most: How many at most.
    """
    rows = connection.execute(
        "SELECT id, key, session, source, notebook FROM calls WHERE replayable = ? AND day >= ?"
        " AND (? = '' OR model = ? OR asked = ?) ORDER BY id",
        (calls.ANSWER, since, model, model, asked),
    ).fetchall()
    by_key: dict[bytes, list[tuple[str, int, str]]] = {}
    for number, key, session, source, asked_by in rows:
        if notebook in {"", asked_by} or asked_by.replace("\\", "/").endswith(f"/{notebook}"):
            by_key.setdefault(key, []).append((session, number, source))
    chosen: list[int] = []
    for found in by_key.values():
        # An answer of an emulator counts only where the service gave none.
        google = [each for each in found if each[2] not in calls.LOCAL]
        chosen += of_last_session([(session, number) for session, number, _ in google or found])
    stored = (calls.stored_call(connection, number) for number in chosen[:most])
    return [each for each in stored if each is not None and is_recordable(each)]


def clear(connection: sqlite3.Connection) -> int:
    """Drop all calls, all conversations and what belongs to them, and return how many calls there were."""
    count = int(connection.execute("SELECT COUNT(*) FROM calls").fetchone()[0])
    calls_of = ("call_attachments", "attachments", "contents", "calls", "turns", "parts", "runs")
    for table in (*calls_of, "chats", "chat_turns", "chat_attachments"):
        connection.execute(f"DELETE FROM {table}")  # noqa: S608 - fixed names
    return count
