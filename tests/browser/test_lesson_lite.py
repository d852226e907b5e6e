"""A lesson in the browser alone: JupyterLite with Pyodide replays it, and no other host is asked."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import nbformat
import pytest
from conftest import chromium
from journals import client
from lab import CHROMIUM_FLAGS, PACKAGE_ROOT
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from vertex_claude_magic.emulator import Emulator

# Another host has no address, whoever asks for it: the page, a worker or the browser itself.
ALONE = ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"]
CELLS = [
    "%load_ext vertex_claude_magic\n%config ClaudeMagics.recording = 'rivers.claude'",
    "%%claude answer -m haiku\nName three rivers of Norway.",
    "answer.replayed, answer.text",
    "%claude_panel",
    "%claude_doctor",
    "%%claude -m haiku --replay off\nIs it late?",
]


@pytest.fixture
def site(claude_emulator: Emulator, tmp_path: Path) -> Iterator[str]:
    """The address of the browser edition of a lesson of one notebook."""
    course = tmp_path / "course"
    course.mkdir()
    claude_emulator.answer("The **Glomma**, the Pasvikelva and the Tana.")
    claude = client(claude_emulator, recording=str(course / "rivers.claude"), journal="off")
    claude.ask("Name three rivers of Norway.", model="haiku")
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[-1].metadata["tags"] = ["raises-exception"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), course / "rivers.ipynb")
    # Downloads stay in a folder that Git ignores, so that a second run needs no network.
    environment = {
        **os.environ,
        "PYTHONPATH": str(PACKAGE_ROOT),
        "XDG_CACHE_HOME": str(PACKAGE_ROOT / "build/cache"),
    }
    command = [sys.executable, "-m", "vertex_claude_magic", "lesson", "build", "course", "--to", "out"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """Print nothing."""

    serve = functools.partial(Quiet, directory=tmp_path / "out/site")
    server = ThreadingHTTPServer(("127.0.0.1", 0), serve)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run_all(page: Page) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()


def test_a_student_reads_the_lesson_with_a_browser_and_nothing_else(site):
    """From the first page to the answer: replayed, the panel drawn, a new question refused in one line."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_FLAGS, *ALONE])
        context = browser.new_context()
        asked: list[str] = []
        # Those of the kernel's worker and of the service worker too.
        context.on("request", lambda request: asked.append(request.url))
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.goto(site)
        expect(page.locator("body")).to_contain_text("Answers are recorded")
        page.get_by_role("link", name="rivers.ipynb").click()
        page.locator(".jp-Notebook .jp-Cell").first.wait_for()
        run_all(page)
        outputs = page.locator(".jp-OutputArea-output")
        # The kernel takes most of it, and longer beside other work.
        expect(outputs.last).to_contain_text("ThreadUnavailable", timeout=180_000)
        expect(outputs.last).to_contain_text("only recorded answers can be given here")
        answer = outputs.first
        expect(answer.locator("strong")).to_have_text("Glomma")
        expect(answer).to_contain_text("no request sent")
        expect(outputs.nth(1)).to_contain_text("(True, 'The **Glomma**")
        expect(page.locator(".jupyter-widgets").first).to_be_visible(timeout=60_000)
        expect(outputs.filter(has_text="Wrong: runtime.")).to_have_count(1, timeout=60_000)
        browser.close()
    home = urlsplit(site).netloc
    outside = [
        each
        for each in asked
        if urlsplit(each).scheme not in {"data", "blob"} and urlsplit(each).netloc != home
    ]
    assert outside == []
    assert sum(each.endswith(".whl") for each in asked) > 10
