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
    word = line.strip()
    if word == "stop":
        _stop(host)
    elif word:
        raise OptionError(
            f"%claude_demo does not know {quote(word, 40)!r}.", cure="Use %claude_demo or %claude_demo stop."
        )
    elif host.emulator is None:
        _start(host)
    else:
        _say(host, f"The demo already runs at {host.emulator.base_url}.")


def _start(host: Host) -> None:
    from vertex_claude_magic.emulator import Emulator

    host.emulator = Emulator(pace=_PACE)
    _say(
        host,
        "Demo: answers now come from an emulator in this kernel, not from Claude. It gets a fixed token; your Google "
        "credentials are not looked up. Ask with %%claude; %claude_demo stop goes back.",
    )


def _stop(host: Host) -> None:
    if host.emulator is None:
        _say(host, "The demo is not running.")
        return
    host.emulator.close()
    host.emulator = None
    _say(host, "The demo is over; questions go to Vertex AI again.")


def _say(host: Host, text: str) -> None:
    show_page(host.shell, f"<p>{text}</p>", text)
