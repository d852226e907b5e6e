"""The panel's notebook as somebody finds it who has no kernel: text that reads."""

from __future__ import annotations

import shutil
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "02-panel.ipynb"


def test_a_saved_panel_reads_without_a_kernel(lab):
    """Beside what JupyterLab says of a widget that it cannot show, the settings stand as plain text."""
    copy = lab.server.root / "saved-panel.ipynb"
    shutil.copy(NOTEBOOK, copy)
    lab.open(copy, kernel=False)
    lab.settle()
    shown = "\n".join(lab.texts())
    assert "Set for this session: model claude-haiku-5-5, region global, at most 400 tokens" in shown
    # Below a panel that works this text stands too.
    assert "running kernel" not in shown
    lab.close()
