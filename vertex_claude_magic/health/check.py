"""Which models may a project call where: asked in parallel, within a bound, with no text of the user's.

Each cell of the grid is one request. Counting the tokens of a fixed word is free, and proves login, project,
API, permission and location; whether the model is enabled and has quota it does not prove, because counting
has a quota of its own (page "Count tokens for Claude models", Google Cloud docs, 2026-11) and no source says
that it looks at the model's terms. A one-token question proves both, and costs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic import errors
from vertex_claude_magic.health.probe import fixed_request
from vertex_claude_magic.models.lifecycle import INVITED, status, status_without_word
from vertex_claude_magic.models.observed import NOTE_KINDS, Sighting, State
from vertex_claude_magic.session.pool import Finished, Pool
from vertex_claude_magic.session.session import check_live
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.endpoint import check_location
from vertex_claude_magic.vertex.request import build_count_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.transport.transport import PendingResponse

__all__ = ["MOST_CALLS", "AvailabilityCheck", "Grid", "GridCell", "availability_of", "plan"]

MOST_CALLS = 60
_AT_ONCE = 8
# Seconds: for the whole check, and for one call.
_WHOLE, _EACH = 60.0, 20.0
_REASON = 95


class GridCell(NamedTuple):
    """One model in one location."""

    model: str
    location: str


# Its state, and the reason.
Availability = tuple[State, str]
_NOT_COUNTED: Availability = ("not checked", "tokens are not counted here; --probe asks the model")


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """What is known at one moment: a sighting for each cell, `asked` of them by a request.

    `models` and `locations` are in the order in which they are shown; `going` says whether the check goes on.
    """

    project: str
    models: tuple[str, ...]
    locations: tuple[str, ...]
    cells: Mapping[GridCell, Sighting]
    asked: int = 0
    probe: bool = False
    going: bool = False


def plan(
    catalog: Catalog, locations: Sequence[str], *, family: str | None = None, probe: bool = False
) -> tuple[list[GridCell], dict[GridCell, Availability]]:
    """Return which cells to ask, and the others with what the model table has on them.

    Args:
        catalog: The model table.
        locations: Where.
        family: Only this family of models.
        probe: Whether a model is asked, and not a count.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> ask, known = plan(Catalog.load(), ["us-east5"], family="haiku")
    >>> [cell.model for cell in ask], known[GridCell("claude-haiku-5-5", "us-east5")]
    (['claude-haiku-4-5@20251001'], ('not served', 'the table lists it in global, us, eu'))
    """
    known: dict[GridCell, Availability] = {}
    ask: list[GridCell] = []
    count = catalog.services["count_tokens"]
    counted = {*count["locations"], *count.get("older_locations", ())}
    for location in locations:
        for row in _rows(catalog, family):
            cell = GridCell(row.id, location)
            if row.lifecycle == "retired":
                known[cell] = "retired", status_without_word(row)
            elif (
                location in catalog.locations() and row.locations is not None and not row.served_in(location)
            ):
                known[cell] = "not served", f"the table lists it in {', '.join(row.locations)}"
            elif not probe and location not in counted:
                known[cell] = _NOT_COUNTED
            else:
                ask.append(cell)
    bound: Availability = (
        "not checked",
        f"a check makes {MOST_CALLS} calls at most; choose a family or fewer locations",
    )
    known.update(dict.fromkeys(ask[MOST_CALLS:], bound))
    return ask[:MOST_CALLS], known


def _rows(catalog: Catalog, family: str | None) -> list[Model]:
    rows = [row for row in catalog.models if family in (None, row.family)]
    rows.sort(key=lambda row: row.released or "", reverse=True)
    families = catalog.families()
    return sorted(rows, key=lambda row: (row.lifecycle == "retired", families.index(row.family)))


def availability_of(error: errors.ClaudeError, row: Model | None, *, probe: bool) -> Availability:
    """Return what an error means for one model in one location.

    Args:
        error: What came back.
        row: The model's row in the table.
        probe: Whether the model was asked; a count that has no quota says nothing about the model's.

    >>> availability_of(errors.QuotaExceeded("A quota is used up.", cure=""), None, probe=True)
    ('no quota', 'its quota is used up or zero')
    """
    if isinstance(error, errors.QuotaExceeded) and not probe:
        return "not checked", "the quota for counting tokens is used up; --probe asks the model"
    for kind, state, reason in _BY_ERROR:
        if isinstance(error, kind):
            return state, reason
    if error.details.get("shape") == "page":
        return "not checked", "a web page answered instead of the service; check for a proxy or a login page"
    if isinstance(error, errors.ModelNotFound):
        if error.status != 404:
            return "not served", "Google does not serve it here"
        if row is not None and row.lifecycle == "deprecated":
            return "retired", f"no longer found; {status(row)}"
        invited = f"; {INVITED}" if row is not None and row.lifecycle == "limited" else ""
        return "not enabled", f"not found for this project: not enabled, or not here{invited}"
    # The service's own words come behind; a cell of the table is too small for them.
    bare = error.message.partition(" Vertex AI said: ")[0].partition(" The answer: ")[0]
    return "not checked", quote(bare, _REASON)


_BY_ERROR: tuple[tuple[type[errors.ClaudeError], State, str], ...] = (
    (errors.CountNotServed, *_NOT_COUNTED),
    (errors.ModelNotEnabled, "not enabled", "its terms are not accepted: Enable on its Model Garden card"),
    (errors.DataSharingRequired, "not enabled", "an administrator must agree to data sharing"),
    (errors.QuotaExceeded, "no quota", "its quota is used up or zero"),
)
# What concerns every cell alike: the first one ends the check.
_FOR_ALL = (errors.CredentialsError, errors.AuthenticationFailed, errors.PermissionDenied)


class AvailabilityCheck:
    """One check of a project; `grid` is what is known so far.

    Args:
        session: The session that asks.
        target: The settings; nothing of them is sent but what says where a request goes.
        locations: Where to look.
        family: Only this family of models.
        probe: Ask each model for one token, which costs, instead of counting tokens.
        clock: Seconds that never run backwards.

    Raises:
        OptionError: a location cannot be one, or a policy forbids it.
        ProjectNotFound: no project is named anywhere.
    """

    def __init__(
        self,
        session: Session,
        target: Target,
        *,
        locations: Sequence[str],
        family: str | None = None,
        probe: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._session = session
        self._target = target
        self._catalog = target.catalog
        self._locations = tuple(dict.fromkeys(map(check_location, locations)))
        # A check names its locations itself, and a probe asks every model: no option of the target says so.
        policy = present_policy()
        for location in self._locations:
            policy.admit("region", location, "option")
        if probe:
            policy.admit("model", "every model", "option")
        self._probe = probe
        self._clock = clock
        check_live(target)
        self._project = session.project(target)
        self._models = tuple(row.id for row in _rows(self._catalog, family))
        self._ask, known = plan(self._catalog, self._locations, family=family, probe=probe)
        self._found = {cell: self._sighting(cell, *finding, proof="table") for cell, finding in known.items()}
        self._asked = 0
        self._going = False

    @property
    def grid(self) -> Grid:
        """What is known by now; a cell that has no answer yet is not checked."""
        waiting = "" if self._going else "the check ended before its answer"
        unknown = {cell: self._sighting(cell, "not checked", waiting) for cell in self._ask}
        return Grid(
            project=self._project,
            models=self._models,
            locations=self._locations,
            cells={**unknown, **self._found},
            asked=self._asked,
            probe=self._probe,
            going=self._going,
        )

    @property
    def progress(self) -> tuple[int, int]:
        """How many cells have their answer, and how many are to be asked."""
        return sum(cell in self._found for cell in self._ask), len(self._ask)

    def run(self, on_change: Callable[[], None], stopped: Callable[[], bool] = lambda: False) -> None:
        """Ask; what is found is noted at once, so that a stop loses nothing.

        Args:
            on_change: Called now and then, in this thread.
            stopped: Asked now and then; once it says yes, the check ends.

        Raises:
            ClaudeError: something that concerns every model alike, such as a missing login.
            ClaudeInterrupt: the user stopped it.
        """
        end = self._clock() + _WHOLE
        pool = Pool(self._send, at_once=_AT_ONCE, clock=self._clock)
        self._going = True
        try:
            pool.run(
                self._ask,
                self._take,
                tick=on_change,
                stopped=lambda: stopped() or self._clock() >= end,
            )
        finally:
            self._going = False

    def _take(self, finished: Finished[GridCell, Any]) -> None:
        cell, probe = finished.item, self._probe
        try:
            answer = finished.result()
        except errors.ClaudeError as error:
            # A consent that is missing is a 403 of one model alone.
            if isinstance(error, _FOR_ALL) and not isinstance(error, errors.DataSharingRequired):
                raise
            state, reason = availability_of(error, self._catalog.find(cell.model), probe=probe)
        else:
            # A login page of a proxy comes with a good status too.
            field, kind = ("content", list) if probe else ("input_tokens", int)
            if isinstance(answer, Mapping) and isinstance(answer.get(field), kind):
                state, reason = "usable", "it answered one token" if probe else "its tokens were counted"
            else:
                state = "not checked"
                reason = "the answer is not from Claude; check for a proxy or a login page"
        found = self._sighting(cell, state, reason, proof="answer" if probe else "count")
        self._found[cell] = found
        if state == "not checked":
            return
        known = self._session.status
        if state == "usable" and not probe:
            # That tokens are counted says no more than an answer, or a refusal, of the model today.
            last = known.sightings().find(found.model, found.location, found.project)
            if last is not None and last.proof == "answer" and last.day == found.day:
                return
        known.notes.note(NOTE_KINDS[0], found.key, found.value)

    def _sighting(self, cell: GridCell, state: State, reason: str, proof: str = "") -> Sighting:
        day = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        return Sighting(project=self._project, location=cell.location, model=cell.model, state=state,
                        reason=reason, proof=proof, day=day)  # fmt: skip

    def _send(self, cell: GridCell) -> PendingResponse:
        request = fixed_request(self._target, model=cell.model, project=self._project, region=cell.location)
        if not self._probe:
            request = build_count_request(request, self._catalog)
        self._asked += 1
        # A check says how things are now; a repeated call would hide that, and exceed the bound.
        return self._session.send(request, self._target, timeout=_EACH, retry=False)
