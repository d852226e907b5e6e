"""The rows of a table, a few at a time, and the table itself as a result will be made of it.

Every kind of table is read by column and by place, so that two columns of one name, an index and names that are not
texts do no harm. What a prompt does not name is never looked at.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.frames.cells import is_missing
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from narwhals.typing import IntoDataFrame, IntoFrame, IntoLazyFrame

    from vertex_claude_magic.frames.read import FrameColumn

__all__ = ["IntoRows", "MadeTable", "Rows", "read_rows"]

# What `read_rows` takes, and what a run makes of it: the same kind, a lazy table computed, strings as dicts.
IntoRows: TypeAlias = "IntoFrame | IntoLazyFrame | Sequence[Mapping[str, Any]] | Sequence[str] | Rows"
MadeTable: TypeAlias = "IntoDataFrame | list[dict[str, Any]]"

# The field of a list of strings.
_ITEM = "item"
_CURE = "Use a data frame (pandas, polars, pyarrow, DuckDB ...), a list of dicts, or a list of strings."


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """A table whose rows can be read.

    Args:
        kind: Its library and class, such as `pandas.DataFrame`; "records" for a list of dicts, "strings" for a list
            of strings.
        count: How many rows it has.
        names: The names of its columns as texts, in their order; two may be the same.
        native: The table. A lazy one has been computed, and this is what came of it.
        columns: The columns, in the same order; none of a list.
        index: The levels of its index that say something of a row: those with a name, or with labels that are no
            whole numbers.
        notices: What the user should know, such as that a lazy table was computed.
    """

    kind: str
    count: int
    names: tuple[str, ...]
    native: Any
    columns: tuple[FrameColumn, ...] = ()
    index: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()

    def place(self, name: str) -> int | None:
        """Return the place of the column of this name, None if there is none.

        Raises:
            OptionError: several columns have this name.
        """
        places = [place for place, each in enumerate(self.names) if each == name]
        if len(places) > 1:
            raise OptionError(
                f"The table has {len(places)} columns called {quote(name, 60)!r}.",
                cure="Rename them, so that the prompt can refer to one.",
            )
        return places[0] if places else None

    def label(self, name: str) -> Hashable:
        """Return the label that a column of this name gets in the table: the first level where columns have several."""
        levels = getattr(getattr(self.native, "columns", None), "nlevels", 1)
        return name if levels == 1 else (name, *[""] * (levels - 1))

    def records(self, start: int, stop: int, places: Sequence[int]) -> list[dict[str, Any]]:
        """Return some rows as dicts of Python values, None for a missing one.

        Args:
            start: The first row, from 0.
            stop: The row after the last one.
            places: Which columns to read.
        """
        wanted = [self.names[place] for place in places]
        if self.kind == "strings":
            return [dict.fromkeys(wanted, text) for text in self.native[start:stop]]
        if self.kind == "records":
            return [{name: row.get(name) for name in wanted} for row in self.native[start:stop]]
        if not wanted:
            return [{} for _ in range(min(stop, self.count) - start)]
        values = [self.columns[place].values(start, stop) for place in places]
        return [dict(zip(wanted, row, strict=True)) for row in zip(*values, strict=True)]

    def snapshot(self) -> Any:
        """Return the table as it is now: what is changed in it later, in place, does not change this one.

        Python objects inside cells, such as lists, are not copied.
        """
        if self.kind == "records":
            return [dict(row) for row in self.native]
        if self.kind.startswith("polars."):
            return self.native.clone()
        # Tables of pyarrow cannot be changed, and of a list of strings nobody else has this copy.
        return self.native.copy() if hasattr(type(self.native), "iloc") else self.native

    def missing(self, place: int) -> int:
        """Return how many rows have no value in a column."""
        if self.columns:
            column = self.columns[place]
            # A prompt has null for NaN too, which counts as missing in pandas alone.
            nan = not column.like_pandas and column.series.dtype.is_float()
            return column.missing + (int(column.series.is_nan().sum()) if nan else 0)
        # A list of strings has a text in every row.
        return (
            sum(is_missing(row.get(self.names[place])) for row in self.native)
            if self.kind == "records"
            else 0
        )

    def is_temporal(self, place: int) -> bool:
        """Tell whether a column holds dates or times, which need no marks around them in a prompt."""
        return bool(self.columns) and self.columns[place].series.dtype.is_temporal()


def read_rows(table: IntoRows, written: str = "") -> Rows:
    """Return the rows of a table.

    Args:
        table: A data frame of any library that narwhals reads, a DuckDB relation, a list of dicts, a list of
            strings, or rows that were read already.
        written: How a line names it, for the cure of an error.

    Raises:
        MissingExtra: narwhals, or what a lazy table is computed with, is not installed.
        OptionError: it is not a table.

    >>> rows = read_rows([{"a": 1}, {"a": 2, "b": "x"}])
    >>> rows.names, rows.records(0, 2, [1])
    (('a', 'b'), [{'b': None}, {'b': 'x'}])
    """
    if isinstance(table, Rows):
        return table
    if isinstance(table, (list, tuple)):
        listed: list[Any] = list(table)
        if all(isinstance(each, str) for each in listed):
            return Rows(kind="strings", count=len(listed), names=(_ITEM,), native=listed)
        if not all(isinstance(each, Mapping) for each in listed):
            kinds = sorted({"dict" if isinstance(each, Mapping) else type(each).__name__ for each in listed})
            raise OptionError(f"The list contains {quote(' and '.join(kinds), 80)}.", cure=_CURE)
        names = dict.fromkeys(name for row in listed for name in row)
        if wrong := next((name for name in names if not isinstance(name, str)), None):
            raise OptionError(
                f"The key {quote(repr(wrong), 60)} of a row is not a string.", cure="Use strings as keys."
            )
        return Rows(kind="records", count=len(listed), names=tuple(names), native=listed)
    if isinstance(table, (str, bytes, Mapping)) or table is None:
        raise OptionError(f"A {type(table).__name__} is not a table.", cure=_CURE)
    from vertex_claude_magic.frames.read import class_of, read_table

    eager, notices = _computed(table)
    kind = class_of(eager)
    # Walking through modin by column takes 6 times as long (narwhals 2.29.0, modin 0.37.1).
    plain = eager._to_pandas() if kind.startswith("modin.") else eager  # noqa: SLF001 - it has no public one
    found = read_table(plain)
    if not hasattr(type(plain), "columns"):
        raise OptionError(
            f"A {quote(found.kind, 60)} is a single column.",
            cure=f"Assign it as a table, and use that: t = {written or 'column'}.to_frame()",
        )
    columns = tuple(found.column(place) for place in range(len(found.names)))
    return Rows(
        kind=kind,
        count=found.rows,
        # Not the label, which puts a text in quotation marks beside numbers.
        names=tuple(column.name if isinstance(column.name, str) else column.label for column in columns),
        native=eager,
        columns=columns,
        index=tuple(
            level.label
            for level, name in zip(found.index, plain.index.names, strict=True)
            if name is not None or not level.series.dtype.is_integer()
        )
        if found.index
        else (),
        notices=notices,
    )


def _computed(table: IntoFrame | IntoLazyFrame) -> tuple[Any, tuple[str, ...]]:
    """Return a table that is in memory, and what was done to get it."""
    from vertex_claude_magic.frames.read import arrow_of, class_of, need_narwhals

    nw = need_narwhals("A data frame as a table")
    native = nw.to_native(table, pass_through=True)
    kind = class_of(native)
    if kind == "pyarrow.RecordBatch":
        import pyarrow as pa  # type: ignore[import-untyped]

        return pa.Table.from_batches([native]), ()
    if hasattr(type(native), "iloc") or kind in {"polars.DataFrame", "pyarrow.Table"}:
        return native, ()
    try:
        # narwhals refuses a relation with two columns of one name (2.29.0), of which a prompt may need neither.
        frame = None if kind == "duckdb.DuckDBPyRelation" else nw.from_native(native)
    except TypeError:
        raise OptionError(f"A {quote(kind, 60)} is not a table.", cure=_CURE) from None
    if frame is None:
        eager = arrow_of(native)
    elif isinstance(frame, nw.LazyFrame):
        eager = native.collect() if kind == "polars.LazyFrame" else frame.collect("pyarrow").to_native()
    else:
        eager = frame.to_arrow()
    return eager, (f"The {kind} was computed; the result is a {class_of(eager)}.",)
