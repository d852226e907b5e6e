"""Schemas: what goes out is what the official client sends, and what has none is refused in one line."""

# Both ways to write a choice are given, because users do; pydantic reads the types while the tests run.
# ruff: noqa: PYI061, TC003

from __future__ import annotations

import datetime as dt
import json
import typing
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

import jsonschema
import pydantic
import pytest
from anthropic.lib._parse._transform import transform_schema
from pydantic import BaseModel, Field
from test_shape import Aliased, City, Colour, Node, Pair, Place, Point, Size, Strict, Value, ways

from vertex_claude_magic.answers.schema import is_closed, object_schema, wire_schema
from vertex_claude_magic.answers.shape import AnswerMismatch, shape_of
from vertex_claude_magic.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoSchema:
    pass


class Raises:
    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> Any:
        raise RuntimeError("line one\nline two")


class Unnamed(type):
    def __repr__(cls) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "kind",
    [
        NoSchema,
        list[NoSchema],
        Raises,
        Unnamed("X", (), {}),
        5,
        "City",
        print,
        ways,
        object(),
        typing.Callable[[int], int],
        list["Unknown"],  # noqa: F821
        list[5],  # type: ignore[misc]
    ],
    ids=range(12),
)
def test_what_has_no_schema_is_an_error_of_one_line(kind):
    with pytest.raises(OptionError) as caught:
        shape_of(kind)
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < 250
    assert caught.value.cure


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objekt"}, "objekt"),
        ({"type": "object", "properties": []}, "properties"),
        ({"type": "string", "pattern": "("}, "regex"),
        ({}, "declares no type"),
        ({"name": "str"}, "declares no type"),
        ({"$ref": "https://example.com/schema.json"}, "another document"),
        ({"type": "object", "$dynamicRef": "https://example.com/schema.json"}, "another document"),
        ({"type": "array", "items": {"$ref": "file:///etc/passwd"}}, "another document"),
        ({"type": "object", "default": {1, 2}}, "set"),
        ({"const": float("nan")}, ""),
    ],
)
def test_a_dict_that_is_no_usable_schema_is_refused_at_once(schema, why):
    with pytest.raises(OptionError) as caught:
        shape_of(schema)
    assert why in caught.value.message
    assert "\n" not in caught.value.message


def test_a_reference_that_leads_nowhere_is_a_misfit():
    with pytest.raises(AnswerMismatch, match="the schema cannot be applied"):
        shape_of({"type": "array", "items": {"$ref": "#/$defs/Gone"}}).take([1])


def test_a_word_of_the_schema_in_sample_data_is_no_reference():
    constant = {"$ref": "https://example.com"}
    assert shape_of({"const": constant}).take(constant) == constant


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "array", "items": {"anyOf": [{"type": "integer"}, {"$ref": "#"}]}}, [1, [2]], ["a"]),
        ({"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"type": "null"}}}, [None], [1]),
        ({"prefixItems": [{"type": "integer"}, {"$ref": "#/prefixItems/0"}], "type": "array"}, [1, 2], [1, "a"]),
        # A reference beside the others, at the root itself.
        ({"$ref": "#/$defs/A", "prefixItems": [{"type": "integer"}, {"$ref": "#/prefixItems/0"}], "$defs": {"A": {"type": "array"}}}, [1, 2], [1, "a"]),
    ],
)  # fmt: skip
def test_references_still_lead_to_their_place_when_a_value_travels_under_a_key(schema, good, bad):
    rooted, key = object_schema(schema)
    validator = jsonschema.Draft202012Validator(rooted)
    assert validator.is_valid({key: good})
    assert not validator.is_valid({key: bad})


class Constrained(BaseModel):
    name: str = Field(min_length=1, max_length=20, pattern="^a", description="The name", examples=["ab"])
    age: int = Field(default=3, ge=0, lt=150)
    email: str = Field(json_schema_extra={"format": "email"})
    odd: str = Field(json_schema_extra={"format": "odd"})
    tags: list[str] = Field(min_length=1)
    many: list[int] = Field(min_length=2, max_length=3)
    when: dt.datetime | None = None
    colour: Colour = Colour.RED
    size: Size
    pick: Literal["a", 1, None]
    only: Literal["x"]
    either: Place | Point
    nested: list[list[Place]]
    amount: Decimal


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Owner(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Rooted(pydantic.RootModel[list[Place]]):
    pass


@pytest.mark.parametrize(
    "schema",
    [
        *(
            pydantic.TypeAdapter(kind).json_schema()
            for kind in (
                City,
                Place,
                Strict,
                Aliased,
                Point,
                Node,
                Constrained,
                Owner,
                Rooted,
                Pair,
                Colour,
                Value | None,
            )
        ),
        *(
            pydantic.TypeAdapter(kind).json_schema()
            for kind in (dict[str, int], tuple[int, str], set[int], bytes)
        ),
        {"type": "integer", "minimum": 1, "maximum": 10, "description": "A number"},
        {
            "type": "object",
            "properties": {"a": {"type": "null"}},
            "required": ["a"],
            "additionalProperties": True,
        },
        {"type": "object", "anyOf": [{"type": "object"}], "minProperties": 1},
        {"allOf": [{"type": "string"}, {"type": "string", "format": "uuid"}]},
        {"enum": ["a", 1, None], "type": "string", "title": "T"},
        {"enum": [["a"]], "type": "array"},
        {"const": {"a": 1}, "type": "object"},
        {"type": "array", "items": {"type": "string"}, "minItems": 0},
        {"type": "string", "format": "password", "description": None},
        {"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}},
    ],
)
def test_a_schema_goes_out_as_the_official_client_sends_it(schema):
    before = json.dumps(schema)
    assert wire_schema(schema) == transform_schema(schema)
    assert json.dumps(schema) == before


@pytest.mark.parametrize("schema", [{}, {"description": "anything"}, {"enum": []}, {"enum": [[1]]}])
def test_a_part_without_a_type_is_refused_as_the_official_client_does(schema):
    with pytest.raises(ValueError, match="Schema must have"):
        transform_schema(schema)
    with pytest.raises(ValueError, match="no type"):
        wire_schema(schema)


class Box(BaseModel):
    place: Place = Field(description="where it was packed")
    colour: Annotated[Colour, Field(description="of the lid")]
    places: list[Annotated[Place, Field(description="a stop on the way")]]
    spare: Annotated[Place, Field(description="if it is sent back")] | None = None
    by_name: dict[str, Annotated[Colour, Field(description="one for each label")]] = Field(
        default_factory=dict
    )


@dataclass
class Parcel:
    box: Annotated[Box, Field(description="the outer box")]
    place: Place


def texts(part: Any) -> Iterator[str]:
    """Every description of a schema."""
    if isinstance(part, dict):
        if isinstance(part.get("description"), str):
            yield part["description"]
        for each in part.values():
            yield from texts(each)
    elif isinstance(part, list):
        for each in part:
            yield from texts(each)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Box, ["where it was packed", "of the lid", "a stop on the way", "if it is sent back"]),
        (Parcel, ["the outer box", "where it was packed", "of the lid"]),
        (list[Annotated[Colour, Field(description="of a door")]], ["of a door"]),
        (dict[str, Annotated[Place, Field(description="of a city")]], ["of a city"]),
    ],
)
def test_a_description_beside_a_reference_reaches_the_model(kind, wanted):
    """The client's transform drops it; here a choice of one carries it."""
    found = list(texts(shape_of(kind).schema))
    assert [text for text in wanted if text not in found] == []


def test_a_reference_with_a_description_is_a_choice_of_one():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "description": "D"}}}
    assert wire_schema(schema)["properties"]["a"] == {"anyOf": [{"$ref": "#/$defs/A"}], "description": "D"}


def test_several_types_become_a_choice():
    """The client's transform stops at them."""
    schema = {"type": ["string", "null"], "description": "D", "format": "date"}
    assert wire_schema(schema) == {
        "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
        "description": "D",
    }
    assert wire_schema({"type": ["string", "null"], "enum": ["a", None]}) == {"enum": ["a", None]}


def test_definitions_that_refer_to_each_other_often_are_walked_once():
    names = [f"D{number}" for number in range(60)]
    definitions: dict[str, Any] = {
        name: {"type": "object", "properties": {side: {"$ref": f"#/$defs/{below}"} for side in "ab"}}
        for name, below in pairwise(names)
    }
    definitions["D59"] = {"type": "string"}
    assert is_closed({"type": "object", "properties": {"a": {"$ref": "#/$defs/D0"}}, "$defs": definitions})
