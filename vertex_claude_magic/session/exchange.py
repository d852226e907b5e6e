"""One question until it is settled: its events, its rounds, and in the end a Reply and its notices.

A round is one request of the question. At the end of each, the steps of the question may ask for another one: with the
results of the functions that the answer calls, to go on after a pause of the service, or to repair an answer that is
not the data that were asked for. Whatever asks (a cell, the panel, Python code) is a loop over `wait`, or over the
exchange itself, and only what it draws differs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic import errors
from vertex_claude_magic.models.prices import sum_of_costs
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import LiveObjects, refuse_copies
from vertex_claude_magic.records.budget import worst_case
from vertex_claude_magic.records.rehearsal import note_question
from vertex_claude_magic.records.session_records import limits_of, sources_of
from vertex_claude_magic.session.question import NO_PROJECT, Question, prepare_forms, prepare_recorded
from vertex_claude_magic.session.stream import LONGEST_WAIT, Stream, StreamContext, interrupted
from vertex_claude_magic.vertex.endpoint import is_loopback
from vertex_claude_magic.vertex.events import Event
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO, who_answered
from vertex_claude_magic.vertex.reply import Reply
from vertex_claude_magic.vertex.request import in_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.records.budget import RunBudget
    from vertex_claude_magic.records.recorder import CallRecorder
    from vertex_claude_magic.records.sources import RecordedAnswer, ReplaySources
    from vertex_claude_magic.session.history import Conversation
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.transport.transport import PendingResponse, Start
    from vertex_claude_magic.vertex.next_round import NextRound
    from vertex_claude_magic.vertex.request import Request
    from vertex_claude_magic.vertex.tool_call import ToolCall

    Settled = Reply | NextRound
    # Called with the sum of the rounds so far and the last request: the reply, or what to send next. A step that takes
    # its time is a generator of events with that value; the user may stop it between two of them.
    Step = Callable[[Reply, Request], Settled | Generator[Event, None, Settled]]

__all__ = [
    "ROUND",
    "TOOL_CALL",
    "TOOL_RESULT",
    "Exchange",
    "Notice",
    "PartOfRun",
    "close_used_since",
    "sum_of_rounds",
]

# The type of the event that begins another round; its data say why.
ROUND = "round"
# The types of the events before and after a function is called; `data["call"]` is a `ToolCall`, with its result in the
# second.
TOOL_CALL, TOOL_RESULT = "tool_call", "tool_result"


class Notice(NamedTuple):
    """One line for the user, and what it is about.

    `kind` is "answer", "tools", "conversation", "request", "model", "lifecycle", "spend" or "records".
    """

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


class Tools(Protocol):
    """What the model may call in a question, and the step that calls it."""

    @property
    def definitions(self) -> Sequence[Mapping[str, Any]]:
        """The field `tools` of the request."""

    def __call__(self, reply: Reply, request: Request) -> Settled | Generator[Event, None, Settled]:
        """Run what the answer calls, as a `Step`."""

    def notices(self) -> list[str]:
        """Return what the user should know of the calls and was not told yet."""


class Exchange:
    """One question on its way: iterate it for the events of all rounds, then `reply` holds the answer.

    Making it prepares the question; it is sent by `start`, or when the first event is wanted. An interrupt (Ctrl-C,
    kernel stop) closes the connection and raises `ClaudeInterrupt`, which keeps what had arrived. Leaving the `with`
    block closes the connection too. Only one thread at a time may read it.

    Args:
        session: The session that asks.
        prompt: A text; a list of strings, Python objects and content blocks; or a list of messages.
        target: Where it goes and how.
        scope: Where templates, attachments and types are looked up; without it braces are only braces.
        notify: Called with what is being waited for (credentials, a retry), from the asking thread.
        conversation: What the question is a turn of, None for a question that stands alone.
        tools: Given the settings, with what belongs to the conversation, returns what the model may call.
        part: What it brings with it if it is one of many; then the prompt is not looked at, its input tokens are not
            counted for a limit, and whoever asks the many sends it again where it is refused.
        budget: What it counts for beside the session, with a limit that holds for many questions together.

    Raises:
        OptionError: it cannot be sent as it stands.
        ReplayMiss: it may not be sent, and nothing is recorded for it.
    """

    done = False
    # Whether Python code reads the events, so that errors name options as it does.
    in_python = False
    _tell: Callable[[], None] | None = None
    _blocks_at_once = False
    _tools: Tools | None = None
    # The input tokens of the first request, once `worst_case` has counted them.
    _tokens: int | None = None
    # What happens between the end of an answer and the next request.
    _ending: Iterator[Event] | None = None
    # The answer once no step wants another round, and as it is in the conversation.
    _whole: Reply | None = None
    _reply: Reply | None = None
    _error: errors.ClaudeError | None = None
    # What had arrived when it was stopped, with its place in the conversation.
    _left: Reply | None = None

    def __init__(
        self,
        session: Session,
        prompt: str | Sequence[Any],
        target: Target,
        *,
        scope: Scope | None = None,
        notify: Callable[[str], None] | None = None,
        conversation: Conversation | None = None,
        tools: Callable[[Target], Tools | None] = lambda _: None,
        part: PartOfRun | None = None,
        budget: RunBudget | None = None,
    ) -> None:
        self._session = session
        self._notify = notify
        # The thread that waits for events.
        self._readers: dict[str, int] = {}
        self._part = part
        self._budget = budget
        self._sources = part.sources if part is not None else sources_of(target, session.records.stores)
        self._catalog = target.catalog
        # One for each round, the present one last.
        self._streams: list[Stream] = []
        self._reasons: list[str] = []
        self._conversation = conversation

        def build(variant: Target, project: Callable[[], str]) -> Iterator[Question]:
            return prepare_forms(
                prompt,
                variant,
                project=project,
                history=conversation.history(variant) if conversation is not None else None,
                recorded=self._sources.answers,
                scope=scope,
                seen=session.status.sightings,
                tools=self._tools.definitions if self._tools is not None else (),
            )

        named = target.project or NO_PROJECT
        # Whatever ends this, also stop at its last line, lets the next one ask in the conversation.
        try:
            if conversation is not None:
                target = conversation.begin(target, notify)
            self.target = target
            self._tools = tools(target)
            if part is not None:
                self._question = part.question
            elif self._sources.answers:
                # Whether anything is recorded is known before anybody asks for credentials.
                self._question = prepare_recorded(
                    self._sources, target, lambda variant: build(variant, lambda: named)
                )
            elif self._sources.recording is not None:
                # Where there are no credentials, it is told whether the recording has the answer.
                (self._question,) = build(target, lambda: named)
            else:
                (self._question,) = build(target, lambda: session.project(target, notify))
            self.request = self._question.request
            self._found = self._question.found
            self._steps: list[Step] = [] if self._tools is None else [self._tools]
            if self._question.typed is not None:
                from vertex_claude_magic.answers.repair import RepairOnce

                self._steps.append(RepairOnce(self._question.typed, max_rounds=target.max_rounds))
            self._row = self._catalog.find(self.request.model)
            self._used = threading.get_ident(), time.monotonic()
            _exchanges.add(self)
        except BaseException:
            self._leave(None)
            raise

    __reduce__ = refuse_copies("An answer on its way", "Iterate it here, and send its reply.")

    def __repr__(self) -> str:
        known = vars(self)
        if "request" not in known:
            return f"<{type(self).__name__}, not ready>"
        partial = self.partial()
        arrived = "not sent" if partial is None else f"{len(partial.text):,} characters"
        state = "over" if self.done else "under way"
        request = self.request
        return f"<{type(self).__name__} {request.model} in {request.region}, {state}: {arrived}>"

    @property
    def replayed(self) -> bool:
        """Whether a record answers the present round, so that nothing is sent."""
        return self._found is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        self.close()
        # Pressed while the caller drew or did something else: what has arrived is kept all the same.
        if isinstance(failure, KeyboardInterrupt) and not isinstance(failure, errors.ClaudeInterrupt):
            raise errors.ClaudeInterrupt(self.partial()) from None

    def __iter__(self) -> Iterator[Event]:
        while not self.done:
            yield from self.wait(LONGEST_WAIT)

    def start(self, *, blocks_at_once: bool = False) -> None:
        """Send the question, unless it is on its way; returns at once.

        Args:
            blocks_at_once: Whether nobody looks at the pieces of an answer that is given again, so that each of its
                blocks may come whole.

        Raises:
            CostLimitExceeded: it could cross a limit that the user set.
            ProjectNotFound: no project is named anywhere.
        """
        if not (self._streams or self.done):
            self._blocks_at_once = blocks_at_once
            self._begin(self.request, self._question.found)

    def worst_case(self) -> float | None:
        """Return the most that the first request can cost in USD, nothing if it is recorded; None if that is not known.

        Raises:
            ClaudeError: the service refuses to count its tokens, as it would refuse the question.
        """
        if self.replayed:
            return 0.0
        self._tokens, _ = self._session.count_or_bound(self.request, self.target)
        return worst_case(self.request, self._catalog, self._tokens)

    def watch(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, from any thread, when there is something to `wait` for; it may be called too often."""
        self._tell = tell
        if self._streams:
            self._streams[-1].watch(tell)

    def wait(self, seconds: float) -> list[Event]:
        """Return the events that have arrived, waiting at most `seconds` for the first; an empty list if none came.

        Raises:
            ClaudeError: the service refused the request, the answer broke off, or it is not the data that were
                asked for; or another thread waits for it.
            ClaudeInterrupt: the user stopped it.
        """
        if self.done:
            return []
        reader = threading.get_ident()
        self._used = reader, time.monotonic()
        # Each event goes to whoever takes it, so another reader would miss some, and wait for an end that came already.
        # No lock, which stop could leave taken; one operation of a dict is whole.
        if self._readers.setdefault("", reader) != reader:
            raise errors.StreamInterrupted(
                "Another thread is reading this answer.",
                cure="Read it in one thread, and give its events or its reply to the others.",
            )
        try:
            self.start()
            if self.done:
                return []
            events: list[Event] = []
            if self._ending is None:
                stream = self._streams[-1]
                events = stream.wait(seconds)
                if not stream.done or self.done:
                    return events
                self._ending = self._end_round(stream)
            try:
                # One at a time, so that each is drawn before what it announces begins.
                event = next(self._ending, None)
            except errors.AnswerInvalid as error:
                # What came is drawn first; `reply` raises.
                self.done, self._error, self._ending = True, self._spelled(error), None
                self._leave(None)
                return events
            if event is None or event.type == ROUND:
                # At once: whoever looks only when the next round says something looks at that round then.
                self._ending = None
            if event is not None:
                events.append(event)
        except errors.ClaudeError as error:
            if self.done:  # What another thread's close did to the connection is no error of the answer.
                return []
            partial = self.partial()
            # The rounds before are part of the answer, and were paid for.
            if partial is not None and partial.blocks:
                error.reply = partial
            self.done, self._error = True, self._spelled(error)
            self._leave(None)
            raise
        except BaseException as failure:
            # Also outside of the stream, which would go on; and a function of the user's must not be called again.
            self.close()
            if isinstance(failure, KeyboardInterrupt):
                raise errors.ClaudeInterrupt(self.partial()) from None
            raise
        finally:
            self._readers.pop("", None)
        return events

    def _spelled(self, error: errors.ClaudeError) -> errors.ClaudeError:
        if self.in_python:
            error.spell_for_python()
        return error

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
        partial = self.partial()
        if partial is None:
            raise _closed_unsent()
        # Also between two calls of functions, when the answer that calls them is whole.
        error = interrupted("it was closed before its end was read")
        error.reply = partial if partial.blocks else None
        raise error

    def partial(self) -> Reply | None:
        """Return the answer as far as it has arrived; None before it was sent."""
        if known := self._reply or self._left or self._whole:
            return known
        if not self._streams:
            return None
        *before, last = [stream.partial() for stream in self._arrived()]
        reply = sum_of_rounds(before, last)
        if len(before) + 1 < len(self._streams):
            # What the last round cost is not known once its answer has begun.
            begun = self._streams[-1].partial().usage.raw
            return replace(reply, complete=False, cost=None if begun else reply.cost)
        # Functions that it calls may be running, so it is not the whole answer.
        return replace(reply, complete=False) if self._ending is not None else reply

    def _arrived(self) -> list[Stream]:
        """Return the streams of the rounds that have brought something; the first one in any case."""
        *before, last = self._streams
        reply = last.partial()
        return [*before, last] if reply.blocks or reply.complete or not before else before

    def close(self) -> None:
        """Close the connection, unless its answer is over and it can serve the next question; keep what came.

        Any thread may call it.
        """
        # First, so that a thread that reads begins nothing more.
        self.done = True
        if isinstance(self._ending, Generator):
            # A function that runs in that thread is not cut short.
            with suppress(ValueError):
                self._ending.close()
        if self._streams:
            self._streams[-1].stop()
        self._leave(self.partial())

    def _leave(self, partial: Reply | None) -> None:
        """Tell the conversation that its question was not settled; once it was, this does nothing."""
        if self._conversation is not None and self._reply is None:
            request = self._arrived()[-1].request if self._streams else None
            if partial is not None and request is not None and self._whole is not None:
                # Stop was pressed when nothing was left to do but this.
                self._left = self._conversation.settle(self._whole, request)
            else:
                self._left = self._conversation.leave(partial, request) or self._left

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
        if whole and self.target.cache and request.mentions(b'"cache_control"'):
            # The service ignores a mark behind a prompt that is too short without a word.
            least = row.min_cacheable_tokens if row is not None else None
            why = f": {request.model} caches from {least:,} tokens on" if least else ""
            found.append(Notice("answer", f"The prompt was not cached{why}."))
        if self._tools is not None:
            found += [Notice("tools", text) for text in self._tools.notices()]
        if self._conversation is not None:
            found += [Notice("conversation", text) for text in self._conversation.notices()]
        found += self.lifecycle()
        found += [
            Notice("model" if number < request.about_model else "request", text)
            for number, text in enumerate(request.notices)
        ]
        others = reply.other_events if reply is not None else ()
        # These two are there with what else they tell, such as the context that was edited.
        unknown = sorted({str(data.get("type")) for data in others} - {"message", "message_delta"})
        if unknown:
            kinds = ", ".join(unknown)
            found.append(Notice("answer", f"The answer also contained unknown event types: {kinds}."))
        if reply is not None and reply.replayed:
            if who := who_answered(reply.recorded_from):
                found.append(Notice("answer", who))
        elif session.demo:
            found.append(Notice("answer", ANSWERED_BY_DEMO))
        elif is_loopback(request.url):
            # Only on this machine is a server believed what it calls itself.
            by = reply.lineage.answered_by if reply is not None and reply.lineage is not None else None
            here = "emulator" if by == "emulator" else "local"
            found.append(Notice("answer", who_answered(here, " (see base_url)")))
        if self.target.show_spend:
            found.append(Notice("spend", session.records.spending(self.target).line))
        found += [Notice("records", text) for text in session.records.notices(self.target)]
        # Journal and conversation may both say what is wrong with the file.
        return list(dict.fromkeys(found))

    def _begin(self, request: Request, found: RecordedAnswer | None) -> Stream:
        """Begin a round, and stop it where another thread has closed the question meanwhile."""
        opened = self._open(request, found)
        self._streams.append(opened)
        # Behind the line above: `close` stops only what it finds there.
        if self.done:
            opened.stop()
        return opened

    def _open(self, request: Request, found: RecordedAnswer | None) -> Stream:
        """Play the record of a round, or send its request."""
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
            without_login=partial(sources.without_login, request=request),
        )
        if found is not None:
            played = session.records.play(
                request, target, sources, found, session.clock, blocks_at_once=self._blocks_at_once
            )
            return Stream(played, context)
        if sources.mode == "only":
            raise sources.miss(request)
        if request.project == NO_PROJECT:
            with sources.missed_without_login(request):
                request = in_project(request, session.project(target, self._notify))
        return self._send(context._replace(request=request))

    def _send(self, context: StreamContext) -> Stream:
        """Send the request of a round, if the limits allow it, and have its call recorded."""
        session, target, part, budget = self._session, self.target, self._part, self._budget
        request = context.request
        # Without a limit nothing needs to be known before, and the request travels meanwhile.
        limited = limits_of(target) or (budget is not None and budget.limit is not None)

        def count(counted: Request) -> int:
            first = None if self._streams else self._tokens
            return session.count(counted, target) if first is None else first

        def reserve() -> CallRecorder:
            return session.records.reserve(
                request,
                target,
                self._sources,
                self._catalog,
                count if limited and part is None else None,
                spent=[stream.partial().cost for stream in self._streams],
                run=part.run if part is not None else None,
                budget=budget,
            )

        sent: list[PendingResponse] = []
        recorder: CallRecorder | None = None
        try:
            recorder = reserve() if limited else None
            if self.done:
                raise _closed_unsent()  # noqa: TRY301 - what is set aside is given back below
            response = session.send(
                request,
                target,
                retry=part is None,
                start=part.start if part is not None else None,
                before=sent.append,
            )
            recorder = recorder or reserve()
            return Stream(response, context._replace(recorder=recorder))
        except BaseException as failure:
            error = failure if isinstance(failure, errors.ClaudeError) else None
            for response in sent:
                response.cancel()
            if any(response.may_be_billed for response in sent):
                # Nobody has it to close, so it is counted here.
                (recorder or reserve()).end(Reply(), error=error, stopped=error is None)
            elif recorder is not None:
                recorder.end_unsent(error)
            raise

    def _end_round(self, stream: Stream) -> Generator[Event, None, None]:
        """End a round: settle the question, or begin the round that a step asks for; yields what the steps report."""
        *before, last = [each.partial() for each in self._streams]
        try:
            reply = sum_of_rounds(before, last)
            for step in self._steps:
                found = step(reply, stream.request)
                if isinstance(found, Generator):
                    stream.hold()
                    found = yield from _with_calls(found, stream)
                if isinstance(found, Reply):
                    reply = found
                    continue
                if found.tool_calls:
                    stream.add_tool_calls(found.tool_calls)
                recorded = self._sources.look(found.request, take=True) if self._sources.answers else None
                # The record of this round comes before that of the next.
                stream.close()
                self._found = recorded
                opened = self._begin(found.request, recorded)
                self._reasons += [found.why] if found.replaces else []
                if self._tell is not None:
                    opened.watch(self._tell)
                yield Event(ROUND, {"type": ROUND, "reason": found.why, "replaces": found.replaces})
                return
            self._whole = reply
        except GeneratorExit:
            # Perhaps by a finalizer, which must not wait: the stream is stopped by `close`, or stops by itself.
            raise
        except BaseException:
            stream.close()
            raise
        stream.close()
        if self._conversation is not None:
            reply = self._conversation.settle(reply, stream.request)
        self._reply = reply
        self.done = True


def _closed_unsent() -> errors.StreamInterrupted:
    return errors.StreamInterrupted("It was closed before it was sent.", cure="Ask again.")


_exchanges: LiveObjects[Exchange] = LiveObjects()


def close_used_since(moment: float) -> None:
    """Close the questions that this thread has begun or read since a moment, in seconds of `time.monotonic`.

    For a cell that was stopped: a loop of its own over a stream tells nobody that it has ended.
    """
    for exchange in _exchanges:
        thread, used = exchange._used  # noqa: SLF001 - of its own kind
        if not exchange.done and thread == threading.get_ident() and used >= moment:
            exchange.close()


def _with_calls(step: Generator[Event, None, Settled], stream: Stream) -> Generator[Event, None, Settled]:
    """Pass the events of a step on, and each call that has ended into the reply and its record."""
    calls: list[ToolCall] = []
    try:
        while True:
            event = next(step)
            if event.type == TOOL_RESULT:
                # At once: what is left here may be recorded by another thread.
                calls.append(event.data["call"])
                stream.add_tool_calls(tuple(calls))
            yield event
    except StopIteration as end:
        settled: Settled = end.value
        return settled
    finally:
        step.close()


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
    # Of a round that did not use the prompt cache, what it cost.
    uncached = [reply.cost if reply.uncached_cost is None else reply.uncached_cost for reply in every]
    return replace(
        last,
        usage=reduce(add, [reply.usage for reply in every]),
        cost=sum_of_costs(reply.cost for reply in every),
        uncached_cost=sum_of_costs(uncached)
        if any(reply.uncached_cost is not None for reply in every)
        else None,
        seconds=sum(reply.seconds for reply in every),
        first_token_seconds=rounds[0].first_token_seconds,
        lineage=rounds[0].lineage,
        tool_calls=tuple(call for reply in every for call in reply.tool_calls),
        parts=tuple(every),
    )
