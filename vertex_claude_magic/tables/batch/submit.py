"""A table becomes a batch: checks, files, limits, the journal, uploads, jobs.

In this order, so that nothing is paid before everything is known to be right and a later kernel can find it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.answers.types import written_type
from vertex_claude_magic.records.journal.batches import Batch, StoredJob
from vertex_claude_magic.records.journal.runs import this_process
from vertex_claude_magic.settings.origin import current_origin, session_id
from vertex_claude_magic.spelling import Spelling, spelled
from vertex_claude_magic.tables.batch.checks import check_batch, check_sending, location_of, unknowns
from vertex_claude_magic.tables.batch.context import Context, source_of
from vertex_claude_magic.tables.batch.create import passes
from vertex_claude_magic.tables.batch.job import BatchJob
from vertex_claude_magic.tables.batch.lines import question_lines, write_lines
from vertex_claude_magic.tables.batch.results import fingerprint
from vertex_claude_magic.tables.batch.source import read_requests
from vertex_claude_magic.tables.batch.upload import add_jobs, put_up
from vertex_claude_magic.tables.columns import added_columns, check_names
from vertex_claude_magic.tables.questions import row_questions
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.storage import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.tables.batch.checks import BatchOptions
    from vertex_claude_magic.tables.batch.lines import Prepared
    from vertex_claude_magic.tables.batch.source import Requests
    from vertex_claude_magic.tables.rows import IntoRows

__all__ = ["requests_of", "submit"]

_REPORT_EVERY = 50_000


def submit(
    session: Session,
    table: IntoRows | None,
    prompt: str,
    target: Target,
    options: BatchOptions,
    *,
    name: str = "",
    table_name: str = "",
    scope: Scope | None = None,
    opening: str = "",
    notify: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
    uploaded: Callable[[BatchJob], None] = lambda _: None,
) -> BatchJob:
    """Send a table, and return its jobs.

    Args:
        session: The session that asks.
        table: The table; what `options.source` names is sent in its place.
        prompt: The template of a row; empty where the rows are finished requests.
        target: Where it goes and how.
        options: Where rows and results go.
        name: The variable that will hold it.
        table_name: The variable that holds the table.
        scope: Where names are looked up that are not columns.
        opening: A text that goes before the prompt of every row.
        notify: Called with what is being done.
        warn: Called with what the user should know.
        uploaded: Called with the jobs once all rows are up, before Google is asked to create them.

    Raises:
        OptionError: it cannot be sent; nothing was uploaded.
        CostLimitExceeded: it could cross a limit; nothing was uploaded.
    """
    if options.source:
        made = _submit_requests(session, prompt, target, options, name=name, notify=notify, warn=warn)
        uploaded(made)
        return _created(made, notify, warn)
    check_batch(target)
    questions = row_questions(
        read_rows(table),
        prompt,
        target,
        scope=scope,
        prefix=options.prefix,
        opening=opening,
        project=lambda: session.project(target, notify),
        seen=session.status.sightings,
    )
    if questions.first is None:
        raise errors.OptionError("The table has no rows.", cure="Use a table with at least one row.")
    context = Context(session, target, questions.project)
    folder = parse_uri(options.files)
    place = location_of(folder.bucket, context.files.location(folder.bucket), target)
    # Made before anything goes up, because it refuses what cannot be part of its addresses.
    context.api(place, target.model_id)
    notices = (*questions.rows.notices, *questions.prompt.notices, *questions.first.request.notices)
    for notice in (*notices, *unknowns(target, place)):
        warn(notice)
    # Hours may pass until it is collected, in which the user goes on with the table.
    table_then = questions.rows.snapshot()
    number = secrets.token_hex(8)
    more = {"anthropic_beta": list(target.beta)} if target.beta else {}
    rows = _reporting(question_lines(questions, number, place, more), questions.rows.count, notify)
    with write_lines(rows, options.rows_per_job, target.catalog) as lines:
        # What a later kernel must know of the batch and its table.
        typed, used = questions.typed, [questions.rows.names[at] for at in questions.prompt.places]
        plan = {
            "columns": [[column.name, column.kind, column.field] for column in questions.added],
            "schema": dict(typed.shape.schema) if typed is not None else None,
            "key": typed.shape.key if typed is not None else "",
            "shape": typed.shape.name if typed is not None else "",
            "as": written_type(questions.target.as_, target.as_) if typed is not None else "",
            "used": used,
            "fingerprint": fingerprint(questions.rows, used),
            "errors": {str(row): text for row, text in lines.errors.items()},
            "copies": [[first, *rows] for first, rows in lines.copies.items()],
            "table": table_name,
            "files": options.files,
            "to": options.to_table,
            "rows_per_job": options.rows_per_job,
            "labels": dict(target.label),
        }
        batch = _begun(context, place, number, name=name, rows=questions.rows.count, plan=plan)
        held = put_up(context, batch, lines, notify=notify)
    if lines.notice:
        warn(lines.notice)
    made = BatchJob(context, batch, table=table_then, typed=questions.typed, held=held)
    uploaded(made)
    return _created(made, notify, warn)


def requests_of(
    session: Session, body: str, target: Target, options: BatchOptions, notify: Callable[[str], None]
) -> tuple[Context, Requests]:
    """Read the table of requests that `options.source` names; nothing is sent. Arguments as for `submit`.

    Raises:
        OptionError: there is a prompt, or as `read_requests`.
    """
    if body.strip():
        raise errors.OptionError(
            f"{quote(options.source, 120)} contains finished requests, so there is no prompt.",
            cure="Leave the prompt empty.",
        )
    context = Context(session, target, session.project(target, notify))
    return context, read_requests(context, options, notify)


def _submit_requests(
    session: Session,
    body: str,
    target: Target,
    options: BatchOptions,
    *,
    name: str,
    notify: Callable[[str], None],
    warn: Callable[[str], None],
) -> BatchJob:
    """Note the jobs of a table of BigQuery whose rows are finished requests; arguments as for `submit`."""
    check_sending(target)
    context, found = requests_of(session, body, target, options, notify)
    for notice in (*found.notices, *unknowns(target, found.place)):
        warn(notice)
    added = added_columns(None, options.prefix)
    check_names(added, ["custom_id"])
    number = secrets.token_hex(8)
    plan = {
        "columns": [[column.name, column.kind, column.field] for column in added],
        "source": options.source,
        "files": options.files,
        "to": options.to_table,
        "labels": dict(target.label),
    }
    batch = _begun(context, found.place, number, name=name, rows=found.rows, plan=plan)
    folder = parse_uri(options.files).below(f"claude-batch-{number}")
    job = StoredJob(
        batch=number,
        number=1,
        owner=this_process(),
        input=options.source,
        output=options.to_table or str(folder.below("results-0001")),
        rows=found.rows,
        cost_most=found.cost,
    )
    held = add_jobs(context, batch, [job])
    return BatchJob(context, batch, held=held)


def _created(made: BatchJob, notify: Callable[[str], None], warn: Callable[[str], None]) -> BatchJob:
    """Create the jobs of a batch, as many as may be under way."""
    notify("creating jobs")
    again = Spelling(f"%claude_batch {made.name}", ".wait()")
    try:
        made.refresh()
    except errors.ClaudeError as error:
        # The rows are up and the journal has them, so that nothing of it need be done again.
        if not passes(error):
            error.cure = spelled("{} The rows are up; {} creates the jobs.", error.cure, again)
            raise
        warn(spelled("A job could not be created now: {}", error.message))
    if made.context.journal is None:
        warn("The journal is off, so no later kernel finds this batch.")
    return made


def _reporting(lines: Iterator[Prepared], count: int, notify: Callable[[str], None]) -> Iterator[Prepared]:
    for row, line in lines:
        if row % _REPORT_EVERY == 0:
            notify(f"preparing {count:,} rows{f', {row:,} are ready' if row else ''}")
        yield row, line


def _begun(
    context: Context, place: str, number: str, *, name: str, rows: int, plan: Mapping[str, Any]
) -> Batch:
    """Return a new batch; its run in the journal keeps its calls from being pruned."""
    origin, journal, target = current_origin(), context.journal, context.target
    run = journal.open_run("batch", session=session_id(), origin=origin) if journal is not None else None
    return Batch(
        id=number,
        at=context.clock(),
        name=name,
        notebook=origin.notebook,
        project=context.project,
        location=place,
        model=target.model_id,
        asked=target.model,
        source=source_of(target),
        rows=rows,
        run_id=run,
        plan=plan,
    )
