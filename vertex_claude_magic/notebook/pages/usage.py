"""The page of `%claude_usage`: tables for notebooks and aligned text for terminals, with the same rows.

Amounts carry no dollar sign, because notebooks take a pair of those for a formula. The chart is a column of
block characters, which every front end and every terminal shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.records.usage import GROUPS, amount, size, sums, total
from vertex_claude_magic.text import quote, without_home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.records.journal.ledger import UsageRow
    from vertex_claude_magic.records.usage import Sum, Usage

__all__ = ["bar", "html", "plain", "usd"]

_COSTS = ("USD (est.)", "Up to (est.)")
_HEADS = ("Chart", "Saved (est.)", "Calls", "Failed", "Replayed", "Tokens in", "Cached", "Tokens out")
_BAR = 10
_EIGHTHS = "▏▎▍▌▋▊▉█"
_LONGEST_NAME = 48
_UNNAMED = "(no name)"
_LOCAL = (
    "Answered on this machine (demo, emulator): this cost nothing in fact, and these are the table's prices."
)
# Columns that begin at the left; numbers end at the right.
_LEFT = frozenset({"Day", "Model", "Notebook", "Chart"})
_SHORT_NAME = 24
_NO_WRAP = "white-space: nowrap"

Table = list[Sequence[str]]


def usd(found: Sum) -> str:
    """Return the cost of a sum: what is known, what it may be at most, and how many calls have no price.

    >>> from vertex_claude_magic.records.usage import Sum
    >>> usd(Sum(name="", calls=3, cost=0.01, open_cost=0.25, unknown=1))
    '0.0100 USD, up to 0.2600 + 1 unknown'
    """
    most = _most(found)
    return f"{_known(found)} USD{f', up to {most}' if most else ''}"


def _known(found: Sum) -> str:
    nothing = found.unknown and not found.cost and not found.open_cost
    return "unknown" if nothing else amount(found.cost)


def _most(found: Sum) -> str:
    """Return the most that it may have cost, where that is more than what is known."""
    parts = [amount(found.cost + found.open_cost)] if found.open_cost else []
    parts += [f"{found.unknown:,} unknown"] if found.unknown else []
    return " + ".join(parts)


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


def plain(usage: Usage, by: str | None = None) -> str:
    """Return the page as text.

    Args:
        usage: What was found.
        by: "day", "model" or "notebook" for one table; None for all three.
    """
    lines = [] if usage.problem else [_title(usage), ""]
    for caption, tables in _sections(usage, by):
        lines += [caption, ""] if caption else []
        lines += _aligned(tables)
    return "\n".join([*lines, *_remarks(usage)])


def html(usage: Usage, by: str | None = None) -> str:
    """Return the same page as HTML tables; nothing in it is loaded or clickable.

    The arguments are those of `plain`.
    """
    parts = [] if usage.problem else [f"<p>{_literal(_title(usage))}</p>"]
    for caption, tables in _sections(usage, by):
        parts += [f"<p>{_literal(caption)}</p>"] if caption else []
        parts += [_table(table) for table in tables]
    lines = "<br>\n".join(_literal(line) for line in _remarks(usage))
    return "\n".join([*parts, f"<p><small>{lines}</small></p>"])


def _title(usage: Usage) -> str:
    what = "this session" if usage.this_session else "all notebooks"
    days = f"{usage.since} to {usage.until}" if usage.since else "since it began"
    return f"Usage of {what}, {days}. USD are estimates from the price table; the bill is Google's."


def _sections(usage: Usage, by: str | None) -> Iterator[tuple[str, list[Table]]]:
    """Yield a caption and its tables: what may be billed, then what this machine answered."""
    paid = [row for row in usage.rows if not row.local]
    local = [row for row in usage.rows if row.local]
    if usage.problem:
        return
    if paid or not local:
        caption = "" if paid else "No calls."
        yield caption, [_cells(paid, each) for each in ((by,) if by else GROUPS) if paid]
    if local:
        # Beside what costs, one table says enough.
        groups = (by,) if by else GROUPS if not paid else ("day",)
        yield _LOCAL, [_cells(local, each) for each in groups]


def _cells(rows: Sequence[UsageRow], by: str) -> Table:
    found = [replace(each, name=_tail(each.name)) for each in sums(rows, by)]
    costs = _COSTS if any(each.open_cost or each.unknown for each in found) else _COSTS[:1]
    most = max((each.cost + each.open_cost for each in found), default=0.0)
    table: Table = [(by.capitalize(), *costs, *_HEADS)]
    table += [_row(each, bar(each.cost, each.open_cost, most), len(costs)) for each in found]
    return table if len(found) == 1 else [*table, _row(total(rows, "Total"), "", len(costs))]


def _row(found: Sum, chart: str, costs: int) -> Sequence[str]:
    tokens = (found.input_tokens, found.cached_tokens, found.output_tokens)
    counts = (found.calls, found.failed, found.replayed, *tokens)
    usd = (_known(found), _most(found))[:costs]
    return (_name(found.name), *usd, chart, amount(found.saved), *(f"{number:,}" for number in counts))


def _tail(name: str) -> str:
    """Return a notebook's file and folder, which are enough to know it by; the frame has the whole path.

    >>> _tail("~/lessons/statistics/week-1.ipynb"), _tail("week-1.ipynb")
    ('…/statistics/week-1.ipynb', 'week-1.ipynb')
    """
    parts = name.replace("\\", "/").split("/")
    return f"…/{'/'.join(parts[-2:])}" if len(parts) > 3 else name


def _name(text: str) -> str:
    return quote(safe_plain(text[:1_000]), _LONGEST_NAME) or _UNNAMED


def _aligned(tables: Sequence[Table]) -> Iterator[str]:
    """Yield the lines of tables, names and bars one below the other, an empty line after each table."""
    names = max((len(row[0]) for table in tables for row in table), default=0)
    for table in tables:
        heads = table[0]
        widths = [names, *(max(len(row[at]) for row in table) for at in range(1, len(heads)))]
        for row in table:
            cells = (
                cell.ljust(width) if head in _LEFT else cell.rjust(width)
                for cell, head, width in zip(row, heads, widths, strict=True)
            )
            yield "  ".join(cells).rstrip()
        yield ""


def _table(table: Table) -> str:
    heads, *rows = table
    head = "".join(f'<th scope="col"{_style("", name)}>{_literal(name)}</th>' for name in heads)
    body = "\n".join(_table_row(row, heads) for row in rows)
    return f"<table>\n<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _table_row(row: Sequence[str], heads: Sequence[str]) -> str:
    pairs = list(zip(row, heads, strict=True))
    cells = "".join(f"<td{_style(cell, head)}>{_literal(cell)}</td>" for cell, head in pairs[1:])
    return f'<tr><th scope="row"{_style(*pairs[0])}>{_literal(row[0])}</th>{cells}</tr>'


def _style(cell: str, head: str) -> str:
    side = "text-align: left;" if head in _LEFT else ""
    wrap = _NO_WRAP if 0 < len(cell) <= _SHORT_NAME else ""
    return f' style="{side}{wrap}"' if side or wrap else ""


def _literal(text: str) -> str:
    """Escape for HTML, and keep dollars and backslashes apart, which would begin a formula."""
    escaped = escape(text)
    for mark in "$\\":
        escaped = escaped.replace(mark, f"<span>{mark}</span>")
    return escaped


def _remarks(usage: Usage) -> list[str]:
    lines = [_session_line(usage), _today_line(usage), *_legend(usage)]
    if usage.problem:
        lines.insert(0, usage.problem)
    if usage.journal is not None:
        where = quote(safe_plain(without_home(usage.journal.path)), 200)
        lines.append(
            f"The journal is {where}: {size(usage.journal.size)}; it keeps {usage.journal.days} days. "
            'Switch it off: %config ClaudeMagics.journal = "off"'
        )
    return [line for line in lines if line]


def _session_line(usage: Usage) -> str:
    limit = usage.session_limit
    against = "" if limit is None else f" of {limit:g} USD (max_session_cost)"
    local = (
        f"; on this machine {amount(usage.session_local)}, which cost nothing" if usage.session_local else ""
    )
    known = (
        f"about {amount(usage.session)} USD"
        if usage.session < float("inf")
        else "not known, as a price is unknown"
    )
    return f"This session: {known}{against} (estimate, stopped answers at their worst case{local})."


def _today_line(usage: Usage) -> str:
    limit = usage.today_limit
    if usage.today is None:
        return (
            ""
            if limit is None
            else "Today: not known without the journal, so max_daily_cost refuses questions."
        )
    unknown = f" and {usage.today.unknown:,} calls without a known price" if usage.today.unknown else ""
    against = "" if limit is None else f" of {limit:g} USD (max_daily_cost)"
    return f"Today, all notebooks: about {amount(usage.today.usd)} USD{unknown}{against} (estimate)."


def _legend(usage: Usage) -> Iterator[str]:
    if any(row.open_cost for row in usage.rows):
        yield '"Up to" counts answers that were stopped or have not ended, at their worst case.'
    if any(row.unknown for row in usage.rows):
        yield '"unknown" are calls whose price the table does not know; models_file adds prices.'
