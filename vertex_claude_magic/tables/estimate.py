"""What a run over a table would cost: a sample of the rows to ask is counted, and the rest taken to be like them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.vertex.reply import Usage, cost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vertex_claude_magic.settings.target import Target
    from vertex_claude_magic.tables.questions import RowQuestion, RowQuestions
    from vertex_claude_magic.vertex.request import Request

__all__ = ["RunEstimate", "batch_note", "estimate_run", "sample_of", "takes_batches"]

# Rows that are counted; a count is free and takes a call.
_SAMPLE = 20
# The 95 % interval of a mean has so many standard errors to each side.
_SPREAD = 1.96
# A batch is worth its detour from so many rows and so much saved (USD) on; a smaller one is over sooner live.
_WORTH_A_BATCH, _WORTH_USD = 1_000, 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEstimate:
    """What a run would cost.

    Args:
        rows: How many rows would be asked.
        sample: How many of them were looked at.
        exact: Whether the service counted their tokens; else they are upper bounds.
        tokens: Input tokens of all rows.
        spread: How far that may be off to either side (95 %).
        least: USD with empty answers, None where a price is not known.
        most: USD with answers of `max_tokens` tokens.
        max_tokens: The longest answer, in tokens.
        batch_least: USD of the same as a batch with empty answers, None where the price is not known.
        batch_most: USD of it with answers of `max_tokens` tokens.
    """

    rows: int
    sample: int
    exact: bool
    tokens: int
    spread: int
    least: float | None
    most: float | None
    max_tokens: int
    batch_least: float | None = None
    batch_most: float | None = None


def sample_of(rows: Iterable[RowQuestion]) -> tuple[list[RowQuestion], int]:
    """Return a sample of rows, each as likely as any other and the same each time, and how many rows there are.

    Only the sample is in memory; the method is "reservoir sampling", algorithm R (Vitter, 1985).
    """
    chance, number = random.Random(0), 0  # noqa: S311 - no secret
    sample: list[RowQuestion] = []
    for number, row in enumerate(rows, 1):
        if len(sample) < _SAMPLE:
            sample.append(row)
        elif (place := chance.randrange(number)) < _SAMPLE:
            sample[place] = row
    return sample, number


def estimate_run(
    questions: RowQuestions,
    sample: Iterable[RowQuestion],
    rows: int,
    count: Callable[[Request], tuple[int, bool]],
) -> RunEstimate:
    """Estimate what rows would cost.

    Args:
        questions: The questions of the table.
        sample: Some of the rows that would be asked.
        rows: How many rows would be asked.
        count: Returns the input tokens of a request, and whether they are exact.
    """
    requests = [each.question.request for each in sample if each.question is not None]
    counted = [count(request) for request in requests]
    tokens = [number for number, _ in counted] or [0]
    average = mean(tokens)
    # Of a sample that is all rows nothing is left to chance.
    rest = max(0.0, 1 - len(tokens) / rows) if rows else 0.0
    error = _SPREAD * stdev(tokens) * math.sqrt(rest / len(tokens)) if len(tokens) > 1 else 0.0
    whole = round(average * rows)
    first = questions.first
    output = first.request.body.get("max_tokens") if first is not None else 0
    longest = output if isinstance(output, int) else 0
    row, region = questions.target.row, questions.target.region

    def usd(output_tokens: int, *, batch: bool = False) -> float | None:
        if row is None:
            return None
        usage = Usage(input_tokens=round(average), output_tokens=output_tokens)
        each = cost(row, _batch_location(region) if batch else region, usage, batch=batch)
        return None if each is None else each * rows

    return RunEstimate(
        rows=rows,
        sample=len(requests),
        exact=all(exact for _, exact in counted),
        tokens=whole,
        spread=round(error * rows),
        least=usd(0),
        most=usd(longest),
        max_tokens=longest,
        batch_least=usd(0, batch=True),
        batch_most=usd(longest, batch=True),
    )


def takes_batches(target: Target) -> bool:
    """Tell whether a source says that the model takes batch prediction."""
    known = target.catalog.services.get("batch", {})
    return target.model_id in known.get("models", ())


def batch_note(target: Target, spent: float | None, rows: int) -> str:
    """Return one line that says what the rows that were asked would have cost as a batch; empty where it would not pay.

    Args:
        target: Where they went.
        spent: What they cost, in USD; None where that is not known.
        rows: How many they were.
    """
    if target.row is None or spent is None or rows < _WORTH_A_BATCH or not takes_batches(target):
        return ""
    usage = Usage(input_tokens=1_000)
    live = cost(target.row, target.region, usage)
    later = cost(target.row, _batch_location(target.region), usage, batch=True)
    if not live or later is None or spent * (1 - later / live) < _WORTH_USD:
        return ""
    return f"As a batch (%%claude_batch) these rows would have cost {usd_estimate(spent * later / live)}."


def _batch_location(region: str) -> str:
    # Batches run nowhere at the price of `global`, and everywhere else at the same one.
    return "us" if region == "global" else region
