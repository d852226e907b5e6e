"""The panel's plain output below its controls: the settings in words, and the answer of a first try.

A widget cannot be shown without a kernel, so whoever opens the saved notebook reads this instead. It is
one output with a display id, because a try may end long after the cell that opened the panel.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vertex_claude_magic.markdown.sanitize import as_text, safe_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["StaticOutput"]

_ABOUT = "Set for this session"
_AGAIN = "The controls need a running kernel: run this cell."


class StaticOutput:
    """One output that is drawn again in its place; it is also the screen on which an answer streams.

    Args:
        publisher: `display_pub` of an IPython shell.
    """

    def __init__(self, publisher: Any) -> None:
        self._publisher = publisher
        self._lock = RLock()
        self._display_id = f"claude-panel-{uuid4().hex}"
        self._summary = ""
        self._answer: Mapping[str, Any] = {}
        self._metadata: Mapping[str, Any] = {}

    def open(self, summary: str) -> None:
        """Show the output below the cell that runs; opened twice, both places show the same from then on."""
        with self._lock:
            self._summary = summary
            self._publish(update=False)

    def summarize(self, summary: str) -> None:
        """Put the present settings in the place of the former."""
        with self._lock:
            if summary != self._summary:
                self._summary = summary
                self._publish(update=True)

    def show(self, bundle: Mapping[str, Any], metadata: Mapping[str, Any], display_id: str | None) -> None:  # noqa: ARG002
        """Show an answer; there is one place for it, so its own display id does not matter."""
        with self._lock:
            self._answer, self._metadata = bundle, metadata
            self._publish(update=True)

    def update(self, bundle: Mapping[str, Any], metadata: Mapping[str, Any], display_id: str) -> None:
        """Show the answer as it is now."""
        self.show(bundle, metadata, display_id)

    def clear(self) -> None:
        """Take the answer away."""
        self.show({}, {}, None)

    def _publish(self, *, update: bool) -> None:
        said = f"{_ABOUT}: {self._summary}. {_AGAIN}"
        markdown = [f"<small>{as_text(said)}</small>", self._answer.get("text/markdown", "")]
        plain = [safe_plain(said), self._answer.get("text/plain", "")]
        self._publisher.publish(
            data={
                "text/markdown": "\n\n".join(part for part in markdown if part),
                "text/plain": "\n\n".join(part for part in plain if part),
            },
            metadata=dict(self._metadata),
            transient={"display_id": self._display_id},
            update=update,
        )
