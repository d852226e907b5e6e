"""A pool that finds its own level: half after a refusal, back up with answers; limits, spacing, watched calls."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import pairwise
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from test_pool import Clock, FakeCall, Service, busy, run

from vertex_claude_magic import errors
from vertex_claude_magic.process import ReusableThreads
from vertex_claude_magic.session.level import Level
from vertex_claude_magic.session.pool import Delay, Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def test_a_burst_of_refusals_halves_the_level_once():
    """Those that were under way together were refused together; a later one halves it again."""
    now = [0.0]
    level = Level(64, clock=lambda: now[0])
    for _ in range(40):
        level.answered()
    for running in range(63, 57, -1):
        level.refused(running)
    assert level.allowed == 32
    now[0] = 2.0
    level.refused(31)
    assert level.allowed == 16
    for moment in range(3, 20):
        now[0] = float(moment)
        level.refused(20)
    assert level.allowed == 1


def test_no_more_start_than_are_under_way_when_one_is_refused():
    """Of 16 that were sent the service took 4: others in the place of the refused would be refused as well."""
    level = Level(16, clock=lambda: 0.0)
    for running in range(15, 3, -1):
        level.refused(running)
    assert level.allowed <= 4


def test_many_refusals_are_many_of_the_last_ones():
    """However long a run has gone well before."""
    level = Level(64, clock=lambda: 0.0)
    for _ in range(400):
        level.answered()
    for _ in range(8):
        level.refused(20)
    assert level.allowed == 32
    level.refused(20)
    assert level.allowed == 20


def test_each_answer_lets_one_more_start_up_to_the_bound():
    """So that a level that was halved by a refusal now and then is back after as many answers as it lost."""
    level = Level(64, clock=lambda: 0.0)
    for _ in range(40):
        level.answered()
    level.refused(63)
    assert level.allowed == 32
    for _ in range(32):
        level.answered()
    assert level.allowed == 64


def test_a_limit_that_was_found_is_crossed_slowly():
    """Where most were refused, one more is tried for eight answers."""
    level = Level(16, clock=lambda: 0.0)
    for running in range(15, 3, -1):
        level.refused(running)
    before = level.allowed
    for _ in range(7):
        level.answered()
    assert level.allowed <= 4
    for _ in range(80):
        level.answered()
    assert before < level.allowed < 16


@pytest.mark.parametrize("end", ["answered", "failed"])
def test_the_first_call_goes_alone_where_the_rest_shall_read_its_cache(end):
    """Until it has ended, whatever it came to."""
    level = Level(8, alone=True, clock=lambda: 0.0)
    assert level.allowed == 1
    getattr(level, end)()
    assert level.allowed == 8


def test_a_storm_of_refusals_lowers_what_is_under_way_and_every_item_is_answered():
    """Case 78: of a service that takes 4 at a time; no item is lost, and the refusals stay few."""
    service = Service(1.0)
    level = Level(16, clock=service.clock)
    start = service.start

    def limited(item: int) -> FakeCall:
        call = start(item)
        if service.running() > 4:
            call.seconds, call.ends = 0.0, busy(None)
        return call

    pool = Pool(
        limited, at_once=level, clock=service.clock, sleep=service.clock.sleep,
        again=lambda error, attempt: Delay(0.5 * 2**attempt, shared=False) if attempt < 9 else None,
    )  # fmt: skip
    found = run(pool, range(60))
    assert sorted(each.value for each in found) == [number * 10 for number in range(60)]
    assert len(service.calls) < 60 * 1.6


def test_a_wait_of_its_own_lets_the_others_go_on():
    """Only the item that was refused waits."""
    service = Service()
    service.refuse = {0: [busy(None)]}
    pool = service.pool(2, again=lambda error, attempt: Delay(10.0, shared=False))
    found = run(pool, range(6))
    assert [each.item for each in found] == [1, 2, 3, 4, 5, 0]
    assert pool.pause == 0.0
    assert 10 < service.clock.now < 13


def test_an_item_without_room_waits_for_a_call_to_end():
    """And the run ends early where none is under way that could make some."""
    service = Service()
    spent = [0]

    def start(item: int) -> FakeCall | None:
        if spent[0] + service.running() >= 3:
            return None
        return service.start(item)

    def take(finished: object) -> None:
        spent[0] += 1

    pool = Pool(start, at_once=2, clock=service.clock, sleep=service.clock.sleep)
    pool.run(range(9), take)
    assert (service.items, pool.ended_early) == ([0, 1, 2], True)
    pool = service.pool(2)
    assert len(run(pool, range(9))) == 9
    assert not pool.ended_early


def test_starts_keep_their_distance():
    """For a bound on requests a minute."""
    service = Service(0.1)
    run(service.pool(8, spacing=1.0), range(5))
    starts = [call.started for call in service.calls]
    assert all(later - earlier >= 0.999 for earlier, later in pairwise(starts))
    assert starts[-1] < 4.5


class WatchedCall:
    """A call that says itself when it is over."""

    def __init__(self) -> None:
        self.looks = 0
        self.over = threading.Event()
        self.tell: Callable[[], None] | None = None

    def watch(self, tell: Callable[[], None]) -> None:
        self.tell = tell
        if self.over.is_set():
            tell()

    def end(self) -> None:
        self.over.set()
        if self.tell is not None:
            self.tell()

    def poll(self, seconds: float) -> bool:
        self.looks += 1
        return self.over.is_set()

    def result(self) -> str:
        return "done"

    def cancel(self) -> None:
        self.over.set()


def test_a_watched_call_is_looked_at_when_it_has_something_to_say():
    """So that a hundred that wait cost nothing; one that was over before is noticed too."""
    clock = Clock()
    calls = [WatchedCall() for _ in range(100)]
    calls[7].end()
    ended = iter(range(100))
    pool = Pool(lambda item: calls[item], at_once=100, clock=clock)
    found = run(pool, range(100), tick=lambda: calls[next(ended, 99)].end())
    assert sorted(each.item for each in found) == list(range(100))
    assert sum(call.looks for call in calls) <= 110


def test_one_item_is_drawn_ahead_while_nothing_has_ended():
    """To make the next rows of a table ready takes some milliseconds, in which a call that has ended would wait."""
    calls, drawn, looks = [WatchedCall() for _ in range(4)], list[int](), list[int]()

    def rows() -> Iterator[int]:
        for number in range(4):
            drawn.append(number)
            yield number

    def tick() -> None:
        looks.append(len(drawn))
        if len(looks) >= 3:
            for call in calls:
                call.end()

    run(Pool(lambda item: calls[item], at_once=2, clock=Clock()), rows(), tick=tick)
    assert looks[:3] == [3, 3, 3]
    assert drawn == [0, 1, 2, 3]


def test_all_watched_calls_are_looked_at_once_in_a_while():
    """For their deadlines, which nobody tells."""
    clock, call = Clock(), WatchedCall()

    class Late(WatchedCall):
        def poll(self, seconds: float) -> bool:
            raise errors.DeadlineExceeded("Late.", cure="Ask again.")

    late = Late()
    calls = [late, call]

    def tick() -> None:
        clock.now += 0.6
        if late.looks == 0 and clock.now > 5:
            call.end()

    found = run(Pool(lambda item: calls[item], at_once=2, clock=clock), range(2), tick=tick)
    assert isinstance(found[0].error, errors.DeadlineExceeded)


def test_a_watched_call_that_is_over_within_a_second_is_looked_at_once():
    """A look for nothing costs as much as to take the answer, and adds the call to the journal twice over."""
    clock, calls, under_way = Clock(), [WatchedCall() for _ in range(12)], list[WatchedCall]()

    def start(item: int) -> WatchedCall:
        under_way.append(calls[item])
        return calls[item]

    def tick() -> None:
        clock.now += 0.5
        if under_way:
            under_way.pop(0).end()

    run(Pool(start, at_once=2, clock=clock), range(12), tick=tick)
    assert [call.looks for call in calls] == [1] * 12


@pytest.mark.parametrize(("there", "waits"), [(1, 1), (7, 1), (8, 0), (12, 0)])
def test_calls_that_end_shortly_after_one_another_are_taken_together(there, waits):
    """So that they are one transaction of the journal; a handful is not kept waiting for more."""
    calls, slept, together = [WatchedCall() for _ in range(12)], list[float](), list[int]()

    def end_others() -> None:
        for call in calls[there:]:
            call.end()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        end_others()

    @contextmanager
    def around() -> Iterator[None]:
        before = len(taken)
        yield
        together.append(len(taken) - before)

    taken = list[object]()
    for call in calls[:there]:
        call.end()
    pool = Pool(lambda item: calls[item], at_once=12, clock=Clock(), sleep=sleep, around=around)
    pool.run(range(12), taken.append, tick=end_others)
    assert (together, len(slept)) == ([8, 4], waits)
    assert sum(slept) < 0.01


def test_a_call_that_is_under_way_alone_is_taken_at_once():
    """Nothing else can end meanwhile."""
    slept = list[float]()

    def start(item: int) -> WatchedCall:
        call = WatchedCall()
        call.end()
        return call

    assert len(run(Pool(start, at_once=1, clock=Clock(), sleep=slept.append), range(5))) == 5
    assert not slept


def test_threads_are_used_again():
    """Case 83: no thread for each row; `close` ends those that wait."""
    threads, names, done = ReusableThreads(), set(), threading.Semaphore(0)

    def work() -> None:
        names.add(threading.get_ident())
        done.release()

    before = threading.active_count()
    for _ in range(200):
        threads.start(work, "test-threads")
        done.acquire()
    assert len(names) < 20
    threads.close()
    while any(thread.name == "test-threads" for thread in threading.enumerate()):
        pass
    assert threading.active_count() <= before


@pytest.mark.parametrize("reusable", [True, False])
def test_there_are_never_more_threads_than_the_limit(reusable):
    """Work that comes before a thread is free waits for it, also where the thread would have ended."""
    threads, ran = ReusableThreads(at_most=1), SimpleQueue()

    def last() -> bool:
        ran.put(threading.get_ident())
        return reusable

    def first() -> bool:
        # Its own thread is not free before it returns.
        threads.start(last, "another")
        ran.put(threading.get_ident())
        return reusable

    for _ in range(3):
        threads.start(first, "test-limit")
        assert ran.get(timeout=60) == ran.get(timeout=60)
    threads.close()
