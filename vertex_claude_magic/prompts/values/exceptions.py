"""Exceptions as their traceback, without the values of variables."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits
from vertex_claude_magic.prompts.values.stable_text import without_addresses
from vertex_claude_magic.text import number_of, quote, without_home

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["failure_parts", "is_cell_file", "is_library_file", "short_name", "traceback_text"]

# Frames of each exception in a chain: where it began and where it ended.
_FRAMES = 30
_CELL = "notebook cell"
_INSTALLED = re.compile(r".*[/\\](?:site|dist)-packages[/\\]|.*[/\\][Ll]ib[/\\]python3[\w.]*[/\\]")
_STANDARD = {sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib")}
# IPython and this package themselves, wherever they are installed; and code that has no file at all.
_OURS = str(Path(__file__).parents[2]) + os.sep
_RUNNERS = re.compile(
    r".*[/\\](?:IPython|ipykernel|nbclient|traitlets)[/\\]|<frozen |<decorator-gen|<__array_function__"
)
# Compiled extensions name their sources by a relative path.
_COMPILED = re.compile(r"(?![/\\<]|\w:).*\.p[yx]\w?$")
_MAGIC_CALL = re.compile(r"get_ipython\(\)\.run_(cell|line)_magic\(u?'(\w+)', u?'((?:[^'\\]|\\.)*)'")
# What stands in the place of the frames between them, as Python writes it.
_LEFT_OUT = re.compile(r'  File "\0([\d,]+ calls?)".*\n')
_CARETS = re.compile(r"\n *[~^]+(?=\n|$)")


def failure_parts(value: BaseException, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn an exception into its traceback.

    >>> failure_parts(ValueError("no"), ValueLimits())[0].body
    'ValueError: no'
    """
    text = traceback_text(value)
    if len(text) <= limits.characters:
        return (Text(body=text, kind="Python exception", about=type(value).__name__),)
    half = limits.characters // 2
    body = f"{text[:half]}\n[…]\n{text[-half:]}"
    cut = f"the beginning and the end of {len(text):,} characters"
    return (Text(body=body, kind="Python exception", about=type(value).__name__, cut=cut),)


_WHOLE: Any = object()


def traceback_text(
    error: BaseException, *, start: TracebackType | None = _WHOLE, libraries: bool = True
) -> str:
    """Return the traceback of an exception with its causes, as Python writes it, with short names of files.

    Args:
        error: The exception, which stays as it is.
        start: The step to begin at, None for no steps; all of them if it is not given.
        libraries: Whether steps inside of installed libraries are named.
    """
    try:
        steps = error.__traceback__ if start is _WHOLE else start
        summary = traceback.TracebackException(type(error), error, steps, capture_locals=False)
        _tidy(summary, set(), libraries=libraries)
        text = _LEFT_OUT.sub(r"  [\1 left out]\n", "".join(summary.format()))
        text = without_addresses(text.rstrip("\n"))
        return text if libraries else _CARETS.sub("", text)
    except Exception as failed:  # noqa: BLE001 - the text of a user's exception may fail
        return f"{quote(type(error).__name__, 60)} (its text cannot be read: {type(failed).__name__})"


def is_cell_file(filename: str) -> bool:
    """Tell whether a file name is one under which a notebook cell was compiled.

    ipykernel names a cell by a file in its temporary folder, IPython by `<ipython-input-…>`.

    >>> is_cell_file("/tmp/ipykernel_12/345.py"), is_cell_file("/home/me/x.py")
    (True, False)
    """
    folder = filename.replace("\\", "/").rpartition("/")[0].rpartition("/")[2]
    return filename.startswith("<ipython-input-") or folder.startswith("ipykernel_")


def is_library_file(filename: str) -> bool:
    """Tell whether a file belongs to Python, to what is installed, or to IPython, and not to the user.

    >>> is_library_file("/opt/venv/lib/python3.12/site-packages/x.py"), is_library_file("/home/me/lib/x.py")
    (True, False)
    """
    if is_cell_file(filename):
        return False
    standard = any(filename.startswith(folder) for folder in _STANDARD)
    if standard or filename.startswith(_OURS) or _INSTALLED.match(filename) or _RUNNERS.match(filename):
        return True
    return _COMPILED.match(filename) is not None and not Path(filename).is_file()


def short_name(filename: str) -> str:
    """Name a cell as such, since its temporary file says nothing, and a file from its library's folder on."""
    if is_cell_file(filename):
        return _CELL
    named = _INSTALLED.sub("", filename)
    standard = next((folder for folder in _STANDARD if named.startswith(folder)), "")
    # A file beside the notebook is named as its user knows it.
    return without_home(named.removeprefix(standard).removeprefix(str(Path.cwd()) + os.sep))


def _tidy(summary: traceback.TracebackException | None, seen: set[int], *, libraries: bool) -> None:
    """Leave the first and last frames of each exception in the chain, and name cells as such."""
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    unwanted = _RUNNERS.match if libraries else is_library_file
    summary.stack[:] = [frame for frame in summary.stack if not unwanted(frame.filename)]
    if len(summary.stack) > _FRAMES:
        half = _FRAMES // 2
        left_out = f"\0{number_of(len(summary.stack) - 2 * half, 'call')}"
        summary.stack[half:-half] = [traceback.FrameSummary(left_out, 0, "", lookup_line=False, line="")]
    for number, frame in enumerate(summary.stack):
        if found := _MAGIC_CALL.search(frame.line or ""):
            # IPython made a call of the magic; the user wrote its line.
            mark = "%%" if found[1] == "cell" else "%"
            line = f"{(frame.line or '')[: found.start()]}{mark}{found[2]} {found[3]}".rstrip()
            written = traceback.FrameSummary(
                frame.filename, frame.lineno, frame.name, lookup_line=False, line=line
            )
            summary.stack[number] = frame = written  # noqa: PLW2901 - the rest is the same for both
        # Its lines are read by now.
        frame.filename = short_name(frame.filename)
        # IPython 8 puts `<cell line: 2>` for what others call the module.
        frame.name = "<module>" if frame.name.startswith("<cell line") else frame.name
    if filename := getattr(summary, "filename", None):
        # That of a SyntaxError.
        summary.filename = short_name(filename)
    for other in (summary.__cause__, summary.__context__, *(getattr(summary, "exceptions", None) or ())):
        _tidy(other, seen, libraries=libraries)
