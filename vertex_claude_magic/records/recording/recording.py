"""A recording: the questions and answers of a notebook in one file that the user names and ships beside it.

Like the journal it finds answers by the digest of the request and has the same rule for repeats; it is never pruned,
and holds nothing that belongs to its user or to one call.

An answer that takes nobody's place, and a count of tokens, are written over the end of the file, so that their cost
does not grow with it; all else writes the file anew. While the end is written, a small file beside it (`.NAME.undo`)
holds where the end began and what it was, so that a recording which a crash has broken in that moment is read with its
former end.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import JournalError, OptionError, RecordingInvalid
from vertex_claude_magic.files import write_whole
from vertex_claude_magic.process import at_fork, refuse_copies
from vertex_claude_magic.records.journal.location import refuse_link
from vertex_claude_magic.records.recording.file_text import (
    MOST_RECORDS,
    read_recording,
    recording_text,
    write_end,
    write_record,
    write_records,
)
from vertex_claude_magic.records.repeats import Asker, is_repeat
from vertex_claude_magic.spelling import setting, spelled, ways
from vertex_claude_magic.text import quote, reason_of
from vertex_claude_magic.vertex.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from io import FileIO
    from pathlib import Path

    from vertex_claude_magic.records.journal.calls import StoredCall
    from vertex_claude_magic.settings.origin import Origin

__all__ = ["Recording", "export_records"]

_MOST_BYTES = 64 * 1024 * 1024
_TOO_LARGE = f"it would be larger than {_MOST_BYTES / 1e6:.0f} MB"
# A question is made ready once for each model that its alias may have meant.
_MOST_MEANINGS = 10
# Two seconds in all: another recorder needs milliseconds.
_TRIES, _TRY_SECONDS = 100, 0.02
# What the last record ends with.
_LAST = b"\n  }"


class Recording:
    """One recording file; the methods may be called from any thread.

    Args:
        path: The file; it need not be there yet.
        named: What its user calls it, for messages: a notebook is passed on, and a whole path names its author.
        pause: Sleeps for seconds while another recorder writes.

    Raises:
        JournalError: from every method, if the file cannot be read or written, or is not a recording.
    """

    def __init__(self, path: Path, *, named: str = "", pause: Callable[[float], None] = time.sleep) -> None:
        self.path = path
        self.named = named or str(path)
        self._pause = pause
        self._seen: tuple[int, int, int] | None = None
        self._records: dict[str, list[StoredCall]] = {}
        self._counts: dict[str, int] = {}
        # Who asked for each answer of this session, in the order of the records.
        self._mine: dict[str, list[Asker]] = {}
        self._asked: dict[str, int] = {}
        self._begin_anew()
        at_fork(self, child=Recording._begin_anew)

    __reduce__ = refuse_copies("A Recording", "Create a Claude client in the other process.")

    def _begin_anew(self) -> None:
        # Another thread may have been changing these; the file knows.
        self._lock = threading.RLock()
        self._forget()

    def find(
        self,
        key: str,
        *,
        former: Callable[[], str] | None = None,  # noqa: ARG002 - requests are read, and hashed as they are now
        errors: bool = False,
        local: bool = True,  # noqa: ARG002 - who names a recording wants what it holds
        take: bool = False,
    ) -> StoredCall | None:
        """Return the answer to give again for a request, or None; as `Store.find`."""
        with self._lock:
            self._load()
            found = [
                stored for stored in self._records.get(key, ()) if errors or not stored.answer.get("error")
            ]
            turn = self._asked.get(key, 0)
            if found and take:
                self._asked[key] = turn + 1
            return found[turn % len(found)] if found else None

    def all(self) -> list[StoredCall]:
        """Return all records, in the order of the file."""
        with self._lock:
            self._load()
            return [stored for records in self._records.values() for stored in records]

    def recent(self) -> list[StoredCall]:
        """Return all records; there are none that are too old."""
        return self.all()

    def meant(self, alias: str) -> tuple[str, ...]:
        """Return the models that an alias meant when it was recorded."""
        asked = (stored.canonical["model"] for stored in self.all() if stored.asked == alias)
        return tuple(dict.fromkeys(model for model in asked if model != alias))[:_MOST_MEANINGS]

    def add(
        self, key: str, stored: StoredCall, origin: Origin, *, replaces: bool = False, again: bool = False
    ) -> None:
        """Add an answer and write the file; it replaces what an earlier session or run of the cell was answered.

        Args:
            key: The digest of the request.
            stored: The answer.
            origin: Who asked.
            replaces: Whether it takes the place of all answers that were there, but for those of its own run.
            again: Whether it may have been added before, because stop was pressed meanwhile.
        """
        asker = Asker("", origin.cell, origin.run)
        stored = stored._replace(message_id=None, request_id=None, call=None)
        with self._lock, self._alone():
            self._load()
            records, mine = self._records.get(key, []), self._mine.get(key, [])
            # What was there before this session belongs to another one, which this one replaces.
            known = zip(records, mine, strict=True) if len(records) == len(mine) else ()
            repeats = [pair for pair in known if is_repeat(pair[1], asker, replaces=replaces)]
            if again:
                repeats = [pair for pair in repeats if pair[0] != stored]
            # Before anything is changed, so that a recording that is full is not read again for each answer.
            gone = [] if len(repeats) == len(records) else records
            try:
                new, *old = (write_record(each).encode() for each in (stored, *gone))
            except (ValueError, RecursionError):
                raise self._unfit("it contains what a recording cannot represent") from None
            if sum(map(len, self._records.values())) - len(records) + len(repeats) >= MOST_RECORDS:
                raise self._unfit(f"it already has {MOST_RECORDS:,} answers")
            growth = len(new) - sum(map(len, old))
            if growth > 0 and (self._seen or (0, 0))[1] + growth > _MOST_BYTES:
                raise self._unfit(_TOO_LARGE)
            mine = [*(each for _, each in repeats), asker]
            after = [*(record for record, _ in repeats), stored]
            asked = 0 if replaces else len(repeats) + 1
            # Together, with no call in between: an interrupt is seen after one.
            self._mine[key], self._asked[key], self._records[key] = mine, asked, after
            end = self._end
            if gone or not self._append(b",\n" + new + end, end):
                self._save((old[0], new) if len(old) == len(after) == 1 else None)

    def counted(self, key: str, *, former: Callable[[], str] | None = None) -> int | None:
        """Return the input tokens of a request, None if they were not counted; arguments as for `find`."""
        with self._lock:
            self._load()
            # A file of a version before the chain of digests names the former ones.
            return self._counts.get(key, self._counts.get(former()) if former and self._counts else None)

    def add_count(self, key: str, tokens: int) -> None:
        """Store the input tokens of a request."""
        with self._lock, self._alone():
            self._load()
            if self._counts.get(key) != tokens:
                if key not in self._counts and len(self._counts) >= MOST_RECORDS:
                    raise self._unfit(f"it already has {MOST_RECORDS:,} of them", "token count")
                former = self._end
                self._counts[key] = tokens
                if not self._append(self._end, former):
                    self._save()

    def _load(self) -> None:
        try:
            state = refuse_link(self.path, "recording", self.named)
        except (OSError, ValueError) as failure:
            raise _failed(self.named, "read", failure) from None
        if state is None:
            # Also a file that was taken away while this session had it open holds nothing any more.
            self._forget()
            return
        seen = _version(state)
        if seen != self._seen:
            self._records, self._counts = self._read(state.st_size)
            self._seen = seen

    def _read(self, size: int) -> tuple[dict[str, list[StoredCall]], dict[str, int]]:
        if size > _MOST_BYTES:
            where, most = quote(self.named, 100), _MOST_BYTES / 1e6
            raise RecordingInvalid(
                f"The recording {where} is {size / 1e6:,.0f} MB, more than {most:.0f}.",
                cure="Get the file again from its source, or record it again in smaller parts.",
            )
        try:
            data = self.path.read_bytes()
            try:
                records, counts = read_recording(recording_text(data))
            except RecordingInvalid:
                # A crash may have broken the end; with the former end the file is as it was before.
                try:
                    at, _, end = self._undo.read_bytes().partition(b"\n")
                except OSError:
                    at = end = b""
                if not (at.isdigit() and len(at) < 12 and data[: int(at)].endswith(_LAST)):
                    raise
                records, counts = read_recording(recording_text(data[: int(at)] + end))
        except OSError as failure:
            raise _failed(self.named, "read", failure) from None
        except RecordingInvalid as error:
            error.message = error.message.replace(
                "The recording", f"The recording {quote(self.named, 100)}", 1
            )
            raise
        found: dict[str, list[StoredCall]] = {}
        for stored in records:
            found.setdefault(digest_of(stored.canonical), []).append(stored)
        return found, counts

    @property
    def _end(self) -> bytes:
        """What is behind the last record, as it is written here."""
        return write_end(self._counts).encode()

    def _append(self, data: bytes, former: bytes) -> bool:
        """Write data over the former end of the file; False if that cannot be done, and nothing was."""
        try:
            handle = os.open(self.path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
        except OSError:
            # To write it whole says what is wrong, or gets around it.
            return False
        with os.fdopen(handle, "r+b", buffering=0) as file:
            state = os.fstat(handle)
            at = state.st_size - len(former)
            many = sum(map(len, self._records.values())) > MOST_RECORDS
            if at <= 0 or many or len(data) < len(former) or at + len(data) > _MOST_BYTES:
                return False
            file.seek(at - len(_LAST))
            # Not as it is written here, such as after an edit; or under two names, and only this one is to change.
            if file.read() != _LAST + former or state.st_nlink > 1:
                return False
            try:
                self._write_end(file, at, data, former)
            except OSError as failure:
                self._forget()
                raise _failed(self.named, "written", failure) from None
            self._seen = _version(os.fstat(handle))
        return True

    def _write_end(self, file: FileIO, at: int, data: bytes, former: bytes) -> None:
        """Write data where the former end begins; if that is interrupted, the former end is there again."""
        self._undo.unlink(missing_ok=True)
        handle = os.open(self._undo, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o600)
        with os.fdopen(handle, "wb") as undo:
            undo.write(f"{at}\n".encode() + former)
        try:
            _write_at(file, at, data)
            os.fsync(file.fileno())
        except BaseException:
            self._forget()
            _write_at(file, at, former)
            file.truncate()
            self._undo.unlink()
            raise
        self._undo.unlink()

    @property
    def _undo(self) -> Path:
        return self.path.with_name(f".{self.path.name}.undo")

    def _save(self, change: tuple[bytes, bytes] | None = None) -> None:
        """Write the file anew; `change` is the text of the only record that changes, as it was and as it is now."""
        try:
            data = self._changed(*change) if change is not None else b""
            if not data:
                records = [stored for records in self._records.values() for stored in records]
                data = write_records(records, self._counts).encode()
            if len(data) > _MOST_BYTES:
                # Below, what is stored here is forgotten.
                raise self._unfit(_TOO_LARGE)
            refuse_link(self.path, "recording", self.named)
            write_whole(self.path, data)
            self._undo.unlink(missing_ok=True)
            self._seen = _version(self.path.stat())
        except (OSError, JournalError) as failure:
            # What is in the file counts, and not what could not be written to it.
            self._forget()
            raise (
                failure if isinstance(failure, JournalError) else _failed(self.named, "written", failure)
            ) from None

    def _changed(self, former: bytes, text: bytes) -> bytes:
        """Return the file with the text of a record in the place of another, nothing if that is not in it just so.

        To make the texts of two thousand other records anew takes ten times as long as to write the file.
        """
        data, former = self.path.read_bytes(), b"\n" + former
        # What a crash has broken is written whole.
        known = self._seen is not None and len(data) == self._seen[1] and not self._undo.exists()
        return data.replace(former, b"\n" + text) if known and data.count(former) == 1 else b""

    def _forget(self) -> None:
        self._seen = None
        for known in (self._records, self._counts, self._mine, self._asked):
            known.clear()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other recorders of the same folder away where the system has locks on folders (POSIX).

        Raises:
            JournalError: another one does not let go, or there is no such folder.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                import fcntl
            except ImportError:
                yield
                return
            handle = os.open(self.path.parent, os.O_RDONLY)
            try:
                for left in reversed(range(_TRIES)):
                    try:
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        break
                    except BlockingIOError:
                        if not left:
                            raise
                        self._pause(_TRY_SECONDS)
                    except OSError:
                        # A file system without locks.
                        break
                yield
            finally:
                # Not left to `close`: a process that was forked meanwhile has the handle too, and would keep the lock.
                with suppress(OSError):
                    fcntl.flock(handle, fcntl.LOCK_UN)
                os.close(handle)
        except (OSError, ValueError) as failure:
            raise _failed(self.named, "written", failure) from None

    def _unfit(self, why: str, what: str = "answer") -> JournalError:
        return JournalError(
            f"The {what} is not saved in the recording {quote(self.named, 100)}: {why}.",
            cure=ways(spelled("set {} to another file", setting("recording")), "ignore this"),
        )


def _failed(named: str, what: str, failure: Exception) -> JournalError:
    # Without the name of the file that is written first, which is another one each time.
    why = quote(reason_of(failure), 80)
    full = getattr(failure, "errno", None) in {ENOSPC, EDQUOT}
    first = "Free space on its disk" if full else "Check the file's permissions"
    return JournalError(
        f"The recording {quote(named, 120)} cannot be {what} ({why}).",
        cure=f"{first}, or choose another file for the recording.",
    )


def _version(state: os.stat_result) -> tuple[int, int, int]:
    """Return what another content of a file would change: time, size and identity."""
    return state.st_mtime_ns, state.st_size, state.st_ino


def _write_at(file: FileIO, at: int, data: bytes) -> None:
    file.seek(at)
    left = memoryview(data)
    while left:
        left = left[file.write(left) :]


def export_records(path: Path, records: Sequence[StoredCall], *, overwrite: bool) -> None:
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
        raise OptionError(f"{where} already exists.", cure="Choose another file, or use --force.")
    text = write_records(list(records))
    if len(records) > MOST_RECORDS or len(text.encode()) > _MOST_BYTES:
        raise OptionError(
            f"A recording can contain at most {MOST_RECORDS:,} answers and {_MOST_BYTES / 1e6:.0f} MB.",
            cure="Select fewer with --notebook, --since or --model.",
        )
    refuse_link(path, "recording")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as failure:
        raise _failed(str(path), "written", failure) from None
