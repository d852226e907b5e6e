"""Answers of a recording put into the journal, where `--replay` finds them; they cost nothing in the ledger."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal.calls import (
    ANSWER,
    ERROR,
    Call,
    Ending,
    add,
    add_content,
    day_of,
    keys_of,
)
from vertex_claude_magic.records.journal.parts import pack, unpack
from vertex_claude_magic.vertex.digest import digest_of, former_digest_of
from vertex_claude_magic.vertex.reply import usage_from

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.records.journal.calls import StoredCall

__all__ = ["Imported", "add_records"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """How many answers were added, and how many were already there."""

    added: int
    known: int


def add_records(connection: sqlite3.Connection, records: Sequence[StoredCall], now: float) -> Imported:
    """Add the answers of a recording; what is there already in the same order is not added again.

    Args:
        connection: The journal, in a transaction.
        records: The answers, in the order of the recording.
        now: Seconds since 1970 (UTC); from this day on the days count for which the journal stores them.
    """
    by_key: dict[str, list[StoredCall]] = {}
    for stored in records:
        by_key.setdefault(digest_of(stored.canonical), []).append(stored)
    session, added = uuid4().hex, 0
    for key, found in by_key.items():
        if not _has(connection, key, found):
            for stored in found:
                _add(connection, key, stored, session, now)
            added += len(found)
    return Imported(added=added, known=len(records) - added)


def _has(connection: sqlite3.Connection, key: str, found: Sequence[StoredCall]) -> bool:
    """Tell whether one session was answered just so."""
    keys = keys_of(connection, key, partial(former_digest_of, found[0].canonical))
    rows = connection.execute(
        "SELECT calls.session, contents.answer FROM calls JOIN contents ON contents.call = calls.id"  # noqa: S608
        f" WHERE calls.key IN ({', '.join('?' * len(keys))}) AND calls.replayable > 0"
        " AND contents.answer IS NOT NULL ORDER BY calls.id",
        keys,
    ).fetchall()
    sessions: dict[str, list[Any]] = {}
    for session, answer in rows:
        content = None
        # What is damaged is not the same as anything.
        with suppress(JournalError):
            content = unpack(answer)
        sessions.setdefault(session, []).append(content)
    # As they come back from the journal, lists and not tuples.
    wanted = [unpack(pack(stored.answer)) for stored in found]
    return wanted in sessions.values()


def _add(connection: sqlite3.Connection, key: str, stored: StoredCall, session: str, now: float) -> None:
    region = stored.answer.get("region")
    call = Call(
        # Of the form that every reader of a recording wants.
        at=datetime.strptime(stored.recorded, "%Y-%m-%dT%H:%M:%S%z").timestamp(),
        session=session,
        key=key,
        canonical=stored.canonical,
        asked=stored.asked,
        model=str(stored.canonical["model"]),
        region=region if isinstance(region, str) else "",
        project="",
        source=stored.source,
    )
    usage: Mapping[str, Any] = stored.answer.get("usage") or {}
    counted = usage_from(usage)
    failed = stored.answer.get("error")
    reason = stored.answer.get("stop_reason")
    # It costs nothing here: it was paid for where it was recorded.
    ending = Ending(
        state="imported",
        source=stored.source,
        answer=stored.answer,
        replayable=ERROR if failed else ANSWER,
        input_tokens=counted.input_tokens,
        cache_write_tokens=counted.cache_creation_input_tokens,
        cache_read_tokens=counted.cache_read_input_tokens,
        output_tokens=counted.output_tokens,
        cost=0.0,
        cost_most=0.0,
        seconds=stored.answer.get("seconds"),
        stop_reason=reason if isinstance(reason, str) else None,
        error=str(failed.get("type")) if failed else None,
    )
    # It takes the place of none: the session is new, and outside of a cell all its answers are repeats.
    number = add(connection, call, ending=ending)
    add_content(connection, number, call, stored.answer)
    # It was answered long ago, and is stored for as many days as if it had been answered now.
    connection.execute("UPDATE calls SET day = ? WHERE id = ?", (day_of(now), number))
