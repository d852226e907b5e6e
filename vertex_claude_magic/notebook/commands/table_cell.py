"""What a cell asks of every row of a table: `%%claude_map` and `%%claude_batch` read it alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.tool_lines import read_body
from vertex_claude_magic.prompts.scope import own_names
from vertex_claude_magic.prompts.template import parse_path, value_of
from vertex_claude_magic.tables.options import refuse_options
from vertex_claude_magic.tables.row_prompt import ROW
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.options import ParsedLine
    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.tables.rows import Rows

__all__ = ["TableCell", "read_table_cell"]


class TableCell(NamedTuple):
    """A cell over a table.

    Args:
        rows: The table.
        prompt: The prompt of a row.
        options: The options of a question that the line gives, by name.
        scope: Where names are looked up that are not columns.
        saved: The options that a saved prompt gives.
        opening: What goes before the prompt of every row: the last cells.
        notes: What the user should know of how it was read.
    """

    rows: Rows
    prompt: str
    options: Mapping[str, Any]
    scope: Scope
    saved: Mapping[str, Any]
    opening: str = ""
    notes: tuple[str, ...] = ()


def read_table_cell(host: Host, parsed: ParsedLine, table: str, cell: str, what: str) -> TableCell:
    """Read the table, the prompt below the line, the saved prompt, and the cells before it.

    Args:
        host: The magics, for the user's variables.
        parsed: The line.
        table: How the line names the table.
        cell: The lines below.
        what: Who asks, such as `%%claude_map`.

    Raises:
        OptionError: one of them is not there, or a saved prompt gives an option that a table does not take.
    """
    body = read_body(cell.removesuffix("\n"), literal="literal" in parsed.options)
    rows = read_rows(_table_of(host, table), table)
    options = parsed.asked
    prompt, scope, saved = body.prompt, host.scope(), dict[str, Any]()
    notes = [*body.notes]
    if "prompt" in options or "with_" in options:
        from vertex_claude_magic.notebook.saved_prompts import load_prompt

        columns = {*rows.names, ROW}
        prompt, scope, saved = load_prompt(options, prompt, scope, columns=columns)
        refuse_options(saved, what)
        notes += [
            f"--with {quote(key, 40)} is not used: {quote(key, 40)} is a column of the table."
            for key in options.get("with_", {})
            if key in columns
        ]
    opening = ""
    if (count := options.pop("context", None)) is not None:
        from vertex_claude_magic.notebook.context import context_before

        tokens = host.session().target(options, saved=saved).context_tokens
        opening, more = context_before(host, count, tokens)
        notes += more
    return TableCell(rows, prompt, options, scope, saved, opening, tuple(notes))


def _table_of(host: Host, text: str) -> Any:
    """Return the table that the line names: a variable, or a path that begins at one.

    Raises:
        OptionError: there is none.
    """
    path = parse_path(text, in_braces=False)
    if path is None:
        raise errors.OptionError(
            f"{quote(text, 60)!r} is not the name of a table.",
            cure="Assign the table to a variable first, and write its name, such as reviews or data.reviews.",
        )
    if path.name not in host.shell.user_ns:
        near = nearest(path.name, own_names(host.shell.user_ns))
        hint = f"Did you mean {near}?" if near else "Make the table in a cell above."
        raise errors.OptionError(f"No variable named {path.name[:60]!r}.", cure=hint)
    return value_of(path, host.shell.user_ns)
