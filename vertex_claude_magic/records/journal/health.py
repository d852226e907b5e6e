"""Whether the journal works, looked at from outside: nothing is made, migrated or written."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.records.journal.database import connect, foreign, journal_error
from vertex_claude_magic.records.journal.location import file_bytes, is_there, refuse_link
from vertex_claude_magic.records.journal.schema import MIGRATIONS, is_foreign, newer, version_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["JournalHealth", "examine"]

_LOCK_SECONDS = 0.5
# What an ordinary answer takes, with the log that SQLite writes first.
_LEAST_FREE = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalHealth:
    """What was seen of a journal that works: its size in bytes and its schema, both 0 where none was begun yet."""

    size: int = 0
    schema: int = 0

    @property
    def outdated(self) -> bool:
        """Whether the next answer brings the file to a newer schema."""
        return 0 < self.schema < len(MIGRATIONS)


def examine(
    path: Path, free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free
) -> JournalHealth:
    """Look whether the journal can be read and written.

    Args:
        path: The file.
        free: Tells how many bytes are free where a folder is.

    Raises:
        JournalError: it cannot; the message says why and the cure what to do.
    """
    try:
        refuse_link(path, "journal")
        folder = next((each for each in path.parents if each.exists()), path.parent)
        # In SQLite's own words, so that the causes of `journal_error` fit.
        if folder.is_dir() and free(folder) < _LEAST_FREE:
            raise sqlite3.OperationalError("database or disk is full")
        if not is_there(path):
            if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
                raise sqlite3.OperationalError("unable to open database file")
            return JournalHealth()
        if not os.access(path, os.W_OK):
            raise sqlite3.OperationalError("attempt to write a readonly database")
        with closing(connect(path, "mode=rw", _LOCK_SECONDS)) as connection:
            schema = version_of(connection)
            if schema > len(MIGRATIONS):
                raise newer(schema)
            if is_foreign(connection):
                raise foreign(path)
            # The write lock shows that writing is possible; nothing is written.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        return JournalHealth(size=file_bytes(path), schema=schema)
    except (sqlite3.Error, OSError, ValueError) as failure:
        raise journal_error(path, failure) from None
