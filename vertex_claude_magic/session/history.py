"""What goes before a prompt: the turns of a conversation as values, and the marks of the prompt cache along them.

A thinking block is bound to its model and to everything before it: system, tools and messages (Claude docs, "What's new
in Claude Opus 5.5", 2026). So each turn comes in two forms, with its thinking for the frame in which it was made, and
without; thinking that is left out is never refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from vertex_claude_magic.vertex.digest import canonical, with_mark
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Conversation", "History", "SentTurn", "frame_of", "messages_before", "with_cache_marks"]

Messages = Sequence[Mapping[str, Any]]

# The service takes four marks in a request, and looks for what it has cached up to 20 blocks before a mark
# (Claude docs, "Prompt caching", 2026).
_MOST_MARKS, _LOOKS_BACK = 4, 20
# Characters of JSON that make a token at most; it only decides whether a mark is worth its place.
_CHARACTERS = 3
_LEAST = 1_024


class SentTurn(NamedTuple):
    """One turn as it goes before a prompt.

    Args:
        messages: Its messages, thinking included.
        bare: The same without thinking.
        frame: The `frame_of` for which the thinking may be sent; empty where it may not be sent at all.
        local: Whether a server on this machine answered it, such as an emulator, whose signatures nobody else takes.
    """

    messages: tuple[Mapping[str, Any], ...]
    bare: tuple[Mapping[str, Any], ...]
    frame: str = ""
    local: bool = False


class History(NamedTuple):
    """All that goes before a prompt.

    Args:
        turns: The turns.
        tools: The tools that the turns have called, which the service wants to know even if none may be called again.
        tokens: How many tokens the service has counted in the turns, 0 where it has not.
        goes_on: Whether another turn will follow, so that it pays to fill the prompt cache.
    """

    turns: tuple[SentTurn, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    tokens: int = 0
    goes_on: bool = True

    def forms(self, url: str | None, *, recorded: bool) -> list[History]:
        """Return the forms in which it may be `recorded`, if records are looked at, and last that for a base URL.

        What a server on this machine thought is sent to such a server only. A record of its conversation has it, and
        gives the next turn again wherever that would be sent.
        """
        if is_loopback(url or "") or not any(turn.local and turn.frame for turn in self.turns):
            return [self]
        turns = [turn._replace(frame="") if turn.local else turn for turn in self.turns]
        sent = self._replace(turns=tuple(turns))
        return [self, sent] if recorded else [sent]


class Conversation(Protocol):
    """What an `Exchange` tells and asks whoever the question belongs to."""

    def begin(self, target: Target, notify: Callable[[str], None] | None) -> Target:
        """Take the conversation for this question, and return the target with what belongs to it.

        Raises:
            OptionError: the question cannot be asked in it.
            ClaudeInterrupt: the user did not wait until it was free.
        """

    def history(self, target: Target) -> History:
        """Return what goes before the prompt of a question with these settings."""

    def settle(self, reply: Reply, request: Request) -> Reply:
        """Take the answer into the conversation, and return it with its place there; `request` is the last one.

        Where stop is pressed meanwhile, it is called again with the same answer, which is there once.
        """

    def leave(self, partial: Reply | None = None, request: Request | None = None) -> Reply | None:
        """End a question that was not settled; return `partial` with its place if it has one, also a second time.

        Args:
            partial: What had arrived when the user stopped it, None where it failed.
            request: The last request, None where none was sent.
        """

    def notices(self) -> list[str]:
        """Return what the user should know of the conversation and was not told yet."""


def frame_of(body: Mapping[str, Any]) -> str:
    """Return the digest of what stands before the messages of a body: tools and system text, cache marks left out.

    >>> frame_of({"system": "Be brief."}) == frame_of({"system": [{"type": "text", "text": "Be brief."}]})
    True
    """
    system = body.get("system") or []
    parts = {
        "system": [{"type": "text", "text": system}] if isinstance(system, str) else system,
        "tools": body.get("tools") or [],
    }
    plain = canonical("", {}, parts)["body"]
    return hashlib.sha256(json.dumps(plain, sort_keys=True, default=str).encode()).hexdigest()


def messages_before(history: History, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the messages that go before a prompt; `body` has the tools and the system text of its request."""
    if not any(turn.frame for turn in history.turns):
        return [message for turn in history.turns for message in turn.bare]
    frame = frame_of(body)
    return [
        message for turn in history.turns for message in (turn.messages if turn.frame == frame else turn.bare)
    ]


def with_cache_marks(
    messages: Messages, history: History, body: Mapping[str, Any], row: Model | None
) -> Messages:
    """Mark the end of a conversation for the prompt cache, so that the next turn reads what this one sent.

    The mark moves along; where more blocks lie behind the former one than the service looks back, that is marked too.

    Args:
        messages: All messages, the prompt last.
        history: What goes before the prompt.
        body: The tools and the system text of the request.
        row: The model, None for one that the table does not know.
    """
    if not history.goes_on:
        return messages
    least = (row.min_cacheable_tokens if row is not None else None) or _LEAST
    before = sum(len(turn.bare) for turn in history.turns)
    if history.tokens < least:
        new = [*(messages[before:] if history.tokens else messages), body]
        if history.tokens + len(json.dumps(new, default=str)) / _CHARACTERS < least:
            # The service ignores a mark behind a prompt that is too short, without a word.
            return messages
    free = _MOST_MARKS - _marks(list(messages[before:])) - _marks([body.get("system"), body.get("tools")])
    marked = list(messages)
    last = len(marked) - 1
    former = next((at for at in range(before - 1, -1, -1) if marked[at].get("role") == "user"), None)
    places = [last]
    if former is not None and sum(map(_blocks, marked[former + 1 :])) >= _LOOKS_BACK:
        places.append(former)
    for at in places[: max(free, 0)]:
        content = marked[at].get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if blocks and "cache_control" not in blocks[-1]:
            marked[at] = {**marked[at], "content": with_mark(blocks)}
    return marked


def _blocks(message: Mapping[str, Any]) -> int:
    content = message.get("content")
    return 1 if isinstance(content, str) else len(content or ())


def _marks(value: Json) -> int:
    if isinstance(value, (list, tuple)):
        return sum(map(_marks, value))
    if not isinstance(value, Mapping):
        return 0
    content = value.get("content")
    inside = _marks(content) if isinstance(content, (list, tuple)) else 0
    return inside + (value.get("cache_control") is not None)
