"""`-f code` adds no second cell while the cell with the code of an earlier run is there."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from kernel import running_kernel

from vertex_claude_magic.notebook.cells import SeenCells
from vertex_claude_magic.notebook.display.inserted import (
    AskingCell,
    CodeCell,
    File,
    InsertedCode,
    marked,
    note_cell,
    read_notebook,
    unmarked,
)
from vertex_claude_magic.session.status import MemoryNotes

if TYPE_CHECKING:
    from pathlib import Path

CODE = "x = 1\nprint(x)"
OTHER = "x = 2"
START = datetime(2026, 1, 1, tzinfo=timezone.utc)
SOURCE = "%%claude -f code\nGo"


class Notebook:
    """A notebook with a clock, a journal that lasts, and a file that may be saved; `run` asks once."""

    def __init__(self, *, cell: str = "a1", named: bool = True) -> None:
        self.cell = cell
        self.named = named
        self.now = START
        self.notes = MemoryNotes()
        self.seen = SeenCells(lambda key, cell: note_cell(self.notes, key, cell))
        self.file: File | None = None
        self.cells = [
            CodeCell(id=cell or "file-id", source=SOURCE),
            CodeCell(id="b0", source="print('below')"),
        ]
        self.number = 0
        self.source = SOURCE

    def restart(self) -> None:
        """A new kernel knows the journal and the file, and nothing else."""
        self.seen = SeenCells(lambda key, cell: note_cell(self.notes, key, cell))

    def save(self) -> None:
        self.now += timedelta(minutes=1)
        if self.named:
            self.file = File(cells=list(self.cells), saved=self.now.timestamp())

    def below(self) -> list[CodeCell]:
        return [cell for cell in self.cells if cell.id.startswith("new")]

    def change(self, source: str) -> None:
        (cell,) = self.below()
        self.cells[1] = CodeCell(id=cell.id, source=source)

    def delete(self, *, said: bool) -> None:
        (cell,) = self.below()
        self.cells.remove(cell)
        if said:
            self.seen.add("", {"cellId": "zz", "deletedCells": [cell.id]})

    def run_below(self) -> None:
        (cell,) = self.below()
        self.seen.add(cell.source, {"cellId": cell.id})

    def run(self, code: str = CODE) -> str:
        """Ask with this answer; return the note, or "inserted"."""
        self.now += timedelta(minutes=1)
        asker = AskingCell(cell=self.cell, source=self.source, notebook="n.ipynb" if self.named else "")
        known = InsertedCode(
            asker,
            notes=self.notes,
            file=lambda: self.file,
            marked=self.seen.marked,
            deleted=self.seen.deleted,
            now=self.now.timestamp,
        )
        earlier = known.earlier(code)
        if earlier is not None:
            note, shown = earlier.notes(code)
            return f"{note} [{'shown' if shown else 'not shown'}]"
        self.number += 1
        self.cells.insert(1, CodeCell(id=f"new{self.number}", source=known.mark(code)))
        known.inserted(code)
        return "inserted"


@pytest.fixture(params=["named", "unnamed"])
def notebook(request) -> Notebook:
    book = Notebook(named=request.param == "named")
    book.save()
    assert book.run() == "inserted"
    return book


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("saved", [False, True])
def test_running_again_adds_nothing(notebook, restarts, saved):
    """Whether the file was saved or not, and in a new kernel too."""
    for _ in range(3):
        if saved:
            notebook.save()
        if restarts:
            notebook.restart()
        note = notebook.run()
        assert "no cell was added" in note
        assert note.endswith("[not shown]")
        notebook.run_below()
    assert len(notebook.below()) == 1


@pytest.mark.parametrize(
    "edited", ["x = 3", "", marked(CODE, "00000000").replace("1", "3"), "# all mine\n" + CODE]
)
@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize("ran", [False, True])
def test_an_edited_cell_is_there_too(notebook, edited, saved, ran):
    """Also if its mark is gone."""
    if ran:
        notebook.run_below()
    notebook.change(edited)
    if saved:
        notebook.save()
    notebook.restart()
    note = notebook.run()
    assert "no cell was added" in note
    if saved and notebook.named:
        assert "edited" in note
        assert note.endswith("[shown]")


def test_another_answer_is_shown_and_not_inserted(notebook):
    """A model says it differently each time, and Run All must not add cells for that."""
    note = notebook.run(OTHER)
    assert "The code of an earlier answer was inserted before, so no cell was added." in note
    assert note.endswith("[shown]")
    notebook.save()
    assert "The new code is shown here." in notebook.run(OTHER)
    assert len(notebook.below()) == 1


@pytest.mark.parametrize("cell", ["a1", "", "vscode-notebook-cell:/a#W0"])
@pytest.mark.parametrize("saved", [False, True])
def test_a_question_that_has_changed_gets_a_new_cell(cell, saved):
    """The old code answers another question; running all again adds nothing, also after a change back."""
    notebook = Notebook(cell=cell)
    for source, code in ((SOURCE, CODE), ("%%claude -f code\nGo on", OTHER)):
        notebook.source = source
        notebook.cells[0] = CodeCell(id=cell if cell == "a1" else "file-id", source=source)
        if saved or cell != "a1":
            notebook.save()
        assert notebook.run(code) == "inserted"
        if saved or cell != "a1":
            notebook.save()
        notebook.restart()
        assert "no cell was added" in notebook.run(code)
    if cell == "a1":
        notebook.source = SOURCE
        assert "no cell was added" in notebook.run()


@pytest.mark.parametrize("code", [CODE, OTHER])
def test_where_nobody_can_see_the_cell_nothing_is_said_to_be_below(notebook, code):
    """It may have been deleted."""
    note = notebook.run(code)
    assert "inserted before, so no cell was added" in note
    assert "below" not in note
    assert ("the answer has it as .code" if code == CODE else "shown here") in note


@pytest.mark.parametrize("ran", [False, True])
def test_a_deleted_cell_is_made_anew_once_that_is_known(notebook, ran):
    """By its id, which is known once it ran or was saved; or because the saved file does not have it."""
    if ran:
        notebook.run_below()
        notebook.restart()
        notebook.change("all mine")
    notebook.delete(said=True)
    if ran:
        assert notebook.run() == "inserted"
    else:
        # Which cell was deleted is not known, so nothing is added and nothing is hidden.
        assert notebook.run().endswith("[shown]")
        notebook.save()
        assert notebook.run() == "inserted" if notebook.named else "[shown]" in notebook.run()


def test_a_saved_file_without_the_cell_is_believed():
    """Deleted in another browser, or a fresh copy of the notebook from a teacher."""
    notebook = Notebook()
    notebook.save()
    notebook.run()
    notebook.delete(said=False)
    notebook.save()
    assert notebook.run() == "inserted"


def test_a_file_that_is_older_than_the_insertion_is_not_believed():
    """The cell is in the page and not in the file yet."""
    notebook = Notebook()
    notebook.save()
    notebook.run()
    notebook.restart()
    assert "If that cell is gone, save the notebook" in notebook.run()


def test_without_any_journal_the_file_is_enough():
    """The mark tells whose code it is."""
    notebook = Notebook()
    notebook.run()
    notebook.change(notebook.below()[0].source + "\n# edited")
    notebook.save()
    notebook.restart()
    notebook.notes = MemoryNotes()
    note = notebook.run()
    assert "has been edited since" in note
    assert note.endswith("[shown]")


@pytest.mark.parametrize("cell", ["", "vscode-notebook-cell:/a#W0"])
def test_a_front_end_without_lasting_ids_is_known_by_the_source(cell):
    """VS Code gives a cell another id each time; older front ends give none."""
    notebook = Notebook(cell=cell)
    notebook.cells[0] = CodeCell(id="file-id", source=SOURCE)
    notebook.run()
    notebook.save()
    notebook.restart()
    notebook.notes = MemoryNotes()
    if cell:
        notebook.cell += "-other"
    assert "already in the cell below" in notebook.run()


def test_the_record_of_another_notebook_says_nothing():
    """A copy has the same ids."""
    notebook = Notebook()
    notebook.run()
    ((key, (record, _)),) = notebook.notes.notes("inserted code").items()
    notebook.notes.note("inserted code", key, {**record, "notebook": "other.ipynb"})
    assert notebook.run() == "inserted"


@pytest.mark.parametrize("value", [None, 3, [], {}, {"at": "x"}, {"at": None, "code": 1}])
def test_a_note_of_another_version_is_passed_over(value):
    """It costs one cell at most."""
    notebook = Notebook()
    notebook.notes.note("inserted code", AskingCell(cell="a1", source=SOURCE).key, value)
    notebook.seen.add(marked("x", AskingCell(cell="a1", source=SOURCE).key), {"cellId": "b"})
    assert notebook.run() == "inserted"


@pytest.mark.parametrize("undone", [True, False])
def test_a_deletion_that_is_undone_is_none(undone):
    """JupyterLab says which cells were deleted with the next one that runs."""
    seen = SeenCells()
    seen.add("", {"cellId": "c", "deletedCells": ["b"]})
    if undone:
        seen.add("x", {"cellId": "b"})
    assert ("b" in seen.deleted) is not undone


# The mark


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("x = 1", 0),
        ("", 0),
        ("%%time\nx", 1),
        ("%%bash\nls", 1),
        ("%%timeit -n1\nx", 1),
        ("%matplotlib inline", 0),
    ],
)
def test_a_mark_stands_where_a_comment_may_stand(code, line):
    """Below a cell magic that would lose its place."""
    text = marked(code, "0123abcd")
    assert text.split("\n")[line].startswith("# Code from Claude (id 0123abcd-")
    assert unmarked(text) == code


@pytest.mark.parametrize(
    "code", ["%%html\n<b>", "%%writefile a.py\nx", "%%latex\nx", "%%sql\nselect 1", "%%js\n1", "%%timeitx\n1"]
)
def test_where_a_comment_would_change_the_cell_there_is_no_mark(code):
    """It is known by its text and its place."""
    assert marked(code, "0123abcd") == code
    notebook = Notebook()
    notebook.save()
    assert notebook.run(code) == "inserted"
    notebook.save()
    notebook.restart()
    assert "already in the cell below" in notebook.run(code)


# The file


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"cells": 1}',
        '{"cells": [1]}',
        '{"cells": [{"cell_type": "code"}]}',
        "\x00",
        "[" * 9_000,
    ],
)
def test_a_file_that_is_no_notebook_tells_nothing(tmp_path, text):
    """Nor does one that is not there."""
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    assert read_notebook(path) is None
    assert read_notebook(tmp_path / "nosuch.ipynb") is None
    assert read_notebook(tmp_path) is None
    assert read_notebook(None) is None


def test_a_file_gives_its_code_cells(tmp_path):
    """Whole or as lines, with and without ids."""
    path = tmp_path / "a.ipynb"
    cells = [
        {"cell_type": "markdown", "id": "m", "source": "# A"},
        {"cell_type": "code", "id": "c", "source": ["x\n", "y"]},
        {"cell_type": "code", "source": "z"},
    ]
    path.write_text(json.dumps({"cells": cells}))
    file = read_notebook(path)
    assert file == File(
        cells=[CodeCell(id="c", source="x\ny"), CodeCell(id="", source="z")], saved=path.stat().st_mtime
    )


# In a kernel


def restarted(tmp_path: Path, claude_emulator, **environment: str):
    return running_kernel(
        tmp_path,
        **claude_emulator.environment,
        VERTEX_CLAUDE_JOURNAL=str(tmp_path / "j.sqlite"),
        **environment,
    )


ANSWER = f"So:\n```python\n{CODE}\n```\n"


def test_two_kernels_insert_once(tmp_path, claude_emulator):
    """The journal knows it by the id of the cell; what differs is on the page."""
    claude_emulator.answer(ANSWER, ANSWER, f"Now:\n```python\n{OTHER}\n```")
    asking, runs = "%load_ext vertex_claude_magic", []
    for _ in range(2):
        with restarted(tmp_path, claude_emulator) as kernel:
            kernel.ok(asking)
            runs += [kernel.ok(SOURCE, metadata={"cellId": "a1"})]
            if len(runs) == 2:
                runs += [kernel.ok(SOURCE, metadata={"cellId": "a1"})]
                assert kernel.ok(SOURCE, metadata={"cellId": "a2"}).payload
    first, second, third = runs
    assert first.payload[0]["text"].endswith(CODE)
    assert not second.payload
    assert "no cell was added" in second.outputs[-1].text
    assert "print(x)" not in second.outputs[-1].text
    assert not third.payload
    assert OTHER in third.outputs[-1].text


def test_a_deleted_cell_that_ran_is_inserted_again(tmp_path, claude_emulator):
    """As JupyterLab says it: with the next cell that runs."""
    claude_emulator.answer(ANSWER, ANSWER, ANSWER)
    with restarted(tmp_path, claude_emulator) as kernel:
        kernel.ok("%load_ext vertex_claude_magic")
        (payload,) = kernel.ok(SOURCE, metadata={"cellId": "a1"}).payload
        kernel.ok(payload["text"], metadata={"cellId": "b1"})
        assert not kernel.ok(SOURCE, metadata={"cellId": "a1"}).payload
        assert kernel.ok(SOURCE, metadata={"cellId": "a1", "deletedCells": ["b1"]}).payload


def test_the_file_that_the_server_names_is_read(tmp_path, claude_emulator):
    """Without a journal, in a new kernel, with the cell edited."""
    claude_emulator.answer(ANSWER, ANSWER)
    path = tmp_path / "lesson.ipynb"
    first = {"cell_type": "code", "id": "a1", "source": SOURCE}
    path.write_text(json.dumps({"cells": [first]}))
    off = {"VERTEX_CLAUDE_JOURNAL": "off", "JPY_SESSION_NAME": str(path)}
    with running_kernel(tmp_path, **{**claude_emulator.environment, **off}) as kernel:
        kernel.ok("%load_ext vertex_claude_magic")
        (payload,) = kernel.ok(SOURCE, metadata={"cellId": "a1"}).payload
    edited = {"cell_type": "code", "id": "b1", "source": payload["text"] + "\ny = 2"}
    path.write_text(json.dumps({"cells": [first, edited]}))
    os.utime(path)
    with running_kernel(tmp_path, **{**claude_emulator.environment, **off}) as kernel:
        kernel.ok("%load_ext vertex_claude_magic")
        run = kernel.ok(SOURCE, metadata={"cellId": "a1"})
        assert not run.payload
        assert "has been edited since" in run.outputs[-1].text
        assert "print(x)" in run.outputs[-1].text
