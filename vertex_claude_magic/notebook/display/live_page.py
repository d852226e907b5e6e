"""One static output that is drawn again while something goes on; where outputs cannot change, only at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from vertex_claude_magic.notebook.display.frontends import front_end
from vertex_claude_magic.notebook.display.screens import NotebookScreen
from vertex_claude_magic.notebook.pages.html import literal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["LivePage"]

_REDRAW = 0.25  # seconds between two drawings


class LivePage:
    """An output of the cell that runs; draws at most four times a second, and always at the end.

    Args:
        shell: The IPython shell.
        clock: Seconds that never run backwards.
    """

    def __init__(self, shell: Any, clock: Callable[[], float] = time.monotonic) -> None:
        front = front_end(shell)
        self._prints = front.kind == "terminal"
        self._live = front.kind == "notebook" and front.updates
        self._screen = NotebookScreen(shell.display_pub)
        self._clock = clock
        self._drawn: float | None = None
        self._identity = f"claude-page-{uuid4().hex}"

    def draw(self, page: Callable[[], tuple[str, str]], *, done: bool) -> None:
        """Draw the page, unless it was drawn just now.

        Args:
            page: Returns HTML and plain text; called only if it is drawn.
            done: Whether this is the end, which is always drawn.
        """
        due = self._drawn is None or self._clock() - self._drawn >= _REDRAW
        if done or (self._live and due):
            self._put(*page())

    def say(self, text: str) -> None:
        """Say at once what is being waited for: in place of the page, or in a line of the terminal."""
        if self._live:
            self._put(f"<p>{literal(text)}</p>", text)
        elif self._prints:
            print(text)

    def _put(self, html: str, plain: str) -> None:
        bundle = {"text/html": html, "text/plain": plain}
        if self._drawn is None:
            self._screen.show(bundle, {}, self._identity if self._live else None)
        else:
            self._screen.update(bundle, {}, self._identity)
        self._drawn = self._clock()
