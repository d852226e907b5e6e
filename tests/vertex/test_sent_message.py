"""A message that remembers what was worked out about it: nothing of a request changes by that."""

from __future__ import annotations

import json

import pytest

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.vertex.digest import SentMessage
from vertex_claude_magic.vertex.request import Request, RequestOptions, build_request

SOURCE = {"type": "base64", "media_type": "image/png", "data": "aGVsbG8="}
MARK = {"cache_control": {"type": "ephemeral"}}
MESSAGES = {
    "a text": {"role": "user", "content": "Hi \U0001f427 é \"base64\" \\ \u2028"},
    "a block": {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
    "two blocks": {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    "an image": {"role": "user", "content": [{"type": "image", "source": SOURCE}]},
    "a marked image": {"role": "user", "content": [{"type": "image", "source": SOURCE, **MARK}]},
    "a marked text": {"role": "user", "content": [{"type": "text", "text": "Hi", **MARK}]},
    "a call": {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "f", "input": {"n": None}}]},
    "a result with an image": {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": SOURCE}]}],
    },
    "nothing": {"role": "user", "content": []},
}  # fmt: skip


def request_of(*messages: dict) -> Request:
    return build_request(
        messages,
        RequestOptions(max_tokens=9, system="Be brief."),
        model="claude-haiku-4-5",
        project="p",
        region="global",
        catalog=Catalog.load(),
    )


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_bytes_digest_and_parts_are_those_of_a_plain_message(message):
    last = {"role": "user", "content": "And now?"}
    known, plain = request_of(SentMessage(message), last), request_of(message, last)
    assert (
        known.payload
        == plain.payload
        == json.dumps(known.body, ensure_ascii=False, separators=(",", ":")).encode()
    )
    assert known == plain
    assert known.digest == plain.digest
    assert known.canonical == plain.canonical
    assert known.parts.hashes == plain.parts.hashes
    assert known.former_digest() == plain.former_digest()
    words = (b'"base64"', b'"cache_control"', b'"url"', b'"file"')
    assert [known.mentions(word) for word in words] == [plain.mentions(word) for word in words]


def test_it_is_not_copied_from_request_to_request():
    message = SentMessage({"role": "user", "content": "Hi"})
    assert request_of(message).body["messages"][0] is message
