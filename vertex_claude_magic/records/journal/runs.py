"""Runs: a cell, a map, a batch or a chat, which own the calls that they ask.

The calls of a run are not pruned until it ends. A process that was killed ends nothing; its runs keep their calls for
as many days as the journal keeps any, so that they can be resumed.

Functions take a connection inside of a transaction; `Database` provides it.
"""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import replace_invalid

if TYPE_CHECKING:
    import sqlite3

    from vertex_claude_magic.settings.origin import Origin

__all__ = [
    "begun_run",
    "close_run",
    "drop_runs",
    "is_shared",
    "keep_open",
    "lives",
    "open_run",
    "pinned",
    "reopen_run",
    "this_process",
]

# How old (seconds) the last sign of life may be before another is written: far less than the shortest journal_days.
_SEEN_EVERY = 3_600.0
_LOOKED_AT = 64


def open_run(connection: sqlite3.Connection, kind: str, session: str, origin: Origin, at: float) -> int:
    """Add a run, and return its number.

    Args:
        connection: The journal.
        kind: "cell", "map", "batch" or "chat".
        session: The session that asks.
        origin: The notebook, the cell and its run.
        at: Seconds since 1970 (UTC).
    """
    # A name of a file may hold half a character, which SQLite takes no more than any other UTF-8 does.
    notebook = replace_invalid(origin.notebook)
    cursor = connection.execute(
        "INSERT INTO runs (kind, session, notebook, cell, run, process, opened, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (kind, session, notebook, origin.cell, origin.run, this_process(), at, at),
    )
    return int(cursor.lastrowid or 0)


def begun_run(connection: sqlite3.Connection, session: str, origin: Origin, at: float) -> int | None:
    """Return the run of a cell that another thread of it has just begun, which goes on; None if there is none."""
    # It is one of the last, so nobody looks through those of a month.
    query = (
        "SELECT id FROM runs WHERE id > (SELECT MAX(id) FROM runs) - ? AND kind = 'cell'"
        " AND session = ? AND process = ? AND cell = ? AND run = ?"
    )
    values = (_LOOKED_AT, session, this_process(), origin.cell, origin.run)
    row = connection.execute(query, values).fetchone()
    return int(row[0]) if row is not None and keep_open(connection, row[0], session, at) else None


def keep_open(connection: sqlite3.Connection, number: int, session: str, at: float) -> bool:
    """Tell whether a run of this session is there, and note that it goes on; one that had ended is open again."""
    query = "SELECT seen, ended FROM runs WHERE id = ? AND session = ?"
    row = connection.execute(query, (number, session)).fetchone()
    if row is not None and (row[1] is not None or at - row[0] > _SEEN_EVERY):
        connection.execute("UPDATE runs SET seen = ?, ended = NULL WHERE id = ?", (at, number))
    return row is not None


def close_run(connection: sqlite3.Connection, number: int, at: float) -> None:
    """Say that a run has ended, so that its calls may be pruned like any other."""
    connection.execute("UPDATE runs SET ended = ? WHERE id = ? AND ended IS NULL", (at, number))


def reopen_run(connection: sqlite3.Connection, number: int, at: float) -> None:
    """Say that a run goes on in this process, whichever has begun it; one that had ended is open again."""
    connection.execute(
        "UPDATE runs SET seen = ?, ended = NULL, process = ? WHERE id = ?", (at, this_process(), number)
    )


def is_shared(connection: sqlite3.Connection, number: int, kind: str, place: str) -> bool:
    """Tell whether another run of a place goes on now, in this process or in another one that is alive.

    Args:
        connection: The journal.
        number: The run that asks.
        kind: The kind of the runs.
        place: What they have as their cell.
    """
    query = "SELECT process FROM runs WHERE kind = ? AND cell = ? AND ended IS NULL AND id != ?"
    return any(lives(process) for (process,) in connection.execute(query, (kind, place, number)).fetchall())


def pinned(connection: sqlite3.Connection, since: float) -> list[int]:
    """Return the runs whose calls stay: those that have not ended and went on since then, or whose process lives.

    Args:
        connection: The journal.
        since: Seconds since 1970 (UTC): what is older is dropped after `journal_days`.
    """
    rows = connection.execute("SELECT id, seen, process FROM runs WHERE ended IS NULL").fetchall()
    return [number for number, seen, process in rows if seen >= since or lives(process)]


def lives(process: str) -> bool:
    """Tell whether a process that `this_process` has named is still there."""
    pid = process.rsplit(":", maxsplit=1)[-1]
    return pid.isdecimal() and _process(int(pid)) == process


def drop_runs(connection: sqlite3.Connection, stay: list[int]) -> None:
    """Drop the runs that went on last before the oldest call was asked, so that none of their calls is left."""
    names = ", ".join(map(str, stay))
    connection.execute(
        f"DELETE FROM runs WHERE id NOT IN ({names}) AND COALESCE(ended, seen + ?) <"  # noqa: S608 - numbers
        " COALESCE((SELECT at FROM calls ORDER BY id LIMIT 1), 9e99)",
        (_SEEN_EVERY,),
    )


def this_process() -> str:
    """Return what tells this process from those that had its number before, on this machine."""
    return _this(os.getpid())


# By its number, because a fork goes on with what its parent knew.
@lru_cache(maxsize=1)
def _this(number: int) -> str:
    return _process(number)


def _process(number: int) -> str:
    """Return boot, start and number of a process that is alive, so that no other has the same; else no number."""
    with suppress(OSError, IndexError):
        # The name of the command, in parentheses, may hold anything; the first field behind it is the state, the 20th
        # the start (proc(5)).
        text = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
        stat = text.rpartition(")")[2].split()
        if stat[0] in {"Z", "X"}:
            # It has ended, and its parent has not asked how.
            return ""
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
        return f"{boot.strip()}:{stat[19]}:{number}"
    if number == os.getpid():
        return f"::{number}"
    if os.name == "posix":
        # Where there is no /proc (macOS); Windows would end the process at such a signal.
        with suppress(OSError):
            os.kill(number, 0)
            return f"::{number}"
    return ""
