"""A table becomes a batch: checks, files, limits, the journal, uploads, jobs.

In this order, so that nothing is paid before everything is known to be right and a later kernel can find it.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.records.journal.batches import Batch, Job
from vertex_claude_magic.records.journal.calls import day_of
from vertex_claude_magic.records.journal.runs import this_process
from vertex_claude_magic.records.session_records import limits_of
from vertex_claude_magic.settings.origin import current_origin, session_id
from vertex_claude_magic.spelling import option, spelled
from vertex_claude_magic.tables.batch.checks import check_batch, location_of, unknowns
from vertex_claude_magic.tables.batch.context import Context, source_of
from vertex_claude_magic.tables.batch.job import BatchJob
from vertex_claude_magic.tables.batch.lines import MostCost, question_lines, write_lines
from vertex_claude_magic.tables.batch.results import fingerprint
from vertex_claude_magic.tables.questions import row_questions
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.transport.storage import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.tables.batch.checks import BatchOptions
    from vertex_claude_magic.tables.batch.lines import Lines
    from vertex_claude_magic.tables.questions import RowQuestions
    from vertex_claude_magic.transport.storage import Uri

__all__ = ["add_attempt", "submit"]


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
        raise errors.OptionError("The table has no rows.", cure="Give a table with at least one row.")
    context = Context(session, target, questions.project)
    folder = parse_uri(options.files)
    place = location_of(folder.bucket, context.files.location(folder.bucket), target)
    notices = (*questions.rows.notices, *questions.prompt.notices, *questions.first.request.notices)
    for notice in (*notices, *unknowns(target, place)):
        warn(notice)
    number = secrets.token_hex(8)
    tokens = questions.first.request.body.get("max_tokens")
    most = MostCost(target.row, place, tokens if isinstance(tokens, int) else 0)
    more = {"anthropic_beta": list(target.beta)} if target.beta else {}
    notify("making the lines")
    with write_lines(question_lines(questions, number, more), options.rows_per_job, most) as lines:
        _check_limits(context, lines)
        batch = _kept(context, questions, options, place=place, number=number, name=name, table_name=table_name,
                      wrong=lines.errors)  # fmt: skip
        made = BatchJob(context, batch, table=questions.rows.native, typed=questions.typed)
        output = options.to if options.to_table else ""
        _send(made, lines, folder.below(f"claude-batch-{number}"), output, notify=notify)
    if context.journal is None:
        warn("The journal is off, so no later kernel finds this batch.")
    _say_waiting(made, context, warn)
    return made


def add_attempt(made: BatchJob, jobs: Sequence[Job], wanted: Collection[int]) -> None:
    """Send some rows of a batch once more.

    Args:
        made: The batch.
        jobs: Its jobs so far.
        wanted: The rows.
    """
    batch, context = made.batch, made.context
    plan = batch.plan
    per_job, output = plan.get("rows_per_job"), plan.get("to") or ""
    folder = parse_uri(str(plan["files"])).below(f"claude-batch-{batch.id}")
    with write_lines(made.lines_again([*jobs], wanted), per_job, made.most) as lines:
        _check_limits(context, lines)
        _send(made, lines, folder, output, before=jobs)


def _check_limits(context: Context, lines: Lines) -> None:
    """Refuse a batch that could cross a limit of the user, at its worst case."""
    target, most = context.target, lines.cost
    limits = limits_of(target)
    if not limits:
        return
    journal = context.journal
    spent = None
    if limits.day is not None:
        if journal is None:
            raise errors.CostLimitExceeded(
                "What was spent today cannot be told: the journal is off.",
                cure="Switch the journal on, or lift max_daily_cost.",
            )
        spent = journal.spent(day_of(time.time()), local=source_of(target) == "local")
    if most is None or (spent is not None and spent.unknown):
        raise errors.CostLimitExceeded(
            "What this batch may cost is not known, so it may cross a limit.",
            cure="Add the model's prices with models_file, or lift the limit.",
        )
    cure = spelled("Lower {}, send fewer rows, or raise the limit.", option("max_tokens"))
    worst = f"This batch may cost up to {usd_estimate(most)} (an estimate at half price)"
    if limits.call is not None and most > limits.call:
        raise errors.CostLimitExceeded(f"{worst}, more than --max-cost {limits.call:g}.", cure=cure)
    if spent is not None and limits.day is not None and spent.usd + most > limits.day:
        raise errors.CostLimitExceeded(
            f"{worst}; with what was spent today that is more than the daily limit of ${limits.day:g}.",
            cure=cure,
        )


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


def _send(
    made: BatchJob,
    lines: Lines,
    folder: Uri,
    output: str,
    *,
    before: Sequence[Job] = (),
    notify: Callable[[str], None] = lambda _: None,
) -> None:
    """Keep the jobs, put their files up, and create as many as may be under way."""
    context = made.context
    batch, batches = made.batch, context.batches
    start, attempt = len(before), max((job.attempt for job in before), default=0) + 1
    jobs = [
        Job(
            batch=batch.id,
            number=start + place,
            attempt=attempt,
            owner=this_process(),
            input=str(folder.below(f"rows-{start + place:04}.jsonl")),
            output=output or str(folder.below(f"results-{start + place:04}")),
            rows=file.rows,
            cost_most=file.cost,
        )
        for place, file in enumerate(lines.files, start=1)
    ]
    made.hold(jobs)
    try:
        if before:
            batches.add_jobs(jobs)
        else:
            batches.add(batch, jobs)
        for place, (job, file) in enumerate(zip(jobs, lines.files, strict=True), start=1):
            notify(f"uploading file {place:,} of {len(jobs):,} ({file.size / 1e6:,.1f} MB)")
            file.content.seek(0)
            context.files.write_new(parse_uri(job.input), file.content, file.size, f"{batch.id}-{job.number}")
    except BaseException:
        # No job was created, so nothing is paid, and nothing of it can be followed.
        made.release(jobs)
        for job in jobs:
            batches.save(replace(job, state="FAILED", error="Its file was not uploaded.", counted=1))
        raise
    for job in jobs:
        batches.save(
            replace(job, state="WAITING", call=batches.begin_call(context.call_of(batch, job), batch.run_id))
        )
    notify("creating jobs")
    made.refresh()


def _say_waiting(made: BatchJob, context: Context, warn: Callable[[str], None]) -> None:
    waiting = sum(job.state == "WAITING" for job in made.jobs)
    if waiting:
        most = context.target.catalog.limits["batch"]["jobs"]
        warn(
            f"{waiting:,} job{'s wait' if waiting > 1 else ' waits'}: Vertex AI takes {most} at a time. The rest is "
            "created while a kernel looks: %claude_batch NAME --wait."
        )
