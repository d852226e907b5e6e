"""The command line: what each command prints, and how it ends."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import nbformat
import pytest
from kernel import own_loop
from shells import ROOT

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.cli.demo import find_notebook
from vertex_claude_magic.errors import OptionError


def test_models_prints_the_table_of_a_family_in_a_location(capsys):
    """With the prices of that location, premium included."""
    assert main(["models", "--family", "opus", "--region", "eu"]) == 0
    printed = capsys.readouterr().out
    assert "claude-opus-5-5" in printed
    assert "4.4 / 22" in printed
    assert "claude-sonnet" not in printed


@pytest.mark.parametrize(("typed", "near"), [("mars", "global, us or eu"), ("us-eats5", "us-east5")])
def test_a_location_that_the_table_does_not_know_is_no_good_end(typed, near, capsys):
    assert main(["models", "--region", typed]) == 1
    said = capsys.readouterr().out
    assert f"The table has no model in {typed}. The nearest location in it is {near}." in said


def test_it_runs_as_a_module_too():
    """`python -m vertex_claude_magic` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "vertex_claude_magic", "models", "--family", "haiku"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "claude-haiku-5-5" in done.stdout


@pytest.mark.parametrize("family", [[], ["--family", "haiku"]], ids=["long", "short"])
def test_a_reader_that_has_gone_is_no_traceback(family):
    """As `| head` goes; a short text is noticed only when it is flushed."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "vertex_claude_magic", "models", "--all", *family],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["mod"], ["models", "--fam", "opus"]])
def test_what_it_does_not_know_is_a_usage_error(arguments, capsys):
    """Also abbreviations; the message goes to stderr."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


def test_alone_it_lists_its_commands(capsys):
    """Whoever types only the name asks what there is; to stderr, because nothing was done."""
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("  doctor    find out why")]
    assert lines[-1] == "vertex-claude COMMAND --help shows its options."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense"], "the following arguments are required: command"),
        (["journal"], "the following arguments are required: show|stats|prune|export|import"),
        (["lesson"], "the following arguments are required: build|check"),
    ],
    ids=str,
)
def test_what_is_missing_is_named_as_it_is_typed(arguments, said, capsys):
    with pytest.raises(SystemExit):
        main(arguments)
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"error: {said}")


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["nootbook"], "notebook"),
        (["notebook", "stripp", "a.ipynb"], "strip"),
        (["notebook", "audit", "--jsn", "a.ipynb"], "--json"),
        (["lesson", "build", "a", "--to", "b", "--alow=x"], "--allow"),
        (["models", "--famly", "opus"], "--family"),
        (["models", "--family", "opsu"], "opus"),
    ],
    ids=" ".join,
)
def test_a_slip_is_told_with_what_was_meant(arguments, near, capsys):
    """A command, an action, an option or a value; the end is that of wrong usage."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith(f". Did you mean {near}?\n")


def test_the_reference_names_every_command_and_option(capsys):
    """As `--help` does, down to the last command of a command."""

    def helped(*words: str) -> str:
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        return capsys.readouterr().out

    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    rows = {name.strip(): row for row, name in re.findall(r"^(\| `([a-z ]+).*)$", page, re.MULTILINE)}
    found = {}
    for command in re.findall(r"^  ([a-z]+) ", helped(), re.MULTILINE):
        text = helped(command)
        below = re.findall(r"^    ([a-z]+) ", text.partition("options:")[0], re.MULTILINE)
        for words in [[command, each] for each in below] or [[command]]:
            listed = re.findall(r"^  (?:-\w[ A-Z]*, )?(--[a-z-]+)", helped(*words), re.MULTILINE)
            # Told once, below the table.
            found[" ".join(words)] = set(listed) - {"--help", "--journal"}
    assert rows.keys() == found.keys()
    named = {name: set(re.findall(r"--[a-z][a-z-]*", row)) for name, row in rows.items()}
    assert not [name for name, options in found.items() if options - named[name]]
    assert "The commands of `journal` take `--journal PATH`" in page


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_end_well(option, capsys):
    """The help names every command."""
    with pytest.raises(SystemExit) as ended:
        main([option])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert all(
        name in printed
        for name in (
            ["demo", "doctor", "models", "notebook", "emulator", "journal"] if option == "--help" else ["0."]
        )
    )


def test_the_real_demo_without_a_login_is_one_line_with_the_cure(capsys, tmp_path):
    """Nothing is started and nothing is written."""
    assert main(["demo", "--real", "--output", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("CredentialsNotFound: ")
    assert "gcloud auth application-default login" in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("output", "in_the_way"),
    [
        ("file", "file"),
        ("file/out", "file"),
        ("out", "out/01-first-answer.ipynb/"),
        ("out", "out/01-first-answer.html/"),
    ],
)
@pytest.mark.parametrize("more", [[], ["--real"]], ids=["emulator", "real"])
def test_where_the_demo_cannot_write_it_asks_nothing(
    claude_emulator, monkeypatch, tmp_path, capsys, output, in_the_way, more
):
    """With `--real` its answers are paid, and would be lost."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    if in_the_way.endswith("/"):
        (tmp_path / in_the_way).mkdir(parents=True)
    else:
        (tmp_path / in_the_way).write_text("mine")
    assert main(["demo", *more, "--output", str(tmp_path / output)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"OptionError: {tmp_path}{os.sep}")
    assert " cannot be written (" in line
    assert line.endswith("Choose another folder with --output.")
    assert not [each for each in claude_emulator.requests if "messages" in each.path]


def test_a_notebook_that_is_not_there_is_named():
    """As after a broken installation."""
    with pytest.raises(OptionError, match=r"no-such\.ipynb"):
        find_notebook("no-such.ipynb")


@pytest.mark.slow
def test_the_demo_shows_how_the_answers_stream_and_names_what_it_wrote(capsys, tmp_path):
    """The main job against the emulator, which says that it is not Claude."""
    with own_loop():
        assert main(["demo", "--output", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    notebook, page = tmp_path / "01-first-answer.ipynb", tmp_path / "01-first-answer.html"
    assert str(notebook) in printed
    assert str(page) in printed
    assert printed.count("the answer is complete") == 3
    # One for each half second; a slow machine prints more.
    assert printed.count(" characters  …") > 1
    assert "The emulator is not Claude." in printed
    assert "vertex-claude demo --real" in printed
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    errors = [f"{each.ename}: {each.evalue}" for each in outputs if each.output_type == "error"]
    results = [each.data["text/plain"] for each in outputs if each.output_type == "execute_result"]
    assert errors
    assert results
    assert not [text for text in [*errors, *results] if text not in printed]
    assert any(
        "vertex_claude_magic" in output.get("metadata", {})
        for cell in cells
        for output in cell.get("outputs", [])
    )
    assert "Answered by the emulator, not by Claude" in page.read_text(encoding="utf-8")
