"""What a session and a day came to, apart for what may be billed and for what this machine answered itself."""

from __future__ import annotations

from typing import NamedTuple

from vertex_claude_magic.records.journal.ledger import Spent

__all__ = ["Spending"]


class Spending(NamedTuple):
    """Sums in USD by the price table, for every place that shows them: page, panel and the line below an answer.

    Args:
        session: What this session's calls came to.
        session_local: The same of what a server on this machine answered, which cost nothing in fact.
        today: What today's calls of all notebooks came to, None where the journal cannot tell.
        today_local: The same of what servers on this machine answered.
    """

    session: Spent = Spent()
    session_local: Spent = Spent()
    today: Spent | None = None
    today_local: Spent | None = None

    @property
    def line(self) -> str:
        """One line on both.

        >>> Spending(session=Spent(cost=0.01, open_cost=0.25), today=Spent(cost=0.5)).line
        'Session ≈$0.010 (up to ≈$0.26) · today ≈$0.50 (estimates).'
        """
        today = "unknown" if self.today is None else self.today.text()
        return f"Session {self.session.text()} · today {today} (estimates). {self.local_line}".rstrip()

    @property
    def local_line(self) -> str:
        """One line on what this machine answered itself; empty where it answered nothing.

        >>> Spending(session_local=Spent(open_cost=0.16)).local_line
        "Demo and emulator (not billed): $0 (up to ≈$0.16) this session, at the table's prices."
        """
        named = (("this session", self.session_local), ("today", self.today_local or Spent()))
        sums = [f"{spent.text()} {when}" for when, spent in named if any(spent)]
        return f"Demo and emulator (not billed): {', '.join(sums)}, at the table's prices." if sums else ""
