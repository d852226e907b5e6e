"""The answer to one request on its way: its events, its record, and the reply that they make."""

from __future__ import annotations

import _thread
import atexit
import json
import threading
import time
from array import array
from collections import deque
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from itertools import groupby
from typing import TYPE_CHECKING, Any, cast

from vertex_claude_magic import errors
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import LiveObjects, at_fork, refuse_copies
from vertex_claude_magic.records.recorded_reply import tool_calls_of
from vertex_claude_magic.spelling import option, spelled, ways
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.transport import Ended, Head, Item, PendingResponse, WaitNotice
from vertex_claude_magic.vertex.events import Event, MessageDecoder
from vertex_claude_magic.vertex.provenance import lineage_of
from vertex_claude_magic.vertex.reply_builder import ReplyBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.records.playback import Playback
    from vertex_claude_magic.records.recorded_reply import Pace
    from vertex_claude_magic.records.recorder import CallRecorder
    from vertex_claude_magic.records.sources import RecordedAnswer
    from vertex_claude_magic.vertex.reply import Reply, Usage
    from vertex_claude_magic.vertex.request import Request
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = ["LONGEST_WAIT", "Stream", "StreamContext", "interrupted"]

_MAX_WHOLE_BYTES = 64 * 1024 * 1024
_MAX_STRANGE_BYTES = 64 * 1024
# Longer than any answer takes (seconds): the deadline of the answer ends the wait.
LONGEST_WAIT = 3600.0
# Seconds of silence after which there is time for other things.
_IDLE = 0.02
# How long (seconds) the end of an answer may keep its connection busy before the connection is given up.
_SETTLE = 0.05


class StreamContext(NamedTuple):
    """What a stream needs to know beside its response."""

    request: Request
    catalog: Catalog
    seen: Seen | None = None
    format: str = "markdown"
    clock: Callable[[], float] = time.monotonic
    notify: Callable[[str], None] | None = None
    recorder: CallRecorder | None = None
    found: RecordedAnswer | None = None
    # Returns the error to raise for that of the login where there are no credentials; None leaves it.
    without_login: Callable[[errors.CredentialsNotFound], errors.ClaudeError] | None = None


class Stream:
    """The events of one answer, as they arrive.

    Iterate it for events, or call `wait` to also do something else in between; then `reply` holds the answer. An
    interrupt (Ctrl-C, kernel stop) closes the connection and raises `ClaudeInterrupt`, which keeps what had arrived.
    `stop` closes it too, and a stream that nobody has any more stops by itself.
    """

    # Until it is made: what stop keeps from being made is closed by whoever makes it.
    _closed = True

    def __init__(self, response: PendingResponse | Playback, context: StreamContext) -> None:
        self.request = context.request
        self.done = False
        self._response = response
        self._context = context
        self._decoder = MessageDecoder()
        self._builder = ReplyBuilder()
        self._head: Head | None = None
        self._is_event_stream = False
        self._whole = bytearray()
        self._date = datetime.now(timezone.utc)
        self._started = response.started
        self._first: float | None = None
        self._seconds: float | None = None
        self._error: errors.ClaudeError | None = None
        # Whether something was taken from the response that is not in the reply yet: then nothing behind it may follow.
        self._in_hand = False
        # Whether it was closed before its end was read.
        self._left = False
        # The whole reply, which nothing changes any more.
        self._settled: Reply | None = None
        # In which millisecond from the start how many pieces had arrived, as bare numbers: there may be many.
        self._arrived_at, self._arrived = array("I"), array("I")
        _unclosed.streams.add(self)
        self._closed = False

    __reduce__ = refuse_copies("A Stream", "Iterate it here, and send its reply.")

    def __del__(self) -> None:
        if not self._closed:
            _unclosed.drop(self)

    def __iter__(self) -> Iterator[Event]:
        while not self.done:
            yield from self.wait(LONGEST_WAIT)
        self.close()

    def hold(self) -> None:
        """Let the connection go, and leave the record of the answer to `close`: functions run that it calls."""
        recorder = self._context.recorder
        if recorder is not None and not recorder.begun:
            # The call was billed, whatever becomes of this process meanwhile.
            recorder.begin()
        self._hang_up()

    def add_tool_calls(self, calls: tuple[ToolCall, ...]) -> None:
        """Take the calls of the answer, with their results, into its reply and its record."""
        self._settled = replace(self.partial(), tool_calls=calls)

    def close(self) -> None:
        """Close the connection, unless its answer is over and it can serve the next question; keep what came."""
        if not self._closed:
            self.record()
            self._hang_up()
            self._closed = True

    def _hang_up(self) -> None:
        if self._builder.complete:
            self._response.settle(_SETTLE)
        elif not self.done:
            self._response.cancel()
        self.done = True

    def record(self) -> None:
        """Say how it ended, once."""
        recorder = self._context.recorder
        if recorder is None or recorder.ended:
            return
        if self._seconds is None:
            self._seconds = self._context.clock()
        stopped = self._error is None and not self._builder.complete
        recorder.end(
            self.partial(),
            error=self._error,
            stopped=stopped,
            pace=self._pace(),
            server=self._server(),
            sent=self._response.may_be_billed,
        )

    def _server(self) -> str:
        return self._head.server if self._head is not None else ""

    def _pace(self) -> Pace:
        """Return how the answer came: for each block the pieces, and the milliseconds before each."""
        # Not as long as each other where stop was pressed between the two.
        blocks, arrivals = self._builder.pieces(), zip(self._arrived_at, self._arrived, strict=False)
        before, (at, until), number = 0, next(arrivals, (0, 0)), 0
        pace: list[list[int]] = []
        for lengths in blocks:
            pace.append([])
            for length in lengths:
                while number >= until:
                    at, until = next(arrivals, (at, number + 1))
                pace[-1] += [length, at - before]
                before, number = at, number + 1
        return pace

    @property
    def reply(self) -> Reply:
        """The whole answer; waits for what is missing.

        Raises:
            ClaudeError: the answer did not end well, or was closed too early; the error's own `reply`
                holds what had arrived.
        """
        if self._settled is not None and not self._left:
            return self._settled
        for _ in self:
            pass
        if self._error is None and (self._left or not self._builder.complete):
            self._failed(interrupted("it was closed before its end was read"))
        if self._error is not None:
            raise self._error
        return self.partial()

    def partial(self) -> Reply:
        """The answer as far as it has arrived; `complete` tells whether that is all."""
        if self._settled is not None:
            return self._settled
        request, clock = self.request, self._context.clock
        # All at once: a frozen value of thirty fields takes its time to make.
        model, usage = self._builder.model, self._builder.usage
        row = self._context.catalog.find(model or request.model)
        reply = self._builder.reply(
            usage=usage,
            model=model or request.model,
            model_name="" if row is None else row.short_name,
            region=request.region,
            request_id=self._head.request_id if self._head else None,
            seconds=(clock() if self._seconds is None else self._seconds) - self._started,
            first_token_seconds=None if self._first is None else self._first - self._started,
            cost=self._price(model, usage),
            uncached_cost=self._price(model, usage.uncached) if usage.cached else None,
            lineage=lineage_of(request, date=self._date, server=self._server()),
            question=request.body,
        )
        if self._context.format == "json" and reply.complete:
            from vertex_claude_magic.answers.read import read_json_text

            reply = replace(reply, data=read_json_text(reply.text))
        if self._context.found is not None:
            reply = _replayed(reply, self._context.found)
        if reply.complete and self._seconds is not None:
            self._settled = reply
        return reply

    def _price(self, model: str, usage: Usage) -> float | None:
        # Output tokens are counted at the end, so what a stopped answer cost is not known.
        if not (self._builder.complete and usage.counted):
            return None
        from vertex_claude_magic.vertex.reply import cost

        catalog = self._context.catalog
        row = catalog.find(model) or catalog.find(self.request.model)
        return cost(row, self.request.region, usage) if row is not None else None

    def watch(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, from any thread, when the answer is over or much of it waits; it may come too often."""
        self._response.watch(tell)

    def wait(self, seconds: float) -> list[Event]:
        """Return the events that have arrived, waiting at most `seconds` for the first; an empty list if none came.

        Raises:
            ClaudeError: the service refused the request, or the answer broke off.
            ClaudeInterrupt: the user stopped it.
        """
        if self.done:
            return []
        recorder, response = self._context.recorder, self._response
        begun = recorder is None or recorder.begun
        try:
            self._in_hand = True
            first = response.get(seconds if begun else min(seconds, _IDLE))
            if first is None and recorder is not None and not begun:
                self._in_hand = False
                # Nothing to do but to wait, so the journal costs nobody any time.
                recorder.begin()
                self._in_hand = True
                first = response.get(seconds)
            events = [] if first is None else self._take([first, *response.arrived()])
            self._in_hand = False
        except errors.ClaudeError as error:
            raise self._failed(error) from None
        except KeyboardInterrupt:
            self.stop()
            raise errors.ClaudeInterrupt(self.partial()) from None
        return events

    def _take(self, items: Iterable[Item | Event]) -> list[Event]:
        events: list[Event] = []
        # What arrived together is read together, which halves the calls of a short answer.
        for kind, group in groupby(items, type):
            if self.done:
                break
            if kind is bytes:
                events += self._chunk(b"".join(cast("Iterator[bytes]", group)))
            elif kind is Event:
                events += self._events(cast("Iterator[Event]", group))
            else:
                for item in group:
                    self._note(item)
        return events

    def _note(self, item: Item | Event) -> None:
        if isinstance(item, WaitNotice):
            if self._context.notify is not None:
                self._context.notify(item.text)
        elif isinstance(item, Head):
            self._head, self._is_event_stream = item, "event-stream" in item.content_type.lower()
        elif isinstance(item, Ended):
            self._end(item)

    def _chunk(self, chunk: bytes) -> list[Event]:
        if self._is_event_stream:
            return self._events(self._decoder.feed(chunk))
        limit = _MAX_STRANGE_BYTES if self.request.streamed else _MAX_WHOLE_BYTES
        if len(self._whole) < limit:
            self._whole += chunk[: limit - len(self._whole)]
        elif not self.request.streamed:
            raise errors.ProtocolError(
                "The answer is larger than 64 MiB.", cure=ways(spelled("lower {}", option("max_tokens")))
            )
        return []

    def _events(self, arrived: Iterable[Event]) -> list[Event]:
        events = []
        for event in arrived:
            if event.type == "error":
                from vertex_claude_magic.transport.failures import RequestNames, error_from_event

                about = RequestNames.about(self.request, self._context.catalog, self._context.seen)
                raise error_from_event(event.data, about)
            if self._first is None and event.type == "content_block_delta":
                self._first = self._context.clock()
            self._builder.add(event)
            events.append(event)
            if self._builder.complete:
                self._finish()
                break
        at = max(0, round((self._context.clock() - self._started) * 1000))
        if self._arrived_at and self._arrived_at[-1] == at:
            self._arrived[-1] = self._builder.appended
        else:
            self._arrived_at.append(at)
            self._arrived.append(self._builder.appended)
        return events

    def _end(self, ended: Ended) -> None:
        if ended.error is not None:
            raise ended.error
        if self._is_event_stream:
            raise interrupted("the connection was closed before the answer was complete")
        message = _message(bytes(self._whole)) if not self.request.streamed else None
        if message is None:
            kind = quote(self._head.content_type, 60) if self._head else ""
            start = quote(bytes(self._whole[:1000]).decode("utf-8", "replace")) or "nothing"
            raise errors.ProtocolError(
                f"The answer is {kind or 'of no declared type'}, not a reply from Claude: {start!r}.",
                cure="Check for a proxy or a login page between this machine and Google, and check the base URL.",
            )
        self._first = self._context.clock()
        self._builder.add_message(message)
        self._finish()

    def _failed(self, error: errors.ClaudeError) -> errors.ClaudeError:
        if isinstance(error, errors.CredentialsNotFound) and self._context.without_login is not None:
            error = self._context.without_login(error)
        begun = self._head is not None
        if begun and type(error) is errors.NetworkError:
            # What urllib3 says of a broken body is about its own reading; it is in the details.
            why = error.details.get("system")
            error = interrupted(f"the connection broke{f' ({why})' if why else ''}", error.details)
        self._error = error
        self.stop()
        partial = self.partial()
        if partial.blocks:
            error.reply = partial
        return error

    def stop(self) -> None:
        """Close it where it is; what has arrived stays."""
        if self._seconds is None:
            self._seconds = self._context.clock()
        if not self.done:
            in_hand, self._in_hand = self._in_hand, True
            arrived = [] if in_hand else self._response.arrived()
            # Before it is recorded, which may have to wait for the journal.
            self._response.cancel()
            self._left = True
            try:
                self._take(arrived)
            except errors.ClaudeError as error:
                self._error = error
            if not in_hand:
                # What the stop did to the connection is no error of the answer.
                with suppress(errors.ClaudeError):
                    self._take(self._response.arrived())
        self.close()

    def _finish(self) -> None:
        # The end of the body is awaited on closing, so that nobody waits for it before the answer is shown.
        self._seconds = self._context.clock()
        self.done = True


class _Unclosed:
    """The streams that are not closed, so that each is recorded also where its program leaves it."""

    def __init__(self) -> None:
        self._begin_anew()
        at_fork(self, child=_Unclosed._begin_anew)
        # Before the journals are closed, because those are imported first.
        atexit.register(self.record_all)

    def _begin_anew(self) -> None:
        # Those so far are the parent's, which says how they ended.
        self.streams: LiveObjects[Stream] = LiveObjects()
        self._dropped: deque[Stream] = deque()
        self._lock = threading.Lock()

    def drop(self, stream: Stream) -> None:
        """Close a stream that nobody has any more, from its finalizer.

        That runs at any moment of any thread, also inside of the locks that closing takes. So it is done in another
        thread, and not by a thread object, which waits for its start.
        """
        self._dropped.append(stream)
        # Where no thread can start, it is done with the next one, or when the interpreter ends.
        with suppress(RuntimeError):
            _thread.start_new_thread(self._close_dropped, ())

    def _close_dropped(self) -> None:
        with self._lock:
            while self._dropped:
                self._dropped.popleft().stop()

    def record_all(self) -> None:
        """Record them all, because the interpreter ends."""
        self._close_dropped()
        for stream in self.streams:
            # Another thread may read it still, so its connection is left alone.
            stream.record()


_unclosed = _Unclosed()


def _replayed(reply: Reply, found: RecordedAnswer) -> Reply:
    """Return a reply as one that was given again: free of charge, with the tokens and times of the first time."""
    recorded = found.recorded
    times: dict[str, Any] = {}
    if reply.complete:
        times = {"seconds": recorded.seconds, "first_token_seconds": recorded.first_token_seconds}
    return replace(
        reply,
        replayed=True,
        recorded_at=found.stored.recorded,
        recorded_from=found.stored.source,
        region=recorded.region or reply.region,
        cost=0.0,
        uncached_cost=None,
        tool_calls=tool_calls_of(recorded) if recorded.tool_results else (),
        **times,
    )


def interrupted(why: str, details: dict[str, Any] | None = None) -> errors.StreamInterrupted:
    """Return the error of an answer that is not whole."""
    return errors.StreamInterrupted(
        f"The answer was cut off: {why}.",
        cure="The partial answer is saved; ask again for the whole one.",
        details=details,
    )


def _message(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("content"), list) else None
