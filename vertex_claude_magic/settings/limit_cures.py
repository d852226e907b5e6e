"""How a refusal reads that a limit in USD has caused: the user can raise a limit of their own, and no other.

One that a policy sets is named with its file, and with what is left to do.
"""

from __future__ import annotations

from vertex_claude_magic.errors import CostLimitExceeded
from vertex_claude_magic.models.prices import usd_estimate, usd_limit
from vertex_claude_magic.settings.loaded import present_policy
from vertex_claude_magic.settings.registry import OPTIONS
from vertex_claude_magic.spelling import Spelled, Spelling, option, spelled

__all__ = ["limit_exceeded", "or_more", "or_priced", "spending_unknown"]

# Of each limit: what it holds for, its name in a sentence, and what else lets the question through.
_LIMITS = {
    "max_session_cost": ("this session", "session", ""),
    "max_daily_cost": ("today", "daily", "wait for tomorrow, "),
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
        cure=spelled("Lower {}, {}{}", option("max_tokens"), later, or_more(name, limit)),
    )


def or_more(name: str, limit: float) -> Spelled:
    """Return the end of a cure for a limit in USD that something could cross: raise it, where the user can.

    Args:
        name: The option that has the limit.
        limit: The limit.

    >>> or_more("max_session_cost", 2.0)
    'or raise max_session_cost.'
    """
    if holder := present_policy().holder(name, limit):
        return spelled("or use a cheaper model: {} sets this limit.", holder)
    return spelled("or raise {}.", _named(name))


def spending_unknown(why: str, cure: str, limit: float) -> CostLimitExceeded:
    """Return the error where a limit holds for the day and nobody can tell what was spent on it.

    Args:
        why: Why, a sentence.
        cure: What makes it known, without a full stop; to clear the limit is added where the user can.
        limit: The limit in USD.

    >>> spending_unknown("the journal is off.", "Unset VERTEX_CLAUDE_JOURNAL", 5.0).cure
    'Unset VERTEX_CLAUDE_JOURNAL, or clear max_daily_cost.'
    """
    holder = present_policy().holder("max_daily_cost", limit)
    end = f": {holder} sets a limit." if holder else ", or clear max_daily_cost."
    return CostLimitExceeded(
        spelled("Today's spending is not known: {}", why), cure=spelled("{}{}", cure, end)
    )


def or_priced(name: str, limit: float, also: str = "") -> Spelled:
    """Return the cure for a cost that is not known, where there is a limit.

    Args:
        name: As for `or_more`.
        limit: As for `or_more`.
        also: What else would make it known.

    >>> or_priced("max_daily_cost", 5.0)
    "Add the model's prices with models_file, or clear max_daily_cost."
    """
    if holder := present_policy().holder(name, limit):
        more = f", or {also}" if also else ""
        return spelled("Use a model whose price the table knows{}: {} sets this limit.", more, holder)
    more = f" {also}," if also else ""
    return spelled("Add the model's prices with models_file,{} or clear {}.", more, _named(name))


def _named(name: str) -> str | Spelling:
    # What is only a setting has no name on a line.
    return option(name) if "line" in OPTIONS[name].places else name
