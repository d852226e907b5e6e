"""One page as the static output of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.notebook.pages.html import literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from vertex_claude_magic.notebook.shell import Shell

__all__ = ["show_dry_run_page", "show_line", "show_page"]


def show_page(shell: Shell, html: str, plain: str, metadata: Mapping[str, Any] | None = None) -> None:
    """Show one static output that reads well with and without HTML."""
    shell.display_pub.publish(data={"text/html": html, "text/plain": plain}, metadata=dict(metadata or {}))


def show_dry_run_page(shell: Shell, markdown: Sequence[str], plain: Sequence[str]) -> None:
    """Show what a dry run found: paragraphs of safe Markdown, and the same as lines."""
    title = "no model was called."
    bundle = {
        "text/markdown": "\n\n".join([f"**Dry run**: {title}", *markdown]),
        "text/plain": safe_plain("\n".join([f"Dry run: {title}", *plain])),
    }
    shell.display_pub.publish(data=bundle, metadata={})


def show_line(shell: Shell, text: str) -> None:
    """Show one line, literally; printed text would stand out from the pages beside it by its letters."""
    show_page(shell, f"<p>{literal(text)}</p>", text)
