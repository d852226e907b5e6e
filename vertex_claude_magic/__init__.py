"""Ask a Claude model on Google Vertex AI from a notebook cell; see `%%claude?` and `Claude`.

Everything is imported where it is first used, so that `%load_ext vertex_claude_magic` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from vertex_claude_magic.chats.chat import Chat
    from vertex_claude_magic.client import Claude
    from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt
    from vertex_claude_magic.session.exchange import Exchange
    from vertex_claude_magic.vertex.events import Event
    from vertex_claude_magic.vertex.reply import Reply, Usage
    from vertex_claude_magic.vertex.request import Request

__all__ = [
    "Chat",
    "Claude",
    "ClaudeError",
    "ClaudeInterrupt",
    "Event",
    "Exchange",
    "Reply",
    "Request",
    "Usage",
    "load_ipython_extension",
    "unload_ipython_extension",
]

_HOME = {
    "Chat": "chats.chat",
    "Claude": "client",
    "ClaudeError": "errors",
    "ClaudeInterrupt": "errors",
    "Event": "vertex.events",
    "Exchange": "session.exchange",
    "Reply": "vertex.reply",
    "Request": "vertex.request",
    "Usage": "vertex.reply",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module, metadata

    if name == "__version__":
        return metadata.version("vertex-claude-magic")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics; IPython calls this for `%load_ext vertex_claude_magic`."""
    from vertex_claude_magic.notebook.magics import load

    load(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take everything back that `load_ipython_extension` added; IPython calls this for `%unload_ext`."""
    from vertex_claude_magic.notebook.magics import unload

    unload(shell)
