"""The two tables of the panel: all models beside each other, and what one prompt costs with each.

Both fit 320 pixels: few columns, short words, numbers to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import cost, rate
from vertex_claude_magic.notebook.display.footer import dollars
from vertex_claude_magic.notebook.panel.card import amount
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.reply import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["ORDERS", "PriceRow", "models_table", "price_row", "price_table", "table"]

_TABLE = 'rules="rows" cellpadding="3" style="width: 100%; border-collapse: collapse; margin: 0"'
_LEFT = 'style="text-align: left; overflow-wrap: anywhere"'
_RIGHT = 'style="text-align: right"'
# Beside words a column keeps room for its longest one; beside numbers it may break anywhere.
_WORDS = 'style="text-align: left; overflow-wrap: break-word"'
_MARKS = {"deprecated": "deprecated", "retired": "retired", "limited": "by invitation"}
_UNKNOWN = float("inf")


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceRow:
    """What one prompt costs with one model, in USD; None stands for what is not known or not counted yet.

    `input_cost` is the prompt alone, `answer_cost` the prompt with an answer of usual length, `most_cost`
    with the longest answer that may come. `exact` is False where `input_tokens` is an upper bound.
    """

    name: str
    id: str
    input_tokens: int | None
    exact: bool = True
    input_cost: float | None = None
    answer_cost: float | None = None
    most_cost: float | None = None


def price_row(
    catalog: Catalog, model: str, location: str, input_tokens: int | None, *, exact: bool, max_tokens: int,
    answer_tokens: int = 1_000,
) -> PriceRow:  # fmt: skip
    """Price one prompt with one model.

    Args:
        catalog: The model table.
        model: A model id.
        location: The location that serves the request; its premium is included.
        input_tokens: The length of the prompt in tokens, None while it is not counted.
        exact: Whether that is a count and no upper bound.
        max_tokens: The longest answer in tokens.
        answer_tokens: The length of a usual answer in tokens.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> row = price_row(Catalog.load(), "claude-haiku-5-5", "eu", 1_000, exact=True, max_tokens=8_000)
    >>> row.input_cost, row.answer_cost
    (0.00011, 0.00066)
    """
    row = catalog.find(model)
    name = row.name.removeprefix("Claude ") if row else model
    if row is None or input_tokens is None:
        return PriceRow(name=name, id=model, input_tokens=input_tokens, exact=exact)
    longest = min(max_tokens, row.max_output_tokens or max_tokens)
    costs = [
        cost(row, location, Usage(input_tokens=input_tokens, output_tokens=written))
        for written in (0, min(answer_tokens, longest), longest)
    ]
    return PriceRow(name=name, id=model, input_tokens=input_tokens, exact=exact,
                    input_cost=costs[0], answer_cost=costs[1], most_cost=costs[2])  # fmt: skip


def price_table(
    rows: Sequence[PriceRow], *, location: str, chosen: str = "", answer_tokens: int = 1_000
) -> str:
    """Return the prices of one prompt side by side, as HTML."""
    caption = f"Estimates in USD at {location}: the prompt alone, with an answer of {answer_tokens:,} tokens, at most."
    heads = ("Model", "Tokens", "Prompt", "Answer", "At most")
    body = [
        (
            _name(row.name, "", current=row.id == chosen),
            _counted(row),
            *(_usd(each, row) for each in (row.input_cost, row.answer_cost, row.most_cost)),
        )
        for row in rows
    ]
    return table(caption, heads, body, [row.id == chosen for row in rows])


def _counted(row: PriceRow) -> str:
    if row.input_tokens is None:
        return "…"
    return f"{row.input_tokens:,}" if row.exact else f"≤ {row.input_tokens:,}"


def _usd(price: float | None, row: PriceRow) -> str:
    if price is None:
        return "…" if row.input_tokens is None else "?"
    return dollars(price).removeprefix("≈ ").removeprefix("$")


_ORDERS: Mapping[str, Callable[[Model, str], Any]] = {
    "newest first": lambda model, _: _inverted(model.released or ""),
    "input price": lambda model, place: _price(model, place, "input"),
    "output price": lambda model, place: _price(model, place, "output"),
    "largest context": lambda model, _: -(model.context_tokens or 0),
    "name": lambda model, _: model.name,
}
ORDERS = tuple(_ORDERS)


def models_table(catalog: Catalog, location: str, order: str, chosen: str = "") -> str:
    """Return all models as HTML, sorted by one of `ORDERS`; retired ones come last, what is unknown before them.

    Prices are USD per million tokens at the location, its premium included.
    """
    rank = _ORDERS[order]
    rows = sorted(catalog.models, key=lambda model: (model.lifecycle == "retired", rank(model, location)))
    caption = f"USD per million tokens in and out at {location}, premium included; context in tokens."
    body = [
        (
            _name(model.name.removeprefix("Claude "), _mark(model, location), current=model.id == chosen),
            amount(_known(model, location, "input")),
            amount(_known(model, location, "output")),
            short_count(model.context_tokens),
            _escaped(model.released or "?"),
        )
        for model in rows
    ]
    return table(caption, ("Model", "In", "Out", "Context", "Released"), body, [m.id == chosen for m in rows])


def _inverted(date: str) -> tuple[int, ...]:
    # The newest first, an unknown date last, and 2025-05 before 2025.
    return (*(-ord(letter) for letter in date), 0)


def _known(model: Model, location: str, name: str) -> float | None:
    here = rate(model, location)
    price: float | None = getattr(here, name, None)
    return price


def _price(model: Model, location: str, name: str) -> float:
    price = _known(model, location, name)
    return _UNKNOWN if price is None else price


def _mark(model: Model, location: str) -> str:
    if model.lifecycle in _MARKS:
        return _MARKS[model.lifecycle]
    known = model.locations is not None
    return f"not in {location}" if known and not model.served_in(location) else ""


def _name(name: str, mark: str, *, current: bool) -> str:
    shown = f"● {_escaped(name)}" if current else _escaped(name)
    return f"{shown}<br>{_escaped(mark)}" if mark else shown


def table(
    caption: str,
    heads: Sequence[str],
    body: Sequence[Sequence[str]],
    current: Sequence[bool],
    *,
    numbers: bool = True,
) -> str:
    """Return a table as HTML.

    Args:
        caption: What it shows, as plain text.
        heads: The heads of its columns, as HTML.
        body: The cells of each row, as HTML.
        current: For each row, whether it is that of the chosen model.
        numbers: Whether the cells hold numbers, which stand to the right.
    """
    # What cells share is said once for the table, because the panel's state is saved with the notebook.
    first, aligned = (_LEFT, _RIGHT) if numbers else (_WORDS, _WORDS)
    head = "".join(
        f'<th scope="col" {aligned if place else first}>{name}</th>' for place, name in enumerate(heads)
    )
    rows = "".join(_row(cells, first, current=now) for cells, now in zip(body, current, strict=True))
    return (
        f"<table {_TABLE}><caption {_LEFT}>{_escaped(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody {aligned}>{rows}</tbody></table>"
    )


def _row(cells: Sequence[str], style: str, *, current: bool) -> str:
    now = ' aria-current="true"' if current else ""
    values = "".join(f"<td>{cell}</td>" for cell in cells[1:])
    return f'<tr{now}><th scope="row" {style}>{cells[0]}</th>{values}</tr>'


def _escaped(text: str) -> str:
    return escape(quote(text, 200))
