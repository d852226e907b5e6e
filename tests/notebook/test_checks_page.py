"""The page of an exercise's checks: what teacher and student wrote is shown literally."""

from __future__ import annotations

import pytest
from allowed_html import violations

from vertex_claude_magic.classroom.exercise import CheckResult, Exercise, ExerciseCheck
from vertex_claude_magic.notebook.pages.checks import checks_table

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">a</a>',
    "<button data-commandlinker-command='x'>a</button>",
    "</td></table><form>",
    "[a](javascript:alert(1))",
    "$\\unicode{x}$ $$a$$ \\(b\\)",
    "\x1b[31mred\x1b]52;c;YQ==\x07",
    "a\u202eb\u200bc",
    "&lt;script&gt;",
)


class Untold(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_are_shown_literally(text):
    """In the title, the message, the name of the file, and what an exception says."""
    exercise = Exercise(text, text, text, "", (ExerciseCheck("1", text),))
    table = checks_table(exercise, [CheckResult(1, exercise.checks[0], passed=False, error=ValueError(text))])
    own = {
        "caption": {"style"},
        "th": {"style", "scope"},
        "td": {"style"},
        "span": {"style"},
        "div": {"style"},
    }
    found = violations(table.html(), **own)
    # That is how a column of the page breaks its lines.
    assert {*found} <= {"style text-align: left; overflow-wrap: anywhere"}
    assert not {"\x1b", "\u202e", "\u200b"} & {*table.html(), *table.plain()}


def test_a_column_without_anything_in_it_is_left_out():
    """Where all passed, nothing was found."""
    exercise = Exercise("a", "A", "Do it.", "", (ExerciseCheck("1", "No."), ExerciseCheck("2", "No, too.")))

    def page(*passed):
        results = enumerate(zip(exercise.checks, passed, strict=True), 1)
        return checks_table(exercise, [CheckResult(at, check, passed=good) for at, (check, good) in results])

    assert page(True, True).plain().splitlines()[1:4] == [
        "Check  Result",
        "1      ✓ passed",
        "2      ✓ passed",
    ]
    assert page(True, False).plain().splitlines()[1] == "Check  Result    What it found"


def test_an_exception_that_cannot_tell_itself_is_named():
    """It fails no page."""
    exercise = Exercise("a", "A", "Do it.", "", (ExerciseCheck("1", "No."),))
    assert (
        "Untold: (no message)"
        in checks_table(exercise, [CheckResult(1, exercise.checks[0], passed=False, error=Untold())]).plain()
    )
