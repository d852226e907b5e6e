"""One value as a short text: a cell of a table, an element of a list; whatever it is, in bounded time."""

from __future__ import annotations

import heapq
from collections import Counter
from datetime import date, time, timedelta
from numbers import Number
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.frames.cells import huge_number
from vertex_claude_magic.prompts.values.stable_text import stable_text
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

__all__ = ["failed_repr", "in_order", "short_text"]

_LIMIT = 200
# Characters within which most elements of a set differ, and as many as a text may have.
_COMPARED, _LONGEST = 1_000, 2**31
# Such values have an order of their own that is the same everywhere; numbers of numpy are numbers, too.
_ORDERED = (str, bytes, Number, date, time, timedelta)
_DEEPEST = 20
# Libraries whose scalars print as people write them; their arrays and frames do not get here whole.
_PLAIN = frozenset({"datetime", "decimal", "pandas", "uuid", "numpy", "fractions"})
_MARKS: Mapping[type, Sequence[str]] = {
    list: "[]",
    tuple: "()",
    set: "{}",
    dict: "{}",
    frozenset: ("frozenset({", "})"),
}


def short_text(value: Any, limit: int = _LIMIT) -> str:
    """Return a value as text of at most `limit` characters; a repr that fails is named as such.

    The text is the same in every process: it holds no memory address, and sets are in order.

    >>> short_text("x" * 300, 5), short_text([1, 2]), short_text({"b", "a"})
    ('xxxx…', '[1, 2]', "{'a', 'b'}")
    """
    if isinstance(value, str):
        text = str(value[: limit + 1])
    elif isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value):,} bytes>"
    else:
        try:
            # Scalars as they print; anything that may hold much only as far as a line goes.
            plain = type(value).__module__.partition(".")[0] in _PLAIN or isinstance(value, float)
            text = stable_text(str(value)) if plain else _Written(limit).of(value)
        except Exception as error:  # noqa: BLE001 - a repr of the user's own
            return failed_repr(type(value), error)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def failed_repr(kind: type, error: Exception) -> str:
    """Return what stands for a value of a class whose repr fails."""
    return f"<{quote(kind.__name__, 40)}, repr failed: {type(error).__name__}>"


class _Written:
    """Writes a value as `repr` does, but no further than a number of characters goes."""

    def __init__(self, limit: int) -> None:
        self._left = limit + 1

    def of(self, value: Any, depth: int = 0) -> str:
        marks = _MARKS.get(type(value))
        if marks is None or depth > _DEEPEST or not value:
            text = _leaf(value, max(self._left, 0)) if marks is None or not value else "…"
            self._left -= len(text)
            return text
        if isinstance(value, (set, frozenset)):
            value = in_order(value, max(self._left, 1))
        parts: list[str] = []
        for each in value.items() if isinstance(value, dict) else value:
            if self._left <= 0:
                parts.append("…")
                break
            self._left -= 2
            pair = isinstance(value, dict)
            parts.append(
                f"{self.of(each[0], depth + 1)}: {self.of(each[1], depth + 1)}"
                if pair
                else self.of(each, depth + 1)
            )
        comma = "," if isinstance(value, tuple) and len(value) == 1 else ""
        return f"{marks[0]}{', '.join(parts)}{comma}{marks[1]}"


def _leaf(value: Any, limit: int) -> str:
    if isinstance(value, str):
        return repr(value[: limit + 1])
    if isinstance(value, int) and (huge := huge_number(value)):
        return huge
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a repr of the user's own
        return failed_repr(type(value), error)
    return stable_text(text[: max(limit, _LIMIT) * 50])


def in_order(values: Collection[Any], most: int, text: Callable[[Any, int], str] = short_text) -> list[Any]:
    """Return the first elements of a set in an order that is the same in every process.

    Numbers, texts and dates have an order of their own; anything else goes by its text.

    Args:
        values: The elements, which need not be comparable.
        most: How many elements are wanted.
        text: Writes an element, in about as many characters at most as are given.

    >>> in_order({3, 1, 2}, 2), in_order({"b", 1, None}, 3)
    ([1, 2], [None, 1, 'b'])
    """
    try:
        if all(_is_ordered(each) for each in values):
            return heapq.nsmallest(most, values)
    except TypeError:
        pass
    elements = list(values)
    beginnings = [(type(each).__name__, text(each, _COMPARED)) for each in elements]
    alike = Counter(beginnings)

    def order(at: int) -> tuple[str, str, str]:
        # Only the whole text tells those apart that begin alike.
        whole = text(elements[at], _LONGEST) if alike[beginnings[at]] > 1 else ""
        return (*beginnings[at], whole)

    return [elements[at] for at in heapq.nsmallest(most, range(len(elements)), key=order)]


def _is_ordered(value: Any) -> bool:
    # Sets compare by inclusion, and objects of the user's own as they like, which need not tell two of them apart.
    if isinstance(value, tuple):
        return all(_is_ordered(each) for each in value)
    return isinstance(value, _ORDERED) and bool(value == value)  # noqa: PLR0124 - NaN is not
