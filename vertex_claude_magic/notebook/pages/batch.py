"""What `%claude_batch` shows: the batches that the journal knows, or the jobs of one."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.tables.batch.job import BatchJob

__all__ = ["batches_page", "job_page", "progress_page"]

_FINAL = ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED", "PARTIALLY_SUCCEEDED")
_LISTED = (
    Column("Batch"), Column("State"), Column("Rows", "right"), Column("Done", "right"), Column("Failed", "right"),
    Column("Jobs", "right"), Column("Model"), Column("Location"), Column("Begun"), Column("Notebook"),
)  # fmt: skip
_JOBS = (
    Column("Job", "right"), Column("State"), Column("Rows", "right"), Column("Done", "right"),
    Column("Failed", "right"), Column("File of rows", wrap="anywhere"), Column("What Vertex AI says", wrap="anywhere"),
)  # fmt: skip
_WAITING = (
    "WAITING: the file is uploaded; the job is created when another one has ended and a kernel checks "
    "(%claude_batch NAME --wait)."
)


def batches_page(batches: Sequence[BatchJob]) -> tuple[str, str]:
    """Return a table of batches as they were when Google was last asked, as HTML and as text."""
    if not batches:
        none = "The journal has no batches. %%claude_batch sends one."
        return f"<p>{literal(none)}</p>", none
    rows = []
    for batch in batches:
        kept, jobs = batch.batch, batch.jobs
        ended = sum(job.state in _FINAL for job in jobs)
        rows.append(
            Row(
                (
                    quote(batch.name, 60),
                    batch.last_state,
                    f"{batch.rows:,}",
                    f"{batch.done:,}",
                    f"{batch.failed:,}",
                    f"{ended:,} of {len(jobs):,} ended",
                    quote(kept.model, 60),
                    quote(kept.location, 40),
                    datetime.fromtimestamp(kept.at).astimezone().strftime("%Y-%m-%d %H:%M"),
                    quote(kept.notebook, 60),
                ),
                title=kept.id,
            )
        )
    table = Table(
        columns=_LISTED, rows=rows, caption="Batches, as they were when Google was last asked.",
        notes=["%claude_batch NAME asks now."],
    )  # fmt: skip
    return table.html(), table.plain()


def job_page(batch: BatchJob, notes: Sequence[str] = ()) -> tuple[str, str]:
    """Return the jobs of a batch, as HTML and as text."""
    kept, jobs = batch.batch, batch.jobs
    rows = [
        Row(
            (
                f"{job.number:,}",
                job.state,
                f"{job.rows:,}",
                f"{job.done:,}",
                f"{job.failed:,}",
                quote(job.input, 300),
                quote(job.error, 300),
            ),
            title=job.job,
        )
        for job in jobs
    ]
    costs = [job.cost_most for job in jobs]
    most = None if None in costs else sum(each or 0.0 for each in costs)
    caption = (
        f"{quote(batch.name, 60)}: {batch.last_state}, {batch.rows:,} rows, {batch.done:,} done, "
        f"{batch.failed:,} failed; {quote(kept.model, 60)} in {quote(kept.location, 40)}; "
        f"at most {usd_estimate(most)} (an estimate, at half price)."
    )
    waiting = [_WAITING] if any(job.state == "WAITING" for job in jobs) else []
    table = Table(columns=_JOBS, rows=rows, caption=caption, notes=[*waiting, *notes])
    return table.html(), table.plain()


def progress_page(batch: BatchJob) -> tuple[str, str]:
    """Return how far a batch is, as HTML and as text; Google counts the rows of a job when that has ended."""
    jobs = batch.jobs
    ended = [job for job in jobs if job.state in _FINAL]
    over = sum(job.rows for job in ended)
    rows = max(sum(job.rows for job in jobs), 1)
    line = (
        f"{quote(batch.name, 60)}: {batch.last_state} · {len(ended):,} of {len(jobs):,} jobs ended · "
        f"{over:,} of {rows:,} rows, {batch.failed:,} failed"
    )
    bar = f'<progress value="{over}" max="{rows}"></progress>'
    return f"<div>{bar} <small>{literal(line)}</small></div>", line
