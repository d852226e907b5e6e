"""`%claude_usage`: what was asked and what it came to, shown at once and handed over as a report."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.commands.help import show_help
from vertex_claude_magic.notebook.commands.options import USAGE_OPTIONS
from vertex_claude_magic.notebook.options import parse_options
from vertex_claude_magic.notebook.pages import usage as usage_page
from vertex_claude_magic.notebook.pages.show import show_page
from vertex_claude_magic.records.journal.ledger import UsageRow
from vertex_claude_magic.records.usage import GROUPS, total, usage_of
from vertex_claude_magic.settings.options import check_value
from vertex_claude_magic.text import alternatives

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    import pandas as pd

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.records.usage import UsageSummary

__all__ = ["UsageReport", "show_usage"]

# A date so far back is before the year 1, where Python's calendar begins.
_MOST_DAYS = 1_000_000


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class UsageReport:
    """What `%claude_usage` found; costs are estimates in USD.

    `usage` has the sums of the session and of today, `by` is what the page is ordered by.
    """

    usage: UsageSummary
    by: str | None = None

    @property
    def rows(self) -> Sequence[UsageRow]:
        """A row for each day, notebook and model, the newest day first."""
        return self.usage.rows

    @property
    def df(self) -> pd.DataFrame:
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
        text = f"{paid.calls + paid.replayed:,} calls, {paid.spent.text()} (estimate)"
        return f"UsageReport({text}{f', {local:,} answered on this machine' if local else ''})"

    def _repr_mimebundle_(self, **_only: Container[str] | None) -> dict[str, str]:
        # IPython passes `include` and `exclude`, and leaves out itself what is not wanted.
        return {
            "text/html": usage_page.html(self.usage, self.by),
            "text/plain": usage_page.plain(self.usage, self.by),
        }


def show_usage(host: Host, line: str) -> UsageReport | None:
    """Run `%claude_usage [--days N] [--by day|model|notebook] [--session]`.

    Raises:
        OptionError: the line holds anything else.
    """
    # Whatever is wrong with the line, the cure names all that it takes.
    cure = f"It takes --days N, --by {alternatives(GROUPS)}, and --session."
    try:
        options = parse_options(line, USAGE_OPTIONS)
        for row in USAGE_OPTIONS:
            if row.name in options:
                check_value(row, options[row.name])
    except OptionError as error:
        raise OptionError(error.message, cure=cure) from None
    if options.get("days", 0) > _MOST_DAYS:
        raise OptionError(f"{options['days']} days are too many.", cure=cure)
    if options.get("help"):
        show_help(host, "claude_usage")
        return None
    session = host.session()
    target = session.target()
    usage = usage_of(
        target,
        session.records.spending(target),
        today=datetime.now().astimezone().date(),
        days=options.get("days"),
        this_session="session" in options,
        stores=host.stores,
    )
    report = UsageReport(usage=usage, by=options.get("by"))
    html, plain = usage_page.html(usage, report.by), usage_page.plain(usage, report.by)
    show_page(host.shell, html, plain)
    host.pass_over(report)
    return report
