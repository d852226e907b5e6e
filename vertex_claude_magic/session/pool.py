"""Many calls at once: a bounded number, one pause for all where the service asks to wait, one stop for all.

One thread, that of the caller, starts the calls and looks at them in turn. A call is a `PendingResponse` of the
transport, which needs no thread of this module, or work that blocks, in a worker of `Workers`.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from vertex_claude_magic import errors
from vertex_claude_magic.process import start_thread
from vertex_claude_magic.transport.retry import backoff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from vertex_claude_magic.transport.retry import RetryPolicy

__all__ = ["Call", "Finished", "Pool", "Workers", "retry_delay"]

I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_TICK = 0.05  # seconds between two looks at the calls under way


class Call(Protocol[T_co]):
    """A call under way; `PendingResponse` is one."""

    def poll(self, seconds: float) -> bool:
        """Wait so long at most, and tell whether it is over; may raise `ClaudeError`."""

    def result(self) -> T_co:
        """Return what came of it, or raise what went wrong."""

    def cancel(self) -> None:
        """End it without waiting; safe to call twice, or when it is over."""


@dataclass(frozen=True, eq=False, slots=True)
class Finished(Generic[I, T]):
    """A call that is over.

    Args:
        index: The place of its item among all items, from 0.
        item: What was asked.
        value: What came of it, None if it failed.
        error: What went wrong, or None.
    """

    index: int
    item: I
    value: T | None = None
    error: Exception | None = None

    def result(self) -> T:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.value  # type: ignore[return-value]


# Compared by identity: items may be anything, such as rows of arrays.
@dataclass(frozen=True, eq=False, slots=True)
class _Turn(Generic[I, T]):
    index: int
    item: I
    attempt: int
    call: Call[T]


class Pool(Generic[I, T]):
    """Runs one call for each item.

    Args:
        start: Starts the call of an item and returns at once. What it raises ends the run: it concerns every item.
        at_once: How many calls may be under way.
        again: Given an error and how often the item was repeated, returns the seconds to wait before it is repeated,
            None if it is not. While it is waited no call starts, of whatever item.
        clock: Monotonic seconds.
        sleep: Waits for some seconds, when nothing is under way.

    >>> workers = Workers()
    >>> pool = Pool(lambda number: workers.start(lambda: number * number), at_once=2)
    >>> squares = {}
    >>> pool.run([3, 4], lambda finished: squares.update({finished.item: finished.result()}))
    >>> squares == {3: 9, 4: 16}
    True
    """

    def __init__(
        self,
        start: Callable[[I], Call[T]],
        *,
        at_once: int,
        again: Callable[[Exception, int], float | None] = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._start = start
        self._at_once = at_once
        self._again = again
        self._clock = clock
        self._sleep = sleep
        self._free_at = float("-inf")

    @property
    def pause(self) -> float:
        """How long no call starts because the service asked to wait, in seconds; 0 if it did not."""
        return max(0.0, self._free_at - self._clock())

    def run(
        self,
        items: Iterable[I],
        take: Callable[[Finished[I, T]], None],
        *,
        tick: Callable[[], None] = lambda: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run the calls; every one that is still under way at the end, however it ends, is cancelled.

        Args:
            items: What to ask; only so many are drawn as can start soon.
            take: Called in this thread with each call that is over, in the order in which they end. What it raises
                ends the run; what a call raised does not.
            tick: Called in this thread several times a second.
            stopped: Asked now and then; once it says yes, the run ends.

        Raises:
            ClaudeInterrupt: the user stopped it.
        """
        fresh = ((index, item, 0) for index, item in enumerate(items))
        # Place, item, and how often it was repeated.
        queue: deque[tuple[int, I, int]] = deque()
        running: list[_Turn[I, T]] = []
        try:
            while not stopped():
                queue.extend(islice(fresh, max(0, self._at_once - len(queue))))
                if not queue and not running:
                    break
                while queue and len(running) < self._at_once and not self.pause:
                    index, item, attempt = queue.popleft()
                    running.append(_Turn(index, item, attempt, self._start(item)))
                if not running:
                    self._sleep(min(_TICK, self.pause))
                for turn, finished in self._finished(running):
                    pause = None if finished.error is None else self._again(finished.error, turn.attempt)
                    if pause is None:
                        take(finished)
                        continue
                    # The longest wait holds, not the sum: calls that were under way together are refused together.
                    self._free_at = max(self._free_at, self._clock() + pause)
                    queue.appendleft((turn.index, turn.item, turn.attempt + 1))
                tick()
        except KeyboardInterrupt:
            raise errors.ClaudeInterrupt from None
        finally:
            for turn in running:
                turn.call.cancel()

    def _finished(self, running: list[_Turn[I, T]]) -> Iterator[tuple[_Turn[I, T], Finished[I, T]]]:
        """Take the calls that are over out of `running`."""
        # Only the first look waits, so that a round of looks takes one tick however many are under way.
        wait = _TICK
        for turn in list(running):
            try:
                if not turn.call.poll(wait):
                    continue
                finished = Finished(turn.index, turn.item, turn.call.result())
            except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this item only
                finished = Finished(turn.index, turn.item, error=error)
            finally:
                wait = 0.0
            running.remove(turn)
            yield turn, finished


def retry_delay(
    error: Exception, attempt: int, policy: RetryPolicy, chance: Callable[[], float]
) -> float | None:
    """Return how long to wait before a refused call is sent again, in seconds; None if it is not.

    Args:
        error: The refusal; its detail `retry_after` is what the service asks for.
        attempt: How often the call was repeated already.
        policy: How often, and how long it may be waited.
        chance: A random number from 0 to 1.

    >>> from vertex_claude_magic.transport.retry import RetryPolicy
    >>> asked = errors.RateLimited("Too many.", cure="Wait.", details={"retry_after": 7.0})
    >>> [retry_delay(asked, attempt, RetryPolicy(retries=1), lambda: 0.0) for attempt in (0, 1)]
    [7.0, None]
    """
    if attempt >= policy.retries or not isinstance(error, (errors.RateLimited, errors.ServerError)):
        return None
    asked: float | None = error.details.get("retry_after")
    if asked is None:
        # A quota that is used up may be zero, so that waiting without a date would not end.
        return None if isinstance(error, errors.QuotaExceeded) else backoff(attempt, policy, chance)
    return asked if asked <= policy.longest_wait else None


class Workers:
    """Runs work that blocks, each in a thread that asks for the cell and run of its caller."""

    def __init__(self) -> None:
        # Set whenever some work of this object ends, so that a look at any of it notices at once.
        self._ended = threading.Event()

    def start(self, work: Callable[[], T], cancel: Callable[[], None] = lambda: None) -> Call[T]:
        """Start work.

        Args:
            work: Runs in a thread of its own, in a copy of the caller's context.
            cancel: Makes the work end soon; called when the pool stops.

        Raises:
            ThreadUnavailable: no thread can start here.
        """
        return _Work(work, cancel, self._ended)


class _Work(Generic[T]):
    def __init__(self, work: Callable[[], T], cancel: Callable[[], None], ended: threading.Event) -> None:
        self._ended = ended
        self._value: T | None = None
        self._failure: BaseException | None = None
        self._over = False
        self.cancel = cancel
        # The context holds who asks (settings.origin); a thread of itself starts with an empty one.
        context = contextvars.copy_context()
        start_thread(lambda: context.run(self._run, work), "vertex-claude-work")

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._value = work()
        except BaseException as failure:  # noqa: BLE001 - it is raised again where the result is taken
            # Its frames may hold headers, and with them a token.
            self._failure = failure.with_traceback(None)
        self._over = True
        self._ended.set()

    def poll(self, seconds: float) -> bool:
        if not self._over and seconds > 0:
            self._ended.wait(seconds)
            # Before the looks at the others, so that one that ends from here on is noticed by the next wait.
            self._ended.clear()
        return self._over

    def result(self) -> T:
        if self._failure is not None:
            raise self._failure
        return self._value  # type: ignore[return-value]
