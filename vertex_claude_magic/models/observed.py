"""What was last seen live: which model answered in which location, and which ids Google lists.

The model table tells what should be; a sighting tells what was, for one project, with its date. Sightings
advise: they add to the cure of an error and to the marks of a list, and change nothing by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

__all__ = ["NOTE_KINDS", "Seen", "Sighting", "Sightings", "State"]

State = Literal["usable", "not enabled", "no quota", "not served", "retired", "not checked"]
# The kinds of notes that sightings are kept under: one a cell of the grid, and one for Google's list.
NOTE_KINDS = ("availability", "publisher models")

Noted = Mapping[str, tuple[Any, datetime]]


class Sighting(NamedTuple):
    """What a check found for one model in one location of one project; `day` is YYYY-MM-DD."""

    project: str
    location: str
    model: str
    state: State
    reason: str = ""
    proof: str = ""
    day: str = ""

    @property
    def key(self) -> str:
        """The key under which it is noted."""
        return f"{self.project}/{self.location}/{self.model}"

    @property
    def value(self) -> dict[str, str]:
        """What is noted under that key, as JSON."""
        return {"state": self.state, "reason": self.reason, "proof": self.proof}


class Sightings(NamedTuple):
    """All that is known.

    Args:
        cells: What checks have found.
        listed: The ids of Google's list, None where it was never read.
        project: The project that is meant where none is named.

    >>> seen = Sighting(project="p", location="eu", model="claude-x", state="usable", proof="answer", day="2026-11-26")
    >>> Sightings(cells=(seen,)).hint("claude-x", "p", but="global")
    'It was usable in eu when last checked (2026-11-26).'
    """

    cells: tuple[Sighting, ...] = ()
    listed: frozenset[str] | None = None
    project: str | None = None

    @classmethod
    def of(cls, availability: Noted, lists: Noted, project: str | None = None) -> Sightings:
        """Read sightings from notes; a note that is not understood is left out, because notes outlive versions."""
        cells = []
        for key, (value, when) in availability.items():
            # Neither a model nor a location holds a slash.
            checked, _, rest = key.partition("/")
            location, _, model = rest.partition("/")
            if isinstance(value, Mapping) and value.get("state") in get_args(State) and model:
                reason, proof = str(value.get("reason") or ""), str(value.get("proof") or "")
                day = f"{when:%Y-%m-%d}"
                cells.append(Sighting(checked, location, model, value["state"], reason, proof, day))
        (found, _) = lists.get("listed", (None, None))
        ids = frozenset(str(each) for each in found) if isinstance(found, list) else None
        return cls(cells=tuple(cells), listed=ids, project=project)

    def find(self, model: str, location: str, project: str | None = None) -> Sighting | None:
        """Return what was found for a model in a location, or None."""
        return next((cell for cell in self._of(model, project) if cell.location == location), None)

    def usable(self, model: str, project: str | None = None) -> tuple[Sighting, ...]:
        """Return where a model was usable when last checked, by location."""
        found = (cell for cell in self._of(model, project) if cell.state == "usable")
        return tuple(sorted(found, key=lambda cell: cell.location))

    def hint(self, model: str, project: str, *, but: str = "", answered: bool = False) -> str:
        """Return one sentence on where a model was usable; empty if nowhere.

        Args:
            model: The id in the model table.
            project: The project.
            but: A location to leave out.
            answered: Whether only an answer counts; a count of tokens proves no quota.
        """
        found = [cell for cell in self.usable(model, project) if cell.location != but]
        proofs = {cell.proof for cell in found}
        # What answered proves more than what was counted: access and quota.
        if "answer" in proofs or answered:
            found = [cell for cell in found if cell.proof == "answer"]
        if not found:
            return ""
        places, day = ", ".join(cell.location for cell in found), min(cell.day for cell in found)
        how = ", by counting tokens" if "answer" not in proofs else ""
        return f"It was usable in {places} when last checked ({day}{how})."

    def knows(self, retired: str) -> bool:
        """Tell whether a live source knows a model that the table calls retired."""
        # Google lists some models with their version and some without.
        listed = self.listed is not None and not self.listed.isdisjoint({retired, retired.partition("@")[0]})
        return listed or any(cell.model == retired and cell.state == "usable" for cell in self.cells)

    def _of(self, model: str, project: str | None) -> list[Sighting]:
        # A check of another project says nothing of this one.
        meant = project or self.project
        return [cell for cell in self.cells if cell.model == model and cell.project == meant]


# Returns what was last seen live; asked only where that changes what a user reads, because it may read the journal.
Seen = Callable[[], Sightings]
