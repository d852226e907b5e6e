"""Data as a data frame: a row for each element, a column for each field, and the dtypes that they ought to have."""

# Times without a zone are data too.
# ruff: noqa: DTZ001

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter

from vertex_claude_magic.frames.make import frame_of, frame_of_json, text_frame


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    S = 1


class Odd(Enum):
    A = ("a", [1])


class City(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str
    size: int | None = None


@dataclass
class Point:
    x: int
    y: float = 0.5


class Pair(NamedTuple):
    left: int
    right: str


CEST = dt.timezone(dt.timedelta(hours=2))
BERLIN = ZoneInfo("Europe/Berlin")
moment = TypeAdapter(dt.datetime).validate_python


@pytest.mark.parametrize(
    ("data", "records"),
    [
        ([City(name="Oslo", size=1), City(name="Rome")], [{"name": "Oslo", "size": 1}, {"name": "Rome", "size": None}]),
        ([City(name="Oslo", river="Aker")], [{"name": "Oslo", "size": None, "river": "Aker"}]),
        (City(name="Oslo", size=1), [{"name": "Oslo", "size": 1}]),
        ([Point(1), Point(2, 1.5)], [{"x": 1, "y": 0.5}, {"x": 2, "y": 1.5}]),
        (Point(1), [{"x": 1, "y": 0.5}]),
        ([Pair(1, "a")], [{"left": 1, "right": "a"}]),
        (Pair(1, "a"), [{"left": 1, "right": "a"}]),
        ([{"b": 1, "a": 2}, {"a": 3, "c": 4}], [{"b": 1, "a": 2, "c": None}, {"b": None, "a": 3, "c": 4}]),
        ({"a": 1, "b": "x"}, [{"a": 1, "b": "x"}]),
        ({"name": "Oslo", "tags": ["a", "b"]}, [{"name": "Oslo", "tags": ["a", "b"]}]),
        ({"a": [1, 2], "b": ["x", "y"]}, [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]),
        ({"a": [1, 2], "b": ["x"]}, [{"a": [1, 2], "b": ["x"]}]),
        ([1, 2], [{"value": 1}, {"value": 2}]),
        (("a", "b"), [{"value": "a"}, {"value": "b"}]),
        ("text", [{"value": "text"}]),
        (7, [{"value": 7}]),
        ([{1: "a", "1": "b"}], [{"1": "b"}]),
        ([City(name="Oslo"), {"name": "Rome"}, None], [
            {"name": "Oslo", "size": None, "value": None},
            {"name": "Rome", "size": None, "value": None},
            {"name": None, "size": None, "value": None},
        ]),
    ],
)  # fmt: skip
def test_rows_and_columns(data, records):
    """Columns stand in the order in which they are first seen."""
    frame = frame_of(data)
    assert list(frame.columns) == list(records[0])
    plain = frame.astype(object).where(frame.map(lambda cell: isinstance(cell, list) or pd.notna(cell)), None)
    assert plain.to_dict("records") == records


def test_a_frame_is_returned_itself():
    frame = pd.DataFrame({"a": [1]})
    assert frame_of(frame) is frame


@pytest.mark.parametrize("data", [[], (), set()])
def test_no_elements_make_an_empty_frame(data):
    assert frame_of(data).shape == (0, 0)


DTYPES = [
    ([True, False], "bool"),
    ([True, None], "boolean"),
    ([1, 2], "int64"),
    ([1, None], "Int64"),
    ([1, 2.5], "float64"),
    ([0.5, None], "float64"),
    ([2**63, 1], "object"),
    ([2**70, None], "object"),
    ([10**400, 0.5], "object"),
    ([2**53 + 1, 0.5], "object"),
    ([2**53, 0.5, None], "float64"),
    ([True, 1], "object"),
    ([None, None], "object"),
    (["a", "b"], str(pd.Series(["a"]).dtype)),
    (["2026-01-31", None], str(pd.Series(["a"]).dtype)),
    (["a", 1], "object"),
    ([Colour.RED, Colour.BLUE, None], "category"),
    ([Size.S, Size.S], "category"),
    ([Odd.A, Odd.A], "object"),
    ([Colour.RED, "red"], "object"),
    ([Decimal("1.10"), None], "object"),
    ([[1], None], "object"),
    ([{"a": 1}, {"b": 2}], "object"),
    ([City(name="a"), None], "object"),
    ([dt.date(2026, 1, 31), None], "datetime64[]"),
    ([dt.datetime(2026, 1, 31, 10), dt.date(2026, 2, 1)], "datetime64[]"),
    ([dt.datetime(2026, 1, 31, tzinfo=dt.timezone.utc), None], "datetime64[, UTC]"),
    ([dt.datetime(2026, 1, 31, tzinfo=CEST)] * 2, "datetime64[, UTC+02:00]"),
    ([dt.datetime(2026, 1, 31, tzinfo=BERLIN), dt.datetime(2026, 7, 31, tzinfo=BERLIN)], "datetime64[, Europe/Berlin]"),
    ([dt.datetime(2026, 1, 31, tzinfo=CEST), dt.datetime(2026, 1, 31, tzinfo=dt.timezone.utc)], "datetime64[, UTC]"),
    ([dt.datetime(2026, 1, 31, tzinfo=CEST), dt.datetime(2026, 1, 31)], "object"),
    ([moment("2026-01-31T10:00:00Z"), None], "datetime64[, UTC]"),
    ([moment("2026-01-31T10:00:00+02:00")] * 2, "datetime64[, UTC+02:00]"),
    ([dt.timedelta(seconds=1)], "object"),
]  # fmt: skip


def dtype_of(column):
    """The dtype without the unit of time, which is not the same in every pandas."""
    name = str(column.dtype)
    for unit in ("ns", "us", "ms", "s"):
        name = name.replace(f"datetime64[{unit}", "datetime64[")
    return name


@pytest.mark.parametrize(("values", "dtype"), DTYPES, ids=range(len(DTYPES)))
def test_a_column_has_the_dtype_of_what_it_holds(values, dtype):
    for data in ([{"x": value} for value in values], {"x": values}):
        column = frame_of(data)["x"]
        assert dtype_of(column) == dtype
        assert column.isna().tolist() == [value is None for value in values]


def test_an_enum_is_a_category_of_its_values():
    assert frame_of([{"c": Colour.RED}, {"c": Colour.BLUE}])["c"].tolist() == ["red", "blue"]


def test_a_time_keeps_its_moment_and_its_offset():
    [found] = frame_of([{"t": moment("2026-01-31T10:00:00+02:00")}])["t"]
    assert found == dt.datetime(2026, 1, 31, 8, tzinfo=dt.timezone.utc)
    assert found.utcoffset() == dt.timedelta(hours=2)


TEXT = str(pd.Series(["a"]).dtype)
CELLS = [
    ([1, 2], "int64"),
    ([1, None], "Int64"),
    ([1, 0.5], "float64"),
    ([True, False], "bool"),
    ([True, None], "boolean"),
    (["a", None], TEXT),
    ([None, None], "object"),
    (["a", 1], "object"),
    ([[1], {"a": 2}], "object"),
    (["2026-01-31", "2026-02-01"], "datetime64[]"),
    (["2026-01-31", None], "datetime64[]"),
    (["2026-01-31", "2026-01-31T10:00", "2026-01-31 10:00:00.5"], "datetime64[]"),
    (["2026-01-31T10:00:00Z", None], "datetime64[, UTC]"),
    (["2026-01-31T10:00:00+02:00", "2026-07-31T10:00:00+02:00"], "datetime64[, UTC+02:00]"),
    (["2026-01-31T10:00:00+02:00", "2026-01-31T10:00:00Z"], "datetime64[, UTC]"),
    (["2026-01-31T10:00:00Z", "2026-01-31T10:00:00"], TEXT),
    (["2026-01-31", "soon"], TEXT),
    (["2026-02-30", "2026-01-31"], TEXT),
    (["2026", "2027"], TEXT),
    (["31.01.2026"], TEXT),
    (["\u0662\u0660\u0662\u0666-01-31"], TEXT),
    (["2026-01-31T25:00"], TEXT),
    (["2026-01-31", 5], "object"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "dtype"), CELLS, ids=range(len(CELLS)))
def test_cells_of_json_have_the_dtype_that_they_look_like(values, dtype):
    frame = text_frame(["x"], [[value] for value in values])
    assert dtype_of(frame["x"]) == dtype
    assert frame["x"].isna().tolist() == [value is None for value in values]
    pd.testing.assert_frame_equal(frame_of_json({"x": values}), frame)
    pd.testing.assert_frame_equal(frame_of_json([{"x": value} for value in values]), frame)


def test_years_that_no_dtype_holds_are_kept():
    frame = text_frame(["x"], [["9999-12-31"], ["0001-01-01"]])
    assert len(frame) == 2
    assert not frame["x"].isna().any()
    assert not frame_of([dt.date(9999, 12, 31), dt.date(1, 1, 1)])["value"].isna().any()


@pytest.mark.parametrize(
    ("columns", "rows", "problem"),
    [
        (["a", "b"], [[1, 2], [3]], r"^rows\[1\] has 1 cells for 2 columns$"),
        (["a"], [[1, 2]], r"^rows\[0\] has 2 cells for 1 columns$"),
        (["a"], [[1], "b"], r"^rows\[1\] has no cells for 1 columns$"),
        ([], [[1]], r"^rows\[0\] has 1 cells for 0 columns$"),
    ],
)
def test_a_ragged_table_is_an_error_of_one_line(columns, rows, problem):
    with pytest.raises(ValueError, match=problem):
        text_frame(columns, rows)


def test_two_columns_may_have_one_name():
    frame = text_frame(["a", "a"], [[1, "x"], [2, "y"]])
    assert list(frame.columns) == ["a", "a"]
    assert frame.iloc[:, 0].tolist() == [1, 2]
    assert frame.iloc[:, 1].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("columns", "rows", "shape"), [([], [], (0, 0)), (["a", "b"], [], (0, 2)), ([], [[], []], (2, 0))]
)
def test_a_table_without_cells_keeps_its_size(columns, rows, shape):
    assert text_frame(columns, rows).shape == shape


@pytest.mark.parametrize(
    "value", [None, 1, "a", {}, [1], [[1]], {"a": 1}, {"a": [1], "b": 2}, {"a": [1], "b": []}]
)
def test_json_that_is_no_table_is_an_error(value):
    with pytest.raises(ValueError, match=r"table|lengths"):
        frame_of_json(value)


def test_items_may_be_a_column():
    assert frame_of_json({"items": [1, 2]}).to_dict("list") == {"items": [1, 2]}
    assert frame_of_json({"items": [{"a": 1}]}).to_dict("list") == {"a": [1]}


def test_half_a_character_does_no_harm():
    """Some storages of texts cannot hold it."""
    values: list[Any] = ["\ud800", "a"]
    assert frame_of(values)["value"].tolist() == values
