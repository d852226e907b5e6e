"""A table becomes a batch: checks, files, limits, the journal, uploads, jobs.

In this order, so that nothing is paid before everything is known to be right and a later kernel can find it.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.records.journal.batches import Batch
from vertex_claude_magic.settings.origin import current_origin, session_id
from vertex_claude_magic.tables.batch.checks import check_batch, location_of, unknowns
from vertex_claude_magic.tables.batch.context import Context, source_of
from vertex_claude_magic.tables.batch.job import BatchJob
from vertex_claude_magic.tables.batch.lines import MostCost, question_lines, write_lines
from vertex_claude_magic.tables.batch.results import fingerprint
from vertex_claude_magic.tables.batch.upload import check_limits, put_up
from vertex_claude_magic.tables.questions import row_questions
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.transport.storage import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.tables.batch.checks import BatchOptions
    from vertex_claude_magic.tables.questions import RowQuestions

__all__ = ["submit"]

_TOLD_EVERY = 50_000


def submit(
    session: Session,
    table: Any,
    prompt: str,
    target: Target,
    options: BatchOptions,
    *,
    name: str = "",
    table_name: str = "",
    scope: Scope | None = None,
    notify: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> BatchJob:
    """Send a table, and return its jobs.

    Args:
        session: The session that asks.
        table: The table.
        prompt: The template of a row.
        target: Where it goes and how.
        options: Where rows and results go.
        name: The variable that will hold it.
        table_name: The variable that holds the table.
        scope: Where names are looked up that are no columns.
        notify: Called with what is being done.
        warn: Called with what the user should know.

    Raises:
        OptionError: it cannot be sent; nothing was uploaded.
        CostLimitExceeded: it could cross a limit; nothing was uploaded.
    """
    check_batch(target)
    questions = row_questions(
        read_rows(table),
        prompt,
        target,
        scope=scope,
        prefix=options.prefix,
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
    number = secrets.token_hex(8)
    tokens = questions.first.request.body.get("max_tokens")
    most = MostCost(target.row, place, tokens if isinstance(tokens, int) else 0)
    more = {"anthropic_beta": list(target.beta)} if target.beta else {}
    rows = _told(question_lines(questions, number, more), questions.rows.count, notify)
    with write_lines(rows, options.rows_per_job, most) as lines:
        check_limits(context, lines)
        batch = _kept(context, questions, options, place=place, number=number, name=name, table_name=table_name,
                      wrong=lines.errors)  # fmt: skip
        held = put_up(context, batch, lines, notify=notify)
    made = BatchJob(context, batch, table=questions.rows.native, typed=questions.typed, held=held)
    notify("creating jobs")
    made.refresh()
    if context.journal is None:
        warn("The journal is off, so no later kernel finds this batch.")
    _say_waiting(made, context, warn)
    return made


def _told(
    lines: Iterator[tuple[int, bytes | str]], count: int, notify: Callable[[str], None]
) -> Iterator[tuple[int, bytes | str]]:
    for row, line in lines:
        if row % _TOLD_EVERY == 0:
            notify(f"making the lines, row {row:,} of {count:,}")
        yield row, line


def _kept(
    context: Context,
    questions: RowQuestions,
    options: BatchOptions,
    *,
    place: str,
    number: str,
    name: str,
    table_name: str,
    wrong: dict[int, str],
) -> Batch:
    """Return what a later kernel must know; the run in the journal keeps its calls from being pruned."""
    target, typed = context.target, questions.typed
    origin, journal = current_origin(), context.journal
    first = questions.first
    used = [questions.rows.names[at] for at in questions.prompt.places]
    return Batch(
        id=number,
        at=time.time(),
        name=name,
        notebook=origin.notebook,
        project=context.project,
        location=place,
        model=target.model_id,
        asked=target.model,
        source=source_of(target),
        rows=questions.rows.count,
        run_id=journal.open_run("batch", session=session_id(), origin=origin)
        if journal is not None
        else None,
        plan={
            "columns": [[column.name, column.kind, column.field] for column in questions.added],
            "schema": dict(typed.shape.schema) if typed is not None else None,
            "key": typed.shape.key if typed is not None else "",
            "shape": typed.shape.name if typed is not None else "",
            "used": used,
            "fingerprint": fingerprint(questions.rows, used),
            "errors": {str(row): text for row, text in wrong.items()},
            "table": table_name,
            "files": options.files,
            "to": options.to if options.to_table else "",
            "rows_per_job": options.rows_per_job,
            "max_tokens": first.request.body.get("max_tokens") if first is not None else None,
            "labels": dict(target.label),
        },
    )


def _say_waiting(made: BatchJob, context: Context, warn: Callable[[str], None]) -> None:
    waiting = sum(job.state == "WAITING" for job in made.jobs)
    if waiting:
        most = context.target.catalog.limits["batch"]["jobs"]
        warn(
            f"{waiting:,} job{'s wait' if waiting > 1 else ' waits'}: Vertex AI takes {most} at a time. The rest is "
            "created while a kernel looks: %claude_batch NAME --wait."
        )
