"""`%claude_panel` in a kernel: opening it and one choice in it, from sending to the last message."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import baseline
from harness import Figure, Ratio, alternating, clean, middle
from kernel import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench, Build

# Builds before the picker had a list of models, and sections that are opened.
_FIND = """
_panel = get_ipython().find_line_magic("claude_panel").__self__.panel
_rows = _panel._picker._radios if hasattr(_panel, "_picker") else _panel._model
"""
_NEXT = "_rows.index = ((_rows.index or 0) + 1) % len(_rows.options)"
_COST = """
if hasattr(_panel, "_tabs"):
    _panel._tabs.value = "Cost"
else:
    next(toggle for kind, toggle in _panel._toggles.items() if "ost" in kind.title).value = True
"""
_CHOICES = 6


def measure(bench: Bench) -> Iterator[Figure]:
    """A choice is another model in the picker, with the first tab and with that of the costs; medians of six."""
    found: dict[tuple[str, str], list[float]] = {}
    kinds = ("open", "open, ipywidgets loaded", "choice", "choice, costs in sight")

    def one(build: Build, *, loaded: bool) -> float:
        with kernel(build.environ(clean())) as running:
            running.run(baseline.OURS_LOAD)
            if loaded:
                running.run("import ipywidgets; ipywidgets.IntSlider()")
            opened = 1000 * running.run("%claude_panel").seconds
            note = found.setdefault((build.name, kinds[loaded]), [])
            note.append(opened)
            if loaded:
                running.run(_FIND)
                for kind in kinds[2:]:
                    choices = [1000 * running.run(_NEXT).seconds for _ in range(_CHOICES)]
                    found.setdefault((build.name, kind), []).append(median(choices))
                    running.run(_COST)
            return opened

    alternating({f"{build.name} {loaded}": lambda build=build, loaded=loaded: one(build, loaded=loaded)
                 for build in bench.builds for loaded in (False, True)}, bench.rounds)  # fmt: skip
    # The first round warms up.
    times = {key: each[1:] for key, each in found.items()}
    names = {"open": "opening `%claude_panel`", "choice": "one choice in the panel"}
    for kind in kinds:
        if bench.former:
            each = Ratio.of(times[bench.this.name, kind], times[bench.former.name, kind])
            yield Figure(name=f"{names.get(kind, kind)}, to the former build", value=each.minima, shown=str(each),
                         target=0.5, former="1")  # fmt: skip
    bench.tell(["panel", "who", "ms"], [[kind, name, middle(each)] for (name, kind), each in times.items()])
