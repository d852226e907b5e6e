"""A minute at 5,000 text deltas a second: is all of it there, does memory stay bounded, how much is sent?

The emulator runs in this process and the kernel in its own. Memory is the kernel's resident set, looked at
four times a second; what the answer itself must take (its bytes, several times over) is told beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import threading
from statistics import median

import psutil
from kernel import Cell, kernel
from table import environment, markdown, verdict

from vertex_claude_magic.emulator import Emulator, Flood

# One paragraph without an end, the worst for a parser, and paragraphs as answers have them.
TEXTS = {"prose": "word ", "paragraphs": "One more **word**.\n\n"}
GROWTH_LIMIT_MB = 50.0
DRAWS_LIMIT = 15.0
LOOKS_PER_SECOND = 4

_FACTS = """
import json as _json, hashlib as _hashlib
_digest = _hashlib.sha256(answer.text.encode()).hexdigest()
print(_json.dumps([len(answer.text), _digest, answer.complete, answer.seconds]))
"""


class Memory(threading.Thread):
    """Looks at the resident set of a process, in MB."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.looks: list[float] = []
        self._process = process
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(1 / LOOKS_PER_SECOND):
            self.looks.append(self._process.memory_info().rss / 1e6)

    def stop(self) -> None:
        self._over.set()
        self.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--per-second", type=int, default=5000)
    parser.add_argument("--text", choices=TEXTS, default="prose")
    options = parser.parse_args()
    flood = Flood(
        count=options.seconds * options.per_second,
        text=TEXTS[options.text],
        per_second=float(options.per_second),
    )  # fmt: skip
    with Emulator() as emulator, kernel({**os.environ, **emulator.environment}) as running:
        emulator.answer("Hello.", flood)
        running.run("%load_ext vertex_claude_magic")
        running.run("%%claude answer\nHello")
        process = psutil.Process(running.value("import os; print(os.getpid())"))
        memory = Memory(process)
        before, cpu = process.memory_info().rss / 1e6, process.cpu_times()
        memory.start()
        cell = running.run("%%claude answer\nFlood")
        memory.stop()
        spent = sum(process.cpu_times()[:2]) - sum(cpu[:2])
        facts = running.value(_FACTS)
    report(flood, cell, memory.looks, before=before, spent=spent, facts=facts)


def report(
    flood: Flood,
    cell: Cell,
    looks: list[float],
    *,
    before: float,
    spent: float,
    facts: tuple[int, str, bool, float],
) -> None:
    whole = flood.text * flood.count
    length, digest, complete, seconds = facts
    drawn = [each.at - cell.sent for each in cell.shown]
    early, late = (median(looks[slice(*part)]) for part in _windows(len(looks)))
    rows = [
        ["deltas sent", f"{flood.count:,}"],
        ["characters that arrived, of those sent", f"{length:,} of {len(whole):,}"],
        ["seconds, and CPU seconds of the kernel", f"{seconds:.1f}, {spent:.1f}"],
        ["draws, and the most in a second", f"{len(drawn):,}, {cell.most_draws}"],
        ["MB on iopub, and without the final output", f"{_megabytes(cell, 0):.1f}, {_megabytes(cell, 1):.1f}"],
        ["resident MB before, in the first tenth, in the last tenth, at most",
         f"{before:.0f}, {early:.0f}, {late:.0f}, {max(looks):.0f}"],
        ["last text after the answer, s", f"{drawn[-1] - seconds:.2f}"],
    ]  # fmt: skip
    print(environment())
    print()
    print(markdown(["what", "figure"], rows))
    print()
    same = complete and digest == hashlib.sha256(whole.encode()).hexdigest()
    print(f"- nothing dropped: {'met' if same else 'MISSED'}")
    print(
        verdict(
            "growth of memory from the first tenth to the last, MB", late - early, GROWTH_LIMIT_MB, digits=0
        )
    )
    print(verdict("draws in any second", cell.most_draws, DRAWS_LIMIT, digits=0))


def _windows(count: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the first tenth after a start of one second, and the last tenth before the end."""
    tenth = max(1, count // 10)
    return (LOOKS_PER_SECOND, LOOKS_PER_SECOND + tenth), (count - tenth - 1, count - 1)


def _megabytes(cell: Cell, but_last: int) -> float:
    shown = cell.shown
    return sum(each.size for each in shown[: len(shown) - but_last]) / 1e6


if __name__ == "__main__":
    main()
