"""`%claude_logging`: Google's request-response logging for one model in one location, beside the local journal."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from vertex_claude_magic import errors
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import LOGGING_OPTIONS
from vertex_claude_magic.notebook.display.live_page import LivePage
from vertex_claude_magic.notebook.options import parse_words
from vertex_claude_magic.notebook.pages import logging as pages
from vertex_claude_magic.records.journal import upkeep
from vertex_claude_magic.records.journal.location import is_there
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.text import quote, without_home
from vertex_claude_magic.transport.config_change import ConfigChange, change_logging
from vertex_claude_magic.transport.logging_config import LoggingConfig, check_sample, check_table
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO

if TYPE_CHECKING:
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.transport.admin import Admin

__all__ = ["logging_status", "run_logging"]

_TIMEOUT = 600.0  # seconds for each of Google's operations, which take minutes
_UNFINISHED = "The change did not finish; %claude_logging status shows the current state."
_USE = "Use %claude_logging status, on --table bq://project.dataset.table --sample 0.1, or off."


def run_logging(host: Host, line: str) -> None:
    """Run `%claude_logging status|on|off [--table URI] [--sample RATE] [-m MODEL] [-r LOC] [-p PROJECT]`.

    Raises:
        OptionError: the line does not say what to do; nothing was sent.
        ClaudeError: Google could not be asked, or did not do it.
        ClaudeInterrupt: the user stopped it.
    """
    parsed = parse_words(line, LOGGING_OPTIONS)
    if parsed.shows("help"):
        show_help(host, "claude_logging")
        return
    options = dict(parsed.options)
    word = parsed.prompt.strip().lower()
    table, sample = options.pop("table", None), options.pop("sample", None)
    # None for a mere look.
    wanted: LoggingConfig | None = None
    if word == "on":
        if table is None:
            raise OptionError("Logging needs a table to write to.", cure=_USE)
        wanted = LoggingConfig(
            enabled=True, table=check_table(table), sample=check_sample(1.0 if sample is None else sample)
        )
    elif word not in {"", "status", "off"}:
        raise OptionError(f"Unknown argument {quote(word, 40)!r} for %claude_logging.", cure=_USE)
    elif table is not None or sample is not None:
        raise OptionError("--table and --sample can only be used with on.", cure=_USE)
    elif word == "off":
        wanted = LoggingConfig(enabled=False)
    session = host.session()
    view, target = LivePage(host.shell), session.target(options)
    try:
        admin = session.admin(target)
        place = f"{admin.place.model} in {admin.place.region}"
        change = (
            ConfigChange(config=admin.config())
            if wanted is None
            else change_logging(
                admin, wanted, seconds=_TIMEOUT, tell=lambda text: view.say(f"{place}: {text} …")
            )
        )
    except (errors.ClaudeError, KeyboardInterrupt) as error:
        if wanted is not None:
            view.say(_UNFINISHED)
        if isinstance(error, errors.ClaudeError):
            raise
        raise errors.ClaudeInterrupt from None
    row = target.catalog.find(admin.place.model)
    status = logging_status(host, admin, row, change, wanted)
    view.draw(lambda: (pages.html(status), pages.plain(status)), done=True)


def logging_status(
    host: Host, admin: Admin, row: Model | None, change: ConfigChange, wanted: LoggingConfig | None
) -> pages.Status:
    """Return what is to be shown: Google's logging as read back, and what the journal keeps."""
    outcome = ""
    if wanted is not None:
        state = "on" if wanted.enabled else "off"
        outcome = f"Logging was already {state}."
        if change.written:
            outcome = f"Logging is {state} (read back after the change)."
        if change.changed_meanwhile:
            names = ", ".join(quote(name, 60) for name in change.changed_meanwhile)
            outcome += f" Somebody else changed {names} at the same time; that change was left alone."
    target, facts = host.session().target(), None
    journal = journal_of(target, host.stores)
    if journal is not None:
        with suppress(errors.JournalError):
            rows = journal.database.read(upkeep.stats).calls if is_there(journal.path) else 0
            path = without_home(str(journal.path))
            facts = pages.JournalFacts(days=target.journal_days, rows=rows, path=path)
    return pages.Status(
        place=admin.place,
        row=row,
        logging=LoggingConfig.of(change.config),
        known=bool(change.config),
        others=tuple(sorted(name for name in change.config if name != "loggingConfig")),
        outcome=outcome,
        journal=facts,
        notes=(ANSWERED_BY_DEMO,) if host.session().demo else (),
    )
