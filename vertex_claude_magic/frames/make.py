"""Data as a pandas data frame: a row for each element, a column for each field, with proper dtypes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeGuard

from vertex_claude_magic.errors import MissingExtra

if TYPE_CHECKING:
    from types import ModuleType

    import pandas as pd

    from vertex_claude_magic.json_types import Json

__all__ = ["FRAME_SCHEMA", "frame_of", "frame_of_json", "need_pandas", "record_of", "text_frame"]

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


def need_pandas() -> ModuleType:
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
    module: ModuleType = pd
    return module


def frame_of(data: Any) -> pd.DataFrame:
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
    if isinstance(data, Mapping) and data and all(isinstance(column, list) for column in data.values()):
        sizes = {len(column) for column in data.values()}
        if len(sizes) == 1:
            return _joined(list(data), [_column(column) for column in data.values()], sizes.pop())
    # A named tuple is a single row.
    is_list = isinstance(data, (list, tuple, set, frozenset)) and not hasattr(data, "_fields")
    return _of_records([record_of(row) for row in (data if is_list else [data])], _column)


def text_frame(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Return cells as JSON knows them as a frame; texts that are all ISO dates become dates.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
        MissingExtra: pandas is not installed.

    >>> text_frame(["day", "n"], [["2026-01-31", 1], [None, None]]).dtypes["n"]
    Int64Dtype()
    """
    need_pandas()
    rows = list(rows)
    for number, row in enumerate(rows):
        size = len(row) if isinstance(row, (list, tuple)) else "no"
        if size != len(columns):
            raise ValueError(f"rows[{number}] has {size} cells for {len(columns)} columns")
    cells = [_json_column([row[at] for row in rows]) for at in range(len(columns))]
    return _joined([str(name) for name in columns], cells, len(rows))


def frame_of_json(value: Json) -> pd.DataFrame:
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
    need_pandas()
    if isinstance(value, Mapping) and len(value) == 1 and _holds_objects(value.get("items")):
        value = value["items"]
    if _holds_objects(value):
        return _of_records(value, _json_column)
    if not isinstance(value, Mapping) or not value:
        raise ValueError(_NO_TABLE)
    names, rows = value.get("columns"), value.get("rows", value.get("data"))
    if isinstance(names, list) and isinstance(rows, list):
        return frame_of_json(rows) if rows and _holds_objects(rows) else text_frame(names, rows)
    columns = [column for column in value.values() if isinstance(column, list)]
    if len(columns) < len(value):
        raise ValueError(_NO_TABLE)
    sizes = set(map(len, columns))
    if len(sizes) > 1:
        raise ValueError(f"the columns have different lengths: {', '.join(map(str, sorted(sizes)))}")
    return _joined(list(value), list(map(_json_column, columns)), sizes.pop())


def _holds_objects(value: Json) -> TypeGuard[list[Mapping[str, Json]]]:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _of_records(
    records: Sequence[Mapping[str, Any]], column: Callable[[Sequence[Any]], pd.Series[Any]]
) -> pd.DataFrame:
    names = list(dict.fromkeys(name for record in records for name in record))
    return _joined(names, [column([record.get(name) for record in records]) for name in names], len(records))


def _joined(names: Sequence[Any], columns: Sequence[pd.Series[Any]], rows: int) -> pd.DataFrame:
    import pandas as pd

    # By position, because two columns may have one name.
    frame = pd.DataFrame(dict(enumerate(columns)), index=range(rows))
    frame.columns = list(names)
    return frame


def record_of(row: Any) -> dict[str, Any]:
    """Return an object as columns and values: its fields, or the column `value`.

    >>> record_of({"a": 1}), record_of(2)
    ({'a': 1}, {'value': 2})
    """
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


def _column(values: Sequence[Any]) -> pd.Series[Any]:
    """Choose the dtype by the values of a column; None is a missing value."""
    import pandas as pd

    known = [value for value in values if value is not None]
    kinds = {type(value) for value in known}
    try:
        if kinds in ({bool}, {int}):
            exact, nullable = ("bool", "boolean") if bool in kinds else ("int64", "Int64")
            return pd.Series(values, dtype=exact if len(known) == len(values) else nullable)
        if kinds and kinds <= {int, float}:
            floats = [None if value is None else float(value) for value in values]
            # A whole number of more digits than a float has stays as it is.
            if floats == list(values):
                return pd.Series(floats, dtype="float64")
        if known and all(isinstance(value, date) for value in known):
            return _dates(values, known)
        if known and all(isinstance(value, Enum) for value in known):
            return pd.Series([None if value is None else value.value for value in values], dtype="category")
        if kinds == {str}:
            return pd.Series(values)
    except (ValueError, TypeError, OverflowError):
        # Numbers and years that no dtype can hold, values without a hash, texts with half a character.
        pass
    return pd.Series(values, dtype="object")


def _dates(values: Sequence[Any], known: Sequence[date]) -> pd.Series[Any]:
    import pandas as pd

    column = pd.Series(values, dtype="object")
    zones = {value.tzinfo if isinstance(value, datetime) else None for value in known}
    if zones == {None}:
        try:
            return pd.Series(pd.to_datetime(column))
        except pd.errors.OutOfBoundsDatetime:
            # Before pandas 3 it counts nanoseconds, and their 64 bits begin in 1677.
            return column.astype("datetime64[us]")
    if None in zones:
        raise ValueError("some of the times have a time zone")
    times = pd.Series(pd.to_datetime(column, utc=True))
    offsets: set[Any] = {value.utcoffset() for value in known if isinstance(value, datetime)}
    zone = zones.pop()
    if not zones and hasattr(zone, "key"):
        return times.dt.tz_convert(zone)
    # The offset from UTC that all of the times have; several stay in UTC.
    return times.dt.tz_convert(timezone(offsets.pop())) if len(offsets) == 1 else times


def _json_column(values: Sequence[Any]) -> pd.Series[Any]:
    import pandas as pd

    known = [value for value in values if value is not None]
    found = [_ISO.fullmatch(value) if isinstance(value, str) else None for value in known]
    zones = [each[1] for each in found if each]
    if not zones or len(zones) != len(found) or len({bool(zone) for zone in zones}) > 1:
        return _column(values)
    try:
        dates = pd.to_datetime(pd.Series(values, dtype="object"), format="ISO8601", utc=bool(zones[0]))
    except (ValueError, TypeError, OverflowError):
        # A day that no calendar has, or a year that the dtype cannot hold.
        return _column(values)
    if not zones[0] or zones[0] == "Z" or len(set(zones)) > 1:
        return pd.Series(dates)
    return pd.Series(dates).dt.tz_convert(datetime.strptime(zones[0], "%z").tzinfo)
