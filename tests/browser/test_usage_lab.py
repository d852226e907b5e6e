"""`%claude_usage` in a real JupyterLab: one table, and a name from outside stays a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import write_notebook

if TYPE_CHECKING:
    from lab import LabPage

NAME = "<img src=x onerror=alert(1)> $x$ and $y$ \\(z\\)"
CELLS = [
    '%load_ext vertex_claude_magic\n%config ClaudeMagics.journal = "journal.sqlite3"\n%claude_demo',
    f"__vsc_ipynb_file__ = {NAME!r}\nreply = %claude -q -m haiku Hello\nother = %claude -q -m opus Hello",
    "%claude_usage",
    "%claude_usage --by notebook",
]


def test_usage_is_one_output_and_names_stay_text(lab: LabPage):
    """Cases 51 and 57 in the page itself: no request, no dialog, no formula, no second output."""
    lab.open(write_notebook(lab.server.root / "usage.ipynb", CELLS))
    before = len(lab.requests)
    lab.run_all()
    outputs = [text for text in lab.texts() if "Usage of all notebooks" in text]
    assert len(outputs) == 2
    assert NAME in outputs[1]
    assert "██████████" in outputs[0]
    assert "claude-haiku-5-5" in outputs[0]
    assert lab.page.locator(".jp-OutputArea-output mjx-container, .jp-OutputArea-output img").count() == 0
    assert not [url for url in lab.requests[before:] if url.endswith("/x")]
    assert lab.dialogs == []
    assert lab.strangers() == []
    lab.close()
