"""What a run over a table would cost: a sample of its rows is counted, and the rest taken to be like them."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import mean, stdev
from typing import TYPE_CHECKING

from vertex_claude_magic.models.prices import cost
from vertex_claude_magic.vertex.reply import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from vertex_claude_magic.tables.questions import RowQuestion, RowQuestions
    from vertex_claude_magic.vertex.request import Request

__all__ = ["RunEstimate", "estimate_run", "sample_of"]

# Rows that are counted; a count is free and takes a call.
_SAMPLE = 20
# The 95 % interval of a mean has so many standard errors to each side.
_SPREAD = 1.96


@dataclass(frozen=True, kw_only=True, slots=True)
class RunEstimate:
    """What a run would cost.

    Args:
        rows: How many rows there are.
        sample: How many of them were looked at.
        exact: Whether the service counted their tokens; else they are upper bounds.
        tokens: Input tokens of all rows.
        spread: How far that may be off to either side (95 %).
        least: USD with empty answers, None where a price is not known.
        most: USD with answers of `max_tokens` tokens.
        max_tokens: The longest answer, in tokens.
    """

    rows: int
    sample: int
    exact: bool
    tokens: int
    spread: int
    least: float | None
    most: float | None
    max_tokens: int


def sample_of(questions: RowQuestions, stop: int) -> list[RowQuestion]:
    """Return a sample of the first `stop` rows that can be asked, spread over all of them, the same each time."""
    places = sorted(random.Random(0).sample(range(stop), min(stop, _SAMPLE)))  # noqa: S311 - no secret
    found = [each for place in places for chunk in questions.chunks(place, place + 1) for each in chunk]
    return [each for each in found if each.question is not None]


def estimate_run(
    questions: RowQuestions, stop: int, count: Callable[[Request], tuple[int, bool]]
) -> RunEstimate:
    """Estimate what the first `stop` rows would cost.

    Args:
        questions: The questions.
        stop: How many rows would be asked.
        count: Returns the input tokens of a request, and whether they are exact.
    """
    requests = [each.question.request for each in sample_of(questions, stop) if each.question is not None]
    counted = [count(request) for request in requests]
    tokens = [number for number, _ in counted] or [0]
    average = mean(tokens)
    # Of a sample that is all rows nothing is left to chance.
    rest = max(0.0, 1 - len(tokens) / stop) if stop else 0.0
    error = _SPREAD * stdev(tokens) * math.sqrt(rest / len(tokens)) if len(tokens) > 1 else 0.0
    whole = round(average * stop)
    first = questions.first
    output = first.request.body.get("max_tokens") if first is not None else 0
    longest = output if isinstance(output, int) else 0
    row, region = questions.target.row, questions.target.region

    def usd(output_tokens: int) -> float | None:
        if row is None:
            return None
        each = cost(row, region, Usage(input_tokens=round(average), output_tokens=output_tokens))
        return None if each is None else each * stop

    return RunEstimate(
        rows=stop,
        sample=len(requests),
        exact=all(exact for _, exact in counted),
        tokens=whole,
        spread=round(error * stop),
        least=usd(0),
        most=usd(longest),
        max_tokens=longest,
    )
