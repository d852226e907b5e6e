"""A lesson that was built runs twice with the same outputs where there is no network and no login."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import nbformat
import pytest
from kernel import own_loop, run_notebook
from shells import ROOT

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.cli.kernels import kernel_without_network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

# Where the system lets nobody take the network away; and what tries to reach one is noted in either case.
CLOSED = """
import os, socket
def refuse(self, address, connect=socket.socket.connect):
    if self.family == socket.AF_UNIX or str(address[0]).startswith("127."):
        return connect(self, address)
    with open(os.environ["TRIED"], "a") as file:
        file.write(f"{address}\\n")
    raise OSError("no network")
socket.socket.connect = refuse
open(os.environ["TRIED"], "a").close()
"""


@pytest.fixture
def lesson(tmp_path, monkeypatch) -> Iterator[Path]:
    """The lesson of the example about replays, built from a folder with nothing else."""
    course = tmp_path / "course"
    course.mkdir()
    for ending in ("ipynb", "claude"):
        shutil.copy(ROOT / f"notebooks/04-run-all-again.{ending}", course)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    with own_loop():
        assert main(["lesson", "build", str(course), "--to", str(tmp_path / "out"), "--no-browser"]) == 0
        yield tmp_path / "out"


def outputs(notebook: Path, home: Path, closed: Path) -> list[list[dict[str, object]]]:
    """Run a notebook as whoever got the folder does, and return what its cells show."""
    home.mkdir()
    content = nbformat.read(notebook, as_version=4)
    cells = [cell for cell in content.cells if cell.cell_type == "code"]
    for cell in cells:
        cell.outputs = []
    paths = os.pathsep.join([str(closed), str(ROOT)])
    surroundings = {**os.environ, "HOME": str(home), "PYTHONPATH": paths, "TRIED": str(closed / "tried")}
    run_notebook(content, notebook.parent, surroundings, km=kernel_without_network(home))
    return [[dict(each) for each in cell.outputs] for cell in cells]


def test_the_outputs_of_two_runs_are_the_same_and_nobody_was_asked(lesson, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "sitecustomize.py").write_text(CLOSED)
    notebook = lesson / "notebooks/04-run-all-again.ipynb"
    first = outputs(notebook, tmp_path / "first", closed)
    assert first == outputs(notebook, tmp_path / "second", closed)
    answers = [each for shown in first for each in shown if "text/markdown" in each.get("data", {})]
    assert sum("replayed from" in str(each["data"]) for each in answers) == 2
    assert (closed / "tried").read_text() == ""
    # What a run leaves (nothing) does not make it another lesson.
    assert main(["lesson", "check", str(lesson)]) == 0
