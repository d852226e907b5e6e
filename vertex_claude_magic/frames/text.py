"""A table as text of a limited size: its size, a line about each column, then its rows; what is left out is named.

How the length is shared: the lines about columns take at most `_COLUMN_SHARE` of it, the rows take the rest. A
text that is longer than `_SHORT` characters is cut only where rows would be lost for it, all long texts at the
same length, and the longest length is taken with which enough rows stay: all of them, if they all fit with
texts cut to `_SHORT`; else a quarter of those that would fit then, of less than `4 * _FEW` up to `_FEW` or half.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from vertex_claude_magic.frames.cells import Cell, cell_of
from vertex_claude_magic.frames.read import SAMPLE, FrameColumn, FrameTable, lazy_schema, read_table
from vertex_claude_magic.frames.summary import missing_of, summary_of
from vertex_claude_magic.text import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vertex_claude_magic.frames.read import IntoTable

__all__ = ["TableText", "frame_text"]

_COLUMN_SHARE = 0.6
_SHORT = 200
_FEW = 20
# Rows are read in steps, because a step of long texts is copied as a whole.
_FIRST_STEP, _LONGEST_STEP = 32, 1_024
_LEAST_NAME = 40
# The bytes that the line about what is cut takes.
_ABOUT_CUT = 100
# What a cut text has beside its beginning, in bytes: quotation marks and "… (of 1,234,567,890 characters)".
_MARK = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class TableText:
    """A table as text.

    Args:
        body: The text.
        kind: Its library and class, such as `pandas.DataFrame`.
        about: Its size, such as `1,000 rows × 3 columns`.
        cut: What went out if not all did, such as `the first 40 of 1,000 rows, with 3 long cells shortened`.
    """

    body: str
    kind: str
    about: str
    cut: str = ""


def frame_text(frame: IntoTable, limit: int) -> TableText:
    """Write a data frame, a series or an index as text of about `limit` bytes of UTF-8.

    A lazy frame of polars goes out as its schema and is not computed: its rows may be those of a whole disk.

    Args:
        frame: What `read_table` takes.
        limit: How much the text may take, a fifth of it for notes, three fifths for the lines about columns.

    Raises:
        MissingExtra: narwhals is not installed.
        OptionError: a column holds objects that have no text of their own; the cure names it.

    >>> import pandas as pd
    >>> print(frame_text(pd.DataFrame({"n": [1, 2]}), 1_000).body)
    2 rows × 1 column
    <BLANKLINE>
    column,dtype,missing,summary
    n,int64,0,1 to 2; mean 1.5
    <BLANKLINE>
    n
    1
    2
    """
    schema = lazy_schema(frame)
    if schema is not None:
        body = "\n".join(f"{name}: {dtype}" for name, dtype in schema.items())
        return TableText(body=body, kind="polars.LazyFrame", about="not computed, only its schema")
    table = read_table(frame)
    width = len(table.names)
    about = f"{number_of(table.rows, 'row')} × {number_of(width, 'column')}"
    if table.lazy:
        about += ", computed for this prompt"
    short = _Shortener(max(_LEAST_NAME, limit // 10))
    columns: list[FrameColumn] = []
    described: list[tuple[str, str, str, str | None]] = []
    space = int(limit * _COLUMN_SHARE)
    for at in range(width):
        column = table.column(at)
        line = (
            short.cut(column.label, "names"),
            short.cut(column.dtype, "types"),
            missing_of(column),
            short.cut(summary_of(column), "summaries") or None,
        )
        space -= _size(_line(line))
        if space < 0 and described:
            break
        columns.append(column)
        described.append(line)
    head = [about]
    if table.fetched < table.rows:
        head.append(f"Missing values and summaries are from the first {table.fetched:,} rows.")
    elif table.rows > SAMPLE:
        head.append(f"Summaries are from every {table.rows // SAMPLE + 1:,}th row.")
    if len(columns) < width:
        verb = "is" if len(columns) == 1 else "are"
        head.append(f"Only the first {number_of(len(columns), 'column')} {verb} described.")
    if table.notes:
        head.append(short.cut("\n".join(table.notes), "notes", times=2))
    if not described:
        cut = _cut(table, table.rows, 0, 0, short)
        return TableText(body="\n".join(head), kind=table.kind, about=about, cut=cut)
    lines = "".join(map(_line, [("column", "dtype", "missing", "summary"), *described]))
    body = "\n".join([*head, "", lines.rstrip("\n")])
    shown = [*table.index, *columns]
    names = _line([short.cut(column.label, "names") for column in shown])
    rows = _Rows.read(shown, table.fetched, limit - _size(body) - _size(names) - _ABOUT_CUT)
    cut = _cut(table, len(rows.lines), len(columns), rows.shortened, short)
    if cut:
        body = f"{body}\n\nBelow: {cut}."
    if rows.lines or not table.rows:
        body = f"{body}\n\n{names}{''.join(rows.lines)}"
    return TableText(body=body.removesuffix("\n"), kind=table.kind, about=about, cut=cut)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


class _Shortener:
    """Cuts names, types and notes that are longer than a limit, and remembers what it cut."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.cuts: dict[str, None] = {}

    def cut(self, text: str, what: str, *, times: int = 1) -> str:
        limit = self._limit * times
        if len(text) <= limit:
            return text
        self.cuts[f"long {what} shortened"] = None
        return f"{text[:limit]}… (of {len(text):,} characters)"


def _cut(table: FrameTable, rows: int, columns: int, shortened: int, short: _Shortener) -> str:
    """Say what went out, of rows, columns and cells; nothing if all did."""
    width = len(table.names)
    if rows < table.rows:
        what = f"the first {rows:,} of {table.rows:,} rows" if rows else f"none of the {table.rows:,} rows"
    else:
        what = "the only row" if rows == 1 else f"all {rows:,} rows"
    if rows and rows == table.fetched < table.rows:
        what += " (no more of a lazy table are fetched)"
    if columns < width:
        what += f" and {columns:,} of {width:,} columns"
    losses = [*([f"{number_of(shortened, 'long cell')} shortened"] if shortened else []), *short.cuts]
    if losses:
        return f"{what}, with {' and '.join(losses)}"
    return what if rows < table.rows or columns < width else ""


def _line(texts: Iterable[str | None]) -> str:
    """Write a line of CSV; a missing value is nothing at all, an empty text is two quotation marks."""
    return ",".join(map(_field, texts)) + "\n"


def _field(text: str | None) -> str:
    if text is None:
        return ""
    text = text.replace("\0", "\ufffd")
    if not text or any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with its size in bytes, and the sizes of its long cells, which may be cut."""

    cells: tuple[Cell | None, ...]
    size: int
    long: tuple[int, ...]

    def size_with(self, limit: int) -> int:
        return self.size - sum(max(0, each - limit - _MARK) for each in self.long)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The lines of the rows that fit, and how many of their cells were cut."""

    lines: list[str]
    shortened: int = 0

    @classmethod
    def read(cls, columns: Sequence[FrameColumn], count: int, space: int) -> _Rows:
        """Read rows until they would not fit even with short texts, and write as many as fit."""
        rows: list[_Row] = []
        left = space
        for row in _read_rows(columns, count, max(space, _SHORT)):
            left -= row.size_with(_SHORT)
            if left < 0 and rows:
                break
            rows.append(row)
        limit = _limit(rows, space, all_rows=len(rows) == count)

        def shown(cell: Cell) -> str:
            """Return the text of a cell, cut to the limit in bytes, and how long the whole is."""
            if not cell.total and _size(_field(cell.text)) <= limit + _MARK:
                return cell.text
            start = cell.text[:limit]
            while (size := _size(_field(start))) > limit and start:
                start = start[: min(len(start) - 1, len(start) * limit // size)]
            return f"{start}… (of {cell.total or f'{len(cell.text):,} characters'})"

        lines, shortened, used = [], 0, 0
        for row in rows:
            texts = [None if cell is None else shown(cell) for cell in row.cells]
            line = _line(texts)
            used += _size(line)
            if used > space:
                break
            lines.append(line)
            shortened += sum(
                text != (cell and cell.text) for cell, text in zip(row.cells, texts, strict=True)
            )
        return cls(lines, shortened)


def _read_rows(columns: Sequence[FrameColumn], count: int, longest: int) -> Iterator[_Row]:
    start, step = 0, _FIRST_STEP
    while start < count:
        stop = min(start + step, count)
        values = [column.values(start, stop) for column in columns]
        places = [column.where for column in columns]
        for row in zip(*values, strict=True):
            cells = tuple(
                None if value is None else cell_of(value, longest, place)
                for value, place in zip(row, places, strict=True)
            )
            sizes = [
                0 if cell is None else _size(_field(cell.text)) + (_MARK if cell.total else 0)
                for cell in cells
            ]
            yield _Row(cells, sum(sizes) + len(sizes), tuple(size for size in sizes if size > _MARK))
        start, step = stop, min(step * 2, _LONGEST_STEP)


def _limit(rows: Sequence[_Row], space: int, *, all_rows: bool) -> int:
    """Return the length that all long texts may have."""
    longest = max((size for row in rows for size in row.long), default=0)

    def fit(limit: int) -> int:
        return sum(used <= space for used in accumulate(row.size_with(limit) for row in rows))

    most = fit(_SHORT)
    needed = len(rows) if all_rows and most == len(rows) else max(most // 4, min(_FEW, most // 2), 1)
    low, high = (_SHORT, longest) if most else (1, _SHORT)
    if fit(high) >= needed:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fit(middle) >= needed else (low, middle)
    return low
