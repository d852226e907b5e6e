"""Runners without a page: what they write has every answer once, with its metadata."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import nbformat
import pytest
from cells import CELLS, WORKS, outcomes, parted, write_lesson
from matrix import check
from shown import notebook_text, page_text

from vertex_claude_magic.notebook.audit import entries

if TYPE_CHECKING:
    from pathlib import Path


def answers(path: Path) -> int:
    return len(entries(nbformat.read(path, as_version=4)))


def check_notebook(name: str, path: Path, *packages: str) -> None:
    check(name, outcomes(parted(notebook_text(path))), *packages)


def test_nbclient(place):
    """`jupyter execute`: one output an answer, none of them left from the way there."""
    path = write_lesson(place.folder / "lesson.ipynb")
    place.run("jupyter", "execute", "--inplace", path.name)
    check_notebook("nbclient", path, "nbclient", "ipykernel")
    assert answers(path) == 8


def test_papermill(place, demo):
    """Its parameters are variables of the kernel, so they reach prompts; its progress disturbs nothing."""
    path = write_lesson(place.folder / "lesson.ipynb")
    notebook = nbformat.read(path, as_version=4)
    parameters = nbformat.v4.new_code_cell('country = "nowhere"', metadata={"tags": ["parameters"]})
    asking = nbformat.v4.new_code_cell("%claude -q What's the capital of {{ country }}?")
    # Before the demo begins, which has an emulator of its own.
    notebook.cells = [parameters, *notebook.cells[:-2], asking, *notebook.cells[-2:]]
    nbformat.write(notebook, path)
    place.run("papermill", path.name, "out.ipynb", "-p", "country", "Mongolia", "--no-progress-bar")
    check_notebook("papermill", place.folder / "out.ipynb", "papermill", "ipykernel")
    asked = [str(each.body["messages"]) for each in demo.requests if "streamRawPredict" in each.path]
    assert [each for each in asked if "Mongolia</data>" in each]


@pytest.mark.parametrize("form", ["py:percent", "md"])
def test_jupytext(form, place):
    """A notebook as text and back has the same cells, magics included; one form is run too."""
    path = write_lesson(place.folder / "lesson.ipynb")
    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells]
    place.run("jupytext", "--to", form, path.name)
    path.unlink()
    runs = ["--execute"] if form == "py:percent" else []
    place.run("jupytext", "--to", "ipynb", *runs, f"lesson.{form.partition(':')[0]}")
    assert [cell.source for cell in nbformat.read(path, as_version=4).cells] == cells
    if runs:
        check_notebook("jupytext", path, "jupytext", "nbclient")


# What tells times or counts, so that it is another text each time.
CHANGES = {
    "%claude_usage",
    "%%claude_map",
    "%%claude_batch",
    "%claude_chat",
    "%claude_doctor",
    "%claude_logging",
}


def test_nbval(place):
    """It runs all cells again: answers of a recording are the same as stored, to the letter."""
    path = write_lesson(place.folder / "lesson.ipynb")
    place.environment.update(VERTEX_CLAUDE_RECORDING="nbval.claude", VERTEX_CLAUDE_REPLAY="auto")
    # Once to be recorded, once to be stored.
    for _ in range(2):
        place.run("jupyter", "execute", "--inplace", path.name)
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    asking = {cell.source: cell.name for cell in CELLS}
    for cell in code:
        if asking.get(cell.source) in CHANGES:
            cell.metadata["tags"] = ["nbval-ignore-output"]
    nbformat.write(notebook, path)
    report = place.folder / "report.xml"
    place.run(
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        f"--junitxml={report}",
        path.name,
        ok=(0, 1),
    )
    failed = dict[str, str]()
    for number, case in enumerate(ET.parse(report).getroot().iter("testcase")):
        if (failure := case.find("failure")) is not None:
            failed[code[number].source] = f"seen: {failure.text}"
    check("nbval", {name: failed.get(source, WORKS) for source, name in asking.items()}, "nbval", "ipykernel")


def test_nbconvert(place):
    """A page, slides and the source for LaTeX of one notebook that ran: every answer once, and no markup in sight."""
    path = write_lesson(place.folder / "lesson.ipynb")
    place.run("jupyter", "nbconvert", "--execute", "--to", "notebook", "--inplace", path.name)
    for form, ending in (("html", "html"), ("slides", "slides.html"), ("latex", "tex")):
        place.run("jupyter", "nbconvert", "--to", form, "--output", "page", path.name)
        text = (place.folder / f"page.{ending}").read_text("utf-8")
        text = latex_text(text) if form == "latex" else page_text(text)
        packages = ("nbconvert", "pypandoc-binary") if form == "latex" else ("nbconvert",)
        check(f"nbconvert {form}", outcomes(parted(text)), *packages)


def latex_text(source: str) -> str:
    """Return LaTeX as its text, as far as the words of the cells go."""
    for written, meant in (("\\%", "%"), ("\\_", "_"), ("\\$", "$"), ("\\textbar", "|"), ("\n", " ")):
        source = source.replace(written, meant)
    return source


def test_myst_nb(place):
    """Sphinx with MyST-NB runs the notebook and makes a page of it; warnings are errors."""
    write_lesson(place.folder / "index.ipynb")
    (place.folder / "conf.py").write_text('extensions = ["myst_nb"]\nnb_execution_mode = "force"\n')
    place.run("sphinx", "-q", "-W", "-b", "html", ".", "out")
    page = (place.folder / "out" / "index.html").read_text("utf-8")
    check("MyST-NB", outcomes(parted(page_text(page))), "myst-nb", "sphinx", "ipykernel")


def test_quarto_by_its_rules(place):
    """Quarto takes `#|` lines off the top of a cell, runs the rest in a kernel, and gives Markdown outputs to pandoc.

    So says its manual (Execution Options; Using Python), and its notebook.py does; Quarto itself is no package of Python.
    """
    import pypandoc

    path = write_lesson(place.folder / "lesson.ipynb")
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            written = f"#| echo: false\n#| label: cell-{cell.id}\n{cell.source}"
            cell.source = re.sub(r"\A(?:#\s*\|.*\n)+", "", written)
    nbformat.write(notebook, path)
    place.run("jupyter", "execute", "--inplace", path.name)
    text = notebook_text(path, lambda markdown: pypandoc.convert_text(markdown, "html", format="markdown"))
    check("Quarto", outcomes(parted(text)), "pypandoc-binary", "nbclient")
