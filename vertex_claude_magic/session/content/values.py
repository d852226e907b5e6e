"""Plain values and structures as text: strings as they are, numbers bare, everything nested as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time
from enum import Enum
from typing import Any

from vertex_claude_magic.errors import OptionError, quote
from vertex_claude_magic.session.content.cells import short_text
from vertex_claude_magic.session.content.parts import Budget, Part, Text, shorten

__all__ = ["json_parts", "plain_parts", "text_parts"]

_DEEPEST = 40
_LONGEST_NUMBER = 4_000
_LINE = 100
_SHORT = 30


def text_parts(value: str, budget: Budget) -> tuple[Part, ...]:
    """Turn a string into text: as it is, up to the budget."""
    body, cut = shorten(str(value), budget)
    return (Text(body=body, kind="text", about=f"{len(value):,} characters" if cut else "", cut=cut),)


def plain_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a number, a date or the like into text that needs no fence; a text of an enumeration needs one.

    >>> plain_parts(3.5, Budget())[0].body
    '3.5'
    """
    if isinstance(value, Enum):
        inner = value.value
        if isinstance(inner, (int, float)):
            return (Text(body=str(inner), kind="number", bare=True),)
        return text_parts(inner if isinstance(inner, str) else short_text(value), budget)
    body = short_text(value, _LONGEST_NUMBER + 1)
    if len(body) > _LONGEST_NUMBER:
        body, cut = shorten(body, budget)
        return (Text(body=body, kind=type(value).__name__, cut=cut),)
    return (Text(body=body, kind=type(value).__name__, bare=True),)


def json_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a dict, a list, a data class, a pydantic model or another structure into JSON text.

    Args:
        value: The structure; it is read only as far as the budget goes.
        budget: How much of it goes out.

    Raises:
        OptionError: it is an iterator, which reading would use up.

    >>> json_parts([1, {"a": float("nan")}], Budget())[0].body
    '[1, {"a": "NaN"}]'
    """
    if isinstance(value, (Iterator, Awaitable)):
        raise OptionError(
            f"The value is an iterator ({quote(type(value).__name__, 40)}), which reading would use up.",
            cure="Give list(...) of it.",
        )
    writer = _Writer(budget.characters)
    body = writer.written(value)
    size = _size(value)
    return (Text(body=body, kind=_kind(value), about=size, cut=_cut(writer, value)),)


def _kind(value: Any) -> str:
    return quote(type(value).__qualname__, 60)


def _size(value: Any) -> str:
    try:
        count = len(value)
    except Exception:  # noqa: BLE001 - not everything has a length
        return ""
    return f"{count:,} item{'' if count == 1 else 's'}"


def _cut(writer: _Writer, value: Any) -> str:
    if not writer.full:
        return ""
    total = len(value) if _size(value) else writer.top
    return f"the first {writer.top:,} of {total:,} items" if writer.top < total else "only the beginning"


class _Writer:
    """Writes JSON until its room is used up; what follows is only counted.

    A list or dict is one line where it is short, else a line for each element.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._open: set[int] = set()
        self.full = False
        self.top = 0

    def written(self, value: Any) -> str:
        return self._any(value, 0)

    def _any(self, value: Any, depth: int) -> str:
        scalar = _scalar(value)
        if scalar is not None:
            text = "null" if scalar is _Null else json.dumps(scalar, ensure_ascii=False)
            self._room -= len(text)
            return text
        if depth > _DEEPEST:
            return self._any("… nested too deeply", depth)
        if id(value) in self._open:
            return self._any("… the same object again", depth)
        self._open.add(id(value))
        try:
            return self._structure(value, depth)
        finally:
            self._open.discard(id(value))

    def _structure(self, value: Any, depth: int) -> str:
        try:
            pairs = _pairs(value)
            if pairs is not None:
                return self._joined("{}", (_entry(key, part) for key, part in pairs), len(pairs), depth)
            elements = _elements(value)
            if elements is not None:
                return self._joined("[]", ((None, part) for part in elements), len(elements), depth)
        except Exception as error:  # noqa: BLE001 - a structure of the user's own
            return self._any(f"<{type(value).__name__}, reading failed: {type(error).__name__}>", depth)
        return self._any(short_text(value), depth)

    def _joined(self, marks: str, entries: Iterable[tuple[str | None, Any]], count: int, depth: int) -> str:
        parts: list[str] = []
        for number, (key, part) in enumerate(entries):
            if self._room <= 0:
                self.full = True
                rest = json.dumps(f"… {count - number:,} more", ensure_ascii=False)
                parts.append(rest if key is None else f'"…": {rest}')
                break
            name = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
            # A comma and a line end, and an indent for each level.
            self._room -= len(name) + 3 + depth
            parts.append(name + self._any(part, depth + 1))
            if depth == 0:
                self.top = number + 1
        short = sum(map(len, parts)) <= _LINE and not any("\n" in part for part in parts)
        if short:
            return f"{marks[0]}{', '.join(parts)}{marks[1]}"
        lines = ",\n".join(f" {part}".replace("\n", "\n ") for part in _filled(parts))
        return f"{marks[0]}\n{lines}\n{marks[1]}"


def _filled(parts: list[str]) -> list[str]:
    """Put short elements side by side, as many as a line holds."""
    if any(len(part) > _SHORT or "\n" in part for part in parts):
        return parts
    lines = [""]
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) + 2 > _LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]}, {part}" if lines[-1] else part
    return lines


def _entry(key: Any, part: Any) -> tuple[str, Any]:
    return (key if isinstance(key, str) else short_text(key)), part


def _scalar(value: Any) -> Any:
    """Return a value that JSON has a form for, `_Null` for null, None if it is a structure."""
    if value is None:
        return _Null
    if isinstance(value, Enum):
        return value.value if isinstance(value.value, (str, int, float)) else short_text(value)
    write = next((write for kinds, write in _WRITTEN if isinstance(value, kinds)), _library_scalar)
    return write(value)


def _whole(text: str) -> str:
    return text if len(text) < 10**6 else short_text(text, 10**6)


def _integer(value: int) -> int | str:
    return value if value.bit_length() < 10_000 else short_text(value)


def _float(value: float) -> float | str:
    # JSON has no form for these, and their names say more than null.
    return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")


_WRITTEN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (str, _whole),
    (int, _integer),
    (float, _float),
    ((datetime, date, time), lambda value: value.isoformat()),
    ((bytes, bytearray, memoryview), short_text),
)


def _library_scalar(value: Any) -> Any:
    module = type(value).__module__.partition(".")[0]
    if module == "numpy" and getattr(value, "ndim", None) == 0:
        return _scalar(value.item())
    if module == "pandas" and type(value).__name__ in {"NAType", "NaTType"}:
        return _Null
    if module in {"pandas", "decimal", "uuid", "fractions"}:
        return short_text(value)
    return None


class _NullType:
    pass


_Null = _NullType()


def _pairs(value: Any) -> Sequence[tuple[Any, Any]] | _Lazy | None:
    if isinstance(value, Mapping):
        return _Lazy(value.items(), len(value))
    if hasattr(type(value), "model_dump") and hasattr(type(value), "model_fields"):
        return [(name, getattr(value, name)) for name in type(value).model_fields]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return list(value._asdict().items())
    return None


def _elements(value: Any) -> _Lazy | None:
    if isinstance(value, AbstractSet):
        return _Lazy(_sorted(value), len(value))
    if isinstance(value, Sequence) or type(value).__name__ in {
        "deque",
        "dict_values",
        "dict_keys",
        "dict_items",
    }:
        return _Lazy(value, len(value))
    if type(value).__module__.startswith(("numpy", "pandas", "polars")) and hasattr(value, "__len__"):
        return _Lazy(value.tolist() if hasattr(value, "tolist") and value.size < 10**5 else [], len(value))
    return None


def _sorted(value: AbstractSet[Any]) -> Iterable[Any]:
    try:
        return sorted(value) if len(value) < 10**5 else value
    except TypeError:
        return value


class _Lazy:
    """Elements and their number, without a copy."""

    def __init__(self, elements: Iterable[Any], count: int) -> None:
        self._elements = elements
        self._count = count

    def __iter__(self) -> Iterator[Any]:
        return iter(self._elements)

    def __len__(self) -> int:
        return self._count
