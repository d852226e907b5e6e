"""One answer on its way: iterate its events, then take the reply; stop it at any time."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.session.data import read_json_text
from vertex_claude_magic.vertex.origin import Origin, origin_of
from vertex_claude_magic.vertex.reply import Reply, ReplyBuilder
from vertex_claude_magic.vertex.sse import Event, MessageDecoder
from vertex_claude_magic.vertex.transport import Ended, Exchange, Head, Item, Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from vertex_claude_magic.catalog import Catalog
    from vertex_claude_magic.vertex.reply import Usage
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Stream"]

_MAX_WHOLE_BYTES = 64 * 1024 * 1024
_MAX_STRANGE_BYTES = 64 * 1024
_PATIENCE = 3600.0
# How long (seconds) the end of an answer may keep its connection busy before the connection is given up.
_SETTLE = 0.05


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamContext:
    """What a stream needs to know beside its exchange."""

    request: Request
    catalog: Catalog
    format: str = "markdown"
    clock: Callable[[], float] = time.monotonic
    notify: Callable[[str], None] | None = None
    read: Callable[[Reply], Reply] | None = None
    emulated: bool = False
    now: Callable[[], datetime] = _utc_now


class Stream:
    """The events of one answer, as they arrive.

    Iterate it for events, or call `wait` to also do something else in between; then `reply` holds the
    answer. An interrupt (Ctrl-C, kernel stop) closes the connection and raises `ClaudeInterrupt`, which
    keeps what had arrived. Leaving the `with` block closes the connection too.
    """

    def __init__(self, exchange: Exchange, context: StreamContext) -> None:
        self.request = context.request
        self.done = False
        self._exchange = exchange
        self._context = context
        self._decoder = MessageDecoder()
        self._builder = ReplyBuilder()
        self._head: Head | None = None
        self._whole = bytearray()
        self._date = context.now()
        self._started = context.clock()
        self._first: float | None = None
        self._seconds: float | None = None
        self._error: errors.ClaudeError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        self._stop()
        # Pressed while the caller drew or did something else: what has arrived is kept all the same.
        if isinstance(failure, KeyboardInterrupt) and not isinstance(failure, errors.ClaudeInterrupt):
            raise errors.ClaudeInterrupt(self.partial()) from None

    def __del__(self) -> None:
        self._close(0.0)

    def __iter__(self) -> Iterator[Event]:
        while not self.done:
            yield from self.wait(_PATIENCE)
        self.close()

    def close(self) -> None:
        """Close the connection, unless its answer is over and it can serve the next question."""
        self._close(_SETTLE)

    def _close(self, patience: float) -> None:
        if self._builder.complete:
            self._exchange.settle(patience)
        elif not self.done:
            self._exchange.cancel()
        self.done = True

    @property
    def reply(self) -> Reply:
        """The whole answer; waits for what is missing.

        Raises:
            ClaudeError: the answer did not end well, or was closed too early; the error's own `reply`
                holds what had arrived.
        """
        for _ in self:
            pass
        if self._error is None and not self._builder.complete:
            self._failed(_interrupted("it was closed before it was complete"))
        if self._error is not None:
            raise self._error
        whole = self.partial()
        return whole if self._context.read is None else self._context.read(whole)

    def partial(self) -> Reply:
        """The answer as far as it has arrived; `complete` tells whether that is all."""
        request, clock = self.request, self._context.clock
        bare = self._builder.reply()
        data = read_json_text(bare.text) if self._context.format == "json" and bare.complete else None
        return self._builder.reply(
            model=bare.model or request.model,
            region=request.region,
            request_id=self._head.request_id if self._head else None,
            seconds=(clock() if self._seconds is None else self._seconds) - self._started,
            first_token_seconds=None if self._first is None else self._first - self._started,
            cost=self._price(bare, bare.usage),
            uncached_cost=self._price(bare, bare.usage.uncached) if bare.usage.cached else None,
            data=data,
            origin=self._origin,
        )

    @cached_property
    def _origin(self) -> Origin:
        # Once and not before the end, because hashing megabytes of attachments takes its time.
        return origin_of(self.request, date=self._date, emulated=self._context.emulated)

    def _price(self, reply: Reply, usage: Usage) -> float | None:
        # Output tokens are counted at the end, so what a stopped answer cost is not known.
        if not reply.complete:
            return None
        from vertex_claude_magic.prices import cost

        catalog = self._context.catalog
        row = catalog.find(reply.model) or catalog.find(self.request.model)
        return cost(row, self.request.region, usage) if row is not None else None

    def wait(self, seconds: float) -> list[Event]:
        """Return the events that have arrived, waiting at most `seconds` for the first; an empty list if none came.

        Raises:
            ClaudeError: the service refused the request, or the answer broke off.
            ClaudeInterrupt: the user stopped it.
        """
        if self.done:
            return []
        try:
            first = self._exchange.get(seconds)
            items = [] if first is None else [first, *self._exchange.arrived()]
            return [event for item in items for event in self._take(item)]
        except errors.ClaudeError as error:
            raise self._failed(error) from None
        except KeyboardInterrupt:
            self._stop()
            raise errors.ClaudeInterrupt(self.partial()) from None

    def _take(self, item: Item) -> list[Event]:
        if self.done:
            return []
        if isinstance(item, bytes):
            return self._chunk(item)
        if isinstance(item, Notice):
            if self._context.notify is not None:
                self._context.notify(item.text)
        elif isinstance(item, Head):
            self._head = item
        else:
            self._end(item)
        return []

    def _chunk(self, chunk: bytes) -> list[Event]:
        if not self._is_event_stream():
            self._collect(chunk)
            return []
        events = []
        for event in self._decoder.feed(chunk):
            if event.type == "error":
                raise self._reported(event)
            if self._first is None and event.type == "content_block_delta":
                self._first = self._context.clock()
            self._builder.add(event)
            events.append(event)
            if self._builder.complete:
                self._finish()
                break
        return events

    def _reported(self, event: Event) -> errors.ClaudeError:
        from vertex_claude_magic.vertex.failures import Asked, error_from_event

        return error_from_event(event.data, Asked.about(self.request, self._context.catalog))

    def _is_event_stream(self) -> bool:
        return self._head is not None and "event-stream" in self._head.content_type.lower()

    def _collect(self, chunk: bytes) -> None:
        limit = _MAX_STRANGE_BYTES if self.request.streamed else _MAX_WHOLE_BYTES
        if len(self._whole) < limit:
            self._whole += chunk[: limit - len(self._whole)]
        elif not self.request.streamed:
            raise errors.ProtocolError("The answer is larger than 64 MiB.", cure="Lower --max-tokens.")

    def _end(self, ended: Ended) -> None:
        if ended.error is not None:
            raise ended.error
        if self._is_event_stream():
            raise _interrupted("the connection was closed before the answer was complete")
        message = _message(bytes(self._whole)) if not self.request.streamed else None
        if message is None:
            raise self._strange()
        self._first = self._context.clock()
        self._builder.add_message(message)
        self._finish()

    def _strange(self) -> errors.ProtocolError:
        kind = errors.quote(self._head.content_type, 60) if self._head else ""
        start = errors.quote(bytes(self._whole[:1000]).decode("utf-8", "replace")) or "nothing"
        return errors.ProtocolError(
            f"The answer is {kind or 'of no declared type'} and not a reply of Claude: {start!r}.",
            cure="Look for a proxy or a login page between this machine and Google, and check the base URL.",
        )

    def _failed(self, error: errors.ClaudeError) -> errors.ClaudeError:
        begun = self._head is not None
        if begun and type(error) is errors.NetworkError:
            error = _interrupted(
                f"the connection broke ({error.details.get('cause', 'lost')})", error.details
            )
        self._stop()
        partial = self.partial()
        if partial.blocks:
            error.reply = partial
        self._error = error
        return error

    def _stop(self) -> None:
        if self._seconds is None:
            self._seconds = self._context.clock()
        self.close()

    def _finish(self) -> None:
        # The end of the body is awaited on closing, so that nobody waits for it before the answer is shown.
        self._seconds = self._context.clock()
        self.done = True


def _interrupted(why: str, details: dict[str, Any] | None = None) -> errors.StreamInterrupted:
    return errors.StreamInterrupted(
        f"The answer broke off: {why}.",
        cure="What had arrived is kept; ask again for the rest.",
        details=details,
    )


def _message(body: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("content"), list) else None
