"""The help page of a magic, which is its docstring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.pages.html import verbatim
from vertex_claude_magic.notebook.pages.show import show_page

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["show_help"]


def show_help(host: Host, name: str = "claude") -> None:
    """Show the help page of a magic."""
    from inspect import getdoc

    text = getdoc(getattr(type(host), name)) or ""
    show_page(host.shell, f"<pre>{verbatim(text)}</pre>", text)
