"""Questions that end in `?` in the very cell that loads the extension (`jupyter run`, `.ipy` scripts).

IPython translates a whole cell before its first line runs. So the line `answer = %claude Is it late?` of that
cell has become a request for help on `late` by the time the extension is there. The translated lines cannot be
changed any more; but they call the magics for help, and those can put the question instead.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Concatenate, NamedTuple, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from IPython.core.interactiveshell import InteractiveShell

    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["help_as_questions", "restore_help"]

P = ParamSpec("P")
T = TypeVar("T")

# What IPython calls for `name?`, `name??` and `name*?`.
_HELP = ("pinfo", "pinfo2", "psearch")
_MARK = "_vertex_claude_original"


class _Line(NamedTuple):
    """A line of the cell: as IPython translated it, and as it would have with the extension."""

    runs: str
    asks: str


def help_as_questions(shell: InteractiveShell, translated: str, intended: str) -> None:
    """Let the help calls of the running cell ask what their lines ask, until `restore_help`.

    Args:
        shell: The IPython shell, in which the cell runs that loads the extension.
        translated: What IPython made of that cell.
        intended: What it makes of it now.
    """
    before, after = translated.splitlines(), intended.splitlines()
    if len(before) != len(after):
        return
    pairs = enumerate(zip(before, after, strict=True), start=1)
    lines = {number: _Line(*pair) for number, pair in pairs if pair[0] != pair[1]}
    frame = _user_frame(shell, lambda _: True)
    if not lines or frame is None:
        return
    known = shell.magics_manager.magics["line"]
    for name in _HELP:
        # Asked for by name, because IPython 9 has placeholders for magics that have not been called.
        original = shell.find_line_magic(name)
        known[name] = _question_or_help(shell, original, frame.f_code.co_filename, lines)


def restore_help(shell: InteractiveShell) -> None:
    """Give the magics for help back; harmless if they are as they were."""
    known = shell.magics_manager.magics["line"]
    for name in _HELP:
        if hasattr(known.get(name), _MARK):
            known[name] = getattr(known[name], _MARK)


def _question_or_help(
    shell: InteractiveShell, original: Callable[Concatenate[str, P], T], file: str, lines: Mapping[int, _Line]
) -> Callable[Concatenate[str, P], T | Reply | None]:
    @functools.wraps(original)
    def help_or_ask(argument: str = "", /, *args: P.args, **kwargs: P.kwargs) -> T | Reply | None:
        frame = _user_frame(shell, lambda each: each.f_code.co_filename == file)
        line = lines.get(frame.f_lineno) if frame is not None else None
        if frame is None or line is None or repr(argument) not in line.runs:
            return original(argument, *args, **kwargs)
        code = line.asks.strip()
        try:
            expression = compile(code, file, "eval")
        except SyntaxError:
            # An assignment.
            if frame.f_locals is not shell.user_ns:
                from vertex_claude_magic.errors import OptionError

                raise OptionError(
                    "A function in the cell that loads the extension cannot store the answer to a question with `?`.",
                    cure="Put %load_ext vertex_claude_magic into a cell of its own.",
                ) from None
            exec(compile(code, file, "exec"), frame.f_globals, frame.f_locals)  # noqa: S102 - the user's own line
            return None
        reply: Reply | None = eval(expression, frame.f_globals, frame.f_locals)  # noqa: S307 - as above
        return reply

    setattr(help_or_ask, _MARK, original)
    return help_or_ask


def _user_frame(shell: InteractiveShell, wanted: Callable[[FrameType], bool]) -> FrameType | None:
    """Return the innermost frame of the user's code that is wanted, None if there is none."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - IPython finds the scope of a magic in the same way
    while frame is not None and not (frame.f_globals is shell.user_global_ns and wanted(frame)):
        frame = frame.f_back
    return frame
