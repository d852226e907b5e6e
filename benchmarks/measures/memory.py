"""Memory of the kernel while 1.5 MB of text arrive at 5,000 deltas a second: until the last delta, and at the end.

One run a build, side by side, each with an emulator and a kernel of its own. Memory is the resident set beyond that
before the question, after an answer with Markdown, looked at twenty times a second.
"""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import baseline
import psutil
from harness import Figure, clean
from kernel import kernel

from vertex_claude_magic.emulator import Emulator, Flood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Build

SECONDS, PER_SECOND, TEXT = 60, 5_000, "word "
_LOOKS = 20
_WARM = "# One\n\n- *two* `three`\n\n```python\nfour\n```\n"
_FACTS = """
import json as _json, hashlib as _hashlib
print(_json.dumps([_hashlib.sha256(answer.text.encode()).hexdigest(), answer.complete, answer.seconds]))
"""


class Memory(threading.Thread):
    """Looks at the resident set of a process, so many times a second: (time, MB)."""

    def __init__(self, pid: int, looks_per_second: int = _LOOKS) -> None:
        super().__init__(daemon=True)
        self.looks: list[tuple[float, float]] = []
        self._process = psutil.Process(pid)
        self._pause = 1 / looks_per_second
        self._over = threading.Event()

    @property
    def most(self) -> float:
        """The largest that was seen; 0 where it ended before the first look."""
        return max((rss for _, rss in self.looks), default=0.0)

    def run(self) -> None:
        while not self._over.wait(self._pause):
            self.looks.append((time.perf_counter(), self._process.memory_info().rss / 1e6))

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()


class Flooded(NamedTuple):
    """MB beyond the start until the last delta, and at most; and whether all of the text arrived."""

    until_last: float
    peak: float
    whole: bool
    cpu: float
    late: float


def flooded(build: Build, seconds: int = SECONDS) -> Flooded:
    """Ask for the flood in a fresh kernel."""
    flood = Flood(count=seconds * PER_SECOND, text=TEXT, per_second=float(PER_SECOND))
    with Emulator() as emulator, kernel({**build.environ(clean()), **emulator.environment}) as running:
        emulator.answer(_WARM, flood)
        running.run(baseline.OURS_LOAD)
        running.run("%%claude answer\nHello")
        pid = running.value("import os, gc; gc.collect(); print(os.getpid())")
        process, memory = psutil.Process(pid), Memory(pid)
        before, cpu = process.memory_info().rss / 1e6, sum(process.cpu_times()[:2])
        memory.start()
        cell = running.run("%%claude answer\nFlood")
        memory.stop()
        spent = sum(process.cpu_times()[:2]) - cpu
        digest, complete, took = running.value(_FACTS)
    last_delta = cell.sent + took
    return Flooded(
        until_last=max(rss for at, rss in memory.looks if at < last_delta) - before,
        peak=memory.most - before,
        whole=complete and digest == hashlib.sha256((flood.text * flood.count).encode()).hexdigest(),
        cpu=spent,
        late=cell.shown[-1].at - last_delta,
    )


def measure(bench: Bench) -> Iterator[Figure]:
    """Nothing may be lost: a run that loses text fails."""
    with ThreadPoolExecutor(len(bench.builds)) as pool:
        found = dict(
            zip([build.name for build in bench.builds], pool.map(flooded, bench.builds), strict=True)
        )
    assert all(each.whole for each in found.values()), "text was lost"
    megabytes = SECONDS * PER_SECOND * len(TEXT) / 1e6
    mine, former = found[bench.this.name], found[bench.former.name] if bench.former else None
    yield Figure(name="memory until the last delta of 1.5 MB, to the text", value=mine.until_last / megabytes, target=3,
                 former=f"{former.until_last / megabytes:.1f}" if former else "")  # fmt: skip
    if former:
        yield Figure(name="peak of memory at its end, to the former build", value=mine.peak / former.peak, target=0.5,
                     shown=f"{mine.peak / former.peak:.2f} ({mine.peak:.0f} MB)",
                     former=f"1 ({former.peak:.0f} MB)")  # fmt: skip
    bench.tell(["flood of 1.5 MB", "MB until the last delta", "MB at most", "CPU s", "last text after s"],
               [[name, f"{each.until_last:.1f}", f"{each.peak:.1f}", f"{each.cpu:.1f}", f"{each.late:.2f}"]
                for name, each in found.items()])  # fmt: skip
