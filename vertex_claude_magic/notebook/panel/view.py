"""The panel as widgets: a header, messages, the picker, and tabs; callbacks call the state.

Nothing is decided here, and nothing moves: each part has a height that what it shows does not change. A callback
takes the state's lock, because widget messages may arrive in a thread of their own while a cell changes settings.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.notebook.panel.actions import PanelActions
from vertex_claude_magic.notebook.panel.fragments import header, status_line
from vertex_claude_magic.notebook.panel.picker.widget import Picker
from vertex_claude_magic.notebook.panel.state import PanelState
from vertex_claude_magic.notebook.panel.tabs.sections import (
    ChatsSection,
    CostSection,
    SystemSection,
    TrySection,
)
from vertex_claude_magic.notebook.panel.tabs.settings import SettingsTab
from vertex_claude_magic.notebook.panel.tabs.status import HealthSection
from vertex_claude_magic.notebook.panel.widgets import PANEL_CLASS, WidgetFactory, show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ipywidgets import Widget

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.panel.output import StaticOutput
    from vertex_claude_magic.notebook.shell import Change
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Panel", "Tab"]

_TAB_HEIGHT = "304px"
_SETTINGS = "Settings"
# In this order after the settings; a tab of its own is one more entry.
_SECTIONS = {
    kind.title: kind for kind in (TrySection, CostSection, SystemSection, ChatsSection, HealthSection)
}


class Tab(Protocol):
    """What a tab shows."""

    @property
    def widget(self) -> Widget:
        """Its widgets."""

    def draw(self) -> None:
        """Show the state of this moment."""


class Panel:
    """One panel; shown in several places it is the same panel.

    Args:
        host: The object that holds settings, shell and client.
        output: The plain output below the controls.
    """

    def __init__(self, host: Host, output: StaticOutput) -> None:
        self.state = PanelState(host)
        self.output = output
        self.actions = PanelActions(host, self.state, output)
        self._parts = parts = WidgetFactory()
        self._drawing = False
        self._header, self._message = parts.html(), parts.html()
        self._try = parts.button(
            "Try it", "Open the tab to send a prompt with these settings", self._open_try, look="primary"
        )
        self._copy = parts.button("", "Copy line", self._copy_line, icon="copy")
        self._picker = Picker(parts, self.state, self.actions, self._on, self.draw)
        self._tabs = parts.tabs((_SETTINGS, *_SECTIONS))
        self._opened: dict[str, Tab] = {_SETTINGS: SettingsTab(parts, self.state, self._on)}
        self._below = parts.window(height=_TAB_HEIGHT)
        self._scripts = parts.scripts()
        self.widget = parts.column(
            parts.row(self._header, self._try, self._copy),
            self._message,
            self._picker.widget,
            self._tabs,
            self._below,
            self._scripts.widget,
        )
        self.widget.add_class(PANEL_CLASS)
        self._on(self._tabs, "value", lambda _: self._open_tab())
        self.state.observe(lambda _: self.draw(), "revision")
        self.actions.observe(lambda _: self._draw_work(), "revision")
        self.draw()

    def close(self) -> None:
        """Take the panel away wherever it is shown, and stop what it does."""
        # First, so that nothing is drawn into widgets that are closed already.
        self.state.unobserve_all()
        self.actions.unobserve_all()
        self.actions.close()
        self.state.close()
        self._parts.close()

    @property
    def closed(self) -> bool:
        """Whether the widgets are gone, closed by this panel or by ipywidgets itself."""
        return self.widget.comm is None

    def _on(self, widget: Widget, trait: str, act: Callable[[Any], None]) -> None:
        def changed(change: Change) -> None:
            with self.state.lock:
                # What the panel itself puts into a control is not a choice of the user's.
                if not self._drawing:
                    act(change["new"])

        widget.observe(changed, trait)

    @contextmanager
    def _own_drawing(self) -> Iterator[None]:
        with self.state.lock:
            was, self._drawing = self._drawing, True
            try:
                yield
            finally:
                self._drawing = was
            self._parts.listen_beside_cells()

    def draw(self) -> None:
        """Show the state in every part that is open."""
        with self._own_drawing():
            look = self.state.look
            self._header.value = header(look)
            warning = f"These settings will be rejected: {look.warning}" if look.warning else ""
            self._message.value = status_line(" ".join(filter(None, (self.state.message, warning))), lines=2)
            self._picker.draw()
            self._draw_tab()
            self.output.summarize(look.summary)

    def answered(self, reply: Reply) -> None:
        """Show what was spent, and what a prompt of this length costs with each model."""
        self.actions.prompt_tokens = reply.usage.total_input_tokens
        self.draw()

    def _draw_tab(self) -> None:
        title = self._tabs.value
        if title not in self._opened:
            # Made when it is first opened, because each widget is a model that is sent and saved.
            self._opened[title] = _SECTIONS[title](self._parts, self.state, self.actions)
        self._opened[title].draw()
        show(self._below, [self._opened[title].widget])

    def _open_tab(self) -> None:
        # What was done before has nothing to do with the tab that is opened now.
        if self.state.message:
            self.state.tell("")
        else:
            self._draw_work()

    def _open_try(self) -> None:
        self._tabs.value = TrySection.title

    def _draw_work(self) -> None:
        with self._own_drawing():
            # After a try it is known how long its prompt was.
            if self._picker.prompt_tokens != self.actions.prompt_tokens:
                self._picker.draw()
            self._draw_tab()

    def _copy_line(self) -> None:
        self._scripts.copy(self.state.line)
        self.state.tell("Copied the line.")
