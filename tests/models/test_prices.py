"""What answers cost: every figure here was worked out by hand from the table's prices."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path

import pytest

import vertex_claude_magic
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.model import Prices, Tier
from vertex_claude_magic.models.prices import rate, usd, usd_estimate, usd_limit, usd_words
from vertex_claude_magic.vertex.reply import CacheCreation, ServerToolUse, Usage, cost, usage_from

CATALOG = Catalog.load()
K, M = 1_000, 1_000_000


def use(read=0, write=0, five=None, hour=None, search=0, *, inp=0, out=0):
    detail = None
    if five is not None or hour is not None:
        detail = CacheCreation(ephemeral_5m_input_tokens=five or 0, ephemeral_1h_input_tokens=hour or 0)
    return Usage(
        input_tokens=inp,
        output_tokens=out,
        cache_read_input_tokens=read,
        cache_creation_input_tokens=write,
        cache_creation=detail,
        server_tool_use=ServerToolUse(web_search_requests=search) if search else None,
    )


# model, location, usage, USD; the arithmetic stands beside each.
COSTS = [
    ("claude-sonnet-5-5", "global", use(inp=1 * M), 2.0),  # 1 x 2
    ("claude-sonnet-5-5", "global", use(out=1 * M), 10.0),  # 1 x 10
    ("claude-sonnet-5-5", "global", use(inp=1_234, out=567), 0.008138),  # .002468 + .00567
    ("claude-sonnet-5-5", "eu", use(inp=1 * M, out=1 * M), 13.2),  # 2.2 + 11
    ("claude-sonnet-5-5", "us", use(read=1 * M), 0.11),  # 0.10 x 1.1
    ("claude-sonnet-5-5", "global", use(write=100 * K), 0.25),  # all writes count as five minutes: .1 x 2.5
    ("claude-sonnet-5-5", "global", use(write=100 * K, five=40 * K, hour=60 * K), 0.34),  # .04x2.5 + .06x4
    ("claude-sonnet-5-5", "global", use(write=100 * K, hour=100 * K), 0.4),  # .1 x 4
    ("claude-sonnet-5-5", "global", use(write=100 * K, five=40 * K, hour=0), 0.25),  # the rest is five minutes
    ("claude-sonnet-5-5", "global", use(search=3), 0.03),  # 3 x 0.01
    ("claude-sonnet-5-5", "eu", use(inp=10 * K, search=2), 0.042),  # .01 x 2.2 + .02, no premium on searches
    ("claude-opus-5-5", "global", use(inp=10 * K, out=2 * K), 0.08),  # .04 + .04
    ("claude-opus-5-5", "us", use(inp=10 * K, out=2 * K), 0.088),  # 10 % more
    ("claude-opus-5-5", "global", use(read=500 * K), 0.1),  # .5 x .20
    ("claude-opus-5", "asia-southeast1", use(inp=1 * M), 5.5),  # 5 x 1.1
    ("claude-fable-5-1", "global", use(inp=100 * K, out=10 * K, read=1 * M), 1.75),  # 1 + .5 + .25
    ("claude-fable-5", "global", use(read=1 * M), 1.0),
    ("claude-fable-5-2", "global", use(inp=1 * M, out=1 * M), 48.0),  # 8 + 40
    ("claude-haiku-5-5", "global", use(inp=100 * K, out=1 * M), 0.51),  # exactly 100,000 is the lower tier
    ("claude-haiku-5-5", "global", use(inp=100_001), 0.0500005),  # .100001 x .50
    ("claude-haiku-5-5", "global", use(inp=1, read=60 * K, write=60 * K), 0.0405005),  # .003 + .0375 + .0000005
    ("claude-haiku-5-5", "eu", use(inp=200 * K, out=100 * K), 0.385),  # (.1 + .25) x 1.1
    ("claude-haiku-5-5", "global", use(out=500 * K), 0.25),  # a long answer does not raise the tier
    ("claude-haiku-5-5", "global", use(write=200 * K, hour=200 * K), 0.2),  # .2 x 1.00
    ("claude-sonnet-4-5@20250929", "global", use(inp=200 * K, out=10 * K), 0.75),  # .6 + .15
    ("claude-sonnet-4-5@20250929", "global", use(inp=200_001, out=10 * K), 1.425006),  # 1.200006 + .225
    ("claude-sonnet-4-5@20250929", "us-east5", use(inp=300 * K), 1.98),  # .3 x 6 x 1.1
    ("claude-sonnet-4-5@20250929", "global", use(inp=1, read=250 * K), 0.150006),  # .25 x .60 + .000006
    ("claude-sonnet-4@20250514", "us-east5", use(inp=1 * M), 3.0),  # no premium before 4.5
    ("claude-opus-4-1@20250805", "us-east5", use(inp=1 * M, out=1 * M), 90.0),
    ("claude-haiku-4-5@20251001", "europe-west1", use(inp=1 * M, out=1 * M), 6.6),
    ("claude-opus-4-5@20251101", "global", use(write=1 * M, hour=1 * M), 10.0),
    ("claude-3-5-haiku@20241022", "us-east5", use(inp=1 * M, out=1 * M, write=1 * M), 5.8),  # .8 + 4 + 1
    ("claude-3-opus@20240229", "global", use(inp=1 * K, out=1 * K), 0.09),
    ("claude-mythos-preview", "global", use(), 0.0),  # nothing used, nothing to pay
]  # fmt: skip


def steps(*each, inp=0, out=0, **fields):
    return usage_from({"input_tokens": inp, "output_tokens": out, "iterations": list(each), **fields})


def step(kind, inp, out, **fields):
    return {"type": kind, "input_tokens": inp, "output_tokens": out, **fields}


# What a compaction took is in no other field of the usage object, what a message took is (anthropic 2.14.0).
COMPACTED = [
    ("claude-opus-5-5", "global", steps(step("compaction", 180 * K, 3_500), step("message", 20 * K, 1 * K), inp=20 * K, out=1 * K),
     0.89),  # .72 + .07 + .08 + .02
    ("claude-opus-5-5", "us", steps(step("compaction", 180 * K, 3_500), inp=20 * K, out=1 * K), 0.979),  # 10 % more
    ("claude-opus-5-5", "global", steps(*[step("compaction", 100 * K, 0)] * 3, inp=0, out=0), 1.2),  # 3 x .4
    ("claude-opus-5-5", "global", steps(step("message", 1, 1), inp=10 * K, out=2 * K), 0.08),
    # Each falls into a tier of its own: .01 + .10
    ("claude-haiku-5-5", "global", steps(step("compaction", 200 * K, 0), inp=100 * K), 0.11),
    ("claude-sonnet-5-5", "global", steps(step("compaction", 0, 0, cache_creation_input_tokens=100 * K,
     cache_creation={"ephemeral_1h_input_tokens": 60 * K})), 0.34),  # .04x2.5 + .06x4
    ("claude-opus-5-5", "global", steps(None, 5, "compaction", inp=10 * K, out=2 * K), 0.08),
    # The price of another model is not known here.
    ("claude-opus-5-5", "global", steps(step("advisor_message", 9, 9, model="claude-fable-5"), inp=9), None),
    ("claude-opus-5-5", "global", steps(step("fallback_message", 9, 9, model="claude-fable-5"), inp=9), None),
    ("claude-opus-5-5", "global", steps(step("news", 9, 9), inp=9), None),
]  # fmt: skip


@pytest.mark.parametrize(("model", "location", "usage", "usd"), COMPACTED)
def test_what_the_service_did_beside_the_answer_is_paid_too(model, location, usage, usd):
    """Also in a sum over rounds and in batch prediction."""
    assert cost(row(model), location, usage) == (None if usd is None else pytest.approx(usd, rel=1e-9))
    half = cost(row(model), location, usage, batch=True)
    assert half == (None if usd is None else pytest.approx(usd / 2, rel=1e-9))
    assert (usage + usage).iterations == usage.iterations * 2


BATCH = [
    ("claude-opus-5-5", "global", use(inp=1 * M, out=1 * M), 12.0),  # 2 + 10
    ("claude-opus-5-5", "us", use(inp=1 * M), 2.2),
    ("claude-haiku-5-5", "global", use(inp=200 * K), 0.05),
    ("claude-sonnet-5-5", "global", use(inp=1 * M, search=1), 1.01),  # searches are not discounted
    ("claude-sonnet-4-5@20250929", "us-east5", use(inp=1 * M, out=100 * K), 4.5375),  # (6 + 2.25) x 1.1 / 2
]

UNKNOWN = [
    ("claude-3-sonnet@20240229", use(read=1)),
    ("claude-3-sonnet@20240229", use(write=1)),
    ("claude-3-sonnet@20240229", use(write=2, hour=1)),
]


def row(name):
    return CATALOG.find(name)


@pytest.mark.parametrize(("model", "location", "usage", "usd"), COSTS)
def test_an_answer_costs_what_the_arithmetic_says(model, location, usage, usd):
    """Tiers, premium, cache writes and reads, and searches add up to the hand-computed sum."""
    assert cost(row(model), location, usage) == pytest.approx(usd, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("model", "location", "usage", "usd"), BATCH)
def test_batch_takes_half_of_the_token_prices(model, location, usage, usd):
    """The batch factor applies to tokens, after tier and premium."""
    assert cost(row(model), location, usage, batch=True) == pytest.approx(usd, rel=1e-9)


@pytest.mark.parametrize(("model", "usage"), UNKNOWN)
def test_a_sum_that_needs_an_unknown_price_is_unknown(model, usage):
    """No price is ever made up."""
    assert cost(row(model), "global", usage) is None


def test_an_unknown_batch_factor_makes_the_batch_price_unknown():
    """Without a known discount there is no known price."""
    model = row("claude-opus-5")._replace(prices=Prices(tiers=(Tier(input=1.0, output=1.0),)))
    assert cost(model, "global", use(inp=1 * M)) == 1.0
    assert cost(model, "global", use(inp=1 * M), batch=True) is None


def test_an_unknown_search_fee_makes_only_answers_with_searches_unknown():
    """A price that is not needed may be unknown."""
    model = row("claude-opus-5")._replace(prices=Prices(tiers=(Tier(input=1.0),)))
    assert cost(model, "global", use(search=1)) is None
    assert cost(model, "global", use(inp=1 * M)) == 1.0


@pytest.mark.parametrize(
    ("model", "location", "tokens", "expected"),
    [
        ("claude-sonnet-5-5", "global", 0, (2, 10, 2.5, 4, 0.1)),
        ("claude-sonnet-5-5", "eu", 0, (2.2, 11, 2.75, 4.4, 0.11)),
        ("claude-sonnet-5-5", "antarctica-south1", 0, (2.2, 11, 2.75, 4.4, 0.11)),
        ("claude-haiku-5-5", "global", 100_000, (0.1, 0.5, 0.125, 0.2, 0.01)),
        ("claude-haiku-5-5", "global", 100_001, (0.5, 2.5, 0.625, 1.0, 0.05)),
        ("claude-haiku-5-5", "us", 900_000, (0.55, 2.75, 0.6875, 1.1, 0.055)),
        ("claude-sonnet-4-5@20250929", "us-east5", 200_001, (6.6, 24.75, 8.25, 13.2, 0.66)),
        ("claude-opus-4@20250514", "us-east5", 0, (15, 75, 18.75, 30, 1.5)),
        ("claude-3-haiku@20240307", "us-east5", 0, (0.25, 1.25, 0.3, 0.5, 0.03)),
    ],
)
def test_rates_have_the_premium_in(model, location, tokens, expected):
    """What is shown is what is paid there, to the last digit."""
    tier = rate(row(model), location, tokens)
    assert (tier.input, tier.output, tier.cache_write_5m, tier.cache_write_1h, tier.cache_read) == expected


def test_a_model_without_prices_has_no_rate():
    """None, and not zero, also where a premium would be added."""
    unpriced = row("claude-mythos-preview")._replace(prices=Prices(endpoint_premium=0.1))
    assert [rate(unpriced, place) for place in ("global", "eu")] == [None, None]


# USD in writing: a sum in a column, a figure in a text, a price of the table, an estimate with its sign.
WRITTEN = [
    (0.0, "0", "0", "0", "$0"),
    (1234.5, "1,234.5000", "1,234.50", "1,234.5", "≈$1,234.50"),
    (1.0, "1.0000", "1.00", "1", "≈$1.00"),
    (0.0001, "0.0001", "0.00010", "0.0001", "≈$0.00010"),
    (0.000097, "0.000097", "0.000097", "0.000097", "≈$0.000097"),
    (0.00001, "0.000010", "0.000010", "0.00001", "≈$0.000010"),
    (0.0000066, "<0.00001", "<0.00001", "0.0000066", "<$0.00001"),
    (1e-9, "<0.00001", "<0.00001", "0.000000001", "<$0.00001"),
    (None, "unknown", "unknown", "unknown", "cost unknown"),
    (float("inf"), "unknown", "unknown", "unknown", "cost unknown"),
    (float("nan"), "unknown", "unknown", "unknown", "cost unknown"),
]


@pytest.mark.parametrize(("amount", "column", "short", "price", "estimate"), WRITTEN)
def test_usd_are_written_in_one_of_three_forms(amount, column, short, price, estimate):
    """A tiny sum is never written as nothing, and an unknown one never as zero."""
    assert [usd(amount), usd(amount, "short"), usd(amount, "price")] == [column, short, price]
    assert usd_estimate(amount) == estimate
    assert " " not in estimate.removesuffix(" unknown")


def test_nothing_writes_a_blank_after_the_sign_of_an_estimate():
    """A line could end there, and its figure begin the next."""
    sources = Path(vertex_claude_magic.__file__).parent.rglob("*.py")
    assert [source.name for source in sources if "≈ " in source.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize(("limit", "written"), [
    (0.5, "$0.50"), (2, "$2"), (0.25, "$0.25"), (1e-6, "$0.000001"), (1234567.0, "$1,234,567"), (0.1 + 0.2, "$0.30"),
    (0.0, "$0"), (None, "?"),
])  # fmt: skip
def test_a_limit_has_the_digits_that_the_user_gave_and_cents_with_two(limit, written):
    """And no power of ten."""
    assert usd_limit(limit) == written


@pytest.mark.parametrize(("amount", "words"), [
    (-0.01, "free"), (0.0, "free"), (1e-9, "under 1¢"), (0.00999, "under 1¢"), (0.01, "about 1¢"), (0.994, "about 99¢"),
    (0.996, "about $1.00"), (1.2, "about $1.20"), (None, "cost unknown"), (float("inf"), "cost unknown"), (float("nan"), "cost unknown"),
])  # fmt: skip
def test_a_line_that_is_glanced_at_has_words_for_an_amount(amount, words):
    """Cents as long as they are fewer than a hundred, and nothing that costs is free."""
    assert usd_words(amount) == words


def test_in_a_sentence_an_amount_has_its_sign():
    """And no "USD" behind it, which is for the head of a column and for what a price is per."""
    package = Path(vertex_claude_magic.__file__).parent
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in package.rglob("*.py"))
    texts = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.JoinedStr))
    assert not [
        ast.unparse(node)
        for node in texts
        for before, part in itertools.pairwise(node.values)
        if isinstance(before, ast.FormattedValue) and str(getattr(part, "value", "")).startswith(" USD")
    ]


def amounts_written_elsewhere(tree: ast.AST) -> list[str]:
    """The texts of a module that put a number of their own format beside a dollar sign or the word USD."""
    found = []
    for node in ast.walk(tree):
        parts = [None, *node.values, None] if isinstance(node, ast.JoinedStr) else []
        for before, value, after in zip(parts, parts[1:], parts[2:], strict=False):
            left = str(before.value) if isinstance(before, ast.Constant) else ""
            right = str(after.value) if isinstance(after, ast.Constant) else ""
            money = left.endswith(("$", "USD ")) or right.startswith((" USD", " dollar"))
            if isinstance(value, ast.FormattedValue) and value.format_spec is not None and money:
                found.append(ast.unparse(node))
    return found


def test_nothing_but_the_price_module_decides_how_an_amount_is_written():
    """So that a sum has the same digits on a page, in an error, in the log and on the command line."""
    package = Path(vertex_claude_magic.__file__).parent
    found = {
        path.relative_to(package).as_posix(): texts
        for path in package.rglob("*.py")
        if (texts := amounts_written_elsewhere(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found.keys() <= {"models/prices.py"}
