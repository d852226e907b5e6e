"""The page of `%claude_usage`: tables for notebooks and aligned text for terminals, with the same rows.

The chart is a column of block characters, which every front end and every terminal shows.
"""

from __future__ import annotations

from math import isinf
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.models.prices import usd, usd_limit
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.records.journal.ledger import Spent
from vertex_claude_magic.records.usage import size, sums, total
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.spelling import Change
from vertex_claude_magic.text import number_of, quote, without_home

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vertex_claude_magic.records.journal.ledger import UsageRow
    from vertex_claude_magic.records.usage import Sum, UsageSummary

__all__ = ["bar", "html", "plain"]

_HEADS = ("Chart", "USD (est.)", "Up to (est.)", "Saved (est.)", "Calls", "Failed", "Replayed", "Tokens in", "Cached",
          "Tokens out")  # fmt: skip
_BAR = 10
_MOST_DAYS = 31
_EIGHTHS = "▏▎▍▌▋▊▉█"
_LONGEST_NAME = 48
_UNNAMED = "(no name)"
_LOCAL = (
    "Answered on this machine (demo, emulator), so nothing was billed. USD shows what Google would charge."
)


def bar(value: float, beside: float, most: float) -> str:
    """Return a bar of block characters, full for `value`, light for what may come beside it.

    >>> bar(1.0, 0.6, 2.0)
    '█████░░░'
    """
    if most <= 0:
        return ""
    eighths = round(value / most * _BAR * 8)
    if value > 0 and not eighths:
        eighths = 1
    full, rest = divmod(eighths, 8)
    if beside <= 0:
        return "█" * full + (_EIGHTHS[rest - 1] if rest else "")
    # A part of a block would leave a gap before the light ones.
    full = round(eighths / 8)
    return "█" * full + "░" * max(round((value + beside) / most * _BAR) - full, 0)


def plain(usage: UsageSummary, by: str | None = None) -> str:
    """Return the page as text.

    Args:
        usage: What was found.
        by: "day", "model" or "notebook"; None for a chart by day and model.
    """
    lines = [] if usage.problem else [_title(usage), ""]
    for caption, tables in _sections(usage, by):
        lines += [caption, ""] if caption else []
        for table in tables:
            lines += [table.plain(), ""]
    return "\n".join([*lines, *_remarks(usage)])


def html(usage: UsageSummary, by: str | None = None) -> str:
    """Return the same page as HTML tables; nothing in it is loaded or clickable.

    The arguments are those of `plain`.
    """
    parts = [] if usage.problem else [f"<p>{literal(_title(usage))}</p>"]
    for caption, tables in _sections(usage, by):
        parts += [f"<p>{literal(caption)}</p>"] if caption else []
        parts += [table.html() for table in tables]
    remarks = "<br>\n".join(map(literal, _remarks(usage)))
    return "\n".join([*parts, f"<p><small>{remarks}</small></p>"])


def _title(usage: UsageSummary) -> str:
    what = "this session" if usage.this_session else "all notebooks"
    days = f"{usage.since} to {usage.until}" if usage.since else "since it began"
    paid = total((row for row in usage.rows if not row.local), "")
    asked = f": {number_of(paid.calls, 'call')}, {paid.spent.text()}" if paid.calls else ""
    return f"Usage of {what}, {days}{asked}. USD are estimates from the price table; the bill is Google's."


def _sections(usage: UsageSummary, by: str | None) -> Iterator[tuple[str, list[Table]]]:
    """Yield a caption and its tables: what may be billed, then what this machine answered."""
    paid = [row for row in usage.rows if not row.local]
    local = [row for row in usage.rows if row.local]
    if usage.problem:
        return
    if paid or not local:
        yield "" if paid else "No calls.", [_table(paid, by)] if paid else []
    if local:
        yield _LOCAL, [_table(local, by)]


def _table(rows: Sequence[UsageRow], by: str | None) -> Table:
    """Return the sums of a group, or of each day and model, with a bar beside each."""
    found: Iterable[tuple[tuple[str, ...], Sum]]
    found = [((each.name,), each) for each in sums(rows, by)] if by else _days_and_models(rows)
    group = [(tuple(map(_name, names)), each) for names, each in found]
    whole = total(rows, "Total")
    shown = {
        "Up to (est.)": whole.open_cost or whole.unknown,
        "Saved (est.)": whole.saved,
        "Failed": whole.failed,
        "Replayed": whole.replayed,
        "Cached": whole.cached_tokens,
    }
    several = len(group) > 1
    most = max((each.cost + each.open_cost for _, each in group), default=0.0)
    # A bar says something only beside another one, and where nothing was spent there is none.
    shown["Chart"] = several and most
    heads = [head for head in _HEADS if shown.get(head, True)]
    body, former = [], ""
    total_names = ("Total",) if by else ("Total", "")
    # The total of one row would be that row again.
    for names, each in (*group, *([(total_names, whole)] if several else [])):
        unknown = f"{each.unknown:,} unknown" if each.unknown else ""
        cells = {
            "USD (est.)": each.spent.known,
            "Up to (est.)": " + ".join(filter(None, [each.spent.most, unknown])),
            "Chart": bar(each.cost, each.open_cost, most) if each is not whole else "",
            "Saved (est.)": usd(each.saved),
            "Calls": f"{each.calls:,}",
            "Failed": f"{each.failed:,}",
            "Replayed": f"{each.replayed:,}",
            "Tokens in": f"{each.input_tokens:,}",
            "Cached": f"{each.cached_tokens:,}",
            "Tokens out": f"{each.output_tokens:,}",
        }
        # A day is named once.
        named = ("", *names[1:]) if not by and names[0] == former else names
        former = names[0]
        body.append(Row((*named, *(cells[head] for head in heads))))
    columns = [Column(name, wrap="long") for name in ([by.capitalize()] if by else ["Day", "Model"])]
    # Heads of two words may take two lines, so that a page holds all columns.
    columns += [Column(head, "left" if head == "Chart" else "right") for head in heads]
    return Table(columns=columns, rows=body)


def _days_and_models(rows: Sequence[UsageRow]) -> Iterator[tuple[tuple[str, str], Sum]]:
    days: dict[str, list[UsageRow]] = {}
    for row in rows:
        days.setdefault(row.day, []).append(row)
    for day in sorted(days, reverse=True)[:_MOST_DAYS]:
        for each in sums(days[day], "model"):
            yield (day, each.name), each
    if older := [row for day in sorted(days, reverse=True)[_MOST_DAYS:] for row in days[day]]:
        yield ("earlier", ""), total(older, "")


def _name(text: str) -> str:
    """Return a name of a day, model or notebook; of a notebook file and folder, the frame has the whole path.

    >>> _name("~/lessons/statistics/week-1.ipynb"), _name("week-1.ipynb"), _name("")
    ('…/statistics/week-1.ipynb', 'week-1.ipynb', '(no name)')
    """
    parts = text.replace("\\", "/").split("/")
    short = f"…/{'/'.join(parts[-2:])}" if len(parts) > 3 else text
    return quote(safe_plain(short[:1_000]), _LONGEST_NAME) or _UNNAMED


def _remarks(usage: UsageSummary) -> list[str]:
    spent, limits = usage.spending, usage.limits
    if spent.session == spent.today == Spent() and limits.session is limits.day is None:
        # So it is in the demo, where two lines would say the same.
        lines = ["This session and today, all notebooks: $0 (estimate).", spent.local_line]
    else:
        lines = [_session_line(usage), _today_line(usage), spent.local_line]
    # Without rows the sums of the session alone tell.
    if any(each is not None and each.open_cost for each in (*usage.rows, *spent)):
        lines.append(
            '"Up to" counts calls that were stopped, broke off, timed out or have not ended, at their maximum cost.'
        )
    if any(row.unknown for row in usage.rows):
        lines.append('"unknown" are calls whose price the table does not know; models_file adds prices.')
    if usage.problem:
        lines.insert(0, usage.problem)
    if usage.journal is not None:
        where = quote(safe_plain(without_home(usage.journal.path)), 200)
        is_held = present_policy().holder(Change("journal", ("off",)))
        way = "" if is_held else ' Switch it off: %config ClaudeMagics.journal = "off"'
        lines.append(
            f"The journal is {where}: {size(usage.journal.size)}; it keeps {usage.journal.days} days.{way}"
        )
    return [line for line in lines if line]


def _session_line(usage: UsageSummary) -> str:
    limit, spent = usage.limits.session, usage.spending.session
    against = "" if limit is None else f" of {usd_limit(limit)} (max_session_cost)"
    known = "not known, because a price is missing" if isinf(spent.usd) else spent.text()
    return f"This session: {known}{against} (estimate)."


def _today_line(usage: UsageSummary) -> str:
    limit, today = usage.limits.day, usage.spending.today
    if today is None:
        return (
            ""
            if limit is None
            else "Today: not known without the journal, so max_daily_cost refuses questions."
        )
    against = "" if limit is None else f" of {usd_limit(limit)} (max_daily_cost)"
    return f"Today, all notebooks: {today.text()}{against} (estimate)."
