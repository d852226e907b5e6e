"""The kernels that the commands run notebooks in, and how long they wait for them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from jupyter_client.manager import AsyncKernelManager
    from nbformat import NotebookNode

__all__ = ["TIMEOUTS", "kernel_without_network", "own_kernel", "run_without_network"]

# Seconds for the kernel to start, for a cell to end, and for its last output. Left alone, nbclient 0.11 waits for a
# minute and for four seconds, which a busy machine takes, and then runs nothing or goes on without the output.
TIMEOUTS = {"startup_timeout": 300, "timeout": 300, "iopub_timeout": 300}


def own_kernel(folder: Path, before: Sequence[str] = (), **connection: str) -> AsyncKernelManager:
    """Return the manager of a kernel of this very interpreter, whatever kernels the user has installed.

    Args:
        folder: An empty folder for what the kernel needs.
        before: What is put before the command of the kernel.
        connection: Settings of its connection.
    """
    from ipykernel.kernelspec import make_ipkernel_cmd, write_kernel_spec
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    # ipykernel 7.4 warns of an unencrypted connection, which here never leaves the machine.
    command = [*before, *make_ipkernel_cmd(extra_arguments=["--log-level=ERROR"])]
    name = "vertex-claude"
    write_kernel_spec(str(folder / "kernels" / name), overrides={"argv": command})
    return AsyncKernelManager(
        kernel_name=name,
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(folder / "kernels")]),
        connection_file=str(folder / "connection.json"),
        **connection,
    )


def kernel_without_network(folder: Path) -> AsyncKernelManager:
    """Return a manager as `own_kernel` does, of a kernel in a network of its own where that is permitted."""
    # Where the system does not permit it, the kernel still has no credentials and sends nothing.
    program = shutil.which("unshare") if sys.platform.startswith("linux") else None
    for flags in (["--net"], ["--net", "--map-root-user"]) if program else ():
        without = [str(program), *flags]
        tried = subprocess.run([*without, "true"], capture_output=True, check=False)  # noqa: S603
        if tried.returncode == 0:
            # Sockets that are files are reached from another network; those of loopback are not.
            return own_kernel(folder, without, transport="ipc", ip=str(folder / "kernel"))
    return own_kernel(folder)


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
