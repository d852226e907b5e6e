"""What of a conversation goes before the next prompt. Pure functions.

A turn is sent whole: its prompt, the calls and results of its tools, its answer. Thinking goes with it while nothing
before it has changed, the model is the one that thought it, and the service takes its signature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.chats.entry import (
    NOT_RUN,
    answer_blocks,
    answer_message,
    is_sent,
    sendable,
    sendable_of,
)
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.records.journal.calls import LOCAL
from vertex_claude_magic.session.history import History, SentTurn, frame_of
from vertex_claude_magic.vertex.blocks import content_blocks
from vertex_claude_magic.vertex.digest import without_marks
from vertex_claude_magic.vertex.reply import answerer_of

if TYPE_CHECKING:
    from vertex_claude_magic.chats.entry import TurnEntry
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["closing", "history_after", "history_of", "questions_of", "tokens_of"]

Messages = tuple[Mapping[str, Any], ...]


def history_of(entries: Sequence[TurnEntry], model: str, digests: Sequence[str]) -> History:
    """Return what goes before a prompt that is asked of a model.

    Args:
        entries: The turns.
        model: The model.
        digests: What `chain` gives for them.

    >>> history_of([], "claude-opus-5-5", [])
    History(turns=(), tools=(), tokens=0, goes_on=True)
    """
    turns, tools = list[SentTurn](), Messages()
    for entry, before in zip(entries, digests, strict=False):
        if not is_sent(entry):
            continue
        made = sendable(entry.messages)
        end = closing(entry.messages) if made.calls else ()
        # Without these two as they were, the service would take the thinking for that of another conversation.
        bound = made.thinks and entry.model == model and entry.before == before
        frame, local = entry.frame if bound else "", answerer_of(entry.reply) in LOCAL
        turns.append(SentTurn((*made.sent, *end), (*made.bare, *end), frame, local))
        tools = entry.tools if made.calls and entry.tools else tools
    return History(tuple(turns), tools, tokens_of(entries))


def tokens_of(entries: Sequence[TurnEntry]) -> int:
    """Return how many tokens a conversation has, as the service counted them; 0 where it did not."""
    return next((entry.tokens for entry in reversed(entries) if is_sent(entry)), 0)


def closing(messages: Messages) -> Messages:
    """Return the message that answers the calls of tools at the end of a turn, none where there are none.

    The service wants a result right behind each call (Claude docs, "Tool use", 2026). A turn ends in calls where they
    were not run, such as after the last round that was allowed.

    >>> call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    >>> closing(({"role": "assistant", "content": [call]},))[0]["content"][0]["content"]
    'This call was not run.'
    """
    results = [
        {"type": "tool_result", "tool_use_id": block.get("id"), "is_error": True, "content": NOT_RUN}
        for block in answer_blocks(messages)
        if block.get("type") == "tool_use"
    ]
    return ({"role": "user", "content": results},) if results else ()


def history_after(name: str, reply: Reply, model: str) -> History:
    """Return what goes before a prompt that follows a reply: what led to it, and the reply.

    Args:
        name: What the user calls the reply.
        reply: The reply.
        model: The model that is asked now.

    Raises:
        OptionError: the reply does not tell its question, or has no text.
    """
    question = reply.question or {}
    asked = question.get("messages")
    answer = answer_message(reply)
    if not asked or answer is None:
        what = "has no text" if asked else "does not contain the question that it answers"
        raise OptionError(
            f"{name} {what}, so it cannot be followed up.", cure="Ask the question again first."
        )
    whole = (*map(without_marks, asked), answer)
    made = sendable_of(whole)
    end = closing(whole) if made.calls else ()
    lineage = reply.lineage
    frame = frame_of(question) if lineage is not None and lineage.requested_model == model else ""
    tools = tuple(question.get("tools") or ()) if made.calls else ()
    turn = SentTurn((*made.sent, *end), (*made.bare, *end), frame, answerer_of(reply) in LOCAL)
    # Filling the cache costs a quarter more, and one follow-up may be all.
    return History((turn,), tools, goes_on=False)


def questions_of(messages: Sequence[Mapping[str, Any]]) -> int:
    """Return how many of the messages are questions; results of tools are not.

    >>> questions_of([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}])
    1
    """
    asked = [content_blocks(message.get("content")) for message in messages if message.get("role") == "user"]
    return sum(any(block.get("type") != "tool_result" for block in blocks) for blocks in asked)
