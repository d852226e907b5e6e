"""`vertex-claude` and `python -m vertex_claude_magic`: choose a command and run it."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

from vertex_claude_magic.cli.arguments import Parser
from vertex_claude_magic.errors import ClaudeError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]


# The module below this package whose `main` runs a command, and what it does.
_COMMANDS = {
    "demo": ("cli.demo", "run the example notebook against an emulator on this machine"),
    "doctor": ("cli.doctor", "find out why Claude on Vertex AI does not answer"),
    "models": ("cli.models", "print the model table"),
    "notebook": (
        "cli.notebook",
        "list or remove the AI answers in notebook files, or rehearse a lesson",
    ),
    "lesson": (
        "cli.lesson.command",
        "make a folder that students run without an account, also in the browser",
    ),
    "emulator": ("emulator.__main__", "run the emulator by itself"),
    "journal": ("cli.journal", "inspect and shrink the journal, export and import answers"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 after a good end, 1 if the doctor finds something, 2 after one line of error.

    >>> main(["models", "--family", "haiku"]) # doctest: +ELLIPSIS
    Claude models on Vertex AI...
    """
    parser = Parser(prog="vertex-claude", description="Claude on Vertex AI in notebooks.",
                                     allow_abbrev=False)  # fmt: skip
    listing = "\n".join(f"  {name:<10}{text}" for name, (_, text) in _COMMANDS.items())
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"commands:\n{listing}\n\nvertex-claude COMMAND --help shows its options."
    parser.add_argument(
        "--version", action="version", version=f"vertex-claude {version('vertex-claude-magic')}"
    )
    parser.add_argument("command", choices=list(_COMMANDS), metavar="command")
    # Else it would be named as missing beside the command.
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS).required = False
    if not (sys.argv[1:] if argv is None else argv):
        parser.print_help(sys.stderr)
        parser.exit(2)
    options = parser.parse_args(argv)
    # A Windows console with code page 1252 must not stop a command at an arrow.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        module = import_module(f"vertex_claude_magic.{_COMMANDS[options.command][0]}")
        run: Callable[[Sequence[str]], int] = module.main
        status = run(options.arguments)
        # Here, so that a reader who has gone is noticed where it is caught.
        sys.stdout.flush()
    except BrokenPipeError:
        # As in `... | head`: what is left in the buffer goes nowhere, or Python would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ClaudeError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    else:
        return status


if __name__ == "__main__":
    sys.exit(main())
