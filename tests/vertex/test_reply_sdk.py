"""The fold of a stream against the official SDK: the same bytes give the same message.

Each file in `streams/` is one answer as it comes over the wire. The SDK reads it through its own HTTP client
from a transport that needs no network. One difference is intended: of a tool input that was cut the SDK
keeps the fields that had arrived, and this package keeps the text, so that no tool runs on half an input.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import httpx2
import pytest
from anthropic import AnthropicVertex, types

from vertex_claude_magic.vertex.events import MessageDecoder
from vertex_claude_magic.vertex.reply import Reply, Usage
from vertex_claude_magic.vertex.reply_builder import ReplyBuilder

STREAMS = {
    path.stem: path.read_bytes()
    for path in sorted(Path(__file__).parents[1].joinpath("streams").glob("*.sse"))
}
CUT = "tool_input_cut"
ALIKE = [name for name in STREAMS if name != CUT]
COMPARED = ("id", "model", "stop_reason", "stop_sequence", "stop_details")


def ours(data: bytes) -> Reply:
    """Our reply to a stream."""
    builder, decoder = ReplyBuilder(), MessageDecoder()
    for event in decoder.feed(data):
        builder.add(event)
    return builder.reply()


def theirs(data: bytes, *, beta: bool) -> dict[str, Any]:
    """The message that the SDK accumulates from the same bytes."""
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)
    transport = httpx2.MockTransport(lambda request: answer)
    client = AnthropicVertex(region="global", project_id="p", access_token="t",
                             http_client=httpx2.Client(transport=transport))  # fmt: skip
    question: dict[str, Any] = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "Hi"}],
    }
    with client, (client.beta.messages if beta else client.messages).stream(**question) as stream:
        return stream.get_final_message().to_dict()


def as_message(reply: Reply) -> dict[str, Any]:
    """Our reply in the form of the SDK's message."""
    return {
        "id": reply.message_id,
        "model": reply.model,
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "stop_details": reply.stop_details,
        "content": list(reply.blocks),
        "usage": dict(reply.usage.raw),
    }


def without_nulls(message: dict[str, Any]) -> dict[str, Any]:
    """The SDK's message, cut down to what is compared; it keeps null usage fields, and we drop them."""
    usage = {name: value for name, value in message["usage"].items() if value is not None}
    return {**{name: message.get(name) for name in COMPARED}, "content": message["content"], "usage": usage}


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("name", ALIKE)
def test_our_reply_is_the_message_of_the_sdk(name):
    """Blocks, stop reason, usage, id and model are equal, block by block and key by key."""
    message = theirs(STREAMS[name], beta=name.startswith("beta_"))
    assert as_message(ours(STREAMS[name])) == without_nulls(message)


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("name", ALIKE)
def test_a_whole_message_makes_the_same_reply_as_its_stream(name):
    """What `rawPredict` would answer folds into the same reply."""
    builder = ReplyBuilder()
    builder.add_message(theirs(STREAMS[name], beta=name.startswith("beta_")))
    streamed = ours(STREAMS[name])
    assert as_message(builder.reply()) == as_message(streamed)
    assert builder.reply().complete


def test_a_cut_tool_input_is_the_one_difference():
    """Everything but the input of the cut tool is equal."""
    mine, message = as_message(ours(STREAMS[CUT])), without_nulls(theirs(STREAMS[CUT], beta=False))
    (block,), (other,) = mine.pop("content"), message.pop("content")
    assert mine == message
    assert other["input"] == {"to": "a@b.example"}
    assert block == {**other, "input": {}, "partial_json": '{"to": "a@b.example", "text": "Dear'}


def kinds_of(union: Any) -> set[str]:
    """The values of `type` in a union of the SDK's models, however it is nested."""
    if hasattr(union, "model_fields"):
        return set(get_args(union.model_fields["type"].annotation))
    return set().union(
        *(kinds_of(part) for part in get_args(union) if part is not None and not isinstance(part, str))
    )


def kinds_in_streams() -> dict[str, set[str]]:
    """The kinds of events, blocks, deltas and citations, and the stop reasons, that the streams hold."""
    events = [event for data in STREAMS.values() for event in MessageDecoder().feed(data)]
    deltas = [event.data["delta"] for event in events if "delta" in event.data]
    return {
        "event": {event.type for event in events},
        "block": {event.data["content_block"]["type"] for event in events if "content_block" in event.data},
        "delta": {delta["type"] for delta in deltas if "type" in delta},
        "citation": {delta["citation"]["type"] for delta in deltas if "citation" in delta},
        "stop_reason": {delta["stop_reason"] for delta in deltas if "stop_reason" in delta},
    }


SDK_KINDS = {
    "event": kinds_of(types.RawMessageStreamEvent),
    "block": kinds_of(types.ContentBlock),
    "delta": kinds_of(types.RawContentBlockDelta),
    "citation": kinds_of(types.TextCitation),
    "stop_reason": set(get_args(types.StopReason)),
}


@pytest.mark.parametrize("what", SDK_KINDS)
def test_the_streams_hold_every_kind_that_the_sdk_knows(what):
    """A kind that a newer SDK adds fails here until a stream shows how it is folded."""
    assert SDK_KINDS[what]
    assert SDK_KINDS[what] - kinds_in_streams()[what] == set()


def test_usage_has_every_count_that_the_sdk_knows():
    """A count that a newer SDK adds fails here until `Usage` has it, or this list says why not."""
    left_in_raw = {"inference_geo"}
    assert set(types.Usage.model_fields) - {field.name for field in dataclasses.fields(Usage)} == left_in_raw
