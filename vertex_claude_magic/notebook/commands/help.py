"""The help page of a magic, which is its docstring."""

from __future__ import annotations

from typing import Any

from vertex_claude_magic.notebook.pages.html import verbatim
from vertex_claude_magic.notebook.pages.show import show_page

__all__ = ["show_help"]


def show_help(magics: Any, name: str = "claude") -> None:
    """Show the help page of a magic."""
    from inspect import getdoc

    text = getdoc(getattr(type(magics), name)) or ""
    show_page(magics.shell, f"<pre>{verbatim(text)}</pre>", text)
