"""What a notebook session notes in the journal, and what journal and limits say."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal import upkeep
from vertex_claude_magic.records.journal.location import is_there
from vertex_claude_magic.records.session_records import journal_of, limits_of
from vertex_claude_magic.session.status import JournalFacts, JournalNotes, SessionStatus, Spend, SpendRow
from vertex_claude_magic.text import without_home

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["session_status"]


def session_status(host: Host) -> SessionStatus:
    """Return what is known beside the settings of the session whose settings the magics hold."""
    return SessionStatus(
        notes=JournalNotes(lambda: journal_of(host.session().target(), host.stores)),
        journal=lambda: _facts(host),
        spend=lambda: _spend(host),
    )


def _facts(host: Host) -> JournalFacts | None:
    target = host.session().target()
    journal = journal_of(target, host.stores)
    if journal is None:
        return None
    try:
        rows = journal.database.read(upkeep.stats).calls if is_there(journal.path) else 0
    except JournalError:
        return None
    return JournalFacts(days=target.journal_days, rows=rows, path=without_home(str(journal.path)))


def _spend(host: Host) -> Spend:
    session = host.session()
    target = session.target()
    limits, spending = limits_of(target), session.records.spending(target)
    # Where it is not known, a limit must not take it for nothing.
    today = math.inf if spending.today_usd is None else spending.today_usd
    rows = (
        SpendRow(name="this session", spent=spending.session, limit=limits.session),
        SpendRow(name="today, all notebooks", spent=today, limit=limits.day),
    )
    return Spend(rows, spending.local_line)
