"""What a check found: `Finding`, the verdict over all of them, and how one reads as a line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MARKS", "Finding", "Outcome", "has_problem", "line", "verdict"]

Outcome = Literal["ok", "warning", "failure", "not checked", "skipped"]
MARKS: dict[Outcome, str] = {"ok": "✓", "warning": "!", "failure": "✗", "not checked": "○", "skipped": "·"}
_LONGEST = 400
# Seconds; what took less was at once.
_SHORTEST = 0.15
_NAME_WIDTH = 18


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Args:
        outcome: "skipped" is what another failure made pointless, "not checked" what nobody could or
            wanted to look at; neither is an illness.
        seen: What was seen, in one line; it may quote a server.
        cure: What to do about it: one command, one console link or one setting. Failures always have one.
        name: The check.
        seconds: How long it took.
        crashed: Whether the check itself broke down, so that nothing is known of what it looks at.
        about: What holds for the whole diagnosis, in one sentence; the verdict ends with it.
    """

    outcome: Outcome
    seen: str
    cure: str = ""
    name: str = field(default="", kw_only=True)
    seconds: float = field(default=0.0, kw_only=True)
    crashed: bool = field(default=False, kw_only=True)
    about: str = field(default="", kw_only=True)

    @property
    def took(self) -> str:
        """How long it took, as text; empty where it was not measured or would be 0.0 s."""
        looked = self.outcome in {"ok", "warning", "failure"}
        return f"{self.seconds:.1f} s" if looked and self.seconds >= _SHORTEST else ""


def has_problem(findings: Sequence[Finding]) -> bool:
    """Tell whether something is wrong, or a check broke down; warnings and what was not checked are not.

    >>> has_problem([Finding("warning", "old"), Finding("not checked", "no")])
    False
    """
    return any(finding.outcome == "failure" or finding.crashed for finding in findings)


def verdict(findings: Sequence[Finding]) -> str:
    """Return the result in one line: what is wrong, or how much was looked at.

    >>> verdict([Finding("failure", "No.", name="token"), Finding("ok", "Yes.")])
    'Wrong: token.'
    >>> verdict([Finding("not checked", "Broke down.", name="token", crashed=True)])
    'No diagnosis: these checks could not run: token.'
    """
    wrong = [finding.name for finding in findings if finding.outcome == "failure"]
    crashed = [finding.name for finding in findings if finding.crashed]
    # A failure has a cure, so it comes before a check that broke down.
    if wrong:
        result = f"Wrong: {', '.join(wrong)}."
    elif crashed:
        result = f"No diagnosis: these checks could not run: {', '.join(crashed)}."
    else:
        counts = Counter("passed" if each.outcome == "ok" else each.outcome for each in findings)
        words = ("passed" if outcome == "ok" else outcome for outcome in MARKS)
        result = (
            f"No problems found ({', '.join(f'{counts[word]} {word}' for word in words if counts[word])})."
        )
    return " ".join([result, *(finding.about for finding in findings if finding.about)])


def line(finding: Finding) -> str:
    r"""Return a finding as plain text, its cure in a second line; nothing in it can move a cursor.

    >>> print(line(Finding("failure", "An hour slow.", "Run: x", name="clock", seconds=0.4)))
    ✗ clock             failure      An hour slow. (0.4 s)
                                     Run: x
    """
    head = f"{MARKS[finding.outcome]} {finding.name:<{_NAME_WIDTH}}{finding.outcome:<13}"
    text = f"{head}{quote(finding.seen, _LONGEST)}{f' ({finding.took})' if finding.took else ''}"
    return f"{text}\n{' ' * len(head)}{quote(finding.cure, _LONGEST)}" if finding.cure else text
