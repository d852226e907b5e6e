"""What `%claude_logging` shows: Google's logging and the local journal side by side, and the limits of the former.

The limits are those of the page "Log requests and responses" (Google Cloud docs, as of several days in 2026); where it
was changed in between, that is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.notebook.pages.html import literal, verbatim
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.logging_config import is_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.transport.logging_config import LoggingConfig
    from vertex_claude_magic.transport.resources import ModelPlace

__all__ = ["JournalFacts", "Status", "html", "limits", "plain"]

_WIDE = frozenset({"global", "us", "eu"})
_ARRIVED = "To check whether rows arrive:"
_COLUMNS = (Column(), Column("Google, request-response logging"), Column("this machine, journal"))


class JournalFacts(NamedTuple):
    """What the local journal keeps: for how many days, how many rows by now, in which file."""

    days: int
    rows: int
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """What is known of the logging of one model in one location.

    Args:
        place: The model and its location.
        row: The model's row in the table, if it has one.
        logging: Google's logging, as read back.
        known: Whether Google has a configuration of this model here at all.
        others: Names of the other settings of the same configuration.
        outcome: What was done, if anything.
        journal: What the local journal keeps, None if there is none.
        notes: What else to say below.
    """

    place: ModelPlace
    row: Model | None
    logging: LoggingConfig
    known: bool = True
    others: tuple[str, ...] = ()
    outcome: str = ""
    journal: JournalFacts | None = None
    notes: tuple[str, ...] = ()


def html(status: Status) -> str:
    """Return it as one HTML table and a list of what it does not promise."""
    table = Table(columns=_COLUMNS, rows=list(map(Row, _rows(status))), caption=_caption(status))
    notes = "".join(f"<li>{literal(text)}</li>" for text in limits(status))
    proof = "".join(f"<p>{_ARRIVED}</p><pre>{verbatim(query)}</pre>" for query in _queries(status))
    return f"{table.html()}<ul>{notes}</ul>{proof}"


def plain(status: Status) -> str:
    """Return the same as text."""
    lines = [_caption(status)]
    for name, google, local in _rows(status):
        lines += [f"{name}:", f"  Google: {google}", f"  here:   {local}"]
    lines += [f"- {text}" for text in limits(status)]
    return "\n".join([*lines, *(f"{_ARRIVED}\n  {query}" for query in _queries(status))])


def _caption(status: Status) -> str:
    place = status.place
    where = f"{quote(place.model, 80)} in {quote(place.region, 40)}, project {quote(place.project, 60)}."
    return f"{status.outcome} {where}".strip()


def _rows(status: Status) -> Iterator[tuple[str, str, str]]:
    logging, journal = status.logging, status.journal
    none = "no journal"
    state = "on" if logging.enabled else "off" if status.known else "off, never configured"
    yield "state", state, "on" if journal else none
    whose = (
        f"{logging.share} to this model through this location, whoever makes it"
        if logging.enabled
        else "nothing"
    )
    yield "keeps", whose, f"the calls of this extension, {journal.rows:,} so far" if journal else none
    yield "where", quote(logging.table or "no table set", 120), quote(journal.path, 120) if journal else none
    yield "how long", "until you delete rows of the table", f"{journal.days} days" if journal else none
    yield "other settings", ", ".join(quote(name, 60) for name in status.others) or "none", "not touched"


def limits(status: Status) -> list[str]:
    """Return what Google's logging does not promise, for this place.

    >>> from vertex_claude_magic.transport.resources import ModelPlace
    >>> from vertex_claude_magic.transport.logging_config import LoggingConfig
    >>> place = ModelPlace(project="p", region="us-east5", model="claude-opus-4-6")
    >>> limits(Status(place=place, row=None, logging=LoggingConfig()))[0]
    'This applies to claude-opus-4-6 in us-east5 only; calls through other locations are not logged.'
    """
    place, row = status.place, status.row
    where = f"{quote(place.model, 80)} in {quote(place.region, 40)}"
    found = [f"This applies to {where} only; calls through other locations are not logged."]
    if row is None:
        found.append(
            f"The model table does not know {quote(place.model, 80)}; a misspelt id is reported as off."
        )
    if place.region in _WIDE:
        found.append(
            "It is not certain that calls at global, us and eu are logged: Google's documentation used to say that "
            "only those at regional endpoints are, and no longer mentions it."
        )
    if row is not None and row.locations and not set(row.locations) - _WIDE:
        found.append(f"{row.name} has no regional endpoint, so it may not be logged at all.")
    return [
        *found,
        "The feature is in Preview; a change takes minutes to apply, and rows arrive minutes after their call.",
        "Calls whose request and response exceed 10 MB together are not logged (BigQuery's limit for a row).",
        "Rows contain prompts and answers in full. BigQuery has no location called global.",
        'A reported "on" proves little; only rows that arrive prove it.',
        "Anthropic recommends keeping at least 30 days of activity.",
        *status.notes,
    ]


def _queries(status: Status) -> list[str]:
    """Return the command that shows the newest rows; none for a table that no command should name."""
    table = status.logging.table or ""
    if not is_table(table):
        return []
    name = table.removeprefix("bq://").replace(":", ".", 1)
    query = f"SELECT logging_time, api_method FROM `{name}` ORDER BY logging_time DESC LIMIT 5"  # noqa: S608 - checked
    return [f"bq query --use_legacy_sql=false '{query}'"]
