"""Every AI answer in a notebook file: what its metadata record, and the notebook without them.

Notebooks come from strangers. Nothing in one is run, and every value is taken only if it is of its type and
size; what is shown of it is one line without control characters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.json_types import Json
from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.pages.table import Column, Row, Table
from vertex_claude_magic.records.provenance import answer_edited, answers_in, find_provenance, prompt_edited
from vertex_claude_magic.text import number_of, quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


__all__ = ["AuditEntry", "Total", "entries", "stripped", "table", "total", "total_line"]

_SHOWN = 48
_READ = 1_000
_MOST_TOKENS = 10**12
_MOST_USD = 10**9
_HEADS = ("Cell", "Model", "Date (UTC)", "Tokens in", "Tokens out", "Cost", "Answered by", "State", "Edited")
# How an answer ends that lacks nothing; `tool_use` is how one ends that is data (`--as`).
_WHOLE = frozenset({"", "end_turn", "stop_sequence", "tool_use"})
_BY = {"vertex": "Vertex AI", "gateway": "gateway", "local": "this machine", "emulator": "emulator"}
# Whose answers Google does not bill.
_HERE = frozenset({"local", "emulator"})
_NOT_BILLED = (
    "Costs in parentheses are not in the totals: replayed, answered on this machine, or already listed above."
)
_ONLY_ANSWER = "* The cell contains more than the question, so an edited prompt cannot be detected."


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One AI answer, as its metadata record it; None and an empty text are for what they lack.

    `cell` counts all cells from 1. Tokens are whole counts, `input_tokens` with those of the cache; `cost_usd` is
    the estimate of then. `answered_by` is "vertex", "gateway", "local" (this machine) or "emulator". `again` tells
    that the same answer is further up, `unfinished` that this is a draft whose answer never ended.
    """

    cell: int
    execution_count: int | None
    model: str
    region: str
    date: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    complete: bool | None
    stop_reason: str
    replayed: bool | None
    answered_by: str
    answer_edited: bool | None
    prompt_edited: bool | None
    again: bool
    unfinished: bool = False

    @property
    def billed(self) -> bool:
        """Whether the cost counts."""
        return not (self.replayed or self.again or self.answered_by in _HERE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """Sums over answers: tokens of what was asked, and USD of what was billed (an estimate).

    `unknown_cost` counts billed answers without a cost, and `edited` those that differ from what was stored.
    """

    answers: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    unknown_cost: int
    edited: int


def entries(notebook: Mapping[str, Any], seen: set[Any] | None = None) -> list[AuditEntry]:
    """Return the AI answers of a notebook (the JSON of its file), from top to bottom.

    Args:
        notebook: The notebook; only its `cells` are looked at.
        seen: Answers that were seen in other notebooks; it grows.

    >>> output = {"data": {}, "metadata": {"vertex_claude_magic": {"model": "claude-opus-4-1"}}}
    >>> [(each.cell, each.model) for each in entries({"cells": [{"outputs": [output]}]})]
    [(1, 'claude-opus-4-1')]
    """
    seen = set() if seen is None else seen
    return [
        _entry(number, cell, output, found, seen)
        for number, cell in enumerate(_items(notebook.get("cells")), 1)
        if isinstance(cell, dict)
        for output, found in _answers(cell)
    ]


def _answers(cell: Json) -> Iterator[tuple[Mapping[str, Json], Mapping[str, Json]]]:
    for output in _items(cell.get("outputs")) if isinstance(cell, dict) else ():
        found = find_provenance(output)
        if found is not None and isinstance(output, dict):
            for answer in answers_in(found):
                yield output, answer


def _entry(
    number: int,
    cell: Mapping[str, Json],
    output: Mapping[str, Json],
    found: Mapping[str, Json],
    seen: set[Any],
) -> AuditEntry:
    usage = found.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    uncached = _count(counts.get("input_tokens"))
    cached = [_count(counts.get(f"cache_{kind}_input_tokens")) or 0 for kind in ("creation", "read")]
    complete, by = _flag(found.get("complete")), _text(found.get("answered_by"))
    # A replayed answer is not the one that it repeats.
    identity = (found.get("message_id"), found.get("date"), _flag(found.get("replayed")))
    identified = bool(identity[0]) and all(isinstance(part, (str, bool, type(None))) for part in identity)
    again = identified and identity in seen
    if identified:
        seen.add(identity)
    return AuditEntry(
        cell=number,
        execution_count=_count(cell.get("execution_count")),
        model=_text(found.get("model")),
        region=_text(found.get("region")),
        date=_text(found.get("date")),
        input_tokens=None if uncached is None else uncached + sum(cached),
        # The count of a stopped answer is not final: it comes with the last events.
        output_tokens=None if complete is False else _count(counts.get("output_tokens")),
        cost_usd=_amount(found.get("cost_usd")),
        complete=complete,
        stop_reason=_text(found.get("stop_reason")),
        # Since there is one hash an answer, what is as usual is left out.
        replayed=_flag(found.get("replayed", False if "answer_hash" in found else None)),
        answered_by="emulator" if found.get("emulated") is True else by if by in _BY else "",
        answer_edited=answer_edited(output.get("data"), found.get("answer_hash", found.get("answer_hashes"))),
        prompt_edited=prompt_edited(cell.get("source"), found.get("source_hash")),
        again=again,
        unfinished=found.get("state") == "unfinished",
    )


def total(found: Iterable[AuditEntry]) -> Total:
    """Return the sums over answers.

    >>> total([]).cost_usd
    0.0
    """
    every = list(found)
    asked = [each for each in every if not (each.again or each.replayed)]
    billed = [each for each in every if each.billed]
    return Total(
        answers=len(every),
        input_tokens=sum(each.input_tokens or 0 for each in asked),
        output_tokens=sum(each.output_tokens or 0 for each in asked),
        cost_usd=sum((each.cost_usd or 0.0 for each in billed), 0.0),
        unknown_cost=sum(each.cost_usd is None for each in billed),
        edited=sum(bool(each.answer_edited or each.prompt_edited) for each in every),
    )


def table(found: Sequence[AuditEntry]) -> str:
    """Return the answers as aligned text, with their total."""
    rows = []
    for each in found:
        run = "" if each.execution_count is None else f" [{each.execution_count}]"
        by = _BY.get(each.answered_by, "unknown")
        cost = "unknown" if each.cost_usd is None else usd_estimate(each.cost_usd)
        cells = (
            f"{each.cell}{run}",
            each.model or "unknown",
            each.date or "unknown",
            _shown_count(each.input_tokens),
            _shown_count(each.output_tokens),
            cost if each.billed else f"({cost})",
            f"{by}, replayed" if each.replayed else by,
            _state(each),
            _edited(each),
        )
        rows.append(Row(cells))
    columns = [Column(head) for head in _HEADS]
    notes = [] if all(each.billed for each in found) else [_NOT_BILLED]
    notes += [_ONLY_ANSWER] if any(_edited(each) == "no*" for each in found) else []
    table = [Table(columns=columns, rows=rows, notes=notes).plain()] if found else []
    return "\n".join([*table, total_line(total(found))])


def total_line(sums: Total) -> str:
    """Return a total in one line.

    >>> total_line(total([]))
    'Total: 0 answers, 0 tokens in / 0 out, $0 (estimate).'
    """
    unknown = f", and {sums.unknown_cost} of unknown cost" if sums.unknown_cost else ""
    edited = f" Edited since: {sums.edited}." if sums.edited else ""
    answers = number_of(sums.answers, "answer")
    tokens = f"{sums.input_tokens:,} tokens in / {sums.output_tokens:,} out"
    return f"Total: {answers}, {tokens}, {usd_estimate(sums.cost_usd)} (estimate){unknown}.{edited}"


def _shown_count(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _state(entry: AuditEntry) -> str:
    if entry.unfinished:
        return "unfinished"
    if entry.complete is None:
        return "unknown"
    if not entry.complete:
        return "stopped"
    return "complete" if entry.stop_reason in _WHOLE else entry.stop_reason


def _edited(entry: AuditEntry) -> str:
    parts = [name for name in ("answer", "prompt") if getattr(entry, f"{name}_edited")]
    if parts:
        return f"{' and '.join(parts)} edited"
    if entry.answer_edited is None:
        return "unknown"
    return "no*" if entry.prompt_edited is None else "no"


def stripped(notebook: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return the notebook without its AI answers, and how many there were; all else stays as it is.

    Pages that quote answers, such as that of `%claude_chat NAME`, go too and are not counted. A cell without outputs
    counts as not run then.

    >>> output = {"metadata": {"vertex_claude_magic": {}}}
    >>> stripped({"cells": [{"execution_count": 3, "outputs": [output]}]})
    ({'cells': [{'execution_count': None, 'outputs': []}]}, 1)
    """
    cells, removed = list[Json](), 0
    for cell in _items(notebook.get("cells")):
        outputs = _items(cell.get("outputs")) if isinstance(cell, dict) else []
        left = [output for output in outputs if find_provenance(output) is None]
        if isinstance(cell, dict) and len(left) < len(outputs):
            removed += sum(1 for _ in _answers(cell))
            cells.append({**cell, "outputs": left, **({} if left else {"execution_count": None})})
        else:
            cells.append(cell)
    return {**notebook, "cells": cells}, removed


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _text(value: Json) -> str:
    if not isinstance(value, str):
        return ""
    # Code points that Unicode has not assigned yet are of no known width.
    known = "".join(letter if letter.isprintable() else "\ufffd" for letter in safe_plain(value[:_READ]))
    return quote(known, _SHOWN)


def _count(value: Json) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else None


def _amount(value: Json) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < _MOST_USD else None


def _flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None
