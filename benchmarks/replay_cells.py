"""Thirty replayed answers under nbclient, beside thirty cells that display the same texts.

Run: python benchmarks/replay_cells.py [--rounds N] [--profile]

Both run in fresh kernels, in turn; the time is counted from the first such cell on, to the end of the last.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator import Emulator

CELLS = 30
_PART = (
    "## Part {n}\n\nThe **mean** of a sample is unbiased; its variance is $\\sigma^2 / n$.\n\n"
    "- one `item`\n- another item, with some more words\n\n```python\nprint({n})\n```\n\n"
)


def text(number: int) -> str:
    """The answer to one question, about 1,000 characters."""
    return "".join(_PART.format(n=part) for part in range(number, number + 6))


def question(number: int) -> str:
    """The prompt of one cell."""
    return f"Question {number} of the lesson?"


def record(path: Path) -> None:
    """Write the recording that the cells are answered from."""
    with Emulator() as emulator:
        emulator.answer(*map(text, range(CELLS)))
        claude = Claude(
            project=emulator.project, base_url=emulator.base_url, access_token="emulator",  # noqa: S106
            recording=str(path), journal="off",
        )  # fmt: skip
        for number in range(CELLS):
            claude.ask(question(number))


def seconds(setup: str, cells: list[str], environment: dict[str, str], end: str = "") -> float:
    """Seconds that the cells take in a fresh kernel, without its start and the setup."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (setup, *cells, end)]
    )
    client = NotebookClient(notebook, timeout=120, kernel_name="python3")
    with client.setup_kernel(env=environment):
        client.execute_cell(notebook.cells[0], 0)
        started = time.perf_counter()
        for index in range(1, len(cells) + 1):
            client.execute_cell(notebook.cells[index], index)
        taken = time.perf_counter() - started
        if end:
            client.execute_cell(notebook.cells[-1], len(cells) + 1)
            print("".join(output.get("text", "") for output in notebook.cells[-1].outputs))
    return taken


def main() -> None:
    """Print the minimum and the median of both, and how many times as long the replay took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="print where the kernel of one replay was")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder) / "lesson.claude")
        environment = {**os.environ, "VERTEX_CLAUDE_RECORDING": str(Path(folder) / "lesson.claude"),
                       "VERTEX_CLAUDE_JOURNAL": str(Path(folder) / "journal.sqlite3"),
                       "VERTEX_CLAUDE_REPLAY": "only"}  # fmt: skip
        replay = ("%load_ext vertex_claude_magic", [f"%%claude\n{question(n)}" for n in range(CELLS)])
        display = ("from IPython.display import Markdown, display",
                   [f"display(Markdown({text(n)!r}))" for n in range(CELLS)])  # fmt: skip
        if options.profile:
            begin = f"{replay[0]}\nimport cProfile\nprofile = cProfile.Profile()\nprofile.enable()"
            finish = "profile.disable()\nimport pstats\npstats.Stats(profile).sort_stats('cumtime').print_stats(70)"
            seconds(begin, replay[1], environment, finish)
            return
        shown, played = [], []
        for _ in range(options.rounds):
            shown.append(seconds(*display, environment))
            played.append(seconds(*replay, environment))
    for name, each in (("display(Markdown)", shown), ("replayed", played)):
        print(f"{name:18} min {min(each):.3f} s, median {statistics.median(each):.3f} s")
    ratio = statistics.median(two / one for one, two in zip(shown, played, strict=True))
    print(f"replayed / displayed: {min(played) / min(shown):.2f} (min), {ratio:.2f} (median of the pairs)")


if __name__ == "__main__":
    main()
