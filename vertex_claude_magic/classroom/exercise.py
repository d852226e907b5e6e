"""Exercises: `exercises/NAME.toml` beside a notebook, with a task, a reference solution and checks.

Reading a file runs nothing of it. Its checks are Python and run only in `run_checks`, which whoever works on the
exercise asks for by its name.
"""

from __future__ import annotations

import ast
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.python_source import parse_python
from vertex_claude_magic.settings.found_files import found_names, found_text
from vertex_claude_magic.settings.found_options import line_of, read_toml
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

__all__ = [
    "CheckResult",
    "Exercise",
    "ExerciseCheck",
    "exercise_names",
    "names_in",
    "parse_exercise",
    "read_exercise",
    "readable_exercises",
    "run_checks",
]

_KEYS = ("title", "task", "solution", "checks")
_CHECK_KEYS = ("code", "message")
_MOST_CHECKS = 50
# Under this name the checks are compiled, so that their steps are known in a traceback.
_CHECK_FILE = "<check of an exercise>"


class ExerciseCheck(NamedTuple):
    """A check: an expression that is true, or statements that raise nothing, once the exercise is solved.

    Args:
        code: The Python of it.
        message: What to say where it fails, in the teacher's words.
    """

    code: str
    message: str


class Exercise(NamedTuple):
    """An exercise.

    Args:
        name: Its name, that of the file without `.toml`.
        title: Its title.
        task: What is to be done.
        solution: A reference solution; empty where there is none.
        checks: The checks, in the order of the file.
    """

    name: str
    title: str
    task: str
    solution: str = ""
    checks: tuple[ExerciseCheck, ...] = ()

    @property
    def label(self) -> str:
        """The file as its user knows it."""
        return f"exercises/{self.name}.toml"


class CheckResult(NamedTuple):
    """What came of a check.

    Args:
        number: Which one it is, from 1.
        check: The check.
        passed: Whether it passed.
        error: What was raised meanwhile, without the steps of the check itself; None for a value that is not true.
    """

    number: int
    check: ExerciseCheck
    passed: bool
    error: BaseException | None = None


def exercise_names(folder: Path) -> list[str]:
    """Return the names of the exercises in a folder, sorted; none where there is no such folder."""
    return found_names(folder, ".toml")


def read_exercise(name: str, folder: Path) -> Exercise:
    """Read an exercise; nothing of it runs.

    Args:
        name: Its name.
        folder: The folder of exercises.

    Raises:
        OptionError: there is none of this name, it cannot be read, or is no exercise.
    """
    return parse_exercise(found_text(name, folder, ".toml", kind="an exercise", place="exercises"), name)


def parse_exercise(text: str, name: str) -> Exercise:
    r"""Read the text of an exercise; nothing of it runs.

    Args:
        text: The content of the file.
        name: Its name.

    Raises:
        OptionError: it is not TOML, lacks something, or has something that no exercise has; the message names the line.

    >>> found = parse_exercise('task = "Add."\n[[checks]]\ncode = "add(1, 2) == 3"\nmessage = "1 and 2 is 3."\n', "a")
    >>> found.title, found.checks[0].message
    ('a', '1 and 2 is 3.')
    """
    label = f"exercises/{name}.toml"
    table = read_toml(text, label)
    lines = text.split("\n")

    def where(key: str) -> str:
        return f"{label}, line {line_of(lines, key)}"

    if odd := [key for key in table if key not in _KEYS]:
        raise OptionError(
            f"{where(odd[0])}: an exercise has no {quote(odd[0], 40)!r}.", cure=f"It has {', '.join(_KEYS)}."
        )
    for key in ("title", "task", "solution"):
        if not isinstance(table.get(key, ""), str):
            raise OptionError(f"{where(key)}: {key} is not a string.", cure="Put it between quotes.")
    if not table.get("task", "").strip():
        raise OptionError(f"{label} has no task.", cure='Write task = "..." at its top.')
    checks = table.get("checks", [])
    if not isinstance(checks, list) or len(checks) > _MOST_CHECKS:
        raise OptionError(
            f"{where('checks')}: checks is not a list of at most {_MOST_CHECKS} checks.",
            cure="Write [[checks]] above each.",
        )
    heads = [at for at, line in enumerate(lines, 1) if line.strip() == "[[checks]]"]
    places = [f"{label}, line {at}" for at in heads]
    if len(places) != len(checks):
        places = [f"{label}, check {number}" for number in range(1, len(checks) + 1)]
    return Exercise(
        name=name,
        title=table.get("title", "").strip() or name,
        task=table["task"].strip(),
        solution=table.get("solution", "").strip("\n").rstrip(),
        checks=tuple(_read_check(each, place) for each, place in zip(checks, places, strict=True)),
    )


def _read_check(table: Mapping[str, Any], where: str) -> ExerciseCheck:
    if not isinstance(table, dict):
        raise OptionError(f"{where}: a check is not a table.", cure="Write [[checks]] above each.")
    for key in _CHECK_KEYS:
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise OptionError(
                f"{where}: the check has no {key}.", cure="Give code and message, both as text."
            )
    if odd := [key for key in table if key not in _CHECK_KEYS]:
        raise OptionError(
            f"{where}: a check has no {quote(odd[0], 40)!r}.", cure=f"It has {' and '.join(_CHECK_KEYS)}."
        )
    code = table["code"].strip("\n").rstrip()
    try:
        empty = not parse_python(code).body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise OptionError(
            f"{where}: the code of the check is not Python ({quote(str(why), 60)}).", cure="Correct it."
        ) from None
    if empty:
        raise OptionError(
            f"{where}: the code of the check is empty.", cure="Write an expression, or assert lines."
        )
    return ExerciseCheck(code, " ".join(table["message"].split()))


def run_checks(exercise: Exercise, names: Mapping[str, Any]) -> list[CheckResult]:
    """Run the checks of an exercise, each with the names as they are and with what the check itself makes of them.

    This runs the Python of the file, so it is called for an exercise that the user has named and at no other time.

    Args:
        exercise: The exercise.
        names: The user's variables; a check binds no new ones there.

    >>> checks = (ExerciseCheck("add(1, 2) == 3", "1 and 2 is 3."), ExerciseCheck("add(1)", "?"))
    >>> exercise = Exercise("a", "a", "Add.", checks=checks)
    >>> [each.passed for each in run_checks(exercise, {"add": lambda a, b: a + b})]
    [True, False]
    """
    results = []
    for number, check in enumerate(exercise.checks, start=1):
        tree = parse_python(check.code, _CHECK_FILE)
        scope = dict(names)
        try:
            value: object = True
            if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
                expression = compile(ast.Expression(tree.body[0].value), _CHECK_FILE, "eval")
                value = bool(eval(expression, scope))  # noqa: S307 - the user has asked for it by name
            else:
                exec(compile(tree, _CHECK_FILE, "exec"), scope)  # noqa: S102 - the user has asked for it by name
        except (Exception, SystemExit) as error:  # noqa: BLE001 - code of the user's may raise anything
            own = _own_steps(error.__traceback__)
            # An assertion of the check says no more than that it failed.
            said = not (isinstance(error, AssertionError) and own is None)
            results.append(
                CheckResult(number, check, passed=False, error=error.with_traceback(own) if said else None)
            )
        else:
            results.append(CheckResult(number, check, passed=bool(value)))
    return results


def _own_steps(step: TracebackType | None) -> TracebackType | None:
    """Return the steps below those of the check."""
    last = None
    while step is not None:
        if step.tb_frame.f_code.co_filename == _CHECK_FILE:
            last = step
        step = step.tb_next
    return last.tb_next if last is not None else None


def names_in(code: str) -> tuple[str, ...]:
    """Return the names that a piece of Python uses, each once.

    >>> names_in("mean([1, 2]) == half(n)")
    ('mean', 'half', 'n')
    """
    found = (node.id for node in ast.walk(parse_python(code)) if isinstance(node, ast.Name))
    return tuple(dict.fromkeys(found))


def readable_exercises(folder: Path) -> list[Exercise]:
    """Return all exercises in a folder that can be read; nothing of them runs."""
    found = []
    for name in exercise_names(folder):
        # A broken one says what is wrong with it when it is named.
        with suppress(OptionError):
            found.append(read_exercise(name, folder))
    return found
