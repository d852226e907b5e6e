"""An IPython shell in this process, whose page of outputs a test can look at."""

from __future__ import annotations

import _thread
import atexit
import os
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.emulator import Emulator, Received

EXTENSION = "vertex_claude_magic"
ROOT = Path(__file__).resolve().parents[1]


class Page(DisplayPublisher):
    """What a notebook shows below a cell, by the rules of the Jupyter messaging protocol (version 5.4)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.messages: list[str] = []
        self.drawn: list[str] = []
        self.drew = threading.Event()
        self._outputs: list[tuple[str | None, dict[str, Any], dict[str, Any]]] = []
        self._clearing = False

    def publish(self, data, metadata=None, source=None, *, transient=None, update=False, **_):
        identity = (transient or {}).get("display_id")
        self.messages.append("update" if update else "show")
        plain = data.get("text/plain", "")
        # A draft of an answer holds its text as Markdown only, which is what a page shows.
        self.drawn.append(data.get("text/markdown", plain) if plain == "…" else plain)
        self.drew.set()
        if update:
            self._outputs = [
                (known, data, metadata) if known == identity else (known, *rest)
                for known, *rest in self._outputs
            ]
            return
        if self._clearing:
            self._outputs, self._clearing = [], False
        self._outputs.append((identity, data, metadata or {}))

    def clear_output(self, wait=False):
        self.messages.append("clear")
        self._clearing = True

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """The data of each output that is there now."""
        return [data for _, data, _ in self._outputs]

    @property
    def metadata(self) -> list[dict[str, Any]]:
        """The metadata of each output that is there now."""
        return [metadata for _, _, metadata in self._outputs]

    @property
    def text(self) -> str:
        """All plain text that is there now."""
        return "\n".join(data.get("text/plain", "") for data in self.outputs)


class StoppingPage(Page):
    """A page on which the user presses stop while the messages of these numbers are drawn.

    A waiting line that is drawn again has no number: how often that happens depends on how long the answer takes.
    """

    stops: frozenset[int] = frozenset()

    def publish(self, data, *args, **options):
        super().publish(data, *args, **options)
        if options.get("update") and self.drawn[-1].startswith("◌"):
            self.messages.pop()
        else:
            self._stop()

    def clear_output(self, wait=False):
        super().clear_output(wait)
        self._stop()

    def _stop(self):
        if len(self.messages) in self.stops:
            raise KeyboardInterrupt


@dataclass(kw_only=True, slots=True)
class Shell:
    """An IPython shell with the extension; `run` starts each cell on an empty page."""

    ip: InteractiveShell
    emulator: Emulator | None = None
    page: Page = field(default_factory=Page)

    def run(self, cell: str, *, store_history: bool = True) -> Any:
        """Run a cell and return IPython's result; the page shows what it left."""
        self.page = Page()
        self.ip.display_pub = self.page
        return self.ip.run_cell(cell, store_history=store_history)

    def ok(self, cell: str) -> Any:
        """Run a cell that must not fail, and return its value."""
        result = self.run(cell)
        result.raise_error()
        return result.result

    def error(self, cell: str) -> BaseException:
        """Run a cell that must fail, and return the error."""
        result = self.run(cell)
        error = result.error_in_exec or result.error_before_exec
        assert error is not None, f"this cell did not fail: {cell!r}"
        return error

    @property
    def magics(self) -> Any:
        """The extension's own object."""
        return next(each for each in self.ip.configurables if type(each).__name__ == "ClaudeMagics")

    @property
    def asked(self) -> list[Received]:
        """The messages calls that went out, oldest first."""
        return [
            each
            for each in self.emulator.requests
            if "/models/" in each.path and "count-tokens" not in each.path
        ]

    @property
    def body(self) -> Any:
        """The body of the last messages call."""
        return self.asked[-1].body


def bare_shell() -> InteractiveShell:
    """Make a shell without history file and extension."""
    # To color a traceback takes as long as the question that failed.
    options = {"HistoryManager": {"enabled": False}, "InteractiveShell": {"colors": "NoColor"}}
    shell = InteractiveShell(config=Config(options))
    # At the end of the process each shell would be reset, with a collection of garbage that takes half a second.
    atexit.unregister(shell.atexit_operations)
    if hasattr(shell.history_manager, "outputs"):
        # IPython 9.18 has those of all shells of a process in one dict, as no process of a user has more than one shell.
        shell.history_manager.outputs = defaultdict(list)
    return shell


def loaded_shell(emulator: Emulator | None = None) -> Shell:
    """Make a shell with the extension."""
    shell = Shell(ip=bare_shell(), emulator=emulator)
    shell.ip.run_line_magic("load_ext", EXTENSION)
    return shell


@contextmanager
def interrupt_while_waiting(emulator: Emulator) -> Iterator[None]:
    """Press stop as soon as the emulator has a request and the main thread waits for its answer."""
    over = threading.Event()

    def press() -> None:
        while not over.wait(0.01):
            if emulator.requests and _waits():
                _thread.interrupt_main()
                return

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _waits() -> bool:
    frame = sys._current_frames()[threading.main_thread().ident]
    while frame is not None and Path(frame.f_code.co_filename).name != "waiting.py":
        frame = frame.f_back
    return frame is not None


def run_python(code: str, *flags: str, folder: Path = ROOT, **environment: str) -> str:
    """Run code in a Python of its own that has the package of `folder`, and return what it prints."""
    command = [sys.executable, *flags, "-c", code]
    surroundings = {**os.environ, "PYTHONPATH": str(folder), **environment}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
