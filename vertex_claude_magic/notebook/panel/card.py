"""The card of the chosen model: id, limits, prices at the chosen location, what it can do, and who says so.

Amounts carry no dollar sign, because JupyterLab takes a pair of those in a widget's HTML for a formula.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.models.lifecycle import status_details
from vertex_claude_magic.models.prices import rates, usd
from vertex_claude_magic.notebook.pages.html import literal, unbroken
from vertex_claude_magic.notebook.pages.table import Column, Row, Table, lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model, Tier

__all__ = ["card"]

_BOX = (
    "border: 1px solid rgba(128, 128, 128, 0.5); padding: 8px 12px; line-height: 1.4; overflow-wrap: anywhere"
)


def card(catalog: Catalog, model: Model | None, name: str, location: str) -> str:
    """Return the card as HTML that fits 320 pixels and both themes.

    Args:
        catalog: The model table.
        model: The row of the chosen model, None where the table has none.
        name: The model id that a question would be sent with.
        location: The location whose prices are shown, premium included.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> catalog = Catalog.load()
    >>> "0.11 in / 0.55 out" in card(catalog, catalog.find("claude-haiku-5-5"), "claude-haiku-5-5", "eu")
    True
    """
    if model is None:
        near = ", ".join(catalog.nearest(name)) or "none"
        body = (
            f"<strong>{_text(name)}</strong><br>The model table does not know this id, so nothing is checked and it "
            f"is sent as it stands.<br>Like it: {_text(near)}."
        )
    else:
        limits = [
            "?" if count is None else f"{count:,} tokens"
            for count in (model.context_tokens, model.max_output_tokens)
        ]
        facts = _facts(
            model.name,
            [
                ("Limits", [f"{limits[0]} in, {limits[1]} out"]),
                ("Prices", _prices(model, location)),
                ("Cache", _cache(model, location)),
                ("Can do", [", ".join(word.replace("_", " ") for word in model.capabilities)]),
            ],
        )
        more = _facts("More", _details(catalog, model))
        body = (
            f"<strong>{_text(model.name)}</strong> · {unbroken(status_details(model), formulas=True)}"
            f'<br><code style="overflow-wrap: anywhere">{_text(name)}</code>'
            f"{facts}"
            f"<details><summary>More about it</summary>{more}</details>"
        )
    return f'<div style="{_BOX}">{body}</div>'


def _facts(label: str, facts: Iterable[tuple[str, Iterable[str]]]) -> str:
    rows = [Row((term, lines(texts))) for term, values in facts if (texts := [*values])]
    return Table(columns=(Column(wrap="never"), Column()), rows=rows, caption=label).html("facts")


def _details(catalog: Catalog, model: Model) -> Iterator[tuple[str, Iterable[str]]]:
    yield "Also", [name for name in model.other_ids if not name.endswith("@default")]
    yield "Released", [model.released or "not known"]
    if (factor := model.prices.batch_factor) is not None:
        yield "Batch", [f"{(1 - factor) * 100:g} % less in batch prediction"]
    places = "not known" if model.locations is None else ", ".join(model.locations) or "nowhere any more"
    yield "Served in", [places]
    yield "Unsure", model.disagreements
    entries = (catalog.sources[key] for key in model.sources if key in catalog.sources)
    named = "; ".join(f"{entry.get('title', '?')} ({entry.get('date', '?')})" for entry in entries)
    yield "Sources", [f"{named}. Gathered {catalog.as_of}."]


def _prices(model: Model, location: str) -> Iterator[str]:
    for above, tier in _tiers(model, location):
        yield f"{_amount(tier.input)} in / {_amount(tier.output)} out{above}"
    if not model.prices.tiers:
        yield "not known"
        return
    yield f"USD per million tokens at {location}"
    if location != "global" and model.prices.endpoint_premium:
        yield f"{model.prices.endpoint_premium * 100:g} % premium included"


def _cache(model: Model, location: str) -> Iterator[str]:
    for above, tier in _tiers(model, location):
        writes = f"write {_amount(tier.cache_write_5m)} (5 min), {_amount(tier.cache_write_1h)} (1 h)"
        yield f"{writes}, read {_amount(tier.cache_read)}{above}"
    if model.min_cacheable_tokens:
        yield f"from {model.min_cacheable_tokens:,} tokens on"


def _tiers(model: Model, location: str) -> Iterator[tuple[str, Tier]]:
    for over, here in rates(model, location):
        yield f", prompts over {over:,} tokens" if over else "", here


def _amount(price: float | None) -> str:
    return usd(price, "price", unknown="?")


def _text(text: str) -> str:
    return literal(text, formulas=True)
