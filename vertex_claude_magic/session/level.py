"""How many calls may be under way: all at first, half after a refusal, and back up with each answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Level"]

# Seconds after a refusal in which another one lowers nothing: those that were under way together are refused together.
_TOGETHER = 1.0


class Level:
    """The number of calls that may be under way.

    Args:
        most: Its upper bound, where it begins.
        alone: Whether the first call goes alone, so that the rest can read what it wrote to the prompt cache.
        clock: Monotonic seconds.

    >>> level = Level(8, clock=lambda: 0.0)
    >>> level.refused()
    >>> level.allowed
    4
    >>> for _ in range(4):
    ...     level.answered()
    >>> level.allowed
    8
    """

    def __init__(
        self, most: int, *, alone: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self._now = most
        self._alone = alone
        self._clock = clock
        self._lowered_at = float("-inf")

    @property
    def allowed(self) -> int:
        """How many calls may be under way now."""
        return 1 if self._alone else self._now

    def answered(self) -> None:
        """Note that the service answered: one more may be under way."""
        self._alone = False
        self._now = min(self.most, self._now + 1)

    def failed(self) -> None:
        """Note that a call ended without an answer, and without being asked to slow down."""
        self._alone = False

    def refused(self) -> None:
        """Note that the service asked to slow down: half as many may be under way."""
        if self._clock() - self._lowered_at >= _TOGETHER:
            self._lowered_at = self._clock()
            self._now = max(1, self._now // 2)
