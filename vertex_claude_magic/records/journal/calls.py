"""The rows of the journal: what a call was, how it ended, and the answers that may be given again.

Functions take a connection inside of a transaction; `Database` provides it.
"""

from __future__ import annotations

from datetime import date, datetime, timezone
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.markdown.characters import replace_invalid
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.records.journal.parts import add_attachments, add_request, pack, read_request, unpack
from vertex_claude_magic.records.repeats import Asker, is_repeat, of_last_session
from vertex_claude_magic.settings.origin import Origin
from vertex_claude_magic.vertex.digest import parts_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vertex_claude_magic.vertex.digest import Parts

__all__ = [
    "ANSWER",
    "ANSWER_COLUMNS",
    "ERROR",
    "LOCAL",
    "Answered",
    "Call",
    "Ending",
    "StoredCall",
    "add",
    "add_content",
    "add_replay",
    "day_of",
    "end",
    "find",
    "is_there",
    "keys_of",
    "look_up",
    "make_way",
    "recent",
    "storable",
    "stored_answer",
    "stored_call",
    "utc_second",
]

# What a column of SQLite holds (sqlite.org/datatype3.html).
_Storable = str | bytes | float | None

# What `replayable` says: nothing may be given again, an answer may, an error may if it is asked for.
ANSWER, ERROR = 1, 2
# Sources on this machine, whose answers are not Claude's.
LOCAL = frozenset({"local", "emulator"})
_MOST_REPEATS = 10_000
# What `stored_answer` takes beside the request.
ANSWER_COLUMNS = (
    "contents.answer, calls.at, calls.asked, calls.source, calls.message_id, calls.request_id, calls.id"
)
_SELECT_STORED = (
    f"SELECT contents.request, contents.frame, contents.turn, {ANSWER_COLUMNS}"  # noqa: S608 - fixed names
    " FROM calls JOIN contents ON contents.call = calls.id"
)


class Call(NamedTuple):
    """One request as it goes out.

    Args:
        at: When, in seconds since 1970 (UTC).
        key: The digest of the request, 64 hexadecimal digits.
        canonical: What decides the answer, attachments as hashes.
        attachments: The content of each attachment by its hash.
        parts: The parts of `canonical`, where they are known already.
        asked: The model as the user wrote it.
        source: Who answers: "vertex", "gateway", "local" or "emulator".
        cost_most: The most that it may cost, in USD, where that was worked out.
        run_id: The run of the journal that asks, None where no run was opened for it.
        former: Works out the digest under which versions before the chain have the request.
    """

    at: float
    session: str
    key: str
    canonical: Mapping[str, Any]
    asked: str
    model: str
    region: str
    project: str
    source: str
    origin: Origin = Origin()
    attachments: Mapping[str, bytes] = MappingProxyType({})
    parts: Parts | None = None
    cost_most: float | None = None
    run_id: int | None = None
    former: Callable[[], str] | None = None

    @property
    def asker(self) -> Asker:
        """Who asks, for the rule of repeats."""
        return Asker(self.session, self.origin.cell, self.origin.run)


class Ending(NamedTuple):
    """How a call ended; tokens, USD and seconds as in `Reply`.

    `answer` is a recorded reply or the record of an error; None where it is not stored. `state` is "done", "failed"
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


class StoredCall(NamedTuple):
    """A request and its answer as they are stored; `recorded` is UTC, ISO 8601."""

    canonical: Mapping[str, Any]
    answer: Mapping[str, Any]
    recorded: str
    asked: str
    source: str
    message_id: str | None = None
    request_id: str | None = None
    call: int | None = None


# The columns that say how a call ended.
_ENDED = tuple(name for name in Ending._fields if name != "answer")
_ended = attrgetter(*_ENDED)
_SET = ", ".join(f"{name} = ?" for name in _ENDED)
# The file may have been pruned or replaced meanwhile, and the number be that of another call.
_THIS = "WHERE id = ? AND key = ? AND session = ?"
_END = f"UPDATE calls SET {_SET} {_THIS}"  # noqa: S608 - fixed names
_ADDED = ("at", "day", "session", "notebook", "cell", "run", "run_id", "key", "asked", "model", "region", "project",
          *_ENDED)  # fmt: skip
_ADD = f"INSERT INTO calls ({', '.join(_ADDED)}, chained) VALUES ({'?, ' * len(_ADDED)}1)"  # noqa: S608 - fixed names
# How a call is that has not ended.
_SENT = Ending(state="sent", source="")


def add(
    connection: sqlite3.Connection, call: Call, *, run: int | None = None, ending: Ending | None = None
) -> int:
    """Add a call that is under way, or has ended, and return its number.

    Args:
        connection: The journal.
        call: The call.
        run: The run that owns it.
        ending: How it ended; None while it is under way.
    """
    origin = call.origin
    how = _SENT._replace(source=call.source, cost_most=call.cost_most) if ending is None else ending
    row = (
        call.at,
        day_of(call.at),
        call.session,
        origin.notebook,
        origin.cell,
        origin.run,
        run,
        bytes.fromhex(call.key),
        call.asked,
        call.model,
        call.region,
        call.project,
        *_ended(how),
    )
    return int(connection.execute(_ADD, storable(row)).lastrowid or 0)


def storable(values: Sequence[_Storable]) -> list[_Storable]:
    """Return values that SQLite takes."""
    # A name of a file may hold half a character, which SQLite takes no more than any other UTF-8 does; neither
    # that nor NUL is printable.
    return [
        replace_invalid(value) if type(value) is str and not value.isprintable() else value
        for value in values
    ]


def add_content(
    connection: sqlite3.Connection,
    number: int,
    call: Call,
    answer: Mapping[str, Any] | None = None,
    *,
    frames: dict[bytes, int] | None = None,
) -> None:
    """Add the request of a call, and its answer if there is one.

    Each of its parts and attachments is stored once, however often it is sent; `frames` as for `add_request`.
    """
    parts = parts_of(call.canonical) if call.parts is None else call.parts
    connection.execute(
        "INSERT INTO contents (call, request, frame, turn, answer) VALUES (?, x'', ?, ?, ?)",
        (number, *add_request(connection, parts, frames), None if answer is None else pack(answer)),
    )
    if call.attachments:
        add_attachments(connection, "call", number, call.attachments)


def is_there(connection: sqlite3.Connection, number: int, call: Call) -> bool:
    """Tell whether a call that was added is there under its number."""
    values = (number, bytes.fromhex(call.key), call.session)
    return connection.execute(f"SELECT 1 FROM calls {_THIS}", values).fetchone() is not None  # noqa: S608


def end(
    connection: sqlite3.Connection,
    number: int,
    call: Call,
    ending: Ending,
    *,
    replaces: bool = False,
    answered: Answered | None = None,
) -> bool:
    """Say how a call ended that was added while it was under way; arguments as for `make_way`.

    Returns:
        Whether it is still there.
    """
    if ending.replayable:
        make_way(connection, call, replaces=replaces, answered=answered)
    values = (*storable(_ended(ending)), number, bytes.fromhex(call.key), call.session)
    there = connection.execute(_END, values).rowcount == 1
    if there and ending.answer is not None:
        connection.execute("UPDATE contents SET answer = ? WHERE call = ?", (pack(ending.answer), number))
    return there


class Answered(NamedTuple):
    """Which keys have answers that may be given again, and whether there are any of a version before the chain."""

    keys: set[bytes]
    former: bool


def look_up(connection: sqlite3.Connection, keys: Sequence[str]) -> Answered:
    """Look for the answers to some requests, given by their digests, in one statement."""
    marks = ", ".join("?" * len(keys))
    rows = connection.execute(
        f"SELECT DISTINCT key FROM calls WHERE key IN ({marks}) AND replayable > 0"  # noqa: S608 - question marks
        " UNION ALL SELECT NULL WHERE EXISTS (SELECT 1 FROM calls WHERE chained = 0 AND replayable > 0)",
        [bytes.fromhex(key) for key in keys],
    )
    found = {key for (key,) in rows.fetchall()}
    return Answered(found - {None}, former=None in found)


def make_way(
    connection: sqlite3.Connection, call: Call, *, replaces: bool = False, answered: Answered | None = None
) -> None:
    """Of the answers to the same request let only those be given again that are repeats of the one that comes.

    Args:
        connection: The journal.
        call: The call of the answer that comes.
        replaces: Whether it takes the place of all that were there, but for those of its own run.
        answered: What `look_up` has found for its key and others, in the same transaction; the call is noted there.
    """
    key = bytes.fromhex(call.key)
    answered = look_up(connection, [call.key]) if answered is None else answered
    keys = [key] if key in answered.keys else []
    answered.keys.add(key)
    if answered.former and call.former is not None:
        keys.append(bytes.fromhex(call.former()))
    for each in keys:
        # By who asked, who are few, while the answers of one run may be many.
        where = "WHERE key = ? AND replayable > 0"
        distinct = f"SELECT DISTINCT session, cell, run FROM calls {where}"  # noqa: S608 - fixed texts
        askers = connection.execute(distinct, (each,)).fetchall()
        for asker in [Asker(*row) for row in askers]:
            # The answers of other sessions stay too: to look up only what Google answered may lead to them.
            mine = replaces or asker.session == call.session
            if mine and not is_repeat(asker, call.asker, replaces=replaces):
                connection.execute(
                    f"UPDATE calls SET replayable = 0 {where} AND session = ? AND cell = ? AND run = ?",  # noqa: S608
                    (each, *asker),
                )


def add_replay(
    connection: sqlite3.Connection, call: Call, answer: int | None, *, error: bool, run: int | None = None
) -> int:
    """Note that an answer was given again (it cost nothing, and `saved` what its first time had), return the number."""
    ending = Ending("replayed", call.source, cost=0.0, cost_most=0.0, error="replayed" if error else None)
    number = add(connection, call, run=run, ending=ending)
    if answer is not None:
        # With the key of its answer, which an older version may have stored, so that the question is found there.
        connection.execute(
            "UPDATE calls SET (saved, key, chained) = (SELECT cost, key, chained FROM calls WHERE id = ?)"
            " WHERE id = ? AND EXISTS (SELECT 1 FROM calls WHERE id = ?)",
            (answer, number, answer),
        )
    return number


def keys_of(connection: sqlite3.Connection, key: str, former: Callable[[], str] | None = None) -> list[bytes]:
    """Return the keys under which the answers to a request may be: its digest, and the former one.

    The former one is worked out only while there are rows of a version that had it.
    """
    keys = [bytes.fromhex(key)]
    if former is not None:
        # Through an index of such rows alone.
        query = "SELECT 1 FROM calls WHERE chained = 0 AND replayable > 0 LIMIT 1"
        keys += [bytes.fromhex(former()) for _ in connection.execute(query).fetchall()]
    return keys


def find(
    connection: sqlite3.Connection,
    key: str,
    *,
    former: Callable[[], str] | None = None,
    errors: bool,
    local: bool,
) -> list[int]:
    """Return the calls whose answers may be given again for a request, in the order in which they came.

    Args:
        connection: The journal.
        key: The digest of the request.
        former: Works out the digest under which versions before the chain have the request.
        errors: Whether an error counts as an answer.
        local: Whether answers of a server on this machine count.
    """
    most = ERROR if errors else ANSWER
    keys = keys_of(connection, key, former)
    # The bound is part of the text, so that SQLite sees that the partial index will do.
    rows = connection.execute(
        f"SELECT id, session, source FROM calls WHERE key IN ({', '.join('?' * len(keys))})"  # noqa: S608
        f" AND replayable > 0 AND replayable <= {most} ORDER BY id DESC LIMIT ?",
        (*keys, _MOST_REPEATS),
    ).fetchall()
    found = [(session, number) for number, session, source in reversed(rows) if local or source not in LOCAL]
    return of_last_session(found)


def stored_call(connection: sqlite3.Connection, number: int) -> StoredCall | None:
    """Return what is stored of a call, None if its content is not there."""
    return next(_stored(connection, "WHERE calls.id = ?", (number,)), None)


def recent(connection: sqlite3.Connection, count: int) -> list[StoredCall]:
    """Return the last answers that may be given again, the newest first."""
    where = "WHERE calls.replayable > 0 ORDER BY calls.id DESC LIMIT ?"
    return list(_stored(connection, where, (count,)))


def _stored(connection: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> Iterator[StoredCall]:
    rows = connection.execute(f"{_SELECT_STORED} {where}", values)
    for request, frame, turn, *answered in rows.fetchall():
        if answered[0] is not None:
            yield stored_answer(read_request(connection, request, frame, turn), answered)


def stored_answer(request: Mapping[str, Any], answered: Sequence[Any]) -> StoredCall:
    """Return what is stored of a call that was answered, from its request and its `ANSWER_COLUMNS`."""
    answer, at, *rest = answered
    return StoredCall(request, unpack(answer), utc_second(at), *rest)


def utc_second(at: float) -> str:
    """Return a moment (seconds since 1970) as a recording has it, which takes no other form of UTC.

    >>> utc_second(1_795_694_400.5)
    '2026-11-26T12:00:00Z'
    """
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")


def day_of(at: float) -> str:
    """Return the day of a moment (seconds since 1970) on the user's own clock, YYYY-MM-DD."""
    return date.fromtimestamp(at).isoformat()  # noqa: DTZ012 - their own clock is what is wanted
