"""Any data frame or series as a `FrameTable`: its columns, rows and values, read through narwhals.

Pandas, polars, pyarrow, modin, cuDF and DuckDB, and whatever else narwhals reads. A lazy table (a DuckDB
relation, a query of Ibis) is computed, but no more of it is fetched than `SAMPLE` rows. Columns are taken by
their place, because two may have one name.
"""

from __future__ import annotations

import importlib.util
import math
import re
import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from vertex_claude_magic.errors import MissingExtra, OptionError
from vertex_claude_magic.frames.cells import cell_of
from vertex_claude_magic.frames.notes import attributes_of, metadata_of, remark_of
from vertex_claude_magic.frames.precision import nanoseconds, narrowing, shortest_float
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from types import ModuleType

    import duckdb
    import narwhals as nw
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped]
    from narwhals.typing import IntoFrame, IntoLazyFrame, IntoSeries

__all__ = ["SAMPLE", "FrameColumn", "FrameTable", "IntoTable", "arrow_of", "class_of", "lazy_schema", "need_narwhals",
           "read_table"]  # fmt: skip

# Also the arrays and batches of pyarrow, which narwhals does not name.
IntoTable: TypeAlias = "IntoFrame | IntoLazyFrame | IntoSeries"
# Rows up to which every value of a column is looked at, and the most that is fetched of a lazy table.
SAMPLE = 100_000
_MOST_LEVELED = 2_000_000
# Types of DuckDB that its export to Arrow makes another number, a time without its zone, or bytes of DuckDB's own
# (duckdb 2.0.1; duckdb-python issue 568 for the first).
_NOT_IN_ARROW = re.compile(r"\b(UHUGEINT|BIGNUM|BIT|VARIANT|TIME WITH TIME ZONE)\b")
# What narwhals calls the frames that are like those of pandas: they have an index, and NaN for missing values.
_LIKE_PANDAS = frozenset({"pandas", "modin", "cudf"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameColumn:
    """One column of a table.

    Args:
        name: Its name as the library has it.
        quoted: Whether a name that is a text is written in quotation marks, because others are numbers.
        dtype: The type of its values as the library prints it.
        series: Its values.
        like_pandas: Whether NaN is a missing value, as in pandas.
        remark: What else is known of it, such as a coordinate system.
    """

    name: Hashable
    dtype: str
    series: nw.Series[Any]
    like_pandas: bool = False
    remark: str = ""
    quoted: bool = False

    def __len__(self) -> int:
        return len(self.series)

    @property
    def label(self) -> str:
        """The name as a text; that of several levels is a tuple."""
        return repr(self.name) if self.quoted and isinstance(self.name, str) else _label(self.name)

    @property
    def where(self) -> str:
        """The column in the words of an error."""
        return f"the column {quote(self.label, 60)!r}"

    @property
    def missing(self) -> int:
        """How many values are missing; NaN counts where the library means that by it."""
        return int(self.series.null_count())

    @property
    def narrow(self) -> str:
        """The float of 32 or 16 bits that it holds, as `struct` names it; nothing if it holds anything else."""
        if self.dtype in {"float16", "halffloat"}:
            return "e"
        return {"Float32": "f", "Float16": "e"}.get(type(self.series.dtype).__name__, "")

    def values(self, start: int, stop: int) -> list[Any]:
        """Return Python values, None for a missing one; a float of 32 bits has the digits that it has there."""
        series = self.series[start:stop]
        values = self.known_values(series)
        if self.like_pandas:
            # Only the nullable floats of pandas can hold NaN beside a missing value.
            native = type(series.to_native().dtype).__module__.partition(".")[0] == "numpy"
            nan = native or not series.dtype.is_float()
            values = [
                None
                if type(value).__name__ in {"NAType", "NaTType"}
                or (nan and isinstance(value, float) and math.isnan(value))
                else value
                for value in values
            ]
        convert = partial(shortest_float, code=self.narrow) if self.narrow else narrowing(series.dtype)
        if convert is None:
            return values
        return [None if value is None else convert(value) for value in values]

    def known_values(self, series: nw.Series[Any]) -> list[Any]:
        """Return values of this column as its library gives them, but times in nanoseconds whole."""
        values = None if self.like_pandas else nanoseconds(series)
        return series.to_list() if values is None else values

    def sample(self) -> nw.Series[Any]:
        """Return all values, of a long column every n-th."""
        size = len(self.series)
        return self.series if size <= SAMPLE else self.series.gather_every(size // SAMPLE + 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameTable:
    """A data frame of any library, read by column.

    Args:
        kind: Its library and class, such as `pandas.DataFrame`.
        rows: How many rows it has.
        names: The names of its columns as the library has them.
        column: Returns the column at a place.
        index: The levels of its index, if it has one that says more than the number of the row.
        notes: Lines about what is neither in a column nor in a cell: index, levels, units, attributes.
        fetched: How many rows were fetched; fewer than `rows` if it is lazy and long.
        lazy: Whether it was computed to be read.
    """

    kind: str
    rows: int
    names: Sequence[Hashable]
    column: Callable[[int], FrameColumn]
    index: tuple[FrameColumn, ...] = ()
    notes: tuple[str, ...] = ()
    fetched: int = 0
    lazy: bool = False


def read_table(value: IntoTable) -> FrameTable:
    """Return a data frame, a series or an index as a table.

    Args:
        value: An object of any library that narwhals reads, of pyarrow (arrays and batches too), or of DuckDB.

    Raises:
        MissingExtra: narwhals is not installed, or what a lazy table is computed with.
        OptionError: narwhals does not read it.

    >>> import pandas as pd
    >>> table = read_table(pd.DataFrame({"n": [1.5, None]}))
    >>> table.rows, table.names, table.column(0).values(0, 2)
    (2, ['n'], [1.5, None])
    """
    nw = need_narwhals("A data frame in a prompt")
    value = nw.to_native(value, pass_through=True)
    # The class is asked and not the object: a column is an attribute of its frame, whatever its name.
    has, kind = partial(hasattr, type(value)), class_of(value)
    if kind == "duckdb.DuckDBPyRelation":
        return _of_relation(value, kind)
    if kind.startswith("pyarrow."):
        # A program that has an object of pyarrow has loaded it.
        pa: Any = sys.modules["pyarrow"]
        if isinstance(value, (pa.Array, pa.ChunkedArray)):
            return _of_series(pa.chunked_array([value]) if isinstance(value, pa.Array) else value, kind)
        table = pa.Table.from_batches([value]) if isinstance(value, pa.RecordBatch) else value
        return _of_columns(kind, table.column_names, table.num_rows, table.column, metadata_of(table.schema))
    if has("npartitions"):
        # Of dask: it has the methods of pandas, and neither rows nor an index before it is computed. Narwhals reads it,
        # with a warning that it will not do so much longer (2.29.0).
        raise _no_table(kind)
    if has("iloc") and has("columns"):
        return _of_pandas(value, kind)
    if has("iter_columns"):
        return _of_columns(kind, value.columns, value.height, value.to_series)
    if has("get_level_values"):
        names = [
            name if name is not None else ("value" if value.nlevels == 1 else f"level {number}")
            for number, name in enumerate(value.names)
        ]
        found = _of_columns(kind, names, len(value), lambda at: _level(value, at))
        return found if value.nlevels == 1 else replace(found, fetched=min(len(value), _MOST_LEVELED))
    try:
        frame = nw.from_native(value, allow_series=True)
    except TypeError:
        raise _no_table(kind) from None
    if isinstance(frame, nw.Series):
        return _of_series(value, kind)
    if not isinstance(frame, nw.LazyFrame):
        return read_table(frame.to_arrow())
    _need_arrow(kind)
    rows = frame.head(SAMPLE + 1).collect("pyarrow").to_native()
    count = int(frame.select(nw.len()).collect("pyarrow").item()) if rows.num_rows > SAMPLE else rows.num_rows
    found = _of_columns(kind, rows.column_names, count, rows.slice(0, SAMPLE).column)
    return replace(found, fetched=min(rows.num_rows, SAMPLE), lazy=True)


def _no_table(kind: str) -> OptionError:
    return OptionError(
        f"A {quote(kind, 60)} cannot be read as a table.",
        cure="Convert it to a pandas or polars data frame first (.compute(), .to_pandas(), .execute()).",
    )


def lazy_schema(value: IntoTable) -> Mapping[str, object] | None:
    """Return the names and types of a lazy frame of polars, None of anything else.

    Raises:
        MissingExtra: narwhals is not installed.
    """
    value = need_narwhals("A data frame in a prompt").to_native(value, pass_through=True)
    if class_of(value) != "polars.LazyFrame":
        return None
    schema: Mapping[str, object] = value.collect_schema()
    return schema


def need_narwhals(what: str) -> ModuleType:
    """Return narwhals; `what` needs it, for the error.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import narwhals as nw
    except ImportError:
        raise MissingExtra(
            f"{what} needs narwhals.", cure='Run: pip install "vertex-claude-magic[data]"'
        ) from None
    module: ModuleType = nw
    return module


def class_of(value: IntoTable) -> str:
    """Return the library and the class of a table, such as `pandas.DataFrame`.

    >>> import pandas as pd
    >>> class_of(pd.DataFrame())
    'pandas.DataFrame'
    """
    return f"{type(value).__module__.partition('.')[0].removeprefix('_')}.{type(value).__name__}"


def _column(native: IntoSeries, name: Hashable) -> FrameColumn:
    import narwhals as nw

    series = nw.from_native(native, series_only=True)
    like_pandas = series.implementation.value in _LIKE_PANDAS
    dtype = str(native.dtype) if hasattr(native, "dtype") else str(native.type)
    return FrameColumn(
        name=name, dtype=dtype, series=series, like_pandas=like_pandas, remark=remark_of(native, series.dtype)
    )


def _of_series(native: IntoSeries, kind: str) -> FrameTable:
    name = getattr(native, "name", None)
    column = _column(native, "value" if name is None or name == "" else name)
    index, notes = _index_of(native) if column.like_pandas else ((), ())
    notes = (*notes, *attributes_of(native)) if column.like_pandas else notes
    return FrameTable(
        kind=kind,
        rows=len(column),
        names=[column.name],
        column=lambda _at: column,
        index=index,
        notes=notes,
        fetched=len(column),
    )


def _level(index: pd.Index[Any], at: int) -> pd.Series[Any]:
    # Of several levels the values are written out, and no prompt takes more rows than these.
    level = index.get_level_values(at) if index.nlevels == 1 else index[:_MOST_LEVELED].get_level_values(at)
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(level, pandas.Index):
        return pandas.Series(level, copy=False)
    return level.to_series(index=range(len(level)))


def _of_columns(
    kind: str,
    names: Sequence[Hashable],
    rows: int,
    native: Callable[[int], IntoSeries],
    notes: tuple[str, ...] = (),
) -> FrameTable:
    return FrameTable(
        kind=kind,
        rows=rows,
        names=list(names),
        column=lambda at: _column(native(at), names[at]),
        notes=notes,
        fetched=rows,
    )


def _of_pandas(value: pd.DataFrame, kind: str) -> FrameTable:
    index, notes = _index_of(value)
    names = list(value.columns)
    levels = list(value.columns.names)
    if any(level is not None for level in levels):
        what = "The columns are called" if len(levels) == 1 else "The levels of the columns are called"
        notes = (*notes, f"{what} {', '.join(map(str, levels))}.")
    quoted = value.columns.nlevels == 1 and not all(isinstance(name, str) for name in names)
    if quoted:
        kinds = sorted({type(name).__name__ for name in names})
        notes = (*notes, f"The names of the columns are {' and '.join(kinds)}.")
    return FrameTable(
        kind=kind,
        rows=len(value),
        names=names,
        # `1` and `"1"` are two columns.
        column=lambda at: replace(_column(value.iloc[:, at], names[at]), quoted=quoted),
        index=index,
        notes=(*notes, *attributes_of(value)),
        fetched=len(value),
    )


def _index_of(value: pd.DataFrame | pd.Series[Any]) -> tuple[tuple[FrameColumn, ...], tuple[str, ...]]:
    """Return the levels of an index as columns, and a line about it; nothing for one that only counts the rows."""
    index = value.index
    counts = type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1)
    if counts:
        return (), () if index.name is None else (f"The index counts the rows and is called {index.name}.",)
    names = [f"index{level or ''}" if name is None else name for level, name in enumerate(index.names)]
    columns = tuple(_column(_level(index, level), name) for level, name in enumerate(names))
    freq = getattr(index, "freqstr", None)
    levels = [f"{column.label} ({column.dtype}{f', every {freq}' if freq else ''})" for column in columns]
    # The plain one, of texts or whole numbers and without a name, explains itself as the column `index`.
    plain = index.nlevels == 1 and index.name is None and columns[0].dtype in {"int64", "str", "object"}
    return columns, () if plain else (f"Index: {', '.join(levels)}.",)


def _of_relation(value: IntoLazyFrame, kind: str) -> FrameTable:
    """Compute a DuckDB relation; its names are its own, because Arrow's are made different where two are the same."""
    _need_arrow(kind)
    rows = arrow_of(value.limit(SAMPLE + 1))
    count = int(value.aggregate("count(*)").fetchall()[0][0]) if rows.num_rows > SAMPLE else rows.num_rows
    names, types = list(value.columns), [str(each) for each in value.types]
    return FrameTable(
        kind=kind,
        rows=count,
        names=names,
        column=lambda at: replace(_column(rows.slice(0, SAMPLE).column(at), names[at]), dtype=types[at]),
        fetched=min(rows.num_rows, SAMPLE),
        lazy=True,
    )


def arrow_of(relation: duckdb.DuckDBPyRelation) -> pa.Table:
    """Compute a DuckDB relation as an Arrow table; a value that Arrow would change is written as DuckDB writes it.

    >>> import duckdb
    >>> arrow_of(duckdb.sql("select 1 as n, '12:00:00+02'::timetz as at")).to_pylist()
    [{'n': 1, 'at': '12:00:00+02'}]
    """
    texts = [bool(_NOT_IN_ARROW.search(str(each))) for each in relation.types]
    if any(texts):
        columns = []
        for place, (name, text) in enumerate(zip(relation.columns, texts, strict=True), start=1):
            quoted = name.replace('"', '""')
            columns.append(f'CAST(#{place} AS VARCHAR) AS "{quoted}"' if text else f"#{place}")
        relation = relation.project(", ".join(columns))
    return relation.to_arrow_table()


def _need_arrow(kind: str) -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingExtra(
            f"Reading a {quote(kind, 60)} needs pyarrow, which is not installed.",
            cure="Run: pip install pyarrow",
        )


def _label(name: Hashable) -> str:
    if isinstance(name, str):
        return name
    if isinstance(name, tuple):
        return f"({', '.join(repr(part) if isinstance(part, str) else _label(part) for part in name)})"
    return "None" if name is None else cell_of(name, 10_000, "the names of the columns").text
