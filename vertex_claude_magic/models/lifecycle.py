"""A model's lifecycle in words: for tables, lists, cards, and as a notice near a model's date.

A floor ("not sooner than") is called a floor and never an end; a floor that is past means that the model may end any
day. Dates of the Claude API are said as such, because Google sets its own.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import rate, usd_limit
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model, Tier

__all__ = [
    "FLOOR",
    "INVITED",
    "NOT_CURRENT",
    "Reminder",
    "lifecycle_notice",
    "lost_features",
    "panel_label",
    "status",
    "status_details",
    "status_lines",
    "status_without_word",
    "word_of",
]

# A notice begins so long before a date.
_NEAR = timedelta(days=60)
# What stands before a floor in a table's cell.
FLOOR = "at least until"
# Access to these needs an invitation, which no date and no other word of the table says.
INVITED = "invited customers only"
# What a list of the current models leaves out.
NOT_CURRENT = "deprecated, retired or by invitation"


def word_of(model: Model) -> str:
    """Return the one word for a model's lifecycle, such as "deprecated", in lists, cards, notices and errors alike.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> word_of(Catalog.load().find("claude-sonnet-5-5"))
    'active'
    """
    return model.lifecycle


def status(model: Model, today: date | None = None) -> str:
    """Return the lifecycle in one line, with its date and the successor.

    Args:
        model: A row of the table.
        today: The day on which it is read; None for the present one.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> table, day = Catalog.load(), date(2026, 11, 26)
    >>> status(table.find("claude-3-5-haiku@20241022")), status(table.find("claude-sonnet-5-5"), day)
    ('retired 2026-07-05, use claude-haiku-5-5', 'active, no end before 2027-09-28')
    >>> status(table.find("claude-haiku-4-5@20251001"), day)
    'active, may end any day since 2026-10-15, use claude-haiku-5-5'
    """
    floor = _floor(model, "no end before", today) if model.lifecycle == "active" else None
    return ", ".join(_parts(model, word_of(model), floor))


def status_without_word(model: Model) -> str:
    """Return `status` for a place that has the word already: the date and the successor.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> status_without_word(Catalog.load().find("claude-3-5-haiku@20241022"))
    '2026-07-05, use claude-haiku-5-5'
    """
    return ", ".join(_parts(model, ""))


def status_lines(model: Model, today: date | None = None) -> tuple[str, ...]:
    """Return the lifecycle as the short lines of a table's cell; the arguments are those of `status`.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> status_lines(Catalog.load().find("claude-sonnet-5-5"), date(2026, 11, 26))
    ('active', 'at least until 2027-09-28')
    """
    past = _is_past_floor(model, today)
    return _parts(model, word_of(model), "may end any day" if past else _floor(model, FLOOR, today))


def status_details(model: Model, today: date | None = None) -> str:
    """Return the lifecycle in one line with every date that is known, also that of the Claude API.

    The arguments are those of `status`.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> table, day = Catalog.load(), date(2026, 11, 26)
    >>> status_details(table.find("claude-sonnet-5-5"), day), status_details(table.find("claude-mythos-5-2"), day)
    ('Available until at least 28 Sep 2027', 'invited customers only')
    """
    if model.lifecycle == "active" and model.not_sooner_than and not _is_past_floor(model, today):
        return f"Available until at least {_spoken_day(model.not_sooner_than)}"
    word = INVITED if model.lifecycle == "limited" else word_of(model)
    api = model.api_retired_on if model.lifecycle != "active" and not _date(model) else None
    floor = _floor(model, "available until at least", today)
    return ", ".join(_parts(model, word, floor, api and f"on the Claude API {api}"))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _spoken_day(day: str) -> str:
    read = _day(day)
    # Not strftime, whose months depend on the user's language.
    return day if read is None else f"{read.day} {_MONTHS[read.month - 1]} {read.year}"


def _day(text: str | None) -> date | None:
    """Read YYYY-MM-DD; None where there is none, or only a month or a year, as a user's own table may have."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None


def _is_past_floor(model: Model, today: date | None = None) -> bool:
    """Tell whether the day before which a model was not to end has come; the arguments are those of `status`.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> _is_past_floor(Catalog.load().find("claude-haiku-4-5@20251001"), date(2026, 10, 15))
    True
    """
    floor = _day(model.not_sooner_than) if model.lifecycle != "retired" else None
    return floor is not None and floor <= (today or _today())


def _floor(model: Model, words: str, today: date | None) -> str | None:
    if model.lifecycle == "retired" or not model.not_sooner_than:
        return None
    words = "may end any day since" if _is_past_floor(model, today) else words
    return f"{words} {model.not_sooner_than}"


def _today() -> date:
    return datetime.now(timezone.utc).date()


def panel_label(model: Model | None) -> str:
    """Return a few words for a narrow column; None stands for a model that the table does not know.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> panel_label(Catalog.load().find("claude-mythos-5-2")), panel_label(None)
    ('by invitation', 'not in the table')
    """
    if model is None:
        return "not in the table"
    return "by invitation" if model.lifecycle == "limited" else word_of(model)


def _parts(model: Model, word: str, *known: str | None) -> tuple[str, ...]:
    since = _date(model)
    parts = (" ".join(filter(None, (word, since))), *known, model.successor and f"use {model.successor}")
    return tuple(part for part in parts if part)


def _date(model: Model) -> str | None:
    """Return since when the model is what its lifecycle says."""
    return {"deprecated": model.deprecated_on, "retired": model.retired_on}.get(model.lifecycle)


class Reminder:
    """Tells of each model at most once.

    Args:
        today: Returns the present day.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> reminder = Reminder(today=lambda: date(2026, 11, 26))
    >>> reminder.tell(Catalog.load(), "claude-sonnet-5-5", "global") is None
    True
    """

    def __init__(self, today: Callable[[], date] = _today) -> None:
        self._today = today
        self._told: set[str] = set()
        self._renew_lock()
        at_fork(self, child=Reminder._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = Lock()

    def tell(self, catalog: Catalog, model: str, location: str) -> str | None:
        """Return what is to be said of a model now, None if there is nothing or it was said before."""
        notice = lifecycle_notice(catalog, model, location, self._today())
        with self._lock:
            if notice is None or model in self._told:
                return None
            self._told.add(model)
        return notice


# Asked after every answer, and the same all day.
@lru_cache(maxsize=64)
def lifecycle_notice(catalog: Catalog, model: str, location: str, today: date) -> str | None:
    """Return one or two sentences on a model that is deprecated or within 60 days of a date, or None.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> print(lifecycle_notice(Catalog.load(), "claude-sonnet-5", "global", date(2026, 11, 26)))
    Claude Sonnet 5 may end on Vertex AI from 2026-12-24 on (a floor, no date is set). Claude Sonnet 5.5 \
would take its place: thinking cannot be turned off, no forced tool call, same price.
    """
    row = catalog.find(model)
    # What is retired is refused with its successor, so that a notice has nothing to add.
    if row is None or row.lifecycle == "retired":
        return None
    ends = []
    if row.lifecycle == "deprecated":
        since = f" since {row.deprecated_on}" if row.deprecated_on else ""
        ends.append(f"is {word_of(row)}{since}")
    if _is_past_floor(row, today):
        ends.append(f"may end on Vertex AI any day since {row.not_sooner_than} (no date is set)")
    elif _is_near_end(row.not_sooner_than, today):
        ends.append(f"may end on Vertex AI from {row.not_sooner_than} on (a floor, no date is set)")
    if _is_near_end(row.api_retired_on, today):
        tense = "ended" if date.fromisoformat(row.api_retired_on or "") <= today else "ends"
        # The Claude API and Vertex AI end models on days of their own.
        ends.append(f"{tense} on the Claude API on {row.api_retired_on} (Google sets its own date)")
    if not ends:
        return None
    said = f"{quote(row.name, 80)} {' and '.join(ends)}."
    named = catalog.find(row.successor) if row.successor else None
    # A user's table may name a successor that it does not have.
    successor = named or catalog.newest(row.family, location if location in catalog.locations() else None)
    if successor is None or successor.id == row.id or successor.lifecycle != "active":
        return said
    price = _price_change(rate(row, location), rate(successor, location), location)
    changes = ", ".join(filter(None, (*lost_features(row, successor), price)))
    served = ", ".join(successor.locations or ("?",))
    where = "" if successor.served_in(location) else f" (served in {served})"
    return f"{said} {quote(successor.name, 80)}{where} would take its place: {changes}."


def _is_near_end(day: str | None, today: date) -> bool:
    """Tell whether a date (YYYY-MM-DD) is at most 60 days away or past.

    >>> _is_near_end("2026-12-24", date(2026, 11, 26)), _is_near_end("2027-12", date(2026, 11, 26))
    (True, False)
    """
    found = _day(day)
    return found is not None and found - today <= _NEAR


def lost_features(row: Model, successor: Model) -> Iterator[str]:
    """Yield what requests to a model may contain and its successor refuses, in a few words each.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> catalog = Catalog.load()
    >>> list(lost_features(catalog.find("haiku-4.5"), catalog.find("haiku-5.5")))
    ['no temperature, top_p or top_k', 'no thinking budget', 'no prefilled answer']
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
        yield "no prefilled answer"
    if old.forced_tool_choice and not new.forced_tool_choice:
        yield "no forced tool call"


def _price_change(old: Tier | None, new: Tier | None, location: str) -> str:
    if old is None or new is None or None in (old.input, old.output, new.input, new.output):
        return ""
    if (old.input, old.output) == (new.input, new.output):
        return "same price"
    return (
        f"{usd_limit(new.input)} in / {usd_limit(new.output)} out instead of {usd_limit(old.input)} / "
        f"{usd_limit(old.output)} per million tokens at {quote(location, 40)}"
    )
