"""The jobs of a batch before Google knows them: limits first, then the journal, then files into Cloud Storage."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import sum_of_costs, usd_estimate, usd_limit
from vertex_claude_magic.records.journal.batches import StoredJob
from vertex_claude_magic.records.journal.calls import LOCAL
from vertex_claude_magic.records.journal.runs import this_process
from vertex_claude_magic.records.session_records import limits_of
from vertex_claude_magic.settings.limit_cures import priced, spending_unknown, to_fit
from vertex_claude_magic.settings.registry import USD_LIMITS
from vertex_claude_magic.transport.storage import parse_uri

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.records.journal.batches import Batch
    from vertex_claude_magic.records.journal.ledger import Spent
    from vertex_claude_magic.tables.batch.context import Context
    from vertex_claude_magic.tables.batch.lines import LineFile, Lines

__all__ = ["add_jobs", "put_up"]


def check_limits(context: Context, most: float | None, spent: Spent) -> None:
    """Refuse a batch that could cross a limit of the user for a question or a day.

    Args:
        context: The session.
        most: What the batch may cost at most, in USD; None where it is not known.
        spent: What today's calls of all notebooks have come to.

    Raises:
        CostLimitExceeded: it could; nothing was sent.
    """
    limits = limits_of(context.target)
    if not limits:
        return
    if limits.day is not None and context.journal is None:
        raise spending_unknown("the journal is off.", context.target.journal_cure)
    if most is None or (limits.day is not None and spent.unknown):
        given = {name: getattr(context.target, name) for name in USD_LIMITS}
        name, limit = next((name, each) for name, each in given.items() if each is not None)
        raise errors.CostLimitExceeded(
            "The cost of this batch is not known (no price in the table, or tools that the service runs itself), so it "
            "may exceed a limit.",
            cure=priced(name, limit, also="ask without such tools"),
        )
    if limits.call is not None and most > limits.call:
        raise _too_much("max_cost", limits.call, most, ", more than the limit of")
    if limits.day is not None and spent.usd + most > limits.day:
        so_far = "; with what was spent today that is more than the daily limit of"
        raise _too_much("max_daily_cost", limits.day, most, so_far)


def _too_much(name: str, limit: float, most: float, than: str) -> errors.CostLimitExceeded:
    return errors.CostLimitExceeded(
        f"This batch may cost up to {usd_estimate(most)} (an estimate, at half price){than} {usd_limit(limit)}.",
        cure=to_fit(name, limit, "send fewer rows"),
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
        CostLimitExceeded: with them a limit could be exceeded; nothing was added.
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
        CostLimitExceeded: with them a limit could be exceeded; nothing was added.
    """
    batches, budget = context.batches, context.session.records.budget
    limit, local = limits_of(context.target).session, batch.source in LOCAL
    most = sum_of_costs(job.cost_most for job in jobs)
    call_of, check = partial(context.call_of, batch), partial(check_limits, context, most)
    held: dict[int, int] = {}
    added: Sequence[StoredJob] = ()
    if limit is not None and most is not None and budget.spent(local=local) + most > limit:
        so_far = "; with what was spent in this session that is more than the session limit of"
        raise _too_much("max_session_cost", limit, most, so_far)
    try:
        for job in jobs:
            held[job.number] = budget.reserve(job.cost_most, local=local, limit=limit)
        # Before the upload, which may take minutes, so that meanwhile nobody else spends what it may cost.
        added = batches.add(batch, jobs, call_of, more=more, check=check)
        for place, (job, file) in enumerate(zip(added, files, strict=False), start=1):
            notify(f"uploading file {place:,} of {len(jobs):,} ({file.size / 1e6:,.1f} MB)")
            file.content.seek(0)
            context.files.write_new(parse_uri(job.input), file.content, file.size, f"{batch.id}-{job.number}")
    except BaseException:
        # No job was created, so nothing is paid, and nothing of it can be followed. Jobs that another process has added
        # meanwhile with these numbers are not ours to change.
        for number in held.values():
            budget.commit(number, 0.0)
        for job in added:
            batches.withdraw(job, call_of(job), "FAILED", "Its file was not uploaded.")
        if context.journal is not None and not (added or more):
            context.journal.close_run(batch.run_id)
        raise
    for job in added:
        batches.save(replace(job, state="WAITING"))
    return held
