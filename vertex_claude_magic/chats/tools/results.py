"""What a function returned, as the `tool_result` of the Messages API: a text, or blocks of text and images.

The values of prompts and the results of functions are converted by the same code, so limits and notices are the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.prompts.compose import compose, to_send_more
from vertex_claude_magic.prompts.parts import shorten
from vertex_claude_magic.prompts.secrets import find_secret, searchable
from vertex_claude_magic.spelling import spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.prompts.parts import ValueLimits

__all__ = ["ToolResult", "result_of"]

# The blocks that a result may hold: the fields that each needs, and the others that it may have. They tell a block from
# a row of data with a column called "type" (Claude docs, "Tool use" and "Search results", 2026).
_BLOCKS: Mapping[str, tuple[Mapping[str, type], set[str]]] = {
    "text": ({"text": str}, {"citations"}),
    "image": ({"source": dict}, set()),
    "document": ({"source": dict}, {"citations", "context", "title"}),
    "search_result": ({"source": str, "title": str, "content": list}, {"citations"}),
}


class ToolResult(NamedTuple):
    """What goes back to the model, and what the user should know of it.

    Args:
        content: A text, or content blocks.
        notices: What was left out, one line each.
        is_error: Whether it says why there is no result.
    """

    content: str | list[dict[str, Any]]
    notices: tuple[str, ...] = ()
    is_error: bool = False


def result_of(value: Any, name: str, limits: ValueLimits, *, allow_secrets: bool = False) -> ToolResult:
    """Convert what a function returned.

    Args:
        value: Text, JSON, a frame, an array, a figure, an image, or content blocks.
        name: The name of the function, for notices.
        limits: What one value may take.
        allow_secrets: Whether it goes out although it seems to contain a key.

    Raises:
        OptionError: it cannot be sent.

    >>> from vertex_claude_magic.prompts.parts import ValueLimits
    >>> result_of({"mean": 2.5, "n": 4}, "mean", ValueLimits()).content
    '{"mean": 2.5, "n": 4}'
    """
    notices: tuple[str, ...] = ()
    content: str | list[dict[str, Any]]
    if _are_blocks(value):
        blocks, notices = _cut_blocks(value, name, limits)
        content = blocks or ""
    elif (text := value if isinstance(value, str) else _json(value)) is not None:
        content, cut = shorten(text, limits)
        if cut:
            content, notices = f"{content}\n[cut: {cut}]", (_too_much(name, cut, limits),)
    else:
        composed = compose([value], limits=limits)
        content = composed.content if isinstance(composed.content, str) else list(composed.content)
        if isinstance(content, list) and len(content) == 1 and set(content[0]) == {"type", "text"}:
            content = str(content[0]["text"])
        notices = tuple(spelled("{}: {}", name, notice) for notice in composed.notices)
    found = None if allow_secrets else find_secret(searchable(content))
    if found is not None:
        return ToolResult(
            f"The result seems to contain {found[0]}, so it was not sent.",
            (f"The result of {name} seems to contain {found[0]} and was not sent.",),
            is_error=True,
        )
    return ToolResult(content, notices)


def _json(value: Any) -> str | None:
    """Return a value as JSON text, None if a part of it is not JSON, or is a named tuple, whose names would be lost."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple) and type(part) is not tuple:
            return None
        if isinstance(part, (dict, list, tuple)):
            waiting += part.values() if isinstance(part, dict) else part
    return text


def _too_much(name: str, cut: str, limits: ValueLimits) -> str:
    return spelled(
        "{} returned more than value_tokens ({}) allows: sent {}. {}",
        name, f"{limits.tokens:,}", cut, to_send_more(limits),
    )  # fmt: skip


def _are_blocks(value: Any) -> bool:
    def is_block(each: Any) -> bool:
        if not isinstance(each, dict) or (known := _BLOCKS.get(str(each.get("type")))) is None:
            return False
        needed, others = known
        if not each.keys() <= {"type", "cache_control", *needed, *others}:
            return False
        source = each.get("source")
        return all(isinstance(each.get(name), kind) for name, kind in needed.items()) and (
            not isinstance(source, dict) or "type" in source
        )

    blocks: Sequence[Any] = value if isinstance(value, (list, tuple)) else ()
    return bool(blocks) and all(map(is_block, blocks))


def _cut_blocks(
    blocks: Sequence[Mapping[str, Any]], name: str, limits: ValueLimits
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """Return blocks with texts that are too long cut, each by itself, and what was left out.

    Texts of nothing but space are left out, because the service refuses them.
    """
    found, notices = list[dict[str, Any]](), list[str]()
    for block in blocks:
        if block["type"] != "text":
            found.append(dict(block))
            continue
        if not block["text"].strip():
            continue
        text, cut = shorten(block["text"], limits)
        found.append({**block, "text": f"{text}\n[cut: {cut}]" if cut else text})
        notices += [_too_much(name, cut, limits)] if cut else []
    return found, tuple(notices)
