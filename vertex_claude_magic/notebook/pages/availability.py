"""The grid of a check as people read it: aligned text for terminals, one HTML table for notebooks.

Models stand below each other, locations beside each other; every cell that is not usable says why.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from vertex_claude_magic.health.check import Cell
from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.notebook.pages.models import LEFT
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.health.check import Grid
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.observed import Sighting

__all__ = ["html", "plain", "state_of"]

_MARKS = {
    "usable": "✓",
    "not enabled": "✗",
    "no quota": "!",
    "not served": "–",
    "retired": "†",
    "not checked": "?",
}
_COUNTED = (
    "* by counting tokens: login, project, API and location are right; whether the model is enabled and has "
    "quota, only a question proves (--probe, which costs)."
)
_ANSWERED = "usable: the model answered a question of one token."
_INPUT_TOKENS = 10  # of the fixed text, at most


def html(grid: Grid, catalog: Catalog) -> str:
    """Return the grid as one HTML table; nothing in it is styled, loaded or clickable."""
    heads = ["Model", *grid.locations]
    head = "".join(f'<th scope="col" {LEFT}>{_escape(name)}</th>' for name in heads)
    body = "\n".join(_html_row(grid, catalog, model) for model in grid.models)
    caption = " ".join([_caption(grid, catalog), *_legend(grid)])
    return (
        f"<table>\n<caption {LEFT}>{_escape(caption)}</caption>\n"
        f"<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>"
    )


def plain(grid: Grid, catalog: Catalog) -> str:
    """Return the grid as aligned text, and below it what stands behind each state."""
    rows = [["Model", *grid.locations]]
    rows += [
        [_name(catalog, model), *(state_of(_cell(grid, model, place)) for place in grid.locations)]
        for model in grid.models
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([_caption(grid, catalog), *lines, *_legend(grid), *_reasons(grid, catalog)])


def _caption(grid: Grid, catalog: Catalog) -> str:
    when = next((cell.day for cell in grid.cells.values()), "")
    how = (
        f"{grid.asked} one-token questions{_price(grid, catalog)}"
        if grid.probe
        else f"{grid.asked} free counts"
    )
    going = f", {sum(_is_open(cell) for cell in grid.cells.values())} to go" if grid.going else ""
    return f"What project {quote(grid.project, 60)} may call, by {how} on {when}{going}."


def _is_open(cell: Sighting) -> bool:
    return not cell.proof


def _price(grid: Grid, catalog: Catalog) -> str:
    total = 0.0
    for cell in grid.cells.values():
        row = catalog.find(cell.model)
        tier = rate(row, cell.location) if row is not None and cell.proof == "answer" else None
        if tier is not None and cell.state == "usable":
            total += (_INPUT_TOKENS * (tier.input or 0) + (tier.output or 0)) / 1_000_000
    return f" (together about USD {total:.4f})" if total else ", which cost"


def _legend(grid: Grid) -> list[str]:
    proofs = {cell.proof for cell in grid.cells.values() if cell.state == "usable"}
    return [text for proof, text in (("count", _COUNTED), ("answer", _ANSWERED)) if proof in proofs]


def _reasons(grid: Grid, catalog: Catalog) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Sighting]] = {}
    for cell in grid.cells.values():
        if cell.state != "usable" and cell.reason:
            groups.setdefault((cell.state, cell.reason), []).append(cell)
    for (state, reason), cells in groups.items():
        yield f"{_MARKS[state]} {state}: {quote(reason)}"
        named = ", ".join(_named(cell, catalog, grid) for cell in cells)
        yield from wrap(named, 110, initial_indent="    ", subsequent_indent="    ")


def _named(cell: Sighting, catalog: Catalog, grid: Grid) -> str:
    place = f" in {cell.location}" if len(grid.locations) > 1 else ""
    return f"{_name(catalog, cell.model)}{place}"


def _html_row(grid: Grid, catalog: Catalog, model: str) -> str:
    found = [_cell(grid, model, place) for place in grid.locations]
    if all(cell.state == "retired" and cell.proof == "table" for cell in found):
        # No location brings it back, so it is said once.
        cells = f'<td {LEFT} colspan="{len(found)}">{_html_cell(found[0])}</td>'
    else:
        cells = "".join(f"<td {LEFT}>{_html_cell(cell)}</td>" for cell in found)
    return f'<tr><th scope="row" {LEFT}>{_escape(_name(catalog, model))}</th>{cells}</tr>'


def _html_cell(cell: Sighting) -> str:
    shown = _escape(state_of(cell))
    return (
        shown
        if cell.state == "usable" or not cell.reason
        else f"{shown}<br><small>{_escape(cell.reason)}</small>"
    )


def state_of(cell: Sighting) -> str:
    """Return the state of a cell with its mark; a star tells that only a count proves it."""
    if not cell.proof and not cell.reason:
        # Its answer is awaited.
        return "…"
    star = "*" if cell.state == "usable" and cell.proof == "count" else ""
    return f"{_MARKS[cell.state]} {cell.state}{star}"


def _cell(grid: Grid, model: str, location: str) -> Sighting:
    return grid.cells[Cell(model, location)]


def _name(catalog: Catalog, model: str) -> str:
    row = catalog.find(model)
    return quote(row.name.removeprefix("Claude ") if row is not None else model, 60)


def _escape(text: str) -> str:
    from html import escape

    return escape(quote(text, 1_000))
