"""Main-thread time of Chromium for a 40 kB answer in JupyterLab, to the hand-written cell; and its long tasks.

Chromium counts the time of all tasks of the page's main thread (`Performance.getMetrics`, TaskDuration). From sending
the cell until nothing changes any more; what an open page does anyway is measured for ten seconds and taken off. The
longest tasks are those of a trace, in the CPU time of the thread, which other work on the machine does not lengthen;
they are counted for 160 kB too. JupyterLab fills its table of contents a second after the last change of an output.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import baseline
from harness import ROOT, Figure, clean
from script import Script, answer

from vertex_claude_magic.emulator import Emulator, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness import Bench

# The hand-written cell draws the whole text ten times a second: with 160 kB Chromium was still at it after ten minutes.
SIZE, LARGE, PACE = 40_000, 160_000, 0.01
_IDLE_SECONDS, _AFTER_SECONDS = 10, 3


class Work(NamedTuple):
    """What a cell cost the page: seconds of its main thread, script and layout among them, and its tasks in ms."""

    task: float
    script: float
    layout: float
    # CPU of each task, the longest first; and how long the longest took.
    tasks: tuple[float, ...]
    wall: float


@contextmanager
def _page(home: Path, environ: dict[str, str]) -> Iterator[Any]:
    """Yield a page of a JupyterLab server that has this environment."""
    sys.path.insert(0, str(ROOT / "tests" / "browser"))
    from lab import CHROMIUM_FLAGS, LabPage, LabServer
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        raise RuntimeError("Chromium is not installed")
    former = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    server = LabServer(home=home)
    try:
        server.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": 1200, "height": 900})
            try:
                yield LabPage(page=page, server=server).start()
            finally:
                browser.close()
    finally:
        server.stop()
        os.environ.clear()
        os.environ.update(former)


def _metrics(session: Any) -> tuple[float, float, float]:
    found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return (
        found["TaskDuration"],
        found["ScriptDuration"],
        found["LayoutDuration"] + found["RecalcStyleDuration"],
    )


def _work(lab: Any, cells: list[str], name: str) -> Work:
    """Open a notebook, run its first cells, then measure the last one."""
    from lab import write_notebook

    *before, asked = cells
    lab.open(write_notebook(lab.server.root / f"{name}.ipynb", [asked]))
    for code in before:
        lab.execute(code)
    session = lab.page.context.new_cdp_session(lab.page)
    session.send("Performance.enable")
    lab.settle()
    idle = _metrics(session)
    lab.page.wait_for_timeout(1000 * _IDLE_SECONDS)
    idle = tuple((after - at) / _IDLE_SECONDS for after, at in zip(_metrics(session), idle, strict=True))
    start, began = _metrics(session), lab.page.evaluate("() => performance.now()")
    lab.page.context.browser.start_tracing(page=lab.page, categories=["toplevel"])
    lab.run_all(timeout=300)
    lab.page.wait_for_timeout(1000 * _AFTER_SECONDS)
    took = (lab.page.evaluate("() => performance.now()") - began) / 1000
    spent = [after - at - took * rest for after, at, rest in zip(_metrics(session), start, idle, strict=True)]
    tasks = _tasks(lab.page.context.browser.stop_tracing())
    lab.save()
    lab.close()
    return Work(
        *spent, tuple(sorted((cpu for cpu, _ in tasks), reverse=True)), max(wall for _, wall in tasks)
    )


def _tasks(trace: bytes) -> list[tuple[float, float]]:
    """Return CPU and duration (ms) of all tasks of the main thread of the page, the busiest of all renderers."""
    found = json.loads(trace)["traceEvents"]
    named = {(event["pid"], event["tid"]) for event in found
             if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"}  # fmt: skip
    tasks = [event for event in found if event["name"] == "ThreadControllerImpl::RunTask" and "tdur" in event]
    (page, _), *_ = Counter(
        place for each in tasks if (place := (each["pid"], each["tid"])) in named
    ).most_common(1)
    return [(each["tdur"] / 1000, each["dur"] / 1000) for each in tasks if (each["pid"], each["tid"]) == page]


def measure(bench: Bench) -> Iterator[Figure]:
    """One answer after the other on one page; those of 160 kB without the hand-written cell."""
    found: dict[tuple[str, int], Work] = {}
    with (
        Emulator(pace=PACE) as emulator,
        tempfile.TemporaryDirectory() as home,
        _page(Path(home), {**clean(), **emulator.environment}) as lab,
    ):
        for size in (SIZE, LARGE):
            for build in bench.builds:
                emulator.answer("Hello.", Reply(content=Script(answer(size))))
                path = f"import sys; sys.path.insert(0, {str(build.path)!r})"
                cells = [path, baseline.OURS_LOAD, baseline.ours("Hello"), baseline.ours("Tell me all")]
                found[build.name, size] = _work(lab, cells, f"{build.name}-{size}")
        emulator.answer("Hello.", Reply(content=Script(answer(SIZE))))
        cells = [baseline.LOAD, baseline.by_hand("Hello"), baseline.by_hand("Tell me all")]
        found["by hand", SIZE] = _work(lab, cells, "by-hand")
    mine, hand = found[bench.this.name, SIZE], found["by hand", SIZE]
    former = found[bench.former.name, SIZE] if bench.former else None
    yield Figure(name="main thread of Chromium, 40 kB, to a hand-written cell",
                 value=mine.task / hand.task, target=0.5,
                 former=f"{former.task / hand.task:.2f}" if former else "")  # fmt: skip
    for size in (SIZE, LARGE):
        former = found[bench.former.name, size] if bench.former else None
        yield Figure(name=f"longest task of it, {size // 1000} kB, ms of CPU",
                     value=found[bench.this.name, size].tasks[0], target=100,
                     former=f"{former.tasks[0]:.0f}" if former else "")  # fmt: skip
    bench.tell(
        ["in JupyterLab", "kB", "main thread s", "script s", "layout and style s", "longest tasks, ms of CPU",
         "over 100 ms", "longest ms"],
        [[name, size // 1000, f"{each.task:.1f}", f"{each.script:.1f}", f"{each.layout:.1f}",
          ", ".join(f"{task:.0f}" for task in each.tasks[:5]), sum(task > 100 for task in each.tasks),
          f"{each.wall:.0f}"] for (name, size), each in found.items()],
    )  # fmt: skip
