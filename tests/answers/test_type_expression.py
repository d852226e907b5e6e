"""`--as EXPR` names a type: looked up name by name, never evaluated."""

# Both ways to write a choice are given, because users do.
# ruff: noqa: PYI061, UP006, UP007, UP045

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import os
import sys
import types
import typing
import uuid
from enum import Enum
from typing import Annotated, Any, Literal, Optional, Union

import pandas as pd
import pytest
from pydantic import BaseModel, Field

from vertex_claude_magic.answers.shape import shape_of
from vertex_claude_magic.answers.types import adapted, read_type, type_name
from vertex_claude_magic.errors import OptionError


class Colour(Enum):
    RED = "red"


class City(BaseModel):
    name: str

    class District(BaseModel):
        number: int


@dataclasses.dataclass
class Point:
    x: int


POSITIVE = Field(ge=1)
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
NAMES: dict[str, Any] = {
    "City": City,
    "Colour": Colour,
    "Point": Point,
    "SCHEMA": SCHEMA,
    "SCHEMAS": {"city": SCHEMA},
    "POSITIVE": POSITIVE,
    "Cities": list[City],
    "np": types,
    "pd": pd,
    "geo": types.SimpleNamespace(City=City),
    "models": types.ModuleType("models"),
    "df": pd.DataFrame({"a": [1]}),
    "date": "2026-01-31",
    "list": [1, 2],
    "number": 3,
    "print": print,
    "text": "City",
    5: "no name at all",
}
NAMES["models"].City = City
NAMES["models"].reader = print

READ = [
    ("City", City),
    (" City ", City),
    ("list[City]", list[City]),
    ("List[City]", typing.List[City]),
    ("list[list[City]]", list[list[City]]),
    ("dict[str, City]", dict[str, City]),
    ("tuple[int, str]", tuple[int, str]),
    ("tuple[int, ...]", tuple[int, ...]),
    ("set[int]", set[int]),
    ("City | None", Optional[City]),
    ("None | City", Optional[City]),
    ("int | str | float", Union[int, str, float]),
    ("list[City | None]", list[City | None]),
    ("Optional[City]", Optional[City]),
    ("Union[City, Point]", Union[City, Point]),
    ("Literal['yes', 'no']", Literal["yes", "no"]),
    ('Literal["City", 1, -1, True, None]', Literal["City", 1, -1, True, None]),
    ("Literal[Colour.RED]", Literal[Colour.RED]),
    ("Annotated[int, POSITIVE]", Annotated[int, POSITIVE]),
    ("Annotated[int, 'a number']", Annotated[int, "a number"]),
    ("Any", Any),
    ("Colour", Colour),
    ("Point", Point),
    ("Cities", list[City]),
    ("models.City", City),
    ("City.District", City.District),
    ("'City'", City),
    ("list['City']", list[City]),
    ("'list[City]'", list[City]),
    ("int", int),
    ("datetime", dt.datetime),
    ("datetime.date", dt.date),
    ("typing.Optional[int]", Optional[int]),
    ("Decimal", decimal.Decimal),
    ("decimal.Decimal", decimal.Decimal),
    ("UUID", uuid.UUID),
    ("df", "df"),
    ("DataFrame", "df"),
    ("pd.DataFrame", "df"),
    ("pandas.DataFrame", "df"),
    ("SCHEMA", SCHEMA),
    ("SCHEMAS['city']", SCHEMA),
    ("{'type': 'object', 'additionalProperties': False}", {"type": "object", "additionalProperties": False}),
    ('{"type": "object", "additionalProperties": false}', {"type": "object", "additionalProperties": False}),
    # The user's own name is no type, so the well-known one is meant.
    ("list[date]", list[dt.date]),
]


@pytest.mark.parametrize(("text", "kind"), READ, ids=[text for text, _ in READ])
def test_a_text_names_a_type(text, kind):
    assert read_type(text, NAMES) == kind


@pytest.mark.parametrize("text", [text for text, _ in READ])
def test_what_a_text_names_has_a_shape(text):
    assert shape_of(read_type(text, NAMES)).schema["type"] == "object"


def test_a_class_of_a_frame_under_another_name_is_the_frame():
    assert read_type("Table", {"Table": pd.DataFrame}) == "df"


HOSTILE = [
    "",
    "   ",
    "City()",
    "__import__('os').system('true')",
    "print",
    "print('x')",
    "list[print]",
    "models.reader",
    "os.system",
    "list[os.system]",
    "City.__init__",
    "City.model_json_schema",
    "City.__class__",
    "().__class__.__bases__",
    "int.__subclasses__()",
    "geo.City",
    "np",
    "models",
    "None",
    "...",
    "5",
    "'5'",
    "number",
    "list[number]",
    "text",
    "list[5]",
    "[City]",
    "[1, 2]",
    "(City, Point)",
    "{City}",
    "{1, 2}",
    "{'type': print}",
    "{**SCHEMA}",
    "{'a': 1} | SCHEMA",
    "lambda: City",
    "City if 1 else Point",
    "City and Point",
    "City + Point",
    "City & Point",
    "not City",
    "[x for x in y]",
    "f'{City}'",
    "x := City",
    "x = City",
    "City;City",
    "City\nPoint",
    "import os",
    "await City",
    "*City",
    "list[*City]",
    "list[City",
    "City[int]",
    "int[str]",
    "SCHEMAS['town']",
    "Literal[City]",
    "Literal[Colour.GREEN]",
    "Literal[print('x')]",
    "Literal[os]",
    "Annotated[int, print('x')]",
    "Annotated[int, unknown]",
    "list[df]",
    "df.a",
    "df | None",
    "list[City].__origin__",
    "'" * 3 + "City",
    "'City()'",
    "list['print(1)']",
    "\x00",
    "City\x00",
    "\ud800",
    "\u202eCity",
    "[" * 5_000,
    "(" * 5_000,
    "list[" * 1_000 + "int" + "]" * 1_000,
    "int" + "|int" * 4_000,
    "-" * 9_000 + "1",
    "a." * 4_000 + "a",
    "{'a':" * 1_000 + "1" + "}" * 1_000,
    "x" * 1_000_000,
    "1" + "0" * 9_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_names_no_type_is_an_error_of_one_line(text, capsys):
    with pytest.raises(OptionError) as caught:
        read_type(text, {**NAMES, "os": os})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert caught.value.cure
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Citty", "Did you mean City?"),
        ("list[Colur]", "Did you mean Colour?"),
        ("Litteral['a']", "Did you mean Literal?"),
        ("lsit[int]", "Did you mean list?"),
        # A type of the user's that is a little like one of Python's: time, Pattern, OrderedDict.
        *(
            (name, "Run the cell that defines it first.")
            for name in ("zzzzzz", "Sentiment", "Person", "Order")
        ),
        ("number", "not a type"),
        *(
            (name, f"{name} cannot be used as an answer type. Use a pydantic model, a data class")
            for name in ("bytes", "object", "range", "sum")
        ),
        ("list[memoryview]", "memoryview cannot be used as an answer type."),
        ("City()", "Use a pydantic model, a data class"),
        ("list[f(1)]", "f(1)"),
        ("City()", "an Enum, Literal[...], str, int and the like, list[...] of one"),
        (
            "list[Sentiment",
            "In --as list[Sentiment: '[' was never closed. Each bracket needs its closing one.",
        ),
        ("Literal['a', 'b'", "'[' was never closed"),
        ("list[int]]", "unmatched ']'"),
        ("list[int)", "closing parenthesis ')' does not match opening parenthesis '['"),
        ('{"type": "object"', "'{' was never closed"),
    ],
)
def test_the_error_says_what_is_meant_or_can_be_given(text, said):
    with pytest.raises(OptionError) as caught:
        read_type(text, NAMES)
    assert said in str(caught.value)


def test_code_of_a_class_that_is_subscripted_may_raise_anything():
    class Odd:
        def __class_getitem__(cls, item: Any) -> Any:
            raise ZeroDivisionError

    with pytest.raises(OptionError, match=r"Odd\[int\] cannot be used as an answer type"):
        read_type("Odd[int]", {"Odd": Odd})


@pytest.fixture
def cell(monkeypatch):
    """Run a cell in `__main__`, as a kernel does; what it defines is there."""
    main = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)

    def run(source: str) -> dict[str, Any]:
        exec(compile(source, "<cell>", "exec", dont_inherit=True), main.__dict__)
        return main.__dict__

    return run


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_types_of_a_notebook_may_refer_to_each_other(cell, future):
    names = cell(
        f"""{future}
from dataclasses import dataclass
from typing import Optional, TypedDict
from pydantic import BaseModel
class Tree(BaseModel):
    left: "Optional[Tree]" = None
    leaf: "Optional[Leaf]" = None
class Leaf(BaseModel):
    n: int
@dataclass
class Row:
    leaf: "Leaf"
class Film(TypedDict):
    title: str
    leaf: "Leaf"
"""
    )
    leaf = names["Leaf"](n=1)
    tree = {"left": {"leaf": {"n": 1}}}
    assert shape_of(read_type("Tree", names)).take(tree).left.leaf == leaf
    assert shape_of(read_type("list['Tree']", names)).take([tree])[0].left.leaf == leaf
    assert shape_of(read_type("list[Row]", names)).take([{"leaf": {"n": 1}}]) == [names["Row"](leaf)]
    film = {"title": "M", "leaf": {"n": 1}}
    assert shape_of(read_type("list[Film]", names)).take([film]) == [{"title": "M", "leaf": leaf}]
    assert shape_of(read_type("Film", names)).name == "Film"


@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
@pytest.mark.skipif(sys.version_info < (3, 11), reason="typing has no NotRequired before Python 3.11")
def test_a_key_that_is_not_required_stays_so(cell, future):
    names = cell(
        f"""{future}
from typing import Annotated, NotRequired, Required, TypedDict
class Film(TypedDict):
    title: str
    year: NotRequired[int]
class Loose(TypedDict, total=False):
    title: Required[str]
    films: list[Film]
    noted: Annotated[Film | None, "x"]
"""
    )
    assert shape_of(names["Film"]).schema["required"] == ["title"]
    assert shape_of(names["Loose"]).schema["required"] == ["title"]
    value = {"title": "a", "films": [{"title": "M"}], "noted": {"title": "M", "year": 1}}
    loose = names["Loose"]
    assert shape_of(dict[str, loose] | None).take({"a": value}) == {"a": value}


def test_a_typed_dict_that_holds_itself_is_refused_or_read(cell):
    """Before Python 3.12 it cannot be rebuilt; the cure is the one of typing_extensions."""
    names = cell("from typing import TypedDict\nclass Node(TypedDict):\n    below: 'list[Node]'\n")
    if sys.version_info >= (3, 12):
        assert shape_of(names["Node"]).take({"below": []}) == {"below": []}
    else:
        with pytest.raises(OptionError, match=r"Node has no JSON schema: .*typing_extensions") as caught:
            shape_of(names["Node"])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "kind", [City, list[City], int, Literal["a"], Optional[City], City | None, Any, dict[str, Any], list]
)
def test_a_type_that_pydantic_takes_is_left_alone(kind):
    assert adapted(kind) is kind


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (list, "list"),
        (City.District, "District"),
        (typing.List[int], "list[int]"),
        (Any, "Any"),
        (type(None), "None"),
    ],
)
def test_a_type_has_a_name_without_modules(kind, name):
    assert type_name(kind) == name
