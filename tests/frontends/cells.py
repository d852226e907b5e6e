"""The cells that every front end runs, one for each magic, and how an outcome is read from what is seen of them.

A new magic is one row of `CELLS`; `FRONTENDS_RECORD=1` then writes the results anew (see `matrix`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import nbformat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["ANSWER", "CELLS", "QUESTION", "WORKS", "Cell", "mark", "outcomes", "parted", "write_lesson"]

# The emulator has a written answer for it.
QUESTION = "What's the capital of Mongolia?"
ANSWER = "Ulaanbaatar"
WORKS = "works"
_TABLE = 'import pandas as pd\nreviews = pd.DataFrame({"text": ["good", "bad"]})'
# What Python does with an error that a cell leaves; here without a cell that fails, because that ends most runs.
_FAILURE = "import sys\ntry:\n    1 / 0\nexcept ZeroDivisionError as error:\n    sys.last_value = error"
_HTML = re.compile(r"</?(?:br|details|div|p|small|span|summary|table|td|tr)\b|&[a-z]+;|\\\$")
_PANEL = {
    "is sent as a widget, which the front end draws": r"^A widget\.",
    "says how to change a setting without a page": "In a console, %claude shows the settings",
    "shows the settings and the lines that change them": "%config ClaudeMagics.model =",
    "shows the choice without controls, because there is no kernel": "out per million tokens",
    "shows the choice in one line; the controls are left out": "Settings of this session",
}


class Cell(NamedTuple):
    """One cell.

    Args:
        name: What it is about: a magic, or an option of one.
        source: What runs.
        shows: What is seen of it and not of its source, an expression.
        before: What runs before it, in a cell of its own.
        times: How often it is seen.
        instead: What may be seen in its place, by what that outcome is called.
    """

    name: str
    source: str
    shows: str
    before: str = ""
    times: int = 1
    instead: Mapping[str, str] = {}

    def outcome(self, seen: str) -> str:
        """Return `works`, what it is shown as in its place, or all that is seen in one line."""
        line = " ".join(seen.split())
        if found := _HTML.search(line):
            return f"markup is seen: {line[max(0, found.start() - 60) : found.end() + 60]}"
        if len(re.findall(self.shows, line)) == self.times:
            return WORKS
        for outcome, pattern in self.instead.items():
            if re.search(pattern, line):
                return outcome
        return f"seen: {line[:1500]}"


CELLS = (
    Cell("%load_ext", "%load_ext vertex_claude_magic\nprint('load' + 'ed')", "loaded"),
    Cell("%%claude", f"%%claude answer\n{QUESTION}", ANSWER),
    Cell("%claude", f"%claude {QUESTION}", ANSWER),
    Cell("%%claude -f json --as", "%%claude -f json --as list[int]\nGive one number.", r"value.{1,80}?\b1\b|\[ 1 \]"),
    Cell("%%claude --replay", f"%%claude --replay auto\n{QUESTION}", "replayed"),
    Cell("%claude_panel", "%claude_panel", "Tick two rows to compare", instead=_PANEL),
    Cell("%claude_models", "%claude_models haiku", "Prices are USD"),
    Cell("%claude_usage", "%claude_usage --session", "Usage of this session"),
    Cell("%%claude_map", "%%claude_map labels reviews\nIs this good? {{ text }}", "2 rows: 2 answered", before=_TABLE),
    Cell("%%claude_batch", "%%claude_batch job reviews --to gs://emulator-bucket/rows\nGood? {{ text }}", r"job: QUEUED · 2 rows"),
    Cell("%%claude_compare", f"%%claude_compare -m haiku,sonnet\n{QUESTION}", ANSWER, times=2),
    Cell("%claude_chat", "%claude_chat talk", "talk, 1 turn", before=f"%claude -q -c talk {QUESTION}"),
    Cell("%claude_fix", "%claude_fix --explain", "This is the emulator", before=_FAILURE),
    Cell("%claude_hint", "%claude_hint", r"[Hh]int 1 of 4 ·", before=_FAILURE),
    Cell("%claude_doctor", "%claude_doctor", "No problems found"),
    Cell("%claude_logging", "%claude_logging status", "off, never configured"),
    Cell("%claude_demo", "%claude_demo", "Demo mode is on"),
)  # fmt: skip


def mark(number: int) -> str:
    """Return the line that comes before what is seen of a cell."""
    return f"cellmark{number:02}"


def write_lesson(path: Path, cells: Sequence[Cell] = CELLS) -> Path:
    """Write a notebook of the cells with a mark before each."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.cells.append(nbformat.v4.new_markdown_cell("# Every magic"))
    for number, cell in enumerate(cells):
        if cell.before:
            notebook.cells.append(nbformat.v4.new_code_cell(cell.before))
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"## {mark(number)}"))
        notebook.cells.append(nbformat.v4.new_code_cell(cell.source))
    nbformat.write(notebook, path)
    return path


def parted(text: str, cells: Sequence[Cell] = CELLS) -> dict[str, str]:
    """Return for each cell what is between its last mark and the next one."""
    found = {}
    for number, cell in enumerate(cells):
        begin, end = (text.rfind(mark(at)) for at in (number, number + 1))
        found[cell.name] = (
            text[begin + len(mark(number)) : end if end > begin else None] if begin >= 0 else "(no mark)"
        )
    return found


def outcomes(seen: Mapping[str, str], cells: Sequence[Cell] = CELLS) -> dict[str, str]:
    """Return the outcome of each cell."""
    return {cell.name: cell.outcome(seen[cell.name]) for cell in cells}
