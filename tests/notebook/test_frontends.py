"""How the front end is told from what a kernel can see of it."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from vertex_claude_magic.notebook.display.frontends import front_end


class DisplayPublisher:
    """Stands for IPython's publisher, which prints; only the name counts."""


class BrowserPublisher:
    """Stands for the publisher of a kernel that is no ipykernel."""


class Terminal(io.StringIO):
    """Output that is a terminal."""

    def isatty(self):
        return True


KERNEL = SimpleNamespace(kernel=object(), user_ns={})
VSCODE = SimpleNamespace(kernel=object(), user_ns={"__vsc_ipynb_file__": "a.ipynb"})
CAPTURED = SimpleNamespace(kernel=object(), user_ns={}, display_pub=DisplayPublisher())
OTHER_KERNEL = SimpleNamespace(user_ns={}, display_pub=BrowserPublisher())
TERMINAL = SimpleNamespace(user_ns={}, display_pub=DisplayPublisher())

FRONTENDS = [
    ("no IPython", None, {}, (), ("terminal", "terminal", False)),
    ("terminal IPython", TERMINAL, {}, (), ("terminal", "terminal", False)),
    ("terminal inside VS Code", TERMINAL, {"VSCODE_PID": "1"}, (), ("terminal", "terminal", False)),
    ("ipykernel", KERNEL, {}, (), ("notebook", "jupyter", True)),
    ("another kernel", OTHER_KERNEL, {}, (), ("notebook", "jupyter", True)),
    ("inside %%capture", CAPTURED, {}, (), ("notebook", "jupyter", True)),
    ("Colab by module", KERNEL, {}, ("google.colab",), ("notebook", "colab", True)),
    ("Colab by environment", KERNEL, {"COLAB_RELEASE_TAG": "x"}, (), ("notebook", "colab", True)),
    ("VS Code by namespace", VSCODE, {}, (), ("notebook", "vscode", True)),
    ("VS Code by environment", KERNEL, {"VSCODE_PID": "1"}, (), ("notebook", "vscode", True)),
    ("Spyder", KERNEL, {}, ("spyder_kernels",), ("notebook", "spyder", False)),
]


@pytest.mark.parametrize(
    ("shell", "environ", "modules", "expected"),
    [row[1:] for row in FRONTENDS],
    ids=[row[0] for row in FRONTENDS],
)
def test_the_front_end_is_told_from_shell_environment_and_modules(shell, environ, modules, expected):
    """Kind, name, and whether an output that is there can be changed."""
    found = front_end(shell, environ=environ, modules=modules)
    assert (found.kind, found.name, found.updates) == expected


@pytest.mark.parametrize(
    ("stdout", "environ", "tty"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {}, True),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
        (object(), {}, False),
    ],
)
def test_a_line_is_rewritten_only_in_a_terminal(stdout, environ, tty):
    """Not in a pipe, a file, a dumb terminal, or an output that does not say."""
    assert front_end(None, environ=environ, modules=(), stdout=stdout).tty is tty
