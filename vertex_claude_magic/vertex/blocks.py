"""Content blocks to the stream events that spell them, and back; and the blocks of an answer as they are sent back.

The events are those of the page "Streaming Messages" (Claude docs, 2026): a block starts without what grows,
deltas spell that, and closing deltas bring the citations of a text or the signature of a thinking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.vertex.events import Event
from vertex_claude_magic.vertex.reply_builder import ReplyBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.reply import Reply

__all__ = [
    "THINKING",
    "StreamedBlock",
    "content_blocks",
    "growing_field",
    "part_events",
    "read_blocks",
    "sent_back",
    "take_apart",
]

THINKING = frozenset({"thinking", "redacted_thinking"})
# The blocks of answers that requests take too, beside the results of the service's own tools (anthropic 2.14.0).
_SENT = frozenset(
    {"text", "tool_use", "server_tool_use", "mcp_tool_use", "mcp_tool_listing", "container_upload", "compaction",
     "fallback", *THINKING}
)  # fmt: skip

# Blocks with an `input` grow too, whatever their type: tools of the client and of the service.
_GROWING = {"text": ("text_delta", "text"), "thinking": ("thinking_delta", "thinking")}
# Fields that requests want also where they are null: the titles in citations (the types of anthropic 2.14.0).
_NULLABLE = frozenset({"title", "document_title"})


class StreamedBlock(NamedTuple):
    """One content block: how it starts, the text that its deltas spell, and the deltas that close it."""

    start: Mapping[str, Any]
    text: str = ""
    closing: tuple[Mapping[str, Any], ...] = ()


def content_blocks(content: Json) -> list[Mapping[str, Any]]:
    """Return the content of a message as blocks: a text is one of them, and what is no block is left out.

    >>> content_blocks("Hi"), content_blocks(None)
    ([{'type': 'text', 'text': 'Hi'}], [])
    """
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    listed = content if isinstance(content, (list, tuple)) else ()
    return [block for block in listed if isinstance(block, Mapping)]


def growing_field(block: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the type of the deltas that a block grows by, and their key; None for a block that comes whole.

    >>> growing_field({"type": "tool_use", "input": {}})
    ('input_json_delta', 'partial_json')
    """
    if isinstance(block.get("input"), Mapping):
        return "input_json_delta", "partial_json"
    delta = _GROWING.get(str(block.get("type")))
    return delta if delta is not None and isinstance(block.get(delta[1]), str) else None


def sent_back(reply: Reply) -> list[dict[str, Any]]:
    """Return the blocks of an answer as they go back to the service, in another round and in later turns.

    They are as they came, citations, signatures and encrypted results included, without the nulls that only answers
    have. Left out is what the service refuses: a text without anything to read, thinking without its
    signature, a call that was cut off, thinking with nothing behind it. Of an answer that was stopped only the texts
    are whole.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> sent_back(Reply(blocks=({"type": "text", "text": "Four.", "citations": None},), complete=True))
    [{'type': 'text', 'text': 'Four.'}]
    """
    if not reply.complete:
        # Without citations, because what they point to is not sent either.
        return [{"type": "text", "text": block["text"]} for block in reply.blocks if _is_text(block)]
    # The service takes an input that is not JSON for the end of a call; a limit only cuts it off.
    called = reply.stop_reason == "tool_use"
    blocks = [_without_nulls(block) for block in reply.blocks if _may_be_sent(block, called=called)]
    while blocks and blocks[-1]["type"] in THINKING:
        blocks.pop()
    return blocks


def _is_text(block: Mapping[str, Any]) -> bool:
    text = block.get("text") if block.get("type") == "text" else None
    return isinstance(text, str) and bool(text.strip())


def _may_be_sent(block: Mapping[str, Any], *, called: bool) -> bool:
    kind = str(block.get("type"))
    if kind == "text":
        return _is_text(block)
    if kind in THINKING:
        return isinstance(block.get("signature" if kind == "thinking" else "data"), str)
    if block.get("partial_json") is not None and not (called and kind == "tool_use"):
        return False
    return kind in _SENT or (kind.endswith("_tool_result") and "tool_use_id" in block)


def _without_nulls(block: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block without those nulls, at any depth; the input of a tool, which may be any JSON, stays as it is."""

    def cleaned(value: Json) -> Json:
        if isinstance(value, Mapping):
            return _without_nulls(value)
        return [cleaned(part) for part in value] if isinstance(value, (list, tuple)) else value

    return {
        name: part if name == "input" else cleaned(part)
        for name, part in block.items()
        if name != "partial_json" and (part is not None or name in _NULLABLE)
    }


def take_apart(block: Mapping[str, Any], *, closing: bool = True) -> StreamedBlock:
    """Split a block into what its events bring one after another.

    Args:
        block: A content block.
        closing: Whether citations and signature come as deltas of their own, as the service sends them, or
            with the start, where only what is read piece by piece matters.

    >>> take_apart({"type": "thinking", "thinking": "Well.", "signature": "s"}).closing
    ({'type': 'signature_delta', 'signature': 's'},)
    """
    field = growing_field(block)
    if field is None:
        return StreamedBlock(dict(block))
    key = field[1]
    if key == "partial_json":
        # An input that was cut is stored as the text that had arrived.
        whole = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
        start = {name: value for name, value in block.items() if name != "partial_json"}
        return StreamedBlock({**start, "input": {}}, str(block.get("partial_json") or whole))
    start, cited = {**block, key: ""}, block.get("citations")
    if closing and key == "thinking" and "signature" in block:
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return StreamedBlock({**start, "signature": ""}, block[key], (signed,))
    if closing and cited and isinstance(cited, list) and all(isinstance(each, Mapping) for each in cited):
        deltas = ({"type": "citations_delta", "citation": each} for each in cited)
        return StreamedBlock({**start, "citations": []}, block[key], tuple(deltas))
    return StreamedBlock(start, block[key])


def part_events(index: int, part: StreamedBlock, pieces: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the events of one block.

    Args:
        index: The place of the block in the answer.
        part: The block, taken apart.
        pieces: Its text, cut as it shall come.

    >>> [event["type"] for event in part_events(0, StreamedBlock({"type": "text", "text": ""}, "Hi"), ["Hi"])]
    ['content_block_start', 'content_block_delta', 'content_block_stop']
    """
    yield {"type": "content_block_start", "index": index, "content_block": dict(part.start)}
    if (field := growing_field(part.start)) is not None:
        kind, key = field
        for piece in pieces:
            yield {"type": "content_block_delta", "index": index, "delta": {"type": kind, key: piece}}
    for delta in part.closing:
        yield {"type": "content_block_delta", "index": index, "delta": dict(delta)}
    yield {"type": "content_block_stop", "index": index}


def read_blocks(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks that the events of a stream spell, as a whole message has them.

    >>> block = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    >>> read_blocks(part_events(0, take_apart(block), ['{"a"', ': 1}'])) == [block]
    True
    """
    builder = ReplyBuilder()
    for event in events:
        builder.add(Event(str(event.get("type")), dict(event)))
    # Half an input is none in a whole message.
    return [
        {name: value for name, value in block.items() if name != "partial_json"}
        for block in builder.reply().blocks
    ]
