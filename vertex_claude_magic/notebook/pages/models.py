"""The model table as people read it, in HTML and as text, with the same rows in the same order.

Prices have the premium of the chosen location in, and retired models come last. A floor ("at least until") is
shown as a floor and never as a retirement date.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from vertex_claude_magic.models.lifecycle import FLOOR, NOT_CURRENT, status_lines
from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import rates, usd
from vertex_claude_magic.notebook.pages.html import literal, unbroken
from vertex_claude_magic.notebook.pages.table import BREAK, Cell, Column, Row, Table, lines, span
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["html", "plain"]

_PLACES_WIDTH = 16
_COLUMNS = (
    # A browser also breaks at hyphens, and a date or an id in two pieces is hard to read.
    # Where the page is narrow the last columns are the first that a reader has to scroll to.
    Column("Model", wrap="long"),
    Column("In/out", "right", wrap="long"),
    Column("Context/out", "right", wrap="long"),
    Column("Status", wrap="long"),
    Column("Locations", wrap="long"),
)
_DIFFER = "Where the sources differ"


def plain(
    catalog: Catalog,
    location: str | None = None,
    family: str | None = None,
    today: date | None = None,
    *,
    current: bool = False,
) -> str:
    """Return the table as aligned text of at most 100 columns for the rows of the package.

    Args:
        catalog: The model table.
        location: Show only models served there, at the prices there; None shows all, at `global` prices.
        family: Show only this family, and with it the points on which the sources differ.
        today: The day on which it is read; None for the present one.
        current: Leave out what is deprecated, retired or by invitation, and what the sources differ on.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> print(plain(Catalog.load(), "us-east5", "haiku").splitlines()[2].split("  ")[0])
    claude-haiku-4-5@20251001
    """
    models = _models(catalog, location, family, current=current)
    if not models:
        return _nothing(catalog, location, family)
    rows = [Row((model.id, *_cells(model, location or "global", today, current=current))) for model in models]
    notes = []
    if family is not None and not current:
        for text in _differences(models):
            notes += wrap(text, 96, initial_indent="  ", subsequent_indent="    ")
        if notes:
            notes.insert(0, f"{_DIFFER}:")
    hidden = _hidden(catalog, location, family, len(models))
    table = _table(catalog, location, rows, [*_notes(models, today), *hidden])
    return "\n".join([table.plain(), *notes])


def html(
    catalog: Catalog,
    location: str | None = None,
    family: str | None = None,
    today: date | None = None,
    *,
    current: bool = False,
) -> str:
    """Return the same rows as one HTML table; what the sources differ on is folded below it.

    The arguments are those of `plain`.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> html(Catalog.load(), family="haiku").count("</tr>")
    5
    >>> html(Catalog.load(), family="haiku", current=True).count("</tr>")
    3
    """
    models = _models(catalog, location, family, current=current)
    if not models:
        return Table(columns=(), rows=(), caption=_nothing(catalog, location, family)).html()
    rows = [
        Row(
            (
                (quote(model.short_name), BREAK, span("small", model.id)),
                *_cells(model, location or "global", today, current=current),
            )
        )
        for model in models
    ]
    hidden = _hidden(catalog, location, family, len(models))
    table = _table(catalog, location, rows, ()).html()
    below = "<br>".join(map(unbroken, [*_notes(models, today), *hidden]))
    table += f"<p><small>{below}</small></p>" if below else ""
    differ = "".join(f"<li>{literal(text)}</li>" for text in _differences(models))
    return f"{table}<details><summary>{_DIFFER}</summary><ul>{differ}</ul></details>" if differ else table


def _cells(model: Model, location: str, today: date | None, *, current: bool) -> tuple[Cell, ...]:
    prices: list[str] = []
    for over, here in rates(model, location):
        prices += [f"over {short_count(over)}"] if over else []
        prices.append(f"{usd(here.input, 'price', unknown='?')} / {usd(here.output, 'price', unknown='?')}")
    served = ("not known",) if model.locations is None else model.locations or ("none",)
    # One word a line where two are too wide.
    places = wrap(" ".join(served), _PLACES_WIDTH, break_long_words=False, break_on_hyphens=False)
    status = status_lines(model, today)
    return (
        lines(prices or ["?"]),
        f"{short_count(model.context_tokens)} / {short_count(model.max_output_tokens)}",
        # Where all of them are active, the word says nothing.
        lines(status[1:] if current and len(status) > 1 else status),
        lines(places),
    )


def _differences(models: Sequence[Model]) -> list[str]:
    return [f"{quote(model.short_name)}: {quote(note)}" for model in models for note in model.disagreements]


def _hidden(catalog: Catalog, location: str | None, family: str | None, shown: int) -> list[str]:
    count = len(_models(catalog, location, family, current=False)) - shown
    return [f"{count} more are {NOT_CURRENT}: --all shows them."] if count else []


def _models(catalog: Catalog, location: str | None, family: str | None, *, current: bool) -> list[Model]:
    chosen = [
        model
        for model in catalog.models
        if (location is None or model.served_in(location))
        and (family is None or model.family == family)
        and not (current and model.lifecycle != "active")
    ]
    # Two stable sorts: newest first, then by group.
    chosen.sort(key=lambda model: model.released or "", reverse=True)
    families = catalog.families()
    return sorted(chosen, key=lambda model: (model.lifecycle == "retired", families.index(model.family)))


def _table(catalog: Catalog, location: str | None, rows: Sequence[Row], notes: Sequence[str]) -> Table:
    where = f"served in {location}" if location else "on Vertex AI"
    return Table(
        columns=_COLUMNS,
        rows=rows,
        caption=f"Claude models {where}, as of {catalog.as_of}. "
        f"Prices are USD per million tokens ({location or 'global'}).",
        notes=notes,
    )


def _notes(models: Sequence[Model], today: date | None) -> list[str]:
    """Return what the words in the table mean, where they occur."""
    found = {line for model in models for line in status_lines(model, today)}
    notes = list[str]()
    if any(line.startswith(FLOOR) for line in found):
        notes.append(f'"{FLOOR}": no retirement date is set, and this is the earliest possible one.')
    if any(line.startswith("may end any day") for line in found):
        notes.append('"may end any day": that date is past, and no end is announced.')
    return notes


def _nothing(catalog: Catalog, location: str | None, family: str | None) -> str:
    what = f"model of the family {family}" if family else "model"
    nearest = catalog.nearest_location(location) if location else None
    # Where no name is alike, those that serve most.
    near = nearest or "global, us or eu"
    hint = f" The nearest location in it is {near}." if location and near != location else ""
    return quote(f"The table has no {what} in {location or 'any location'}.{hint}")
