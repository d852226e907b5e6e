"""What `%claude_batch` shows: the batches that the journal knows, or how far one is."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.table import Column, Row, Table, lines
from vertex_claude_magic.text import number_of, quote
from vertex_claude_magic.transport.batch import FINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.records.journal.batches import StoredJob
    from vertex_claude_magic.tables.batch.job import BatchJob
    from vertex_claude_magic.tables.batch.source import Requests

__all__ = ["batches_page", "job_page", "progress_page", "requests_page"]

_LISTED = (
    Column("Batch"), Column("State"), Column("Rows", "right"), Column("Done", "right"), Column("Failed", "right"),
    Column("Jobs", "right"), Column("Model", wrap="long"), Column("Begun"),
)  # fmt: skip
_JOBS = (
    Column("Job", "right"), Column("State"), Column("Rows", "right"), Column("Done", "right"),
    Column("Failed", "right"),
)  # fmt: skip
_SAID = Column("What Vertex AI says", wrap="anywhere")
# Of more jobs only those are listed that did not succeed, so that a page does not grow with the rows.
_LISTED_JOBS = 20


def batches_page(batches: Sequence[BatchJob]) -> tuple[str, str]:
    """Return a table of batches as last reported, as HTML and as text."""
    if not batches:
        none = "The journal has no batches. %%claude_batch sends one."
        return f"<p>{literal(none)}</p>", none
    rows, several = [], any(len(batch.jobs) > 1 for batch in batches)
    for batch in batches:
        stored, jobs = batch.batch, batch.jobs
        ended = sum(job.state in FINAL for job in jobs)
        jobs_text = f"{len(jobs):,}" if ended == len(jobs) else f"{ended:,} of {len(jobs):,} ended"
        rows.append(
            Row(
                (
                    quote(batch.name, 60),
                    batch.last_state,
                    f"{batch.rows:,}{_different(batch)}",
                    f"{batch.done:,}",
                    f"{batch.failed:,}",
                    *((jobs_text,) if several else ()),
                    # One below the other, so that all columns fit into half a window.
                    lines([quote(stored.model, 60), quote(stored.location, 40)]),
                    lines(
                        [
                            datetime.fromtimestamp(stored.at).astimezone().strftime("%Y-%m-%d %H:%M"),
                            quote(PurePath(stored.notebook).name, 60),
                        ]
                    ),
                ),
                title=stored.id,
            )
        )
    columns = [column for column in _LISTED if several or column.head != "Jobs"]
    caption = "Batches, as last reported."
    table = Table(columns=columns, rows=rows, caption=caption, notes=["%claude_batch NAME asks now."])
    return table.html(), table.plain()


def job_page(batch: BatchJob, notes: Sequence[str] = (), *, listed: bool = True) -> tuple[str, str]:
    """Return how far a batch is, a table of its jobs, and notes, as HTML and as text.

    Args:
        batch: The batch.
        notes: What else to say.
        listed: Whether the jobs are listed, where there are several.
    """
    stored, jobs = batch.batch, batch.jobs
    head = f"{_counts(batch)} · {_cost(batch, jobs)}"
    source, results = str(stored.plan.get("source") or ""), str(stored.plan.get("to") or "")
    places = [f"rows in {quote(source, 200)}"] if source else []
    places += [f"results in {quote(results, 200)}"] if results else []
    if not (source and results):
        places.append(
            f"files in {quote(str(stored.plan['files']).rstrip('/'), 200)}/claude-batch-{stored.id}"
        )
    where = " · ".join([f"{quote(stored.model, 60)} in {quote(stored.location, 40)}", *places])
    waiting = str(batch.waiting)
    table = _jobs_table(jobs) if listed and len(jobs) > 1 else None
    said = [] if table else [f"Vertex AI says: {quote(job.error, 300)}" for job in jobs if job.error][:1]
    below = [*said, *([waiting] if waiting else []), *notes]
    html = f"<p>{literal(head)}<br><small>{literal(where)}</small></p>"
    if table is not None:
        html += f"\n{table.html()}"
    if below:
        html += f"\n<p><small>{'<br>'.join(map(literal, below))}</small></p>"
    return html, "\n".join([head, where, *([table.plain()] if table else []), *below])


def _counts(batch: BatchJob) -> str:
    """Return its name, its state and how many rows came back; Google counts those of a job when it has ended."""
    jobs = batch.jobs
    back = (
        f", {batch.done:,} done, {batch.failed:,} failed" if any(job.state in FINAL for job in jobs) else ""
    )
    rows = f"{number_of(batch.rows, 'row')}{_different(batch)}"
    return f"{quote(batch.name, 60)}: {batch.last_state} · {rows}{back}"


def _different(batch: BatchJob) -> str:
    """Return how many rows are sent and counted, where others ask the same."""
    return f" ({batch.rows - batch.copies:,} different)" if batch.copies else ""


def _jobs_table(jobs: Sequence[StoredJob]) -> Table:
    listed = jobs
    if len(jobs) > _LISTED_JOBS:
        listed = [job for job in jobs if job.state != "SUCCEEDED"][:_LISTED_JOBS]
    said = any(job.error for job in listed)
    rows = [
        Row(
            (
                f"{job.number:,}",
                job.state,
                f"{job.rows:,}",
                *((f"{job.done:,}", f"{job.failed:,}") if job.state in FINAL else ("", "")),
                *((quote(job.error, 300),) if said else ()),
            ),
            title=job.job,
        )
        for job in listed
    ]
    rest = Counter(job.state for job in jobs)
    rest.subtract(job.state for job in listed)
    more = ", ".join(f"{count:,} {state}" for state, count in rest.items() if count)
    return Table(
        columns=(*_JOBS, _SAID) if said else _JOBS, rows=rows, notes=[f"Not listed: {more}."] if more else []
    )


def _cost(batch: BatchJob, jobs: Sequence[StoredJob]) -> str:
    """Return what a batch cost, or may cost while its results are not read."""
    if (paid := batch.cost) is not None:
        return f"cost {usd_estimate(paid)}"
    costs = [job.cost_most for job in jobs]
    if None in costs:
        return "cost unknown until its results are read"
    return f"at most {usd_estimate(sum(each or 0.0 for each in costs))} (an estimate, at half price)"


def requests_page(source: str, model: str, found: Requests) -> tuple[str, str]:
    """Return the dry run of a table of requests, as HTML and as text."""
    goal = f"{quote(model, 60)} in {quote(found.place, 40)}"
    lines = [
        "Dry run: nothing was sent.",
        f"{number_of(found.rows, 'row')} in {quote(source, 120)}, requests for {goal}.",
        f"At most {usd_estimate(found.cost)} (an estimate, at half price).",
        *found.notices,
    ]
    return "".join(f"<p>{literal(line)}</p>" for line in lines), "\n".join(lines)


def progress_page(batch: BatchJob, looked: str = "") -> tuple[str, str]:
    """Return how far a batch is while somebody waits, as HTML and as text.

    Args:
        batch: The batch.
        looked: When Google was asked, as a time of the day.
    """
    jobs = batch.jobs
    ended = [job for job in jobs if job.state in FINAL]
    # The rows of a running job that are done, where Google reports them.
    over = sum(job.rows if job.state in FINAL else job.done + job.failed for job in jobs)
    rows = max(sum(job.rows for job in jobs), 1)
    of_jobs = f" · {len(ended):,} of {len(jobs):,} jobs ended" if len(jobs) > 1 else ""
    line = f"{_counts(batch)}{of_jobs}{f' · asked at {looked}' if looked else ''}"
    # Without a value the browser draws an indeterminate bar.
    value = f' value="{over}" max="{rows}"' if over else ""
    return f"<div><progress{value}></progress> <small>{literal(line)}</small></div>", line
