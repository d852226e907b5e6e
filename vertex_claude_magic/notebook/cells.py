"""The cell that runs, so that a magic knows whether it alone writes to the output below.

The same magic may run as a `%%claude` cell, in a loop of Python code, inside another magic, in a
callback or in a thread. Only in the first case may it clear the outputs of the cell.
"""

from __future__ import annotations

import itertools
import re
import sys
import threading
import time
import weakref
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.notebook.shell import Shell, ShellHistory
    from vertex_claude_magic.settings.origin import Origin

__all__ = [
    "MARK",
    "MARK_START",
    "CellInfo",
    "CellResult",
    "CellThreads",
    "CellWatch",
    "PrintedText",
    "SeenCells",
    "cell_message",
    "cell_metadata",
    "value_name",
]

# The comment that inserted code carries: digits of the cell that asked, and of the code as it was. A text, compiled by
# the first cell that holds one, and not at `%load_ext`.
MARK_START = "# Code from Claude (id "
MARK = r"(?m)^# Code from Claude \(id ([0-9a-f]{8})-([0-9a-f]{8})\)[ \t]*\n?"

# A front end's ids have 8 to 64 characters; in VS Code they are URIs.
_LONGEST_ID = 400
_RUNS = itertools.count(1)


def cell_metadata(shell: Shell | None) -> Mapping[str, Any]:
    """Return what the front end sent with the cell that runs.

    JupyterLab and Notebook 7 send the `cellId`, and as `deletedCells` the ids of those that were deleted since
    the last cell ran (JupyterLab 4.6); a program that only executes notebooks (nbclient) sends neither.
    """
    return _parent(shell).get("metadata") or {}


def _cell_id(metadata: Mapping[str, Any]) -> str:
    """Return the id of a cell in what the front end sent with it; Colab has it in a part of its own."""
    colab = metadata.get("colab")
    found = metadata.get("cellId") or (colab.get("cell_id") if isinstance(colab, dict) else None)
    return found[:_LONGEST_ID] if isinstance(found, str) else ""


def cell_message(shell: Shell | None) -> str:
    """Return the id of the message that asks for the cell that runs; empty where there are no messages."""
    return str((_parent(shell).get("header") or {}).get("msg_id") or "")


def value_name(shell: Shell) -> str:
    """Return what the value of the cell that runs is called from then on, such as `Out[3]`."""
    return f"Out[{shell.displayhook.prompt_count}]"


def _parent(shell: Shell | None) -> Mapping[str, Any]:
    """Return the message that asks for the cell that runs; empty in a shell that gets none."""
    get_parent = getattr(shell, "get_parent", None)
    return (get_parent() if get_parent is not None else None) or {}


class CellInfo(Protocol):
    """What IPython reports on a run of a cell."""

    raw_cell: str | None


class CellResult(Protocol):
    """What IPython reports on a cell that has run."""

    info: CellInfo | None


class OnCellEnd(Protocol):
    """Called when a cell has ended, with its error or None, its source, and cell id and number of the user's run."""

    def __call__(self, error: BaseException | None, source: str, cell_id: str, run: str) -> None: ...


class SeenCells:
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
        mark = re.search(MARK, source) if MARK_START in source else None
        if mark and cell:
            self.marked[mark[1]] = cell
            self._found(mark[1], cell)


class _Running(NamedTuple):
    """A run of a cell, the process that runs it, and when it began (monotonic); `info` is what IPython says of it."""

    source: str
    run: int
    process: str
    info: CellInfo | None = None
    cell_id: str = ""
    begun: float = 0.0


# In the context and not in the thread, so that `asyncio.to_thread` and tasks ask for the cell that started them.
_running: ContextVar[_Running | None] = ContextVar("vertex_claude_cell", default=None)


class CellThreads:
    """The cells that run now, and which of them started a thread that has no context of its own.

    A thread of `concurrent.futures` begins with an empty context (up to Python 3.14, where an interpreter option may
    hand it on), so its cell is found by when it was first seen: after the cell began, and before it ended.
    """

    def __init__(self) -> None:
        # The innermost cell of each thread that runs one, by the thread's number.
        self._running: dict[int, _Running] = {}
        self._started: weakref.WeakKeyDictionary[threading.Thread, _Running | None] = (
            weakref.WeakKeyDictionary()
        )

    def change(self, cell: _Running | None) -> None:
        """Note which cell runs in this thread from now on, None for none."""
        # What lives by now was started by the cell that has run till now.
        only = self._only()
        for thread in threading.enumerate():
            if thread not in self._started:
                self._started[thread] = only
        number = threading.get_ident()
        if cell is None:
            self._running.pop(number, None)
        else:
            self._running[number] = cell

    def cell_of(self, thread: threading.Thread) -> _Running | None:
        """Return the cell that a thread works for, None where that is not known."""
        if thread.name.startswith("vertex-claude"):
            return None
        if thread not in self._started:
            self._started[thread] = self._only()
        cell = self._started[thread]
        if cell is None or cell in self._running.values():
            return cell
        # The thread of a pool takes its work from a queue, and works for later cells too: for the one that runs. One
        # with a target of the user's works for the cell that started it.
        target = getattr(thread, "_target", None)
        of_pool = target is None or getattr(target, "__module__", "") in _POOLS
        return (self._only() or cell) if of_pool else cell

    def _only(self) -> _Running | None:
        """Return the cell that runs, None where none does or, in subshells, several do."""
        running = list(self._running.values())
        return running[0] if len(running) == 1 else None


# Whose functions the threads of `ThreadPoolExecutor` and `multiprocessing.pool.ThreadPool` (so of joblib) run.
_POOLS = frozenset({"concurrent.futures.thread", "multiprocessing.pool"})


class PrintedText:
    """What each cell printed, from the history that IPython keeps.

    What a cell prints by running other code (`%%capture`, `%run` of a notebook, `run_cell`) IPython stores under the
    next number since 9.8, seen or not. So what is there when a cell begins is not of that cell.

    Args:
        shell: The shell.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        # How many pieces of text were there, by the number of the cell; none where there were none.
        self._before: dict[int, int] = {}

    def begin(self) -> None:
        """Note what is there before a cell prints anything."""
        history = self._shell.history_manager
        number = len(history.input_hist_raw)
        if before := len(_pieces(history, number)):
            self._before[number] = before
        else:
            # The numbers begin anew after `%reset`.
            self._before.pop(number, None)

    def of(self, number: int) -> str:
        """Return what the cell of this number printed to stdout; empty before IPython 9, which stores it."""
        return "".join(_pieces(self._shell.history_manager, number)[self._before.get(number, 0) :])


def _pieces(history: ShellHistory, number: int) -> list[str]:
    stored = getattr(history, "outputs", {}).get(number, ())
    return [piece for each in stored if each.output_type == "out_stream" for piece in each.bundle["stream"]]


class CellWatch(threading.local):
    """The cells that run in this thread, the outermost first; code of a cell may run another one.

    A thread of its own memory, because cells of a Jupyter subshell run beside those of the main one.

    Args:
        notebook: Returns the name of the notebook.
        metadata: Returns what the front end sent with the cell.
        seen: What is known of the cells of the notebook.
        message: Returns the id of the message that asks for the cell; empty where there are no messages.
        before: Called when a cell begins.
        threads: Which cell started which thread; one for all threads.
        after: Called when a cell has ended.

    >>> from types import SimpleNamespace
    >>> watch = CellWatch()
    >>> watch.begin(SimpleNamespace(raw_cell="%%claude\\nWhat is it?"))
    >>> watch.is_one_question()
    True
    >>> watch.begin(SimpleNamespace(raw_cell="%%claude\\nAsked from inside of that cell?"))
    >>> watch.is_one_question()
    False
    """

    def __init__(
        self,
        notebook: Callable[[], str] = lambda: "",
        metadata: Callable[[], Mapping[str, Any]] = dict,
        seen: SeenCells | None = None,
        message: Callable[[], str] = lambda: "",
        *,
        before: Callable[[], None] = lambda: None,
        threads: CellThreads | None = None,
        after: OnCellEnd = lambda error, source, cell_id, run: None,  # noqa: ARG005 - nobody wants to know
    ) -> None:
        # Called once in each thread that looks; what was seen is for all of them.
        super().__init__()
        self._notebook = notebook
        self.metadata = metadata
        self.seen = seen or SeenCells()
        self._message = message
        self._threads = threads or CellThreads()
        self._before = before
        self._after = after
        self._under_way: list[_Running] = []
        self._answered = ""

    def load(self, info: CellInfo | None) -> None:
        """Take the cell that loads the extension, which began before anybody watched.

        Args:
            info: What IPython says of it; None if the extension is loaded while no cell runs.
        """
        self._answered = self._message()
        if info is not None:
            self._under_way = [_Running(info.raw_cell or "", 0, "", info, _cell_id(self.metadata()))]
            self._threads.change(self._under_way[0])

    def begin(self, info: CellInfo) -> None:
        """Take the source from IPython's event `pre_run_cell`."""
        from vertex_claude_magic.process import process_id
        from vertex_claude_magic.settings.origin import set_origin

        # Here and not on loading, which costs next to nothing; a `Claude` may ask before any magic has run.
        set_origin(self.origin)
        message = self._message()
        if message != self._answered:
            # Another message asks for this cell, so what ran before it is over, whatever IPython reported.
            self._under_way, self._answered = [], message
        metadata = self.metadata()
        cell = _Running(
            info.raw_cell or "", next(_RUNS), process_id(), info, _cell_id(metadata), time.monotonic()
        )
        self._under_way.append(cell)
        if len(self._under_way) == 1:
            self.seen.add(cell.source, metadata)
        _running.set(cell)
        self._threads.change(cell)
        self._before()

    def end(self, result: CellResult) -> None:
        """Forget the cell of IPython's event `post_run_cell`; what it has started goes on with a context of its own."""
        info = getattr(result, "info", None)
        known = [each.info is info for each in self._under_way]
        if True in known:
            ended, outermost = self._under_way[known.index(True)], self._under_way[0]
            error = getattr(result, "error_in_exec", None) or getattr(result, "error_before_exec", None)
            exchanges = sys.modules.get("vertex_claude_magic.session.exchange")
            if isinstance(error, KeyboardInterrupt) and exchanges is not None:
                exchanges.close_used_since(ended.begun)
            # Only the end of the cell that the user ran is its success.
            if error is not None or ended is outermost:
                self._after(error, ended.source, outermost.cell_id, str(outermost.run))
            del self._under_way[known.index(True) :]
        elif info is None or (info.raw_cell or "").strip():
            # IPython reports the end of an empty cell and not its beginning.
            del self._under_way[-1:]
        cell = self._under_way[-1] if self._under_way else None
        _running.set(cell)
        self._threads.change(cell)

    @property
    def source(self) -> str | None:
        """The source of the cell that runs in this thread, None while none does."""
        return self._under_way[-1].source if self._under_way else None

    def origin(self) -> Origin:
        """Return what a question of this context comes from: the notebook, the cell, and this run of the cell.

        A process that a cell has forked belongs to no cell.
        """
        from vertex_claude_magic.process import process_id
        from vertex_claude_magic.settings.origin import Origin, cell_key

        running = _running.get()
        if running is None:
            # The cell that loaded the extension, or a thread that a cell started.
            found = (
                self._under_way[-1] if self._under_way else self._threads.cell_of(threading.current_thread())
            )
            running = found._replace(process=found.process or process_id()) if found is not None else None
        if running is None or running.process != process_id():
            return Origin(notebook=self._notebook())
        return Origin(
            notebook=self._notebook(),
            cell=cell_key(running.source),
            run=str(running.run),
            cell_id=running.cell_id,
            over=all(each.run != running.run for each in self._under_way),
        )

    def is_one_question(self) -> bool:
        """Tell whether the cell that the user ran is a `%%claude` cell, with nothing else in it.

        A `%%claude` cell that code of another cell runs (`run_cell`, `%rerun`) shares the outputs of that one.
        """
        return len(self._under_way) == 1 and (self.source or "").split(maxsplit=1)[:1] == ["%%claude"]

    def ends_in_question(self) -> bool:
        """Tell whether the value of the cell is what a magic of ours returns."""
        source = (self.source or "").strip()
        last_line = source.rpartition("\n")[2]
        begins, ends = (text.partition("\n")[0].split(maxsplit=1)[:1] for text in (source, last_line))
        magics = ("claude", "claude_compare")
        return begins in [[f"%%{name}"] for name in magics] or ends in [[f"%{name}"] for name in magics]

    def may_draw(self) -> bool:
        """Tell whether output of this thread appears below the right cell.

        True in the main thread, where a cell runs, and in the threads of ipykernel's subshells.
        """
        thread = threading.current_thread()
        own = thread is threading.main_thread() or type(thread).__module__.startswith("ipykernel.")
        return own or self.source is not None

    def check_may_draw(self, magic: str, in_python: str = "") -> None:
        """Refuse what a magic would draw in a thread of the user's own: it would land in whichever cell runs by then.

        Args:
            magic: The magic as it is written.
            in_python: The same in Python, where there is a way without a page.

        Raises:
            OptionError: nothing may be drawn here.
        """
        if not self.may_draw():
            from vertex_claude_magic.errors import OptionError

            quiet = f"In threads, use --quiet or {in_python} from vertex_claude_magic."
            raise OptionError(
                f"{magic} cannot show output from a background thread.",
                cure=quiet if in_python else "Run it in a cell.",
            )
