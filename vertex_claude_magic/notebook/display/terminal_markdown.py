"""Markdown in a terminal: blocks that are over are written again as rich renders them.

The text streams as it comes, and once a block has ended, its lines give way to the rendered ones. A block
that is taller than the screen stays as it came.
"""

from __future__ import annotations

import io
import re
import shutil
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RenderedBlocks", "can_render"]

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
# Longer lines are hard to read.
_WIDEST = 100


def can_render() -> bool:
    """Tell whether rich is installed; it is not imported for that."""
    return find_spec("rich") is not None


class RenderedBlocks:
    """The text of one answer on a terminal.

    Args:
        write: Writes to the terminal.
        size: Returns columns and rows of the terminal.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        size: Callable[[], tuple[int, int]] = shutil.get_terminal_size,
    ) -> None:
        self._write = write
        self._size = size
        # What of the block that is not over yet is on the screen.
        self._open = ""

    def add(self, text: str) -> None:
        """Write text, which holds no control characters, and render the blocks that it ends."""
        whole = self._open + text
        if end := _closed(whole):
            self._render(whole[:end])
            self._open = whole[end:]
            text = self._open
        else:
            self._open = whole
        if text:
            self._write(text)

    def finish(self) -> None:
        """Render the last block."""
        if self._open.strip():
            # What follows an answer brings its own blank line.
            self._render(self._open, end="\n")
        self._open = ""

    def _render(self, text: str, *, end: str = "\n\n") -> None:
        from rich.cells import cell_len
        from rich.console import Console
        from rich.markdown import Markdown

        columns, rows = self._size()
        lines = self._open.split("\n")
        written = sum(max(1, -(-cell_len(line.expandtabs()) // columns)) for line in lines)
        if written >= rows:
            # Its first lines have left the screen, where nothing can be written over them.
            self._write(text[len(self._open) :])
            return
        file = io.StringIO()
        # Links would be control sequences, with addresses that a model wrote.
        rendered = Markdown(text, hyperlinks=False)
        Console(file=file, width=min(columns, _WIDEST), force_terminal=True).print(rendered)
        up = f"\x1b[{written - 1}A" if written > 1 else ""
        self._write(f"\r{up}\x1b[J{file.getvalue().rstrip()}{end}")


def _closed(text: str) -> int:
    r"""Return where the last block ends that is over: after a blank line that no fence encloses.

    >>> _closed("One.\n\nTwo."), _closed("```\na\n\nb"), _closed("One.")
    (6, 0, 0)
    """
    end, fence, at, begun = 0, "", 0, False
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence) and not line.strip(" `~\n"):
            fence = ""
        at += len(line)
        begun = begun or bool(line.strip())
        if begun and not fence and line == "\n":
            end = at
    return end
