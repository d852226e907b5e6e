"""The rules that tie messages together: those of the role `system`, and thinking blocks of earlier answers.

The fields of a system message are those of `BetaSystemMessageParam`, the reports of dropped blocks
those of `input_transformations` (anthropic 2.14.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic.emulator.messages.history import THINKING
from vertex_claude_magic.emulator.messages.rules import effort_broken, extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vertex_claude_magic.emulator.messages.ask import Ask

__all__ = ["dropped_thinking", "system_message", "thinking_history"]

# Betas that open fields of system messages.
_CLEAR_AT = "mid-conversation-system-clear-at-2026-08-21"
_OUTPUT_CONFIG = "mid-conversation-output-config-2026-07-01"
_BINDING = "thinking-binding-controls-2026-08-01"
_MODIFIED = "`thinking` or `redacted_thinking` blocks cannot be modified: they must remain as they came."
_PREFIX = (
    "the conversation before this thinking block differs from the one in which it was created. Keep system, "
    "tools and earlier messages as they were, leave the thinking blocks out, or set "
    '`thinking.block_binding.prefix_mismatch_behavior` to "drop_block".'
)


def system_message(ask: Ask, message: Mapping[str, Any], place: str) -> Iterator[str]:
    """The rules that a message of the role `system` breaks, but for those of its blocks."""
    opened = {"clear_at"} if _CLEAR_AT in ask.betas else set()
    opened |= {"output_config"} if _OUTPUT_CONFIG in ask.betas else set()
    yield from extra(message, {"role", "content"} | opened, f"{place}.")
    if message.get("clear_at") not in (None, "never", "next_user_message"):
        yield f"{place}.clear_at: Input should be 'next_user_message' or 'never'"
    config = message.get("output_config")
    if config is not None and not isinstance(config, dict):
        yield f"{place}.output_config: Input should be an object"
    elif config is not None:
        yield from extra(config, {"effort"}, f"{place}.output_config.")
        if (effort := config.get("effort")) is not None:
            yield from effort_broken(ask, effort, f"{place}.output_config")
        thinking = ask.body.get("thinking")
        if isinstance(thinking, dict) and thinking.get("type") == "between_tools":
            yield f'{place}.output_config: not supported together with "thinking.type.between_tools".'
    content = message.get("content")
    if content is None and not config:
        yield f"{place}.content: Field required"
    elif content is not None and not isinstance(content, (str, list)):
        yield f"{place}.content: Input should be a valid string or a list of text blocks"
    elif content is not None and not content:
        yield f"{place}: system messages must have non-empty content"
    for number, block in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(block, dict) or block.get("type") != "text":
            yield f"{place}.content.{number}.type: Input should be 'text'"


def thinking_history(ask: Ask) -> Iterator[str]:
    """The thinking blocks of earlier answers that the service does not take back.

    A block that was changed is refused for every model; where the model checks the conversation before
    it, so is one whose conversation was changed, unless the request asks to drop it. A block of another
    model is dropped without a word (Claude docs, "What's new in Claude Opus 5.5", 2026).
    """
    for place, reason in ask.history.mismatches(ask) if ask.history is not None else ():
        if reason == "modified":
            yield f"{place}: {_MODIFIED}"
        elif reason == "prefix_binding_mismatch" and not ask.drops_thinking:
            yield f"{place}: {_PREFIX}"


def dropped_thinking(ask: Ask) -> list[dict[str, str]]:
    """Return the entries of `input_transformations`: thinking blocks that the service left out.

    With a block goes the rest of its run of thinking blocks. Only the beta of block binding reports them.
    """
    if ask.history is None or _BINDING not in ask.betas:
        return []
    found = dict(ask.history.mismatches(ask))
    dropped: dict[str, str] = {}
    for index, message in enumerate(ask.messages):
        # Why the block before was dropped: the rest of its run goes with it.
        before: str | None = None
        content = message.get("content")
        for number, block in enumerate(content if isinstance(content, list) else ()):
            place = f"messages.{index}.content.{number}"
            before = (found.get(place) or before) if block.get("type") in THINKING else None
            if before is not None:
                dropped[place] = before
    return [{"type": "thinking_dropped", "path": place, "reason": why} for place, why in dropped.items()]
