"""Functions that Claude calls: what goes over the wire, what runs, and what comes back to the user."""

from __future__ import annotations

import _thread
import asyncio
import json
import threading
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anthropic
import pandas as pd
import pytest
from tool_use import use

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Emulator, Fault, Reply
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.records.budget import worst_case
from vertex_claude_magic.settings.origin import Origin, asking_for, current_origin
from vertex_claude_magic.spelling import in_python

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.vertex.reply import Reply as PlainReply

TEXT = {"type": "text", "text": "Let me look."}


class Weather:
    """Functions that remember their calls."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []

    def temperature(self, city: str) -> float:
        """Temperature of a city.

        Args:
            city: Its name.
        """
        self.calls.append(("temperature", city))
        if city == "Atlantis":
            raise KeyError(city)
        return {"Oslo": -3.5, "Bergen": 4.0}.get(city, 10.0)

    async def rain(self, city: str) -> dict[str, float]:
        """Rain of a city."""
        self.calls.append(("rain", city))
        return {"mm": 2.5}


@pytest.fixture
def weather() -> Weather:
    return Weather()


def results(emulator: Emulator, request: int) -> list[dict[str, Any]]:
    """The last message of a request."""
    return emulator.requests[request].body["messages"][-1]["content"]


def test_calls_of_one_answer_go_back_in_one_message(claude, claude_emulator, weather):
    """In their order, errors marked; the answer goes back as it came."""
    calls = [
        use(1, "temperature", city="Oslo"),
        use(2, "rain", city="Oslo"),
        use(3, "temperature", city="Atlantis"),
    ]
    claude_emulator.answer([TEXT, *calls], "It is cold.")
    reply = claude.ask("Weather?", tools=[weather.temperature, weather.rain])
    assert reply.text == "It is cold."
    assert claude_emulator.requests[1].body["messages"] == [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": [TEXT, *calls]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "-3.5"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": '{"mm": 2.5}'},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_3",
                    "content": "KeyError: 'Atlantis'",
                    "is_error": True,
                },
            ],
        },
    ]


def test_a_coroutine_has_a_loop_of_its_own(claude, claude_emulator, weather, monkeypatch):
    """Where nest_asyncio is applied, as in Colab, `asyncio.run` takes the current loop, which may be closed."""

    def run(_: object) -> None:
        raise RuntimeError("Event loop is closed")

    monkeypatch.setattr("asyncio.run", run)
    claude_emulator.answer([use(1, "rain", city="Oslo")], "Wet.")
    assert claude.ask("Rain?", tools=[weather.rain]).tool_calls[0].result == {"mm": 2.5}


def test_a_coroutine_that_is_stopped_is_cancelled(claude, claude_emulator):
    """It may tidy up, and the interrupt reaches the program."""
    tidied = []

    async def endless() -> None:
        """Wait."""
        waiting = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(interrupt)
        try:
            await waiting
        finally:
            tidied.append("yes")

    def interrupt() -> None:
        raise KeyboardInterrupt

    claude_emulator.answer([use(1, "endless")], "Well.")
    with pytest.raises(errors.ClaudeInterrupt):
        claude.ask("Go.", tools=[endless])
    assert tidied == ["yes"]


def inside_a_loop(ask: Callable[[], PlainReply]) -> PlainReply:
    """What is asked by code that a loop runs, as a cell of Jupyter is."""

    async def cell() -> PlainReply:
        return ask()

    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(cell())
    finally:
        loop.close()


def test_a_coroutine_that_is_called_inside_a_loop_asks_for_the_same_cell(claude, claude_emulator):
    """Though it runs in another thread."""

    async def who() -> str:
        """Tell."""
        return current_origin().run

    claude_emulator.answer([use(1, "who")], "So.")
    with asking_for(Origin(notebook="lesson.ipynb", cell="c1", run="7")):
        reply = inside_a_loop(lambda: claude.ask("Who?", tools=[who]))
    assert reply.tool_calls[0].result == "7"


def test_a_coroutine_that_is_stopped_inside_a_loop_is_cancelled(claude, claude_emulator):
    tidied = threading.Event()

    async def endless() -> None:
        """Wait."""
        _thread.interrupt_main()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            tidied.set()

    claude_emulator.answer([use(1, "endless")], "Well.")
    with pytest.raises(errors.ClaudeInterrupt):
        inside_a_loop(lambda: claude.ask("Go.", tools=[endless]))
    assert tidied.wait(60)


class Refused(Exception):
    """What a function of the user's raises."""


ENDS = {"stop": KeyboardInterrupt(), "an error in confirm": Refused("No."), "closed": None}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_what_ends_between_two_calls_is_over_and_no_whole_answer(claude, claude_emulator, weather, end):
    """Whoever reads on gets an error with what had arrived; no function runs twice, and the conversation is free."""

    def confirm(_: str, arguments: dict[str, Any]) -> bool:
        if arguments == {"city": "Bergen"} and end is not None:
            raise end
        return True

    calls = [use(1, "temperature", city="Oslo"), use(2, "temperature", city="Bergen")]
    claude_emulator.answer([TEXT, *calls], "Hello.")
    stream = claude.chat("weather").stream("Weather?", tools=[weather.temperature], confirm=confirm)
    if end is None:
        next(event for event in stream if event.type == "tool_result")
        stream.close()
    else:
        with pytest.raises(type(end)):
            list(stream)
    for _ in range(2):
        with pytest.raises(errors.StreamInterrupted, match="closed before its end") as caught:
            _ = stream.reply
    partial = caught.value.reply
    assert partial is not None
    assert (partial.text, partial.complete) == ("Let me look.", False)
    assert [call.result for call in partial.tool_calls] == [-3.5]
    assert weather.calls == [("temperature", "Oslo")]
    assert claude.chat("weather").ask("Hi").text == "Hello."


@pytest.mark.parametrize("during", ["a function", "the answer"])
def test_another_thread_may_close_a_question(claude, claude_emulator, during):
    """Such as that of a button: no other function is called, nothing more is sent, and the turn is interrupted."""
    called: list[int] = []
    closer = threading.Thread(target=lambda: stream.close())

    def note(place: int) -> int:
        """Note it."""
        called.append(place)
        closer.start()
        closer.join()
        return place

    if during == "a function":
        claude_emulator.answer([TEXT, use(1, "note", place=1), use(2, "note", place=2)], "Done.")
    else:
        claude_emulator.answer(Reply(content="Let me look. " * 40, fault=Fault(stall_after=900)))
    chat = claude.chat("closed")
    stream = chat.stream("Go.", tools=[note])
    for event in stream:
        if during == "the answer" and event.text and not closer.ident:
            closer.start()
    closer.join()
    with pytest.raises(errors.StreamInterrupted, match="closed before its end"):
        _ = stream.reply
    assert called == ([1] if during == "a function" else [])
    assert len(claude_emulator.requests) == 1
    assert [turn.state for turn in chat.turns] == ["interrupted"]


def test_a_reply_tells_its_calls_and_sums_its_rounds(claude, claude_emulator, weather):
    claude_emulator.answer([use(1, "temperature", city="Oslo")], "Cold.")
    reply = claude.ask("Weather?", tools=[weather.temperature])
    (call,) = reply.tool_calls
    assert (call.name, dict(call.arguments), call.result, call.is_error) == (
        "temperature",
        {"city": "Oslo"},
        -3.5,
        False,
    )
    first, last = reply.rounds
    assert (first.stop_reason, last.stop_reason) == ("tool_use", "end_turn")
    assert reply.usage.output_tokens == first.usage.output_tokens + last.usage.output_tokens
    assert reply.cost == pytest.approx(first.cost + last.cost)
    assert first.tool_calls == reply.tool_calls
    assert last.tool_calls == ()


def test_a_plain_answer_has_one_round(claude, claude_emulator):
    claude_emulator.answer("Four.")
    reply = claude.ask("2 + 2?")
    assert reply.rounds == (reply,)
    assert reply.tool_calls == ()


def test_events_name_each_call_before_and_after_it_runs(claude, claude_emulator, weather):
    """A program that stops the loop at a call has run no further function."""
    claude_emulator.answer(
        [use(1, "temperature", city="Oslo"), use(2, "temperature", city="Bergen")], "Cold."
    )
    seen = []
    with claude.stream("Weather?", tools=[weather.temperature]) as stream:
        for event in stream:
            if event.type in {"tool_call", "tool_result"}:
                seen.append((event.type, event.data["call"].arguments["city"], len(weather.calls)))
            if len(seen) == 3:
                break
    assert seen == [("tool_call", "Oslo", 0), ("tool_result", "Oslo", 1), ("tool_call", "Bergen", 1)]
    assert weather.calls == [("temperature", "Oslo")]
    assert len(claude_emulator.requests) == 1


def test_wrong_arguments_go_back_and_the_function_does_not_run(claude, claude_emulator, weather):
    claude_emulator.answer([use(1, "temperature", town="Oslo"), use(2, "nosuch")], "Sorry.")
    reply = claude.ask("Weather?", tools=[weather.temperature])
    said = [result["content"] for result in results(claude_emulator, 1)]
    assert said == [
        "Invalid arguments. city: Field required; town: Extra inputs are not permitted",
        "There is no tool 'nosuch'.",
    ]
    assert weather.calls == []
    assert [call.is_error for call in reply.tool_calls] == [True, True]


@pytest.mark.parametrize("rounds", [1, 2])
def test_the_last_allowed_request_ends_the_question_and_its_calls_do_not_run(
    claude, claude_emulator, weather, rounds
):
    claude_emulator.answer(*[[use(number, "temperature", city="Oslo")] for number in range(3)])
    with claude.stream("Weather?", tools=[weather.temperature], max_rounds=rounds) as stream:
        reply = stream.reply
        told = [notice.text for notice in stream.notices()]
    assert len(claude_emulator.requests) == rounds
    assert reply.stop_reason == "tool_use"
    assert len(weather.calls) == rounds - 1
    assert any("the last calls were not run. Raise --max-rounds." in text for text in told)


def test_pauses_and_repairs_count_as_requests(claude, claude_emulator, weather):
    """`max_rounds` bounds all requests of a question, whatever asks for them."""
    claude_emulator.answer(*[Reply(content=[TEXT], stop_reason="pause_turn")] * 2)
    with claude.stream("Search.", tools=["web_search"], max_rounds=2) as stream:
        assert stream.reply.stop_reason == "pause_turn"
        told = [notice.text for notice in stream.notices()]
    assert any("Stopped after 2 requests; the service had paused the answer." in text for text in told)
    claude_emulator.answer([use(1, "temperature", city="Oslo")], '{"t": "cold"}')
    schema = {"type": "object", "properties": {"t": {"type": "number"}}, "required": ["t"]}
    with pytest.raises(errors.AnswerInvalid):
        claude.ask("Weather?", tools=[weather.temperature], as_=schema, max_rounds=2)
    assert len(claude_emulator.requests) == 4


def test_a_call_that_was_cut_off_is_not_run(claude, claude_emulator, weather):
    claude_emulator.answer(Reply(content=[use(1, "temperature", city="Os")], stop_reason="max_tokens"))
    reply = claude.ask("Weather?", tools=[weather.temperature])
    assert reply.stop_reason == "max_tokens"
    assert weather.calls == []
    assert len(claude_emulator.requests) == 1


def test_a_call_whose_input_is_no_json_is_not_run_and_an_error_result_says_so(
    claude, claude_emulator, weather
):
    """Case 17: the call goes back with an empty input, because half a JSON is none."""
    broken: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}},
        {"type": "content_block_start", "index": 0, "content_block": use(1, "temperature")},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"city": Os'}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]  # fmt: skip
    claude_emulator.answer(broken, "I see.")
    assert claude.ask("Weather?", tools=[weather.temperature]).text == "I see."
    assert weather.calls == []
    answer, last = claude_emulator.requests[1].body["messages"][1:]
    assert answer["content"] == [use(1, "temperature")]
    assert last["content"] == [
        {
            "type": "tool_result",
            "tool_use_id": "toolu_1",
            "content": "The arguments are not valid JSON, so the call was not run.",
            "is_error": True,
        }
    ]


def test_a_pause_of_the_service_is_continued_as_a_round(claude, claude_emulator):
    """The answer is sent back as it came."""
    claude_emulator.answer(Reply(content=[TEXT], stop_reason="pause_turn"), "Found it.")
    reply = claude.ask("Search.", tools=["web_search"])
    assert reply.text == "Found it."
    assert claude_emulator.requests[1].body["messages"][-1] == {"role": "assistant", "content": [TEXT]}
    assert len(reply.rounds) == 2


ALONE = [
    ({"confirm": True}, "confirm has no effect without tools."),
    ({"confirm": lambda name, arguments: True}, "confirm has no effect without tools."),
    ({"max_rounds": 3}, "max_rounds has no effect without tools."),
    ({"max_rounds": 3, "set": {"tools": []}}, "max_rounds has no effect without tools."),
    ({"confirm": True, "as_": list[int]}, "confirm has no effect without tools."),
]


@pytest.mark.parametrize(
    ("options", "message"), ALONE, ids=["yes", "a function", "rounds", "by hand", "data"]
)
def test_an_option_of_tools_is_pointed_out_where_there_are_none(claude, options, message):
    """The question is asked all the same: code may hand on both, the one empty."""
    stream = claude.stream("Hi", **options)
    assert [str(in_python(notice.text)) for notice in stream.notices()].count(message) == 1
    assert stream.reply.text


FITTING = [{"max_rounds": 1, "as_": list[int]}, {"confirm": False}, {"max_rounds": None}]


@pytest.mark.parametrize("options", FITTING, ids=str)
def test_an_option_that_has_an_effect_without_tools_is_taken(claude, claude_emulator, options):
    """The requests for data are bounded too."""
    claude_emulator.answer("[1]")
    assert claude.ask("Hi", **options).complete


def test_an_option_of_tools_holds_for_those_of_the_conversation(claude, weather):
    """A later turn has the tools of the first."""
    chat = claude.chat("talk")
    chat.ask("Weather?", tools=[weather.temperature])
    names = {"temperature": weather.temperature}
    assert chat.ask("And now?", names=names, confirm=True, max_rounds=2).complete


@pytest.mark.parametrize("answer", [False, None, "yes", 1, "no"])
def test_only_true_confirms_a_call(claude, claude_emulator, weather, answer):
    claude_emulator.answer([use(1, "temperature", city="Oslo")], "As you like.")
    asked = []

    def confirm(name, arguments):
        asked.append((name, dict(arguments)))
        return answer

    claude.ask("Weather?", tools=[weather.temperature], confirm=confirm)
    assert asked == [("temperature", {"city": "Oslo"})]
    assert weather.calls == []
    assert results(claude_emulator, 1)[0]["is_error"] is True


@pytest.mark.parametrize(("typed", "ran"), [("yes", 1), ("y", 0), ("Yes", 0), ("", 0), (EOFError(), 0)])
def test_an_exact_yes_is_typed_to_confirm(claude, claude_emulator, weather, monkeypatch, typed, ran):
    """Where nobody can type, it is no."""

    def answer(prompt: str) -> str:
        assert 'temperature(city="Oslo")' in prompt
        if isinstance(typed, Exception):
            raise typed
        return typed

    monkeypatch.setattr("builtins.input", answer)
    claude_emulator.answer([use(1, "temperature", city="Oslo")], "Well.")
    claude.ask("Weather?", tools=[weather.temperature], confirm=True)
    assert len(weather.calls) == ran


def test_the_limit_of_costs_holds_over_all_rounds(claude, claude_emulator, weather):
    """The second request would cross it, so it is not sent; what the first said is in the error."""
    claude_emulator.answer([use(1, "temperature", city="Oslo")], "Cold.")
    options = {"tools": [weather.temperature], "max_tokens": 1_000}
    request = claude.request("Weather?", **options)
    most = worst_case(request, Catalog.load(), claude.count("Weather?", **options))
    sent = len(claude_emulator.requests)
    with pytest.raises(errors.CostLimitExceeded) as failure:
        # Enough for the first request alone.
        claude.ask("Weather?", **options, max_cost=most * 1.001)
    assert [call.result for call in failure.value.reply.tool_calls] == [-3.5]
    assert sum("count-tokens" not in each.path for each in claude_emulator.requests[sent:]) == 1


def large() -> str:
    """A long text."""
    return "word " * 10_000


def frame() -> pd.DataFrame:
    """A table."""
    return pd.DataFrame({"city": ["Oslo", "Bergen"], "mass": [1.5, None]})


def figure():
    """A picture."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot([1, 2])
    return drawn


def nothing() -> None:
    """Nothing."""


def secret() -> str:
    """A key."""
    return "sk-ant-" + "a1B2" * 10


@pytest.mark.parametrize(
    ("function", "kinds", "holds"),
    [
        (large, "text", "[cut: the first"),
        (frame, "text", "Bergen"),
        (figure, "image", ""),
        (nothing, "text", "null"),
        (secret, "text", "seems to contain an Anthropic key"),
    ],
)
def test_a_result_goes_back_as_what_it_is(claude, claude_emulator, function, kinds, holds):
    claude_emulator.answer([use(1, function.__name__)], "Thanks.")
    with claude.stream("Go.", tools=[function]) as stream:
        _ = stream.reply
        told = " ".join(notice.text for notice in stream.notices())
    (result,) = results(claude_emulator, 1)
    content = result["content"]
    if kinds == "image":
        assert "image" in [block["type"] for block in content]
    else:
        assert holds in (content if isinstance(content, str) else json.dumps(content))
    if function is large:
        assert "large returned more than value_tokens (4,000) allows" in told
    if function is secret:
        assert "sk-ant-" not in json.dumps(claude_emulator.requests[1].body)


def missing(file: str) -> str:
    """Reads a file."""
    raise FileNotFoundError(2, "No such file", f"/home/someone/my data/{file}")


def wordless() -> str:
    """Fails without a message."""

    class WordlessError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    raise WordlessError


@dataclass
class Share:
    part: float

    def __post_init__(self) -> None:
        if self.part > 1:
            raise KeyError(self.part)


def take(share: Share) -> float:
    """A share."""
    return share.part


def key_in_error() -> None:
    """Fails with a key."""
    raise ValueError("sk-ant-" + "a1B2" * 10)


def leave() -> None:
    """Ends the program."""
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        (missing, {"file": "a.csv"}, "FileNotFoundError: [Errno 2] No such file: 'a.csv'"),
        (wordless, {}, "WordlessError: (no message)"),
        (take, {"share": {"part": 2}}, "KeyError: 2.0"),
        (key_in_error, {}, "The result seems to contain an Anthropic key, so it was not sent."),
        (leave, {}, "SystemExit: 3"),
    ],
)
def test_whatever_a_function_raises_is_an_error_result(claude, claude_emulator, function, arguments, said):
    """The question goes on, and neither a folder of this machine nor a secret goes out."""
    claude_emulator.answer([use(1, function.__name__, **arguments)], "I see.")
    assert claude.ask("Go.", tools=[function]).text == "I see."
    (result,) = results(claude_emulator, 1)
    assert (result["content"], result["is_error"]) == (said, True)


ROWS = [
    [{"type": "document", "title": "a"}, {"type": "text", "n": 3}],
    [{"type": "text", "text": "first", "n": 1}, {"type": "text", "text": "second", "n": 2}],
    [{"type": "text", "text": "first", "id": "a"}],
    [{"type": "image", "source": {"file": "a.png"}}],
    [{"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}, "width": 40}],
    [{"type": "search_result", "content": ["a", "b"]}],
    [{"type": "text", "text": "a block"}, {"type": "heading", "text": "a row"}],
]


@pytest.mark.parametrize("rows", ROWS, ids=[str(index) for index in range(len(ROWS))])
def test_rows_that_only_look_like_content_blocks_are_data(claude, claude_emulator, rows):
    """The service would refuse them as blocks."""

    def read() -> list[dict[str, Any]]:
        """Data with a column called type."""
        return rows

    claude_emulator.answer([use(1, "read")], "Two.")
    assert claude.ask("Go.", tools=[read]).text == "Two."
    assert json.loads(results(claude_emulator, 1)[0]["content"]) == rows


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
@pytest.mark.parametrize("text", ["", "end"])
def test_a_content_block_without_text_is_left_out(claude, claude_emulator, blank, text):
    """The service refuses it, and the question would end there."""

    def read() -> list[dict[str, Any]]:
        """Blocks."""
        return [{"type": "text", "text": blank}, *([{"type": "text", "text": text}] if text else [])]

    claude_emulator.answer([use(1, "read")], "Yes.")
    assert claude.ask("Go.", tools=[read]).text == "Yes."
    expected = [{"type": "text", "text": text}] if text else ""
    assert results(claude_emulator, 1)[0]["content"] == expected


def long_blocks() -> list[dict[str, Any]]:
    """Blocks."""
    return [{"type": "text", "text": "word " * 10_000}, {"type": "text", "text": "end"}]


def test_a_long_text_is_cut_also_in_a_content_block(claude, claude_emulator):
    claude_emulator.answer([use(1, "long_blocks")], "Thanks.")
    with claude.stream("Go.", tools=[long_blocks]) as stream:
        _ = stream.reply
        told = " ".join(notice.text for notice in stream.notices())
    long, short = results(claude_emulator, 1)[0]["content"]
    assert "[cut: the first" in long["text"]
    assert short["text"] == "end"
    assert "long_blocks returned more than value_tokens (4,000) allows" in told


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["nosuch"], "No function named 'nosuch'."),
        (["temperatur"], "Did you mean temperature?"),
        (["web_fetch"], "web_fetch is not available on Vertex AI"),
        (["code_execution"], "code_execution is not available on Vertex AI"),
        (["temperature,temperature"], "Two tools have the name 'temperature'."),
        (["a.b"], "is not a name"),
        ([","], "names no tool"),
        ([""], "names no tool"),
    ],
)
def test_a_tool_that_is_not_there_is_refused_before_anything_is_sent(
    claude, claude_emulator, weather, given, said
):
    with pytest.raises(errors.OptionError) as caught:
        claude.ask("x", tools=given, names={"temperature": weather.temperature})
    assert said in str(caught.value)
    assert claude_emulator.requests == []


def test_web_search_is_asked_for_in_the_version_that_vertex_serves(claude):
    assert claude.request("x", tools=["web_search"]).body["tools"] == [
        {"type": "web_search_20250305", "name": "web_search"}
    ]


@pytest.mark.parametrize("store", ["journal", "recording"])
def test_a_replay_calls_no_function_again(claude, claude_emulator, weather, tmp_path, store):
    """All rounds come from the record, and the results with them."""
    kept = str(tmp_path / "lesson.claude")
    options = {"recording": kept} if store == "recording" else {}
    claude_emulator.answer([use(1, "temperature", city="Oslo")], "Cold.")
    with warnings.catch_warnings():
        first = claude.ask("Weather?", tools=[weather.temperature], **options)
    sent, weather.calls = len(claude_emulator.requests), []
    if store == "recording":
        options["journal"] = "off"
    again = claude.ask("Weather?", tools=[weather.temperature], replay="only", **options)
    assert (again.text, again.replayed, again.cost) == ("Cold.", True, 0.0)
    assert [call.content for call in again.tool_calls] == [call.content for call in first.tool_calls]
    assert weather.calls == []
    assert len(claude_emulator.requests) == sent


def test_refresh_calls_the_functions_again(claude, claude_emulator, weather):
    claude_emulator.answer([use(1, "temperature", city="Oslo")], "Cold.")
    claude.ask("Weather?", tools=[weather.temperature])
    claude_emulator.answer([use(1, "temperature", city="Oslo")], "Colder.")
    assert claude.ask("Weather?", tools=[weather.temperature], replay="refresh").text == "Colder."
    assert len(weather.calls) == 2


THOUGHT = {"type": "thinking", "thinking": "Which city?", "signature": "sig"}
CITED = {
    "type": "web_search_result_location",
    "url": "https://example.org",
    "title": None,
    "encrypted_index": "i",
    "cited_text": "c",
}
SEARCHED = [
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Oslo"}},
    {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": [
            {
                "type": "web_search_result",
                "url": "https://example.org",
                "title": "Oslo",
                "encrypted_content": "e",
                "page_age": None,
            }
        ],
    },
    {"type": "text", "text": "Cold.", "citations": [CITED]},
]
SCRIPTS: dict[str, list[Any]] = {
    "one call after another": [
        [TEXT, use(1, "temperature", city="Oslo")],
        [use(2, "temperature", city="Bergen")],
        "Cold.",
    ],
    "two calls behind thinking": [
        [THOUGHT, TEXT, use(1, "temperature", city="Oslo"), use(2, "temperature", city="Bergen")],
        [THOUGHT, {"type": "text", "text": "Cold."}],
    ],
    "a call behind a search": [[*SEARCHED, use(1, "temperature", city="Oslo")], "Cold."],
    "a pause": [Reply(content=SEARCHED, stop_reason="pause_turn"), "Cold."],
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_the_loop_sends_what_the_official_runner_sends(claude, claude_emulator, weather, script):
    """The same messages for the same functions and answers, whatever they hold.

    Three differences, each of them better: the schema forbids unknown arguments, which the function cannot take; an
    error is its type and message and no repr; any JSON is a result, where the runner takes texts and blocks only.
    """
    claude_emulator.answer(*script)
    claude.ask("Weather?", tools=[weather.temperature], model="claude-sonnet-5-5")
    ours = [received.body for received in claude_emulator.requests]

    @anthropic.beta_tool
    def temperature(city: str) -> str:
        """Temperature of a city.

        Args:
            city: Its name.
        """
        return json.dumps(weather.temperature(city))

    claude_emulator.answer(*script)
    with anthropic.AnthropicVertex(
        region="global",
        project_id=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
    ) as client:
        runner = client.beta.messages.tool_runner(
            model="claude-sonnet-5-5",
            max_tokens=16_000,
            tools=[temperature],
            messages=[{"role": "user", "content": "Weather?"}],
        )
        assert runner.until_done().content[-1].text == "Cold."
    theirs = [received.body for received in claude_emulator.requests[len(ours) :]]
    assert len(ours) == len(theirs) == len(script)
    for own, other in zip(ours, theirs, strict=True):
        assert [plain(each) for each in own["messages"]] == [plain(each) for each in other["messages"]]
    (own,), (other,) = ours[0]["tools"], theirs[0]["tools"]
    assert own["name"] == other["name"]
    assert own["description"] == other["description"]
    assert own["input_schema"]["required"] == other["input_schema"]["required"]
    described = {
        name: {key: value for key, value in part.items() if key != "title"}
        for name, part in other["input_schema"]["properties"].items()
    }
    assert own["input_schema"]["properties"] == described


def plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message without the nulls that the runner sends along, but those of titles, which requests want."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: part if key == "input" else cleaned(part)
                for key, part in value.items()
                if part is not None or key == "title"
            }
        return [cleaned(part) for part in value] if isinstance(value, list) else value

    blocks = cleaned(message["content"])
    return {**message, "content": blocks}


class Broken(Exception):
    """What the code of a user's own class raises."""


def broken(*_, **__):
    raise Broken("no rows yet")


def with_annotation(column):
    return column


with_annotation.__annotations__ = {"column": type("Odd", (), {"__repr__": broken})()}


def with_default(column=type("Odd", (), {"__repr__": broken})()):  # noqa: B008 - what is tested
    return column


RAISING = {
    "its signature": type("Odd", (), {"__signature__": property(broken), "__call__": broken})(),
    "its name": type("Odd", (), {"__name__": property(broken), "__call__": broken})(),
    "any attribute": type("Odd", (), {"__getattr__": broken, "__call__": broken})(),
    "an annotation": with_annotation,
    "a default": with_default,
}


@pytest.mark.parametrize("given", RAISING.values(), ids=RAISING.keys())
def test_a_tool_whose_code_raises_where_it_is_described_is_refused_in_one_line(claude, given):
    with pytest.raises(
        errors.OptionError, match=r"could not be read: Broken: no rows yet\. Write a plain fu"
    ) as caught:
        claude.request("Hi", tools=[given])
    assert isinstance(caught.value.__cause__, Broken)
