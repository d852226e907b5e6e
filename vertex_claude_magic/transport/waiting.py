"""Waiting for work that cannot be cut short: it runs in a thread that can be left."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

from vertex_claude_magic import errors
from vertex_claude_magic.process import start_thread

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SLICE", "Flag", "bare", "no_credentials_in", "pause", "take", "wait_for"]

# An interrupt is seen between two waits on systems whose locks cannot be interrupted (Windows).
SLICE = 0.25

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


def wait_for(
    work: Callable[[], T],
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    tick: Callable[[], None] = lambda: None,
    late: Callable[[float], errors.ClaudeError] | None = None,
) -> T:
    """Run `work` in a thread that can be left, and wait for its result.

    `tick` is called several times a second meanwhile; `late` makes the error for work that takes too long.

    Raises:
        CredentialsNotFound: it took longer than `seconds`; whatever `work` raises is raised here too.
        ThreadUnavailable: no thread can start here.
    """
    results: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            results.put((work(), None))
        except BaseException as failure:  # noqa: BLE001 - it is raised again where somebody waits
            results.put((None, failure))

    start_thread(run, "vertex-claude-wait")
    end = clock() + seconds
    while clock() < end:
        with suppress(Empty):
            value, failure = take(results, min(SLICE, end - clock()))
            if failure is not None:
                raise bare(failure)
            return value  # type: ignore[return-value]
        tick()
    raise (late or no_credentials_in)(seconds)


def take(items: SimpleQueue[T], seconds: float) -> T:
    """Return the next item of a queue that only one thread reads, waiting `seconds` at most.

    Raises:
        Empty: none came in time.

    >>> letters: SimpleQueue[str] = SimpleQueue()
    >>> letters.put("a")
    >>> take(letters, 0.0)
    'a'
    """
    # Not `get` alone: CPython up to 3.12 may wait without end where a time of microseconds is over before
    # the wait begins. A look without waiting takes the queue's lock, and then it cannot.
    with suppress(Empty):
        return items.get_nowait()
    if seconds <= 0:
        raise Empty
    return items.get(timeout=seconds)


class Flag:
    """What one thread sets and another one waits for; stop may be pressed inside of all of it.

    `threading.Event` is Python code around a lock: an interrupt in there may leave it locked, and whoever tidies up
    then waits for it without end.

    >>> flag = Flag()
    >>> flag.wait(0.0)
    False
    >>> flag.set()
    >>> flag.wait(60.0)
    True
    """

    def __init__(self) -> None:
        self._set = False
        self._told: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        """Tell whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it, and wake the thread that waits; of several, the others see it when their time is over."""
        self._set = True
        self._told.put(None)

    def clear(self) -> None:
        """Set it back; called by the thread that waits."""
        self._set, self._told = False, SimpleQueue()

    def wait(self, seconds: float) -> bool:
        """Wait until it is set, so many seconds at most, and tell whether it is."""
        if not self._set:
            with suppress(Empty):
                take(self._told, seconds)
        return self._set


def pause(seconds: float) -> None:
    """Wait, in the thread of a cell; a kernel interrupt ends it at once.

    Raises:
        ClaudeInterrupt: the user stopped it.
    """
    never, end = threading.Event(), time.monotonic() + seconds
    try:
        while (left := end - time.monotonic()) > 0:
            never.wait(min(SLICE, left))
    except KeyboardInterrupt:
        raise errors.ClaudeInterrupt from None


def bare(failure: E) -> E:
    """Take the traceback off: its frames contain the headers of the request, and with them the token."""
    return failure.with_traceback(None)


def no_credentials_in(seconds: float) -> errors.CredentialsNotFound:
    """Return the error for credentials that were not there in time."""
    from vertex_claude_magic.transport.login_failures import login_cure

    return errors.CredentialsNotFound(
        f"No Google credentials within {seconds:g} seconds (a metadata server or gcloud does not answer).",
        cure=f"{login_cure()} (or set GOOGLE_APPLICATION_CREDENTIALS; %claude_demo needs none).",
    )
