"""A frame and a figure go out, code comes back into one new cell, and a failing cell is mended; in a real front end."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from conftest import chromium
from lab import CHROMIUM_FLAGS, LabPage, NotebookPage, write_notebook
from PIL import Image

from vertex_claude_magic.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab import LabServer

DATA = """import pandas as pd
from matplotlib.figure import Figure
frame = pd.DataFrame({"price": [3, 4], "city": ["Oslo", "Bergen"]})
figure = Figure(figsize=(4, 3))
figure.add_subplot().plot(frame["price"])"""
ASKED = "%%claude steps -f code\nWrite code for the mean price in {{ frame }}, which {{ figure }} shows."
CODE = """First the mean.

```python
mean = frame["price"].mean()
```

Then print it.

```python
print(f"mean {mean:.1f}")
```
"""
BROKEN = 'total = frame["prcie"].sum()\nprint(total)'
MENDED = """The column is called `price`. The cell asks for `prcie`.

```python
total = frame["price"].sum()
print(total)
```
"""
CITY = "from dataclasses import dataclass\n\n@dataclass\nclass City:\n    name: str\n    price: int"
TYPED = "%%claude cities --as list[City]\nWhich cities are in {{ frame }}?"
SOURCES = """() => window.jupyterapp.shell.currentWidget.content.widgets.map(
    cell => cell.model.sharedModel.getSource())"""
RUN = """async index => {
    const panel = window.jupyterapp.shell.currentWidget;
    panel.content.activeCellIndex = index;
    panel.content.deselectAll();
    await window.jupyterapp.commands.execute('notebook:run-cell');
}"""


class Book:
    """The notebook in the browser: run a cell by hand, look at what is there."""

    def __init__(self, lab: LabPage) -> None:
        self.lab = lab

    @property
    def sources(self) -> list[str]:
        return list(self.lab.page.evaluate(SOURCES))

    def run(self, source: str) -> str:
        """Run the cell with this source and return the text that it shows."""
        index = self.sources.index(source)
        self.lab.page.evaluate(RUN, index)
        self.lab.wait_idle()
        self.lab.settle()
        cell = (
            "index => window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node.innerText"
        )
        return str(self.lab.page.evaluate(cell, index))


@pytest.fixture(scope="module", params=[LabPage, NotebookPage], ids=["lab", "notebook"])
def book(request: Any, lab_server: LabServer, tmp_path_factory: Any) -> Iterator[tuple[Book, Emulator]]:
    """A notebook that asks an emulator of this process."""
    from playwright.sync_api import sync_playwright

    with Emulator() as emulator, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        lab = request.param(page=page, server=lab_server).start()
        start = f"import os\nos.environ.update({emulator.environment!r})\n%load_ext vertex_claude_magic"
        name = f"objects-{request.param.__name__}.ipynb"
        path: Path = write_notebook(
            lab_server.root / name, [start, DATA, ASKED, BROKEN, "%claude_fix", CITY, TYPED]
        )
        lab.open(path)
        book = Book(lab)
        book.run(start)
        book.run(DATA)
        yield book, emulator
        browser.close()


def test_a_frame_and_a_figure_are_asked_about_and_the_code_lands_in_one_new_cell(book):
    """In the place where they stand in the prompt; run by hand, the new cell works."""
    notebook, emulator = book
    emulator.answer(CODE)
    before = notebook.sources
    shown = notebook.run(ASKED)
    first, image, last = emulator.requests[-1].body["messages"][0]["content"]
    assert "2 rows × 2 columns" in first["text"]
    with Image.open(io.BytesIO(base64.b64decode(image["source"]["data"]))) as drawn:
        assert drawn.size == (400, 300)
    assert last["text"].endswith(" shows.")
    assert "First the mean." in shown
    assert "Code added in a new cell below." in shown
    assert "mean = frame" not in shown
    new = [source for source in notebook.sources if source not in before]
    assert len(notebook.sources) == len(before) + 1
    assert notebook.sources.index(new[0]) == before.index(ASKED) + 1
    assert notebook.run(new[0]).strip() == "mean 3.5"


def test_a_key_error_is_mended(book):
    """Explained in two sentences, shown as a diff, put below; run by hand, it works."""
    notebook, emulator = book
    assert "KeyError" in notebook.run(BROKEN)
    emulator.answer(MENDED)
    before = notebook.sources
    shown = notebook.run("%claude_fix")
    assert "The column is called price." in shown
    assert '-total = frame["prcie"].sum()' in shown
    assert '+total = frame["price"].sum()' in shown
    (new,) = [source for source in notebook.sources if source not in before]
    assert notebook.run(new).strip() == "7"
    sent = "\n".join(block["text"] for block in emulator.requests[-1].body["messages"][0]["content"])
    assert "KeyError: 'prcie'" in sent
    assert 'name="frame"' in sent


def test_data_are_shown_as_a_table(book):
    """Not as raw JSON; the variable holds the objects."""
    notebook, emulator = book
    notebook.run(CITY)
    emulator.answer('{"items": [{"name": "Oslo", "price": 3}, {"name": "Bergen", "price": 4}]}')
    shown = notebook.run(TYPED)
    assert "Oslo" in shown
    assert "{" not in shown
    assert notebook.lab.page.locator("td", has_text="Bergen").count() >= 1
    assert (
        notebook.lab.execute("print(cities.data[1], cities.df.shape)")
        == "City(name='Bergen', price=4) (2, 2)\n"
    )
