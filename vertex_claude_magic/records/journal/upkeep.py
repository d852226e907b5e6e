"""Keeping the journal small: what is old goes, what is too much goes, in steps that nobody notices."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.records.journal.notes import drop_notes
from vertex_claude_magic.records.journal.parts import drop_attachments, drop_request
from vertex_claude_magic.records.journal.runs import drop_runs, pinned

if TYPE_CHECKING:
    import sqlite3

__all__ = ["Dropped", "Keep", "Stats", "drop_old", "drop_oldest", "give_back", "stats"]

_FREED_PAGES = 2_000
# How many days without a call are believed at once: a weekend and a holiday.
_BELIEVED_DAYS = 4


class Keep(NamedTuple):
    """How much the journal keeps: days, and megabytes (10^6 bytes) of file."""

    days: int = 30
    megabytes: int = 500


class Stats(NamedTuple):
    """The journal in numbers; `size` and `attachment_bytes` are bytes, days are YYYY-MM-DD."""

    calls: int
    answers: int
    attachments: int
    attachment_bytes: int
    first_day: str | None
    last_day: str | None
    size: int
    schema: int
    log: str


class Dropped(NamedTuple):
    """What made space: the day up to which calls were dropped, and whether the rest belongs to runs that go on."""

    day: str | None = None
    pinned: bool = False


def drop_old(connection: sqlite3.Connection, today: date, keep: Keep, most: int) -> int:
    """Drop up to `most` calls older than `keep.days`, and such notes and runs; return how many calls.

    A clock may be wrong for a while, and what is dropped does not come back. So a day that has its first calls long
    after the last day with some counts as few days after that; on the next day with calls it is believed.
    """
    query = "SELECT MAX(day), EXISTS (SELECT 1 FROM calls WHERE day = ?1) FROM calls WHERE day < ?1"
    former, begun = connection.execute(query, (today.isoformat(),)).fetchone()
    if begun and former is not None:
        today = min(today, date.fromisoformat(former) + timedelta(days=_BELIEVED_DAYS))
    # No day is before the year 1.
    first = (today - timedelta(days=min(keep.days, today.toordinal() - 1))).isoformat()
    since = _since(today, keep)
    drop_notes(connection, since)
    _drop_batches(connection, since)
    stay = pinned(connection, since)
    chosen = connection.execute(
        f"SELECT id FROM calls WHERE day < ? AND {_free(stay)} LIMIT ?",  # noqa: S608 - numbers
        (first, most),
    ).fetchall()
    dropped = _drop(connection, [number for (number,) in chosen])
    drop_runs(connection, stay)
    give_back(connection, _FREED_PAGES)
    return dropped


def _drop_batches(connection: sqlite3.Connection, since: float) -> None:
    """Drop the batches that were begun before a moment and are counted; Google may know their jobs no longer."""
    old = "SELECT id FROM batches WHERE at < ? AND id NOT IN (SELECT batch FROM batch_jobs WHERE counted = 0)"
    connection.execute(f"DELETE FROM batch_jobs WHERE batch IN ({old})", (since,))  # noqa: S608 - a fixed text
    connection.execute(
        "DELETE FROM batches WHERE at < ? AND id NOT IN (SELECT batch FROM batch_jobs)", (since,)
    )


def drop_oldest(connection: sqlite3.Connection, today: date, keep: Keep, most: int) -> Dropped:
    """Drop up to `most` of the oldest calls while the file is too large, and never the last call of all.

    The calls of runs that go on stay, and so the file may be larger meanwhile.
    """
    day, held, limit = None, False, keep.megabytes * 1_000_000
    if _used(connection) > limit:
        free = _free(pinned(connection, _since(today, keep)))
        newest = connection.execute("SELECT MAX(id) FROM calls").fetchone()[0]
        oldest = connection.execute(
            f"SELECT id, day FROM calls WHERE {free} AND id < ? ORDER BY id LIMIT ?",  # noqa: S608 - numbers
            (newest, most),
        ).fetchall()
        for number, asked in oldest:
            _drop(connection, [number])
            day = str(asked)
            if _used(connection) <= limit:
                break
        held = len(oldest) < most and free != _ALL and _used(connection) > limit
    give_back(connection, _FREED_PAGES)
    return Dropped(day=day, pinned=held)


_ALL = "1"


def _free(stay: list[int]) -> str:
    """Return the condition on calls that belong to none of these runs."""
    return f"(run_id IS NULL OR run_id NOT IN ({', '.join(map(str, stay))}))" if stay else _ALL


def _since(today: date, keep: Keep) -> float:
    # In seconds, because the first day may lie before all that a clock knows.
    return datetime.combine(today, time()).timestamp() - keep.days * 86_400.0


def stats(connection: sqlite3.Connection) -> Stats:
    """Return the journal in numbers."""
    calls, first, last = connection.execute("SELECT COUNT(*), MIN(day), MAX(day) FROM calls").fetchone()
    answers = connection.execute("SELECT COUNT(*) FROM calls WHERE replayable > 0").fetchone()[0]
    many, size = connection.execute(
        "SELECT COUNT(*), COALESCE(SUM(LENGTH(content)), 0) FROM attachments"
    ).fetchone()
    return Stats(
        calls=calls, answers=answers, attachments=many, attachment_bytes=size, first_day=first, last_day=last,
        size=_pragma(connection, "page_count") * _pragma(connection, "page_size"),
        schema=_pragma(connection, "user_version"),
        log=str(connection.execute("PRAGMA journal_mode").fetchone()[0]),
    )  # fmt: skip


def give_back(connection: sqlite3.Connection, most: int | None = None) -> None:
    """Give up to `most` pages that hold nothing any more back to the file system; None for all."""
    free = _pragma(connection, "freelist_count")
    for _ in range(free if most is None else min(free, most)):
        # Python ends this pragma after its first step, which frees one page, whatever number it is given.
        connection.execute("PRAGMA incremental_vacuum(1)").fetchall()


def _used(connection: sqlite3.Connection) -> int:
    pages = _pragma(connection, "page_count") - _pragma(connection, "freelist_count")
    return pages * _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _drop(connection: sqlite3.Connection, numbers: list[int]) -> int:
    for number in numbers:
        drop_attachments(connection, "call", number)
        content = connection.execute("SELECT frame, turn FROM contents WHERE call = ?", (number,)).fetchone()
        if content is not None and content[0] is not None:
            drop_request(connection, *content)
        connection.execute("DELETE FROM contents WHERE call = ?", (number,))
        connection.execute("DELETE FROM calls WHERE id = ?", (number,))
    return len(numbers)
