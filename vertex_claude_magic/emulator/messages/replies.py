"""From a scripted reply, or none, to a response: unary or streamed, limited as the request asks.

Texts and content blocks obey the request's stop sequences and `max_tokens`; a whole message, a
list of events and raw bytes are sent unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from vertex_claude_magic.emulator.http.response import EVENT_STREAM, Response, json_response
from vertex_claude_magic.emulator.messages.answers import canned
from vertex_claude_magic.emulator.messages.conversation import dropped_thinking
from vertex_claude_magic.emulator.messages.parts import Answer, events, fold, limit, message, parts, sse
from vertex_claude_magic.emulator.messages.script import Content, Flood, Reply, Scripted

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.messages.ask import Ask

__all__ = ["respond"]

Frame = Mapping[str, Any]
Blocks = Mapping[str, Any] | Sequence[Mapping[str, Any]]


def respond(ask: Ask, scripted: Scripted, *, frame: Frame, pace: float) -> Response:
    """The response to a request; `frame` has the message's id, model and input usage.

    A stream is sent where the verb is `streamRawPredict` and the body says `"stream": true`; in every
    other case the answer is one JSON object.
    """
    streaming = ask.route.streaming and ask.body.get("stream") is True
    if isinstance(scripted, Flood):
        if not streaming:
            return json_response(message(scripted.answer(), **frame))
        return Response(pieces=scripted.pieces(**frame), content_type=EVENT_STREAM, stream=True,
                        interval=scripted.interval, batch=True)  # fmt: skip
    if isinstance(scripted.content, bytes):
        return Response(pieces=(scripted.content,), content_type=EVENT_STREAM, stream=True)
    if streaming and _is_events(scripted.content):
        # Sent as they are, whether or not they spell a message; so nothing of them is remembered.
        return _stream(iter(scripted.content), pace)
    whole, stream = _written(ask, scripted, frame)
    if ask.history is not None:
        ask.history.remember(ask, whole)
    return _stream(stream, pace) if streaming else json_response(whole)


def _stream(stream: Iterator[dict[str, Any]], pace: float) -> Response:
    pieces = (sse(event) for event in stream)
    return Response(pieces=pieces, content_type=EVENT_STREAM, stream=True, interval=pace)


def _written(ask: Ask, reply: Reply, frame: Frame) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """Return an answer as a whole message and as the events of a stream."""
    if _is_events(reply.content):
        return fold(reply.content), iter(reply.content)
    # What the betas of a request add to its answer (anthropic 2.14.0, BetaMessage).
    more: dict[str, Any] = {}
    if (ask.body.get("context_management") or {}).get("edits"):
        more["context_management"] = {"applied_edits": []}
    if dropped := dropped_thinking(ask):
        more["input_transformations"] = dropped
    # Bytes are on their way already; for the type checker they are none here.
    content = None if isinstance(reply.content, bytes) else reply.content
    if isinstance(content, dict) and "content" in content and content.get("type", "message") == "message":
        inner = content["content"]
        blocks = inner if isinstance(inner, list) else [{"type": "text", "text": inner}]
        usual = message(_scripted(blocks, None), **frame)
        whole = {**more, **usual, **content, "content": blocks}
        return whole, _message_events(whole, frame, more)
    answer = canned(ask) if content is None else _scripted(content, reply.stop_reason)
    stops = ask.body.get("stop_sequences") or ()
    answer = limit(answer, max_tokens=ask.body["max_tokens"], stop_sequences=stops)
    stream = events(answer, **frame)
    ends = ({**event, **more} if event["type"] == "message_delta" else event for event in stream)
    return {**message(answer, **frame), **more}, ends


def _scripted(content: str | Blocks, stop_reason: str | None) -> Answer:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    blocks = [blocks] if isinstance(blocks, Mapping) else blocks
    used = any(block.get("type") == "tool_use" for block in blocks)
    return Answer(parts=parts(blocks), stop_reason=stop_reason or ("tool_use" if used else "end_turn"))


def _is_events(content: Content) -> TypeGuard[list[dict[str, Any]]]:
    if not isinstance(content, list) or not content:
        return False
    kind = str(content[0].get("type"))
    return kind in {"ping", "error"} or kind.startswith(("message_", "content_block_"))


def _message_events(
    whole: Mapping[str, Any], frame: Frame, more: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    stops = {key: whole[key] for key in ("stop_reason", "stop_sequence", "stop_details") if key in whole}
    for event in events(_scripted(whole["content"], None), **frame):
        if event["type"] == "message_start":
            # What the betas add comes with `message_delta`, as in a stream of blocks.
            start = {name: value for name, value in whole.items() if name not in more}
            yield {**event, "message": {**start, "content": [], "stop_reason": None, "stop_sequence": None}}
        elif event["type"] == "message_delta":
            yield {**event, "delta": stops, "usage": whole["usage"], **more}
        else:
            yield event
