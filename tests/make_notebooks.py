"""Make the outputs and the recordings of the example notebooks anew, from the emulator.

    python tests/make_notebooks.py [NAME ...]

Each notebook runs twice: once to be recorded, and once as its readers run it.
"""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from vertex_claude_magic.emulator import Emulator

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"


def versions() -> dict[str, str]:
    """The libraries whose release decides the bytes of a picture and the letters of a frame."""
    return {name: version(name) for name in ("matplotlib", "numpy", "pandas", "pillow")}


def make(path: Path) -> None:
    """Run one notebook, and write its recording and its outputs."""
    recording = path.with_suffix(".claude")
    recording.unlink(missing_ok=True)
    with Emulator(pace=0.004, demo=True) as emulator, tempfile.TemporaryDirectory() as home:
        surroundings = {**os.environ, **emulator.environment, "HOME": home}
        executed(path, {**surroundings, "VERTEX_CLAUDE_RECORDING": recording.name})
        notebook = executed(path, surroundings)
    recording.chmod(0o644)
    notebook.metadata["made_with"] = versions()
    nbformat.validate(notebook)
    nbformat.write(notebook, path)


def executed(path: Path, environment: dict[str, str]) -> Any:
    """Run a notebook in its folder, and return it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        resources=where,
    ).execute(env={**environment, "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
    return notebook


if __name__ == "__main__":
    chosen = [NOTEBOOKS / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb"))
    for each in chosen:
        make(each)
        print("made", each.name)
