"""The kernels that the commands run notebooks in, and how long they wait for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

__all__ = ["TIMEOUTS", "kernel_without_network", "own_kernel", "run_without_network"]

# Seconds for the kernel to start, for a cell to end, and for its last output. Left alone, nbclient 0.11 waits for a
# minute and for four seconds, which a busy machine takes, and then runs nothing or goes on without the output.
TIMEOUTS = {"startup_timeout": 300, "timeout": 300, "iopub_timeout": 300}


@contextmanager
def own_kernel() -> Iterator[str]:
    """Provide a kernel of this very interpreter, whatever kernels the user has installed."""
    from ipykernel.kernelspec import write_kernel_spec

    with tempfile.TemporaryDirectory(prefix="vertex-claude-") as folder:
        name = "vertex-claude-demo"
        write_kernel_spec(str(Path(folder) / "kernels" / name))
        before = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, (folder, before)))
        try:
            yield name
        finally:
            if before is None:
                del os.environ["JUPYTER_PATH"]
            else:
                os.environ["JUPYTER_PATH"] = before


def kernel_without_network(folder: Path) -> AsyncKernelManager:
    """Return the manager of a kernel of this very interpreter, in a network of its own where that is permitted."""
    from ipykernel.kernelspec import make_ipkernel_cmd, write_kernel_spec
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    # Where the system does not permit it, the kernel still has no credentials and sends nothing.
    closed: list[str] = []
    program = shutil.which("unshare") if sys.platform.startswith("linux") else None
    for flags in (["--net"], ["--net", "--map-root-user"]) if program else ():
        without = [str(program), *flags]
        tried = subprocess.run([*without, "true"], capture_output=True, check=False)  # noqa: S603
        if tried.returncode == 0:
            closed = without
            break
    command = [*closed, *make_ipkernel_cmd(extra_arguments=["--log-level=ERROR"])]
    name = "vertex-claude-check"
    write_kernel_spec(str(folder / "kernels" / name), overrides={"argv": command})
    # Sockets that are files are reached from another network; those of loopback are not.
    files = {"transport": "ipc", "ip": str(folder / "kernel")} if closed else {}
    return AsyncKernelManager(
        kernel_name=name,
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")]),
        connection_file=str(folder / "connection.json"),
        **files,
    )


def run_without_network(
    notebook: NotebookNode,
    place: Path,
    folder: Path,
    environment: Mapping[str, str],
    timeouts: Mapping[str, int] = TIMEOUTS,
    *,
    began: Callable[[int], object] = lambda number: None,  # noqa: ARG005 - nobody wants to know
) -> tuple[int, str] | None:
    """Run all cells of a notebook, also those below one that raises an exception; its outputs are changed.

    Args:
        notebook: The notebook.
        place: The folder in which it runs.
        folder: An empty folder for what the kernel needs.
        environment: The environment of the kernel.
        timeouts: As `TIMEOUTS`.
        began: Told the number of each cell before it runs.

    Returns:
        The number of the cell that ended the run before its end and the reason: the kernel died, or the cell took too
        long. None if all of it ran.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    numbers: list[int] = []

    def begin(cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG001 - named by nbclient
        numbers.append(cell_index + 1)
        began(cell_index + 1)

    client = NotebookClient(
        notebook,
        km=kernel_without_network(folder),
        allow_errors=True,
        on_cell_execute=begin,
        resources={"metadata": {"path": str(place)}},
        **timeouts,
    )
    # A manager that was handed in would be left running.
    client.owns_km = True
    try:
        client.execute(env=dict(environment))
    except (DeadKernelError, CellTimeoutError) as error:
        return numbers[-1], quote(f"{type(error).__name__}: {error}", 160)
    return None
