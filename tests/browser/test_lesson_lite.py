"""A lesson in the browser alone: JupyterLite with Pyodide replays it, and no other host is asked."""

from __future__ import annotations

import functools
import json
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
from frontends.matrix import check
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
# How every magic ends there, in one line each; the name is that of the table of front ends.
MAGICS = {
    "%%claude": ("claude", "-m haiku", "Name three rivers of Norway."),
    "%claude": ("claude", "-m haiku Name three rivers of Norway."),
    "%%claude -f json --as": ("claude", "-m haiku -f json --as list[int]", "Give one number."),
    "%%claude --replay": ("claude", "-m haiku --replay only", "Name three rivers of Norway."),
    "%claude_panel": ("claude_panel", ""),
    "%claude_models": ("claude_models", "haiku"),
    "%claude_usage": ("claude_usage", "--session"),
    "%%claude_map": ("claude_map", "labels reviews", "Is this good? {{ item }}"),
    "%%claude_batch": ("claude_batch", "job reviews --to gs://bucket/rows", "Is this good? {{ item }}"),
    "%%claude_compare": ("claude_compare", "-m haiku,sonnet", "Name three rivers of Norway."),
    "%claude_chat": ("claude_chat", ""),
    "%claude_fix": ("claude_fix", "--explain"),
    "%claude_hint": ("claude_hint", ""),
    "%claude_doctor": ("claude_doctor", ""),
    "%claude_logging": ("claude_logging", "status"),
    "%claude_demo": ("claude_demo", ""),
}
# One cell for all, because a cell that fails stops those after it.
EVERY_MAGIC = f"""\
import json, sys
reviews, ends = ["good", "bad"], {{"%load_ext": "works"}}
try:
    1 / 0
except ZeroDivisionError as error:
    sys.last_value = error
for name, (magic, line, *body) in {MAGICS}.items():
    run = get_ipython().run_cell_magic if body else get_ipython().run_line_magic
    try:
        run(magic, line, *body)
    except Exception as error:
        ends[name] = str(error)
    else:
        ends[name] = "works"
# A run over a table has its errors in the rows.
ends["%%claude_map"] = labels[0]["error"] or "works"
print("ends" + "=" + json.dumps(ends))
"""
# What an error says, and what the table says of it.
OUTCOMES = {
    "only recorded answers are available here": "says that only recorded answers are available",
    "Nothing is recorded for this request": "gives recorded answers only, and says what is not recorded",
    " of 4 on this error is not recorded": "gives recorded answers only, and says what is not recorded",
    "a batch is never replayed": "says that a batch is never replayed",
    "pip install": "says which package it needs; the site does not have it",
}


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


def outcome_of(end: str) -> str:
    """Return what the table says of how a magic ended."""
    if end == "works":
        return end
    return next((outcome for said, outcome in OUTCOMES.items() if said in end), f"says: {end}")


def run_all(page: Page) -> None:
    page.locator(".lm-MenuBar-itemLabel", has_text="Run").click()
    page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()


def run_below(page: Page, source: str, shown: str) -> str:
    """Run a cell below the last one, and return its text when it holds a part that is waited for."""
    page.locator(".jp-Notebook .jp-Cell").last.locator(".jp-InputPrompt").click()
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(source)
    page.keyboard.press("Shift+Enter")
    output = page.locator(".jp-OutputArea-output").filter(has_text=shown)
    output.wait_for()
    return output.inner_text()


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
        expect(outputs.last).to_contain_text("only recorded answers are available here")
        answer = outputs.first
        expect(answer.locator("strong")).to_have_text("Glomma")
        expect(answer).to_contain_text("no request sent")
        expect(outputs.nth(1)).to_contain_text("(True, 'The **Glomma**")
        expect(page.locator(".jupyter-widgets").first).to_be_visible(timeout=60_000)
        assert outputs.filter(has_text="Wrong: runtime.").count() >= 1
        ends = json.loads(run_below(page, EVERY_MAGIC, "ends=").partition("ends=")[2].splitlines()[0])
        check(
            "JupyterLite",
            {name: outcome_of(end) for name, end in ends.items()},
            "jupyterlite-core",
            "jupyterlite-pyodide-kernel",
        )
        browser.close()
    home = urlsplit(site).netloc
    outside = [
        each
        for each in asked
        if urlsplit(each).scheme not in {"data", "blob"} and urlsplit(each).netloc != home
    ]
    assert outside == []
    assert sum(each.endswith(".whl") for each in asked) > 10
