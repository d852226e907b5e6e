"""`%claude_demo`: an emulator in this kernel, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["run_demo"]

# Fast enough not to bore, slow enough to see the answer stream (seconds between two pieces).
_PACE = 0.02


def run_demo(host: Host, line: str) -> None:
    """Start the emulator and point the session at it, or stop it.

    Raises:
        OptionError: the word on the line is not `stop`.
        MissingExtra: tornado is not installed.
    """
    word, emulator = line.strip(), host.emulator
    if word not in {"", "stop"}:
        raise OptionError(
            f"%claude_demo does not know {quote(word, 40)!r}.", cure="Use %claude_demo or %claude_demo stop."
        )
    if word == "stop" and emulator is None:
        text = "The demo is not running."
    elif word == "stop" and emulator is not None:
        emulator.close()
        host.emulator = None
        text = "The demo is over; questions go to Vertex AI again."
    elif emulator is not None:
        text = f"The demo already runs at {emulator.base_url}."
    else:
        from vertex_claude_magic.emulator import Emulator

        # On the host, so that it ends with the extension and every command knows of it.
        host.emulator = Emulator(pace=_PACE)
        text = (
            "Demo: answers now come from an emulator in this kernel, not from Claude. It gets a fixed token; your "
            "Google credentials are not looked up. Ask with %%claude; %claude_demo stop goes back."
        )
    show_page(host.shell, f"<p>{text}</p>", text)
