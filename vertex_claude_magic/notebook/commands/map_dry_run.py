"""`%%claude_map --dry-run`: the first prompts, and what the rows that would be asked cost; no model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.sanitize import as_text, fenced
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.pages.show import show_dry_run_page
from vertex_claude_magic.tables.batch.lines import first_rows
from vertex_claude_magic.tables.estimate import estimate_run, sample_of, takes_batches
from vertex_claude_magic.text import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.tables.estimate import RunEstimate
    from vertex_claude_magic.tables.options import MapOptions
    from vertex_claude_magic.tables.questions import RowQuestion, RowQuestions
    from vertex_claude_magic.tables.row_prompt import Content
    from vertex_claude_magic.tables.run import TableRun

__all__ = ["show_map_dry_run"]

_FIRST = 3
_LONGEST = 2_000


def show_map_dry_run(
    host: Host,
    session: Session,
    questions: RowQuestions,
    own: MapOptions,
    *,
    notes: Sequence[str],
    run: TableRun | None = None,
) -> None:
    """Show what would be asked for the first rows, and what all that would be asked cost.

    Args:
        host: The magics, for the page.
        session: The session, which counts tokens free of charge.
        questions: The questions.
        own: The options of the run.
        notes: What else to say.
        run: The run that would ask, None for a batch, which knows no earlier answers.
    """
    stop = min(questions.rows.count, own.limit or questions.rows.count)
    shown: list[tuple[str, str]] = []
    for chunk in questions.chunks(min(stop, _FIRST)):
        for each in chunk:
            if each.question is not None:
                text = _prompt_text(each.question.request.body["messages"][-1]["content"])
                shown.append((f"Row {each.index}", text))
            elif each.error is not None:
                shown.append((f"Row {each.index} cannot be sent", str(each.error)))
    target = questions.target
    sample, asked, others = _to_ask(questions, run, stop)
    earlier, recorded = (run.progress.earlier, run.progress.replayed) if run is not None else (0, 0)
    found = estimate_run(questions, sample, asked, lambda request: session.count_or_bound(request, target))
    saved = f"Saved answers to {recorded:,} rows exist: they would be used, free of charge."
    if recorded == 1:
        saved = "A saved answer to 1 row exists: it would be used, free of charge."
    columns = ", ".join(column.name for column in questions.added)
    lines = [
        # A batch would also ask the rows that an earlier run has answered, so its price would be that of other rows.
        *_estimate_lines(
            found, stop, others, batch=run is None, batches=takes_batches(target) and not earlier
        ),
        *([saved] if recorded else []),
        f"Added columns: {columns}.",
        *notes,
    ]
    markdown, plain = list(map(as_text, lines)), [*lines]
    for title, text in shown:
        markdown += [as_text(title), fenced(text)]
        plain += [f"{title}:", text]
    show_dry_run_page(host.shell, markdown, plain)


def _prompt_text(content: Content) -> str:
    if isinstance(content, str):
        text = content
    else:
        # A picture or a document by its kind alone.
        text = "\n\n".join(str(block.get("text") or f"({block.get('type')})") for block in content)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… ({len(text):,} characters)"


def _to_ask(questions: RowQuestions, run: TableRun | None, stop: int) -> tuple[list[RowQuestion], int, str]:
    """Return a sample of the rows that would be asked, how many those are, and why others would not be."""
    earlier = failures = 0

    def of_batch() -> Iterator[RowQuestion]:
        nonlocal failures
        for row, first in first_rows(questions):
            if row.question is None:
                failures += 1
            elif first == row.index:
                yield row

    sample, asked = sample_of(of_batch() if run is None else run.to_ask())
    if run is not None:
        earlier, failures = run.progress.earlier, run.progress.failures
    same = stop - asked - failures - earlier
    ways = ((earlier, "answered by an earlier run"), (same, "the same as another row"),
            (failures, "cannot be sent"))  # fmt: skip
    return sample, asked, ", ".join(f"{count:,} {why}" for count, why in ways if count)


def _estimate_lines(found: RunEstimate, rows: int, others: str, *, batch: bool, batches: bool) -> list[str]:
    """Return the lines of an estimate.

    Args:
        found: The estimate.
        rows: How many rows there are.
        others: Why some of them would not be asked.
        batch: Whether it would be sent as a batch.
        batches: Whether what a batch of the rows would cost is said too.
    """
    kind = "counted" if found.exact else "at most, because the location does not count tokens"
    spread = f" ± {found.spread:,}" if found.spread else ""
    asked = number_of(rows, "row")
    if others:
        asked += f", {f'{found.rows:,}' if found.rows else 'none'} to ask ({others})"
    if not found.rows:
        return [f"{asked}."]
    tokens = f"{asked}, about {found.tokens:,}{spread} input tokens ({number_of(found.sample, 'row')} {kind})"
    live = _between(found.least, found.most)
    later = _between(found.batch_least, found.batch_most)
    if batch:
        lines = [f"Between {later}, estimates at the price of a batch."] if later else []
    else:
        lines = [f"Between {live}, estimates."] if live else []
        lines += [f"As a batch (%%claude_batch) between {later}."] if later and batches else []
    if not lines:
        return [f"{tokens}; the price is unknown."]
    return [f"{tokens}, at most {found.max_tokens:,} output tokens for each row.", *lines]


def _between(least: float | None, most: float | None) -> str:
    if least is None or most is None:
        return ""
    return f"{usd_estimate(least)} (empty answers) and {usd_estimate(most)} (full ones)"
