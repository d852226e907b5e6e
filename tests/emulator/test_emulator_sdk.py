"""The official SDK, pointed at the emulator, completes what it can do on Vertex AI and parses every field."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import anthropic
import pytest

from vertex_claude_magic.emulator import Emulator, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

SONNET_45 = "claude-sonnet-4-5@20250929"
TOOL = {
    "name": "weather",
    "description": "The weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
# one model of each class of rules, with a thinking setting that it takes
CLASSES = [
    ("claude-haiku-4-5@20251001", {"type": "enabled", "budget_tokens": 1024}),
    ("claude-opus-4-5@20251101", {"type": "enabled", "budget_tokens": 1024}),
    ("claude-sonnet-4-6", {"type": "adaptive"}),
    ("claude-opus-4-8", {"type": "adaptive", "display": "summarized"}),
    ("claude-opus-5", {"type": "adaptive", "display": "summarized"}),
    ("claude-opus-5-5", {"type": "adaptive", "display": "summarized"}),
    ("claude-sonnet-5-5", {"type": "adaptive", "display": "summarized"}),
    ("claude-haiku-5-5", {"type": "adaptive", "display": "summarized"}),
    ("claude-fable-5-1", {"type": "adaptive", "display": "summarized"}),
]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator) -> Iterator[anthropic.AnthropicVertex]:
    with anthropic.AnthropicVertex(
        region="global",
        project_id=emulator.project,
        base_url=emulator.base_url,
        access_token="emulator",
        max_retries=0,
    ) as client:
        yield client


def hello(**more):
    return {"max_tokens": 4000, "messages": [{"role": "user", "content": "Hello"}], **more}


def test_create_returns_a_message_with_usage(client):
    message = client.messages.create(model=SONNET_45, **hello())
    assert message.id.startswith("msg_vrtx_")
    assert (message.model, message.role, message.stop_reason) == (
        "claude-sonnet-4-5-20250929",
        "assistant",
        "end_turn",
    )
    assert "emulator" in message.content[0].text
    assert message.usage.input_tokens > 0
    assert message.usage.output_tokens > 0
    assert message.usage.cache_creation.ephemeral_5m_input_tokens == 0


def test_stream_accumulates_to_the_same_text(client, emulator):
    emulator.answer("one two three")
    with client.messages.stream(model=SONNET_45, **hello()) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text == "one two three"
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 4)


def test_count_tokens_agrees_with_usage(client):
    counted = client.messages.count_tokens(model="claude-sonnet-5", messages=hello()["messages"])
    message = client.messages.create(model="claude-sonnet-5", **hello())
    assert counted.input_tokens == message.usage.input_tokens


@pytest.mark.parametrize(("model", "thinking"), CLASSES, ids=[row[0] for row in CLASSES])
def test_models_of_each_class_think(client, model, thinking):
    message = client.messages.create(model=model, **hello(thinking=thinking))
    with client.messages.stream(model=model, **hello(thinking=thinking)) as stream:
        streamed = stream.get_final_message()
    for reply in (message, streamed):
        assert [block.type for block in reply.content] == ["thinking", "text"]
        assert reply.content[0].thinking
        assert reply.content[0].signature
        assert reply.usage.output_tokens_details.thinking_tokens > 0


def test_a_tool_is_called_and_its_result_answered(client):
    question = {"role": "user", "content": "Please use the tool weather."}
    with client.messages.stream(
        model=SONNET_45, max_tokens=4000, tools=[TOOL], messages=[question]
    ) as stream:
        first = stream.get_final_message()
    call = first.content[-1]
    assert (first.stop_reason, call.name, call.input) == ("tool_use", "weather", {"city": "example"})
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns = [question, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = client.messages.create(model=SONNET_45, max_tokens=4000, tools=[TOOL], messages=turns)
    assert second.stop_reason == "end_turn"


def test_the_tool_runner_goes_round_once(client, emulator):
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"sunny in {city}"

    emulator.answer(
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}, "It is sunny."
    )
    runner = client.beta.messages.tool_runner(model=SONNET_45, tools=[weather], **hello())
    assert runner.until_done().content[0].text == "It is sunny."
    assert emulator.requests[-1].body["messages"][-1]["content"][0]["content"] == "sunny in Oslo"


def test_images_and_documents_are_taken(client):
    png = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "A note."}},
        {"type": "text", "text": "What are these?"},
    ]
    message = client.messages.create(
        model=SONNET_45, max_tokens=4000, messages=[{"role": "user", "content": content}]
    )
    assert "image: `image/png`" in message.content[0].text


def test_every_kind_of_block_and_stop_reason_is_parsed(client, emulator):
    citation = {
        "type": "char_location",
        "cited_text": "A note.",
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 7,
    }
    blocks = [
        {"type": "redacted_thinking", "data": "c2VjcmV0"},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "cited", "citations": [citation]},
    ]
    emulator.answer({"content": blocks, "stop_reason": "refusal", "stop_details": {"type": "refusal", "category": None, "explanation": "no"}})  # fmt: skip
    with client.messages.stream(model=SONNET_45, **hello()) as stream:
        final = stream.get_final_message()
    assert [block.type for block in final.content] == [block["type"] for block in blocks]
    assert final.content[1].input == {"query": "x"}
    assert final.content[3].citations[0].cited_text == "A note."
    assert (final.stop_reason, final.stop_details.explanation) == ("refusal", "no")


ERRORS = [
    ("claude-opus-5-5", {"max_tokens": 0}, anthropic.BadRequestError),
    ("claude-nothing-1", {}, anthropic.NotFoundError),
    ("claude-3-haiku@20240307", {}, anthropic.NotFoundError),
]


@pytest.mark.parametrize(("model", "change", "error"), ERRORS)
def test_refusals_are_the_sdks_own_errors(client, model, change, error):
    with pytest.raises(error):
        client.messages.create(model=model, **hello(**change))


STATUSES = [
    (401, anthropic.AuthenticationError),
    (403, anthropic.PermissionDeniedError),
    (429, anthropic.RateLimitError),
    (500, anthropic.InternalServerError),
    (529, anthropic.InternalServerError),
]


@pytest.mark.parametrize(("status", "error"), STATUSES)
@pytest.mark.parametrize("shape", ["google", "array", "anthropic", "html"])
def test_faults_are_the_sdks_own_errors(client, emulator, status, error, shape):
    emulator.fail(Fault(status=status, shape=shape))
    with pytest.raises(error):
        client.messages.create(model=SONNET_45, **hello())


def test_an_error_event_ends_the_sdks_stream(client, emulator):
    emulator.fail(Fault(error_after=4))
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model=SONNET_45, **hello()) as stream,
    ):
        stream.get_final_message()


def test_the_sdk_waits_and_tries_again(emulator):
    emulator.fail(Fault(status=429, headers={"retry-after-ms": "1"}), Fault(drop=True))
    with anthropic.AnthropicVertex(
        region="us", project_id=emulator.project, base_url=emulator.base_url, access_token="emulator"
    ) as client:
        assert client.messages.create(model="claude-sonnet-5", **hello()).type == "message"
    assert len(emulator.requests) == 3
