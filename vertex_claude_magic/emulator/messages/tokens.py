"""How many tokens a request and an answer count, by an estimate that needs no tokenizer.

A token is taken as four characters of text. An image counts as 1,568 tokens and a PDF page as
1,500; every message and tool adds a few for its frame. The numbers are the same wherever the
emulator states them (usage, token counting, limits), and they are not Claude's.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["count_text", "input_parts", "input_tokens"]

CHARACTERS_PER_TOKEN = 4
IMAGE_TOKENS = 1568  # the most that an image takes on models before Opus 4.7, by the page "Vision"
PAGE_TOKENS = 1500  # the lower end of what the page "PDF support" states for the text of a page
# Tokens for what surrounds a message or a tool.
_FRAME = 3
# Counts the page objects; those in compressed object streams are not seen.
_PDF_PAGE = re.compile(rb"/Type\s*/Page\b")


def count_text(text: str) -> int:
    """Tokens of a text: one for every four characters, rounded up.

    >>> count_text("hello"), count_text("")
    (2, 0)
    """
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _count_value(value: Json) -> int:
    """Tokens of a content block, a list of them, or any other JSON value.

    >>> _count_value([{"type": "text", "text": "hello"}])
    2
    """
    if isinstance(value, str):
        return count_text(value)
    if isinstance(value, list):
        return sum(_count_value(item) for item in value)
    if not isinstance(value, Mapping):
        return count_text(json.dumps(value))
    kind = value.get("type")
    if kind == "image":
        return IMAGE_TOKENS
    if kind == "document":
        source = value.get("source")
        if not isinstance(source, Mapping):
            return 0
        if source.get("type") == "base64":
            return PAGE_TOKENS * pdf_pages(str(source.get("data", "")))
        return _count_value(source.get("data") or source.get("content") or "")
    if kind == "text":
        return count_text(str(value.get("text", "")))
    if kind == "tool_result":
        return _FRAME + _count_value(value.get("content", ""))
    return count_text(json.dumps({key: part for key, part in value.items() if key != "cache_control"}))


def pdf_pages(data: str) -> int:
    """Pages of a base64-encoded PDF, at least one.

    >>> pdf_pages("")
    1
    """
    try:
        raw = base64.b64decode(data)
    except (binascii.Error, ValueError):
        return 1
    return max(1, len(_PDF_PAGE.findall(raw)))


def input_parts(body: Mapping[str, Any]) -> Iterator[tuple[Any, int]]:
    """The cacheable parts of a request with their tokens, in the order tools, system, messages."""
    for tool in body.get("tools") or ():
        yield tool, _FRAME + count_text(json.dumps(tool))
    yield from _blocks(body.get("system"), 0)
    for message in body.get("messages") or ():
        yield from _blocks(message.get("content"), _FRAME)


def _blocks(content: str | Sequence[Any] | None, frame: int) -> Iterator[tuple[Any, int]]:
    if isinstance(content, str):
        yield content, frame + count_text(content)
    else:
        for index, block in enumerate(content or ()):
            yield block, _count_value(block) + (frame if index == 0 else 0)


def input_tokens(body: Mapping[str, Any]) -> int:
    """Tokens of everything that a request puts before the model.

    >>> input_tokens({"messages": [{"role": "user", "content": "hello"}]})
    5
    """
    return sum(tokens for _, tokens in input_parts(body))
