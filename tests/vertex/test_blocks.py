"""Content blocks to stream events and back: nothing is lost or added on the way, however the text is cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic.vertex.blocks import part_events, read_blocks, take_apart

CITED = [{"type": "char_location", "cited_text": "a", "document_index": 0}]
BLOCKS = [
    {"type": "text", "text": "Hello"},
    {"type": "text", "text": ""},
    {"type": "text", "text": "Hello", "citations": CITED},
    {"type": "text", "text": "Hello", "citations": None},
    {"type": "text", "text": "Hello", "citations": ["odd", *CITED]},
    {"type": "thinking", "thinking": "Hm.", "signature": "s"},
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking", "thinking": "Hm."},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1, {"b": "\u00e9"}]}},
    {"type": "server_tool_use", "id": "t", "name": "web_search", "input": {"query": "x"}},
    {"type": "web_search_tool_result", "tool_use_id": "t", "content": [{"type": "web_search_result"}]},
    {"type": "compaction", "content": "so far"},
    {"type": "of_tomorrow", "text": 5},
]


def pieces_of(text: str, length: int) -> list[str]:
    return [text[start : start + length] for start in range(0, len(text), length)]


@pytest.mark.parametrize("closing", [True, False])
@given(blocks=st.lists(st.sampled_from(BLOCKS), max_size=5), length=st.integers(1, 9))
def test_the_events_of_blocks_spell_the_same_blocks(blocks, length, closing):
    """Also when they went over the wire as JSON."""
    events = []
    for index, block in enumerate(blocks):
        part = take_apart(block, closing=closing)
        events += part_events(index, part, pieces_of(part.text, length))
    assert read_blocks(events) == blocks
    assert read_blocks(json.loads(json.dumps(events))) == blocks


@pytest.mark.parametrize("closing", [True, False])
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_a_block_starts_without_what_grows(block, closing):
    """And what it grows by is of the kind of its deltas."""
    part = take_apart(block, closing=closing)
    first, *deltas, last = part_events(7, part, pieces_of(part.text, 2))
    grows = block["type"] in {"text", "thinking", "tool_use", "server_tool_use"}
    assert grows == any(first["content_block"].get(key) in ("", {}) for key in ("text", "thinking", "input"))
    assert last == {"type": "content_block_stop", "index": 7}
    assert {event["index"] for event in deltas} <= {7}
    kinds = {event["delta"]["type"] for event in deltas}
    assert kinds <= {"text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta"}


def test_citations_and_signature_come_last_as_the_service_sends_them():
    """Each in a delta of its own."""
    text = take_apart({"type": "text", "text": "Hi", "citations": CITED * 2})
    kinds = [event.get("delta", {}).get("type") for event in part_events(0, text, ["H", "i"])]
    assert kinds == [None, "text_delta", "text_delta", "citations_delta", "citations_delta", None]


def test_an_input_that_was_cut_stays_the_text_that_had_arrived():
    """Nobody may run a tool on half an input, and in a whole message it is none."""
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}, "partial_json": '{"a": 1, "b'}
    part = take_apart(block)
    assert part.text == block["partial_json"]
    assert read_blocks(part_events(0, part, [part.text]))[0]["input"] == {}
