"""`vertex-claude notebook check`: each question of a lesson is recorded, missing or stale."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import nbformat
import pytest
from journals import client

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.cli.kernels import TIMEOUTS, run_without_network
from vertex_claude_magic.cli.notebook_check import CheckedQuestion, sort_questions

if TYPE_CHECKING:
    from pathlib import Path

LOAD = "%load_ext vertex_claude_magic\n%config ClaudeMagics.model = 'haiku'"
ASK = "%%claude\nName three rivers of Norway."
PYTHON = "from vertex_claude_magic import Claude\nClaude().ask('What is the median of 1, 2 and 9?').text"


@pytest.fixture
def lesson(claude_emulator, tmp_path) -> Path:
    """A notebook beside the recording of two questions: a cell's and one of Python code."""
    claude = client(claude_emulator, recording=str(tmp_path / "lesson.claude"), journal="off")
    for prompt in ("Name three rivers of Norway.", "What is the median of 1, 2 and 9?"):
        claude.ask(prompt)
    return tmp_path / "lesson.ipynb"


def write(path: Path, *sources: str) -> bytes:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path.read_bytes()


def test_a_lesson_that_is_recorded_is_right_and_its_file_stays_as_it_is(lesson, claude_emulator, capsys):
    """Cells and Python code, also where a cell asks for another way to replay; nothing is sent."""
    before, sent = (
        write(lesson, LOAD, ASK, PYTHON, ASK.replace("claude", "claude --replay off", 1)),
        len(claude_emulator.requests),
    )
    assert main(["notebook", "check", str(lesson)]) == 0
    assert "3 recorded, 0 missing, 0 stale" in capsys.readouterr().out
    assert lesson.read_bytes() == before
    assert len(claude_emulator.requests) == sent


def test_a_recording_whose_end_a_crash_has_broken_is_read_as_the_notebook_reads_it(lesson, capsys):
    """With its former end, which is in a file beside it."""
    write(lesson, LOAD, ASK)
    recording = lesson.with_name("lesson.claude")
    whole = recording.read_bytes()
    at = whole.index(b"\n ],\n")
    lesson.with_name(".lesson.claude.undo").write_bytes(f"{at}\n".encode() + whole[at:])
    recording.write_bytes(whole[:at] + b',\n  {"recorded": "20')
    assert main(["notebook", "check", str(lesson)]) == 0
    assert "1 recorded, 0 missing, 0 stale" in capsys.readouterr().out


def test_what_is_not_recorded_and_what_was_changed_are_told_apart(lesson, capsys):
    """An edited question is stale, a new one missing, and the cells after them run all the same."""
    write(lesson, LOAD, ASK.replace("three", "four"), "%%claude\nWhy is the sky blue at noon?", PYTHON)
    notebook = nbformat.read(lesson, as_version=4)
    # Counted too, as in the list of `notebook audit`.
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell("## Rivers"))
    nbformat.write(notebook, lesson)
    assert main(["notebook", "check", "--json", str(lesson)]) == 1
    (found,) = json.loads(capsys.readouterr().out)["notebooks"]
    states = [(each["cell"], each["state"]) for each in found["questions"]]
    assert states == [(3, "stale"), (4, "missing"), (5, "recorded")]


def test_what_only_the_journal_of_this_machine_has_is_not_recorded(claude_emulator, tmp_path, capsys):
    """Nobody else can replay it, so the exit status is that of a missing answer; the line says how to record it."""
    client(claude_emulator).ask("Name three rivers of Norway.")
    write(tmp_path / "rivers.ipynb", LOAD, ASK)
    assert main(["notebook", "check", str(tmp_path / "rivers.ipynb")]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  cell 2: journal (others do not have it)",
        "  0 recorded, 0 missing, 0 stale",
        "  1 answer only in your journal: others cannot replay it. To record what it has, run the notebook with:",
        '  %config ClaudeMagics.recording = "rivers.claude"',
        '  %config ClaudeMagics.replay = "auto"',
    ]
    # What the line says cures it, free of charge.
    sent = len(claude_emulator.requests)
    client(claude_emulator, recording=str(tmp_path / "rivers.claude"), replay="auto").ask(
        "Name three rivers of Norway."
    )
    assert main(["notebook", "check", str(tmp_path / "rivers.ipynb")]) == 0
    assert len(claude_emulator.requests) == sent


def test_the_questions_of_a_cell_that_are_alike_are_one_line(lesson, capsys):
    """A table has as many as rows; each other outcome is a line of its own."""
    several = (
        f"{PYTHON}\nfor n in 'three', 'three', 'ten':\n    Claude().ask(f'Name {{n}} rivers of Norway.')"
    )
    write(lesson, LOAD, several)
    assert main(["notebook", "check", str(lesson)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  cell 2: recorded, 3 questions",
        "  cell 2: missing",
        "  3 recorded, 1 missing, 0 stale",
    ]


def test_cells_with_the_same_source_are_told_apart(lesson, capsys):
    """Such as the hints of an exercise: each question is that of the cell that ran, also where one before asked nothing."""
    hint = "if ready:\n    %claude Name three rivers of Norway.\nready = True"
    write(lesson, LOAD, "ready = False", hint, "import this", hint, ASK, hint)
    assert main(["notebook", "check", str(lesson)]) == 0
    assert capsys.readouterr().out.splitlines()[1:-1] == [
        "  cell 5: recorded",
        "  cell 6: recorded",
        "  cell 7: recorded",
    ]


@pytest.mark.parametrize(
    ("tags", "status"), [([], 1), (["raises-exception"], 0)], ids=["fails", "is meant to"]
)
def test_a_cell_that_fails_is_told_by_the_exit_status_too(lesson, capsys, tags, status):
    """Whatever it does: a lesson that does not run is not right. A cell that is meant to fail is."""
    write(lesson, LOAD, ASK, "1 / 0")
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells[2].metadata["tags"] = tags
    nbformat.write(notebook, lesson)
    assert main(["notebook", "check", str(lesson)]) == status
    said = capsys.readouterr().out
    assert "1 recorded, 0 missing, 0 stale" in said
    for told in ("cell 3 failed: ZeroDivisionError: division by zero", "give it the tag raises-exception"):
        assert (told in said) == bool(status)


BATCH = "%%claude_batch job rows --to gs://emulator-bucket/rows\nIs this good? {{ text }}"
# Cells below the one that makes the rows, what is said of each, and the exit status.
NOT_REHEARSED = {
    "a batch and what needs it": (
        [BATCH, "%claude_batch job --collect back", "table = back[0]", "len(table)", "job.cancel()", ASK],
        ["4: not rehearsed (needs Vertex AI itself)", "5: not rehearsed (needs Vertex AI itself)",
         "6: not rehearsed (needs back from cell 5)", "7: not rehearsed (needs table from cell 6)",
         "8: not rehearsed (needs job from cell 4)", "9: recorded"], 0),
    "free checks": (["%claude_models --check", "%claude_logging", "%claude_logging -p my-project"],
                    [f"{at}: not rehearsed (needs Vertex AI itself)" for at in (4, 5, 6)], 0),
    "another mistake below": ([BATCH, "1 / 0", "frame", "rows[9]"],
                              ["4: not rehearsed (needs Vertex AI itself)",
                               "5 failed: ZeroDivisionError: division by zero",
                               "6 failed: NameError: name 'frame' is not defined",
                               "7 failed: IndexError: list index out of range"], 1),
    "a mistake above": (["job", BATCH], ["4 failed: NameError: name 'job' is not defined",
                                         "5: not rehearsed (needs Vertex AI itself)"], 1),
    "a question that is not recorded": ([BATCH, "%%claude\nWhy is the sky blue at noon?"],
                                        ["4: not rehearsed (needs Vertex AI itself)", "5: missing"], 1),
    "a mistake in the cell itself": (["rows = 1\n%claude_models --check\n1 / 0",
                                      "try:\n    %claude_models --check\nexcept Exception:\n    1 / 0"],
                                     ["4: not rehearsed (needs Vertex AI itself)",
                                      "5: missing (not asked: ZeroDivisionError: division by zero)"], 1),
}  # fmt: skip


@pytest.mark.parametrize(("cells", "said", "status"), NOT_REHEARSED.values(), ids=NOT_REHEARSED)
def test_a_cell_that_needs_more_than_answers_is_told_and_is_no_failure(lesson, capsys, cells, said, status):
    """Nor are those that use what it would have set; any other failure is one, above and below it."""
    write(lesson, LOAD, PYTHON, "rows = [{'text': 'a'}, {'text': 'b'}]", *cells)
    assert main(["notebook", "check", str(lesson)]) == status
    lines = capsys.readouterr().out.splitlines()[1:]
    assert sorted(line.removeprefix("  cell ") for line in lines if line.startswith("  cell ")) == [
        "2: recorded",
        *said,
    ]
    skipped = sum("not rehearsed" in line for line in said)
    assert lines[-1].endswith(f" stale, {skipped} not rehearsed")


@pytest.mark.parametrize("tags", [[], ["raises-exception"]], ids=["no tag", "meant to fail"])
def test_a_kernel_that_dies_is_a_cell_that_failed(lesson, tmp_path, capsys, tags):
    """What is below it does not run, tag or no tag; the other notebooks are checked all the same."""
    other = tmp_path / "other.ipynb"
    write(other, LOAD, "%config ClaudeMagics.recording = 'lesson.claude'", ASK)
    write(lesson, LOAD, ASK, "import os\nos._exit(3)", "1 + 1", PYTHON)
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells[2].metadata["tags"] = tags
    nbformat.write(notebook, lesson)
    assert main(["notebook", "check", str(lesson), str(other)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        str(lesson),
        "  cell 2: recorded",
        "  cell 5: missing (not asked: cell 3 ended the run)",
        "  cell 3 failed: DeadKernelError: Kernel died",
        "  1 recorded, 1 missing, 0 stale",
        "",
        str(other),
        "  cell 3: recorded",
        "  1 recorded, 0 missing, 0 stale",
    ]


def test_a_cell_that_does_not_end_is_a_cell_that_failed(tmp_path):
    """Within the time that a cell has."""
    cells = [nbformat.v4.new_markdown_cell("For ever"), nbformat.v4.new_code_cell("while True: pass")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    (folder := tmp_path / "kernel").mkdir()
    stopped = run_without_network(notebook, tmp_path, folder, os.environ, {**TIMEOUTS, "timeout": 1})
    assert stopped is not None
    assert stopped[0] == 2
    assert stopped[1].startswith(
        "CellTimeoutError: A cell timed out while it was being executed, after 1 sec"
    )


@pytest.mark.parametrize(
    "arguments", [["none.ipynb"], ["--recording", "none.claude", "lesson.ipynb"]], ids=str
)
def test_a_file_that_is_not_there_is_an_error_of_usage(lesson, monkeypatch, capsys, arguments):
    """Status 2, in one line."""
    write(lesson, LOAD)
    monkeypatch.chdir(lesson.parent)
    assert main(["notebook", "check", *arguments]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def request(prompt: str, **body: object) -> dict[str, object]:
    return {"model": "m", "body": {"messages": [{"role": "user", "content": prompt}], **body}}


@pytest.mark.parametrize(
    ("asked", "saved", "state"),
    [
        (request("Name three rivers.", max_tokens=9), (), "stale"),
        (request("Name four rivers."), (), "stale"),
        (request("Explain entropy to a cook."), (), "missing"),
        (request("Explain entropy to a cook."), ("old",), "stale"),
        (request("Name three rivers.", max_tokens=9), ("other",), "stale"),
    ],
    ids=["option", "edited", "new", "rewritten", "alike"],
)
def test_a_question_is_stale_where_its_cell_has_another_recorded_one(asked, saved, state):
    """Known from the cell's saved output, else from what no question was answered from."""
    note = {"number": 4, "digest": "new", "found": False, "canonical": asked}
    (found,) = sort_questions([note], {4: frozenset(saved)}, {"old": request("Name three rivers.")})
    assert (found.cell, found.state) == (4, state)


def test_a_record_that_answered_a_question_makes_no_other_one_stale():
    """It is still needed as it is."""
    notes = [
        {"number": 1, "digest": "old", "found": True, "recording": "lesson.claude"},
        {"number": 2, "digest": "new", "found": False, "canonical": request("Name four rivers.")},
    ]
    found = sort_questions(notes, {}, {"old": request("Name three rivers.")})
    assert found == [CheckedQuestion(cell=1, state="recorded"), CheckedQuestion(cell=2, state="missing")]
