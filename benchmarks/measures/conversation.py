"""A conversation of 200 turns: the CPU of its last turns to bare requests with the same bodies, and its journal.

Each turn has 1 kB from the user and 1 kB from the model, all different; with tools the model also calls a function in
each turn, so that a turn is two requests. Ours and bare take turns in one process, the emulator is another.
"""

from __future__ import annotations

import random
import tempfile
from math import isnan
from typing import TYPE_CHECKING, Any

from harness import Figure, clean, workers
from service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Build

TURNS, LETTERS = 200, 1_000
_WORDS = ("mean", "of", "the", "penguin", "island", "mass", "figure", "column")


def measure(bench: Bench) -> Iterator[Figure]:
    """Ratios of the least of the last ten turns, and the megabytes of the journal."""
    for kind, tools in (("", False), (" with tools", True)):
        found = _measured(bench.this, tools=tools)
        # Builds from before there were conversations have none to measure.
        former = _measured(bench.former, tools=tools) if bench.former else None
        for at, (name, target) in enumerate(
            ((f"the last of {TURNS} turns{kind}, CPU to bare requests", 2.5), (f"its journal{kind}, MB", 2.0))
        ):
            before = "" if former is None or isnan(former[0]) else f"{former[at]:.2f}"
            yield Figure(name=name, value=found[at], target=target, former=before)


def _measured(build: Build, *, tools: bool) -> tuple[float, float]:
    chance = random.Random(20_261_129)
    script: list[dict[str, Any]] = []
    for number in range(TURNS):
        call = {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": "mean",
            "input": {"column": f"c{number}"},
        }
        answers = [*([[call]] if tools else []), text(chance)]
        # Once for ours, once for the bare requests.
        script += [{"reply": answer} for answer in answers * 2]
    with (
        service(script) as environ,
        tempfile.TemporaryDirectory() as folder,
        workers([build], clean()) as running,
    ):
        worker = running[build.name]
        address = environ["ANTHROPIC_VERTEX_BASE_URL"], environ["ANTHROPIC_VERTEX_PROJECT_ID"]
        ratio = worker("conversation", *address, folder, [text(chance) for _ in range(TURNS)], tools)
        return ratio, worker("stored", folder)


def text(chance: random.Random) -> str:
    """Return a text that is no other's."""
    words = ""
    while len(words) < LETTERS:
        words += f"{chance.choice(_WORDS)}{chance.randrange(10**6)} "
    return words[:LETTERS]
