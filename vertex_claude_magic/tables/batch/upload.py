"""The jobs of a batch before Google knows them: limits first, then the journal, then files into Cloud Storage."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import usd, usd_estimate
from vertex_claude_magic.records.journal.batches import StoredJob
from vertex_claude_magic.records.journal.calls import day_of
from vertex_claude_magic.records.journal.runs import this_process
from vertex_claude_magic.records.session_records import limits_of
from vertex_claude_magic.spelling import option, spelled
from vertex_claude_magic.tables.batch.context import source_of
from vertex_claude_magic.transport.storage import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from vertex_claude_magic.records.journal.batches import Batch
    from vertex_claude_magic.tables.batch.context import Context
    from vertex_claude_magic.tables.batch.lines import LineFile, Lines

__all__ = ["add_jobs", "check_limits", "put_up"]


def check_limits(context: Context, most: float | None) -> None:
    """Refuse a batch that could cross a limit of the user for a question or a day.

    Args:
        context: The session.
        most: What the batch may cost at most, in USD; None where it is not known.

    Raises:
        CostLimitExceeded: it could; nothing was sent.
    """
    target = context.target
    limits = limits_of(target)
    if not limits:
        return
    journal = context.journal
    spent = None
    if limits.day is not None:
        if journal is None:
            raise errors.CostLimitExceeded(
                "Today's spending is not known: the journal is off.",
                cure="Switch the journal on, or clear max_daily_cost.",
            )
        spent = journal.spent(day_of(time.time()), local=source_of(target) == "local")
    if most is None or (spent is not None and spent.unknown):
        raise errors.CostLimitExceeded(
            "The cost of this batch is not known, so it may exceed a limit.",
            cure="Add the model's prices with models_file, or clear the limit.",
        )
    cure = spelled("Lower {}, send fewer rows, or raise the limit.", option("max_tokens"))
    worst = f"This batch may cost up to {usd_estimate(most)} (an estimate, at half price)"
    if limits.call is not None and most > limits.call:
        raise errors.CostLimitExceeded(
            f"{worst}, more than --max-cost {usd(limits.call, 'price')}.", cure=cure
        )
    if spent is not None and limits.day is not None and spent.usd + most > limits.day:
        raise errors.CostLimitExceeded(
            f"{worst}; with what was spent today that is more than the daily limit of ${usd(limits.day, 'price')}.",
            cure=cure,
        )


def put_up(
    context: Context,
    batch: Batch,
    lines: Lines,
    *,
    before: Sequence[StoredJob] = (),
    notify: Callable[[str], None] = lambda _: None,
) -> dict[int, int]:
    """Add a job for each file, and put the files up; return what was set aside of the session's limit, by job.

    Args:
        context: The session.
        batch: The batch, which is added to the journal with its first jobs.
        lines: The files.
        before: The jobs that it has already.
        notify: Called with what is being done.

    Raises:
        CostLimitExceeded: with them the session could exceed its limit.
    """
    plan = batch.plan
    folder = parse_uri(str(plan["files"])).below(f"claude-batch-{batch.id}")
    start, attempt = len(before), max((job.attempt for job in before), default=0) + 1
    jobs = []
    for number, file in enumerate(lines.files, start=start + 1):
        output = str(folder.below(f"results-{number:04}"))
        if table := plan.get("to"):
            # A table of its own, because it must not exist before (v1 REST reference of Vertex AI,
            # `BigQueryDestination`, 2026-11).
            output = table if number == 1 else f"{table}_{number}"
        job = StoredJob(
            batch=batch.id,
            number=number,
            attempt=attempt,
            owner=this_process(),
            input=str(folder.below(f"rows-{number:04}.jsonl")),
            output=output,
            rows=file.rows,
            cost_most=file.cost,
        )
        jobs.append(job)
    return add_jobs(context, batch, jobs, lines.files, more=bool(before), notify=notify)


def add_jobs(
    context: Context,
    batch: Batch,
    jobs: Sequence[StoredJob],
    files: Sequence[LineFile] = (),
    *,
    more: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> dict[int, int]:
    """Add jobs to the journal and put their files up, where they have any; return what was set aside, by job.

    Args:
        context: The session.
        batch: The batch.
        jobs: Its jobs.
        files: A file for each job; none where the rows are in BigQuery.
        more: Whether the batch is in the journal already.
        notify: Called with what is being done.

    Raises:
        CostLimitExceeded: with them the session could exceed its limit.
    """
    batches = context.batches
    budget, limit = context.session.records.budget, limits_of(context.target).session
    held: dict[int, int] = {}
    try:
        for job in jobs:
            held[job.number] = budget.reserve(job.cost_most, local=context.is_local(batch), limit=limit)
    except errors.CostLimitExceeded:
        _release(context, held.values())
        raise
    try:
        if more:
            batches.add_jobs(jobs)
        else:
            batches.add(batch, jobs)
    except BaseException:
        # Where another process has added jobs of these numbers meanwhile, they are not ours to change.
        _release(context, held.values())
        raise
    try:
        for place, (job, file) in enumerate(zip(jobs, files, strict=False), start=1):
            notify(f"uploading file {place:,} of {len(jobs):,} ({file.size / 1e6:,.1f} MB)")
            file.content.seek(0)
            context.files.write_new(parse_uri(job.input), file.content, file.size, f"{batch.id}-{job.number}")
    except BaseException:
        # No job was created, so nothing is paid, and nothing of it can be followed.
        _release(context, held.values())
        for job in jobs:
            batches.save(replace(job, state="FAILED", error="Its file was not uploaded.", counted=1))
        raise
    for job in jobs:
        call = batches.begin_call(context.call_of(batch, job), batch.run_id)
        batches.save(replace(job, state="WAITING", call=call))
    return held


def _release(context: Context, held: Iterable[int]) -> None:
    for number in held:
        context.session.records.budget.commit(number, 0.0)
