"""What the panel and `%claude_logging` show of a session: what its journal keeps, and what was spent against limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal import upkeep
from vertex_claude_magic.records.journal.location import is_there
from vertex_claude_magic.records.session_records import journal_of, limits_of
from vertex_claude_magic.text import without_home

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.records.journal.ledger import Spent

__all__ = ["JournalFacts", "Spend", "SpendRow", "journal_facts", "spend_of"]


class JournalFacts(NamedTuple):
    """What the local journal keeps: for how many days, how many rows by now, in which file."""

    days: int
    rows: int
    path: str


class SpendRow(NamedTuple):
    """What was spent, None where the journal cannot tell, and the limit in USD, None where none is set."""

    name: str
    spent: Spent | None
    limit: float | None


class Spend(NamedTuple):
    """What was spent, one row a limit, and one line on what this machine answered, which is in no row."""

    rows: Sequence[SpendRow] = ()
    note: str = ""


def journal_facts(host: Host) -> JournalFacts | None:
    """Return what the journal of the session keeps, None where it is off or cannot be read."""
    target = host.session().target()
    journal = journal_of(target, host.stores)
    if journal is None:
        return None
    try:
        rows = journal.database.read(upkeep.stats).calls if is_there(journal.path) else 0
    except JournalError:
        return None
    return JournalFacts(days=target.journal_days, rows=rows, path=without_home(str(journal.path)))


def spend_of(host: Host) -> Spend:
    """Return what the session and the day have cost, each with its limit."""
    session = host.session()
    target = session.target()
    limits, spending = limits_of(target), session.records.spending(target)
    rows = (
        SpendRow(name="this session", spent=spending.session, limit=limits.session),
        SpendRow(name="today, all notebooks", spent=spending.today, limit=limits.day),
    )
    return Spend(rows, spending.local_line)
