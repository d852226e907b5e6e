"""The tabs of the panel that ask or edit a text, each made when it is first opened.

A text that is typed here leaves its field as soon as it is taken, because a saved notebook carries the
values of its widgets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.panel.fragments import status_line
from vertex_claude_magic.text import on_line

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.panel.actions import PanelActions
    from vertex_claude_magic.notebook.panel.state import PanelState
    from vertex_claude_magic.notebook.panel.widgets import WidgetFactory

__all__ = ["CostSection", "SystemSection", "TrySection"]


class TrySection:
    """A short prompt, sent in the background with the present settings."""

    title = "Try"

    def __init__(self, parts: WidgetFactory, state: PanelState, actions: PanelActions) -> None:  # noqa: ARG002 - all sections alike
        self._actions = actions
        # As high as the tab leaves, because the answer comes below it.
        self._prompt = parts.area("Prompt", rows=11)
        self._send = parts.button("Send", "Send the prompt; the answer comes below the panel", self._try)
        self._stop = parts.button("Stop", "Stop the answer; what has arrived remains", actions.stop_trial)
        self._note = parts.html()
        self.widget = parts.column(self._prompt, parts.row(self._send, self._stop), self._note)
        self.draw()

    def _try(self) -> None:
        if self._actions.try_prompt(self._prompt.value):
            self._prompt.value = ""

    def draw(self) -> None:
        """Show how far the answer is."""
        self._prompt.placeholder = self._actions.next_prompt
        self._stop.disabled = not self._actions.trying
        self._note.value = status_line(self._actions.trial_note)


class CostSection:
    """A prompt, a variable or a cell, counted by the service, and its price per model."""

    title = "Cost"

    def __init__(self, parts: WidgetFactory, state: PanelState, actions: PanelActions) -> None:  # noqa: ARG002 - all sections alike
        self._actions = actions
        self._prompt = parts.area(
            "Count what", "A prompt, the name of a variable, or a cell such as In[3]", rows=3
        )
        self._count = parts.button("Count tokens", "Sends the text to the chosen region to be counted, free of charge",
                                   self._start)  # fmt: skip
        self._stop = parts.button("Stop", "Stop counting", actions.stop_count)
        self._note = parts.html()
        self._table = parts.html()
        self.widget = parts.column(self._prompt, parts.row(self._count, self._stop), self._note, self._table)
        self.draw()

    def _start(self) -> None:
        if self._actions.count(self._prompt.value):
            self._prompt.value = ""

    def draw(self) -> None:
        """Show what has been counted so far."""
        actions = self._actions
        self._stop.disabled = not actions.counting
        self._note.value = status_line(actions.count_note)
        self._table.value = actions.price_table()


class SystemSection:
    """The system prompt of the session, stored in the kernel."""

    title = "System prompt"

    def __init__(self, parts: WidgetFactory, state: PanelState, actions: PanelActions) -> None:  # noqa: ARG002 - all sections alike
        self._state = state
        self._text = parts.area("Instructions", "You are a patient teacher. Answer in two sentences.", rows=4)
        self._use = parts.button("Apply", "Send this text with every question in this session", self._set)
        self._edit = parts.button("Edit", "Restore the current text in the field", self._bring)
        self._clear = parts.button("Clear", "Ask without a system prompt", self._remove)
        self._note = parts.html()
        self.widget = parts.column(self._text, parts.row(self._use, self._edit, self._clear), self._note)
        self.draw()

    def _set(self) -> None:
        typed, self._text.value = self._text.value, ""
        if typed.strip():
            self._state.choose("system", typed)
        else:
            self._state.tell("Nothing to apply: write a system prompt first.")

    def _bring(self) -> None:
        self._text.value = self._state.system

    def _remove(self) -> None:
        self._text.value = ""
        self._state.choose("system", "")

    def draw(self) -> None:
        """Show whether there is a text, never the text."""
        length = len(self._state.system)
        self._edit.disabled = self._clear.disabled = not length
        self._note.value = status_line(
            f"System prompt set: {length:,} characters. It is not saved with the notebook."
            if length
            else "No system prompt set."
        )


class ChatsSection:
    """The conversations of the notebook, and how a cell goes on with one."""

    title = "Conversations"

    def __init__(self, parts: WidgetFactory, state: PanelState, actions: PanelActions) -> None:  # noqa: ARG002 - all sections alike
        self._note, self._table = parts.html(), parts.html()
        self.widget = parts.column(self._note, self._table)

    def draw(self) -> None:
        """Show them, and where the next question goes."""
        from vertex_claude_magic.chats.listing import chat_rows
        from vertex_claude_magic.notebook.pages.chat import chats_table

        rows = chat_rows()
        goes = (
            f"%%claude -c {on_line(rows[0].name)} continues the latest one; %%claude alone asks without any."
            if rows
            else ""
        )
        self._note.value = status_line(goes, lines=2)
        self._table.value = chats_table(rows, every=False).html("panel")
