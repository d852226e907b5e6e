"""A Python function as a tool: its name, description and schema, and how arguments reach it."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypedDict

import jsonschema
import pandas as pd
import pytest
from pydantic import BaseModel, Field
from typing_extensions import Unpack

from vertex_claude_magic.chats.tools.function import ArgumentsInvalid, function_tool
from vertex_claude_magic.errors import OptionError

# What a docstring says of the arguments, by its style.
ARGUMENTS = {
    "google": "Args:\n    column: Its name.\n    n: How many rows.",
    "rest": ":param column: Its name.\n:param n: How many rows.",
    "numpy": "Parameters\n----------\ncolumn : str\n    Its name.\nn\n    How many rows.",
}
# What it says before, with a role of reST where a line begins.
ROLES = {
    "one": "Mean of a\n:class:`Column` without\n:obj:`None`. Never of dates.",
    "three": "Mean.\n\n:py:func:`median` is\n:ref:`better <why>`,\n:func:`mode` is not.",
    "only": ":func:`numpy.mean` of a column.",
}


class Unit(enum.Enum):
    GRAM = "g"
    KILO = "kg"


@dataclass
class Range:
    low: float
    high: float = 1.0
    title: str = ""


class Options(TypedDict, total=False):
    digits: int
    sort: bool


def kept(function):
    """A decorator as people write it."""

    @functools.wraps(function)
    def wrapper(*args, **options):
        return function(*args, **options)

    return wrapper


class Table:
    """A table of the user's."""

    def column(self, name: str) -> str:
        """One column."""
        return name

    @classmethod
    def of(cls, size: int) -> int:
        """A table of a size."""
        return size

    @kept
    def wrapped(self, name: str) -> str:
        """One that a decorator made."""
        return name

    @staticmethod
    def area(size: float) -> float:
        """Its area."""
        return size

    def __call__(self, row: int) -> int:
        """One row."""
        return row


def numpy_style(column: str, n: int = 5):
    """Mean of a column.

    Rows without a value do not count.

    Parameters
    ----------
    column : str
        Its name.
    n
        How many rows.
    """


def google_style(column: str, n: int = 5):
    """Mean of a column.

    Rows without a value do not count.

    Args:
        column: Its name.
        n: How many rows.

    Returns:
        The mean.
    """


def rest_style(column: str, n: int = 5):
    """Mean of a column.

    Rows without a value do not count.

    :param column: Its name.
    :param n: How many rows.
    """


@pytest.mark.parametrize("function", [numpy_style, google_style, rest_style])
def test_a_docstring_of_any_common_style_describes_the_tool_and_its_arguments(function):
    definition = function_tool("f", function).definition
    assert definition == {
        "name": function.__name__,
        "description": "Mean of a column.\n\nRows without a value do not count.",
        "input_schema": {
            "type": "object",
            "properties": {
                "column": {"type": "string", "description": "Its name."},
                "n": {"type": "integer", "default": 5, "description": "How many rows."},
            },
            "required": ["column"],
            "additionalProperties": False,
        },
    }


TOGETHER = {
    "numpy": """Distance.

    Parameters
    ----------
    x, y : float
        A coordinate.
    *points, **more : int
        More of them.
    """,
    "Google": """Distance.

    Args:
        x, y (float): A coordinate.
        *points, **more: More of them.
    """,
    "reST": """Distance.

    :param x,y: A coordinate.
    :param points,more: More of them.
    """,
}


@pytest.mark.parametrize("docstring", TOGETHER.values(), ids=TOGETHER)
def test_arguments_that_a_docstring_names_together_share_its_description(docstring):
    def distance(x: float, y: float, *points: int): ...

    distance.__doc__ = docstring
    properties = function_tool("distance", distance).schema["properties"]
    said = {name: each.get("description") for name, each in properties.items()}
    assert said == {"x": "A coordinate.", "y": "A coordinate.", "points": "More of them."}


def documented(text: str):
    def mean(column, n=5): ...

    mean.__doc__ = text
    tool = function_tool("mean", mean)
    return tool.description, [each.get("description") for each in tool.schema["properties"].values()]


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS.keys())
@pytest.mark.parametrize("about", ROLES.values(), ids=ROLES.keys())
def test_a_line_that_begins_with_a_role_hides_nothing(about, arguments):
    """A role is text, and no field such as `:param x:`."""
    assert documented(f"{about}\n\n{arguments}") == (about, ["Its name.", "How many rows."])
    assert documented(about) == (about, [None, None])


@pytest.mark.parametrize("more", ["", "\n\nReturns:\n    The mean."])
@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS.keys())
def test_a_docstring_of_arguments_alone_describes_them(arguments, more):
    """As it is written in a function, whose lines are indented below the first."""
    written = (arguments + (more if arguments.startswith("Args") else "")).replace("\n", "\n    ")
    assert documented(written) == ("", ["Its name.", "How many rows."])


# Below the arguments stands a rule that the model has to know, in each style as its documentation has it.
BELOW = {
    "Google, a paragraph": (f"{ARGUMENTS['google']}\n\nNever of dates.", "Never of dates."),
    "Google, a section": (
        f"{ARGUMENTS['google']}\n\nNote:\n    Never of dates.\n\nReturns:\n    The mean.",
        "Note:\n    Never of dates.",
    ),
    "Google, no line between": (f"{ARGUMENTS['google']}\nNote: Never of dates.", "Note: Never of dates."),
    "Google, behind the result": (
        f"{ARGUMENTS['google']}\n\nReturns:\n    The mean.\n\nNever of dates.\n\n    Or of names.",
        "Never of dates.\n\n    Or of names.",
    ),
    "reST, a paragraph": (f"{ARGUMENTS['rest']}\n\nNever of dates.", "Never of dates."),
    "reST, a directive": (
        f"{ARGUMENTS['rest']}\n:returns: The mean.\n\n.. note:: Never of dates.",
        ".. note:: Never of dates.",
    ),
    "numpy": (
        f"{ARGUMENTS['numpy']}\n\nNotes\n-----\nNever of dates.\n\nWarnings\n--------\nNor of names.",
        "Never of dates.\n\nNor of names.",
    ),
}


@pytest.mark.parametrize(("written", "told"), BELOW.values(), ids=BELOW)
def test_what_a_docstring_says_below_the_arguments_describes_the_tool(written, told):
    """docstring_parser 0.18 drops it, or takes it for a part of the last argument."""
    assert documented(f"Mean.\n\n{written}") == (f"Mean.\n\n{told}", ["Its name.", "How many rows."])


def test_a_line_of_a_field_without_indentation_stays_with_its_argument():
    fields = ":param column: Its\nname.\n:param n: How many rows."
    assert documented(f"Mean.\n\n{fields}") == ("Mean.", ["Its\nname.", "How many rows."])


def test_a_title_above_lines_that_are_not_indented_stays_where_it_is():
    """It begins no section, so all of it is text."""
    written = "Mean.\n\nArgs:\ncolumn: Its name.\nn: How many rows."
    assert documented(written) == (written, [None, None])


def unit(unit: Unit = Unit.GRAM): ...
def choice(kind: Literal["mean", "median"]): ...
def union(when: dt.date | None = None): ...
def described(n: Annotated[int, "How many."], x: Annotated[float, Field(description="Where.", ge=0)]): ...
def nested(span: Range): ...
def untyped(x, y=3): ...
def several(*values: float): ...
def keywords(**values: int): ...
def unpacked(**options: Unpack[Options]): ...
def no_json_default(frame=pd.DataFrame()): ...  # noqa: B008 - the kind of default that is tested


@pytest.mark.parametrize(
    ("function", "properties"),
    [
        (choice, {"kind": {"enum": ["mean", "median"], "type": "string"}}),
        (
            union,
            {"when": {"anyOf": [{"format": "date", "type": "string"}, {"type": "null"}], "default": None}},
        ),
        (
            described,
            {
                "n": {"type": "integer", "description": "How many."},
                "x": {"type": "number", "description": "Where.", "minimum": 0},
            },
        ),
        (untyped, {"x": {}, "y": {"default": 3}}),
        (several, {"values": {"type": "array", "items": {"type": "number"}, "default": []}}),
        (no_json_default, {"frame": {}}),
        (Table().column, {"name": {"type": "string"}}),
        (Table.of, {"size": {"type": "integer"}}),
        (Table.area, {"size": {"type": "number"}}),
        (Table(), {"row": {"type": "integer"}}),
        (functools.partial(google_style, "mass"), {"n": {"type": "integer", "default": 5,
                                                         "description": "How many rows."}}),
        (math.sqrt, {"x": {}}),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__) if callable(each) else "",
)  # fmt: skip
def test_the_signature_decides_on_the_properties(function, properties):
    assert function_tool("tool", function).schema["properties"] == properties


def test_an_enum_goes_out_by_its_values_and_comes_back_as_a_member():
    tool = function_tool("unit", unit)
    assert tool.schema["$defs"]["Unit"] == {"enum": ["g", "kg"], "type": "string"}
    assert tool.bind({"unit": "kg"}) == ([Unit.KILO], {})


def test_a_property_called_title_stays():
    """Only the titles that pydantic makes of names are left out."""
    assert set(function_tool("nested", nested).schema["$defs"]["Range"]["properties"]) == {
        "low",
        "high",
        "title",
    }


def properties_and_values(properties: Range, title="Sums", default: dict = {"title": "Report"}):  # noqa: B006
    """With names that a schema has for other things, and a value that has one too."""


def test_only_the_titles_of_schemas_are_left_out():
    schema = function_tool("f", properties_and_values).schema
    assert list(schema["properties"]) == ["properties", "title", "default"]
    assert schema["properties"]["title"] == {"default": "Sums"}
    assert schema["properties"]["default"]["default"] == {"title": "Report"}
    assert "title" not in schema["$defs"]["Range"]
    assert schema["$defs"]["Range"]["properties"]["title"] == {"default": "", "type": "string"}


KEY = "sk-ant-" + "a1B2" * 10


def with_keys(key: str = KEY, more: dict = {"key": KEY}, count: int = 3):  # noqa: B006
    """With defaults that hold a key."""


def test_a_default_that_holds_a_key_stays_here():
    """The function has it, and the model has no use for it."""
    schema = function_tool("f", with_keys).schema
    assert KEY not in json.dumps(schema)
    assert schema["properties"]["count"]["default"] == 3
    assert "required" not in schema


@pytest.mark.parametrize(
    ("function", "arguments", "bound"),
    [
        (google_style, {"column": "mass"}, (["mass", 5], {})),
        (google_style, {"column": "mass", "n": "7"}, (["mass", 7], {})),
        (union, {"when": "2026-11-29"}, ([dt.date(2026, 11, 29)], {})),
        (nested, {"span": {"low": 1}}, ([Range(1.0)], {})),
        (several, {"values": [1, 2.5]}, ([1.0, 2.5], {})),
        (keywords, {"a": 1, "b": "2"}, ([], {"a": 1, "b": 2})),
        (unpacked, {"digits": 2}, ([], {"digits": 2})),
        (unpacked, {}, ([], {})),
    ],
)
def test_arguments_reach_the_function_as_its_types_say(function, arguments, bound):
    assert function_tool("tool", function).bind(arguments) == bound


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (google_style, {}, "column: Field required"),
        (google_style, {"column": "mass", "n": "many"}, "n: Input should be a valid integer"),
        (google_style, {"column": "mass", "rows": 3}, "rows: Extra inputs are not permitted"),
        (choice, {"kind": "mode"}, "kind: Input should be 'mean' or 'median'"),
        (nested, {"span": {"low": "x"}}, "span.low: Input should be a valid number"),
        (keywords, {"a": "x"}, "a: Input should be a valid integer"),
    ],
)
def test_a_wrong_argument_is_said_by_its_name(function, arguments, said):
    with pytest.raises(ArgumentsInvalid) as caught:
        function_tool("tool", function).bind(arguments)
    assert said in str(caught.value)


@dataclass
class Town:
    name: str
    range: Range


def towns(span: Range, **towns: Town):
    return sum(town.range.low - span.low for town in towns.values())


def listed_towns(**towns: list[Town]): ...


def one_town(town: Town): ...


def trees(**trees: Tree): ...


class Tree(BaseModel):
    inner: list[Tree] = []


def same_name():
    @dataclass
    class Range:
        unit: Unit

    def ranges(first, **others): ...

    ranges.__annotations__ = {"first": low_and_high, "others": Range}
    return ranges


low_and_high = Range


@pytest.mark.parametrize(
    ("function", "good", "bad"),
    [
        (
            towns,
            {"span": {"low": 1}, "oslo": {"name": "Oslo", "range": {"low": 3}}},
            {"oslo": {"name": "Oslo"}},
        ),
        (listed_towns, {"north": [{"name": "Oslo", "range": {"low": 3}}]}, {"north": [{"name": "Oslo"}]}),
        (one_town, {"town": {"name": "Oslo", "range": {"low": 3}}}, {"town": {"name": "Oslo"}}),
        (trees, {"oak": {"inner": [{"inner": []}]}}, {"oak": {"inner": [3]}}),
        (same_name(), {"first": {"low": 1}, "x": {"unit": "kg"}}, {"first": {"low": 1}, "x": {"low": 1}}),
        (keywords, {"a": 1}, {"a": "x"}),
    ],
)
def test_every_reference_of_a_schema_leads_to_its_place(function, good, bad):
    """Also those of types inside of `**kwargs`, so that the service takes the schema and means what the function checks."""
    tool = function_tool("tool", function)
    check = jsonschema.Draft202012Validator(json.loads(json.dumps(tool.schema)))
    check.check_schema(check.schema)
    assert [error.message for error in check.iter_errors(good)] == []
    assert [*check.iter_errors(bad)]
    tool.bind(good)
    with pytest.raises(ArgumentsInvalid):
        tool.bind(bad)


class Numbered:
    """An object whose name is no text."""

    __name__ = 5

    def __call__(self, row: int) -> int:
        return row


def test_an_object_is_called_by_the_name_that_the_user_gave_it():
    assert function_tool("row", Numbered()).name == "row"


def takes_a_frame(frame: pd.DataFrame): ...


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda x: x, "is a lambda"),
        (takes_a_frame, "cannot be sent as JSON"),
        (Table, "is not a function"),
        (Table.column, "is a method of a class, and Claude has no object to call it on"),
        (Table.wrapped, "is a method of a class"),
        (functools.partial(Table.column, name="x"), "is a method of a class"),
        (vars(Table)["of"].__func__, "is a method of a class"),
        (3, "is not a function"),
    ],
)
def test_what_a_model_cannot_call_is_refused_with_a_cure(given: Any, said: str):
    with pytest.raises(OptionError, match=said) as caught:
        function_tool("tool", given)
    assert caught.value.cure
