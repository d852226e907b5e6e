"""The diagnosis as a page: one static table, and the same as text.

What stands in it may quote a server, so everything is made literal: no markup, no control characters, no
formula. The only links are those of the cures, into Google's own console.
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from vertex_claude_magic.health.doctor.finding import MARKS, line, verdict
from vertex_claude_magic.markdown.sanitize import safe_plain
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.health.doctor.finding import Finding

__all__ = ["html", "plain"]

_LONGEST = 400
_LEFT = 'style="text-align: left"'
# A long address must not push the table out of the page.
_WRAPPED = 'style="text-align: left; overflow-wrap: anywhere"'
_HEADS = ("Check", "Result", "What was seen, and what to do", "Time")
_CONSOLE = re.compile(r"Open: (https://(?:console|status)\.cloud\.google\.com(?:/[^\s\"'<>]*)?)((?: .*)?)")
# JupyterLab looks for formulas in HTML too; neither sign begins one in an element of its own.
_FORMULA = re.compile(r"[$\\]")


def html(findings: Sequence[Finding], running: str = "") -> str:
    """Return the findings as one HTML table without anything that loads, runs or can be pressed.

    Args:
        findings: What was found so far.
        running: What is being looked at, or nothing when all is over.

    >>> from vertex_claude_magic.health.doctor.finding import Finding
    >>> "&lt;b&gt;" in html([Finding(name="token", outcome="ok", seen="<b>")])
    True
    """
    head = "".join(f'<th scope="col" {_LEFT}>{name}</th>' for name in _HEADS)
    rows = "".join(map(_row, findings))
    if running:
        rows += (
            f'<tr><th scope="row" {_LEFT}>{_literal(running)}</th><td {_LEFT}>…</td><td></td><td></td></tr>'
        )
    return (
        f"<table><caption {_LEFT}><strong>{_literal(_caption(findings, running))}</strong></caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def plain(findings: Sequence[Finding], running: str = "") -> str:
    """Return the findings as text, the verdict last."""
    lines = [*map(line, findings), f"… {running}" if running else verdict(findings)]
    return safe_plain("\n".join(lines))


def _caption(findings: Sequence[Finding], running: str) -> str:
    return f"Looking: {running}" if running else verdict(findings)


def _row(finding: Finding) -> str:
    result = _unbroken(f"{MARKS[finding.outcome]} {finding.outcome}")
    if finding.outcome == "failure":
        result = f"<strong>{result}</strong>"
    told = _literal(finding.seen) + (f"<br>{_cure(finding.cure)}" if finding.cure else "")
    name, took = _unbroken(_literal(finding.name)), _unbroken(finding.took)
    cells = f"<td {_LEFT}>{result}</td><td {_WRAPPED}>{told}</td><td {_LEFT}>{took}</td>"
    return f'<tr><th scope="row" {_LEFT}>{name}</th>{cells}</tr>'


def _unbroken(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _cure(cure: str) -> str:
    link = _CONSOLE.fullmatch(cure)
    if link is not None:
        return (
            f'<strong>Open:</strong> <a href="{escape(link[1])}">{_literal(link[1])}</a>{_literal(link[2])}'
        )
    word, colon, rest = cure.partition(": ")
    if word == "Run" and colon:
        return f"<strong>Run:</strong> <code>{_literal(rest)}</code>"
    return f"<strong>{_literal(word + colon)}</strong>{_literal(rest)}"


def _literal(text: str) -> str:
    shown = escape(quote(safe_plain(text), _LONGEST))
    space = " " if text[:1] == " " else ""
    return space + _FORMULA.sub(r"<span>\g<0></span>", shown)
