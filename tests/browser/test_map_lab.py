"""`%%claude_map` in a real JupyterLab: the bar moves and ends, the page does not grow, an interrupt leaves a table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab import write_notebook

if TYPE_CHECKING:
    from lab import LabPage

# Slow answers, so that a browser sees the bar on its way.
SETUP = """%load_ext vertex_claude_magic
%config ClaudeMagics.journal = "map.sqlite3"
%claude_demo
import pandas as pd
from vertex_claude_magic.emulator import Fault
emulator = get_ipython().magics_manager.registry["ClaudeMagics"].emulator
emulator.fail(*[Fault(delay=0.4)] * 100)
reviews = pd.DataFrame({"text": [f"row {number}" for number in range(90)]})"""
ASK = "%%claude_map labels reviews -m claude-haiku-4-5 -n 1000 --max-active 8\nRepeat {{ text }}"
BAR = ".jp-OutputArea-output progress"
# Not awaited, because a command of JupyterLab ends with the cell that it runs.
RUN = """number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number;
    window.jupyterapp.commands.execute('notebook:run-cell'); }"""
IMAGES = os.environ.get("MAP_IMAGES", "")


def picture(lab: LabPage, name: str) -> None:
    if IMAGES:
        for theme in ("JupyterLab Light", "JupyterLab Dark"):
            lab.theme(theme)
            lab.screenshot(Path(IMAGES) / f"{name}-{theme.split()[1].lower()}.png")
        lab.theme("JupyterLab Light")


def test_the_bar_moves_and_ends_and_an_interrupt_leaves_a_table(lab: LabPage):
    """Cases 81 and 83 in the page itself; the same cell again asks only the rest."""
    path = write_notebook(lab.server.root / "map.ipynb", [SETUP, ASK, "labels['answer'].notna().sum()"])
    lab.open(path)
    page = lab.page
    lab.execute(SETUP)
    page.evaluate(RUN, 1)
    bar = page.locator(BAR)
    bar.wait_for(timeout=60_000)
    seen = set()
    for _ in range(200):
        if bar.count():
            seen.add(bar.first.evaluate("element => element.value"))
        if len(seen) >= 4:
            break
        page.wait_for_timeout(100)
    assert len(seen) >= 4
    assert bar.count() == 1
    picture(lab, "running")
    lab.command("notebook:interrupt-kernel")
    lab.wait_idle()
    shown = " ".join(lab.texts())
    assert bar.count() == 0
    assert "not asked" in shown
    assert "KeyboardInterrupt" in shown
    picture(lab, "interrupted")
    done = int(lab.execute("print(labels['answer'].notna().sum(), len(labels))").split()[0])
    assert 0 < done < 90
    page.evaluate(RUN, 1)
    page.get_by_text("90 answered").wait_for(timeout=90_000)
    shown = " ".join(lab.texts())
    assert f"90 rows: 90 answered ({done} by an earlier run)" in shown
    assert bar.count() == 0
    picture(lab, "done")
    assert lab.strangers() == []
    assert lab.dialogs == []
    lab.close()
