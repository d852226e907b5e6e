"""Many calls at once: bounded, one pause for all, one stop for all; by a clock that only the tests move."""

from __future__ import annotations

import _thread
import itertools
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic import Claude, ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.session.pool import Delay, Finished, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Clock:
    """Seconds that pass when a pool waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


class FakeCall:
    """A call that is over after so many seconds of the clock."""

    def __init__(self, clock: Clock, seconds: float, ends: object) -> None:
        self.clock, self.started, self.seconds, self.ends = clock, clock.now, seconds, ends
        self.cancelled = False

    def poll(self, seconds: float) -> bool:
        if self.clock.now < self.started + self.seconds:
            self.clock.now += seconds
        return self.clock.now >= self.started + self.seconds

    def result(self) -> object:
        if isinstance(self.ends, BaseException):
            raise self.ends
        return self.ends

    def cancel(self) -> None:
        self.cancelled = True


class Service:
    """Starts calls, and keeps them with the time at which each started."""

    def __init__(self, seconds: float | Callable[[int], float] = 1.0) -> None:
        self.clock = Clock()
        self.calls: list[FakeCall] = []
        self.items: list[int] = []
        self.refuse: dict[int, list[Exception]] = {}
        self._seconds = seconds if callable(seconds) else lambda _: seconds

    def start(self, item: int) -> FakeCall:
        refused = self.refuse.get(item)
        self.items.append(item)
        self.calls.append(FakeCall(self.clock, self._seconds(item), refused.pop(0) if refused else item * 10))
        return self.calls[-1]

    def pool(self, at_once: int = 4, **options) -> Pool[int, object]:
        return Pool(self.start, at_once=at_once, clock=self.clock, sleep=self.clock.sleep, **options)

    def running(self) -> int:
        return sum(self.clock.now < call.started + call.seconds for call in self.calls)


def run(pool: Pool, items, **options) -> list[Finished]:
    found: list[Finished] = []
    pool.run(items, found.append, **options)
    return found


def busy(seconds: float) -> errors.RateLimited:
    return errors.RateLimited("Too many requests.", cure="Wait.", details={"retry_after": seconds})


def as_asked(finished: Finished, attempt: int) -> Delay | None:
    """Three times, after the wait that the refusal names."""
    return Delay(finished.error.details["retry_after"]) if attempt < 3 else None


def test_every_item_has_its_result_with_its_place():
    """Calls end in any order; the index tells the place."""
    service = Service(lambda item: 5 - item % 5)
    found = run(service.pool(), range(20))
    assert sorted((each.index, each.item, each.value) for each in found) == [
        (number, number, number * 10) for number in range(20)
    ]
    assert [each.index for each in found] != list(range(20))


def test_items_start_in_their_order():
    """And each once."""
    service = Service(lambda item: item % 3)
    run(service.pool(), range(20))
    assert service.items == list(range(20))


def test_no_more_fly_than_the_bound():
    """And as many as that, while there are items."""
    service, most = Service(), []
    run(service.pool(8), range(50), tick=lambda: most.append(service.running()))
    assert max(most) == 8


@pytest.mark.parametrize("seconds", [0.0, 0.1, 5.0])
def test_calls_that_may_not_start_too_soon_start_later(seconds):
    """All of them, also where each is over before the next may start."""
    service = Service(seconds)
    found = run(service.pool(spacing=1.0), range(6))
    assert sorted(each.item for each in found) == [*range(6)]
    starts = [call.started for call in service.calls]
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(starts))


def test_items_are_drawn_as_they_are_needed():
    """A table of a hundred thousand rows is not held as a list of calls."""
    service, drawn, ahead = Service(), [], []

    def rows() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    run(service.pool(8), rows(), tick=lambda: ahead.append(len(drawn) - len(service.items)))
    assert len(drawn) == 1000
    assert max(ahead) <= 8


class Odd:
    """As an array: comparing it is an error."""

    def __eq__(self, other: object) -> bool:
        raise ValueError("ambiguous")

    __hash__ = None


def test_items_need_not_be_comparable():
    """Nor hashable."""
    clock = Clock()
    found = run(Pool(lambda _: FakeCall(clock, 0.0, 1), at_once=4), [Odd() for _ in range(9)])
    assert sorted(each.index for each in found) == list(range(9))


def test_what_goes_wrong_with_one_hurts_only_it():
    """Whatever it raises."""
    service = Service()
    service.refuse = {2: [errors.BadRequest("No.", cure="x")], 3: [ZeroDivisionError()]}
    found = {each.item: each for each in run(service.pool(), range(6))}
    assert isinstance(found[2].error, errors.BadRequest)
    assert isinstance(found[3].error, ZeroDivisionError)
    assert [found[item].value for item in (0, 1, 4, 5)] == [0, 10, 40, 50]
    with pytest.raises(errors.BadRequest):
        found[2].result()


def test_a_refusal_with_a_wait_pauses_all_once():
    """Four that flew together are refused together; nothing starts for seven seconds, and not for 28."""
    service = Service()
    service.refuse = {item: [busy(7.0)] for item in range(4)}
    found = run(service.pool(again=as_asked), range(8))
    assert sorted(each.value for each in found) == [number * 10 for number in range(8)]
    starts = [call.started for call in service.calls]
    assert starts[:4] == [0.0] * 4
    assert 8.0 <= starts[4] < 8.5
    assert len(starts) == 12
    assert service.clock.now < 12


def test_what_is_under_way_goes_on_during_a_pause():
    """Only new calls wait."""
    service = Service(lambda item: 1.0 if item == 0 else 3.0)
    service.refuse = {0: [busy(10.0)]}
    finished: list[tuple[float, int]] = []
    service.pool(again=as_asked).run(range(4), lambda each: finished.append((service.clock.now, each.item)))
    assert [item for _, item in finished] == [1, 2, 3, 0]
    assert finished[2][0] < 4
    assert finished[3][0] >= 12


def test_the_longest_of_several_waits_holds():
    """A second refusal never makes a pause shorter."""
    service = Service()
    service.refuse = {0: [busy(9.0)], 1: [busy(2.0)]}
    run(service.pool(again=as_asked), range(3))
    assert [call.started >= 10 for call in service.calls] == [False, False, False, True, True]


def test_a_pause_can_be_shown():
    """In seconds that are left."""
    service, left = Service(), []
    service.refuse = {0: [busy(5.0)]}
    pool = service.pool(again=as_asked)
    run(pool, range(2), tick=lambda: left.append(pool.pause))
    assert 4.5 < max(left) <= 5.0
    assert pool.pause == 0.0


def test_a_refusal_is_repeated_as_often_as_again_says():
    """Then it is the result."""
    service = Service()
    service.refuse = {0: [busy(1.0)] * 10}
    (found,) = run(service.pool(again=as_asked), [0])
    assert isinstance(found.error, errors.RateLimited)
    assert len(service.calls) == 4


def test_a_stop_ends_all():
    """Nothing new starts, and what flies is cancelled."""
    service = Service(100.0)
    found = run(service.pool(8), range(50), stopped=lambda: len(service.calls) >= 8 and service.clock.now > 1)
    assert found == []
    assert len(service.calls) == 8
    assert all(call.cancelled for call in service.calls)


def test_what_a_stop_cancels_is_one_block_of_whatever_surrounds_it():
    """So that a journal can write it together."""
    service, blocks = Service(100.0), list[list[bool]]()

    @contextmanager
    def around() -> Iterator[None]:
        yield
        blocks.append([call.cancelled for call in service.calls])

    run(service.pool(8, around=around), range(50), stopped=lambda: service.clock.now > 1)
    assert blocks[-1] == [True] * 8


def test_a_stop_ends_a_pause():
    """Within one tick."""
    service = Service()
    service.refuse = {0: [busy(50.0)]}
    run(service.pool(again=as_asked), [0], stopped=lambda: service.clock.now >= 2)
    assert service.clock.now < 2.2


def test_what_the_caller_raises_ends_all():
    """For an error that concerns every item."""
    service = Service(lambda item: 1.0 if item == 2 else 100.0)

    def take(finished: Finished) -> None:
        raise errors.PermissionDenied("No.", cure="x")

    with pytest.raises(errors.PermissionDenied):
        service.pool().run(range(10), take)
    assert [call.cancelled for call in service.calls] == [True, True, False, True]


def test_what_cannot_start_ends_all():
    """No thread is no thread for every item."""
    service = Service(100.0)

    def start(item: int) -> FakeCall:
        if item == 2:
            raise errors.ThreadUnavailable("None.", cure="x")
        return service.start(item)

    with pytest.raises(errors.ThreadUnavailable):
        Pool(start, at_once=4, clock=service.clock).run(range(10), print)
    assert [call.cancelled for call in service.calls] == [True, True]


# With the transport's own exchanges


@pytest.fixture
def client(claude_emulator):
    return Claude(
        project=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
        journal="off",
    )


def exchanges(client: Claude, at_once: int, **options) -> Pool[str, object]:
    def start(prompt: str):
        request = client.request(prompt, no_stream=True)
        return client._session.send(request, client._session.target(), retry=False)

    return Pool(start, at_once=at_once, **options)


def test_exchanges_are_polled_by_one_thread(client, claude_emulator):
    """Each answer is whole, and each is that of its own question."""
    found = run(exchanges(client, 4), [f"Question {number}" for number in range(12)])
    assert len(found) == 12
    for each in found:
        assert each.item in str(each.value["content"])
    assert not [thread for thread in threading.enumerate() if thread.name == "vertex-claude-work"]


def test_the_wait_that_a_server_names_pauses_all_exchanges_once(client, claude_emulator):
    """On the wire: the four under way are refused, one pause, then each question goes out again."""
    claude_emulator.fail(*[Fault(status=429, headers={"Retry-After": "0.4"})] * 4)
    pauses, before = [], time.monotonic()

    def again(finished: Finished, attempt: int) -> Delay | None:
        pauses.append(as_asked(finished, attempt))
        return pauses[-1]

    found = run(exchanges(client, 4, again=again), [f"Question {number}" for number in range(8)])
    assert [each.error for each in found] == [None] * 8
    assert pauses == [Delay(0.4)] * 4
    assert time.monotonic() - before >= 0.4
    assert len([each for each in claude_emulator.requests if ":rawPredict" in each.path]) == 12


def test_an_interrupt_cancels_exchanges_in_less_than_a_second(client, claude_emulator):
    """A server that says nothing does not hold it up."""
    claude_emulator.fail(*[Fault(delay=600)] * 4)
    pressed = []

    def tick() -> None:
        if len(claude_emulator.requests) >= 4 and not pressed:
            pressed.append(time.monotonic())
            _thread.interrupt_main()

    with pytest.raises(ClaudeInterrupt):
        run(exchanges(client, 4), ["a", "b", "c", "d", "e"], tick=tick)
    assert time.monotonic() - pressed[0] < 1
