"""Exercises: reading a file runs nothing of it, and a mistake in it is named with its line."""

from __future__ import annotations

import pytest

from vertex_claude_magic.classroom.exercise import (
    Exercise,
    ExerciseCheck,
    parse_exercise,
    read_exercise,
    readable_exercises,
    run_checks,
)
from vertex_claude_magic.errors import OptionError

FILE = '''title = "The mean"
task = "Write mean(values)."
solution = """
def mean(values):
    return sum(values) / len(values)
"""

[[checks]]
code = "mean([1, 2, 3]) == 2"
message = "The mean of 1, 2 and 3 is 2."

[[checks]]
code = """
numbers = [5]
assert mean(numbers) == 5
"""
message = "One number is its own mean."
'''


def test_an_exercise_has_a_title_a_task_a_solution_and_checks():
    """The name is that of the file."""
    found = parse_exercise(FILE, "mean")
    assert (found.name, found.title, found.task) == ("mean", "The mean", "Write mean(values).")
    assert found.solution == "def mean(values):\n    return sum(values) / len(values)"
    assert [each.message for each in found.checks] == [
        "The mean of 1, 2 and 3 is 2.",
        "One number is its own mean.",
    ]
    assert found.label == "exercises/mean.toml"


BROKEN = {
    "no TOML": ('task = "a\n', "exercises/x.toml, line 1"),
    "no task": ('title = "a"\n', "exercises/x.toml has no task"),
    "an empty task": ('task = " "\n', "has no task"),
    "a task that is not a string": ("task = 3\n", "line 1: task is not a string"),
    "a solution that is not a string": ('task = "a"\nsolution = ["b"]\n', "line 2: solution is not a string"),
    "an unknown key": ('task = "a"\nbase_url = "http://x"\n', "line 2: an exercise has no 'base_url'"),
    "options": ('task = "a"\n[options]\nmodel = "opus"\n', "line 2: an exercise has no 'options'"),
    "checks that are not a list": ('task = "a"\nchecks = "1 == 1"\n', "line 2: checks is not a list"),
    "checks of texts": ('task = "a"\nchecks = ["1 == 1"]\n', "check 1: a check is not a table"),
    "a check without a message": (
        'task = "a"\n\n[[checks]]\ncode = "1"\n',
        "line 3: the check has no message",
    ),
    "a check without code": ('task = "a"\n[[checks]]\nmessage = "b"\n', "line 2: the check has no code"),
    "a check that is not Python": (
        'task = "a"\n[[checks]]\ncode = "1 =="\nmessage = "b"\n',
        "line 2: the code of the check is not Python",
    ),
    "a check of comments": (
        'task = "a"\n[[checks]]\ncode = "# 1"\nmessage = "b"\n',
        "code of the check is empty",
    ),
    "a check with more": (
        'task = "a"\n[[checks]]\ncode = "1"\nmessage = "b"\nshell = "c"\n',
        "a check has no 'shell'",
    ),
    "a null byte": ('task = "a"\n[[checks]]\ncode = "a\\u0000"\nmessage = "b"\n', "is not Python"),
    "too many checks": ('task = "a"\n' + '[[checks]]\ncode = "1"\nmessage = "b"\n' * 51, "at most 50 checks"),
    "too long": (f'task = "{"a" * 200_001}"\n', "longer than 200,000 characters"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=BROKEN.keys())
def test_a_mistake_is_named_with_its_line(text, said):
    """And what to do."""
    with pytest.raises(OptionError) as caught:
        parse_exercise(text, "x")
    assert said in str(caught.value)
    assert caught.value.cure


def test_reading_an_exercise_runs_nothing_of_it(tmp_path):
    """Neither its checks nor its solution; not where all files of a folder are read either."""
    mark = tmp_path / "ran"
    folder = tmp_path / "exercises"
    folder.mkdir()
    code = f"open({str(mark)!r}, 'w')"
    (folder / "evil.toml").write_text(
        f"task = 'a'\nsolution = \"{code}\"\n[[checks]]\ncode = \"{code}\"\nmessage = 'b'\n"
    )
    (folder / "broken.toml").write_text("task =")
    assert read_exercise("evil", folder).checks[0].code == code
    assert [each.name for each in readable_exercises(folder)] == ["evil"]
    assert not mark.exists()


@pytest.mark.parametrize("name", ["../evil", "a/b", "/etc/passwd", "", ".", "..", "a\x00b", "~", "a\nb"])
def test_a_name_is_no_path(name, tmp_path):
    """It stays in the folder of exercises."""
    (tmp_path / "evil.toml").write_text("task = 'a'")
    with pytest.raises(OptionError):
        read_exercise(name, tmp_path / "exercises")


def test_a_link_to_a_file_elsewhere_is_refused(tmp_path):
    """As for saved prompts."""
    folder = tmp_path / "exercises"
    folder.mkdir()
    (tmp_path / "other.toml").write_text("task = 'a'")
    (folder / "mean.toml").symlink_to(tmp_path / "other.toml")
    with pytest.raises(OptionError, match=r"exercises/mean\.toml is a link to a file elsewhere"):
        read_exercise("mean", folder)


def exercise(*codes: str) -> Exercise:
    return Exercise("x", "x", "Do it.", "", tuple(ExerciseCheck(code, "No.") for code in codes))


def mean_of_nothing(values):
    return sum(values) / len(values)


RUN = {
    "a true expression": ("1 + 1 == 2", True, None),
    "a false expression": ("1 + 1 == 3", False, None),
    "a value that counts as false": ("[]", False, None),
    "assert lines": ("n = 2\nassert n == 2", True, None),
    "an assert line that fails": ("n = 2\nassert n == 3", False, None),
    "lines that end in a call": ("n = []\nn.append(1)", True, None),
    "an unknown name": ("nosuch(3)", False, NameError),
    "an error in the student's code": ("mean([])", False, ZeroDivisionError),
    "the end of the process": ("raise SystemExit(3)", False, SystemExit),
    "a value without a truth": ("odd", False, ValueError),
}


class Odd:
    def __bool__(self):
        raise ValueError("neither true nor false")


@pytest.mark.parametrize(("code", "passed", "error"), RUN.values(), ids=RUN.keys())
def test_a_check_is_an_expression_that_is_true_or_lines_that_raise_nothing(code, passed, error):
    """Whatever it raises is a check that failed."""
    (result,) = run_checks(exercise(code), {"mean": mean_of_nothing, "odd": Odd()})
    assert result.passed == passed
    assert type(result.error) is (error or type(None))


def test_each_check_runs_by_itself_and_leaves_the_variables_as_they_are():
    """A check that fails does not keep the next from running, and binds nothing."""
    names = {"n": 1}
    results = run_checks(exercise("n = 2\nassert n == 3", "n == 1"), names)
    assert [each.passed for each in results] == [False, True]
    assert names == {"n": 1}


def test_an_interrupt_is_no_failed_check():
    """The student stops a loop that never ends."""

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_checks(exercise("stop()"), {"stop": stop})


def test_the_steps_of_the_check_are_not_among_those_of_the_error():
    """What is sent about it is the student's code."""
    (result,) = run_checks(exercise("mean([])"), {"mean": mean_of_nothing})
    assert result.error.__traceback__.tb_frame.f_code.co_name == "mean_of_nothing"
    (result,) = run_checks(exercise("nosuch()"), {})
    assert result.error.__traceback__ is None
