"""The widgets that the panel is made of, each with its label and as wide as there is room.

Layouts and styles are shared, because each one of its own is one more model to send and to save.
Works with ipywidgets 7.7.1 and 8.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import ipywidgets
from ipywidgets import Layout, Widget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.settings.choices import Choice

__all__ = ["PANEL_CLASS", "Scripts", "WidgetFactory", "fill", "keep_between", "show"]


PANEL_CLASS = "vertex-claude-panel"
# The values that traits of widgets get here.
Trait: TypeAlias = "str | int | bool | Widget | Mapping[str, str] | Sequence[Widget] | None"
W = TypeVar("W", bound=Widget)
# Wide enough for the longest label, narrow enough for 320 pixels.
_LABELS = "7em"


class WidgetFactory:
    """Makes widgets that share their layouts and styles."""

    def __init__(self) -> None:
        self._field = Layout(width="auto", min_width="0", margin="0")
        self._area = Layout(width="auto", min_width="0", margin="0", height="auto")
        self._button = Layout(width="auto", margin="0")
        self._text = Layout(width="auto", min_width="0", margin="0", overflow="visible")
        self._column = Layout(width="100%", min_width="0", grid_gap="8px", overflow="visible", margin="0")
        self._row = Layout(flex_flow="row wrap", grid_gap="8px", align_items="center", overflow="visible",
                           margin="0", min_width="0")  # fmt: skip
        self._hidden = Layout(display="none")
        self._styles: dict[type[Widget], Widget] = {}
        self._made: list[Widget] = []

    def close(self) -> None:
        """Close every widget that was made here."""
        # Layouts and styles are models too, and would stay in the page.
        shared = [value for value in vars(self).values() if isinstance(value, Layout)]
        own = [widget.layout for widget in self._made]
        for model in (*self._made, *own, *shared, *self._styles.values()):
            model.close()

    def listen_beside_cells(self) -> None:
        """Let messages from the page arrive while a cell runs, where the front end sends them that way.

        ipykernel 7.4 keeps, with each comm, the shell from which the comm spoke last, and takes answers to
        that one. What was drawn from a cell would so be answered only after it.
        """
        for widget in self._made:
            if widget.comm is not None:
                vars(widget.comm).pop("_reply_subshell_id", None)

    def dropdown(self, label: str) -> ipywidgets.Dropdown:
        """Make a list to choose one entry from."""
        return self._labelled(ipywidgets.Dropdown, label, self._field)

    def number(self, label: str) -> ipywidgets.BoundedIntText:
        """Make a field for a whole number that always has one."""
        return self._labelled(ipywidgets.BoundedIntText, label, self._field, continuous_update=False)

    def text(self, label: str, hint: str = "") -> ipywidgets.Text:
        """Make a field of one line; it reports when it is left or Enter is pressed."""
        return self._labelled(ipywidgets.Text, label, self._field, continuous_update=False, placeholder=hint)

    def area(self, label: str, hint: str = "", rows: int = 3) -> ipywidgets.Textarea:
        """Make a field of several lines; it reports when it is left."""
        return self._labelled(
            ipywidgets.Textarea, label, self._area, continuous_update=False, placeholder=hint, rows=rows
        )

    def check(self, label: str) -> ipywidgets.Checkbox:
        """Make a box to tick."""
        return self._labelled(ipywidgets.Checkbox, label, self._field)

    def toggle(self, label: str, tooltip: str) -> ipywidgets.ToggleButton:
        """Make a button that stays down."""
        return self._make(ipywidgets.ToggleButton, description=label, tooltip=tooltip, layout=self._button)

    def button(self, label: str, tooltip: str, press: Callable[[], None]) -> ipywidgets.Button:
        """Make a button that calls `press`."""
        made = self._make(ipywidgets.Button, description=label, tooltip=tooltip, layout=self._button)
        made.on_click(lambda _: press())
        return made

    def html(self) -> ipywidgets.HTML:
        """Make a place for HTML of our own."""
        return self._make(ipywidgets.HTML, layout=self._text)

    def scripts(self) -> Scripts:
        """Make the place for what only a script can do."""
        return Scripts(self._make(ipywidgets.Output, layout=self._hidden), PANEL_CLASS)

    def column(self, *children: Widget) -> ipywidgets.VBox:
        """Put widgets below each other."""
        return self._make(ipywidgets.VBox, children=children, layout=self._column)

    def row(self, *children: Widget) -> ipywidgets.HBox:
        """Put widgets beside each other, as many as there is room for."""
        return self._make(ipywidgets.HBox, children=children, layout=self._row)

    def grid(self, least: int, *children: Widget) -> ipywidgets.GridBox:
        """Put widgets into columns of at least so many pixels, or of all the width if that is less."""
        columns = f"repeat(auto-fit, minmax(min(100%, {least}px), 1fr))"
        layout = Layout(grid_template_columns=columns, grid_gap="8px 16px", width="100%", overflow="visible")
        return self._make(ipywidgets.GridBox, children=children, layout=layout)

    def _labelled(self, kind: type[W], label: str, layout: Layout, **traits: Trait) -> W:
        return self._make(kind, {"description_width": _LABELS}, description=label, layout=layout, **traits)

    def _make(self, kind: type[W], style: Mapping[str, str] | None = None, **traits: Trait) -> W:
        if "style" in kind.class_trait_names():
            traits["style"] = self._styles.get(kind, style or {})
        made: W = kind(**traits)
        if "style" in traits:
            self._styles[kind] = made.style
        self._made.append(made)
        return made


class Scripts:
    """The few things that a panel cannot do without a script in the page; nothing that anybody wrote is code here."""

    # JupyterLab takes arrows and letters typed in a list for commands on cells ("m" makes Markdown of one).
    # Lumino leaves the keys of an element alone that has this attribute (@lumino/commands 2).
    _KEEP_KEYS = (
        "const keep = () => document.querySelectorAll('.{panel}').forEach(panel => panel.addEventListener("
        "'focusin', event => event.target.setAttribute('data-lm-suppress-shortcuts', 'true')));"
        " keep(); setTimeout(keep, 500);"
    )
    # The arrow of ipywidgets' lists is a black picture, which a dark theme hides; this variable is how ipywidgets lets
    # others draw it (ipywidgets pull request 1251). Grey is seen on black and on white.
    _SHOW_ARROWS = (
        "const arrows = () => document.querySelectorAll('.{panel}').forEach(panel => panel.style.setProperty("
        "'--jp-widgets-dropdown-arrow', `url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' "
        "viewBox='0 0 18 18' fill='none' stroke='%23808080' stroke-width='2'%3E%3Cpath d='M5 7l4 4 4-4'/%3E%3C/svg%3E"
        '")`));'
        " arrows(); setTimeout(arrows, 500);"
    )

    def __init__(self, output: ipywidgets.Output, panel: str) -> None:
        self.widget = output
        self._always = (_script((self._KEEP_KEYS + self._SHOW_ARROWS).replace("{panel}", panel)),)
        self.widget.outputs = self._always

    def copy(self, text: str) -> None:
        """Put a text into the clipboard of the user; a kernel does not learn if the browser refuses."""
        # In JSON "</script>" and line separators could end the script in a page that writes it out.
        literal = json.dumps(text).replace("<", "\\u003c")
        self.widget.outputs = (*self._always, _script(f"navigator.clipboard.writeText({literal})"))
        # The page runs it as it arrives; a saved notebook must not carry the text.
        self.widget.outputs = self._always


def _script(code: str) -> dict[str, Any]:
    data = {"application/javascript": code, "text/plain": ""}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def fill(dropdown: ipywidgets.Dropdown, offered: Sequence[Choice], value: str) -> None:
    """Put choices into a list and choose one; nothing is sent where nothing changed."""
    entries = tuple((choice.label, choice.value) for choice in offered)
    own = [each for each, choice in enumerate(offered) if choice.value == value and not choice.instead_of]
    with dropdown.hold_sync():
        if dropdown.options != entries:
            dropdown.options = entries
        if dropdown.index != own[0]:
            dropdown.index = own[0]


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
