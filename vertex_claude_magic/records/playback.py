"""A recorded answer played in the place of a `PendingResponse`: the same items in the same order, but nothing is sent.

Where a response has the bytes of the body, this has their events.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vertex_claude_magic.process import refuse_copies
from vertex_claude_magic.records.recorded_reply import error_of, steps
from vertex_claude_magic.transport.transport import Ended, Head
from vertex_claude_magic.transport.waiting import Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vertex_claude_magic.records.recorded_reply import RecordedReply
    from vertex_claude_magic.transport.transport import Item
    from vertex_claude_magic.vertex.events import Event

__all__ = ["Playback"]

# Nobody learns from a long silence the second time (seconds).
_LONGEST_WAIT = 2.0


class Playback:
    """One recorded answer on its way since `started`.

    Args:
        recorded: The answer.
        paced: Whether pieces come at the times at which they came, or all at once.
        message_id: The id of the message, if it is stored.
        request_id: The id of the request, if it is stored.
        clock: Seconds that never run backwards.
        pause: Waits so many seconds; by default until `cancel` at most.
    """

    # Nothing is sent.
    may_be_billed = False

    def __init__(
        self,
        recorded: RecordedReply,
        *,
        paced: bool,
        message_id: str | None = None,
        request_id: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._clock = clock
        self._cancelled = Flag()
        self._pause = pause or self._cancelled.wait
        self._paced = paced
        self._items = _items(recorded, message_id, request_id, paced=paced)
        self.started = self._due = clock()
        self._next: Item | Event | None = None
        self._advance()

    __reduce__ = refuse_copies("A Playback", "Ask in the other process.")

    def get(self, seconds: float) -> Item | Event | None:
        """Return the next item, or None if none is due within `seconds`."""
        wait = self._due - self._clock()
        if self._next is None or wait > seconds:
            self._pause(max(0.0, seconds))
            return None
        if wait > 0:
            self._pause(wait)
        return self._take()

    def arrived(self) -> list[Item | Event]:
        """Return what is due already, without waiting."""
        items: list[Item | Event] = []
        if not self._paced and self._next is not None:
            # All of it, without a look at the clock for each of hundreds of pieces.
            items = [self._next, *[item for _, item in self._items]]
            self._next = None
        while self._next is not None and self._due <= self._clock():
            items += [item for item in [self._take()] if item is not None]
        return items

    def watch(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, because there is something to take from the beginning."""
        tell()

    def cancel(self) -> None:
        """Play no further."""
        self._cancelled.set()
        self._next = None

    def settle(self, seconds: float) -> None:  # noqa: ARG002 - as a response has it; here no connection is left open
        """Play no further."""
        self.cancel()

    def _take(self) -> Item | Event | None:
        item = self._next
        self._advance()
        return item

    def _advance(self) -> None:
        wait, self._next = next(self._items, (0.0, None))
        self._due += wait


def _items(
    recorded: RecordedReply, message_id: str | None, request_id: str | None, *, paced: bool
) -> Iterator[tuple[float, Item | Event]]:
    error = error_of(recorded)
    if error is None or recorded.content:
        yield 0.0, Head(content_type="text/event-stream", request_id=request_id)
        for wait, event in steps(recorded, message_id):
            yield (min(wait, _LONGEST_WAIT) if paced else 0.0), event
    yield 0.0, Ended(error)
