"""When a row that failed is asked again, and after which wait: a table of errors, with time and chance handed in."""

from __future__ import annotations

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.session.pool import Delay
from vertex_claude_magic.tables.row_retries import RowRetries
from vertex_claude_magic.transport.retry import RetryPolicy


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def made(clock: Clock | None = None, retries: int = 2) -> RowRetries:
    policy = RetryPolicy(retries=retries, first_wait=0.5, longest_wait=60.0)
    return RowRetries(policy, clock=clock or Clock(), chance=lambda: 0.0)


def refused(kind: type[errors.ClaudeError] = errors.RateLimited, **details: object) -> errors.ClaudeError:
    return kind("Refused.", cure="Wait.", details={"may_retry": True, **details})


ONE, ALL = {"shared": False}, {"shared": True}
RULES = [
    # What the service asks for holds for all rows, and nearly as often as it asks.
    (refused(retry_after=7.0), 0, Delay(7.0, **ALL)),
    (refused(retry_after=7.0), 29, Delay(7.0, **ALL)),
    (refused(retry_after=7.0), 30, None),
    (refused(retry_after=60.0), 0, Delay(60.0, **ALL)),
    (refused(retry_after=61.0), 0, None),
    (refused(errors.QuotaExceeded, retry_after=3.0), 0, Delay(3.0, **ALL)),
    (refused(errors.ServerError, retry_after=0.0), 0, Delay(0.0, **ALL)),
    # Without, each row waits for itself, longer each time.
    (refused(), 0, Delay(0.5, **ONE)),
    (refused(), 2, Delay(2.0, **ONE)),
    (refused(errors.Overloaded), 0, Delay(0.5, **ONE)),
    (refused(errors.ServerError), 5, Delay(8.0, **ONE)),
    (refused(errors.ServerError), 6, None),
    (refused(errors.NetworkError), 0, Delay(0.5, **ONE)),
    # An answer that broke off is asked anew at once.
    (errors.StreamInterrupted("Cut.", cure="x"), 0, Delay(0.0, **ONE)),
    (errors.StreamInterrupted("Cut.", cure="x"), 6, None),
    # What would fail again is not asked again.
    (errors.QuotaExceeded("Used up.", cure="x"), 0, None),
    (errors.BadRequest("No.", cure="x"), 0, None),
    (errors.DeadlineExceeded("Late.", cure="x"), 0, None),
    (ZeroDivisionError(), 0, None),
]


@pytest.mark.parametrize(("error", "attempt", "wanted"), RULES)
def test_what_is_asked_again_and_when(error, attempt, wanted):
    """Three times as often as a question, whose policy here has two retries."""
    assert made().delay(error, attempt, alone=False) == wanted


@pytest.mark.parametrize("error", [error for error, _, _ in RULES])
def test_without_retries_nothing_is_asked_again(error):
    assert made(retries=0).delay(error, 0, alone=False) is None


def test_where_nothing_gets_through_all_rows_wait_longer_each_time():
    """One row alone is refused again and again; a row that is answered ends that."""
    retries = made()
    waits = [retries.delay(refused(), 0, alone=True) for _ in range(4)]
    assert waits == [Delay(0.5, **ONE), Delay(2.0, **ALL), Delay(4.0, **ALL), Delay(8.0, **ALL)]
    retries.answered()
    assert retries.delay(refused(), 0, alone=True) == Delay(0.5, **ONE)


def test_of_rows_that_are_under_way_together_each_waits_for_itself():
    """However many are refused: the level falls instead."""
    retries = made()
    assert [retries.delay(refused(), 0, alone=False) for _ in range(4)] == [Delay(0.5, **ONE)] * 4


def test_refusals_are_waited_out_for_five_minutes_without_an_answer():
    clock = Clock()
    retries = made(clock)
    clock.now = 300.0
    assert retries.delay(refused(), 0, alone=False) is not None
    clock.now = 301.0
    assert retries.delay(refused(), 0, alone=False) is None
    retries.answered()
    assert retries.delay(refused(), 0, alone=False) is not None
