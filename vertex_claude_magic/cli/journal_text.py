"""The journal as people read it in a terminal: the last calls a line each, one call whole, the file in numbers.

Everything that comes from a prompt, an answer or a name passes `safe_plain` and is bounded. Costs are
estimates from the price table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from textwrap import indent
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.models.prices import usd, usd_estimate
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.records.journal.review import DAMAGED
from vertex_claude_magic.records.usage import size
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.blocks import content_blocks
from vertex_claude_magic.vertex.digest import ATTACHMENT_BYTES, ATTACHMENT_HASH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.records.journal.review import JournalEntry
    from vertex_claude_magic.records.journal.upkeep import Stats

__all__ = ["listing", "numbers", "whole"]

# Characters of one text, and of a name or the beginning of a prompt in a list.
_MOST = 100_000
_MOST_WHOLE = 2_000_000
_NAME = 24
_PROMPT = 48
_HEADS = ("No.", "Time", "Notebook", "Model", "In / out", "USD (est.)", "State", "Prompt")
_LOGS = {"wal": "write-ahead", "delete": "rollback (for a network file system)"}


def listing(entries: Sequence[JournalEntry]) -> str:
    """Return a line for each call: number, local time, notebook, model, tokens, cost, state, first words.

    >>> listing([])
    'The journal has no calls yet.'
    """
    if not entries:
        return "The journal has no calls yet."
    rows = []
    for entry in entries:
        notebook, model = _short(entry.notebook, _NAME) or "-", _short(entry.model, 32)
        state, prompt = _short(entry.state, 12), _short(_prompt(entry.request), _PROMPT)
        when = _time(entry.at, "%Y-%m-%d %H:%M")
        cells = (str(entry.id), when, notebook, model, _tokens(entry), _usd(entry), state, prompt)
        rows.append(Row(cells))
    return Table(columns=list(map(Column, _HEADS)), rows=rows).plain()


def _time(at: float, form: str) -> str:
    try:
        return datetime.fromtimestamp(at).astimezone().strftime(form)
    except (OverflowError, OSError, ValueError):
        return "?"


def _short(text: str, limit: int) -> str:
    return quote(safe_plain(text[: limit * 8]), limit)


def _tokens(entry: JournalEntry) -> str:
    counts = (entry.input_tokens, entry.cache_write_tokens, entry.cache_read_tokens)
    known = [count for count in counts if count is not None]
    if not known and entry.output_tokens is None:
        return "-"
    taken = f"{sum(known):,}" if known else "?"
    return f"{taken} / {'?' if entry.output_tokens is None else f'{entry.output_tokens:,}'}"


def _usd(entry: JournalEntry) -> str:
    if entry.state == "imported":
        return "0"
    if entry.cost is None and entry.cost_most is not None:
        return f"up to {usd(entry.cost_most)}"
    return usd(entry.cost)


def _prompt(request: Mapping[str, Any] | None) -> str:
    """Return the text that was asked last, as far as there is one."""
    body = (request or {}).get("body")
    if request is DAMAGED or not isinstance(body, Mapping) or not body:
        return "(damaged)" if request is DAMAGED else "(not stored)"
    messages = body.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, Mapping) and message.get("role") == "user":
            blocks = content_blocks(message.get("content"))
            texts = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
            return texts[-1] if texts else " ".join(f"[{block.get('type')}]" for block in blocks[:4])
    return ""


def whole(entry: JournalEntry) -> str:
    """Return all that the journal has of one call, up to two million characters."""
    reused = "" if entry.saved is None else f", a replayed answer saved {usd_estimate(entry.saved)}"
    facts = (
        ("call", str(entry.id)),
        ("time", _time(entry.at, "%Y-%m-%d %H:%M:%S %z")),
        ("notebook", entry.notebook),
        (
            "model",
            entry.model if entry.asked in {"", entry.model} else f"{entry.model} (asked: {entry.asked})",
        ),
        ("region", entry.region),
        ("from", entry.source),
        ("state", entry.state),
        ("tokens", f"{_tokens(entry)} (in / out), {entry.cache_read_tokens or 0:,} cached"),
        ("USD", f"{_usd(entry)} (an estimate{reused})"),
        ("seconds", "" if entry.seconds is None else f"{entry.seconds:.1f}"),
        ("stopped by", entry.stop_reason or ""),
        ("error", entry.error or ""),
        ("message id", entry.message_id or ""),
        ("request id", entry.request_id or ""),
    )
    lines = [f"{name:<12}{_short(text, 200)}" for name, text in facts if text]
    text = "\n".join([*lines, "", *_request(entry), "", *_answer(entry)])
    return text if len(text) <= _MOST_WHOLE else f"{text[:_MOST_WHOLE]}\n... (the rest is omitted)"


def _request(entry: JournalEntry) -> Iterator[str]:
    request = entry.request
    body = None if request is None else request.get("body")
    if request is DAMAGED or not isinstance(body, Mapping) or not body:
        why = "damaged" if request is DAMAGED else "not stored"
        yield f"The request is {why}."
        return
    rest = {name: value for name, value in body.items() if name not in {"system", "messages"}}
    if request is not None and request.get("beta"):
        rest["beta"] = request["beta"]
    yield from _section("parameters", [_json(rest)])
    if body.get("system"):
        yield from _section("system", _content(body["system"]))
    messages = body.get("messages")
    for message in messages if isinstance(messages, (list, tuple)) else ():
        if isinstance(message, Mapping):
            yield from _section(str(message.get("role")), _content(message.get("content")))


def _answer(entry: JournalEntry) -> Iterator[str]:
    answer = entry.answer
    if answer is None or answer is DAMAGED:
        again = " here; see the call that was answered first" if entry.state == "replayed" else ""
        yield "The answer is damaged." if answer is DAMAGED else f"No answer is saved{again}."
        return
    yield from _section("answer", _content(answer.get("content")))
    failed = answer.get("error")
    if isinstance(failed, Mapping):
        yield from _section("error", [f"{failed.get('type')}: {failed.get('message')} {failed.get('cure')}"])


def _section(name: str, texts: Iterable[str]) -> Iterator[str]:
    yield f"--- {_short(name, 40)}"
    for text in texts:
        more = len(text) - _MOST
        shown = f"{safe_plain(text[:_MOST])}{f' ... ({more:,} more characters)' if more > 0 else ''}"
        # Only what we write ourselves begins at the margin.
        yield indent(shown, "  ")


def _content(content: Json) -> Iterator[str]:
    for block in content_blocks(content):
        kind, source = block.get("type"), block.get("source")
        if isinstance(block.get("text"), str):
            yield str(block["text"])
        elif isinstance(block.get("thinking"), str):
            yield f"[thinking]\n{block['thinking']}"
        elif isinstance(source, Mapping) and ATTACHMENT_HASH in source:
            size, name = source.get(ATTACHMENT_BYTES), source[ATTACHMENT_HASH]
            yield f"[{kind}: {source.get('media_type')}, {size} bytes, SHA-256 {name}]"
        else:
            yield f"[{kind}] {_json(block)}"


def _json(value: Json) -> str:
    try:
        return json.dumps(value, indent=1, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return "(nested too deeply to be shown)"


def numbers(path: Path, stats: Stats) -> str:
    """Return the journal in numbers."""
    pairs = (
        ("file", quote(str(path), 200)),
        ("size", size(stats.size)),
        ("calls", f"{stats.calls:,}"),
        ("answers", f"{stats.answers:,} that can be replayed, errors included"),
        ("attachments", f"{stats.attachments:,} of {size(stats.attachment_bytes)}"),
        ("days", f"{stats.first_day} to {stats.last_day}" if stats.first_day else "none yet"),
        ("log", _LOGS.get(stats.log, stats.log)),
        ("schema", str(stats.schema)),
    )
    return "\n".join(f"{name:<12}{text}" for name, text in pairs)
