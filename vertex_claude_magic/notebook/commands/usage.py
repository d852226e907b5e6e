"""`%claude_usage`: what was asked and what it came to, shown at once and handed over as a report."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.pages import usage as usage_page
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.records.journal.ledger import UsageRow
from vertex_claude_magic.records.usage import GROUPS, total, usage_of
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.records.usage import Usage

__all__ = ["USAGE_OPTIONS", "UsageReport", "show_usage"]

USAGE_OPTIONS = ("--by", "--days", "--session")
_MOST_DAYS = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UsageReport:
    """What `%claude_usage` found; costs are estimates in USD.

    `usage` has the sums of the session and of today, `by` is what the page is ordered by.
    """

    usage: Usage
    by: str | None = None

    @property
    def rows(self) -> Sequence[UsageRow]:
        """A row for each day, notebook and model, the newest day first."""
        return self.usage.rows

    @property
    def df(self) -> Any:
        """The rows as a pandas frame.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from vertex_claude_magic.frames.make import text_frame

        names = [entry.name for entry in fields(UsageRow)]
        return text_frame(names, [[getattr(row, name) for name in names] for row in self.rows])

    def __repr__(self) -> str:
        paid = total((row for row in self.rows if not row.local), "")
        local = sum(row.calls + row.replayed for row in self.rows if row.local)
        text = f"{paid.calls + paid.replayed:,} calls, {usage_page.usd(paid)} (estimate)"
        return f"UsageReport({text}{f', {local:,} answered on this machine' if local else ''})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:  # noqa: ARG002 - IPython's signature
        return {
            "text/html": usage_page.html(self.usage, self.by),
            "text/plain": usage_page.plain(self.usage, self.by),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    days: int | None = None
    by: str | None = None
    session: bool = False
    help: bool = False


def show_usage(magics: Any, line: str) -> UsageReport | None:
    """Run `%claude_usage [--days N] [--by day|model|notebook] [--session]`.

    Raises:
        OptionError: the line holds anything else.
    """
    asked = _parsed(line)
    if asked.help:
        show_help(magics, "claude_usage")
        return None
    usage = usage_of(
        magics.options(),
        magics.tallies(),
        today=datetime.now().astimezone().date(),
        days=asked.days,
        this_session=asked.session,
        stores=magics.stores,
    )
    report = UsageReport(usage=usage, by=asked.by)
    show_page(magics.shell, usage_page.html(usage, asked.by), usage_page.plain(usage, asked.by))
    magics.pass_over(report)
    return report


def _parsed(line: str) -> _Line:
    """Read the line.

    >>> _parsed("--days 7 --by=model").by
    'model'
    """
    words = line.replace("=", " ").split()
    found: dict[str, Any] = {}
    while words:
        word = words.pop(0)
        if word == "--session":
            found["session"] = True
        elif word in {"-h", "--help"}:
            found["help"] = True
        elif word == "--days" and words:
            found["days"] = _days(words.pop(0))
        elif word == "--by" and words and words[0] in GROUPS:
            found["by"] = words.pop(0)
        else:
            raise _refusal(f"{word} {words[0]}" if words and word == "--by" else word)
    return _Line(**found)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= _MOST_DAYS):
        raise _refusal(f"--days {text}")
    return int(text[:9])


def _refusal(said: str) -> OptionError:
    return OptionError(
        f"%claude_usage does not know {quote(said, 60)!r}.",
        cure=f"It takes --days N, --by {', '.join(GROUPS[:-1])} or {GROUPS[-1]}, and --session.",
    )
