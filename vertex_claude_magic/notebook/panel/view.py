"""The panel as widgets: controls that show the state, and callbacks that call it.

Nothing is decided here. A callback takes the state's lock, because widget messages may arrive in a thread
of their own while a cell changes settings.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.chats.names import chats_line
from vertex_claude_magic.notebook.panel.actions import PanelActions
from vertex_claude_magic.notebook.panel.card import card
from vertex_claude_magic.notebook.panel.fragments import note, runnable, status_line
from vertex_claude_magic.notebook.panel.health import HealthSection
from vertex_claude_magic.notebook.panel.sections import CostSection, ModelsSection, SystemSection, TrySection
from vertex_claude_magic.notebook.panel.state import PanelState
from vertex_claude_magic.notebook.panel.widgets import PANEL_CLASS, WidgetFactory, fill, keep_between, show
from vertex_claude_magic.settings.loaded import present_policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ipywidgets import Widget

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.panel.model import PanelModel
    from vertex_claude_magic.notebook.panel.output import StaticOutput
    from vertex_claude_magic.notebook.shell import Change

__all__ = ["Panel"]

_SECTIONS = (TrySection, CostSection, SystemSection, ModelsSection, HealthSection)

_SAMPLING_LABELS = {"temperature": "Temperature", "top_p": "Top-p", "top_k": "Top-k"}

_SAMPLING_HINTS = {
    "temperature": "0 to 1; empty: not sent",
    "top_p": "0 to 1; empty: not sent",
    "top_k": "empty: not sent",
}


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
        self._parts = WidgetFactory()
        self._drawing = False
        self._make_controls()
        self._opened: dict[type, Any] = {}
        self._toggles = {kind: self._parts.toggle(kind.title, kind.hint) for kind in _SECTIONS}
        self.widget = self._arranged()
        self.widget.add_class(PANEL_CLASS)
        self._listen()
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

    def _make_controls(self) -> None:
        parts = self._parts
        self._model = parts.dropdown("Model")
        self._region = parts.dropdown("Region")
        self._project = parts.text("Project")
        self._max_tokens = parts.number("Max tokens")
        self._effort = parts.dropdown("Effort")
        self._thinking = parts.dropdown("Thinking")
        self._budget = parts.number("Budget, tokens")
        self._show_thinking = parts.check("Show thinking")
        self._sampling = {
            name: parts.text(label, _SAMPLING_HINTS[name]) for name, label in _SAMPLING_LABELS.items()
        }
        self._region_note, self._project_note = parts.html(), parts.html()
        self._lock_note = parts.html()
        self._card, self._line, self._message = parts.html(), parts.html(), parts.html()
        self._copy = parts.button("Copy", "Copy the line for another notebook", self._copy_line)
        self._copy_id = parts.button("Copy id", "Copy the id of the chosen model", self._copy_model_id)
        self._reset = parts.button("Reset", "Back to what %config and the environment say", self.state.reset)
        self._scripts = parts.scripts()
        self._controls: dict[str, Widget] = {
            "model": self._model, "region": self._region, "project": self._project, "max_tokens": self._max_tokens,
            "effort": self._effort, "thinking": self._thinking, "show_thinking": self._show_thinking, **self._sampling,
        }  # fmt: skip

    def _arranged(self) -> Widget:
        parts = self._parts
        # Room for a label, the longest default and its arrow.
        self._settings = parts.grid(260)
        self._below = parts.column()
        left = parts.column(
            self._model,
            self._region,
            self._region_note,
            self._project,
            self._project_note,
            self._lock_note,
            self._settings,
        )
        right = parts.column(self._card, parts.row(self._copy_id))
        return parts.column(
            parts.grid(300, left, right),
            self._line,
            parts.row(self._copy, self._reset, *self._toggles.values()),
            self._message,
            self._below,
            self._scripts.widget,
        )

    def _listen(self) -> None:
        state = self.state
        self._on(self._model, "index", state.choose_model)
        plain = {
            "region": self._region,
            "project": self._project,
            "max_tokens": self._max_tokens,
            "effort": self._effort,
            "thinking": self._budget,
            "show_thinking": self._show_thinking,
        }
        for name, control in plain.items():
            self._on(control, "value", partial(state.choose, name))
        self._on(self._thinking, "value", state.choose_thinking)
        for name, field in self._sampling.items():
            self._on(field, "value", partial(state.choose_number, name))
        for toggle in self._toggles.values():
            self._on(toggle, "value", lambda _: self._toggled())
        state.observe(lambda _: self.draw(), "revision")
        self.actions.observe(lambda _: self._draw_work(), "revision")

    def _on(self, widget: Widget, trait: str, act: Callable[[Any], None]) -> None:
        def changed(change: Change) -> None:
            with self.state.lock:
                # What the panel itself puts into a control is no choice of the user's.
                if not self._drawing:
                    act(change["new"])

        widget.observe(changed, trait)

    def draw(self) -> None:
        """Show the state in every control."""
        with self.state.lock:
            self._drawing = True
            try:
                self._draw_controls(self.state.look)
                for section in self._opened.values():
                    section.draw()
            finally:
                self._drawing = False
            self._parts.listen_beside_cells()
            self.output.summarize(self.state.look.summary)

    def _draw_controls(self, look: PanelModel) -> None:
        fill(self._model, look.models, look.model)
        fill(self._region, look.regions, look.region)
        fill(self._effort, look.efforts, look.effort)
        fill(self._thinking, look.thinkings, look.thinking)
        keep_between(self._max_tokens, look.max_tokens_range, look.max_tokens)
        keep_between(self._budget, look.budgets, look.budget)
        self._project.value = look.project
        self._show_thinking.value = look.target.show_thinking
        for name, value in look.sampling.items():
            self._sampling[name].value = "" if value is None else f"{value:g}"
        optional = {self._budget: look.thinking == "budget", self._show_thinking: look.offers_show_thinking}
        optional |= {field: name in look.sampling for name, field in self._sampling.items()}
        always = (self._max_tokens, self._effort, self._thinking)
        show(self._settings, [*always, *(field for field, wanted in optional.items() if wanted)])
        self._region_note.value = note(look.region_note)
        self._project_note.value = note(look.project_note)
        self._card.value = card(look.catalog, look.row, look.model_id, look.region)
        # A lock with several values leaves a choice among them, and what is not among them is refused.
        locks = present_policy().locks
        for name, control in self._controls.items():
            control.disabled = len(locks.get(name, ())) == 1
        self._lock_note.value = note(" ".join(look.locked.values()))
        self._line.value = runnable(look.line, look.line_note)
        warning = f"As it stands, a question would be refused: {look.warning}" if look.warning else ""
        self._message.value = status_line(" ".join(filter(None, (self.state.message, warning, chats_line()))))

    def _toggled(self) -> None:
        self._draw_sections()
        # What was done before has nothing to do with the section that is opened now.
        if self.state.message:
            self.state.tell("")

    def _draw_sections(self) -> None:
        wanted = [kind for kind, toggle in self._toggles.items() if toggle.value]
        for kind in wanted:
            # Made when it is first opened, because each widget is a model that is sent and saved.
            if kind not in self._opened:
                self._opened[kind] = kind(self._parts, self.state, self.actions)
        show(self._below, [self._opened[kind].widget for kind in wanted])

    def _draw_work(self) -> None:
        with self.state.lock:
            for section in self._opened.values():
                section.draw()
            self._parts.listen_beside_cells()

    def _copy_line(self) -> None:
        self._scripts.copy(self.state.line)
        self.state.tell("Copied the line.")

    def _copy_model_id(self) -> None:
        self._scripts.copy(self.state.look.model_id)
        self.state.tell("Copied the id.")
