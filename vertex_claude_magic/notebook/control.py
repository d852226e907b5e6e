"""The control room of a notebook session: its notes in the journal, and what journal and limits tell."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal import upkeep
from vertex_claude_magic.records.journal.calls import day_of
from vertex_claude_magic.records.journal.location import is_there
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.session.control_room import ControlRoom, JournalFacts, JournalNotes, SpendRow
from vertex_claude_magic.settings.options import find_setting
from vertex_claude_magic.text import without_home
from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.records.stores import Stores
    from vertex_claude_magic.settings.options import AskOptions

__all__ = ["control_room"]


def control_room(magics: Any) -> ControlRoom:
    """Return the control room of the session whose settings the magics hold."""
    return ControlRoom(
        notes=JournalNotes(lambda: journal_of(magics.options(), magics.stores)),
        journal=lambda: _facts(magics),
        spend=lambda: _spend(magics),
    )


def _facts(magics: Any) -> JournalFacts | None:
    options = magics.options()
    journal = journal_of(options, magics.stores)
    if journal is None:
        return None
    try:
        rows = journal.database.read(upkeep.stats).calls if is_there(journal.path) else 0
    except JournalError:
        return None
    return JournalFacts(
        days=int(find_setting("journal_days", options).value), rows=rows, path=without_home(str(journal.path))
    )


def _spend(magics: Any) -> Sequence[SpendRow]:
    options = magics.options()
    local = is_loopback(str(find_setting("base_url", options).value or ""))
    session = sum(tally.spent(local=local) for tally in magics.tallies())
    return (
        SpendRow(name="this session", spent=session, limit=options.max_session_cost),
        SpendRow(
            name="today, all notebooks",
            spent=_today(options, magics.stores, local=local),
            limit=options.max_daily_cost,
        ),
    )


def _today(options: AskOptions, stores: Stores, *, local: bool) -> float:
    journal = journal_of(options, stores)
    if journal is None:
        return math.inf
    try:
        spent = journal.spent(day_of(time.time()), local=local) if is_there(journal.path) else None
    except JournalError:
        return math.inf
    return 0.0 if spent is None else math.inf if spent.unknown else spent.usd
