"""One question until it is settled: its events, its rounds, and in the end a Reply and its notices.

A round is one request of the question. At the end of each, the steps of the question may ask for another one: today
the repair of an answer that is not the data that were asked for. Whatever asks (a cell, the panel, Python code) is a
loop over `wait`, or over the exchange itself, and only what it draws differs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import sum_of_costs, usd_estimate
from vertex_claude_magic.process import stays_here
from vertex_claude_magic.records.recording.rehearsal import note_question
from vertex_claude_magic.records.session_records import limits_of, sources_of
from vertex_claude_magic.session.question import NO_PROJECT, Question, prepare, prepare_recorded
from vertex_claude_magic.session.stream import Stream, StreamContext
from vertex_claude_magic.vertex.endpoint import is_loopback
from vertex_claude_magic.vertex.events import Event
from vertex_claude_magic.vertex.reply import Reply
from vertex_claude_magic.vertex.request import in_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from typing_extensions import Self

    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.records.recorder import CallRecorder
    from vertex_claude_magic.records.sources import RecordedAnswer, ReplaySources
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.transport.transport import Start
    from vertex_claude_magic.vertex.request import Request

__all__ = ["ROUND", "Exchange", "NextRound", "Notice", "PartOfRun", "Step", "sum_of_rounds"]

# The type of the event that begins another round; its data say why.
ROUND = "round"
# Longer than any answer takes (seconds): the deadline of the answer ends the wait.
_PATIENCE = 3600.0
_ANSWERED_BY = {
    "emulator": "The emulator gave this answer, not Claude.",
    "local": "A server on a machine gave this answer, not Google.",
}


class Notice(NamedTuple):
    """One line for the user, and what it is about: "answer", "request", "lifecycle", "spend" or "records"."""

    kind: str
    text: str


class PartOfRun(NamedTuple):
    """What a question that is one of many brings with it.

    Args:
        question: The question, made ready.
        sources: Where it may find its answer, and where it is kept.
        run: The run of the journal that it belongs to, None where there is none.
        start: Runs its sending in a thread.
    """

    question: Question
    sources: ReplaySources
    run: int | None
    start: Start


class NextRound(Protocol):
    """Another request of the same question, and why, as the end of "The first answer ..."."""

    @property
    def request(self) -> Request:
        """The request."""

    @property
    def why(self) -> str:
        """The reason, in a few words."""


# Called with the sum of the rounds so far and the last request: the reply, or what to send next.
Step = Callable[["Reply", "Request"], "Reply | NextRound"]


class Exchange:
    """One question on its way: iterate it for the events of all rounds, then `reply` holds the answer.

    Making it prepares the question; it is sent by `start`, or when the first event is wanted. An interrupt (Ctrl-C,
    kernel stop) closes the connection and raises `ClaudeInterrupt`, which keeps what had arrived. Leaving the `with`
    block closes the connection too.

    Args:
        session: The session that asks.
        prompt: A text; a list of texts, Python objects and content blocks; or a list of messages.
        target: Where it goes and how.
        scope: Where templates, attachments and types are looked up; without it braces are only braces.
        notify: Called with what is being waited for (credentials, a retry), from the asking thread.
        part: What it brings with it if it is one of many; then the prompt is not looked at, its input tokens are not
            counted for a limit, and whoever asks the many sends it again where it is refused.

    Raises:
        OptionError: it cannot be sent as it stands.
        ReplayMiss: it may not be sent, and nothing is recorded for it.
    """

    def __init__(
        self,
        session: Session,
        prompt: str | Sequence[Any],
        target: Target,
        *,
        scope: Scope | None = None,
        notify: Callable[[str], None] | None = None,
        part: PartOfRun | None = None,
    ) -> None:
        self.target = target
        self.done = False
        self._session = session
        self._notify = notify
        self._part = part
        self._tell: Callable[[], None] | None = None
        self._sources = part.sources if part is not None else sources_of(target, session.records.stores)
        self._catalog = target.catalog
        self._stream: Stream | None = None
        self._rounds: list[Reply] = []
        self._reasons: list[str] = []
        self._reply: Reply | None = None
        self._error: errors.ClaudeError | None = None

        def build(variant: Target, project: Callable[[], str]) -> Question:
            return prepare(prompt, variant, project=project, scope=scope, seen=session.status.sightings)

        if part is not None:
            self._question = part.question
        elif self._sources.answers:
            # Whether anything is recorded is known before anybody asks for credentials.
            named = target.project or NO_PROJECT
            self._question = prepare_recorded(
                self._sources, target, lambda variant: build(variant, lambda: named)
            )
        else:
            self._question = build(target, lambda: session.project(target, notify))
        self.request = self._question.request
        self._steps: list[Step] = []
        if self._question.typed is not None:
            from vertex_claude_magic.answers.repair import RepairOnce

            self._steps.append(RepairOnce(self._question.typed))
        self._row = self._catalog.find(self.request.model)

    __reduce__ = stays_here("An answer on its way", "Iterate it here, and send its reply.")

    @property
    def replayed(self) -> bool:
        """Whether a record answers the question, so that nothing is sent."""
        return self._question.found is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        self.close()
        # Pressed while the caller drew or did something else: what has arrived is kept all the same.
        if isinstance(failure, KeyboardInterrupt) and not isinstance(failure, errors.ClaudeInterrupt):
            raise errors.ClaudeInterrupt(self.partial()) from None

    def __iter__(self) -> Iterator[Event]:
        while not self.done:
            yield from self.wait(_PATIENCE)

    def start(self) -> None:
        """Send the question, unless it is on its way; returns at once.

        Raises:
            CostLimitExceeded: it could cross a limit that the user set.
            ProjectNotFound: no project is named anywhere.
        """
        if self._stream is None and not self.done:
            self._stream = self._open(self.request, self._question.found)

    def watch(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, from any thread, when there is something to `wait` for; it may be called too often."""
        self._tell = tell
        if self._stream is not None:
            self._stream.watch(tell)

    def wait(self, seconds: float) -> list[Event]:
        """Return the events that have arrived, waiting at most `seconds` for the first; an empty list if none came.

        Raises:
            ClaudeError: the service refused the request, the answer broke off, or it is not the data that were
                asked for.
            ClaudeInterrupt: the user stopped it.
        """
        if self.done:
            return []
        try:
            self.start()
            assert self._stream is not None  # noqa: S101 - started above
            events = self._stream.wait(seconds)
            if not self._stream.done:
                return events
            try:
                return [*events, *self._end_round(self._stream)]
            except errors.AnswerInvalid as error:
                # What came is drawn first; `reply` raises.
                self.done, self._error = True, error
                return events
        except errors.ClaudeError as error:
            self.done, self._error = True, error
            raise
        except KeyboardInterrupt:
            self.done = True
            raise

    @property
    def reply(self) -> Reply:
        """The whole answer; waits for what is missing.

        Raises:
            ClaudeError: the answer did not end well, or was closed too early; the error's own `reply`
                holds what had arrived.
        """
        for _ in self:
            pass
        if self._error is not None:
            raise self._error
        if self._reply is not None:
            return self._reply
        if self._stream is None:
            raise errors.StreamInterrupted("It was closed before it was sent.", cure="Ask again.")
        # Closed early: the stream says so, with what had arrived.
        return self._stream.reply

    def partial(self) -> Reply | None:
        """Return the answer as far as it has arrived; None before it was sent."""
        if self._reply is not None:
            return self._reply
        return self._stream.partial() if self._stream is not None else None

    def close(self) -> None:
        """Close the connection, unless its answer is over and it can serve the next question; keep what came."""
        if self._stream is not None:
            self._stream.stop()
        self.done = True

    def lifecycle(self) -> list[Notice]:
        """Return what to say of a model that is near its end, once a session."""
        request = self.request
        name = self._row.id if self._row is not None else request.model
        notice = self._session.status.reminder.tell(self._catalog, name, request.region)
        return [Notice("lifecycle", notice)] if notice else []

    def notices(self) -> list[Notice]:
        """Return what the user should know of question, answer and records and was not told yet."""
        reply, request, session = self.partial(), self.request, self._session
        found = [Notice("answer", f"The first answer {reason}.") for reason in self._reasons]
        row = self._row
        whole = reply is not None and reply.complete and not reply.usage.cached
        if whole and self.target.cache and b'"cache_control"' in request.payload:
            # The service ignores a mark behind a prompt that is too short without a word.
            least = row.min_cacheable_tokens if row is not None else None
            why = f": {request.model} caches from {least:,} tokens on" if least else ""
            found.append(Notice("answer", f"The prompt was not cached{why}."))
        found += self.lifecycle()
        found += [Notice("request", text) for text in request.notices]
        unknown = sorted({str(data.get("type")) for data in reply.other_events}) if reply is not None else []
        if unknown:
            kinds = ", ".join(unknown)
            found.append(Notice("answer", f"The answer also held events of kinds unknown here: {kinds}."))
        if reply is not None and reply.replayed:
            if by := _ANSWERED_BY.get(reply.recorded_from or ""):
                found.append(Notice("answer", by))
        elif session.emulated:
            text = "Answered by the emulator, not by Claude; %claude_demo stop goes back."
            found.append(Notice("answer", text))
        elif is_loopback(request.url):
            # Only on this machine is a server believed what it calls itself.
            by = reply.lineage.answered_by if reply is not None and reply.lineage is not None else None
            who = (
                "the emulator, not by Claude"
                if by == "emulator"
                else "a server on this machine, not by Google"
            )
            found.append(Notice("answer", f"Answered by {who} (see base_url)."))
        if self.target.show_spend:
            spent = session.records.spending(self.target)
            sums = (
                f"Session {usd_estimate(spent.session)} · today {usd_estimate(spent.today_usd)} (estimates)."
            )
            found.append(Notice("spend", f"{sums} {spent.local_line}".rstrip()))
        return [*found, *[Notice("records", text) for text in session.records.notices(self.target)]]

    def _open(self, request: Request, found: RecordedAnswer | None) -> Stream:
        """Begin a round: play its record, or send its request."""
        session, target, sources = self._session, self.target, self._sources
        note_question(request, sources, found=found is not None)
        context = StreamContext(
            request=request,
            catalog=self._catalog,
            seen=session.status.sightings,
            format=target.format,
            clock=session.clock,
            notify=self._notify,
            found=found,
        )
        if found is not None:
            return Stream(session.records.play(request, target, sources, found, session.clock), context)
        if sources.mode == "only":
            raise sources.miss(request)
        if sources.answers:
            context = context._replace(without_login=partial(sources.miss_without_login, request))
        if request.project == NO_PROJECT:
            with sources.missed_without_login(request):
                request = in_project(request, session.project(target, self._notify))
            context = context._replace(request=request)
        part = self._part

        def recorder() -> CallRecorder:
            count = partial(session.count, target=target) if part is None else None
            spent = [reply.cost for reply in self._rounds]
            run = part.run if part is not None else None
            return session.records.recorder(
                request, target, sources, self._catalog, count, spent=spent, run=run
            )

        # Without a limit nothing needs to be known before, and the request travels meanwhile.
        checked = recorder() if limits_of(target) else None
        how: dict[str, Any] = {} if part is None else {"retry": False, "start": part.start}
        response = session.send(request, target, **how)
        try:
            return Stream(response, context._replace(recorder=checked or recorder()))
        except BaseException:
            response.cancel()
            raise

    def _end_round(self, stream: Stream) -> list[Event]:
        """End a round: settle the question, or begin the round that a step asks for."""
        stream.close()
        last = stream.reply
        reply = sum_of_rounds(self._rounds, last)
        for step in self._steps:
            found = step(reply, stream.request)
            if isinstance(found, Reply):
                reply = found
                continue
            self._rounds.append(last)
            self._reasons.append(found.why)
            recorded = self._sources.look(found.request, take=True) if self._sources.answers else None
            self._stream = self._open(found.request, recorded)
            if self._tell is not None:
                self._stream.watch(self._tell)
            return [Event(ROUND, {"type": ROUND, "reason": found.why})]
        self._reply = reply
        self.done = True
        return []


_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def sum_of_rounds(rounds: Sequence[Reply], last: Reply) -> Reply:
    """Return the last reply with the tokens, cost and seconds of all rounds, and the question of the first.

    >>> from vertex_claude_magic.vertex.reply import Usage
    >>> first, last = (Reply(usage=Usage(output_tokens=count), cost=usd) for count, usd in ((3, 0.25), (4, 0.5)))
    >>> both = sum_of_rounds([first], last)
    >>> both.usage.output_tokens, both.cost
    (7, 0.75)
    """
    if not rounds:
        return last
    every = [*rounds, last]
    counts = {name: sum(getattr(reply.usage, name) for reply in every) for name in _COUNTS}
    return replace(
        last,
        usage=replace(last.usage, **counts, raw={**last.usage.raw, **counts}),
        cost=sum_of_costs(reply.cost for reply in every),
        seconds=sum(reply.seconds for reply in every),
        first_token_seconds=rounds[0].first_token_seconds,
        lineage=rounds[0].lineage,
    )
