"""`python -m vertex_claude_magic.emulator`: run the emulator by itself until it is stopped."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TextIO

from vertex_claude_magic.emulator.google.setup_problems import SETUP_PROBLEMS
from vertex_claude_magic.emulator.server import Emulator
from vertex_claude_magic.errors import ClaudeError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["banner", "main"]


def banner(base_url: str, environment: dict[str, str]) -> str:
    """What is printed first: the address alone, the lines to paste into a shell, and a plain word.

    >>> print(banner("http://127.0.0.1:9/v1", {"CLOUD_ML_REGION": "global"}).splitlines()[1])
    export CLOUD_ML_REGION=global
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
    notice = (
        "# This is an emulator: no answer comes from Claude, and nothing is billed. Press Ctrl-C to stop it."
    )
    return "\n".join([base_url, *exports, notice])


def main(argv: Sequence[str] | None = None, *, out: TextIO | None = None) -> int:
    """Run the emulator until Ctrl-C or SIGTERM; 0 after a good end, 2 if it could not start."""
    parser = argparse.ArgumentParser(
        prog="vertex-claude emulator",
        description="Run a look-alike of Claude on Vertex AI on a loopback port of this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: a free one)")
    parser.add_argument(
        "--script", metavar="FILE", help="replies: a JSON list of {match, reply}, or one .sse stream"
    )
    parser.add_argument("--pace", type=float, metavar="S", help="seconds between two pieces of an answer")
    parser.add_argument(
        "--simulate",
        metavar="NAME",
        help=f"a set-up problem to simulate: {', '.join(SETUP_PROBLEMS)}",
    )
    options = parser.parse_args(argv)
    # Not an event: the handler may run inside of the wait for it, and to set an event takes a lock that the wait holds.
    # The `put` of this queue may interrupt its `get` ("queue", Python docs).
    stopped: SimpleQueue[None] = SimpleQueue()
    former: dict[int, Any] = {}
    # Handlers can be set in the main thread only; elsewhere the owner of that thread stops it.
    if threading.current_thread() is threading.main_thread():
        for ending in (signal.SIGINT, signal.SIGTERM):
            former[ending] = signal.signal(ending, lambda *_: stopped.put(None))
    try:
        with Emulator(port=options.port, script=options.script, pace=options.pace) as emulator:
            if options.simulate is not None:
                emulator.simulate(options.simulate)
            print(banner(emulator.base_url, emulator.environment), file=out or sys.stdout, flush=True)
            stopped.get()
    except KeyboardInterrupt:
        return 0
    except (ClaudeError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    return 0


if __name__ == "__main__":
    sys.exit(main())
