"""CPU from the bytes of a stream of 10,000 deltas to the whole reply, to `json.loads` of its payloads alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import alternating, clean, middle, workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Figure


def measure(bench: Bench) -> Iterator[Figure]:
    """Text deltas of twenty characters, one event a chunk, no socket."""
    with workers(bench.builds, clean()) as running:
        ways = {"json": lambda: running[bench.this.name]("decode_json")}
        ways |= {name: lambda worker=worker: worker("decode_ours") for name, worker in running.items()}
        times = alternating(ways, 3 * bench.rounds)
    yield bench.ratios("decode of 10,000 deltas, CPU, to `json.loads`", times, "json", 1.5)
    bench.tell(["10,000 deltas", "CPU ms"], [[name, middle(each, 1)] for name, each in times.items()])
