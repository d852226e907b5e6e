"""What the emulator answers when all is well: canned and scripted replies, usage, lists, and who may ask."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from vertex_claude_magic.emulator import Emulator, Flood
from vertex_claude_magic.emulator.http.wire import end_all
from vertex_claude_magic.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

SONNET_45 = "claude-sonnet-4-5@20250929"
OPUS_55 = "claude-opus-5-5"
AUTHORIZED = {"Authorization": "Bearer emulator"}
TOOL = {
    "name": "weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
    },
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def url(emulator: Emulator, model: str = SONNET_45, verb: str = "rawPredict") -> str:
    return f"{emulator.base_url}/projects/{emulator.project}/locations/global/publishers/anthropic/models/{model}:{verb}"


def body(prompt: Any = "Hello", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"anthropic_version": "vertex-2023-10-16", "max_tokens": 2000, "messages": messages, **more}


def ask(emulator: Emulator, prompt: Any = "Hello", *, model: str = SONNET_45, **more: Any) -> dict[str, Any]:
    response = requests.post(url(emulator, model), json=body(prompt, **more), headers=AUTHORIZED, timeout=120)
    assert response.status_code == 200, response.text
    return response.json()


def stream(
    emulator: Emulator, prompt: Any = "Hello", *, model: str = SONNET_45, **more: Any
) -> list[dict[str, Any]]:
    target = url(emulator, model, "streamRawPredict")
    response = requests.post(target, json=body(prompt, stream=True, **more), headers=AUTHORIZED, timeout=120)
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    return [
        json.loads(block.partition("data: ")[2]) for block in response.content.decode().strip().split("\n\n")
    ]


def text_of(message: dict[str, Any]) -> str:
    return "".join(block.get("text", "") for block in message["content"])


def test_the_canned_answer_says_that_it_is_the_emulator_and_describes_the_request(emulator):
    png = base64.b64encode(b"\x89PNG" + bytes(296)).decode()
    prompt = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}},
        {"type": "text", "text": "What `is` this | and <b>that</b>?\n# not a heading"},
    ]
    answer = text_of(ask(emulator, prompt, system="Be brief.", tools=[TOOL], max_tokens=1999))
    assert "This is the emulator, not Claude" in answer.split("\n\n")[1]
    for fact in (
        SONNET_45,
        "`global`",
        "`1999`",
        "image: `image/png`, 300 bytes",
        "`weather`",
        "`Be brief.`",
    ):
        assert fact in answer
    assert "`` What `is` this   and <b>that</b>? # not a heading ``" in answer
    assert 6 <= len(answer.strip().split("\n\n")) <= 15


def test_streamed_and_unary_answers_are_the_same(emulator):
    emulator.answer("one two three", "one two three")
    events = stream(emulator)
    kinds = [event["type"] for event in events]
    assert kinds[:3] == ["message_start", "ping", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    deltas = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert deltas == ["one ", "two ", "three"]
    assert text_of(ask(emulator)) == "one two three"


def test_ids_and_model_look_like_those_of_vertex(emulator):
    message = ask(emulator)
    assert message["id"].startswith("msg_vrtx_")
    assert message["model"] == "claude-sonnet-4-5-20250929"


def test_a_stream_needs_the_verb_and_the_flag(emulator):
    for verb, flag in (("rawPredict", True), ("streamRawPredict", False)):
        response = requests.post(
            url(emulator, verb=verb), json=body(stream=flag), headers=AUTHORIZED, timeout=120
        )
        assert response.json()["type"] == "message"


def test_text_stops_at_a_stop_sequence(emulator):
    emulator.answer("one END two")
    message = ask(emulator, stop_sequences=["STOP", "END"])
    assert (text_of(message), message["stop_reason"], message["stop_sequence"]) == (
        "one ",
        "stop_sequence",
        "END",
    )


def test_text_is_cut_at_max_tokens(emulator):
    emulator.answer("x" * 100)
    message = ask(emulator, max_tokens=5)
    assert (len(text_of(message)), message["stop_reason"], message["usage"]["output_tokens"]) == (
        20,
        "max_tokens",
        5,
    )


def test_a_tools_input_can_be_cut_in_the_middle_of_its_json(emulator):
    events = stream(emulator, "use the tool weather", tools=[TOOL], tool_choice={"type": "any"}, max_tokens=3)
    pieces = [event["delta"]["partial_json"] for event in events if event["type"] == "content_block_delta"]
    assert len("".join(pieces)) == 12
    assert events[-2]["delta"]["stop_reason"] == "max_tokens"


@pytest.mark.parametrize(
    ("prompt", "choice"),
    [("use the tool `weather`", {}), ("Hi", {"tool_choice": {"type": "any"}}), ("Hi", {"tool_choice": {"type": "tool", "name": "weather"}})],
)  # fmt: skip
def test_a_tool_is_called_when_the_prompt_names_it_or_the_choice_forces_it(emulator, prompt, choice):
    message = ask(emulator, prompt, tools=[TOOL], **choice)
    call = message["content"][-1]
    assert message["stop_reason"] == "tool_use"
    assert (call["type"], call["name"], call["input"]) == (
        "tool_use",
        "weather",
        {"city": "example", "days": 3},
    )


def test_a_tool_result_is_answered_with_text(emulator):
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
    turns = [
        {"role": "user", "content": "use the tool weather"},
        {"role": "assistant", "content": [call]},
        {"role": "user", "content": [result]},
    ]
    message = ask(emulator, tools=[TOOL], messages=turns)
    assert message["stop_reason"] == "end_turn"
    assert "sunny" in text_of(message)


def test_a_structured_output_fits_its_schema(emulator):
    schema = {"type": "object", "properties": {"names": {"type": "array", "items": {"$ref": "#/$defs/name"}}}, "$defs": {"name": {"type": "string", "minLength": 9}}}  # fmt: skip
    message = ask(emulator, output_config={"format": {"type": "json_schema", "schema": schema}})
    assert json.loads(text_of(message)) == {"names": ["examplexx"]}


THINKING = [
    (SONNET_45, {}, None),
    (SONNET_45, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
    (OPUS_55, {}, False),
    (OPUS_55, {"thinking": {"type": "adaptive", "display": "summarized"}}, True),
    ("claude-sonnet-5", {"thinking": {"type": "disabled"}}, None),
    ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, None),
]


@pytest.mark.parametrize(("model", "change", "shown"), THINKING)
def test_thinking_comes_first_and_is_shown_when_asked_for(emulator, model, change, shown):
    first = ask(emulator, model=model, **change)["content"][0]
    assert first["type"] == ("text" if shown is None else "thinking")
    if shown is not None:
        assert bool(first["thinking"]) is shown
        assert first["signature"]


CACHED = [{"type": "text", "text": "x" * 8000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]


def test_a_second_identical_prefix_is_read_from_the_cache(emulator):
    first, second = (ask(emulator, system=CACHED)["usage"] for _ in range(2))
    assert (first["cache_creation_input_tokens"], first["cache_read_input_tokens"]) == (2000, 0)
    assert first["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2000}
    assert (second["cache_creation_input_tokens"], second["cache_read_input_tokens"]) == (0, 2000)
    assert first["input_tokens"] == second["input_tokens"] == 5


EVENTS = [
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "as given"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]  # fmt: skip
SCRIPTED = [
    "as given",
    {"type": "text", "text": "as given"},
    [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "as given"}],
    {"content": [{"type": "text", "text": "as given"}], "stop_reason": "refusal"},
    EVENTS,
    Flood(count=1, text="as given"),
]


@pytest.mark.parametrize("reply", SCRIPTED, ids=["text", "block", "blocks", "message", "events", "flood"])
def test_a_reply_can_be_given_in_any_form(emulator, reply):
    emulator.answer(reply, reply)
    deltas = [event["delta"] for event in stream(emulator) if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == "as given"
    assert text_of(ask(emulator)) == "as given"


def test_a_whole_message_keeps_what_it_says(emulator):
    message = {
        "id": "msg_1",
        "content": "no",
        "stop_reason": "refusal",
        "usage": {"input_tokens": 1},
        "extra": 1,
    }
    emulator.answer(message, message)
    assert ask(emulator) == {**ask_shape(), **message, "content": [{"type": "text", "text": "no"}]}
    assert stream(emulator)[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "refusal", "stop_sequence": None},
        "usage": {"input_tokens": 1},
    }


def ask_shape() -> dict[str, Any]:
    return {
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5-20250929",
        "stop_sequence": None,
    }


def test_raw_bytes_are_the_body_of_the_stream(emulator):
    emulator.answer(b": comment\r\n\r\ndata: {}\r\r")
    target = url(emulator, verb="streamRawPredict")
    response = requests.post(target, json=body(stream=True), headers=AUTHORIZED, timeout=120)
    assert response.content == b": comment\r\n\r\ndata: {}\r\r"


def test_a_reply_of_no_known_form_is_refused(emulator):
    with pytest.raises(OptionError, match="float"):
        emulator.answer(1.5)


def test_a_script_answers_by_the_model_too(tmp_path):
    script = tmp_path / "script.json"
    script.write_text(
        '[{"match": "sky", "model": "haiku", "reply": "blue"}, {"match": "sky", "reply": "grey"}]'
    )
    with Emulator(script=script) as emulator:
        for model, said in (("claude-haiku-5-5", "blue"), ("claude-sonnet-5-5", "grey")):
            assert text_of(ask(emulator, "the sky", model=model)) == said


def test_a_script_answers_by_the_words_of_the_prompt_and_else_in_order(tmp_path):
    script = tmp_path / "script.json"
    script.write_text('[{"match": "sky", "reply": "blue"}, {"reply": "first"}, {"fault": {"status": 529}}]')
    with Emulator(script=script) as emulator:
        assert [text_of(ask(emulator, prompt)) for prompt in ("the sky", "?", "sky?")] == [
            "blue",
            "first",
            "blue",
        ]
        assert requests.post(url(emulator), json=body(), headers=AUTHORIZED, timeout=120).status_code == 529
        assert "emulator" in text_of(ask(emulator))


def test_a_script_can_be_one_stream(tmp_path):
    script = tmp_path / "answer.sse"
    script.write_bytes(b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in EVENTS))
    with Emulator(script=script) as emulator:
        assert [event["type"] for event in stream(emulator)][-1] == "message_stop"


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"match": "x"}]', '[{"reply": "x", "when": 1}]'])
def test_a_broken_script_is_refused_by_name(tmp_path, text):
    script = tmp_path / "script.json"
    script.write_text(text)
    with pytest.raises(OptionError, match=r"script\.json"):
        Emulator(script=script)


def test_pace_spreads_the_deltas():
    with Emulator(pace=0.005) as emulator:
        emulator.answer("one two three")
        start = time.monotonic()
        assert len(stream(emulator)) == 9
        assert time.monotonic() - start >= 8 * 0.005


def test_the_model_list_comes_in_pages(emulator):
    first = _get(emulator, "/v1beta1/publishers/anthropic/models?pageSize=3")
    second = _get(
        emulator, f"/v1beta1/publishers/anthropic/models?pageSize=3&pageToken={first['nextPageToken']}"
    )
    names = [entry["name"] for page in (first, second) for entry in page["publisherModels"]]
    assert len(set(names)) == 6
    one = _get(emulator, "/v1/publishers/anthropic/models/claude-sonnet-4-5")
    assert (one["name"], one["versionId"]) == ("publishers/anthropic/models/claude-sonnet-4-5", "20250929")
    missing = requests.get(
        f"{emulator.base_url}/publishers/anthropic/models/x", headers=AUTHORIZED, timeout=120
    )
    assert missing.json()["error"]["status"] == "NOT_FOUND"


def _get(emulator: Emulator, path: str) -> Any:
    return requests.get(emulator.origin + path, headers=AUTHORIZED, timeout=120).json()


def test_every_request_is_kept_for_inspection(emulator):
    requests.post(url(emulator) + "?alt=json", json=body(), headers={**AUTHORIZED, "X-Odd": "1"}, timeout=120)
    seen = emulator.requests[0]
    assert (seen.method, seen.query, seen.headers["x-odd"]) == ("POST", {"alt": "json"}, "1")
    assert seen.path == url(emulator).removeprefix(emulator.origin)
    assert seen.body == json.loads(seen.raw) == body()
    assert seen.host == emulator.origin.removeprefix("http://")


def test_one_connection_serves_many_calls(emulator):
    with requests.Session() as session:
        for _ in range(3):
            session.post(
                url(emulator, verb="streamRawPredict"),
                json=body(stream=True),
                headers=AUTHORIZED,
                timeout=120,
            )
        pools = session.get_adapter(emulator.origin).poolmanager.pools
        assert [pools[key].num_connections for key in pools.keys()] == [1]  # noqa: SIM118 - no mapping


def test_an_unknown_address_is_an_html_page(emulator):
    response = requests.get(emulator.origin + "/v1/messages", headers=AUTHORIZED, timeout=120)
    assert (response.status_code, response.headers["Content-Type"]) == (404, "text/html; charset=utf-8")


def test_an_emulator_that_closes_waits_for_requests_that_still_come_in():
    """A task that nobody waits for would be destroyed with the event loop, and Python would complain."""

    async def close() -> list[asyncio.Task]:
        calls: set[asyncio.Task] = set()
        seen: list[asyncio.Task] = []

        def begin(more: int) -> None:
            task = asyncio.ensure_future(stay(more))
            seen.append(task)
            calls.add(task)
            task.add_done_callback(calls.discard)

        async def stay(more: int) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                if more:
                    begin(more - 1)

        begin(3)
        await asyncio.sleep(0)
        await end_all(calls)
        return seen

    loop = asyncio.SelectorEventLoop()
    try:
        assert [task.done() for task in loop.run_until_complete(close())] == [True] * 4
    finally:
        loop.close()
