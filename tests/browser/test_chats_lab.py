"""A conversation in JupyterLab: its turns belong to their cells, whatever order they run in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import LabPage, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

RESTART = """async () => {
    await window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart();
}"""
CHANGE = """([number, source]) =>
    window.jupyterapp.shell.currentWidget.content.widgets[number].model.sharedModel.setSource(source)"""
RUN = """async number => {
    window.jupyterapp.shell.currentWidget.content.activeCellIndex = number;
    await window.jupyterapp.commands.execute("notebook:run-cell");
}"""
ASK = [
    "%%claude -c penguins\nWhich species is the heaviest?",
    "%%claude -c penguins\nBy how much?",
    "%%claude -c penguins\nAnd in pounds?",
]


@pytest.fixture
def lesson(lab: LabPage) -> Iterator[LabPage]:
    journal = str(lab.server.home / "chats.sqlite")
    first = (
        f"import os\nos.environ['VERTEX_CLAUDE_JOURNAL'] = {journal!r}\nos.environ['VERTEX_CLAUDE_REPLAY'] = 'auto'\n"
        "%load_ext vertex_claude_magic\n%claude_demo"
    )
    lab.page.set_viewport_size({"width": 1100, "height": 2600})
    lab.open(
        write_notebook(
            lab.server.root / "chats.ipynb", [first, *ASK, "%claude_chat penguins", "%claude_panel"]
        )
    )
    yield lab
    lab.close()


def shown(lab: LabPage, number: int) -> str:
    return str(lab.page.locator(".jp-Cell").nth(number).locator(".jp-OutputArea").first.inner_text())


def test_an_edited_first_cell_and_restart_and_run_all(lesson, tmp_path):
    """In place, with what is stale said below it; then the same three turns once more, free of charge."""
    lesson.run_all(timeout=90)
    assert [f"penguins, turn {n} · " in shown(lesson, n) for n in (1, 2, 3)] == [True] * 3
    assert lesson.screenshot(tmp_path / "chats-first.png").stat().st_size > 10_000
    lesson.page.evaluate(CHANGE, [1, ASK[0].replace("heaviest", "lightest")])
    for number in (1, 4):
        lesson.page.evaluate(RUN, number)
    lesson.settle()
    assert "Turns 2 and 3 of penguins are stale" in shown(lesson, 1)
    assert "Earlier content has changed since a stale turn was answered" in shown(lesson, 4)
    lesson.page.locator(".jp-Cell").nth(4).screenshot(path=str(tmp_path / "chats-table.png"))
    assert lesson.screenshot(tmp_path / "chats-edited.png").stat().st_size > 10_000
    for free in (False, True):
        lesson.page.evaluate(RESTART)
        lesson.execute("pass")
        lesson.run_all(timeout=90)
        assert "stale" not in shown(lesson, 4)
        assert [("replayed" in shown(lesson, n)) for n in (2, 3)] == [free] * 2
    panel = lesson.page.locator(".jp-Cell").nth(5)
    panel.get_by_role("tab", name="Conversations", exact=True).click()
    panel.get_by_text("%%claude -c penguins continues the latest one").wait_for()
    assert lesson.screenshot(tmp_path / "chats-again.png").stat().st_size > 10_000
    lesson.page.locator(".jp-Cell").nth(5).screenshot(path=str(tmp_path / "chats-panel.png"))
