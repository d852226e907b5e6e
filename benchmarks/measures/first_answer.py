"""Load and first answer of a fresh kernel, and the imports that are in it, against the same by hand.

Another fresh kernel first imports `requests` and google-auth, as anybody who asks without this package does, and then
the modules of this package that a first plain question has loaded, one after another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import baseline
from harness import alternating, clean, middle
from kernel import kernel
from script import two_pieces
from service import service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness import Bench, Build, Figure

# What a first question imports of them with a service account or with the login of gcloud.
THEIRS = ("requests", "google.auth", "google.auth.transport.requests", "google.oauth2.credentials",
          "google.oauth2.service_account")  # fmt: skip
_MODULES = """
import json as _json, sys as _sys
print(_json.dumps([name for name in _sys.modules if name.partition(".")[0] == "vertex_claude_magic"]))
"""
_TIMED = """
import importlib as _importlib, json as _json, time as _time
def _timed(names):
    cpu = _time.process_time()
    for name in names:
        _importlib.import_module(name)
    return 1000 * (_time.process_time() - cpu)
print(_json.dumps([_timed({theirs!r}), _timed({ours!r})]))
"""
_PROMPT = "What is the answer?"


def measure(bench: Bench) -> Iterator[Figure]:
    """CPU of the kernel: the least disturbed figure on a machine that does other things too."""
    with service(two_pieces()) as environ:
        ways: dict[str, Any] = {"by hand": lambda: _answer(baseline.LOAD, baseline.by_hand(_PROMPT), environ)}
        for build in bench.builds:
            ways[build.name] = lambda build=build: _answer(
                baseline.OURS_LOAD, baseline.ours(_PROMPT), build.environ(environ)
            )
        times = alternating(ways, bench.rounds)
        modules = {build.name: _modules(build, environ) for build in bench.builds}
    yield bench.ratios("load and first answer, CPU, to a hand-written cell", times, "by hand", 1.05)
    theirs: dict[str, list[float]] = {}

    def imports(build: Build) -> float:
        with kernel(build.environ(clean())) as running:
            running.run("1 + 1")
            stack, own = running.value(_TIMED.format(theirs=THEIRS, ours=modules[build.name]))
            theirs.setdefault(build.name, []).append(stack)
            return float(own)

    own = alternating(
        {build.name: lambda build=build: imports(build) for build in bench.builds}, bench.rounds
    )
    stack = {"stack": [min(pair) for pair in zip(*(each[1:] for each in theirs.values()), strict=True)]}
    yield bench.ratios("imports of it that are ours, CPU, to the HTTP stack", {**own, **stack}, "stack", 0.25)
    bench.tell(["load and first answer", "CPU ms", "our modules", "imports, CPU ms"],
               [[name, middle(each), len(modules.get(name, ())), middle(own[name]) if name in own else ""]
                for name, each in times.items()])  # fmt: skip


def _answer(load: str, ask: str, environ: Mapping[str, str]) -> float:
    with kernel(environ) as running:
        before = running.cpu()
        running.run(load)
        running.run(ask)
        return running.cpu() - before


def _modules(build: Build, environ: Mapping[str, str]) -> list[str]:
    with kernel(build.environ(environ)) as running:
        running.run(baseline.OURS_LOAD)
        running.run(baseline.ours(_PROMPT))
        found: list[str] = running.value(_MODULES)
        return found
