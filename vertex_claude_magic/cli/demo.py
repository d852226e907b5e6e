"""`vertex-claude demo`: the example notebook, executed in a real kernel while you watch.

By default everything stays on this machine: an emulator plays Vertex AI, its token endpoint included,
so that the kernel runs the same code that it would run against Google.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.cli.arguments import Parser
from vertex_claude_magic.cli.kernels import TIMEOUTS, own_kernel
from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.text import quote_path, reason_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbformat import NotebookNode

__all__ = ["main"]

NOTEBOOK = "01-first-answer.ipynb"
_PACE = 0.02
_SECONDS_PER_LINE = 0.5

_NOT_CLAUDE = """\
These answers come from the emulator on this machine and were written by hand. The emulator is not Claude.
To ask Claude, with a Google Cloud project that has Claude enabled in its Model Garden:
  gcloud auth application-default login
  export ANTHROPIC_VERTEX_PROJECT_ID=your-project
  vertex-claude demo --real"""


def main(argv: Sequence[str]) -> int:
    """Run the demo; 0 if every cell ran.

    Raises:
        MissingExtra: the packages of the extra `demo` are not installed.
        OptionError: the results cannot be written.
        ClaudeError: with `--real`, no credentials or no project were found.
    """
    parser = Parser(prog="vertex-claude demo", allow_abbrev=False, description=__doc__)
    parser.add_argument(
        "--lab", action="store_true", help="open the notebook in JupyterLab instead of executing it"
    )
    parser.add_argument(
        "--real", action="store_true", help="ask Claude on Vertex AI with your own project (costs money)"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("vertex-claude-demo"),
        metavar="DIR",
        help="where the results are written",
    )
    options = parser.parse_args(argv)
    if options.lab:
        _need("jupyterlab", extra="demo,lab")
    _need("nbclient", "nbconvert", "ipykernel")
    with _target(real=options.real) as environment:
        copy = options.output / NOTEBOOK
        page = copy.with_suffix(".html")
        try:
            options.output.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(find_notebook().read_bytes())
            if not options.lab:
                # Known before the first question, which may be paid.
                page.open("ab").close()
        except OSError as error:
            raise OptionError(
                f"{quote_path(str(error.filename))} cannot be written ({reason_of(error)}).",
                cure="Choose another folder with --output.",
            ) from None
        if not options.lab:
            return _execute(environment, copy, page, real=options.real)
        print(f"JupyterLab opens {copy}; press Ctrl-C here to end it.", flush=True)
        # In a container one is root; Jupyter would stop there and ask for this flag.
        root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [sys.executable, "-m", "jupyterlab", *root, str(copy)]
        return subprocess.call(command, env=dict(environment))  # noqa: S603 - our own words and the user's folder


def _need(*modules: str, extra: str = "demo") -> None:
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingExtra(
            f"The demo needs {', '.join(missing)}, not installed here.",
            cure=f'Run: pip install "vertex-claude-magic[{extra}]"',
        )


@contextmanager
def _target(*, real: bool) -> Iterator[Mapping[str, str]]:
    """Yield the environment of the kernel: the user's own, or one that points at a new emulator."""
    if real:
        from vertex_claude_magic.session.session import open_session

        session = open_session()
        project = session.project(session.target())
        print(f"Asking Claude on Vertex AI with project {project}; this costs a few cents.")
        yield dict(os.environ)
        return
    from vertex_claude_magic.emulator import Emulator

    with Emulator(pace=_PACE, demo=True) as emulator:
        print(f"The emulator answers at {emulator.base_url}")
        proxies = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
        own = {name: value for name, value in os.environ.items() if name.upper() not in proxies}
        yield {**own, **emulator.environment}


def find_notebook(name: str = NOTEBOOK) -> Path:
    """Return the path of an example notebook: installed with the package, or in a checkout beside it.

    Raises:
        OptionError: it is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / name).is_file():
            return folder / name
    raise OptionError(
        f"The notebook {name} is not installed.", cure="Install the package again, or use a checkout."
    )


def _execute(environment: Mapping[str, str], copy: Path, page: Path, *, real: bool) -> int:
    import nbformat
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(copy, as_version=4)
    failed = None
    with tempfile.TemporaryDirectory(prefix="vertex-claude-") as folder:
        try:
            _watcher(notebook, own_kernel(Path(folder))).execute(env=dict(environment))
        except CellExecutionError as error:
            failed = error
    # Not before the cells ran, because it takes a second.
    from nbconvert import HTMLExporter

    nbformat.write(notebook, copy)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    page.write_text(html, encoding="utf-8")
    print("\nWritten:", f"  {copy.resolve()}", f"  {page.resolve()}", sep="\n")
    if failed is not None:
        print(f"\nA cell failed: {failed.ename}: {failed.evalue}", file=sys.stderr)
        return 1
    if not real:
        print("", _NOT_CLAUDE, sep="\n")
    return 0


def _watcher(notebook: NotebookNode, kernel: AsyncKernelManager) -> NotebookClient:
    """Make a notebook client that prints what goes over the wire while the cells run."""
    from nbclient import NotebookClient

    class Watcher(NotebookClient):  # type: ignore[misc]
        async def async_execute_cell(self, cell: NotebookNode, *args: Any, **kwargs: Any) -> NotebookNode:
            if cell.cell_type == "code":
                progress.cell(cell.source)
                # This client draws updates, unlike others without a page: it says so as JupyterLab does.
                self.kc.session.metadata = {"cellId": cell.get("id", "demo")}
            return await super().async_execute_cell(cell, *args, **kwargs)

        def process_message(self, message: Mapping[str, Any], cell: NotebookNode, cell_index: int) -> Any:
            progress.message(message)
            return super().process_message(message, cell, cell_index)

    progress = _Progress()
    client = Watcher(notebook, km=kernel, **TIMEOUTS)
    # A manager that was handed in would be left running.
    client.owns_km = True
    return client


class _Progress:
    """Prints each cell and, while it runs, now and then a line on what its output shows."""

    def __init__(self) -> None:
        self._started = self._printed = time.monotonic()
        self._drawn = 0

    def cell(self, source: str) -> None:
        """A cell begins."""
        self._started, self._drawn = time.monotonic(), 0
        print("\n" + "\n".join(f"    {line}" for line in source.splitlines()), flush=True)

    def message(self, message: Mapping[str, Any]) -> None:
        """A message came from the kernel; only what is shown counts."""
        content = message["content"]
        if message["msg_type"] == "error":
            print(
                f"  {time.monotonic() - self._started:5.2f} s  {content['ename']}: {content['evalue']}",
                flush=True,
            )
            return
        if message["msg_type"] not in {"display_data", "update_display_data", "stream", "execute_result"}:
            return
        text = content.get("text") or content.get("data", {}).get("text/plain", "")
        self._drawn += 1
        # Every draft carries the mark too, and says that it is one.
        mark = content.get("metadata", {}).get("vertex_claude_magic")
        final = mark is not None and mark.get("state") != "unfinished"
        if self._drawn > 2 and not final and time.monotonic() - self._printed < _SECONDS_PER_LINE:
            return
        self._printed = time.monotonic()
        last = " ".join(text.split())
        if final:
            line = f"the answer is complete: {len(text):,} characters\n\n{text}"
        elif len(last) > 60:
            line = f"{len(text):6,} characters  …{last[-60:]}"
        else:
            line = last
        print(f"  {time.monotonic() - self._started:5.2f} s  {line}", flush=True)
