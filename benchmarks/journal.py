"""What does the journal cost: looking an answer up, keeping one, opening the file; and does its size stay bounded?

It fills a file with 200,000 calls of 30 days (a prompt of some 400 characters, an answer of some 1,000, every
hundredth with an attachment that twenty calls share), then looks up answers at random, keeps new ones, opens
the file anew, sums, and lowers the bound.
"""

from __future__ import annotations

import argparse
import os
import random
import sqlite3
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

from table import environment, markdown, verdict

from vertex_claude_magic.records.journal import calls, upkeep
from vertex_claude_magic.records.journal.calls import ANSWER, Call, Ending, day_of
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.settings.origin import Origin
from vertex_claude_magic.vertex.digest import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS = 200_000
DAY = 24 * 3600
BATCH = 2_000
LOOKUPS = 5_000
KEPT = 1_000
WORDS = [
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
]


def text(chance: random.Random, count: int) -> str:
    return " ".join(chance.choice(WORDS) + str(chance.randrange(1000)) for _ in range(count))


def call_of(number: int, at: float) -> Call:
    chance = random.Random(number)
    content = text(chance, 40)
    canonical: dict[str, Any] = {"model": "claude-haiku-5-5", "body": {"max_tokens": 16_000, "messages": [
        {"role": "user", "content": content}]}}  # fmt: skip
    shared = number // 2000
    attachments = {f"{shared:064x}": random.Random(shared).randbytes(30_000)} if number % 100 == 0 else {}
    return Call(at=at, session=f"s{number // 50}", origin=Origin(notebook=f"n{number % 40}.ipynb", cell="c", run="r"),
                key=digest_of(canonical), canonical=canonical, attachments=attachments, asked="haiku",
                model="claude-haiku-5-5", region="global", project="p", source="vertex", cost_most=0.01)  # fmt: skip


def ending_of(number: int) -> Ending:
    chance = random.Random(-number)
    pace = [[piece for _ in range(60) for piece in (chance.randrange(3, 20), chance.randrange(5, 40))]]
    answer = {"content": [{"type": "text", "text": text(chance, 100)}], "model": "claude-haiku-5-5", "pace": pace,
              "stop_reason": "end_turn", "usage": {"input_tokens": 100, "output_tokens": 250}}  # fmt: skip
    return Ending(state="done", source="vertex", answer=answer, replayable=ANSWER, input_tokens=100, output_tokens=250,
                  cost=0.0001, cost_most=0.0001, seconds=1.5, stop_reason="end_turn")  # fmt: skip


def fill(journal: Journal, rows: int, now: float) -> float:
    began = time.perf_counter()
    for start in range(0, rows, BATCH):

        def work(connection: sqlite3.Connection, start: int = start) -> None:
            for number in range(start, min(start + BATCH, rows)):
                call = call_of(number, now - 29 * DAY * (1 - number / rows))
                known = calls.add(connection, call)
                calls.add_content(connection, known, call)
                calls.end(connection, known, call, ending_of(number))

        journal.database.write(work)
    return time.perf_counter() - began


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def row(name: str, times: list[float]) -> list[str]:
    return [
        name,
        f"{median(times):.3f}",
        f"{quantiles(times, n=100)[98]:.3f}" if len(times) > 99 else "",
        f"{max(times):.1f}",
    ]


def keep_one(journal: Journal, call: Call, ending: Ending) -> None:
    journal.end(journal.begin(call), call, ending, Keep())


def keeping(journal: Journal, first: int, now: float) -> list[float]:
    times = []
    for number in range(first, first + KEPT):
        call, ending = call_of(number, now), ending_of(number)
        times.append(milliseconds(partial(keep_one, journal, call, ending)))
    return times


def bounded(journal: Journal, megabytes: int) -> tuple[int, list[float]]:
    """Keep answers with a lower bound until the file is below it; return how many that took, and how long each."""
    times: list[float] = []
    keep = Keep(megabytes=megabytes)
    while pages(journal) > megabytes * 1_000_000 and len(times) < 1000:
        times.append(milliseconds(lambda: journal._upkeep(keep)))
    return len(times), times


def pages(journal: Journal) -> int:
    return journal.database.read(upkeep.stats).size


def size(journal: Journal) -> int:
    return sum(path.stat().st_size for path in journal.path.parent.iterdir())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    rows = parser.parse_args().rows
    now = time.time()
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite3")
        filling = fill(journal, rows, now)
        journal.close()
        whole = size(journal)
        opening = []
        for _ in range(30):
            opening.append(milliseconds(lambda: journal.find("00" * 32)))
            journal.close()
        chance = random.Random(1)
        keys = [call_of(chance.randrange(rows), now).key for _ in range(LOOKUPS)]
        hits = [milliseconds(lambda key=key: journal.find(key)) for key in keys]
        misses = [milliseconds(lambda: journal.find(os.urandom(32).hex())) for _ in range(LOOKUPS)]
        kept = keeping(journal, rows, now)
        today = [milliseconds(lambda: journal.spent(day_of(now), local=False)) for _ in range(30)]
        month = [milliseconds(journal.usage) for _ in range(3)]
        half = whole // 2_000_000
        steps, lowering = bounded(journal, half)
        journal.close()
        table = [
            row("look up an answer that is there", hits),
            row("look up one that is not", misses),
            row("keep a question and its answer", kept),
            row("open the file and look", opening),
            row("sum of today", today),
            row("usage of all days", month),
            row(f"one step towards {half:,} MB ({steps} steps)", lowering),
        ]
        print(environment(()), f"SQLite {sqlite3.sqlite_version}", sep=", ")
        print(
            f"\n{rows:,} calls: {whole / 1e6:,.0f} MB, {whole / rows:,.0f} bytes a call; filled in {filling:.0f} s\n"
        )
        print(markdown(["what", "median ms", "99 % ms", "most ms"], table))
        print()
        print(verdict("look-up, median ms", median(hits), 1))
        print(verdict("look-up, 99 % ms", quantiles(hits, n=100)[98], 1))
        print(verdict("keeping one answer, median ms", median(kept), 5))
        print(
            verdict(
                f"MB after the bound was lowered to {half:,}, log included",
                size(journal) / 1e6,
                half + 8,
                digits=0,
            )
        )
        journal.close()


if __name__ == "__main__":
    main()
