"""A fresh IPython kernel of this Python, driven over its own channels as a front end does.

Messages are noted with the time at which they arrived and with their size on the wire, and are only
taken apart when somebody asks, so that watching costs the measured kernel nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from bisect import bisect_left
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from harness import clean
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Cell", "Kernel", "Message", "kernel"]

_DELIMITER = b"<IDS|MSG>"
_SHOWING = frozenset({"display_data", "update_display_data"})
_PATIENCE = 300.0
_STARTS = 3


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of the iopub channel; `at` is in seconds of `time.perf_counter`, `size` in bytes."""

    at: float
    parts: tuple[bytes, ...]

    @property
    def size(self) -> int:
        return sum(map(len, self.parts))

    @cached_property
    def _json(self) -> tuple[Any, Any, Any]:
        start = self.parts.index(_DELIMITER) + 2
        header, parent, _metadata, content = (json.loads(part) for part in self.parts[start : start + 4])
        return header, parent, content

    @property
    def kind(self) -> str:
        return str(self._json[0]["msg_type"])

    @property
    def parent(self) -> str:
        return str(self._json[1].get("msg_id", ""))

    @property
    def content(self) -> dict[str, Any]:
        found: dict[str, Any] = self._json[2]
        return found

    @property
    def markdown(self) -> str:
        data = self.content.get("data", {})
        return str(data.get("text/markdown", data.get("text/plain", "")))


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What one execution put on the iopub channel, from sending (`sent`) to idle."""

    sent: float
    messages: tuple[Message, ...] = field(repr=False)

    @property
    def seconds(self) -> float:
        """Seconds from sending to idle."""
        return self.messages[-1].at - self.sent

    @property
    def shown(self) -> list[Message]:
        """The messages that draw something."""
        return [message for message in self.messages if message.kind in _SHOWING]

    @property
    def most_draws(self) -> int:
        """The most drawings that any second holds."""
        times = [message.at for message in self.shown]
        return max(bisect_left(times, at + 1.0) - number for number, at in enumerate(times))

    @property
    def printed(self) -> str:
        """What the cell printed."""
        return "".join(each.content["text"] for each in self.messages if each.kind == "stream")

    def seconds_to(self, text: str) -> float:
        """Return the seconds from sending to the first drawing, or result, that holds `text`."""
        showing = (each for each in self.messages if each.kind in {*_SHOWING, "execute_result"})
        return next(message.at for message in showing if text in message.markdown) - self.sent


class _Specs(KernelSpecManager):  # type: ignore[misc]
    """Knows one kernel: that of `python`."""

    python = sys.executable

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        argv = [self.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name=kernel_name, language="python")


class Kernel:
    """A running kernel."""

    def __init__(self, manager: KernelManager) -> None:
        self._client = manager.blocking_client()
        self._client.start_channels(stdin=False, hb=False)
        self._client.wait_for_ready(timeout=60)
        self._socket = self._client.iopub_channel.socket
        self._cells = count()

    def run(self, code: str) -> Cell:
        """Execute code and return what it showed.

        Raises:
            RuntimeError: the cell failed, or did not end in time.
        """
        # As JupyterLab does: where no cell is named, an answer is drawn once, at its end.
        self._client.session.metadata = {"cellId": f"cell-{next(self._cells)}"}
        sent = time.perf_counter()
        identity = self._client.execute(code, allow_stdin=False)
        messages = tuple(self._until_idle(identity))
        for message in messages:
            if b'"ename"' in message.parts[-1] and message.kind == "error":
                raise RuntimeError("\n".join(message.content["traceback"]))
        return Cell(sent=sent, messages=messages)

    def value(self, code: str) -> Any:
        """Execute code that prints one JSON value, and return that value."""
        return json.loads(self.run(code).printed)

    def cpu(self) -> float:
        """Return how much CPU the kernel has taken so far, in ms."""
        return float(self.value("import time as _time; print(1000 * _time.process_time())"))

    def close(self) -> None:
        self._client.stop_channels()

    def _until_idle(self, identity: str) -> Iterator[Message]:
        while self._socket.poll(_PATIENCE * 1000):
            parts = tuple(self._socket.recv_multipart())
            message = Message(at=time.perf_counter(), parts=parts)
            if identity.encode() in parts[parts.index(_DELIMITER) + 3]:
                yield message
                if b'"execution_state"' in parts[-1] and message.content.get("execution_state") == "idle":
                    return
        raise RuntimeError(f"the kernel was silent for {_PATIENCE:.0f} seconds")


@contextmanager
def kernel(environment: Mapping[str, str], python: str = sys.executable) -> Iterator[Kernel]:
    """Start a kernel of this Python, or of another one, and shut it down at the end."""
    environment = clean(environment)
    specs = _Specs(kernel_dirs=[])
    specs.python = python
    for attempt in range(1, _STARTS + 1):
        manager = KernelManager(kernel_name="python3", kernel_spec_manager=specs)
        manager.start_kernel(env=environment, stderr=subprocess.DEVNULL)
        try:
            running = Kernel(manager)
            break
        except RuntimeError:
            # Its ports are chosen before it binds them, so another process can be quicker.
            manager.shutdown_kernel(now=True)
            if attempt == _STARTS:
                raise
    try:
        yield running
    finally:
        running.close()
        manager.shutdown_kernel(now=True)
