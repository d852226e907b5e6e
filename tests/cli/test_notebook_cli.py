"""`vertex-claude notebook`: what an audit tells of a file, what strip takes out, and what neither falls for."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kernel import ROOT, own_loop, run_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.emulator import Reply as Script
from vertex_claude_magic.notebook.audit import AuditEntry, entries, stripped, table, total
from vertex_claude_magic.records.provenance import METADATA_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from shells import Shell

QUESTION = "%%claude answer -m haiku\nWhat is 2 + 2?"


def ran(shell: Shell, source: str) -> Any:
    """Run a cell and return it as a notebook keeps it; a value of a reply is an output too."""
    result = shell.run(source, store_history=True)
    outputs = [
        new_output("display_data", data=data, metadata=metadata)
        for data, metadata in zip(shell.page.outputs, shell.page.metadata, strict=True)
    ]
    if result.result is not None and not outputs:
        data, metadata = shell.ip.display_formatter.format(result.result)
        outputs = [new_output("execute_result", data=data, metadata=metadata, execution_count=1)]
    return new_code_cell(source, outputs=outputs, execution_count=shell.ip.execution_count - 1)


@pytest.fixture
def lesson(shell, tmp_path) -> Path:
    """A notebook file with text, code, a question, its answer shown again, one that broke off, and a line magic."""
    shell.emulator.answer("**Four.**", Script(content="One. " * 40, fault=Fault(cut_after=1200)), "Größe 🙂")
    cells = [
        new_markdown_cell("# A lesson"),
        new_code_cell("print(1)", outputs=[new_output("stream", text="1\n")], execution_count=1),
        ran(shell, QUESTION),
        ran(shell, "answer"),
        ran(shell, "%%claude\nCount"),
        ran(shell, "x = %claude -m opus hi"),
    ]
    path = tmp_path / "lesson.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def audited(*paths: Path, capsys) -> list[dict]:
    """The answers that `audit --json` lists."""
    capsys.readouterr()
    assert main(["notebook", "audit", "--json", *map(str, paths)]) == 0
    return [answer for each in json.loads(capsys.readouterr().out)["notebooks"] for answer in each["answers"]]


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def edits(answers: list[dict]) -> list[tuple]:
    return [(each["answer_edited"], each["prompt_edited"]) for each in answers]


def test_an_audit_lists_every_answer(lesson, capsys):
    """Where it is, model, date, tokens, cost, state and edits, and a total; the print of a cell is no answer."""
    assert main(["notebook", "audit", str(lesson)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(lesson)
    assert [line.split()[0] for line in lines[2:6]] == ["3", "4", "5", "6"]
    assert lines[1].split()[:2] == ["Cell", "Model"]
    assert "stopped" in lines[4]
    assert lines[-1].startswith("Total: 4 answers, ")
    assert "estimate" in lines[-1]


def test_its_figures_are_those_of_the_replies(lesson, shell, capsys):
    """Cache included; what a stopped answer cost is unknown, and what is shown again is said to be."""
    reply = shell.ip.user_ns["answer"]
    first, again, cut, line = audited(lesson, capsys=capsys)
    assert (first["model"], first["cost_usd"]) == (reply.model, reply.cost)
    assert (first["input_tokens"], first["output_tokens"]) == (
        reply.usage.total_input_tokens,
        reply.usage.output_tokens,
    )
    assert [each["again"] for each in (first, again, cut, line)] == [False, True, False, False]
    assert (cut["complete"], cut["output_tokens"], cut["cost_usd"]) == (False, None, None)
    assert {each["answered_by"] for each in (first, again, cut, line)} == {"emulator"}


def test_nothing_is_edited_in_a_file_that_was_only_saved(lesson, capsys):
    """Where the cell holds more than the question, the prompt is left open."""
    assert edits(audited(lesson, capsys=capsys)) == [
        (False, False),
        (False, None),
        (False, False),
        (False, None),
    ]


SAVED_BY = {
    "nbformat": lambda notebook: nbformat.writes(notebook),
    "JSON with whole texts": lambda notebook: json.dumps(notebook),
    "another order of keys": lambda notebook: json.dumps(notebook, sort_keys=True, indent=4),
    "escaped": lambda notebook: json.dumps(notebook, ensure_ascii=True, indent=1),
    "with a final newline in each source": lambda notebook: json.dumps(
        {**notebook, "cells": [{**cell, "source": cell["source"] + "\n"} for cell in notebook["cells"]]}
    ),
    "with CRLF in all texts": lambda notebook: json.dumps(notebook).replace("\\n", "\\r\\n"),
}


@pytest.mark.parametrize("save", SAVED_BY.values(), ids=SAVED_BY.keys())
def test_whoever_saves_the_file_edits_nothing(save, lesson, capsys):
    """The same texts in another JSON."""
    lesson.write_text(save(nbformat.read(lesson, as_version=4)), encoding="utf-8")
    assert edits(audited(lesson, capsys=capsys))[0] == (False, False)


def test_an_edit_by_hand_is_seen(lesson, capsys):
    """In the answer, in the prompt, and in both."""
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells[2].outputs[0].data["text/markdown"] = "**Five.**"
    notebook.cells[3].outputs[0].data["text/plain"] += "!"
    notebook.cells[4].source = "%%claude\nCount to ten"
    nbformat.write(notebook, lesson)
    assert edits(audited(lesson, capsys=capsys)) == [
        (True, False),
        (True, None),
        (False, True),
        (False, None),
    ]
    assert main(["notebook", "audit", str(lesson)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("answer edited") == 2
    assert printed.count("prompt edited") == 1
    assert printed.endswith("Edited since: 3.\n")


def test_several_notebooks_have_one_total_and_a_copy_counts_once(lesson, tmp_path, capsys):
    """As a class hands in the same answers."""
    copied = tmp_path / "copy.ipynb"
    copied.write_bytes(lesson.read_bytes())
    answers = audited(lesson, copied, lesson, capsys=capsys)
    assert [each["again"] for each in answers] == [False, True, False, False, True, True, True, True]
    assert main(["notebook", "audit", str(lesson), str(copied)]) == 0
    assert "All 2 notebooks. Total: 8 answers" in capsys.readouterr().out


def answer(**known: Any) -> dict:
    """A cell with one answer that says this of itself."""
    output = {"output_type": "display_data", "data": {"text/plain": "Hi"}, "metadata": {METADATA_KEY: known}}
    return {"cell_type": "code", "source": "", "metadata": {}, "outputs": [output], "execution_count": 1}


def entry(**known: Any) -> AuditEntry:
    (found,) = entries({"cells": [answer(**known)]})
    return found


def test_metadata_of_an_older_release_are_enough_for_the_rest():
    """Without hashes nothing is said of an edit, and without a date none is shown."""
    found = entry(
        model="claude-opus-4-1", cost_usd=0.5, complete=True, usage={"input_tokens": 3, "output_tokens": 4}
    )
    assert (found.cost_usd, found.input_tokens, found.output_tokens) == (0.5, 3, 4)
    assert (found.answer_edited, found.prompt_edited, found.date) == (None, None, "")
    row = table([found]).splitlines()[1]
    assert row.endswith("unknown")


BILLED = [
    ({}, 0.5), ({"replayed": True}, 0.0), ({"emulated": True}, 0.0), ({"answered_by": "local"}, 0.0),
    ({"answered_by": "emulator"}, 0.0), ({"answered_by": "vertex", "emulated": False, "replayed": False}, 0.5),
    ({"answered_by": "gateway"}, 0.5), ({"answered_by": "me"}, 0.5), ({"replayed": "yes"}, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("known", "cost"), BILLED, ids=repr)
def test_only_what_was_billed_is_summed(known, cost):
    """A replayed answer costs nothing, and neither does one of this machine."""
    found = entry(cost_usd=0.5, **known)
    assert total([found]).cost_usd == cost
    assert ("(≈$0.50)" in table([found])) == (cost == 0.0)


WORDS = [
    ({"complete": True, "stop_reason": "end_turn"}, "complete"),
    ({"complete": True, "stop_reason": "tool_use"}, "complete"),
    ({"complete": True, "stop_reason": "max_tokens"}, "max_tokens"),
    ({"complete": False, "stop_reason": "end_turn"}, "stopped"),
    ({"answered_by": "vertex"}, "Vertex AI"),
    ({"answered_by": "gateway"}, "gateway"),
    ({"answered_by": "local"}, "this machine"),
    ({"answered_by": "emulator", "emulated": True}, "emulator"),
    ({"emulated": True}, "emulator"),
    ({"answered_by": "vertex", "replayed": True}, "Vertex AI, replayed"),
    ({"answered_by": "emulator", "replayed": True}, "emulator, replayed"),
    ({"answered_by": "your bank"}, "unknown"),
    ({}, "unknown"),
]


@pytest.mark.parametrize(("known", "word"), WORDS, ids=repr)
def test_state_and_who_answered_are_said_in_a_word(known, word):
    """An answer that is data ends in `tool_use` and is complete."""
    assert f"  {word}  " in table([entry(**known)])


HOSTILE = {
    "wrong types": {name: [[]] for name in AuditEntry.__dataclass_fields__},
    "wrong types elsewhere": {"usage": [[]], "answer_hashes": [[]], "source_hash": [[]], "message_id": [[]]},
    "no object": 3,
    "null": None,
    "numbers as text": {"cost_usd": "1e3", "usage": {"input_tokens": "7", "output_tokens": "8"}},
    "booleans as numbers": {"cost_usd": True, "usage": {"input_tokens": True}},
    "NaN": {"cost_usd": float("nan"), "usage": {"input_tokens": float("nan")}},
    "infinity": {"cost_usd": float("inf"), "usage": {"output_tokens": float("-inf")}},
    "huge numbers": {"cost_usd": 10**4000, "usage": {"input_tokens": 10**4000, "output_tokens": 1e300}},
    "negative numbers": {"cost_usd": -5, "usage": {"input_tokens": -5}},
    "escape sequences": {
        "model": "\x1b]52;c;aGk=\x07\x1b[2Jclaude\x9b31m",
        "date": "\x1b[31m",
        "stop_reason": "\x1b[0m",
    },
    "hidden characters": {"model": "cla\u202eude\u200b\u2066", "date": "20\U000e0041"},
    "lines": {"model": "a\nTotal: 0 answers\r\n\x85\u2028", "date": "\n\n"},
    "ten megabytes": {
        "model": "x" * 10_000_000,
        "date": "\x1b" * 10_000_000,
        "stop_reason": "y" * 10_000_000,
    },
    "markup": {"model": "<script>alert(1)</script>", "stop_reason": "![x](http://evil.example/x.png)"},
    "surrogates": {"model": "\ud800", "message_id": "\ud800"},
    "nested deep": {
        "usage": json.loads('{"a":' * 400 + "1" + "}" * 400),
        "model": json.loads("[" * 400 + "]" * 400),
    },
    "an id that cannot be hashed": {"message_id": ["a"], "date": {}},
    "hashes of another kind": {"answer_hashes": {"text/plain": None}, "source_hash": 5, "complete": True},
}


@pytest.mark.parametrize("known", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_metadata_are_shown_harmless_and_short(known, tmp_path, capsys):
    """What has not its type and size is unknown; text is one short line without control characters."""
    cell = answer()
    cell["outputs"][0]["metadata"][METADATA_KEY] = known
    path = written(tmp_path / "strange.ipynb", {"nbformat": 4, "cells": [cell]})
    assert main(["notebook", "audit", str(path)]) == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 4
    assert max(map(len, lines)) < 350
    assert lines[-1].startswith("Total: 1 answer, 0 tokens in / 0 out, $0 (estimate), and 1 of unknown cost.")
    (found,) = audited(path, capsys=capsys)
    assert not [value for value in found.values() if isinstance(value, str) and len(value) > 48]


WORTHS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80)
NAMES = st.sampled_from(["cells", "outputs", "metadata", "data", "source", METADATA_KEY, "text/markdown", "text/plain",
                         "answer_hashes", "usage", "input_tokens", *AuditEntry.__dataclass_fields__])  # fmt: skip
ANYTHING = st.recursive(
    WORTHS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner), max_leaves=30
)


@given(st.dictionaries(NAMES, ANYTHING), st.dictionaries(NAMES, ANYTHING), ANYTHING)
@example({"model": "\ud7fc"}, {}, None)
def test_whatever_a_notebook_holds_it_is_listed_and_stripped(known, cell, anything):
    """Any JSON at any place: no exception, one line for each answer, and none is left."""
    notebook = {"cells": [{**cell, **answer(**known)}, {**answer(), "source": anything}, cell, anything]}
    found = entries(notebook)
    assert len(found) >= 2
    assert all(line.isprintable() for line in table(found).splitlines())
    json.dumps([asdict(each) for each in found], allow_nan=False)
    left, removed = stripped(notebook)
    assert (removed, entries(left)) == (len(found), [])


SHAPES = [
    {"cells": [3, None, "x", [], {}]},
    {"cells": [{"outputs": None}, {"outputs": {}}, {"outputs": "x"}]},
    {"cells": [{"outputs": [3, None, [], {"metadata": 3}]}]},
    {"cells": [{"cell_type": [], "source": {}, "outputs": []}]},
    {"cells": [], "metadata": 3, "nbformat_minor": "x"},
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_an_audit_reads_what_there_is_of_a_notebook(shape, tmp_path, capsys):
    """It need not be valid; what is no cell and no output has no answer."""
    path = written(tmp_path / "odd.ipynb", {"nbformat": 4, "nbformat_minor": 5, **shape})
    assert main(["notebook", "audit", str(path)]) == 0
    assert "Total: 0 answers" in capsys.readouterr().out
    assert stripped(shape)[1] == 0


def test_after_a_file_that_cannot_be_read_the_others_are(lesson, tmp_path, capsys):
    """Their answers are listed, and the end is 2 all the same."""
    assert main(["notebook", "audit", str(tmp_path / "none.ipynb"), str(lesson)]) == 2
    printed = capsys.readouterr()
    assert "There is no file" in printed.err
    assert "Total: 4 answers" in printed.out


@pytest.mark.parametrize(
    "arguments",
    [[], ["audit"], ["strip"], ["aud", "x"], ["audit", "--js", "x"], ["strip", "a", "b", "-o", "c"]],
)
def test_what_is_not_understood_is_a_usage_error(arguments, capsys):
    """Abbreviations are refused."""
    with pytest.raises(SystemExit) as ended:
        main(["notebook", *arguments])
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


def test_strip_takes_the_answers_and_nothing_else(lesson, capsys):
    """Other outputs, sources and metadata stay, and a cell that has no outputs left counts as not run."""
    before = nbformat.read(lesson, as_version=4)
    assert main(["notebook", "strip", str(lesson)]) == 0
    removed, stays = capsys.readouterr().out.splitlines()
    assert removed == f"{lesson}: 4 answers removed."
    assert stays == "Other outputs stay: values printed or computed from answers cannot be told from them."
    after = nbformat.read(lesson, as_version=4)
    nbformat.validate(after)
    assert [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
    assert [len(cell.get("outputs", ())) for cell in after.cells] == [0, 1, 0, 0, 0, 0]
    assert after.cells[1] == before.cells[1]
    assert [cell.execution_count for cell in after.cells[2:]] == [None] * 4
    assert not audited(lesson, capsys=capsys)


def test_strip_takes_what_a_page_of_ours_quotes_of_answers_though_it_is_none_itself(shell, tmp_path, capsys):
    """`%claude_chat NAME` shows how prompts and answers begin; the list of conversations shows none of them."""
    shell.emulator.answer("It is Oslo.")
    cells = [ran(shell, "%%claude -c towns\nThe capital?"), ran(shell, "%claude_chat towns")]
    assert "It is Oslo." in json.dumps(cells[1])
    path = tmp_path / "chat.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    assert len(audited(path, capsys=capsys)) == 1
    assert main(["notebook", "strip", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 1 answer removed.\n"
    assert "Oslo" not in path.read_text()
    # Also where the page is all that is left to remove.
    nbformat.write(new_notebook(cells=[cells[1]]), path)
    assert main(["notebook", "strip", str(path)]) == 0
    assert "Oslo" not in path.read_text()


def test_an_error_below_an_answer_stays(shell, tmp_path):
    """And with it the number of the run."""
    cell = ran(shell, QUESTION)
    cell.outputs.append(new_output("error", ename="E", evalue="v", traceback=[]))
    content, removed = stripped({"cells": [cell]})
    assert (removed, [each.output_type for each in content["cells"][0]["outputs"]]) == (1, ["error"])
    assert content["cells"][0]["execution_count"] == cell.execution_count


def test_with_an_output_file_the_notebook_is_left_alone(lesson, tmp_path, capsys):
    """The new file has the mode of the old one."""
    before, out = lesson.read_bytes(), tmp_path / "out.ipynb"
    lesson.chmod(0o640)
    assert main(["notebook", "strip", str(lesson), "-o", str(out)]) == 0
    assert lesson.read_bytes() == before
    assert "4 answers removed, written to" in capsys.readouterr().out
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert not audited(out, capsys=capsys)


def test_several_notebooks_are_stripped_each_in_its_place(lesson, tmp_path, capsys):
    """One that cannot be read leaves the others stripped, and the end is 2."""
    other = written(tmp_path / "other.ipynb", nbformat.read(lesson, as_version=4))
    assert main(["notebook", "strip", str(lesson), str(tmp_path / "none.ipynb"), str(other)]) == 2
    printed = capsys.readouterr()
    assert [line for line in printed.out.splitlines() if "removed" in line] == [
        f"{lesson}: 4 answers removed.",
        f"{other}: 4 answers removed.",
    ]
    assert "There is no file" in printed.err
    assert not audited(lesson, other, capsys=capsys)


def test_the_diff_of_strip_is_small(lesson):
    """Every line that is left was there before, but for the two that say that the outputs are gone."""
    before = lesson.read_text(encoding="utf-8").splitlines()
    assert main(["notebook", "strip", str(lesson)]) == 0
    after = lesson.read_text(encoding="utf-8").splitlines()
    assert {line.strip() for line in after} - {line.strip() for line in before} == {
        '"execution_count": null,',
        '"outputs": [],',
    }


def executed(cells: list[str], folder: Path) -> Path:
    """Run cells in a real kernel and save the notebook."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    run_notebook(notebook, folder, os.environ)
    nbformat.write(notebook, folder / "ran.ipynb")
    return folder / "ran.ipynb"


def test_a_notebook_that_a_kernel_ran_is_audited_edited_and_stripped(
    claude_emulator, monkeypatch, tmp_path, capsys
):
    """From the run to the file: cells, a line in the middle of one, a reply by its name, and the demo."""
    places = {"PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1", "IPYTHONDIR": str(tmp_path),
              "JUPYTER_RUNTIME_DIR": str(tmp_path)}  # fmt: skip
    for name, value in {**claude_emulator.environment, **places}.items():
        monkeypatch.setenv(name, value)
    claude_emulator.answer("**Four.**\n\nTwo and two.", "Five.")
    cells = ["%load_ext vertex_claude_magic", QUESTION, "answer", "display(answer)", "print(0)\n%claude hi\nprint(1)",
             "%claude_demo", "%%claude --no-stream\nWho are you?"]  # fmt: skip
    with own_loop():
        path = executed(cells, tmp_path)
    nbformat.validate(nbformat.read(path, as_version=4))
    answers = audited(path, capsys=capsys)
    assert [each["cell"] for each in answers] == [2, 3, 4, 5, 7]
    assert edits(answers) == [(False, False), (False, None), (False, None), (False, None), (False, False)]
    assert {each["answered_by"] for each in answers} == {"emulator"}
    assert [each["again"] for each in answers] == [False, True, True, False, False]

    path.write_text(
        path.read_text(encoding="utf-8").replace("Two and two.", "Two and three."), encoding="utf-8"
    )
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[6].source += " Really?"
    nbformat.write(notebook, path)
    expected = [(True, False), (True, None), (True, None), (False, None), (False, True)]
    assert edits(audited(path, capsys=capsys)) == expected

    assert main(["notebook", "strip", str(path)]) == 0
    left = nbformat.read(path, as_version=4)
    nbformat.validate(left)
    assert not audited(path, capsys=capsys)
    # The line magic stood between two prints.
    assert [output.output_type for output in left.cells[4].outputs] == ["stream", "stream"]
    assert [cell.source for cell in left.cells] == [cell.source for cell in notebook.cells]
