"""How a refusal reads that a limit in USD has caused: the user can raise a limit of their own, and no other.

One that a policy sets is named with its file, and with what is left to do.
"""

from __future__ import annotations

from vertex_claude_magic.errors import CostLimitExceeded
from vertex_claude_magic.models.prices import usd_estimate, usd_limit
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.spelling import Change, Spelled, changing, option, raised, setting, spelled, ways

__all__ = ["limit_exceeded", "priced", "spending_unknown", "to_fit"]

# Of each limit: what it holds for, its name in a sentence, and what else lets the question through.
_LIMITS = {
    "max_session_cost": ("this session", "session", ""),
    "max_daily_cost": ("today", "daily", "wait for tomorrow"),
}


def limit_exceeded(name: str, limit: float, most: float, spent: float, *, local: bool) -> CostLimitExceeded:
    """Return the error for a question that could cross a limit.

    Args:
        name: The option that has the limit, `max_session_cost` or `max_daily_cost`.
        limit: The limit in USD.
        most: What the question costs at most, in USD.
        spent: What was spent so far, in USD.
        local: Whether this machine answers, which costs nothing; a limit can be tried with it all the same.

    >>> limit_exceeded("max_session_cost", 2.0, 0.5, 1.75, local=False).cure
    'Lower --max-tokens, or raise max_session_cost.'
    """
    during, limited, later = _LIMITS[name]
    what = "At Google's prices this" if local else "This"
    so_far = f"for {during} so far" if local else f"spent {during}"
    return CostLimitExceeded(
        f"{what} question may cost up to {usd_estimate(most)}; with {usd_estimate(spent)} {so_far}, "
        f"that exceeds the {limited} limit of {usd_limit(limit)} (estimates).",
        cure=to_fit(name, limit, later),
    )


def to_fit(name: str, limit: float, *others: str) -> Spelled:
    """Return the cure for a limit in USD that something could cross: ask for less, or raise it where the user can.

    Args:
        name: The option that has the limit.
        limit: The limit.
        others: What else there is to do, as for `ways`.

    >>> to_fit("max_session_cost", 2.0, "send fewer rows")
    'Lower --max-tokens, send fewer rows, or raise max_session_cost.'
    """
    less = spelled("lower {}", option("max_tokens"))
    if holder := _holder(name, limit):
        cheaper = changing("model", "use a cheaper model")
        return ways(less, *others, cheaper, end=f": {holder} sets this limit.")
    # What is only a setting has no name on a line.
    is_on_line = "line" in OPTIONS[name].places
    return ways(less, *others, spelled("raise {}", raised(name, limit) if is_on_line else setting(name)))


def spending_unknown(why: str, way: str = "", *, cure: str = "") -> CostLimitExceeded:
    """Return the error where a limit holds for the day and nobody can tell what was spent on it.

    Args:
        why: Why, a sentence.
        way: What makes it known, as for `ways`; to clear the limit is added where that leaves none.
        cure: The same as whole sentences, in place of a way.

    >>> spending_unknown("the journal is off.", "unset VERTEX_CLAUDE_JOURNAL").cure
    'Unset VERTEX_CLAUDE_JOURNAL, or clear max_daily_cost.'
    >>> spending_unknown("The disk is full.", cure="Free space on it.").cure
    'Free space on it. Alternatively, clear max_daily_cost.'
    """
    holder, clear = _holder("max_daily_cost"), spelled("clear {}", setting("max_daily_cost"))
    if cure:
        cure = spelled(
            "{} {}", cure, f"{holder} sets a limit." if holder else spelled("Alternatively, {}.", clear)
        )
    else:
        cure = ways(way, "" if holder else clear, end=f": {holder} sets a limit." if holder else ".")
    return CostLimitExceeded(spelled("Today's spending is not known: {}", why), cure=cure)


def priced(name: str, limit: float, also: str = "") -> Spelled:
    """Return the cure for a cost that is not known, where there is a limit.

    Args:
        name: As for `to_fit`.
        limit: As for `to_fit`.
        also: What else would make it known, as for `ways`.

    >>> priced("max_daily_cost", 5.0)
    "Add the model's prices with models_file, or clear max_daily_cost."
    """
    if holder := _holder(name):
        this = "this" if _holder(name, limit) else "a"
        known = changing("model", "use a model whose price the table knows")
        return ways(known, also, end=f": {holder} sets {this} limit.")
    is_on_line = "line" in OPTIONS[name].places
    return ways(
        spelled("add the model's prices with {}", setting("models_file")),
        also,
        spelled("clear {}", option(name) if is_on_line else setting(name)),
    )


def _holder(name: str, limit: float = float("inf")) -> str:
    # A limit that is cleared is above all others: a ceiling takes its place.
    return present_policy().holder(Change(name, above=limit))
