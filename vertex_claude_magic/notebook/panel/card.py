"""The card of the chosen model: id, limits, prices at the chosen location, what it can do, and who says so.

Amounts carry no dollar sign, because JupyterLab takes a pair of those in a widget's HTML for a formula.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model, Tier

__all__ = ["amount", "card", "lifecycle"]

_BOX = (
    "border: 1px solid rgba(128, 128, 128, 0.5); padding: 8px 12px; line-height: 1.4; overflow-wrap: anywhere"
)
_LEFT = 'style="text-align: left"'
_TERM = 'style="text-align: left; white-space: nowrap; padding-right: 10px"'
_TABLE = 'style="width: 100%; border-collapse: collapse; border: 0; margin: 4px 0 0 0"'
_LONGEST = 300


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
        return f'<div style="{_BOX}">{_unknown(catalog, name)}</div>'
    head = f"<strong>{_text(model.name)}</strong> · {_text(lifecycle(model))}"
    return (
        f'<div style="{_BOX}">{head}<br><code style="overflow-wrap: anywhere">{_text(name)}</code>'
        f"{_table(_facts(model, location), model.name)}"
        f"<details><summary>More about it</summary>{_table(_details(catalog, model), 'More')}</details></div>"
    )


def _table(facts: Iterable[tuple[str, Sequence[str]]], label: str) -> str:
    rows = "".join(
        f'<tr><th scope="row" {_TERM}>{term}</th><td {_LEFT}>{"<br>".join(map(_text, lines))}</td></tr>'
        for term, lines in facts
        if lines
    )
    return f'<table aria-label="{_text(label)}" {_TABLE}><tbody valign="top">{rows}</tbody></table>'


def lifecycle(model: Model) -> str:
    """Return the lifecycle in words, with its dates and the successor; a floor is never called an end.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> lifecycle(Catalog.load().find("claude-sonnet-5-5"))
    'active, not retired before 2027-09-28'
    """
    dated = {"deprecated": model.deprecated_on, "retired": model.retired_on}.get(model.lifecycle)
    word = "invited customers only" if model.lifecycle == "limited" else model.lifecycle
    parts = [f"{word} {dated}" if dated else word]
    if model.not_sooner_than and model.lifecycle != "retired":
        parts.append(f"not retired before {model.not_sooner_than}")
    if model.api_retired_on and model.lifecycle != "active" and not dated:
        parts.append(f"on the Claude API {model.api_retired_on}")
    if model.successor:
        parts.append(f"use {model.successor}")
    return ", ".join(parts)


def amount(price: float | None) -> str:
    """Return a price in USD without its unit, "?" where it is unknown.

    >>> amount(0.11), amount(10.0), amount(None)
    ('0.11', '10', '?')
    """
    return "?" if price is None else f"{price:g}"


def _unknown(catalog: Catalog, name: str) -> str:
    near = ", ".join(catalog.nearest(name)) or "none"
    said = "The model table does not know this id, so nothing is checked and it is sent as it stands."
    return f"<strong>{_text(name)}</strong><br>{said}<br>Like it: {_text(near)}."


def _facts(model: Model, location: str) -> Iterator[tuple[str, Sequence[str]]]:
    yield "Limits", [f"{_tokens(model.context_tokens)} in, {_tokens(model.max_output_tokens)} out"]
    yield "Prices", [*_prices(model, location)]
    yield "Cache", [*_cache(model, location)]
    yield "Can do", [", ".join(word.replace("_", " ") for word in model.capabilities)]


def _details(catalog: Catalog, model: Model) -> Iterator[tuple[str, Sequence[str]]]:
    yield "Also", [name for name in model.other_ids if not name.endswith("@default")]
    yield "Released", [model.released or "not known"]
    yield "Batch", _batch(model)
    places = "not known" if model.locations is None else ", ".join(model.locations) or "nowhere any more"
    yield "Served in", [places]
    yield "Unsure", model.disagreements
    yield "Sources", [_sources(catalog, model.sources)]


def _tokens(count: int | None) -> str:
    return "?" if count is None else f"{count:,} tokens"


def _prices(model: Model, location: str) -> Iterator[str]:
    for above, tier in _tiers(model, location):
        yield f"{amount(tier.input)} in / {amount(tier.output)} out{above}"
    if not model.prices.tiers:
        yield "not known"
        return
    yield f"USD per million tokens at {location}"
    if location != "global" and model.prices.endpoint_premium:
        yield f"{model.prices.endpoint_premium * 100:g} % premium included"


def _cache(model: Model, location: str) -> Iterator[str]:
    for above, tier in _tiers(model, location):
        writes = f"write {amount(tier.cache_write_5m)} (5 min), {amount(tier.cache_write_1h)} (1 h)"
        yield f"{writes}, read {amount(tier.cache_read)}{above}"
    if model.min_cacheable_tokens:
        yield f"from {model.min_cacheable_tokens:,} tokens on"


def _tiers(model: Model, location: str) -> Iterator[tuple[str, Tier]]:
    for tier in model.prices.tiers:
        here = rate(model, location, tier.over_input_tokens + 1)
        if here is not None:
            above = f", prompts over {tier.over_input_tokens:,} tokens" if tier.over_input_tokens else ""
            yield above, here


def _batch(model: Model) -> list[str]:
    factor = model.prices.batch_factor
    return [] if factor is None else [f"{(1 - factor) * 100:g} % less in batch prediction"]


def _sources(catalog: Catalog, keys: Iterable[str]) -> str:
    entries = (catalog.sources[key] for key in keys if key in catalog.sources)
    named = (f"{entry.get('title', '?')} ({entry.get('date', '?')})" for entry in entries)
    return f"{'; '.join(named)}. Gathered {catalog.as_of}."


def _text(text: str) -> str:
    return escape(quote(text, _LONGEST * 4))
