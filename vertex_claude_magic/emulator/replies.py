"""From a scripted reply, or none, to a response: unary or streamed, limited as the request asks.

Texts and content blocks obey the request's stop sequences and `max_tokens`; a whole message, a
list of events and raw bytes are sent as they were given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

from vertex_claude_magic.emulator.answers import canned
from vertex_claude_magic.emulator.parts import Answer, events, fold, limit, message, parts, sse
from vertex_claude_magic.emulator.response import EVENT_STREAM, Response, json_response
from vertex_claude_magic.emulator.script import Flood, Reply, Scripted

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.ask import Ask

__all__ = ["respond"]

Frame = Mapping[str, Any]


def respond(ask: Ask, scripted: Scripted, *, frame: Frame, pace: float) -> Response:
    """The response to a request; `frame` has the message's id, model and input usage.

    A stream is sent where the verb is `streamRawPredict` and the body says `"stream": true`; in every
    other case the answer is one JSON object.
    """
    streaming = ask.route.streaming and ask.body.get("stream") is True
    if isinstance(scripted, Flood):
        return _flood(scripted, frame) if streaming else json_response(message(scripted.answer(), **frame))
    if isinstance(scripted.content, bytes):
        return Response(pieces=(scripted.content,), content_type=EVENT_STREAM, stream=True)
    return _streamed(ask, scripted, frame, pace) if streaming else json_response(_unary(ask, scripted, frame))


def _flood(flood: Flood, frame: Frame) -> Response:
    pieces = flood.pieces(**frame)
    return Response(
        pieces=pieces, content_type=EVENT_STREAM, stream=True, interval=flood.interval, batch=True
    )


def _streamed(ask: Ask, reply: Reply, frame: Frame, pace: float) -> Response:
    if _is_message(reply.content):
        stream = _message_events(_completed(reply.content, frame), frame)
    elif _is_events(reply.content):
        stream = iter(reply.content)
    else:
        stream = events(_answer(ask, reply), **frame)
    pieces = (sse(event) for event in stream)
    return Response(pieces=pieces, content_type=EVENT_STREAM, stream=True, interval=pace)


def _unary(ask: Ask, reply: Reply, frame: Frame) -> dict[str, Any]:
    if _is_message(reply.content):
        return _completed(reply.content, frame)
    if _is_events(reply.content):
        return fold(reply.content)
    return message(_answer(ask, reply), **frame)


def _answer(ask: Ask, reply: Reply) -> Answer:
    answer = canned(ask) if reply.content is None else _scripted(reply.content, reply.stop_reason)
    stops = ask.body.get("stop_sequences") or ()
    return limit(answer, max_tokens=ask.body["max_tokens"], stop_sequences=stops)


def _scripted(content: Any, stop_reason: str | None) -> Answer:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    blocks = [blocks] if isinstance(blocks, Mapping) else blocks
    used = any(block.get("type") == "tool_use" for block in blocks)
    return Answer(parts=parts(blocks), stop_reason=stop_reason or ("tool_use" if used else "end_turn"))


def _is_message(content: Any) -> TypeGuard[dict[str, Any]]:
    return (
        isinstance(content, Mapping) and "content" in content and content.get("type", "message") == "message"
    )


def _is_events(content: Any) -> TypeGuard[list[dict[str, Any]]]:
    if not isinstance(content, list) or not content:
        return False
    kind = str(content[0].get("type"))
    return kind in {"ping", "error"} or kind.startswith(("message_", "content_block_"))


def _completed(given: Any, frame: Frame) -> dict[str, Any]:
    text = given["content"]
    blocks = text if isinstance(text, list) else [{"type": "text", "text": text}]
    return {**message(_scripted(blocks, None), **frame), **given, "content": blocks}


def _message_events(given: Mapping[str, Any], frame: Frame) -> Iterator[dict[str, Any]]:
    stops = {key: given[key] for key in ("stop_reason", "stop_sequence", "stop_details") if key in given}
    for event in events(_scripted(given["content"], None), **frame):
        if event["type"] == "message_start":
            yield {**event, "message": {**given, "content": [], "stop_reason": None, "stop_sequence": None}}
        elif event["type"] == "message_delta":
            yield {**event, "delta": stops, "usage": given["usage"]}
        else:
            yield event
