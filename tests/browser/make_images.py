"""Make pictures of `docs/images` anew: JupyterLab in Chromium, in front of the demo's emulator.

    python tests/browser/make_images.py [NAME ...]

Look at each of them before it is committed; the names are the keys of `PICTURES`.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from conftest import chromium
from lab import CHROMIUM_FLAGS, LabPage, LabServer, write_notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from playwright.sync_api import Locator

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
DEMO = "%load_ext vertex_claude_magic\n%claude_demo"
MAGICS = "magics = get_ipython().find_line_magic('claude').__self__"
COMPARE = "%%claude_compare -m haiku,sonnet,opus\nSummarise the history of the least-squares method."
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


class Server(LabServer):
    """A server whose kernels have the journal of a home of their own, as users have."""

    def environment(self) -> dict[str, str]:
        return {
            name: value
            for name, value in super().environment().items()
            if name != "VERTEX_CLAUDE_JOURNAL" and not name.startswith("XDG_")
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One cell as it is shown.

    Args:
        cell: Its source.
        width: The width of the window in pixels.
        height: Its height; the picture is then of the whole window, with the cell at the top.
        themes: The endings of its files' names; "" for a light one without an ending.
        before: Cells that run before it.
        prepare: Code that the kernel runs before all of that.
        act: What is done with the panel that it shows.
        files: What lies beside the notebook, texts by path.
        cells: How many of the last cells are in the picture.
    """

    cell: str
    width: int = 1200
    height: int = 0
    themes: tuple[str, ...] = ("light", "dark")
    before: tuple[str, ...] = ()
    prepare: str = ""
    act: Callable[[LabPage, Locator], None] = lambda page, panel: None
    files: Mapping[str, str] = field(default_factory=dict)
    cells: int = 1


def press(panel: Locator, name: str, *, role: str = "button") -> None:
    panel.get_by_role(role, name=name, exact=True).click()


def show_all(page: LabPage, panel: Locator) -> None:
    """Show the rows of all current models."""
    panel.get_by_label("Show", exact=True).select_option("All current")
    page.wait_idle()


def compare(page: LabPage, panel: Locator) -> None:
    """Tick two rows of all current models in a region that does not serve all of them."""
    show_all(page, panel)
    panel.get_by_label("Region", exact=True).select_option("eu")
    page.wait_idle()
    page.settle()
    for name in ("Sonnet 5.5", "Sonnet 4.6"):
        panel.get_by_label(f"Compare {name}", exact=True).check()
    panel.get_by_text("What differs is bold.").wait_for()


def count(page: LabPage, panel: Locator) -> None:
    """Open the tab of prices, and count a prompt."""
    show_all(page, panel)
    press(panel, "Cost", role="tab")
    panel.get_by_label("Count what", exact=True).fill("Why is the sky blue?")
    press(panel, "Count tokens")
    page.page.wait_for_function("() => /(\\d+) of \\1 models counted/.test(document.body.innerText)")


def check(page: LabPage, panel: Locator) -> None:
    """Open the tab of the status, check, and read the logging."""
    press(panel, "Status", role="tab")
    press(panel, "Check")
    panel.get_by_text("Checked.").first.wait_for()
    press(panel, "Read logging")
    panel.get_by_text("Read just now.").first.wait_for()


# The exercise of the notebook about teaching, with its answers.
TEACHING = Path(__file__).resolve().parents[2] / "notebooks"
WRONG = "def median(values):\n    middle = len(values) {} 2\n    return values[middle]\n\n\nmedian([30, 10, 20, 50, 40])"
HINTS = (
    f"import sys\nsys.path.insert(0, {str(TEACHING)!r})\nimport hint_answers\n"
    "magics.emulator.answer(*hint_answers.ANSWERS)"
)
POLICY = """[locks]
model = ["sonnet", "haiku"]
region = "eu"
effort = "low"
[limits]
max_tokens = 1000
max_cost = 0.05
tools = false
attachments = false
[hints]
highest = 3
"""

PICTURES = {
    "answer": Picture(
        cell="%%claude\nWhich assumptions does a t-test make, and which of them matter?", width=900
    ),
    "compare": Picture(cell=COMPARE),
    # The cell itself has 480 pixels.
    "compare-narrow": Picture(cell=COMPARE, width=596),
    "doctor": Picture(
        cell="%claude_doctor", prepare="magics.emulator.bar('claude-sonnet-5-5', 'global', 'not enabled')"
    ),
    "usage": Picture(
        cell="%claude_usage",
        before=(
            "%claude -q Why is the sky blue?",
            "%claude -q -m opus Design an experiment that separates these two explanations.",
            "%claude -q -m haiku What is a p-value?",
        ),
    ),
    "panel": Picture(cell="%claude_panel", width=1280, act=show_all),
    # The panel itself has 320 pixels.
    "panel-narrow": Picture(cell="%claude_panel", width=436, themes=("", "dark")),
    # A projector: what is on the first screen.
    "panel-projector": Picture(cell="%claude_panel", width=731, height=411),
    "panel-wide": Picture(cell="%claude_panel", width=1620, themes=("",), act=count),
    "panel-compare": Picture(cell="%claude_panel", width=1280, themes=("light",), act=compare),
    "panel-health": Picture(
        cell="%claude_panel",
        prepare="magics.emulator.bar('claude-opus-5', 'global', 'not enabled')",
        act=check,
    ),
    "panel-locked": Picture(
        cell="%claude_panel", width=1280, files={"claude-policy.toml": POLICY}, act=show_all
    ),
    "hint": Picture(
        cell="%claude_hint",
        width=900,
        prepare=HINTS,
        before=(WRONG.format("/"), "%claude_hint", "%claude_hint"),
        cells=3,
    ),
    "checks": Picture(
        cell="%claude_hint --check median",
        width=900,
        before=(WRONG.format("//"),),
        files={"exercises/median.toml": (TEACHING / "exercises" / "median.toml").read_text(encoding="utf-8")},
    ),
}


def make(name: str, picture: Picture, page: LabPage) -> None:
    """Show a cell, and save what it looks like in each theme."""
    cells = [DEMO, *picture.before, picture.cell]
    # High enough that nothing has to be scrolled.
    page.page.set_viewport_size({"width": picture.width, "height": 2600})
    # Each in a folder of its own, because a notebook that is opened again finds its kernel as it was left.
    folder = page.server.root / name
    folder.mkdir()
    for name_of_file, text in picture.files.items():
        (folder / name_of_file).parent.mkdir(exist_ok=True)
        (folder / name_of_file).write_text(text, encoding="utf-8")
    # A cell may fail, as a student's does, and those below it run all the same.
    page.open(write_notebook(folder / "lesson.ipynb", cells, tags=["raises-exception"]))
    page.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
    page.execute(f"get_ipython().run_cell({DEMO!r})\n{MAGICS}\n{picture.prepare}")
    page.run_all()
    picture.act(page, page.page.locator(".vertex-claude-panel").first)
    for theme in picture.themes:
        page.theme(THEMES[theme or "light"])
        page.page.evaluate("() => document.activeElement.blur()")
        page.settle()
        file = IMAGES / f"{name}{theme and '-'}{theme}.png"
        cell = page.page.locator(".jp-Notebook .jp-Cell").nth(len(cells) - 1)
        if picture.height:
            page.page.set_viewport_size({"width": picture.width, "height": picture.height})
            cell.evaluate("cell => cell.scrollIntoView({block: 'start'})")
            page.page.screenshot(path=str(file))
        elif picture.cells > 1:
            shown = page.page.locator(".jp-Notebook .jp-Cell")
            first, last = shown.nth(len(cells) - picture.cells).bounding_box(), cell.bounding_box()
            height = last["y"] + last["height"] - first["y"]
            page.page.screenshot(path=str(file), clip={**first, "height": height})
        else:
            cell.screenshot(path=str(file))
        print("made", file.name)
    page.close()


def main() -> None:
    """Make the named pictures, or all."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(home=Path(home)).start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        try:
            page = LabPage(page=browser.new_page(), server=server).start()
            for name in sys.argv[1:] or PICTURES:
                make(name, PICTURES[name], page)
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
