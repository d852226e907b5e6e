"""`BatchJob`: the jobs of one batch, to follow, cancel, collect, and send again what failed."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.records.journal.runs import lives, this_process
from vertex_claude_magic.spelling import Spelling, spelled
from vertex_claude_magic.tables.batch.lines import MostCost, row_of, write_lines
from vertex_claude_magic.tables.batch.upload import check_limits, put_up
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.batch import FINAL, job_body
from vertex_claude_magic.transport.storage import parse_uri
from vertex_claude_magic.transport.waiting import pause as wait_here

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from vertex_claude_magic.answers.repair import TypedQuestion
    from vertex_claude_magic.records.journal.batches import Batch, Job
    from vertex_claude_magic.tables.batch.context import Context
    from vertex_claude_magic.transport.batch import RemoteJob

__all__ = ["BatchJob"]

_log = logging.getLogger("vertex_claude_magic")
# Seconds between two looks: the first wait, its growth, the longest.
_FIRST_LOOK, _GROWTH, _LONGEST_LOOK = 2.0, 1.5, 30.0
# The state of several jobs together is that of the one that is farthest, of those that go on.
_ORDER = (
    "WRITING",
    "WAITING",
    "CREATING",
    "QUEUED",
    "PENDING",
    "PAUSED",
    "UPDATING",
    "CANCELLING",
    "RUNNING",
)


class BatchJob:
    """The rows of a table on their way through Vertex batch prediction, in one job or several.

    `name` is the variable that it was made for, `rows` how many rows the table has. `done` and `failed` count rows, as
    Google counted them when it was last asked; it counts a job when that has ended.
    """

    def __init__(
        self,
        context: Context,
        batch: Batch,
        *,
        table: Any = None,
        typed: TypedQuestion | None = None,
        held: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        self._context = context
        self._batch = batch
        self._table = table
        self._typed = typed
        # What was set aside of the session's limit, by the number of the job.
        self._held = dict(held)

    def __repr__(self) -> str:
        jobs = self.jobs
        return f"BatchJob({self.name!r}, {_together(jobs)}, {self.done:,} of {self.rows:,} rows done, {self.failed:,} failed)"  # noqa: E501

    @property
    def name(self) -> str:
        """The variable that it was made for, or its id."""
        return self._batch.name or self._batch.id

    @property
    def id(self) -> str:
        """What tells it from all other batches."""
        return self._batch.id

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return self._batch.rows

    @property
    def batch(self) -> Batch:
        """What is kept of it."""
        return self._batch

    @property
    def context(self) -> Context:
        """The session that it was made in."""
        return self._context

    @property
    def jobs(self) -> list[Job]:
        """Its jobs as they were when Google was last asked."""
        return self._context.batches.jobs(self._batch.id)

    @property
    def state(self) -> str:
        """Its state in the words of Vertex AI, asked now: QUEUED, RUNNING, SUCCEEDED, PARTIALLY_SUCCEEDED ...

        WAITING says that a file is up and its job is not created yet, because as many jobs as may be are under way.
        """
        return _together(self.refresh())

    @property
    def last_state(self) -> str:
        """Its state when Google was last asked."""
        return _together(self.jobs)

    @property
    def has_table(self) -> bool:
        """Whether it was made here, and so knows its table."""
        return self._table is not None

    def is_from(self, table: Any) -> bool:
        """Tell whether a value is the table of this batch, in the order of its rows."""
        from vertex_claude_magic.tables.batch.collect import is_table_of

        return is_table_of(self._batch, table)

    @property
    def done(self) -> int:
        """How many rows have an answer."""
        return sum(job.done for job in self.jobs)

    @property
    def failed(self) -> int:
        """How many rows failed and were not answered later; rows that could not be sent are among them."""
        jobs = self.jobs
        last = max((job.attempt for job in jobs), default=1)
        unsent = len(self._batch.plan.get("errors", {}))
        return unsent + sum(job.failed for job in jobs if job.attempt == last)

    def refresh(self) -> list[Job]:
        """Ask Google for the state of all jobs under way, create jobs that wait if that is possible, return all.

        Raises:
            ClaudeError: Google refused; what is known stays.
        """
        self._context.check(self._batch)
        api = self._context.api(self._batch.location, self._batch.model)
        for job in self.jobs:
            if job.job and job.state not in FINAL:
                self._keep(job, api.get(job.job))
            elif job.state == "WRITING" and job.owner != this_process() and not lives(job.owner):
                lost = "The process that uploaded its file has ended; run the cell again."
                self._context.batches.save(replace(job, state="FAILED", error=lost, counted=1))
        self._create()
        return self.jobs

    def wait(
        self,
        timeout: float | None = None,
        *,
        show: Callable[[BatchJob], None] = lambda _: None,
        pause: Callable[[float], None] = wait_here,
    ) -> BatchJob:
        """Follow the jobs until all have ended, and return this object; an interrupt leaves them running.

        Args:
            timeout: Seconds after which to give up; None for never.
            show: Called after each look.
            pause: Waits for so many seconds.

        Raises:
            DeadlineExceeded: the time is over; the jobs go on.
            ClaudeInterrupt: the user stopped waiting; the jobs go on.
        """
        clock = self._context.session.clock
        end = None if timeout is None else clock() + timeout
        wait = _FIRST_LOOK
        try:
            while not _ended(self.refresh()):
                show(self)
                if end is not None and clock() + wait > end:
                    raise errors.DeadlineExceeded(
                        f"The batch has not ended within {timeout:g} seconds; its jobs continue.",
                        cure=spelled("Wait again later: {}.", _again(self.name)),
                    )
                pause(wait)
                wait = min(wait * _GROWTH, _LONGEST_LOOK)
        except KeyboardInterrupt:
            raise errors.ClaudeInterrupt(done="Stopped waiting; the jobs continue.") from None
        show(self)
        return self

    def cancel(self) -> None:
        """Ask Google to end the jobs, and create no more; what is answered by then stays."""
        self._context.check(self._batch)
        api, batches = self._context.api(self._batch.location, self._batch.model), self._context.batches
        for job in self.jobs:
            if job.state in {"WRITING", "WAITING"}:
                batches.save(replace(job, state="CANCELLED"))
            elif job.job and job.state not in FINAL:
                try:
                    api.cancel(job.job)
                except errors.APIError as error:
                    # It may have ended meanwhile, which the next look tells.
                    if error.status not in {400, 404, 409}:
                        raise
                else:
                    batches.save(replace(job, state="CANCELLING"))

    def result(self, table: Any = None) -> Any:
        """Return the table with the columns of the answers, in the order of its rows.

        Rows whose job failed, was cancelled or ended half way have an error; those of a job that goes on are empty.

        Args:
            table: The table, where another process has made the batch; without it, and if it is not known here, the
                result has the columns `row` (from 0) and the answers.

        Raises:
            OptionError: no job has ended yet, or the table is another one.
        """
        from vertex_claude_magic.tables.batch.collect import collected

        return collected(self._context, self._batch, self.refresh(), table=self._known(table), typed=self._typed,
                         held=self._held)  # fmt: skip

    def retry(self) -> BatchJob:
        """Send the rows again that failed or were not answered, and only those; return this object.

        Their lines are read from the files of the first time, so that it also works in another process.

        Raises:
            OptionError: a job goes on, no row has failed, or a policy switches live calls off.
            ReplayMiss: nothing may be sent, as the setting `replay` or a rehearsal says.
            CostLimitExceeded: it could cross a limit.
        """
        from vertex_claude_magic.tables.batch.checks import check_batch
        from vertex_claude_magic.tables.batch.collect import failed_rows

        check_batch(self._context.target)
        self._context.check_live()
        jobs = self.refresh()
        if not _ended(jobs):
            raise errors.OptionError(
                f"The batch {quote(self.name, 60)} is still running.",
                cure=spelled("Wait for its end: {}.", _again(self.name)),
            )
        failed = failed_rows(self._context, self._batch, jobs, typed=self._typed, held=self._held)
        unsent = self._batch.plan.get("errors", {})
        wanted = {row for row in failed if str(row) not in unsent}
        if not wanted:
            raise errors.OptionError(
                "None of the rows sent has failed.", cure="There is nothing to send again."
            )
        context, batch = self._context, self._batch
        with write_lines(
            self._lines_again(jobs, wanted), batch.plan.get("rows_per_job"), self._most
        ) as lines:
            if not lines.files:
                raise errors.OptionError(
                    "The rows were never uploaded, so they cannot be sent again.", cure="Run the cell again."
                )
            check_limits(context, lines)
            self._held |= put_up(context, batch, lines, before=jobs)
        self.refresh()
        return self

    def _known(self, table: Any) -> Any:
        return self._table if table is None else table

    def _keep(self, job: Job, found: RemoteJob) -> None:
        self._context.batches.save(
            replace(
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
        )

    def _create(self) -> None:
        """Create the jobs that wait, as many as may be under way."""
        context, batch = self._context, self._batch
        most = int(context.target.catalog.limits["batch"]["jobs"])
        api = context.api(batch.location, batch.model)
        for job in self.jobs:
            if job.state not in {"WAITING", "CREATING"} or not context.batches.claim(
                job, batch.project, most
            ):
                continue
            display = f"claude-batch-{batch.id}-{job.number}"
            # A process that was ended may have created it without keeping its name.
            found = api.find(display) if job.state == "CREATING" else None
            if found is None:
                body = job_body(
                    display_name=display,
                    model=batch.model,
                    source=job.input,
                    destination=job.output,
                    labels=batch.plan.get("labels", {}),
                )
                try:
                    found = api.create(body)
                except errors.RateLimited:
                    # Others of the project may be under way; with none of ours, it is another quota.
                    context.batches.save(replace(job, state="WAITING", owner=""))
                    if any(each.job and each.state not in FINAL for each in self.jobs):
                        return
                    raise
                except (errors.NetworkError, errors.ServerError, errors.ProtocolError):
                    # The answer may be lost of a job that was created, and a second one would be paid too.
                    found = api.find(display)
                    if found is None:
                        context.batches.save(replace(job, state="WAITING", owner=""))
                        raise
                except errors.ClaudeError:
                    context.batches.save(replace(job, state="WAITING", owner=""))
                    raise
            self._keep(job, found)

    def _lines_again(self, jobs: list[Job], wanted: Collection[int]) -> Iterator[tuple[int, bytes | str]]:
        """Yield the lines of some rows from the files of the first attempt."""
        import json

        for job in jobs:
            # Without a call, its file never went up.
            if job.attempt > 1 or job.call is None:
                continue
            for line in self._context.files.lines(parse_uri(job.input)):
                # The id comes first in our own lines.
                row = row_of(self._batch.id, str(json.loads(line).get("custom_id")))
                if row in wanted:
                    yield row or 0, line

    @property
    def _most(self) -> MostCost:
        """What one of its lines may cost at most."""
        row = self._context.target.catalog.find(self._batch.model)
        return MostCost(row, self._batch.location, int(self._batch.plan.get("max_tokens") or 0))


def _together(jobs: list[Job]) -> str:
    states = {job.state for job in jobs}
    under_way = states - FINAL
    if under_way:
        # A state that is not known yet is taken for one under way.
        return next((state for state in reversed(_ORDER) if state in under_way), min(under_way))
    if states == {"SUCCEEDED"} or len(states) == 1:
        return next(iter(states))
    return "PARTIALLY_SUCCEEDED" if "SUCCEEDED" in states or "PARTIALLY_SUCCEEDED" in states else "FAILED"


def _ended(jobs: list[Job]) -> bool:
    return all(job.state in FINAL for job in jobs)


def _again(name: str) -> Spelling:
    return Spelling(f"%claude_batch {name} --wait", ".wait()")
