"""Functions that Claude calls and searches of the web in JupyterLab: folds, figures, confirmations, stops, links."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from lab import LabPage, write_notebook
from tool_use import use

from vertex_claude_magic.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = '''
import os, time
os.environ.update({environment!r})
%load_ext vertex_claude_magic

def mean(column: str) -> float:
    """Mean of a column."""
    print("reading", column)
    return 2.5

def histogram(column: str):
    """Histogram of a column."""
    from matplotlib.figure import Figure
    drawn = Figure(figsize=(3, 2))
    drawn.subplots().hist([1, 2, 2, 3, 3, 3])
    return drawn

def wait(seconds: int) -> str:
    """Wait."""
    print("waiting")
    time.sleep(seconds)
    return "done"
'''
HOSTILE = "</summary><img src=x onerror=alert(1)>\x1b[31m"
LOOK = {"type": "text", "text": "Let me look."}
CITED = {
    "type": "web_search_result_location",
    "url": "https://example.org/penguins?a=1&b=2",
    "title": "Penguins <img src=x onerror=alert(1)> [x](javascript:alert(1))",
    "encrypted_index": "e",
    "cited_text": "They swim.",
}
BAD = {**CITED, "url": "javascript:alert(1)", "title": "A script"}


@pytest.fixture
def lesson(lab: LabPage) -> Iterator[tuple[LabPage, Emulator]]:
    with Emulator() as emulator:
        cells = [
            SOURCE.replace("{environment!r}", repr(emulator.environment)),
            "%%claude -c penguins --tools mean,histogram\nHow heavy are they?",
            "%%claude -c penguins --tools mean --confirm\nAnd the bills?",
            "%%claude --tools web_search\nDo penguins swim?",
            "%%claude stopped -c penguins --tools mean,wait\nTake your time.",
            "[call.name for call in stopped.tool_calls], stopped.complete",
            "%%claude -c penguins\nStill there?",
        ]
        lab.page.set_viewport_size({"width": 1100, "height": 2400})
        lab.open(write_notebook(lab.server.root / "tools.ipynb", cells))
        yield lab, emulator
        lab.close()


def run(lab: LabPage, number: int) -> None:
    lab.page.evaluate(
        """async number => {
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = number;
            window.jupyterapp.commands.execute("notebook:run-cell");
        }""",
        number,
    )


def shown(lab: LabPage, number: int) -> Any:
    return lab.page.locator(".jp-Cell").nth(number).locator(".jp-OutputArea").first


def test_calls_figures_confirmations_stops_and_sources(lesson, tmp_path):
    """One notebook, cell after cell, as its user runs it; nothing opens a dialog or asks another host."""
    lab, emulator = lesson
    run(lab, 0)
    lab.settle()
    emulator.answer(
        [LOOK, use(1, "mean", column="mass"), use(2, "histogram", column="mass")], "It is **2.5** kg."
    )
    run(lab, 1)
    shown(lab, 1).locator("img").wait_for(timeout=60_000)
    lab.settle()
    folds = shown(lab, 1).locator("summary")
    assert 'mean(column="mass") · ' in folds.nth(0).inner_text()
    assert 'histogram(column="mass") · ' in folds.nth(1).inner_text()
    folds.nth(0).click()
    assert "reading mass" in shown(lab, 1).inner_text()

    emulator.answer([use(3, "mean", column=HOSTILE)], "As you like.")
    run(lab, 2)
    prompt = lab.page.locator(".jp-Stdin-input")
    prompt.wait_for(timeout=60_000)
    assert f"mean(column={json.dumps(HOSTILE)})" in shown(lab, 2).locator("pre code").first.inner_text()
    assert lab.screenshot(tmp_path / "tools-confirm.png").stat().st_size > 10_000
    prompt.fill("no")
    prompt.press("Enter")
    shown(lab, 2).get_by_text("As you like.").wait_for(timeout=60_000)
    lab.settle()
    assert shown(lab, 2).locator("summary").first.inner_text().endswith(" · not allowed")

    emulator.answer(
        [{"type": "text", "text": "They swim", "citations": [CITED, BAD]}, {"type": "text", "text": "."}]
    )
    run(lab, 3)
    shown(lab, 3).get_by_text("Sources").wait_for(timeout=60_000)
    lab.settle()
    links = [link.get_attribute("href") for link in shown(lab, 3).locator("a").all()]
    assert [link for link in links if link] == [CITED["url"]]
    assert shown(lab, 3).locator("img").count() == 0

    emulator.answer(
        [LOOK, use(4, "mean", column="depth"), use(5, "wait", seconds=600), use(6, "mean", column="no")]
    )
    run(lab, 4)
    shown(lab, 4).get_by_text("Running wait(seconds=600)").wait_for(timeout=60_000)
    lab.page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    shown(lab, 4).get_by_text("KeyboardInterrupt").first.wait_for(timeout=20_000)
    lab.settle()
    run(lab, 5)
    shown(lab, 5).get_by_text("(['mean'], False)").wait_for(timeout=60_000)
    emulator.answer("Yes.")
    run(lab, 6)
    shown(lab, 6).get_by_text("Yes.").first.wait_for(timeout=60_000)
    lab.settle()
    assert lab.screenshot(tmp_path / "tools-all.png").stat().st_size > 10_000
    assert lab.dialogs == []
    assert lab.strangers() == []
