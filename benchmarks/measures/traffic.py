"""Bytes to the front end of answers of 10 kB and 160 kB at 100 deltas a second, and of 1 MB at 1,000, all messages.

Sizes do not depend on the machine's load, so everything runs at once, each in a kernel of its own.
"""

from __future__ import annotations

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import baseline
from harness import Figure, clean
from kernel import kernel
from script import Script, answer

from vertex_claude_magic.emulator import Emulator, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Build
    from kernel import Message

_DRAWING = frozenset({"display_data", "update_display_data", "clear_output"})
PLAYS = ((10_000, 100), (40_000, 100), (160_000, 100), (1_000_000, 1_000))


class Traffic(NamedTuple):
    """What one answer put on the iopub channel: messages, bytes, the fewest draws in a second of its way."""

    messages: int
    size: int
    fewest: int


def play(size: int, per_second: float, environ: dict[str, str], *, by_hand: bool = False) -> Traffic:
    """Ask for an answer of so many characters in a fresh kernel, with an emulator of its own."""
    load, ask = (baseline.LOAD, baseline.by_hand) if by_hand else (baseline.OURS_LOAD, baseline.ours)
    with Emulator(pace=1 / per_second) as emulator, kernel({**environ, **emulator.environment}) as running:
        emulator.answer("Hello.", Reply(content=Script(answer(size))))
        running.run(load)
        running.run(ask("Hello"))
        cell = running.run(ask("Tell me all"))
    drawing = [message for message in cell.messages if message.kind in _DRAWING]
    return Traffic(len(drawing), sum(message.size for message in drawing), _fewest(drawing))


def _fewest(drawing: list[Message]) -> int:
    """Return the fewest draws of any second between the first text and the last but one."""
    times = [message.at for message in drawing[1:-1]]
    seconds = [at for at in times if at + 1.0 <= times[-1]]
    return min((bisect_left(times, at + 1.0) - bisect_left(times, at) for at in seconds), default=0)


def measure(bench: Bench) -> Iterator[Figure]:
    """The hand-written cell is measured to 160 kB: its bytes grow with the square of the answer."""
    play(1_000, 100, bench.this.environ(clean()))

    def one(job: tuple[str, Build | None, int, int]) -> Traffic:
        _, build, size, pace = job
        return play(size, pace, (build or bench.this).environ(clean()), by_hand=build is None)

    builds = [(build.name, build) for build in bench.builds]
    jobs = [(name, build, size, pace) for name, build in (*builds, ("by hand", None)) for size, pace in PLAYS
            if build or size < 1_000_000]  # fmt: skip
    with ThreadPoolExecutor(len(jobs)) as pool:
        found = {(job[0], job[2]): each for job, each in zip(jobs, pool.map(one, jobs), strict=True)}
    mine = {size: found[bench.this.name, size] for size, _ in PLAYS}
    former = {size: found[bench.former.name, size] if bench.former else None for size, _ in PLAYS}

    def figure(name: str, size: int, target: float) -> Figure:
        before = former[size]
        return Figure(name=name, value=mine[size].size / 1e6, target=target,
                      former=f"{before.size / 1e6:.2f}" if before else "")  # fmt: skip

    yield figure("MB to the front end, 160 kB at 100 deltas a second", 160_000, 1.2)
    for (small, _), (large, _) in pairwise(PLAYS):
        times = large / small
        grown = mine[large].size / mine[small].size
        name = f"bytes of {large // 1000:,} kB to those of {small // 1000:,} kB, to {times:g} times the text"
        yield Figure(name=name, value=grown / times, target=1.25)
    fewest = min(each.fewest for size, each in mine.items() if size < 1_000_000)
    yield Figure(
        name="seconds between draws on the way, mean of the slowest second",
        value=1 / max(1, fewest),
        target=0.2,
    )
    bench.tell(
        ["answer", "who", "messages", "kB", "multiple of the text", "fewest draws in a second"],
        [[f"{size // 1000:,} kB", name, f"{each.messages:,}", f"{each.size / 1000:,.0f}", f"{each.size / size:,.1f}",
          each.fewest] for (name, size), each in sorted(found.items(), key=lambda pair: pair[0][1])],
    )  # fmt: skip
