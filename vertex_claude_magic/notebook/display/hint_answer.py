"""A hint on the page: under its level, and of the lower levels only what the guard lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = ["HintAnswer"]


class HintAnswer:
    """A view that shows a hint by way of another one.

    Args:
        view: The view that draws.
        head: What stands above the hint, Markdown.
        shown: Returns what may be shown of a reply, and notes. It also sees what had arrived before a stop or an error.
        streams: Whether the text is shown while it comes; else only what has been looked through.
    """

    def __init__(
        self,
        view: AnswerView,
        head: str,
        shown: Callable[[Reply], tuple[Reply, tuple[str, ...]]],
        *,
        streams: bool,
    ) -> None:
        self._view = view
        self._head = head
        self._shown = shown
        self._streams = streams

    def start(self, label: str) -> None:
        """Show at once what is asked."""
        self._view.start(label)

    def status(self, text: str) -> None:
        """Say what is being waited for."""
        self._view.status(text)

    def text(self, delta: str) -> None:
        """Take text in."""
        if self._streams:
            self._view.text(f"{self._head}{delta}")
            self._head = ""
        else:
            self._view.status("reading the hint")

    def thinking(self, delta: str) -> None:
        """Thinking may say more than the hint does, so it is not shown."""

    def between(self, line: str) -> None:
        """Say in one line what happens between two rounds."""
        self._view.status(line)

    def asks(self, call: str) -> bool:
        """Show a call of a function that waits for the user's yes, and tell whether it is in sight now."""
        return self._view.asks(call)

    def runs(self, call: str) -> None:
        """Say that a function is called, until that has ended."""
        self._view.runs(call)

    def called(self, call: ToolCall) -> None:
        """Show a call that has ended."""
        self._view.called(call)

    def draw(self) -> None:
        """Draw if something is due."""
        self._view.draw()

    def due_in(self) -> float | None:
        """Return the seconds until `draw` would do something, or None."""
        return self._view.due_in()

    def finish(self, reply: Reply, *, notes: Sequence[str] = (), metadata: Mapping[str, Any]) -> None:
        """Show what may be shown of the reply, for good."""
        shown, more = self._shown(reply)
        self._view.finish(shown, notes=(*more, *notes), metadata=metadata)

    def abandon(self) -> None:
        """Take away what is there, because an error will be shown instead."""
        self._view.abandon()
