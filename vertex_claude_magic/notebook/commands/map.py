"""`%%claude_map`: a prompt over the rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import COMMANDS
from vertex_claude_magic.notebook.commands.table_cell import read_table_cell
from vertex_claude_magic.notebook.display.table_run import TableRunView
from vertex_claude_magic.notebook.options import parse_table_line
from vertex_claude_magic.tables.estimate import batch_note
from vertex_claude_magic.tables.map import finished_table, notes_of, questions_of
from vertex_claude_magic.tables.options import map_options
from vertex_claude_magic.tables.run import TableRun, place_of
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["map_from_cell"]

_WRITTEN = "%%claude_map"


def map_from_cell(host: Host, line: str, cell: str) -> None:
    """Run a `%%claude_map` cell; whatever happens, the variable has what is done.

    Raises:
        ClaudeError: it cannot be asked, or something concerns every row.
        ClaudeInterrupt: the user stopped it.
    """
    parsed, table = parse_table_line(line, COMMANDS["claude_map"].by_name, _WRITTEN)
    if parsed.shows("help"):
        show_help(host, "claude_map")
        return
    own, _ = map_options(parsed.options)
    session = host.session()
    quiet = parsed.shows("quiet")
    if not quiet:
        host.cells.check_may_draw(_WRITTEN, "Claude().map(table, prompt)")
    view = TableRunView(host.shell, quiet=quiet, kept_in=parsed.name or "")
    asked = read_table_cell(host, parsed, table, cell, _WRITTEN)
    questions = questions_of(
        session,
        asked.rows,
        asked.prompt,
        asked.options,
        prefix=own.prefix,
        scope=asked.scope,
        what=_WRITTEN,
        saved=asked.saved,
        opening=asked.opening,
        notify=view.wait,
    )
    notes = [*asked.notes, *notes_of(session, questions)]
    name = parsed.name or ""
    if parsed.shows("dry_run"):
        from vertex_claude_magic.notebook.commands.map_dry_run import show_map_dry_run

        run = TableRun(session, questions, own, place=place_of(name))
        show_map_dry_run(host, session, questions, own, notes=notes, run=run)
        return
    run = TableRun(session, questions, own, place=place_of(name), show=view.draw)
    try:
        host.shell.user_ns[name] = finished_table(run, name)
    except errors.ClaudeInterrupt as interrupt:
        host.shell.user_ns[name] = interrupt.table
        raise
    except errors.ClaudeError as error:
        host.shell.user_ns[name] = error.details["table"]
        raise
    finally:
        stop = run.stopped_by
        if stop is not None:
            notes.insert(0, f"{stop.message} {stop.cure}")
        over = run.progress
        if later := batch_note(questions.target, over.cost, over.asked):
            notes.append(later)
        if session.demo and (over.answered or over.failures):
            notes.append(ANSWERED_BY_DEMO)
        view.finish(over, (*notes, *session.records.notices(questions.target)))
        if host.panel is not None:
            # It shows what was spent.
            host.panel.draw()
