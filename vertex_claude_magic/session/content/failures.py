"""Exceptions as their traceback, without the values of variables."""

from __future__ import annotations

import re
import traceback
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import quote
from vertex_claude_magic.session.content.parts import Budget, Part, Text
from vertex_claude_magic.session.content.steady import without_addresses

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["failure_parts", "is_cell_file", "is_library_file", "traceback_text"]

# Frames of each exception in a chain: where it began and where it ended.
_FRAMES = 30
_CELL = "notebook cell"
_FOLDERS = re.compile(r".*[/\\](?:site|dist)-packages[/\\]|.*[/\\][Ll]ib[/\\](?:python3[\w.]*[/\\])?")
# Compiled extensions name their sources by a relative path.
_LIBRARY = re.compile(rf"{_FOLDERS.pattern}|(?![/\\<]|\w:).*\.p[yx]\w?$|<frozen ")
_CARETS = re.compile(r"\n *[~^]+(?=\n|$)")


def failure_parts(value: BaseException, budget: Budget) -> tuple[Part, ...]:
    """Turn an exception into its traceback.

    >>> failure_parts(ValueError("no"), Budget())[0].body
    'ValueError: no'
    """
    text = traceback_text(value)
    if len(text) <= budget.characters:
        return (Text(body=text, kind="Python exception", about=type(value).__name__),)
    half = budget.characters // 2
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
        libraries: Whether steps inside of installed libraries are told.
    """
    try:
        steps = error.__traceback__ if start is _WHOLE else start
        told = traceback.TracebackException(type(error), error, steps, capture_locals=False)
        _tidy(told, set(), libraries=libraries)
        text = without_addresses("".join(told.format()).rstrip("\n"))
        return text if libraries else _CARETS.sub("", text)
    except Exception as failed:  # noqa: BLE001 - an exception of the user's own may fail to tell of itself
        return f"{quote(type(error).__name__, 60)} (telling of it failed: {type(failed).__name__})"


def is_cell_file(filename: str) -> bool:
    """Tell whether a file name is one under which a notebook cell was compiled.

    ipykernel names a cell by a file in its temporary folder, IPython by `<ipython-input-…>`.

    >>> is_cell_file("/tmp/ipykernel_12/345.py"), is_cell_file("/home/me/x.py")
    (True, False)
    """
    folder = filename.replace("\\", "/").rpartition("/")[0].rpartition("/")[2]
    return filename.startswith("<ipython-input-") or folder.startswith("ipykernel_")


def is_library_file(filename: str) -> bool:
    """Tell whether a file belongs to Python or to an installed package.

    >>> is_library_file("/usr/lib/python3.12/json/decoder.py"), is_library_file("/home/me/x.py")
    (True, False)
    """
    return _LIBRARY.match(filename) is not None


def _short(filename: str) -> str:
    """Name a cell as such, since nobody can look into its temporary file, and a library from its folder on."""
    return _CELL if is_cell_file(filename) else _FOLDERS.sub("", filename)


def _tidy(told: Any, seen: set[int], *, libraries: bool) -> None:
    """Keep the first and last frames of each exception in the chain, and name cells as such."""
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    if not libraries:
        told.stack[:] = [frame for frame in told.stack if not _LIBRARY.match(frame.filename)]
    if len(told.stack) > _FRAMES:
        half = _FRAMES // 2
        told.stack[half:-half] = []
    for frame in told.stack:
        # Its lines are read by now.
        frame.filename = _short(frame.filename)
        # IPython 8 puts `<cell line: 2>` for what others call the module.
        frame.name = "<module>" if frame.name.startswith("<cell line") else frame.name
    if getattr(told, "filename", None):
        told.filename = _short(told.filename)
    for other in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        _tidy(other, seen, libraries=libraries)
