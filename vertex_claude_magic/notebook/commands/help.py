"""The help pages: the docstring of a magic, and all options of `%%claude` behind `--help all`."""

from __future__ import annotations

import textwrap
from inspect import getdoc
from typing import TYPE_CHECKING

from vertex_claude_magic.notebook.pages.html import verbatim
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.settings.registry import LINE_OPTIONS, help_lines

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.settings.registry import Option

__all__ = ["full_page", "groups", "show_help"]

# JupyterLab would break lines inside of words, and leave the letters less room.
_LOOK = "margin: 0; font-size: 90%; word-break: normal; overflow-wrap: break-word"
_EXAMPLES = """\
%%claude ANSWER [options]        the prompt is in the lines below; ANSWER is the variable for the reply
%claude [options] PROMPT         the prompt is the rest of the line
%claude                          shows the current settings

{options}

The prompt
  {{{{ name }}}} is replaced by a variable: a data frame, array, figure, image, dict, function, exception
  or file (pathlib.Path). {{{{ cfg.title }}}}, {{{{ rows[0] }}}} and {{{{ In[3] }}}} work too; nothing is evaluated.
  All other braces, dollar signs and LaTeX are sent unchanged; \\{{{{ is a literal {{{{.

The reply
  answer.text, .code, .data and .df (with --as), .usage, .cost (USD, an estimate), .stop_reason,
  .complete

Examples
  %%claude
  Which columns of {{{{ df }}}} have outliers? Look at {{{{ figure }}}} too.

  %%claude cities --as list[City]
  The five largest cities of Norway.        (then cities.data and cities.df)

  %%claude -f code --attach report.pdf
  Write a cell that plots the table on page 3.

  %%claude notes -s "You are a patient teacher." --max-tokens 800
  %%claude -m claude-sonnet-4-5@20250929 -r us-east5 --temperature 0.2
  %%claude -m sonnet --thinking adaptive --show-thinking
  %%claude --set 'metadata={{"user_id": "class-7"}}' --label course=stats
  %%claude --replay auto --max-cost 0.25
  %%claude --dry-run

Defaults for the session
  %claude_panel to choose by looking, or %config ClaudeMagics.model = "opus"; %config ClaudeMagics
  lists all settings.

Records
  Questions and answers are saved on this machine for 30 days (%claude shows where); --replay answers
  from them, free of charge. %config ClaudeMagics.journal = "off" saves nothing;
  %config ClaudeMagics.recording = "lesson.claude" saves those of a notebook in a file beside it.

Interrupting the kernel stops an answer; the text that has arrived stays on the page and in the variable.
"""


def show_help(host: Host, name: str = "claude", *, whole: bool = False) -> None:
    """Show the help page of a magic; `whole` shows all options of `%%claude`."""
    text = full_page() if whole and name == "claude" else getdoc(getattr(type(host), name)) or ""
    # The documentation's builder wants two colons where one is read.
    text = text.replace("::\n", ":\n")
    show_page(host.shell, f'<pre style="{_LOOK}">{verbatim(text)}</pre>', text)


def full_page() -> str:
    """Return the page of `%%claude --help all`, with the options that are registered now.

    >>> full_page().splitlines()[0]
    '%%claude ANSWER [options]        the prompt is in the lines below; ANSWER is the variable for the reply'
    """
    parts = [f"{title}\n{textwrap.indent(help_lines(listed), '  ')}" for title, listed in groups()]
    return _EXAMPLES.format(options="\n\n".join(parts))


def groups() -> list[tuple[str, list[Option]]]:
    """Return the options of a line in groups, each with its title.

    >>> [title for title, _ in groups()][:2]
    ['Model and location', 'What is sent']
    """
    found: dict[str, list[Option]] = {}
    for row in dict.fromkeys(LINE_OPTIONS.values()):
        found.setdefault(row.group, []).append(row)
    return [*found.items()]
