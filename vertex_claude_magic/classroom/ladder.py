"""How far a student has gone with hints for which error or failed check.

Loaded when the first cell of a kernel fails, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Ladder", "Trouble"]

# How alike two lines are of which one is the other after an attempt to correct it.
_ALIKE = 0.75
_MOST_STEPS = 100


class Trouble(NamedTuple):
    """What a hint is about: an error, or a check that failed.

    Args:
        kind: The type of the error, or the file of the exercise.
        place: The function in which it was raised, or the number of the check.
        line: The line that failed, without blanks.
        cell: The id of the cell that ran; empty where the front end tells none.
    """

    kind: str
    place: str
    line: str = ""
    cell: str = ""

    def is_same(self, other: Trouble) -> bool:
        """Tell whether two are the same: of one kind in one place, the line unchanged or after a small change.

        Texts of errors are not compared, because they may hold addresses and values.

        >>> Trouble("KeyError", "", "t['prcie']").is_same(Trouble("KeyError", "", "t['prise']"))
        True
        >>> Trouble("KeyError", "", "t['prcie']").is_same(Trouble("KeyError", "", "names[number]"))
        False
        """
        if (self.kind, self.place) != (other.kind, other.place):
            return False
        if self.line == other.line:
            return True
        # Most kernels never compare two.
        import difflib

        alike = difflib.SequenceMatcher(None, self.line, other.line, autojunk=False).ratio() >= _ALIKE
        return alike and (self.cell == other.cell or bool(self.place))


class Ladder:
    """The levels that a student has seen in this kernel, by trouble.

    >>> ladder, trouble = Ladder(), Trouble("KeyError", "", "t['a']")
    >>> ladder.climb(trouble, 1)
    >>> ladder.level(trouble), ladder.level(trouble._replace(kind="NameError"))
    (1, 0)
    """

    def __init__(self) -> None:
        self._steps: list[tuple[Trouble, int, str]] = []

    def level(self, trouble: Trouble) -> int:
        """Return the last level that was shown for a trouble, 0 for none."""
        return next((level for known, level, _ in self._steps if known.is_same(trouble)), 0)

    def climb(self, trouble: Trouble, level: int, cell: str = "") -> None:
        """Note that a level was shown.

        Args:
            trouble: What it was about.
            level: The level.
            cell: The id or the source of the cell whose success ends it.
        """
        others = [step for step in self._steps if not step[0].is_same(trouble)]
        self._steps = [*others, (trouble, level, cell)][-_MOST_STEPS:]

    def leave(self, cell: str) -> None:
        """Begin anew for all that a cell has failed with."""
        self._steps = [step for step in self._steps if step[2] != cell]

    def clear(self) -> None:
        """Begin anew for all."""
        self._steps = []
