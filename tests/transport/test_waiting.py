"""Waiting on a queue for a time."""

from __future__ import annotations

import itertools
import threading
from queue import Empty, SimpleQueue

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.transport.waiting import take, wait_for


class Watched(SimpleQueue):
    """A queue that says how it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def get_nowait(self):
        self.asked.append("at once")
        return super().get_nowait()

    def get(self, block=True, timeout=None):
        self.asked.append(timeout)
        return super().get(block, timeout)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_where_there_is_no_time_nothing_waits(seconds):
    """A get with a time that is over already might never come back."""
    queue = Watched()
    with pytest.raises(Empty):
        take(queue, seconds)
    assert queue.asked == ["at once"]


def test_a_wait_begins_with_a_look():
    """CPython up to 3.12 may otherwise wait without end where the time is very short."""
    queue = Watched()
    with pytest.raises(Empty):
        take(queue, 1e-6)
    assert queue.asked == ["at once", 1e-6]


def test_what_is_there_is_taken_in_its_order():
    """Without a wait."""
    queue = Watched()
    queue.put("a")
    queue.put("b")
    assert [take(queue, 9.0), take(queue, 0.0)] == ["a", "b"]
    assert queue.asked == ["at once", "at once"]


def test_long_work_is_waited_for_with_a_tick_between_two_looks():
    ticked = threading.Event()
    assert wait_for(lambda: ticked.wait(60), seconds=60.0, tick=ticked.set)


def test_work_that_takes_too_long_is_left():
    """The time is that of the clock that is handed in."""
    left = threading.Event()
    moments = itertools.count(0.0, 5.0)
    with pytest.raises(errors.CredentialsNotFound, match="No Google credentials within 12 seconds"):
        wait_for(lambda: left.wait(60), seconds=12.0, clock=lambda: next(moments))
    left.set()


def test_what_work_raises_is_raised_without_its_frames():
    """They may hold the headers of a request, and with them the token."""

    def work() -> None:
        token = "ya29.secret"
        raise ValueError(len(token))

    with pytest.raises(ValueError, match="11") as caught:
        wait_for(work, seconds=60.0)
    assert "work" not in [entry.name for entry in caught.traceback]
