"""A table with added columns: of the same kind, its index, order, types and attributes unchanged.

Types are given and never inferred: polars drops or cuts what does not fit the first values (polars 2.1.0).
"""

from __future__ import annotations

import json
from types import NoneType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.markdown.characters import replace_invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.tables.columns import Added, Kind
    from vertex_claude_magic.tables.rows import MadeTable, Rows

__all__ = ["with_columns"]


def with_columns(rows: Rows, added: Sequence[Added], values: Mapping[str, Sequence[Any]]) -> MadeTable:
    """Return the table with columns added behind its own.

    A nested value is a Python object in pandas and in lists, and JSON text in polars and pyarrow; so is one that is a
    number in one row and a text in another, whose text stands there as it is.

    Args:
        rows: The table.
        added: The columns.
        values: For each of them, by name, as many values as the table has rows; None where one is missing.

    >>> from vertex_claude_magic.tables.columns import Added
    >>> from vertex_claude_magic.tables.rows import read_rows
    >>> with_columns(read_rows(["a", "b"]), [Added("n", "integer", "n")], {"n": [1, None]})
    [{'item': 'a', 'n': 1}, {'item': 'b', 'n': None}]
    """
    # Numbers, of which a batch may have millions in little memory, hold no characters.
    texts = [column.name for column in added if column.kind not in {"integer", "number", "boolean"}]
    values = {**values, **{name: [_valid(value) for value in values[name]] for name in texts}}
    native = rows.native
    if rows.kind in {"records", "strings"}:
        columns = [values[column.name] for column in added]
        names = [column.name for column in added]
        before = ({rows.names[0]: text} for text in native) if rows.kind == "strings" else native
        return [
            {**row, **dict(zip(names, new, strict=True))}
            for row, new in zip(before, zip(*columns, strict=True), strict=True)
        ]
    if rows.kind.startswith("polars."):
        import polars as pl

        kinds: Mapping[Kind, Any] = {
            "integer": pl.Int64,
            "number": pl.Float64,
            "boolean": pl.Boolean,
            "texts": pl.List(pl.String),
        }
        return native.with_columns(
            [
                pl.Series(column.name, _flat(column, values), dtype=kinds.get(column.kind, pl.String))
                for column in added
            ]
        )
    if rows.kind.startswith("pyarrow."):
        import pyarrow as pa  # type: ignore[import-untyped]

        types: Mapping[Kind, Any] = {
            "integer": pa.int64(),
            "number": pa.float64(),
            "boolean": pa.bool_(),
            "texts": pa.list_(pa.string()),
        }
        # Those of an earlier result are replaced.
        native = native.drop_columns([column.name for column in added if column.name in native.column_names])
        for column in added:
            kind = types.get(column.kind, pa.string())
            array = pa.array(_flat(column, values), type=kind)
            native = native.append_column(pa.field(column.name, kind), array)
        return native
    return _to_pandas_like(rows, added, values)


def _valid(value: Json) -> Json:
    """Return a value without half characters, which JSON can spell and Arrow refuses (pyarrow 26.0.1)."""
    if isinstance(value, str):
        return replace_invalid(value)
    if isinstance(value, list):
        return [_valid(part) for part in value]
    if isinstance(value, dict):
        return {replace_invalid(name): _valid(part) for name, part in value.items()}
    return value


def _flat(column: Added, values: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    found = values[column.name]
    if column.kind not in {"scalar", "json"}:
        return found
    # Where values may be nested all of them are JSON, and a text has its quotation marks.
    plain = (str, NoneType) if column.kind == "scalar" else NoneType
    return [value if isinstance(value, plain) else json.dumps(value, ensure_ascii=False) for value in found]


def _to_pandas_like(rows: Rows, added: Sequence[Added], values: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    dtypes: Mapping[Kind, str] = {
        "integer": "Int64",
        "number": "Float64",
        "boolean": "boolean",
        "string": "string",
    }
    # A copy of the frame and not of its data; it has the class, the index and the attributes of the frame.
    frame: pd.DataFrame = rows.native.copy(deep=False)
    for column in added:
        dtype = dtypes.get(column.kind)
        if dtype is not None:
            cells: Any = pd.array(list(values[column.name]), dtype=dtype)
        else:
            # Filled one by one, because a list of lists of one length would become a matrix.
            objects: Any = np.full(len(frame), None, dtype=object)
            for place, value in enumerate(values[column.name]):
                objects[place] = value
            # With its type, because pandas takes an array that happens to hold texts for one of texts (pandas 3.1.1).
            cells = pd.Series(objects, index=frame.index, dtype=object)
        frame[rows.label(column.name)] = cells
    return frame
