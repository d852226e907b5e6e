"""Where an error was raised: the steps of its traceback that are the user's own code, and their source.

The user's own code is in notebook cells, in files that are not installed, and in strings that `exec`, `eval`
or a magic such as `%%time` compiled. Nothing of the user's is called; strings are compiled and never run.
"""

from __future__ import annotations

import ast
import linecache
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from types import CodeType
from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.process import ignored_warnings
from vertex_claude_magic.prompts.python_source import parse_python
from vertex_claude_magic.prompts.values.exceptions import is_library_file, short_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

__all__ = ["Source", "TracebackStep", "places", "source_at", "source_of"]

# What IPython's %time and %timeit call the code that they were given.
_TIMED = frozenset({"<timed exec>", "<timed eval>", "<magic-timeit>"})
_MOST_LINES = 120
_AROUND = 30
_MOST_STRINGS, _LONGEST_STRING, _LONGEST_NAME = 50, 100_000, 500
# The magics whose code has those names.
_TIMING = re.compile(r"%{1,2}time(?:it)?\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class TracebackStep:
    """A step of a traceback in the user's own code.

    Args:
        step: The step.
        kind: Where the code is.
        text: The whole source as its user wrote it; empty if it is not known.
        line: The line of `text` that was running, from 1; 0 if it is not known.
        parsed: The source that Python compiled, for the names in it, and the line there.
    """

    step: TracebackType
    kind: Literal["cell", "file", "string"]
    text: str
    line: int
    parsed: tuple[str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """The part of a file or a string that failed.

    Args:
        name: The file as it is named to Claude, or `string`.
        kind: What it is.
        function: The function that holds the line; empty at the top level.
        text: Its lines.
        about: Which lines these are and which of them failed.
    """

    name: str
    kind: str
    function: str
    text: str
    about: str


def places(traceback: TracebackType | None, cell_of: Callable[[str], str | None]) -> list[TracebackStep]:
    """Return the steps of a traceback that are the user's own, in the order of the calls.

    Args:
        traceback: The first step.
        cell_of: Returns the source of the cell that was compiled under a file name, as IPython counts its lines; None
            for other files.
    """
    found: list[TracebackStep] = []
    before: FrameType | None = None
    step = traceback
    while step is not None:
        frame, line = step.tb_frame, step.tb_lineno
        filename = frame.f_code.co_filename
        if filename in _TIMED:
            # A function that was made in an earlier cell of this kind cannot be found again.
            timed = _timed_place(step, found[-1]) if found and found[-1].kind == "cell" else None
            found += [timed] if timed is not None else []
        elif (cell := cell_of(filename)) is not None:
            parsed = "".join(linecache.getlines(filename)) or cell
            found.append(TracebackStep(step=step, kind="cell", text=cell, line=line, parsed=(parsed, line)))
        elif not is_library_file(filename):
            kind: Literal["file", "string"] = "string" if filename.startswith("<") else "file"
            if kind == "string":
                text = _string_source(frame, before)
            else:
                # The file may have changed since Python read it.
                linecache.checkcache(filename)
                text = "".join(linecache.getlines(filename, frame.f_globals))
            found.append(
                TracebackStep(step=step, kind=kind, text=text, line=line if text else 0, parsed=(text, line))
            )
        before, step = frame, step.tb_next
    return found


def _timed_place(step: TracebackType, cell: TracebackStep) -> TracebackStep | None:
    """Return the place in the cell of what `%time` or `%%time` ran; None if it contains neither."""
    lines = cell.text.split("\n")
    if cell.text.lstrip().startswith("%%"):
        # The body begins below the line of the magic.
        line, body, magic = min(1 + step.tb_lineno, len(lines)), "\n".join(lines[1:]), lines[0]
    else:
        line = min(cell.line - 1 + step.tb_lineno, len(lines))
        body, magic = "", lines[cell.line - 1]
        words = lines[line - 1].split(" ")
        # The code is the longest end of the line that Python can read; before it are options.
        for end in (" ".join(words[start:]).strip() for start in range(len(words))):
            with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
                ast.parse(end)
                body = end
                break
    if not _TIMING.search(magic):
        return None
    return TracebackStep(step=step, kind="cell", text=cell.text, line=line, parsed=(body, step.tb_lineno))


def _string_source(frame: FrameType, before: FrameType | None) -> str:
    """Return the string that a frame's code was compiled from; empty if the caller does not name it.

    It is a constant or a variable of the caller, or in a file that one of them names, and it compiles to the
    same code.
    """
    if before is None:
        return ""
    code = before.f_code
    names = (*code.co_varnames, *code.co_names, *code.co_freevars)
    named = (before.f_locals.get(name, before.f_globals.get(name)) for name in names)
    values = [
        value for value in (*code.co_consts, *named) if type(value) is str or isinstance(value, PurePath)
    ]
    for value in values[:_MOST_STRINGS]:
        texts = [value] if type(value) is str else []
        if len(str(value)) <= _LONGEST_NAME:
            # As in `exec(open(name).read())`.
            with suppress(OSError, ValueError):
                path = Path(value)
                if path.is_file() and path.stat().st_size <= _LONGEST_STRING:
                    texts.append(path.read_text(encoding="utf-8"))
        for text in texts:
            if len(text) <= _LONGEST_STRING and _compiles_to(text, frame.f_code):
                return text
    return ""


def _compiles_to(text: str, code: CodeType) -> bool:
    for mode in ("exec", "eval"):
        try:
            with ignored_warnings():
                found = compile(
                    text.lstrip(" \t") if mode == "eval" else text, code.co_filename, mode, dont_inherit=True
                )
        except (SyntaxError, ValueError, MemoryError, OverflowError, RecursionError):
            continue
        if any(each == code for each in _codes(found)):
            return True
    return False


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def source_of(place: TracebackStep) -> Source | None:
    """Return what to send of a place in a file or a string; None for a cell, and where the source is not known."""
    if place.kind == "cell" or not place.text.strip():
        return None
    name = short_name(place.step.tb_frame.f_code.co_filename) if place.kind == "file" else "string"
    changed = place.kind == "file" and not _compiles_to(place.text, place.step.tb_frame.f_code)
    return source_at(name, place.kind, place.text, place.line, changed=changed)


def source_at(name: str, kind: str, text: str, line: int, *, changed: bool = False) -> Source:
    r"""Return the function around a line, or the lines around it at the top level.

    >>> source_at("a.py", "file", "x = 1\ndef f():\n    return x\n", 3).about
    'lines 2 to 3, failed in line 3'
    """
    lines = text.split("\n")
    function, first, last = "", line - _AROUND, line + _AROUND
    nodes: list[ast.AST] = []
    with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
        nodes = list(ast.walk(parse_python(text)))
    # The outermost function around the line; a method is one of its own.
    spans = [
        (
            min([each.lineno, *(mark.lineno for mark in each.decorator_list)]),
            each.end_lineno or each.lineno,
            each.name,
        )
        for each in nodes
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    around = [span for span in spans if span[0] <= line <= span[1]]
    if around:
        first, last, function = min(around, key=lambda span: span[0])
    if last - first >= _MOST_LINES:
        first, last = max(first, line - _AROUND), min(last, line + _AROUND)
    first, last = max(first, 1), min(last, len(lines))
    about = f"lines {first} to {last}, failed in line {line}"
    return Source(
        name=name,
        kind=f"Python {kind}" if kind == "file" else "code in a string",
        function=function,
        text="\n".join(lines[first - 1 : last]).strip("\n").rstrip(),
        about=f"{about}, changed since it was loaded" if changed else about,
    )
