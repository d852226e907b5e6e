"""Restart and Run All in JupyterLab: `-f code` leaves as many cells as there were before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import LabPage, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

ASK = (
    "%%claude answer -m haiku -f code\nWrite a function that bootstraps a confidence interval for the median."
)
RESTART = """async () => {
    await window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart();
}"""
SOURCES = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(
    cell => cell.model.sharedModel.getSource())"""
CHANGE = """source => window.jupyterapp.shell.currentWidget.content.widgets[2].model.sharedModel.setSource(source)"""
SELECT = "number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number; }"


class Lesson:
    """A notebook in the page that asks for code in its second cell."""

    def __init__(self, lab: LabPage, name: str, *, journal: str, saves: bool) -> None:
        first = f"import os\nos.environ['VERTEX_CLAUDE_JOURNAL'] = {journal!r}\n%load_ext vertex_claude_magic\n%claude_demo"
        self.lab = lab
        self.saves = saves
        lab.open(write_notebook(lab.server.root / name, [first, ASK, "print('the end')"]))

    def restart_and_run_all(self) -> list[str]:
        """Return the sources of all cells afterwards."""
        if self.saves:
            self.lab.save()
        self.lab.page.evaluate(RESTART)
        # It answers before anything is asked of it.
        self.lab.execute("pass")
        self.lab.run_all(timeout=90)
        return list(self.lab.page.evaluate(SOURCES))

    def answer(self) -> str:
        """What is shown below the cell that asks."""
        return str(self.lab.page.locator(".jp-Cell").nth(1).locator(".jp-OutputArea").first.inner_text())


@pytest.fixture(params=["journal", "file"])
def lesson(request: pytest.FixtureRequest, lab: LabPage) -> Iterator[Lesson]:
    """Once with a journal and a notebook that is never saved, once without a journal and saved each time."""
    journal = str(lab.server.home / "journal.sqlite") if request.param == "journal" else "off"
    yield Lesson(lab, f"all-{request.param}.ipynb", journal=journal, saves=request.param == "file")
    lab.close()


def test_run_all_twice_leaves_as_many_cells(lesson):
    """Unchanged, edited, or written anew, the cell below is there; deleted, it is made once more."""
    first = lesson.restart_and_run_all()
    assert len(first) == 4
    assert first[2].startswith("# Code from Claude (id ")
    assert "Code added in a new cell below." in lesson.answer()
    for _ in range(2):
        assert lesson.restart_and_run_all() == first
        assert "no cell was added" in lesson.answer()
        assert "def median_interval" not in lesson.answer()
    # Without a journal the mark is what tells it.
    for source in (first[2] + "\nprint('mine')", *(() if lesson.saves else ("print('all mine')",))):
        lesson.lab.page.evaluate(CHANGE, source)
        for _ in range(2):
            assert lesson.restart_and_run_all() == [*first[:2], source, first[3]]
            assert "no cell was added" in lesson.answer()
        if lesson.saves:
            assert "def median_interval" in lesson.answer()
    lesson.lab.page.evaluate(SELECT, 2)
    lesson.lab.command("notebook:delete-cell")
    assert len(lesson.restart_and_run_all()) == 4
    assert "Code added in a new cell below." in lesson.answer()
