"""What the calls of the journal came to: by day, notebook and model, in tokens and USD.

Every sum in USD is an estimate from the price table; the bill is Google's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from vertex_claude_magic.models.prices import usd, usd_estimate
from vertex_claude_magic.records.journal.calls import LOCAL

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

__all__ = ["Spent", "UsageRow", "rows", "spent"]

# A call that was stopped, broke off or has not ended counts with the most that it may have cost.
_WORST = "COALESCE(cost, cost_most)"
_TOKENS = ("input_tokens", "cache_write_tokens", "cache_read_tokens", "output_tokens")
_PLACES = ", ".join(f"'{name}'" for name in sorted(LOCAL))
# What a sum of a day has for a USD (see the schema).
_UNITS = 10**12
_LIVE = "state NOT IN ('replayed', 'imported')"


class Spent(NamedTuple):
    """What calls came to in USD, by the price table.

    `cost` is known, `open_cost` is the most that the stopped and unfinished ones may have cost beside it (infinite
    where that is not known), and `unknown` counts those without a known price.

    >>> Spent(cost=0.01, open_cost=0.25).text(), Spent(cost=0.01, unknown=1).text(usd), Spent(unknown=3).text()
    ('≈$0.010 (up to ≈$0.26)', '0.0100 + 1 unknown', 'an unknown sum')
    """

    cost: float = 0.0
    open_cost: float = 0.0
    unknown: int = 0

    @property
    def usd(self) -> float:
        """The sum, with the stopped and unfinished calls at their worst case: what a limit holds against."""
        return self.cost + self.open_cost

    @property
    def known(self) -> str:
        """What is known of it, for a column; a sum of nothing but unknown prices is not 0."""
        nothing = self.unknown and not self.usd
        return "unknown" if nothing else usd(self.cost)

    @property
    def most(self) -> str:
        """The most that it may be, where that is more than what is known; empty where it is not."""
        return usd(self.usd, unknown="an unknown sum") if self.open_cost else ""

    def text(self, write: Callable[[float], str] = usd_estimate) -> str:
        """Return it as a part of a sentence, or of a table with `usd`: what is known, and what it may be at most."""
        if self.unknown and not self.usd:
            return "an unknown sum"
        worst = write(self.usd) if isfinite(self.usd) else "an unknown sum"
        most = f" (up to {worst})" if self.open_cost else ""
        unknown = f" + {self.unknown:,} unknown" if self.unknown else ""
        return f"{write(self.cost)}{most}{unknown}"


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRow:
    """The calls of one day, notebook and model.

    `cost` is USD, an estimate, of the calls whose cost is known; `open_cost` is the most that the stopped
    and unfinished ones may have cost beside it, `unknown` counts the calls that have neither. `saved` is
    what the replayed answers would have cost. `local` says that a server on this machine answered, whose
    answers cost nothing in fact.
    """

    day: str
    notebook: str
    model: str
    local: bool
    calls: int
    failed: int
    replayed: int
    input_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    output_tokens: int
    cost: float
    open_cost: float
    unknown: int
    saved: float
    seconds: float


def spent(connection: sqlite3.Connection, day: str, *, local: bool) -> Spent:
    """Return what the calls of one day (YYYY-MM-DD, local time) came to, of all notebooks.

    Args:
        connection: The journal.
        day: The day.
        local: Whether to sum what servers on this machine answered, or all the rest.
    """
    query = "SELECT cost, open_cost, unknown FROM day_sums WHERE day = ? AND local = ?"
    cost, open_cost, unknown = connection.execute(query, (day, local)).fetchone() or (0, 0, 0)
    return Spent(cost=cost / _UNITS, open_cost=open_cost / _UNITS, unknown=unknown)


def rows(connection: sqlite3.Connection, since: str = "", session: str = "") -> list[UsageRow]:
    """Return the usage by day, notebook and model, the newest day first.

    Args:
        connection: The journal.
        since: The first day (YYYY-MM-DD); empty for all.
        session: Only the calls of this session; empty for all.
    """
    tokens = ", ".join(f"COALESCE(SUM({name}), 0)" for name in _TOKENS)
    found = connection.execute(
        f"SELECT day, notebook, model, source IN ({_PLACES}) AS local, SUM({_LIVE}), SUM(state = 'failed'),"  # noqa: S608
        f" SUM(state = 'replayed'), {tokens}, COALESCE(SUM(cost), 0),"
        f" COALESCE(SUM(CASE WHEN cost IS NULL AND {_LIVE} THEN cost_most END), 0),"
        f" SUM({_WORST} IS NULL AND {_LIVE}), COALESCE(SUM(saved), 0), COALESCE(SUM(seconds), 0)"
        " FROM calls WHERE state <> 'imported' AND day >= ? AND (? = '' OR session = ?)"
        " GROUP BY day, notebook, model, local ORDER BY day DESC, notebook, model",
        (since, session, session),
    ).fetchall()
    names = [entry.name for entry in fields(UsageRow)]
    return [UsageRow(**{**dict(zip(names, row, strict=True)), "local": bool(row[3])}) for row in found]
