"""Answers as parts that can be cut, streamed and put together.

From the parts come the events of a stream, and from those the content of a whole message, so the two can
never differ.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.emulator.messages.tokens import CHARACTERS_PER_TOKEN, count_text
from vertex_claude_magic.vertex.blocks import (
    StreamedBlock,
    growing_field,
    part_events,
    read_blocks,
    take_apart,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["Answer", "events", "fold", "limit", "message", "parts", "sse"]

# Pieces of a few words, cut at spaces where there are any.
_PIECE = re.compile(r"\S{1,16}\s?|\s{1,16}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer: its parts and why it ends."""

    parts: tuple[StreamedBlock, ...]
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


def _tokens(part: StreamedBlock) -> int:
    return count_text(part.text if growing_field(part.start) else json.dumps(dict(part.start)))


def parts(blocks: Iterable[Mapping[str, Any]]) -> tuple[StreamedBlock, ...]:
    """Take content blocks apart.

    >>> parts([{"type": "text", "text": "Hi"}])[0].text
    'Hi'
    """
    # The service signs every thinking block; a script may leave that out.
    signed = ({"signature": "", **block} if block.get("type") == "thinking" else block for block in blocks)
    return tuple(take_apart(block) for block in signed)


def limit(answer: Answer, *, max_tokens: int, stop_sequences: Sequence[str] = ()) -> Answer:
    """End an answer where the request wants it: at a stop sequence, or after `max_tokens` tokens.

    >>> answer = Answer(parts=parts([{"type": "text", "text": "one two three"}]))
    >>> limit(answer, max_tokens=100, stop_sequences=["two"]).parts[0].text
    'one '
    >>> limit(answer, max_tokens=1).stop_reason
    'max_tokens'
    """
    for index, part in enumerate(answer.parts):
        found = [(part.text.find(stop), stop) for stop in stop_sequences if stop in part.text]
        if part.start.get("type") == "text" and found:
            place, stop = min(found)
            begun = (*answer.parts[:index], part._replace(text=part.text[:place], closing=()))
            answer = Answer(parts=begun, stop_reason="stop_sequence", stop_sequence=stop)
            break
    left = max_tokens
    for index, part in enumerate(answer.parts):
        tokens = _tokens(part)
        if tokens > left:
            grows = growing_field(part.start) is not None and left
            cut = (part._replace(text=part.text[: left * CHARACTERS_PER_TOKEN]),) if grows else ()
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
        "content": read_blocks(_block_events(answer)),
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
    yield from _block_events(answer)
    delta = {"stop_reason": answer.stop_reason, "stop_sequence": answer.stop_sequence}
    yield {"type": "message_delta", "delta": delta, "usage": {**usage, **_output_usage(answer)}}
    yield {"type": "message_stop"}


def _block_events(answer: Answer) -> Iterator[dict[str, Any]]:
    for index, part in enumerate(answer.parts):
        yield from part_events(index, part, _PIECE.findall(part.text))


def fold(stream: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The whole message that a list of events spells, for a scripted stream asked for without streaming."""
    whole: dict[str, Any] = {}
    for event in stream:
        if event.get("type") == "message_start":
            whole = dict(event["message"])
        elif event.get("type") == "message_delta":
            whole.update(event.get("delta") or {})
            whole["usage"] = {**(whole.get("usage") or {}), **(event.get("usage") or {})}
    return {**whole, "content": read_blocks(stream)}


def sse(event: Mapping[str, Any]) -> bytes:
    r"""One event as bytes of a server-sent event stream.

    >>> sse({"type": "ping"})
    b'event: ping\ndata: {"type": "ping"}\n\n'
    """
    data = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return b"event: " + str(event.get("type", "message")).encode() + b"\ndata: " + data + b"\n\n"
