"""What the tests of front ends share: the emulator that all of them ask, and processes with a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "browser")]

from vertex_claude_magic.emulator import Emulator  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; what they need is not part of the extra `test`."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.frontends)


@pytest.fixture
def demo() -> Iterator[Emulator]:
    """The emulator with its written answers; it takes no more than four batches."""
    with Emulator(demo=True) as started:
        yield started


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A folder with nothing of the user's own Jupyter in sight, and an environment that points to the emulator."""

    folder: Path
    environment: dict[str, str]

    def run(self, *command: str, seconds: float = 120, ok: Collection[int] = (0,)) -> str:
        """Run a module of this interpreter in the folder, and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode in ok, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture
def place(demo: Emulator, tmp_path: Path) -> Place:
    return make_place(demo, tmp_path)


def make_place(emulator: Emulator, folder: Path) -> Place:
    """Make a folder with nothing in it, beside the homes of all that runs there."""
    work = folder / "work"
    work.mkdir()
    homes = {name: str(folder / name.lower()) for name in ("HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR",
             "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR")}  # fmt: skip
    for name in homes.values():
        Path(name).mkdir(exist_ok=True)
    folders = [str(Path(sys.executable).parent)]
    if pandoc := find_spec("pypandoc"):
        # Where the wheel has its pandoc, which nbconvert looks for in the path.
        folders.append(str(Path(str(pandoc.origin)).parent / "files"))
    fixed = {
        "PATH": os.pathsep.join([*folders, os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    return Place(folder=work, environment={**os.environ, **emulator.environment, **homes, **fixed})
