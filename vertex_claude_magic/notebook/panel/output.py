"""The panel's plain output below its controls: the settings in words, and the answer of a first try.

A widget cannot be shown without a kernel, so readers of the saved notebook have this to read. Every front end shows it,
below the panel too, so it says nothing that is true of one of them alone; what replaces the widget where there are none
is the text in the widget's own bundle. It is one output with a display id, because a try may end long after the cell
that opened the panel.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.sanitize import as_text, safe_plain
from vertex_claude_magic.notebook.display.output import Output

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.display.output import Bundle, Metadata, Screen

__all__ = ["StaticOutput"]

_ABOUT = "Settings of this session"


class StaticOutput:
    """One output that is drawn again in its place; it is also the screen on which an answer streams.

    Args:
        screen: Where it goes.
    """

    def __init__(self, screen: Screen) -> None:
        self._output = Output(screen)
        self._lock = RLock()
        self._summary = ""
        self._answer: Bundle = {}
        self._metadata: Metadata = {}

    def open(self, summary: str) -> None:
        """Show the output below the cell that runs; opened twice, both places show the same from then on."""
        with self._lock:
            self._summary = summary
            self._output.show(self._bundle(), self._metadata)

    def summarize(self, summary: str) -> None:
        """Put the present settings in the place of the former."""
        with self._lock:
            if summary != self._summary:
                self._summary = summary
                self._draw()

    def show(self, bundle: Bundle, metadata: Metadata, display_id: str | None) -> None:  # noqa: ARG002
        """Show an answer; there is one place for it, so its own display id does not matter."""
        with self._lock:
            self._answer, self._metadata = bundle, metadata
            self._draw()

    def update(self, bundle: Bundle, metadata: Metadata, display_id: str) -> None:
        """Show the answer as it is now."""
        self.show(bundle, metadata, display_id)

    def clear(self) -> None:
        """Take the answer away."""
        self.show({}, {}, None)

    def _draw(self) -> None:
        # A panel is drawn once before it is opened.
        if self._output.shown:
            self._output.draw(self._bundle(), self._metadata)

    def _bundle(self) -> Bundle:
        text = f"{_ABOUT}: {self._summary}."
        markdown = [f"<small>{as_text(text)}</small>", self._answer.get("text/markdown", "")]
        plain = [safe_plain(text), self._answer.get("text/plain", "")]
        return {
            "text/markdown": "\n\n".join(part for part in markdown if part),
            "text/plain": "\n\n".join(part for part in plain if part),
        }
