"""A recorded answer in JupyterLab: it streams as it did the first time, wears its badge, and asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from lab import LabPage, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUESTION = "%%claude answer -m haiku -n 400{option}\nWhy is the sample variance divided by n - 1?"
RECORD = [
    '%load_ext vertex_claude_magic\n%claude_demo\n%config ClaudeMagics.recording = "lesson.claude"',
    QUESTION.format(option=""),
    "%claude_demo stop",
]
REPLAY = [
    '%load_ext vertex_claude_magic\n%config ClaudeMagics.recording = "lesson.claude"\n%config ClaudeMagics.replay_pace = "recorded"',
    QUESTION.format(option=" --replay only"),
    "%%claude -m haiku -n 400 --replay only\nWhy is the sample variance divided by n?",
]
WATCH = """() => {
    window.states = [];
    const area = window.jupyterapp.shell.currentWidget.content.widgets[1].outputArea.node;
    const look = () => {
        const text = area.innerText.trim();
        if (text && window.states.at(-1) !== text) window.states.push(text);
        if (area.isConnected) requestAnimationFrame(look);
    };
    look();
}"""


@dataclass(kw_only=True)
class Replayed:
    """What the run without emulator, network and credentials showed."""

    lab: LabPage
    path: Path
    states: list[str]


@pytest.fixture(scope="module")
def replayed(lab: LabPage) -> Iterator[Replayed]:
    """The question, asked of the demo in one notebook and replayed in another one."""
    lab.open(write_notebook(lab.server.root / "record.ipynb", RECORD))
    lab.run_all(timeout=60)
    lab.close()
    path = write_notebook(lab.server.root / "replay.ipynb", REPLAY)
    lab.open(path)
    lab.page.evaluate(WATCH)
    lab.run_all(timeout=60)
    yield Replayed(lab=lab, path=path, states=lab.page.evaluate("() => window.states"))
    lab.close()


def test_a_replayed_answer_streams_as_it_came(replayed):
    """It grows on the page; it does not appear at once."""
    growing = [state for state in replayed.states if "deviations" in state]
    assert len({len(state) for state in growing}) >= 5
    assert replayed.states[0].startswith("◌ ⟲ replayed · claude-haiku")


def test_it_wears_a_badge_and_says_who_answered(replayed):
    """The date of the first time, that no request was sent, and that it is not Claude's."""
    text = replayed.lab.texts(".jp-RenderedMarkdown")[0]
    assert "⟲ replayed from 20" in text
    assert "no request sent" in text
    assert "Answered by the emulator, not by Claude." in text
    assert not replayed.lab.strangers()


def test_a_miss_is_one_line_that_names_the_difference(replayed):
    """And the notebook's run stops there."""
    (error,) = replayed.lab.texts(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr'],"
                                  " .jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']")  # fmt: skip
    assert error.startswith("ReplayMiss: Nothing is recorded for this request.")
    assert "the prompt (" in error


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_it_looks_well_in_both_themes(replayed, theme, tmp_path):
    """A picture for whoever looks."""
    replayed.lab.theme(theme)
    replayed.lab.settle()
    assert replayed.lab.screenshot(tmp_path / "replay.png").stat().st_size > 10_000
