"""What one session keeps, and what it gives back: the settings of journal, replay and limits put to work."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import sum_of_costs, usd_estimate, usd_limit
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.records.budget import (
    HELD,
    Budget,
    Limits,
    asked_speed,
    count_or_bound,
    worst_case,
)
from vertex_claude_magic.records.journal.calls import LOCAL, Call, day_of
from vertex_claude_magic.records.journal.location import OFF, is_there
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.records.recorder import CallRecorder, attempt
from vertex_claude_magic.records.sources import ReplaySources
from vertex_claude_magic.records.stores import Stores
from vertex_claude_magic.settings.origin import current_origin, session_id
from vertex_claude_magic.spelling import option, spelled
from vertex_claude_magic.text import quote_path
from vertex_claude_magic.vertex.digest import attachments
from vertex_claude_magic.vertex.provenance import answered_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.records.journal.journal import Journal
    from vertex_claude_magic.records.playback import Playback
    from vertex_claude_magic.records.sources import RecordedAnswer
    from vertex_claude_magic.records.spending import Spending
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.request import Request

__all__ = ["SessionRecords", "journal_of", "limits_of", "missing_recording", "sources_of"]


def journal_of(target: Target, stores: Stores) -> Journal | None:
    """Return the journal that the settings name, None where it is off."""
    named = target.journal or ""
    if named.strip().lower() == OFF:
        return None
    return stores.journal(named)


def sources_of(target: Target, stores: Stores) -> ReplaySources:
    """Return where a question with these options may find its answer, and where it is kept."""
    return ReplaySources(
        mode=target.replay,
        journal=journal_of(target, stores),
        recording=stores.recording(target.recording) if target.recording else None,
        errors=target.replay_errors,
        cure=target.miss_cure,
    )


def missing_recording(target: Target, stores: Stores) -> str:
    """Return one line that says that the recording which is set is not there, empty if it is or none is set."""
    if not target.recording:
        return ""
    path = stores.path(target.recording)
    # pathlib raises where a name is too long.
    if os.path.isfile(path):  # noqa: PTH113
        return ""
    origin = target.origins["recording"]
    by = f" (from {origin})" if origin.isupper() else ""
    where = f"The recording {quote_path(target.recording)}{by}"
    if os.path.exists(path):  # noqa: PTH110
        return f"{where} is a folder. Use a file, such as lesson.claude."
    if target.replay == "only":
        return spelled(
            "{} does not exist, so {} has nothing to answer from. Check the path.",
            where,
            option("replay", "only"),
        )
    return f"{where} does not exist yet. Check the path if it should; otherwise the first answer creates it."


def limits_of(target: Target) -> Limits:
    """Return the limits that the user set, in USD."""
    return Limits(call=target.max_cost, session=target.max_session_cost, day=target.max_daily_cost)


class SessionRecords:
    """The records and sums of one session.

    Args:
        clock: Seconds since 1970 (UTC).
        stores: The open files, where another session shares them.
        budget: The sums, where another session adds to the same.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        stores: Stores | None = None,
        budget: Budget | None = None,
    ) -> None:
        self.budget = budget or Budget()
        self.stores = stores or Stores()
        self._clock = clock
        self._said: set[str] = set()
        self._begin_anew()
        at_fork(self, child=SessionRecords._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        # Those that were not given yet are the parent's.
        self._notices: list[str] = []

    def tell(self, notice: str, once: bool = True) -> None:
        """Add a notice for the user; one that is enough `once` is not given again."""
        with self._lock:
            if not once or notice not in self._said:
                self._notices.append(notice)
            self._said.add(notice)

    def notices(self, target: Target) -> tuple[str, ...]:
        """Return what the user should know of settings, journal and recording and was not shown yet."""
        for notice in target.notices:
            self.tell(notice, once=True)
        journal = journal_of(target, self.stores)
        with self._lock:
            notices, self._notices = self._notices, []
        return (*notices, *(journal.notices() if journal is not None else ()))

    def play(
        self,
        request: Request,
        target: Target,
        sources: ReplaySources,
        found: RecordedAnswer,
        clock: Callable[[], float],
        *,
        blocks_at_once: bool = False,
    ) -> Playback:
        """Note that a recorded answer is given again, and return it as something that arrives.

        With `blocks_at_once` each block comes whole, and not in the pieces in which it came.
        """
        from vertex_claude_magic.records.playback import Playback

        call = self._call(request, target, most=0.0)
        if sources.journal is not None:
            sources.journal.replayed(call, found.stored.call, error=found.recorded.error is not None)
        if sources.recording is not None and not found.in_recording:
            # What the journal knew belongs to the notebook all the same.
            where = quote_path(sources.recording.named)
            if attempt(partial(sources.recording.add, call.key, found.stored, call.origin), self.tell):
                self.tell(f"This answer was in the journal; it is now in the recording {where} too.", False)
        paced = target.replay_pace != "instant"
        recorded = found.recorded._replace(pace=()) if blocks_at_once else found.recorded
        return Playback(recorded, paced=paced, message_id=found.stored.message_id,
                        request_id=found.stored.request_id, clock=clock)  # fmt: skip

    def reserve(
        self,
        request: Request,
        target: Target,
        sources: ReplaySources,
        catalog: Catalog,
        count: Callable[[Request], int] | None,
        *,
        spent: Sequence[float | None] = (),
        run: int | None = None,
        budget: Budget | None = None,
    ) -> CallRecorder:
        """Check the limits of a question that is about to be sent, set aside what it may cost, and return its recorder.

        Args:
            request: The request.
            target: Its settings.
            sources: Where it is kept.
            catalog: The model table.
            count: Counts its input tokens; None where a bound has to do.
            spent: What the earlier rounds of the same question cost, in USD; None where that is not known.
            run: The run of the journal that it belongs to; None for that of its cell.
            budget: The sum that it counts for, a part of the session's; None for the session's itself.

        Raises:
            CostLimitExceeded: it could cross a limit.
        """
        limits = limits_of(target)
        tokens, _ = count_or_bound(request, catalog, count)
        most = worst_case(request, catalog, tokens)
        if limits.call is not None:
            # Few questions have a limit.
            from vertex_claude_magic.settings.limit_cures import priced, to_fit

            whole = sum_of_costs([*spent, most])
            if whole is None:
                raise errors.CostLimitExceeded(
                    "The cost of this question is not known (no price in the table, or tools that the service runs "
                    "itself), so it may exceed the limit.",
                    cure=priced("max_cost", limits.call, "ask without such tools"),
                )
            if whole > limits.call:
                raise errors.CostLimitExceeded(
                    f"This question may cost up to {usd_estimate(whole)} (an estimate), more than the limit of "
                    f"{usd_limit(limits.call)}.",
                    cure=to_fit("max_cost", limits.call, "shorten the prompt"),
                )
        call = self._call(request, target, most=most, run=run)
        output = request.body.get("max_tokens")
        recorder = CallRecorder(
            call=call,
            sources=sources,
            budget=budget or self.budget,
            held=next(HELD),
            catalog=catalog,
            max_tokens=output if isinstance(output, int) else 0,
            speed=asked_speed(request),
            keep=Keep(days=target.journal_days, megabytes=target.journal_megabytes),
            tell=self.tell,
            clock=self._clock,
        )
        try:
            recorder.budget.reserve(
                most, local=call.source in LOCAL, limit=limits.session, held=recorder.held
            )
            if limits.day is not None:
                _begin_within(recorder, limits.day, target)
            return recorder  # noqa: TRY300 - also where stop is pressed at the end
        except errors.ClaudeError:
            recorder.budget.commit(recorder.held, 0.0)
            raise
        except BaseException:
            # Stop was pressed, perhaps when the journal had it already.
            recorder.end_unsent(None)
            raise

    def keep_count(self, sources: ReplaySources, request: Request, tokens: int) -> None:
        """Keep the exact input tokens of a request in the recording, for whoever replays it without a network."""
        if sources.recording is not None:
            attempt(partial(sources.recording.add_count, request.digest, tokens), self.tell)

    def spending(self, target: Target) -> Spending:
        """Return what this session and today's calls of all notebooks came to."""
        # Nothing of a first answer needs it.
        from vertex_claude_magic.records.journal.health import examine
        from vertex_claude_magic.records.journal.ledger import Spent
        from vertex_claude_magic.records.spending import Spending

        session, local = (Spent(*self.budget.sums(local=local)) for local in (False, True))
        found = Spending(session=session, session_local=local)
        journal = journal_of(target, self.stores)
        if journal is None:
            return found
        try:
            if not is_there(journal.path):
                # The first question makes the file, if it can be made.
                examine(journal.path)
                return found._replace(today=Spent(), today_local=Spent())
            day = day_of(self._clock())
            return found._replace(
                today=journal.spent(day, local=False), today_local=journal.spent(day, local=True)
            )
        except errors.JournalError:
            return found

    def _call(self, request: Request, target: Target, *, most: float | None, run: int | None = None) -> Call:
        parts = request.parts
        return Call(
            at=self._clock(),
            session=session_id(),
            origin=current_origin(),
            key=parts.digest.hex(),
            former=request.former_digest,
            canonical=parts.content,
            parts=parts,
            # The payload tells faster than a search of all messages.
            attachments=attachments(request.body) if request.mentions(b'"base64"') else {},
            asked=target.model,
            model=request.model,
            region=request.region,
            project=request.project,
            source=answered_by(request.url),
            cost_most=most,
            run_id=run,
        )


def _begin_within(recorder: CallRecorder, day_limit: float, target: Target) -> None:
    """Add a call to the journal, if the limit of the day allows it.

    Raises:
        CostLimitExceeded: it does not, or what was spent today is not known.
    """
    from vertex_claude_magic.settings.limit_cures import spending_unknown

    if recorder.sources.journal is None:
        raise spending_unknown("the journal is off.", target.journal_cure)
    try:
        recorder.begin(day_limit=day_limit)
    except errors.JournalError as error:
        raise spending_unknown(error.message, cure=error.cure) from None
