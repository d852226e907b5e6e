"""Which keyword of a call such as `claude.ask(...)` is being typed, found without running any of it."""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.notebook.commands.options import COMMANDS
from vertex_claude_magic.settings.registry import OPTIONS, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

__all__ = ["OpenArgument", "keywords_of", "open_argument"]

# What of Python tells one argument from the next. A text that does not end is the one that is being typed.
_TOKENS = re.compile(
    r"""
      (?P<text> \"{3} (?:[^\\"]|\\.|\"(?!\"\"))* \"{3} | '{3} (?:[^\\']|\\.|'(?!''))* '{3}
              | \" (?:[^\\"\n]|\\.)* \" | ' (?:[^\\'\n]|\\.)* ' )
    | (?P<comment> \#[^\n]* )
    | (?P<quote> \"{3} | '{3} | ["'] )
    | (?P<called> \.?[^\W\d]\w*(?:\.[^\W\d]\w*)* )?[ ]* (?P<open> [(\[{] )
    | (?P<close> [)\]}] )
    | (?P<keyword> [^\W\d]\w* )[ ]*=(?!=)
    | (?P<comma> , )
    | [^\W\d][\w.]*
    """,
    re.VERBOSE | re.DOTALL,
)
_TYPED = re.compile(r"\s*([^\W\d]\w*|)\Z")
_QUOTED = re.compile(r"\s*([^\W\d]\w*)\s*=\s*[rRuU]?\Z")


class OpenArgument(NamedTuple):
    """An argument that is being typed.

    Args:
        word: What is typed so far: a keyword, or a text behind its quote.
        keywords: The options that may come, by keyword, without those that the call has already.
        option: The option whose text is being typed, None for a keyword.
    """

    word: str
    keywords: Mapping[str, Option]
    option: Option | None = None


@dataclass
class _Bracket:
    called: str
    start: int
    given: set[str] = field(default_factory=set)


def open_argument(before: str, names: Mapping[str, Any]) -> OpenArgument | None:
    """Return the argument of a `Claude` or a `Chat` that is being typed, None where it is of something else.

    Args:
        before: The cell up to the cursor.
        names: The user's variables.

    >>> from vertex_claude_magic import Claude
    >>> argument = open_argument("claude.ask('Hi', model='opus', eff", {"claude": Claude()})
    >>> argument.word, "effort" in argument.keywords, "model" in argument.keywords
    ('eff', True, False)
    >>> open_argument("Claude().map(rows, 'Sort', on_error='re", {"Claude": Claude}).option.words
    ('return', 'stop')
    """
    if "vertex_claude_magic.client" not in sys.modules:
        return None
    brackets, ended, quote = [_Bracket("", 0)], "", None
    for token in _TOKENS.finditer(before):
        if token["quote"]:
            if len(token[0]) == 1 and "\n" in before[token.start() :]:
                # As in `!echo it's`: no text of Python.
                continue
            quote = token
            break
        if token["open"]:
            called = token["called"] or ""
            # `Claude().ask(`: what is called is a member of what a call returned.
            brackets.append(_Bracket(f"{ended}{called}" if called.startswith(".") else called, token.end()))
        elif token["close"] and len(brackets) > 1:
            ended = f"{brackets.pop().called}()"
            continue
        elif token["keyword"]:
            brackets[-1].given.add(token["keyword"])
        elif token["comma"] or (token["comment"] and not before[brackets[-1].start : token.start()].strip()):
            brackets[-1].start = token.end()
        ended = ""
    inner = brackets[-1]
    typed = (
        _TYPED.match(before[inner.start :])
        if quote is None
        else _QUOTED.match(before[inner.start : quote.start()])
    )
    rows = keywords_of(_callee(inner.called, names)) if typed and inner.called else None
    if typed is None or rows is None:
        return None
    if quote is None:
        return OpenArgument(typed[1], {name: row for name, row in rows.items() if name not in inner.given})
    row = rows.get(typed[1])
    return None if row is None else OpenArgument(before[quote.end() :], {}, row)


def keywords_of(function: Callable[..., Any] | None) -> dict[str, Option] | None:
    """Return the options that a function of the Python interface takes, by keyword, None for any other function.

    >>> from vertex_claude_magic import Claude
    >>> "rows_per_job" in keywords_of(Claude.batch), keywords_of(print)
    (True, None)
    """
    from vertex_claude_magic.chats.chat import Chat
    from vertex_claude_magic.client import Claude
    from vertex_claude_magic.tables.batch.checks import BATCH_OPTIONS, NOT_BATCHED
    from vertex_claude_magic.tables.options import MAP_OPTIONS, REFUSED

    every = (Claude, Claude.ask, Claude.stream, Claude.count, Claude.request)
    known: list[tuple[Callable[..., Any], Sequence[Option], Container[str]]] = [
        *((each, (), ()) for each in every),
        *((each, (), ("chat", "after")) for each in (Chat.ask, Chat.stream)),
        (Claude.compare, (), COMMANDS["claude_compare"].refuses),
        (Claude.map, MAP_OPTIONS, REFUSED),
        (Claude.batch, BATCH_OPTIONS, NOT_BATCHED),
    ]
    for each, own, refused in known:
        # By identity: a function of the user's may be compared in a way of its own.
        if each is function:
            asked = (row for row in OPTIONS.values() if "python" in row.places and row.name not in refused)
            return {row.name: row for row in (*asked, *own)}
    return None


def _callee(path: str, names: Mapping[str, Any]) -> Callable[..., Any] | None:
    """Return what a path calls; static, because Tab must not run the code of a property."""
    from vertex_claude_magic.chats.chat import Chat
    from vertex_claude_magic.client import Claude

    value: Any = None
    for at, step in enumerate(path.split(".")):
        name = step.removesuffix("()")
        value = inspect.getattr_static(value, name, None) if at else names.get(name)
        if step.endswith("()"):
            # A new client has the methods of its class, and `claude.chat("name")` those of a conversation.
            value = Claude if value is Claude else Chat if value is Claude.chat else None
    return value if callable(value) else None
