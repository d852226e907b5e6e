"""Data as a pandas data frame: a row for each element, a column for each field, with proper dtypes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timezone
from enum import Enum
from typing import Any

from vertex_claude_magic.errors import MissingExtra

__all__ = ["FRAME_SCHEMA", "frame_of", "frame_of_json", "need_pandas", "text_frame"]

FRAME_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "columns": {"type": "array", "items": {"type": "string"}, "description": "The names of the columns."},
        "rows": {
            "type": "array",
            "items": {
                "type": "array",
                "items": {"anyOf": [{"type": kind} for kind in ("string", "number", "boolean", "null")]},
            },
            "description": "The rows; each has one cell for each column. Dates are written as YYYY-MM-DD.",
        },
    },
    "required": ["columns", "rows"],
    "additionalProperties": False,
}
_NO_TABLE = "a table is an object with columns and rows"
# The calendar dates and the date-times of ISO 8601-1:2019 in their extended form.
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def need_pandas() -> Any:
    """Return pandas.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtra(
            "Data frames need pandas.", cure='Run: pip install "vertex-claude-magic[data]"'
        ) from None
    return pd


def frame_of(data: Any) -> Any:
    """Return data as a frame; a frame is returned as it is.

    Args:
        data: A list of objects (pydantic models, data classes, dicts, named tuples), which become rows, or of
            plain values, which become the column `value`; a dict of equally long lists, which become columns;
            or a single object, which becomes the only row.

    Raises:
        MissingExtra: pandas is not installed.

    >>> frame_of([{"a": 1}, {"a": None}]).dtypes["a"]
    Int64Dtype()
    """
    pd = need_pandas()
    if isinstance(data, pd.DataFrame):
        return data
    if _is_columns(data):
        columns = [_column(pd, column) for column in data.values()]
        return _joined(pd, list(data), columns, len(next(iter(data.values()))))
    rows = list(data) if _is_list(data) else [data]
    return _of_records(pd, [_record(row) for row in rows], _column)


def text_frame(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Any:
    """Return cells as JSON knows them as a frame; texts that are all ISO dates become dates.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
        MissingExtra: pandas is not installed.

    >>> text_frame(["day", "n"], [["2026-01-31", 1], [None, None]]).dtypes["n"]
    Int64Dtype()
    """
    pd = need_pandas()
    rows = list(rows)
    for number, row in enumerate(rows):
        size = len(row) if isinstance(row, (list, tuple)) else "no"
        if size != len(columns):
            raise ValueError(f"rows[{number}] has {size} cells for {len(columns)} columns")
    cells = [_json_column(pd, [row[at] for row in rows]) for at in range(len(columns))]
    return _joined(pd, [str(name) for name in columns], cells, len(rows))


def frame_of_json(value: Any) -> Any:
    """Return decoded JSON as a frame.

    Args:
        value: `{"columns": [...], "rows": [[...]]}`, a list of objects, `{"items": [objects]}`, or an object
            of columns.

    Raises:
        ValueError: it is none of these; one line says what is wrong.
        MissingExtra: pandas is not installed.

    >>> frame_of_json({"columns": ["day"], "rows": [["2026-01-31"], [None]]}).dtypes["day"].kind
    'M'
    """
    pd = need_pandas()
    if isinstance(value, Mapping) and len(value) == 1 and _holds_objects(value.get("items")):
        value = value["items"]
    if isinstance(value, list):
        if not _holds_objects(value):
            raise ValueError(_NO_TABLE)
        return _of_records(pd, value, _json_column)
    if not isinstance(value, Mapping) or not value:
        raise ValueError(_NO_TABLE)
    names, rows = value.get("columns"), value.get("rows", value.get("data"))
    if isinstance(names, list) and isinstance(rows, list):
        return frame_of_json(rows) if rows and _holds_objects(rows) else text_frame(names, rows)
    return _of_columns(pd, value)


def _holds_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _of_columns(pd: Any, columns: Mapping[str, Any]) -> Any:
    if not all(isinstance(column, list) for column in columns.values()):
        raise ValueError(_NO_TABLE)
    sizes = {len(column) for column in columns.values()}
    if len(sizes) > 1:
        raise ValueError(f"the columns have different lengths: {', '.join(map(str, sorted(sizes)))}")
    return _joined(pd, list(columns), [_json_column(pd, column) for column in columns.values()], sizes.pop())


def _of_records(pd: Any, records: Sequence[Mapping[str, Any]], column: Any) -> Any:
    names = list(dict.fromkeys(name for record in records for name in record))
    columns = [column(pd, [record.get(name) for record in records]) for name in names]
    return _joined(pd, names, columns, len(records))


def _joined(pd: Any, names: Sequence[Any], columns: Sequence[Any], rows: int) -> Any:
    # By position, because two columns may have one name.
    frame = pd.DataFrame(dict(enumerate(columns)), index=range(rows))
    frame.columns = list(names)
    return frame


def _is_list(data: Any) -> bool:
    return isinstance(data, (list, tuple, set, frozenset)) and not hasattr(data, "_fields")


def _is_columns(data: Any) -> bool:
    if not isinstance(data, Mapping) or not data:
        return False
    columns = list(data.values())
    return (
        all(isinstance(column, list) for column in columns) and len({len(column) for column in columns}) == 1
    )


def _record(row: Any) -> dict[str, Any]:
    if hasattr(row, "model_dump") and hasattr(type(row), "model_fields"):
        extra = getattr(row, "model_extra", None) or {}
        return {**{name: getattr(row, name) for name in type(row).model_fields}, **extra}
    if is_dataclass(row) and not isinstance(row, type):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    if isinstance(row, Mapping):
        return {str(name): value for name, value in row.items()}
    if hasattr(row, "_asdict"):
        return dict(row._asdict())
    return {"value": row}


def _column(pd: Any, values: Sequence[Any]) -> Any:
    """Choose the dtype by what a column holds; None is a missing value."""
    try:
        column = _typed(pd, values, [value for value in values if value is not None])
    except (ValueError, TypeError, OverflowError):
        # Numbers and years that no dtype can hold, values without a hash, texts with half a character.
        column = None
    return pd.Series(values, dtype="object") if column is None else column


def _typed(pd: Any, values: Sequence[Any], known: Sequence[Any]) -> Any:
    whole = len(known) == len(values)
    kinds = {type(value) for value in known}
    if kinds in ({bool}, {int}):
        exact, nullable = ("bool", "boolean") if bool in kinds else ("int64", "Int64")
        return pd.Series(values, dtype=exact if whole else nullable)
    if kinds and kinds <= {int, float}:
        return pd.Series([None if value is None else float(value) for value in values], dtype="float64")
    if known and all(isinstance(value, date) for value in known):
        return _dates(pd, values, known)
    if known and all(isinstance(value, Enum) for value in known):
        return pd.Series([None if value is None else value.value for value in values], dtype="category")
    return pd.Series(values) if kinds == {str} else None


def _dates(pd: Any, values: Sequence[Any], known: Sequence[date]) -> Any:
    zones = {value.tzinfo if isinstance(value, datetime) else None for value in known}
    column = pd.Series(values, dtype="object")
    if zones == {None}:
        try:
            return pd.Series(pd.to_datetime(column))
        except pd.errors.OutOfBoundsDatetime:
            # Before pandas 3 it counts nanoseconds, and their 64 bits begin in 1677.
            return column.astype("datetime64[us]")
    if None in zones:
        raise ValueError("some of the times have a time zone")
    return _in_zone(pd.Series(pd.to_datetime(column, utc=True)), known)


def _in_zone(column: Any, known: Sequence[Any]) -> Any:
    """Keep the offset from UTC that all of the times have; several stay in UTC."""
    zones = {value.tzinfo for value in known}
    offsets = {value.utcoffset() for value in known}
    if len(zones) == 1 and hasattr(known[0].tzinfo, "key"):
        return column.dt.tz_convert(known[0].tzinfo)
    return column.dt.tz_convert(timezone(offsets.pop())) if len(offsets) == 1 else column


def _json_column(pd: Any, values: Sequence[Any]) -> Any:
    found = [
        _ISO.fullmatch(value) if isinstance(value, str) else None for value in values if value is not None
    ]
    zones = [each[1] for each in found if each]
    if not zones or len(zones) != len(found) or len({bool(zone) for zone in zones}) > 1:
        return _column(pd, values)
    try:
        dates = pd.to_datetime(pd.Series(values, dtype="object"), format="ISO8601", utc=bool(zones[0]))
    except (ValueError, TypeError, OverflowError):
        # A day that no calendar has, or a year that the dtype cannot hold.
        return _column(pd, values)
    if not zones[0] or zones[0] == "Z" or len(set(zones)) > 1:
        return pd.Series(dates)
    return pd.Series(dates).dt.tz_convert(datetime.strptime(zones[0], "%z").tzinfo)
