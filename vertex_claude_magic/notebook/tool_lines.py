"""What belongs to other tools in a cell or on a line, and what is done about it before the prompt is sent.

Lines directly below a cell magic that another tool reads are taken off; variables on a `%claude` line that
IPython would fill in elsewhere are pointed out.

Only an unbroken run of such lines at the very top counts. A line further down belongs to the prompt, and so
does a Markdown heading or a hashtag, because each pattern asks for the mark of its tool.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.prompts.scope import own_names

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CellBody", "read_body", "unfilled_notes"]

# Texts, which are compiled where a line has their mark.
_TOOL_LINE = r"""(?x)
    \#[ \t]?\|                                     # Quarto and nbdev: `#| label: x`; formatters write `# |`
    | \#[ \t]?@(?:title|markdown|param)\b          # Colab: the title, text and fields of a form
    | \#[ \t]*(?:NBVAL_[A-Z_]+|PYTEST_VALIDATE_IGNORE_OUTPUT)\b    # nbval
    | \#[ \t]*%%(?:[ \t%].*)?$                     # VS Code, Spyder, PyCharm, jupytext: `# %%`, `#%% title`
    | \#[ \t]*(?:<codecell>|In\[[ \d]*\]:?)[ \t]*$ # the same marks as older versions and nbconvert write them
    | \#[ \t]*[+-][ \t]*$                          # jupytext: `# +` begins a cell and `# -` ends it
    | \#[ \t]*\+[ \t]+(?:[\w.-]+=|[{\[]).*$        # jupytext: `# + tags=["a"]`, `# + {"tags": []}`
    """
# Colab writes the value of a form field into an assignment: `topic = "t-tests" # @param {type:"string"}`.
_FORM_FIELD = r"(?P<name>[^\W\d]\w*)[ \t]*=(?!=).*\#[ \t]?@param\b"
# {name}, $name and ${name}, as IPython fills them in on the lines of other magics; not {{ name }}.
_LINE_VARIABLE = r"(?<!\{)\{([^\W\d]\w*)\}(?!\})|\$([^\W\d]\w*)|\$\{([^\W\d]\w*)\}"


class CellBody(NamedTuple):
    """The lines below a cell magic: the prompt, the lines of other tools above it, and what to say of them."""

    prompt: str
    tool_lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_body(text: str, *, literal: bool = False) -> CellBody:
    r"""Divide what is below a cell magic into lines of other tools and the prompt.

    The prompt stays as it is; blank lines between tool lines and prompt go with the tool lines. With `literal` all of
    it is the prompt.

    >>> read_body("#| echo: false\n#| label: a\n\nWhy?\n#| b").prompt
    'Why?\n#| b'
    >>> read_body("# Title\n#| a").tool_lines
    ()
    """
    lines = [] if literal else text.splitlines(keepends=True)
    count, fields = 0, list[str]()
    for line in lines:
        field = re.match(_FORM_FIELD, line) if "@param" in line else None
        if field is None and not (line.startswith("#") and re.match(_TOOL_LINE, line.rstrip("\r\n"))):
            break
        fields += [field["name"]] if field else []
        count += 1
    if not count:
        return CellBody(prompt=text)
    tool_lines = tuple(line.rstrip("\r\n") for line in lines[:count])
    while count < len(lines) and not lines[count].strip():
        count += 1
    prompt = "".join(lines[count:])
    if not fields:
        return CellBody(prompt=prompt, tool_lines=tool_lines)
    note = (
        f"The form field {', '.join(fields)} was not sent and sets no variable here. Set it in a cell of its own"
        f" and write {{{{ {fields[0]} }}}} in the prompt, or use --literal."
    )
    return CellBody(prompt=prompt, tool_lines=tool_lines, notes=(note,))


def unfilled_notes(prompt: str, names: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell which variables a line names in the way of IPython's other line magics, which fill them in."""
    written = {found[0]: next(filter(None, found.groups())) for found in re.finditer(_LINE_VARIABLE, prompt)}
    known = own_names(names) if written else ()
    own = {text: name for text, name in written.items() if name in known}
    if not own:
        return ()
    name = next(iter(own.values()))
    verb = "was" if len(own) == 1 else "were"
    return (f"{', '.join(own)} {verb} sent as written. To send the value, write {{{{ {name} }}}}.",)
