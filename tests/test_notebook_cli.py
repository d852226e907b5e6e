"""`vertex-claude notebook`: what an audit tells of a file, what strip takes out, and what neither falls for."""

from __future__ import annotations

import copy
import json
import os
import stat
from pathlib import Path
from typing import Any

import nbformat
import pytest
from kernel import ROOT, own_loop
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from shells import Shell, loaded_shell

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.cli.notebook_file import _formatted
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.emulator import Reply as Script
from vertex_claude_magic.notebook.audit import Entry, entries, stripped, table, total
from vertex_claude_magic.notebook.provenance import METADATA_KEY

QUESTION = "%%claude answer -m haiku\nWhat is 2 + 2?"


@pytest.fixture
def shell(claude_emulator, monkeypatch) -> Shell:
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    return loaded_shell(claude_emulator)


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
    assert {each["local"] for each in (first, again, cut, line)} == {True}


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


def entry(**known: Any) -> Entry:
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
    ({}, 0.5), ({"replayed": True}, 0.0), ({"emulated": True}, 0.0), ({"local": True}, 0.0),
    ({"replayed": False, "emulated": False, "local": False}, 0.5), ({"replayed": "yes"}, 0.5),
]  # fmt: skip


@pytest.mark.parametrize(("known", "cost"), BILLED, ids=repr)
def test_only_what_was_billed_is_summed(known, cost):
    """A replayed answer costs nothing, and neither does one of this machine."""
    found = entry(cost_usd=0.5, **known)
    assert total([found]).cost_usd == cost
    assert ("(≈ $0.50)" in table([found])) == (cost == 0.0)


HOSTILE = {
    "wrong types": {name: [[]] for name in Entry.__dataclass_fields__},
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


VALID = json.dumps(new_notebook())
BAD_FILES = {
    "empty": (b"", "not a Jupyter notebook"),
    "no JSON": (b"%%claude\nhi", "not a Jupyter notebook (line 1"),
    "cut off": (VALID[:-3].encode(), "not a Jupyter notebook"),
    "a list": (b"[]", "says no nbformat"),
    "a string": (b'"x"', "says no nbformat"),
    "other JSON": (b'{"a": 1}', "says no nbformat"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "format as text": (b'{"nbformat": "4", "cells": []}', "says no nbformat"),
    "format as truth": (b'{"nbformat": true, "cells": []}', "says no nbformat"),
    "format 3": (b'{"nbformat": 3, "worksheets": []}', "jupyter nbconvert --to notebook"),
    "format 2": (b'{"nbformat": 2, "worksheets": []}', "format 2"),
    "format 99": (b'{"nbformat": 99, "cells": []}', "newer release"),
    "not UTF-8": (VALID.replace("{}", '{"a": "\xe9"}', 1).encode("latin-1"), "Save it as UTF-8"),
    "UTF-16": (VALID.encode("utf-16"), "byte order mark"),
    "a byte order mark": (b"\xef\xbb\xbf" + VALID.encode(), "without one"),
    "nested without end": (b'{"nbformat": 4, "cells": ' + b"[" * 200_000, "nested too deeply"),
    "escape sequences": (b'{"nbformat": 4, "cells": \x1b[2J', "not a Jupyter notebook"),
    "a merge conflict": (b"<<<<<<< HEAD\n" + VALID.encode(), "line 1"),
}  # fmt: skip


@pytest.mark.parametrize("action", ["audit", "strip"])
@pytest.mark.parametrize(("raw", "says"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_what_is_no_notebook_is_one_line_with_a_cure(raw, says, action, tmp_path, capsys):
    """Exit 2, and the file is as it was."""
    path = tmp_path / "bad.ipynb"
    path.write_bytes(raw)
    assert main(["notebook", action, str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    assert printed.err.rstrip("\n").isprintable()
    assert says in printed.err
    assert path.read_bytes() == raw


BAD_PLACES = {
    "missing": ("no-such.ipynb", "There is no file"),
    "a folder": (".", "is not a file"),
    "below a file": ("bad.txt/x.ipynb", "cannot be read"),
    "a name with NUL": ("a\0b.ipynb", "cannot be read"),
    "a name with an escape": ("\x1b[2J.ipynb", "There is no file"),
    "a long name": ("x" * 5000, "cannot be read"),
    "a loop": ("loop.ipynb", "cannot be read"),
    "a device": ("/dev/zero", "is not a file"),
}


@pytest.mark.parametrize("action", ["audit", "strip"])
@pytest.mark.parametrize(("name", "says"), BAD_PLACES.values(), ids=BAD_PLACES.keys())
def test_what_cannot_be_read_is_one_line_with_a_cure(name, says, action, tmp_path, monkeypatch, capsys):
    """Exit 2."""
    monkeypatch.chdir(tmp_path)
    Path("bad.txt").write_text("x", encoding="utf-8")
    Path("loop.ipynb").symlink_to("loop.ipynb")
    assert main(["notebook", action, name]) == 2
    printed = capsys.readouterr().err
    assert says in printed
    assert len(printed.splitlines()) == 1
    assert printed.rstrip("\n").isprintable()


def test_after_a_file_that_cannot_be_read_the_others_are(lesson, tmp_path, capsys):
    """Their answers are listed, and the end is 2 all the same."""
    assert main(["notebook", "audit", str(tmp_path / "none.ipynb"), str(lesson)]) == 2
    printed = capsys.readouterr()
    assert "There is no file" in printed.err
    assert "Total: 4 answers" in printed.out


@pytest.mark.parametrize(
    "arguments", [[], ["audit"], ["strip"], ["aud", "x"], ["audit", "--js", "x"], ["strip", "a", "b"]]
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
    assert capsys.readouterr().out == f"{lesson}: 4 answers removed.\n"
    after = nbformat.read(lesson, as_version=4)
    nbformat.validate(after)
    assert [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
    assert [len(cell.get("outputs", ())) for cell in after.cells] == [0, 1, 0, 0, 0, 0]
    assert after.cells[1] == before.cells[1]
    assert [cell.execution_count for cell in after.cells[2:]] == [None] * 4
    assert not audited(lesson, capsys=capsys)


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


def test_strip_keeps_mode_and_link_and_leaves_no_other_file(lesson, tmp_path):
    """The file behind a symbolic link is replaced, not the link."""
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.ipynb"
    link.symlink_to(lesson)
    lesson.chmod(0o604)
    assert main(["notebook", "strip", str(link)]) == 0
    assert link.is_symlink()
    assert stat.S_IMODE(lesson.stat().st_mode) == 0o604
    assert sorted(each.name for each in tmp_path.iterdir()) == ["elsewhere", "lesson.ipynb"]
    assert not entries(nbformat.read(lesson, as_version=4))


def test_without_answers_the_file_is_not_touched(lesson, tmp_path, capsys):
    """And a copy is the same to the byte, however it is written."""
    raw = b'{"nbformat":4,\t"nbformat_minor":5,"metadata":{"x":1.50},\n\n"cells":[]}'
    lesson.write_bytes(raw)
    os.utime(lesson, (1, 1))
    assert main(["notebook", "strip", str(lesson)]) == 0
    assert (lesson.read_bytes(), lesson.stat().st_mtime) == (raw, 1)
    assert "no answers removed" in capsys.readouterr().out
    assert main(["notebook", "strip", str(lesson), "-o", str(tmp_path / "copy.ipynb")]) == 0
    assert (tmp_path / "copy.ipynb").read_bytes() == raw


MANNERS = {
    "nbformat": {"indent": 1, "ensure_ascii": False, "end": "\n"},
    "without a final newline": {"indent": 1, "ensure_ascii": False, "end": ""},
    "two blanks": {"indent": 2, "ensure_ascii": False, "end": "\n"},
    "tabs": {"indent": "\t", "ensure_ascii": False, "end": "\n"},
    "escaped": {"indent": 1, "ensure_ascii": True, "end": "\n"},
    "one line": {"ensure_ascii": True, "end": ""},
    "one line without blanks": {"separators": (",", ":"), "ensure_ascii": False, "end": "\n"},
}


@pytest.mark.parametrize("manner", MANNERS.values(), ids=MANNERS.keys())
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_file_keeps_the_manner_that_it_is_written_in(manner, newline, lesson):
    """So that a diff shows what was removed and nothing else; key order included."""
    options = {name: value for name, value in manner.items() if name != "end"}
    content = json.loads(lesson.read_text(encoding="utf-8"))
    content["metadata"]["z"], content["metadata"]["a"] = "Größe 🙂", "\ud83d"
    text = (json.dumps(content, **options) + manner["end"]).replace("\n", newline)
    text = text.replace("\ud83d", "\\ud83d")
    assert _formatted(content, text) == text.encode()


def test_the_diff_of_strip_is_small(lesson):
    """Every line that is left was there before, but for the two that say that the outputs are gone."""
    before = lesson.read_text(encoding="utf-8").splitlines()
    assert main(["notebook", "strip", str(lesson)]) == 0
    after = lesson.read_text(encoding="utf-8").splitlines()
    assert {line.strip() for line in after} - {line.strip() for line in before} == {
        '"execution_count": null,',
        '"outputs": [],',
    }


def refused(lesson: Path, *more: str, capsys) -> str:
    """Strip must not succeed and leave the file as it was; return the one line."""
    before = lesson.read_bytes()
    capsys.readouterr()
    assert main(["notebook", "strip", str(lesson), *more]) == 2
    assert lesson.read_bytes() == before
    printed = capsys.readouterr()
    assert printed.out == ""
    assert len(printed.err.splitlines()) == 1
    return printed.err


def test_a_read_only_file_is_left_alone(lesson, capsys):
    """Though its folder would let it be replaced; another file may be written."""
    lesson.chmod(0o444)
    assert "is read-only" in refused(lesson, capsys=capsys)
    assert main(["notebook", "strip", str(lesson), "-o", str(lesson.with_name("out.ipynb"))]) == 0


OUTS = {"a folder": (".", "is a folder"), "in no folder": ("none/out.ipynb", "cannot be written"),
        "below a file": ("lesson.ipynb/out.ipynb", "cannot be written"), "a long name": ("x" * 300, "cannot be written")}  # fmt: skip


@pytest.mark.parametrize(("out", "says"), OUTS.values(), ids=OUTS.keys())
def test_where_nothing_can_be_written_is_said(out, says, lesson, capsys, monkeypatch):
    """One line with a cure, and no file is left behind."""
    monkeypatch.chdir(lesson.parent)
    assert says in refused(lesson, "-o", out, capsys=capsys)
    assert [each.name for each in lesson.parent.iterdir()] == ["lesson.ipynb"]


INVALID = {
    "a cell without its kind": lambda notebook: notebook["cells"][1].pop("cell_type"),
    "an output of no kind": lambda notebook: notebook["cells"][1]["outputs"][0].pop("output_type"),
    "metadata that are none": lambda notebook: notebook.update(metadata=3),
    "a cell that is none": lambda notebook: notebook["cells"].append(3),
    "a strange minor version": lambda notebook: notebook.update(nbformat_minor=-1),
    "a minor version that is none": lambda notebook: notebook.update(nbformat_minor="\x1b[2J"),
    "a number of many digits": lambda notebook: notebook["metadata"].update(x="DIGITS"),
    "a number beyond all": lambda notebook: notebook["metadata"].update(x="BEYOND"),
}


@pytest.mark.parametrize("spoil", INVALID.values(), ids=INVALID.keys())
def test_what_could_not_be_written_as_it_was_is_refused(spoil, lesson, capsys):
    """An invalid notebook, and one whose numbers Python cannot keep; an audit still reads it or says why not."""
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    spoil(notebook)
    text = json.dumps(notebook).replace('"DIGITS"', "9" * 5000).replace('"BEYOND"', "1e999")
    lesson.write_text(text, encoding="utf-8")
    assert refused(lesson, capsys=capsys).rstrip("\n").isprintable()
    assert main(["notebook", "audit", str(lesson)]) == 0


def test_cells_without_ids_are_no_hindrance(lesson):
    """Scripts write such notebooks and Jupyter reads them; they get none from us."""
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        del cell["id"]
    written(lesson, notebook)
    assert main(["notebook", "strip", str(lesson)]) == 0
    assert not any("id" in cell for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"])


@pytest.mark.parametrize("depth", [100, 300, 500, 950])
@pytest.mark.parametrize("space", ["", "\n "], ids=["one line", "lines"])
def test_deep_nesting_is_kept_or_refused(depth, space, lesson, capsys):
    """What Python can still read it may be unable to write; then the file stays as it is."""
    deep = "[" * depth + "]" * depth
    raw = json.dumps(json.loads(lesson.read_text(encoding="utf-8"))).replace("{", "{" + space, 1)
    lesson.write_text(raw.replace('"metadata": {}', f'"metadata": {{"x": {deep}}}', 1), encoding="utf-8")
    before = lesson.read_bytes()
    if main(["notebook", "strip", str(lesson)]) == 0:
        assert "".join(lesson.read_text(encoding="utf-8").split()).count(deep) == 1
        return
    assert lesson.read_bytes() == before
    assert "nested too deeply" in capsys.readouterr().err


def test_a_file_that_changes_meanwhile_is_not_overwritten(lesson, capsys):
    """Jupyter may save while it is read."""
    from vertex_claude_magic.cli.notebook_file import read_notebook, write_notebook
    from vertex_claude_magic.errors import OptionError

    source = read_notebook(lesson)
    lesson.write_text("saved meanwhile", encoding="utf-8")
    with pytest.raises(OptionError, match="changed just now"):
        write_notebook(copy.deepcopy(source.content), source)
    assert lesson.read_text(encoding="utf-8") == "saved meanwhile"


def executed(cells: list[str], folder: Path) -> Path:
    """Run cells in a real kernel and save the notebook."""
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute(env=dict(os.environ))
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
             "%claude_demo", "%%claude\nWho are you?"]  # fmt: skip
    with own_loop():
        path = executed(cells, tmp_path)
    nbformat.validate(nbformat.read(path, as_version=4))
    answers = audited(path, capsys=capsys)
    assert [each["cell"] for each in answers] == [2, 3, 4, 5, 7]
    assert edits(answers) == [(False, False), (False, None), (False, None), (False, None), (False, False)]
    assert [each["emulated"] for each in answers] == [False, False, False, False, True]
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
