"""The card of the chosen model: id, limits, prices at the chosen location, what it can do, and who says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.models.lifecycle import status_details
from vertex_claude_magic.models.prices import rates, usd_limit
from vertex_claude_magic.notebook.pages.html import literal, unbroken
from vertex_claude_magic.notebook.pages.table import BREAK, Column, Inline, Row, Table, parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model, Tier
    from vertex_claude_magic.notebook.pages.table import Cell

__all__ = ["card"]

_BOX = "padding: 0 8px; line-height: 20px; overflow-wrap: anywhere"


def card(catalog: Catalog, model: Model | None, name: str, location: str) -> str:
    """Return the card as HTML that fits 320 pixels and both themes.

    Args:
        catalog: The model table.
        model: The row of the chosen model, None where the table has none.
        name: The model id that a question would be sent with.
        location: The location whose prices are shown, premium included.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> catalog = Catalog.load()
    >>> html = card(catalog, catalog.find("claude-haiku-5-5"), "claude-haiku-5-5", "eu")
    >>> "<span>$</span>0.11 in · <span>$</span>0.55 out" in html
    True
    """
    if model is None:
        near = ", ".join(catalog.nearest(name)) or "none"
        body = (
            f"<strong>{_text(name)}</strong><br>This id is not in the model table, so it is sent unchecked."
            f"<br>Similar: {_text(near)}."
        )
    else:
        limits = [
            "?" if count is None else f"{count:,} tokens"
            for count in (model.context_tokens, model.max_output_tokens)
        ]
        facts = _facts(
            model.name,
            [
                ("Limits", [f"context {limits[0]}, answer {limits[1]}"]),
                ("Prices", _prices(model, location)),
                ("Cache", _cache(model, location)),
                ("Features", [", ".join(word.replace("_", " ") for word in model.capabilities)]),
            ],
        )
        more = _facts("More", _details(catalog, model))
        body = (
            f"<strong>{_text(model.name)}</strong> · {unbroken(status_details(model), formulas=True)}"
            f'<br><code style="overflow-wrap: anywhere">{_text(name)}</code>'
            f"{facts}"
            f"<details><summary>Details and sources</summary>{more}</details>"
        )
    return f'<div style="{_BOX}">{body}</div>'


def _facts(label: str, facts: Iterable[tuple[str, Iterable[Cell]]]) -> str:
    rows = []
    for term, values in facts:
        if lines := [part for cell in values for part in (BREAK, *parts(cell))]:
            rows.append(Row((term, tuple(lines[1:]))))
    return Table(columns=(Column(wrap="never"), Column()), rows=rows, caption=label).html("facts")


def _details(catalog: Catalog, model: Model) -> Iterator[tuple[str, Iterable[Cell]]]:
    yield "Also", [name for name in model.other_ids if not name.endswith("@default")]
    yield "Released", [model.released or "not known"]
    if (factor := model.prices.batch_factor) is not None:
        yield "Batch", [f"{(1 - factor) * 100:g} % less in batch prediction"]
    places = "not known" if model.locations is None else ", ".join(model.locations) or "no longer anywhere"
    yield "Served in", [places]
    yield "Unsure", model.disagreements
    entries = (catalog.sources[key] for key in model.sources if key in catalog.sources)
    named = "; ".join(f"{entry.get('title', '?')} ({entry.get('date', '?')})" for entry in entries)
    yield "Sources", [f"{named}. Gathered {catalog.as_of}."]


def _prices(model: Model, location: str) -> Iterator[Cell]:
    for above, tier in _tiers(model, location):
        yield _amount(tier.input), " in · ", _amount(tier.output), f" out{above}"
    if not model.prices.tiers:
        yield "not known"
        return
    yield f"per million tokens ({location})"
    if location != "global" and model.prices.endpoint_premium:
        yield f"{model.prices.endpoint_premium * 100:g} % surcharge included"


def _cache(model: Model, location: str) -> Iterator[Cell]:
    for above, tier in _tiers(model, location):
        short, long, read = map(_amount, (tier.cache_write_5m, tier.cache_write_1h, tier.cache_read))
        yield "write ", short, " (5 min), ", long, " (1 h), read ", read, above
    if model.min_cacheable_tokens:
        yield f"from {model.min_cacheable_tokens:,} tokens"


def _tiers(model: Model, location: str) -> Iterator[tuple[str, Tier]]:
    for over, here in rates(model, location):
        yield f", prompts over {over:,} tokens" if over else "", here


def _amount(price: float | None) -> Inline:
    # Its sign is in an element of its own, because a pair of them could be taken for a formula.
    return Inline(literal(usd_limit(price)), usd_limit(price))


def _text(text: str) -> str:
    return literal(text, formulas=True)
