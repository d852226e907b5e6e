"""Another request of the same question: what a step of an exchange asks for at the end of a round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vertex_claude_magic.vertex.request import Request
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = ["NextRound"]


@dataclass(frozen=True, kw_only=True, slots=True)
class NextRound:
    """The request, and what the end of the round before it was about.

    Args:
        request: The request.
        why: The reason in a few words, as the end of "The first answer ...".
        replaces: Whether its answer takes the place of the one before, as that of a repair does.
        tool_calls: The calls in the answer before that were run, with their results.
    """

    request: Request
    why: str
    replaces: bool = False
    tool_calls: tuple[ToolCall, ...] = ()
