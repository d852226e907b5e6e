"""One page as the static output of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.pages.html import literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from vertex_claude_magic.notebook.shell import Shell

__all__ = ["show_line", "show_page"]


def show_page(shell: Shell, html: str, plain: str, metadata: Mapping[str, Any] | None = None) -> None:
    """Show one static output that reads well with and without HTML."""
    shell.display_pub.publish(data={"text/html": html, "text/plain": plain}, metadata=dict(metadata or {}))


def show_line(shell: Shell, text: str) -> None:
    """Show one line, literally; printed text would stand out from the pages beside it by its letters."""
    show_page(shell, f"<p>{literal(text)}</p>", text)
