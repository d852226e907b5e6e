"""The widgets that the panel is made of, each with its label and as wide as there is space.

Layouts and styles are shared, because each one of its own is one more model to send and to save.
Works with ipywidgets 7.7.1 and 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import ipywidgets
from ipywidgets import Layout, Widget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.notebook.panel.scripts import Scripts
    from vertex_claude_magic.settings.choices import Choice

__all__ = ["PANEL_CLASS", "ROWS_CLASS", "Listener", "WidgetFactory", "fill", "keep_between", "show"]


PANEL_CLASS = "vertex-claude-panel"
ROWS_CLASS = "vertex-claude-rows"
# What a radio button of ipywidgets is high, which `Scripts` changes.
_PITCH = "var(--jp-widgets-radio-item-height, 20px)"
# The values that traits of widgets get here.
Trait: TypeAlias = "str | int | bool | Widget | Mapping[str, str] | Sequence[Widget] | None"
W = TypeVar("W", bound=Widget)
# Wide enough for the longest label, narrow enough for 320 pixels.
_LABELS = "8em"


class Listener(Protocol):
    """Has a control call something with its new value when the user changes it."""

    def __call__(self, widget: Widget, trait: str, act: Callable[[Any], None]) -> None:
        """Listen to a trait of a control."""


class WidgetFactory:
    """Makes widgets that share their layouts and styles."""

    def __init__(self) -> None:
        self._field = Layout(width="auto", min_width="0", margin="0")
        self._short: dict[int, Layout] = {}
        self._area = Layout(width="auto", min_width="0", margin="0", height="auto")
        self._button = Layout(width="auto", margin="0")
        self._text = Layout(width="auto", min_width="0", margin="0", overflow="visible")
        self._column = Layout(width="100%", min_width="0", grid_gap="8px", overflow="visible", margin="0")
        self._stack = Layout(width="28px", overflow="visible", margin="0")
        # Wide enough for the box; the words after it are for screen readers.
        # Of a row of two lines only the first is the box's; the icon that copies the id is in the second.
        self._tick = Layout(width="28px", min_width="0", height="20px", margin=f"0 0 calc({_PITCH} - 20px) 0",
                            padding="0 0 0 8px", overflow="hidden")  # fmt: skip
        self._rows: dict[tuple[str, str], Layout] = {}
        self._hidden = Layout(display="none")
        self._styles: dict[tuple[type[Widget], str], Widget] = {}
        self._made: list[Widget] = []

    def close(self) -> None:
        """Close every widget that was made here."""
        # Layouts and styles are models too, and would stay in the page.
        shared = [value for value in vars(self).values() if isinstance(value, Layout)]
        shared += [*self._short.values(), *self._rows.values()]
        own = [widget.layout for widget in self._made]
        for model in (*self._made, *own, *shared, *self._styles.values()):
            model.close()

    def drop(self, widget: Widget) -> None:
        """Close one widget that is shown no longer anywhere."""
        self._made.remove(widget)
        # Its layout and style are shared.
        widget.close()

    def listen_beside_cells(self) -> None:
        """Let messages from the page arrive while a cell runs, where the front end sends them that way.

        ipykernel 7.4 keeps, with each comm, the shell from which the comm spoke last, and takes answers to
        that one. What was drawn from a cell would so be answered only after it.
        """
        for widget in self._made:
            if widget.comm is not None:
                vars(widget.comm).pop("_reply_subshell_id", None)

    def dropdown(self, label: str, *, short: int = 0) -> ipywidgets.Dropdown:
        """Make a list to choose one entry from; a short one of so many pixels or more has others beside it."""
        return self._labelled(ipywidgets.Dropdown, label, short=short)

    def number(self, label: str) -> ipywidgets.BoundedIntText:
        """Make a field for a whole number that always has one."""
        return self._labelled(ipywidgets.BoundedIntText, label, continuous_update=False)

    def text(self, label: str, hint: str = "", *, short: int = 0, at_once: bool = False) -> ipywidgets.Text:
        """Make a field of one line; it reports when it is left or Enter is pressed, or each key at once."""
        return self._labelled(
            ipywidgets.Text, label, short=short, continuous_update=at_once, placeholder=hint
        )

    def area(self, label: str, hint: str = "", rows: int = 3) -> ipywidgets.Textarea:
        """Make a field of several lines; it reports when it is left."""
        return self._labelled(
            ipywidgets.Textarea,
            label,
            layout=self._area,
            continuous_update=False,
            placeholder=hint,
            rows=rows,
        )

    def check(self, label: str) -> ipywidgets.Checkbox:
        """Make a box to tick."""
        return self._labelled(ipywidgets.Checkbox, label)

    def toggle(self, label: str, tooltip: str) -> ipywidgets.ToggleButton:
        """Make a button that stays down."""
        return self._make(ipywidgets.ToggleButton, description=label, tooltip=tooltip, layout=self._button)

    def button(
        self, label: str, tooltip: str, press: Callable[[], None], *, look: str = "", icon: str = ""
    ) -> ipywidgets.Button:
        """Make a button that calls `press`; one with an icon alone is called by its tooltip."""
        made = self._make(
            ipywidgets.Button,
            description=label,
            tooltip=tooltip,
            button_style=look,
            icon=icon,
            layout=self._button,
        )
        made.on_click(lambda _: press())
        return made

    def tick(self) -> ipywidgets.Checkbox:
        """Make the box of a row, as high as a radio button and without space for its words."""
        return self._make(ipywidgets.Checkbox, indent=False, layout=self._tick)

    def radios(self) -> ipywidgets.RadioButtons:
        """Make a group of which one is chosen; an entry is as wide as the group."""
        return self._make(ipywidgets.RadioButtons, layout=self._field)

    def tabs(self, titles: Sequence[str]) -> ipywidgets.ToggleButtons:
        """Make a row of buttons of which one is down."""
        return self._make(
            ipywidgets.ToggleButtons, {"button_width": "auto"}, options=tuple(titles), layout=self._field
        )

    def html(self) -> ipywidgets.HTML:
        """Make a place for HTML of our own."""
        return self._make(ipywidgets.HTML, layout=self._text)

    def scripts(self) -> Scripts:
        """Make the place for what only a script can do."""
        from vertex_claude_magic.notebook.panel.scripts import Scripts

        return Scripts(self._make(ipywidgets.Output, layout=self._hidden), PANEL_CLASS, ROWS_CLASS)

    def column(self, *children: Widget) -> ipywidgets.VBox:
        """Put widgets below each other."""
        return self._make(ipywidgets.VBox, children=children, layout=self._column)

    def row(self, *children: Widget, gap: str = "8px", align: str = "center") -> ipywidgets.HBox:
        """Put widgets beside each other, as many as there is space for."""
        if (gap, align) not in self._rows:
            self._rows[gap, align] = Layout(flex_flow="row wrap", grid_gap=gap, align_items=align, margin="0",
                                            overflow="visible", min_width="0")  # fmt: skip
        return self._make(ipywidgets.HBox, children=children, layout=self._rows[gap, align])

    def stack(self, *children: Widget) -> ipywidgets.VBox:
        """Put the boxes of rows below each other, without a gap."""
        return self._make(ipywidgets.VBox, children=children, layout=self._stack)

    def window(self, *children: Widget, height: str, flex: str = "") -> ipywidgets.VBox:
        """Put widgets below each other into a height that never changes; what is longer is scrolled."""
        layout = Layout(height=height, flex=flex, overflow="hidden auto", min_width="0", margin="0")
        return self._make(ipywidgets.VBox, children=children, layout=layout)

    def layers(self, *children: Widget) -> ipywidgets.GridBox:
        """Put layers upon each other, the last one on top."""
        layout = Layout(grid_template_columns="minmax(0, 1fr)", width="100%", overflow="visible", margin="0",
                        flex="0 0 auto")  # fmt: skip
        return self._make(ipywidgets.GridBox, children=children, layout=layout)

    def layer(self, widget: W, width: str = "100%", margin: str = "0") -> W:
        """Make a widget one of `layers`."""
        # `close` takes the layout of each widget along.
        widget.layout = Layout(
            grid_area="1 / 1 / 2 / 2", width=width, margin=margin, min_width="0", overflow="visible"
        )
        return widget

    def grid(self, least: int, *children: Widget) -> ipywidgets.GridBox:
        """Put widgets into columns of at least so many pixels, or of all the width if that is less."""
        columns = f"repeat(auto-fit, minmax(min(100%, {least}px), 1fr))"
        layout = Layout(grid_template_columns=columns, grid_gap="8px 16px", width="100%", overflow="visible")
        return self._make(ipywidgets.GridBox, children=children, layout=layout)

    def _labelled(
        self, kind: type[W], label: str, *, short: int = 0, layout: Layout | None = None, **traits: Trait
    ) -> W:
        if short and short not in self._short:
            flex = f"1 1 {short}px"
            # One that has a line of its own is not as wide as the panel.
            most = f"{2 * short}px"
            self._short[short] = Layout(width="auto", min_width="0", margin="0", flex=flex, max_width=most)
        shared = layout or self._short.get(short, self._field)
        style = {"description_width": "initial" if short else _LABELS}
        return self._make(kind, style, description=label, layout=shared, **traits)

    def _make(self, kind: type[W], style: Mapping[str, str] | None = None, **traits: Trait) -> W:
        key = (kind, str(style))
        if "style" in kind.class_trait_names():
            traits["style"] = self._styles.get(key, style or {})
        made: W = kind(**traits)
        if "style" in traits:
            self._styles[key] = made.style
        self._made.append(made)
        return made


def fill(
    dropdown: ipywidgets.Dropdown | ipywidgets.RadioButtons, offered: Sequence[Choice], value: str
) -> None:
    """Put choices into a list and choose one; nothing is sent where nothing changed."""
    entries = tuple((choice.label, choice.value) for choice in offered)
    own = next(at for at, choice in enumerate(offered) if choice.value == value)
    with dropdown.hold_sync():
        if dropdown.options != entries:
            dropdown.options = entries
        if dropdown.index != own:
            dropdown.index = own


def keep_between(field: ipywidgets.BoundedIntText, allowed: range, value: int) -> None:
    """Give a number field its limits and its value, in an order that never contradicts itself."""
    with field.hold_sync():
        field.min = min(field.min, allowed[0], value)
        field.max = max(allowed[-1], value)
        field.value = value
        field.min = min(allowed[0], value)


def show(box: ipywidgets.Box, children: Sequence[Widget]) -> None:
    """Put children into a box; nothing is sent where nothing changed."""
    if list(box.children) != list(children):
        box.children = tuple(children)
