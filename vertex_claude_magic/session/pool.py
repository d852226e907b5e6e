"""Many calls at once: a bounded number, one pause for all where the service asks to wait, one stop for all.

One thread, that of the caller, starts the calls and looks at them in turn, so that the pieces of each can be shown as
they come. A call that can be watched says itself when there is something to look at, so that a hundred of them cost no
more than those that end.
"""

from __future__ import annotations

import time
from collections import deque
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count, islice
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from vertex_claude_magic import errors
from vertex_claude_magic.session.level import Level
from vertex_claude_magic.transport.waiting import take as take_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager
    from typing import TypeGuard

__all__ = ["Delay", "Finished", "Pool", "PooledCall", "Watched"]

I = TypeVar("I")  # noqa: E741 - an item
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_TICK = 0.05  # seconds between two looks at the calls under way
# Seconds between two looks at the calls that are watched and were there at the last one: for their deadlines, and for
# what piles up. Those that are younger would be looked at for nothing, which costs as much as to take an answer.
_SWEEP = 1.0
# How many calls that have ended are taken before others start in their place.
_FEW = 8
# Seconds for which those that end next are waited for, so that they are taken together: to wake up for each and to
# write it into the journal by itself takes a sixth more CPU in all. Answers take a hundred times as long or longer.
_GATHER = 0.002
# How often nothing has to end, for a tick each, until what is under way is cancelled when the run ends by an error.
_IDLE_TICKS = 20


class PooledCall(Protocol[T_co]):
    """A call under way; `PendingResponse` is one."""

    def poll(self, seconds: float) -> bool:
        """Wait so long at most, and tell whether it is over; may raise `ClaudeError`."""

    def result(self) -> T_co:
        """Return what came of it, or raise what went wrong."""

    def cancel(self) -> None:
        """End it without waiting; safe to call twice, or when it is over."""


class Watched(Protocol):
    """A call that says itself when there is something to look at."""

    def watch(self, tell: Callable[[], None]) -> None:
        """Have `tell` called, from any thread, whenever `poll` may find that it is over; at once if it is."""


class Delay(NamedTuple):
    """How long to wait before a call is repeated, in seconds, and whether no call of any item starts meanwhile."""

    seconds: float
    shared: bool = True


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
    call: PooledCall[T] | None = None


class Pool(Generic[I, T]):
    """Runs one call for each item.

    Args:
        start: Starts the call of an item and returns at once; None where it may not start yet: it is tried
            again when another call has ended, and the run ends if none is under way. What it raises ends the run: it
            concerns every item.
        at_once: How many calls may be under way, or the level that decides it.
        again: Given a call that failed and how often its item was repeated, returns how long to wait before it is
            repeated, None if it is not.
        spacing: The least number of seconds between the starts of two calls.
        around: Entered while the calls that have ended are looked at and taken, before others start in their place, and
            while those that are still under way are cancelled.
        clock: Monotonic seconds.
        sleep: Waits for some seconds: when nothing is under way, and for calls that are about to end.

    >>> class Square:
    ...     def __init__(self, number): self.number = number
    ...     def poll(self, seconds): return True
    ...     def result(self): return self.number ** 2
    ...     def cancel(self): pass
    >>> squares = {}
    >>> Pool(Square, at_once=2).run([3, 4], lambda finished: squares.update({finished.item: finished.result()}))
    >>> squares == {3: 9, 4: 16}
    True
    """

    def __init__(
        self,
        start: Callable[[I], PooledCall[T] | None],
        *,
        at_once: int | Level,
        again: Callable[[Finished[I, T], int], Delay | None] = lambda *_: None,
        spacing: float = 0.0,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._start = start
        self._level = Level(at_once, clock=clock) if isinstance(at_once, int) else at_once
        self._fixed = isinstance(at_once, int)
        self._again = again
        self._spacing = spacing
        self._around = around
        self._clock = clock
        self._sleep = sleep
        self._free_at = self._next_start = float("-inf")
        self._begin()

    def _begin(self) -> None:
        self._ready: deque[_Turn[I, T]] = deque()
        # Those that wait for a moment of their own, with a number that keeps them in order.
        self._later: list[tuple[float, int, _Turn[I, T]]] = []
        self._numbers = count()
        self._running: dict[int, _Turn[I, T]] = {}
        # The numbers of calls that have something to look at.
        self._told: SimpleQueue[int] = SimpleQueue()
        self._swept = self._clock()
        # The number of the call that was started last, and of the last one at the last look.
        self._newest = self._at_sweep = -1
        self.ended_early = False

    @property
    def pause(self) -> float:
        """How long no call starts because the service asked to wait, in seconds; 0 if it did not."""
        return max(0.0, self._free_at - self._clock())

    @property
    def running(self) -> int:
        """How many calls are under way."""
        return len(self._running)

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
            items: What to ask; only so many are drawn as can start soon, and one more.
            take: Called in this thread with each call that is over, in the order in which they end. What it raises
                ends the run; what a call raised does not.
            tick: Called in this thread several times a second.
            stopped: Asked now and then; once it says yes, the run ends.

        Raises:
            ClaudeInterrupt: the user stopped it.
        """
        self._begin()
        fresh: Iterator[_Turn[I, T]] = (_Turn(index, item, 0) for index, item in enumerate(items))
        try:
            while not stopped():
                filled = self._fill(fresh)
                if not self._running and not self._ready and not self._later:
                    break
                if not self._running and not filled:
                    # The next may not start, and nothing is under way whose end could allow it.
                    self.ended_early = True
                    break
                if not self._running:
                    self._sleep(min(_TICK, max(self.pause, self._until_next(), 0.0)))
                # Waited for outside, because what is entered may keep others waiting.
                numbers = self._arrived()
                if numbers:
                    with self._around():
                        for turn, finished in self._finished(numbers):
                            self._settle(turn, finished, take)
                elif not self._ready:
                    # While there is nothing else to do, because to draw an item may take its time.
                    self._ready.extend(islice(fresh, 1))
                tick()
        except errors.ClaudeError:
            with suppress(KeyboardInterrupt):
                self._await_others(take)
            raise
        except KeyboardInterrupt:
            raise errors.ClaudeInterrupt from None
        finally:
            if self._running:
                with self._around():
                    for turn in self._running.values():
                        if turn.call is not None:
                            turn.call.cancel()

    def _await_others(self, take: Callable[[Finished[I, T]], None]) -> None:
        """Wait for a second for calls that end by themselves: the others are refused too, which costs nothing.

        A call that is cancelled while it is under way may cost as much as its whole answer.
        """
        # All of them at first: some may have said that they are over when the error came.
        numbers, idle = list(self._running), 0
        while self._running and idle < _IDLE_TICKS:
            before = len(self._running)
            with self._around():
                for _, finished in self._finished(numbers):
                    if finished.error is None:
                        take(finished)
            numbers = self._arrived()
            idle += len(self._running) == before

    def _fill(self, fresh: Iterator[_Turn[I, T]]) -> bool:
        """Start what may start now; False where the next may not start yet."""
        while self._later and self._later[0][0] <= self._clock():
            self._ready.appendleft(heappop(self._later)[2])
        while len(self._running) < self._level.allowed and not self.pause:
            # Drawn first: a call that waits for its moment keeps the run going.
            if not self._ready:
                self._ready.extend(islice(fresh, 1))
            if not self._ready or (self._spacing and self._clock() < self._next_start):
                break
            turn = self._ready.popleft()
            call = self._start(turn.item)
            if call is None:
                self._ready.appendleft(turn)
                return False
            self._next_start = max(self._next_start, self._clock()) + self._spacing
            self._newest = number = next(self._numbers)
            self._running[number] = _Turn(turn.index, turn.item, turn.attempt, call)
            if _is_watched(call):
                call.watch(partial(self._told.put, number))
        return True

    def _until_next(self) -> float:
        """Return how long nothing can start although nothing is under way, in seconds."""
        moments = [self._next_start] if self._spacing else []
        if self._later and not self._ready:
            moments.append(self._later[0][0])
        return max([0.0, *[moment - self._clock() for moment in moments]])

    def _settle(
        self, turn: _Turn[I, T], finished: Finished[I, T], take: Callable[[Finished[I, T]], None]
    ) -> None:
        """Hand over what a call has come to, or have it repeated."""
        if not self._fixed:
            if finished.error is None:
                self._level.answered()
            elif isinstance(finished.error, errors.RateLimited):
                self._level.refused(len(self._running))
            else:
                self._level.failed()
        delay = None if finished.error is None else self._again(finished, turn.attempt)
        if delay is None:
            take(finished)
            return
        next_turn: _Turn[I, T] = _Turn(turn.index, turn.item, turn.attempt + 1)
        if delay.shared:
            # The longest wait holds, not the sum: calls that were under way together are refused together.
            self._free_at = max(self._free_at, self._clock() + delay.seconds)
            self._ready.appendleft(next_turn)
        else:
            heappush(self._later, (self._clock() + delay.seconds, next(self._numbers), next_turn))

    def _finished(self, numbers: Iterable[int]) -> Iterator[tuple[_Turn[I, T], Finished[I, T]]]:
        """Take out the calls that are over; of those that cannot be watched the first look waits a tick."""
        # Only the first look waits, so that a round of looks takes one tick however many are under way.
        wait = 0.0 if self._is_watched() else _TICK
        for number in numbers:
            turn = self._running.get(number)
            if turn is None or turn.call is None:
                continue
            try:
                if not turn.call.poll(wait):
                    continue
                finished = Finished(turn.index, turn.item, turn.call.result())
            except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this item only
                finished = Finished(turn.index, turn.item, error=error)
            finally:
                wait = 0.0
            del self._running[number]
            yield turn, finished

    def _is_watched(self) -> bool:
        return bool(self._running) and _is_watched(next(iter(self._running.values())).call)

    def _arrived(self) -> list[int]:
        """Return the calls to look at: those that have said something, each once; now and then all older ones."""
        if not self._is_watched():
            return list(self._running)
        if self._clock() - self._swept >= _SWEEP:
            until, self._at_sweep, self._swept = self._at_sweep, self._newest, self._clock()
            return [number for number in self._running if number <= until]
        told: dict[int, None] = {}
        with suppress(Empty):
            told[take_item(self._told, _TICK)] = None
            self._take_told(told)
            if len(told) < min(_FEW, len(self._running)):
                self._sleep(_GATHER)
                self._take_told(told)
        return list(told)

    def _take_told(self, told: dict[int, None]) -> None:
        """Add the numbers that are there, a few at a time, so that others start in their place before all are taken."""
        with suppress(Empty):
            while len(told) < _FEW:
                told[self._told.get_nowait()] = None


def _is_watched(call: object) -> TypeGuard[Watched]:
    # `isinstance` looks at every attribute of a protocol, which takes 15 microseconds (CPython 3.11).
    return hasattr(call, "watch")
