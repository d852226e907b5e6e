"""One run over a table: every row is asked once, what is known already is not, and what is done is never lost.

Each row is an `Exchange`; a `Pool` drives many of them from the caller's thread. A finished row is in the journal,
under the run, before the next one starts in its place, so that a killed kernel repeats no more than the calls under
way.
"""

from __future__ import annotations

import random
from collections import deque
from contextlib import nullcontext, suppress
from statistics import median
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.process import ReusableThreads
from vertex_claude_magic.records.budget import RunBudget, token_bound, worst_case
from vertex_claude_magic.records.session_records import journal_of, sources_of
from vertex_claude_magic.session.exchange import Exchange, PartOfRun
from vertex_claude_magic.session.level import Level
from vertex_claude_magic.session.pool import Pool
from vertex_claude_magic.session.question import NO_PROJECT
from vertex_claude_magic.settings.limit_cures import priced, to_fit
from vertex_claude_magic.settings.origin import (
    asking_for,
    cell_key,
    current_origin,
    session_id,
    working_folder,
)
from vertex_claude_magic.spelling import flag, option, spelled
from vertex_claude_magic.tables.columns import UNANSWERED
from vertex_claude_magic.tables.earlier import EarlierRows
from vertex_claude_magic.tables.outcome import Outcome
from vertex_claude_magic.tables.progress import Progress
from vertex_claude_magic.tables.row_call import FailedRow, RowCall
from vertex_claude_magic.tables.row_retries import RowRetries
from vertex_claude_magic.vertex.request import in_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.records.recording.recording import Recording
    from vertex_claude_magic.session.pool import Delay, Finished
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.tables.options import MapOptions
    from vertex_claude_magic.tables.progress import Show
    from vertex_claude_magic.tables.questions import RowQuestion, RowQuestions
    from vertex_claude_magic.tables.rows import MadeTable
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["TableRun", "place_of"]

# Seconds between two reports of the progress.
_SHOWN_EVERY = 0.3
# What is wrong with one row is wrong with all: nothing else would fare better.
_FOR_ALL = (errors.CredentialsError, errors.AuthenticationFailed, errors.PermissionDenied, errors.ModelNotFound,
            errors.ModelNotEnabled, errors.QuotaExceeded, errors.TLSError, errors.ThreadUnavailable)  # fmt: skip


def place_of(name: str = "") -> str:
    """Return what identifies a run's place: the notebook, or else the working folder, and the variable."""
    where = current_origin().notebook if name else ""
    return cell_key(f"map\n{where or working_folder()}\n{name}")


class TableRun:
    """A run; `run` asks, and `table` is the result so far at any moment.

    `stopped_by` is the limit that ended it before its end, None if it went through.

    Args:
        session: The session that asks.
        questions: The questions of the rows.
        options: The options of the run.
        place: What identifies the run's place, so that a run there finds what this one has answered.
        show: Called in the caller's thread with the progress, at most four times a second and at the end.
        chance: A random number from 0 to 1, for the waits.
    """

    def __init__(
        self,
        session: Session,
        questions: RowQuestions,
        options: MapOptions,
        *,
        place: str,
        show: Show = lambda _: None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.stopped_by: errors.ClaudeError | None = None
        self._session = session
        self._questions = questions
        self._options = options
        self._place = place
        self._show = show
        self._clock = session.clock
        target = questions.target
        # Of the run and not of a question; and the limits of session and day hold for each question as ever.
        # An answer that is not of its type is repaired once.
        rounds = 1 if questions.typed is None else min(2, target.max_rounds)
        self._budget = RunBudget(session.records.budget, limit=target.max_cost, rounds=rounds)
        self._target = target.replace(max_cost=None)
        self._sources = sources_of(target, session.records.stores)
        rows = questions.rows.count
        self._stop = min(rows, options.limit or rows)
        self._outcome = Outcome(questions)
        self._seconds: deque[float] = deque(maxlen=1000)
        self._paused = 0.0
        self._project = questions.project
        self._pool: Pool[RowQuestion, Reply] | None = None
        first = questions.first
        cached = first is not None and first.request.mentions(b'"cache_control"')
        self._level = Level(options.max_active, alone=cached and self._stop > 1, clock=self._clock)
        self._began = self._ticked = self._shown = self._clock()
        self._retries = RowRetries(session.retry_policy, clock=self._clock, chance=chance)
        self._missed = self._backwards = False
        # What the row may cost that was last held against the limit.
        self._most: float | None = None
        # How many calls were under way when the run ended.
        self._cancelled = 0

    @property
    def progress(self) -> Progress:
        """How far the run is."""
        pool, outcome = self._pool, self._outcome
        return Progress(
            rows=self._stop,
            answered=outcome.answered,
            asked=outcome.asked,
            earlier=outcome.earlier,
            copies=outcome.copied,
            replayed=outcome.replayed,
            failed=dict(outcome.failed),
            input_tokens=outcome.input_tokens,
            output_tokens=outcome.output_tokens,
            stopped=self._cancelled,
            cost=self._budget.cost,
            open_cost=self._budget.open_cost,
            active=pool.running if pool is not None else 0,
            allowed=self._level.allowed,
            pause=pool.pause if pool is not None else 0.0,
            seconds=self._clock() - self._began,
            paused=self._paused,
            median=median(self._seconds) if self._seconds else None,
            errors_in=f"{self._options.prefix}error",
        )

    @property
    def resumption(self) -> str:
        """What comes behind "Run it again", for a run that ended early."""
        if self._sources.journal is None and self._sources.recording is None:
            return "to ask all rows, because no answer is stored"
        if self._options.fresh:
            return spelled("without {} to ask only the rest", flag("fresh"))
        return "to ask only the rest"

    def table(self) -> MadeTable:
        """Return the table with what is known so far; the rows without an answer are empty there."""
        return self._outcome.table()

    def run(self) -> None:
        """Ask.

        Raises:
            ClaudeInterrupt: the user stopped it.
            ClaudeError: something that concerns every row, such as a missing login or a limit that no row fits; or with
                `on_error` stop, the error of the first row that failed.
        """
        journal = self._sources.journal
        number = None
        origin = current_origin()
        threads = ReusableThreads(at_most=self._options.max_active)
        try:
            if journal is not None:
                number = journal.open_run(
                    "map", session=session_id(), origin=origin._replace(cell=self._place)
                )
                # Two that began at one end would ask the same rows at the same time; so they meet.
                self._backwards = journal.is_shared(number, "map", self._place)
            pool: Pool[RowQuestion, Reply] = Pool(
                lambda row: self._start(row, number, threads),
                at_once=self._level,
                again=self._again,
                around=journal.together if journal is not None else nullcontext,
                spacing=60.0 / self._options.rpm if self._options.rpm else 0.0,
                clock=self._clock,
            )
            self._pool = pool
            with asking_for(origin):
                pool.run(self._to_ask(self._sources.recording), self._take, tick=self._tick)
            some = self.progress.done > 0 or self._budget.cost != 0
            if pool.ended_early and self.stopped_by is None:
                limit = self._budget.limit or 0.0
                self.stopped_by = errors.CostLimitExceeded(
                    self._budget.refusal("row", self._most),
                    cure=spelled(
                        "The rest is empty. {} With nothing else changed, run it again {}.",
                        to_fit("max_cost", limit, "send fewer rows"),
                        self.resumption,
                    )
                    if some
                    else to_fit("max_cost", limit),
                )
            if self.stopped_by is not None and not some:
                # No row is answered, so what builds on the table should not run.
                stopped_by, self.stopped_by = self.stopped_by, None
                raise stopped_by
        finally:
            self._cancelled = self._pool.running if self._pool is not None else 0
            self._pool = None
            threads.close()
            if journal is not None:
                journal.close_run(number)
            with suppress(Exception):
                self._show(self.progress)

    def to_ask(self) -> Iterator[RowQuestion]:
        """Yield the rows that `run` would ask, and store nothing; `progress` has the others, and which are recorded."""
        for row in self._to_ask(None):
            request = row.question.request if row.question is not None else None
            if request is not None and self._sources.answers and self._sources.look(request) is not None:
                self._outcome.replayed += 1
            yield row

    def _to_ask(self, recording: Recording | None) -> Iterator[RowQuestion]:
        """Yield the rows that have to be asked or are recorded; the others get what they have on the way.

        Args:
            recording: Where the answers of earlier runs are stored too, None for nowhere.
        """
        earlier = EarlierRows(
            journal=journal_of(self._target, self._session.records.stores),
            recording=recording,
            place=self._place,
            typed=self._questions.typed,
            local=self._sources.mode == "only",
            catalog=self._target.catalog,
            tell=self._session.records.tell,
        )
        for chunk in self._questions.chunks(self._stop, backwards=self._backwards):
            fresh = [row for row in chunk if self._outcome.is_new(row)]
            asked = [row.question.request for row in fresh if row.question is not None]
            if self._sources.answers and (own := self._sources.recording) is not None:
                # The notebook's own recording first, so that it is the same page in every kernel.
                asked = [each for each in asked if own.find(each.digest) is None]
            known = earlier.replies(asked) if not self._options.fresh else {}
            for row in fresh:
                reply = known.get(row.question.request.digest) if row.question is not None else None
                if reply is not None and reply.stop_reason not in UNANSWERED:
                    self._outcome.earlier += 1
                    self._outcome.add(row.index, reply)
                    continue
                yield row
            self._tick()

    def _start(
        self, row: RowQuestion, number: int | None, threads: ReusableThreads
    ) -> RowCall | FailedRow | None:
        question = row.question
        assert question is not None  # noqa: S101 - only rows that can be asked are drawn
        if self._sources.answers and question.found is None:
            found = self._sources.look(question.request, take=True)
            question = question._replace(found=found)
        if question.found is None and self._sources.mode == "only":
            # How the nearest record differs is looked for once, because that reads many.
            missed = (
                errors.ReplayMiss(
                    spelled(
                        "Nothing is recorded for this row, and {} sends nothing.", option("replay", "only")
                    ),
                    cure=self._sources.cure,
                )
                if self._missed
                else self._sources.miss(question.request)
            )
            self._missed = True
            return FailedRow(missed)
        if question.found is None:
            if question.request.project == NO_PROJECT:
                if self._project == NO_PROJECT:
                    # Asked for once, where a row has to be sent.
                    with self._sources.missed_without_login(question.request):
                        self._project = self._session.project(self._target)
                question = question._replace(request=in_project(question.request, self._project))
            if not self._fits_limit(question.request):
                return None
        part = PartOfRun(question, self._sources, number, threads.start)
        try:
            return RowCall(Exchange(self._session, "", self._target, part=part, budget=self._budget))
        except errors.CostLimitExceeded as error:
            if self._pool is None or not self._pool.running:
                self.stopped_by = error
            return None

    def _fits_limit(self, request: Request) -> bool:
        """Tell whether the run stays within its limit with the worst case of one more row."""
        if self._budget.limit is None:
            return True
        catalog = self._target.catalog
        most = self._most = worst_case(request, catalog, token_bound(request, catalog))
        if most is None:
            raise errors.CostLimitExceeded(
                "The cost of a row is not known (no price in the table), so the run may exceed the limit.",
                cure=priced("max_cost", self._budget.limit),
            )
        return self._budget.fits(most)

    def _again(self, finished: Finished[RowQuestion, Reply], attempt: int) -> Delay | None:
        """Return how long to wait before a row is asked again, None if it is not."""
        alone = self._level.allowed == 1
        return None if finished.error is None else self._retries.delay(finished.error, attempt, alone=alone)

    def _take(self, finished: Finished[RowQuestion, Reply]) -> None:
        index = finished.item.index
        error = finished.error
        if error is None:
            reply = finished.result()
            self._retries.answered()
            if reply.replayed:
                self._outcome.replayed += 1
            else:
                self._outcome.asked += 1
                self._seconds.append(reply.seconds)
            self._outcome.add(index, reply)
            return
        if not isinstance(error, errors.ClaudeError):
            raise error
        if not (isinstance(error, errors.ReplayMiss) or (error.reply is not None and error.reply.replayed)):
            self._outcome.asked += 1
        self._outcome.fail(index, error)
        concerns_all = isinstance(error, _FOR_ALL) and not isinstance(error, errors.DataSharingRequired)
        if concerns_all or self._options.on_error == "stop":
            raise error

    def _tick(self) -> None:
        now = self._clock()
        if self._pool is not None and self._pool.pause:
            self._paused += now - self._ticked
        self._ticked = now
        if now - self._shown >= _SHOWN_EVERY:
            self._shown = now
            self._show(self.progress)
