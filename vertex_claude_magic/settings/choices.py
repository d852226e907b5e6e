"""What can be chosen for each setting beside the others, as entries of a list with a label for people.

Which values a model takes is answered by `vertex.allowed`, which also refuses them; here they get their labels.
What is set already but cannot be sent stays in its list, marked, because hiding it would hide the trouble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.models.lifecycle import list_label, status
from vertex_claude_magic.models.observed import Sightings
from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.allowed import (
    SAMPLING,
    allowed_budgets,
    allowed_efforts,
    allowed_locations,
    allowed_max_tokens,
    allowed_thinking,
    default_budget,
    max_tokens_of,
    shows_thinking,
    takes_field,
    thinking_type,
)
from vertex_claude_magic.vertex.request import build_request

if TYPE_CHECKING:
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.settings.target import Target

__all__ = [
    "SAMPLING",
    "Choice",
    "chosen_model",
    "default_max_tokens",
    "effort_choices",
    "is_set",
    "max_tokens_range",
    "model_choices",
    "model_value",
    "refusal",
    "region_choices",
    "region_note",
    "settled",
    "takes",
    "thinking_budgets",
    "thinking_choices",
    "thinking_kind",
]

# What a new model may not take, in the order in which it stays if two of them contradict each other.
_DEPENDENT = ("max_tokens", "effort", "thinking", "show_thinking", *SAMPLING)
_UNSEEN = Sightings()
_THINKING_LABELS = {
    "adaptive": "adaptive: the model decides",
    "off": "off",
    "between_tools": "between tools only",
    "budget": "a budget in tokens",
}


class Choice(NamedTuple):
    """One entry of a list: the value of the setting ("" for the default) and what people read.

    `instead_of` says why the value is another one than the label names: a retired model gives its successor.
    """

    value: str
    label: str
    instead_of: str = ""


def refusal(catalog: Catalog, target: Target, seen: Seen = Sightings) -> ClaudeError | None:
    """Return why a question with these options would be refused before it is sent, or None.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> refusal(Catalog.load(), resolve_target(AskOptions(model="haiku", temperature=0.2))).message
    'Claude Haiku 5.5 takes no temperature: it answers 400 to sampling parameters.'
    """
    region = target.region
    try:
        # The builder itself decides, so that a list never offers what a question would be refused for.
        build_request(
            [{"role": "user", "content": "?"}],
            target.request_options,
            model=catalog.model_id(target.model, region),
            project=target.project or "project",
            region=region,
            catalog=catalog,
            base_url=target.base_url,
            anthropic_version=target.anthropic_version,
            seen=seen,
        )
    except ClaudeError as error:
        return error
    return None


def chosen_model(catalog: Catalog, target: Target) -> tuple[str, Model | None]:
    """Return the model id that a question would be sent with, and its row if the table knows it.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> chosen_model(Catalog.load(), resolve_target(AskOptions(model="opus", region="us-east5")))[0]
    'claude-opus-4-6'
    """
    name = target.model
    try:
        name = catalog.model_id(name, target.region)
    except OptionError:
        return name, None
    return name, catalog.find(name)


def model_choices(catalog: Catalog, target: Target) -> tuple[Choice, ...]:
    """Return the models by family, the newest first; a retired one has its successor's value.

    A family's name comes before its models where the region serves it: it means the newest active one.
    """
    region = target.region
    choices: list[Choice] = []
    for family in catalog.families():
        newest = catalog.newest(family, region if region in catalog.locations() else None)
        if newest is not None:
            choices.append(Choice(family, f"{family}: the newest, now {newest.short_name}"))
        rows = [row for row in catalog.models if row.family == family]
        rows.sort(key=lambda row: row.released or "", reverse=True)
        # Sorting is stable: the retired ones come last, each group the newest first.
        rows.sort(key=lambda row: row.lifecycle == "retired")
        for row in rows:
            away = row.lifecycle != "retired" and row.locations is not None and not row.served_in(region)
            parts = (row.short_name, list_label(row), f"not in {region}" if away else "")
            # A family's name is listed above its models, which are indented.
            label = "\N{NO-BREAK SPACE}" * 2 + quote(" · ".join(part for part in parts if part), 120)
            if row.lifecycle != "retired":
                choices.append(Choice(row.id, label))
            elif row.successor:
                choices.append(Choice(row.successor, label, f"{quote(row.name, 60)} is {status(row)}"))
    name = target.model
    chosen = catalog.find(name)
    if chosen is not None and chosen.lifecycle == "retired":
        mark = status(chosen)
    else:
        known = chosen is not None or name in catalog.families()
        mark = "not served here" if known else "not in the table"
    return _with_present(choices, model_value(catalog, target), f"{quote(name, 60)} · {mark}")


def model_value(catalog: Catalog, target: Target) -> str:
    """Return the value of `model_choices` for the options: a family, an id, or a name as typed."""
    name = target.model
    row = None if name in catalog.families() else catalog.find(name)
    return row.id if row is not None else name


def _with_present(choices: list[Choice], present: str, label: str) -> tuple[Choice, ...]:
    if any(choice.value == present for choice in choices):
        return tuple(choices)
    return (*choices, Choice(present, label))


def region_choices(catalog: Catalog, target: Target, seen: Sightings = _UNSEEN) -> tuple[Choice, ...]:
    """Return the locations that serve the chosen model or family, `global` first, each with what a check found.

    Where no source tells the locations of a model, the locations that are no single region are offered.
    """
    served = allowed_locations(target.model, catalog)
    kinds = catalog.location_kinds.items()
    wide = {place for kind, entry in kinds if kind != "region" for place in entry["members"]}
    name, row = chosen_model(catalog, target)
    project, model = target.project, row.id if row is not None else name
    choices = []
    for place in served or [place for place in catalog.locations() if place in wide]:
        found = seen.find(model, place, project)
        choices.append(Choice(place, f"{place} · {found.state} {found.day}" if found is not None else place))
    present = target.region
    reason = "not served here" if served else "not in the table"
    return _with_present(choices, present, f"{quote(present, 40)} · {reason}")


def region_note(catalog: Catalog, target: Target) -> str:
    """Return one line on what the chosen location means for data, availability and this model's price.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> region_note(Catalog.load(), resolve_target(AskOptions(region="eu"))).rpartition("; ")[2]
    'Sonnet 5.5 costs 10 % more than at global.'
    """
    region = target.region
    note = catalog.location_note(region)
    name, row = chosen_model(catalog, target)
    if row is None:
        return f"{note} The table does not know {quote(name, 60)}."
    if row.locations is None:
        return f"{note} No source tells where {row.short_name} is served."
    if not row.served_in(region):
        return f"{row.short_name} is not served here; choose another region or model. {note}"
    if region == "global":
        return note
    here, there = rate(row, region), rate(row, "global")
    if here is None or there is None or not here.input or not there.input:
        price = f"the table has no price for {row.short_name}."
    else:
        share = round((here.input / there.input - 1) * 100, 1)
        more = f"{share:g} % more than" if share else "the same as"
        price = f"{row.short_name} costs {more} at global."
    return f"{note.rstrip('.')}; {price}"


def effort_choices(catalog: Catalog, target: Target) -> tuple[Choice, ...]:
    """Return the effort levels that the chosen model takes beside the other settings.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> [choice.value for choice in effort_choices(Catalog.load(), resolve_target(AskOptions(model="haiku-4.5")))]
    ['']
    """
    _, row = chosen_model(catalog, target)
    levels = _efforts(row, target)
    default = row.rules.default_effort if row else None
    label = f"default ({default})" if default else "default"
    choices = [Choice("", label if levels else "not taken by this model")]
    choices += [Choice(level, level) for level in levels]
    return _with_present(choices, target.effort or "", f"{quote(target.effort or '', 20)} · not taken")


def thinking_choices(catalog: Catalog, target: Target) -> tuple[Choice, ...]:
    """Return the kinds of thinking that the chosen model takes; "budget" is a number of tokens."""
    _, row = chosen_model(catalog, target)
    default = row.rules.thinking_default if row else "default"
    labels = {"off": "default (off)", "adaptive": "default (adaptive)", "always": "default (always on)"}
    choices = [Choice("", labels.get(default, "default"))]
    for kind, label in _THINKING_LABELS.items():
        least = row.rules.min_thinking_budget if row else 0
        if _takes_thinking(row, target, least if kind == "budget" else kind):
            choices.append(Choice(kind, label))
    present = thinking_kind(target)
    return _with_present(choices, present, f"{quote(str(target.thinking), 20)} · not taken")


def thinking_kind(target: Target) -> str:
    """Return the value of `thinking_choices` for the options."""
    given = str(target.thinking or "")
    return "budget" if given.isdecimal() else given


def thinking_budgets(catalog: Catalog, target: Target) -> range:
    """Return the thinking budgets in tokens that fit between the model's least and `max_tokens`."""
    _, row = chosen_model(catalog, target)
    budgets = allowed_budgets(row, _body_max_tokens(row, target))
    # A slider needs one value, also where none fits.
    return budgets or range(budgets.start, budgets.start + 1)


def default_max_tokens(catalog: Catalog, target: Target) -> int:
    """Return the `max_tokens` that a question would be sent with."""
    return max_tokens_of(chosen_model(catalog, target)[1], target.max_tokens)


def max_tokens_range(catalog: Catalog, target: Target) -> range:
    """Return the values of `max_tokens` that the chosen model takes beside the other settings.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> max_tokens_range(Catalog.load(), resolve_target(AskOptions(model="sonnet-4.5", thinking=2000)))
    range(2001, 64001)
    """
    _, row = chosen_model(catalog, target)
    every = allowed_max_tokens(row)
    if row is None or not _holds(target, "max_tokens", "thinking") or "enabled" not in allowed_thinking(row):
        return every
    budget = None
    if thinking_type(target.thinking) == "enabled":
        budget = int(target.thinking or 0)
    elif target.show_thinking and not target.thinking and "adaptive" not in allowed_thinking(row):
        budget = row.rules.min_thinking_budget
    # No "None in range": that looks at every number, 64,000 of them, which took a third of a look of the panel.
    fits = budget is not None and budget in allowed_budgets(row, every[-1])
    return allowed_max_tokens(row, budget) if fits else every


def takes(catalog: Catalog, target: Target, name: str) -> bool:
    """Tell whether the chosen model takes a sampling parameter, or shows its thinking, beside the rest."""
    _, row = chosen_model(catalog, target)
    if name != "show_thinking":
        version = target.anthropic_version
        return not _holds(target, name) or takes_field(name, row, version, catalog)
    # Thinking is judged by itself; its text can then be shown.
    if target.thinking or not _holds(target, "thinking"):
        return True
    budget = default_budget(row, max_tokens_of(row, target.max_tokens))
    return shows_thinking(row, budget, _body_max_tokens(row, target))


def _body_max_tokens(row: Model | None, target: Target) -> int:
    """Return the `max_tokens` that a budget must fit; what is set by hand may be no number, and then bounds nothing."""
    by_hand = target.set.get("max_tokens", target.max_tokens)
    return max_tokens_of(
        row, by_hand if by_hand is None or isinstance(by_hand, int) else allowed_max_tokens(None)[-1]
    )


def _holds(target: Target, *fields: str) -> bool:
    """Tell whether the rules of these body fields hold: not where they are set by hand, nor with `force`."""
    return not target.force and not any(field in target.set for field in fields)


def _efforts(row: Model | None, target: Target) -> tuple[str, ...]:
    beside = _holds(target, "output_config", "thinking")
    return allowed_efforts(row, thinking_type(target.thinking) if beside else None)


def _takes_thinking(row: Model | None, target: Target, thinking: str | int) -> bool:
    kind = thinking_type(thinking)
    if row is None or not _holds(target, "thinking"):
        return kind is not None
    effort = target.effort if _holds(target, "output_config") else None
    if kind != "enabled":
        return kind in allowed_thinking(row, effort)
    return kind in allowed_thinking(row) and int(thinking) in allowed_budgets(
        row, _body_max_tokens(row, target)
    )


def is_set(value: Any) -> bool:
    """Tell whether an option says something; a temperature of 0 does."""
    return value is not None and value is not False and value != ""


def settled(
    catalog: Catalog, target: Target, keep: str = "", seen: Seen = Sightings
) -> tuple[Target, tuple[str, ...]]:
    """Return the options without what the chosen model would refuse, and the names of what was dropped.

    A `max_tokens` above the model's limit is lowered to it. `keep` names the setting that was just chosen:
    whatever contradicts it goes first.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> settled(Catalog.load(), resolve_target(AskOptions(model="haiku", effort="low", temperature=0.5)))[1]
    ('temperature',)
    """
    if refusal(catalog, target, seen) is None:
        return target, ()
    _, row = chosen_model(catalog, target)
    wanted = {name: value for name in _DEPENDENT if is_set(value := getattr(target, name))}
    unset: dict[str, Any] = {name: False if name == "show_thinking" else None for name in wanted}
    result = target.replace(**unset)
    dropped = []
    for name in sorted(wanted, key=lambda name: name != keep):
        value = wanted[name]
        if name == "max_tokens":
            tokens = max_tokens_range(catalog, result)
            value = min(value, tokens[-1])
            taken = value in tokens
        elif name == "effort":
            checked = row is not None and _holds(result, "output_config")
            taken = not checked or value in _efforts(row, result)
        elif name == "thinking":
            taken = _takes_thinking(row, result, value)
        else:
            taken = takes(catalog, result, name)
        if taken:
            result = result.replace(**{name: value})
        if getattr(result, name) != wanted[name]:
            dropped.append(name)
    return result, tuple(dropped)
