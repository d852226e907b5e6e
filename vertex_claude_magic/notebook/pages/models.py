"""The model table as people read it, in HTML and as text, with the same rows in the same order.

Prices have the premium of the chosen location in, and retired models come last. A floor ("not before") is
shown as a floor and never as a retirement date. Amounts carry no dollar sign, because notebooks take a pair
of those for a formula.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from vertex_claude_magic.models.lifecycle import status_lines
from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import rates, usd
from vertex_claude_magic.notebook.pages.table import Cell, Column, Row, Table, lines
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["html", "plain"]

_PLACES_WIDTH = 16
_PLAIN_HEADS = ("Model", "Id", "Released", "Status", "Limits", "In / out", "Locations")
_UNBROKEN = frozenset({"Model", "Id", "Released"})
_HTML_HEADS = (*_PLAIN_HEADS[:4], "Context", "Max output", "Input", "Output", "Locations")


def plain(catalog: Catalog, location: str | None = None, family: str | None = None) -> str:
    """Return the table as aligned text of at most 120 columns for the rows of the package.

    Args:
        catalog: The model table.
        location: Show only models served there, at the prices there; None shows all, at `global` prices.
        family: Show only this family, and with it the points on which the sources differ.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> print(plain(Catalog.load(), "us-east5", "haiku").splitlines()[2].split("  ")[0])
    Haiku 4.5*
    """
    models = _models(catalog, location, family)
    if not models:
        return _nothing(catalog, location, family)
    rows = []
    for model in models:
        prices = [
            line
            for above, input_price, output_price in _prices(model, location or "global")
            for line in (above, f"{input_price} / {output_price}")
            if line
        ]
        cells: tuple[Cell, ...] = (
            _name(model),
            model.id,
            (model.released or "?")[:7],
            lines(status_lines(model)),
            f"{short_count(model.context_tokens)}/{short_count(model.max_output_tokens)}",
            lines(prices),
            # One word a line where two are too wide.
            lines(
                wrap(" ".join(_places(model)), _PLACES_WIDTH, break_long_words=False, break_on_hyphens=False)
            ),
        )
        rows.append(Row(cells))
    notes = []
    if family is not None:
        for model in models:
            for note in model.disagreements:
                text = f"{_name(model)} {quote(note)}"
                notes += wrap(text, 116, initial_indent="  ", subsequent_indent="    ")
    return "\n".join([_table(catalog, location, models, _PLAIN_HEADS, rows).plain(), *notes])


def html(catalog: Catalog, location: str | None = None, family: str | None = None) -> str:
    """Return the same rows as one HTML table; what the sources differ on is the title of the row's name.

    The arguments are those of `plain`.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> html(Catalog.load(), family="haiku").count("</tr>")
    5
    """
    models = _models(catalog, location, family)
    if not models:
        return Table(columns=(), rows=(), caption=_nothing(catalog, location, family)).html()
    rows = []
    for model in models:
        prices = _prices(model, location or "global") or [("", "?", "?")]
        cells = (
            _name(model),
            model.id,
            model.released or "?",
            ", ".join(status_lines(model)),
            short_count(model.context_tokens),
            short_count(model.max_output_tokens),
            "; ".join(f"{above} {price}".strip() for above, price, _ in prices),
            "; ".join(f"{above} {price}".strip() for above, _, price in prices),
            ", ".join(_places(model)),
        )
        rows.append(Row(cells, title=" ".join(model.disagreements)))
    return _table(catalog, location, models, _HTML_HEADS, rows).html()


def _models(catalog: Catalog, location: str | None, family: str | None) -> list[Model]:
    chosen = [
        model
        for model in catalog.models
        if (location is None or model.served_in(location)) and (family is None or model.family == family)
    ]
    # Two stable sorts: newest first, then by group.
    chosen.sort(key=lambda model: model.released or "", reverse=True)
    families = catalog.families()
    return sorted(chosen, key=lambda model: (model.lifecycle == "retired", families.index(model.family)))


def _table(
    catalog: Catalog, location: str | None, models: Sequence[Model], heads: Sequence[str], rows: Sequence[Row]
) -> Table:
    where = f"served in {location}" if location else "on Vertex AI"
    notes = []
    if any(model.not_sooner_than and model.lifecycle != "retired" for model in models):
        notes.append('"not before" is a floor: no retirement date is set.')
    if any(model.disagreements for model in models):
        notes.append("* The sources differ on this model.")
    return Table(
        # A browser also breaks at hyphens, and a date or an id in two pieces is hard to read.
        columns=[Column(head, wrap="long" if head in _UNBROKEN else "") for head in heads],
        rows=rows,
        caption=f"Claude models {where}, as of {catalog.as_of}. "
        f"Prices are USD per million tokens at {location or 'global'}.",
        notes=notes,
    )


def _nothing(catalog: Catalog, location: str | None, family: str | None) -> str:
    what = f"model of the family {family}" if family else "model"
    nearest = catalog.nearest_location(location) if location else None
    hint = f" The nearest location in it is {nearest}." if nearest not in (None, location) else ""
    return quote(f"The table knows no {what} in {location or 'any location'}.{hint}")


def _name(model: Model) -> str:
    short = quote(model.short_name)
    return f"{short}*" if model.disagreements else short


def _places(model: Model) -> tuple[str, ...]:
    return ("not known",) if model.locations is None else model.locations or ("none",)


def _prices(model: Model, location: str) -> list[tuple[str, str, str]]:
    """Return for each price tier from which prompt on it holds, its input and its output price."""
    return [
        (
            f"over {short_count(over)}" if over else "",
            usd(here.input, "price", unknown="?"),
            usd(here.output, "price", unknown="?"),
        )
        for over, here in rates(model, location)
    ]
