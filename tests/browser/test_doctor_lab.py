"""The diagnosis in a real JupyterLab: one table that stays, also without a kernel, and asks nobody for anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowed_html import violations
from lab import LabPage, write_notebook

from vertex_claude_magic.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOAD = "%load_ext vertex_claude_magic"
HOSTILE = "a $x$ \\(y\\) <img src=https://evil.example/x.png onerror=alert(1)> **b**"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def environment(emulator: Emulator) -> str:
    lines = [f"os.environ[{name!r}] = {value!r}" for name, value in emulator.environment.items()]
    return "\n".join(["import os", *lines, LOAD])


def shown(lab: LabPage, emulator: Emulator, name: str, line: str = "%claude_doctor --probe") -> Path:
    book = write_notebook(lab.server.root / f"{name}.ipynb", [environment(emulator), line])
    lab.open(book)
    lab.run_all()
    return book


def test_a_healthy_set_up_is_a_table_of_green_lines(lab, emulator):
    """Every check has its row; the widgets of this JupyterLab fit."""
    shown(lab, emulator, "healthy")
    (text,) = lab.texts()
    rows = [line.replace("\N{NO-BREAK SPACE}", " ").split("\t") for line in text.splitlines() if "\t" in line]
    results = {row[0]: row[1] for row in rows}
    assert {results[name] for name in ("token", "model", "quota", "one token", "widgets")} == {"✓ ok"}
    assert lab.strangers() == []
    lab.close()


def test_what_a_server_says_does_nothing_in_the_page(lab, emulator):
    """No picture is fetched, no formula is set, nothing can be pressed; the cure is a link into the console."""
    from vertex_claude_magic.emulator import Fault

    emulator.fail(
        Fault(status=401, body=b"{}"), Fault(status=403, reason="BILLING_DISABLED", message=HOSTILE)
    )
    book = shown(lab, emulator, "hostile", "%claude_doctor")
    (html,) = lab.outputs(".jp-OutputArea-output .jp-RenderedHTMLCommon, .jp-RenderedHTML")[:1]
    assert "mjx" not in html
    assert "<img" not in html
    assert "$x$" in lab.texts()[0]
    assert 'href="https://console.cloud.google.com/billing/linkedaccount?project=emulator-project"' in html
    assert not [each for each in violations(html) if "img" in each or "button" in each or "script" in each]
    assert (lab.strangers(), lab.dialogs) == ([], [])
    lab.save()
    lab.close()
    lab.open(book, kernel=False)
    assert "permission" in lab.texts()[0]
    lab.close()
