"""What one prompt costs with each model, as a table that fits 320 pixels: few columns, short words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import usd
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.notebook.panel.picker.rows import ANSWER_TOKENS
from vertex_claude_magic.vertex.reply import Usage, cost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.models.catalog import Catalog

__all__ = ["PriceRow", "named", "price_row", "price_table"]


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceRow:
    """What one prompt costs with one model, in USD; None for what is not known or not counted yet.

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
    catalog: Catalog, model: str, location: str, input_tokens: int | None, *, exact: bool, max_tokens: int
) -> PriceRow:  # fmt: skip
    """Price one prompt with one model.

    Args:
        catalog: The model table.
        model: A model id.
        location: The location that serves the request; its premium is included.
        input_tokens: The length of the prompt in tokens, None while it is not counted.
        exact: Whether that is a count and no upper bound.
        max_tokens: The longest answer in tokens.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> row = price_row(Catalog.load(), "claude-haiku-5-5", "eu", 1_000, exact=True, max_tokens=8_000)
    >>> row.input_cost, row.answer_cost
    (0.00011, 0.00066)
    """
    row = catalog.find(model)
    name = row.short_name if row else model
    if row is None or input_tokens is None:
        return PriceRow(name=name, id=model, input_tokens=input_tokens, exact=exact)
    longest = min(max_tokens, row.max_output_tokens or max_tokens)
    costs = [
        cost(row, location, Usage(input_tokens=input_tokens, output_tokens=written))
        for written in (0, min(ANSWER_TOKENS, longest), longest)
    ]
    return PriceRow(name=name, id=model, input_tokens=input_tokens, exact=exact,
                    input_cost=costs[0], answer_cost=costs[1], most_cost=costs[2])  # fmt: skip


def price_table(rows: Sequence[PriceRow], *, location: str, chosen: str = "") -> str:
    """Return the prices of one prompt side by side, as HTML."""

    def shown(price: float | None, row: PriceRow) -> str:
        return usd(price, "short", unknown="…" if row.input_tokens is None else "?")

    def counted(row: PriceRow) -> str:
        if row.input_tokens is None:
            return "…"
        return f"{row.input_tokens:,}" if row.exact else f"≤ {row.input_tokens:,}"

    body = []
    for row in rows:
        costs = (shown(each, row) for each in (row.input_cost, row.answer_cost, row.most_cost))
        current = row.id == chosen
        body.append(Row((named(row.name, current=current), counted(row), *costs), current=current))
    caption = (
        f"Estimates in USD at {location}: the prompt alone; with an answer of {ANSWER_TOKENS:,} tokens; "
        "with the longest answer."
    )
    return Table(
        columns=(_NAME, *(Column(head, "right") for head in ("Tokens", "Prompt", "Answer", "At most"))),
        rows=body,
        caption=caption,
    ).html("panel")


# Beside numbers a name may break anywhere, so that the table fits 320 pixels.
_NAME = Column("Model", wrap="anywhere")


def named(name: str, *, current: bool) -> str:
    """Return the name of a row, with a mark if it is that of the chosen model.

    >>> named("Opus 5.5", current=True)
    '● Opus 5.5'
    """
    return f"● {name}" if current else name
