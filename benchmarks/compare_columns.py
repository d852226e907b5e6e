"""How long eight columns take side by side: the wall time of a `%%claude_compare` cell to that of its slowest column.

    .venv/bin/python benchmarks/compare_columns.py [--rounds N]

The kernel is real, the emulator a process of its own that sends 50 pieces of text a second; the columns are of eight
lengths, up to some 6 seconds. The time of a column is that of its reply: from its request to its last event. Beside it
stands the same longest question asked alone in a `%%claude` cell.
"""

from __future__ import annotations

import argparse
from statistics import median

from harness import ROOT
from kernel import Kernel, kernel
from service import service

PROMPT = "Say a lot."
COLUMNS = 8
PACE = 0.02
TARGET = 1.1
LIMITS = ",".join(str(number * 50) for number in range(1, COLUMNS + 1))
CELL = f"%%claude_compare columns -m haiku --vary max_tokens={LIMITS}\n{PROMPT}"
ALONE = f"%%claude alone -m haiku --max-tokens {COLUMNS * 50}\n{PROMPT}"
TIMES = "import json; print(json.dumps([[each.seconds, each.first_token_seconds] for each in columns]))"


def measure(kernel: Kernel) -> tuple[float, float, float, float, int]:
    """Return seconds of the cell, of its slowest column, of the last first text, of one asked alone, and the draws."""
    cell = kernel.run(CELL)
    times = kernel.value(TIMES)
    alone = kernel.run(ALONE)
    slowest = max(seconds for seconds, _ in times)
    return cell.seconds, slowest, max(first for _, first in times), alone.seconds, cell.most_draws


def main() -> None:
    """Measure, and print one line a round and the median."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    ratios = []
    with service([{"match": PROMPT, "reply": "word " * 2_000}], pace=PACE) as environment:
        home = {**environment, "PYTHONPATH": str(ROOT), "VERTEX_CLAUDE_JOURNAL": "off"}
        with kernel(home) as running:
            running.run("%load_ext vertex_claude_magic")
            measure(running)
            for _ in range(rounds):
                wall, slowest, first, alone, draws = measure(running)
                ratios.append(wall / slowest)
                print(
                    f"cell {wall:.2f} s, slowest column {slowest:.2f} s, ratio {ratios[-1]:.3f}; "
                    f"asked alone {alone:.2f} s; "
                    f"last first text {first * 1000:.0f} ms; {draws} draws in a second at most"
                )
    met = "met" if median(ratios) <= TARGET else "missed"
    print(f"{COLUMNS} columns, wall time to the slowest: {median(ratios):.3f} (target {TARGET}: {met})")


if __name__ == "__main__":
    main()
