"""One question at a time in a conversation: the others wait for their turn.

Within a process by a lock, between processes by a note in the journal.
"""

from __future__ import annotations

import _thread
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.records.chats import ChatStore

__all__ = ["Hold", "take"]

# Seconds between two looks: an interrupt is seen at once, and SQLite is asked seldom.
_LOOK = 0.1
# Owns a conversation whose question was dropped until its note in the journal is gone.
_DROPPED = object()
# What tells each thread from all others: a later thread may get the number of one that has ended with an open question.
_own = threading.local()


class _Locks:
    def __init__(self) -> None:
        self._begin_anew()
        at_fork(self, child=_Locks._begin_anew)

    def _begin_anew(self) -> None:
        self.guard = threading.Lock()
        self.owners: dict[tuple[str, str], object] = {}
        self.free = threading.Condition(self.guard)


_locks = _Locks()


class Hold:
    """A conversation that is held; let it go with `release`, or by forgetting it."""

    def __init__(self, store: ChatStore, notebook: str, name: str) -> None:
        self._store = store
        self._key = notebook, name
        self._held = True
        at_fork(self, child=Hold._leave_to_parent)

    def _leave_to_parent(self) -> None:
        self._held = False

    def release(self) -> None:
        """Let the next one ask; a second time does nothing."""
        if self._held:
            self._held = False
            self._store.release(*self._key)
            _give(self._key)

    def __del__(self) -> None:
        if not self._held:
            return
        self._held = False
        # This runs at any moment of any thread, also inside of a transaction: so no lock is taken here, and no thread
        # object is made, which would wait for its start.
        _locks.owners[self._key] = _DROPPED
        with suppress(RuntimeError):
            _thread.start_new_thread(_release, (self._store, self._key))
            return
        # Where there are no threads, others see it when this process asks next, or ends.
        _locks.owners.pop(self._key, None)


def _release(store: ChatStore, key: tuple[str, str]) -> None:
    try:
        store.release(*key)
    finally:
        _give(key)


def take(store: ChatStore, notebook: str, name: str, notify: Callable[[str], None] | None = None) -> Hold:
    """Wait until nobody else asks in a conversation, and lock it.

    Args:
        store: Where it is.
        notebook: Whose it is.
        name: Its name.
        notify: Told once if there is something to wait for.

    Raises:
        OptionError: this thread holds it already, so that it would wait for itself.
        ClaudeInterrupt: the user stopped the wait.
    """
    key, me, said = (notebook, name), vars(_own).setdefault("token", object()), False

    def wait(seconds: float) -> None:
        nonlocal said
        if not said and notify is not None:
            notify(f"waiting for another question in {quote(name, 40)}")
        said = True
        _locks.free.wait(seconds)

    try:
        with _locks.guard:
            if _locks.owners.get(key) is me:
                raise errors.OptionError(
                    f"A question in {quote(name, 40)!r} is still running in this thread.",
                    cure="Read its answer to the end, or close it, before you ask the next one.",
                )
            while key in _locks.owners:
                wait(_LOOK)
            _locks.owners[key] = me
        try:
            while not store.hold(notebook, name):
                with _locks.guard:
                    wait(_LOOK)
        except BaseException:
            _give(key)
            raise
    except KeyboardInterrupt:
        raise errors.ClaudeInterrupt from None
    return Hold(store, notebook, name)


def _give(key: tuple[str, str]) -> None:
    with _locks.guard:
        _locks.owners.pop(key, None)
        _locks.free.notify_all()
