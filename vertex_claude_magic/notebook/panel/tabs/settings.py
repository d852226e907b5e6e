"""The settings of the session beside model and region, each in its place; what the model does not take is greyed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.panel.fragments import note, runnable
from vertex_claude_magic.notebook.panel.tabs.card import card
from vertex_claude_magic.notebook.panel.widgets import fill, keep_between

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.panel.state import PanelState
    from vertex_claude_magic.notebook.panel.widgets import Listener, WidgetFactory

__all__ = ["SettingsTab"]

_SAMPLING_LABELS = {"temperature": "Temperature", "top_p": "Top-p", "top_k": "Top-k"}
_SAMPLING_HINTS = {
    "temperature": "0 to 1; empty: not sent",
    "top_p": "0 to 1; empty: not sent",
    "top_k": "empty: not sent",
}
_NOT_TAKEN = "not supported"


class SettingsTab:
    """Project, limits, effort, thinking and sampling, the line that asks the same, and all that is known of the model.

    Args:
        parts: Makes the widgets.
        state: The panel's state.
        on: Has a control call something when the user changes it.
    """

    def __init__(self, parts: WidgetFactory, state: PanelState, on: Listener) -> None:
        self._state = state
        self._project = parts.text("Project")
        self._max_tokens = parts.number("Max tokens")
        self._effort = parts.dropdown("Effort")
        self._thinking = parts.dropdown("Thinking")
        self._budget = parts.number("Budget, tokens")
        self._show_thinking = parts.check("Show thinking")
        self._sampling = {
            name: parts.text(label, _SAMPLING_HINTS[name]) for name, label in _SAMPLING_LABELS.items()
        }
        self._project_note, self._card, self._line = parts.html(), parts.html(), parts.html()
        reset = parts.button("Reset", "Reset to %config and the environment", state.reset)
        # Room for a label, the longest default and its arrow.
        fields = parts.grid(
            260,
            self._max_tokens,
            self._effort,
            self._thinking,
            self._budget,
            self._show_thinking,
            *self._sampling.values(),
            self._project,
        )
        left = parts.column(fields, self._project_note, self._line, parts.row(reset))
        self.widget = parts.grid(300, left, self._card)
        self._controls = {
            "project": self._project,
            "max_tokens": self._max_tokens,
            "effort": self._effort,
            "thinking": self._thinking,
            "show_thinking": self._show_thinking,
            **self._sampling,
        }
        on(self._thinking, "value", state.choose_thinking)
        on(self._budget, "value", partial(state.choose, "thinking"))
        for name in ("project", "max_tokens", "effort", "show_thinking"):
            on(self._controls[name], "value", partial(state.choose, name))
        for name, field in self._sampling.items():
            on(field, "value", partial(state.choose_number, name))

    def draw(self) -> None:
        """Show the settings of this moment."""
        look = self._state.look
        fill(self._effort, look.efforts, look.effort)
        fill(self._thinking, look.thinkings, look.thinking)
        keep_between(self._max_tokens, look.max_tokens_range, look.max_tokens)
        keep_between(self._budget, look.budgets, look.budget)
        self._project.value = look.project
        self._show_thinking.value = look.target.show_thinking
        self._project.disabled = self._max_tokens.disabled = False
        self._effort.disabled = len(look.efforts) == 1
        self._thinking.disabled = len(look.thinkings) == 1
        self._budget.disabled = look.thinking != "budget"
        self._show_thinking.disabled = not look.offers_show_thinking
        for name, field in self._sampling.items():
            value = look.sampling.get(name)
            field.value = "" if value is None else f"{value:g}"
            field.disabled = name not in look.sampling
            field.placeholder = _NOT_TAKEN if field.disabled else _SAMPLING_HINTS[name]
        for name, control in self._controls.items():
            control.disabled = control.disabled or name in look.fixed
        self._project_note.value = note(look.project_note)
        self._card.value = card(look.catalog, look.row, look.model_id, look.region)
        self._line.value = runnable(look.line, look.line_note)
