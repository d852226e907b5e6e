"""Servers of pages, and the browser that reads them."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError

import pytest
from lab import CHROMIUM_FLAGS, LabServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Place
    from playwright.sync_api import Browser

    from vertex_claude_magic.emulator import Emulator

__all__ = ["browsing", "chromium", "lab_server", "served"]


def chromium() -> str:
    """Return the path of the browser; a run without one fails, because it would leave out what it is for."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.fail("Chromium is missing.")
    return found


@contextmanager
def served(place: Place, url: str, *command: str, seconds: float = 60) -> Iterator[None]:
    """Run a module that serves pages, from when `url` answers until the end of the block."""
    with (place.folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=place.folder, env=place.environment, stdout=log, stderr=log
        )
    deadline = time.monotonic() + seconds
    try:
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail((place.folder / "server.log").read_text()[-3000:])
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60):
            return True
    except HTTPError:
        # It listens, and knows no such page.
        return True
    except (URLError, OSError):
        return False


class _Journaled(LabServer):
    """A server whose kernels keep a journal, as users have."""

    def environment(self) -> dict[str, str]:
        return {
            name: value for name, value in super().environment().items() if name != "VERTEX_CLAUDE_JOURNAL"
        }


@contextmanager
def lab_server(emulator: Emulator, folder: Path, *options: str) -> Iterator[LabServer]:
    """Start a JupyterLab server whose kernels ask the emulator."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in emulator.environment.items():
            patch.setenv(name, value)
        server = _Journaled(home=folder, options=options)
        try:
            yield server.start()
        finally:
            server.stop()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start the browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        try:
            yield browser
        finally:
            browser.close()
