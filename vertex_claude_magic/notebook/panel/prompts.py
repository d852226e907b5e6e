"""What somebody means who types into a field of the panel: a prompt, a variable's name, or a cell."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.options import parse_prompt_line
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FoundPrompt", "find_prompt"]

# IPython counts cells from 1, and takes negative numbers from the end.
_CELL = re.compile(r"In\[(-?\d{1,6})\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundPrompt:
    """A prompt, and where it came from, in words."""

    text: str
    origin: str


def find_prompt(typed: str, namespace: Mapping[str, Any], cells: Sequence[str]) -> FoundPrompt:
    """Return the prompt for what was typed.

    A name that the namespace has gives that variable, `In[3]` that cell's prompt, everything else is text.

    Args:
        typed: What was typed.
        namespace: The user's variables.
        cells: The cells that ran, as they were written. `In` itself has the Python that IPython makes of them.

    Raises:
        OptionError: nothing was typed, or the variable or cell holds no text.

    >>> find_prompt("notes", {"notes": "Summarize this."}, []).origin
    'the variable notes'
    >>> find_prompt("notes", {}, []).origin
    'the text as typed'
    >>> find_prompt("In[1]", {}, ["", "%claude What is a mean?"]).text
    'What is a mean?'
    """
    text = typed.strip()
    if not text:
        raise OptionError(
            "There is nothing to count.",
            cure="Enter a prompt, the name of a variable, or a cell such as In[3].",
        )
    if cell := _CELL.fullmatch(text):
        number = int(cell[1])
        source = cells[number] if -len(cells) <= number < len(cells) else ""
        if not source.strip():
            raise OptionError(
                f"There is no cell In[{number}].", cure="Use the number of a cell that has run."
            )
        return FoundPrompt(text=_prompt_of(source), origin=f"the cell {text}")
    if text in namespace:
        value = namespace[text]
        # Only these two are read, because anything else could run code of its own.
        if type(value) is Reply or (isinstance(value, str) and value.strip()):
            held = value.text if type(value) is Reply else str(value)
            return FoundPrompt(text=held, origin=f"the variable {text}")
        what = "an empty text" if isinstance(value, str) else f"a {quote(type(value).__name__, 40)}"
        raise OptionError(
            f"{quote(text, 40)} is {what}.", cure="Use a variable with text, or type the prompt."
        )
    return FoundPrompt(text=typed, origin="the text as typed")


def _prompt_of(source: str) -> str:
    """Return what a cell asks: the body of `%%claude`, the prompt of `%claude`, or the cell itself."""
    first, _, rest = source.strip().partition("\n")
    command, _, line = first.partition(" ")
    if command == "%%claude" and rest.strip():
        return rest
    if command == "%claude" and not rest.strip():
        return parse_prompt_line(line).prompt or source
    return source
