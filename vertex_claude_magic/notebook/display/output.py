"""One output that is drawn again in its place: an answer, a page with its progress, a diagnosis, the panel's text.

Only this module makes display ids and knows how often an output may change. Screen and clock are handed in, so
nothing here knows of IPython.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Bundle", "Metadata", "Output", "Pace", "Screen"]

# Seconds between two draws: design bar of at most 15 a second.
_INTERVAL = 1 / 12
_MESSAGES_PER_SECOND = 14
# Seconds by which a draw may be late without putting the next ones off: on a busy machine most are, and each lateness
# would add to the one before. What is later than that had nothing new to show.
_LATE = 0.15

Bundle: TypeAlias = "Mapping[str, str]"
Metadata: TypeAlias = "Mapping[str, Any]"


class Screen(Protocol):
    """Where outputs go: the three display messages of the Jupyter protocol."""

    def show(self, bundle: Bundle, metadata: Metadata, display_id: str | None) -> None:
        """Show a new output."""

    def update(self, bundle: Bundle, metadata: Metadata, display_id: str) -> None:
        """Show something else in an output that is there."""

    def clear(self) -> None:
        """Take away all outputs of the cell as soon as the next one comes."""


class Pace:
    """Counts messages so that no second ever holds more than `limit` of them.

    >>> now = [0.0]
    >>> pace = Pace(lambda: now[0], limit=2)
    >>> pace.count(), pace.count()
    (0.0, 0.0)
    >>> pace.free_at(1) > 1.0
    True
    """

    def __init__(self, clock: Callable[[], float], *, limit: int = _MESSAGES_PER_SECOND) -> None:
        self._clock = clock
        self._limit = limit
        self._sent: deque[float] = deque(maxlen=limit)

    def count(self) -> float:
        """Note that a message was sent now, and return that time."""
        now = self._clock()
        self._sent.append(now)
        return now

    def free_at(self, messages: int) -> float:
        """Return the time (of the clock, in seconds) from which so many messages may be sent."""
        over = len(self._sent) + messages - self._limit
        return self._sent[over - 1] + 1.001 if over > 0 else -math.inf


class Output:
    """An output of a cell, drawn again until it is finished.

    Args:
        screen: Where it goes.
        clock: Seconds that never run backwards.
        updates: False where the front end cannot change an output; what is drawn then stays, so draw the end only.
        clears: How often the outputs of this cell have been cleared so far, by whomever. An output that was
            cleared gets no more updates, so it is shown anew.
    """

    def __init__(
        self,
        screen: Screen,
        *,
        clock: Callable[[], float] = time.monotonic,
        updates: bool = True,
        clears: Callable[[], int] = lambda: 0,
    ) -> None:
        self._screen = screen
        self._clock = clock
        self._updates = updates
        self._clears = clears
        self._cleared = 0
        self._pace = Pace(clock)
        self._drawn = -math.inf
        self._id: str | None = None

    @property
    def shown(self) -> bool:
        """Whether there is an output that can be drawn again."""
        return self._id is not None

    def due_at(self, interval: float = _INTERVAL) -> float:
        """Return the time of the clock from which it may be drawn again, so many seconds after the last time."""
        # Two messages, because the next draw may close this output and begin another.
        return max(self._pace.free_at(2), self._drawn + interval)

    def is_due(self, interval: float = _INTERVAL) -> bool:
        """Tell whether it may be drawn again now."""
        return self.due_at(interval) <= self._clock()

    def begin(self, bundle: Bundle, metadata: Metadata | None = None, *, due: float = math.inf) -> None:
        """Show a new output below; what was drawn before stays as it is. `due` is as for `draw`."""
        self._id = None
        self.show(bundle, metadata, due=due)

    def show(self, bundle: Bundle, metadata: Metadata | None = None, *, due: float = math.inf) -> None:
        """Show the output below the cell that runs; shown twice, both places change from then on."""
        if self._id is None and self._updates:
            self._id = f"claude-{uuid4().hex}"
        self._cleared = self._clears()
        self._screen.show(bundle, metadata or {}, self._id)
        self._note(due)

    def draw(self, bundle: Bundle, metadata: Metadata | None = None, *, due: float = math.inf) -> None:
        """Draw it in its place, or show it if it is not there or no more.

        Args:
            bundle: What it shows now.
            metadata: What is stored with it.
            due: When it was due (of the clock, in seconds): the time to the next draw counts from there, if this one
                is a little late.
        """
        if self._id is None or self._is_gone():
            self.begin(bundle, metadata, due=due)
        else:
            self._screen.update(bundle, metadata or {}, self._id)
            self._note(due)

    def _note(self, due: float) -> None:
        now = self._pace.count()
        self._drawn = due if now - _LATE <= due <= now else now

    def finish(self, bundle: Bundle, metadata: Metadata, *, alone: bool) -> None:
        """Show the end, for good.

        Args:
            bundle: What stays.
            metadata: What is stored with it.
            alone: Whether all outputs of the cell were begun here, so that this one takes their place.
        """
        if self._id is not None and not alone and not self._is_gone():
            self._screen.update(bundle, metadata, self._id)
            return
        if self._id is not None and alone:
            self._screen.clear()
        # Without a display id it is as any other output in the saved notebook.
        self._screen.show(bundle, metadata, None)

    def remove(self, empty: Bundle, *, alone: bool) -> None:
        """Take away what is there: all outputs of the cell if it is `alone`, else an empty one stays."""
        if self._id is None:
            return
        if alone:
            self._screen.clear()
        else:
            self._screen.update(empty, {}, self._id)
        self._id = None

    def _is_gone(self) -> bool:
        return self._clears() != self._cleared
