"""Texts that name an option in the spelling of their reader: `--max-tokens` in a cell, `max_tokens=` in Python.

A cure says what to do and not where it is read. It is a text in the spelling of a cell, which is that of the command
line too, and carries the one of Python along; where Python code asks, `ClaudeError.spell_for_python` takes that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.text import alternatives

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Change",
    "Spelled",
    "Spelling",
    "changing",
    "field",
    "flag",
    "in_python",
    "name_of",
    "option",
    "raised",
    "set_holder",
    "setting",
    "spelled",
    "ways",
]


class Change(NamedTuple):
    """An option that a cure tells its reader to change.

    Args:
        name: Its name in Python.
        values: The values that would do, of which one is enough; empty where any other one may do.
        above: The number that the new value must exceed; None where it need not.
    """

    name: str
    values: tuple[str | int, ...] = ()
    above: float | None = None


class Spelling(NamedTuple):
    """One thing in the two spellings; `change` is the option that is changed by writing it, None if none is."""

    cell: str
    python: str
    change: Change | None = None


class Spelled(str):
    """A text in the spelling of a cell; `python` is the same text for Python, `changes` the options it tells to change.

    What is made of it by slicing or joining is an ordinary text, and keeps the spelling of a cell.
    """

    __slots__ = ("changes", "python")
    python: str
    changes: tuple[Change, ...]


def option(name: str, *values: str | int) -> Spelling:
    """Return how an option is written, alone or with the values to choose from.

    Args:
        name: Its name in Python, such as `max_tokens`.
        values: The values to choose from, if there are any.

    >>> option("max_tokens")
    Spelling(cell='--max-tokens', python='max_tokens=', change=Change(name='max_tokens', values=(), above=None))
    >>> option("region", "eu", "us").python
    'region="eu" or "us"'
    """
    change = Change(name, values)
    cell = f"--{name.rstrip('_').replace('_', '-')}"
    if not values:
        return Spelling(cell, f"{name}=", change)
    python = alternatives([str(value) if isinstance(value, int) else f'"{value}"' for value in values])
    return Spelling(f"{cell} {alternatives([str(value) for value in values])}", f"{name}={python}", change)


def raised(name: str, above: float) -> Spelling:
    """Return how an option is written that must be given a value above this number.

    >>> raised("max_tokens", 500).cell
    '--max-tokens'
    """
    return option(name)._replace(change=Change(name, above=above))


def setting(name: str, *values: str | int) -> Spelling:
    """Return how a setting is written that no line can give, with the values that would do.

    >>> setting("prompt_tokens").cell
    'prompt_tokens'
    """
    return Spelling(name, name, Change(name, values))


def name_of(name: str) -> Spelling:
    """Return what an option is called, in a sentence about it.

    >>> name_of("max_tokens").cell, name_of("max_tokens").python
    ('--max-tokens', 'max_tokens')
    """
    return Spelling(option(name).cell, name)


def flag(name: str) -> Spelling:
    """Return how an option is switched on that takes no value.

    >>> flag("force").cell, flag("force").python
    ('--force', 'force=True')
    """
    return Spelling(option(name).cell, f"{name}=True", Change(name, (True,)))


def field(name: str) -> Spelling:
    """Return how a field of the body is set by hand.

    >>> field("speed").cell, field("speed").python
    ('--set speed', 'set={"speed": ...}')
    """
    return Spelling(f"--set {name}", f'set={{"{name}": ...}}')


def spelled(template: str, *parts: str | Spelling, **named: str | Spelling) -> Spelled:
    """Fill a template of our own as `str.format` does; braces in the parts, which may be anybody's, are left alone.

    >>> cure = spelled("Lower {}, or shorten {name}.", option("max_tokens"), name="{x}")
    >>> cure, cure.python
    ('Lower --max-tokens, or shorten {x}.', 'Lower max_tokens=, or shorten {x}.')
    """
    text = Spelled(
        template.format(*map(_in_cell, parts), **{key: _in_cell(part) for key, part in named.items()})
    )
    text.python = template.format(
        *map(in_python, parts), **{key: in_python(part) for key, part in named.items()}
    )
    text.changes = tuple([change for part in (*parts, *named.values()) for change in _changes(part)])
    return text


def _changes(part: str | Spelling) -> tuple[Change, ...]:
    if isinstance(part, Spelling):
        return () if part.change is None else (part.change,)
    return part.changes if isinstance(part, Spelled) else ()


def changing(name: str, text: str) -> Spelled:
    """Return a text that tells to change an option without naming it.

    >>> changing("model", "use another model").changes[0].name
    'model'
    """
    changed = spelled("{}", text)
    changed.changes = (*changed.changes, Change(name))
    return changed


# Who keeps the reader from a change, set by the row that knows the policies; empty where nobody does.
_holders: list[Callable[[Change], str]] = []


def set_holder(holder: Callable[[Change], str]) -> None:
    """Set what tells who keeps the reader of a cure from changing an option so; it returns "" where nobody does."""
    _holders[:] = [holder]


def ways(*each: str, end: str = ".") -> Spelled:
    """Return a cure that offers alternatives, without those that a policy keeps its reader from.

    Args:
        each: The alternatives as a sentence has them, in lower case; those that `spelled` or `changing` made know
            which options they tell to change.
        end: What follows them; where none of them is left, a full stop does.

    >>> ways(spelled("raise {}", option("timeout")), "ask for less", spelled("lower {}", option("effort")))
    'Raise --timeout, ask for less, or lower --effort.'
    """
    free, held = list[str](), list[str]()
    for way in filter(None, each):
        holders = [
            f"ask the author of {by}, which fixes {change.name}"
            for change in _changes(way)
            for holder in _holders
            if (by := holder(change))
        ]
        held += holders
        free += [] if holders else [way]
    if not free:
        free, end = held[:1], end and "."
    *before, last = free
    made = spelled(f"{'{}, ' * len(before)}{'or ' * bool(before)}{{}}{{}}", *before, last, end)
    begun = Spelled(f"{made[0].upper()}{made[1:]}")
    begun.python, begun.changes = f"{made.python[0].upper()}{made.python[1:]}", made.changes
    return begun


def _in_cell(part: str | Spelling) -> str:
    return part.cell if isinstance(part, Spelling) else str(part)


def in_python(text: str | Spelling) -> str:
    """Return a text as Python spells it; an ordinary one as it is.

    >>> in_python("Lower --max-tokens."), in_python(spelled("Lower {}.", option("max_tokens")))
    ('Lower --max-tokens.', 'Lower max_tokens=.')
    """
    return text.python if isinstance(text, (Spelling, Spelled)) else text
