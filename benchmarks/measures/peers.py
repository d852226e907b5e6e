"""This package beside its peers: loading, load and first answer, later first text; each in an environment of its own.

Peers that do not speak the Vertex protocol ask a server that speaks Anthropic's own, and need no Google login.
"""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING

import baseline
from harness import Figure, alternating
from kernel import kernel
from peers.environments import PEERS, python_of
from peers.messages import messages_api
from script import FIRST, two_pieces
from service import service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench

_ROUNDS, _CELLS = 3, 7
_PROMPT = "What is the answer?"


def measure(bench: Bench) -> Iterator[Figure]:
    """Three fresh kernels each, in turn; figures are the least, and ratios are to the hand-written cell."""
    loads: dict[str, list[float]] = {}
    firsts: dict[str, list[float]] = {}
    later: dict[str, list[float]] = {}

    def one(name: str, load: str, ask: str, environ: dict[str, str], python: str | None = None) -> float:
        with kernel(environ, **({"python": python} if python else {})) as running:
            begun = running.cpu()
            running.run(load)
            loaded = running.cpu()
            loads.setdefault(name, []).append(loaded - begun)
            if ask:
                running.run(ask)
                firsts.setdefault(name, []).append(running.cpu() - begun)
                times = [running.run(ask).seconds_to(FIRST) for _ in range(_CELLS)]
                later.setdefault(name, []).append(1000 * median(times))
        return loads[name][-1]

    skipped = []
    with ExitStack() as stack:
        environ = stack.enter_context(service(two_pieces())) | stack.enter_context(messages_api())
        ways = {
            "by hand": lambda: one("by hand", baseline.LOAD, baseline.by_hand(_PROMPT), environ),
            "this package": lambda: one(
                "this package", baseline.OURS_LOAD, baseline.ours(_PROMPT), bench.this.environ(environ)
            ),
        }
        for name, peer in PEERS.items():
            try:
                python = python_of(name)
                one(name, peer.load, peer.ask, environ, python)
            except (RuntimeError, StopIteration) as error:
                lines = str(error).strip().splitlines() or ["no text was shown"]
                skipped.append([name, lines[-1][:120]])
                continue
            ways[name] = lambda name=name, peer=peer, python=python: one(
                name, peer.load, peer.ask, environ, python
            )
        alternating(ways, _ROUNDS)
    hand = {id(found): min(found["by hand"]) for found in (loads, firsts, later)}

    def cell(found: dict[str, list[float]], name: str) -> str:
        return f"{min(found[name]):.1f} ({min(found[name]) / hand[id(found)]:.2f})" if name in found else ""

    rows = [[name, *(cell(found, name) for found in (loads, firsts, later))] for name in ways]
    head = [
        "beside peers (ratio to by hand)",
        "load, CPU ms",
        "load and first answer, CPU ms",
        "later first text, ms",
    ]
    bench.tell(head, rows)
    if skipped:
        bench.tell(["peer that is left out", "why"], skipped)
    for found, what in ((loads, "load"), (firsts, "load and first answer"), (later, "later first text")):
        others = {name: min(found[name]) for name in found if name in PEERS}
        if others:
            best = min(others, key=lambda name: others[name])
            yield Figure(
                name=f"{what}, to the best peer ({best})", value=min(found["this package"]) / others[best]
            )
