"""What the measures share: builds, rounds that take turns, figures with their targets, tables, worker processes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["ROOT", "Bench", "Build", "Figure", "Ratio", "Worker", "alternating", "checkout", "clean", "environment",
           "markdown", "middle", "workers"]  # fmt: skip

ROOT = Path(__file__).resolve().parent.parent
_VERSIONS = ("ipykernel", "ipython", "requests", "urllib3", "google-auth")
# What would lead a client elsewhere, or have every kernel compile this package, and no other, anew.
_FOREIGN = ("GOOGLE_CLOUD_PROJECT", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy",
            "PYTHONDONTWRITEBYTECODE")  # fmt: skip


class Build(NamedTuple):
    """A checkout of this package: `name` in the tables, and the folder that goes on PYTHONPATH."""

    name: str
    path: Path

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which this build is the one that is imported."""
        return {**base, "PYTHONPATH": str(self.path)}


class Ratio(NamedTuple):
    """How many times as much as the reference: of the minima, and the median over the rounds."""

    minima: float
    middle: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
        """Compare figures of the same rounds."""
        return cls(min(ours) / min(theirs), median(a / b for a, b in zip(ours, theirs, strict=True)))

    def __str__(self) -> str:
        return f"{self.minima:.2f} ({self.middle:.2f})"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table.

    Args:
        name: What is measured, and against what.
        value: The figure; of a ratio that of the minima, which other work on the machine disturbs least.
        shown: How it is printed.
        target: The most that it may be; None where there is no target.
        former: The same figure of the former build, as text.
    """

    name: str
    value: float
    shown: str = ""
    target: float | None = None
    former: str = ""

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.target is None:
            return ""
        return "met" if self.value <= self.target else "**missed**"

    def row(self) -> list[str]:
        """Return the cells of the line."""
        target = "" if self.target is None else f"<= {self.target:g}"
        return [self.name, self.former, target, self.shown or f"{self.value:,.2f}", self.verdict]


@dataclass(frozen=True)
class Bench:
    """What a measure is run with: the builds (this one first), and how many rounds."""

    builds: tuple[Build, ...]
    rounds: int
    scale: float = 1.0
    details: list[str] = field(default_factory=list)

    @property
    def this(self) -> Build:
        """The build that is measured."""
        return self.builds[0]

    @property
    def former(self) -> Build | None:
        """The build that it is compared with."""
        return self.builds[1] if len(self.builds) > 1 else None

    def tell(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Print a table below the figures."""
        self.details.append(markdown(head, rows))

    def ratios(
        self,
        name: str,
        times: Mapping[str, Sequence[float]],
        reference: str,
        target: float | None = None,
        of: Callable[[str], str] = str,
    ) -> Figure:
        """Return the figure of this build to the reference, with that of the former build beside it."""
        found = {build.name: Ratio.of(times[of(build.name)], times[reference]) for build in self.builds}
        former = str(found[self.former.name]) if self.former else ""
        mine = found[self.this.name]
        return Figure(name=name, value=mine.minima, shown=str(mine), target=target, former=former)


def alternating(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run all ways in turn, each round beginning with another; the first round warms up and is thrown away."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds + 1):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            value = ways[name]()
            times[name] += [value] if number else []
    return times


def middle(values: Sequence[float], digits: int = 1) -> str:
    """Return the median, with the smallest and the largest value."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def clean(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment without what would disturb a measure."""
    return {name: value for name, value in environ.items() if name not in _FOREIGN}


@contextmanager
def checkout(commit: str) -> Iterator[Build]:
    """Yield a build of another commit, cloned into a temporary folder and compiled."""
    with tempfile.TemporaryDirectory() as folder:
        clone = ["git", "clone", "--quiet", "--shared", "--no-checkout", str(ROOT), folder]
        subprocess.run(clone, check=True)
        subprocess.run(["git", "-C", folder, "checkout", "--quiet", commit], check=True)
        path = Path(folder)
        subprocess.run(
            [sys.executable, "-m", "compileall", "-q", str(path / "vertex_claude_magic")], check=True
        )
        yield Build(commit[:7], path)


class Worker:
    """A process that imports one build and runs a function of `work.py` each time it is asked."""

    def __init__(self, build: Build, environ: Mapping[str, str]) -> None:
        work = Path(__file__).with_name("work.py")
        self._process = subprocess.Popen(
            [sys.executable, str(work)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=build.environ(clean(environ)),
        )  # fmt: skip

    def __call__(self, function: str, *arguments: object) -> float:
        """Return what the function returned: a number."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([function, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker ended in {function}")
        return float(json.loads(line))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def workers(builds: Iterable[Build], environ: Mapping[str, str]) -> Iterator[dict[str, Worker]]:
    """Run one worker a build, by name."""
    found = {build.name: Worker(build, environ) for build in builds}
    try:
        yield found
    finally:
        for worker in found.values():
            worker.close()


def environment(versions: Sequence[str] = _VERSIONS) -> str:
    """Return one line on the day, the machine and the versions that were measured."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    day = datetime.now(timezone.utc).date().isoformat()
    parts = [
        f"{day}; {os.cpu_count()} cores ({_processor()}), {platform.system()}, load {load:.1f}",
        f"Python {platform.python_version()}",
        *(f"{name} {_version(name)}" for name in versions),
    ]
    return ", ".join(parts)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; all columns but the first are numbers and stand to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
