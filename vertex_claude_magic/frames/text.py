"""A table as text within a budget: its size, a line about each column, then its rows; what is left out is named.

How the budget is shared: the lines about columns take at most `_COLUMN_SHARE` of it, the rows take the rest. A
text that is longer than `_SHORT` characters is cut only where rows would be lost for it, all long texts at the
same length, and the longest length is taken with which enough rows stay: all of them, if they all fit with
texts cut to `_SHORT`; else a quarter of those that would fit then, and at least `_FEW`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from vertex_claude_magic.frames.cells import Cell, cell_of
from vertex_claude_magic.frames.read import SAMPLE, Column, Table
from vertex_claude_magic.frames.summary import missing_of, summary_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["TableText", "table_text"]

_COLUMN_SHARE = 0.6
_MOST_COLUMNS = 5_000
_MOST_ROWS = 5_000
_SHORT = 200
_FEW = 20
# Rows are read in steps, because a step of long texts is copied as a whole.
_FIRST_STEP, _LONGEST_STEP = 32, 1_024
_LEAST_NAME = 40
# What a cut text has beside its beginning, in bytes: quotation marks and "… (of 1,234,567,890 characters)".
_MARK = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class TableText:
    """A table as text.

    Args:
        body: The text.
        about: Its size, such as `1,000 rows × 3 columns`.
        cut: What went out if not all did, such as `the first 40 of 1,000 rows, with 3 long cells shortened`.
    """

    body: str
    about: str
    cut: str = ""


def table_text(table: Table, room: int) -> TableText:
    """Write a table as text of about `room` bytes of UTF-8.

    Raises:
        OptionError: a column holds objects that have no text of their own; the cure names it.

    >>> import pandas as pd
    >>> from vertex_claude_magic.frames.read import read_table
    >>> print(table_text(read_table(pd.DataFrame({"n": [1, 2]})), 1_000).body)
    2 rows × 1 column
    <BLANKLINE>
    column,dtype,missing,summary
    n,int64,0,1 to 2; mean 1.5
    <BLANKLINE>
    n
    1
    2
    """
    width = len(table.names)
    about = f"{_count(table.rows, 'row')} × {_count(width, 'column')}"
    if table.lazy:
        about += ", computed for this prompt"
    short = _Shortener(max(_LEAST_NAME, room // 10))
    columns, described = _described(table, int(room * _COLUMN_SHARE), short)
    head = [about, *_sampled(table, len(columns)), *(short.cut(note, "notes") for note in table.notes)]
    if not described:
        body = "\n".join(head)
        return TableText(body=body, about=about, cut=_cut(table, table.rows, width, 0, short))
    lines = "".join(map(_line, [("column", "dtype", "missing", "summary"), *described]))
    body = "\n".join([*head, "", lines.rstrip("\n")])
    shown = [*table.index, *columns]
    names = _line([short.cut(column.label, "names") for column in shown])
    rows = _Rows.read(shown, table.fetched, room - _size(body) - _size(names) - 100)
    cut = _cut(table, len(rows.lines), len(columns), rows.shortened, short)
    if cut:
        body = f"{body}\n\nBelow: {cut}."
    if rows.lines or not table.rows:
        body = f"{body}\n\n{names}{''.join(rows.lines)}"
    return TableText(body=body.removesuffix("\n"), about=about, cut=cut)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


class _Shortener:
    """Cuts names, types and notes that are longer than a limit, and remembers what it cut."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.cuts: dict[str, None] = {}

    def cut(self, text: str, what: str) -> str:
        if len(text) <= self._limit:
            return text
        self.cuts[f"long {what} shortened"] = None
        return f"{text[: self._limit]}… (of {len(text):,} characters)"


def _sampled(table: Table, described: int) -> list[str]:
    """Say which rows and columns the summaries are about."""
    lines = []
    if table.fetched < table.rows:
        lines.append(f"Missing values and summaries are from the first {table.fetched:,} rows.")
    elif table.rows > SAMPLE:
        lines.append(f"Summaries are from every {table.rows // SAMPLE + 1:,}th row.")
    if described < len(table.names):
        verb = "is" if described == 1 else "are"
        lines.append(f"Only the first {_count(described, 'column')} {verb} described.")
    return lines


def _described(
    table: Table, room: int, short: _Shortener
) -> tuple[list[Column], list[tuple[str, str, str, str]]]:
    columns: list[Column] = []
    described: list[tuple[str, str, str, str]] = []
    for at in range(min(len(table.names), _MOST_COLUMNS)):
        column = table.column(at)
        about = (
            short.cut(column.label, "names"),
            short.cut(column.dtype, "types"),
            missing_of(column),
            short.cut(summary_of(column), "summaries"),
        )
        room -= sum(map(_size, about)) + 4
        if room < 0 and described:
            break
        columns.append(column)
        described.append(about)
    return columns, described


def _cut(table: Table, rows: int, columns: int, shortened: int, short: _Shortener) -> str:
    """Say what went out, of rows, columns and cells; nothing if all did."""
    width = len(table.names)
    if rows < table.rows:
        what = f"the first {rows:,} of {table.rows:,} rows" if rows else f"none of the {table.rows:,} rows"
    else:
        what = f"all {_count(rows, 'row')}"
    if columns < width:
        what += f" and {columns:,} of {width:,} columns"
    losses = [*([f"{_count(shortened, 'long cell')} shortened"] if shortened else []), *short.cuts]
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
    def read(cls, columns: Sequence[Column], count: int, room: int) -> _Rows:
        """Read rows until they would not fit even with short texts, and write as many as fit."""
        rows: list[_Row] = []
        left = room
        for row in _read_rows(columns, min(count, _MOST_ROWS), max(room, _SHORT)):
            left -= row.size_with(_SHORT)
            if left < 0 and rows:
                break
            rows.append(row)
        limit = _limit(rows, room, all_rows=len(rows) == count)
        lines, shortened, used = [], 0, 0
        for row in rows:
            texts = [None if cell is None else _shown(cell, limit) for cell in row.cells]
            line = _line(texts)
            used += _size(line)
            if used > room:
                break
            lines.append(line)
            shortened += sum(
                text != (cell and cell.text) for cell, text in zip(row.cells, texts, strict=True)
            )
        return cls(lines, shortened)


def _read_rows(columns: Sequence[Column], count: int, longest: int) -> Iterator[_Row]:
    start, step = 0, _FIRST_STEP
    while start < count:
        stop = min(start + step, count)
        values = [column.values(start, stop) for column in columns]
        labels = [column.label for column in columns]
        for row in zip(*values, strict=True):
            cells = tuple(
                None if value is None else cell_of(value, longest, label)
                for value, label in zip(row, labels, strict=True)
            )
            sizes = [
                0 if cell is None else _size(_field(cell.text)) + (_MARK if cell.total else 0)
                for cell in cells
            ]
            yield _Row(cells, sum(sizes) + len(sizes), tuple(size for size in sizes if size > _MARK))
        start, step = stop, min(step * 2, _LONGEST_STEP)


def _limit(rows: Sequence[_Row], room: int, *, all_rows: bool) -> int:
    """Return the length that all long texts may have."""
    longest = max((size for row in rows for size in row.long), default=0)

    def fit(limit: int) -> int:
        return sum(used <= room for used in accumulate(row.size_with(limit) for row in rows))

    most = fit(_SHORT)
    needed = len(rows) if all_rows and most == len(rows) else max(min(_FEW, most), most // 4)
    low, high = (_SHORT, longest) if most else (1, _SHORT)
    needed = max(needed, 1)
    if fit(high) >= needed:
        return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fit(middle) >= needed else (low, middle)
    return low


def _shown(cell: Cell, limit: int) -> str:
    """Return the text of a cell, cut to a size in bytes, and how long the whole is."""
    if not cell.total and _size(_field(cell.text)) <= limit + _MARK:
        return cell.text
    start = cell.text[:limit]
    while (size := _size(_field(start))) > limit and start:
        start = start[: min(len(start) - 1, len(start) * limit // size)]
    return f"{start}… (of {cell.total or f'{len(cell.text):,} characters'})"
