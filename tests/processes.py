"""Forks and threads for tests: what they do is waited for, but not for ever.

A child sends one JSON value through a pipe.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import threading
import time
import traceback
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["eventually", "forked", "living_fork", "needs_fork"]

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
# Far longer than any child takes on a busy machine; only a child that hangs reaches it.
_SECONDS = 60


def eventually(holds: Callable[[], bool], seconds: float = _SECONDS) -> bool:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    never, pause = threading.Event(), 0.005
    while not holds() and time.monotonic() < end:
        never.wait(pause)
        pause = min(pause * 2, 1.0)
    return holds()


def forked(work: Callable[[], Any]) -> Any:
    """Run `work` in a fork and return its value; one that hangs or ends badly fails the test."""
    receiving, sending = os.pipe()
    child = _fork()
    if child == 0:
        try:
            os.close(receiving)
            with os.fdopen(sending, "w") as pipe:
                json.dump(work(), pipe)
        except BaseException:  # noqa: BLE001 - nothing of the parent's test run may go on in the child
            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)
        os._exit(0)
    os.close(sending)
    text = ""
    with os.fdopen(receiving) as pipe:
        if select.select([pipe], [], [], _SECONDS)[0]:
            text = pipe.read()
        else:
            os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    assert (status, bool(text)) == (0, True), "the child hung, or ended badly"
    return json.loads(text)


@contextmanager
def living_fork() -> Iterator[None]:
    """A fork that does nothing, and ends when the block does."""
    receiving, sending = os.pipe()
    child = _fork()
    if child == 0:
        os.close(sending)
        os.read(receiving, 1)
        os._exit(0)
    os.close(receiving)
    try:
        yield
    finally:
        os.close(sending)
        os.waitpid(child, 0)


def _fork() -> int:
    with warnings.catch_warnings():
        # Since Python 3.12, for a process with threads, which is what these tests are about.
        warnings.filterwarnings(
            "ignore", "This process .* is multi-threaded, use of fork", DeprecationWarning
        )
        return os.fork()
