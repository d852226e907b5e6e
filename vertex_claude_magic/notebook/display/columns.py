"""A comparison on the page: columns that grow side by side in one output, and what stays of them."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.columns import column_html, table_html
from vertex_claude_magic.markdown.sanitize import as_text, safe_markdown, safe_plain
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.display.footer import details, replayed, warnings, when_complete
from vertex_claude_magic.notebook.display.screens import Surface
from vertex_claude_magic.records.provenance import DRAFT, comparison, stamped
from vertex_claude_magic.text import message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vertex_claude_magic.classroom.compare import ComparedColumn
    from vertex_claude_magic.notebook.shell import Shell

__all__ = ["ColumnsView", "differences", "final_bundle"]

# Seconds between two drawings, and the bytes of one: no update of a growing answer is larger than 8 kB.
_INTERVAL = 1 / 8
_DRAFT_BYTES = 3_000


class ColumnsView:
    """The one output of a comparison.

    Args:
        shell: The IPython shell.
        quiet: Whether nothing is shown.
        kept_in: What will hold the replies, such as their variable; empty where nothing does.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        shell: Shell,
        *,
        quiet: bool = False,
        kept_in: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prints, live, self._output = Surface.of(shell, clock)
        self._quiet = quiet
        self._live = live and not quiet
        self._kept_in = kept_in
        self._clock = clock
        self._started = clock()

    def draw(self, columns: Sequence[ComparedColumn]) -> None:
        """Draw what has come, if it is time to."""
        if self._live and self._output.is_due(_INTERVAL):
            self._output.draw(self._draft(columns), DRAFT)

    def finish(
        self, columns: Sequence[ComparedColumn], notes: Sequence[str] = (), *, source: str | None = None
    ) -> None:
        """Show all of it, for good.

        Args:
            columns: The columns.
            notes: Lines below.
            source: The source of the cell, if the comparison is all that it holds.
        """
        if self._quiet:
            return
        bundle = final_bundle(columns, notes)
        if self._prints:
            print(bundle["text/plain"], file=sys.stdout)
        else:
            stored = comparison([column.settled() for column in columns], source=source)
            self._output.finish(bundle, stamped(stored, bundle), alone=False)

    def _draft(self, columns: Sequence[ComparedColumn]) -> dict[str, str]:
        # An ampersand and a blank take several bytes as HTML.
        most = _DRAFT_BYTES // max(1, len(columns)) // 2
        seconds = self._clock() - self._started
        html, plain = [], []
        for column in columns:
            state = _failure(column) or ("" if column.over else column.waits or f"… {int(seconds)} s")
            # What is before the end of a text that grows is shown when it is whole.
            tail = column.text if len(column.text) <= most else f"…{column.text[-most:]}"
            html.append(
                column_html(column.label, tail, [state] if state else [], of=len(columns), rendered=False)
            )
            plain.append(f"{column.label}: {len(column.text):,} characters {state}".rstrip())
        if line := when_complete(self._kept_in, seconds):
            html.append(table_html([], [[line]]))
            plain.append(line)
        return {"text/html": "".join(html), "text/plain": safe_plain("\n".join(plain))}


def _failure(column: ComparedColumn) -> str:
    return f"Failed: {message_of(column.error)}" if column.error is not None else ""


def final_bundle(columns: Sequence[ComparedColumn], notes: Sequence[str] = ()) -> dict[str, str]:
    """Return what stays of a comparison: HTML side by side, and Markdown and text below each other.

    Args:
        columns: The columns.
        notes: Lines below.
    """
    html, markdown, plain = list[str](), list[str](), list[str]()
    for column in columns:
        reply = column.settled()
        marks = (
            [f"⚠ {mark}" for mark in warnings(reply, alone=False)]
            if column.error is None
            else [f"⚠ {_failure(column)}"]
        )
        facts = _facts(column)
        if "time" in facts:
            # The names are those of the line below any other answer.
            sent = facts["cost"] if reply.replayed else ""
            said = [facts["replayed"], details(reply), facts["time"], sent, facts["stop reason"]]
        else:
            said = [*facts.values()]
        lines = [*marks, " · ".join(filter(None, said))]
        html.append(column_html(column.label, reply.text, lines, of=len(columns)))
        markdown += [f"**{as_text(column.label)}**", safe_markdown(reply.text), *map(as_text, lines)]
        plain += [f"[{column.label}]", reply.text, *lines, ""]
    head, rows, same = differences(columns)
    if rows:
        html.append(table_html(head, rows))
        table = [[*map(as_text, row)] for row in (head, *rows)]
        table.insert(1, ["---"] * len(head))
        markdown.append("\n".join(f"| {' | '.join(row)} |" for row in table))
        plain += [" | ".join(row) for row in (head, *rows)]
    below = [*([same] if same else []), *notes]
    if below:
        html.append(table_html([], [["\n".join(below)]]))
    markdown += [as_text(line) for line in below]
    return {
        "text/html": "".join(html),
        "text/markdown": "\n\n".join(part for part in markdown if part),
        "text/plain": safe_plain("\n".join([*plain, *below])),
    }


def _facts(column: ComparedColumn) -> dict[str, str]:
    reply = column.settled()
    if column.error is not None and not reply.blocks:
        return {"model": reply.model, "region": reply.region}
    first = reply.first_token_seconds
    return {
        "replayed": replayed(reply),
        "model": reply.model,
        "region": reply.region,
        "first token": "" if first is None else f"{first:.1f} s",
        "time": f"{reply.seconds:.1f} s",
        "tokens in": f"{reply.usage.total_input_tokens:,}",
        # The count comes with the last events, so an answer that was stopped has none.
        "tokens out": f"{reply.usage.output_tokens:,}" if reply.complete else "not counted",
        "cost": "no request sent" if reply.replayed else usd_estimate(reply.cost),
        "stop reason": reply.stop_reason or "stopped",
        "words": f"{len(reply.text.split()):,}",
    }


def differences(columns: Sequence[ComparedColumn]) -> tuple[list[str], list[list[str]], str]:
    """Return the head and the rows of a table of what differs, and a line of what does not.

    Args:
        columns: The columns; those that failed are left out.
    """
    good = [column for column in columns if column.error is None]
    if len(good) < 2:
        return [], [], ""
    facts = [_facts(column) for column in good]
    rows = [[name, *(each.get(name, "") for each in facts)] for name in facts[0]]
    apart = [row for row in rows if len({*row[1:]}) > 1]
    alike = [
        f"{row[0]} {row[1]}"
        for row in rows
        if len({*row[1:]}) == 1 and row[0] in {"model", "region", "stop reason"}
    ]
    texts = {column.settled().text.strip() for column in good}
    if len(texts) == 1:
        alike.insert(0, "the text, word for word")
    same = f"The same in all: {', '.join(alike)}." if alike else ""
    return ["What differs", *(column.label for column in good)], apart, same
