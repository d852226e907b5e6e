"""What a run would cost, from the tokens of a sample: every figure here was worked out by hand."""

from __future__ import annotations

from itertools import chain

import pytest

from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.tables.estimate import RunEstimate, estimate_run, sample_of
from vertex_claude_magic.tables.questions import RowQuestions, row_questions
from vertex_claude_magic.tables.rows import read_rows


def questions(rows: int, *, model="claude-sonnet-5-5", region="global") -> RowQuestions:
    target = resolve_target(AskOptions(model=model, region=region, max_tokens=100, project="p"))
    return row_questions(
        read_rows([f"row {number}" for number in range(rows)]), "Say {{ item }}", target, scope=None
    )


def estimate(counts: list[int], rows: int, *, exact=True, **options) -> RunEstimate:
    """The estimate of a run over so many rows, of which the first ones have these numbers of tokens."""
    made = questions(max(rows, 1), **options)
    sample = [*chain.from_iterable(made.chunks(len(counts)))]
    left = iter(counts)
    return estimate_run(made, sample, rows, lambda _: (next(left), exact))


# The region, and USD of 50 rows of 100 tokens each: live with empty answers and with 100 tokens each, and as a batch.
COSTS = [
    ("global", 0.01, 0.06, 0.0055, 0.033),  # 5,000 x 2 and 5,000 x 10, in millionths; no batch has that price
    ("eu", 0.011, 0.066, 0.0055, 0.033),  # 10 % more, and half of that
]


@pytest.mark.parametrize(("region", "least", "most", "batch_least", "batch_most"), COSTS)
def test_a_run_costs_between_empty_answers_and_the_longest(region, least, most, batch_least, batch_most):
    """At the price of its location; a batch at half of it."""
    found = estimate([100] * 20, 50, region=region)
    assert (found.rows, found.sample, found.exact, found.max_tokens) == (50, 20, True, 100)
    assert (found.tokens, found.spread) == (5_000, 0)
    costs = (found.least, found.most, found.batch_least, found.batch_most)
    assert costs == pytest.approx((least, most, batch_least, batch_most))


# The tokens of a sample, all rows, and the tokens of all with how far they may be off.
SPREADS = [
    ([100, 300], 4, 800, 554),  # 1.96 x 141.42 x sqrt(0.5 / 2) x 4
    ([100, 300, 200, 200], 8, 1_600, 453),  # 1.96 x 81.65 x sqrt(0.5 / 4) x 8
    ([100, 300], 2, 400, 0),  # of all rows nothing is left to chance
    ([100], 50, 5_000, 0),  # one row tells nothing of the spread
    ([], 0, 0, 0),
]


@pytest.mark.parametrize(("counts", "rows", "tokens", "spread"), SPREADS)
def test_the_rest_is_taken_to_be_like_the_sample(counts, rows, tokens, spread):
    """Within the 95 % interval of its mean, narrower the more rows were counted."""
    found = estimate(counts, rows)
    assert (found.tokens, found.spread) == (tokens, spread)


def test_a_bound_is_not_called_exact_and_an_unknown_price_is_none():
    assert not estimate([100], 2, exact=False).exact
    found = estimate([100], 2, model="claude-of-tomorrow")
    assert (found.tokens, found.least, found.most, found.batch_least, found.batch_most) == (200, *[None] * 4)


@pytest.mark.parametrize("rows", [0, 1, 19, 20])
def test_of_a_few_rows_all_are_in_the_sample(rows):
    assert sample_of(range(rows)) == ([*range(rows)], rows)


def test_of_many_rows_each_is_as_likely_to_be_in_the_sample():
    """The same ones each time, and none twice."""
    sample, rows = sample_of(range(1_000))
    assert (len(sample), len(set(sample)), rows) == (20, 20, 1_000)
    assert sample_of(range(1_000)) == (sample, rows)
    assert {row // 250 for row in sample} == {0, 1, 2, 3}
