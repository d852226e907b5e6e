"""Main-thread time of Chromium for a 40 kB answer in JupyterLab, to the hand-written cell; and its long tasks.

Chromium counts the time of all tasks of the page's main thread (`Performance.getMetrics`, TaskDuration), and tells
every task over 50 ms (`longtask`). From sending the cell until nothing changes any more; what an open page does anyway
is measured for ten seconds and taken off.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
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
SIZE, PACE = 40_000, 0.01
_IDLE_SECONDS = 10
_WATCH = """() => {
    window.longTasks = [];
    window.taskWatcher?.disconnect();
    window.taskWatcher = new PerformanceObserver(
        list => window.longTasks.push(...list.getEntries().map(entry => entry.duration)));
    window.taskWatcher.observe({type: 'longtask'});
}"""


class Work(NamedTuple):
    """What a cell cost the page: seconds of its main thread, script and layout among them, and long tasks in ms."""

    task: float
    script: float
    layout: float
    long: tuple[float, ...]


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
    lab.page.evaluate(_WATCH)
    start, began = _metrics(session), lab.page.evaluate("() => performance.now()")
    lab.run_all(timeout=300)
    took = (lab.page.evaluate("() => performance.now()") - began) / 1000
    spent = [after - at - took * rest for after, at, rest in zip(_metrics(session), start, idle, strict=True)]
    long = lab.page.evaluate("() => window.longTasks")
    lab.save()
    lab.close()
    return Work(*spent, tuple(long))


def measure(bench: Bench) -> Iterator[Figure]:
    """One answer each, one after the other on one page."""
    text = answer(SIZE)
    found: dict[str, Work] = {}
    with (
        Emulator(pace=PACE) as emulator,
        tempfile.TemporaryDirectory() as home,
        _page(Path(home), {**clean(), **emulator.environment}) as lab,
    ):
        for build in bench.builds:
            emulator.answer("Hello.", Reply(content=Script(text)))
            path = f"import sys; sys.path.insert(0, {str(build.path)!r})"
            cells = [path, baseline.OURS_LOAD, baseline.ours("Hello"), baseline.ours("Tell me all")]
            found[build.name] = _work(lab, cells, build.name)
        emulator.answer("Hello.", Reply(content=Script(text)))
        cells = [baseline.LOAD, baseline.by_hand("Hello"), baseline.by_hand("Tell me all")]
        found["by hand"] = _work(lab, cells, "by-hand")
    mine, hand = found[bench.this.name], found["by hand"]
    former = found[bench.former.name] if bench.former else None
    yield Figure(name="main thread of Chromium, 40 kB, to a hand-written cell",
                 value=mine.task / hand.task, target=0.5,
                 former=f"{former.task / hand.task:.2f}" if former else "")  # fmt: skip
    yield Figure(name="longest task of it, ms", value=max(mine.long, default=0.0), target=100,
                 former=f"{max(former.long, default=0.0):.0f}" if former else "")  # fmt: skip
    bench.tell(
        ["40 kB in JupyterLab", "main thread s", "script s", "layout and style s", "tasks over 50 ms",
         "over 100 ms", "longest ms"],
        [[name, f"{each.task:.1f}", f"{each.script:.1f}", f"{each.layout:.1f}", len(each.long),
          sum(task > 100 for task in each.long), f"{max(each.long, default=0):.0f}"] for name, each in found.items()],
    )  # fmt: skip
