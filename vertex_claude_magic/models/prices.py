"""What tokens cost: the prices of a model at a location, and how USD are written.

Prices are USD per million tokens. The figures live in the model table; here is only the arithmetic:
which price tier a prompt falls into, and the premium of every endpoint but `global`. What an answer cost is worked out
by `cost` in `vertex/reply.py`, beside `Usage`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vertex_claude_magic.models.model import Model, Tier

__all__ = [
    "rate",
    "rates",
    "sum_of_costs",
    "usd",
    "usd_estimate",
    "usd_limit",
    "usd_words",
]

# USD; smaller sums are not written out.
_LEAST = 0.00001
# Those to which the premium applies.
_TOKEN_PRICES = ("input", "output", "cache_write_5m", "cache_write_1h", "cache_read")


def rate(model: Model, location: str, input_tokens: int = 0) -> Tier | None:
    """Return the prices of a model at a location in USD per million tokens, premium included.

    A prompt falls into a higher tier when all its tokens together (uncached, read from and written to
    the cache) exceed the tier's floor. The premium applies at regional and multi-region endpoints from
    the Claude 4.5 generation on (Claude docs, Claude on Google Cloud, 2026-09-26).

    Args:
        model: A row of the model table.
        location: The location that serves the request; only `global` is free of the premium.
        input_tokens: The length of the whole prompt in tokens.

    Returns:
        The prices, or None where the table knows none for the model.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> haiku = Catalog.load().find("claude-haiku-5-5")
    >>> rate(haiku, "global").input, rate(haiku, "eu").input, rate(haiku, "eu", 100_001).input
    (0.1, 0.11, 0.55)
    """
    # All tokens of a prompt pay the price of the tier that it reaches, not only those above its limit.
    reached = [tier for tier in model.prices.tiers if input_tokens > tier.over_input_tokens]
    tier = reached[-1] if reached else next(iter(model.prices.tiers), None)
    if tier is None or location == "global" or not model.prices.endpoint_premium:
        return tier
    factor = 1 + model.prices.endpoint_premium
    known = {name: price for name in _TOKEN_PRICES if (price := getattr(tier, name)) is not None}
    return tier._replace(**{name: round(price * factor, 9) for name, price in known.items()})


def rates(model: Model, location: str) -> Iterator[tuple[int, Tier]]:
    """Return the prices of each tier at a location, with the tokens that a prompt of it has more of.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> [(over, prices.input) for over, prices in rates(Catalog.load().find("claude-haiku-5-5"), "eu")]
    [(0, 0.11), (100000, 0.55)]
    """
    for tier in model.prices.tiers:
        here = rate(model, location, tier.over_input_tokens + 1)
        if here is not None:
            yield tier.over_input_tokens, here


def sum_of_costs(costs: Iterable[float | None]) -> float | None:
    """Return the sum of costs in USD, None where one of them is not known.

    >>> sum_of_costs([0.25, 0.5]), sum_of_costs([0.25, None]), sum_of_costs([])
    (0.75, None, 0.0)
    """
    total = 0.0
    for each in costs:
        if each is None:
            return None
        total += each
    return total


def usd(
    amount: float | None, form: Literal["column", "short", "price"] = "column", *, unknown: str = "unknown"
) -> str:
    """Write USD as a bare number, for a table or a chart whose head or caption says USD.

    In a sentence USD have their sign (`usd_estimate`, `usd_limit`): where a pair of them could make a formula, what
    writes the page escapes them.

    Args:
        amount: USD, None or infinite where it is not known.
        form: "column" has four decimals, so that sums align, and two significant digits where those would show
            nothing; "short" has two significant digits below a dollar, for one figure in a text; "price" has the
            digits that somebody chose, those of the price table or of a limit. A sum below a thousandth of a cent is
            only called that, because a row of zeros is misread.
        unknown: What is written where the amount is not known.

    >>> usd(1234.5), usd(0.0), usd(0.000097), usd(None)
    ('1,234.5000', '0', '0.000097', 'unknown')
    >>> usd(0.00000066), usd(0.00000066, "short")
    ('<0.00001', '<0.00001')
    >>> usd(0.00213, "short"), usd(1.005, "short"), usd(0.0, "short")
    ('0.0021', '1.00', '0')
    >>> usd(0.11, "price"), usd(10.0, "price"), usd(0.00001, "price"), usd(None, "price", unknown="?")
    ('0.11', '10', '0.00001', '?')
    """
    if amount is None or not math.isfinite(amount):
        return unknown
    if form == "price":
        return f"{amount:,.10f}".rstrip("0").rstrip(".")
    if amount <= 0:
        return "0"
    if amount < _LEAST:
        return f"<{_LEAST:.5f}"
    two_digits = 1 - math.floor(math.log10(amount))
    if form == "short":
        return f"{amount:,.{two_digits if amount < 1 else 2}f}"
    return f"{amount:,.{4 if amount >= 0.0001 else two_digits}f}"


def usd_estimate(amount: float | None) -> str:
    """Write an estimated cost in a sentence.

    >>> usd_estimate(0.00213), usd_estimate(1.005), usd_estimate(0.0), usd_estimate(None)
    ('≈$0.0021', '≈$1.00', '$0', 'cost unknown')
    """
    number = usd(amount, "short", unknown="")
    if not number:
        return "cost unknown"
    if number.startswith("<"):
        return f"<${number[1:]}"
    return "$0" if number == "0" else f"≈${number}"


def usd_limit(amount: float | None) -> str:
    """Write a limit or a price of the table in a sentence, to the last digit that was given, and cents with two.

    >>> usd_limit(0.5), usd_limit(0.00001), usd_limit(1000.0), usd_limit(None)
    ('$0.50', '$0.00001', '$1,000', '?')
    """
    if amount is None:
        return "?"
    number = usd(amount, "price")
    return f"${number}0" if number[-2:-1] == "." else f"${number}"


def usd_words(amount: float | None) -> str:
    """Write about what something cost, for a line that is glanced at.

    >>> usd_words(0.0035), usd_words(0.034), usd_words(2.351), usd_words(0.0), usd_words(None)
    ('under 1¢', 'about 3¢', 'about $2.35', 'free', 'cost unknown')
    """
    if amount is None or not math.isfinite(amount):
        return "cost unknown"
    if amount <= 0:
        return "free"
    if amount < 0.01:
        return "under 1¢"
    return f"about {amount * 100:.0f}¢" if amount < 0.995 else f"about ${amount:,.2f}"
