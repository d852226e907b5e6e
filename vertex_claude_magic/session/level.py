"""How many calls may be under way: all at first, half after a refusal, and back up with each answer."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Level"]

# Seconds after a refusal in which another one halves nothing: those that were under way together are refused together.
_TOGETHER = 1.0
# Answers that it takes to try one call more than the service took when it refused many.
_PROBE = 8
# Of so many of the last answers and refusals, the share of refusals from which on they are a limit and no accident.
_LOOKED_AT, _MANY = 40, 0.2


class Level:
    """The number of calls that may be under way.

    It grows with each answer. Where many calls are refused, no more start than are under way then, and it grows slowly
    beyond that, because each step may be refused.

    Args:
        most: Its upper bound, where it begins.
        alone: Whether the first call goes alone, so that the rest can read what it wrote to the prompt cache.
        clock: Monotonic seconds.

    >>> level = Level(8, clock=lambda: 0.0)
    >>> level.refused(7)
    >>> level.allowed
    3
    >>> for _ in range(3):
    ...     level.answered()
    >>> level.allowed
    6
    """

    def __init__(
        self, most: int, *, alone: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self._now = self._ceiling = most
        self._alone = alone
        self._clock = clock
        self._lowered_at = float("-inf")
        self._answers = 0
        # Whether each of the last calls was refused.
        self._refused: deque[bool] = deque(maxlen=_LOOKED_AT)

    @property
    def allowed(self) -> int:
        """How many calls may be under way now."""
        return 1 if self._alone else self._now

    def answered(self) -> None:
        """Note that the service answered."""
        self._alone = False
        self._refused.append(False)
        self._answers += 1
        if self._now < self._ceiling or self._answers >= _PROBE:
            self._answers = 0
            self._now = min(self.most, self._now + 1)
            self._ceiling = max(self._ceiling, self._now)

    def failed(self) -> None:
        """Note that a call ended without an answer, and without being asked to slow down."""
        self._alone = False

    def refused(self, running: int) -> None:
        """Note that the service asked to slow down, while so many other calls were under way."""
        self._answers = 0
        self._refused.append(True)
        if sum(self._refused) > _MANY * len(self._refused):
            # What has just been refused would be refused again in its place.
            self._now = self._ceiling = max(1, min(self._now, running))
        if self._clock() - self._lowered_at >= _TOGETHER:
            self._lowered_at = self._clock()
            self._now = max(1, self._now // 2)
