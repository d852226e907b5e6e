"""What is typical of a column, in a few words."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime, time, timedelta
from decimal import Context, Decimal, localcontext
from typing import TYPE_CHECKING, Any
from uuid import UUID

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.frames.cells import cell_of, number_text
from vertex_claude_magic.frames.precision import shortest_float

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from vertex_claude_magic.frames.read import FrameColumn

__all__ = ["missing_of", "summary_of"]

_DISTINCT = 3
_LABEL = 40
_EMPTY = '""'
# Nested values are written to be counted, each up to here; whether two are the same beyond is not looked at.
_COMPARED = 200
_NESTED = 2_000
# Characters of a sample beyond which texts are compared by their beginnings.
_CHARACTERS = 20_000_000
# Decimals of databases have up to 76 digits.
_PRECISE = Context(prec=100)
_SCALARS = frozenset({bool, bytes, complex, date, datetime, float, int, str, time, Decimal, UUID})
_NUMBERS = frozenset({int, float, Decimal})
_NUMPY_NUMBERS = frozenset({("numpy", "integer"), ("numpy", "floating")})


def summary_of(column: FrameColumn) -> str:
    """Return the range and the mean of numbers, the range of times, the most frequent of anything else.

    The sum behind a mean is exact, so that every machine writes the same digits.

    Raises:
        OptionError: a value has no text of its own.

    >>> import pandas as pd
    >>> from vertex_claude_magic.frames.read import read_table
    >>> summary_of(read_table(pd.Series([1, 2, 4])).column(0))
    '1 to 4; mean 2.3333333333333335'
    """
    try:
        found = _summary(column)
    except ClaudeError:
        raise
    except Exception as error:  # noqa: BLE001 - a column may hold anything, and its rows are shown all the same
        found = f"no summary ({type(error).__name__})"
    return "; ".join(filter(None, [found, column.remark]))


def missing_of(column: FrameColumn) -> str:
    """Return how many values are missing, and by which names if they are of several kinds."""
    count = column.missing
    if not count or not column.like_pandas or column.dtype != "object" or len(column) > 10**6:
        return f"{count:,}"
    kinds = Counter(map(str, column.series.filter(column.series.is_null()).to_list()))
    if len(kinds) < 2:
        return f"{count:,}"
    return f"{count:,} ({', '.join(f'{number:,} {kind}' for kind, number in kinds.items())})"


def _summary(column: FrameColumn) -> str:
    sample = column.sample().drop_nulls()
    dtype = sample.dtype
    if not len(sample):
        return "nothing but missing values" if len(column) else ""
    if dtype.is_temporal() or column.dtype.startswith("period"):
        ordered = sample.sort()
        low, high = (column.known_values(each)[0] for each in (ordered.head(1), ordered.tail(1)))
        return f"{low} to {high}"
    looked_at = ""
    if dtype.is_nested() and len(sample) > _NESTED:
        # Before they are turned into objects of Python, which take many times their bytes.
        sample = sample.gather_every(len(sample) // _NESTED + 1)
        looked_at = f"of {len(sample):,} looked at, "
    at_least = ""
    is_text = type(dtype).__name__ == "String"
    in_arrow = not column.like_pandas or getattr(sample.to_native().dtype, "storage", "") == "pyarrow"
    if is_text and in_arrow and int(sample.str.len_chars().sum()) > _CHARACTERS:
        # Each text would become an object of Python; of long ones only the beginnings are compared.
        sample, at_least = sample.str.head(_COMPARED), "at least "
    values = column.known_values(sample)
    if dtype.is_integer():
        kinds: Counter[type] = Counter([int])
    elif dtype.is_float():
        kinds = Counter([float])
    elif not column.like_pandas and (dtype.is_decimal() or is_text):
        kinds = Counter([str if is_text else Decimal])
    else:
        kinds = Counter(map(type, values))
    if bool in kinds and len(kinds) == 1:
        return f"{sum(values):,} true"
    # A column of objects may hold numbers of numpy.
    numbers = {
        kind
        for kind in kinds
        if kind in _NUMBERS or _NUMPY_NUMBERS & {(each.__module__, each.__name__) for each in kind.__mro__}
    }
    if dtype.is_numeric() or len(numbers) == len(kinds):
        return _of_numbers(values, kinds, column.narrow)
    if len(kinds) == 1 and issubclass(next(iter(kinds)), (date, timedelta)):
        return f"{min(values)} to {max(values)}"
    found = f"{looked_at}{at_least}{_frequent(values, kinds, column)}" if complex not in kinds else ""
    if len(kinds) > 1:
        names = ", ".join(f"{count:,} {kind.__name__}" for kind, count in kinds.items())
        found = f"mixed types ({names}); {found}"
    return found


def _of_numbers(values: Sequence[Any], kinds: Collection[type], code: str) -> str:
    mean, nan = _mean(values, kinds), ""
    if mean == "NaN":
        known = [value for value in values if value == value]  # noqa: PLR0124 - the definition of NaN
        nan = f"{len(values) - len(known):,} NaN" if len(known) < len(values) else ""
        if not known:
            return nan
        values, mean = known, _mean(known, kinds)
    ends = []
    for end in (min(values), max(values)):
        exact = shortest_float(end, code) if code and isinstance(end, float) else end
        ends.append(number_text(exact) if isinstance(exact, float) else str(exact))
    return "; ".join(filter(None, [" to ".join(ends), f"mean {mean}", nan]))


def _mean(values: Sequence[Any], kinds: Collection[type]) -> str:
    try:
        if all(issubclass(kind, int) for kind in kinds):
            total = sum(values)
            return number_text(total / len(values))
        if set(kinds) == {Decimal}:
            with localcontext(_PRECISE):
                return str(sum(values) / len(values))
        return number_text(math.fsum(values) / len(values))
    except OverflowError:
        return "beyond the largest float"
    except ValueError:
        # Infinities of both signs have no sum.
        return "NaN"


def _frequent(values: Sequence[Any], kinds: Collection[type], column: FrameColumn) -> str:
    beyond = looked_at = ""
    if str in kinds and len(kinds) == 1:
        counts: Counter[str] = Counter(values)
    else:
        if len(values) > _NESTED and not all(kind in _SCALARS for kind in kinds):
            values = values[:: len(values) // _NESTED + 1]
            looked_at = f"of {len(values):,} looked at, "
        where = column.where
        cells = [cell_of(value, _COMPARED, where) for value in values]
        beyond = "at least " if any(cell.total for cell in cells) else ""
        counts = Counter(f"{cell.text}{cell.total and '…'}" for cell in cells)
    shown = []
    for name, count in counts.most_common(_DISTINCT):
        label = name if len(name) <= _LABEL else f"{name[: _LABEL - 1]}…"
        shown.append(f"{label or _EMPTY} ({count:,})")
    return f"{looked_at}{beyond}{len(counts):,} different: {', '.join(shown)}"
