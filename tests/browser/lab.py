"""A real JupyterLab in a real browser, for tests: start it, open notebooks, run them, look at what is shown.

``LabServer`` is a server process with configuration, data and kernels of its own in a temporary folder.
``LabPage`` is one browser page on it that keeps a log of every address asked for and every dialog opened.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlsplit

import nbformat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

PACKAGE_ROOT = Path(__file__).resolve().parents[2]

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# No news, no update checks, every cell in the page even when it is scrolled out of view, widgets saved.
SETTINGS = {
    "../@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
    "apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 500},
    "docmanager-extension/plugin": {"autosave": False},
}

SERVER_OPTIONS = [
    "--no-browser",
    "--allow-root",
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--ServerApp.open_browser=False",
    "--LabApp.news_url=",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--LabApp.collaborative=False",
]


def free_port() -> int:
    """Return a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_notebook(path: Path, cells: Sequence[str], *, tags: Sequence[str] = ()) -> Path:
    """Write a notebook of code cells for the kernel of this interpreter, each with these tags."""
    metadata = {"tags": list(tags)} if tags else {}
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source, metadata=metadata) for source in cells]
    )
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
    return path


def untrusted_copy(path: Path, name: str) -> Path:
    """Copy a saved notebook so that its signature no longer fits: JupyterLab opens it untrusted."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"]["copied"] = True
    copy = path.with_name(name)
    copy.write_text(json.dumps(notebook), encoding="utf-8")
    return copy


@dataclass(kw_only=True, slots=True)
class LabServer:
    """A JupyterLab server that lives in `home` and serves the notebooks in `root`."""

    home: Path
    token: str = "browser-test"
    port: int = field(default_factory=free_port)
    # Options of the server beside those that every one of these has.
    options: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Path:
        return self.home / "notebooks"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return an environment in which nothing of the user's own Jupyter is seen."""
        keep = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "IPYTHON"))}
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
            "HOME": "user",
        }
        paths = os.pathsep.join([str(PACKAGE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        extra = {"PYTHONPATH": paths, "PYDEVD_DISABLE_FILE_VALIDATION": "1", "VERTEX_CLAUDE_JOURNAL": "off"}
        return keep | {key: str(self.home / name) for key, name in folders.items()} | extra

    def _prepare(self) -> None:
        for folder in ("config", "runtime", "workspaces", "ipython", "user", "notebooks"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        kernel = self.home / "data/kernels/python3/kernel.json"
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel.parent.mkdir(parents=True, exist_ok=True)
        kernel.write_text(json.dumps({"argv": command, "display_name": "Python 3", "language": "python"}))
        for name, values in SETTINGS.items():
            target = self.home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(values))

    def start(self, timeout: float = 60) -> LabServer:
        """Start the server and wait until it answers; `timeout` in seconds."""
        self._prepare()
        places = [f"--ServerApp.port={self.port}", f"--ServerApp.root_dir={self.root}"]
        command = [sys.executable, "-m", "jupyterlab", *SERVER_OPTIONS, *places, *self.options]
        command += [f"--IdentityProvider.token={self.token}"]
        with (self.home / "server.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, env=self.environment(), stdout=log, stderr=log, cwd=self.root
            )
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"JupyterLab did not start:\n{(self.home / 'server.log').read_text()[-3000:]}"
                )
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/api/status?token={self.token}", timeout=5):
                return True
        except (URLError, OSError):
            return False

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass(kw_only=True, slots=True)
class LabPage:
    """A page of the browser that shows JupyterLab, with a log of what it asked for."""

    page: Page
    server: LabServer
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def start(self) -> LabPage:
        """Load JupyterLab and begin the log."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self._dismiss(dialog))
        self._go("lab?reset=")
        return self

    def _go(self, address: str) -> None:
        self.page.goto(f"{self.server.url}/{address}&token={self.server.token}")
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored", timeout=60_000)
        self.page.evaluate("() => window.jupyterapp.restored.then(() => true)")

    def _dismiss(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def strangers(self) -> list[str]:
        """Return the addresses asked for that are not the server's own (data and blob URLs stay inside)."""
        home = urlsplit(self.server.url).netloc
        outside = (url for url in self.requests if urlsplit(url).scheme not in {"data", "blob"})
        return [url for url in outside if urlsplit(url).netloc != home]

    def command(self, name: str, **arguments: Any) -> None:
        """Run a JupyterLab command and wait for it."""
        script = "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => true)"
        self.page.evaluate(script, [name, arguments])

    def open(self, path: Path, *, kernel: bool = True) -> None:
        """Open a notebook below the server's root and wait until it is shown."""
        arguments: dict[str, Any] = {
            "path": path.relative_to(self.server.root).as_posix(),
            "factory": "Notebook",
        }
        if not kernel:
            arguments["kernelPreference"] = {
                "shouldStart": False,
                "canStart": False,
                "autoStartDefault": False,
            }
        self.command("docmanager:open", **arguments)
        script = "() => window.jupyterapp.shell.currentWidget.revealed.then(() => true)"
        self.page.evaluate(script)
        if kernel:
            self.wait_idle()
        # Cells come one after another, and Markdown is written into its output later than other texts.
        self.page.wait_for_function(
            """() => {
                const cells = window.jupyterapp.shell.currentWidget.content.widgets;
                return cells.filter(cell => cell.model.outputs).every(cell =>
                    cell.outputArea.widgets.length === cell.model.outputs.length &&
                    [...cell.node.querySelectorAll('.jp-RenderedMarkdown')].every(each => each.hasChildNodes()));
            }"""
        )

    def execute(self, code: str) -> str:
        """Run code in the notebook's kernel beside its cells, and return what it printed."""
        return str(
            self.page.evaluate(
                """async code => {
                    const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
                    const future = kernel.requestExecute({code, store_history: false});
                    let printed = '';
                    future.onIOPub = message => {
                        if (message.header.msg_type === 'stream') printed += message.content.text;
                        if (message.header.msg_type === 'error') printed += message.content.evalue;
                    };
                    await future.done;
                    return printed;
                }""",
                code,
            )
        )

    def begin(self, code: str) -> None:
        """Run code in the notebook's kernel and do not wait for its end."""
        self.page.evaluate(
            """code => { window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel
                .requestExecute({code, store_history: false}); }""",
            code,
        )

    def wait_idle(self, timeout: float = 60) -> None:
        """Wait until the kernel is idle and no cell waits for its turn; `timeout` in seconds."""
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp.shell.currentWidget;
                const kernel = panel.context.sessionContext.session?.kernel;
                const waiting = [...panel.node.querySelectorAll('.jp-InputPrompt')]
                    .some(prompt => prompt.textContent.includes('[*]'));
                return kernel?.status === 'idle' && !waiting;
            }""",
            timeout=timeout * 1000,
        )

    def run_all(self, timeout: float = 60) -> None:
        """Run all cells and wait for the end."""
        self.command("notebook:run-all-cells")
        self.wait_idle(timeout)
        self.settle()

    def settle(self) -> None:
        """Wait until what is shown has not changed for half a second (typesetting, highlighting)."""
        self.page.evaluate(
            """() => new Promise(resolve => {
                let timer = setTimeout(resolve, 500);
                const watcher = new MutationObserver(() => { clearTimeout(timer); timer = setTimeout(done, 500); });
                function done() { watcher.disconnect(); resolve(); }
                const panel = window.jupyterapp.shell.currentWidget.node;
                watcher.observe(panel, {subtree: true, childList: true, characterData: true});
            })"""
        )

    def outputs(self, selector: str = ".jp-OutputArea-output") -> list[str]:
        """Return the HTML beneath each output of the current notebook, in order."""
        script = "nodes => nodes.filter(n => n.offsetParent !== null).map(n => n.innerHTML)"
        return list(self.page.eval_on_selector_all(selector, script))

    def texts(self, selector: str = ".jp-OutputArea-output") -> list[str]:
        """Return the text shown in each output of the current notebook, in order."""
        script = "nodes => nodes.filter(n => n.offsetParent !== null).map(n => n.innerText)"
        return list(self.page.eval_on_selector_all(selector, script))

    def save(self) -> None:
        self.command("docmanager:save")

    def close(self) -> None:
        """Close the current notebook without asking."""
        self.page.evaluate(
            "() => { const w = window.jupyterapp.shell.currentWidget; w.context.model.dirty = false; w.close(); }"
        )
        self.page.wait_for_function("() => !document.querySelector('.jp-NotebookPanel')")

    def theme(self, name: str) -> None:
        """Switch the theme, for example to "JupyterLab Dark"."""
        self.command("apputils:change-theme", theme=name)
        script = "name => document.body.dataset.jpThemeName === name && !document.querySelector('#jupyterlab-splash')"
        self.page.wait_for_function(script, arg=name)

    def screenshot(self, path: Path) -> Path:
        self.page.screenshot(path=str(path))
        return path


class NotebookPage(LabPage):
    """The same page showing Jupyter Notebook 7, which has one document."""

    def start(self) -> NotebookPage:
        """Begin the log; the application is loaded with its document."""
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self._dismiss(dialog))
        return self

    def open(self, path: Path, *, kernel: bool = True) -> None:
        """Open a notebook below the server's root and wait until its kernel is there."""
        assert kernel, "Notebook 7 always starts one"
        self._go(f"notebooks/{path.relative_to(self.server.root).as_posix()}?reset=")
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget?.context?.sessionContext?.session?.kernel"
        )
        self.wait_idle()
