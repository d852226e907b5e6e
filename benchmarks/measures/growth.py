"""What grows with the length of an answer, of a conversation and of the journal, and with which exponent.

Answers come at once, in a kernel: its CPU. Turns are message lists with 1 kB from the user and 1 kB from the model:
the CPU of asking with so many. Kept answers are calls in a journal, each with a prompt of 400 characters and an answer
of 1,000: the time of looking one up, of the sums of `%claude_usage`, and of one step of pruning.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import baseline
from harness import ROOT, Figure, clean, workers
from kernel import kernel
from script import Script, answer
from service import service

from vertex_claude_magic.emulator import Emulator, Reply
from vertex_claude_magic.records.journal import calls
from vertex_claude_magic.records.journal.calls import ANSWER, Call, Ending
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.settings.origin import Origin
from vertex_claude_magic.vertex.digest import digest_of

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from harness import Bench, Build

SIZES, TURNS, KEPT = (10_000, 100_000, 1_000_000), (10, 50, 200), (100, 1_000, 10_000)
IMAGE = ROOT / "docs" / "images" / "growth.svg"
_DAY = 24 * 3600
_WORDS = (
    "answer",
    "model",
    "frame",
    "column",
    "figure",
    "mean",
    "and",
    "of",
    "the",
    "to",
    "penguin",
    "island",
    "mass",
)


def measure(bench: Bench) -> Iterator[Figure]:
    """Each line is a row of times in ms, the least of some; the exponent is that of the last step."""
    rows: dict[str, tuple[tuple[int, ...], list[float]]] = {
        "an answer of so many bytes, CPU": (SIZES, [_answered(bench.this, size) for size in SIZES]),
        "a turn of a conversation of so many, CPU": (TURNS, _turns(bench)),
    }
    for name, times in _kept().items():
        rows[f"{name}, so many calls kept"] = (KEPT, times)
    plot(rows)
    for name, (counts, times) in rows.items():
        yield Figure(name=f"exponent: {name}", value=exponent(counts, times), target=1.1)
    bench.tell(
        ["what grows", "ms at each size", "exponent, first step", "last step"],
        [[name, ", ".join(f"{time:,.2f} ({count:,})" for count, time in zip(counts, times, strict=True)),
          f"{exponent(counts[:2], times[:2]):.2f}", f"{exponent(counts, times):.2f}"]
         for name, (counts, times) in rows.items()],
    )  # fmt: skip


def exponent(counts: tuple[int, ...], times: list[float]) -> float:
    """Return the slope of the last step on paper with two logarithmic scales."""
    return math.log(times[-1] / times[-2]) / math.log(counts[-1] / counts[-2])


def _answered(build: Build, size: int) -> float:
    times = []
    with Emulator() as emulator, kernel({**build.environ(clean()), **emulator.environment}) as running:
        running.run(baseline.OURS_LOAD)
        emulator.answer("# Hello\n\n- *one*", *(Reply(content=Script(answer(size))) for _ in range(3)))
        running.run(baseline.ours("Hello"))
        for number in range(3):
            before = running.cpu()
            running.run(baseline.ours(f"Tell me all {number}"))
            times.append(running.cpu() - before)
    return min(times)


def _turns(bench: Bench) -> list[float]:
    with (
        service([{"match": "", "reply": "word " * 200}]) as environ,
        tempfile.TemporaryDirectory() as folder,
        workers([bench.this], clean()) as running,
    ):
        worker = running[bench.this.name]
        worker(
            "prepare", environ["ANTHROPIC_VERTEX_BASE_URL"], environ["ANTHROPIC_VERTEX_PROJECT_ID"], folder
        )
        return [worker("turns", count) for count in TURNS]


def _call(number: int, at: float) -> tuple[Call, Ending]:
    chance = random.Random(number)

    def text(count: int) -> str:
        return " ".join(chance.choice(_WORDS) + str(chance.randrange(1000)) for _ in range(count))

    canonical: dict[str, Any] = {"model": "claude-haiku-5-5", "body": {"max_tokens": 16_000, "messages": [
        {"role": "user", "content": text(40)}]}}  # fmt: skip
    call = Call(at=at, session=f"s{number // 50}", origin=Origin(notebook=f"n{number % 40}.ipynb", cell="c", run="r"),
                key=digest_of(canonical), canonical=canonical, attachments={}, asked="haiku",
                model="claude-haiku-5-5", region="global", project="p", source="vertex", cost_most=0.01)  # fmt: skip
    reply = {"content": [{"type": "text", "text": text(100)}], "model": "claude-haiku-5-5",
             "stop_reason": "end_turn", "usage": {"input_tokens": 100, "output_tokens": 250}}  # fmt: skip
    ending = Ending(state="done", source="vertex", answer=reply, replayable=ANSWER, input_tokens=100, output_tokens=250,
                    cost=0.0001, cost_most=0.0001, seconds=1.5, stop_reason="end_turn")  # fmt: skip
    return call, ending


def _kept() -> dict[str, list[float]]:
    found: dict[str, list[float]] = {"a replay hit": [], "%claude_usage": [], "a step of pruning": []}
    now = time.time()
    for count in KEPT:
        made = [_call(number, now - 29 * _DAY * (1 - number / count)) for number in range(count)]
        with tempfile.TemporaryDirectory() as folder:
            journal = Journal(Path(folder) / "journal.sqlite3")

            def fill(connection: sqlite3.Connection, made: list[tuple[Call, Ending]] = made) -> None:
                for call, ending in made:
                    known = calls.add(connection, call)
                    calls.add_content(connection, known, call)
                    calls.end(connection, known, call, ending)

            journal.database.write(fill)
            keys = [call.key for call, _ in made[:: max(1, count // 100)]]
            found["a replay hit"].append(_least([partial(journal.find, key) for key in keys]))
            found["%claude_usage"].append(_least([journal.usage] * 9))
            # As after fifty answers; what is old enough to go is a day's worth.
            found["a step of pruning"].append(_least([partial(journal._upkeep, Keep(days=28))]))
            journal.close()
    return found


def _least(works: list[Callable[[], object]]) -> float:
    times = []
    for work in works:
        began = time.perf_counter()
        work()
        times.append(1000 * (time.perf_counter() - began))
    return min(times)


def plot(rows: dict[str, tuple[tuple[int, ...], list[float]]]) -> None:
    """Draw all rows, with their exponents, as a picture that reads on a light page and on a dark one."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "growth"
    from matplotlib import pyplot as plt

    groups = (
        ("bytes of an answer", SIZES),
        ("turns of a conversation", TURNS),
        ("calls in the journal", KEPT),
    )
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), facecolor="white", layout="constrained")
    for axis, (label, counts) in zip(axes, groups, strict=True):
        for name, (each, times) in rows.items():
            if each == counts:
                legend = f"{name.split(',')[0]}: {exponent(counts, times):.2f}"
                axis.plot(counts, times, marker="o", label=legend)
        axis.set(xscale="log", yscale="log", xlabel=label, ylabel="ms")
        axis.grid(visible=True, which="major", color="#dddddd")
        axis.set_facecolor("white")
        axis.legend(title="exponent of the last step", fontsize=8, title_fontsize=8)
    IMAGE.parent.mkdir(exist_ok=True)
    figure.savefig(IMAGE, metadata={"Date": None})
    plt.close(figure)
