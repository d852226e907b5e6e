"""`%%claude_batch` sends a table as Vertex batch prediction; `%claude_batch` lists, follows, cancels and collects."""

from __future__ import annotations

from functools import partial
from time import strftime
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import BATCH_FOLLOW_OPTIONS, COMMANDS
from vertex_claude_magic.notebook.commands.table_cell import read_table_cell
from vertex_claude_magic.notebook.display.live_page import LivePage
from vertex_claude_magic.notebook.options import parse_table_line, parse_words, variable_name
from vertex_claude_magic.notebook.pages.batch import batches_page, job_page, progress_page, requests_page
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.tables.batch.checks import batch_options
from vertex_claude_magic.tables.batch.find import find_batch, known_batches
from vertex_claude_magic.tables.batch.job import BatchJob
from vertex_claude_magic.tables.batch.submit import requests_of, submit
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.batch import FINAL
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.notebook.options import ParsedLine
    from vertex_claude_magic.tables.batch.checks import BatchOptions

__all__ = ["batch_from_cell", "batch_from_line"]

_WRITTEN = "%%claude_batch"


def batch_from_cell(host: Host, line: str, cell: str) -> None:
    """Run a `%%claude_batch` cell: put the rows up, create the jobs, and put them into the variable.

    Raises:
        ClaudeError: it cannot be sent; nothing was uploaded, or what was uploaded costs nothing.
    """
    # What follows a batch is read here to tell where it belongs.
    known = {
        name: row._replace(places=frozenset()) if row in BATCH_FOLLOW_OPTIONS and row.name != "help" else row
        for name, row in COMMANDS["claude_batch"].by_name.items()
    }
    parsed, table = parse_table_line(line, known, _WRITTEN)
    if parsed.shows("help"):
        show_help(host, "claude_batch")
        return
    own, given = batch_options(parsed.options, _WRITTEN, table)
    if wrong := next(
        (row for row in BATCH_FOLLOW_OPTIONS if given.get(row.name) and row.name != "help"), None
    ):
        raise errors.OptionError(
            f"{_WRITTEN} does not take {wrong.long}.",
            cure=f"Write %claude_batch {parsed.name} {wrong.long} after it.",
        )
    if own.source:
        options = {name: value for name, value in given.items() if name in parsed.asked}
        _requests_from_cell(host, parsed, cell, own, options)
        return
    session = host.session()
    asked = read_table_cell(host, parsed, table, cell, _WRITTEN)
    if parsed.shows("dry_run"):
        from vertex_claude_magic.notebook.commands.map_dry_run import show_map_dry_run
        from vertex_claude_magic.tables.map import questions_of
        from vertex_claude_magic.tables.options import MapOptions

        questions = questions_of(session, asked.rows, asked.prompt, asked.options, prefix=own.prefix, what=_WRITTEN,
                                 scope=asked.scope, saved=asked.saved, opening=asked.opening)  # fmt: skip
        show_map_dry_run(host, session, questions, MapOptions(prefix=own.prefix), notes=asked.notes)
        return
    _send(
        host,
        parsed,
        asked.notes,
        partial(
            submit,
            session,
            asked.rows,
            asked.prompt,
            session.target(asked.options, saved=asked.saved),
            own,
            name=parsed.name or "",
            table_name=table,
            scope=asked.scope,
            opening=asked.opening,
        ),
    )


def _requests_from_cell(
    host: Host, parsed: ParsedLine, cell: str, own: BatchOptions, options: Mapping[str, Any]
) -> None:
    """Send a table of BigQuery whose rows are finished requests."""
    session = host.session()
    target = session.target(options)
    if parsed.shows("dry_run"):
        _, found = requests_of(session, cell, target, own, lambda _: None)
        show_page(host.shell, *requests_page(own.source, target.model_id, found))
        return
    _send(host, parsed, (), partial(submit, session, own.source, cell, target, own, name=parsed.name or ""))


def _send(host: Host, parsed: ParsedLine, notes: Sequence[str], send: Callable[..., BatchJob]) -> None:
    """Send a batch with a page that says how far it is, and put the jobs into the variable.

    Args:
        host: The magics.
        parsed: The line.
        notes: What to say below the page.
        send: Sends it, as `submit`.
    """
    page, name = _page(host, quiet=parsed.shows("quiet")), parsed.name or ""
    said, uploaded = list(notes), list[BatchJob]()

    def keep(job: BatchJob) -> None:
        # At once: whatever stops the rest, `%claude_batch NAME` goes on with this batch and not with a former one.
        host.shell.user_ns[name] = job
        uploaded.append(job)

    def end() -> None:
        if uploaded:
            page.draw(lambda: job_page(uploaded[0], _all_notes(host, said)), done=True)
        else:
            page.clear()

    try:
        send(notify=lambda text: page.say(f"{text} …"), warn=said.append, uploaded=keep)
        end()
    except KeyboardInterrupt:
        end()
        done = "Stopped. %claude_batch lists what was sent; a batch whose files are not all uploaded costs nothing."
        if uploaded:
            done = f"Stopped. The rows are up; %claude_batch {name} creates the jobs that are missing."
        raise errors.ClaudeInterrupt(done=done) from None
    except errors.ClaudeError:
        page.clear()
        raise


def batch_from_line(host: Host, line: str) -> None:
    """Run `%claude_batch [NAME] [--wait | --cancel | --collect FRAME | --retry-failed]`.

    Raises:
        OptionError: there is no such batch, or the options do not go together.
        ClaudeInterrupt: the user stopped waiting; the jobs go on.
    """
    parsed = parse_words(line, BATCH_FOLLOW_OPTIONS)
    options = parsed.options
    if parsed.shows("help"):
        show_help(host, "claude_batch")
        return
    name = parsed.prompt.strip()
    if not name:
        if options:
            raise errors.OptionError(
                "The batch name is missing.", cure="Write %claude_batch NAME; %claude_batch alone lists them."
            )
        show_page(host.shell, *batches_page(known_batches(host.session())))
        return
    _check_follow(name, options)
    # The batch of the variable, or the one that the journal knows by this name.
    held = host.shell.user_ns.get(name)
    job = held if isinstance(held, BatchJob) else find_batch(host.session(), name, host.shell.user_ns)
    if held is None and name.isidentifier():
        host.shell.user_ns[name] = job
    page = _page(host)
    notes, over = list[str](), False
    try:
        if "cancel" in options:
            over = all(each.state in FINAL for each in job.jobs)
            job.cancel()
        if "retry_failed" in options:
            page.say("looking for the rows that failed …")
            notes += filter(None, [job.send_again()])
        if "wait" in options:
            _follow(job, page)
        else:
            job.refresh()
        # It may have ended since anybody looked.
        if "cancel" in options and (over or all(each.state in FINAL - {"CANCELLED"} for each in job.jobs)):
            notes.append("There was nothing to cancel: it had ended.")
        if "collect" in options:
            page.say("reading the results …")
            notes += _collect(host, job, str(options["collect"]))
            if host.panel is not None:
                # It shows what was spent.
                host.panel.draw()
        elif job.cost is None and job.done and all(each.state in FINAL for each in job.jobs):
            notes.append(f"%claude_batch {name} --collect FRAME puts its answers into FRAME.")
        page.draw(lambda: job_page(job, _all_notes(host, notes), listed="collect" not in options), done=True)
    except KeyboardInterrupt as stop:
        page.draw(lambda: job_page(job, _all_notes(host, notes)), done=True)
        done = stop.done if isinstance(stop, errors.ClaudeInterrupt) else ""
        raise errors.ClaudeInterrupt(done=done or "Stopped.") from None
    except errors.ClaudeError as error:
        page.clear()
        error.spell_for_cell()
        raise


def _check_follow(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a line that cannot be done before anything of it is."""
    if " " in name:
        raise errors.OptionError(
            f"{quote(name, 60)!r} is more than one variable name.",
            cure="Write %claude_batch NAME --collect FRAME.",
        )
    if "cancel" in options and len(options) > 1:
        raise errors.OptionError("--cancel cannot be combined with other options.", cure="Cancel it first.")
    if "collect" in options:
        variable_name(str(options["collect"]), "Write --collect FRAME, such as --collect labels.")


def _follow(job: BatchJob, page: LivePage) -> None:
    """Follow a batch to its end: a bar that moves, or in a terminal a line for each change."""
    said = ""

    def show(each: BatchJob) -> None:
        nonlocal said
        page.draw(lambda: progress_page(each, strftime("%H:%M:%S")), done=False)
        _, line = progress_page(each)
        if line != said:
            said = line
            page.print(line)

    job.wait(show=show)


def _collect(host: Host, job: BatchJob, frame: str) -> list[str]:
    """Put the result into a variable, and return lines about it.

    The table is the value of the variable that the table was in, which may have more columns by now, or of this
    variable. Where neither has the rows that were sent, it is the table as it was then, and in another kernel one of
    their numbers.
    """
    names = host.shell.user_ns
    known = [names.get(str(job.batch.plan.get("table") or "")), names.get(frame)]
    table: Any = next((each for each in known if each is not None and job.is_from(each)), None)
    found = job.collect(table)
    names[frame] = found.table
    said = f"{frame} has the table with the answers."
    if job.batch.plan.get("source"):
        said = f"{frame} has the custom_id of each row and its answer."
    elif table is None and job.has_table:
        said = f"{frame} has the table as it was sent, with the answers."
    elif table is None:
        said = f"{frame} has the number of each row and its answer: the table of the batch is not at hand."
    lines, again = [said, *found.notices], found.errors - found.undecided
    if found.errors:
        rows = "1 row has an error." if found.errors == 1 else f"{found.errors:,} rows have an error."
        which = f"{again:,} of them" if found.undecided else "it" if again == 1 else "them"
        lines.append(
            f"{rows} %claude_batch {job.name} --retry-failed sends {which} again." if again else rows
        )
    return lines


def _page(host: Host, *, quiet: bool = False) -> LivePage:
    if not quiet:
        host.cells.check_may_draw(_WRITTEN, "Claude().batch(table, prompt, to=...)")
    return LivePage(host.shell, quiet=quiet)


def _all_notes(host: Host, notes: list[str]) -> list[str]:
    session = host.session()
    said = [*notes, *session.records.notices(session.target())]
    if session.demo:
        said.append(ANSWERED_BY_DEMO)
    return said
