"""What belongs to one process: its threads, its filters of warnings, and what no fork or other process may share.

A fork copies memory and one thread. A copied socket would take answers that are the parent's, a copied lock may be
held by a thread that the child does not have, and a copied SQLite connection may damage the file
(sqlite.org/howtocorrupt.html, 2.6). So whatever owns such a thing says with `at_fork` how a child replaces it.
"""

from __future__ import annotations

import os
import threading
import warnings
import weakref
from collections import deque
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from vertex_claude_magic.errors import PickleRefused, ThreadUnavailable
from vertex_claude_magic.spelling import option, spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    # What a reusable thread takes its work from; None ends it.
    _Work = SimpleQueue[Callable[[], object] | None]

    StartThread = Callable[[Callable[[], object], str], threading.Thread]

__all__ = [
    "LiveObjects",
    "ReusableThreads",
    "at_fork",
    "can_connect",
    "check_connect",
    "ignored_warnings",
    "never_free",
    "process_id",
    "refuse_copies",
    "start_thread",
]

T = TypeVar("T")


class _Reference(weakref.ref[T]):
    """A weak reference that is equal to itself only, so that it is found also when its object is gone.

    What it calls then has to be C code, such as `dict.pop`: an object may be freed at any moment, and a stop that is
    pressed meanwhile is raised in the first Python code that runs, where weak references and finalizers lose it
    ("sys.unraisablehook", Python docs).
    """

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


# For each owner that lives, what it does before a fork, then in parent and in child.
_owners: dict[_Reference[Any], tuple[Callable[[Any], None] | None, ...]] = {}
_immortal: list[object] = []
_process = os.urandom(16).hex()
# How long (seconds) a fork waits for a thread that has nothing to do any more but to end.
_FORK_SECONDS = 1.0


def at_fork(
    owner: T,
    *,
    child: Callable[[T], None],
    before: Callable[[T], None] | None = None,
    parent: Callable[[T], None] | None = None,
) -> None:
    """Have an object replace, in every fork, what belongs to the process that made it.

    Args:
        owner: The object; it is not kept alive by this.
        child: Called with the object in the child, before any other code of the child.
        before: Called with it in the parent before the fork; it must not wait long.
        parent: Called with it in the parent after the fork.
    """
    _owners[_Reference(owner, _owners.pop)] = (before, parent, child)


class LiveObjects(Generic[T]):
    """Objects for as long as they live; each is added once.

    In place of `weakref.WeakSet`, which runs Python code whenever one of its objects is freed.

    >>> class Question: ...
    >>> first, second = Question(), Question()
    >>> open_questions: LiveObjects[Question] = LiveObjects()
    >>> open_questions.add(first)
    >>> open_questions.add(second)
    >>> del second
    >>> list(open_questions) == [first]
    True
    """

    def __init__(self) -> None:
        self._references: dict[_Reference[T], None] = {}

    def add(self, thing: T) -> None:
        """Add an object; it is not kept alive by this."""
        self._references[_Reference(thing, self._references.pop)] = None

    def __iter__(self) -> Iterator[T]:
        # A copy, made at once: other threads may add some, and any may be freed.
        things = [reference() for reference in list(self._references)]
        return iter([thing for thing in things if thing is not None])


def process_id() -> str:
    """Return what tells this process from all others, also from one that gets its number later.

    >>> process_id() == process_id()
    True
    """
    return _process


def never_free(thing: object) -> None:
    """Keep an object to the end of the process and beyond, because freeing it would do harm.

    A module's variables are freed when the interpreter ends, so one reference is never given back.
    """
    _immortal.append(thing)
    try:
        import ctypes
    except ImportError:  # pragma: no cover - a Python built without it
        return
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def start_thread(run: Callable[[], object], name: str) -> threading.Thread:
    """Run something in a thread that ends with the process.

    Raises:
        ThreadUnavailable: no thread can start here.
    """
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # The one error of `start` for a new thread ("threading", Python docs): Pyodide has none, a system may be full.
        raise ThreadUnavailable(
            "No thread can be started here, so nothing can be sent; only recorded answers are available here.",
            cure=spelled(
                "Use {} with a recording, or ask from a Python that has threads (Pyodide has none; a limit on "
                "processes may be reached).",
                option("replay", "only"),
            ),
        ) from None
    return thread


def check_connect(start: StartThread = start_thread) -> None:
    """Check that something can be sent or served here.

    Both are done in a thread; Pyodide, which has none, has no sockets either.

    Args:
        start: Starts a thread and returns it.

    Raises:
        ThreadUnavailable: only recorded answers are available here.
    """
    start(lambda: None, "vertex-claude-check").join()


def can_connect(start: StartThread = start_thread) -> bool:
    """Tell whether something can be sent or served here, as `check_connect` does.

    >>> can_connect()
    True
    """
    try:
        check_connect(start)
    except ThreadUnavailable:
        return False
    return True


class ReusableThreads:
    """Threads that are used again, for work that comes often; `close` ends those that wait for some.

    They end too when nobody can give them work any more, and before a fork.

    Args:
        spare: How many threads wait for work at most; None for as many as had some at once.
        at_most: How many threads there are; work beyond that waits until one of them is free. None for no limit.

    >>> done: SimpleQueue[int] = SimpleQueue()
    >>> threads = ReusableThreads()
    >>> threads.start(lambda: done.put(1), "work")
    >>> done.get()
    1
    >>> threads.close()
    """

    def __init__(self, *, spare: int | None = None, at_most: int | None = None) -> None:
        self._spare, self._at_most = spare, at_most
        self._begin_anew()
        at_fork(self, before=ReusableThreads._end_before_fork, child=ReusableThreads._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        # Those that wait, each with the queue from which it takes its work.
        self._waiting: list[tuple[threading.Thread, _Work]] = []
        # Work without a thread: one that has just done its work is not free at once.
        self._later: deque[Callable[[], object]] = deque()
        self._number = 0
        self._closed = False

    def __del__(self) -> None:
        self.close()

    def start(self, run: Callable[[], object], name: str) -> None:
        """Run something in a thread that is free, or in a new one.

        Args:
            run: What to run; it raises nothing, and returns False if its thread is to end, unless other work waits for
                one.
            name: The name of a new thread.

        Raises:
            ThreadUnavailable: no thread can start here.
        """
        with self._lock:
            if self._waiting:
                self._waiting.pop()[1].put(run)
                return
            if self._number == self._at_most:
                self._later.append(run)
                return
            self._number += 1
        work: _Work = SimpleQueue()
        work.put(run)
        try:
            # The threads refer to this object weakly, or neither would ever end.
            start_thread(partial(ReusableThreads._serve, weakref.ref(self), work), name)
        except BaseException:
            with self._lock:
                self._number -= 1
            raise

    @staticmethod
    def _serve(owned_by: weakref.ref[ReusableThreads], work: _Work) -> None:
        while (run := work.get()) is not None:
            again = run() is not False
            # Nothing of it is held while the thread waits.
            del run
            owner = owned_by()
            if owner is None or not owner._goes_on(work, again=again):  # noqa: SLF001 - of its own kind
                return
            del owner

    def _goes_on(self, work: _Work, *, again: bool) -> bool:
        """Give the calling thread what it does next, or note that it waits; False if it is to end."""
        with self._lock:
            if self._later:
                work.put(self._later.popleft())
                return True
            if not again or self._closed or len(self._waiting) == self._spare:
                self._number -= 1
                return False
            self._waiting.append((threading.current_thread(), work))
            return True

    def _end_waiting(self) -> list[threading.Thread]:
        with self._lock:
            ended, self._waiting = self._waiting, []
            self._number -= len(ended)
        for _, work in ended:
            work.put(None)
        return [thread for thread, _ in ended]

    def _end_before_fork(self) -> None:
        # Python 3.12 and later warn of a fork in a process that has other threads, also of those that only wait.
        for thread in self._end_waiting():
            thread.join(_FORK_SECONDS)

    def close(self) -> None:
        """End the threads that wait, and each of the others when its work is done."""
        with self._lock:
            self._closed = True
        self._end_waiting()


class _IgnoredWarnings:
    """What all threads have the filters of warnings ignore; the first that begins saves them, the last puts them back.

    The filters belong to the process, and `warnings.catch_warnings` puts back what it found: of two threads at once,
    the one that ends last would leave the user without warnings. The lock is held for the filters only, not while
    other code runs, which may be the user's and may wait for a thread that comes here too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()
        at_fork(self, child=_IgnoredWarnings._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        while self._inside:
            self.end()

    def begin(self, category: type[Warning], module: str) -> None:
        with self._lock:
            if not self._inside:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
            self._inside += 1
            warnings.filterwarnings("ignore", category=category, module=module)

    def end(self) -> None:
        with self._lock:
            # In a fork, none of those that began before it.
            if self._inside == 1:
                self._filters.__exit__(None, None, None)
            self._inside = max(self._inside - 1, 0)


_ignored = _IgnoredWarnings()


@contextmanager
def ignored_warnings(category: type[Warning] = Warning, module: str = "") -> Iterator[None]:
    """Ignore warnings for a while, in all threads; for what a library says of itself, and not of the user's code.

    Args:
        category: Which ones.
        module: A regular expression for the beginning of the name of the module that they are about.

    >>> with ignored_warnings():
    ...     warnings.warn("Nobody sees this.")
    """
    _ignored.begin(category, module)
    try:
        yield
    finally:
        _ignored.end()


def refuse_copies(what: str, cure: str) -> Callable[[object], NoReturn]:
    """Return a `__reduce__` for a live object, which refuses to be pickled or copied.

    >>> class Socket:
    ...     __reduce__ = refuse_copies("A socket", "Open one there.")
    >>> import copy
    >>> copy.copy(Socket())
    Traceback (most recent call last):
    vertex_claude_magic.errors.PickleRefused: A socket cannot be copied or sent to another process. Open one there.
    """

    def refuse(self: object) -> NoReturn:  # noqa: ARG001 - pickle calls it as a method
        raise PickleRefused(f"{what} cannot be copied or sent to another process.", cure=cure)

    return refuse


def _call(which: int) -> None:
    # Not a list of its items: making their pairs may collect garbage, and with it an owner.
    for reference, hooks in _owners.copy().items():
        owner, hook = reference(), hooks[which]
        if owner is not None and hook is not None:
            hook(owner)


def _in_child() -> None:
    global _process  # noqa: PLW0603 - it is the process's own, and a fork is another process
    _process = os.urandom(16).hex()
    _call(2)


# Systems without a fork (Windows, Pyodide) have nothing to register with.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=lambda: _call(0), after_in_parent=lambda: _call(1), after_in_child=_in_child)
