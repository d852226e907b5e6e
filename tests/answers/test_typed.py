"""`--as`: three ways to ask for data, one way to read it, one repair round, and errors that keep the text."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import typing
from enum import Enum
from typing import Any, Literal, NamedTuple

import pandas as pd
import pydantic
import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.client import Claude
from vertex_claude_magic.emulator import Emulator, Fault, Reply

if typing.TYPE_CHECKING:
    from shells import Shell

# Which model asks which way: by structured outputs, by a tool that it must call, by words alone
# (forcing a tool and thinking cannot be combined).
WAYS: dict[str, dict[str, Any]] = {
    "format": {"model": "claude-sonnet-5-5"},
    "tool": {"model": "claude-opus-4-1"},
    "instruction": {"model": "claude-opus-4-1", "thinking": 2_000},
}
every_way = pytest.mark.parametrize("way", list(WAYS))


class Kind(Enum):
    CITY = "city"
    TOWN = "town"


@dataclasses.dataclass
class Place:
    lat: float
    lon: float


@dataclasses.dataclass
class City:
    name: str
    people: int
    kind: Kind
    place: Place | None = None
    tags: list[str] = dataclasses.field(default_factory=list)


class Model(pydantic.BaseModel):
    name: str
    founded: dt.date
    size: Literal["small", "large"]
    inner: list[Place]
    note: str | None = None


class Typed(typing.TypedDict):
    name: str
    people: int


class Row(NamedTuple):
    name: str
    people: int


SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}
OSLO = {"name": "Oslo", "people": 7, "kind": "city", "place": {"lat": 59.9, "lon": 10.7}, "tags": ["capital"]}
BODO = {"name": "Bodø", "people": 5, "kind": "town"}

# The type, what travels, and the object that comes out of it.
ANSWERS = [
    (City, OSLO, City("Oslo", 7, Kind.CITY, Place(59.9, 10.7), ["capital"])),
    (City, BODO, City("Bodø", 5, Kind.TOWN)),
    (list[City], {"items": [OSLO, BODO]}, [City("Oslo", 7, Kind.CITY, Place(59.9, 10.7), ["capital"]),
                                           City("Bodø", 5, Kind.TOWN)]),
    (list[City], {"items": []}, []),
    (Model, {"name": "A", "founded": "1048-01-01", "size": "small", "inner": [{"lat": 1, "lon": 2}]},
     Model(name="A", founded=dt.date(1048, 1, 1), size="small", inner=[Place(1.0, 2.0)])),
    (list[Model], {"items": [{"name": "A", "founded": "1048-01-01", "size": "large", "inner": [], "note": None}]},
     [Model(name="A", founded=dt.date(1048, 1, 1), size="large", inner=[])]),
    (Typed, {"name": "Oslo", "people": 7}, {"name": "Oslo", "people": 7}),
    (list[Typed], {"items": [{"name": "Oslo", "people": 7}]}, [{"name": "Oslo", "people": 7}]),
    (Row, {"name": "Oslo", "people": 7}, Row("Oslo", 7)),
    (SCHEMA, {"name": "Oslo", "people": 7}, {"name": "Oslo", "people": 7}),
    (Literal["yes", "no"], {"value": "yes"}, "yes"),
    (Kind, {"value": "town"}, Kind.TOWN),
    (int, {"value": 5}, 5),
    (float, {"value": 2.5}, 2.5),
    (bool, {"value": False}, False),
    (str, {"value": "a"}, "a"),
    (dt.date, {"value": "2026-01-02"}, dt.date(2026, 1, 2)),
    (list[int], {"items": [1, 2]}, [1, 2]),
    (int | None, {"value": None}, None),
]  # fmt: skip
NAMES = [str(getattr(row[0], "__name__", "schema")) + str(number) for number, row in enumerate(ANSWERS)]


@pytest.fixture
def claude(claude_emulator):
    session = Claude(
        project=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
        max_tokens=4_000,
    )
    yield session
    session.close()


def content(way: str, data: Any) -> Any:
    """The answer of a model: a call of the tool, or text."""
    if way == "tool":
        return [{"type": "tool_use", "id": "toolu_1", "name": "answer", "input": data}]
    return json.dumps(data)


def bodies(emulator: Emulator) -> list[dict]:
    return [each.body for each in emulator.requests if "/models/" in each.path]


# Three ways


@every_way
@pytest.mark.parametrize(("kind", "data", "wanted"), ANSWERS, ids=NAMES)
def test_every_way_gives_the_same_object(claude, claude_emulator, way, kind, data, wanted):
    """Whatever the type: the tool's input and the text of the other ways are read alike."""
    claude_emulator.answer(content(way, data))
    reply = claude.ask("Which?", as_=kind, **WAYS[way])
    assert reply.data == wanted
    assert type(reply.data) is type(wanted)
    assert len(bodies(claude_emulator)) == 1


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("asked", list(WAYS))
def test_valid_json_is_taken_whichever_way_was_asked(claude, claude_emulator, asked, way):
    """A model may answer in words although it was given a tool."""
    claude_emulator.answer(content(way if asked == "tool" else "format", OSLO))
    assert claude.ask("Which?", as_=City, **WAYS[asked]).data.name == "Oslo"


def test_structured_outputs_carry_the_schema(claude, claude_emulator):
    """Where the table says that the model has them; a list travels as an object with the key `items`."""
    claude_emulator.answer('{"items": []}')
    claude.ask("Which?", as_=list[Typed], **WAYS["format"])
    (body,) = bodies(claude_emulator)
    form = body["output_config"]["format"]
    assert form["type"] == "json_schema"
    assert list(form["schema"]["properties"]) == ["items"]
    assert form["schema"]["required"] == ["items"]
    assert "tools" not in body
    assert body["messages"] == [{"role": "user", "content": "Which?"}]


def test_a_forced_tool_carries_it_otherwise(claude, claude_emulator):
    """Older models have no structured outputs."""
    claude_emulator.answer(content("tool", {"value": 5}))
    claude.ask("How many?", as_=int, **WAYS["tool"])
    (body,) = bodies(claude_emulator)
    assert body["tool_choice"] == {"type": "tool", "name": "answer"}
    (tool,) = body["tools"]
    assert tool["input_schema"]["properties"]["value"]["type"] == "integer"
    assert "output_config" not in body


@pytest.mark.parametrize(
    "thinks",
    [
        {"thinking": 2_000},
        {"show_thinking": True},
        {"set": {"thinking": {"type": "enabled", "budget_tokens": 2_000}}},
    ],
    ids=["thinking", "show_thinking", "set"],
)
def test_words_ask_where_neither_can(claude, claude_emulator, thinks):
    """Behind the prompt, which itself stays as it is; whichever option has the model think."""
    claude_emulator.answer('{"value": 5}')
    claude.ask("How many?", as_=int, **WAYS["tool"], **thinks)
    (body,) = bodies(claude_emulator)
    text = body["messages"][0]["content"]
    assert text.startswith("How many?\n\n")
    assert "integer" in text
    assert "tools" not in body
    assert "output_config" not in body


def test_effort_and_format_share_their_field(claude, claude_emulator):
    """Both stand in `output_config`."""
    claude_emulator.answer('{"value": 5}')
    claude.ask("How many?", as_=int, effort="low", **WAYS["format"])
    config = bodies(claude_emulator)[0]["output_config"]
    assert config["effort"] == "low"
    assert config["format"]["type"] == "json_schema"


def test_what_structured_outputs_cannot_carry_is_asked_for_in_words(claude, claude_emulator):
    """An open dict has no fixed fields; this model takes no forced tool either."""
    claude_emulator.answer('{"a": 1}')
    reply = claude.ask("Count.", as_=dict[str, int], model="claude-sonnet-5-5")
    (body,) = bodies(claude_emulator)
    assert "output_config" not in body
    assert "tools" not in body
    assert reply.data == {"a": 1}


# Answers that are not what was asked for

GOOD = json.dumps(OSLO)
TAKEN = [
    ("in a fence", f"```json\n{GOOD}\n```"),
    ("in a fence without a name", f"```\n{GOOD}\n```"),
    ("with words around it", f"Here you are:\n\n{GOOD}\n\nAnything else?"),
    ("in a fence, with words around it", f"Sure!\n```json\n{GOOD}\n```\nDone."),
    ("after a byte order mark", f"\ufeff{GOOD}"),
    ("with blanks", f"\n\n  {GOOD}  \n"),
]


@pytest.mark.parametrize("text", [row[1] for row in TAKEN], ids=[row[0] for row in TAKEN])
@pytest.mark.parametrize("way", ["format", "instruction"])
def test_json_is_found_where_it_is(claude, claude_emulator, way, text):
    """Without a second request."""
    claude_emulator.answer(text)
    assert claude.ask("Which?", as_=City, **WAYS[way]).data.place == Place(59.9, 10.7)
    assert len(bodies(claude_emulator)) == 1


BROKEN = [
    ("no JSON", "I cannot say."),
    ("half of it", GOOD[:-20]),
    ("a field of the wrong type", GOOD.replace("7", '"seven"')),
    ("a field is missing", '{"name": "Oslo"}'),
    ("no such choice", GOOD.replace('"city"', '"village"')),
    ("null", "null"),
    ("nothing", ""),
]


@every_way
@pytest.mark.parametrize("text", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_broken_answer_is_asked_for_once_more(claude, claude_emulator, way, text):
    """Claude sees its own answer and what is wrong with it; tokens, cost and seconds of both rounds count."""
    claude_emulator.answer(text, content(way, OSLO))
    reply = claude.ask("Which?", as_=City, **WAYS[way])
    assert reply.data.name == "Oslo"
    first, second = bodies(claude_emulator)
    assert second["messages"][: len(first["messages"])] == first["messages"]
    *_, last = second["messages"]
    assert last["role"] == "user"
    if text.strip():
        assert text.strip()[:10] in json.dumps(second["messages"][-2], ensure_ascii=False).replace('\\"', '"')
    assert {**first, "messages": 0} == {**second, "messages": 0}
    alone = claude.ask("Which?", model=WAYS[way]["model"])
    assert reply.usage.input_tokens > alone.usage.input_tokens
    assert reply.cost > 0


def test_a_tool_call_that_does_not_fit_gets_a_tool_result(claude, claude_emulator):
    """As the Messages API wants it: each call is answered before anything else is said."""
    wrong = {**OSLO, "people": "many"}
    claude_emulator.answer(content("tool", wrong), content("tool", OSLO))
    assert claude.ask("Which?", as_=City, **WAYS["tool"]).data.people == 7
    _, second = bodies(claude_emulator)
    *_, said, told = second["messages"]
    assert said["content"][0]["type"] == "tool_use"
    (result,) = told["content"]
    assert (result["type"], result["tool_use_id"], result["is_error"]) == ("tool_result", "toolu_1", True)
    assert "people" in result["content"]


@every_way
def test_wrong_twice_is_an_error_that_keeps_the_text(claude, claude_emulator, way):
    """And the tokens and cost of both rounds; there is no third."""
    claude_emulator.answer('{"name": 1}', '{"name": 2}')
    with pytest.raises(errors.AnswerInvalid) as caught:
        claude.ask("Which?", as_=City, **WAYS[way])
    error = caught.value
    assert "\n" not in str(error)
    assert error.reply.text == '{"name": 2}'
    assert error.details["text"] == '{"name": 2}'
    assert error.reply.data is None
    assert len(bodies(claude_emulator)) == 2
    assert error.reply.usage.output_tokens > 5


ONE_SENTENCE = {
    "a number": (Literal[42], '{"value": 51}'),
    "a field": (City, '{"name": 1}'),
    "several": (City, "{}"),
    "no JSON": (City, "I do not know."),
}


@pytest.mark.parametrize(("kind", "answer"), ONE_SENTENCE.values(), ids=ONE_SENTENCE.keys())
def test_what_does_not_match_is_a_sentence_before_its_cure(claude, claude_emulator, kind, answer):
    claude_emulator.answer(answer, answer)
    with pytest.raises(errors.AnswerInvalid) as caught:
        claude.ask("Which?", as_=kind)
    assert re.search(r"[^.]\. The raw text is in", str(caught.value)), str(caught.value)


@every_way
def test_what_was_cut_off_is_not_asked_for_again(claude, claude_emulator, way):
    """The second answer would be cut off as well; the cure is a larger limit."""
    claude_emulator.answer(Reply(content=GOOD[:-20], stop_reason="max_tokens"))
    with pytest.raises(errors.AnswerTruncated) as caught:
        claude.ask("Which?", as_=City, **WAYS[way])
    assert "max_tokens=" in caught.value.cure
    assert caught.value.reply.text == GOOD[:-20]
    assert len(bodies(claude_emulator)) == 1


def test_what_was_cut_off_says_after_how_many_tokens_of_its_own(claude, claude_emulator):
    """A request has a limit, not a question: those of the answer that was repaired are none of them."""
    claude_emulator.answer("Oslo. " * 100, Reply(content=GOOD[:-20], stop_reason="max_tokens"))
    with pytest.raises(errors.AnswerTruncated) as caught:
        claude.ask("Which?", as_=City)
    first, last = (each.usage.output_tokens for each in caught.value.reply.rounds)
    assert f"cut off after {last:,} output tokens" in str(caught.value)
    assert caught.value.reply.usage.output_tokens == first + last > last


def test_what_was_cut_off_behind_the_data_is_whole(claude, claude_emulator):
    """Only the words after it are missing."""
    claude_emulator.answer(Reply(content=f"{GOOD}\n\nAs you can", stop_reason="max_tokens"))
    assert claude.ask("Which?", as_=City, **WAYS["instruction"]).data.name == "Oslo"


@every_way
def test_a_refusal_is_not_asked_for_again(claude, claude_emulator, way):
    """It is Claude's decision, not a slip."""
    claude_emulator.answer(Reply(content="I would rather not.", stop_reason="refusal"))
    with pytest.raises(errors.AnswerRefused) as caught:
        claude.ask("Which?", as_=City, **WAYS[way])
    assert caught.value.reply.text == "I would rather not."
    assert len(bodies(claude_emulator)) == 1


def test_all_three_errors_are_of_one_kind():
    """Whoever wants to may catch them together."""
    assert issubclass(errors.AnswerRefused, errors.AnswerInvalid)
    assert issubclass(errors.AnswerTruncated, errors.AnswerInvalid)


# Frames


def test_records_become_a_frame_with_proper_types(claude, claude_emulator):
    """Dates are dates, whole numbers are whole, and what is missing is missing."""
    rows = [
        {"name": "Oslo", "founded": "1048-01-01", "people": 7, "area": 454.0},
        {"name": "Bodø", "founded": None, "people": None, "area": 1.5},
    ]

    class Founded(pydantic.BaseModel):
        name: str
        founded: dt.date | None
        people: int | None
        area: float

    claude_emulator.answer(json.dumps({"items": rows}))
    frame = claude.ask("Which?", as_=list[Founded]).df
    assert list(frame.columns) == ["name", "founded", "people", "area"]
    assert str(frame["founded"].dtype).startswith("datetime64")
    assert str(frame["people"].dtype) == "Int64"
    assert str(frame["area"].dtype) == "float64"
    assert pd.isna(frame["people"][1])


@pytest.mark.parametrize("kind", ["df", "DataFrame"])
def test_a_frame_can_be_asked_for(claude, claude_emulator, kind):
    """It travels as columns and rows, which costs the fewest tokens."""
    claude_emulator.answer('{"columns": ["city", "people"], "rows": [["Oslo", 7], ["Bodø", 5]]}')
    kind = pd.DataFrame if kind == "DataFrame" else kind
    reply = claude.ask("Which?", as_=kind)
    assert reply.data["people"].tolist() == [7, 5]
    pd.testing.assert_frame_equal(reply.data, reply.df)


def test_without_data_there_is_no_frame(claude, claude_emulator):
    """Both are None, and all attributes of a reply can be read, as a debugger does."""
    claude_emulator.answer("Hello.")
    reply = claude.ask("Hi")
    assert (reply.data, reply.df) == (None, None)
    assert all(hasattr(reply, name) for name in dir(reply) if name[0] != "_")


# As a stream


def test_a_stream_ends_with_the_data(claude, claude_emulator):
    """Events come as ever."""
    claude_emulator.answer(GOOD)
    with claude.stream("Which?", as_=City) as stream:
        assert "".join(event.text for event in stream if event.text) == GOOD
        assert stream.reply.data.name == "Oslo"
    assert len(bodies(claude_emulator)) == 1


def test_a_stream_repairs_as_ask_does(claude, claude_emulator):
    """An event says that another round begins, and why; then the events of the repair come."""
    claude_emulator.answer("no", GOOD)
    with claude.stream("Which?", as_=City) as stream:
        events = list(stream)
        assert stream.reply.data.name == "Oslo"
    (at,) = [number for number, event in enumerate(events) if event.type == "round"]
    assert events[at].data["reason"].startswith("did not match")
    assert "".join(event.text for event in events[:at]) == "no"
    assert "".join(event.text for event in events[at:]) == GOOD
    assert stream.reply.usage.output_tokens > 0
    assert len(bodies(claude_emulator)) == 2


def test_a_stream_that_does_not_fit_twice_is_an_error_when_its_reply_is_read(claude, claude_emulator):
    """What came was drawn before; there is no third round."""
    claude_emulator.answer("no", "no again")
    with claude.stream("Which?", as_=City) as stream:
        assert "no again" in "".join(event.text for event in stream)
        with pytest.raises(errors.AnswerInvalid):
            _ = stream.reply
    assert len(bodies(claude_emulator)) == 2


# In a notebook


@pytest.fixture
def shell(shell) -> Shell:
    shell.ip.user_ns.update(City=City, Typed=Typed, Kind=Kind, SCHEMA=SCHEMA, typing=typing)
    return shell


EXPRESSIONS = [
    ("City", OSLO, City("Oslo", 7, Kind.CITY, Place(59.9, 10.7), ["capital"])),
    ("list[Typed]", {"items": [{"name": "Oslo", "people": 7}]}, [{"name": "Oslo", "people": 7}]),
    ("SCHEMA", {"name": "Oslo", "people": 7}, {"name": "Oslo", "people": 7}),
    ('Literal["a", "b"]', {"value": "b"}, "b"),
    ("int", {"value": 3}, 3),
    ("Kind", {"value": "city"}, Kind.CITY),
    ("list[int]", {"items": [1]}, [1]),
]


@pytest.mark.parametrize(("expression", "data", "wanted"), EXPRESSIONS, ids=[row[0] for row in EXPRESSIONS])
def test_the_option_takes_a_type_by_its_name(shell, expression, data, wanted):
    """Read by a parser, never evaluated."""
    shell.emulator.answer(json.dumps(data))
    shell.ok(f"%%claude answer --as '{expression}'\nWhich?")
    assert shell.ip.user_ns["answer"].data == wanted


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("Citty", "Did you mean City?"),
        ("list[Citty]", "Did you mean City?"),
        ("open('x')", ""),
        ("City()", ""),
        ("1 + 1", ""),
        ("[].append", ""),
        ("lambda: 1", ""),
        ("object", ""),
    ],
)
def test_what_is_no_type_is_refused_before_anything_is_sent(shell, expression, said):
    """With the nearest name, or what a type may be."""
    error = shell.error(f'%%claude answer --as "{expression}"\nWhich?')
    assert isinstance(error, errors.OptionError)
    assert said in str(error)
    assert error.cure
    assert not shell.asked


CUT = Reply(content='{"name": "Os', stop_reason="max_tokens")
UNFIT = {
    "another text": (["no", "no, again"], "no, again", errors.AnswerInvalid),
    "half of the data": ([CUT], '{"name": "Os', errors.AnswerTruncated),
    "no answer": ([Reply(content="I will not.", stop_reason="refusal")], "I will not.", errors.AnswerRefused),
}


@pytest.mark.parametrize(("answers", "text", "kind"), UNFIT.values(), ids=UNFIT)
def test_an_answer_that_does_not_fit_is_in_the_variable_without_data(shell, answers, text, kind):
    """It was paid for, in all its rounds, and a cell has no hold of the error; the next question may go on from it."""
    shell.ip.user_ns["answer"] = "old"
    shell.emulator.answer(*answers)
    error = shell.error("%%claude answer --as City\nWhich?")
    assert type(error) is kind
    reply = shell.ip.user_ns["answer"]
    assert (reply.text, reply.data, len(reply.rounds)) == (text, None, len(answers))
    shell.emulator.answer("Well.")
    assert shell.ok("%%claude --after answer\nWhy?").text == "Well."
    assert shell.body["messages"][-2]["content"] == text


WHERE_THE_TEXT_IS = {
    "%%claude answer --as City\nWhich?": "answer.text",
    "%%claude --as City\nWhich?": "NAME.text of %%claude NAME",
    "%claude -q --as City Which?": "NAME.text of %%claude NAME",
}


@pytest.mark.parametrize(("cell", "place"), WHERE_THE_TEXT_IS.items())
def test_the_cure_of_an_answer_that_does_not_fit_can_be_followed_in_a_cell(shell, cell, place):
    shell.emulator.answer("no", "no")
    assert shell.error(cell).cure.startswith(f"The raw text is in {place}. Ask again")
    if place == "answer.text":
        assert shell.ok(place) == "no"


@pytest.mark.parametrize("kind", ["df", "City", "list[City]"])
def test_code_of_a_typed_answer_is_refused_before_sending(shell, kind):
    """It has none. A setting is for all questions, and gives way."""
    for more in ("", " --dry-run"):
        error = shell.error(f"%%claude --as {kind} -f code{more}\nWhich?")
        assert "--as and --format code cannot be combined." in str(error)
    assert not shell.asked
    shell.ok("%config ClaudeMagics.format = 'code'")
    shell.emulator.answer(GOOD, GOOD)
    shell.ok("%%claude --as City\nWhich?")
    assert "no Python code" not in shell.page.text
    assert shell.ok("%%claude --as City -f json\nWhich?").data


def test_a_repair_is_shown(shell):
    """What was wrong with the first answer stands below the second, whose cost counts both."""
    shell.emulator.answer('{"name": "Oslo"}', GOOD)
    shell.ok("%%claude answer --as City\nWhich?")
    assert "The first answer did not match" in shell.page.text
    assert "requested again" in shell.page.text
    assert "| people | 7 |" in shell.page.text


def test_of_a_table_that_is_cut_off_the_rows_that_came_are_shown(shell):
    """Rows, not half of a JSON text; the text is in the error."""
    text = '{"items": [{"name": "Oslo", "people": 7}, {"name": "Ber'
    shell.emulator.answer(Reply(content=text, stop_reason="max_tokens"))
    error = shell.error("%%claude answer --as list[Typed]\nWhich?")
    assert "| Oslo | 7 |" in shell.page.text
    assert "{" not in shell.page.text
    assert error.reply.text == text


def test_rows_appear_while_they_come(shell):
    """A growing table, and no JSON at any moment."""
    rows = [{"name": f"City {number}", "people": number} for number in range(20)]
    shell.emulator.answer(Reply(content=json.dumps({"items": rows}), fault=Fault(split=400, drip=0.01)))
    shell.ok("%%claude answer --as list[Typed]\nWhich?")
    growing = [text.count("City ") for text in shell.page.drawn]
    assert growing == sorted(growing)
    assert len({count for count in growing if 0 < count < 20}) >= 2
    assert not any("{" in text for text in shell.page.drawn)
    assert growing[-1] == 20
