"""The diagnosis as a page: one static table, and the same as text.

It may quote a server, so every text is literal: no markup, no control characters, no
formula. The only links are those of the cures, into Google's own console.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vertex_claude_magic.health.doctor.finding import MARKS, line, verdict
from vertex_claude_magic.markdown.sanitize import safe_plain
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.table import BREAK, Cell, Column, Inline, Part, Row, Table, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.health.doctor.finding import Finding

__all__ = ["html", "plain"]

_COLUMNS = (
    Column("Check", wrap="never"),
    Column("Result", wrap="never"),
    # A long address must not push the table out of the page.
    Column("Finding and fix", wrap="anywhere"),
    Column("Time", wrap="never"),
)
_CONSOLE = re.compile(r"(https://(?:console|status)\.cloud\.google\.com(?:/[^\s\"'<>]*)?)((?: .*)?)")
# A command, and a remark for the reader; a path with brackets is quoted, so none ends in one.
_COMMAND = re.compile(r"(.*?)( \([^()]*\))?", re.DOTALL)


def html(findings: Sequence[Finding], running: str = "") -> str:
    """Return the findings as one HTML table without anything that loads, runs or can be pressed.

    Args:
        findings: What was found so far.
        running: What is being looked at, or nothing when all is over.

    >>> from vertex_claude_magic.health.doctor.finding import Finding
    >>> "&lt;b&gt;" in html([Finding(name="token", outcome="ok", seen="<b>")])
    True
    """
    rows = [_row(finding) for finding in findings]
    if running:
        rows.append(Row((running, "…", "", "")))
    caption = span("strong", f"Looking: {running}" if running else verdict(findings))
    # Most checks are over at once, and an empty column is left out.
    timed = any(finding.took for finding in findings)
    return Table(columns=_COLUMNS if timed else _COLUMNS[:-1], rows=rows, caption=caption).html()


def plain(findings: Sequence[Finding], running: str = "") -> str:
    """Return the findings as text, the verdict last."""
    lines = [*map(line, findings), f"… {running}" if running else verdict(findings)]
    return safe_plain("\n".join(lines))


def _row(finding: Finding) -> Row:
    outcome = f"{MARKS[finding.outcome]} {finding.outcome}"
    result: Cell = span("strong", outcome) if finding.outcome == "failure" else outcome
    text: tuple[Part, ...] = (finding.seen,)
    if finding.cure:
        word, colon, rest = finding.cure.partition(": ")
        console = _CONSOLE.fullmatch(rest) if word == "Open" else None
        text += (BREAK, span("strong", f"{word}{colon.rstrip()}"))
        if console is not None:
            address = literal(console[1])
            text += (" ", Inline(f'<a href="{literal(console[1], formulas=True)}">{address}</a>'), console[2])
        elif word == "Run" and (run := _COMMAND.fullmatch(rest)):
            text += (" ", span("code", run[1]), run[2] or "")
        else:
            text += (" " if colon else "", rest)
    return Row((finding.name, result, text, finding.took))
