"""`%%claude_batch` and `%claude_batch` in a real JupyterLab: the page of the jobs, the bar, an interrupt, the table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab import write_notebook

if TYPE_CHECKING:
    from lab import LabPage

SETUP = """%load_ext vertex_claude_magic
%config ClaudeMagics.journal = "batch.sqlite3"
%claude_demo
import pandas as pd
emulator = get_ipython().magics_manager.registry["ClaudeMagics"].emulator
emulator.batches.looks = 10_000
emulator.batches.fails = lambda name: name.endswith("-7")
reviews = pd.DataFrame({"text": [f"row {number}" for number in range(90)]})"""
SEND = """%%claude_batch job reviews --to gs://emulator-bucket/reviews -m haiku -n 1000 --rows-per-job 15
Repeat {{ text }}"""
WAIT = "%claude_batch job --wait"
CANCEL = "%claude_batch job --cancel"
COLLECT = "%claude_batch job --collect labels"
# Until then the jobs stay in the queue, however often somebody looks.
GO = "emulator.batches.looks = 0"
BAR = ".jp-OutputArea-output progress"
# Not awaited, because a command of JupyterLab ends with the cell that it runs.
RUN = """number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number;
    window.jupyterapp.commands.execute('notebook:run-cell'); }"""
# Every value that the bar takes, however short it is shown.
WATCH = """() => { window.bars = new Set();
    new MutationObserver(() => document.querySelectorAll('progress').forEach(bar => window.bars.add(bar.value)))
        .observe(document.body, {subtree: true, childList: true, attributes: true}); }"""
IMAGES = os.environ.get("BATCH_IMAGES", "")


def picture(lab: LabPage, name: str) -> None:
    if IMAGES:
        lab.page.locator(".jp-OutputArea-output").last.scroll_into_view_if_needed()
        for theme in ("JupyterLab Light", "JupyterLab Dark"):
            lab.theme(theme)
            lab.screenshot(Path(IMAGES) / f"{name}-{theme.split()[1].lower()}.png")
        lab.theme("JupyterLab Light")


def run(lab: LabPage, number: int) -> None:
    """Run a cell to its end."""
    lab.page.evaluate(
        "number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number; }", number
    )
    lab.command("notebook:run-cell")
    lab.settle()


def test_jobs_are_sent_followed_stopped_followed_again_and_collected(lab: LabPage):
    """More than four wait; an interrupt of the wait leaves them running; the bar moves and ends."""
    cells = [SETUP, SEND, WAIT, WAIT, COLLECT, "%claude_batch", "labels['error'].isna().sum()", SEND, CANCEL]
    lab.open(write_notebook(lab.server.root / "batch.ipynb", cells))
    page = lab.page
    run(lab, 0)
    run(lab, 1)
    sent = lab.texts()[-1]
    assert "job: QUEUED · 90 rows" in sent
    assert "2 jobs wait and are created while a kernel follows the batch: %claude_batch job --wait." in sent
    picture(lab, "sent")
    bar = page.locator(BAR)
    page.evaluate(RUN, 2)
    bar.wait_for(timeout=60_000)
    picture(lab, "waiting")
    lab.command("notebook:interrupt-kernel")
    lab.wait_idle()
    assert "Stopped waiting; the jobs continue." in lab.texts()[-1]
    # What stays is a page of the jobs, and not half a bar.
    assert bar.count() == 0
    picture(lab, "stopped")
    lab.execute(GO)
    page.evaluate(WATCH)
    run(lab, 3)
    # Google counts the rows of a job when that has ended: first of none, then of four jobs.
    assert page.evaluate("() => [...window.bars]")[:2] == [0, 60]
    assert "job: SUCCEEDED · 90 rows, 89 done, 1 failed" in lab.texts()[-1]
    assert bar.count() == 0
    picture(lab, "ended")
    run(lab, 4)
    picture(lab, "collected")
    run(lab, 5)
    picture(lab, "listed")
    run(lab, 6)
    assert "89" in lab.texts()[-1]
    run(lab, 7)
    run(lab, 8)
    assert "CANCELL" in lab.texts()[-1]
    picture(lab, "cancelled")
    assert lab.strangers() == []
    assert lab.dialogs == []
    lab.close()
