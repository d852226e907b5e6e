"""The emulator in a process of its own, with scripted answers, and the environment that points at it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import ROOT, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["service"]


@contextmanager
def service(script: list[dict[str, Any]], *, pace: float | None = None) -> Iterator[dict[str, str]]:
    """Run `python -m vertex_claude_magic.emulator`, and yield the environment for those who ask it.

    Args:
        script: Entries of a script file, such as `{"match": "words of the prompt", "reply": "text"}`.
        pace: Seconds between two pieces of the answer; None sends them at once.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script.json"
        file.write_text(json.dumps(script), encoding="utf-8")
        command = [sys.executable, "-m", "vertex_claude_magic.emulator", "--script", str(file)]
        if pace is not None:
            command += ["--pace", str(pace)]
        environ = {**clean(), "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
        try:
            # Not the journal of this machine: it would fill with these questions, and the figures would grow with it.
            yield {**_environment(process), "VERTEX_CLAUDE_JOURNAL": str(Path(folder) / "journal.sqlite3")}
        finally:
            process.terminate()
            process.wait()


def _environment(process: subprocess.Popen[str]) -> dict[str, str]:
    found = clean()
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("export "):
            name, _, value = shlex.split(line)[1].partition("=")
            found[name] = value
        elif line.startswith("#"):
            return found
    raise RuntimeError("the emulator did not start")
