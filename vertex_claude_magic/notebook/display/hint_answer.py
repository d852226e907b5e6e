"""A hint on the page: under its level, and of the lower levels only what the guard lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.vertex.reply import Reply

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
        # All else is as the view behind shows it.
        self.start, self.status, self.draw, self.due_in = view.start, view.status, view.draw, view.due_in
        self.asks, self.runs, self.called, self.abandon = view.asks, view.runs, view.called, view.abandon

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

    def finish(self, reply: Reply, *, notes: Sequence[str] = (), metadata: Mapping[str, Any]) -> None:
        """Show what may be shown of the reply, for good."""
        shown, more = self._shown(reply)
        self._view.finish(shown, notes=(*more, *notes), metadata=metadata)
