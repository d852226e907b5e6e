"""What the journal of a session keeps, for the panel and `%claude_logging`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal import upkeep
from vertex_claude_magic.records.journal.location import is_there
from vertex_claude_magic.records.session_records import journal_of
from vertex_claude_magic.text import without_home

if TYPE_CHECKING:
    from vertex_claude_magic.notebook.host import Host

__all__ = ["JournalFacts", "journal_facts"]


class JournalFacts(NamedTuple):
    """What the local journal keeps: for how many days, how many rows by now, in which file."""

    days: int
    rows: int
    path: str


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
