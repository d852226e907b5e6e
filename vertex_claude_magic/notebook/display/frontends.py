"""What differs between front ends: a notebook or a terminal, and which.

A kernel never learns for certain who shows its outputs; what this module says is what its own process
and environment give away. Everything that is looked at can be handed in.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.text import without_home

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from vertex_claude_magic.notebook.shell import Shell
__all__ = ["FrontEnd", "front_end", "named_notebook", "notebook_file", "notebook_name"]

# IPython's own publisher prints text/plain, whatever the shell is called.
_PRINTING_PUBLISHERS = frozenset({"DisplayPublisher", "CapturingDisplayPublisher"})


class FrontEnd(NamedTuple):
    """Who shows the outputs.

    `updates` is False where an output that is there cannot be changed; `tty` says whether a terminal
    can rewrite its last line.
    """

    kind: Literal["notebook", "terminal"]
    name: Literal["colab", "vscode", "spyder", "jupyter", "terminal"]
    updates: bool
    tty: bool = False


def front_end(
    shell: Shell | None,
    *,
    environ: Mapping[str, str] = os.environ,
    modules: Container[str] = sys.modules,
    stdout: TextIO | None = None,
) -> FrontEnd:
    """Tell the front end from the IPython shell (None outside IPython), environment and loaded modules.

    >>> front_end(None, environ={}, modules=()).kind
    'terminal'
    """
    publisher = type(getattr(shell, "display_pub", None)).__name__
    has_kernel = getattr(shell, "kernel", None) is not None
    if not has_kernel and publisher in {*_PRINTING_PUBLISHERS, "NoneType"}:
        tty = False
        with suppress(AttributeError, ValueError):
            tty = bool((stdout or sys.stdout).isatty()) and environ.get("TERM") != "dumb"
        return FrontEnd(kind="terminal", name="terminal", updates=False, tty=tty)
    name: Literal["colab", "vscode", "spyder", "jupyter"] = "jupyter"
    if "google.colab" in modules or "COLAB_RELEASE_TAG" in environ:
        name = "colab"
    elif "__vsc_ipynb_file__" in getattr(shell, "user_ns", {}) or "VSCODE_PID" in environ:
        name = "vscode"
    elif "spyder_kernels" in modules:
        name = "spyder"
    # Spyder's console is a qtconsole, and that handles no update_display_data (qtconsole 5.7.2).
    return FrontEnd(kind="notebook", name=name, updates=name != "spyder" and _takes_updates(shell, name))


def notebook_name(shell: Shell | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the notebook that runs, as its front end names it; empty where none does.

    Jupyter Server says it in `JPY_SESSION_NAME`, VS Code in a variable of the user's.

    >>> notebook_name(None, {"JPY_SESSION_NAME": "lessons/week-1.ipynb"})
    'lessons/week-1.ipynb'
    """
    return without_home(named_notebook(getattr(shell, "user_ns", {}), environ))


def notebook_file(shell: Shell | None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file of the notebook that runs, where its front end names it; it may not be there."""
    named = named_notebook(getattr(shell, "user_ns", {}), environ)
    return Path(named) if named.endswith(".ipynb") else None


def named_notebook(names: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> str:
    """Return the notebook that runs as its front end names it, of the user's variables; empty where none does."""
    return str(names.get("__vsc_ipynb_file__") or environ.get("JPY_SESSION_NAME") or "")


def _takes_updates(shell: Shell | None, name: str) -> bool:
    """Tell whether the front end of this cell can change an output that is there."""
    if type(getattr(shell, "display_pub", None)).__name__ == "CapturingDisplayPublisher":
        return False
    # An Output of ipywidgets may take the outputs, and its front end handles no update. ipywidgets 8 has its widgets
    # in the module, ipywidgets 7 in the class.
    module = sys.modules.get("ipywidgets.widgets.widget")
    widgets = getattr(module, "_instances", None)
    if widgets is None:
        widgets = getattr(getattr(module, "Widget", None), "widgets", {})
    if any(getattr(widget, "msg_id", "") for widget in list(widgets.values())):
        return False
    parent: Any = getattr(shell, "get_parent", dict)()
    # JupyterLab sends the cell's id; consoles, runners and the callbacks of widgets do not.
    if name != "jupyter" or not isinstance(parent, dict) or "header" not in parent:
        return True
    return bool((parent.get("metadata") or {}).get("cellId"))
