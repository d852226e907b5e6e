"""The grid of a check as people read it: models below each other, locations beside each other.

In HTML every cell that is not usable says why; text says it below the table.
"""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from vertex_claude_magic.health.check import GridCell
from vertex_claude_magic.models.prices import rate, usd_estimate
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.table import BREAK, Column, Inline, Row, Table
from vertex_claude_magic.text import number_of, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_LEGEND = {
    "count": "* checked by counting tokens: login, project, API and location are right. Only a question shows whether "
    "the model is enabled and has quota (--probe, which costs money).",
    "answer": "usable: the model answered a one-token question.",
}
_INPUT_TOKENS = 10  # of the fixed text, at most


def html(grid: Grid, catalog: Catalog, notes: Sequence[str] = ()) -> str:
    """Return the grid as one HTML table, with the notes in its caption."""
    return _table(grid, catalog, notes).html()


def plain(grid: Grid, catalog: Catalog, notes: Sequence[str] = ()) -> str:
    """Return the grid as aligned text, and below it the reason of each state."""
    groups: dict[tuple[str, str], list[str]] = {}
    for cell in grid.cells.values():
        if cell.state != "usable" and cell.reason:
            place = f" in {cell.location}" if len(grid.locations) > 1 else ""
            groups.setdefault((cell.state, cell.reason), []).append(f"{_name(catalog, cell.model)}{place}")
    lines = [_table(grid, catalog, notes).plain()]
    for (state, reason), names in groups.items():
        lines.append(f"{_MARKS[state]} {state}: {quote(reason)}")
        lines += wrap(", ".join(names), 110, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def state_of(cell: Sighting) -> str:
    """Return the state of a cell with its mark; a star means that only a count proves it."""
    if not cell.proof and not cell.reason:
        # Its answer is awaited.
        return "…"
    star = "*" if cell.state == "usable" and cell.proof == "count" else ""
    return f"{_MARKS[cell.state]} {cell.state}{star}"


def _table(grid: Grid, catalog: Catalog, notes: Sequence[str]) -> Table:
    rows = []
    for model in grid.models:
        found = [grid.cells[GridCell(model, place)] for place in grid.locations]
        if all(cell.state == "retired" and cell.proof == "table" for cell in found):
            # No location brings it back, so one cell is enough.
            found = found[:1]
        cells: list[tuple[str | Inline, ...]] = []
        for cell in found:
            reason = "" if cell.state == "usable" or not cell.reason else literal(cell.reason)
            why = (Inline(f"{BREAK.html}<small>{reason}</small>"),) if reason else ()
            cells.append((state_of(cell), *why))
        rows.append(Row((_name(catalog, model), *cells)))
    proofs = {cell.proof for cell in grid.cells.values() if cell.state == "usable"}
    return Table(
        columns=(Column("Model", wrap="long"), *map(Column, grid.locations)),
        rows=rows,
        caption=_caption(grid, catalog),
        notes=[*(text for proof, text in _LEGEND.items() if proof in proofs), *notes],
    )


def _caption(grid: Grid, catalog: Catalog) -> str:
    when = next((cell.day for cell in grid.cells.values()), "")
    how = number_of(grid.asked, "free count")
    if grid.probe:
        total = 0.0
        for cell in grid.cells.values():
            row = catalog.find(cell.model)
            tier = rate(row, cell.location) if row is not None and cell.proof == "answer" else None
            if tier is not None and cell.state == "usable":
                total += (_INPUT_TOKENS * (tier.input or 0) + (tier.output or 0)) / 1_000_000
        price = f" (together {usd_estimate(total)})" if total else ", which cost"
        how = f"{number_of(grid.asked, 'one-token question')}{price}"
    going = f", {sum(not cell.proof for cell in grid.cells.values())} to go" if grid.going else ""
    return f"What project {quote(grid.project, 60)} may call, by {how} on {when}{going}."


def _name(catalog: Catalog, model: str) -> str:
    row = catalog.find(model)
    return quote(row.short_name if row is not None else model, 60)
