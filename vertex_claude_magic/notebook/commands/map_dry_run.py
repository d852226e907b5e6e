"""`%%claude_map --dry-run`: the first prompts, their tokens, and what all rows would cost; no model is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.sanitize import as_text, fenced, safe_plain
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.tables.estimate import estimate_run, takes_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.notebook.host import Host
    from vertex_claude_magic.session.session import Session
    from vertex_claude_magic.tables.estimate import RunEstimate
    from vertex_claude_magic.tables.options import MapOptions
    from vertex_claude_magic.tables.questions import RowQuestions
    from vertex_claude_magic.tables.row_prompt import Content

__all__ = ["show_map_dry_run"]

_FIRST = 3
_LONGEST = 2_000
_TITLE = "Dry run: no model was called."


def show_map_dry_run(
    host: Host,
    session: Session,
    questions: RowQuestions,
    own: MapOptions,
    *,
    notes: Sequence[str],
    batch: bool = False,
) -> None:
    """Show what would be asked for the first rows, and what all would cost.

    Args:
        host: The magics, for the page.
        session: The session, which counts tokens free of charge.
        questions: The questions.
        own: The options of the run.
        notes: What else to say.
        batch: Whether it would be sent as a batch.
    """
    stop = min(questions.rows.count, own.limit or questions.rows.count)
    shown: list[tuple[str, str]] = []
    wrong = 0
    for chunk in questions.chunks(0, min(stop, _FIRST)):
        for each in chunk:
            if each.question is not None:
                text = _prompt_text(each.question.request.body["messages"][-1]["content"])
                shown.append((f"Row {each.index}", text))
            elif each.error is not None:
                wrong += 1
                shown.append((f"Row {each.index} cannot be sent", str(each.error)))
    target = questions.target
    found = estimate_run(questions, stop, lambda request: session.count_or_bound(request, target))
    columns = ", ".join(column.name for column in questions.added)
    lines = [
        *_estimate_lines(found, batch=batch, batches=takes_batches(target)),
        f"Added columns: {columns}.",
        *notes,
    ]
    markdown = ["**Dry run**: no model was called.", *map(as_text, lines)]
    plain = [_TITLE, *lines]
    for title, text in shown:
        markdown += [as_text(title), fenced(text)]
        plain += [f"{title}:", text]
    bundle = {"text/markdown": "\n\n".join(markdown), "text/plain": safe_plain("\n".join(plain))}
    host.shell.display_pub.publish(data=bundle, metadata={})


def _prompt_text(content: Content) -> str:
    if isinstance(content, str):
        text = content
    else:
        # A picture or a document by its kind alone.
        text = "\n\n".join(str(block.get("text") or f"({block.get('type')})") for block in content)
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}\n… ({len(text):,} characters)"


def _estimate_lines(found: RunEstimate, *, batch: bool, batches: bool) -> list[str]:
    """Return the lines of an estimate.

    Args:
        found: The estimate.
        batch: Whether it would be sent as a batch.
        batches: Whether the model is known to take batches.
    """
    kind = "counted" if found.exact else "at most, because the location does not count tokens"
    spread = f" ± {found.spread:,}" if found.spread else ""
    tokens = (
        f"{found.rows:,} rows, about {found.tokens:,}{spread} input tokens ({found.sample:,} rows {kind})"
    )
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
