"""The picker as widgets: filters above, rows beside the chart, each row a radio button with a box to compare it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.panel.fragments import boxed, note, written
from vertex_claude_magic.notebook.panel.picker.chart import chart
from vertex_claude_magic.notebook.panel.picker.compare import comparison
from vertex_claude_magic.notebook.panel.picker.facts import HEAD, RIGHT, row_facts
from vertex_claude_magic.notebook.panel.picker.rows import (
    ANSWER_TOKENS,
    FEATURES,
    ORDERS,
    SHOWN,
    Filters,
    model_of,
    pick_rows,
)
from vertex_claude_magic.notebook.panel.widgets import ROWS_CLASS, fill, show
from vertex_claude_magic.settings.choices import Choice

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipywidgets import Checkbox

    from vertex_claude_magic.notebook.panel.actions import PanelActions
    from vertex_claude_magic.notebook.panel.model import PanelModel
    from vertex_claude_magic.notebook.panel.picker.rows import PickRow
    from vertex_claude_magic.notebook.panel.state import PanelState
    from vertex_claude_magic.notebook.panel.widgets import Listener, WidgetFactory

__all__ = ["HEIGHT", "Picker"]

# Pixels: rows and chart, whatever their content.
HEIGHT = 264
_COMPARED = 2
# So many boxes stay, so that typing into a filter does not make and drop them again and again.
_LEAST_TICKS = 8


class Picker:
    """Filters, rows and chart.

    Args:
        parts: Makes the widgets.
        state: The panel's state.
        actions: Tells the length of the last prompt.
        on: Has a control call something when the user changes it.
        redraw: Has the panel draw this again.
    """

    def __init__(
        self,
        parts: WidgetFactory,
        state: PanelState,
        actions: PanelActions,
        on: Listener,
        redraw: Callable[[], None],
    ) -> None:
        self._parts, self._state, self._actions, self._on = parts, state, actions, on
        self._redraw = redraw
        self._rows: tuple[PickRow, ...] = ()
        # What the prices are shown for.
        self.prompt_tokens = 0
        # Values of rows, the one that was ticked last at the end.
        self._ticked: tuple[str, ...] = ()
        self._show, self.region, self._order = (
            parts.dropdown("Show", short=140),
            # What a check found is behind the name of a region.
            parts.dropdown("Region", short=264),
            parts.dropdown("Sort by", short=180),
        )
        self._find = parts.text("Find", "Name or id", short=120, at_once=True)
        self._features = {
            name: parts.toggle(name.capitalize(), f"Only models that support {name}") for name in FEATURES
        }
        self._radios = parts.radios()
        self._facts, self._side, self._note = parts.html(), parts.html(), parts.html()
        self._ticks: list[Checkbox] = []
        self._boxes = parts.stack()
        radios = parts.layer(self._radios, width=f"calc(100% - {RIGHT}px)", margin=f"{HEAD}px 0 0")
        boxes = parts.layer(self._boxes, width="28px", margin=f"{HEAD}px 0 0 auto")
        layers = parts.layers(parts.layer(self._facts), radios, boxes)
        rows = parts.window(layers, height=f"{HEIGHT}px", flex="3 1 440px")
        rows.add_class(ROWS_CLASS)
        side = parts.window(self._side, height=f"{HEIGHT}px", flex="1 1 280px")
        filters = (self._show, self.region, *self._features.values(), self._find, self._order)
        self.widget = parts.column(
            parts.row(*filters), self._note, parts.row(rows, side, gap="16px", align="stretch")
        )
        fill(self._show, [Choice(each, each.capitalize()) for each in SHOWN], Filters().show)
        fill(self._order, [Choice(each, each.capitalize()) for each in ORDERS], Filters().order)
        for control in (self._show, self._order, self._find, *self._features.values()):
            on(control, "value", lambda _: redraw())
        on(self.region, "value", partial(state.choose, "region"))
        on(self._radios, "index", self._choose)

    def _choose(self, index: int | None) -> None:
        if index is not None and index < len(self._rows):
            self._state.choose_model(self._rows[index].value)

    def draw(self) -> None:
        """Show the rows that the filters leave, at the prices of the chosen location."""
        look = self._state.look
        fill(self.region, look.regions, look.region)
        self.region.disabled = "region" in look.fixed
        self._radios.disabled = "model" in look.fixed
        prompt = self.prompt_tokens = self._actions.prompt_tokens
        self._rows = rows = pick_rows(
            look.catalog,
            look.models,
            location=look.region,
            filters=Filters(
                show=self._show.value,
                features=frozenset(name for name, toggle in self._features.items() if toggle.value),
                text=self._find.value,
                order=self._order.value,
            ),
            chosen=look.model,
            prompt_tokens=prompt or ANSWER_TOKENS,
        )
        # Filters may leave nothing but the chosen model, which is always there.
        alone = "" if any(row.value != look.model for row in rows) else " No other model has all of this."
        # Here and not beside each control, because the tabs below have a fixed height.
        self._note.value = written("Set by the policy", " ".join(look.locked.values())) + note(
            f"{look.region_note}{alone}"
        )
        fill(self._radios, [Choice(row.value, row.name) for row in rows], look.model)
        what = f"your last prompt ({prompt:,} tokens)" if prompt else f"a prompt of {ANSWER_TOKENS:,} tokens"
        caption = f"Price in USD ({look.region}): {what} and an answer of {ANSWER_TOKENS:,}"
        self._facts.value = row_facts(rows, look.model, caption)
        self._draw_ticks(rows)
        self._draw_side(look, caption)

    def _draw_ticks(self, rows: tuple[PickRow, ...]) -> None:
        while len(self._ticks) < len(rows):
            tick = self._parts.tick()
            self._on(tick, "value", partial(self._tick, len(self._ticks)))
            self._ticks.append(tick)
        while len(self._ticks) > max(len(rows), _LEAST_TICKS):
            # Each is a model that a notebook saves.
            self._parts.drop(self._ticks.pop())
        for tick, row in zip(self._ticks, rows, strict=False):
            with tick.hold_sync():
                tick.description = f"Compare {row.name}"
                tick.value = row.value in self._ticked
        show(self._boxes, self._ticks[: len(rows)])

    def _tick(self, at: int, ticked: bool) -> None:
        value = self._rows[at].value
        others = [each for each in self._ticked if each != value]
        # A third one takes the place of the first.
        self._ticked = tuple([*others, value][-_COMPARED:]) if ticked else tuple(others)
        self._redraw()

    def _draw_side(self, look: PanelModel, caption: str) -> None:
        found = (model_of(look.catalog, each, look.region) for each in self._ticked)
        ids = [model.id for model in found if model is not None]
        if len(ids) == _COMPARED and ids[0] != ids[1]:
            table = comparison(look.catalog, ids[0], ids[1], look.region)
            self._side.value = boxed(table, HEIGHT, label="Comparison")
            return
        hint = "Tick two rows to compare." if len(ids) < _COMPARED else "These two are the same model."
        # Not of the chart that it stands below.
        hint = f"Rows: {caption[0].lower()}{caption[1:]}. {hint}"
        picture = chart(look.catalog, look.region, look.listed_id)
        self._side.value = boxed(picture, HEIGHT, label="Chart", hint=hint)
