"""Which level of hints a student has seen for which error or failed check.

Loaded when the first cell of a kernel fails, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["HintLevels", "Trouble"]

# How alike two lines are of which one is the other after an attempt to correct it.
_ALIKE = 0.75
_MOST_NOTED = 100


class Trouble(NamedTuple):
    """What a hint is about: an error, or a check that failed.

    Args:
        kind: The type of the error, or the file of the exercise.
        place: The function in which it was raised, or the number of the check.
        line: The line that failed, without blanks.
        cell: The id of the cell that ran; empty where the front end gives none.
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


class HintLevels:
    """The levels that a student has seen in this kernel, by trouble.

    >>> levels, trouble = HintLevels(), Trouble("KeyError", "", "t['a']")
    >>> levels.note(trouble, 1)
    >>> levels.last(trouble), levels.last(trouble._replace(kind="NameError"))
    (1, 0)
    """

    def __init__(self) -> None:
        self._noted: list[tuple[Trouble, int, str]] = []

    def last(self, trouble: Trouble) -> int:
        """Return the last level that was shown for a trouble, 0 for none."""
        return next((level for known, level, _ in self._noted if known.is_same(trouble)), 0)

    def note(self, trouble: Trouble, level: int, cell: str = "") -> None:
        """Note that a level was shown.

        Args:
            trouble: What it was about.
            level: The level.
            cell: The id or the source of the cell whose success ends it.
        """
        others = [step for step in self._noted if not step[0].is_same(trouble)]
        self._noted = [*others, (trouble, level, cell)][-_MOST_NOTED:]

    def forget(self, cell: str) -> None:
        """Forget the levels for all errors and checks of a cell."""
        self._noted = [step for step in self._noted if step[2] != cell]

    def clear(self) -> None:
        """Forget all levels."""
        self._noted = []
