"""The facts below the radio buttons: a head, then one line a row with id, price as a bar, context and lifecycle.

The radio buttons of ipywidgets are as high as the variable `--jp-widgets-radio-item-height` says, and so are these
lines, so that each lies behind its button. In a narrow place a line folds into two: a script of the panel sets the
variable `--vertex-claude-fold` to the width below which it does; without it nothing folds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import usd
from vertex_claude_magic.notebook.pages.html import literal, verbatim

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.notebook.panel.picker.rows import PickRow

__all__ = ["HEAD", "RIGHT", "row_facts"]

# How high the head is, in pixels.
HEAD = 24

# Pixels at the right end of a row that no radio button covers: the icon to copy, and the box to compare.
RIGHT = 60
# What the lines share is written once, as variables, because the state of the panel is saved with the notebook, where
# each double quote has a backslash: so attributes have single ones (and texts are escaped for both).
# Where it is narrow, the name is above the line, and bar and lifecycle are left out. `100cqw` is the width of the
# window of rows, which a script makes a container; without it nothing is narrow.
_FOLD = "var(--vertex-claude-fold, 0px)"
_IF_WIDE = f"(100cqw - {_FOLD}) * 999"
_SHARED = (
    "margin: 0; padding: 0; list-style: none; line-height: 24px; white-space: nowrap; "
    "font-variant-numeric: tabular-nums; "
    "--h: var(--jp-widgets-radio-item-height, 20px); "
    f"--m: clamp(4px, {_IF_WIDE}, 152px); "
    f"--p: 0 clamp(4px, {_IF_WIDE}, {RIGHT - 28}px) 0 var(--m); "
    f"--t: minmax(0, 1fr) clamp(0px, {_IF_WIDE}, 40px) 56px 46px clamp(0px, {_IF_WIDE}, 80px) 20px; "
    "--l: inset 0 -1px var(--jp-border-color2, rgba(128, 128, 128, 0.3)); "
    "--g: var(--jp-layout-color2, rgba(128, 128, 128, 0.15)); "
    "--b: linear-gradient(var(--jp-brand-color1, #1976d2) 0 0) 0 50% / 100% 8px no-repeat; "
    "--f: 11px/24px var(--jp-code-font-family, monospace); "
    # Grey is seen on black and on white.
    "--i: url(&quot;data:image/svg+xml,%3Csvg xmlns=%27http://www.w3.org/2000/svg%27 viewBox=%270 0 12 12%27 "
    "fill=%27none%27 stroke=%27%23808080%27%3E%3Cpath d=%27M4 4h7v7H4zM2 8H1V1h7v1%27/%3E%3C/svg%3E&quot;) "
    "center / 12px no-repeat"
)
# At the end, because the name is above the rest where a line has two.
_LINE = (
    "display:grid;grid:none/var(--t);gap:0 4px;padding:var(--p);height:var(--h);align-content:end;"
    "box-shadow:var(--l);overflow:hidden;text-align:right"
)


# It stays where the rows are scrolled, above the radio buttons, which come later in the page. The words of the list
# are for screen readers.
_HEAD = (
    f"<li aria-hidden=true style='{_LINE.replace('var(--h)', f'{HEAD}px')};position:sticky;top:0;z-index:1;"
    "background:var(--jp-layout-color0,Canvas);font-size:11px;color:var(--jp-ui-font-color2,GrayText)'>"
    "<span style='text-align:left;margin-left:calc(4px - var(--m))'>Model</span><span></span><span>USD</span>"
    "<span>Context</span><span style='overflow:hidden'>State</span>"
    f"<span style='overflow:hidden;width:clamp(0px,{_IF_WIDE},{RIGHT - 8}px)'>Compare</span></li>"
)


def row_facts(rows: Sequence[PickRow], chosen: str, caption: str) -> str:
    """Return the lines as HTML; a row that cannot be chosen says why in place of its figures.

    Args:
        rows: The rows.
        chosen: The value of the chosen one.
        caption: What the prices are for.
    """
    most = max((row.price for row in rows if row.price is not None and not row.why), default=0.0)
    off = " ".join(str(at) for at, row in enumerate(rows) if row.why)
    lines = "".join(_line(row, most, current=row.value == chosen) for row in rows)
    label = literal(caption, formulas=True)
    return f'<ul aria-label="{label}" data-off="{off}" style="{_SHARED}">{_HEAD}{lines}</ul>'


def _line(row: PickRow, most: float, *, current: bool) -> str:
    mark, ground = (" aria-current=true", ";background:var(--g)") if current else ("", "")
    line, ident = _LINE, verbatim(row.id[:120])
    parts = [f"<code style='overflow:hidden;text-align:left;background:none;font:var(--f)'>{ident}</code>"]
    if row.why:
        # A reason has the place of all figures, and what the id leaves; it must not cover the icon and the box.
        line = _LINE.replace("var(--t)", "minmax(0, 1fr) minmax(0, max-content) 20px")
        cut = "overflow:hidden;text-overflow:ellipsis"
        parts.append(f"<span style='{cut}'>{literal(row.why, formulas=True)}</span>")
    else:
        share = 0 if row.price is None or not most else max(1, round(row.price / most * 100))
        context = short_count(row.model.context_tokens) if row.model is not None else "?"
        parts += [
            f"<i style='width:{share}%;background:var(--b)'></i>",
            f"<span>{usd(row.price, 'short', unknown='?')}</span>",
            f"<span>{context}</span>",
            f"<span style='overflow:hidden'>{literal(row.chip, formulas=True)}</span>",
        ]
    # Tab comes to the icon of the chosen row only, so that thirty icons do not stand in the way.
    tab = 0 if current else -1
    copy = f"<span role=button tabindex={tab} title='Copy id' data-copy style='background:var(--i)'></span>"
    return f"<li{mark} style='{line}{ground}'>{''.join(parts)}{copy}</li>"
