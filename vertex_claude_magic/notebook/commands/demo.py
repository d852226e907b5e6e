"""`%claude_demo`: an emulator in this kernel, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.pages.html import verbatim
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.settings.loaded import present_policy
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
    prompts: tuple[str, ...] = ()
    if word in {"-h", "--help"}:
        show_help(host, "claude_demo")
        return
    if word not in {"", "stop"}:
        raise OptionError(
            f"Unknown argument {quote(word, 40)!r} for %claude_demo.",
            cure="Use %claude_demo or %claude_demo stop.",
        )
    if word == "stop" and emulator is None:
        text = "Demo mode is not on."
    elif word == "stop" and emulator is not None:
        emulator.close()
        host.emulator = None
        policy = present_policy()
        text = (
            f"Demo mode is off: only recorded answers are used here, by {policy.who('live')}."
            if "live" in policy.forbids
            else "Demo mode is off: questions go to Vertex AI again."
        )
    elif emulator is not None:
        text = f"Demo mode is already on, at {emulator.base_url}."
    else:
        from vertex_claude_magic.emulator import Emulator
        from vertex_claude_magic.emulator.messages.demo import PROMPTS

        # On the host, so that it ends with the extension and every command knows of it.
        host.emulator = Emulator(pace=_PACE, demo=True)
        text = (
            "Demo mode is on: answers are simulated, nothing leaves this machine. "
            "Ask with %%claude; leave with %claude_demo stop."
        )
        prompts = PROMPTS
    html = "".join(f"<li>{verbatim(prompt)}</li>" for prompt in prompts)
    plain = "".join(f"\n  {prompt}" for prompt in prompts)
    show_page(
        host.shell,
        f"<p>{text}</p>" + (f"<p>Prompts to try:</p><ul>{html}</ul>" if prompts else ""),
        text + (f"\nPrompts to try:{plain}" if prompts else ""),
    )
