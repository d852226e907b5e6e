"""The help page of a magic, which is its docstring; the options on it are those of the registry now."""

from __future__ import annotations

import re
import textwrap
from inspect import getdoc
from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.pages.html import verbatim
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.settings.registry import help_lines

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["show_help"]

_OPTIONS = re.compile(r"(?<=Options::\n\n).*?(?=\n\n)", re.DOTALL)


def show_help(host: Host, name: str = "claude") -> None:
    """Show the help page of a magic."""
    text = getdoc(getattr(type(host), name)) or ""
    if name == "claude":
        # Written into the docstring when the module was loaded; an option may have been added since.
        listed = textwrap.indent(help_lines(), "    ")
        text = _OPTIONS.sub(lambda _: listed, text, count=1)
    show_page(host.shell, f"<pre>{verbatim(text)}</pre>", text)
