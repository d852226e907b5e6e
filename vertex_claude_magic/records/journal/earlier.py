"""The answers that earlier runs of the same place have, whatever replay says: what lets a run over a table resume.

Functions take a connection inside of a transaction; `Database` provides it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.records.journal.calls import ANSWER, ANSWER_COLUMNS, LOCAL, stored_answer

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from vertex_claude_magic.records.journal.calls import StoredCall

__all__ = ["earlier_answers"]

# SQLite takes 999 values in a statement of its oldest versions (sqlite.org/limits.html).
_AT_ONCE = 500


def earlier_answers(
    connection: sqlite3.Connection, kind: str, place: str, keys: Sequence[str], *, local: bool
) -> dict[str, StoredCall]:
    """Return the newest good answers to requests that runs of a place have asked, by the digest of the request.

    Args:
        connection: The journal.
        kind: The kind of the runs, such as "map".
        place: What the runs have as their cell.
        keys: The digests of the requests, 64 hexadecimal digits each.
        local: Whether answers of a server on this machine count.
    """
    found: dict[str, StoredCall] = {}
    for start in range(0, len(keys), _AT_ONCE):
        some = [bytes.fromhex(key) for key in keys[start : start + _AT_ONCE]]
        rows = connection.execute(
            f"SELECT calls.key, {ANSWER_COLUMNS} FROM calls JOIN runs ON runs.id = calls.run_id"  # noqa: S608
            " JOIN contents ON contents.call = calls.id"
            f" WHERE calls.key IN ({', '.join('?' * len(some))}) AND calls.replayable > 0"
            f" AND calls.replayable <= {ANSWER} AND runs.kind = ? AND runs.cell = ? ORDER BY calls.id",
            (*some, kind, place),
        )
        for key, *answered in rows:
            answer, _, _, source, *_ = answered
            if answer is not None and (local or source not in LOCAL):
                # Whoever looks has the request, which is the same.
                found[key.hex()] = stored_answer({}, answered)
    return found
