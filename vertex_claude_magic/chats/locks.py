"""One question at a time in a conversation: the others wait for their turn.

Within a process by a lock, between processes by a note in the journal.
"""

from __future__ import annotations

import _thread
import threading
import time
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
# What tells each thread from all others: a later thread may get the number of one that has ended with an open question.
_own = threading.local()


class _Owners:
    """Which thread asks in which conversation; in a fork none does."""

    def __init__(self) -> None:
        self._begin_anew()
        at_fork(self, child=_Owners._begin_anew)

    def _begin_anew(self) -> None:
        # Changed by single operations of a dict, and no lock is taken: stop may be pressed inside of any code here, and
        # a finalizer runs at any moment of any thread, also inside of a transaction. The list belongs to one hold; it
        # has the token of its thread, and nothing once the hold was dropped.
        self.of: dict[tuple[str, str], list[object]] = {}


_owners = _Owners()


class Hold:
    """A conversation that is held; let it go with `release`, or by forgetting it."""

    def __init__(self, store: ChatStore, notebook: str, name: str, token: object) -> None:
        self._store = store
        self._key = notebook, name
        self.owner = [token]

    def release(self) -> None:
        """Let the next one ask; a second time does nothing."""
        try:
            # Once it was dropped, only that thread lets it go.
            if self.owner and _owners.of.get(self._key) is self.owner:
                self._store.release(*self._key)
                _owners.of.pop(self._key, None)
                self.owner.clear()
        except BaseException:
            # Stop was pressed, perhaps before other processes know.
            self.drop()
            raise

    def drop(self) -> None:
        """Let the next one ask soon, from a thread of its own, which no stop reaches; takes no lock."""
        # It has none where stop was pressed while it was made.
        if getattr(self, "owner", None) and _owners.of.get(self._key) is self.owner:
            try:
                # No thread object, which would wait for its start.
                _thread.start_new_thread(_release, (self._store, self._key, self.owner))
            except RuntimeError:
                # Where there are no threads, others see it when this process asks next, or ends.
                _owners.of.pop(self._key, None)
            self.owner.clear()

    __del__ = drop


def _release(store: ChatStore, key: tuple[str, str], owner: list[object]) -> None:
    if _owners.of.get(key) is owner:
        try:
            store.release(*key)
        finally:
            _owners.of.pop(key, None)


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
    hold = Hold(store, notebook, name, me)

    def wait() -> None:
        nonlocal said
        if not said and notify is not None:
            notify(f"waiting for another question in {quote(name, 40)}")
        said = True
        time.sleep(_LOOK)

    if me in _owners.of.get(key, ()):
        raise errors.OptionError(
            f"A question in {quote(name, 40)!r} is still running in this thread.",
            cure="Read its answer to the end, or close it, before you ask the next one.",
        )
    try:
        while _owners.of.setdefault(key, hold.owner) is not hold.owner:
            wait()
        while not store.hold(notebook, name):
            wait()
        return hold  # noqa: TRY300 - what is raised in its place lets the next one ask
    except BaseException as failure:
        hold.drop()
        if isinstance(failure, KeyboardInterrupt):
            raise errors.ClaudeInterrupt from None
        raise
