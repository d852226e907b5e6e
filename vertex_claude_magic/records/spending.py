"""What a session and a day came to, apart for what may be billed and for what this machine answered itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.models.prices import usd

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.ledger import Spent

__all__ = ["Spending"]


class Spending(NamedTuple):
    """Sums in USD by the price table, for every place that shows them: page, panel and the line below an answer.

    Args:
        session: What this session's calls came to, stopped ones and those under way at their worst case; infinite
            where a price is not known.
        session_local: The same of what a server on this machine answered, which cost nothing in fact.
        today: What today's calls of all notebooks came to, None where the journal cannot tell.
        today_local: The same of what servers on this machine answered.
    """

    session: float = 0.0
    session_local: float = 0.0
    today: Spent | None = None
    today_local: Spent | None = None

    @property
    def today_usd(self) -> float | None:
        """What today came to in USD, None where that is not known."""
        return _known(self.today)

    @property
    def local_line(self) -> str:
        """One line on what this machine answered itself; empty where it answered nothing.

        >>> Spending(session=0.0, session_local=0.16).local_line
        "Demo and emulator (not billed): 0.1600 USD this session, at the table's prices."
        """
        sums = []
        if self.session_local:
            sums.append(f"{usd(self.session_local, unknown='an unknown sum in')} USD this session")
        if self.today_local is not None and (self.today_local.usd or self.today_local.unknown):
            sums.append(f"{usd(_known(self.today_local), unknown='an unknown sum in')} USD today")
        shown = ", ".join(sums)
        return f"Demo and emulator (not billed): {shown}, at the table's prices." if shown else ""


def _known(spent: Spent | None) -> float | None:
    return None if spent is None or spent.unknown else spent.usd
