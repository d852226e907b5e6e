"""The pages of `%claude_chat`: the list, the turns of a conversation, and a conversation to pass on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.markdown.columns import lines_and_tables
from vertex_claude_magic.markdown.sanitize import as_text, fenced, safe_markdown
from vertex_claude_magic.notebook.display.footer import ending_without_cell
from vertex_claude_magic.notebook.display.live import with_sources
from vertex_claude_magic.notebook.display.segments import OutputBody
from vertex_claude_magic.notebook.display.sources import sources
from vertex_claude_magic.notebook.display.tool_calls import call_line, call_texts, with_calls
from vertex_claude_magic.notebook.pages.html import verbatim
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.text import number_of, on_line, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.chats.entry import Turn
    from vertex_claude_magic.records.journal.chats import ChatRow
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["chats_table", "exported_html", "exported_markdown", "stale_text", "turns_table"]

# Characters of a prompt or an answer, and how many of the answer's Markdown are parsed for that.
_SHOWN, _PARSED = 100, 500
_STATES = {
    "ok": "",
    "stale": "stale",
    "interrupted": "interrupted, not sent",
}


def chats_table(rows: Sequence[ChatRow], *, every: bool) -> Table:
    """Return the list of conversations."""
    columns = [Column("Conversation"), Column("Turns", "right"), Column("Last change")]
    columns += [Column("Notebook or folder", wrap="anywhere")] if every else []
    found = [
        Row(
            (
                quote(row.name, 80),
                f"{row.turns:,}",
                f"{datetime.fromtimestamp(row.changed).astimezone():%Y-%m-%d %H:%M}",
                *((quote(row.notebook, 120),) if every else ()),
            )
        )
        for row in rows
    ]
    where = "all notebooks" if every else "this notebook"
    if not found:
        more = "" if every else " %claude_chat --all lists those of other notebooks."
        return Table(
            columns=[Column()],
            rows=[],
            caption=f"No conversations in {where}. %%claude -c NAME starts one.{more}",
        )
    return Table(columns=columns, rows=found, caption=f"Conversations of {where}.")


def turns_table(name: str, turns: Sequence[Turn]) -> Table:
    """Return the turns of a conversation, each with the beginning of its prompt and answer."""
    columns = [
        Column("Turn", "right"),
        Column("Prompt"),
        Column("Answer"),
        Column("Model", wrap="long"),
        Column("State"),
    ]
    rows = []
    for turn in turns:
        parts = lines_and_tables(turn.reply.text[:_PARSED])
        words = [part if isinstance(part, str) else " ".join(chain.from_iterable(part)) for part in parts]
        state = _STATES[turn.state]
        if turn.reply.stop_reason == "refusal":
            state = state.replace("interrupted", "refused")
        if turn.kept:
            state = state.replace("not sent", "sent (--keep)")
        rows.append(
            Row(
                (
                    str(turn.number),
                    quote(turn.prompt, _SHOWN),
                    quote(" ".join(words), _SHOWN),
                    quote(turn.reply.model, 60),
                    state,
                )
            )
        )
    many = number_of(len(turns), "turn")
    notes = (
        ["Earlier content has changed since a stale turn was answered; run its cell again."]
        if any(t.state == "stale" for t in turns)
        else []
    )
    notes += (
        [f"%claude_chat {on_line(name)} --keep N sends a turn too that is not sent."]
        if any(t.state == "interrupted" and not t.kept for t in turns)
        else []
    )
    return Table(columns=columns, rows=rows, caption=f"{quote(name, 80)}, {many}.", notes=notes)


def stale_text(numbers: Sequence[int]) -> str:
    """Return what to add about stale turns.

    >>> stale_text([]), stale_text([2, 3])
    ('', '; turns 2 and 3 are stale')
    """
    if not numbers:
        return ""
    from vertex_claude_magic.chats.naming import joined_numbers

    what, verb = ("turn", "is") if len(numbers) == 1 else ("turns", "are")
    return f"; {what} {joined_numbers(numbers)} {verb} stale"


def exported_markdown(name: str, turns: Sequence[Turn]) -> str:
    """Return a conversation as Markdown; what the model wrote is made safe, prompts are shown literally."""
    parts = [f"# {as_text(name)}"]
    for turn in turns:
        # The answer with its calls and sources, as a cell shows it.
        body, whole = OutputBody(markdown=safe_markdown(turn.reply.text), plain=""), turn.reply
        if turn.before:
            whole = replace(turn.reply, parts=(*turn.before, replace(turn.reply, tool_calls=())))
            body = with_calls(whole, body)
        parts += [
            f"## Turn {turn.number}{_mark(turn)}",
            fenced(safe_plain(turn.prompt)),
            with_sources(whole, body).markdown,
            ending_without_cell(turn.reply).markdown,
        ]
    return "\n\n".join(parts) + "\n"


def exported_html(name: str, turns: Sequence[Turn]) -> str:
    """Return a conversation as one page of HTML that loads nothing and runs nothing."""
    from markdown_it import MarkdownIt

    # Raw HTML off; the sanitizer has left no image, and no link but to web and mail addresses.
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])

    def with_folded_calls(reply: Reply) -> str:
        calls = [
            f"<details><summary>{verbatim(call_line(call))}</summary>"
            + "".join([f"{label}<pre>{verbatim(text)}</pre>" for label, text in call_texts(call)])
            + "</details>"
            for call in reply.tool_calls
        ]
        return "\n".join([markdown.render(safe_markdown(reply.text)).strip(), *calls])

    parts = [f"<h1>{verbatim(name)}</h1>"]
    for turn in turns:
        below = ending_without_cell(turn.reply).plain
        parts += [
            f"<h2>Turn {turn.number}{_mark(turn)}</h2>",
            f"<pre>{verbatim(turn.prompt)}</pre>",
            *[with_folded_calls(each) for each in turn.before if each.tool_calls or each.stop_reason],
            markdown.render(safe_markdown(turn.reply.text)).strip(),
            markdown.render(sources(turn.reply).markdown).strip(),
            f"<p><small>{'<br>'.join(map(verbatim, below.splitlines()))}</small></p>",
        ]
    body = "\n".join(filter(None, parts))
    title = f"<title>{verbatim(name)}</title>"
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">{title}</head>\n'
        f'<body style="max-width: 50em; margin: 2em auto; font-family: sans-serif">\n{body}\n</body>\n</html>\n'
    )


def _mark(turn: Turn) -> str:
    return "" if turn.state == "ok" else f" ({turn.state})"
