"""What has come back of a batch, in the rows of its table, and what it cost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.answers.repair import TypedQuestion
from vertex_claude_magic.answers.shape import Shape, shape_of
from vertex_claude_magic.answers.types import read_type
from vertex_claude_magic.records.journal.calls import Ending
from vertex_claude_magic.spelling import Spelling, spelled
from vertex_claude_magic.tables.batch.lines import custom_id, row_of
from vertex_claude_magic.tables.batch.results import Results, fingerprint, read_results
from vertex_claude_magic.tables.batch.source import read_ids
from vertex_claude_magic.tables.columns import Added, check_names
from vertex_claude_magic.tables.result import with_columns
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.text import number_of, quote
from vertex_claude_magic.transport.batch import FINAL
from vertex_claude_magic.transport.storage import parse_uri

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.records.journal.batches import Batch, StoredJob
    from vertex_claude_magic.tables.batch.context import Context
    from vertex_claude_magic.tables.rows import IntoRows, MadeTable, Rows

__all__ = [
    "Collected",
    "checked_rows",
    "collected",
    "count_nothing",
    "failed_rows",
    "is_table_of",
    "typed_by_name",
    "typed_by_schema",
]

# The columns of a table of results that are read.
_RESULT = ("custom_id", "response", "status")


@dataclass(frozen=True, slots=True)
class Collected:
    """A table with its answers.

    Args:
        table: The table.
        errors: How many rows have an error.
        undecided: How many of them have an answer that may be right, as `Results.undecided`.
        notices: What the user should know.
    """

    table: MadeTable
    errors: int
    undecided: int
    notices: tuple[str, ...]


def collected(
    context: Context,
    batch: Batch,
    jobs: list[StoredJob],
    *,
    rows: Rows | None,
    typed: TypedQuestion | None,
    held: dict[int, int],
) -> Collected:
    """Return the table of a batch with the columns of its answers.

    Args:
        context: The session.
        batch: The batch.
        jobs: Its jobs as they are now.
        rows: Its table; without it the result has the number of each row.
        typed: As for `failed_rows`.
        held: As for `failed_rows`.

    Raises:
        OptionError: no job has ended, the results of one were deleted, or the table has a column of its own by the
            name of one to be added.
    """
    added = [Added(*column) for column in batch.plan["columns"]]
    # A table that has all of them is an earlier result, which gets the new ones.
    if rows is not None and not {column.name for column in added}.issubset(rows.names):
        cure = "Rename it in the table and collect again, which costs nothing."
        check_names(added, rows.names, cure=cure)
    results, ids = _results(context, batch, jobs, typed=typed, held=held)
    if rows is None:
        rows = _made("row", range(batch.rows)) if ids is None else _made("custom_id", list(ids))
    notices = []
    if results.unassigned:
        notices.append(
            f"{number_of(results.unassigned, 'line')} of the results could not be assigned to a row."
        )
    if results.by_schema:
        notices.append(
            f"The answers were checked by the schema alone, because the type {quote(batch.plan['shape'], 60)} is not "
            "defined here as it was sent: its defaults, conversions and validators had no effect. Define it again, and "
            "collect again."
        )
    made = with_columns(rows, results.added, results.values)
    return Collected(made, sum(1 for _ in results.failed()), len(results.undecided), tuple(notices))


def is_table_of(batch: Batch, table: IntoRows) -> bool:
    """Tell whether a value is the table of a batch, in the order of its rows."""
    try:
        checked_rows(batch, table)
    except errors.OptionError:
        return False
    return True


def failed_rows(
    context: Context,
    batch: Batch,
    jobs: list[StoredJob],
    *,
    typed: TypedQuestion | None,
    held: dict[int, int],
) -> tuple[set[str], int]:
    """Return the ids of the rows that were sent and failed or were not answered, and how many may be right.

    The latter are none of the former: whoever knows the type may find that they are right.

    Args:
        context: The session.
        batch: The batch.
        jobs: Its jobs as they are now.
        typed: What an answer must look like; the schema that was sent if not given.
        held: What was set aside of the session's limit, by the number of the job; what is counted is taken out.
    """
    results, ids = _results(context, batch, jobs, typed=typed, held=held)
    failed = set(results.failed()) - results.undecided
    if ids is not None:
        return {name for name, row in ids.items() if row in failed}, 0
    unsent = batch.plan.get("errors", {})
    return {custom_id(batch.id, row) for row in failed if str(row) not in unsent}, len(results.undecided)


def typed_by_name(plan: Mapping[str, Any], names: Mapping[str, Any]) -> TypedQuestion | None:
    """Return what an answer must look like by the type that a batch was sent with, None where it is not known.

    Args:
        plan: The stored plan of the batch.
        names: Variables. A type of another schema is another one.
    """
    text = str(plan.get("as") or "")
    try:
        shape = shape_of(read_type(text, names)) if text else None
    except errors.ClaudeError:
        return None
    if shape is None or dict(shape.schema) != plan["schema"]:
        return None
    return TypedQuestion(shape=shape, way="format")


def typed_by_schema(plan: Mapping[str, Any]) -> TypedQuestion | None:
    """Return what an answer must look like by the schema that was sent, from the stored plan of a batch."""
    schema = plan.get("schema")
    if schema is None:
        return None
    whole, key = shape_of(schema), str(plan.get("key") or "")

    def validate(value: Json) -> Json:
        if not key:
            bare: Json = whole.validate(value)
            return bare
        data: Json = whole.validate({key: value})
        return data[key] if isinstance(data, dict) else data

    name = str(plan.get("shape") or whole.name)
    shape = Shape(name=name, schema=schema, strict=whole.strict, key=key, validate=validate)
    return TypedQuestion(shape=shape, way="format")


def _results(
    context: Context,
    batch: Batch,
    jobs: list[StoredJob],
    *,
    typed: TypedQuestion | None,
    held: dict[int, int],
) -> tuple[Results, dict[str, int] | None]:
    """Return the results, and the ids of the rows with their places where those are in BigQuery.

    Raises:
        OptionError: no job has ended, or the results of one were deleted.
    """
    if not any(job.state in FINAL for job in jobs):
        raise errors.OptionError(
            f"No job of the batch {quote(batch.name or batch.id, 60)} has ended yet.",
            cure=spelled("Wait for it: {}.", Spelling(f"%claude_batch {batch.name} --wait", ".wait()")),
        )
    plan = batch.plan
    source = str(plan.get("source") or "")
    ids = read_ids(context, source) if source else None
    results = Results(
        place=partial(row_of, batch.id) if ids is None else ids.get,
        added=[Added(*column) for column in plan["columns"]],
        rows=batch.rows if ids is None else len(ids),
        model=context.target.catalog.find(batch.model),
        location=batch.location,
        typed=typed or typed_by_schema(plan),
        by_schema=typed is None and bool(plan.get("as")),
    )
    gone: list[StoredJob] = []
    # Later attempts come later, and replace what the earlier ones left.
    for job in jobs:
        if job.state not in FINAL or not job.results:
            if job.state in FINAL and job.call is not None:
                count_nothing(context, batch, job, held)
            continue
        before = results.lines
        used, price = read_results(results, _lines(context, job))
        if results.lines == before and job.done:
            # They were deleted, and were paid all the same.
            price = None
            gone.append(job)
        ending = Ending(
            state="done",
            source=batch.source,
            input_tokens=used.input_tokens,
            cache_write_tokens=used.cache_creation_input_tokens,
            cache_read_tokens=used.cache_read_input_tokens,
            output_tokens=used.output_tokens,
            cost=price,
            cost_most=job.cost_most if price is None else price,
        )
        _count(context, batch, job, ending, held)
    for row, text in plan.get("errors", {}).items():
        results.fail(int(row), str(text))
    for first, *same in plan.get("copies", ()):
        results.copy(first, same)
    _fail_the_rest(results, jobs, gone)
    return results, ids


def _fail_the_rest(results: Results, jobs: list[StoredJob], gone: list[StoredJob]) -> None:
    """Say of the rows without a result why, once no job goes on that could bring it.

    Args:
        results: The results.
        jobs: The jobs of the batch.
        gone: Those whose results were deleted.

    Raises:
        OptionError: a row without a result may be one that was answered, and paid.
    """
    if gone and not all(results.known):
        numbers = ", ".join(f"{job.number:,}" for job in gone)
        answered = sum(job.done for job in gone)
        raise errors.OptionError(
            f"The results of {'job' if len(gone) == 1 else 'the jobs'} {numbers} are gone: no line of "
            f"{number_of(answered, 'answered row')} is left in {quote(gone[0].results, 200)}.",
            cure="Restore them there, or keep what was collected before; sending the table again is billed again.",
        )
    if not all(job.state in FINAL for job in jobs):
        return
    ends = dict.fromkeys(job.state for job in jobs if job.state != "SUCCEEDED")
    said = next((job.error for job in jobs if job.error), "")
    why = "RowFailed: The results have no line of this row."
    if ends:
        why = f"RowFailed: The job ended before it answered this row ({', '.join(ends)})."
    if said:
        why = f"{why} Vertex AI said: {quote(said).removesuffix('.')!r}."
    for row in range(results.rows):
        if not results.known[row]:
            results.fail(row, why)


def count_nothing(context: Context, batch: Batch, job: StoredJob, held: dict[int, int]) -> None:
    """Count a job that answered nothing."""
    ending = Ending(state="failed", source=batch.source, cost=0.0, cost_most=0.0)
    _count(context, batch, job, ending, held)


def _count(context: Context, batch: Batch, job: StoredJob, ending: Ending, held: dict[int, int]) -> None:
    """Count once what a job cost, in the calls and in the sum of this session if it was set aside there."""
    context.batches.count(job, context.call_of(batch, job), ending)
    number = held.pop(job.number, None)
    if number is not None:
        context.session.records.budget.commit(number, ending.cost)


def _lines(context: Context, job: StoredJob) -> Iterator[bytes]:
    if job.results.startswith("bq://"):
        with context.table(job.results) as table:
            for row in table.rows(_RESULT):
                yield json.dumps(row).encode()
        return
    for place in context.files.names(parse_uri(job.results), ".jsonl"):
        yield from context.files.lines(place)


def checked_rows(batch: Batch, table: IntoRows) -> Rows:
    """Return the rows of a table, which are those of the batch, in their order.

    Raises:
        OptionError: they are others.
    """
    if source := batch.plan.get("source"):
        raise errors.OptionError(
            f"The rows of this batch are in {quote(source, 120)}, so it takes no table.",
            cure="Leave the table out; join the result to yours by custom_id.",
        )
    rows = read_rows(table)
    same = rows.count == batch.rows and fingerprint(rows, batch.plan["used"]) == batch.plan["fingerprint"]
    if not same:
        own = f"it has {number_of(rows.count, 'row')}, and {batch.rows:,} were sent"
        raise errors.OptionError(
            f"This is not the table of the batch {quote(batch.name or batch.id, 60)}: "
            f"{'its rows are different' if rows.count == batch.rows else own}.",
            cure="Give the table as it was sent, or none: the answers are in the order of its rows.",
        )
    return rows


def _made(name: str, values: Sequence[int] | Sequence[str]) -> Rows:
    """Return a table of one column, for a result whose table is not at hand."""
    try:
        import pandas as pd
    except ImportError:
        return read_rows([{name: value} for value in values])
    return read_rows(pd.DataFrame({name: values}))
