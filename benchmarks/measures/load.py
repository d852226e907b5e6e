"""What `%load_ext vertex_claude_magic` costs in a fresh kernel, against importing the HTTP stack there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import alternating, clean, middle
from kernel import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Build, Figure

STACK = "import requests, google.auth.transport.requests"
LOAD = "get_ipython().run_line_magic('load_ext', 'vertex_claude_magic')"
HEAVY = ("requests", "google.auth", "ipywidgets", "pydantic", "pandas", "markdown_it", "tqdm")
_MEASURE = """
import json as _json, sys as _sys, time as _time
_before, _start = set(_sys.modules), _time.process_time()
{statement}
_cpu = _time.process_time() - _start
print(_json.dumps([1000 * _cpu, sorted(set(_sys.modules) - _before)]))
"""


def measure(bench: Bench) -> Iterator[Figure]:
    """CPU of the kernel process; the modules are counted by a test (tests/test_load.py)."""
    new: dict[str, list[str]] = {}

    def spent(name: str, statement: str, build: Build) -> float:
        with kernel(build.environ(clean())) as running:
            running.run("1 + 1")
            cpu, new[name] = running.value(_MEASURE.format(statement=statement))
            return float(cpu)

    ways = {"stack": lambda: spent("stack", STACK, bench.this)}
    ways |= {build.name: lambda build=build: spent(build.name, LOAD, build) for build in bench.builds}
    times = alternating(ways, bench.rounds)
    yield bench.ratios("`%load_ext`, CPU, to importing the HTTP stack", times, "stack", 0.05)
    bench.tell(
        ["statement", "CPU ms", "new modules", "heavy"],
        [[f"{name}", middle(each), len(new[name]), ", ".join({*new[name]} & {*HEAVY}) or "none"]
         for name, each in times.items()],
    )  # fmt: skip
