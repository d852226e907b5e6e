"""Running checks in order and within a time; a check whose cause is known from an earlier one is skipped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.health.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["DoctorCheck", "NotLookedAt", "TimeLimits", "Timer", "examine", "unfinished"]


class NotLookedAt(Exception):
    """A check cannot or must not look; the text says why, for a finding that is skipped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DoctorCheck:
    """One check.

    Args:
        name: Its name on the page.
        look: Looks and returns a finding without name and time. A `ClaudeError` that it raises becomes a
            failure, `NotLookedAt` a finding that is skipped.
        needs: The checks before it without which it would only find their failure again.
    """

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TimeLimits:
    """How long a diagnosis may take, in seconds: as a whole, and for a look-up, a host and an answer."""

    whole: float = 14.0
    credentials: float = 5.0
    host: float = 4.0
    answer: float = 5.0


class Timer:
    """The time that a whole diagnosis may take, in seconds of `clock`.

    >>> timer = Timer(lambda: 0.0, 14.0)
    >>> timer.left(5.0), timer.left(20.0)
    (5.0, 14.0)
    """

    def __init__(self, clock: Callable[[], float], seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds
        self._end = clock() + seconds

    def left(self, most: float) -> float:
        """Return how long one step may take: `most`, or what is left of the whole."""
        return max(0.0, min(most, self._end - self.clock()))


def examine(
    checks: Sequence[DoctorCheck],
    *,
    timer: Timer,
    cure: Callable[[ClaudeError], str],
    begin: Callable[[str], None] = lambda _: None,
) -> Iterator[Finding]:
    """Run the checks and yield what each found, as soon as it is known.

    Args:
        checks: In the order in which they are run.
        timer: When it is over, the checks that are left are not run.
        cure: Names the one cure of an error.
        begin: Called with the name of each check before it runs.

    >>> checks = [DoctorCheck(name="a", look=lambda: Finding("failure", "No.", "Run: x")),
    ...     DoctorCheck(name="b", look=lambda: Finding("ok", "Yes."), needs=("a",))]
    >>> [found.outcome for found in examine(checks, timer=Timer(lambda: 0.0, 9), cure=str)]
    ['failure', 'skipped']
    """
    # For each check that failed or was skipped, the first failure that it depends on.
    causes: dict[str, str] = {}
    for check in checks:
        begin(check.name)
        started = timer.clock()
        cause = next((causes[need] for need in check.needs if need in causes), None)
        if cause is not None:
            found = Finding("skipped", f"It depends on: {cause}.")
        elif timer.left(1.0) <= 0:
            found = Finding(
                "not checked", f"The diagnosis reached its time limit of {timer.seconds:g} seconds."
            )
        else:
            try:
                found = check.look()
            except NotLookedAt as reason:
                found = Finding("skipped", str(reason))
            except ClaudeError as error:
                found = Finding("failure", error.message, cure(error))
            except Exception as failure:  # noqa: BLE001 - a diagnosis goes on, whatever an odd machine provokes
                seen = f"The check failed: {type(failure).__name__}."
                found = Finding("not checked", seen, crashed=True)
        if found.outcome in {"failure", "skipped"}:
            # The first cause, so that a row of skipped checks names the one failure to mend.
            causes[check.name] = cause or check.name
        yield replace(found, name=check.name, seconds=timer.clock() - started)


def unfinished(checks: Sequence[DoctorCheck], findings: Sequence[Finding]) -> list[Finding]:
    """Return a finding for each check that was not reached, because the user stopped the diagnosis."""
    return [
        Finding("not checked", "Stopped before this.", name=check.name) for check in checks[len(findings) :]
    ]
