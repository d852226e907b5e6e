"""The browser and the JupyterLab server that the browser tests share."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

from lab import CHROMIUM_FLAGS, LabPage, LabServer  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    """Return the browser's path; in CI it must be there."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.environ.get("CI"):
        pytest.fail("Chromium is missing; the browser tests must run in CI.")
    if found is None:
        pytest.skip("Chromium is not installed.")
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder, so that the usual run can leave the browser out."""
    here = str(Path(__file__).parent)
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)
            # In two processes, each with a JupyterLab and a browser of its own: those of the panel take half the time.
            panel = item.path.name.startswith("test_panel")
            item.add_marker(pytest.mark.xdist_group("panel" if panel else "browser"))


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    chromium()
    server = LabServer(home=tmp_path_factory.mktemp("lab"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def lab(lab_server: LabServer) -> Iterator[LabPage]:
    """One page of JupyterLab a module; its log of requests starts with the page.

    Playwright keeps an event loop running in this thread for as long as it is open, and no test of
    another module could have one of its own meanwhile.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        try:
            yield LabPage(page=page, server=lab_server).start()
        finally:
            browser.close()
