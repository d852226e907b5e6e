"""Terminal IPython and `jupyter console` in a pseudo terminal: typed, and read from the screen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cells import CELLS, mark, outcomes, parted
from matrix import check

if TYPE_CHECKING:
    from conftest import Place

# Control sequences (ECMA-48), and titles of the window (xterm).
ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]|\x1b[=>78]")
# The number may be coloured.
PROMPT = r"In \[(?:\x1b\[[\d;]*m)*\d+(?:\x1b\[[\d;]*m)*\]:"
PASTED = "\x1b[200~{}\x1b[201~"
# Runs what is in the prompt, complete or not.
RUN = "\x1b\r"


class Terminal:
    """A program in a pseudo terminal of 200 columns."""

    def __init__(self, place: Place, program: str, *arguments: str) -> None:
        import pexpect

        self._child = pexpect.spawn(
            program, list(arguments), cwd=str(place.folder), env={**place.environment, "TERM": "xterm"},
            encoding="utf-8", dimensions=(50, 200), timeout=30,
        )  # fmt: skip
        self._child.delaybeforesend = None
        self._written: list[str] = []
        self._read(PROMPT)

    def _read(self, expression: str) -> str:
        self._child.expect(expression)
        text = f"{self._child.before}{self._child.after}"
        self._written.append(text)
        return text

    def run(self, source: str, done: str = "") -> None:
        """Paste a cell, run it, and wait for its end."""
        self._child.send(PASTED.format(source) + RUN)
        if done:
            self._read(done)
        self._read(PROMPT)

    def text(self) -> str:
        """Return all that was written, without control sequences."""
        return ESCAPES.sub("", "".join(self._written)).replace("\r\n", "\n")

    def close(self) -> str:
        """Leave it, and return all that was written."""
        self._child.close(force=True)
        return self.text()


def run_cells(terminal: Terminal) -> str:
    """Run every cell; the mark of the next one tells the end."""
    for number, cell in enumerate(CELLS):
        if cell.before:
            terminal.run(cell.before)
        end = mark(number)
        # Put together, so that the echo of the line is no mark.
        terminal.run(f"print({end[:4]!r} + {end[4:]!r})", end)
        terminal.run(cell.source)
    terminal.run("print('cellm' + 'ark99')", "cellmark99")
    return terminal.close()


def test_ipython(place):
    text = run_cells(Terminal(place, "ipython", "--no-banner", "--colors=NoColor"))
    print(text)
    check("ipython", outcomes(parted(text)), "ipython")


def test_jupyter_console(place):
    text = run_cells(Terminal(place, "jupyter-console", "--kernel", "python3"))
    print(text)
    check("jupyter console", outcomes(parted(text)), "jupyter-console", "ipykernel")
