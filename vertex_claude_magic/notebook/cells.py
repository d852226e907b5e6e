"""What the cell that runs holds, so that a magic knows whether the page below is its alone.

The same magic may run as a `%%claude` cell, in a loop of Python code, inside another magic, in a
callback or in a thread. Only in the first case may it clear the outputs of the cell.
"""

from __future__ import annotations

import itertools
import re
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.session.origin import Origin

__all__ = ["MARK", "CellWatch", "CellsMet", "cell_metadata"]

# The comment that inserted code carries: digits of the cell that asked, and of the code as it was.
MARK = re.compile(r"^# Code from Claude \(id ([0-9a-f]{8})-([0-9a-f]{8})\)[ \t]*\n?", re.MULTILINE)

_ONE_QUESTION = re.compile(r"\s*%%claude(?!\S)")
_RUNS = itertools.count(1)
_LAST_LINE = re.compile(r"^[ \t]*%{1,2}claude(?!\S).*\Z", re.MULTILINE)


def cell_metadata(shell: Any) -> Mapping[str, Any]:
    """Return what the front end sent with the cell that runs.

    JupyterLab and Notebook 7 send the `cellId`, and as `deletedCells` the ids of those that were deleted since
    the last cell ran (JupyterLab 4.6); whoever only executes notebooks (nbclient) sends neither.
    """
    get_parent = getattr(shell, "get_parent", None)
    parent = get_parent() if get_parent is not None else None
    return (parent or {}).get("metadata") or {}


class CellsMet:
    """The cells with inserted code that ran in this kernel, by the digits of who asked, and the deleted ones.

    Args:
        found: Told the digits and the id of each cell with inserted code when it begins to run.
    """

    def __init__(self, found: Callable[[str, str], None] = lambda _key, _cell: None) -> None:
        self._found = found
        self.marked: dict[str, str] = {}
        self.deleted: set[str] = set()

    def add(self, source: str, metadata: Mapping[str, Any]) -> None:
        """Take in what is known when a cell begins to run."""
        cell, deleted = str(metadata.get("cellId") or ""), metadata.get("deletedCells")
        if isinstance(deleted, (list, tuple)):
            self.deleted.update(map(str, deleted))
        # Its deletion was undone.
        self.deleted.discard(cell)
        mark = MARK.search(source)
        if mark and cell:
            self.marked[mark[1]] = cell
            self._found(mark[1], cell)


class _Running(NamedTuple):
    """A run of a cell, and the process that runs it."""

    source: str
    run: int
    process: str


# In the context and not in the thread, so that `asyncio.to_thread` and tasks ask for the cell that started them.
_running: ContextVar[_Running | None] = ContextVar("vertex_claude_cell", default=None)


class CellWatch(threading.local):
    """The source of the cell that runs in this thread, None while none does.

    A thread of its own memory, because cells of a Jupyter subshell run beside those of the main one.

    >>> watch = CellWatch()
    >>> watch.source = "%%claude\\nWhat is it?"
    >>> watch.is_one_question()
    True
    """

    source: str | None = None
    run: int = 0

    def __init__(
        self,
        notebook: Callable[[], str] = lambda: "",
        metadata: Callable[[], Mapping[str, Any]] = dict,
        met: CellsMet | None = None,
    ) -> None:
        # Called once in each thread that looks; what was met is for all of them.
        super().__init__()
        self._notebook = notebook
        self.metadata = metadata
        self.met = met or CellsMet()

    def begin(self, info: Any) -> None:
        """Take the source from IPython's event `pre_run_cell`."""
        from vertex_claude_magic.process import process_id
        from vertex_claude_magic.session.origin import set_origin

        # Here and not on loading, which costs next to nothing; a `Claude` may ask before any magic has run.
        set_origin(self.origin)
        self.source = info.raw_cell or ""
        self.run = next(_RUNS)
        self.met.add(self.source, self.metadata())
        _running.set(_Running(self.source, self.run, process_id()))

    def end(self, result: Any) -> None:  # noqa: ARG002 - the signature of IPython's event `post_run_cell`
        """Forget it; what the cell has started goes on with a context of its own."""
        self.source = None
        _running.set(None)

    def origin(self) -> Origin:
        """Return what a question of this context comes from: the notebook, the cell, and this run of the cell.

        A process that a cell has forked belongs to no cell.
        """
        from hashlib import sha256

        from vertex_claude_magic.process import process_id
        from vertex_claude_magic.session.origin import Origin

        running = _running.get()
        if running is None and self.source is not None:
            # The cell that loaded the extension began before anybody watched.
            running = _Running(self.source, self.run, process_id())
        if running is None or running.process != process_id():
            return Origin(notebook=self._notebook())
        cell = sha256(running.source.strip().encode("utf-8", "replace")).hexdigest()[:16]
        return Origin(notebook=self._notebook(), cell=cell, run=str(running.run))

    def is_one_question(self) -> bool:
        """Tell whether the cell that runs is a `%%claude` cell, with nothing else in it."""
        return _ONE_QUESTION.match(self.source or "") is not None

    def ends_in_question(self) -> bool:
        """Tell whether the value of the cell is what a magic of ours returns."""
        source = (self.source or "").rstrip()
        return self.is_one_question() or _LAST_LINE.search(source) is not None

    def may_draw(self) -> bool:
        """Tell whether what this thread draws lands where it belongs.

        True in the main thread, where a cell runs, and in the threads of ipykernel's subshells.
        """
        thread = threading.current_thread()
        own = thread is threading.main_thread() or type(thread).__module__.startswith("ipykernel.")
        return own or self.source is not None
