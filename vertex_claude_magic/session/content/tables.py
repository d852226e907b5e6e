"""Data frames, series and arrays as text: their shape, a line about each column, then rows as far as they go.

Nothing here copies a table or writes it out whole. The figures about columns come from a sample where a
table is long, and say so.
"""

from __future__ import annotations

import csv
import io
import sys
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.session.content.cells import short_text
from vertex_claude_magic.session.content.parts import Budget, Part, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["array_parts", "frame_parts", "polars_parts", "series_parts"]

# Rows up to which every value of a column is looked at.
_SAMPLE = 100_000
_DISTINCT = 3
_CELL = 200
# The share of a budget that lines about columns may take, when there are many columns.
_COLUMN_SHARE = 0.6
_MOST_ROWS = 5_000


def frame_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a pandas data frame into text.

    >>> import pandas as pd
    >>> print(frame_parts(pd.DataFrame({"n": [1, 2]}), Budget())[0].body)
    2 rows × 1 column
    <BLANKLINE>
    column,dtype,missing,summary
    n,int64,0,1 to 2; mean 1.5
    <BLANKLINE>
    n
    1
    2
    """  # fmt: skip
    columns = [_Column(name, value.iloc[:, at]) for at, name in enumerate(value.columns[:_MOST_ROWS])]
    kept = _index_columns(value)
    return _table("pandas.DataFrame", (len(value), len(value.columns)), columns, kept, budget)


def series_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a pandas series or index into text, as a table of one column."""
    series = value.to_series(index=range(len(value))) if hasattr(value, "to_series") else value
    if getattr(value, "nlevels", 1) > 1 and hasattr(value, "to_series"):
        series = value[:_SAMPLE].to_series(index=range(min(len(value), _SAMPLE)))
    name = value.name if value.name is not None else "value"
    kept = _index_columns(value) if hasattr(value, "index") else []
    kind = f"pandas.{type(value).__name__}"
    return _table(kind, (len(value), 1), [_Column(name, series)], kept, budget)


class _Column:
    """One column of a pandas table: how it is called, what is known of it, and its cells one by one."""

    def __init__(self, name: Any, series: Any) -> None:
        self.name = short_text(name if isinstance(name, str) else str(name), 80)
        self._series = series

    def cells(self, rows: int) -> list[str]:
        return [_cell(value) for value in self._series.iloc[:rows].tolist()]

    def about(self) -> tuple[str, str, str, str]:
        sample = self._sample()
        missing = f"{int(self._series.isna().sum()):,}" if len(self._series) <= 10**8 else "?"
        return self.name, str(self._series.dtype), missing, _quietly(lambda: _summary(sample))

    def _sample(self) -> Any:
        size = len(self._series)
        return self._series if size <= _SAMPLE else self._series.iloc[:: size // _SAMPLE + 1]


def _index_columns(value: Any) -> list[_Column]:
    import pandas as pd

    index = value.index
    if isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1:
        return []
    names = [name if name is not None else f"index{level or ''}" for level, name in enumerate(index.names)]
    return [_IndexColumn(name, index, level) for level, name in enumerate(names)]


class _IndexColumn(_Column):
    """A level of an index, which is shown before the columns and not described."""

    def __init__(self, name: Any, index: Any, level: int) -> None:
        super().__init__(name, index)
        self._level = level

    def cells(self, rows: int) -> list[str]:
        return [_cell(value) for value in self._series[:rows].get_level_values(self._level).tolist()]


def _cell(value: Any) -> str:
    if value is None or value is getattr(sys.modules.get("pandas"), "NA", None):
        return ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.6g}"  # noqa: PLR0124 - the definition of NaN
    if type(value).__name__ == "NaTType":
        return ""
    return short_text(value, _CELL)


def _summary(series: Any) -> str:
    """Say what is typical of a column; what its type allows."""
    from pandas.api import types

    known = series.dropna()
    if not len(known):
        return "nothing but missing values" if len(series) else ""
    dtype = series.dtype
    if types.is_bool_dtype(dtype):
        return f"{int(known.astype(bool).sum()):,} true"
    if types.is_complex_dtype(dtype):
        return ""
    if types.is_numeric_dtype(dtype):
        return f"{_number(known.min())} to {_number(known.max())}; mean {_number(known.mean())}"
    if (
        types.is_datetime64_any_dtype(dtype)
        or types.is_timedelta64_dtype(dtype)
        or isinstance(dtype, _pandas_type("PeriodDtype"))
    ):
        return f"{known.min()} to {known.max()}"
    return _frequent(known)


def _pandas_type(name: str) -> Any:
    return getattr(sys.modules["pandas"], name)


def _number(value: Any) -> str:
    return f"{float(value):.6g}"


def _frequent(known: Any) -> str:
    counts = known.map(lambda value: short_text(value, 40)).value_counts()
    shown = [f"{name} ({count:,})" for name, count in counts.head(_DISTINCT).items()]
    return f"{len(counts):,} different: {', '.join(shown)}"


def _quietly(summarize: Callable[[], str]) -> str:
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return summarize()
    except Exception as error:  # noqa: BLE001 - a column may hold anything, and its rows are shown all the same
        return f"no summary ({type(error).__name__})"


def _table(
    kind: str, size: tuple[int, int], columns: Sequence[Any], kept: Sequence[Any], budget: Budget
) -> tuple[Part, ...]:
    rows, width = size
    about = f"{rows:,} {_plural(rows, 'row')} × {width:,} {_plural(width, 'column')}"
    described, shown = _described(columns, budget)
    head = [about, *_notes(rows, width, shown)]
    if not described:
        return (Text(body="\n".join(head), kind=kind, about=about),)
    table = _csv([("column", "dtype", "missing", "summary"), *described])
    body = "\n".join([*head, "", table.rstrip("\n")])
    room = budget.characters - len(body) - 100
    lines, count = _rows([*kept, *columns[:shown]], rows, room)
    cut = "" if count == rows and shown == width else _left_out(count, rows, shown, width)
    if cut:
        body = f"{body}\n\nBelow: {cut}."
    return (Text(body=f"{body}\n\n{lines}".rstrip("\n") if lines else body, kind=kind, about=about, cut=cut),)


def _plural(count: int, word: str) -> str:
    return word if count == 1 else f"{word}s"


def _notes(rows: int, width: int, shown: int) -> list[str]:
    notes = []
    if rows > _SAMPLE:
        notes.append(f"Summaries are from every {rows // _SAMPLE + 1:,}th row.")
    if shown < width:
        notes.append(
            f"Only the first {shown:,} {_plural(shown, 'column')} {'is' if shown == 1 else 'are'} described."
        )
    return notes


def _left_out(count: int, rows: int, shown: int, width: int) -> str:
    some = f"the first {count:,} of {rows:,} rows"
    return some if shown == width else f"{some} and {shown:,} of {width:,} columns"


def _described(columns: Sequence[Any], budget: Budget) -> tuple[list[tuple[str, str, str, str]], int]:
    described: list[tuple[str, str, str, str]] = []
    room = budget.characters * _COLUMN_SHARE
    for column in columns:
        about = column.about()
        room -= sum(map(len, about)) + 4
        if room < 0 and described:
            break
        described.append(about)
    return described, len(described)


def _rows(columns: Sequence[Any], rows: int, room: int) -> tuple[str, int]:
    """Write rows as CSV until the room is used up; return the text and how many they are."""
    names = [column.name for column in columns]
    head = _csv([names])
    guess = max(1, min(rows, _MOST_ROWS, max(room, 0) // max(2 * len(names), 1) + 1))
    cells = [column.cells(guess) for column in columns]
    written, size, lines = 0, len(head), [head]
    for row in zip(*cells, strict=True):
        line = _csv([row])
        if size + len(line) > room and (written or size > room):
            break
        size += len(line)
        lines.append(line)
        written += 1
    return "".join(lines) if written or not rows else "", written


def _csv(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    # Before Python 3.11 the writer refuses NUL.
    cells = ([cell.replace("\0", "\ufffd") for cell in row] for row in rows)
    csv.writer(out, lineterminator="\n").writerows(cells)
    return out.getvalue()


def polars_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a polars frame or series into text; a lazy frame shows its schema and is not computed."""
    kind = f"polars.{type(value).__name__}"
    if type(value).__name__ == "LazyFrame":
        schema = "\n".join(f"{name}: {dtype}" for name, dtype in value.collect_schema().items())
        return (Text(body=schema, kind=kind, about="not computed, only its schema"),)
    series = [value] if type(value).__name__ == "Series" else list(value.iter_columns())
    return _table(
        kind, (len(value), len(series)), [_PolarsColumn(each) for each in series[:_MOST_ROWS]], [], budget
    )


class _PolarsColumn:
    """One column of a polars table."""

    def __init__(self, series: Any) -> None:
        self.name = short_text(series.name or "value", 80)
        self._series = series

    def cells(self, rows: int) -> list[str]:
        return [_cell(value) for value in self._series.head(rows).to_list()]

    def about(self) -> tuple[str, str, str, str]:
        size = len(self._series)
        sample = self._series if size <= _SAMPLE else self._series.gather_every(size // _SAMPLE + 1)
        missing = f"{int(self._series.null_count()):,}"
        return self.name, str(self._series.dtype), missing, _quietly(lambda: _polars_summary(sample))


def _polars_summary(series: Any) -> str:
    known = series.drop_nulls()
    if not len(known):
        return "nothing but missing values" if len(series) else ""
    dtype = series.dtype
    if str(dtype) == "Boolean":
        return f"{int(known.sum()):,} true"
    if dtype.is_numeric():
        return f"{_number(known.min())} to {_number(known.max())}; mean {_number(known.mean())}"
    if dtype.is_temporal():
        return f"{known.min()} to {known.max()}"
    from collections import Counter

    counts = Counter(short_text(each, 40) for each in known.to_list())
    shown = [f"{name} ({count:,})" for name, count in counts.most_common(_DISTINCT)]
    return f"{len(counts):,} different: {', '.join(shown)}"


def array_parts(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a numpy array into text: shape, dtype, its range, and the values as far as they go.

    >>> import numpy as np
    >>> array_parts(np.arange(3), Budget())[0].body
    'shape (3,), dtype int64, 0 to 2; mean 1\\n\\n[0 1 2]'
    """
    import numpy as np

    if isinstance(value, np.generic) or value.ndim == 0:
        return _scalar(value, budget)
    about = f"shape {tuple(value.shape)}, dtype {short_text(str(value.dtype), 100)}"
    summary = _quietly(lambda: _array_summary(value))
    body = f"{about}, {summary}" if summary else about
    room = max(budget.characters - len(body), 40)
    shown, cut = _values(value, room)
    return (Text(body=f"{body}\n\n{shown}", kind=f"numpy.{type(value).__name__}", about=about, cut=cut),)


def _scalar(value: Any, budget: Budget) -> tuple[Part, ...]:
    from vertex_claude_magic.session.content.convert import parts_of

    item = value.item()
    if type(item).__module__ == "numpy":
        return (Text(body=short_text(str(item)), kind="numpy scalar"),)
    return parts_of(item, budget)


def _array_summary(value: Any) -> str:
    import numpy as np

    if value.dtype.kind not in "iufb" or not value.size:
        return ""
    flat = value.reshape(-1) if value.flags.c_contiguous else value.flat[:_SAMPLE]
    sampled = flat[:: flat.size // _SAMPLE + 1] if flat.size > _SAMPLE else flat
    numbers: Any = np.ma.asarray(sampled).compressed().astype("float64")
    missing = int(np.isnan(numbers).sum())
    known = numbers[~np.isnan(numbers)]
    note = " (from a sample)" if value.size > _SAMPLE else ""
    nan = f", {missing:,} NaN" if missing else ""
    if not known.size:
        return f"nothing but NaN{note}"
    return f"{_number(known.min())} to {_number(known.max())}; mean {_number(known.mean())}{nan}{note}"


def _values(value: Any, room: int) -> tuple[str, str]:
    """Return the values as text, whole if they fit, else those of the first rows."""
    import numpy as np

    if value.size * 2 <= room:
        text = np.array2string(
            value, threshold=value.size + 1, max_line_width=120, formatter=_formatter(value)
        )
        if len(text) <= room:
            return text, ""
    lines: list[str] = []
    used = 0
    for row in _first_rows(value):
        line = short_text(np.array2string(row, threshold=200, edgeitems=20, max_line_width=10**6,
                                          formatter=_formatter(value)), max(room, 1))  # fmt: skip
        if used + len(line) > room and lines:
            break
        lines.append(line)
        used += len(line) + 1
    if value.ndim == 1:
        return lines[0], "the first and last values" if value.size > 200 else ""
    count = len(lines)
    return "\n".join(lines), f"the first {count:,} of {len(value):,} rows" if count < len(value) else ""


def _first_rows(value: Any) -> Iterator[Any]:
    if value.ndim == 1:
        yield value
        return
    yield from value


def _formatter(value: Any) -> Any:
    return {"object": short_text} if value.dtype.kind == "O" else None
