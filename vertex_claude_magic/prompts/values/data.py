"""Plain values and structures as text: strings as they are, numbers bare, everything nested as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, time
from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.prompts.parts import (
    Converter,
    PromptPart,
    Text,
    ValueLimits,
    estimate_tokens,
    shorten,
)
from vertex_claude_magic.prompts.values.cells import failed_repr, in_order, short_text
from vertex_claude_magic.prompts.values.images import is_image
from vertex_claude_magic.prompts.values.kinds import apart_key, library_kind
from vertex_claude_magic.prompts.values.plain_text import (
    ELIDED,
    ObjectText,
    display_content,
    numbers_of,
    object_text,
)
from vertex_claude_magic.prompts.values.records import Record, fields_of, hides, loose_fields
from vertex_claude_magic.prompts.values.refusals import is_refused, kind_name, refusal
from vertex_claude_magic.text import number_of, quote
from vertex_claude_magic.vertex.reply import Reply

if TYPE_CHECKING:
    from datetime import timedelta
    from decimal import Decimal
    from fractions import Fraction
    from uuid import UUID

    # The kind "number".
    Scalar = Enum | complex | Decimal | Fraction | date | time | timedelta | UUID | None

__all__ = ["json_parts", "plain_parts", "text_or_fields", "text_parts"]

_DEEPEST = 40
# Frames and pictures of one structure that follow it as parts of their own.
_MOST_APART = 50
# Levels of an object's fields that are looked through for such.
_LOOKED_INTO = 3
# Tokens that each of them has, however much the structure takes.
_LEAST_SHARE = 50
# Characters of an object's own text that are written, however little is left.
_LEAST_TEXT = 200
_PANDAS_SCALARS = frozenset({"Timestamp", "Timedelta", "Period", "Interval"})
_LONGEST_NUMBER = 4_000
_LONGEST_TEXT = 10**6
_MOST_BITS = 10_000
_LINE = 100
_SHORT = 30


def text_parts(value: str, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a string into text: as it is, up to the limit."""
    body, cut = shorten(str(value), limits)
    return (Text(body=body, kind="text", about=f"{len(value):,} characters" if cut else "", cut=cut),)


def plain_parts(value: Scalar, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a number, a date or the like into text that needs no fence; a text of an enumeration needs one.

    >>> plain_parts(3.5, ValueLimits())[0].body
    '3.5'
    """
    if isinstance(value, Enum):
        inner = value.value
        if isinstance(inner, (int, float)):
            return (Text(body=str(inner), kind="number", bare=True),)
        return text_parts(inner if isinstance(inner, str) else short_text(value), limits)
    body = short_text(value, _LONGEST_NUMBER + 1)
    if len(body) > _LONGEST_NUMBER:
        body, cut = shorten(body, limits)
        return (Text(body=body, kind=type(value).__name__, cut=cut),)
    return (Text(body=body, kind=type(value).__name__, bare=True),)


def json_parts(value: Any, limits: ValueLimits, convert: Converter) -> tuple[PromptPart, ...]:
    """Turn a dict, a list, a data class, a pydantic model or another structure into JSON text.

    Frames, figures and images in it, at any depth, follow as parts of their own, under their paths.

    Args:
        value: The structure; it is read only as far as it is written.
        limits: How much of it goes out.
        convert: Turns what follows into parts.

    Raises:
        OptionError: it is an iterator, which reading would use up, or holds an object that has no text.

    >>> json_parts([1, {"a": float("nan")}], ValueLimits(), text_parts)[0].body
    '[1, {"a": "NaN"}]'
    """
    if is_refused(value):
        raise refusal(value, limits.name)
    writer = _Writer(limits.characters, limits.name)
    body = writer.write(value, 0, "")
    try:
        count: int | None = len(value)
    except Exception:  # noqa: BLE001 - not everything has a length
        count = None
    cut = ""
    if writer.full:
        total = writer.top if count is None else count
        cut = f"the first {writer.top:,} of {total:,} items" if writer.top < total else "only the beginning"
    text = Text(
        body=body,
        kind=quote(type(value).__qualname__, 60),
        about="" if count is None else number_of(count, "item"),
        cut=cut,
        caution="; ".join(writer.cautions),
    )
    parts: list[PromptPart] = [text]
    # What the text has left of the tokens is shared out evenly.
    share = (limits.tokens - estimate_tokens(body)) // max(len(writer.apart), 1)
    for path, each in writer.apart.values():
        inner = replace(limits, tokens=max(share, _LEAST_SHARE), name=f"{limits.name}{path}")
        parts += [replace(part, path=f"{path}{part.path}") for part in convert(each, inner)]
    return tuple(parts)


class _Writer:
    """Writes JSON until its space is used up; what follows is only counted.

    A list or dict is one line where it is short, else a line for each element. What cannot be JSON (a frame, a
    figure, an image) is collected in `apart` with its path, and the text names the tag that holds it.
    """

    def __init__(self, space: int, name: str) -> None:
        self._left = space
        self._name = name
        self._open: set[int] = set()
        self.full = False
        # Elements of the outermost structure that were written.
        self.top = 0
        self.apart: dict[int, tuple[str, Any]] = {}
        self.cautions: dict[str, None] = {}

    def write(self, value: Any, depth: int, path: str) -> str:
        scalar = _scalar(value)
        if scalar is not None:
            self.full = self.full or (isinstance(value, str) and len(value) >= _LONGEST_TEXT)
            self._left -= len(scalar)
            return scalar
        if depth > _DEEPEST:
            return self.write("… nested too deeply", depth, path)
        if id(value) in self._open:
            return self.write("… the same object again", depth, path)
        if depth and (key := apart_key(value)) is not None:
            if key not in self.apart and len(self.apart) >= _MOST_APART:
                self.cautions["without some of the frames and pictures in it"] = None
                return self.write(f"… a {kind_name(type(value))}, left out", depth, path)
            first, _ = self.apart.setdefault(key, (path, value))
            return self.write(f"see {quote(f'{self._name}{first}', 120)} below", depth, path)
        self._open.add(id(value))
        try:
            return self._structure(value, depth, path)
        finally:
            self._open.discard(id(value))

    def _structure(self, value: Any, depth: int, path: str) -> str:
        if is_refused(value):
            raise refusal(value, f"{self._name}{path}")
        if library_kind(value) == "scalar":
            return self.write(value.as_py(), depth, path)
        try:
            # A record that hides all its fields has its repr.
            pairs = (
                _Lazy(value.items(), len(value)) if isinstance(value, Mapping) else fields_of(value) or None
            )
            if pairs is not None:
                steps = "[{!r}]" if isinstance(value, Mapping) and not isinstance(value, Record) else ".{}"
                return self._joined("{}", pairs, depth, path, steps)
            elements = self._elements(value, path)
            if elements is not None:
                return self._joined("[]", elements, depth, path, "[{}]")
        except ClaudeError:
            raise
        except Exception as error:  # noqa: BLE001 - a structure of the user's own
            try:
                own = object_text(value)
            except Exception:  # noqa: BLE001 - nor does it have a text of its own
                own = None
            if own is None or (isinstance(value, (Mapping, Sequence)) and not hasattr(value, "_asdict")):
                text = f"<{type(value).__name__}, reading failed: {type(error).__name__}>"
                return self.write(text, depth, path)
            return self.write(own.text, depth, path)
        return self._object(value, depth, path)

    def _object(self, value: Any, depth: int, path: str) -> str:
        """Write any other object: its own text where that is whole, else its public fields."""
        content = display_content(value)
        if content is not None and not isinstance(content, (str, bytes)):
            return self.write(content, depth, path)
        try:
            text, fields = text_or_fields(value)
        except Exception as error:  # noqa: BLE001 - a repr of the user's own
            return self.write(failed_repr(type(value), error), depth, path)
        if fields:
            return self._joined("{}", fields, depth, path, ".{}")
        if text is not None and text.caution == ELIDED and (array := numbers_of(value)) is not None:
            return self.write(array, depth, path)
        if text is None:
            raise refusal(value, f"{self._name}{path}")
        if text.caution:
            self.cautions[text.caution] = None
        if len(text.text) > max(self._left, _LEAST_TEXT):
            self.full = True
        return self.write(short_text(text.text, max(self._left, _LEAST_TEXT)), depth, path)

    def _elements(self, value: Any, path: str) -> _Lazy | None:
        """Return the elements of a set, a sequence or an array; None for anything else."""
        if isinstance(value, AbstractSet):
            # Each element takes a character at least, beside its comma and line end.
            most, name = max(self._left, 0) // 4 + 2, f"an element of {self._name}{path}"
            ordered = in_order(
                value, min(most, len(value)), lambda each, limit: _Writer(limit, name).write(each, 0, "")
            )
            return _Lazy(ordered, len(value))
        kind = type(value)
        if isinstance(value, Sequence) or kind.__name__ in {
            "deque",
            "dict_values",
            "dict_keys",
            "dict_items",
        }:
            return _Lazy(value, len(value))
        if not kind.__module__.startswith(("numpy", "pandas", "polars")) or not hasattr(value, "__array__"):
            return None
        of = getattr(getattr(value, "dtype", None), "kind", "")
        if of in {"m", "M"}:
            # As a list, dates in nanoseconds would be whole numbers.
            return _Lazy(
                (each if getattr(each, "ndim", 0) else short_text(each) for each in value), len(value)
            )
        # A list of Python has floats of 64 bits, which give narrower ones digits that they do not have.
        listed = of != "f" and hasattr(value, "tolist") and value.size < 10**5
        return _Lazy(value.tolist() if listed else value, len(value))

    def _joined(self, marks: str, entries: _Lazy | Sequence[Any], depth: int, path: str, steps: str) -> str:
        """Write elements, or keys and values; `steps` is how a path goes on from here to one of them."""
        named = marks == "{}"
        parts: list[str] = []
        for number, each in enumerate(entries):
            key, part = each if named else (number, each)
            if named and not isinstance(key, str):
                key = short_text(key)
            if self._left <= 0:
                self.full = True
                rest = _json(f"… {len(entries) - number:,} more")
                parts.append(f'"…": {rest}' if named else rest)
                break
            name = f"{_json(key)}: " if named else ""
            # A comma and a line end, and an indent for each level.
            self._left -= len(name) + 3 + depth
            parts.append(name + self.write(part, depth + 1, f"{path}{steps.format(key)}"))
            if depth == 0:
                self.top = number + 1
        if sum(map(len, parts)) <= _LINE and not any("\n" in part for part in parts):
            return f"{marks[0]}{', '.join(parts)}{marks[1]}"
        if all(len(part) <= _SHORT and "\n" not in part for part in parts):
            # Short elements are put side by side, as many as a line holds.
            lines = [""]
            for part in parts:
                if lines[-1] and len(lines[-1]) + len(part) + 2 > _LINE:
                    lines.append("")
                lines[-1] = f"{lines[-1]}, {part}" if lines[-1] else part
            parts = lines
        body = ",\n".join(f" {part}".replace("\n", "\n ") for part in parts)
        return f"{marks[0]}\n{body}\n{marks[1]}"


def text_or_fields(
    value: Any, shown: Mapping[str, Any] | None = None
) -> tuple[ObjectText | None, list[tuple[str, Any]] | None]:
    """Return the text of an object, and its public fields where the text does not show them.

    Args:
        value: The object.
        shown: What IPython shows of it by MIME type.

    Raises:
        Exception: whatever a repr of the user's own raises.
    """
    text, fields = object_text(value, shown), loose_fields(value)
    if fields and (
        text is None or text.caution or hides(type(value)) or any(_holds_apart(each) for _, each in fields)
    ):
        return text, fields
    return text, None


def _holds_apart(value: Any, depth: int = 0) -> bool:
    """Tell whether a value is, or contains, what cannot be written as JSON; a few levels deep."""
    if apart_key(value) is not None:
        return True
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return depth < _LOOKED_INTO and any(_holds_apart(each, depth + 1) for each in islice(inner, _MOST_APART))


def _scalar(value: Any) -> str | None:  # noqa: PLR0911 - a row for each kind
    """Return the JSON of a value that has no parts, None if it is a structure."""
    if value is None:
        return "null"
    if isinstance(value, Enum):
        return _json(value.value if isinstance(value.value, (str, int, float)) else short_text(value))
    if isinstance(value, str):
        return _json(value if len(value) < _LONGEST_TEXT else short_text(value, _LONGEST_TEXT))
    if isinstance(value, Reply):
        return _scalar(value.text)
    if isinstance(value, int):
        return _json(value if value.bit_length() < _MOST_BITS else short_text(value))
    if isinstance(value, float):
        # JSON has no form for NaN and infinity, and their names say more than null.
        names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
        return _json(value if math.isfinite(value) else names[str(float(value))])
    if isinstance(value, (date, time)):
        return _json(value.isoformat())
    if isinstance(value, (bytes, bytearray, memoryview)):
        return None if is_image(value) else _json(short_text(value))
    library, name = type(value).__module__.partition(".")[0], type(value).__name__
    if library == "numpy" and name in {"datetime64", "timedelta64"}:
        return _json(short_text(value))
    if library == "numpy" and getattr(value, "ndim", None) == 0:
        from vertex_claude_magic.frames.precision import float_code, shortest_float

        code = float_code(value.dtype)
        return _scalar(shortest_float(value.item(), code) if code else value.item())
    if library == "pandas" and name in {"NAType", "NaTType"}:
        return "null"
    if library in {"decimal", "uuid", "fractions"} or (library == "pandas" and name in _PANDAS_SCALARS):
        return _json(short_text(value))
    return None


def _json(value: str | float) -> str:
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Lazy:
    """Elements and their number, without a copy."""

    elements: Iterable[Any]
    count: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self.elements)

    def __len__(self) -> int:
        return self.count
