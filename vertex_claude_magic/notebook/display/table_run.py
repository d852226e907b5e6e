"""The progress of a run over a table: one output that is drawn again, and one line when it is over."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.display.footer import when_complete
from vertex_claude_magic.notebook.display.screens import Surface
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.tables.progress import Bar, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.notebook.shell import Shell

__all__ = ["TableRunView"]

_CELLS = 30


class TableRunView:
    """What a run shows; only the cell's own thread draws.

    Args:
        shell: The IPython shell.
        quiet: Whether nothing is shown.
        kept_in: The variable that will hold the table.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        shell: Shell,
        *,
        quiet: bool = False,
        kept_in: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._quiet = quiet
        self._kept_in = kept_in
        self._terminal, self._live, self._output = Surface.of(shell, clock)
        self._bar = Bar(sys.stderr) if self._terminal else None

    def wait(self, reason: str) -> None:
        """Show what is being waited for before the first row."""
        if not self._quiet and self._live:
            self._show(f"<p>{literal(reason)} …</p>", f"{reason} …")

    def draw(self, progress: Progress) -> None:
        """Draw the progress."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar(progress)
        elif self._live and self._output.is_due():
            line = " · ".join(filter(None, [progress.line(), when_complete(self._kept_in, progress.seconds)]))
            full = round(_CELLS * progress.done / max(progress.rows, 1))
            self._show(
                f'<div><progress value="{progress.done}" max="{max(progress.rows, 1)}"></progress><br>'
                f"<small>{literal(line)}</small></div>",
                f"[{'#' * full}{'.' * (_CELLS - full)}] {line}",
            )

    def finish(self, progress: Progress, notes: Sequence[str]) -> None:
        """Show one line for the run, in place of its progress, and below it what else is to be said."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.close()
        lines = [progress.summary(), *notes]
        if self._terminal:
            print("\n".join(lines))
            return
        self._show(
            f"<div>{'<br>'.join(f'<small>{literal(line)}</small>' for line in lines)}</div>", "\n".join(lines)
        )

    def _show(self, html: str, plain: str) -> None:
        self._output.draw({"text/html": html, "text/plain": plain})
