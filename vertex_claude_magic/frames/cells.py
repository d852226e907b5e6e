"""One value of a table as the text of a cell: whole, or its beginning and what it is the beginning of.

Numbers have all their digits, nested values are JSON, geometries are WKT. Nothing here depends on a memory
address or on the order of a set, so that the next process writes the same text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from enum import Enum
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.text import quote

__all__ = ["Cell", "cell_of", "huge_number", "is_missing", "number_text", "stand_in"]

_MOST_BITS = 13_000
_DEEPEST = 40
# `<Thing object at 0x7f...>` says nothing, and says it differently in every process.
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
# A function inside of an object is known by its name, as that of a step of a pipeline.
_FUNCTION = re.compile(
    r"(<(?:cy)?(?:function|bound method|built-in method) (?:[^<>]|<locals>)*) at 0x[0-9a-fA-F]+>"
)
# Libraries whose values print as people write them.
_PRINTED = frozenset({"datetime", "decimal", "fractions", "ipaddress", "numpy", "pandas", "uuid"})
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_ROUTINES = (FunctionType, BuiltinFunctionType, MethodType)


@dataclass(frozen=True, slots=True)
class Cell:
    """The text of a value; `total` is the size of the whole value where `text` is only its beginning."""

    text: str
    total: str = ""


def cell_of(value: Any, limit: int, where: str) -> Cell:
    """Return a value as the text of a cell.

    Args:
        value: Anything but a missing value.
        limit: The characters after which the text may end.
        where: What the value is in, for the error, such as `the column 'a'`.

    Raises:
        OptionError: the value has no text of its own but a memory address; the cure names where.

    >>> cell_of(0.1 + 0.2, 99, "a").text, cell_of([1, {"b": None}], 99, "a").text
    ('0.30000000000000004', '[1, {"b": null}]')
    >>> cell_of("word " * 9, 6, "a")
    Cell(text='word w', total='45 characters')
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        return Cell(str(value)) if len(value) <= limit else Cell(value[:limit], f"{len(value):,} characters")
    if (attribute := stand_in(type(value))) is not None:
        return cell_of(getattr(value, attribute), limit, where)
    if isinstance(value, (bytes, bytearray, memoryview)):
        start = repr(bytes(value[:limit]))
        return Cell(start) if len(value) <= limit else Cell(start[:limit], f"{len(value):,} bytes")
    if not _is_structure(value):
        text = number_text(value) if isinstance(value, float) else _own_text(value, where)
        return Cell(text) if len(text) <= limit else Cell(text[:limit], f"{len(text):,} characters")
    writer = _JSON(limit, where)
    try:
        writer.write(value, 0)
    except _Full:
        total = "more"
        with contextlib.suppress(Exception):  # not everything has a length
            total = f"{len(value):,} items"
        return Cell("".join(writer.written)[:limit], total)
    except ClaudeError:
        raise
    except Exception as error:
        raise _unreadable(value, error, where) from error
    return Cell("".join(writer.written))


def is_missing(value: Any) -> bool:
    """Tell whether a value says that there is none: None, NaN, `pandas.NA` or `NaT`.

    >>> is_missing(float("nan")), is_missing("nan"), is_missing(0)
    (True, False, False)
    """
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, Decimal):
        return value.is_nan()
    return value is None or type(value).__name__ in {"NAType", "NaTType"}


def number_text(value: float) -> str:
    """Return the shortest text that is read back as the same number; a whole number has no `.0`.

    >>> number_text(1234567.89), number_text(3.0), number_text(float("nan"))
    ('1234567.89', '3', 'NaN')
    """
    if math.isnan(value):
        return "NaN"
    return float.__repr__(value).removesuffix(".0")


def huge_number(value: int) -> str:
    """Return what stands for a whole number of more digits than Python writes (4,300); empty for a smaller one."""
    bits = value.bit_length()
    return f"a whole number of about {int(bits * math.log10(2)):,} digits" if bits > _MOST_BITS else ""


def _is_structure(value: Any) -> bool:
    """Tell whether a value has parts; a class is asked and not the object, because a proxy has every attribute."""
    kind = type(value)
    return (
        isinstance(value, (Mapping, AbstractSet, list, tuple, deque, _Rows))
        or (dataclasses.is_dataclass(kind) and stand_in(kind) is None)
        or (hasattr(kind, "model_dump") and hasattr(kind, "model_fields"))
        or (hasattr(kind, "columns") and (hasattr(kind, "itertuples") or hasattr(kind, "iter_rows")))
        or (hasattr(kind, "dtype") and hasattr(kind, "__iter__") and value.shape != ())
    )


def stand_in(kind: type) -> str | None:
    """Return the attribute that a class of ours has in a cell in place of its fields, such as a reply's text."""
    name = vars(kind).get("_in_cells")
    return name if isinstance(name, str) else None


def _own_text(value: Any, where: str) -> str:
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if isinstance(value, Enum):
        return f"{kind.__name__}.{value.name}"
    if isinstance(value, int) and (huge := huge_number(value)):
        return huge
    if library != "numpy" and hasattr(kind, "item") and hasattr(kind, "dtype"):
        # The repr of a single number is rounded where a library shows arrays (torch, jax).
        return cell_of(value.item(), 1_000, where).text
    if isinstance(value, (type, *_ROUTINES)):
        return f"{getattr(value, '__module__', None) or 'builtins'}.{value.__qualname__}"
    try:
        if library == "shapely" and hasattr(value, "wkt"):
            text = str(value.wkt)
        elif isinstance(value, os.PathLike):
            text = str(os.fspath(value))
        else:
            text = str(value) if library in _PRINTED else _FUNCTION.sub(r"\1>", repr(value))
    except Exception as error:
        raise _unreadable(value, error, where) from error
    if _ADDRESS.search(text) or hex(id(value)) in text:
        name = quote(kind.__name__, 60)
        raise OptionError(
            f"Objects of type {name} in {where} have no text form except a memory address.",
            cure=f"Give the class {name} a __repr__, or convert {where} to text or numbers, or leave out the objects.",
        )
    return text


def _unreadable(value: Any, error: Exception, where: str) -> OptionError:
    return OptionError(
        f"An object of type {quote(type(value).__name__, 60)} in {where} cannot be read: {type(error).__name__}.",
        cure=f"Convert {where} to text or numbers, or leave out the object.",
    )


class _Full(Exception):
    """The limit of a cell is reached."""


class _JSON:
    """Writes a nested value as JSON up to a limit."""

    def __init__(self, limit: int, where: str) -> None:
        self.written: list[str] = []
        self._left = limit
        self._where = where

    def _put(self, text: str) -> None:
        self.written.append(text)
        self._left -= len(text)
        if self._left < 0:
            raise _Full

    def write(self, value: Any, depth: int) -> None:
        if depth > _DEEPEST:
            self._put('"… nested too deeply"')
            return
        if not _is_structure(value):
            self._put(self._scalar(value))
            return
        pairs = _pairs(value)
        self._put("[" if pairs is None else "{")
        if pairs is not None:
            for number, (name, part) in enumerate(pairs):
                text = name if isinstance(name, str) else cell_of(name, self._left + 1, self._where).text
                self._put(f"{', ' if number else ''}{_quoted(text)}: ")
                self.write(part, depth + 1)
        else:
            # A set by its texts, because its order is another one in the next process.
            elements = sorted(value, key=self._sort_key) if isinstance(value, AbstractSet) else value
            for number, part in enumerate(elements):
                if number:
                    self._put(", ")
                self.write(part, depth + 1)
        self._put("]" if pairs is None else "}")

    def _sort_key(self, value: Any) -> tuple[bool, float, str]:
        number = isinstance(value, (int, float)) and value == value  # noqa: PLR0124 - the definition of NaN
        # Of two that are the same for as long as the cell goes on, either may be the first.
        return (not number, value if number else 0, cell_of(value, self._left + 1, self._where).text)

    def _scalar(self, value: Any) -> str:
        name = type(value).__name__
        if value is None or name in {"NAType", "NaTType"}:
            return "null"
        if isinstance(value, Enum) or not isinstance(value, (str, date, time)):
            cell = cell_of(value, self._left + 1, self._where)
            if isinstance(value, bool) or name in {"bool", "bool_"}:
                return cell.text.lower()
            plain = isinstance(value, (int, float)) and not isinstance(value, Enum)
            is_number = plain or getattr(getattr(value, "dtype", None), "kind", "") in {"i", "u", "f"}
            # JSON has no form for NaN and infinity, and their names say more than null.
            return cell.text if is_number and _NUMBER.fullmatch(cell.text) else _quoted(cell.text)
        return _quoted(value[: self._left + 1] if isinstance(value, str) else value.isoformat())


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _pairs(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the names and parts of a structure that has names, else None; private fields are left out."""
    kind = type(value)
    if isinstance(value, Mapping):
        return value.items()
    if hasattr(kind, "model_dump") and hasattr(kind, "model_fields"):
        return [(name, getattr(value, name)) for name in kind.model_fields]
    if dataclasses.is_dataclass(value):
        fields = (each.name for each in dataclasses.fields(value) if not each.name.startswith("_"))
        return [(name, getattr(value, name)) for name in fields]
    if isinstance(value, tuple) and (names := getattr(kind, "_fields", getattr(kind, "__match_args__", ()))):
        return zip(names, value, strict=False)
    if hasattr(kind, "itertuples"):
        # A frame of pandas; its index goes before its columns.
        levels = [
            f"index{level or ''}" if name is None else name for level, name in enumerate(value.index.names)
        ]
        rows = (
            (*(row[0] if isinstance(row[0], tuple) else row[:1]), *row[1:])
            for row in value.itertuples(name=None)
        )
        return [("columns", [*levels, *value.columns]), ("rows", _Rows(rows))]
    if hasattr(kind, "iter_rows"):
        return [("columns", list(value.columns)), ("rows", _Rows(value.iter_rows()))]
    return None


class _Rows:
    """The rows of a frame in a cell, which are read only as far as they are written."""

    # No data class, because those are written as their fields.
    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)
