"""The two places an answer can be shown: outputs of a notebook, and a terminal.

Only this module and `frontends` know IPython in the display, and they import it when they are first used.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.notebook.display.frontends import FrontEnd, front_end
from vertex_claude_magic.notebook.display.output import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.notebook.display.live import AnswerView
    from vertex_claude_magic.notebook.display.output import Bundle, Metadata
    from vertex_claude_magic.notebook.shell import Publisher, Shell

__all__ = ["NotebookScreen", "count_clears", "make_answer", "release_clears"]


class NotebookScreen:
    """Outputs of the cell that runs, through IPython's display publisher.

    Args:
        publisher: `display_pub` of an IPython shell.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def show(self, bundle: Bundle, metadata: Metadata, display_id: str | None) -> None:
        """Show a new output."""
        transient = {"display_id": display_id} if display_id else {}
        self._publisher.publish(data=dict(bundle), metadata=dict(metadata), transient=transient)

    def update(self, bundle: Bundle, metadata: Metadata, display_id: str) -> None:
        """Show something else in an output that is there."""
        self._publisher.publish(
            data=dict(bundle), metadata=dict(metadata), transient={"display_id": display_id}, update=True
        )

    def clear(self) -> None:
        """Take away all outputs of the cell as soon as the next one comes."""
        self._publisher.clear_output(wait=True)


class _CountedClear:
    """Stands where a publisher's `clear_output` was, and counts for which message it was called."""

    def __init__(self, publisher: Publisher, clear: Callable[..., None]) -> None:
        self._publisher = publisher
        self.clear = clear
        self.counts: Counter[str] = Counter()

    def __call__(self, wait: bool = False) -> None:
        self.counts[_message(self._publisher)] += 1
        self.clear(wait)


def count_clears(publisher: Publisher) -> Callable[[], int]:
    """Return what tells how often the outputs of the cell that runs were cleared since this kernel counts.

    A callback or a thread of the user's may clear them while an answer is drawn there. What the user clears
    in the front end no kernel hears of.
    """
    counted: Any = publisher.clear_output
    # By name, because importlib.reload makes a new class.
    if type(counted).__name__ != _CountedClear.__name__:
        counted = publisher.clear_output = _CountedClear(publisher, counted)
    message = _message(publisher)
    return lambda: int(counted.counts[message])


def release_clears(publisher: Publisher) -> None:
    """Stop counting; harmless if nobody counts."""
    counted: Any = getattr(publisher, "clear_output", None)
    if type(counted).__name__ == _CountedClear.__name__:
        publisher.clear_output = counted.clear


def _message(publisher: Publisher) -> str:
    """Return the id of the message for which this thread draws; empty where there are no messages."""
    header = getattr(publisher, "parent_header", None) or {}
    return str(header.get("msg_id") or "")


class Surface(NamedTuple):
    """Where a view that is drawn again shows itself.

    Args:
        terminal: Whether that is a terminal, where no output changes.
        live: Whether the output can change while the cell runs.
        output: The output, for all but a terminal.
    """

    terminal: bool
    live: bool
    output: Output

    @classmethod
    def of(cls, shell: Shell, clock: Callable[[], float]) -> Surface:
        """Return that of a shell; `clock` gives seconds that never run backwards."""
        front, publisher = front_end(shell), shell.display_pub
        live = front.kind == "notebook" and front.updates
        clears = count_clears(publisher) if live else lambda: 0
        output = Output(NotebookScreen(publisher), clock=clock, updates=live, clears=clears)
        return cls(front.kind == "terminal", live, output)


def make_answer(
    shell: Shell | None = None,
    *,
    in_cell: bool,
    format: str = "markdown",  # noqa: A002 - the name of the option that it comes from
    show_thinking: bool = False,
    quiet: bool = False,
    clock: Callable[[], float] = time.monotonic,
    front: FrontEnd | None = None,
    kept_in: str = "",
) -> AnswerView:
    """Return the view that fits the front end: outputs in a notebook, plain text in a terminal.

    Args:
        shell: The IPython shell; None means the one that runs, if any.
        in_cell: Whether the cell holds nothing but this answer (`%%claude`).
        format: "markdown", "text" or "json".
        show_thinking: Whether thinking is shown.
        quiet: Whether nothing is shown.
        clock: Seconds that never run backwards.
        front: The front end, if it is known already.
        kept_in: What will hold the answer, such as its variable.
    """
    if shell is None and (ipython := sys.modules.get("IPython")) is not None:
        # Looked for and never imported, because a plain script has no use for IPython.
        shell = ipython.get_ipython()
    front = front or front_end(shell)
    if shell is None or front.kind == "terminal":
        from vertex_claude_magic.notebook.display.terminal import TerminalAnswer

        return TerminalAnswer(
            sys.stdout, clock=clock, format=format, show_thinking=show_thinking, quiet=quiet, tty=front.tty
        )
    from vertex_claude_magic.notebook.display.live import LiveAnswer

    return LiveAnswer(
        NotebookScreen(shell.display_pub),
        clock=clock,
        in_cell=in_cell,
        format=format,
        show_thinking=show_thinking,
        quiet=quiet,
        live=front.updates,
        clears=count_clears(shell.display_pub),
        # All that can change an output show Markdown: JupyterLab and Notebook, VS Code, Colab.
        markdown=True,
        kept_in=kept_in,
    )
