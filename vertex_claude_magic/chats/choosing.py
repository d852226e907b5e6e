"""Which conversation a question belongs to, by its options `chat`, `new` and `after`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.chats.conversation import Following, NamedChat
from vertex_claude_magic.chats.naming import check_name
from vertex_claude_magic.prompts.scope import own_names
from vertex_claude_magic.session.history import History
from vertex_claude_magic.spelling import Spelling, option, spelled
from vertex_claude_magic.text import nearest, quote
from vertex_claude_magic.vertex.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vertex_claude_magic.session.history import Conversation
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.settings.target import Target

__all__ = ["conversation_of", "look_at"]

_FIRST = Spelling("%%claude NAME", "Claude.ask")
_FOLLOWED = Spelling("--after NAME", "after=reply")
_A_REPLY = Spelling("a variable that %%claude NAME has set", "what Claude.ask has returned: after=reply")


def conversation_of(
    session: Session, target: Target, prompt: str | Sequence[Any], names: Mapping[str, Any] | None = None
) -> Conversation | None:
    """Return the conversation that a question belongs to, None if it belongs to none.

    Args:
        session: The session that asks.
        target: The settings of the question.
        prompt: Its prompt.
        names: Where `after` is looked up if it is a name.

    Raises:
        OptionError: the options do not go together, or name what is not there.
    """
    named, after = target.chat, target.after
    if after is not None and named:
        raise errors.OptionError(
            spelled("{} and {} cannot be combined.", option("after"), option("chat")),
            cure=spelled(
                "Use {} for one follow-up, {} for a conversation with a name.",
                option("after"),
                option("chat"),
            ),
        )
    if target.new and not named:
        raise errors.OptionError(
            spelled("{} needs a conversation.", option("new")),
            cure=spelled("Name it with {}.", option("chat")),
        )
    if after is None:
        return NamedChat(session, check_name(named), prompt, new=target.new) if named else None
    if isinstance(after, Reply):
        return Following(after.chat or "a reply", after)
    names = names or {}
    if not isinstance(after, str) or after not in names:
        known = [name for name in own_names(names) if isinstance(names[name], Reply)]
        cure = spelled("Ask with {} first, then follow with {}.", _FIRST, _FOLLOWED)
        if near := nearest(str(after), known):
            cure = spelled("Did you mean {}?", near)
        elif known:
            cure = spelled("The last reply is in {}.", known[-1])
        raise errors.OptionError(f"No variable named {quote(str(after), 40)!r}.", cure=cure)
    if not isinstance(names[after], Reply):
        raise errors.OptionError(
            f"{quote(after, 40)} is of the type {type(names[after]).__name__}, not a Reply.",
            cure=spelled("Use {}.", _A_REPLY),
        )
    return Following(after, names[after])


def look_at(
    session: Session, target: Target, prompt: str | Sequence[Any], names: Mapping[str, Any] | None = None
) -> tuple[Target, History]:
    """Return what would go before a prompt, and its target with what belongs to the conversation; nothing is asked.

    Arguments and errors are those of `conversation_of`.
    """
    conversation = conversation_of(session, target, prompt, names)
    if isinstance(conversation, NamedChat):
        target = conversation.look(target)
    elif conversation is not None:
        target = conversation.begin(target, None)
    return target, conversation.history(target) if conversation is not None else History()
