"""A table of BigQuery whose rows are finished requests: read once to be checked, and named in the job as it is.

Its columns are those of the page "Batch predictions with Claude models" (Google Cloud docs, 2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.models.prices import sum_of_costs
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.settings.policy import holds_attachment
from vertex_claude_magic.tables.batch.checks import location_of
from vertex_claude_magic.tables.batch.lines import Line, most_of, row_request
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.storage import parse_uri
from vertex_claude_magic.vertex.request import RequestOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from vertex_claude_magic.records.journal.batches import Batch
    from vertex_claude_magic.tables.batch.checks import BatchOptions
    from vertex_claude_magic.tables.batch.context import Context
    from vertex_claude_magic.transport.bigquery import BigQueryTable

__all__ = ["Requests", "read_ids", "read_requests", "request_lines"]

_COLUMNS = ("custom_id", "request")
# The job adds columns of these names.
_RESERVED = frozenset({"response", "status"})
# The options that become part of a request; a lock of one of them cannot hold for requests that are finished.
_IN_REQUEST = {
    *RequestOptions._fields,
    *("anthropic_version", "as_", "attach", "cache", "context", "format"),
} - {"force", "header", "label"}
_TOOL_FIELDS = ("tools", "mcp_servers")
_REPORT_EVERY = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """What is known of a table of requests.

    Args:
        place: Where it is, and its job runs.
        rows: How many rows it has.
        cost: What all rows may cost at most, in USD; None where a price is not known.
        notices: What the user should know.
    """

    place: str
    rows: int
    cost: float | None
    notices: tuple[str, ...]


def read_requests(context: Context, options: BatchOptions, notify: Callable[[str], None]) -> Requests:
    """Read the requests of a table, and refuse what a job could not answer or a policy forbids.

    Args:
        context: The session.
        options: Which table, and where the results go.
        notify: Called with what is being done.

    Raises:
        OptionError: the table lacks a column or rows, is elsewhere than the bucket, has an id twice, or a policy fixes
            what its requests say.
        MissingExtra: google-cloud-bigquery is not installed.
    """
    target, source = context.target, options.source
    policy, named = present_policy(), quote(source, 120)
    if locked := sorted(_IN_REQUEST & policy.locks.keys()):
        raise OptionError(
            f"{locked[0].rstrip('_')} is locked by {policy.who(locked[0])}, and {named} contains finished requests.",
            cure="Give a table of this notebook, and a prompt.",
        )
    bucket = parse_uri(options.files).bucket
    place = location_of(bucket, context.files.location(bucket), target)
    # Made before anything is read, because it refuses what cannot be part of its addresses.
    context.api(place, target.model_id)
    cost: float | None = 0.0
    count = wrong = 0
    first_wrong = ""
    # Eight bytes stand for an id; that two of a million have the same ones has a chance of 1 to 30 million.
    seen: set[int] = set()
    with context.table(source) as table:
        _check_columns(table, place)
        for count, (name, body) in enumerate(_requests(table), start=1):
            if count % _REPORT_EVERY == 0:
                notify(f"reading {source}, row {count:,}")
            if not name or hash(name) in seen:
                raise OptionError(
                    f"The custom_id {quote(name, 60)!r} occurs twice in {named}."
                    if name
                    else f"A row of {named} has no custom_id.",
                    cure="Give each row an id of its own, by which its result is found.",
                )
            seen.add(hash(name))
            cost = sum_of_costs((cost, most_of(row_request(body, target.model_id, place), target.catalog)))
            tokens = body.get("max_tokens")
            if not isinstance(body.get("messages"), list) or type(tokens) is not int or tokens < 1:
                wrong, first_wrong = wrong + 1, first_wrong or name
                continue
            _check_request(body, tokens, name)
    if not count:
        raise OptionError(f"{named} has no rows.", cure="Use a table with at least one row.")
    if wrong == count:
        raise OptionError(
            f"No row of {named} has messages and max_tokens in its request.",
            cure="Write the body of a Messages API request into the column request, as JSON.",
        )
    rows = "row has" if wrong == 1 else "rows have"
    failing = (
        f"{wrong:,} {rows} no messages or no max_tokens, and will fail (first: {quote(first_wrong, 60)})."
    )
    return Requests(place=place, rows=count, cost=cost, notices=(failing,) if wrong else ())


def read_ids(context: Context, source: str) -> dict[str, int]:
    """Return the ids of a table of requests, each with its place."""
    with context.table(source) as table:
        return {str(row["custom_id"]): place for place, row in enumerate(table.rows(_COLUMNS[:1]))}


def request_lines(context: Context, batch: Batch, wanted: Collection[str]) -> Iterator[tuple[int, Line]]:
    """Yield the place and the line of some rows of the table of requests that a batch has read.

    Args:
        context: The session.
        batch: The batch.
        wanted: The ids of the rows.
    """
    with context.table(batch.plan["source"]) as table:
        for place, (name, body) in enumerate(_requests(table)):
            if name in wanted:
                yield place, Line(name, row_request(body, batch.model, batch.location))


def _requests(table: BigQueryTable) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the id of each row and its request, empty where it is not one."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    for row in table.rows(_COLUMNS):
        name, request = row["custom_id"], row["request"]
        # A text, or a column of the type JSON. Python reads NaN in a text, which is no JSON.
        if isinstance(request, str):
            with suppress(ValueError, RecursionError):
                request = json.loads(request, parse_constant=refuse)
        yield "" if name is None else str(name), request if isinstance(request, Mapping) else {}


def _check_columns(table: BigQueryTable, place: str) -> None:
    named, columns = quote(table.name, 120), table.columns
    if missing := [name for name in _COLUMNS if name not in columns]:
        raise OptionError(
            f"{named} has no column {missing[0]}.",
            cure="A row needs custom_id and request (the body, as JSON).",
        )
    if taken := sorted(_RESERVED.intersection(columns)):
        raise OptionError(
            f"{named} has a column {taken[0]}, a name that the results need.", cure="Rename that column."
        )
    if table.location != place:
        raise OptionError(
            f"{named} is in {quote(table.location, 40)}, and the bucket in {quote(place, 40)}.",
            cure="A job needs both in one place.",
        )


def _check_request(request: Mapping[str, Any], tokens: int, name: str) -> None:
    """Refuse a request that says what a policy forbids."""
    policy = present_policy()
    found = ""
    most = policy.ceilings.get("max_tokens")
    if most is not None and tokens > most:
        raise OptionError(
            f"{policy.limited('max_tokens')}, and the row {quote(name, 60)} asks for {tokens:,}.",
            cure="Lower it in the table.",
        )
    if "tools" in policy.forbids and any(request.get(field) for field in _TOOL_FIELDS):
        found = "tools"
    if "attachments" in policy.forbids and holds_attachment([*request.values()]):
        found = "attachments"
    if found:
        raise OptionError(
            f"{found.capitalize()} are switched off by {policy.who(found, 'limits')}, "
            f"and the row {quote(name, 60)} has some.",
            cure="Leave them out of the table.",
        )
