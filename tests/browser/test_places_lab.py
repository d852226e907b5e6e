"""Answers in other places of JupyterLab than below their cell: widgets, a code console, and a killed kernel's page."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from lab import LabPage, write_notebook

from vertex_claude_magic.__main__ import main
from vertex_claude_magic.emulator import Emulator, Fault, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWER = "The answer is **forty-two**."
CODE = "Do this:\n\n```python\nfirst_line = 1\n```\n"
WIDGETS = [
    "import ipywidgets as w\nip = get_ipython()\nout = w.Output()\nout",
    "with out:\n    %claude What is it?",
    (
        "button, below = w.Button(description='Ask'), w.Output()\n"
        "def clicked(_):\n    with below:\n        ip.run_line_magic('claude', 'What is it?')\n"
        "button.on_click(clicked)\nw.VBox([button, below])"
    ),
    "@w.interact(n=w.IntSlider(value=1, max=3))\ndef ask(n):\n    ip.run_line_magic('claude', f'What is {n}?')",
]
# In the console: run a cell, and wait until the kernel has answered.
INJECT = "code => window.jupyterapp.shell.currentWidget.console.inject(code).then(() => true)"
CONSOLE = "window.jupyterapp.shell.currentWidget.console"
SOURCES = f"() => [...{CONSOLE}.cells].map(cell => cell.model.sharedModel.getSource())"
PROMPT = f"() => {CONSOLE}.promptCell.model.sharedModel.getSource()"


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


def ready(emulator: Emulator) -> str:
    return f"import os\nos.environ.update({emulator.environment!r})\n%load_ext vertex_claude_magic"


@pytest.fixture
def notebook(lab, emulator, request):
    """A notebook that asks the emulator; its cells come from the test."""

    def opened(cells: list[str]) -> Path:
        path = write_notebook(lab.server.root / f"{request.node.name}.ipynb", [ready(emulator), *cells])
        lab.open(path)
        return path

    yield opened
    lab.close()


def test_an_answer_stands_in_the_widget_that_takes_the_outputs(lab: LabPage, emulator, notebook, tmp_path):
    """An Output, a button's callback and `interact`: one final answer in each, also after another choice."""
    emulator.answer(*[ANSWER] * 4)
    notebook(WIDGETS)
    lab.run_all()
    lab.page.get_by_role("button", name="Ask").click()
    places = lab.page.locator(".jupyter-widgets.jp-OutputArea, .jupyter-widgets .jp-OutputArea")
    answers = lab.page.locator(".jupyter-widgets .jp-RenderedMarkdown strong", has_text="forty-two")
    lab.page.wait_for_function(
        "() => [...document.querySelectorAll('.jupyter-widgets strong')]"
        ".filter(each => each.innerText === 'forty-two').length === 3"
    )
    lab.settle()
    assert answers.count() == 3
    assert places.count() >= 3
    assert not any("◌" in text for text in lab.texts())
    lab.screenshot(tmp_path / "widgets.png")
    lab.page.locator(".widget-slider .noUi-handle").first.press("ArrowRight")
    lab.page.locator(".widget-readout", has_text="2").wait_for()
    lab.wait_idle()
    lab.settle()
    assert answers.count() == 3


def test_the_draft_of_a_killed_kernel_is_known_as_unfinished(
    lab: LabPage, emulator, notebook, capsys, tmp_path
):
    """Saved with the notebook, reported by `audit`, taken out by `strip`."""
    emulator.answer(Reply(content="Half of it. " * 40, fault=Fault(stall_after=1200)))
    path = notebook(["%%claude\nhi", "import os\nprint('here')"])
    pid = int(lab.execute("import os; print(os.getpid())"))
    assert pid not in {0, 1, os.getpid()}
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    lab.page.locator(".jp-OutputArea-output", has_text="Half of it.").first.wait_for()
    os.kill(pid, signal.SIGKILL)
    # JupyterLab says that the kernel died.
    lab.page.locator(".jp-Dialog button").first.click()
    lab.save()
    lab.screenshot(tmp_path / "draft.png")
    assert "Half of it." in path.read_text(encoding="utf-8")
    main(["notebook", "audit", str(path)])
    assert "unfinished" in capsys.readouterr().out
    clean = tmp_path / "clean.ipynb"
    main(["notebook", "strip", str(path), "-o", str(clean)])
    assert "Half of it." not in clean.read_text(encoding="utf-8")


def test_a_code_console_shows_the_code_and_claims_no_new_cell(lab: LabPage, emulator, tmp_path):
    """It sends the id of a cell too; the question stays as it was typed."""
    emulator.answer(CODE, ANSWER)
    lab.command("console:create", kernelPreference={"name": "python3", "shouldStart": True}, activate=True)
    lab.page.wait_for_function(f"() => {CONSOLE}?.sessionContext?.session?.kernel?.status === 'idle'")
    question = "%%claude -f code\nWrite a line."
    for code in (ready(emulator), question, "%%claude\nWhat is it?"):
        lab.page.evaluate(INJECT, code)
    lab.settle()
    lab.screenshot(tmp_path / "console.png")
    (shown, last) = lab.texts(".jp-CodeConsole .jp-RenderedMarkdown")
    assert "first_line = 1" in shown
    assert "The code was not run." in shown
    assert "new cell" not in shown
    assert "forty-two" in last
    assert question in lab.page.evaluate(SOURCES)
    assert lab.page.evaluate(PROMPT) == ""
