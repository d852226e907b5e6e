"""The rows of the journal: what a call was, how it ended, and the answers that may be given again.

Functions take a connection inside of a transaction; `Database` provides it.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass, field, fields
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.markdown.characters import replace_invalid
from vertex_claude_magic.settings.origin import Origin

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping

__all__ = [
    "ANSWER",
    "ERROR",
    "LOCAL",
    "Call",
    "Ending",
    "Kept",
    "add",
    "add_content",
    "add_replay",
    "day_of",
    "end",
    "find",
    "forget",
    "is_there",
    "pack",
    "recent",
    "same",
    "unpack",
]

# What `replayable` says: nothing may be given again, an answer may, an error may if it is asked for.
ANSWER, ERROR = 1, 2
# Sources on this machine, whose answers are not Claude's.
LOCAL = frozenset({"local", "emulator"})
_MOST_REPEATS = 10_000
_SELECT_KEPT = (
    "SELECT contents.request, contents.answer, calls.at, calls.asked, calls.source, calls.message_id,"
    " calls.request_id, calls.id FROM calls JOIN contents ON contents.call = calls.id"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request as it goes out.

    Args:
        at: When, in seconds since 1970 (UTC).
        key: The digest of the request, 64 hexadecimal digits.
        canonical: What decides the answer, attachments as hashes.
        attachments: The content of each attachment by its hash.
        asked: The model as the user wrote it.
        source: Who answers: "vertex", "gateway", "local" or "emulator".
        cost_most: The most that it may cost, in USD, where that was worked out.
    """

    at: float
    session: str
    origin: Origin = field(default_factory=Origin)
    key: str
    canonical: Mapping[str, Any]
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    asked: str
    model: str
    region: str
    project: str
    source: str
    cost_most: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a call ended; tokens, USD and seconds as in `Reply`.

    `answer` is a tape or the record of an error; None where it is not kept. `state` is "done", "failed"
    or "stopped".
    """

    state: str
    source: str
    answer: Mapping[str, Any] | None = None
    replayable: int = 0
    input_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_read_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    cost_most: float | None = None
    seconds: float | None = None
    stop_reason: str | None = None
    error: str | None = None
    message_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A request and its answer as they are kept; `recorded` is UTC, ISO 8601."""

    canonical: Mapping[str, Any]
    answer: Mapping[str, Any]
    recorded: str
    asked: str
    source: str
    message_id: str | None = None
    request_id: str | None = None
    call: int | None = None


def add(connection: sqlite3.Connection, call: Call) -> int:
    """Add a call that is under way, and return its number."""
    origin = call.origin
    cursor = connection.execute(
        "INSERT INTO calls (at, day, session, notebook, cell, run, key, state, source, asked, model, region,"
        " project, cost_most) VALUES (?, ?, ?, ?, ?, ?, ?, 'sent', ?, ?, ?, ?, ?, ?)",
        _storable(call.at, day_of(call.at), call.session, origin.notebook, origin.cell, origin.run,
                  bytes.fromhex(call.key), call.source, call.asked, call.model, call.region, call.project,
                  call.cost_most),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def _storable(*values: Any) -> tuple[Any, ...]:
    # A name of a file may hold half a character, which SQLite takes no more than any other UTF-8 does.
    return tuple(replace_invalid(value) if isinstance(value, str) else value for value in values)


def add_content(connection: sqlite3.Connection, number: int, call: Call) -> None:
    """Add what a call said; each attachment is stored once, however often it is sent."""
    connection.execute("INSERT INTO contents (call, request) VALUES (?, ?)", (number, pack(call.canonical)))
    for name, content in call.attachments.items():
        pair = (bytes.fromhex(name), content)
        connection.execute("INSERT OR IGNORE INTO attachments (hash, content) VALUES (?, ?)", pair)
        connection.execute(
            "INSERT OR IGNORE INTO call_attachments (hash, call) VALUES (?, ?)", (pair[0], number)
        )


def end(connection: sqlite3.Connection, number: int, call: Call, ending: Ending) -> None:
    """Say how a call ended; the same cell, run again, replaces what its last run was answered."""
    if ending.replayable:
        connection.execute(
            "UPDATE calls SET replayable = 0"
            " WHERE key = ? AND replayable > 0 AND session = ? AND cell = ? AND run <> ?",
            (bytes.fromhex(call.key), call.session, call.origin.cell, call.origin.run),
        )
    names = [entry.name for entry in fields(Ending) if entry.name != "answer"]
    columns = ", ".join(f"{name} = ?" for name in names)
    values = _storable(*(getattr(ending, name) for name in names))
    connection.execute(f"UPDATE calls SET {columns} WHERE id = ?", (*values, number))  # noqa: S608 - fixed names
    if ending.answer is not None:
        connection.execute("UPDATE contents SET answer = ? WHERE call = ?", (pack(ending.answer), number))


def add_replay(connection: sqlite3.Connection, call: Call, answer: int | None, *, error: bool) -> None:
    """Note that an answer was given again; it cost nothing, and `saved` what its first time had cost."""
    saved = connection.execute("SELECT cost FROM calls WHERE id = ?", (answer,)).fetchone()
    connection.execute(
        "UPDATE calls SET state = 'replayed', cost = 0, cost_most = 0, saved = ?, error = ? WHERE id = ?",
        (saved[0] if saved else None, "replayed" if error else None, add(connection, call)),
    )


def find(connection: sqlite3.Connection, key: str, *, errors: bool, local: bool) -> list[int]:
    """Return the calls whose answers may be given again for a request, in the order in which they came.

    These are the answers that the last session which asked got.

    Args:
        connection: The journal.
        key: The digest of the request.
        errors: Whether an error counts as an answer.
        local: Whether answers of a server on this machine count.
    """
    most = ERROR if errors else ANSWER
    # The bound is part of the text, so that SQLite sees that the partial index will do.
    rows = connection.execute(
        f"SELECT id, session, source FROM calls WHERE key = ? AND replayable > 0 AND replayable <= {most}"  # noqa: S608
        " ORDER BY id DESC LIMIT ?",
        (bytes.fromhex(key), _MOST_REPEATS),
    ).fetchall()
    rows = [row for row in rows if local or row[2] not in LOCAL]
    return [number for number, session, _ in reversed(rows) if session == rows[0][1]]


def same(connection: sqlite3.Connection, number: int) -> Kept | None:
    """Return what is kept of a call, None if its content is not there."""
    return next(_kept(connection, "WHERE calls.id = ?", (number,)), None)


def recent(connection: sqlite3.Connection, count: int) -> list[Kept]:
    """Return the last answers that may be given again, the newest first."""
    where = "WHERE calls.replayable > 0 ORDER BY calls.id DESC LIMIT ?"
    return list(_kept(connection, where, (count,)))


def is_there(connection: sqlite3.Connection, number: int, call: Call) -> bool:
    """Tell whether a call is there under its number; the file may have been pruned or replaced meanwhile."""
    row = connection.execute("SELECT key, session FROM calls WHERE id = ?", (number,)).fetchone()
    return bool(row == (bytes.fromhex(call.key), call.session))


def forget(connection: sqlite3.Connection, call: Call) -> None:
    """Give no answer to this request again that is there now; the activity stays.

    The answers of the same run of a cell stay too, because they are repeats.
    """
    connection.execute(
        "UPDATE calls SET replayable = 0 WHERE key = ? AND replayable > 0"
        " AND (run = '' OR NOT (session = ? AND cell = ? AND run = ?))",
        (bytes.fromhex(call.key), call.session, call.origin.cell, call.origin.run),
    )


def _kept(connection: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> Iterator[Kept]:
    rows = connection.execute(f"{_SELECT_KEPT} {where}", values)
    for request, answer, at, asked, source, message_id, request_id, number in rows.fetchall():
        if answer is not None:
            yield Kept(canonical=unpack(request), answer=unpack(answer), recorded=_date(at), asked=asked, source=source,
                       message_id=message_id, request_id=request_id, call=number)  # fmt: skip


def pack(value: Any) -> bytes:
    """Return JSON, compressed."""
    return zlib.compress(
        json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), 1
    )


def unpack(data: bytes) -> Any:
    """Return what `pack` was given.

    Raises:
        JournalError: it was changed since.
    """
    try:
        return json.loads(zlib.decompress(data))
    except (ValueError, zlib.error, RecursionError, TypeError):
        raise JournalError(
            "An entry of the journal is damaged.", cure="Move the journal away; a new one is begun."
        ) from None


def day_of(at: float) -> str:
    """Return the day of a moment (seconds since 1970) on the user's own clock, YYYY-MM-DD."""
    return datetime.fromtimestamp(at).astimezone().date().isoformat()


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
