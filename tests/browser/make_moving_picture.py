"""Make `docs/images/tour.webp` anew: an answer that streams, the panel, and a table run, in JupyterLab in Chromium.

    python tests/browser/make_moving_picture.py [--frames FOLDER]

Look at the frames before it is committed; `--frames` writes them as PNG files.
"""

from __future__ import annotations

import argparse
import base64
import io
import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conftest import chromium
from lab import CHROMIUM_FLAGS, LabPage, write_notebook
from make_images import DEMO, IMAGES, MAGICS, Server
from PIL import Image, ImageChops

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playwright.sync_api import Locator, Page

TOUR = IMAGES / "tour.webp"
# The window, and the part of it that the film shows.
WIDTH, HEIGHT = 980, 700
SHOWN = (900, 540)
MOST_BYTES = 1_000_000
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

# Milliseconds: the shortest and the longest that a picture is shown while something moves.
SHORTEST, LONGEST = 80, 400
# A pointer, because what is pressed would not be seen without one.
POINTER = """([x, y]) => {
    let arrow = document.querySelector('#tour-pointer');
    if (!arrow) {
        arrow = document.createElement('div');
        arrow.id = 'tour-pointer';
        arrow.innerHTML = '<svg width="20" height="24" viewBox="0 0 20 24"><path d="M2 1v18l5-4 3 7 3-1.5-3-6.5 6-.5z"'
            + ' fill="#111" stroke="#fff" stroke-width="1.5"/></svg>';
        arrow.style.cssText = 'position: fixed; z-index: 100000; pointer-events: none';
        document.body.append(arrow);
    }
    arrow.style.left = x + 'px';
    arrow.style.top = y + 'px';
}"""
RUN = """number => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = number;
    window.jupyterapp.commands.execute('notebook:run-cell'); }"""
# Only the cells are in the picture: what is around them is JupyterLab's own.
IDLE = "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'idle'"
QUIET = """.jp-NotebookPanel-toolbar, .jp-cell-toolbar, .jp-Notebook-footer { display: none !important }
.jp-Cell .jp-Collapser { visibility: hidden } .jp-Notebook { scrollbar-width: none }
.jp-Notebook .jp-Cell { border-color: transparent !important; background: none !important }"""
CELLS = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"


@dataclass(kw_only=True, slots=True)
class Film:
    """The pictures so far, each with how long it is shown in milliseconds."""

    page: Page
    frames: list[Image.Image] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def _add(self, data: bytes, milliseconds: int) -> None:
        box = self.page.locator(CELLS).bounding_box()
        assert box is not None, "no notebook is shown"
        left, top = int(box["x"]), int(box["y"])
        frame = Image.open(io.BytesIO(data)).convert("RGB").crop((left, top, left + SHOWN[0], top + SHOWN[1]))
        # One that shows nothing new only prolongs the last.
        if self.frames and ImageChops.difference(self.frames[-1], frame).getbbox() is None:
            self.times[-1] += milliseconds
        else:
            self.frames.append(frame)
            self.times.append(milliseconds)

    def rest(self, milliseconds: int) -> None:
        """Take a picture that is shown so long."""
        self._add(self.page.screenshot(), milliseconds)

    def run(self, number: int) -> None:
        """Run a cell, and take what the browser draws until the kernel is idle again."""
        drawn: list[tuple[float, bytes]] = []
        session = self.page.context.new_cdp_session(self.page)

        def draw(event: Mapping[str, Any]) -> None:
            drawn.append((event["metadata"]["timestamp"], base64.b64decode(event["data"])))
            session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

        session.on("Page.screencastFrame", draw)
        session.send("Page.startScreencast", {"format": "png", "everyNthFrame": 1})
        self.page.evaluate(RUN, number)
        self.page.wait_for_timeout(200)
        while not self.page.evaluate(IDLE):
            self.page.wait_for_timeout(50)
        self.page.wait_for_timeout(500)
        session.send("Page.stopScreencast")
        last = 0.0
        for (began, data), (ended, _) in pairwise(drawn):
            if (began - last) * 1000 >= SHORTEST:
                last = began
                self._add(data, int(min(max((ended - began) * 1000, SHORTEST), LONGEST)))

    def save(self, path: Path) -> None:
        """Write the film without loss, so that letters have clean edges."""
        first, *others = self.frames
        first.save(
            path, save_all=True, append_images=others, duration=self.times, loop=0,
            lossless=True, quality=100, method=6, minimize_size=True,
        )  # fmt: skip


def point(film: Film, wanted: Locator) -> tuple[float, float]:
    """Move the pointer to an element; long rows are pressed where their name is."""
    box = wanted.bounding_box()
    assert box is not None, "it is not shown"
    x, y = box["x"] + min(box["width"] / 2, 60), box["y"] + box["height"] / 2
    film.page.evaluate(POINTER, [x, y])
    film.rest(700)
    return x, y


def scene(page: LabPage, name: str, cells: Sequence[str], prepare: str) -> None:
    """Open a notebook whose kernel is ready."""
    folder = page.server.root / name
    folder.mkdir()
    page.open(write_notebook(folder / "tour.ipynb", cells))
    page.page.add_style_tag(content=QUIET)
    page.execute(f"get_ipython().run_cell({DEMO!r})\n{MAGICS}\n{prepare}")
    page.page.evaluate("() => document.activeElement.blur()")
    page.settle()


def answer(page: LabPage, film: Film) -> None:
    """An answer streams in."""
    scene(page, "answer", ["%%claude\nExplain Simpson's paradox with a small table."], "")
    film.rest(1200)
    film.run(0)
    page.settle()
    film.rest(3000)


def panel(page: LabPage, film: Film) -> None:
    """The cheapest model that serves `eu` is chosen in the panel."""
    scene(page, "panel", ["%claude_panel"], "")
    film.rest(800)
    page.page.evaluate(RUN, 0)
    page.wait_idle()
    page.settle()
    film.rest(1500)
    shown = page.page.locator(".vertex-claude-panel").first
    for label, value in (("Show", "All current"), ("Region", "eu")):
        chosen = shown.get_by_label(label, exact=True)
        point(film, chosen)
        chosen.select_option(value)
        page.wait_idle()
        page.settle()
        film.rest(900)
    film.page.mouse.click(*point(film, shown.get_by_text("Latest Haiku (5.5)", exact=True).first))
    page.wait_idle()
    page.settle()
    film.rest(2600)
    page.page.evaluate("() => document.querySelector('#tour-pointer').remove()")


ASK = """%%claude_map labels sentences --as Kind -m haiku --max-active 4
From which kind of text is this sentence, and how sure are you (0 to 1)?

{{ sentence }}"""
# The sentences of 07-tables.ipynb, answered slowly enough that the bar is seen.
TABLE = """
import csv, json
from pathlib import Path
from typing import Literal, TypedDict
import pandas as pd
pd.options.display.max_colwidth = 48
from vertex_claude_magic.emulator import Emulator, Fault
class Kind(TypedDict):
    kind: Literal["novel", "science", "law"]
    sure: float
rows = list(csv.DictReader(open({path!r}, encoding="utf-8", newline="")))
answers = [{{"match": row["sentence"], "reply": json.dumps({{"kind": row["kind"], "sure": 0.95}})}} for row in rows]
Path("answers.json").write_text(json.dumps(answers), encoding="utf-8")
magics.emulator.close()
magics.emulator = Emulator(script="answers.json", demo=True)
magics.emulator.fail(*[Fault(delay=0.5)] * len(rows))
sentences = pd.DataFrame(rows).drop(columns=["kind", "from"])
"""


def table(page: LabPage, film: Film) -> None:
    """A prompt for every row of a table."""
    prepare = TABLE.format(path=str(NOTEBOOKS / "data" / "sentences.csv"))
    scene(page, "table", (ASK, 'labels[["sentence", "kind", "sure", "cost"]].head(6)'), prepare)
    film.rest(1500)
    film.run(0)
    page.settle()
    film.rest(1500)
    page.page.evaluate(RUN, 1)
    page.wait_idle()
    page.settle()
    film.rest(3000)


def main() -> None:
    """Make the film."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=Path, help="write each frame there too")
    folder = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        server = Server(home=Path(home)).start()
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        try:
            page = LabPage(
                page=browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}), server=server
            ).start()
            page.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
            film = Film(page=page.page)
            for part in (answer, panel, table):
                part(page, film)
                page.close()
        finally:
            browser.close()
            server.stop()
    film.save(TOUR)
    for number, frame in enumerate(film.frames if folder else ()):
        frame.save(folder / f"{number:03}.png")
    size = TOUR.stat().st_size
    print(f"made {TOUR.name}: {len(film.frames)} frames, {sum(film.times) / 1000:.0f} s, {size:,} bytes")
    assert size < MOST_BYTES, "too large for a README"


if __name__ == "__main__":
    main()
