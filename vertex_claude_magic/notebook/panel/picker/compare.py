"""Two models beside each other, as a table in which only what differs is strong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.models.lifecycle import status_details
from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import rate, usd
from vertex_claude_magic.notebook.pages.table import Column, Inline, Row, Table, span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["comparison"]

# What every current model does says nothing in a comparison.
_FEATURES = ("images", "pdf", "thinking", "structured_outputs", "computer_use", "memory_tool")


def comparison(catalog: Catalog, first: str, second: str, location: str) -> str:
    """Return two models of the table beside each other, as HTML.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> html = comparison(Catalog.load(), "claude-opus-5-5", "claude-opus-5", "global")
    >>> "<strong>20</strong>" in html, "<strong>1M</strong>" in html
    (True, False)
    """
    models = [model for model in map(catalog.find, (first, second)) if model is not None]
    if len(models) != 2:
        return ""
    rows = []
    for (label, one), (_, other) in zip(*(_facts(model, location) for model in models), strict=True):
        cells = (one, other) if one == other else (span("strong", one), span("strong", other))
        # The head of a row is bold where nothing else is said.
        rows.append(Row((Inline(f'<span style="font-weight: normal">{label}</span>', label), *cells)))
    heads = [Column(model.short_name, wrap="anywhere") for model in models]
    caption = f"Prices in USD per million tokens at {location}. What differs is bold."
    return Table(columns=(Column(" "), *heads), rows=rows, caption=caption).html("panel")


def _facts(model: Model, location: str) -> Iterator[tuple[str, str]]:
    here, rules = rate(model, location), model.rules
    yield "Input", usd(here.input if here else None, "price", unknown="?")
    yield "Output", usd(here.output if here else None, "price", unknown="?")
    yield "Context", short_count(model.context_tokens)
    yield "Longest answer", short_count(model.max_output_tokens)
    yield "Lifecycle", status_details(model)
    yield "Released", model.released or "?"
    yield "Served in", "?" if model.locations is None else ", ".join(model.locations) or "nowhere"
    yield "Effort", ", ".join(rules.effort) or "not supported"
    yield "Thinking", ", ".join(word.replace("_", " ") for word in rules.thinking) or "not supported"
    yield "Temperature", "supported" if rules.sampling else "not supported"
    has = [word.replace("_", " ") for word in _FEATURES if word in model.capabilities]
    yield "Features", ", ".join(has) or "?"
