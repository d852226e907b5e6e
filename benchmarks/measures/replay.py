"""Thirty replayed answers at once under nbclient, to thirty cells that display the same Markdown.

Both run in fresh kernels, in turn; the time is counted from the first such cell on, to the end of the last.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from harness import alternating, clean, middle
from nbclient import NotebookClient

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness import Bench, Figure

CELLS = 30
_PART = (
    "## Part {n}\n\nThe **mean** of a sample is unbiased; its variance is $\\sigma^2 / n$.\n\n"
    "- one `item`\n- another item, with some more words\n\n```python\nprint({n})\n```\n\n"
)


def _text(number: int) -> str:
    return "".join(_PART.format(n=part) for part in range(number, number + 6))


def _question(number: int) -> str:
    return f"Question {number} of the lesson?"


def record(path: Path) -> None:
    """Write the recording that the cells are answered from."""
    with Emulator() as emulator:
        emulator.answer(*map(_text, range(CELLS)))
        claude = Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator",
                        recording=str(path), journal="off")  # fmt: skip
        for number in range(CELLS):
            claude.ask(_question(number))


def seconds(setup: str, cells: Sequence[str], environ: dict[str, str]) -> float:
    """Seconds that the cells take in a fresh kernel, without its start and the setup."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (setup, *cells)]
    )
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    with client.setup_kernel(env=environ, stderr=subprocess.DEVNULL):
        client.execute_cell(notebook.cells[0], 0)
        started = time.perf_counter()
        for index in range(1, len(cells) + 1):
            client.execute_cell(notebook.cells[index], index)
        return time.perf_counter() - started


def measure(bench: Bench) -> Iterator[Figure]:
    """Wall time, because a notebook waits for it."""
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder) / "lesson.claude")
        environ = {**clean(), "VERTEX_CLAUDE_RECORDING": str(Path(folder) / "lesson.claude"),
                   "VERTEX_CLAUDE_JOURNAL": str(Path(folder) / "journal.sqlite3"),
                   "VERTEX_CLAUDE_REPLAY": "only"}  # fmt: skip
        replays = [f"%%claude\n{_question(number)}" for number in range(CELLS)]
        shown = [f"display(Markdown({_text(number)!r}))" for number in range(CELLS)]
        ways: dict[str, Any] = {"shown": lambda: seconds("from IPython.display import Markdown, display", shown,
                                                         bench.this.environ(environ))}  # fmt: skip
        for build in bench.builds:
            ways[build.name] = lambda build=build: seconds(
                "%load_ext vertex_claude_magic", replays, build.environ(environ)
            )
        times = alternating(ways, bench.rounds)
    yield bench.ratios("30 replayed answers, to 30 Markdown cells", times, "shown", 1.3)
    bench.tell(["30 cells under nbclient", "s"], [[name, middle(each, 3)] for name, each in times.items()])
