"""Work in a thread of its own, so that a button can begin and stop it while cells go on.

A thread gets no KeyboardInterrupt, so a flag asks it to stop, and it looks at that now and then.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt, ThreadUnavailable
from vertex_claude_magic.process import start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PanelJob", "unexpected"]

State = Literal["running", "done", "stopped", "failed"]


@dataclass(eq=False, repr=False)
class PanelJob:
    """Something that runs in a thread, can be stopped, and reports each change of its state.

    `error` tells why it failed. A job that is stopped counts as stopped at once, also where its thread
    still waits for something that cannot be cut short; what comes after that is thrown away.

    Args:
        on_change: Called with the job, in the thread that changed its state.
    """

    on_change: Callable[[PanelJob], None] = field(kw_only=True)
    state: State = field(default="running", init=False)
    error: ClaudeError | None = field(default=None, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)

    def start(self) -> None:
        """Begin, and return at once; where no thread can start, it has failed."""
        # Before the thread, whose first report must not come before this one.
        self.on_change(self)
        try:
            self._thread = start_thread(self._run, "vertex-claude-panel")
        except ThreadUnavailable as error:
            self._become("failed", error)

    def stop(self) -> None:
        """End it soon, from any thread; harmless when it is over."""
        self._stop.set()
        self._become("stopped")

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the thread, and return whether it has ended."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def work(self) -> None:
        """Do it; runs in the thread, and asks `stopping` now and then."""
        raise NotImplementedError

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.state == "running"

    def stopping(self) -> bool:
        """Tell whether somebody wants it to stop."""
        return self._stop.is_set()

    def changed(self) -> None:
        """Say that there is something new, unless it was stopped."""
        if self.running:
            self.on_change(self)

    def _run(self) -> None:
        try:
            self.work()
        except ClaudeInterrupt:
            self._become("stopped")
        except ClaudeError as error:
            self._become("failed", error)
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise to, and a traceback may hold a token
            self._become("failed", unexpected(error))
        else:
            self._become("done")

    def _become(self, state: State, error: ClaudeError | None = None) -> None:
        with self._lock:
            if not self.running:
                return
            self.state, self.error = state, error
        self.on_change(self)


def unexpected(error: Exception) -> ClaudeError:
    """Return an error for what should not happen; only its kind is shown, because its text may contain anything.

    >>> unexpected(ZeroDivisionError("secret")).message
    'Unexpected error: ZeroDivisionError.'
    """
    return ClaudeError(
        f"Unexpected error: {type(error).__name__}.",
        cure="Ask in a cell with %%claude for details, and please report it.",
    )
