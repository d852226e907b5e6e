"""Usage and costs: the rows of the journal summed for people, and the session's own sums.

Every sum in USD is an estimate from the price table; the bill is Google's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import JournalError
from vertex_claude_magic.records.journal.database import journal_error
from vertex_claude_magic.records.journal.health import examine
from vertex_claude_magic.records.journal.ledger import Spent
from vertex_claude_magic.records.journal.location import file_bytes
from vertex_claude_magic.records.session_records import journal_of, limits_of
from vertex_claude_magic.settings.origin import session_id
from vertex_claude_magic.spelling import spelled, ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from vertex_claude_magic.records.budget import Limits
    from vertex_claude_magic.records.journal.ledger import UsageRow
    from vertex_claude_magic.records.spending import Spending
    from vertex_claude_magic.records.stores import Stores
    from vertex_claude_magic.settings.target import Target

__all__ = ["GROUPS", "JournalState", "Sum", "UsageSummary", "size", "sums", "total", "usage_of"]

GROUPS = ("day", "model", "notebook")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What several calls came to.

    `input_tokens` counts all tokens of the prompts, of which `cached_tokens` were read from the cache.
    Costs are USD: `cost` of the calls whose cost is known, `open_cost` the most that stopped and unfinished
    ones may have cost beside it, `saved` what replayed answers would have cost; `unknown` counts calls
    without a known price.
    """

    name: str
    calls: int = 0
    failed: int = 0
    replayed: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    open_cost: float = 0.0
    unknown: int = 0
    saved: float = 0.0

    @property
    def spent(self) -> Spent:
        """What they came to."""
        return Spent(cost=self.cost, open_cost=self.open_cost, unknown=self.unknown)


@dataclass(frozen=True, kw_only=True, slots=True)
class JournalState:
    """The path of the journal, its size in bytes, and for how many days it stores calls."""

    path: str
    size: int
    days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageSummary:
    """The usage of some days, and the costs in USD that a limit may be set for.

    `since` and `until` are days (YYYY-MM-DD), `since` empty for the whole session.
    `problem` says why the journal could not tell.
    """

    rows: Sequence[UsageRow] = ()
    since: str
    until: str
    this_session: bool
    spending: Spending
    limits: Limits
    journal: JournalState | None = None
    problem: str = ""


def size(count: int) -> str:
    """Return bytes as people read them, in kB (10^3) or MB (10^6).

    >>> size(70), size(40_960), size(1_250_000)
    ('70 bytes', '41 kB', '1.2 MB')
    """
    if count < 1_000:
        return f"{count} bytes"
    return f"{count / 1e3:,.0f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"


def total(rows: Iterable[UsageRow], name: str) -> Sum:
    """Return the sum of rows.

    >>> total([], "all").calls
    0
    """
    rows = list(rows)
    return Sum(
        name=name,
        calls=sum(row.calls for row in rows),
        failed=sum(row.failed for row in rows),
        replayed=sum(row.replayed for row in rows),
        input_tokens=sum(row.input_tokens + row.cache_write_tokens + row.cache_read_tokens for row in rows),
        cached_tokens=sum(row.cache_read_tokens for row in rows),
        output_tokens=sum(row.output_tokens for row in rows),
        cost=sum(row.cost for row in rows),
        open_cost=sum(row.open_cost for row in rows),
        unknown=sum(row.unknown for row in rows),
        saved=sum(row.saved for row in rows),
    )


def sums(rows: Iterable[UsageRow], by: str, most: int = 31) -> list[Sum]:
    """Return a sum for each day, model or notebook: the newest day first, else the dearest first.

    Args:
        rows: Rows of the journal.
        by: "day", "model" or "notebook".
        most: How many to return; the last one sums the rest.
    """
    groups: dict[str, list[UsageRow]] = {}
    for row in rows:
        groups.setdefault(str(getattr(row, by)), []).append(row)
    found = {name: total(group, name) for name, group in groups.items()}
    if by == "day":
        names = sorted(found, reverse=True)
    else:
        names = sorted(
            found, key=lambda name: (-found[name].cost - found[name].open_cost, -found[name].calls, name)
        )
    if len(names) <= most:
        return [found[name] for name in names]
    rest = [row for name in names[most - 1 :] for row in groups[name]]
    return [*(found[name] for name in names[: most - 1]), total(rest, f"{len(names) - most + 1:,} more")]


def usage_of(
    target: Target,
    spending: Spending,
    *,
    today: date,
    days: int | None,
    this_session: bool,
    stores: Stores,
) -> UsageSummary:
    """Return the usage of the last days, or of this session; a journal that cannot tell is not an error.

    Args:
        target: The settings.
        spending: What this session and today came to.
        today: The day on the user's own clock.
        days: How many days, today included; None for as many as the journal stores.
        this_session: Whether only this session counts.
        stores: The open files of this session.
    """
    # No day is before the year 1.
    back = min(days or target.journal_days, today.toordinal()) - 1
    usage = UsageSummary(
        since="" if this_session and days is None else (today - timedelta(days=back)).isoformat(),
        until=today.isoformat(),
        this_session=this_session,
        spending=spending,
        limits=limits_of(target),
    )
    journal = journal_of(target, stores)
    if journal is None:
        why = "The journal is off, so only this session's own sums are known."
        return replace(usage, problem=spelled("{} {}", why, ways(target.journal_cure, end="")))
    state = JournalState(path=str(journal.path), size=file_bytes(journal.path), days=target.journal_days)
    rows: list[UsageRow] = []
    try:
        if not journal.path.exists():
            # The first question makes it, if it can be made.
            examine(journal.path)
        else:
            rows = journal.usage(since=usage.since, session=session_id() if this_session else "")
    except (JournalError, OSError) as error:
        return replace(usage, problem=str(journal_error(journal.path, error)))
    return replace(usage, rows=tuple(rows), journal=state)
