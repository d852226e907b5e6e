"""Notebook files on disk: what is refused with one line and a cure, and how a file keeps its manner."""

from __future__ import annotations

import copy
import json
import os
import stat
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.audit import entries
from vertex_claude_magic.records.notebook_file import read_notebook, write_notebook
from vertex_claude_magic.records.provenance import METADATA_KEY


@pytest.fixture
def lesson(tmp_path) -> Path:
    """A notebook file with a print and an answer."""
    said = {METADATA_KEY: {"model": "claude-opus-4-1"}}
    outputs = [
        new_output("stream", text="1\n"),
        new_output("display_data", data={"text/plain": "Größe 🙂"}, metadata=said),
    ]
    cells = [new_code_cell("hi", outputs=outputs[i : i + 1], execution_count=i + 1) for i in range(2)]
    path = tmp_path / "lesson.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


VALID = json.dumps(new_notebook())
BAD_FILES = {
    "empty": (b"", "not a Jupyter notebook"),
    "no JSON": (b"%%claude\nhi", "not a Jupyter notebook (line 1"),
    "cut off": (VALID[:-3].encode(), "not a Jupyter notebook"),
    "a list": (b"[]", "nbformat is missing"),
    "a string": (b'"x"', "nbformat is missing"),
    "other JSON": (b'{"a": 1}', "nbformat is missing"),
    "no cells": (b'{"nbformat": 4}', "no list of cells"),
    "format as text": (b'{"nbformat": "4", "cells": []}', "nbformat is missing"),
    "format as truth": (b'{"nbformat": true, "cells": []}', "nbformat is missing"),
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
    # In the words of the system, not by the name of an exception of Python's.
    assert "Error" not in printed.removeprefix("OptionError")


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
    lesson.write_bytes(text.encode())
    source = read_notebook(lesson, exact=True)
    write_notebook(dict(source.content), source)
    assert lesson.read_bytes() == text.encode()


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
    "a cell without its kind": lambda notebook: notebook["cells"][0].pop("cell_type"),
    "an output of no kind": lambda notebook: notebook["cells"][0]["outputs"][0].pop("output_type"),
    "metadata that are none": lambda notebook: notebook.update(metadata=3),
    "a cell that is none": lambda notebook: notebook["cells"].append(3),
    "a strange minor version": lambda notebook: notebook.update(nbformat_minor=-1),
    "a minor version that is none": lambda notebook: notebook.update(nbformat_minor="\x1b[2J"),
    "a key that stands twice": lambda notebook: notebook["metadata"].update({"x\x1b": 1, "TWICE": 2}),
}


@pytest.mark.parametrize("spoil", INVALID.values(), ids=INVALID.keys())
def test_what_could_not_be_written_as_it_was_is_refused(spoil, lesson, capsys):
    """An invalid notebook, and one that Python would read with a loss; an audit reads what there is."""
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    spoil(notebook)
    text = json.dumps(notebook).replace("TWICE", "x\\u001b")
    lesson.write_text(text, encoding="utf-8")
    assert refused(lesson, capsys=capsys).rstrip("\n").isprintable()
    assert main(["notebook", "audit", str(lesson)]) == 0


NUMBERS = ["1.50", "1E5", "-0.0", "-0", "1e999", "-1e-999", "0.1234567890123456789012345", "9" * 5000, "10000000000000000000000",
           "NaN", "-Infinity", "7"]  # fmt: skip


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
def test_every_number_is_kept_to_the_letter(number, escaped, lesson):
    """Also one that Python would round or write in another way."""
    text = lesson.read_text(encoding="utf-8").replace(
        '"metadata": {}', f'"metadata": {{\n  "x": {number}\n  }}', 1
    )
    text = json.dumps("Größe 🙂").join(text.split('"Größe 🙂"')) if escaped else text
    lesson.write_text(text, encoding="utf-8")
    assert main(["notebook", "audit", str(lesson)]) == 0
    assert main(["notebook", "strip", str(lesson)]) == 0
    assert f'"x": {number}\n' in lesson.read_text(encoding="utf-8")


def test_cells_without_ids_are_no_hindrance(lesson):
    """Scripts write such notebooks and Jupyter reads them; they get none from us."""
    notebook = json.loads(lesson.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        del cell["id"]
    lesson.write_text(json.dumps(notebook), encoding="utf-8")
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
    source = read_notebook(lesson)
    lesson.write_text("saved meanwhile", encoding="utf-8")
    with pytest.raises(OptionError, match="changed just now"):
        write_notebook(copy.deepcopy(source.content), source)
    assert lesson.read_text(encoding="utf-8") == "saved meanwhile"
