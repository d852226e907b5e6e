"""The lines around an answer: the waiting line, the folded thinking, warnings, notes and the footer.

Everything is first a plain line; the Markdown is that line shown literally in small print, so that
no name or message of a service can become markup and a price never becomes a formula.
The only HTML used here is details, summary, small, span and br.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.sanitize import as_text, safe_markdown, safe_plain
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.prices import usd_estimate, usd_words
from vertex_claude_magic.notebook.display.segments import OutputBody, paragraphs
from vertex_claude_magic.spelling import changing, option, raised, spelled, ways
from vertex_claude_magic.text import on_line
from vertex_claude_magic.vertex.provenance import who_answered
from vertex_claude_magic.vertex.reply import answerer_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.vertex.reply import Reply

__all__ = [
    "Repeated",
    "details",
    "ending",
    "ending_without_cell",
    "folded",
    "folded_thinking",
    "footer",
    "in_html",
    "replayed",
    "small",
    "waiting",
    "warnings",
]

_CURES = {
    "pause_turn": "Paused by the service in a long turn. Ask Claude to continue with {}.",
    "compaction": "Stopped to compact a long conversation. Ask Claude to continue with {}.",
}
# Punctuation that begins nothing in HTML, Markdown or a formula.
_PLAIN = frozenset(" .,:;-/()%+=?\"'")
_ENDS = frozenset({"end_turn", "stop_sequence"})

# Seconds after which a draft says what will hold all of it.
_LONG = 3.0


def waiting(label: str, status: str = "", seconds: int = 0, more: str = "") -> str:
    """Return the line that shows that an answer is on its way.

    Args:
        label: What is asked.
        status: What is being waited for.
        seconds: The seconds waited so far.
        more: What else to say, as `when_complete`.

    >>> waiting("claude-opus-4-1 · global", "looking for Google credentials", 3)
    '◌ claude-opus-4-1 · global · looking for Google credentials · 3 s'
    >>> waiting("claude-opus-4-1 · global", more=when_complete("answer", 3.5))
    '◌ claude-opus-4-1 · global · in answer when complete'
    """
    parts = [label, status, f"{seconds} s" if seconds else "", more]
    return "◌ " + " · ".join([part for part in parts if part])


def when_complete(kept_in: str, seconds: float) -> str:
    """Return what a draft says of the variable that will hold all of it; nothing in the first seconds.

    A page that is closed or loaded again keeps the last draft that was saved, and front ends drop what comes for it
    (JupyterLab 4.6.6); few do so before.

    >>> when_complete("labels", 3.5), when_complete("labels", 1.0)
    ('in labels when complete', '')
    """
    return f"in {kept_in} when complete" if kept_in and seconds >= _LONG else ""


class Repeated(str):
    """A note that this session has shown before; it goes into the fold."""

    __slots__ = ()


def footer(reply: Reply) -> str:
    """Return the quiet line below an answer: model, seconds, tokens and about what it cost.

    >>> from vertex_claude_magic.vertex.reply import Reply, Usage
    >>> usage = Usage(input_tokens=12, output_tokens=345)
    >>> footer(Reply(model="claude-sonnet-5-5", region="global", usage=usage, seconds=2.06, cost=0.0035, complete=True))
    'Sonnet 5.5 · 2.1 s · 357 tokens · under 1¢'
    """
    usage = reply.usage
    total = usage.total_input_tokens + usage.output_tokens
    # The count of output tokens comes with the last events, so an answer that was stopped has none.
    tokens = (
        f"{total:,} tokens"
        if reply.complete
        else f"{usage.total_input_tokens:,} tokens in / output not counted"
    )
    # What was not asked here, such as a turn that was loaded, has no name.
    row = Catalog.load().find(reply.model) if reply.model and not reply.model_name else None
    place = f"follows {reply.follows}" if reply.follows else ""
    parts = [
        replayed(reply),
        f"{reply.chat}, turn {reply.turn}" if reply.chat else place,
        reply.model_name or (reply.model if row is None else row.short_name),
        # Where a prompt went matters to those who chose another place than the default.
        "" if reply.region == "global" else reply.region,
        f"{reply.seconds:.1f} s",
        tokens if total else "",
        "no request sent" if reply.replayed else usd_words(reply.cost),
    ]
    return _line(" · ".join([part for part in parts if part]))


def replayed(reply: Reply) -> str:
    """Return the mark of a replayed answer, whose times and tokens are those of the first time; empty for any other.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> replayed(Reply(replayed=True, recorded_at="2026-11-01T09:30:12+00:00"))
    '⟲ replayed from 2026-11-01 09:30 UTC'
    """
    if not reply.replayed:
        return ""
    date = (reply.recorded_at or "")[:16].replace("T", " ")
    return f"⟲ replayed from {date} UTC" if date else "⟲ replayed"


def details(reply: Reply) -> str:
    """Return the line in the fold: id of the model, location, first token, tokens by kind, and the estimate in USD.

    >>> from vertex_claude_magic.vertex.reply import Reply, Usage
    >>> usage = Usage(input_tokens=12, output_tokens=345)
    >>> details(Reply(model="claude-opus-4-1", region="global", usage=usage, seconds=2.06, cost=0.0262, complete=True))
    'claude-opus-4-1 · global · 12 tokens in / 345 out · ≈$0.026'
    """
    first, usage = reply.first_token_seconds, reply.usage
    tokens = []
    if usage.total_input_tokens or usage.output_tokens:
        out = f"{usage.output_tokens:,} out" if reply.complete else "output not counted"
        tokens = [f"{usage.total_input_tokens:,} tokens in", out]
    if usage.cache_read_input_tokens:
        share = f" ({usage.cache_read_input_tokens / usage.total_input_tokens:.0%})" if reply.chat else ""
        tokens.append(f"{usage.cache_read_input_tokens:,} cached{share}")
    if usage.cache_creation_input_tokens:
        tokens.append(f"{usage.cache_creation_input_tokens:,} written to cache")
    parts = [
        reply.model,
        reply.region,
        "" if first is None else f"first token {first:.1f} s",
        " / ".join(tokens),
        "" if reply.replayed else usd_estimate(reply.cost),
        _saving(reply),
    ]
    return _line(" · ".join([part for part in parts if part]))


def _saving(reply: Reply) -> str:
    """Say what the prompt cache saved, or what filling it cost; both against no cache at all."""
    if reply.replayed or reply.cost is None or reply.uncached_cost is None:
        return ""
    saved = reply.uncached_cost - reply.cost
    if saved > 0:
        return f"the cache saved {usd_estimate(saved)}"
    return f"filling the cache cost {usd_estimate(-saved)} more" if saved < 0 else ""


def warnings(reply: Reply, *, alone: bool = True) -> tuple[str, ...]:
    """Return a line for each thing that keeps the answer from being whole, with what to do about it.

    The stop reasons are those of the Messages API's page on handling stop reasons.

    Args:
        reply: The reply.
        alone: Whether it is the only one of its cell, so that a variable holds it and a question can go on from it.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> warnings(Reply(complete=False))
    ('Stopped. This is a partial answer; run the cell again for a whole one.',)
    """
    if not reply.complete:
        return ("Stopped. This is a partial answer; run the cell again for a whole one.",)
    reason = reply.stop_reason
    follow_up = f"%%claude -c {on_line(reply.chat)}" if reply.chat else "%%claude --after NAME"
    if reason is None or reason in _ENDS:
        return () if reply.text.strip() else ("The answer is empty. Ask again, or rephrase the question.",)
    if reason == "refusal":
        details = reply.stop_details or {}
        category = f" ({details['category']})" if details.get("category") else ""
        why = f": {str(details['explanation']).rstrip('. ')}" if details.get("explanation") else ""
        cure = ways("rephrase the question", changing("model", "ask another model"))
        line = f"Claude declined to continue{category}{why}. {cure}"
    elif reason == "max_tokens":
        # The limit is that of each request.
        last = reply.rounds[-1].usage.output_tokens
        tokens = f"{last:,} output tokens" if last else "max_tokens"
        larger = spelled("ask again with a larger {}", raised("max_tokens", last))
        line = f"Cut off at {tokens}. {ways(larger, f'continue with {follow_up}' if alone else '')}"
    elif reason == "model_context_window_exceeded":
        command = "shorten the prompt"
        if reply.chat:
            command = f"remove a turn with %claude_chat {on_line(reply.chat)} --remove N"
        cure = ways(command, changing("model", "ask a model with a larger window"))
        line = f"Cut off: the model's context window is full. {cure}"
    elif reason == "tool_use":
        names = [str(block.get("name")) for block in reply.blocks if block.get("type") == "tool_use"]
        asked = f"the tool {', '.join(names)}" if names else "a tool"
        # In a later round the functions are there, and a note says why they were not run.
        cure = ways(spelled("give functions with {}", option("tools")), "ask without tools")
        line = f"Claude requested {asked}, which was not run.{f' {cure}' if len(reply.rounds) == 1 else ''}"
    else:
        unknown = f"Stopped for an unknown reason ({reason}). The answer may be incomplete."
        line = _CURES[reason].format(follow_up) if reason in _CURES else unknown
    return (_line(line),)


def ending(reply: Reply, notes: Sequence[str] = ()) -> OutputBody:
    """Return what stands below an answer: warnings, footer and notes.

    The Markdown has the details and the repeated notes in a fold behind the footer, the plain lines leave
    them out.
    """
    marks, line = warnings(reply), footer(reply)
    shown = [note for note in notes if not isinstance(note, Repeated)]
    behind = [note for note in notes if isinstance(note, Repeated)]
    fold = folded(f"<small>{in_html(line)}</small>", small(details(reply), *behind))
    warned = [f"⚠ {_literally(mark)}" for mark in marks]
    markdown = paragraphs(*warned, fold, small(*shown) if shown else "")
    lines = (*[f"⚠ {mark}" for mark in marks], line, *shown)
    return OutputBody(markdown=markdown, plain="\n".join(map(_line, lines)))


def ending_without_cell(reply: Reply) -> OutputBody:
    """Return what stands below an answer that is shown apart from its cell; it names who answered if not Claude.

    >>> from vertex_claude_magic.vertex.provenance import Lineage
    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> ending_without_cell(Reply(lineage=Lineage(answered_by="emulator"))).plain.splitlines()[-1]
    'Answered by the emulator, not by Claude.'
    """
    line = who_answered(answerer_of(reply))
    return ending(reply, [line] if line else [])


def small(*lines: str) -> str:
    """Return lines in small print, each shown literally.

    >>> small("claude-opus-4-1", "a note")
    '<small>claude-opus-4-1<br>a note</small>'
    """
    return f"<small>{'<br>'.join([_literally(line) for line in lines])}</small>"


def folded(summary: str, *parts: str, opened: bool = False) -> str:
    r"""Return Markdown behind a line that a click opens; both as they go to the page.

    The blank lines end the HTML block, so that what is between is read as Markdown (CommonMark 0.31.2,
    HTML blocks, kind 6).

    >>> folded("Thinking", "First, count.")
    '<details><summary>Thinking</summary>\n\nFirst, count.\n\n</details>'
    """
    tag = "<details open>" if opened else "<details>"
    return "\n\n".join([f"{tag}<summary>{summary}</summary>", *parts, "</details>"])


def folded_thinking(thinking: str, *, opened: bool = False) -> str:
    """Return thinking that is folded away, or unfolded while nothing else is there yet."""
    return folded("Thinking", safe_markdown(thinking), opened=opened)


# The line of what is waited for is drawn again and again, and each line of an ending is shown in two forms.
@lru_cache(maxsize=64)
def _line(text: str) -> str:
    return safe_plain(" ".join(text.split()))


@lru_cache(maxsize=64)
def in_html(text: str) -> str:
    """Write a line into an HTML block, where Markdown has no escapes.

    JupyterLab looks for formulas in the source and again in the page: as a character reference a sign is none in
    the source, and alone in an element it is none in the page.
    """
    return "".join(
        letter
        if letter.isalnum() or letter in _PLAIN or not letter.isascii()
        else f"<span>&#{ord(letter)};</span>"
        for letter in _line(text)
    )


@lru_cache(maxsize=64)
def _literally(text: str) -> str:
    return as_text(_line(text))
