"""Plain values and structures as text: strings as they are, numbers bare, everything nested as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, datetime, time
from enum import Enum
from itertools import islice
from typing import Any

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.prompts.parts import Budget, Part, Text, estimate_tokens, shorten
from vertex_claude_magic.prompts.values.cells import in_order, short_text
from vertex_claude_magic.prompts.values.images import is_image
from vertex_claude_magic.prompts.values.plain_text import ELIDED, Told, display_content, numbers_of, told
from vertex_claude_magic.prompts.values.records import Record, fields_of, hides, loose_fields
from vertex_claude_magic.prompts.values.refusals import is_refused, kind_name, refusal
from vertex_claude_magic.text import quote

__all__ = ["apart_key", "json_parts", "plain_parts", "text_or_fields", "text_parts"]

_DEEPEST = 40
# Frames and pictures of one structure that follow it as parts of their own.
_MOST_APART = 50
# Levels of an object's fields that are looked through for such.
_LOOKED_INTO = 3
# Tokens that each of them has, however much the structure takes.
_LEAST_SHARE = 50
# Characters of an object's own text that are written, however little is left.
_LEAST_TEXT = 200
_HEAD = 32
_PANDAS_SCALARS = frozenset({"Timestamp", "Timedelta", "Period", "Interval"})
_LONGEST_NUMBER = 4_000
_LONGEST_TEXT = 10**6
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

    Frames, figures and images in it, at any depth, follow as parts of their own, under their paths.

    Args:
        value: The structure; it is read only as far as the budget goes.
        budget: How much of it goes out.

    Raises:
        OptionError: it is an iterator, which reading would use up, or holds what does not tell itself.

    >>> json_parts([1, {"a": float("nan")}], Budget())[0].body
    '[1, {"a": "NaN"}]'
    """
    if is_refused(value):
        raise refusal(value, budget.name)
    writer = _Writer(budget.characters, budget.name)
    body = writer.written(value)
    cut, caution = _cut(writer, value), "; ".join(writer.cautions)
    text = Text(body=body, kind=_kind(value), about=_size(value), cut=cut, caution=caution)
    return (text, *_apart(writer.apart.values(), budget, body))


def _apart(found: Iterable[tuple[str, Any]], budget: Budget, body: str) -> Iterator[Part]:
    """Convert what stands apart; what the text has left of the budget is shared out evenly."""
    from vertex_claude_magic.prompts.values.convert import parts_of

    found = list(found)
    share = (budget.tokens - estimate_tokens(body)) // max(len(found), 1)
    for path, value in found:
        inner = replace(budget, tokens=max(share, _LEAST_SHARE), name=f"{budget.name}{path}")
        for part in parts_of(value, inner):
            yield replace(part, path=f"{path}{part.path}")


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
    """Writes JSON until its space is used up; what follows is only counted.

    A list or dict is one line where it is short, else a line for each element. What cannot be JSON (a frame, a
    figure, an image) is collected in `apart` with its path, and the text names the tag that holds it.
    """

    def __init__(self, space: int, name: str) -> None:
        self._room = space
        self._name = name
        self._open: set[int] = set()
        self.full = False
        self.top = 0
        self.apart: dict[int, tuple[str, Any]] = {}
        self.cautions: dict[str, None] = {}

    def written(self, value: Any) -> str:
        return self._any(value, 0, "")

    def _any(self, value: Any, depth: int, path: str) -> str:
        scalar = _scalar(value)
        if scalar is not None:
            text = "null" if scalar is _Null else json.dumps(scalar, ensure_ascii=False)
            self.full = self.full or (isinstance(value, str) and len(value) >= _LONGEST_TEXT)
            self._room -= len(text)
            return text
        if depth > _DEEPEST:
            return self._any("… nested too deeply", depth, path)
        if id(value) in self._open:
            return self._any("… the same object again", depth, path)
        if depth and (key := apart_key(value)) is not None:
            return self._any(self._reference(key, value, path), depth, path)
        self._open.add(id(value))
        try:
            return self._structure(value, depth, path)
        finally:
            self._open.discard(id(value))

    def _reference(self, key: int, value: Any, path: str) -> str:
        if key not in self.apart and len(self.apart) >= _MOST_APART:
            self.cautions["without some of the frames and pictures in it"] = None
            return f"… a {kind_name(type(value))}, left out"
        first, _ = self.apart.setdefault(key, (path, value))
        return f"see {quote(f'{self._name}{first}', 120)} below"

    def _structure(self, value: Any, depth: int, path: str) -> str:
        if is_refused(value):
            raise refusal(value, f"{self._name}{path}")
        try:
            pairs = _pairs(value)
            if pairs is not None:
                steps = "[{!r}]" if isinstance(value, Mapping) and not isinstance(value, Record) else ".{}"
                return self._joined("{}", pairs, depth, path, steps)
            elements = self._elements(value, path)
            if elements is not None:
                return self._joined("[]", elements, depth, path, "[{}]")
        except ClaudeError:
            raise
        except Exception as error:  # noqa: BLE001 - a structure of the user's own
            text = _own_text(value)
            if text is None or (isinstance(value, (Mapping, Sequence)) and not hasattr(value, "_asdict")):
                text = f"<{type(value).__name__}, reading failed: {type(error).__name__}>"
            return self._any(text, depth, path)
        return self._object(value, depth, path)

    def _object(self, value: Any, depth: int, path: str) -> str:
        """Write any other object: its own text where that is whole, else its public fields."""
        content = display_content(value)
        if content is not None and not isinstance(content, (str, bytes)):
            return self._any(content, depth, path)
        try:
            text, fields = text_or_fields(value)
        except Exception as error:  # noqa: BLE001 - a repr of the user's own
            name = quote(type(value).__name__, 40)
            return self._any(f"<{name}, repr failed: {type(error).__name__}>", depth, path)
        if fields:
            return self._joined("{}", fields, depth, path, ".{}")
        if text is not None and text.caution == ELIDED and (array := numbers_of(value)) is not None:
            return self._any(array, depth, path)
        if text is None:
            raise refusal(value, f"{self._name}{path}")
        if text.caution:
            self.cautions[text.caution] = None
        if len(text.text) > max(self._room, _LEAST_TEXT):
            self.full = True
        return self._any(short_text(text.text, max(self._room, _LEAST_TEXT)), depth, path)

    def _elements(self, value: Any, path: str) -> _Lazy | None:
        if isinstance(value, AbstractSet):
            # Each element takes a character at least, beside its comma and line end.
            most, name = max(self._room, 0) // 4 + 2, f"an element of {self._name}{path}"
            ordered = in_order(value, min(most, len(value)), lambda each: _Writer(1_000, name).written(each))
            return _Lazy(ordered, len(value))
        return _elements(value)

    def _joined(self, marks: str, entries: _Lazy | Sequence[Any], depth: int, path: str, steps: str) -> str:
        """Write elements, or keys and values; `steps` is how a path goes on from here to one of them."""
        parts: list[str] = []
        for number, each in enumerate(entries):
            key, part = (None, each) if marks == "[]" else _entry(*each)
            if self._room <= 0:
                self.full = True
                rest = json.dumps(f"… {len(entries) - number:,} more", ensure_ascii=False)
                parts.append(rest if key is None else f'"…": {rest}')
                break
            name = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
            # A comma and a line end, and an indent for each level.
            self._room -= len(name) + 3 + depth
            inner = f"{path}{steps.format(number if key is None else key)}"
            parts.append(name + self._any(part, depth + 1, inner))
            if depth == 0:
                self.top = number + 1
        short = sum(map(len, parts)) <= _LINE and not any("\n" in part for part in parts)
        if short:
            return f"{marks[0]}{', '.join(parts)}{marks[1]}"
        lines = ",\n".join(f" {part}".replace("\n", "\n ") for part in _filled(parts))
        return f"{marks[0]}\n{lines}\n{marks[1]}"


def text_or_fields(
    value: Any, shown: Mapping[str, Any] | None = None
) -> tuple[Told | None, list[tuple[str, Any]] | None]:
    """Return the text of an object, and its public fields where the text does not tell enough.

    Raises:
        Exception: whatever a repr of the user's own raises.
    """
    text, fields = told(value, shown), loose_fields(value)
    if fields and (
        text is None or text.caution or hides(value) or any(_holds_apart(each) for _, each in fields)
    ):
        return text, fields
    return text, None


def _own_text(value: Any) -> str | None:
    try:
        text = told(value)
    except Exception:  # noqa: BLE001 - its fields have failed before
        return None
    return None if text is None else text.text


def _holds_apart(value: Any, depth: int = 0) -> bool:
    """Tell whether a value is, or holds, what cannot be written as JSON; a few levels deep."""
    if apart_key(value) is not None:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return depth < _LOOKED_INTO and any(_holds_apart(each, depth + 1) for each in islice(inner, _MOST_APART))


def apart_key(value: Any) -> int | None:
    """Return what tells apart the values that JSON has no form for, None for all others.

    Everything that is drawn on one figure has the key of that figure.
    """
    from vertex_claude_magic.prompts.values.convert import stands_apart

    if not stands_apart(value):
        return None
    figure = getattr(value, "figure", None)
    return id(value if figure is None or callable(figure) else figure)


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
    return text if len(text) < _LONGEST_TEXT else short_text(text, _LONGEST_TEXT)


def _integer(value: int) -> int | str:
    return value if value.bit_length() < 10_000 else short_text(value)


def _float(value: float) -> float | str:
    # JSON has no form for these, and their names say more than null.
    return value if math.isfinite(value) else {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")


def _bytes(value: bytes | bytearray | memoryview) -> str | None:
    return None if is_image(bytes(value[:_HEAD])) else short_text(value)


_WRITTEN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (bool, bool),
    (str, _whole),
    (int, _integer),
    (float, _float),
    ((datetime, date, time), lambda value: value.isoformat()),
    ((bytes, bytearray, memoryview), _bytes),
)


def _library_scalar(value: Any) -> Any:
    module = type(value).__module__.partition(".")[0]
    if module == "numpy" and type(value).__name__ in {"datetime64", "timedelta64"}:
        return short_text(value)
    if module == "numpy" and getattr(value, "ndim", None) == 0:
        return _scalar(value.item())
    if module == "pandas" and type(value).__name__ in {"NAType", "NaTType"}:
        return _Null
    if module in {"decimal", "uuid", "fractions"} or (
        module == "pandas" and type(value).__name__ in _PANDAS_SCALARS
    ):
        return short_text(value)
    return None


class _NullType:
    pass


_Null = _NullType()


def _pairs(value: Any) -> Sequence[tuple[Any, Any]] | _Lazy | None:
    if isinstance(value, Mapping):
        return _Lazy(value.items(), len(value))
    # A record that hides all that it holds has its repr.
    return fields_of(value) or None


def _elements(value: Any) -> _Lazy | None:
    if isinstance(value, Sequence) or type(value).__name__ in {
        "deque",
        "dict_values",
        "dict_keys",
        "dict_items",
    }:
        return _Lazy(value, len(value))
    if type(value).__module__.startswith(("numpy", "pandas", "polars")) and hasattr(value, "__array__"):
        if getattr(getattr(value, "dtype", None), "kind", "") in {"m", "M"}:
            # As a list, dates in nanoseconds would be whole numbers.
            return _Lazy(map(_library_scalar, value), len(value))
        return _Lazy(value.tolist() if hasattr(value, "tolist") and value.size < 10**5 else value, len(value))
    return None


class _Lazy:
    """Elements and their number, without a copy."""

    def __init__(self, elements: Iterable[Any], count: int) -> None:
        self._elements = elements
        self._count = count

    def __iter__(self) -> Iterator[Any]:
        return iter(self._elements)

    def __len__(self) -> int:
        return self._count
