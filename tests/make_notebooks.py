"""Make the outputs and the recordings of the example notebooks anew, from the emulator.

    python tests/make_notebooks.py [NAME ...]

Each notebook runs twice: once to be recorded, and once as its readers run it. The index, `notebooks/README.md`, is made
anew as well; `python tests/make_notebooks.py index` makes it alone.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
from kernel import run_notebook

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
    run_notebook(notebook, path.parent, {**environment, "PYDEVD_DISABLE_FILE_VALIDATION": "1"})
    return notebook


def repository() -> str:
    """The address of the repository on GitHub, as the metadata of the package say it; empty if they do not."""
    project = (NOTEBOOKS.parent / "pyproject.toml").read_text(encoding="utf-8")
    found = re.search(r'^Repository = "(https://github\.com/[\w.-]+/[\w.-]+)"$', project, re.MULTILINE)
    return found[1] if found else ""


def badges(name: str, address: str) -> str:
    """The badges that open a notebook of a repository on GitHub in Colab and in Vertex AI Workbench, as Markdown.

    The forms are those that Google writes: colab.research.google.com/github/OWNER/NAME/blob/BRANCH/PATH, and for Workbench
    the address of the file itself, in the query.
    """
    place = address.removeprefix("https://github.com/")
    file = f"https://raw.githubusercontent.com/{place}/main/notebooks/{name}"
    colab = f"https://colab.research.google.com/github/{place}/blob/main/notebooks/{name}"
    workbench = f"https://console.cloud.google.com/vertex-ai/workbench/deploy-notebook?{urlencode({'download_url': file})}"
    return f"[![Colab]({_BADGE}Colab-orange)]({colab}) [![Workbench]({_BADGE}Workbench-blue)]({workbench})"


_BADGE = "https://img.shields.io/badge/open_in-"


def index(address: str) -> str:
    """The index of the notebooks: what each shows, and badges if the address of the repository is known."""
    lines = [
        _INDEX,
        f"| notebook | what it shows |{' open |' if address else ''}",
        f"|---|---|{'---|' if address else ''}",
    ]
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        title, _, text = nbformat.read(path, as_version=4).cells[0].source.removeprefix("# ").partition("\n")
        first = re.split(r"(?<=[.!?])\s", text.strip(), maxsplit=1)[0]
        opens = f" {badges(path.name, address)} |" if address else ""
        lines.append(f"| [{path.stem}]({path.name}) | **{title}.** {first} |{opens}")
    return "\n".join(lines) + "\n"


_INDEX = """# Notebooks

Each runs offline: its answers come from the recording beside it (`.claude`) or from the emulator of the package, and say
so. In Colab and Workbench, take the whole folder along, because recordings, data and answers are files beside the notebook,
and begin with `%pip install "vertex-claude-magic[data,demo]"`.
"""

if __name__ == "__main__":
    chosen = [NOTEBOOKS / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(NOTEBOOKS.glob("*.ipynb"))
    for each in chosen:
        if each.stem != "index":
            make(each)
            print("made", each.name)
    (NOTEBOOKS / "README.md").write_text(index(repository()), encoding="utf-8")
