"""The small pieces of HTML between the panel's controls; every text is escaped."""

from __future__ import annotations

from vertex_claude_magic.notebook.pages.html import literal, verbatim

__all__ = ["note", "runnable", "status_line"]

# Long ids break anywhere rather than push the panel wider than its place.
_WRAP = "line-height: 1.4; overflow-wrap: anywhere"


def status_line(text: str) -> str:
    """Return a line that screen readers speak when it changes; an empty one keeps its place.

    >>> status_line("Region is now <eu>.").partition(">")[2]
    'Region is now &lt;eu&gt;.</div>'
    """
    return f'<div role="status" style="min-height: 1.4em; {_WRAP}">{literal(text, formulas=True)}</div>'


def note(text: str) -> str:
    """Return a remark on the control above it, in line with that; two lines stay free, so that nothing jumps."""
    return (
        f'<div style="min-height: 2.8em; padding-left: 7.5em; {_WRAP}">{literal(text, formulas=True)}</div>'
    )


def runnable(line: str, remark: str = "") -> str:
    """Return a line of code to read, select and copy, and a remark about it."""
    block = "white-space: pre-wrap; user-select: all; padding: 6px 8px; border: 1px solid rgba(128, 128, 128, 0.4)"
    more = f"<div>{literal(remark, formulas=True)}</div>" if remark else ""
    return f'<div style="{_WRAP}"><code style="display: block; {block}">{verbatim(line)}</code>{more}</div>'
