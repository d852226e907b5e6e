"""Small facts that last, each with the moment when it was noted; functions take a connection in a transaction."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3

    from vertex_claude_magic.json_types import Json

__all__ = ["drop_notes", "note", "notes"]


def note(connection: sqlite3.Connection, kind: str, key: str, value: Json, at: float) -> None:
    """Note a JSON value in the place of the former one; `at` is seconds since 1970 (UTC)."""
    row = (kind, key, json.dumps(value), at)
    connection.execute("INSERT OR REPLACE INTO notes (kind, key, value, at) VALUES (?, ?, ?, ?)", row)


def notes(connection: sqlite3.Connection, kind: str) -> dict[str, tuple[Any, datetime]]:
    """Return all values of a kind, each with the moment when it was noted; one that is damaged is left out."""
    found: dict[str, tuple[Any, datetime]] = {}
    for key, value, at in connection.execute("SELECT key, value, at FROM notes WHERE kind = ?", (kind,)):
        with suppress(ValueError, RecursionError, OverflowError, OSError):
            found[key] = (json.loads(value), datetime.fromtimestamp(at, timezone.utc))
    return found


def drop_notes(connection: sqlite3.Connection, before: float) -> None:
    """Drop what was noted before a moment, in seconds since 1970 (UTC)."""
    connection.execute("DELETE FROM notes WHERE at < ?", (before,))
