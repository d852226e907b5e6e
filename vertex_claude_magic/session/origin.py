"""Who asks: the session of this process, and the notebook and cell that the question stands in.

The notebook floor knows them and says so through `set_origin`; a script is known by its file.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Origin", "current_origin", "session_id", "set_origin"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a question comes from.

    Args:
        notebook: The notebook or script, as its user would name it; empty where nobody knows.
        cell: What identifies the cell by its content; empty outside of one.
        run: Which run of the cell this is; the same for all questions of one run.
    """

    notebook: str = ""
    cell: str = ""
    run: str = ""


_sessions: dict[int, str] = {}
_finders: list[Callable[[], Origin]] = []


def session_id() -> str:
    """Return what tells the runs of this process from those of all others; a fork has its own.

    >>> session_id() == session_id()
    True
    """
    # Keyed by process, because a fork inherits the dictionary.
    return _sessions.setdefault(os.getpid(), uuid4().hex)


def set_origin(finder: Callable[[], Origin] | None) -> None:
    """Say who knows the notebook and cell that run now; None takes it back."""
    _finders[:] = [] if finder is None else [finder]


def current_origin() -> Origin:
    """Return the notebook and cell that ask now, or the script."""
    for finder in _finders:
        return finder()
    script = sys.argv[0] if sys.argv else ""
    return Origin(notebook=Path(script).name if script not in {"", "-c", "-m"} else "")
