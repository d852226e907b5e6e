"""What a notebook session notes in the journal, and what journal and limits say."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal import upkeep
from vertex_claude_magic.records.journal.calls import day_of
from vertex_claude_magic.records.journal.location import is_there
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.session.status import JournalFacts, JournalNotes, SessionStatus, SpendRow
from vertex_claude_magic.text import without_home
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.records.stores import Stores
    from vertex_claude_magic.settings.target import Target

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


def _spend(host: Host) -> Sequence[SpendRow]:
    target = host.session().target()
    local = is_loopback(target.base_url or "")
    session = sum(tally.spent(local=local) for tally in host.budgets())
    return (
        SpendRow(name="this session", spent=session, limit=target.max_session_cost),
        SpendRow(
            name="today, all notebooks",
            spent=_today(target, host.stores, local=local),
            limit=target.max_daily_cost,
        ),
    )


def _today(target: Target, stores: Stores, *, local: bool) -> float:
    journal = journal_of(target, stores)
    if journal is None:
        # Not known, which a limit must not take for nothing.
        return math.inf
    try:
        spent = journal.spent(day_of(time.time()), local=local) if is_there(journal.path) else None
    except JournalError:
        return math.inf
    return 0.0 if spent is None else math.inf if spent.unknown else spent.usd
