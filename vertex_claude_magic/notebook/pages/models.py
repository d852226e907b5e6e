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
from vertex_claude_magic.notebook.pages.table import BREAK, Cell, Column, Row, Table, lines, parts, span
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["html", "plain"]

_PLACES_WIDTH = 16
_HEADS = ("Model", "Id", "Released", "Status", "Limits", "In / out", "Locations")


def plain(
    catalog: Catalog, location: str | None = None, family: str | None = None, today: date | None = None
) -> str:
    """Return the table as aligned text of at most 120 columns for the rows of the package.

    Args:
        catalog: The model table.
        location: Show only models served there, at the prices there; None shows all, at `global` prices.
        family: Show only this family, and with it the points on which the sources differ.
        today: The day on which it is read; None for the present one.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> print(plain(Catalog.load(), "us-east5", "haiku").splitlines()[2].split("  ")[0])
    Haiku 4.5
    """
    models = _models(catalog, location, family)
    if not models:
        return _nothing(catalog, location, family)
    rows = [Row(_cells(model, location or "global", today)) for model in models]
    notes = []
    if family is not None:
        for model in models:
            for note in model.disagreements:
                text = f"{quote(model.short_name)}: {quote(note)}"
                notes += wrap(text, 116, initial_indent="  ", subsequent_indent="    ")
        if notes:
            notes.insert(0, "Where the sources differ:")
    return "\n".join([_table(catalog, location, _HEADS, rows, _notes(models, today)).plain(), *notes])


def html(
    catalog: Catalog, location: str | None = None, family: str | None = None, today: date | None = None
) -> str:
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
        name, model_id, *cells = _cells(model, location or "global", today)
        # Below each other, because a notebook beside a file browser has no room for one more column.
        named = (*parts(name), BREAK, *parts(model_id))
        rows.append(Row((named, *cells), title=" ".join(model.disagreements)))
    heads = (f"{_HEADS[0]}, {_HEADS[1].lower()}", *_HEADS[2:])
    return _table(catalog, location, heads, rows, _notes(models, today)).html()


def _cells(model: Model, location: str, today: date | None) -> tuple[Cell, ...]:
    prices = [
        line
        for above, input_price, output_price in _prices(model, location)
        for line in (above, f"{input_price} / {output_price}")
        if line
    ]
    served = ("not known",) if model.locations is None else model.locations or ("none",)
    # One word a line where two are too wide.
    places = wrap(" ".join(served), _PLACES_WIDTH, break_long_words=False, break_on_hyphens=False)
    return (
        quote(model.short_name),
        span("small", model.id),
        (model.released or "?")[:7],
        lines(status_lines(model, today)),
        f"{short_count(model.context_tokens)}/{short_count(model.max_output_tokens)}",
        lines(prices or ["?"]),
        lines(places),
    )


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
    catalog: Catalog, location: str | None, heads: Sequence[str], rows: Sequence[Row], notes: Sequence[str]
) -> Table:
    where = f"served in {location}" if location else "on Vertex AI"
    return Table(
        # A browser also breaks at hyphens, and a date or an id in two pieces is hard to read.
        columns=[Column(head, wrap="long") for head in heads],
        rows=rows,
        caption=f"Claude models {where}, as of {catalog.as_of}. "
        f"Prices are USD per million tokens at {location or 'global'}.",
        notes=notes,
    )


def _notes(models: Sequence[Model], today: date | None) -> list[str]:
    """Return what the words in the table mean, where they occur."""
    found = {line for model in models for line in status_lines(model, today)}
    notes = ["Limits are tokens of context / of an answer."]
    if any(line.startswith("not before") for line in found):
        notes.append('"not before" is a floor: no retirement date is set.')
    if any(line.startswith("may end any day") for line in found):
        notes.append('"may end any day": that date is past, and no end is announced.')
    return notes


def _nothing(catalog: Catalog, location: str | None, family: str | None) -> str:
    what = f"model of the family {family}" if family else "model"
    nearest = catalog.nearest_location(location) if location else None
    hint = f" The nearest location in it is {nearest}." if nearest not in (None, location) else ""
    return quote(f"The table knows no {what} in {location or 'any location'}.{hint}")


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
