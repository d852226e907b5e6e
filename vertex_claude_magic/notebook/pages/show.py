"""One page as the static output of a cell."""

from __future__ import annotations

from typing import Any

__all__ = ["show_page"]


def show_page(shell: Any, html: str, plain: str) -> None:
    """Show one static output that reads well with and without HTML."""
    shell.display_pub.publish(data={"text/html": html, "text/plain": plain}, metadata={})
