"""What a user should know of a model that is deprecated or near its date: said once a session, with the successor.

A floor ("not sooner than") is called a floor and never an end. Dates of the Claude API are said as such, because
Google sets its own.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from threading import Lock
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model, Tier

__all__ = ["Reminder", "lifecycle_notice", "losses"]

_NEAR = timedelta(days=60)


class Reminder:
    """Tells of each model at most once.

    Args:
        today: Returns the present day.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> reminder = Reminder(today=lambda: date(2026, 11, 26))
    >>> reminder.tell(Catalog.load(), "claude-sonnet-5-5", "global") is None
    True
    """

    def __init__(self, today: Callable[[], date] = lambda: datetime.now(timezone.utc).date()) -> None:
        self._today = today
        self._told: set[str] = set()
        self._lock = Lock()
        at_fork(self, child=Reminder._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = Lock()

    def tell(self, catalog: Catalog, model: str, location: str) -> str | None:
        """Return what is to be said of a model now, None if there is nothing or it was said before."""
        notice = lifecycle_notice(catalog, model, location, self._today())
        with self._lock:
            if notice is None or model in self._told:
                return None
            self._told.add(model)
        return notice


def lifecycle_notice(catalog: Catalog, model: str, location: str, today: date) -> str | None:
    """Return one or two sentences on a model that is deprecated or within 60 days of a date, or None.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> print(lifecycle_notice(Catalog.load(), "claude-sonnet-5", "global", date(2026, 11, 26)))
    Claude Sonnet 5 may end on Vertex AI from 2026-12-24 on (a floor, no date is set). Claude Sonnet 5.5 \
would take its place: thinking cannot be turned off, no forced tool call, same price.
    """
    row = catalog.find(model)
    if row is None or row.lifecycle == "retired":
        return None
    ends = list(_ends(row, today))
    if not ends:
        return None
    said = f"{quote(row.name, 80)} {' and '.join(ends)}."
    successor = _successor(catalog, row, location)
    return f"{said} {_change(row, successor, location)}" if successor is not None else said


def _ends(row: Model, today: date) -> Iterator[str]:
    if row.lifecycle == "deprecated":
        yield f"is deprecated since {row.deprecated_on}" if row.deprecated_on else "is deprecated"
    if _is_near(row.not_sooner_than, today):
        yield f"may end on Vertex AI from {row.not_sooner_than} on (a floor, no date is set)"
    if _is_near(row.api_retired_on, today):
        tense = "ended" if date.fromisoformat(row.api_retired_on or "") <= today else "ends"
        yield f"{tense} on the Claude API on {row.api_retired_on} (Google sets its own date)"


def _is_near(day: str | None, today: date) -> bool:
    try:
        return day is not None and date.fromisoformat(day) - today <= _NEAR
    except ValueError:
        # A month or a year in a table of the user's own.
        return False


def _successor(catalog: Catalog, row: Model, location: str) -> Model | None:
    named = catalog.find(row.successor) if row.successor else None
    newest = named or catalog.newest(row.family, location if location in catalog.locations() else None)
    return None if newest is None or newest.id == row.id or newest.lifecycle != "active" else newest


def _change(row: Model, successor: Model, location: str) -> str:
    changes = [*losses(row, successor), _price(rate(row, location), rate(successor, location), location)]
    where = (
        "" if successor.served_in(location) else f" (served in {', '.join(successor.locations or ('?',))})"
    )
    return f"{quote(successor.name, 80)}{where} would take its place: {', '.join(filter(None, changes))}."


def losses(row: Model, successor: Model) -> Iterator[str]:
    """Yield what requests to a model may hold and its successor refuses, in a few words each.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> catalog = Catalog.load()
    >>> list(losses(catalog.find("haiku-4.5"), catalog.find("haiku-5.5")))
    ['no temperature, top_p or top_k', 'no thinking budget', 'no answer that you begin']
    """
    old, new = row.rules, successor.rules
    lost = set(old.thinking) - set(new.thinking)
    levels = [level for level in old.effort if level not in new.effort]
    if old.sampling and not new.sampling:
        yield "no temperature, top_p or top_k"
    if "enabled" in lost:
        yield "no thinking budget"
    if "disabled" in lost:
        yield "thinking cannot be turned off"
    if levels:
        yield f"no effort {' or '.join(levels)}"
    if old.prefill and not new.prefill:
        yield "no answer that you begin"
    if old.forced_tool_choice and not new.forced_tool_choice:
        yield "no forced tool call"


def _price(old: Tier | None, new: Tier | None, location: str) -> str:
    if old is None or new is None or None in (old.input, old.output, new.input, new.output):
        return ""
    if (old.input, old.output) == (new.input, new.output):
        return "same price"
    return (
        f"{new.input:g} in / {new.output:g} out instead of {old.input:g} / {old.output:g} USD per million tokens "
        f"at {quote(location, 40)}"
    )
