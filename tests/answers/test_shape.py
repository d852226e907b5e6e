"""An answer as data: whatever its kind and whichever way it came, the same object; and if it does not fit, where."""

# Both ways to write a choice are given, because users do; times without a zone are data too.
# ruff: noqa: DTZ001, UP045

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import sys
import typing
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple, Optional

import jsonschema
import pandas as pd
import pydantic
import pytest
import typing_extensions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from vertex_claude_magic.answers.shape import AnswerMismatch, shape_of
from vertex_claude_magic.answers.types import read_type
from vertex_claude_magic.errors import MissingExtra


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    S = 1
    L = 3


class Place(BaseModel):
    """Where it is."""

    lat: float
    lon: float


class City(BaseModel):
    name: str
    population: int
    founded: dt.date | None = None
    place: Place | None = None
    tags: list[str] = []


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    day: dt.date
    colour: Colour
    pair: tuple[int, str]


class Aliased(BaseModel):
    size: int = Field(alias="the size")


class Value(BaseModel):
    value: int


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Film(typing.TypedDict):
    """A film."""

    title: str
    year: typing_extensions.NotRequired[int]


class Loose(typing.TypedDict, total=False):
    film: Film


class Pair(NamedTuple):
    left: int
    right: str


class Node(BaseModel):
    name: str
    children: list[Node] = []


class Picky(BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def _check(cls, number: int) -> int:
        raise CHECKS[number]


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


CHECKS = {
    1: ValueError("must be prime"),
    2: AssertionError("never two"),
    3: KeyError("three"),
    4: RuntimeError("x" * 10_000),
    5: Mute(),
    6: RecursionError(),
    7: ZeroDivisionError("line one\nline two \x1b[31m"),
}

CITY = {
    "name": "Oslo",
    "population": 717_710,
    "founded": "1048-01-01",
    "place": {"lat": 59.9, "lon": 10.7},
    "tags": ["a"],
}
OSLO = City(
    name="Oslo", population=717_710, founded=dt.date(1048, 1, 1), place=Place(lat=59.9, lon=10.7), tags=["a"]
)
CITY_SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"name": {"type": "string"}, "size": {"type": ["integer", "null"], "minimum": 0}},
    "required": ["name"],
}

# The kind, an answer in JSON, and the object that it is.
KINDS: list[tuple[Any, Any, Any]] = [
    (City, CITY, OSLO),
    (list[City], [CITY, CITY], [OSLO, OSLO]),
    (list[City], [], []),
    (Strict, {"day": "2026-01-31", "colour": "red", "pair": [1, "a"]},
     Strict(day=dt.date(2026, 1, 31), colour=Colour.RED, pair=(1, "a"))),
    (Aliased, {"the size": 3}, Aliased(**{"the size": 3})),
    (Value, {"value": 3}, Value(value=3)),
    (Optional[Value], {"value": 3}, Value(value=3)),
    (Value | None, None, None),
    (Point, {"x": 1}, Point(1, 0)),
    (list[Point], [{"x": 1, "y": 2}], [Point(1, 2)]),
    (Film, {"title": "M", "year": 1931}, {"title": "M", "year": 1931}),
    (Film, {"title": "M"}, {"title": "M"}),
    (list[Film], [{"title": "M"}], [{"title": "M"}]),
    (Loose, {"film": {"title": "M"}}, {"film": {"title": "M"}}),
    (dict[str, Film | None], {"a": {"title": "M"}, "b": None}, {"a": {"title": "M"}, "b": None}),
    (Pair, [1, "a"], Pair(1, "a")),
    (Node, {"name": "a", "children": [{"name": "b"}]}, Node(name="a", children=[Node(name="b")])),
    (dict[str, int], {"a": 1, "b": 2}, {"a": 1, "b": 2}),
    (dict[str, int], {"items": 1}, {"items": 1}),
    (dict[str, list[int]], {"items": [1]}, {"items": [1]}),
    (dict[Colour, int], {"red": 1}, {Colour.RED: 1}),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2], (1, 2)),
    (set[int], [1, 1, 2], {1, 2}),
    (Literal["yes", "no"], "yes", "yes"),
    (list[Literal[1, "a"]], [1, "a"], [1, "a"]),
    (Colour, "blue", Colour.BLUE),
    (list[Size], [1, 3], [Size.S, Size.L]),
    (int | str, "5", "5"),
    (City | Value, {"value": 1}, Value(value=1)),
    (int, 42, 42),
    (int, 3.0, 3),
    (float, 2, 2.0),
    (bool, False, False),
    (str, 'a "b" {c} [d] ```', 'a "b" {c} [d] ```'),
    (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
    (list[dt.datetime], ["2026-01-31T10:00:00"], [dt.datetime(2026, 1, 31, 10)]),
    (dt.timedelta, "PT5S", dt.timedelta(seconds=5)),
    (Decimal, "0.10", Decimal("0.10")),
    (uuid.UUID, str(uuid.UUID(int=7)), uuid.UUID(int=7)),
    (Annotated[int, Field(ge=1)], 1, 1),
    (list[Any], [1, None, {"a": []}], [1, None, {"a": []}]),
    (CITY_SCHEMA, {"name": "Oslo", "size": None}, {"name": "Oslo", "size": None}),
    ({"type": "array", "items": {"enum": ["a", 1]}}, ["a", 1], ["a", 1]),
    ({"type": "integer", "minimum": 3}, 3, 3),
    ({"$defs": {"P": {"type": "object", "properties": {"x": {"type": "integer"}}}}, "$ref": "#/$defs/P"}, {"x": 1}, {"x": 1}),
    ({"type": "array", "items": {"$ref": "#/definitions/P"}, "definitions": {"P": {"type": "string"}}}, ["a"], ["a"]),
]  # fmt: skip
IDS = [f"{number}-{str(kind)[:40]}" for number, (kind, _, _) in enumerate(KINDS)]


def ways(answer, key):
    """Every way in which one answer may come, as what reads it and what is read."""
    forms = [answer] if not key else [answer, {key: answer}]
    for form in forms:
        text = json.dumps(form)
        yield "take", form
        yield "read", text
        yield "read", f"\n  {json.dumps(form, indent=2, ensure_ascii=False)}\n"
        yield "read", f"```json\n{text}\n```"
        yield "read", f"~~~\n{text}\n~~~"
        yield "read", f"Here you are:\n\n```json\n{text}\n```\n\nIs that what {{you}} meant?"
        yield "read", f"Here you are:\n\n```\n{text}"
        if text[0] in "[{":
            yield "read", f"Sure [see {{note}}], it's {text} as you said."


@pytest.mark.parametrize(("kind", "answer", "wanted"), KINDS, ids=IDS)
def test_every_way_leads_to_the_same_object(kind, answer, wanted):
    shape = shape_of(kind)
    for how, given_ in ways(answer, shape.key):
        found = getattr(shape, how)(given_)
        assert found == wanted, given_
        assert type(found) is type(wanted), given_


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS], ids=IDS)
def test_the_schema_is_an_object_at_its_root_and_valid(kind):
    """What a tool's input_schema must be."""
    shape = shape_of(kind)
    assert shape.schema["type"] == "object"
    jsonschema.Draft202012Validator.check_schema(shape.schema)
    assert "$schema" not in json.dumps(shape.schema)
    assert json.dumps(shape.schema, ensure_ascii=False) in shape.instruction()


@pytest.mark.parametrize(("kind", "answer", "_"), KINDS, ids=IDS)
def test_an_answer_fits_the_schema_that_asks_for_it(kind, answer, _):
    shape = shape_of(kind)
    if answer != 3.0 or not isinstance(answer, float):
        jsonschema.validate({shape.key: answer} if shape.key else answer, shape.schema)


@pytest.mark.parametrize("kind", [kind for kind, _, _ in KINDS], ids=IDS)
def test_a_strict_schema_closes_every_object(kind):
    shape = shape_of(kind)
    if shape.strict:
        assert {each["additionalProperties"] for each in objects(shape.schema)} == {False}


def objects(schema):
    if isinstance(schema, dict):
        own = [schema] if schema.get("type") == "object" else []
        return own + [each for part in schema.values() for each in objects(part)]
    return [each for part in schema for each in objects(part)] if isinstance(schema, list) else []


@pytest.mark.parametrize(
    ("kind", "strict"),
    [
        (City, True),
        (list[City], True),
        (Literal["a"], True),
        (CITY_SCHEMA, True),
        ("df", True),
        (dict[str, int], False),
        (Node, False),
        (list[Any], False),
        (tuple[int, str], False),
        ({"type": "object"}, False),
        ({"type": "array", "items": True}, False),
        ({"not": {"type": "null"}}, False),
    ],
)
def test_what_structured_outputs_cannot_carry_is_marked_and_sent_as_it_is(kind, strict):
    """Names that are not listed, recursion, and parts without a type."""
    shape = shape_of(kind)
    assert shape.strict is strict


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (City, "City"),
        (list[City], "list[City]"),
        (Optional[City], "City | None"),
        (City | None, "City | None"),
        (dict[str, list[dt.date]], "dict[str, list[date]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Annotated[int, Field(ge=1)], "int"),
        ("df", "data frame"),
        (pd.DataFrame, "data frame"),
        ({"title": "Town", "type": "object"}, "Town"),
        ({"type": "object"}, "JSON of the schema"),
    ],
)
def test_a_shape_has_a_name_for_people(kind, name):
    assert shape_of(kind).name == name


TABLES = [
    {"columns": ["day", "n", "s"], "rows": [["2026-01-31", 1, "a"], ["2026-02-28", None, None]]},
    {"columns": ["day", "n", "s"], "data": [["2026-01-31", 1, "a"], ["2026-02-28", None, None]]},
    {"columns": ["day", "n", "s"], "rows": [{"day": "2026-01-31", "n": 1, "s": "a"}, {"day": "2026-02-28"}]},
    {"items": [{"day": "2026-01-31", "n": 1, "s": "a"}, {"day": "2026-02-28", "n": None}]},
    [{"day": "2026-01-31", "n": 1, "s": "a"}, {"day": "2026-02-28"}],
    {"day": ["2026-01-31", "2026-02-28"], "n": [1, None], "s": ["a", None]},
]


@pytest.mark.parametrize("table", TABLES)
def test_a_data_frame_is_read_from_every_form_of_a_table(table):
    shape = shape_of("df")
    wanted = shape.take(TABLES[0])
    assert [dtype.kind for dtype in wanted.dtypes[:2]] == ["M", "i"]
    assert list(wanted.columns) == ["day", "n", "s"]
    for how, given_ in ways(table, ""):
        pd.testing.assert_frame_equal(getattr(shape, how)(given_), wanted)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"columns": ["a", "b"], "rows": [[1, 2], [1]]}, "rows[1] has 1 cells for 2 columns"),
        ({"columns": ["a"], "rows": [1]}, "rows[0] has no cells for 1 columns"),
        ({"a": [1], "b": [1, 2]}, "the columns have different lengths: 1, 2"),
        ({"a": 1}, "a table is an object with columns and rows"),
        ([1, 2], "a table is an object with columns and rows"),
        ({}, "a table is an object with columns and rows"),
        ("text", "a table is an object with columns and rows"),
        (None, "a table is an object with columns and rows"),
    ],
)
def test_what_is_no_table_is_a_misfit(table, problem):
    with pytest.raises(AnswerMismatch) as caught:
        shape_of("df").read(json.dumps(table))
    assert caught.value.problem == problem


BROKEN = [
    (City, {"name": "Oslo"}, "population: Field required"),
    (City, {"name": 1, "population": 1}, "name: Input should be a valid string, not 1"),
    (City, [], "Input should be an object"),
    (list[City], [CITY, {**CITY, "population": "many"}], "items[1].population: Input should be a valid integer, unable to parse string as an integer, not \"many\""),
    (list[City], CITY, "items: Input should be a valid array"),
    (list[City], [{**CITY, "place": {"lat": 1}}], "items[0].place.lon: Field required"),
    (City, {**CITY, "founded": "soon"}, "founded: "),
    (Point, {"x": "a"}, "x: Input should be a valid integer"),
    (Film, {"title": None}, "title: Input should be a valid string, not null"),
    (dict[str, int], {"a": "b"}, "a: Input should be a valid integer"),
    (tuple[int, str], [1], "items[1]: Field required"),
    (Literal["yes", "no"], "maybe", "value: Input should be 'yes' or 'no', not \"maybe\""),
    (Colour, "green", "value: Input should be 'red' or 'blue', not \"green\""),
    (int, "x" * 9_999, "value: Input should be a valid integer"),
    (dt.date, "2026-02-30", "value: "),
    (CITY_SCHEMA, {"size": -1}, "size: does not meet minimum 0, not -1; name missing"),
    (CITY_SCHEMA, {"name": "a", "size": "big"}, 'size: should be of type ["integer", "null"], not "big"'),
    ({"type": "array", "items": {"enum": ["a"]}}, ["b"], 'items[0]: should be one of ["a"], not "b"'),
]  # fmt: skip


CENTS = {"type": "object", "properties": {"price": {"type": "number", "multipleOf": 0.01}}}
MULTIPLES = {
    0.07: True,
    19.99: True,
    4.02: True,
    1e22: True,
    10**400: True,
    5: True,
    0.075: False,
    19.991: False,
    1e-9: False,
}


@pytest.mark.parametrize(("number", "fits"), MULTIPLES.items())
@pytest.mark.parametrize("draft", ["2020-12/schema", "draft-07/schema#"])
def test_a_multiple_is_one_of_the_digits_that_were_written(number, fits, draft):
    """And not of the floats behind them: 0.07 / 0.01 is 7.000000000000001."""
    where = "https://json-schema.org/draft/" if draft.startswith("2020") else "http://json-schema.org/"
    shape = shape_of({"$schema": where + draft, **CENTS})
    answer = json.dumps({"price": number})
    if fits:
        assert shape.read(answer) == {"price": number}
    else:
        with pytest.raises(AnswerMismatch, match=r"price: does not meet multipleOf 0\.01"):
            shape.read(answer)


@pytest.mark.parametrize(("kind", "answer", "problem"), BROKEN)
def test_what_does_not_fit_names_the_place_the_same_by_every_way(kind, answer, problem):
    shape = shape_of(kind)
    found = set()
    for how, given_ in ways(answer, shape.key):
        with pytest.raises(AnswerMismatch) as caught:
            getattr(shape, how)(given_)
        found.add((caught.value.problem, caught.value.advice))
    [(said, advice)] = found
    assert said.startswith(problem)
    assert len(said) <= 300
    assert "\n" not in said
    assert str(caught.value) == said
    assert advice.startswith("That answer does not fit")
    assert len(advice) < 8_000


class Basket(BaseModel):
    fruits: Iterable[str]
    counts: Iterable[int] | None = None


@dataclasses.dataclass(frozen=True)
class Route:
    stops: Iterable[Point]


LAZY = [
    (Iterable[int], [1, 2], [1, 2]),
    (Iterator[str], ["a"], ["a"]),
    (typing.Iterable[Point], [{"x": 1}], [Point(1, 0)]),
    (typing.Collection[int], [3], [3]),
    (dict[str, Iterable[int]], {"a": [1]}, {"a": [1]}),
    (list[Iterable[int]], [[1], []], [[1], []]),
    (Iterable[int] | None, None, None),
    (Basket, {"fruits": ["fig"], "counts": [1]}, Basket.model_construct(fruits=["fig"], counts=[1])),
    (list[Route], [{"stops": [{"x": 1, "y": 2}]}], [Route([Point(1, 2)])]),
]


@pytest.mark.parametrize(("kind", "answer", "wanted"), LAZY, ids=[str(row[0])[:40] for row in LAZY])
def test_what_pydantic_would_check_only_when_iterated_is_a_list(kind, answer, wanted):
    """Also the second time that it is read."""
    data = shape_of(kind).take(answer)
    assert data == wanted
    assert data == wanted


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (Iterable[int], ["a"]),
        (Iterator[int], [None]),
        (dict[str, Iterable[int]], {"a": ["b"]}),
        (Basket, {"fruits": [1]}),
        (Basket, {"fruits": [], "counts": ["x"]}),
        (Route, {"stops": [{"x": "far"}]}),
    ],
)
def test_its_elements_are_checked(kind, answer):
    """An answer that does not fit is one at once, not in a later cell."""
    with pytest.raises(AnswerMismatch, match="should be"):
        shape_of(kind).take(answer)


@pytest.mark.parametrize(
    "text", ["Iterable[int]", "Iterator[int]", "Collection[int]", "typing.Iterable[int]"]
)
def test_the_line_may_name_it(text):
    """Without an import, as the other words of typing."""
    assert shape_of(read_type(text, {})).take([1]) == [1]


def test_three_problems_are_told_and_the_others_counted():
    with pytest.raises(AnswerMismatch) as caught:
        shape_of(list[int]).take(["a", "b" * 500, "c", "d", "e", "f", "g"])
    assert caught.value.problem.count("items[") == 3
    assert caught.value.problem.endswith("; and 4 more")
    assert caught.value.advice.count("items[") == 7


def test_the_model_is_told_twenty_problems_without_links():
    with pytest.raises(AnswerMismatch) as caught:
        shape_of(list[City]).take([{}] * 100)
    assert caught.value.advice.count("Field required") == 20
    assert "and 180 more" in caught.value.advice
    assert "http" not in caught.value.advice


def test_a_long_value_is_quoted_in_sixty_characters():
    with pytest.raises(AnswerMismatch) as caught:
        shape_of(int).take("y" * 1_000_000)
    assert 0 < caught.value.problem.count("y" * 50) <= 1
    assert "y" * 61 not in caught.value.problem + caught.value.advice


@pytest.mark.parametrize("number", CHECKS)
def test_a_users_own_check_may_raise_anything(number):
    with pytest.raises(AnswerMismatch) as caught:
        shape_of(list[Picky]).read(json.dumps([{"number": number}]))
    assert len(caught.value.problem) <= 300
    assert "\n" not in caught.value.problem
    assert "\x1b" not in caught.value.problem + caught.value.advice


def test_a_users_check_is_quoted_with_its_place():
    with pytest.raises(AnswerMismatch, match=r"^items\[0\]\.number: must be prime, not 1$"):
        shape_of(list[Picky]).take([{"number": 1}])
    with pytest.raises(AnswerMismatch, match=r"^a validator failed: 'three' \(KeyError\)$"):
        shape_of(Picky).take({"number": 3})


def test_an_interrupt_in_a_check_is_no_misfit():
    def stop(value: int) -> int:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shape_of(Annotated[int, pydantic.AfterValidator(stop)]).take(1)


HOSTILE = [
    ("", "there is no answer"),
    ("   \n", "there is no answer"),
    ("I cannot say.", "it is not JSON: I cannot say."),
    ("\x1b[31mred\u202e", "it is not JSON: [31mred"),
    ("[1, 2", "the JSON ends too early: [1, 2"),
    ('{"items": ["a', 'the JSON ends too early: {"items": ["a'),
    ('[{"a": 1}, {"a": NaN}]', "NaN is not a JSON value"),
    ("[1, -Infinity]", "-Infinity is not a JSON value"),
    ("[1e999]", "it contains a value that JSON cannot represent, such as NaN or infinity"),
    ("[" * 100_000, "it is nested too deeply"),
    ("[" * 100_000 + "]" * 100_000, "it is nested too deeply"),
    ('{"a":' * 100_000, "it is nested too deeply"),
    ("`" * 50_000, "it is not JSON"),
    ("~" * 50_000 + "\n" + "a\n" * 50_000, "it is not JSON"),
    ("```\n" * 50_000, "it is not JSON"),
    ("[x] " * 50_000, "it is not JSON"),
    ("{}" * 50_000, ""),
]


@pytest.mark.parametrize(("text", "problem"), HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", [list[float], {"type": "array", "items": {"type": "number"}}, "df"])
def test_hostile_text_is_a_misfit(kind, text, problem):
    with pytest.raises(AnswerMismatch) as caught:
        shape_of(kind).read(text)
    # What is JSON of itself is judged by the kind.
    if not text.startswith(("[1e", "{}")):
        assert caught.value.problem.startswith(problem)
    assert len(caught.value.problem) <= 300


@pytest.mark.parametrize("kind", [list[Any], {"type": "array"}])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"bytes"])
def test_what_json_cannot_hold_is_a_misfit_also_when_decoded(kind, value):
    with pytest.raises(AnswerMismatch):
        shape_of(kind).take([value])


def test_a_value_that_is_nested_without_end_is_a_misfit():
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    for kind in (list[Any], {"type": "array"}, "df"):
        with pytest.raises(AnswerMismatch, match="nested too deeply"):
            shape_of(kind).take(value)


def test_a_recursive_model_stops_somewhere():
    value: dict[str, Any] = {"name": "leaf"}
    for _ in range(400):
        value = {"name": "a", "children": [value]}
    with pytest.raises(AnswerMismatch):
        shape_of(Node).take(value)


@pytest.mark.slow
def test_ten_megabytes_are_read_or_refused():
    shape = shape_of(str)
    assert len(shape.read(json.dumps("x" * 10_000_000))) == 10_000_000
    for text in (
        "[" + "1," * 5_000_000,
        "[x] " * 2_500_000,
        "```\n" * 2_500_000,
        "`" * 10_000_000,
        "{}" * 5_000_000,
    ):
        with pytest.raises(AnswerMismatch) as caught:
            shape.read(text)
        assert len(caught.value.problem) <= 300


def test_of_a_key_that_comes_twice_the_last_counts():
    text = '{"value": 1, "value": 2}'
    assert shape_of(Value).read(text) == Value(value=2)
    assert shape_of(CITY_SCHEMA).read('{"name": "a", "name": "b"}') == {"name": "b"}


@pytest.mark.parametrize("kind", [list[str], {"type": "array"}])
def test_half_a_character_becomes_a_replacement_character(kind):
    """No file, no socket and no front end could take it."""
    assert shape_of(kind).read('["a\\ud83d", "\\ud83d\\ude00"]') == ["a\ufffd", "\U0001f600"]
    assert shape_of("df").read('[{"a\\udc00": "\\ud83d"}]').to_dict() == {"a\ufffd": {0: "\ufffd"}}


@pytest.mark.parametrize(
    "text",
    [
        '{"items": [{"value": 1}, {"value": 2}, {"val',
        '[{"value": 1}, {"value": 2,, }, {"value": 3}]',
        '{"a": {"value": 1}',
        '{"a": "text {"value": 1} more"}',
    ],
)
def test_a_part_of_broken_json_is_never_taken_for_the_answer(text):
    with pytest.raises(AnswerMismatch):
        shape_of(Value).read(text)


@pytest.mark.parametrize(
    "text",
    [
        'As [1] says: {"value": 7}',
        'Of {x} and {"value": "none"} the second: {"value": 7}',
        '```python\nprint([1])\n```\n\n```json\n{"value": 7}\n```',
        '{"value": 7}\n\nOr do you mean [8]?',
        '```json\n{"value": 7}```',
        '\ufeff{"value": 7}',
    ],
)
def test_the_json_that_fits_is_taken_out_of_the_prose(text):
    assert shape_of(Value).read(text) == Value(value=7)


@pytest.mark.parametrize(
    "text",
    [
        'As in your example {"value": 0}, it is:\n{"value": 7}',
        'As in your example {"value": 0}, it is {"value": 7}.',
        '{"value": 0}\nNo, I forgot one:\n{"value": 7}\n',
        '{"value": 0}\r\nNo:\r\n{"value": 7}\r\n',
        'Draft:\n```json\n{"value": 0}\n```\nCorrected:\n```json\n{"value": 7}\n```\nDone.',
        '```json\n{"value": 0}\n```\nCorrected:\n```json\n{"value": 7}\n```',
        '```json\n{"value": 0}\n```\nCorrected:\n```json\n{"value": 7}',
        '```json\n{"value": 7}\n```\nWithout the islands {"value": 0}.',
        '```json\n{"value": 7}\n```\nWithout the islands:\n{"value": 0}',
        '{"value": 7}\n\nWithout the islands {"value": 0}.',
        '```json\n{"value": 7}\n```\nI ran:\n```python\nprint({})\n```',
    ],
)
def test_of_several_that_fit_the_last_code_block_counts_else_the_last_line_else_the_last(text):
    """What is before it may be an example, or a draft that was corrected."""
    assert shape_of(Value).read(text) == Value(value=7)
    table = text.replace('{"value": 7}', '["a", "b"]').replace('{"value": 0}', "[]")
    assert shape_of(list[str]).read(table) == ["a", "b"]


def test_of_several_values_that_do_not_fit_the_largest_is_spoken_of():
    with pytest.raises(AnswerMismatch, match=r"^population: Field required$"):
        shape_of(City).read('As [1] says: {"name": "Oslo is a city"} in {}')


@pytest.mark.parametrize(("library", "kind"), [("pydantic", City), ("pandas", "df")])
def test_a_missing_library_is_named_with_its_cure(monkeypatch, library, kind):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        MissingExtra, match=rf'need {library}\. Run: pip install "vertex-claude-magic\[data\]"'
    ):
        shape_of(kind)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
ANY_LIST = [shape_of(list[Any]), shape_of({"type": "array"})]


@settings(max_examples=25)
@given(st.lists(JSON))
def test_json_that_is_written_out_is_read_back(value):
    for shape in ANY_LIST:
        for how, given_ in ways(value, shape.key):
            assert getattr(shape, how)(given_) == value


@given(st.text(max_size=200) | st.text('[]{}",:`~\n 1a\\'))
def test_any_text_is_read_or_is_a_misfit(text):
    for shape in ANY_LIST:
        with contextlib.suppress(AnswerMismatch):
            assert isinstance(shape.read(text), list)
