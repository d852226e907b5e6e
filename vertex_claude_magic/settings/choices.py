"""What can be chosen for each setting beside the others, as entries of a list with a label for people.

Which values a model takes is answered by `vertex.allowed`, which also refuses them; here they get their labels.
What is set already but cannot be sent stays in its list, marked, because hiding it would hide the trouble.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.models.lifecycle import status
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
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.settings.target import Target

__all__ = [
    "DEPENDENT",
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
DEPENDENT = ("max_tokens", "effort", "thinking", "show_thinking", *SAMPLING)
_UNSEEN = Sightings()
_THINKING_LABELS = {
    "adaptive": "adaptive: the model decides",
    "off": "off",
    "between_tools": "between tools only",
    "budget": "a budget in tokens",
}


class Choice(NamedTuple):
    """One entry of a list: the value of the setting ("" for the default) and what people read.

    `why` says why it cannot be chosen now; it is empty for an entry that can.
    """

    value: str
    label: str
    why: str = ""


def refusal(target: Target, seen: Seen = Sightings) -> ClaudeError | None:
    """Return why a question with these options would be refused before it is sent, or None.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> refusal(resolve_target(AskOptions(model="haiku", temperature=0.2))).message
    'Claude Haiku 5.5 takes no temperature: it rejects sampling parameters (400).'
    """
    region = target.region
    try:
        # The builder itself decides, so that a list never offers what a question would be refused for.
        build_request(
            [{"role": "user", "content": "?"}],
            target.request_options,
            model=target.catalog.model_id(target.model, region),
            project=target.project or "project",
            region=region,
            catalog=target.catalog,
            base_url=target.base_url,
            anthropic_version=target.anthropic_version,
            seen=seen,
        )
    except ClaudeError as error:
        return error
    return None


def chosen_model(target: Target) -> tuple[str, Model | None]:
    """Return the model id that a question would be sent with, and its row if the table knows it.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> chosen_model(resolve_target(AskOptions(model="opus", region="us-east5")))[0]
    'claude-opus-4-6'
    """
    try:
        return target.model_id, target.row
    except OptionError:
        return target.model, None


def model_choices(target: Target, seen: Sightings = _UNSEEN) -> tuple[Choice, ...]:
    """Return the latest of each family, then every model by family, the newest first and the retired ones last.

    What is retired, or not served in the location, says so in `why`. A location that the table does not know
    bars nothing, and neither does one where a check found the model usable.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> entries = model_choices(resolve_target(AskOptions(region="eu")))
    >>> entries[0], next(each for each in entries if each.label == "Opus 4.6")
    (Choice(value='sonnet', label='Latest Sonnet (5.5)', why=''), \
Choice(value='claude-opus-4-6', label='Opus 4.6', why='not served in eu'))
    """
    catalog, region = target.catalog, target.region
    known = region in catalog.locations()
    latest: list[Choice] = []
    choices: list[Choice] = []
    for family in catalog.families():
        newest = catalog.newest(family, region if known else None)
        if newest is not None:
            version = newest.short_name.partition(" ")[2] or newest.short_name
            latest.append(Choice(family, f"Latest {family.capitalize()} ({quote(version, 40)})"))
        rows = [row for row in catalog.models if row.family == family]
        rows.sort(key=lambda row: row.released or "", reverse=True)
        # Sorting is stable: the retired ones come last, each group the newest first.
        rows.sort(key=lambda row: row.lifecycle == "retired")
        for row in rows:
            why = ""
            if row.lifecycle == "retired":
                why = status(row)
            elif known and row.locations is not None and not row.served_in(region):
                found = seen.find(row.id, region, target.project)
                why = "" if found is not None and found.state == "usable" else f"not served in {region}"
            choices.append(Choice(row.id, quote(row.short_name, 120), why))
    present = model_value(target)
    return _with_present([*latest, *choices], present, quote(present, 60))


def model_value(target: Target) -> str:
    """Return the value of `model_choices` for the options: a family, an id, or a name as typed."""
    catalog, name = target.catalog, target.model
    row = None if name in catalog.families() else catalog.find(name)
    return row.id if row is not None else name


def _with_present(choices: list[Choice], present: str, label: str) -> tuple[Choice, ...]:
    if any(choice.value == present for choice in choices):
        return tuple(choices)
    return (*choices, Choice(present, label))


def region_choices(target: Target, seen: Sightings = _UNSEEN) -> tuple[Choice, ...]:
    """Return the locations, those that serve the chosen model first, each with what a check found.

    The others say in `why` that they do not serve it; they lead to the models that they do serve. Where no source
    tells the locations of a model, the locations that are not a single region count as serving it.
    """
    catalog = target.catalog
    kinds = catalog.location_kinds.items()
    wide = {place for kind, entry in kinds if kind != "region" for place in entry["members"]}
    served = allowed_locations(target.model, catalog) or [p for p in catalog.locations() if p in wide]
    name, row = chosen_model(target)
    project, model = target.project, row.id if row is not None else name
    choices = []
    for place in (*served, *(place for place in catalog.locations() if place not in served)):
        found = seen.find(model, place, project)
        mark = f"{found.state} {found.day}" if found is not None else ""
        why = "" if place in served else "not served here"
        choices.append(Choice(place, " · ".join(filter(None, (place, why or mark))), why))
    present = target.region
    if any(choice.value == present for choice in choices):
        return tuple(choices)
    reason = "not served here" if allowed_locations(target.model, catalog) else "not in the table"
    return (*choices, Choice(present, f"{quote(present, 40)} · {reason}", reason))


def region_note(target: Target) -> str:
    """Return one line on what the chosen location means for data, availability and this model's price.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> region_note(resolve_target(AskOptions(region="eu"))).rpartition("; ")[2]
    'Sonnet 5.5 costs 10 % more than at global.'
    """
    region = target.region
    note = target.catalog.location_note(region)
    name, row = chosen_model(target)
    if row is None:
        return f"{note} The table does not know {quote(name, 60)}."
    if row.locations is None:
        return f"{note} No source says where {row.short_name} is served."
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


def effort_choices(target: Target) -> tuple[Choice, ...]:
    """Return the effort levels that the chosen model takes beside the other settings.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> [choice.value for choice in effort_choices(resolve_target(AskOptions(model="haiku-4.5")))]
    ['']
    """
    row = target.known_row
    levels = _efforts(row, target)
    default = row.rules.default_effort if row else None
    label = f"default ({default})" if default else "default"
    choices = [Choice("", label)]
    choices += [Choice(level, level) for level in levels]
    return _with_present(choices, target.effort or "", f"{quote(target.effort or '', 20)} · not taken")


def thinking_choices(target: Target) -> tuple[Choice, ...]:
    """Return the kinds of thinking that the chosen model takes; "budget" is a number of tokens."""
    row = target.known_row
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


def thinking_budgets(target: Target) -> range:
    """Return the thinking budgets in tokens that fit between the model's least and `max_tokens`."""
    row = target.known_row
    budgets = allowed_budgets(row, _body_max_tokens(row, target))
    # A slider needs one value, also where none fits.
    return budgets or range(budgets.start, budgets.start + 1)


def default_max_tokens(target: Target) -> int:
    """Return the `max_tokens` that a question would be sent with."""
    return max_tokens_of(target.known_row, target.max_tokens)


def max_tokens_range(target: Target) -> range:
    """Return the values of `max_tokens` that the chosen model takes beside the other settings.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> max_tokens_range(resolve_target(AskOptions(model="sonnet-4.5", thinking=2000)))
    range(2001, 64001)
    """
    row = target.known_row
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


def takes(target: Target, name: str) -> bool:
    """Tell whether the chosen model takes a sampling parameter, or shows its thinking, beside the rest."""
    row = target.known_row
    if name != "show_thinking":
        version = target.anthropic_version
        return not _holds(target, name) or takes_field(name, row, version, target.catalog)
    # Thinking is judged by itself; its text can then be shown.
    if target.thinking or not _holds(target, "thinking"):
        return True
    budget = default_budget(row, max_tokens_of(row, target.max_tokens))
    return shows_thinking(row, budget, _body_max_tokens(row, target))


def _body_max_tokens(row: Model | None, target: Target) -> int:
    """Return the `max_tokens` that a budget must fit; one set by hand may not be a number, and then has no effect."""
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


def settled(target: Target, keep: str = "", seen: Seen = Sightings) -> tuple[Target, tuple[str, ...]]:
    """Return the options without what the chosen model would refuse, and the names of what was dropped.

    A `max_tokens` above the model's limit is lowered to it. `keep` names the setting that was just chosen:
    whatever contradicts it goes first.

    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> from vertex_claude_magic.settings.target import resolve_target
    >>> settled(resolve_target(AskOptions(model="haiku", effort="low", temperature=0.5)))[1]
    ('temperature',)
    """
    if refusal(target, seen) is None:
        return target, ()
    row = target.known_row
    wanted = {name: value for name in DEPENDENT if is_set(value := getattr(target, name))}
    unset: dict[str, Any] = {name: False if name == "show_thinking" else None for name in wanted}
    result = target.replace(**unset)
    dropped = []
    for name in sorted(wanted, key=lambda name: name != keep):
        value = wanted[name]
        if name == "max_tokens":
            tokens = max_tokens_range(result)
            value = min(value, tokens[-1])
            taken = value in tokens
        elif name == "effort":
            checked = row is not None and _holds(result, "output_config")
            taken = not checked or value in _efforts(row, result)
        elif name == "thinking":
            taken = _takes_thinking(row, result, value)
        else:
            taken = takes(result, name)
        if taken:
            result = result.replace(**{name: value})
        if getattr(result, name) != wanted[name]:
            dropped.append(name)
    return result, tuple(dropped)
