"""Notebook files as they are on disk: read with care, written as they were."""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    `content` is its JSON, `text` the file's, `path` without symbolic links, `status` what the system said of it;
    `mark` begins a text in `content` that is a number in the file.
    """

    path: Path
    content: dict[str, Any]
    text: str
    status: os.stat_result
    mark: str


def read_notebook(path: Path, *, exact: bool = False) -> NotebookFile:
    """Read a notebook of format 4.

    Args:
        path: The file.
        exact: Whether it shall be written again, so that nothing may be lost; a number with a fraction is then a text.

    Raises:
        OptionError: it is no such file, or no such notebook.
    """
    found, status, raw = _opened(path)
    text = _decoded(raw, path)
    # A text that nobody could have put into the file.
    mark = f"number {secrets.token_hex(16)} "
    content = _parsed(text, path, _keeping(mark) if exact else {"parse_int": _bounded_int})
    return NotebookFile(path=found, content=content, text=text, status=status, mark=mark)


def _opened(path: Path) -> tuple[Path, os.stat_result, bytes]:
    try:
        found = path.resolve(strict=True)
        status = found.stat()
        # A pipe or a device might never end.
        raw = found.read_bytes() if stat.S_ISREG(status.st_mode) else None
    except FileNotFoundError:
        raise OptionError(f"There is no file {_named(path)}.", cure="Check the path.") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise OptionError(
            f"{_named(path)} cannot be read ({_why(error)}).", cure="Check its permissions."
        ) from None
    if raw is None:
        raise OptionError(
            f"{_named(path)} is not a file.", cure="Name a notebook, a file that ends in .ipynb."
        )
    return found, status, raw


def _decoded(raw: bytes, path: Path) -> str:
    if raw.startswith(_BYTE_ORDER_MARKS):
        raise OptionError(
            f"{_named(path)} begins with a byte order mark.", cure="Save it as UTF-8 without one."
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise OptionError(
            f"{_named(path)} is not UTF-8 (byte {error.start:,}).", cure="Save it as UTF-8."
        ) from None


def _parsed(text: str, path: Path, how: Mapping[str, Any]) -> dict[str, Any]:
    try:
        content = json.loads(text, **how)
    except RecursionError:
        raise _not_a_notebook(path, "it is nested too deeply") from None
    except ValueError as error:
        why = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise _not_a_notebook(path, why) from None
    major = content.get("nbformat") if isinstance(content, dict) else None
    if type(major) is not int or major < 1:
        raise _not_a_notebook(path, "it says no nbformat")
    if major != 4:
        raise _other_format(path, major)
    if not isinstance(content.get("cells"), list):
        raise _not_a_notebook(path, "it has no list of cells")
    return dict(content)


def _not_a_notebook(path: Path, why: str) -> OptionError:
    return OptionError(
        f"{_named(path)} is not a Jupyter notebook ({why}).",
        cure="Open it in Jupyter to see what is wrong, or take an older copy.",
    )


def _other_format(path: Path, major: int) -> OptionError:
    if major > 4:
        return OptionError(
            f"{_named(path)} has a notebook format that is not known here.", cure="Install a newer release."
        )
    return OptionError(
        f"{_named(path)} has notebook format {major}, and only 4 is read.",
        cure="Open it in Jupyter and save it, or run: jupyter nbconvert --to notebook --inplace FILE",
    )


def _bounded_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else math.inf


def _keeping(mark: str) -> dict[str, Any]:
    """Return how JSON is read that shall be written again: what Python would change is a text behind a mark."""

    def whole(digits: str) -> int | str:
        return int(digits) if len(digits) < _PLAIN_DIGITS and digits != "-0" else mark + digits

    return {"parse_int": whole, "parse_float": mark.__add__, "object_pairs_hook": _once}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key of it stands twice in one place")
    return found


def check_notebook(content: dict[str, Any], path: Path) -> None:
    """Check a notebook against the schema of its format; it is not changed.

    Raises:
        OptionError: it does not fit; the error says where.
    """
    from nbformat.validator import iter_validate

    minor = content.get("nbformat_minor", 0)
    if type(minor) is not int:
        raise _not_a_notebook(path, "its nbformat_minor is no number")
    checked = _with_ids(content) if minor >= 5 else content
    try:
        error = next(iter(iter_validate(checked)), None)
    except RecursionError:
        raise _not_a_notebook(path, "it is nested too deeply") from None
    if error is not None:
        where = "/".join(str(step) for step in getattr(error, "absolute_path", ())) or "the file"
        raise _not_a_notebook(path, f"{where} is not valid in format 4")


def _with_ids(content: dict[str, Any]) -> dict[str, Any]:
    """Give ids to cells that lack one, as Jupyter does when it opens such a notebook."""
    cells = [
        {"id": f"cell-{number}", **cell} if isinstance(cell, dict) else cell
        for number, cell in enumerate(content["cells"])
    ]
    return {**content, "cells": cells}


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
        unchanged = content is source.content
        data = source.text.encode() if unchanged else _formatted(content, source)
        target = source.path if out is None else out.resolve()
        mode = _mode_of(target, source)
        _replace(target, data, mode)
    except RecursionError:
        raise _not_a_notebook(source.path, "it is nested too deeply") from None
    except OSError as error:
        place = out or source.path
        raise OptionError(
            f"{_named(place)} cannot be written ({_why(error)}).",
            cure="Check the folder and its permissions.",
        ) from None


def _mode_of(target: Path, source: NotebookFile) -> int:
    """Return the mode that the file shall have, after a look whether it may be replaced."""
    try:
        status = target.stat()
    except FileNotFoundError:
        return stat.S_IMODE(source.status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        raise OptionError(f"{_named(target)} is a folder.", cure="Name a file.")
    # A file that its owner made read-only shall stay as it is, though its folder would let it be replaced.
    if not status.st_mode & 0o222 or not os.access(target, os.W_OK):
        raise OptionError(f"{_named(target)} is read-only.", cure="Make it writable, or use -o OUT.")
    if target == source.path and _version(status) != _version(source.status):
        raise OptionError(
            f"{_named(target)} was changed just now.", cure="Close it in Jupyter, and try again."
        )
    return stat.S_IMODE(status.st_mode)


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_size


def _replace(target: Path, data: bytes, mode: int) -> None:
    number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


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
    # A half of a surrogate pair can stand in JSON as an escape only.
    text = _LONE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return (text + like[len(like.rstrip()) :]).encode()


def _named(path: Path) -> str:
    return quote(str(path))


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
