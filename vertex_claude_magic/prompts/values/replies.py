"""Answers of Claude in a later prompt: their text, which is what their reader saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits, shorten

if TYPE_CHECKING:
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["reply_parts"]


def reply_parts(value: Reply, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a reply into its text: times, ids and costs are no part of it, and differ each time it is asked for.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> reply_parts(Reply(blocks=({"type": "text", "text": "Four."},), model="m", region="eu"), ValueLimits())[0].body
    'Four.'
    """
    body, cut = shorten(value.text, limits)
    caution = "" if value.complete else "an answer that was stopped; its end is missing"
    return (Text(body=body, kind="answer", cut=cut, caution=caution),)
