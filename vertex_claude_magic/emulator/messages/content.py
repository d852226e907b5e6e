"""The rules of the conversation: roles, content blocks, attachments, tool results, cache marks.

The limits of attachments come from the model table; the texts of the refusals follow the API's own.
Each function yields the texts of the rules that are broken.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.emulator.messages.ask import Ask, all_blocks, blocks_of
from vertex_claude_magic.emulator.messages.conversation import system_message, thinking_history
from vertex_claude_magic.emulator.messages.rules import extra, too_long, unknown_tag
from vertex_claude_magic.emulator.messages.tokens import pdf_pages

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vertex_claude_magic.json_types import Json

__all__ = ["broken"]

_CACHE = "cache_control"
_FIELDS: dict[str, set[str]] = {
    "text": {"type", "text", _CACHE, "citations"},
    "image": {"type", "source", _CACHE},
    "document": {"type", "source", _CACHE, "title", "context", "citations"},
    "search_result": {"type", "source", "title", "content", _CACHE, "citations"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
    "tool_use": {"type", "id", "name", "input", _CACHE, "caller", "toolset_name"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", _CACHE},
    "server_tool_use": {"type", "id", "name", "input", _CACHE, "caller"},
    "web_search_tool_result": {"type", "tool_use_id", "content", _CACHE, "caller"},
    "tool_search_tool_result": {"type", "tool_use_id", "content", _CACHE},
    "compaction": {"type", "content", "encrypted_content", "signature", "tool_changes", _CACHE},
}
# What they must have, each a string.
_STRINGS = {
    "text": ("text",),
    "thinking": ("thinking", "signature"),
    "redacted_thinking": ("data",),
    "tool_use": ("id", "name"),
    "tool_result": ("tool_use_id",),
}
_ONLY_ASSISTANT = {"thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result"}
_ONLY_USER = {"image", "tool_result", "search_result"}
# Blocks that only the service can end a turn with.
_PAUSED = {"server_tool_use", "web_search_tool_result", "tool_search_tool_result", "compaction"}
_COMPACTS = {"compact-2026-01-12", "compact-2026-09-04"}
_SOURCES = {"image": ("base64",), "document": ("base64", "text", "content")}
# "Prompt caching" (Claude docs, 2026).
_MOST_MARKS = 4
_LONG_CONTEXT = 1_000_000
_SIGNATURES = {
    "image/png": b"\x89PNG",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
}
_EMPTY = "all messages must have non-empty content except for the optional final assistant message"
_ROLES = 'Use "user" or "assistant", and the top-level `system` parameter.'
_NO_PREFILL = (
    "This model does not support assistant message prefill. The conversation must end with a user message."
)
_APPEARS = "the image appears to be a"
_STRAY_RESULT = "unexpected `tool_use_id` found in `tool_result` blocks"
_NO_USE = "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
_NO_RESULT = "`tool_use` ids were found without `tool_result` blocks immediately after"
_RESULTS_FIRST = "`tool_result` blocks must come first in the content of a message; text goes behind them."
_SAME_ID = "`tool_use` ids must be unique"
# The version of the API from which on these are refused (see api_versions of the table).
_NEW_VERSION = "2026-10-21"


def broken(ask: Ask) -> Iterator[str]:
    """The rules that the conversation of a request breaks, in order."""
    yield from _system(ask)
    yield from _mark(ask.body.get(_CACHE), _CACHE)
    yield from _messages(ask)
    yield from _tool_results(ask)
    yield from thinking_history(ask)
    yield from _counts(ask)
    yield from too_long(ask)


def _system(ask: Ask) -> Iterator[str]:
    system = ask.body.get("system")
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        yield "system: Input should be a valid string or a list of text blocks"
        return
    for index, block in enumerate(system):
        if not isinstance(block, dict) or block.get("type") != "text":
            yield f"system.{index}.type: Input should be 'text'"
        else:
            yield from _block(ask, block, "user", f"system.{index}")


def _messages(ask: Ask) -> Iterator[str]:
    messages = ask.body.get("messages")
    if not isinstance(messages, list):
        yield "messages: Field required" if messages is None else "messages: Input should be a valid list"
        return
    if not messages:
        yield "messages: at least one message is required"
        return
    if len(messages) > ask.catalog.limits["request"]["messages"]:
        yield f"messages: List should have at most {ask.catalog.limits['request']['messages']} items"
    for index, message in enumerate(messages):
        yield from _message(ask, message, index, last=index == len(messages) - 1)
    first = messages[0] if isinstance(messages[0], dict) else {}
    compacted = [block.get("type") for block in blocks_of(first)[:1]] == ["compaction"]
    if first.get("role") != "user" and not (compacted and first.get("role") == "assistant"):
        yield 'messages: first message must use the "user" role'
    if messages[-1].get("role") != "assistant":
        return
    # A turn that the service paused goes on when it is sent back: it is the one that was sent, or it ends
    # with the call or the result of a server tool.
    blocks = blocks_of(messages[-1])
    paused = bool(blocks) and str(blocks[-1].get("type")) in _PAUSED
    if paused or (ask.history is not None and ask.history.paused(messages[-1])):
        return
    if not ask.model.rules.prefill:
        yield _NO_PREFILL
    text = str(blocks[-1].get("text", "")) if blocks else ""
    if text != text.rstrip():
        yield "messages: final assistant content cannot end with trailing whitespace"


def _message(ask: Ask, message: Json, index: int, *, last: bool) -> Iterator[str]:
    place = f"messages.{index}"
    if not isinstance(message, dict):
        yield f"{place}: Input should be an object"
        return
    role = message.get("role")
    if role == "system" and ask.model.rules.system_messages != "refused":
        yield from system_message(ask, message, place)
        for number, block in enumerate(blocks_of(message)):
            yield from _block(ask, block, "user", f"{place}.content.{number}")
        return
    yield from extra(message, {"role", "content"}, f"{place}.")
    if role not in ("user", "assistant"):
        yield f'messages: Unexpected role "{role}". {_ROLES}'
        return
    content = message.get("content")
    if not isinstance(content, (str, list)):
        yield f"{place}.content: Field required"
    elif not content and not (last and role == "assistant"):
        yield f"{place}: {_EMPTY}"
    elif isinstance(content, list):
        for number, block in enumerate(content):
            yield from _block(ask, block, role, f"{place}.content.{number}")


def _block(ask: Ask, block: Json, role: str, place: str) -> Iterator[str]:
    kind = block.get("type") if isinstance(block, dict) else None
    closed = kind == "compaction" and _COMPACTS.isdisjoint(ask.betas)
    if not isinstance(block, dict) or not isinstance(kind, str) or kind not in _FIELDS or closed:
        yield f"{place}: {unknown_tag(kind)}"
        return
    yield from extra(block, _FIELDS[kind], f"{place}.{kind}.")
    if kind in (_ONLY_ASSISTANT if role == "user" else _ONLY_USER):
        yield f"{place}: `{kind}` blocks are not allowed in {role} messages"
    for name in _STRINGS.get(kind, ()):
        if not isinstance(block.get(name), str):
            yield f"{place}.{kind}.{name}: Field required"
    if kind == "text" and not str(block.get("text")).strip():
        wrong = "contain non-whitespace text" if block["text"] else "be non-empty"
        yield f"messages: text content blocks must {wrong}"
    if kind in _SOURCES:
        yield from _source(ask, block, f"{place}.{kind}.source")
    if kind == "tool_result" and isinstance(block.get("content"), list):
        for number, inner in enumerate(block["content"]):
            yield from _block(ask, inner, "user", f"{place}.{kind}.content.{number}")
    if _CACHE in block:
        yield from _mark(block[_CACHE], f"{place}.{kind}.{_CACHE}")
    if ask.body.get("anthropic_version") == _NEW_VERSION:
        yield from _new_version(block, role, place)


def _source(ask: Ask, block: Mapping[str, Any], place: str) -> Iterator[str]:
    kind, source = block["type"], block.get("source")
    tag = source.get("type") if isinstance(source, dict) else None
    if not isinstance(source, dict) or tag not in _SOURCES[kind]:
        expected = ", ".join(f"'{name}'" for name in _SOURCES[kind])
        yield f"{place}: {unknown_tag(tag)}: {expected}"
    elif tag == "base64":
        limits = ask.catalog.limits["image"]
        allowed = limits["types"] if kind == "image" else ["application/pdf"]
        media, data = source.get("media_type"), source.get("data")
        if media not in allowed:
            yield f"{place}.base64.media_type: Input should be {' or '.join(repr(name) for name in allowed)}"
        try:
            raw = base64.b64decode(data, validate=True) if isinstance(data, str) else None
        except (binascii.Error, ValueError):
            raw = None
        if raw is None:
            yield f"{place}.base64.data: Invalid base64 data"
        elif kind == "image":
            if (size := len(data or "")) > limits["base64_bytes"]:
                most = limits["base64_bytes"] // 2**20
                yield f"{place}.base64: image exceeds {most} MB maximum: {size} bytes"
            real = next((name for name, start in _SIGNATURES.items() if raw.startswith(start)), media)
            if real != media:
                wrong = f"The image was specified using the {media} media type, but {_APPEARS} {real} image"
                yield f"{place}.base64: {wrong}"
    elif tag == "text" and source.get("media_type") != "text/plain":
        yield f"{place}.text.media_type: Input should be 'text/plain'"


def _mark(mark: Json, place: str) -> Iterator[str]:
    if mark is None:
        return
    if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
        yield f"{place}.type: Input should be 'ephemeral'"
        return
    yield from extra(mark, {"type", "ttl"}, f"{place}.ephemeral.")
    if mark.get("ttl", "5m") not in ("5m", "1h"):
        yield f"{place}.ephemeral.ttl: Input should be '5m' or '1h'"


def _new_version(block: Mapping[str, Any], role: str, place: str) -> Iterator[str]:
    if role == "assistant" and block["type"] == "document":
        yield f"{place}: `document` blocks are not allowed in assistant messages"
    if role == "user" and block["type"] == "text" and block.get("citations"):
        yield f"{place}.text.citations: citations are not allowed on text blocks of user messages"
    if block["type"] == "search_result":
        for number, inner in enumerate(block.get("content") or ()):
            if isinstance(inner, dict) and inner.get("citations"):
                yield f"{place}.search_result.content.{number}.citations: citations are not allowed here"


def _tool_results(ask: Ask) -> Iterator[str]:
    """The rules that tie calls of tools to their results ("Handle tool calls", Claude docs, 2026)."""
    before: set[Any] = set()
    for index, message in enumerate(ask.messages):
        blocks = blocks_of(message)
        kinds = [block.get("type") for block in blocks]
        if "tool_result" in kinds and kinds.index("tool_result") > 0:
            yield f"messages.{index}: {_RESULTS_FIRST}"
        ids = [block.get("id") for block in blocks if block.get("type") == "tool_use"]
        if len(set(ids)) < len(ids):
            yield f"messages.{index}: {_SAME_ID}"
        results = {block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"}
        for identity in sorted(results - before, key=str):
            yield f"messages.{index}: {_STRAY_RESULT}: {identity}. {_NO_USE}"
        if missing := ", ".join(sorted(map(str, before - results))):
            yield f"messages.{index}: {_NO_RESULT}: {missing}."
        before = {block.get("id") for block in blocks if block.get("type") == "tool_use"}


def _counts(ask: Ask) -> Iterator[str]:
    blocks = list(all_blocks(ask.messages))
    system = ask.body.get("system")
    parts = [*(ask.body.get("tools") or ()), *(system if isinstance(system, list) else ()), *blocks]
    marks = sum(1 for part in (*parts, ask.body) if part.get(_CACHE))
    if marks > _MOST_MARKS:
        yield f"A maximum of {_MOST_MARKS} blocks with cache_control may be provided. Found {marks}."
    short = (ask.model.context_tokens or _LONG_CONTEXT) < _LONG_CONTEXT
    most = ask.catalog.limits["image"]["count_under_1m_context" if short else "count"]
    images = sum(1 for block in blocks if block.get("type") == "image")
    if images > most:
        yield f"messages: Too many images and documents: {images} > {most}"
    most = ask.catalog.limits["pdf"]["pages_under_1m_context" if short else "pages"]
    sources = [block["source"] for block in blocks if block.get("type") == "document"]
    if sum(pdf_pages(source["data"]) for source in sources if source.get("type") == "base64") > most:
        yield f"messages: A maximum of {most} PDF pages may be provided."
