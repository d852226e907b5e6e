"""One value of a table as JSON: the only normaliser between the cell of a table and a request."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, time
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.frames.cells import cell_of, is_missing, stand_in
from vertex_claude_magic.frames.precision import float_code, shortest_float
from vertex_claude_magic.prompts.values.cells import in_order
from vertex_claude_magic.prompts.values.kinds import library_kind
from vertex_claude_magic.prompts.values.records import fields_of, hides, loose_fields
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vertex_claude_magic.json_types import Json

__all__ = ["column_named", "json_value"]

_DEEPEST = 40
# One value may be as long as a request may be; the limit of the request is the one that holds.
_LONGEST = 2**31
_PLAIN = (str, int, bool, type(None))


# Once for a column, and not for each value.
@lru_cache(maxsize=256)
def column_named(name: str) -> str:
    """Return a column in the words of an error about one of its values."""
    return f"the column {quote(name, 60)!r}"


def json_value(value: Any, where: str, depth: int = 0) -> Json:
    """Return a value of a table as JSON.

    A missing value (None, NaN, `pandas.NA`, `NaT`) is null, a Decimal its digits, a date or time ISO 8601, an Enum its
    value, an infinite number its name; a float of 32 bits has the digits that it has there; arrays, sets, tuples,
    structs and maps are lists and objects; so are named tuples, data classes, models and rows of databases.

    Args:
        value: The value.
        where: What it is in, for the error, such as `the column 'a'`.
        depth: How deep inside of another value it is.

    Raises:
        OptionError: it has no form in JSON: bytes, a path, a picture, an object without a text of its own, one that is
            nested too deeply, or two keys that are the same text.

    >>> from datetime import date
    >>> from decimal import Decimal
    >>> json_value({"n": float("nan"), "d": date(2026, 1, 31), "price": Decimal("1.50")}, "the column 'a'")
    {'n': None, 'd': '2026-01-31', 'price': '1.50'}
    """
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if depth > _DEEPEST:
        raise OptionError(f"A value of {where} is nested too deeply.", cure="Flatten it first.")
    _refuse(value, where)

    def inner(part: Any) -> Json:
        return json_value(part, where, depth + 1)

    if (pairs := _pairs(value)) is not None:
        found: dict[str, Json] = {}
        for name, part in pairs:
            key = str(inner(name))
            if key in found:
                raise OptionError(
                    f"A value of {where} has two keys that are both {quote(key, 60)!r} in JSON.",
                    cure="Use strings as keys, each of them once.",
                )
            found[key] = inner(part)
        return found
    if isinstance(value, (list, tuple, AbstractSet)):
        parts = [inner(part) for part in value]
        # A set in an order that the next process has too.
        return in_order(parts, len(parts)) if isinstance(value, AbstractSet) else parts
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        # Arrays and scalars of numpy and of what is like it.
        code, several = float_code(value.dtype), getattr(value, "ndim", 0)
        is_time = getattr(value.dtype, "kind", "") in {"m", "M"}
        if several and (code or is_time):
            return [inner(each) for each in value]
        if code:
            return inner(shortest_float(value.item(), code))
        if not is_time:
            return inner(value.tolist())
        # As a text, because a time in nanoseconds would become a plain number.
        text = value.astype(str).tolist()
        return None if text == "NaT" else inner(text)
    return inner(value.value) if isinstance(value, Enum) else _scalar(value, where)


def _refuse(value: Any, where: str) -> None:
    """Refuse what the prompt of a row cannot contain."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise OptionError(
            f"A value of {where} is {len(value):,} bytes, which a prompt cannot contain.",
            cure="Decode it to text, or leave the column out of the prompt.",
        )
    if isinstance(value, os.PathLike):
        # In other prompts a path stands for its file; its text would only tell how this machine is laid out.
        raise OptionError(
            f"A value of {where} is a path, and the file that it names would not be sent.",
            cure="Put the text of the file there, such as path.read_text(), or str(path) to send the path itself.",
        )
    if library_kind(value) in {"figure", "image"}:
        raise OptionError(
            f"A value of {where} is a picture, which the prompt of a row cannot contain.",
            cure="Ask about one picture after the other, such as Claude().ask(prompt, attach=[picture]).",
        )


def _pairs(value: Any) -> Iterable[tuple[Any, Any]] | None:
    """Return the names of a record or the keys of a mapping with their values, None of anything else."""
    if not isinstance(value, Enum) and stand_in(type(value)) is None:
        # What cannot be read is refused as a scalar.
        with suppress(Exception):
            # The repr of a class of attrs would show its private fields too.
            fields = loose_fields(value) if hides(type(value)) else fields_of(value)
            if fields is not None:
                return fields
    return value.items() if isinstance(value, Mapping) else None


def _scalar(value: Any, where: str) -> Json:
    if is_missing(value):
        return None
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (date, time)):
        return value.isoformat()
    # A subclass may have a text of its own that says something else.
    plain = next((kind(value) for kind in (str, int) if isinstance(value, kind)), None)
    return cell_of(value, _LONGEST, where).text if plain is None else plain
