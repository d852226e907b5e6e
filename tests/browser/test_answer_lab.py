"""The extension in JupyterLab: an answer streams, ends as one static output, and outlives its kernel."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import nbformat
import pytest
from lab import LabPage, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Not the demo: this emulator describes the request, in every kind of Markdown.
START = """%load_ext vertex_claude_magic
import os
from vertex_claude_magic.emulator import Emulator
emulator = Emulator(pace=0.02)
os.environ.update(emulator.environment)"""
CELLS = [
    START,
    "%%claude answer -m haiku\nWhat does this emulator do? Prices such as $5 and $10 stay prices.",
    "%%claude --thinking adaptive --show-thinking\nThink first.",
    "for word in ('one', 'two'):\n    %claude -m haiku -n 40 Is it a word?",
    "answer",
    "%%claude -m claude-opus-5-5 -t 0.2\nThis one is refused before it is sent.",
    "print('Run All does not come here')",
]
ANSWER = 1

# Keeps text and height of the second cell's outputs, once for each frame that the browser paints.
WATCH = """() => {
    const area = window.jupyterapp.shell.currentWidget.content.widgets.find(
        cell => cell.model.sharedModel.getSource().startsWith('%%claude answer')).outputArea.node;
    window.states = [];
    window.heights = [];
    const look = () => {
        const text = area.innerText.trim();
        if (text && window.states.at(-1) !== text) window.states.push(text);
        window.heights.push(Math.round(area.getBoundingClientRect().height));
        if (area.isConnected) requestAnimationFrame(look);
    };
    look();
}"""
# JupyterLab loads its Markdown renderer with the first output in Markdown, and on a loaded machine takes
# longer for it than the emulator for its first token; then the line before the answer is never painted.
LOAD_RENDERER = """async () => {
    const rendermime = window.jupyterapp.shell.currentWidget.content.rendermime;
    const model = rendermime.createModel({data: {'text/markdown': 'A **word**.'}});
    await rendermime.createRenderer('text/markdown').renderModel(model);
}"""
SCREEN = """index => {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets.filter(cell => cell.model.type === 'code');
    cells[index].node.scrollIntoView({block: 'start'});
}"""
ELEMENTS = """() => [...document.querySelectorAll('.jp-OutputArea-output')].flatMap(
    output => [...output.querySelectorAll('*')].map(element => element.tagName.toLowerCase()))"""
ACTIVE = {"script", "button", "form", "iframe", "input", "style", "link", "object", "embed", "img"}


@dataclass(kw_only=True)
class Shown:
    """What a run of the notebook showed."""

    lab: LabPage
    path: Path
    states: list[str] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)


@pytest.fixture(scope="module")
def shown(lab: LabPage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The notebook, run once while a watcher looks at the answer, and saved."""
    path = write_notebook(lab.server.root / "answer.ipynb", CELLS)
    lab.open(path)
    lab.page.evaluate(LOAD_RENDERER)
    lab.page.evaluate(WATCH)
    lab.run_all(timeout=90)
    states, heights = lab.page.evaluate("() => [window.states, window.heights]")
    yield Shown(lab=lab, path=path, states=states, heights=heights)
    lab.close()


def outputs_of(path: Path) -> list[list[dict]]:
    return [cell.outputs for cell in nbformat.read(path, as_version=4).cells]


def test_an_answer_streams_into_the_page(shown):
    """A line says what is asked, then the text grows, and what is there stays there."""
    growing = [state for state in shown.states if "An answer from the emulator" in state]
    assert shown.states[0].startswith("◌ claude-haiku")
    assert len({len(state) for state in growing}) >= 5
    for earlier, later in pairwise(growing):
        kept = earlier.split("\n")[0]
        assert kept in later


def test_the_page_does_not_jump_while_it_streams(shown):
    """The outputs only grow; they never collapse in between, not at the end either."""
    drops = [(before, after) for before, after in pairwise(shown.heights) if after < before - 60]
    assert not drops


def test_it_ends_as_one_static_markdown_output(shown):
    """No widget and nothing active; headings, tables, code and formulas are drawn, prices are not formulas."""
    shown.lab.save()
    (output,) = outputs_of(shown.path)[ANSWER]
    assert output.output_type == "display_data"
    assert set(output.data) == {"text/markdown", "text/plain"}
    assert output.metadata["vertex_claude_magic"]["complete"] is True
    text = shown.lab.texts(".jp-RenderedMarkdown")[0]
    assert "Answered by the emulator" in text
    assert "$5 and $10" in text
    elements = shown.lab.page.evaluate(ELEMENTS)
    assert not ACTIVE & set(elements)
    assert {"h2", "table", "code", "small"} <= set(elements)
    assert any(element.startswith("mjx") for element in elements)


def test_each_kind_of_cell_ends_as_it_should(shown):
    """Folded thinking, an error in one line, a loop with two answers, and a reply that is evaluated."""
    shown.lab.save()
    kinds = [[output.output_type for output in outputs] for outputs in outputs_of(shown.path)]
    assert kinds[2:] == [["display_data"], ["display_data"] * 2, ["execute_result"], ["error"], []]
    page = shown.lab.page
    thinking = page.locator("details").filter(has=page.locator("summary", has_text="Thinking"))
    assert thinking.count() == 1
    assert thinking.get_attribute("open") is None


def test_saved_and_opened_without_a_kernel_the_answer_is_still_there(shown):
    """Also for somebody who has neither the extension nor an account."""
    lab = shown.lab
    lab.save()
    before = lab.texts(".jp-RenderedMarkdown")[0]
    lab.close()
    lab.open(shown.path, kernel=False)
    lab.settle()
    assert lab.texts(".jp-RenderedMarkdown")[0] == before
    assert not lab.strangers()
    assert not lab.dialogs


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_the_footer_is_quiet_and_readable_in_both_themes(shown, theme, tmp_path):
    """Smaller than the text, and in the text's own colour."""
    shown.lab.theme(theme)
    style = shown.lab.page.evaluate(
        """() => {
            const footer = document.querySelector('.jp-RenderedMarkdown small');
            const pick = node => [parseFloat(getComputedStyle(node).fontSize), getComputedStyle(node).color];
            return [pick(footer), pick(footer.closest('.jp-RenderedMarkdown'))];
        }"""
    )
    (small, colour), (usual, text_colour) = style
    assert small < usual
    assert colour == text_colour
    for index in (ANSWER, ANSWER + 1, ANSWER + 2):
        shown.lab.page.evaluate(SCREEN, index)
        assert shown.lab.screenshot(tmp_path / f"{index}.png").stat().st_size > 10_000
