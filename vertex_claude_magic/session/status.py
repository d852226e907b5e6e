"""What is known beside the settings of a session: notes that last, what the journal keeps, what was spent.

Each comes in as a small protocol or a callable, so that whoever keeps a journal can stand in for the
defaults here: notes in memory, no journal, no limits.
"""

from __future__ import annotations

from datetime import datetime, timezone
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.models.lifecycle import Reminder
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import at_fork

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.observed import Sightings
    from vertex_claude_magic.records.journal.journal import Journal

__all__ = ["JournalFacts", "JournalNotes", "MemoryNotes", "Notes", "SessionStatus", "Spend", "SpendRow"]


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
        self._sources = MemoryNotes()

    def note(self, kind: str, key: str, value: Json) -> None:
        """Note a value with the present moment."""
        self._sources.note(kind, key, value)
        journal = self._journal()
        if journal is not None:
            journal.note(kind, key, value)

    def notes(self, kind: str) -> dict[str, tuple[Any, datetime]]:
        """Return all values of a kind; where the journal could not keep one, what this process knows."""
        journal = self._journal()
        found = journal.notes(kind) if journal is not None else {}
        own = self._sources.notes(kind)
        return {
            **own,
            **{key: kept for key, kept in found.items() if key not in own or kept[1] >= own[key][1]},
        }


class JournalFacts(NamedTuple):
    """What the local journal keeps: for how many days, how many rows by now, in which file."""

    days: int
    rows: int
    path: str


class SpendRow(NamedTuple):
    """What was spent against one limit, in USD; infinite where that is not known, None where no limit is set."""

    name: str
    spent: float
    limit: float | None


class Spend(NamedTuple):
    """What was spent, one row a limit, and one line on what this machine answered, which is in no row."""

    rows: Sequence[SpendRow] = ()
    note: str = ""


class SessionStatus:
    """What is known beside the settings.

    Args:
        notes: Where results are kept with their date.
        journal: Returns what the local journal keeps, None if there is none.
        spend: Returns what was spent.
        reminder: Tells of models that are near their end, once a session.
        project: The project that the credentials named last; what is found for it holds where none is set.
    """

    def __init__(
        self,
        *,
        notes: Notes | None = None,
        journal: Callable[[], JournalFacts | None] = lambda: None,
        spend: Callable[[], Spend] = Spend,
        reminder: Reminder | None = None,
        project: str | None = None,
    ) -> None:
        self.notes = notes if notes is not None else MemoryNotes()
        self.journal = journal
        self.spend = spend
        self.reminder = reminder or Reminder()
        self.project = project
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
