"""`vertex-claude lesson`: what is handed out runs without an account and tells nobody's secrets."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import re
import shutil
import zipfile
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
from journals import client
from shells import ROOT

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.cli.lesson.folder import POLICY, copy_lesson
from vertex_claude_magic.cli.lesson.manifest import changed_files, read_manifest
from vertex_claude_magic.cli.lesson.pages import index_page, readme, requirements
from vertex_claude_magic.cli.lesson.private import known_here, private_parts
from vertex_claude_magic.cli.lesson.pyodide import ADDED, fetch_pyodide, write_pyodide
from vertex_claude_magic.cli.lesson.site import check_builder
from vertex_claude_magic.cli.lesson.wheel import write_own_wheel
from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.settings.policy_files import parse_policy

LOAD = (
    "%load_ext vertex_claude_magic\n%config ClaudeMagics.model = 'haiku'\n"
    "%config ClaudeMagics.recording = 'rivers.claude'"
)
ASK = "%%claude\nName three rivers of Norway."
KEY = "AKIAIOSFODNN7EXAMPLE"


def write(path: Path, *sources: str) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.fixture
def course(claude_emulator, tmp_path) -> Path:
    """A folder with a notebook, its recording, and what a teacher's folder has beside them."""
    folder = tmp_path / "course"
    folder.mkdir()
    claude = client(claude_emulator, recording=str(folder / "rivers.claude"), journal="off")
    claude.ask("Name three rivers of Norway.")
    # What a run writes is none of the lesson.
    write(folder / "rivers.ipynb", LOAD, ASK, "open('made.txt', 'w').write('here')")
    (folder / "data.csv").write_text("river,km\nGlomma,621\n")
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints/rivers-checkpoint.ipynb").write_text("{}")
    return folder


def build(course: Path, *more: str) -> int:
    out = course.parent / "out"
    return main(
        ["lesson", "build", str(course), "--to", str(out), "--no-browser", "--date", "2026-12-01", *more]
    )


def test_a_recorded_lesson_becomes_a_folder_that_lists_itself(course, capsys):
    """Notebook and recording byte for byte; no checkpoint; the wheel is the one in the requirements."""
    assert build(course, "--github", "ann/rivers") == 0
    out = course.parent / "out"
    manifest = json.loads((out / "lesson.json").read_text())
    assert sorted(manifest["files"]) == [
        "README.md",
        "claude-policy.toml",
        "notebooks/data.csv",
        "notebooks/rivers.claude",
        "notebooks/rivers.ipynb",
        "requirements.txt",
        f"wheels/vertex_claude_magic-{version('vertex-claude-magic')}-py3-none-any.whl",
    ]
    assert (out / "notebooks/rivers.claude").read_bytes() == (course / "rivers.claude").read_bytes()
    # Whoever serves or shares the folder can read every file of it.
    assert {path.stat().st_mode for path in out.rglob("*.*")} == {(out / "README.md").stat().st_mode}
    (notebook,) = manifest["notebooks"]
    assert (notebook["recordings"], len(notebook["questions"])) == (["notebooks/rivers.claude"], 1)
    assert (manifest["date"], manifest["package"]) == ("2026-12-01", version("vertex-claude-magic"))
    text = (out / "README.md").read_text()
    assert "colab.research.google.com/github/ann/rivers/blob/main/notebooks/rivers.ipynb" in text
    said = capsys.readouterr().out
    assert "rivers.ipynb: 1 question, 1 recorded; all answers are the emulator's, not Claude's" in said
    assert "--github" not in said
    # What Claude has answered is not said to be the emulator's.
    recording = course / "rivers.claude"
    recording.write_text(recording.read_text().replace('"emulator"', '"vertex"'))
    assert build(course) == 0
    said = capsys.readouterr().out
    assert "rivers.ipynb: 1 question, 1 recorded\n" in said
    assert "Colab and Binder are not in it; for them, build again with --github OWNER/REPOSITORY." in said


@pytest.mark.parametrize(
    ("action", "what"),
    [
        ("build", "Make a folder for a computer, Colab, Binder and the browser alone."),
        ("check", "List what must be recorded again, or must not be handed out."),
    ],
)
def test_the_help_says_what_it_does_and_how_it_ends(action, what, capsys):
    with pytest.raises(SystemExit):
        main(["lesson", action, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert f"{what} The notebooks run from their recordings; nothing is sent." in said
    assert "exit codes: 0 nothing to mend, 1 something keeps it from being handed out, 2 wrong usage" in said
    assert "a name, an e-mail address or a project that may be in it; repeatable" in said


def test_a_built_lesson_is_checked_by_its_list_and_built_anew_in_place(course, capsys):
    assert build(course) == 0
    out = course.parent / "out"
    write(out / "notebooks/rivers.ipynb", LOAD, ASK.replace("three", "four"))
    capsys.readouterr()
    assert main(["lesson", "check", str(out)]) == 1
    said = capsys.readouterr().out
    assert "notebooks/rivers.ipynb was changed after 2026-12-01" in said
    assert "rivers.ipynb, cell 2: stale" in said
    assert build(course) == 0
    assert main(["lesson", "check", str(out)]) == 0


def test_building_again_keeps_what_the_build_has_not_made(course, capsys):
    """A repository, files of the teacher's own, and the policy that the guide says to edit; not what the lesson had before."""
    (course / "old").mkdir()
    write(course / "old/lakes.ipynb", "1")
    (course / "plots").mkdir()
    assert build(course) == 0
    out = course.parent / "out"
    own = {
        ".git/HEAD": "ref: refs/heads/main\n",
        ".github/workflows/pages.yml": "on: push\n",
        "CNAME": "rivers.example.org\n",
        "notebooks/notes/mine.md": "# Mine\n",
        "claude-policy.toml": POLICY + "[limits]\nlive = false\n",
    }
    for name, text in own.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    (out / ".git/refs/tags").mkdir(parents=True)
    shutil.rmtree(course / "old")
    (course / "data.csv").write_text("river,km\nGlomma,623\n")
    assert build(course) == 0
    assert build(course) == 0
    assert {name: (out / name).read_text() for name in own} == own
    assert (out / ".git/refs/tags").is_dir()
    assert (out / "notebooks/plots").is_dir()
    assert (out / "notebooks/data.csv").read_bytes() == (course / "data.csv").read_bytes()
    assert not (out / "notebooks/old").exists()
    assert "replaced" not in capsys.readouterr().out
    # The policy is part of the lesson, and a file that nobody asked for is still told.
    assert main(["lesson", "check", str(out)]) == 1
    assert [line for line in capsys.readouterr().out.splitlines() if "after" in line] == [
        "CNAME was added after 2026-12-01",
        "notebooks/notes/mine.md was added after 2026-12-01",
    ]


def test_building_again_names_the_files_of_the_lesson_that_it_replaces_though_they_were_changed(
    course, capsys
):
    assert build(course) == 0
    out = course.parent / "out"
    (out / "README.md").write_text("Our course")
    (out / "notebooks/exam.md").write_text("Mine")
    (course / "exam.md").write_text("Of the course")
    (course / "data.csv").write_text("river,km\nGlomma,623\n")
    capsys.readouterr()
    assert build(course) == 0
    replaced = [line for line in capsys.readouterr().out.splitlines() if "replaced" in line]
    assert replaced == [
        "README.md was changed after 2026-12-01, and is replaced.",
        "notebooks/exam.md was added after 2026-12-01, and is replaced.",
    ]
    assert (out / "notebooks/exam.md").read_text() == "Of the course"


@pytest.mark.parametrize(
    ("own", "new"), [("notebooks/data", "data/x.csv"), ("notebooks/b.md/mine.txt", "b.md")]
)
def test_building_again_changes_nothing_where_a_file_is_in_the_way(course, capsys, own, new):
    """A file of the teacher's where the lesson has a folder, or in a folder where it has a file."""
    assert build(course) == 0
    out = course.parent / "out"
    for path in (out / own, course / new):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert build(course) != 0
    assert (
        f"{own} is in the way of notebooks/{new} of the lesson. Move or rename it" in capsys.readouterr().err
    )
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_building_again_removes_nothing_outside_of_the_lesson_whatever_its_list_says(course):
    assert build(course) == 0
    thesis, listed = course.parent / "thesis.tex", course.parent / "out/lesson.json"
    thesis.write_text("x")
    manifest = json.loads(listed.read_text())
    manifest["files"] |= {"../thesis.tex": "0", str(thesis): "0"}
    listed.write_text(json.dumps(manifest))
    assert build(course) == 0
    assert thesis.read_text() == "x"


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (
            [LOAD, "%%claude\nWhy is the sky blue at noon?", "1 / 0", f"'{KEY}'", "# ann@uni-bergen.no"],
            [
                "rivers.ipynb, cell 2: missing",
                "rivers.ipynb, cell 3 failed: ZeroDivisionError",
                "If a cell is meant to fail, give it the tag raises-exception",
                "rivers.ipynb, cell 4: an AWS access key",
                "rivers.ipynb, cell 5: an e-mail address (ann@uni-bergen.no)",
            ],
        ),
        (
            [LOAD.rpartition("\n")[0], ASK],
            ['its first cells need: %config ClaudeMagics.recording = "rivers.claude"'],
        ),
        (
            [LOAD, ASK, "%claude_models --check"],
            [
                "rivers.ipynb: 1 question, 1 recorded, 1 cell not rehearsed;",
                "rivers.ipynb, cell 3: not rehearsed (needs Vertex AI itself)\nTake a cell that is not rehearsed out",
            ],
        ),
        ([LOAD, "%claude_models --check"], ["rivers.ipynb: 0 questions, 0 recorded, 1 cell not rehearsed\n"]),
    ],
    ids=["missing, failing, private", "no recording", "not rehearsed", "nothing asked"],
)
def test_a_lesson_with_a_fault_is_not_written(course, capsys, cells, told):
    """Status 1, and the line says where and what; a secret is not repeated."""
    write(course / "rivers.ipynb", *cells)
    assert main(["lesson", "build", str(course), "--to", str(course.parent / "out"), "--no-browser"]) == 1
    said = capsys.readouterr().out
    assert [each for each in told if each not in said] == []
    assert ("sets no recording" in said) == (LOAD not in cells)
    assert KEY not in said
    assert not (course.parent / "out").exists()


def test_what_the_journal_of_the_teacher_knows_answers_no_student(course, claude_emulator, capsys):
    """The lesson's own recording does, or nothing."""
    client(claude_emulator, model="haiku").ask("Name a lake.")
    write(course / "rivers.ipynb", LOAD.rpartition("\n")[0], "%%claude\nName a lake.")
    assert main(["lesson", "check", str(course)]) == 1
    assert "rivers.ipynb, cell 2: missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["check", "nowhere"], "There is no folder nowhere."),
        (["check", "empty"], "There is no notebook in empty."),
        (["build", "course", "--to", "full", "--no-browser"], "full is not empty and has no lesson.json."),
        (["build", "course", "--to", ".", "--no-browser"], "not empty"),
        (["build", "course", "--to", "course/out", "--no-browser"], "course/out is inside of the lesson."),
        (["build", "course", "--to", "empty/../course/out", "--no-browser"], "is inside of the lesson."),
        (["build", "course", "--to", "file", "--no-browser"], "file is a file."),
        (["check", "linked"], "is a link to a folder, or to a file outside of the lesson."),
        (["check", "looped"], "is a link to a folder, or to a file outside of the lesson."),
        (["check", "broken"], "is not the list of a lesson."),
        (
            ["build", "course", "--to", "file/out", "--no-browser"],
            "file cannot be read or written (File exists).",
        ),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_a_folder_that_cannot_be_used_is_one_line(course, monkeypatch, capsys, arguments, why):
    monkeypatch.chdir(course.parent)
    for name in ("empty", "full", "linked", "looped", "broken"):
        Path(name).mkdir()
    Path("full/thesis.tex").write_text("x")
    Path("file").write_text("x")
    Path("linked/secrets.txt").symlink_to(Path("file").resolve())
    Path("looped/again").symlink_to(Path("looped").resolve())
    Path("broken/lesson.json").write_text("[]")
    assert main(["lesson", *arguments]) == 2
    said = capsys.readouterr().err
    assert why in said
    assert len(said.strip().splitlines()) == 1
    assert Path("full/thesis.tex").read_text() == "x"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--date", "tomorrow"], "argument --date: 'tomorrow' is not a date such as 2026-11-26"),
        (["--github", "rivers"], "argument --github: write OWNER/REPOSITORY"),
        (["--github", "a/b/../c"], "argument --github: write OWNER/REPOSITORY"),
    ],
    ids=str,
)
def test_a_value_that_is_none_is_refused(course, capsys, arguments, why):
    with pytest.raises(SystemExit) as caught:
        build(course, *arguments)
    assert caught.value.code == 2
    assert why in capsys.readouterr().err


def test_a_full_disk_is_one_line(course, capsys, monkeypatch):
    """Whatever is copied: Python has a list of all files for it."""

    def full(source, target, **_):
        raise OSError(errno.ENOSPC, "No space left on device", source, None, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    assert build(course) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "cannot be read or written (No space left on device). Check its permissions, and the space" in line
    assert "Errno" not in line


def test_a_folder_that_holds_the_lesson_is_not_replaced(course, capsys):
    """Also where it is a lesson itself: its notebooks would be gone."""
    (course.parent / "lesson.json").write_text(
        json.dumps({"format": "vertex_claude_magic lesson", "files": {}, "date": ""})
    )
    assert main(["lesson", "build", str(course), "--to", str(course.parent), "--no-browser"]) == 2
    assert "contains the lesson itself" in capsys.readouterr().err
    assert (course / "rivers.ipynb").is_file()


ANN = {"ann-berg-1234": "a project id", "Ann Berg": "your name", "/home/ann": "your home folder"}
PRIVATE = {
    "a project in a text": ("a.md", "project ann-berg-1234", "a.md, line 1: a project id (ann-berg-1234)"),
    "a resource": ("a.py", "\nx = 'projects/uni-42/locations/eu'", "a.py, line 2: a project id (uni-42)"),
    "a name": ("a.md", "by Ann Berg", "a.md, line 1: your name (Ann Berg)"),
    "a folder of somebody": (
        "a.py",
        "open('/Users/bo/x.csv')",
        "a.py, line 1: a personal folder (/Users/bo)",
    ),
    "a folder on Windows": (
        "a.py",
        r"open('C:\Users\bo\x')",
        "a.py, line 1: a personal folder (C:\\Users\\bo)",
    ),
    "the home folder, once": ("a.py", "/home/ann/x.csv", "a.py, line 1: your home folder (/home/ann)"),
    "an address": ("a.csv", "a,b\n1,bo@ntnu.no", "a.csv, line 2: an e-mail address (bo@ntnu.no)"),
    "a key": ("a.env", f"\n\nKEY={KEY}", "a.env, line 3: an AWS access key"),
    "an output": (
        "a.ipynb",
        json.dumps({"cells": [{"outputs": [{"text": ["in /home/ann/x\n", "y"]}]}]}),
        "a.ipynb, cell 1: your home folder (/home/ann)",
    ),
    "the metadata": (
        "a.ipynb",
        json.dumps({"cells": [], "metadata": {"author": "Ann Berg"}}),
        "a.ipynb: your name (Ann Berg)",
    ),
    "a record": (
        "a.claude",
        json.dumps({"records": [{"request": {}}, {"answer": {"text": "Dear Ann Berg"}}]}),
        "a.claude, record 2: your name (Ann Berg)",
    ),
    "over two lines of a cell": (
        "a.ipynb",
        json.dumps({"cells": [{"source": ["# by\n", "# Ann Berg"]}]}),
        "a.ipynb, cell 1: your name (Ann Berg)",
    ),
    "no JSON": ("a.ipynb", "{ Ann Berg", "a.ipynb, line 1: your name (Ann Berg)"),
}
HARMLESS = {
    "an address of nobody": "ann@example.com ann@mail.example.org",
    "a placeholder": "projects/your-project/locations/global",
    "the demo": "projects/emulator-project/locations/global",
    "a folder of a service": "/home/jovyan/work",
    "a model": "claude-sonnet-4-5@20250929",
    "a longer word": "ann-berg-12345 Annette Berger",
    "a decorator": "@functools.cache",
}


@pytest.mark.parametrize(("name", "text", "line"), PRIVATE.values(), ids=PRIVATE)
def test_what_tells_who_somebody_is_is_found_with_its_place(name, text, line):
    assert list(private_parts(name, text.encode(), ANN)) == [line]


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_tells_nobody_is_let_pass(text):
    assert not list(private_parts("a.md", text.encode(), ANN))


SHOWN = {
    "a repr": {"outputs": [{"data": {"text/plain": [f"'{KEY}'"]}}]},
    "a page": {"outputs": [{"data": {"text/html": ["<b>\n", f"{KEY}</b>"], "image/png": "aGk="}}]},
    "a drawing": {"outputs": [{"data": {"image/svg+xml": f"<text>{KEY}</text>"}}]},
    "data of a chart": {"outputs": [{"data": {"application/json": {"data": KEY}}}]},
    "a name in data": {"outputs": [{"data": {"application/json": {KEY: 1}}}]},
    "about an output": {"outputs": [{"data": {}, "metadata": {"image/png": {"signature": KEY}}}]},
    "a traceback": {"outputs": [{"traceback": [f"\x1b[31m{KEY}\x1b[0m"]}]},
    "colours inside": {"outputs": [{"text": f"\x1b[1m{KEY[:8]}\x1b[0m{KEY[8:]}"}]},
    "a document of a question": {"source": {"type": "text", "media_type": "text/plain", "data": KEY}},
    "a result of a tool": {"type": "tool_result", "content": [{"type": "text", "text": KEY}]},
}
ENCODED = {
    "a picture": {"outputs": [{"data": {"image/png": KEY}}]},
    "a picture in lines": {"outputs": [{"data": {"image/webp": [f"{KEY}\n", KEY]}}]},
    "a picture of a text cell": {"attachments": {"map.png": {"image/png": KEY}}},
    "a picture of a question": {"source": {"type": "base64", "media_type": "image/png", "data": KEY}},
    "what signs thinking": {"type": "thinking", "thinking": "", "signature": KEY},
    "hidden thinking": {"type": "redacted_thinking", "data": KEY},
    "bytes of a widget": {"buffers": [{"encoding": "base64", "path": ["value"], "data": KEY}]},
}


@pytest.mark.parametrize("cell", SHOWN.values(), ids=SHOWN)
@pytest.mark.parametrize(("name", "groups"), [("a.ipynb", "cells"), ("a.claude", "records")])
def test_all_text_of_a_notebook_and_a_recording_is_searched(name, groups, cell):
    """In whatever form an output shows it; the colours of a terminal hide nothing."""
    (line,) = private_parts(name, json.dumps({groups: [cell]}).encode(), ANN)
    assert line == f"{name}, {groups[:-1]} 1: an AWS access key"


@pytest.mark.parametrize("cell", ENCODED.values(), ids=ENCODED)
@pytest.mark.parametrize(("name", "groups"), [("a.ipynb", "cells"), ("a.claude", "records")])
def test_what_is_encoded_is_not_read_as_text(name, groups, cell):
    """It may contain any letters by chance."""
    assert not list(private_parts(name, json.dumps({groups: [cell]}).encode(), ANN))


NO_TEXT = {
    "a picture": b"\x89PNG\r\n\x1a\n\xff" + KEY.encode(),
    "an archive": b"PK\x03\x04\x14\x00\x00\x00\x08\x00\xb5\xff" + KEY.encode(),
    "a database": b"SQLite format 3\x00\x10\x00\xff\xfe",
    "UTF-16 without a mark": "Brønnøysund".encode("utf-16-le"),
}


def test_a_file_that_is_no_text_is_not_read_as_text():
    """It may contain any letters by chance."""
    assert not list(private_parts("a.png", NO_TEXT["a picture"], ANN))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "latin-1"])
def test_a_text_is_searched_in_each_encoding_that_can_be_told(encoding):
    """Also the byte order that is not this machine's."""
    text = f"Brønnøysund: bo@ntnu.no\n{KEY}"
    found = ["a.txt, line 2: an AWS access key", "a.txt, line 1: an e-mail address (bo@ntnu.no)"]
    assert list(private_parts("a.txt", text.encode(encoding), ANN)) == found
    other = codecs.BOM_UTF16_BE + text.encode("utf-16-be")
    assert list(private_parts("a.txt", other, ANN)) == found


@pytest.mark.parametrize("command", ["build", "check"])
def test_files_that_are_not_searched_are_named(course, capsys, command):
    """So that the teacher looks into them; they are no reason not to build the lesson."""
    for name, data in NO_TEXT.items():
        (course / name).write_bytes(data)
    (course / "notes.txt").write_text("Brønnøysund", encoding="utf-16")
    assert (build(course) if command == "build" else main(["lesson", "check", str(course)])) == 0
    assert (
        "Not searched, because it is no text: UTF-16 without a mark, a database, a picture, an archive\n"
        in capsys.readouterr().out
    )


def test_a_lesson_of_text_has_no_such_line(course, capsys):
    assert build(course) == 0
    assert "Not searched" not in capsys.readouterr().out


def test_a_lesson_whose_output_shows_a_secret_is_not_written(course, capsys):
    notebook = nbformat.read(course / "rivers.ipynb", as_version=4)
    notebook.cells[2].outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": f"'{KEY}'"}, execution_count=1)
    ]
    nbformat.write(notebook, course / "rivers.ipynb")
    assert build(course) == 1
    said = capsys.readouterr().out
    assert "rivers.ipynb, cell 3: an AWS access key" in said
    assert KEY not in said
    assert not (course.parent / "out").exists()


def test_a_name_can_be_allowed_and_a_secret_cannot():
    assert not list(private_parts("a.md", b"by Ann Berg", ANN, ["Ann Berg"]))
    assert list(private_parts("a.md", KEY.encode(), ANN, [KEY]))


HIDDEN_BY_ALLOWED = {
    "an address at the domain": ("At uni-bergen, ask bo@uni-bergen.no.", "uni-bergen", "bo@uni-bergen.no"),
    "a folder that begins so": ("/home/ann-berg is of ann-berg", "ann-berg", "/home/ann-berg"),
    "what is also in an address": (
        "ann@uni-bergen.no, project uni-bergen",
        "ann@uni-bergen.no",
        "uni-bergen",
    ),
}


@pytest.mark.parametrize(("text", "allowed", "left"), HIDDEN_BY_ALLOWED.values(), ids=HIDDEN_BY_ALLOWED)
def test_what_is_allowed_hides_nothing_beside_it(text, allowed, left):
    """Also where one is part of the other somewhere else."""
    known = {"ann@uni-bergen.no": "an account", "uni-bergen": "a project id", "ann-berg": "a project id"}
    (line,) = private_parts("a.md", text.encode(), known, [allowed])
    assert line.endswith(f"({left})")


def test_what_is_part_of_something_longer_is_named_once():
    """The home folder is also a folder of an account, and an address may have the name of a project."""
    known = {"/home/ann/work": "your home folder", "uni-bergen": "a project id"}
    found = list(private_parts("a.md", b"/home/ann/work\nann@uni-bergen.no", known))
    assert found == [
        "a.md, line 1: your home folder (/home/ann/work)",
        "a.md, line 2: an e-mail address (ann@uni-bergen.no)",
    ]


def test_projects_of_the_environment_and_of_gcloud_are_known(tmp_path, monkeypatch):
    """What is broken or short names nothing."""
    folder = tmp_path / "gcloud/configurations"
    folder.mkdir(parents=True)
    (folder / "config_default").write_text("[core]\nproject = ann-berg-1234\naccount = ann@uni-bergen.no\n")
    (folder / "config_old").write_text("no section\n")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "bo-5678")
    monkeypatch.setenv("GCLOUD_PROJECT", "x")
    (tmp_path / "gitconfig").write_text("[user]\nname = root\nemail = ann@ntnu.no\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    known = known_here()
    assert known["ann-berg-1234"] == known["bo-5678"] == "a project id"
    assert known["ann@uni-bergen.no"] == "an account"
    assert not {"x", "root"} & set(known)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such database of users")
def test_without_a_home_folder_nothing_is_known_of_it(monkeypatch):
    """As for the nameless user of a container."""
    import pwd

    def nobody(number):
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in ("HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    assert "your home folder" not in known_here().values()


def test_the_policy_of_a_lesson_is_one():
    assert parse_policy(POLICY, "claude-policy.toml", Path()).defaults == {"replay": "only"}


# A policy of a lesson, in which of its folders it is, and how its readers may ask.
READERS = {
    "as built": ("", "", "--replay auto"),
    "live calls are off": (f"{POLICY}[limits]\nlive = false\n", "out", ""),
    "off beside the notebooks": ("[limits]\nlive = false\n", "course", ""),
    "replay is locked": ("[locks]\nreplay = 'only'\n", "out", ""),
    "replay is locked to two": ("[locks]\nreplay = ['only', 'refresh']\n", "out", "--replay refresh"),
}


@pytest.mark.parametrize(("policy", "folder", "way"), READERS.values(), ids=READERS.keys())
def test_the_page_of_a_lesson_tells_how_to_ask_where_its_policy_allows_it(course, policy, folder, way):
    out = course.parent / "out"
    if folder == "out":
        assert build(course) == 0
    if folder:
        (course.parent / folder / "claude-policy.toml").write_text(policy)
    assert build(course) == 0
    text = (out / "README.md").read_text()
    assert ("## Ask Claude yourself" in text) == bool(way)
    assert re.findall("--replay [a-z]+", text) == ([way] if way else [])


WAYS_TO_SEND = {
    "%config": "%config ClaudeMagics.replay = 'auto'",
    "an option": "%%claude --replay auto\nName three rivers of Norway.",
    "Python": 'from vertex_claude_magic import Claude\nClaude(replay="auto").ask("Name three rivers of Norway.")',
}


@pytest.mark.parametrize("cell", WAYS_TO_SEND.values(), ids=WAYS_TO_SEND)
def test_a_cell_that_would_send_a_changed_question_is_named(course, capsys, cell):
    """Only to whoever has an account; as it is, the notebook runs without."""
    write(course / "rivers.ipynb", LOAD, ASK, cell)
    assert build(course) == 0
    said = capsys.readouterr().out
    assert (
        "rivers.ipynb, cell 3 sets replay: a reader who has an account and changes the question sends it."
        in said
    )
    assert "live = false under [limits]" in said


def test_a_lesson_that_leaves_replay_to_its_policy_has_no_such_line(course, capsys):
    assert build(course) == 0
    assert "sets replay" not in capsys.readouterr().out


def test_where_no_notebook_runs_in_the_browser_there_is_no_edition_for_it(course, capsys):
    """It would be an empty list; the build says why, and does not tell how to open it."""
    write(course / "rivers.ipynb", LOAD, ASK, "import pandas")
    out = course.parent / "out"
    assert main(["lesson", "build", str(course), "--to", str(out)]) == 0
    said = capsys.readouterr().out
    assert "There is no browser edition, because no notebook runs there without pandas." in said
    assert "In the browser" not in said
    assert not (out / "site").exists()
    assert "In the browser" not in (out / "README.md").read_text()


def test_a_lesson_that_was_built_inside_is_no_part_of_it(tmp_path):
    folder = tmp_path / "course"
    (folder / "out").mkdir(parents=True)
    (folder / "out/lesson.json").write_text("{}")
    write(folder / "a.ipynb", "1")
    copy_lesson(folder, tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["a.ipynb"]


def test_links_within_a_lesson_become_files(tmp_path):
    folder = tmp_path / "course"
    folder.mkdir()
    write(folder / "a.ipynb", "1")
    (folder / "b.ipynb").symlink_to("a.ipynb")
    copy_lesson(folder, tmp_path / "copy")
    assert not (tmp_path / "copy/b.ipynb").is_symlink()
    assert (tmp_path / "copy/b.ipynb").read_bytes() == (folder / "a.ipynb").read_bytes()


def test_a_change_of_each_kind_is_told(tmp_path):
    (tmp_path / "same").write_text("1")
    (tmp_path / "other").write_text("2")
    (tmp_path / "new").write_text("3")
    digest = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    files = {"same": digest, "other": digest, "gone": digest}
    (tmp_path / "lesson.json").write_text(
        json.dumps({"format": "vertex_claude_magic lesson", "date": "2026-12-01", "files": files})
    )
    assert [*changed_files(tmp_path, read_manifest(tmp_path) or {}).values()] == [
        "gone is gone after 2026-12-01",
        "new was added after 2026-12-01",
        "other was changed after 2026-12-01",
    ]


def test_requirements_name_what_notebooks_import_and_the_extra_for_data():
    distributions = {"sklearn": ["scikit-learn"], "pandas": ["pandas"]}
    imports = {"a.ipynb": ["pandas", "sklearn"], "b.ipynb": ["own_module"]}
    assert requirements("wheels/m.whl", imports, distributions).splitlines() == [
        "./wheels/m.whl[data]",
        "pandas",
        "scikit-learn",
    ]


def test_pages_say_what_the_browser_does_not_have_and_escape_names():
    imports = {"a <b> & c.ipynb": [], "table.ipynb": ["pandas"]}
    page = index_page(imports, date="2026-12-01", browser=["a <b> & c.ipynb"])
    assert (
        '<a href="notebooks/index.html?path=notebooks%2Fa%20%3Cb%3E%20%26%20c.ipynb">a &lt;b&gt; &amp; c.ipynb</a>'
        in page
    )
    assert "table.ipynb: not in the browser, because it needs pandas" in page
    assert "Answers are recorded" in page
    text = readme(
        imports, date="2026-12-01", package="1.0", github=None, browser=["a <b> & c.ipynb"], mode="auto"
    )
    assert "Not there: table.ipynb" in text
    # Whoever gets the folder has no repository to put it into.
    for word in ("OWNER", "Colab", "Binder", "git"):
        assert word not in text


def test_the_wheel_is_the_package_that_runs_and_the_same_each_time(tmp_path):
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    wheel = write_own_wheel(first)
    assert wheel.read_bytes() == write_own_wheel(second).read_bytes()
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        assert (
            files.read("vertex_claude_magic/models/models.json")
            == (ROOT / "vertex_claude_magic/models/models.json").read_bytes()
        )
    assert not [name for name in names if name.endswith(".pyc")]


@pytest.mark.parametrize("content", [b"", b"no archive"], ids=["empty", "text"])
def test_an_archive_that_is_not_pyodide_is_one_line(tmp_path, content):
    archive = tmp_path / "pyodide.tgz"
    archive.write_bytes(content)
    with pytest.raises(OptionError, match=r"is not the npm package of Pyodide.*npm pack pyodide@314\.0\.6"):
        fetch_pyodide("314.0.6", tmp_path / "cache", archive)


def test_without_what_builds_the_site_the_line_says_what_to_install(tmp_path, monkeypatch):
    with pytest.raises(MissingExtra, match=re.escape('Run: pip install "vertex-claude-magic[lesson]"')):
        check_builder(lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingExtra, match=r"npm.*not installed.*--pyodide FILE\.tgz"):
        fetch_pyodide("314.0.6", tmp_path / "cache")


def test_the_list_of_packages_is_what_is_bundled_with_its_own_digests(tmp_path):
    """A package that is not there has no entry, so that nothing is asked for it."""
    fetched, out = tmp_path / "fetched", tmp_path / "out"
    fetched.mkdir()
    for name in ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip"):
        (fetched / name).write_text(name)
    listed = {
        name: {"name": name, "version": "1.0", "depends": []}
        for name in ("micropip", "jedi", "platformdirs", "numpy")
    }
    listed["ipython"] = {"name": "ipython", "version": "9.0", "depends": ["prompt_toolkit"]}
    listed["prompt-toolkit"] = {"name": "prompt_toolkit", "version": "3.0", "depends": []}
    (fetched / "pyodide-lock.json").write_text(json.dumps({"info": {"python": "3.14.2"}, "packages": listed}))
    present = {
        "micropip": "1.0",
        "jedi": "1.0",
        "platformdirs": "1.0",
        "ipython": "9.0",
        "prompt_toolkit": "3.0",
    }
    present |= {name: number for name, (number, _) in ADDED.items()}
    for name, number in present.items():
        (fetched / f"{name.replace('-', '_')}-{number}-py3-none-any.whl").write_text(name)
    own = tmp_path / "vertex_claude_magic-0.9-py3-none-any.whl"
    own.write_text("own")
    write_pyodide(fetched, out, own)
    packages = json.loads((out / "pyodide-lock.json").read_text())["packages"]
    assert "numpy" not in packages
    assert {each["name"] for each in packages.values()} == {*present, "vertex-claude-magic"}
    for package in packages.values():
        data = (out / package["file_name"]).read_bytes()
        assert package["sha256"] == hashlib.sha256(data).hexdigest()
    assert packages["vertex-claude-magic"]["version"] == "0.9"
