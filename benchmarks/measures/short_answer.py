"""CPU of a short answer of `Claude().ask`, journal on and off, to posting the same body with bare requests."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from harness import alternating, clean, middle, workers
from service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Figure

_QUESTIONS = 30


def measure(bench: Bench) -> Iterator[Figure]:
    """Both builds and the bare post take turns, the least of thirty questions a turn."""
    ways: dict[str, Any] = {}
    with service([{"match": "", "reply": "Paris is the capital of France."}]) as environ, \
            tempfile.TemporaryDirectory() as folder, workers(bench.builds, clean()) as running:  # fmt: skip
        for name, worker in running.items():
            worker("prepare", environ["ANTHROPIC_VERTEX_BASE_URL"], environ["ANTHROPIC_VERTEX_PROJECT_ID"],
                   tempfile.mkdtemp(dir=folder))  # fmt: skip
            for journal in ("on", "off"):
                ways[f"{name} {journal}"] = lambda worker=worker, journal=journal: worker(
                    "ask", journal, _QUESTIONS
                )
        ways["bare"] = lambda: running[bench.this.name]("bare", _QUESTIONS)
        times = alternating(ways, bench.rounds)
    for journal, target in (("on", 1.4), ("off", 1.4)):
        name = f"short answer, CPU, journal {journal}, to bare requests"
        yield bench.ratios(name, times, "bare", target, lambda build, journal=journal: f"{build} {journal}")
    bench.tell(["short answer", "CPU ms"], [[name, middle(each, 2)] for name, each in times.items()])
