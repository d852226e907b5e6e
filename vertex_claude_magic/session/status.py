"""What is known beside the settings of a session: notes that last, and what was shown in it already."""

from __future__ import annotations

from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.models.lifecycle import Reminder
from vertex_claude_magic.process import at_fork

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.observed import Sightings
    from vertex_claude_magic.records.journal.journal import Journal

__all__ = ["JournalNotes", "MemoryNotes", "Notes", "SessionStatus"]


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Notes(Protocol):
    """Small facts that last: a JSON value for each kind and key, with the moment when it was noted."""

    def note(self, kind: str, key: str, value: Json) -> None:
        """Note a value in the place of the former one; callable from any thread."""

    def notes(self, kind: str) -> dict[str, tuple[Any, datetime]]:
        """Return all values of a kind, each with the moment when it was noted."""


class MemoryNotes:
    """Notes that last as long as the process.

    >>> notes = MemoryNotes()
    >>> notes.note("colour", "sky", "blue")
    >>> notes.notes("colour")["sky"][0]
    'blue'
    """

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._kept: dict[str, dict[str, tuple[Any, datetime]]] = {}
        self._renew_lock()
        at_fork(self, child=MemoryNotes._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = Lock()

    def note(self, kind: str, key: str, value: Json) -> None:
        """Note a value with the present moment."""
        with self._lock:
            self._kept.setdefault(kind, {})[key] = (value, self._now())

    def notes(self, kind: str) -> dict[str, tuple[Any, datetime]]:
        """Return all values of a kind."""
        with self._lock:
            return dict(self._kept.get(kind, {}))


class JournalNotes:
    """Notes in the journal, for all kernels and for as long as it keeps things; without one, in memory.

    Args:
        journal: Returns the journal, None where it is off.
    """

    def __init__(self, journal: Callable[[], Journal | None]) -> None:
        self._journal = journal
        self._in_memory = MemoryNotes()

    def note(self, kind: str, key: str, value: Json) -> None:
        """Note a value with the present moment."""
        self._in_memory.note(kind, key, value)
        journal = self._journal()
        if journal is not None:
            journal.note(kind, key, value)

    def notes(self, kind: str) -> dict[str, tuple[Any, datetime]]:
        """Return all values of a kind; where the journal could not keep one, what this process knows."""
        journal = self._journal()
        found = journal.notes(kind) if journal is not None else {}
        own = self._in_memory.notes(kind)
        return {
            **own,
            **{key: kept for key, kept in found.items() if key not in own or kept[1] >= own[key][1]},
        }


class SessionStatus:
    """What is known beside the settings.

    Args:
        notes: Where results are kept with their date; in memory if not given.
        reminder: Tells of models that are near their end, once a session.
    """

    def __init__(self, *, notes: Notes | None = None, reminder: Reminder | None = None) -> None:
        self.notes = notes if notes is not None else MemoryNotes()
        self.reminder = reminder or Reminder()
        # That which the credentials named last; what is found for it holds where none is set.
        self.project: str | None = None
        self._shown: dict[str, object] = {}

    def first_time(self, note: str) -> bool:
        """Tell whether a note was not shown in this session before, and remember that it is now.

        >>> status = SessionStatus()
        >>> status.first_time("Cut."), status.first_time("Cut.")
        (True, False)
        """
        # One call, which no other thread can come between.
        mine = object()
        return self._shown.setdefault(note, mine) is mine

    def sightings(self) -> Sightings:
        """Return what checks and Google's list have shown so far."""
        # Only a model that is retired, or an error, asks for them.
        from vertex_claude_magic.models.observed import NOTE_KINDS, Sightings

        availability, lists = (self.notes.notes(kind) for kind in NOTE_KINDS)
        return Sightings.of(availability, lists, self.project)
