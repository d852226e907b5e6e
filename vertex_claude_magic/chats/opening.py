"""The exchange of a question that belongs to a conversation, follows a reply, or has tools."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.session.exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.chats.tools.loop import Around, Confirm, FunctionTools
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.history import Conversation
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.vertex.request import Request

__all__ = ["open_exchange", "request_of"]


def open_exchange(
    session: Session,
    prompt: str | Sequence[Any],
    target: Target,
    *,
    scope: Scope | None = None,
    notify: Callable[[str], None] | None = None,
    conversation: Conversation | None = None,
    around: Around = nullcontext,
    ask: Confirm | None = None,
) -> Exchange:
    """Make a question ready with its conversation and its tools; arguments as for `Exchange`.

    Args:
        session: The session that asks.
        prompt: The prompt.
        target: Where it goes and how.
        scope: Where templates, attachments, types and tools are looked up.
        notify: Called with what is being waited for.
        conversation: What it is a turn of; None for what the settings say.
        around: What each call of a function runs inside of.
        ask: Asks the user before each call where `--confirm` is set; on the line if it is None.

    Raises:
        OptionError: it cannot be sent as it stands.
        ReplayMiss: it may not be sent, and nothing is recorded for it.
    """

    def tools(settled: Target) -> FunctionTools | None:
        return _tools(settled, target, scope, around, ask)

    if conversation is None and target.in_conversation:
        from vertex_claude_magic.chats.choosing import conversation_of

        conversation = conversation_of(session, target, prompt, scope.names if scope is not None else None)
    return Exchange(
        session, prompt, target, scope=scope, notify=notify, conversation=conversation, tools=tools
    )


def request_of(
    session: Session,
    prompt: str | Sequence[Any],
    target: Target,
    *,
    scope: Scope | None = None,
    notify: Callable[[str], None] | None = None,
) -> tuple[Target, Request]:
    """Return the first request of such a question and its settings, which a conversation may complete; send nothing.

    Raises:
        OptionError: it cannot be sent as it stands.
    """
    history, settled = None, target
    if target.in_conversation:
        from vertex_claude_magic.chats.choosing import look_at

        settled, history = look_at(session, target, prompt, scope.names if scope is not None else None)
    tools = _tools(settled, target, scope)
    definitions = tools.definitions if tools is not None else ()
    request = session.request(prompt, settled, scope=scope, notify=notify, history=history, tools=definitions)
    return settled, request


def _tools(
    target: Target,
    asked: Target,
    scope: Scope | None,
    around: Around = nullcontext,
    ask: Confirm | None = None,
) -> FunctionTools | None:
    """Return the tools of a question; `asked` are its settings without what belongs to the conversation."""
    if not target.tools:
        return None
    from vertex_claude_magic.chats.tools.chosen import tools_of

    return tools_of(target, scope, around=around, ask=ask, inherited=not asked.tools)
