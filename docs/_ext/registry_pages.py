"""The directive `claude-table`: reference pages made from what the package itself reads.

    ```{claude-table} options
    ```

It writes options, settings, magics, models or errors as Markdown, so that no page of the documentation repeats
what a table of the code says.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

from vertex_claude_magic import errors
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.lifecycle import status
from vertex_claude_magic.models.model import short_count
from vertex_claude_magic.models.prices import rates, usd
from vertex_claude_magic.notebook.commands.help import groups
from vertex_claude_magic.notebook.commands.options import COMMANDS
from vertex_claude_magic.notebook.commands.settings import setting_text
from vertex_claude_magic.notebook.magics import ClaudeMagics
from vertex_claude_magic.notebook.settings import trait_of
from vertex_claude_magic.settings.registry import DEFAULTS, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from docutils import nodes
    from sphinx.application import Sphinx

_MARKUP = re.compile(r"([\\`*_\[\]<>|$~{}])")


def text(value: str) -> str:
    """Write text into a cell of a Markdown table as it is."""
    return _MARKUP.sub(r"\\\1", " ".join(value.split()))


def code(value: str) -> str:
    """Write text as code into a cell of a Markdown table."""
    shown = value.replace("|", "\\|")
    return f"`{shown}`"


def table(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def options() -> Iterator[str]:
    """Yield the options of a line, by group."""
    for title, rows in groups():
        yield f"**{title}**\n"
        yield from table(
            ("option", "meaning", "in Python"),
            (
                (
                    ", ".join(code(f"{name} {row.value}".strip()) for name in (row.short, row.long) if name),
                    text(row.help) + (" (repeatable)" if row.repeatable else ""),
                    "" if row.kind == "display" else code(f"{row.name}="),
                )
                for row in rows
            ),
        )


def settings() -> Iterator[str]:
    """Yield the settings with their defaults and environment variables."""
    yield from table(
        ("setting", "default", "meaning", "environment"),
        (
            (
                code(row.name),
                text(setting_text(row, DEFAULTS[row.name])),
                text(trait_of(row).help),
                ", ".join(map(code, row.variables)),
            )
            for row in OPTIONS.values()
            if "setting" in row.places
        ),
    )


def magics() -> Iterator[str]:
    """Yield the help page of each magic."""
    for name, command in COMMANDS.items():
        page = inspect.getdoc(getattr(ClaudeMagics, name)) or ""
        yield f"## {' and '.join(code(written) for written in command.written)}\n"
        yield f"~~~text\n{page}\n~~~\n"


def models() -> Iterator[str]:
    """Yield the model table, without a day: what is past a date is told by the notebook."""
    catalog = Catalog.load()
    yield f"As of {catalog.as_of}. Prices are USD per million tokens at `global`.\n"
    yield from table(
        ("model", "id", "lifecycle", "context / answer", "in / out", "locations"),
        (
            (
                text(model.name),
                code(model.id),
                text(status(model)),
                f"{short_count(model.context_tokens)} / {short_count(model.max_output_tokens)}",
                "; ".join(
                    f"{f'over {short_count(over)}: ' if over else ''}"
                    f"{usd(here.input, 'price', unknown='?')} / {usd(here.output, 'price', unknown='?')}"
                    for over, here in rates(model, "global")
                )
                or "?",
                text(", ".join(model.locations or ()) or "none known"),
            )
            for model in catalog.models
        ),
    )


def errors_page() -> Iterator[str]:
    """Yield the tree of errors with what each means."""
    names = [name for name in errors.__all__ if inspect.isclass(getattr(errors, name))]
    yield from table(
        ("error", "kind of", "meaning"),
        (
            (code(name), code(kind.__mro__[1].__name__), text((inspect.getdoc(kind) or "").split("\n\n")[0]))
            for name, kind in ((name, getattr(errors, name)) for name in names)
        ),
    )


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "options": options,
    "settings": settings,
    "magics": magics,
    "models": models,
    "errors": errors_page,
}


class ClaudeTable(SphinxDirective):
    """Write one of the pages."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the nodes of the page."""
        lines = "\n".join(PAGES[self.arguments[0]]())
        return self.parse_text_to_nodes(lines, allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("claude-table", ClaudeTable)
    return {"parallel_read_safe": True}
