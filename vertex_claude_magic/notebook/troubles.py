"""What went wrong last in this kernel, and which hints were given for it.

Made when the first cell fails, or when the first hint or check is asked for: most kernels need neither.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.classroom.hint_levels import HintLevels
from vertex_claude_magic.errors import ClaudeInterrupt
from vertex_claude_magic.notebook.plain_errors import OURS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.classroom.exercise import CheckResult, Exercise
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["FailedCell", "FailedCheck", "Given", "Troubles", "check_key"]


class FailedCell(NamedTuple):
    """A cell that failed.

    Args:
        error: What it raised.
        source: Its source.
        cell_id: Its id; empty where the front end tells none.
        run: Which run of a cell of this kernel it was.
    """

    error: BaseException
    source: str = ""
    cell_id: str = ""
    run: str = ""

    @property
    def key(self) -> str:
        """What the cell is known by when it runs again."""
        return self.cell_id or self.source.strip()


class FailedCheck(NamedTuple):
    """The first check of an exercise that failed, and the cells that it is about."""

    exercise: Exercise
    result: CheckResult
    code: tuple[str, ...]

    @property
    def key(self) -> str:
        """What the check is known by when it runs again."""
        return check_key(self.exercise, self.result)


def check_key(exercise: Exercise, result: CheckResult) -> str:
    """Return what a check is known by.

    >>> from vertex_claude_magic.classroom.exercise import ExerciseCheck, Exercise, CheckResult
    >>> check_key(Exercise("mean", "", ""), CheckResult(2, ExerciseCheck("", ""), passed=True))
    'check 2 of exercises/mean.toml'
    """
    return f"check {result.number} of {exercise.label}"


class Given(NamedTuple):
    """The last hint: what was asked, and what was shown."""

    asked: tuple[str, str]
    reply: Reply


class Troubles:
    """The last cell or check that failed, until it succeeds; and the levels of hints."""

    def __init__(self) -> None:
        self.levels = HintLevels()
        self.given: Given | None = None
        self.last: FailedCell | FailedCheck | None = None
        # Whether what failed has succeeded since, and the error that Python keeps of it.
        self.solved = False
        # Whether the last cell that failed did so with an error of ours.
        self.of_ours = False
        self._over: BaseException | None = None

    def note_end(self, error: BaseException | None, source: str, cell_id: str, run: str) -> None:
        """Take in how a cell has ended.

        Args:
            error: What it raised, None where it succeeded.
            source: Its source.
            cell_id: Its id; empty where the front end tells none.
            run: Which run of a cell of this kernel it was.
        """
        ours = isinstance(error, OURS)
        if error is not None:
            # Who stopped an answer needs no hint, and is told none.
            self.of_ours = ours and not isinstance(error, ClaudeInterrupt)
        if ours:
            return
        if error is not None:
            self.last, self.solved, self._over = FailedCell(error, source, cell_id, run), False, None
            return
        failed = self.last
        # A cell may go on after another one that it ran has failed.
        if not isinstance(failed, FailedCell) or failed.run == run:
            return
        if failed.key == (cell_id if failed.cell_id else source.strip()):
            self.last, self.solved, self._over = None, True, failed.error
            self.levels.forget(failed.key)

    def note_checks(
        self, exercise: Exercise, results: Sequence[CheckResult], failed: FailedCheck | None
    ) -> None:
        """Take in what came of the checks of an exercise.

        Args:
            exercise: The exercise.
            results: All results.
            failed: The first check that failed; None where all passed, and then nothing is left to hint at.
        """
        for result in results:
            if result.passed:
                self.levels.forget(check_key(exercise, result))
        self.last, self.solved, self.of_ours = failed, failed is None, False
        if failed is None:
            self.levels.clear()
            self._over = getattr(sys, "last_value", None)

    def present(self) -> FailedCell | FailedCheck | None:
        """Return what a hint would be about; None where nothing failed, or what failed has succeeded since."""
        error = getattr(sys, "last_value", None)
        ours = isinstance(error, OURS)
        if self.last is None and isinstance(error, BaseException) and error is not self._over and not ours:
            # It failed before this extension watched.
            return FailedCell(error)
        return self.last
