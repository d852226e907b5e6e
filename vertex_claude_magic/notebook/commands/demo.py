"""`%claude_demo`: an emulator in this kernel, and back."""

from __future__ import annotations

from typing import Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.text import quote

__all__ = ["run_demo"]

# Fast enough not to bore, slow enough to see the answer stream (seconds between two pieces).
_PACE = 0.02


def run_demo(magics: Any, line: str) -> None:
    """Start the emulator and point the session at it, or stop it.

    Raises:
        OptionError: the word on the line is not `stop`.
        MissingExtra: tornado is not installed.
    """
    word = line.strip()
    if word == "stop":
        _stop(magics)
    elif word:
        raise OptionError(
            f"%claude_demo does not know {quote(word, 40)!r}.", cure="Use %claude_demo or %claude_demo stop."
        )
    elif magics.emulator is None:
        _start(magics)
    else:
        _say(magics, f"The demo already runs at {magics.emulator.base_url}.")


def _start(magics: Any) -> None:
    from vertex_claude_magic.emulator import Emulator

    magics.emulator = Emulator(pace=_PACE)
    _say(
        magics,
        "Demo: answers now come from an emulator in this kernel, not from Claude. It gets a fixed token; your Google "
        "credentials are not looked up. Ask with %%claude; %claude_demo stop goes back.",
    )


def _stop(magics: Any) -> None:
    if magics.emulator is None:
        _say(magics, "The demo is not running.")
        return
    magics.emulator.close()
    magics.emulator = None
    _say(magics, "The demo is over; questions go to Vertex AI again.")


def _say(magics: Any, text: str) -> None:
    show_page(magics.shell, f"<p>{text}</p>", text)
