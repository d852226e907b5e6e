"""The chart of current models: output price on a logarithmic axis against context, as SVG that needs no script.

It is drawn with the colour of the text around it, so that both themes fit. What it shows is in the rows, too.
"""

from __future__ import annotations

import math
from itertools import groupby
from typing import TYPE_CHECKING

from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.notebook.pages.html import literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["WIDTH", "chart"]

# Pixels; where there is less room it is drawn smaller.
WIDTH, _HEIGHT = 360, 224
_LEFT, _RIGHT, _TOP, _BOTTOM = 34, 250, 14, 198
# Seen on white and on black, three to one or better. Families of a table of the user's own share the last one.
_COLOURS = {
    "sonnet": "#c2691f",
    "opus": "#7d6bd6",
    "haiku": "#2a8f72",
    "fable": "#c9508a",
    "mythos": "#5580b0",
}
_OTHER = "#808080"
# Pixels between dots of one price, and between the lines of two labels.
_STEP, _LINE = 9, 11
_LONGEST = 20


def chart(catalog: Catalog, location: str, chosen: str = "") -> str:
    """Return the chart as SVG, some 5 kB.

    Args:
        catalog: The model table.
        location: The location whose prices are shown, premium included.
        chosen: The id of the chosen model, which gets a ring.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> svg = chart(Catalog.load(), "eu", "claude-haiku-5-5")
    >>> svg.startswith("<svg "), "chosen: Haiku 5.5, 0.55" in svg, svg.count("<circle")
    (True, True, 23)
    """
    points = [
        (model.context_tokens, here.output, model)
        for model in catalog.models
        if model.lifecycle != "retired"
        and model.context_tokens
        and (here := rate(model, location)) is not None
        and here.output
    ]
    if not points:
        return ""
    contexts = sorted({context for context, _, _ in points})
    prices = [price for _, price, _ in points]
    low, high = math.log10(min(prices)), math.log10(max(prices))
    # A single price or context is in the middle of its axis.
    rise = (_BOTTOM - _TOP - 16) / ((high - low) or 1)
    stretch = math.log(contexts[-1] / contexts[0]) or 1

    def across(context: int) -> float:
        return _LEFT + 24 + (_RIGHT - _LEFT - 44) * math.log(context / contexts[0]) / stretch

    def down(price: float) -> float:
        return _BOTTOM - 8 - (math.log10(price) - low) * rise

    named = next((model.short_name for _, _, model in points if model.id == chosen), "")
    cost = next((f"{price:g}" for _, price, model in points if model.id == chosen), "")
    title = f"Output price in USD per million tokens at {location}, logarithmic, against context in tokens"
    title += f"; chosen: {named}, {cost}." if named else "."
    label = literal(title, formulas=True)
    parts = [
        # Lower where it is narrower, because the text below it has more lines there.
        f'<svg viewBox="0 0 {WIDTH} {_HEIGHT}" width="100%" style="display:block;max-height:{_HEIGHT}px"',
        f' role="img" aria-label="{label}"',
        ' font-size="11" fill="currentColor" xmlns="http://www.w3.org/2000/svg">',
        '<text x="0" y="11">Output, USD per million tokens</text>',
    ]
    steps = (step * 10**power for power in range(math.floor(low), math.ceil(high) + 1) for step in (1, 2, 5))
    shown = [(f"{down(each):.0f}", each) for each in steps if low - 0.01 <= math.log10(each) <= high + 0.01]
    lines = "".join(f"M{_LEFT} {y}H{_RIGHT}" for y, _ in shown)
    parts.append(f'<path d="{lines}" stroke="currentColor" stroke-opacity="0.15"/>')
    parts += [
        f'<text x="{_LEFT - 6}" y="{y}" dy="4" text-anchor="end">{price:g}</text>' for y, price in shown
    ]
    parts += [
        f'<text x="{across(context):.0f}" y="{_BOTTOM + 12}" text-anchor="middle">{short_count(context)}</text>'
        for context in contexts
    ]
    parts.append(f'<text x="{_RIGHT}" y="{_HEIGHT - 2}" text-anchor="end">Context, tokens</text>')
    for context in contexts:
        column = [(down(price), model) for at, price, model in points if at == context]
        column.sort(key=lambda dot: dot[0])
        parts += _column(across(context), column, chosen)
    return "".join([*parts, "</svg>"])


def _column(x: float, dots: Sequence[tuple[float, Model]], chosen: str) -> list[str]:
    """Draw the models of one context, from the top; those of one price beside each other, with one label."""
    groups = [(y, [model for _, model in group]) for y, group in groupby(dots, key=lambda dot: dot[0])]
    beside = x + max(len(models) for _, models in groups) * _STEP
    parts, floor = [], float("-inf")
    for y, models in groups:
        for at, model in enumerate(models):
            colour, hollow = _COLOURS.get(model.family, _OTHER), model.lifecycle == "deprecated"
            place = f'cx="{x + at * _STEP:.0f}" cy="{y:.0f}"'
            if model.id == chosen:
                parts.append(f'<circle {place} r="7" fill="none" stroke="currentColor" stroke-width="2"/>')
            fill = "none" if hollow else colour
            parts.append(f'<circle {place} r="4" stroke="{colour}" stroke-width="1.5" fill="{fill}"/>')
        # Labels that would touch are placed below each other, beside all dots, in the order of the prices.
        floor = max(floor + _LINE, y)
        alone = all(abs(y - other) > _LINE for other, _ in groups if other != y)
        left = x + len(models) * _STEP if alone else beside
        named = next((model for model in models if model.id == chosen), models[0]).short_name
        label = named if len(named) <= _LONGEST else f"{named[:_LONGEST]}…"
        label += f" +{len(models) - 1}" if len(models) > 1 else ""
        text = literal(label, formulas=True)
        parts.append(f'<text x="{left:.0f}" y="{floor:.0f}" dy="4">{text}</text>')
    return parts
