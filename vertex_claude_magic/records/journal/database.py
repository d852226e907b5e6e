"""One SQLite file, safe under threads, forks and many kernels, and patient only for a moment.

Whatever goes wrong with the file is one `JournalError`; nothing here ever waits for more than about two
seconds, and an interrupt is seen between two tries.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from contextlib import closing, suppress
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote as url_quote

from vertex_claude_magic.errors import CostLimitExceeded, JournalError
from vertex_claude_magic.process import at_fork, never_free, refuse_copies
from vertex_claude_magic.records.journal.location import make_private_file, refuse_link, shares_memory
from vertex_claude_magic.records.journal.schema import is_foreign, migrate
from vertex_claude_magic.spelling import setting, spelled, ways
from vertex_claude_magic.text import quote, reason_of, without_home

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Database", "connect", "foreign", "journal_error"]

T = TypeVar("T")

# Seconds that SQLite waits for a lock before Python, and with it an interrupt, has its turn; and how often.
_LOCK_SECONDS = 0.2
_TRIES = 8
# What SQLite and the file system raise, and Python where a value fits into neither: a number beyond 64 bits, half
# a character, a path with a NUL, nesting without end.
_FAILURES = (sqlite3.Error, OSError, JournalError, ValueError, OverflowError, RecursionError)
# How long (seconds) a fork waits for a transaction under way, which takes milliseconds.
_FORK_SECONDS = 1.0
_LOG_BYTES = 4_000_000
_OTHER_FILE = spelled("set {} to another file", setting("journal"))
# By a word of SQLite's message what is said, and what to do; the word is the `trouble` in the details of the error. Its
# result codes have names only since Python 3.11; its messages are stable (sqlite.org/rescode.html).
_CAUSES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("locked", "is locked by another program", ("close that program; saving is tried again with the next answer",)),
    ("busy", "is locked by another program", ("close that program; saving is tried again with the next answer",)),
    ("readonly", "cannot be written to", ("make it writable", _OTHER_FILE)),
    ("full", "has no space: the disk is full", ("free space on its disk; vertex-claude journal prune needs some too",)),
    ("malformed", "is damaged", ("move the file away; a new one is created",)),
    ("not a database", "is not a journal", ("move the file away; a new one is created",)),
    ("no such", "is not a journal", ("move the file away; a new one is created",)),
    ("unable to open", "cannot be opened", ("check the folder's permissions", _OTHER_FILE)),
    ("disk i/o", "cannot be read or written", ("check the disk", _OTHER_FILE)),
    ("too big", "does not take an answer of this size", ("no action is needed; this answer is not saved",)),
)  # fmt: skip


def journal_error(path: Path, failure: BaseException) -> JournalError:
    """Return the one error for every exception of a file system or of SQLite.

    >>> from pathlib import Path
    >>> print(journal_error(Path("j"), sqlite3.OperationalError("database is locked")).message)
    The journal j is locked by another program.
    """
    if isinstance(failure, JournalError):
        return failure
    text = str(failure).lower() if isinstance(failure, sqlite3.Error) else ""
    other = ("", f"cannot be used ({quote(reason_of(failure), 80)})", (_OTHER_FILE,))
    trouble, what, cure = next((cause for cause in _CAUSES if cause[0] in text), other)
    where = quote(without_home(str(path)), 120)
    details = {"cause": quote(str(failure)), "trouble": trouble, "path": str(path)}
    return JournalError(f"The journal {where} {what}.", cure=ways(*cure), details=details)


class Database:
    """The file; every access is one transaction.

    Args:
        path: The file, made on the first access.
        pause: Sleeps for seconds between two tries.
        shares: Tells whether all who open the file share memory.
        tries: How often a lock of another program is asked for, each time for a fifth of a second.
    """

    def __init__(
        self,
        path: Path,
        *,
        pause: Callable[[float], None] = time.sleep,
        shares: Callable[[Path], bool] = shares_memory,
        tries: int = _TRIES,
    ) -> None:
        self.path = path
        self._pause = pause
        self._shares = shares
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._finalizer: weakref.finalize[..., Database] | None = None
        self._file: tuple[int, int] | None = None
        self._patience = self._tries = tries
        # The thread that forks and holds the lock meanwhile.
        self._forking: int | None = None
        at_fork(self, before=Database._close_for_fork, parent=Database._go_on, child=Database._begin_anew)

    __reduce__ = refuse_copies("A journal", "Create a Claude client in the other process.")

    def write(self, work: Callable[[sqlite3.Connection], T], *, hurry: bool = False) -> T:
        """Run `work` in a transaction that holds the file's write lock, and commit it.

        Args:
            work: Takes the connection.
            hurry: Whether somebody has pressed stop and waits; then a lock is waited for half a second only.

        Raises:
            JournalError: it could not be done; nothing of it was.
        """
        return self._run(work, "BEGIN IMMEDIATE", tries=2 if hurry else self._patience)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on one state of the file.

        Raises:
            JournalError: the file cannot be read.
        """
        return self._run(work, "BEGIN", tries=self._patience)

    def shrink(self) -> None:
        """Return the space of what was dropped to the file system, as far as other programs allow it now.

        Raises:
            JournalError: the file cannot be written to.
        """
        from vertex_claude_magic.records.journal.upkeep import give_back

        self.write(give_back)
        try:
            with self._lock:
                # The file itself only becomes shorter once the log is written back (sqlite.org/wal.html).
                self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except (sqlite3.Error, OSError) as failure:
            raise journal_error(self.path, failure) from None

    def close(self) -> None:
        """Close the file; the next access opens it again."""
        with self._lock:
            if self._finalizer is not None:
                # Not by calling it: once the interpreter ends, a finalizer does nothing any more.
                self._finalizer.detach()
            if self._connection is not None:
                _close(self._connection)
            self._connection = self._finalizer = None

    def __del__(self) -> None:
        # When the interpreter ends; before that, the finalizer comes first.
        connection = getattr(self, "_connection", None)
        if connection is not None:
            _close(connection)

    def _run(self, work: Callable[[sqlite3.Connection], T], begin: str, *, tries: int) -> T:
        with self._lock:
            for left in reversed(range(min(tries, self._tries))):
                try:
                    connection = self._opened()
                    try:
                        connection.execute(begin)
                        result = work(connection)
                        connection.execute("COMMIT")
                    except BaseException:
                        if connection.in_transaction:
                            connection.execute("ROLLBACK")
                        raise
                except CostLimitExceeded:
                    # The answer to a question that was put to the file, and no trouble with it.
                    raise
                except _FAILURES as failure:
                    if not _may_pass(failure) or not left:
                        # A user who has waited in vain once does not wait again.
                        self._tries = 1 if _may_pass(failure) else self._patience
                        if not _may_pass(failure):
                            # Opened anew, in case that the trouble is over by then.
                            self.close()
                        raise journal_error(self.path, failure) from None
                else:
                    self._tries = self._patience
                    return result
                self._pause(0.01)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None and self._file != _identity(self.path):
            # Somebody has removed or replaced the file; what is written to the old one would be lost.
            self.close()
        if self._connection is None:
            self._connection = _open(self.path, self._shares)
            # Where both are garbage, Python 3.13 may free the connection, and warn of it, before any `__del__` runs.
            self._finalizer = weakref.finalize(self, _close, self._connection)
            # Journals are closed in order when the interpreter ends.
            self._finalizer.atexit = False
            self._file = _identity(self.path)
        return self._connection

    def _close_for_fork(self) -> None:
        # SQLite counts the locks of a file once for a process, and a fork would inherit the count without the locks.
        # So the file is closed, which waits for a transaction under way, and either side opens it for itself.
        if self._lock.acquire(timeout=_FORK_SECONDS):
            self._forking = threading.get_ident()
            if self._connection is not None and not self._connection.in_transaction:
                self.close()

    def _go_on(self) -> None:
        if self._forking == threading.get_ident():
            self._forking = None
            self._lock.release()

    def _begin_anew(self) -> None:
        if self._finalizer is not None:
            self._finalizer.detach()
        if self._connection is not None:
            # Somebody was writing. To close this, or to free it, would roll back what the parent is writing.
            never_free(self._connection)
        self._lock, self._connection, self._finalizer, self._file = threading.RLock(), None, None, None
        self._forking, self._tries = None, self._patience


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = os.stat(path)  # noqa: PTH116 - before every access, and half of the time of `Path.stat`
    except OSError:
        return None
    return state.st_dev, state.st_ino


def _may_pass(failure: BaseException) -> bool:
    text = str(failure).lower()
    return isinstance(failure, sqlite3.OperationalError) and ("locked" in text or "busy" in text)


def _close(connection: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        connection.close()


def _open(path: Path, shares: Callable[[Path], bool]) -> sqlite3.Connection:
    def refuse_foreign() -> None:
        # A connection of its own, because what SQLite makes beside a file gets the rights that the file has then.
        with closing(connect(path, _mode(path))) as connection:
            if is_foreign(connection):
                raise foreign(path)

    try:
        make_private_file(path, refuse_foreign)
    except OSError:
        refuse_link(path, "journal")
        if not path.exists():
            raise
    mode = _mode(path)
    connection = connect(path, mode)
    if mode != "mode=rw":
        return connection
    try:
        if is_foreign(connection):
            raise foreign(path)  # noqa: TRY301 - the connection is closed below
        migrate(connection)
        wanted = "wal" if shares(path) else "delete"
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
            connection.execute(f"PRAGMA journal_mode = {wanted}")
        # With a write-ahead log a power cut may take the last answers, and never the file (sqlite.org/pragma.html).
        # A large answer makes a large log, which would stay as large as it was once.
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if wanted == 'wal' else 'FULL'}")
    except BaseException:
        connection.close()
        raise
    return connection


def _mode(path: Path) -> str:
    """Return how to open a file that is there, as parameters of an SQLite address."""
    file, folder = os.access(path, os.W_OK), os.access(path.parent, os.W_OK)
    # SQLite makes a log beside what it writes to, or finds one there.
    if file and (folder or path.with_name(f"{path.name}-wal").exists()):
        return "mode=rw"
    # Where nobody can write, nobody changes it while it is read; and a write-ahead log could not be opened.
    return "mode=ro" if folder else "mode=ro&immutable=1"


def foreign(path: Path) -> JournalError:
    """Return the error for the database of another program."""
    return JournalError(
        f"The journal {quote(without_home(str(path)), 120)} belongs to another program.",
        cure=ways(_OTHER_FILE),
    )


def connect(path: Path, mode: str, wait: float = _LOCK_SECONDS) -> sqlite3.Connection:
    """Open a file as it is, without transactions of Python's own.

    Args:
        path: The file.
        mode: The parameters of an SQLite address, such as `mode=rw`, which makes no file.
        wait: How long SQLite waits for a lock, in seconds.
    """
    uri = f"file:{url_quote(str(path.absolute()))}?{mode}"
    return sqlite3.connect(
        uri,
        uri=True,
        timeout=wait,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=64,
    )
