"""`BatchJob`: the jobs of one batch, to follow, cancel, collect, and send again what failed."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.records.journal.runs import lives
from vertex_claude_magic.session.asking import spelled_for_python
from vertex_claude_magic.spelling import Spelling, spelled
from vertex_claude_magic.tables.batch.create import (
    check_policy,
    create_waiting,
    display_name,
    known_now,
    passes,
)
from vertex_claude_magic.tables.batch.lines import Line, row_of, row_request, write_lines
from vertex_claude_magic.tables.batch.source import request_lines
from vertex_claude_magic.tables.batch.upload import put_up
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.batch import FINAL
from vertex_claude_magic.transport.storage import parse_uri
from vertex_claude_magic.transport.waiting import pause as wait_here

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from vertex_claude_magic.answers.repair import TypedQuestion
    from vertex_claude_magic.records.journal.batches import Batch, StoredJob
    from vertex_claude_magic.tables.batch.collect import Collected
    from vertex_claude_magic.tables.batch.context import Context
    from vertex_claude_magic.tables.rows import IntoRows

__all__ = ["BatchJob"]

_log = logging.getLogger("vertex_claude_magic")
# Seconds between two looks: the first wait, its growth, the longest.
_FIRST_LOOK, _GROWTH, _LONGEST_LOOK = 2.0, 1.5, 30.0
# So many looks may fail one after the other; the last ones are half a minute apart.
_FAILED_LOOKS = 5
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
    Google counted them when it was last asked; it counts a job when that has ended. Of rows that ask the same, the
    first one is sent and counted, and `copies` are the others.
    """

    def __init__(
        self,
        context: Context,
        batch: Batch,
        *,
        table: IntoRows | None = None,
        typed: TypedQuestion | None = None,
        held: Mapping[int, int] = MappingProxyType({}),
        names: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._context = context
        self._batch = batch
        self._table = table
        self._typed = typed
        # Where the type of the answers is looked up that another process has sent.
        self._names = names
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
        """Its id in the journal."""
        return self._batch.id

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        return self._batch.rows

    @property
    def copies(self) -> int:
        """How many rows ask the same as another one before them, and get its answer."""
        return sum(len(same) - 1 for same in self._batch.plan.get("copies", ()))

    @property
    def batch(self) -> Batch:
        """Its row in the journal."""
        return self._batch

    @property
    def context(self) -> Context:
        """The session that it was made in."""
        return self._context

    @property
    def jobs(self) -> list[StoredJob]:
        """Its jobs as they were when Google was last asked."""
        return self._context.batches.jobs(self._batch.id)

    @property
    @spelled_for_python()
    def state(self) -> str:
        """Its state in the words of Vertex AI, asked now: QUEUED, RUNNING, SUCCEEDED, PARTIALLY_SUCCEEDED ...

        WAITING says that a file is up and its job is not created yet, because as many jobs as may be are under way.
        To read it also creates such jobs once they may be, or a loop that reads it until the batch has ended would go
        on for ever. They cost nothing that was not asked for, and reserved, when the batch was sent. `last_state` asks
        nobody.
        """
        return _together(self.refresh())

    @property
    def last_state(self) -> str:
        """Its state when Google was last asked."""
        return _together(self.jobs)

    @property
    def has_table(self) -> bool:
        """Whether it was made here, and so knows its table as it was sent."""
        return self._table is not None

    def is_from(self, table: IntoRows) -> bool:
        """Tell whether a value is the table of this batch, in the order of its rows."""
        from vertex_claude_magic.tables.batch.collect import is_table_of

        # A lazy table would be computed once more, and what came of it is known.
        same_kind = self._table is None or type(table) is type(self._table)
        return same_kind and is_table_of(self._batch, table)

    @property
    def done(self) -> int:
        """How many rows have an answer; of a row that was sent again only the last answer counts."""
        return self._counts()[0]

    @property
    def failed(self) -> int:
        """How many rows failed and were not answered later; rows that could not be sent are among them."""
        return self._counts()[1]

    def _counts(self) -> tuple[int, int]:
        """Return how many rows have an answer, and how many failed."""
        jobs, done, failed = self.jobs, 0, 0
        rows = sum(job.rows for job in jobs if job.attempt == 1)
        for attempt in sorted({job.attempt for job in jobs}):
            # What was never sent again is as it was; Google knows no job of it, and will not.
            of_it = [job for job in jobs if job.attempt == attempt]
            unsent = sum(job.rows for job in of_it if job.state in FINAL and not job.job)
            sent = sum(job.rows for job in of_it) - unsent
            # Google counts an answer as done that was sent for again, such as one that was cut off.
            done = min(done, rows - sent) + sum(job.done for job in of_it)
            failed = min(failed, unsent) + sum(job.failed for job in of_it)
        return done, failed + len(self._batch.plan.get("errors", {}))

    @property
    def cost(self) -> float | None:
        """What it cost in USD (an estimate), None before all of its results were read."""
        return self._context.batches.cost(self._batch)

    @property
    def waiting(self) -> str:
        """The notice on jobs that are not created yet; empty if there are none."""
        count = sum(job.state == "WAITING" for job in self.jobs)
        if not count:
            return ""
        most = self._context.target.catalog.limits["batch"]["jobs"]
        jobs = "1 job waits and is" if count == 1 else f"{count:,} jobs wait and are"
        return spelled(
            f"Vertex AI runs {most} jobs of a project at a time. {jobs} created while a kernel follows the batch: "
            "{}.",
            _again(self.name),
        )

    def refresh(self) -> list[StoredJob]:
        """Ask Google for the state of all jobs under way, create jobs that wait if that is possible, return all.

        Raises:
            ClaudeError: Google refused; what is known stays.
        """
        self._context.check(self._batch)
        api = self._context.api(self._batch.location, self._batch.model)
        for job in self.jobs:
            if job.job and job.state not in FINAL:
                self._context.batches.save(known_now(job, api.get(job.job)))
            elif job.state == "WRITING" and not lives(job.owner):
                lost = "The process that uploaded its file has ended; run the cell again."
                call = self._context.call_of(self._batch, job)
                self._context.batches.withdraw(job, call, "FAILED", lost)
        create_waiting(self._context, self._batch)
        return self.jobs

    @spelled_for_python()
    def wait(
        self,
        timeout: float | None = None,
        *,
        show: Callable[[BatchJob], None] = lambda _: None,
        pause: Callable[[float], None] = wait_here,
    ) -> BatchJob:
        """Follow the jobs until all have ended, and return this object; an interrupt leaves them running.

        A look that fails is repeated: a network that is gone for a minute ends no wait of hours.

        Args:
            timeout: Seconds after which to give up; None for never.
            show: Called after each look.
            pause: Waits for so many seconds.

        Raises:
            DeadlineExceeded: the time is over; the jobs go on.
            ClaudeInterrupt: the user stopped waiting; the jobs go on.
            ClaudeError: Google refused, or five looks failed one after the other.
        """
        clock = self._context.session.clock
        end = None if timeout is None else clock() + timeout
        wait, failures = _FIRST_LOOK, 0
        try:
            while True:
                try:
                    jobs = self.refresh()
                except errors.ClaudeError as error:
                    failures += 1
                    if failures >= _FAILED_LOOKS or not passes(error):
                        raise
                    jobs = self.jobs
                else:
                    failures = 0
                if _ended(jobs) and not failures:
                    break
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

    @spelled_for_python()
    def cancel(self) -> None:
        """Ask Google to end the jobs, and create no more; what is answered by then stays.

        Raises:
            OptionError: a job is being uploaded or created elsewhere now, and goes on; all others are cancelled.
        """
        from vertex_claude_magic.tables.batch.collect import count_nothing

        context, batch = self._context, self._batch
        context.check(batch)
        api, batches = context.api(batch.location, batch.model), context.batches
        for each in self.jobs:
            job = each
            if job.state in FINAL:
                continue
            if job.state == "WRITING" and not lives(job.owner):
                batches.withdraw(job, context.call_of(batch, job), "CANCELLED")
            # Whoever may create a job is the only one who can say that it will not be.
            with batches.claimed(job, batch.project) as taken:
                if taken is not None:
                    # Somebody who was stopped may have created it without keeping its name.
                    found = api.find(display_name(job)) if taken.state == "CREATING" else None
                    job = known_now(taken, found) if found else replace(taken, state="CANCELLED", owner="")
                    batches.save(job)
                    if found is None:
                        count_nothing(context, batch, job, self._held)
            if job.job:
                try:
                    api.cancel(job.job)
                except errors.APIError as error:
                    # It may have ended meanwhile, which the next look shows.
                    if error.status not in {400, 404, 409}:
                        raise
                else:
                    batches.save(replace(job, state="CANCELLING"))
        if any(not job.job and job.state not in FINAL for job in self.jobs):
            raise errors.OptionError(
                f"A job of the batch {quote(self.name, 60)} is being uploaded or created now, and was not cancelled.",
                cure="Cancel the batch again in a moment.",
            )

    @spelled_for_python()
    def result(self, table: IntoRows | None = None) -> Any:
        """Return the table with the columns of the answers, in the order of its rows.

        Rows whose job failed, was cancelled or ended half way have an error; those of a job that goes on are empty.

        Args:
            table: The table, for columns that it has now; without it the result has those that it had when it was
                sent, or, where another process has sent it, the number of each `row` (from 0).

        Raises:
            OptionError: no job has ended yet, the results of one were deleted, or the table is another one, or has got
                a column by the name of one of the answers.
        """
        found = self.collect(table)
        for notice in found.notices:
            _log.warning("%s", notice)
        return found.table

    def collect(self, table: IntoRows | None = None) -> Collected:
        """Return what `result` returns, with what is to be said of it."""
        from vertex_claude_magic.tables.batch.collect import checked_rows, collected

        jobs, rows = self.refresh(), None
        if table is not None:
            rows = checked_rows(self._batch, table)
        elif self._table is not None:
            rows = read_rows(self._table)
        typed = self._known_type()
        return collected(self._context, self._batch, jobs, rows=rows, typed=typed, held=self._held)

    def _known_type(self) -> TypedQuestion | None:
        from vertex_claude_magic.tables.batch.collect import typed_by_name

        # Not kept, because the user may define it meanwhile.
        return self._typed or typed_by_name(self._batch.plan, self._names)

    @spelled_for_python()
    def retry(self) -> BatchJob:
        """Send the rows again that failed or were not answered, and only those; return this object.

        Their lines are read from the files of the first time, so that it also works in another process.

        Raises:
            OptionError: a job goes on, no row has failed, the results of a job were deleted, or a policy switches live
                calls off.
            ReplayMiss: nothing may be sent, as the setting `replay` or a rehearsal says.
            CostLimitExceeded: it could cross a limit.
        """
        if notice := self.send_again():
            _log.warning("%s", notice)
        return self

    def send_again(self) -> str:
        """Do what `retry` does, and return what is to be said of it, if anything."""
        from vertex_claude_magic.tables.batch.checks import check_sending
        from vertex_claude_magic.tables.batch.collect import failed_rows

        check_sending(self._context.target)
        check_policy(self._batch)
        jobs = self.refresh()
        if not _ended(jobs):
            raise errors.OptionError(
                f"The batch {quote(self.name, 60)} is still running.",
                cure=spelled("Wait for its end: {}.", _again(self.name)),
            )
        typed = self._known_type()
        wanted, undecided = failed_rows(self._context, self._batch, jobs, typed=typed, held=self._held)
        left = ""
        if undecided:
            rows = "1 row has" if undecided == 1 else f"{undecided:,} rows have"
            shape = quote(self._batch.plan["shape"], 60)
            left = f"{rows} an answer that only the type {shape} can check, which is not defined here as it was sent."
        if left and not wanted:
            raise errors.OptionError(left, cure="Define it again, and try again.")
        if not wanted:
            raise errors.OptionError(
                "None of the rows sent has failed.", cure="There is nothing to send again."
            )
        context, batch = self._context, self._batch
        again = self._lines_again(jobs, wanted)
        with write_lines(again, batch.plan.get("rows_per_job"), context.target.catalog) as lines:
            if not lines.files:
                raise errors.OptionError(
                    "The rows were never uploaded, so they cannot be sent again.", cure="Run the cell again."
                )
            self._held |= put_up(context, batch, lines, before=jobs)
        try:
            self.refresh()
        except errors.ClaudeError as error:
            # The lines are up, and the next look creates the jobs.
            if not passes(error):
                raise
        return f"{left} {'It was' if undecided == 1 else 'They were'} not sent again." if left else ""

    def _lines_again(self, jobs: list[StoredJob], wanted: Collection[str]) -> Iterator[tuple[int, Line]]:
        """Yield the lines of some rows from the files of the first attempt, or from the table that it read."""
        import json

        batch = self._batch
        if batch.plan.get("source"):
            yield from request_lines(self._context, batch, wanted)
            return

        for job in jobs:
            # Without a call, its file never went up.
            if job.attempt > 1 or job.call is None:
                continue
            for content in self._context.files.lines(parse_uri(job.input)):
                line = json.loads(content)
                name = str(line.get("custom_id"))
                if name in wanted:
                    request = row_request(line["request"], batch.model, batch.location)
                    yield row_of(batch.id, name) or 0, Line(name, request)


def _together(jobs: list[StoredJob]) -> str:
    # Without a call a file never went up, and the rows are as they were, unless it is all that there is.
    sent = [job for job in jobs if job.call is not None] or jobs
    states = {job.state for job in sent}
    under_way = states - FINAL
    if under_way:
        # A state that is not known yet is taken for one under way.
        return next((state for state in reversed(_ORDER) if state in under_way), min(under_way))
    last = max(job.attempt for job in sent)
    if len(states) == 1 or {job.state for job in jobs if job.attempt == last} == {"SUCCEEDED"}:
        # All that had failed before went again, and each file of them went up.
        return sent[-1].state
    return "PARTIALLY_SUCCEEDED" if "SUCCEEDED" in states or "PARTIALLY_SUCCEEDED" in states else "FAILED"


def _ended(jobs: list[StoredJob]) -> bool:
    return all(job.state in FINAL for job in jobs)


def _again(name: str) -> Spelling:
    return Spelling(f"%claude_batch {name} --wait", ".wait()")
