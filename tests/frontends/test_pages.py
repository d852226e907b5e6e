"""JupyterLab, Notebook 7 and Voila in Chromium: what a reader sees, and what a screen reader is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from cells import outcomes, parted, write_lesson
from lab import LabPage, LabServer, NotebookPage, free_port, write_notebook
from matrix import check
from pages import browsing, lab_server, served

from vertex_claude_magic.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

# Marks, and below each what is shown of the outputs of its cell.
SEEN = """() => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].map(cell =>
    cell.classList.contains('jp-MarkdownCell')
        ? cell.querySelector('.jp-RenderedMarkdown').innerText
        : [...cell.querySelectorAll('.jp-OutputArea-output')].map(each => each.innerText).join('\\n')
).join('\\n')"""
# Without the shared documents of jupyter-collaboration, which is installed beside it.
ALONE = ("--YDocExtension.disable_rtc=True",)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as started:
        yield started


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[LabServer]:
    with Emulator(demo=True) as demo, lab_server(demo, tmp_path_factory.mktemp("lab"), *ALONE) as started:
        yield started


@pytest.mark.parametrize(
    ("name", "kind", "package"),
    [("JupyterLab", LabPage, "jupyterlab"), ("Notebook 7", NotebookPage, "notebook")],
)
def test_jupyter(name, kind, package, server, browser):
    page = kind(page=browser.new_page(viewport={"width": 1200, "height": 900}), server=server).start()
    page.open(write_lesson(server.root / f"{package}.ipynb"))
    page.run_all(120)
    text = page.page.evaluate(SEEN)
    check(name, outcomes(parted(text)), package, "ipykernel", "ipywidgets")


def test_voila(place, browser):
    """Its page has the answers and no sources; the panel is a widget, because a kernel runs behind it."""
    write_lesson(place.folder / "lesson.ipynb")
    address = f"http://127.0.0.1:{(port := free_port())}/"
    with served(place, f"{address}nothing", "voila", "lesson.ipynb", "--no-browser", f"--port={port}"):
        page = browser.new_page()
        page.goto(address, timeout=120_000)
        page.get_by_text("Demo mode is on").wait_for(timeout=60_000)
        page.get_by_text("Tick two rows to compare").wait_for(timeout=30_000)
        text = page.evaluate("() => document.body.innerText")
    check("Voila", outcomes(parted(text)), "voila", "ipywidgets")


def test_a_screen_reader_is_told_of_answer_comparison_and_panel(server, browser):
    """Roles and names in reading order, as the accessibility tree of Chromium has them."""
    page = LabPage(page=browser.new_page(viewport={"width": 1200, "height": 900}), server=server).start()
    cells = ["%load_ext vertex_claude_magic", "%%claude\nWhat's the capital of Mongolia?",
             "%%claude_compare -m haiku,sonnet\nWhat's the capital of Mongolia?", "%claude_panel"]  # fmt: skip
    page.open(write_notebook(server.root / "reader.ipynb", cells))
    page.run_all()
    outputs = page.page.locator(".jp-OutputArea-output")
    answer, comparison, panel, *_ = (
        each.aria_snapshot() for each in outputs.all() if each.inner_text().strip()
    )
    assert in_order(answer, "strong: Ulaanbaatar.", "group: Sonnet 5.5", "Answered by the emulator")
    haiku, sonnet, differs = 'columnheader "haiku"', 'columnheader "sonnet"', 'columnheader "What differs"'
    assert in_order(comparison, haiku, 'cell "Ulaanbaatar."', sonnet, 'cell "Ulaanbaatar."', differs,
                    'rowheader "cost"', "The same in all")  # fmt: skip
    # Nothing that a key could press, and no row without cells.
    assert not re.search(r"- (button|link|img|row$)", comparison, re.MULTILINE)
    controls = re.findall(r"- '?(button|checkbox|combobox|radio|spinbutton|tab|textbox)\b(.*)", panel)
    assert len(controls) > 20
    assert not [each for each in controls if not re.match(r' "[^"]+"', each[1])]
    assert in_order(
        panel,
        'button "Try it"',
        'combobox "Show"',
        'combobox "Region"',
        'radiogroup "Model"',
        'radio "Latest Sonnet',
        'tab "Settings" [selected]',
        'tabpanel "Settings"',
    )


def in_order(text: str, *parts: str) -> bool:
    """Tell whether all parts are in the text, each behind the one before."""
    at = -1
    for part in parts:
        if (at := text.find(part, at + 1)) < 0:
            pytest.fail(f"{part} is not in its place in\n{text}")
    return True
