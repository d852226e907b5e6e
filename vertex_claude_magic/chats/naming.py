"""What a conversation is called, whose it is, and how its prompts and turns are written in a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vertex_claude_magic import errors
from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.settings.origin import current_origin, working_folder
from vertex_claude_magic.text import quote, without_home

__all__ = ["check_name", "home", "joined_numbers", "written"]

_LONGEST_NAME = 80


def check_name(name: str) -> str:
    """Return the name of a conversation, if it can be one.

    Raises:
        OptionError: it is empty, too long, or holds what nobody sees, such as a line end or two blanks in a row.

    >>> check_name("stats"), check_name("week 3/a")
    ('stats', 'week 3/a')
    """
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or quote(name, 200) != name:
        raise errors.OptionError(
            f"{quote(repr(name), 40)} is not a valid conversation name.",
            cure=f"Use at most {_LONGEST_NAME} visible characters with single blanks between them, such as my stats.",
        )
    return safe_plain(name)


def home() -> str:
    """Return whose conversations those of this process are: the notebook's, else those of the working folder."""
    notebook = current_origin().notebook
    # A script is known by its name alone, and so is one of the same name in another folder.
    return notebook if notebook and not notebook.endswith(".py") else without_home(working_folder())


def joined_numbers(numbers: Sequence[int]) -> str:
    """Return numbers as people list them.

    >>> joined_numbers([2]), joined_numbers([2, 3, 5])
    ('2', '2, 3 and 5')
    """
    *first, last = map(str, numbers)
    return f"{', '.join(first)} and {last}" if first else last


def written(prompt: str | Sequence[Any]) -> str:
    """Return a prompt as one text, with a word for each part that is not text.

    >>> written("Hi"), written(["Look:", 3.5])
    ('Hi', 'Look:\\n<float>')
    """
    if isinstance(prompt, str):
        return prompt
    texts = list[str]()
    for part in prompt:
        content = part.get("content") if isinstance(part, Mapping) else None
        text = part.get("text") if isinstance(part, Mapping) else part
        texts.append(
            next((each for each in (text, content) if isinstance(each, str)), f"<{type(part).__name__}>")
        )
    return "\n".join(texts)
