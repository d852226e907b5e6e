"""What every benchmark prints: the machine and the versions, a Markdown table, and medians with their spread."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["environment", "markdown", "middle", "ratio", "verdict"]

_VERSIONS = ("ipykernel", "ipython", "requests", "urllib3", "google-auth", "anthropic")


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


def middle(values: Sequence[float], digits: int = 1) -> str:
    """Return the median, with the smallest and the largest value."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Return the ratio of each round; both were measured in the same rounds, so noise hits both."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def verdict(name: str, value: float, limit: float, *, digits: int = 2) -> str:
    """Return one line that says whether a figure is within its limit."""
    word = "met" if value <= limit else "MISSED"
    return f"- {name}: {value:,.{digits}f}, limit {limit:g}: {word}"
