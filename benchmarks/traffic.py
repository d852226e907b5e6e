"""What an answer of 10, 40 and 160 kB costs on the iopub channel of a real kernel: messages, bytes, pace, last text.

A Markdown answer in deltas of twenty characters, 100 of them a second, and once more as a burst. The emulator
runs in this process, so that the moment at which it hands over the last byte is known. The kernels of all
rounds run at once; each does next to nothing.
"""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from kernel import kernel
from table import environment, markdown, middle, verdict

from vertex_claude_magic.emulator import Emulator, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (10_000, 40_000, 160_000)
LETTERS = 20
PACE = 0.01
GROWTH_LIMIT, BURST_LIMIT, DRAWS_LIMIT, LAST_LIMIT_MS = 5.0, 4.0, 15, 100.0

_PARAGRAPH = (
    "The **central limit theorem** says that sums of many independent parts look normal, whatever the parts "
    "look like. It asks for a finite variance, and for no part to rule the rest: see `scipy.stats` for trials.\n\n"
)
_LIST = "- first, draw a sample of size *n*\n- then take its mean, many times over\n- last, look at the histogram\n\n"
_CODE = "```python\nmeans = [rng.exponential(size=30).mean() for _ in range(10_000)]\nplt.hist(means, bins=60)\n```\n\n"


def answer(size: int) -> str:
    """Return a Markdown answer of `size` characters, with headings, prose, lists and code."""
    sections = (
        f"## Part {number}\n\n{_PARAGRAPH}{_LIST}{_PARAGRAPH}{_CODE}" for number in range(1, size // 400)
    )
    return "".join(sections)[: size - 10] + " The end.\n"


class Script(list[Any]):
    """Events of a stream that notes when each of its readers took the last one."""

    def __init__(self, text: str) -> None:
        deltas = [text[at : at + LETTERS] for at in range(0, len(text), LETTERS)]
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5",
                   "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}  # fmt: skip
        super().__init__([
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
              for piece in deltas),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        ])  # fmt: skip
        self.ended: float | None = None

    def __iter__(self) -> Iterator[Any]:
        for number in range(len(self)):
            if number == len(self) - 1:
                self.ended = time.perf_counter()
            yield self[number]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What one answer put on the channel; times in milliseconds."""

    messages: int
    size: int
    multiple: float
    draws: int
    last: float
    wholes: int


def measure(text: str, pace: float | None) -> Traffic:
    """Ask for `text` in a fresh kernel, with an emulator of its own."""
    script = Script(text)
    with Emulator(pace=pace) as emulator, kernel({**os.environ, **emulator.environment}) as running:
        emulator.answer("Hello.", Reply(content=script))
        running.run("%load_ext vertex_claude_magic")
        running.run("%%claude\nHello")
        cell = running.run("%%claude\nTell me all")
    assert script.ended is not None
    drawing = [
        each for each in cell.messages if each.kind in {"display_data", "update_display_data", "clear_output"}
    ]
    size, length = sum(each.size for each in drawing), len(text.encode())
    return Traffic(
        messages=len(drawing),
        size=size,
        multiple=size / length,
        draws=cell.most_draws,
        last=(cell.shown[-1].at - script.ended) * 1000,
        wholes=sum(each.size > length for each in cell.shown),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options = parser.parse_args()
    # Compiles what is to be compiled, and makes the one key of all emulators before there are threads.
    measure(answer(1_000), None)
    found: dict[tuple[int, float | None], list[Traffic]] = {}
    for pace in (PACE, None):
        for size in options.sizes:
            text = answer(size)
            # Bursts are short and not paced, so they are measured one after the other.
            with ThreadPoolExecutor(options.rounds if pace else 1) as pool:
                found[size, pace] = list(pool.map(measure,
                                                  [text] * options.rounds, [pace] * options.rounds))  # fmt: skip
    report(found)


def report(found: dict[tuple[int, float | None], list[Traffic]]) -> None:
    print(environment())
    print()
    head = [
        "answer",
        "messages",
        "kB",
        "multiple of the text",
        "most draws in a second",
        "last text after ms",
    ]
    print(markdown(head, [_row(size, pace, runs) for (size, pace), runs in found.items()]))
    print()
    sizes = sorted({size for size, _ in found})
    for small, large in zip(sizes, sizes[1:], strict=False):
        growth = [b.size / a.size for a, b in zip(found[small, PACE], found[large, PACE], strict=True)]
        limit = GROWTH_LIMIT * large / small / 4
        print(verdict(f"bytes of {large // 1000} kB to those of {small // 1000} kB", median(growth), limit))
    everything = [run for runs in found.values() for run in runs]
    bursts = [run.multiple for (_, pace), runs in found.items() if pace is None for run in runs]
    print(verdict("burst, multiple of the text, largest", max(bursts), BURST_LIMIT))
    print(
        verdict("draws in any second, largest", max(run.draws for run in everything), DRAWS_LIMIT, digits=0)
    )
    for pace, name in ((PACE, "at that pace"), (None, "of a burst")):
        last = max(median(run.last for run in found[size, pace]) for size in sizes)
        print(verdict(f"last text after the last byte {name}, ms, largest median", last, LAST_LIMIT_MS))
    print(
        verdict(
            "messages as large as the answer, largest", max(run.wholes for run in everything), 1, digits=0
        )
    )


def _row(size: int, pace: float | None, runs: list[Traffic]) -> list[object]:
    how = f"{size // 1000} kB, {1 / pace:.0f} deltas a second" if pace else f"{size // 1000} kB, a burst"
    return [
        how,
        middle([run.messages for run in runs], 0),
        middle([run.size / 1000 for run in runs], 0),
        middle([run.multiple for run in runs]),
        middle([run.draws for run in runs], 0),
        middle([run.last for run in runs]),
    ]


if __name__ == "__main__":
    main()
