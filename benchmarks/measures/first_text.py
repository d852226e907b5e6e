"""From sending a later cell to the first text of its answer on the front end, against the hand-written cell.

The answer stays open for a moment after its first words, as real ones do. The emulator's own time is in all figures.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

import baseline
from harness import alternating, middle
from kernel import kernel
from script import FIRST, two_pieces
from service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Figure

_CELLS = 9
_PROMPT = "What is the answer?"


def measure(bench: Bench) -> Iterator[Figure]:
    """All kernels are there at once, and their cells take turns."""
    with service(two_pieces()) as environ, ExitStack() as stack:
        ways = {}
        every = {"by hand": (baseline.LOAD, baseline.by_hand(_PROMPT), environ)}
        for build in bench.builds:
            every[build.name] = (baseline.OURS_LOAD, baseline.ours(_PROMPT), build.environ(environ))
        for name, (load, ask, surroundings) in every.items():
            running = stack.enter_context(kernel(surroundings))
            running.run(load)
            running.run(ask)
            ways[name] = lambda running=running, ask=ask: 1000 * running.run(ask).seconds_to(FIRST)
        rounds = [alternating(ways, _CELLS) for _ in range(bench.rounds)]
    times = {name: [median(each[name]) for each in rounds] for name in ways}
    least = {name: [value for each in rounds for value in each[name]] for name in ways}
    yield bench.ratios("later first text, to a hand-written cell", times, "by hand", 1.05)
    bench.tell(["later first text", "ms, median of rounds", "least ms"],
               [[name, middle(times[name]), f"{min(least[name]):.1f}"] for name in ways])  # fmt: skip
