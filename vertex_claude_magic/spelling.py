"""Texts that name an option in the spelling of their reader: `--max-tokens` in a cell, `max_tokens=` in Python.

A cure says what to do and not where it is read. It is a text in the spelling of a cell, which is that of the command
line too, and carries the one of Python along; where Python code asks, `ClaudeError.spell_for_python` takes that.
"""

from __future__ import annotations

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.text import alternatives

__all__ = ["Spelled", "Spelling", "field", "flag", "in_python", "name_of", "option", "spelled"]


class Spelling(NamedTuple):
    """One thing in the two spellings."""

    cell: str
    python: str


class Spelled(str):
    """A text in the spelling of a cell; `python` is the same text for Python.

    What is made of it by slicing or joining is an ordinary text, and keeps the spelling of a cell.
    """

    __slots__ = ("python",)
    python: str


def option(name: str, *values: str | int) -> Spelling:
    """Return how an option is written, alone or with the values to choose from.

    Args:
        name: Its name in Python, such as `max_tokens`.
        values: The values to choose from, if there are any.

    >>> option("max_tokens")
    Spelling(cell='--max-tokens', python='max_tokens=')
    >>> option("region", "eu", "us")
    Spelling(cell='--region eu or us', python='region="eu" or "us"')
    """
    cell = f"--{name.rstrip('_').replace('_', '-')}"
    if not values:
        return Spelling(cell, f"{name}=")
    python = alternatives([str(value) if isinstance(value, int) else f'"{value}"' for value in values])
    return Spelling(f"{cell} {alternatives([str(value) for value in values])}", f"{name}={python}")


def name_of(name: str) -> Spelling:
    """Return what an option is called, in a sentence about it.

    >>> name_of("max_tokens")
    Spelling(cell='--max-tokens', python='max_tokens')
    """
    return Spelling(option(name).cell, name)


def flag(name: str) -> Spelling:
    """Return how an option is switched on that takes no value.

    >>> flag("force")
    Spelling(cell='--force', python='force=True')
    """
    return Spelling(option(name).cell, f"{name}=True")


def field(name: str) -> Spelling:
    """Return how a field of the body is set by hand.

    >>> field("speed")
    Spelling(cell='--set speed', python='set={"speed": ...}')
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
    return text


def _in_cell(part: str | Spelling) -> str:
    return part.cell if isinstance(part, Spelling) else str(part)


def in_python(text: str | Spelling) -> str:
    """Return a text as Python spells it; an ordinary one as it is.

    >>> in_python("Lower --max-tokens."), in_python(spelled("Lower {}.", option("max_tokens")))
    ('Lower --max-tokens.', 'Lower max_tokens=.')
    """
    return text.python if isinstance(text, (Spelling, Spelled)) else text
