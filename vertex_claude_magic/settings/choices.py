"""What can be chosen for each setting beside the others, so that a control offers nothing that would be refused.

The judge is the request builder itself: a value is offered when a request with it can be built. What is
set already but cannot be sent stays in the list, marked, because hiding it would hide the trouble.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.models.lifecycle import list_mark, status
from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.settings.options import find_setting
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.request import build_request

if TYPE_CHECKING:
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.settings.options import AskOptions

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

SAMPLING = ("temperature", "top_p", "top_k")
# What a new model may not take, in the order in which it is kept if two of them contradict each other.
_DEPENDENT = ("max_tokens", "effort", "thinking", "show_thinking", *SAMPLING)
_UNLIMITED = 1_000_000
_PROBE: Any = {"temperature": 1.0, "top_p": 0.9, "top_k": 40}


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One entry of a list: the value of the setting ("" for the default) and what people read.

    `instead_of` says why the value is another one than the label names: a retired model gives its successor.
    """

    value: str
    label: str
    instead_of: str = ""


def refusal(catalog: Catalog, options: AskOptions) -> ClaudeError | None:
    """Return why a question with these options would be refused before it is sent, or None.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> refusal(Catalog.load(), AskOptions(model="haiku", temperature=0.2)).message
    'Claude Haiku 5.5 takes no temperature: it answers 400 to sampling parameters.'
    """
    region = str(find_setting("region", options).value)
    try:
        build_request(
            [{"role": "user", "content": "?"}],
            options.request_options,
            model=catalog.resolve(str(find_setting("model", options).value), region),
            project=str(find_setting("project", options).value or "project"),
            region=region,
            catalog=catalog,
            base_url=find_setting("base_url", options).value,
            anthropic_version=find_setting("anthropic_version", options).value,
        )
    except ClaudeError as error:
        return error
    return None


def chosen_model(catalog: Catalog, options: AskOptions) -> tuple[str, Model | None]:
    """Return the model id that a question would be sent with, and its row if the table knows it.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> chosen_model(Catalog.load(), AskOptions(model="opus", region="us-east5"))[0]
    'claude-opus-4-6'
    """
    name = str(find_setting("model", options).value)
    try:
        name = catalog.resolve(name, str(find_setting("region", options).value))
    except OptionError:
        return name, None
    return name, catalog.find(name)


def model_choices(catalog: Catalog, options: AskOptions) -> tuple[Choice, ...]:
    """Return the models by family, the newest first; a retired one stands for its successor.

    A family's name comes before its models where the region serves it: it means the newest active one.
    """
    region = str(find_setting("region", options).value)
    choices: list[Choice] = []
    for family in catalog.families():
        newest = catalog.newest(family, region if region in catalog.locations() else None)
        if newest is not None:
            label = f"{family}: the newest, now {_short(newest)}"
            choices.append(Choice(value=family, label=label))
        rows = [row for row in catalog.models if row.family == family]
        rows.sort(key=lambda row: row.released or "", reverse=True)
        rows.sort(key=lambda row: row.lifecycle == "retired")
        choices += [_model_choice(row, region) for row in rows if row.successor or row.lifecycle != "retired"]
    return _with_present(choices, model_value(catalog, options), _unusual(catalog, options))


def model_value(catalog: Catalog, options: AskOptions) -> str:
    """Return the value of `model_choices` that the options stand for: a family, an id, or a name as typed."""
    name = str(find_setting("model", options).value)
    row = None if name in catalog.families() else catalog.find(name)
    return row.id if row is not None else name


def _model_choice(row: Model, region: str) -> Choice:
    marks = [mark] if (mark := list_mark(row)) else []
    if row.lifecycle != "retired" and row.locations is not None and not row.served_in(region):
        marks.append(f"not in {region}")
    label = " · ".join([_short(row), *marks])
    label = f"\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}{quote(label, 120)}"
    if row.lifecycle == "retired" and row.successor:
        return Choice(value=row.successor, label=label, instead_of=f"{quote(row.name, 60)} is {status(row)}")
    return Choice(value=row.id, label=label)


def _short(row: Model) -> str:
    return row.name.removeprefix("Claude ")


def _unusual(catalog: Catalog, options: AskOptions) -> str:
    name = str(find_setting("model", options).value)
    row = catalog.find(name)
    if row is not None and row.lifecycle == "retired":
        return f"{quote(name, 60)} · {status(row)}"
    known = row is not None or name in catalog.families()
    return f"{quote(name, 60)} · {'not served here' if known else 'not in the table'}"


def _with_present(choices: list[Choice], present: str, label: str) -> tuple[Choice, ...]:
    if any(choice.value == present for choice in choices):
        return tuple(choices)
    return (*choices, Choice(value=present, label=label))


def region_choices(catalog: Catalog, options: AskOptions) -> tuple[Choice, ...]:
    """Return the locations that serve the chosen model or family, `global` first.

    Where no source tells the locations of a model, the locations that are no single region are offered.
    """
    named = str(find_setting("model", options).value)
    row = catalog.find(named)
    rows = [row] if row else [each for each in catalog.models if each.family == named]
    served = {place for each in rows if each.lifecycle != "retired" for place in each.locations or ()}
    wide = {
        place
        for kind, entry in catalog.location_kinds.items()
        if kind != "region"
        for place in entry["members"]
    }
    places = [place for place in catalog.locations() if place in (served or wide)]
    present = str(find_setting("region", options).value)
    seen = _seen(catalog, options)
    choices = [Choice(value=place, label=seen.get(place, place)) for place in places]
    reason = "not served here" if served else "not in the table"
    return _with_present(choices, present, f"{quote(present, 40)} · {reason}")


def _seen(catalog: Catalog, options: AskOptions) -> dict[str, str]:
    """Return the locations in which the chosen model was checked, each with what the last check found."""
    name, row = chosen_model(catalog, options)
    project, model = find_setting("project", options).value, row.id if row is not None else name
    seen = catalog.sightings()
    found = (seen.find(model, cell.location, project) for cell in seen.cells if cell.model == model)
    return {cell.location: f"{cell.location} · {cell.state} {cell.day}" for cell in found if cell is not None}


def region_note(catalog: Catalog, options: AskOptions) -> str:
    """Return one line on what the chosen location means for data, availability and this model's price.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> region_note(Catalog.load(), AskOptions(region="eu")).rpartition("; ")[2]
    'Sonnet 5.5 costs 10 % more than at global.'
    """
    region = str(find_setting("region", options).value)
    note = catalog.location_note(region)
    name, row = chosen_model(catalog, options)
    if row is None:
        return f"{note} The table does not know {quote(name, 60)}."
    if row.locations is not None and not row.served_in(region):
        return f"{_short(row)} is not served here; choose another region or model. {note}"
    if row.locations is None:
        return f"{note} No source tells where {_short(row)} is served."
    return note if region == "global" else f"{note.rstrip('.')}; {_premium(row, region)}"


def _premium(row: Model, region: str) -> str:
    here, there = rate(row, region), rate(row, "global")
    if here is None or there is None or not here.input or not there.input:
        return f"the table has no price for {_short(row)}."
    share = round((here.input / there.input - 1) * 100, 1)
    return f"{_short(row)} costs {f'{share:g} % more than' if share else 'the same as'} at global."


def effort_choices(catalog: Catalog, options: AskOptions) -> tuple[Choice, ...]:
    """Return the effort levels that the chosen model takes beside the other settings.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> [choice.value for choice in effort_choices(Catalog.load(), AskOptions(model="haiku-4.5"))]
    ['']
    """
    _, row = chosen_model(catalog, options)
    levels = dict.fromkeys(
        level for each in ([row] if row else catalog.models) for level in each.rules.effort
    )
    default = row.rules.default_effort if row else None
    label = f"default ({default})" if default else "default"
    taken = [level for level in levels if _takes(catalog, options, effort=level)]
    if not taken and row is not None and not row.rules.effort:
        label = "not taken by this model"
    choices = [Choice(value="", label=label), *(Choice(value=level, label=level) for level in taken)]
    return _with_present(choices, options.effort or "", f"{quote(options.effort or '', 20)} · not taken")


_THINKING_LABELS = {
    "adaptive": "adaptive: the model decides",
    "off": "off",
    "between_tools": "between tools only",
    "budget": "a budget in tokens",
}


def thinking_choices(catalog: Catalog, options: AskOptions) -> tuple[Choice, ...]:
    """Return the kinds of thinking that the chosen model takes; "budget" stands for a number of tokens."""
    _, row = chosen_model(catalog, options)
    default = row.rules.thinking_default if row else "default"
    spoken = {"off": "default (off)", "adaptive": "default (adaptive)", "always": "default (always on)"}
    choices = [Choice(value="", label=spoken.get(default, "default"))]
    low = row.rules.min_thinking_budget if row else 1024
    for kind, label in _THINKING_LABELS.items():
        value = low if kind == "budget" else kind
        if _takes(catalog, options, thinking=value):
            choices.append(Choice(value=kind, label=label))
    present = thinking_kind(options)
    return _with_present(choices, present, f"{quote(str(options.thinking), 20)} · not taken")


def thinking_kind(options: AskOptions) -> str:
    """Return the value of `thinking_choices` that the options stand for."""
    said = str(options.thinking or "")
    return "budget" if said.isdecimal() else said


def thinking_budgets(catalog: Catalog, options: AskOptions) -> range:
    """Return the thinking budgets in tokens that fit between the model's least and `max_tokens`."""
    _, row = chosen_model(catalog, options)
    low = row.rules.min_thinking_budget if row else 1024
    return range(low, max(low + 1, default_max_tokens(catalog, options)))


def default_max_tokens(catalog: Catalog, options: AskOptions) -> int:
    """Return the `max_tokens` that a question would be sent with."""
    if options.max_tokens is not None:
        return options.max_tokens
    from vertex_claude_magic.vertex.request import DEFAULT_MAX_TOKENS

    _, row = chosen_model(catalog, options)
    return min(DEFAULT_MAX_TOKENS, (row.max_output_tokens if row else None) or DEFAULT_MAX_TOKENS)


def max_tokens_range(catalog: Catalog, options: AskOptions) -> range:
    """Return the values of `max_tokens` that the chosen model takes beside the other settings.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> max_tokens_range(Catalog.load(), AskOptions(model="sonnet-4.5", thinking=2000))
    range(2001, 64001)
    """
    _, row = chosen_model(catalog, options)
    most = (row.max_output_tokens if row else None) or _UNLIMITED
    low, high = 0, most
    if not _takes(catalog, options, max_tokens=most):
        return range(1, most + 1)
    # Whatever else is set, a longer answer is never refused where a shorter one is taken.
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _takes(catalog, options, max_tokens=middle) else (middle, high)
    return range(high, most + 1)


def takes(catalog: Catalog, options: AskOptions, name: str) -> bool:
    """Tell whether the chosen model takes a sampling parameter, or shows its thinking, beside the rest."""
    return _takes(catalog, options, **{name: _PROBE.get(name, True)})


def _takes(catalog: Catalog, options: AskOptions, **changes: Any) -> bool:
    # Lists and texts of the user's own have no part in the rules, and would only take time.
    bare = options.replace(system=None, header={}, label={}, stop=(), **changes)
    return refusal(catalog, bare) is None


def is_set(value: Any) -> bool:
    """Tell whether an option says something; a temperature of 0 does."""
    return value is not None and value is not False and value != ""


def settled(catalog: Catalog, options: AskOptions, keep: str = "") -> tuple[AskOptions, tuple[str, ...]]:
    """Return the options without what the chosen model would refuse, and the names of what was dropped.

    A `max_tokens` above the model's limit is lowered to it. `keep` names the setting that was just chosen:
    whatever contradicts it goes first.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> from vertex_claude_magic.settings.options import AskOptions
    >>> settled(Catalog.load(), AskOptions(model="haiku", effort="low", temperature=0.5))[1]
    ('temperature',)
    """
    if refusal(catalog, options) is None:
        return options, ()
    wanted = {name: value for name in _DEPENDENT if is_set(value := getattr(options, name))}
    unset: dict[str, Any] = {name: False if name == "show_thinking" else None for name in wanted}
    result = options.replace(**unset)
    dropped = []
    for name in sorted(wanted, key=lambda name: name != keep):
        value = wanted[name]
        if name == "max_tokens":
            value = min(value, max_tokens_range(catalog, result)[-1])
        if _takes(catalog, result, **{name: value}):
            result = result.replace(**{name: value})
        if getattr(result, name) != wanted[name]:
            dropped.append(name)
    return result, tuple(dropped)
