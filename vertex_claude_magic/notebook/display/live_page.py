"""One static output that is drawn again while something goes on; where outputs cannot change, only at the end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.display.screens import Surface
from vertex_claude_magic.notebook.pages.html import literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.notebook.shell import Shell
__all__ = ["LivePage"]

_REDRAW = 0.25  # seconds between two drawings


class LivePage:
    """An output of the cell that runs; draws at most four times a second, and always at the end.

    Args:
        shell: The IPython shell.
        clock: Seconds that never run backwards.
        quiet: Whether nothing is shown.
    """

    def __init__(
        self, shell: Shell, clock: Callable[[], float] = time.monotonic, *, quiet: bool = False
    ) -> None:
        prints, live, self._output = Surface.of(shell, clock)
        self._prints, self._live, self._quiet = prints and not quiet, live and not quiet, quiet
        # Whether it shows what is being waited for.
        self._said = False

    def draw(self, page: Callable[[], tuple[str, str]], *, done: bool) -> None:
        """Draw the page, unless it was drawn just now.

        Args:
            page: Returns HTML and plain text; called only if it is drawn.
            done: Whether this is the end, which is always drawn.
        """
        if (done and not self._quiet) or (self._live and self._output.is_due(_REDRAW)):
            html, plain = page()
            self._said = False
            self._output.draw({"text/html": html, "text/plain": plain})

    def say(self, text: str) -> None:
        """Say at once what is being waited for: in place of the page, or in a line of the terminal."""
        if self._live:
            # Before, because a stop may come while it is drawn.
            self._said = True
            self._output.draw({"text/html": f"<p>{literal(text)}</p>", "text/plain": text})
        else:
            self.print(text)

    def clear(self) -> None:
        """Take away what is being waited for, where an error follows."""
        if self._live and self._said:
            self._output.draw({"text/html": "", "text/plain": ""})
            self._said = False

    def print(self, text: str) -> None:
        """Write a line below the ones before; only in a terminal, where no output changes."""
        if self._prints:
            print(text)
