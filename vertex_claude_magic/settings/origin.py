"""Who asks: the session of this process, and the notebook and cell of the question.

The notebook's part knows them and says so through `set_origin`; a script is known by its file. A thread that is
started by hand is handed the origin with `asking_for`; `asyncio.to_thread` and tasks carry it by themselves.
"""

from __future__ import annotations

import os
import sys
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import process_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Origin", "asking_for", "cell_key", "current_origin", "session_id", "set_origin", "working_folder"]


class Origin(NamedTuple):
    """Where a question comes from.

    Args:
        notebook: The notebook or script, as its user would name it; empty where nobody knows.
        cell: What identifies the cell by its content; empty outside of one.
        run: Which run of the cell this is; the same for all questions of one run.
        cell_id: The id by which the front end knows the cell, whatever it holds; empty where it tells none.
        over: Whether this run of the cell has ended, so that what asks is something that it has started.
    """

    notebook: str = ""
    cell: str = ""
    run: str = ""
    cell_id: str = ""
    over: bool = False


def cell_key(source: str) -> str:
    r"""Return what identifies a cell by its source; white space around it does not count.

    >>> cell_key("%%claude\nHello\n") == cell_key("%%claude\nHello")
    True
    """
    from hashlib import sha256

    return sha256(source.strip().encode("utf-8", "replace")).hexdigest()[:16]


@lru_cache(maxsize=1)
def working_folder() -> str:
    """Return the folder to which the conversations and table runs of this process belong, where no notebook is known.

    It is found once: code that changes the folder does not change whose they are. Empty if it was deleted.

    >>> working_folder() == working_folder()
    True
    """
    try:
        return os.getcwd()  # noqa: PTH109 - a text is what is stored
    except OSError:
        return ""


# With the process that it was handed in.
_handed: ContextVar[tuple[str, Origin] | None] = ContextVar("vertex_claude_origin", default=None)
# What knows the cells that run; a weak reference, so that it ends with the shell that it belongs to.
_finders: list[weakref.WeakMethod[Callable[[], Origin]]] = []


def session_id() -> str:
    """Return what identifies the runs of this process; a fork has its own.

    >>> session_id() == session_id()
    True
    """
    return process_id()


def set_origin(finder: Callable[[], Origin] | None) -> None:
    """Say whose method knows the notebook and cell that run now; None takes it back."""
    _finders[:] = [] if finder is None else [weakref.WeakMethod(finder)]


@contextmanager
def asking_for(origin: Origin) -> Iterator[None]:
    """While this is entered, questions of this thread (and of what it starts with this context) come from `origin`.

    >>> with asking_for(Origin(notebook="lesson.ipynb", cell="c1", run="7")):
    ...     current_origin().run
    '7'
    """
    token = _handed.set((process_id(), origin))
    try:
        yield
    finally:
        _handed.reset(token)


def current_origin() -> Origin:
    """Return the notebook and cell that ask now, or the script."""
    handed = _handed.get()
    # A fork has the parent's context, and belongs to none of its cells.
    if handed is not None and handed[0] == process_id():
        return handed[1]
    for finder in filter(None, (reference() for reference in _finders)):
        return finder()
    return _of_script(sys.argv[0] if sys.argv else "")


@lru_cache(maxsize=8)
def _of_script(script: str) -> Origin:
    return Origin(notebook=Path(script).name if script not in {"", "-c", "-m"} else "")
