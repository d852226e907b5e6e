"""The example notebooks run offline, twice with the same result, and an error stops a run."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from kernel import ROOT, own_loop, run_notebook
from make_notebooks import badges, index, repository, versions
from nbclient.exceptions import CellExecutionError

from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.records.provenance import answers_in
from vertex_claude_magic.records.recording.file_text import read_recording

if TYPE_CHECKING:
    from pathlib import Path

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# What differs between two runs of the same question (times, ports, ids), and between two releases of a library
# (the bytes of a picture, colours of a traceback).
VARYING = [
    (re.compile(r"\b(first token )?\d+\.\d s\b"), "T s"),
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\b(msg|req)_\w+"), r"\1_ID"),
    (re.compile(r'"(seconds|message_id|request_id)": [^,}]+'), r'"\1": 0'),
    (re.compile(r"\bat 0x[0-9a-f]+"), "at 0xID"),
    (re.compile(r'"prompt_hash": "\w+"'), '"prompt_hash": ""'),
    (re.compile(r'"date": "[^"]+"'), '"date": ""'),
    (re.compile(r"replayed from [\d-]+ [\d:]+ UTC"), "replayed from DATE"),
    # Times stand in the text below an answer, so its hashes differ too.
    (re.compile(r'"answer_hash": "[0-9a-f]{32}"'), '"answer_hash": "HASH"'),
    (re.compile(r'"image/png": "[^"]+"'), '"image/png": ""'),
    (re.compile(r"\\u001b\[[0-9;]*m|\\n(?=\")"), ""),
    (re.compile(r'"model_id": "\w+"'), '"model_id": "ID"'),
    (re.compile(r"claude-batch-[0-9a-f]{16}"), "claude-batch-ID"),
]

# How long a function took that Claude called; a replay calls none.
CALLED = re.compile(r"(\d+\.\d s|not called again)</summary>")

KERNEL = {"PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """A folder in which a kernel runs that imports this checkout."""
    for name, value in surroundings(tmp_path).items():
        monkeypatch.setenv(name, value)
    with own_loop():
        yield tmp_path


@pytest.fixture
def offline(claude_emulator, monkeypatch, folder):
    """An environment in which a kernel asks the emulator of this test."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return folder


def surroundings(folder: Path) -> dict[str, str]:
    return {**KERNEL, "IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def ran(request, tmp_path_factory) -> tuple[Path, Any, Any]:
    """A notebook, and what it is after each of two runs offline, each in a kernel of its own."""
    folder = tmp_path_factory.mktemp("offline")
    with pytest.MonkeyPatch.context() as patch, Emulator(demo=True) as emulator, own_loop():
        own = {"HOME": str(folder), **surroundings(folder), **emulator.environment}
        for name, value in own.items():
            patch.setenv(name, value)
        return request.param, executed(request.param, folder), executed(request.param, folder)


def executed(path: Path, folder: Path) -> Any:
    """Run a notebook from its beginning, beside its data, as Run All does; an error that it does not announce is fatal."""
    shutil.copytree(path.parent, folder, dirs_exist_ok=True)
    notebook = nbformat.read(path, as_version=4)
    run_notebook(notebook, folder, os.environ)
    nbformat.validate(notebook)
    return notebook


def lasting(notebook: Any) -> str:
    """The outputs of a notebook, without what differs between two runs, or two releases of IPython."""
    outputs = [[without_frames(each) for each in cell.get("outputs", ())] for cell in notebook.cells]
    text = json.dumps(outputs, sort_keys=True, indent=1)
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    return text


def without_frames(output: Any) -> Any:
    """Python's own errors without their frames, which releases draw in different ways, some with the kernel's number."""
    if output["output_type"] == "error" and "Traceback" in "".join(output["traceback"]):
        return {**output, "traceback": output["traceback"][-1]}
    return output


def answers(notebook: Any) -> list[Any]:
    """Every answer of a notebook without the lines below it, and all that its cells computed and printed."""
    found = []
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        told = output.get("metadata", {}).get("vertex_claude_magic")
        # A page that quotes answers has none of its own.
        if told is not None and answers_in(told):
            text = output["data"]["text/markdown"].partition("<small>")[0]
            counted = [(each["usage"], each["model"]) for each in answers_in(told)]
            found.append((CALLED.sub("CALLED</summary>", text), counted))
        elif output["output_type"] in {"execute_result", "stream"}:
            found.append(output.get("text") or output["data"]["text/plain"])
    return found


def names(path: Path) -> str:
    return path.stem


def test_there_are_notebooks():
    """The README names them."""
    assert NOTEBOOKS


def test_a_notebook_runs_twice_with_the_outputs_that_it_shows(ran):
    """Case 90: offline, valid before and after, with the same answers, metadata included."""
    path, first, second = ran
    stored = nbformat.read(path, as_version=4)
    nbformat.validate(stored)
    assert lasting(first) == lasting(second)
    # What is read on the web is what runs.
    assert lasting(stored) == lasting(first)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_a_notebook_runs_from_its_recording_alone(path, folder, monkeypatch):
    """No emulator, no credentials, no project: the answers are those that the page shows, and all are replayed.

    A picture that another release of a library draws is another attachment, and so another question.
    """
    stored = nbformat.read(path, as_version=4)
    for name, value in {"REPLAY": "only", "RECORDING": f"{path.stem}.claude", "JOURNAL": "off"}.items():
        monkeypatch.setenv(f"VERTEX_CLAUDE_{name}", value)
    try:
        again = executed(path, folder)
    except CellExecutionError as error:
        if stored.metadata.made_with == versions() or "an attachment of the prompt" not in str(error):
            raise
        pytest.skip(f"its picture was drawn with {stored.metadata.made_with}, here with {versions()}")
    assert answers(again) == answers(stored)
    told = [each for cell in again.cells for output in cell.get("outputs", ())
            if "vertex_claude_magic" in output.get("metadata", {})
            for each in answers_in(output.metadata.vertex_claude_magic)]  # fmt: skip
    assert told
    assert all(each["replayed"] and each["answered_by"] == "emulator" for each in told)


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.claude")), ids=names)
def test_a_recording_is_marked_as_made_by_the_emulator(path):
    """Whoever reads the file sees it, and it holds nothing of the machine that made it."""
    records = read_recording(path.read_text(encoding="utf-8"))[0]
    assert records
    assert {kept.source for kept in records} == {"emulator"}
    assert not re.search(
        r"emulator-project|127\.0\.0\.1|Bearer|req_|msg_|/home/|/root/", path.read_text(encoding="utf-8")
    )


def test_every_answer_is_one_static_output(ran):
    """Case 71: nothing of the streaming is left in the file, and no project or secret.

    A picture that a called function returned stands below the answer.
    """
    saved = nbformat.writes(ran[1])
    questions = [
        cell for cell in json.loads(saved)["cells"] if "".join(cell["source"]).startswith("%%claude")
    ]
    assert questions
    for cell in questions:
        _, *pictures = cell["outputs"]
        assert [set(each["data"]) for each in pictures] == [{"image/png", "text/plain"}] * len(pictures)
        assert not pictures or "--tools" in cell["source"][0]
    assert "◌" not in saved
    assert set(re.findall(r"Bearer [^ ]+", saved)) <= {'Bearer $TOKEN\\"'}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_a_notebook_is_committed_tidily(path):
    """It names the usual kernel, no path of a machine, and says in which order its cells ran."""
    notebook = nbformat.read(path, as_version=4)
    assert notebook.metadata.kernelspec.name == "python3"
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts in ([None] * len(counts), list(range(1, len(counts) + 1)))
    assert str(ROOT) not in path.read_text(encoding="utf-8")


def test_the_index_names_every_notebook():
    """It is made by make_notebooks.py; each link leads to a file."""
    stored = (ROOT / "notebooks" / "README.md").read_text(encoding="utf-8")
    assert stored == index(repository())
    linked = re.findall(r"\]\(([\w-]+\.ipynb)\)", stored)
    assert linked == [path.name for path in NOTEBOOKS]


def test_badges_open_the_file_of_the_repository():
    """In the forms that Google documents; the one for Workbench has the address of the file in its query."""
    found = re.findall(
        r"\]\((https://(?!img)[^)]+)\)", badges("01-first-answer.ipynb", "https://github.com/someone/a.b")
    )
    colab, workbench = map(urlsplit, found)
    assert colab.netloc == "colab.research.google.com"
    assert colab.path == "/github/someone/a.b/blob/main/notebooks/01-first-answer.ipynb"
    assert workbench.netloc + workbench.path == "console.cloud.google.com/vertex-ai/workbench/deploy-notebook"
    assert parse_qs(workbench.query) == {
        "download_url": ["https://raw.githubusercontent.com/someone/a.b/main/notebooks/01-first-answer.ipynb"]
    }


def test_what_a_cell_prints_in_pieces_is_one_output(folder):
    """Else the outputs of two runs would differ by the moment at which the kernel sends what was printed."""
    cell = "import sys\nprint('one', flush=True)\nprint('two')\nprint('three', file=sys.stderr)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    run_notebook(notebook, folder, os.environ)
    assert [(each.name, each.text) for each in notebook.cells[0].outputs] == [
        ("stdout", "one\ntwo\n"),
        ("stderr", "three\n"),
    ]


def test_an_error_stops_run_all(offline, claude_emulator):
    """One line in the file, and the cells below do not run."""
    claude_emulator.fail(403)
    cells = ["%load_ext vertex_claude_magic", "%%claude answer\nhi", "print('never')"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    with pytest.raises(CellExecutionError, match="PermissionDenied"):
        run_notebook(notebook, offline, os.environ)
    (error,) = notebook.cells[1].outputs
    assert (error.output_type, len(error.traceback)) == ("error", 1)
    assert not notebook.cells[2].outputs
