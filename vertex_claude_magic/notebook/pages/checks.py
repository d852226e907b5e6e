"""What came of the checks of an exercise, as a page; the texts of teacher and student are shown literally."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.pages.table import BREAK, Cell, Column, Row, Table, span
from vertex_claude_magic.text import message_of, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.classroom.exercise import CheckResult, Exercise

__all__ = ["checks_table"]

_COLUMNS = (
    Column("Check", wrap="never"),
    Column("Result", wrap="never"),
    Column("What it found", wrap="anywhere"),
)


def checks_table(exercise: Exercise, results: Sequence[CheckResult]) -> Table:
    """Return the page of the checks.

    >>> from vertex_claude_magic.classroom.exercise import ExerciseCheck, Exercise, CheckResult
    >>> check = ExerciseCheck("mean([2]) == 2", "The mean of 2 is 2.")
    >>> exercise = Exercise("mean", "The mean", "Write mean.", "", (check,))
    >>> print(checks_table(exercise, [CheckResult(1, exercise.checks[0], passed=False)]).plain())
    The mean: 0 of 1 checks passed.
    Check  Result    What it found
    1      ✗ failed  The mean of 2 is 2.
    The checks of exercises/mean.toml ran in this kernel; no model was asked. %claude_hint gives a hint.
    """
    passed = sum(each.passed for each in results)
    caption = span("strong", f"{exercise.title}: {passed} of {len(results)} checks passed.")
    note = f"The checks of {exercise.label} ran in this kernel; no model was asked."
    more = "" if passed == len(results) else " %claude_hint gives a hint."
    rows = []
    for each in results:
        if each.passed:
            rows.append(Row((str(each.number), "✓ passed")))
            continue
        found: Cell = each.check.message
        if each.error is not None:
            said = quote(f"{type(each.error).__name__}: {message_of(each.error)}", 200)
            # What the student's code gives was never compared with what the message says.
            found = (span("code", said), BREAK, each.check.message)
        rows.append(Row((str(each.number), span("strong", "✗ failed"), found)))
    columns = _COLUMNS if passed < len(results) else _COLUMNS[:-1]
    return Table(columns=columns, rows=rows, caption=caption, notes=(f"{note}{more}",))
