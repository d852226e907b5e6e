"""A real Jupyter kernel of this interpreter: run a cell and see what reaches the front end, and when."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from jupyter_client.manager import KernelManager
from jupyter_core.utils import ensure_event_loop
from nbclient import NotebookClient
from nbconvert.preprocessors import CoalesceStreamsPreprocessor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]


# Seconds; nbclient gives up on a kernel that starts after a minute and on outputs that come after four seconds.
PATIENCE = 600


def run_notebook(notebook: Any, folder: Path, environment: Mapping[str, str], **more: Any) -> None:
    """Run a notebook in a folder, however slow the machine is; `more` is for its client."""
    client = NotebookClient(
        notebook,
        timeout=PATIENCE,
        startup_timeout=PATIENCE,
        iopub_timeout=PATIENCE,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
        **more,
    )
    # A kernel manager that was handed in would be left running.
    client.owns_km = True
    client.execute(env=dict(environment))
    # ipykernel sends what was printed when 0.2 seconds have passed, so two lines are one output or two by chance.
    CoalesceStreamsPreprocessor().preprocess(notebook, {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One iopub message, received `at` seconds after its cell was sent; `sent` is the kernel's clock, in seconds."""

    kind: str
    content: dict[str, Any]
    at: float
    sent: float

    @property
    def text(self) -> str:
        """The plain text of a display, or the text of a stream."""
        data = self.content.get("data", {})
        plain = data.get("text/plain", "")
        # A draft of an answer holds its text as Markdown only, which is what a page shows.
        return (data.get("text/markdown", plain) if plain == "…" else plain) or self.content.get("text", "")


@dataclass(kw_only=True, slots=True)
class Run:
    """One cell that ran: its messages in order, its status, how long it took in seconds."""

    messages: list[Message] = field(default_factory=list)
    status: str = ""
    error: str = ""
    traceback: list[str] = field(default_factory=list)
    payload: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def of(self, *kinds: str) -> list[Message]:
        """The messages of these kinds."""
        return [message for message in self.messages if message.kind in kinds]

    @property
    def displays(self) -> list[Message]:
        """Everything that was drawn: new displays and updates."""
        return self.of("display_data", "update_display_data")

    @property
    def printed(self) -> str:
        """All that went to stdout and stderr."""
        return "".join(message.text for message in self.of("stream"))

    @property
    def outputs(self) -> list[Message]:
        """What a front end has below the cell in the end, clear_output obeyed."""
        left: list[Message] = []
        clearing = False
        for message in self.of("display_data", "execute_result", "stream", "error", "clear_output"):
            if message.kind == "clear_output":
                clearing = True
                continue
            left = [] if clearing else left
            clearing = False
            left.append(message)
        return left


class Kernel:
    """A kernel process and the client that talks to it."""

    def __init__(self, manager: KernelManager, client: Any) -> None:
        self._manager = manager
        self._client = client

    def run(
        self,
        code: str,
        *,
        during: Callable[[Message], None] | None = None,
        timeout: float = 300,
        metadata: Mapping[str, Any] | None = None,
    ) -> Run:
        """Run a cell until it is over; `during` is called with each message as it arrives.

        `metadata` is that of the request; JupyterLab sends the id of the cell there,
        which is what is sent if nothing else is given.
        """
        sent, run = time.perf_counter(), Run()
        request = self._send(code, {"cellId": "cell"} if metadata is None else metadata)
        while True:
            raw = self._client.get_iopub_msg(timeout=timeout)
            if raw["parent_header"].get("msg_id") != request:
                continue
            message = Message(
                kind=raw["msg_type"],
                content=raw["content"],
                at=time.perf_counter() - sent,
                sent=raw["header"]["date"].timestamp(),
            )
            run.messages.append(message)
            if message.kind == "status" and message.content["execution_state"] == "idle":
                break
            if during is not None:
                during(message)
        return self._ended(run, request, timeout, sent)

    def _send(self, code: str, metadata: Mapping[str, Any]) -> str:
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            # Else a kernel drops what comes for a moment after an error, and the next cell may be early.
            "stop_on_error": False,
        }
        message = self._client.session.msg("execute_request", content, metadata=dict(metadata))
        self._client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    def _ended(self, run: Run, request: str, timeout: float, sent: float) -> Run:
        reply = self._client.get_shell_msg(timeout=timeout)
        while reply["parent_header"].get("msg_id") != request:
            # Whoever waits for a slow kernel asks it more than once, and replies are left over.
            reply = self._client.get_shell_msg(timeout=timeout)
        content = reply["content"]
        run.seconds = time.perf_counter() - sent
        run.status, run.error = content["status"], content.get("ename", "")
        run.traceback = list(content.get("traceback", ()))
        run.payload = list(content.get("payload", ()))
        return run

    def ok(self, code: str, **options: Any) -> Run:
        """Run a cell that must not fail."""
        run = self.run(code, **options)
        assert run.status == "ok", "\n".join(run.traceback)
        return run

    def value(self, expression: str) -> str:
        """The text that an expression prints."""
        return self.ok(f"print({expression})").printed.strip()

    def interrupt(self) -> None:
        """Press stop."""
        self._manager.interrupt_kernel()

    def complete(self, code: str) -> list[str]:
        """The lines that Tab at the end of this one makes."""
        request = self._client.complete(code, len(code))
        while True:
            try:
                reply = self._client.get_shell_msg(timeout=60)
            except Empty:
                return []
            if reply["parent_header"]["msg_id"] == request:
                content = reply["content"]
                start, end = content["cursor_start"], content["cursor_end"]
                return [code[:start] + match + code[end:] for match in content["matches"]]


@contextmanager
def own_loop() -> Iterator[None]:
    """Give Jupyter's blocking clients an event loop and close what they leave open (jupyter_core 5.9.1, 3.13)."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        asyncio.set_event_loop(None)
        loop.close()
        ensure_event_loop().close()


@contextmanager
def running_kernel(folder: Path, **environment: str) -> Iterator[Kernel]:
    """Start a kernel in a folder that holds its configuration too, and stop it in the end."""
    with own_loop(), _started(folder, environment) as kernel:
        yield kernel


def another_kernel(folder: Path, **environment: str) -> AbstractContextManager[Kernel]:
    """Start a kernel beside one that runs already, in the same event loop."""
    return _started(folder, environment)


@contextmanager
def _started(folder: Path, environment: Mapping[str, str]) -> Iterator[Kernel]:
    places = {name: str(folder) for name in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    # Sockets in the folder: a port is chosen before the kernel takes it, and another process may be faster.
    manager = KernelManager(kernel_name="python3", transport="ipc", ip=str(folder / "k"))
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYDEVD_DISABLE_FILE_VALIDATION": "1", **places}
    manager.start_kernel(env={**surroundings, **environment}, cwd=str(folder))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=300)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
