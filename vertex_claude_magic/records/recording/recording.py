"""A recording: the questions and answers of a notebook in one file that the user names and ships beside it.

It is the journal's little sister: found again by the same key and under the same rule for repeats, but
never pruned, and without anything that belongs to its user or to one call.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import JournalError, OptionError, RecordingInvalid
from vertex_claude_magic.files import write_whole
from vertex_claude_magic.process import at_fork, stays_here
from vertex_claude_magic.records.journal.location import private_folder, refuse_link
from vertex_claude_magic.records.recording.file_text import (
    MOST_RECORDS,
    read_counts,
    read_records,
    write_records,
)
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from vertex_claude_magic.records.journal.calls import Kept
    from vertex_claude_magic.settings.origin import Origin

__all__ = ["Recording", "close_recordings", "export_records", "recording_at"]

_MOST_BYTES = 64 * 1024 * 1024
# A question is made ready once for each model that its alias may have meant.
_MOST_MEANINGS = 10
# Two seconds in all: another recorder needs milliseconds.
_TRIES, _TRY_SECONDS = 100, 0.02


class Recording:
    """One recording file; the methods may be called from any thread.

    Args:
        path: The file; it need not be there yet.
        pause: Sleeps for seconds while another recorder writes.

    Raises:
        JournalError: from every method, if the file cannot be read or written, or is no recording.
    """

    def __init__(self, path: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        self.path = path
        self._pause = pause
        self._lock = threading.RLock()
        self._seen: tuple[int, ...] | None = None
        self._records: dict[str, list[Kept]] = {}
        self._counts: dict[str, int] = {}
        # Who asked for each answer of this session, in the order of the records.
        self._mine: dict[str, list[Origin]] = {}
        self._asked: dict[str, int] = {}
        at_fork(self, child=Recording._begin_anew)

    __reduce__ = stays_here("A Recording", "Make a Claude in the other process.")

    def _begin_anew(self) -> None:
        # Another thread may have been changing these; the file knows.
        self._lock = threading.RLock()
        self._forget()

    def find(self, key: str, *, errors: bool = False, take: bool = False) -> Kept | None:
        """Return the answer to give again for a request, or None; repeats as in the journal.

        Args:
            key: The digest of the request.
            errors: Whether an error counts as an answer.
            take: Whether the next look-up gets the next answer.
        """
        with self._lock:
            self._load()
            found = [kept for kept in self._records.get(key, ()) if errors or not kept.answer.get("error")]
            turn = self._asked.get(key, 0)
            if found and take:
                self._asked[key] = turn + 1
            return found[turn % len(found)] if found else None

    def all(self) -> list[Kept]:
        """Return all records, in the order of the file."""
        with self._lock:
            self._load()
            return [kept for records in self._records.values() for kept in records]

    def meant(self, alias: str) -> tuple[str, ...]:
        """Return the models that an alias meant when it was recorded."""
        asked = (kept.canonical["model"] for kept in self.all() if kept.asked == alias)
        return tuple(dict.fromkeys(model for model in asked if model != alias))[:_MOST_MEANINGS]

    def add(self, key: str, kept: Kept, origin: Origin, *, replaces: bool = False) -> None:
        """Add an answer and write the file; it replaces what an earlier session or run of the cell was answered.

        Args:
            key: The digest of the request.
            kept: The answer.
            origin: Who asked.
            replaces: Whether it takes the place of all answers that were there, but for those of its own run.
        """
        with self._lock, self._alone():
            self._load()
            before, mine = self._kept_beside(key, origin, only_run=replaces)
            self._mine[key] = [*mine, origin]
            self._asked[key] = 0 if replaces else len(before) + 1
            self._records[key] = [*before, kept._replace(message_id=None, request_id=None, call=None)]
            self._save()

    def _kept_beside(self, key: str, origin: Origin, *, only_run: bool) -> tuple[list[Kept], list[Origin]]:
        """Return the answers that a new one joins: those of this session, but for earlier runs of its cell."""
        records, mine = self._records.get(key, []), self._mine.get(key, [])
        pairs = zip(records, mine, strict=True) if len(records) == len(mine) else ()
        kept = [
            (record, each)
            for record, each in pairs
            if (
                origin.run and each == origin
                if only_run
                else each.cell != origin.cell or each.run == origin.run
            )
        ]
        return [record for record, _ in kept], [each for _, each in kept]

    def counted(self, key: str) -> int | None:
        """Return the input tokens of a request, None if they were not counted."""
        with self._lock:
            self._load()
            return self._counts.get(key)

    def add_count(self, key: str, tokens: int) -> None:
        """Keep the input tokens of a request."""
        with self._lock, self._alone():
            self._load()
            if self._counts.get(key) != tokens:
                self._counts[key] = tokens
                self._save()

    def _load(self) -> None:
        try:
            refuse_link(self.path)
            state = self.path.stat()
        except FileNotFoundError:
            # Also a file that was taken away while this session had it open holds nothing any more.
            self._forget()
            return
        except (OSError, ValueError) as failure:
            raise self._failed("read", failure) from None
        seen = (state.st_mtime_ns, state.st_size, state.st_ino)
        if seen != self._seen:
            self._records, self._counts = self._read(state.st_size)
            self._seen = seen

    def _read(self, size: int) -> tuple[dict[str, list[Kept]], dict[str, int]]:
        if size > _MOST_BYTES:
            where, most = quote(str(self.path), 100), _MOST_BYTES / 1e6
            raise RecordingInvalid(
                f"The recording {where} has {size / 1e6:,.0f} MB, more than {most:.0f}.",
                cure="Take the file from where it came, or record it again in smaller parts.",
            )
        try:
            text = self.path.read_text(encoding="utf-8-sig")
            records, counts = read_records(text), read_counts(text)
        except (OSError, UnicodeDecodeError) as failure:
            raise self._failed("read", failure) from None
        except RecordingInvalid as error:
            error.message = error.message.replace(
                "The recording", f"The recording {quote(str(self.path), 100)}", 1
            )
            raise
        found: dict[str, list[Kept]] = {}
        for kept in records:
            found.setdefault(digest_of(kept.canonical), []).append(kept)
        return found, counts

    def _save(self) -> None:
        try:
            text = self._text()
            refuse_link(self.path)
            write_whole(self.path, text.encode())
            state = self.path.stat()
        except (OSError, JournalError) as failure:
            # What is in the file counts, and not what could not be written to it.
            self._forget()
            raise failure if isinstance(failure, JournalError) else self._failed("written", failure) from None
        self._seen = (state.st_mtime_ns, state.st_size, state.st_ino)

    def _text(self) -> str:
        records = [kept for records in self._records.values() for kept in records]
        why = f"it has {MOST_RECORDS:,} answers already" if len(records) > MOST_RECORDS else ""
        text = ""
        try:
            text = write_records(records, self._counts)
        except (ValueError, RecursionError):
            why = "it holds what JSON cannot hold"
        if len(text.encode()) > _MOST_BYTES:
            why = f"it would have more than {_MOST_BYTES / 1e6:.0f} MB"
        if why:
            raise JournalError(
                f"The answer is not kept in the recording {quote(str(self.path), 100)}: {why}.",
                cure="Name another file in the setting recording, or let it be.",
            )
        return text

    def _forget(self) -> None:
        self._seen = None
        for kept in (self._records, self._counts, self._mine, self._asked):
            kept.clear()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other recorders of the same folder away where the system has locks on folders (POSIX).

        Raises:
            JournalError: another one does not let go, or there is no such folder.
        """
        try:
            private_folder(self.path.parent)
            with _locked(self.path.parent, self._pause):
                yield
        except (OSError, ValueError) as failure:
            raise self._failed("written", failure) from None

    def _failed(self, what: str, failure: Exception) -> JournalError:
        return _failed(self.path, what, failure)


def _failed(path: Path, what: str, failure: Exception) -> JournalError:
    # Without the name of the file that is written first, which is another one each time.
    why = quote(getattr(failure, "strerror", None) or str(failure), 80)
    return JournalError(
        f"The recording {quote(str(path), 120)} cannot be {what} ({why}).",
        cure="Look at the file's rights, or name another file for the recording.",
    )


def export_records(path: Path, records: Sequence[Kept], *, overwrite: bool) -> None:
    """Write a new recording whole or not at all, without anything that belongs to its user or to one call.

    Args:
        path: The file.
        records: The answers, in their order.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        OptionError: the file is there already, or would be larger than a recording may be.
        JournalError: it cannot be written.
    """
    where = quote(str(path), 120)
    if not overwrite and os.path.lexists(path):
        raise OptionError(f"{where} is there already.", cure="Name another file, or use --force.")
    text = write_records(list(records))
    if len(records) > MOST_RECORDS or len(text.encode()) > _MOST_BYTES:
        raise OptionError(
            f"A recording holds at most {MOST_RECORDS:,} answers and {_MOST_BYTES / 1e6:.0f} MB.",
            cure="Choose by --notebook, --since or --model.",
        )
    refuse_link(path)
    try:
        private_folder(path.parent)
        write_whole(path, text.encode())
    except OSError as failure:
        raise _failed(path, "written", failure) from None


@contextmanager
def _locked(folder: Path, pause: Callable[[float], None]) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not left:
                    raise
                pause(_TRY_SECONDS)
            except OSError:
                # A file system without locks.
                break
        yield
    finally:
        # Not left to `close`: a process that was forked meanwhile has the handle too, and would keep the lock.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


class _Registry:
    """The recordings of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.recordings: dict[Path, Recording] = {}
        at_fork(self, child=_Registry._begin_anew)

    def _begin_anew(self) -> None:
        self.lock = threading.Lock()


_registry = _Registry()


def recording_at(path: Path) -> Recording:
    """Return the one recording of this process for a file."""
    with _registry.lock:
        return _registry.recordings.setdefault(path.absolute(), Recording(path.absolute()))


def close_recordings() -> None:
    """Forget all recordings of this process, and what was asked of them."""
    with _registry.lock:
        _registry.recordings.clear()
