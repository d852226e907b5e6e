"""Running checks in order, within a time, each telling of one thing; what an illness makes pointless is skipped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.health.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Check", "NotLookedAt", "Timer", "examine", "unfinished"]


class NotLookedAt(Exception):
    """A check cannot or must not look; the text says why, for a finding that is skipped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check.

    Args:
        name: What it is called on the page.
        look: Looks and returns a finding without name and time. A `ClaudeError` that it raises becomes a
            failure, `NotLookedAt` a finding that is skipped.
        needs: The checks before it without which it would only find their failure again.
    """

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()


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
    checks: Sequence[Check],
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

    >>> checks = [Check(name="a", look=lambda: Finding(outcome="failure", seen="No.", cure="Run: x")),
    ...     Check(name="b", look=lambda: Finding(outcome="ok", seen="Yes."), needs=("a",))]
    >>> [found.outcome for found in examine(checks, timer=Timer(lambda: 0.0, 9), cure=str)]
    ['failure', 'skipped']
    """
    roots: dict[str, str] = {}
    for check in checks:
        begin(check.name)
        started = timer.clock()
        found = _blocked(check, roots) or _looked(check, timer, cure)
        if found.outcome in {"failure", "skipped"}:
            roots[check.name] = next((roots[need] for need in check.needs if need in roots), check.name)
        yield replace(found, name=check.name, seconds=timer.clock() - started)


def unfinished(checks: Sequence[Check], findings: Sequence[Finding]) -> list[Finding]:
    """Return a finding for each check that was not reached, because the user stopped the diagnosis."""
    names = [check.name for check in checks[len(findings) :]]
    return [Finding(name=name, outcome="not checked", seen="Stopped before this.") for name in names]


def _blocked(check: Check, roots: Mapping[str, str]) -> Finding | None:
    root = next((roots[need] for need in check.needs if need in roots), None)
    return None if root is None else Finding(outcome="skipped", seen=f"It depends on: {root}.")


def _looked(check: Check, timer: Timer, cure: Callable[[ClaudeError], str]) -> Finding:
    if timer.left(1.0) <= 0:
        return Finding(
            outcome="not checked", seen=f"The {timer.seconds:g} seconds of the diagnosis are over."
        )
    try:
        return check.look()
    except NotLookedAt as reason:
        return Finding(outcome="skipped", seen=str(reason))
    except ClaudeError as error:
        return Finding(outcome="failure", seen=error.message, cure=cure(error))
    except Exception as failure:  # noqa: BLE001 - a diagnosis goes on, whatever an odd machine provokes
        seen = f"Looking at it failed: {type(failure).__name__}."
        return Finding(outcome="not checked", seen=seen, crashed=True)
