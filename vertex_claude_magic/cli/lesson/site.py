"""The browser edition of a lesson: a JupyterLite site whose kernel is Pyodide; it loads nothing from another host."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.cli.lesson.folder import NOTEBOOKS, POLICY_FILE
from vertex_claude_magic.cli.lesson.pyodide import fetch_pyodide, write_pyodide
from vertex_claude_magic.cli.lesson.wheel import DISTRIBUTION
from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec

__all__ = ["build_site", "check_builder"]

_KERNEL = "@jupyterlite/pyodide-kernel-extension"
_WIDGETS = "@jupyter-widgets/jupyterlab-manager"


def check_builder(find: Callable[[str], ModuleSpec | None] = find_spec) -> None:
    """Check that what builds the site is installed.

    Args:
        find: Finds a module without importing it.

    Raises:
        MissingExtra: it is not.
    """
    if any(find(name) is None for name in ("jupyterlite_core", "jupyterlite_pyodide_kernel")):
        raise MissingExtra(
            "The browser edition needs JupyterLite.",
            cure='Run: pip install "vertex-claude-magic[lesson]"; or add --no-browser.',
        )


def build_site(
    staged: Path, out: Path, *, work: Path, wheel: Path, cache: Path, archive: Path | None = None
) -> None:
    """Build the site; everything that it loads is in it.

    Args:
        staged: The lesson; its notebooks and its policy go into the site.
        out: The new folder.
        work: A new folder for what is needed while building.
        wheel: This package's wheel.
        cache: Where downloads are kept.
        archive: Pyodide's npm package, where npm is not to be asked.

    Raises:
        MissingExtra: JupyterLite, npm or pip is not installed.
        OptionError: something cannot be downloaded or built.
    """
    check_builder()
    from jupyter_core.paths import jupyter_path
    from jupyterlite_pyodide_kernel.constants import PYODIDE_VERSION

    work = work.resolve()
    built = work / "built"
    _write_contents(staged, work / "contents")
    # The very release that the kernel was made for.
    fetched = fetch_pyodide(PYODIDE_VERSION, cache, archive)
    write_pyodide(fetched, work / "static/pyodide", wheel)
    kernel = {
        "pyodideUrl": "./static/pyodide/pyodide.mjs",
        "disablePyPIFallback": True,
        "loadPyodideOptions": {"packages": [DISTRIBUTION, "comm"]},
    }
    configuration = {
        "jupyter-lite-schema-version": 0,
        "jupyter-config-data": {
            "appName": "Lesson (recorded answers only)",
            "litePluginSettings": {f"{_KERNEL}:kernel": kernel},
        },
    }
    (work / "jupyter-lite.json").write_text(json.dumps(configuration), encoding="utf-8")
    # As the browser has it, light or dark.
    themes = {"@jupyterlab/apputils-extension:themes": {"adaptive-theme": True}}
    (work / "overrides.json").write_text(json.dumps(themes), encoding="utf-8")
    # Extensions that are installed here for other work do not belong into a lesson.
    places = [Path(path, name) for name in (_KERNEL, _WIDGETS) for path in jupyter_path("labextensions")]
    extensions = {path.name: str(path) for path in reversed(places) if path.is_dir()}
    settings = {
        "LiteBuildConfig": {
            "lite_dir": str(work),
            "output_dir": str(built),
            "contents": [str(work / "contents")],
            "apps": ["lab", "notebooks"],
            "ignore_sys_prefix": ["federated_extensions"],
            "federated_extensions": list(extensions.values()),
            "no_sourcemaps": True,
            "no_unused_shared_packages": True,
        }
    }
    (work / "jupyter_lite_config.json").write_text(json.dumps(settings), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "jupyterlite_core", "build"],
        cwd=work, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        errors = re.findall(r"^(?:[\w.]*(?:Error|Exception)\b.*)$", done.stdout + done.stderr, re.MULTILINE)
        last = errors[-1] if errors else "no reason given"
        raise OptionError(
            f"JupyterLite could not build the site: {quote(last).rstrip('.')}.", cure="Or add --no-browser."
        )
    shutil.move(built, out)


def _write_contents(staged: Path, contents: Path) -> None:
    """Copy what the notebooks of the site see: themselves, the files beside them, and the policy."""
    import nbformat

    shutil.copytree(staged / NOTEBOOKS, contents / NOTEBOOKS)
    shutil.copyfile(staged / POLICY_FILE, contents / POLICY_FILE)
    for path in contents.rglob("*.ipynb"):
        # JupyterLite hands over files as they are, and the table of contents of JupyterLab 4.6 fails on lists of lines.
        notebook = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        # One that was made elsewhere names a kernel that is not here, and JupyterLite would ask for one.
        notebook.metadata["kernelspec"] = {
            "name": "python",
            "display_name": "Python (Pyodide)",
            "language": "python",
        }
        path.write_text(json.dumps(notebook, ensure_ascii=False), encoding="utf-8")
