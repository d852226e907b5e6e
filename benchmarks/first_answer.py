"""What the first answer of a fresh kernel costs: importing our own modules, and loading plus asking.

Imports: a kernel that has loaded the extension and asked one plain question tells which modules of this package it has.
Another fresh kernel first imports `requests` and google-auth, as anybody who asks without this package does, and then
those modules, one after another; what they import beside is counted with them.

First answer: a fresh kernel loads and asks, against the same by hand (`first_text.py` has that cell), from sending the
first cell until the second one has ended. The service is the emulator in another process, with a service-account file.
Rounds alternate; of the milliseconds of a round the smallest says most on a busy machine.
"""

from __future__ import annotations

import argparse
import os
from statistics import median
from typing import TYPE_CHECKING, Any

from first_text import BARE, OURS, WAYS, script
from kernel import kernel
from service import service
from table import environment, markdown, middle, ratio, verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

IMPORT_LIMIT = 0.25
ANSWER_LIMIT = 1.15
# What a first question imports of them with a service account or with the login of gcloud.
THEIRS = (
    "requests",
    "google.auth",
    "google.auth.transport.requests",
    "google.oauth2.credentials",
    "google.oauth2.service_account",
)

_MODULES = """
import json as _json, sys as _sys
print(_json.dumps([name for name in _sys.modules if name.partition(".")[0] == "vertex_claude_magic"]))
"""
_TIMED = """
import importlib as _importlib, json as _json, time as _time
def _timed(names):
    cpu, wall = _time.process_time(), _time.perf_counter()
    for name in names:
        _importlib.import_module(name)
    return [1000 * (_time.process_time() - cpu), 1000 * (_time.perf_counter() - wall)]
print(_json.dumps([_timed({theirs!r}), _timed({ours!r})]))
"""
_CPU = "import time as _time; print(_time.process_time())"


def modules(environ: Mapping[str, str]) -> list[str]:
    """Return the modules of the package that a first plain question imports, in the order in which they came."""
    load, ask = WAYS[OURS]
    with kernel(environ) as running:
        running.run(load)
        running.run(ask)
        found: list[str] = running.value(_MODULES)
        return found


def imports(ours: list[str]) -> dict[str, list[float]]:
    """Return CPU and wall milliseconds of their imports and of ours, in one fresh kernel."""
    with kernel(os.environ) as running:
        running.run("1 + 1")
        theirs, own = running.value(_TIMED.format(theirs=THEIRS, ours=ours))
        return {"theirs": theirs, "ours": own}


def first_answer(way: str, environ: Mapping[str, str]) -> list[float]:
    """Return CPU and wall milliseconds of loading and asking in one fresh kernel."""
    load, ask = WAYS[way]
    with kernel(environ) as running:
        before = running.value(_CPU)
        wall = running.run(load).seconds + running.run(ask).seconds
        return [1000 * (running.value(_CPU) - before), 1000 * wall]


def main() -> None:
    """Measure in turn, and print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    runs: dict[str, list[list[float]]] = {"theirs": [], "ours": [], BARE: [], OURS: []}
    with service(script()) as environ:
        ours = modules(environ)
        # The first round compiles and fills the file cache, and is thrown away.
        for number in range(rounds + 1):
            found: dict[str, Any] = imports(ours)
            found |= {way: first_answer(way, environ) for way in (BARE, OURS)}
            for name, milliseconds in found.items():
                runs[name] += [milliseconds] if number else []
    names = {"theirs": "import of `requests` and google-auth", "ours": f"import of our {len(ours)} modules"}
    rows = []
    figures = {}
    for name, reference in (("theirs", "theirs"), ("ours", "theirs"), (BARE, BARE), (OURS, BARE)):
        row: list[object] = [names.get(name, name)]
        for at in range(2):
            mine, other = ([each[at] for each in runs[which]] for which in (name, reference))
            figures[name, at] = (min(mine) / min(other), median(ratio(mine, other)))
            row += [middle(mine), "{:.2f}, {:.2f}".format(*figures[name, at])]
        rows.append(row)
    print(environment())
    print()
    head = [
        "what",
        "CPU ms",
        "ratio of minima, median of ratios",
        "wall ms",
        "ratio of minima, median of ratios",
    ]
    print(markdown(head, rows))
    print()
    print(verdict("CPU of our imports, ratio of minima", figures["ours", 0][0], IMPORT_LIMIT))
    print(verdict("load and first answer, wall, ratio of minima", figures[OURS, 1][0], ANSWER_LIMIT))
    print(verdict("load and first answer, CPU, ratio of minima", figures[OURS, 0][0], ANSWER_LIMIT))


if __name__ == "__main__":
    main()
