"""A notebook of twenty mixed cells runs once against the emulator, and again with nothing but what was kept."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mixed_cells import ANSWERS, CELLS
from shells import ROOT

from vertex_claude_magic.emulator import Fault

SCRIPT = Path(__file__).parents[1] / "mixed_cells.py"


def closed_network() -> list[str]:
    """The command that runs another one in a network of its own, without any interface; empty where it is not permitted."""
    command = ["unshare", "--net"]
    if shutil.which("unshare") is None:
        return []
    allowed = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if allowed else []


def run(folder: Path, *settings: str, command: list[str], **environment: str) -> list[dict[str, Any]]:
    """Run the cells in a Python of its own; Python's objects see the same settings through the environment."""
    surroundings = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        "MPLBACKEND": "agg",
        **environment,
    }
    done = subprocess.run([*command, sys.executable, "-W", "error::ResourceWarning", str(SCRIPT), *settings],
                          env=surroundings, cwd=folder, capture_output=True, text=True, timeout=600, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(params=["journal", "recording"])
def kept(request) -> dict[str, str]:
    """What the second run has: the journal of the first, or only its recording, as on another machine."""
    if request.param == "journal":
        return {}
    return {"VERTEX_CLAUDE_RECORDING": "lesson.claude", "VERTEX_CLAUDE_JOURNAL": "off"}


def test_twenty_mixed_cells_run_again_without_network_and_credentials(claude_emulator, tmp_path, kept):
    """Text, images, a PDF, tools, chats, `--as`, code, JSON, repeats and errors come out the same, and nothing is sent."""
    assert len(CELLS) == 20
    claude_emulator.answer(
        *ANSWERS[:-1], ANSWERS[-1], Fault(status=400, message="The emulator refuses this one.")
    )
    first = run(tmp_path, "replay_errors = True", command=[], **claude_emulator.environment, **kept)
    asked = len(claude_emulator.requests)
    second = run(tmp_path, "replay_errors = True", "replay_pace = 'instant'", command=closed_network(),
                 VERTEX_CLAUDE_REPLAY="only", **kept)  # fmt: skip
    for cell, one, two in zip(CELLS, first, second, strict=True):
        assert one["answer"] == two["answer"], cell
    assert [each["replayed"] for each in first] == [False] * 18 + [None] * 2
    assert [each["replayed"] for each in second] == [True] * 18 + [None] * 2
    assert [each["text"] for each in first[12]["answer"]] == ["First.", "Second."]
    assert "refuses this one" in first[18]["answer"]["error"][1]
    assert len(claude_emulator.requests) == asked
