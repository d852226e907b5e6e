"""Rows as a batch, up and back: how much memory does that take above the table and the result, and how long?

The emulator runs in a process of its own. Memory is the resident set of this process, looked at fifty times a second;
what the modules take is taken off by a small batch before.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import psutil
from harness import environment, markdown
from measures.memory import Memory
from service import service

from vertex_claude_magic import Claude

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT_MB = 150.0
LOOKS_PER_SECOND = 50
TO = "gs://emulator-bucket/run"
PROMPT = "Is this review good or bad? Answer with one word. {{ text }}"
TEXT = (
    "The parcel came on time and nothing was broken, but the colour is not the one of the picture. Number {}."
)


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """Run something, and return its value, the seconds and the peak in MB."""
    memory = Memory(os.getpid(), LOOKS_PER_SECOND)
    memory.start()
    begin = time.monotonic()
    value = work()
    seconds = time.monotonic() - begin
    memory.stop()
    return value, seconds, memory.most


def used(frame: pd.DataFrame) -> float:
    """Return what a frame takes, in MB."""
    return float(frame.memory_usage(deep=True).sum()) / 1e6


def verdict(what: str, megabytes: float) -> None:
    """Say whether a figure is within the limit."""
    print(f"{what}: {megabytes:,.0f}, limit {LIMIT_MB:,.0f}: {'met' if megabytes <= LIMIT_MB else 'MISSED'}")


def main() -> None:
    """Send and collect so many rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rows-per-job", type=int, default=100_000)
    options = parser.parse_args()
    with service([{"match": "", "reply": "good"}]) as surroundings, tempfile.TemporaryDirectory() as folder:
        os.environ.update(surroundings)
        claude = Claude(access_token="emulator", model="haiku", journal=str(Path(folder) / "journal.sqlite3"))

        def send(table: pd.DataFrame) -> Any:
            return claude.batch(table, PROMPT, to=TO, rows_per_job=options.rows_per_job, max_tokens=50)

        def follow(job: Any) -> Any:
            return job.wait(pause=lambda _: time.sleep(0.1))

        follow(send(pd.DataFrame({"text": [TEXT.format(0)] * 10}))).result()
        table = pd.DataFrame({"text": [TEXT.format(number) for number in range(options.rows)]})
        base = psutil.Process().memory_info().rss / 1e6
        job, up, sending = measured(lambda: send(table))
        _, waited, _ = measured(lambda: follow(job))
        frame, back, collecting = measured(job.result)
        assert list(frame["answer"].unique()) == ["good"]
        assert bool(frame["error"].isna().all())
        assert bool((frame["text"] == table["text"]).all())
        result = used(frame) - used(table)
    print(environment(("pandas", "google-cloud-storage", "narwhals")))
    rows = [
        ("up", f"{up:,.1f}", f"{sending - base:,.0f}", f"{sending - base:,.0f}"),
        ("back", f"{back:,.1f}", f"{collecting - base:,.0f}", f"{collecting - base - result:,.0f}"),
    ]
    head = (f"{options.rows:,} rows", "seconds", "MB above the table", "MB above table and result")
    print(markdown(head, rows))
    print(f"The emulator took {waited:,.0f} s to answer; the added columns take {result:,.0f} MB.")
    verdict("MB above the table, up", sending - base)
    verdict("MB above table and result, back", collecting - base - result)


if __name__ == "__main__":
    sys.exit(main())
