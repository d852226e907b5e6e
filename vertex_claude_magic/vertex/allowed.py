"""Which values a model takes for each option beside the others: asked by the rules, the builder and the panel.

The answers are read from the model table. A model that the table does not know (None) takes everything,
because what the table does not know is sent all the same. Kinds of thinking are the types of the Messages
API ("enabled" is a budget in tokens); `THINKING_TYPES` maps the words of the option to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.models.model import Rules
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.spelling import option, setting, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = [
    "SAMPLING",
    "THINKING_TYPES",
    "Refusal",
    "allowed_budgets",
    "allowed_efforts",
    "allowed_locations",
    "allowed_max_tokens",
    "allowed_thinking",
    "default_budget",
    "field_refusals",
    "max_tokens_of",
    "shows_thinking",
    "takes_field",
    "thinking_type",
]

SAMPLING = ("temperature", "top_p", "top_k")
THINKING_TYPES: Mapping[str, str] = {
    "adaptive": "adaptive",
    "off": "disabled",
    "between_tools": "between_tools",
    "budget": "enabled",
}
_DEFAULT_MAX_TOKENS = 16_000
# Where the table has no limit; no model writes as much.
_UNLIMITED = 1_000_000
# Enough to show how a model thinks; a question may name more.
_LARGEST_DEFAULT_BUDGET = 8_000
_UNKNOWN = Rules()


class Refusal(NamedTuple):
    """Body fields that are refused whatever their value: `who` refuses them, and what can be done instead."""

    fields: tuple[str, ...]
    who: str
    why: str
    ways: tuple[str, ...]


def max_tokens_of(model: Model | None, wanted: int | None = None) -> int:
    """Return the `max_tokens` that a question is sent with: as wanted, or the default.

    >>> max_tokens_of(None), max_tokens_of(None, 300)
    (16000, 300)
    """
    if wanted is not None:
        return wanted
    limit = model.max_output_tokens if model is not None else None
    return min(_DEFAULT_MAX_TOKENS, limit or _DEFAULT_MAX_TOKENS)


def allowed_max_tokens(model: Model | None, budget: int | None = None) -> range:
    """Return the values of `max_tokens`; with a thinking budget (tokens) those that leave something for the text.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> allowed_max_tokens(Catalog.load().find("sonnet-4.5"), 2_000)
    range(2001, 64001)
    """
    most = (model.max_output_tokens if model is not None else None) or _UNLIMITED
    return range((budget or 0) + 1, most + 1)


def allowed_budgets(model: Model | None, max_tokens: int) -> range:
    """Return the thinking budgets in tokens, from the model's least up to what `max_tokens` leaves.

    >>> allowed_budgets(None, 2_000), len(allowed_budgets(None, 500))
    (range(1024, 2000), 0)
    """
    return range(_rules(model).min_thinking_budget, max_tokens)


def default_budget(model: Model | None, max_tokens: int) -> int:
    """Return the budget that makes a model think which does not decide by itself.

    >>> default_budget(None, 16_000), default_budget(None, 3_000)
    (8000, 1500)
    """
    # Half of the answer at most, so that showing the thinking does not starve the text.
    return max(_rules(model).min_thinking_budget, min(_LARGEST_DEFAULT_BUDGET, max_tokens // 2))


def allowed_efforts(model: Model | None, thinking: str | None = None) -> tuple[str, ...]:
    """Return the effort levels, the lowest first, beside a kind of thinking; none where the field is refused.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> allowed_efforts(Catalog.load().find("opus-5"), "disabled")
    ('low', 'medium', 'high')
    """
    rules = _rules(model)
    levels, limit = rules.effort, rules.disabled_max_effort
    # Above that level the service refuses to work without thinking.
    if thinking in {"disabled", "between_tools"} and limit in levels:
        return levels[: levels.index(limit) + 1]
    return levels


def allowed_thinking(model: Model | None, effort: str | None = None) -> tuple[str, ...]:
    """Return the kinds of thinking beside an effort level; a level that the model does not have decides nothing.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> allowed_thinking(Catalog.load().find("opus-5"), "max")
    ('adaptive',)
    """
    rules = _rules(model)
    if effort not in rules.effort:
        return rules.thinking
    return tuple(kind for kind in rules.thinking if effort in allowed_efforts(model, kind))


def thinking_type(thinking: str | int | None) -> str | None:
    """Return the type that the option `thinking` stands for, a number being a budget; None for no such option.

    >>> thinking_type("off"), thinking_type("2000"), thinking_type(2000), thinking_type("often")
    ('disabled', 'enabled', 'enabled', None)
    """
    if isinstance(thinking, int) or (thinking or "").isdecimal():
        return "enabled"
    return THINKING_TYPES.get(thinking or "") if thinking != "budget" else None


def shows_thinking(model: Model | None, budget: int, max_tokens: int) -> bool:
    """Tell whether a model can be made to think and show it where the options do not set thinking.

    Args:
        model: The row of the model.
        budget: The budget in tokens that it would get if it does not decide by itself.
        max_tokens: What the budget has to leave something of.
    """
    kinds = _rules(model).thinking
    return "adaptive" in kinds or ("enabled" in kinds and budget in allowed_budgets(model, max_tokens))


def field_refusals(model: Model | None, version: str, catalog: Catalog) -> Iterator[Refusal]:
    """Yield which body fields an API version and a model refuse, and why.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> catalog = Catalog.load()
    >>> [refusal.who for refusal in field_refusals(catalog.find("opus-5.5"), "2026-10-21", catalog)]
    ['API version 2026-10-21', 'Claude Opus 5.5']
    """
    if model is None:
        return
    if refused := catalog.api_versions.get(version, {}).get("refuses"):
        former = spelled("set {} to vertex-2023-10-16", setting("anthropic_version", "vertex-2023-10-16"))
        yield Refusal(tuple(refused), f"API version {version}", "", ("leave it out", former))
    if not model.rules.sampling:
        why = ": it rejects sampling parameters (400)"
        yield Refusal(
            SAMPLING,
            model.name,
            why,
            ("leave it out and steer with the prompt", spelled("use {} in its place", option("effort"))),
        )


def takes_field(name: str, model: Model | None, version: str, catalog: Catalog) -> bool:
    """Tell whether a body field is taken with some value.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> catalog = Catalog.load()
    >>> takes_field("top_k", catalog.find("haiku-4.5"), "vertex-2023-10-16", catalog)
    True
    """
    return not any(name in refusal.fields for refusal in field_refusals(model, version, catalog))


def allowed_locations(name: str, catalog: Catalog) -> tuple[str, ...]:
    """Return the locations that serve a model or a family, `global` first; none where no source has them.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> allowed_locations("claude-opus-5-5", Catalog.load())
    ('global', 'us', 'eu')
    """
    row = catalog.find(name)
    rows = [row] if row is not None else [each for each in catalog.models if each.family == name]
    served = {place for each in rows if each.lifecycle != "retired" for place in each.locations or ()}
    return tuple(place for place in catalog.locations() if place in served)


def _rules(model: Model | None) -> Rules:
    return model.rules if model is not None else _UNKNOWN
