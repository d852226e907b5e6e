"""The panel's notebook as somebody finds it who has no kernel: text that reads."""

from __future__ import annotations

import shutil
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "02-panel.ipynb"


def test_a_saved_panel_reads_without_a_kernel(lab):
    """Where the widget would be stands what to do, and the settings below it as plain text."""
    copy = lab.server.root / "saved-panel.ipynb"
    shutil.copy(NOTEBOOK, copy)
    lab.open(copy, kernel=False)
    lab.settle()
    shown = "\n".join(lab.texts())
    assert "Settings of this session: model claude-haiku-5-5, region global, at most 400 tokens" in shown
    # In the place of the widget, and not in the text that stands below a panel that works, too.
    assert "The Claude panel needs a running kernel: run this cell" in shown
    assert shown.count("running kernel") == 1
    lab.close()
