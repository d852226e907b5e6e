"""Notebook files as they are on disk: read with care, written as they were."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.files import write_whole
from vertex_claude_magic.text import quote, reason_of, with_home

__all__ = ["NotebookFile", "check_notebook", "read_notebook", "write_notebook"]

# What Python reads of an integer (sys.int_info.default_max_str_digits), and what nobody doubts.
_DIGITS = 4_300
_PLAIN_DIGITS = 16
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_FIRST_KEY = re.compile(r'\s*\{(\s*)"(?:[^"\\]|\\.)*":( ?)')
_LONE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, kw_only=True, slots=True)
class NotebookFile:
    """A notebook and the file that it came from.

    `content` is its JSON, `text` the file's, `path` without symbolic links, `status` its `os.stat`;
    `mark` begins a text in `content` that is a number in the file.
    """

    path: Path
    content: dict[str, Any]
    text: str
    status: os.stat_result
    mark: str


def read_notebook(path: Path, *, exact: bool = False, most: float = math.inf) -> NotebookFile:
    """Read a notebook of format 4.

    Args:
        path: The file, below `~` too.
        exact: Whether it shall be written again, so that nothing may be lost; a number with a fraction is then a text.
        most: The bytes that it may have.

    Raises:
        OptionError: it is not such a file, or not such a notebook.
    """
    found, status, text = _read_text(path, most)
    # A text that nobody could have put into the file.
    mark = f"number {secrets.token_hex(16)} "

    def whole_number(digits: str) -> int | float | str:
        if exact:
            # "-0" would become 0.
            return int(digits) if len(digits) < _PLAIN_DIGITS and digits != "-0" else mark + digits
        return int(digits) if len(digits) <= _DIGITS else math.inf

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = dict(pairs)
        if len(names) < len(pairs):
            raise ValueError("it contains a duplicate key")
        return names

    how: dict[str, Any] = {"parse_float": mark.__add__, "object_pairs_hook": unique} if exact else {}
    try:
        content = json.loads(text, parse_int=whole_number, **how)
    except RecursionError:
        raise _not_a_notebook(path, "it is nested too deeply") from None
    except ValueError as error:
        why = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise _not_a_notebook(path, why) from None
    major = content.get("nbformat") if isinstance(content, dict) else None
    if type(major) is not int or major < 1:
        raise _not_a_notebook(path, "nbformat is missing")
    if major > 4:
        what = f"{_named(path)} has an unknown notebook format."
        raise OptionError(what, cure="Install a newer release.")
    if major < 4:
        raise OptionError(
            f"{_named(path)} has notebook format {major}; only format 4 is supported.",
            cure="Open it in Jupyter and save it, or run: jupyter nbconvert --to notebook --inplace FILE",
        )
    if not isinstance(content.get("cells"), list):
        raise _not_a_notebook(path, "it has no list of cells")
    return NotebookFile(path=found, content=content, text=text, status=status, mark=mark)


def _read_text(path: Path, most: float) -> tuple[Path, os.stat_result, str]:
    """Return a file without symbolic links, what the system says of it, and its text."""
    try:
        # Not by pathlib, whose error is none of the system where links lead to one another.
        found = Path(os.path.realpath(with_home(path), strict=True))
        status = found.stat()
        if status.st_size > most:
            what = f"{_named(path)} is larger than {most / 1e6:,.0f} MB."
            raise OptionError(what, cure="Use a smaller notebook.")
        # A pipe or a device might never end.
        raw = found.read_bytes() if stat.S_ISREG(status.st_mode) else None
    except FileNotFoundError:
        raise OptionError(f"There is no file {_named(path)}.", cure="Check the path.") from None
    except (OSError, ValueError) as error:
        why = f"{_named(path)} cannot be read ({quote(reason_of(error), 80)})."
        raise OptionError(why, cure="Check its permissions.") from None
    if raw is None:
        what = f"{_named(path)} is not a file."
        raise OptionError(what, cure="Choose a notebook (a file that ends in .ipynb).")
    if raw.startswith(_BYTE_ORDER_MARKS):
        what = f"{_named(path)} starts with a byte order mark."
        raise OptionError(what, cure="Save it as UTF-8 without one.")
    try:
        return found, status, raw.decode("utf-8")
    except UnicodeDecodeError as error:
        what = f"{_named(path)} is not UTF-8 (byte {error.start:,})."
        raise OptionError(what, cure="Save it as UTF-8.") from None


def _not_a_notebook(path: Path, why: str) -> OptionError:
    return OptionError(
        f"{_named(path)} is not a Jupyter notebook ({why}).",
        cure="Open it in Jupyter to see what is wrong, or use an older copy.",
    )


def check_notebook(content: dict[str, Any], path: Path) -> None:
    """Check a notebook against the schema of its format; it is not changed.

    Raises:
        OptionError: it does not fit; the error says where.
        MissingExtra: nbformat is not installed.
    """
    try:
        from nbformat.validator import iter_validate
    except ImportError as missing:
        raise MissingExtra(
            "Reading a notebook needs nbformat, which is not installed.", cure="Run: pip install nbformat"
        ) from missing

    minor = content.get("nbformat_minor", 0)
    if type(minor) is not int:
        raise _not_a_notebook(path, "its nbformat_minor is not a number")
    if minor >= 5:
        # Jupyter gives ids to cells that lack one when it opens such a notebook; so does this check.
        cells = [
            {"id": f"cell-{number}", **cell} if isinstance(cell, dict) else cell
            for number, cell in enumerate(content["cells"])
        ]
        content = {**content, "cells": cells}
    try:
        error = next(iter(iter_validate(content)), None)
    except RecursionError:
        raise _not_a_notebook(path, "it is nested too deeply") from None
    except TypeError:
        # nbformat 5.10 looks for a better message by `cell_type` or `output_type`, which is no text here.
        raise _not_a_notebook(path, "a cell or an output is not valid in format 4") from None
    if error is not None:
        where = "/".join(str(step) for step in getattr(error, "absolute_path", ())) or "the file"
        raise _not_a_notebook(path, f"{where} is not valid in format 4")


def write_notebook(content: dict[str, Any], source: NotebookFile, out: Path | None = None) -> None:
    """Write a notebook the way its file is written: indentation, line ends, escapes, last line.

    The file is replaced in one step, so that it is the old or the new one at any moment, and keeps its mode.

    Args:
        content: The notebook.
        source: The file that it came from.
        out: Where to write; None replaces the file that it came from.

    Raises:
        OptionError: it cannot be written there, or the file was changed after it was read.
    """
    try:
        data = source.text.encode() if content is source.content else _formatted(content, source)
        target = source.path if out is None else out.resolve()
        write_whole(target, data, mode=_mode_of(target, source))
    except RecursionError:
        raise _not_a_notebook(source.path, "it is nested too deeply") from None
    except OSError as error:
        raise OptionError(
            f"{_named(out or source.path)} cannot be written ({quote(reason_of(error), 80)}).",
            cure="Check the folder and its permissions.",
        ) from None


def _mode_of(target: Path, source: NotebookFile) -> int:
    """Return the mode that the file shall have, after a look whether it may be replaced."""
    before = source.status
    try:
        status = target.stat()
    except FileNotFoundError:
        return stat.S_IMODE(before.st_mode)
    if stat.S_ISDIR(status.st_mode):
        raise OptionError(f"{_named(target)} is a folder.", cure="Name a file.")
    # A file that its owner made read-only shall stay as it is, though its folder would let it be replaced.
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise OptionError(f"{_named(target)} is read-only.", cure="Make it writable, or use -o OUT.")
    same = (status.st_mtime_ns, status.st_size) == (before.st_mtime_ns, before.st_size)
    if target == source.path and not same:
        what = f"{_named(target)} was changed just now."
        raise OptionError(what, cure="Close it in Jupyter, and try again.")
    return stat.S_IMODE(status.st_mode)


def _formatted(content: dict[str, Any], source: NotebookFile) -> bytes:
    """Return the JSON of a notebook in the manner of a file."""
    like = source.text
    first = _FIRST_KEY.match(like)
    space, gap = first.groups() if first else ("\n ", " ")
    lines = "\n" in space
    text = json.dumps(
        content,
        # A text that is ASCII throughout has its other characters escaped.
        ensure_ascii=like.isascii(),
        indent=space.rpartition("\n")[2] if lines else None,
        separators=(",", ": ") if lines else (f",{gap}", f":{gap}"),
    )
    text = re.sub(f'"{source.mark}([^"]*)"', r"\1", text)
    if "\r\n" in space:
        text = text.replace("\n", "\r\n")
    # In UTF-8 half of a surrogate pair can only be an escape of JSON.
    text = _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return (text + like[len(like.rstrip()) :]).encode()


def _named(path: Path) -> str:
    return quote(str(path))
