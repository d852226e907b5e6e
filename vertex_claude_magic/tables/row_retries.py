"""When a row of a table run that failed is asked again, and after which wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.session.pool import Delay
from vertex_claude_magic.transport.retry import backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.transport.retry import RetryPolicy

__all__ = ["RowRetries"]

# A row is sent again so many times as often as a question of its own, because a run is watched by nobody.
_MORE_RETRIES = 3
# How often at most where the service says how long to wait: it knows.
_MOST_ASKED = 30
# Seconds without any answer after which refusals are no longer waited out.
_PATIENCE = 300.0


class RowRetries:
    """The retries of one run.

    Args:
        policy: How often a question is sent again, and how long it may be waited.
        clock: Monotonic seconds.
        chance: A random number from 0 to 1, for the waits.

    >>> from vertex_claude_magic.transport.retry import RetryPolicy
    >>> retries = RowRetries(RetryPolicy(retries=2), clock=lambda: 0.0, chance=lambda: 0.0)
    >>> refused = errors.RateLimited("Too many.", cure="Wait.", details={"may_retry": True, "retry_after": 7.0})
    >>> retries.delay(refused, 0, alone=False)
    Delay(seconds=7.0, shared=True)
    """

    def __init__(
        self, policy: RetryPolicy, *, clock: Callable[[], float], chance: Callable[[], float]
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._most = policy.retries * _MORE_RETRIES
        self._last_answer = clock()
        self._refusals = 0

    def answered(self) -> None:
        """Note that a row has its answer: the service lets some through."""
        self._last_answer, self._refusals = self._clock(), 0

    def delay(self, error: Exception, attempt: int, *, alone: bool) -> Delay | None:
        """Return how long to wait before a row is asked again, None if it is not.

        Args:
            error: What went wrong.
            attempt: How often it was asked again already.
            alone: Whether no more than one row may be under way.
        """
        if isinstance(error, errors.StreamInterrupted):
            return Delay(0.0, shared=False) if attempt < self._most else None
        may = isinstance(error, (errors.APIError, errors.NetworkError)) and error.details.get("may_retry")
        if not may or not self._most:
            return None
        asked = error.details.get("retry_after") if isinstance(error, errors.ClaudeError) else None
        if asked is not None:
            return Delay(asked) if asked <= self._policy.longest_wait and attempt < _MOST_ASKED else None
        if isinstance(error, errors.RateLimited):
            # The level falls meanwhile. Where nothing gets through any more, all wait, longer each time.
            self._refusals += 1
            if self._clock() - self._last_answer > _PATIENCE:
                return None
            blocked = alone and self._refusals > 1
            turn = self._refusals if blocked else attempt
            return Delay(backoff(min(turn, 10), self._policy, self._chance), shared=blocked)
        wait = Delay(backoff(attempt, self._policy, self._chance), shared=False)
        return wait if attempt < self._most else None
