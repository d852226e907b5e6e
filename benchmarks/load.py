"""What `%load_ext vertex_claude_magic` costs in a kernel, against importing `requests` and google-auth there.

Each statement runs in a fresh kernel of its own; the rounds alternate. CPU is that of the whole kernel process.
"""

from __future__ import annotations

import argparse
import os
from statistics import median
from typing import Any

from kernel import kernel
from table import environment, markdown, middle, ratio, verdict

STATEMENTS = {
    "import requests, google.auth.transport.requests": "import requests, google.auth.transport.requests",
    "%load_ext vertex_claude_magic": "get_ipython().run_line_magic('load_ext', 'vertex_claude_magic')",
}
BARE, OURS = STATEMENTS
HEAVY = ("requests", "google.auth", "ipywidgets", "pydantic", "pandas", "markdown_it", "tqdm")
LIMIT = 0.25

_MEASURE = """
import json as _json, sys as _sys, time as _time
_before = set(_sys.modules)
_start = _time.process_time()
{statement}
_cpu = _time.process_time() - _start
_new = sorted(set(_sys.modules) - _before)
print(_json.dumps({{"cpu": _cpu, "new": _new, "loaded": sorted(_sys.modules)}}))
"""


def measure(statement: str) -> dict[str, Any]:
    with kernel(os.environ) as running:
        # A first execution warms the kernel up, so that its own start is not counted.
        running.run("1 + 1")
        found: dict[str, Any] = running.value(_MEASURE.format(statement=statement))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    # The first round compiles and fills the file cache, and is thrown away.
    runs = [{name: measure(code) for name, code in STATEMENTS.items()} for _ in range(rounds + 1)][1:]
    cpu = {name: [run[name]["cpu"] * 1000 for run in runs] for name in STATEMENTS}
    print(environment())
    print()
    rows = [
        [f"`{name}`", middle(cpu[name]), middle(ratio(cpu[name], cpu[BARE]), 2), len(runs[-1][name]["new"])]
        for name in STATEMENTS
    ]
    print(markdown(["statement", "CPU ms", "ratio", "new modules"], rows))
    print()
    print(verdict("CPU of %load_ext, ratio", median(ratio(cpu[OURS], cpu[BARE])), LIMIT))
    heavy = sorted({name for run in runs for name in run[OURS]["loaded"] if name in HEAVY})
    print(f"- heavy modules that it imports: {', '.join(heavy) or 'none'}")
    print(f"- modules that it imports: {', '.join(runs[-1][OURS]['new'])}")


if __name__ == "__main__":
    main()
