"""The jobs of a batch come to be at Google: as many as may be under way, and none twice."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.records.journal.runs import lives
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.transport.batch import FINAL, job_body

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.records.journal.batches import Batch, StoredJob
    from vertex_claude_magic.tables.batch.context import Context
    from vertex_claude_magic.transport.batch import RemoteJob

__all__ = ["check_policy", "create_waiting", "display_name", "known_now", "passes"]

# Request timeout; the service asks to try again.
_PASSING_STATUS = 408
# A job that was deleted, or that another server had, such as an emulator that has ended.
_NOT_FOUND = 404
# In the `ErrorInfo` of a refusal for a quota.
_LIMIT = re.compile(r'"quota_limit_value":\s*"(\d+)"')


def create_waiting(context: Context, batch: Batch) -> None:
    """Create the jobs that wait, as many as may be under way, but for those that somebody else is creating now.

    Raises:
        OptionError: a policy does not allow the model.
        ClaudeError: Google refused, or did not answer; the jobs wait on.
    """
    batches = context.batches
    most = int(context.target.catalog.limits["batch"]["jobs"])
    api = context.api(batch.location, batch.model)
    jobs = batches.jobs(batch.id)
    if any(job.state in {"WAITING", "CREATING"} for job in jobs):
        others, own = batches.others(batch), sum(job.state not in FINAL for job in jobs)
        if len(others) + own > most:
            most += _without_job(context, others)
    for job in jobs:
        if job.state not in {"WAITING", "CREATING"}:
            continue
        check_policy(batch)
        with batches.claimed(job, batch.project, most) as taken:
            if taken is None:
                continue
            # Somebody who was stopped may have created it without keeping its name.
            found = api.find(display_name(job)) if taken.state == "CREATING" else None
            body = job_body(
                display_name=display_name(job),
                model=batch.model,
                source=job.input,
                destination=job.output,
                labels=batch.plan.get("labels", {}),
            )
            try:
                found = found or api.create(body)
            except errors.ClaudeError as error:
                limited = isinstance(error, errors.RateLimited)
                # The answer may be lost of a job that was created, and a second one would be paid too. If this fails as
                # well, the job is left as one that may be there.
                found = api.find(display_name(job)) if passes(error) and not limited else None
                if found is None:
                    batches.save(replace(taken, state="WAITING", owner=""))
                    # Others of the project may be under way, also such as only Google knows of.
                    if limited and (
                        _is_full(error)
                        or any(each.job and each.state not in FINAL for each in batches.jobs(batch.id))
                    ):
                        return
                    raise
            batches.save(known_now(taken, found))


def _without_job(context: Context, others: Sequence[tuple[Batch, StoredJob]]) -> int:
    """Ask how jobs of other batches are, which nobody else may ever do, and keep how they ended.

    Returns:
        How many of them take no place all the same, because the service does not have them.
    """
    missing = 0
    for batch, job in others:
        if not job.job and lives(job.owner):
            continue
        api = context.api(batch.location, batch.model)
        try:
            found = api.get(job.job) if job.job else api.find(display_name(job))
        except errors.ClaudeError as error:
            if getattr(error, "status", None) != _NOT_FOUND:
                # The next look asks again.
                break
            found = None
        if found is None:
            missing += 1
        elif found.ended:
            context.batches.save_ending(known_now(job, found))
    return missing


def display_name(job: StoredJob) -> str:
    """Return what a job is called at Google, by which it is found again."""
    return f"claude-batch-{job.batch}-{job.number}"


def check_policy(batch: Batch) -> None:
    """Refuse to send rows to a model or a location that a policy does not allow now.

    Raises:
        OptionError: it does not.
    """
    policy = present_policy()
    held = {"model": batch.asked, "region": batch.location, "project": batch.project}
    for name, value in held.items():
        allowed = policy.locks.get(name, ())
        # Jobs do not run at `global`; it leaves the place to the bucket.
        if allowed and not (name == "region" and "global" in allowed):
            policy.locked(name, value, "option")


def passes(error: errors.ClaudeError) -> bool:
    """Tell whether what failed may go well in a minute."""
    if isinstance(error, errors.TLSError):
        return False
    if isinstance(error, errors.QuotaExceeded):
        return _is_full(error)
    kinds = (errors.NetworkError, errors.ServerError, errors.ProtocolError, errors.RateLimited)
    return isinstance(error, kinds) or (
        isinstance(error, errors.APIError) and error.status == _PASSING_STATUS
    )


def _is_full(error: errors.ClaudeError) -> bool:
    """Tell whether a quota is used up that is free again once other jobs have ended."""
    # Where Google names the limit, it is that of the jobs under way, unless it is 0.
    limit = _LIMIT.search(str(error.details.get("body") or ""))
    return isinstance(error, errors.QuotaExceeded) and limit is not None and limit[1] != "0"


def known_now(job: StoredJob, found: RemoteJob) -> StoredJob:
    """Return what is known of a job after Google was asked."""
    return replace(
        job,
        state=found.state or job.state,
        job=found.name,
        done=found.done,
        failed=found.failed,
        # Where none is named, it can only be in the folder that was given, which is this job's alone.
        results=found.output or job.results or (job.output if found.ended else ""),
        error=found.error,
        owner="",
    )
