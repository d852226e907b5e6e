"""Answers as parts that can be cut, streamed and put together.

A `Part` is one content block of an answer, taken apart the way the Messages API streams it: the
block as it starts, the text that its deltas spell (words, reasoning, or the JSON of a tool's
input) and the deltas that close it. From parts come the events of a stream and the content of a
whole message, so the two can never differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vertex_claude_magic.emulator.messages.tokens import CHARACTERS_PER_TOKEN, count_text

__all__ = ["Answer", "Part", "events", "fold", "limit", "message", "parts", "sse"]

# Pieces of a few words, cut at spaces where there are any.
_PIECE = re.compile(r"\S{1,16}\s?|\s{1,16}")
_FIELDS = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}
_JSON_FIELD = ("input_json_delta", "partial_json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One content block: how it starts, what its deltas spell, and the deltas that close it."""

    start: Mapping[str, Any]
    text: str = ""
    tail: tuple[Mapping[str, Any], ...] = ()

    @property
    def field(self) -> tuple[str, str] | None:
        """The delta type and its key, or None for a block that comes whole."""
        if isinstance(self.start.get("input"), Mapping):
            return _JSON_FIELD
        return _FIELDS.get(str(self.start.get("type")))


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer: its parts and why it ends."""

    parts: tuple[Part, ...]
    stop_reason: str = "end_turn"
    stop_sequence: str | None = None

    @property
    def output_tokens(self) -> int:
        """Tokens of all parts, at least one."""
        return max(1, sum(_tokens(part) for part in self.parts))

    @property
    def thinking_tokens(self) -> int:
        """Tokens of the thinking among them."""
        return sum(_tokens(part) for part in self.parts if part.start.get("type") == "thinking")


def _tokens(part: Part) -> int:
    return count_text(part.text) if part.field else count_text(json.dumps(dict(part.start)))


def parts(blocks: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    """Take content blocks apart.

    >>> parts([{"type": "text", "text": "Hi"}])[0].text
    'Hi'
    """
    return tuple(_part(block) for block in blocks)


def _part(block: Mapping[str, Any]) -> Part:
    kind = block.get("type")
    if kind == "text":
        tail = [{"type": "citations_delta", "citation": cited} for cited in block.get("citations") or ()]
        return Part(
            start={**block, "text": "", **_no_citations(tail)},
            text=str(block.get("text", "")),
            tail=tuple(tail),
        )
    if kind == "thinking":
        signature = {"type": "signature_delta", "signature": block.get("signature", "")}
        start = {**block, "thinking": "", "signature": ""}
        return Part(start=start, text=str(block.get("thinking", "")), tail=(signature,))
    if isinstance(block.get("input"), Mapping):
        return Part(start={**block, "input": {}}, text=json.dumps(block["input"], ensure_ascii=False))
    return Part(start=dict(block))


def _no_citations(tail: Sequence[Any]) -> dict[str, Any]:
    return {"citations": []} if tail else {}


def block(part: Part) -> dict[str, Any]:
    """Put a part together again; a tool's input that was cut is an empty one.

    >>> block(parts([{"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}])[0])["input"]
    {'a': 1}
    """
    whole = dict(part.start)
    if part.field == _JSON_FIELD:
        whole["input"] = _loads(part.text)
    elif part.field is not None:
        whole[part.field[1]] = part.text
    for delta in part.tail:
        _close(whole, delta)
    return whole


def _loads(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return {}


def _close(whole: dict[str, Any], delta: Mapping[str, Any]) -> None:
    if delta["type"] == "signature_delta":
        whole["signature"] = delta["signature"]
    else:
        whole["citations"] = [*(whole.get("citations") or ()), delta["citation"]]


def limit(answer: Answer, *, max_tokens: int, stop_sequences: Sequence[str] = ()) -> Answer:
    """End an answer where the request wants it: at a stop sequence, or after `max_tokens` tokens.

    >>> answer = Answer(parts=parts([{"type": "text", "text": "one two three"}]))
    >>> limit(answer, max_tokens=100, stop_sequences=["two"]).parts[0].text
    'one '
    >>> limit(answer, max_tokens=1).stop_reason
    'max_tokens'
    """
    return _cut_tokens(_cut_stops(answer, stop_sequences), max_tokens)


def _cut_stops(answer: Answer, stops: Sequence[str]) -> Answer:
    for index, part in enumerate(answer.parts):
        found = [(part.text.find(stop), stop) for stop in stops if stop in part.text]
        if part.start.get("type") == "text" and found:
            place, stop = min(found)
            kept = (*answer.parts[:index], replace(part, text=part.text[:place], tail=()))
            return Answer(parts=kept, stop_reason="stop_sequence", stop_sequence=stop)
    return answer


def _cut_tokens(answer: Answer, max_tokens: int) -> Answer:
    left = max_tokens
    for index, part in enumerate(answer.parts):
        tokens = _tokens(part)
        if tokens > left:
            cut = (
                (replace(part, text=part.text[: left * CHARACTERS_PER_TOKEN]),) if part.field and left else ()
            )
            return Answer(parts=(*answer.parts[:index], *cut), stop_reason="max_tokens")
        left -= tokens
    return answer


def message(answer: Answer, *, message_id: str, model: str, usage: Mapping[str, Any]) -> dict[str, Any]:
    """The whole message, as `rawPredict` answers."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [block(part) for part in answer.parts],
        "stop_reason": answer.stop_reason,
        "stop_sequence": answer.stop_sequence,
        "usage": {**usage, **_output_usage(answer)},
    }


def _output_usage(answer: Answer) -> dict[str, Any]:
    thinking = (
        {"output_tokens_details": {"thinking_tokens": answer.thinking_tokens}}
        if answer.thinking_tokens
        else {}
    )
    return {"output_tokens": answer.output_tokens, **thinking}


def events(
    answer: Answer, *, message_id: str, model: str, usage: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """The events of a stream, a ping among them, as `streamRawPredict` sends them."""
    empty = Answer(parts=())
    first = message(empty, message_id=message_id, model=model, usage=usage)
    yield {"type": "message_start", "message": {**first, "stop_reason": None}}
    yield {"type": "ping"}
    for index, part in enumerate(answer.parts):
        yield from _block_events(index, part)
    delta = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence}
    yield {"type": "message_delta", "delta": delta, "usage": {**usage, **_output_usage(answer)}}
    yield {"type": "message_stop"}


def _block_events(index: int, part: Part) -> Iterator[dict[str, Any]]:
    yield {"type": "content_block_start", "index": index, "content_block": dict(part.start)}
    if part.field is not None:
        kind, key = part.field
        for piece in _PIECE.findall(part.text):
            yield {"type": "content_block_delta", "index": index, "delta": {"type": kind, key: piece}}
    for delta in part.tail:
        yield {"type": "content_block_delta", "index": index, "delta": dict(delta)}
    yield {"type": "content_block_stop", "index": index}


def fold(stream: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The whole message that a list of events spells, for a scripted stream asked for without streaming."""
    whole: dict[str, Any] = {}
    open_parts: dict[int, Part] = {}
    for event in stream:
        kind = event.get("type")
        if kind == "message_start":
            whole = dict(event["message"])
        elif kind == "content_block_start":
            open_parts[event["index"]] = Part(start=event["content_block"])
        elif kind == "content_block_delta":
            open_parts[event["index"]] = _grown(open_parts[event["index"]], event["delta"])
        elif kind == "message_delta":
            whole.update(event.get("delta") or {})
            whole["usage"] = {**(whole.get("usage") or {}), **(event.get("usage") or {})}
    return {**whole, "content": [block(open_parts[index]) for index in sorted(open_parts)]}


def _grown(part: Part, delta: Mapping[str, Any]) -> Part:
    if part.field is not None and delta.get("type") == part.field[0]:
        return replace(part, text=part.text + delta[part.field[1]])
    if delta.get("type") in {"signature_delta", "citations_delta"}:
        return replace(part, tail=(*part.tail, delta))
    return part


def sse(event: Mapping[str, Any]) -> bytes:
    r"""One event as bytes of a server-sent event stream.

    >>> sse({"type": "ping"})
    b'event: ping\ndata: {"type": "ping"}\n\n'
    """
    data = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return b"event: " + str(event.get("type", "message")).encode() + b"\ndata: " + data + b"\n\n"
