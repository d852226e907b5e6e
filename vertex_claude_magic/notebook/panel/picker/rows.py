"""The rows to choose from: which models the filters leave, in which order, and the facts on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.models.lifecycle import panel_label
from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.vertex.reply import Usage, cost

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model, Tier
    from vertex_claude_magic.settings.choices import Choice

__all__ = ["ANSWER_TOKENS", "FEATURES", "ORDERS", "SHOWN", "Filters", "PickRow", "model_of", "pick_rows"]

# The length of a usual answer, in tokens.
ANSWER_TOKENS = 1_000
SHOWN = ("latest", "all current", "retired")


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """What is shown: one of `SHOWN`, models with all of some `FEATURES`, and a text in name or id.

    `order` is one of `ORDERS`.
    """

    show: str = "latest"
    features: frozenset[str] = frozenset()
    text: str = ""
    order: str = "by family"


@dataclass(frozen=True, kw_only=True, slots=True)
class PickRow:
    """One row: its setting, and the facts on its model.

    Args:
        value: The value of the setting `model`: a family, an id, or a name as typed.
        name: What people call it.
        id: The id that is sent.
        model: Its row of the table, None where the table has none.
        price: USD for the last prompt and `ANSWER_TOKENS` of answer, None where it is not known.
        why: Why it cannot be chosen; empty where it can.
        chip: Its lifecycle in one or two words.
    """

    value: str
    name: str
    id: str
    model: Model | None
    price: float | None
    why: str
    chip: str


FEATURES: Mapping[str, Callable[[Model], bool]] = {
    "images": lambda model: "images" in model.capabilities,
    "thinking": lambda model: "thinking" in model.capabilities,
    "temperature": lambda model: model.rules.sampling,
}
# What is not known sorts last.
_UNKNOWN = float("inf")
_ORDERS: Mapping[str, Callable[[Model, Tier | None], float | str]] = {
    "newest first": lambda model, _: model.released or "",
    "input price": lambda _, price: _UNKNOWN if price is None or price.input is None else price.input,
    "output price": lambda _, price: _UNKNOWN if price is None or price.output is None else price.output,
    "largest context": lambda model, _: -(model.context_tokens or 0),
    "name": lambda model, _: model.name,
}
ORDERS = ("by family", *_ORDERS)


def pick_rows(
    catalog: Catalog,
    choices: Sequence[Choice],
    *,
    location: str,
    filters: Filters,
    chosen: str = "",
    prompt_tokens: int = ANSWER_TOKENS,
) -> tuple[PickRow, ...]:
    """Return the rows that the filters leave; the chosen one is always among them.

    Args:
        catalog: The model table.
        choices: The entries of `settings.choices.model_choices`.
        location: The location whose prices are shown, premium included.
        filters: What is shown.
        chosen: The value of the entry that is chosen.
        prompt_tokens: The length of the last prompt in tokens.

    >>> from vertex_claude_magic.settings.choices import model_choices
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> target = resolve_target(AskOptions(region="eu"))
    >>> by_price = Filters(order="output price")
    >>> rows = pick_rows(target.catalog, model_choices(target), location="eu", filters=by_price)
    >>> rows[0].name, rows[0].id, rows[0].price
    ('Latest Haiku (5.5)', 'claude-haiku-5-5', 0.00066)
    """
    families = catalog.families()
    rows = []
    for choice in choices:
        latest, model = choice.value in families, model_of(catalog, choice.value, location)
        if choice.value == chosen or _is_shown(filters, choice, model, latest=latest):
            usage = Usage(input_tokens=prompt_tokens, output_tokens=ANSWER_TOKENS)
            rows.append(
                PickRow(
                    value=choice.value,
                    name=choice.label,
                    id=model.id if model is not None else choice.value,
                    model=model,
                    price=cost(model, location, usage) if model is not None else None,
                    why=choice.why,
                    chip=panel_label(model),
                )
            )
    if filters.order in _ORDERS:
        rank = _ORDERS[filters.order]
        rows.sort(
            key=lambda row: (
                ("" if filters.order in {"newest first", "name"} else _UNKNOWN)
                if row.model is None
                else rank(row.model, rate(row.model, location))
            ),
            # The empty text of a date that is not known sorts last so, too.
            reverse=filters.order == "newest first",
        )
        # What cannot be chosen comes last in every order but that by family.
        rows.sort(key=lambda row: bool(row.why))
    return tuple(rows)


def model_of(catalog: Catalog, value: str, location: str) -> Model | None:
    """Return the model that a value of the setting `model` means in a location, None where the table has none."""
    if value in catalog.families():
        return catalog.newest(value, location if location in catalog.locations() else None)
    return catalog.find(value)


def _is_shown(filters: Filters, choice: Choice, model: Model | None, *, latest: bool) -> bool:
    if model is None:
        return False
    retired = model.lifecycle == "retired"
    if (filters.show == "retired") != retired or (filters.show == "latest" and not latest):
        return False
    found = filters.text.strip().lower()
    return all(FEATURES[name](model) for name in filters.features) and (
        not found or any(found in text.lower() for text in (choice.label, model.id, model.name))
    )
