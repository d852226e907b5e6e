"""The health section of the panel: what may be called here, what Google logs, what is spent against limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import usd
from vertex_claude_magic.notebook.pages.table import BREAK, Column, Row, Table
from vertex_claude_magic.notebook.panel.fragments import runnable, status_line
from vertex_claude_magic.records.session_records import limits_of
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.health.check import Grid
    from vertex_claude_magic.notebook.pages.logging import Status
    from vertex_claude_magic.notebook.panel.actions import PanelActions
    from vertex_claude_magic.notebook.panel.model import PanelModel
    from vertex_claude_magic.notebook.panel.state import PanelState
    from vertex_claude_magic.notebook.panel.widgets import WidgetFactory
    from vertex_claude_magic.records.budget import Limits
    from vertex_claude_magic.records.spending import Spending

__all__ = ["HealthSection"]


class HealthSection:
    """The last check with a button for a new one, the state of Google's logging, and spend against limits."""

    title = "Status"

    def __init__(self, parts: WidgetFactory, state: PanelState, actions: PanelActions) -> None:
        self._state = state
        self._health = health = actions.health
        self._last, self._note, self._grid = parts.html(), parts.html(), parts.html()
        self._check = parts.button(
            "Check", "Ask which models this project may call here, free of charge", health.check
        )
        self._stop = parts.button("Stop", "Stop checking; results so far stay", health.stop)
        self._read = parts.button(
            "Read logging", "Check whether Google logs requests to this model", health.read_logging
        )
        self._logging_note, self._logging, self._spend = parts.html(), parts.html(), parts.html()
        self.widget = parts.column(
            self._last,
            parts.row(self._check, self._stop, self._read),
            self._note,
            self._logging_note,
            self._logging,
            # Behind the few lines on logging, so that each result is near its button and moves neither.
            self._grid,
            self._spend,
        )
        self.draw()

    def draw(self) -> None:
        """Show what is known."""
        health, look = self._health, self._state.look
        # Check stays as it is while it works: a button that is taken away takes the keyboard's focus along.
        self._stop.disabled = not health.checking
        found, what = health.last_check, f"{quote(look.model_id, 60)} in {quote(look.region, 40)}"
        said = f"{what} has not been checked yet."
        if found is not None:
            said = f"{what}: {found.state} when last checked, {found.day} ({quote(found.reason)})."
        self._last.value = status_line(said, lines=2)
        self._note.value = status_line(health.check_note)
        self._grid.value = _grid_table(health.grid, look) if health.grid is not None else ""
        self._logging_note.value = status_line(health.logging_note)
        self._logging.value = _logging(health.status, look)
        spending = self._state.settings.session().records.spending(look.target)
        self._spend.value = _spend_table(spending, limits_of(look.target))


def _grid_table(grid: Grid, look: PanelModel) -> str:
    """Return what a check of one location found, as HTML; retired models are left out."""
    # Only a check needs it, and the panel is opened without.
    from vertex_claude_magic.notebook.pages.availability import state_of
    from vertex_claude_magic.notebook.panel.tabs.tables import named

    found = [cell for cell in grid.cells.values() if cell.state != "retired" or cell.proof != "table"]
    found.sort(key=lambda cell: grid.models.index(cell.model))
    rows = []
    for cell in found:
        row, current = look.catalog.find(cell.model), cell.model == look.listed_id
        name = row.short_name if row is not None else cell.model
        state = state_of(cell)
        why = () if cell.state == "usable" or not cell.reason else (BREAK, cell.reason)
        rows.append(Row((named(name, current=current), (state, *why)), current=current))
    return Table(
        columns=(Column("Model"), Column("State and reason")),
        rows=rows,
        caption=f"Models that you can call in {', '.join(grid.locations)}. "
        "* checked by counting tokens, which does not show whether terms and quota are in order.",
    ).html("panel")


def _logging(status: Status | None, look: PanelModel) -> str:
    model, region = quote(look.model_id, 60), quote(look.region, 40)
    line = f"%claude_logging on --table bq://project.dataset.table --sample 0.1 -m {model} -r {region}"
    if status is None:
        return ""
    logging = status.logging
    if not logging.enabled:
        return runnable(
            line, f"Google does not log {model} in {region}. Run this line in a cell to switch it on."
        )
    remark = (
        f"Google logs {logging.share} to {model} in {region}, to {quote(logging.table or 'no table', 120)}."
    )
    return runnable(
        "%claude_logging status", f"{remark} Only rows that arrive prove it; this line shows the limits."
    )


def _spend_table(spending: Spending, limits: Limits) -> str:
    """Return what was spent against each limit, as HTML."""
    body = [
        Row(
            (
                name,
                "not known" if spent is None else spent.text(usd),
                "no limit" if limit is None else usd(limit, "price"),
            )
        )
        for name, spent, limit in (
            ("this session", spending.session, limits.session),
            ("today, all notebooks", spending.today, limits.day),
        )
    ]
    columns = (Column("Limit", wrap="anywhere"), Column("Spent", "right"), Column("Of", "right"))
    caption = "Spending against limits (USD, estimated)."
    # What this machine answered is in no row.
    notes = [spending.local_line] if spending.local_line else ()
    return Table(columns=columns, rows=body, caption=caption, notes=notes).html("panel")
