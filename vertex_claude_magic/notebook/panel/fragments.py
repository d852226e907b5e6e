"""The small pieces of HTML between the panel's controls; every text is escaped.

Each has a height that its text does not change, so that nothing below it moves; what a policy sets does not change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.models.lifecycle import panel_label
from vertex_claude_magic.models.prices import rate, usd_limit
from vertex_claude_magic.notebook.pages.html import literal, verbatim

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.panel.model import PanelModel

__all__ = ["boxed", "header", "note", "runnable", "status_line", "written"]

# Long ids break anywhere rather than push the panel wider than its place.
_WRAP = "line-height: 20px; overflow-wrap: anywhere"
_SCROLLED = "overflow-x: hidden; overflow-y: auto"
# Characters that fit two lines of a narrow panel; longer texts may have to be scrolled, by keyboard too.
_FITS = 80
# The colour of the dot, seen on white and on black; its meaning is beside it in words.
_DOTS = {"active": "#2a8f72", "limited": "#5580b0", "deprecated": "#c2691f", "retired": "#d0453e"}


def header(look: PanelModel) -> str:
    """Return the line on what a question is sent with: model, location, prices, lifecycle."""
    row = look.row
    here = rate(row, look.region) if row is not None else None
    prices = f"{usd_limit(here.input)} / {usd_limit(here.output)}" if here is not None else "price not known"
    word = literal(panel_label(row), formulas=True)
    colour = _DOTS.get(row.lifecycle if row is not None else "", "#808080")
    dot = f'<span role="img" aria-label="{word}" title="{word}" style="color: {colour}">●</span>'
    return (
        f'<div style="font-size: 16px; line-height: 24px; overflow-wrap: anywhere; min-height: 24px">{dot} '
        f"<strong>{literal(look.name)}</strong> · {literal(look.region)} · {literal(prices)}</div>"
    )


def status_line(text: str, lines: int = 1) -> str:
    """Return some lines that screen readers speak when they change; an empty text keeps their place.

    >>> status_line("Region is now <eu>.").rpartition('">')[2]
    'Region is now &lt;eu&gt;.</div></div>'
    """
    return _reserved(text, 'role="status"', lines)


def note(text: str) -> str:
    """Return a remark on the control above it, in the place of two lines."""
    return _reserved(text, 'role="note"', 2)


def written(label: str, text: str) -> str:
    """Return a text that takes the height it needs; empty where there is none.

    >>> written("Locks", "a < b")
    '<div role="note" aria-label="Locks" style="line-height: 20px; overflow-wrap: anywhere">a &lt; b</div>'
    """
    named = f'role="note" aria-label="{literal(label, formulas=True)}"'
    return f'<div {named} style="{_WRAP}">{literal(text, formulas=True)}</div>' if text else ""


def _reserved(text: str, role: str, lines: int) -> str:
    reach = ' tabindex="0"' if len(text) > _FITS else ""
    # One line less where the place is wide, as a container query tells; a browser without them takes the first height.
    height = f"height: {lines * 20}px; height: clamp(20px, (720px - 100cqw) * 999, {lines * 20}px)"
    return (
        f'<div style="container-type: inline-size"><div {role}{reach} style="{height}; {_WRAP}; {_SCROLLED}">'
        f"{literal(text, formulas=True)}</div></div>"
    )


def boxed(html: str, height: int, *, label: str, hint: str = "") -> str:
    """Return HTML of our own in a place of a fixed height that is scrolled by keyboard too, and a text below it."""
    below = (
        f'<div style="margin-top: 4px; line-height: 16px; font-size: 11px">{literal(hint)}</div>'
        if hint
        else ""
    )
    return (
        f'<div role="region" tabindex="0" aria-label="{literal(label, formulas=True)}" '
        f'style="height: {height}px; {_SCROLLED}; line-height: 20px">{html}{below}</div>'
    )


def runnable(line: str, remark: str = "") -> str:
    """Return a line of code to read, select and copy, and a remark about it."""
    block = "white-space: pre-wrap; user-select: all; padding: 4px 8px; border: 1px solid rgba(128, 128, 128, 0.4)"
    more = f"<div>{literal(remark, formulas=True)}</div>" if remark else ""
    return f'<div style="{_WRAP}"><code style="display: block; {block}">{verbatim(line)}</code>{more}</div>'
