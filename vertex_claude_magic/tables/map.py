"""A prompt over a table, from whatever asks: the line of a magic or Python code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.records.session_records import sources_of
from vertex_claude_magic.session.question import NO_PROJECT
from vertex_claude_magic.spelling import in_python
from vertex_claude_magic.tables.options import map_options, refuse_options
from vertex_claude_magic.tables.progress import Bar
from vertex_claude_magic.tables.questions import row_questions
from vertex_claude_magic.tables.rows import read_rows
from vertex_claude_magic.tables.run import TableRun, place_of
from vertex_claude_magic.text import number_of

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping

    from vertex_claude_magic.prompts.scope import Scope
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.tables.progress import Progress
    from vertex_claude_magic.tables.questions import RowQuestions
    from vertex_claude_magic.tables.rows import IntoRows, MadeTable, Rows

__all__ = ["finished_table", "map_in_python", "notes_of", "questions_of"]


def questions_of(
    session: Session,
    rows: Rows,
    prompt: str,
    given: Mapping[str, Any],
    *,
    prefix: str,
    scope: Scope | None,
    what: str,
    saved: Mapping[str, Any] | None = None,
    opening: str = "",
    notify: Callable[[str], None] | None = None,
) -> RowQuestions:
    """Make the questions of a table ready.

    Args:
        session: The session that asks.
        rows: The table.
        prompt: The prompt of a row.
        given: Options of a question, by name.
        prefix: What goes before the names of the added columns.
        scope: Where names are looked up that are not columns.
        what: Who asks, such as `%%claude_map`.
        saved: The options of a saved prompt, by name; None where none can be.
        opening: A text that goes before the prompt of every row.
        notify: Called with what is being waited for.

    Raises:
        OptionError: it cannot be asked as it stands.
    """
    refuse_options({**(saved or {}), **given}, what)
    target = session.target(given, saved=saved)
    sources = sources_of(target, session.records.stores)

    def project() -> str:
        # Whether anything is recorded is known before anybody asks for credentials.
        return NO_PROJECT if sources.answers else session.project(target, notify)

    return row_questions(
        rows, prompt, target, scope=scope, prefix=prefix, opening=opening, project=project,
        seen=session.status.sightings,
    )  # fmt: skip


def notes_of(session: Session, questions: RowQuestions) -> list[str]:
    """Return what to say of a table, its prompt and its model."""
    target = questions.target
    notes = [*questions.rows.notices, *questions.prompt.notices]
    if questions.first is not None:
        request = questions.first.request
        name = target.row.id if target.row is not None else request.model
        lifecycle = session.status.reminder.tell(target.catalog, name, request.region)
        notes += [*([lifecycle] if lifecycle else []), *request.notices]
    return notes


def finished_table(run: TableRun, name: str = "") -> MadeTable:
    """Run a run, and return its table; what ends it early carries the table so far.

    Args:
        run: The run.
        name: The variable that will hold the table, for the text of an interrupt.

    Raises:
        ClaudeInterrupt: the user stopped it; `table` has what is done.
        ClaudeError: something that concerns every row; `details["table"]` has what is done.
    """
    try:
        run.run()
    except KeyboardInterrupt:
        progress = run.progress
        where = f"; {name} contains the finished rows" if name else ""
        rows = number_of(progress.rows, "row")
        again = run.resumption if name else in_python(run.resumption)
        done = f"Stopped after {progress.done:,} of {rows}{where}. Run it again {again}."
        raise errors.ClaudeInterrupt(table=run.table(), done=done) from None
    except errors.ClaudeError as error:
        error.details["table"] = run.table()
        raise
    return run.table()


def map_in_python(
    session: Session,
    table: IntoRows,
    prompt: str,
    given: Mapping[str, Any],
    *,
    scope: Scope | None,
    progress: Callable[[Progress], None] | bool,
    log: logging.Logger,
) -> MadeTable:
    """Run `Claude.map`; arguments as there.

    Raises:
        ClaudeError: as `Claude.map`.
    """
    own, asked = map_options(given)
    questions = questions_of(
        session, read_rows(table), prompt, asked, prefix=own.prefix, scope=scope, what="Claude.map"
    )
    for notice in notes_of(session, questions):
        log.warning("%s", in_python(notice))
    bar = Bar(sys.stderr) if progress is True else None
    draw = progress if callable(progress) else bar
    failures: list[Exception] = []

    def show(present: Progress) -> None:
        if draw is None or failures:
            return
        try:
            draw(present)
        # The answers are paid for, whatever code of the user raises.
        except Exception as failure:
            failures.append(failure)
            log.warning("progress= failed, so it is not called again: %r", failure, exc_info=True)

    run = TableRun(session, questions, own, place=place_of(), show=show)
    try:
        result = finished_table(run)
    finally:
        if bar is not None:
            bar.close()
        for notice in session.records.notices(questions.target):
            log.warning("%s", in_python(notice))
    if run.stopped_by is not None:
        log.warning("%s %s", in_python(run.stopped_by.message), in_python(run.stopped_by.cure))
    log.info("%s", run.progress.summary())
    return result
