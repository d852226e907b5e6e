"""jupyter-collaboration: one notebook in two browsers, on a server that stores the history of the document."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from cells import ANSWER, QUESTION
from lab import LabPage, LabServer, write_notebook
from pages import browsing, lab_server

from vertex_claude_magic.emulator import Emulator, Flood

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# A piece of text of a line and a half, a paragraph each.
PIECE = "A paragraph of some words, such as a model writes. " * 2 + "\n\n"
PER_SECOND = 60


class Room:
    """The messages of a page about the shared document, in bytes."""

    def __init__(self, page) -> None:
        self.sent = 0
        page.on("websocket", self._watch)

    def _watch(self, socket) -> None:
        if "collaboration/room" in socket.url:
            socket.on("framesent", lambda payload: self._count(payload))

    def _count(self, payload) -> None:
        self.sent += len(payload)


def stored(root: Path) -> int:
    """The bytes of all updates that the server has stored of its documents."""
    file = root / ".jupyter_ystore.db"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        return int(database.execute("select coalesce(sum(length(yupdate)), 0) from yupdates").fetchone()[0])


@pytest.fixture(scope="module")
def demo() -> Iterator[Emulator]:
    with Emulator(demo=True) as started:
        yield started


@pytest.fixture(scope="module")
def two(demo, tmp_path_factory) -> Iterator[tuple[list[LabPage], list[Room], LabServer]]:
    """Two pages, each in a browser context of its own, and the server."""
    with lab_server(demo, tmp_path_factory.mktemp("lab")) as server, browsing() as browser:
        pages = [
            LabPage(
                page=browser.new_context(viewport={"width": 1200, "height": 900}).new_page(), server=server
            )
            for _ in range(2)
        ]
        rooms = [Room(each.page) for each in pages]
        for each in pages:
            each.start()
        yield pages, rooms, server


def test_an_answer_is_in_both_pages_once_and_costs_in_proportion_to_its_length(two, demo):
    """Traffic of the page that runs, and what the server stores of it: twice the text, about twice the bytes."""
    (mine, other), (room, _), server = two
    cells = ["%load_ext vertex_claude_magic", *["%%claude\nSay a lot."] * 2, f"%%claude\n{QUESTION}"]
    path = write_notebook(server.root / "shared.ipynb", cells)
    for page in (mine, other):
        page.open(path)
    mine.page.evaluate("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0; }")
    mine.command("notebook:run-cell-and-select-next")
    mine.wait_idle()
    seen = []
    for count in (200, 400):
        demo.answer(Flood(count=count, text=PIECE, per_second=PER_SECOND))
        before = (room.sent, stored(server.root))
        mine.command("notebook:run-cell-and-select-next")
        mine.wait_idle(120)
        mine.settle()
        other.settle()
        seen.append([now - then for now, then in zip((room.sent, stored(server.root)), before, strict=True)])
    mine.command("notebook:run-cell-and-select-next")
    mine.wait_idle()
    for page in (mine, other):
        page.page.get_by_text(f"{ANSWER}.").wait_for()
        page.settle()
        assert len([text for text in page.texts() if ANSWER in text]) == 1
        assert not [text for text in page.texts() if "◌" in text]
    for short, long in zip(*seen, strict=True):
        assert long < 2.6 * short


def test_the_second_page_says_how_to_see_the_panel(two):
    """Widgets are drawn by the page that was there when they came; a reload draws them in the other one."""
    (mine, other), _, server = two
    path = write_notebook(server.root / "panel.ipynb", ["%load_ext vertex_claude_magic", "%claude_panel"])
    for page in (mine, other):
        page.open(path)
    mine.run_all()
    mine.page.get_by_text("Tick two rows to compare").wait_for()
    other.page.get_by_text("reload the page if one is running already").wait_for()
    # As a reload, which asks first whether to leave.
    later = LabPage(page=other.page.context.new_page(), server=server).start()
    later.open(path)
    later.page.get_by_text("Tick two rows to compare").wait_for()
