"""What the model table and the API version forbid, refused before anything is sent.

Whether a value is taken is asked of `allowed`, as the panel does, so that nothing is offered that is refused here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from vertex_claude_magic.errors import ModelRuleError
from vertex_claude_magic.spelling import Spelling, changing, flag, option, raised, spelled, ways
from vertex_claude_magic.text import alternatives
from vertex_claude_magic.vertex.allowed import (
    THINKING_TYPES,
    allowed_budgets,
    allowed_efforts,
    allowed_max_tokens,
    allowed_thinking,
    field_refusals,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["check_rules"]

_WORDS = {**{kind: word for word, kind in THINKING_TYPES.items()}, "enabled": "a token budget"}


def check_rules(
    body: Mapping[str, Any],
    *,
    model: Model,
    catalog: Catalog,
    given: Collection[str],
    region: str = "global",
) -> None:
    """Check a request body against the table's rules for its model and for its `anthropic_version`.

    Args:
        body: The body that would be sent.
        model: The row of the table.
        catalog: The table; it also holds the rules of the API versions.
        given: Names of body fields that the user set by hand; those are never second-guessed.
        region: The location that the body would be sent to.

    Raises:
        ModelRuleError: the service would refuse the request.
    """
    checked = {name: value for name, value in body.items() if name not in given}
    broken = chain(
        _fields(checked, model, str(body.get("anthropic_version")), catalog),
        _effort(checked, model),
        _thinking(checked, body, model),
        _messages(checked, body, model),
        _tools(checked, model, catalog),
        _speed(checked, model, region, catalog),
    )
    for message, cure, name in broken:
        anyway = spelled("add {} to send it anyway", flag("force"))
        raise ModelRuleError(message, cure=ways(*cure, anyway), details={"option": name})


# What is wrong, the ways to do it instead, and the option whose value it is; empty where it is none.
_Broken: TypeAlias = "Iterator[tuple[str, tuple[str, ...], str]]"

# Each of these yields such; only the first is raised, the others are not looked for.


def _fields(body: Mapping[str, Any], model: Model, version: str, catalog: Catalog) -> _Broken:
    wanted, most = body.get("max_tokens", 0), allowed_max_tokens(model)[-1]
    if model.max_output_tokens is not None and wanted > most:
        yield (
            f"{model.name} writes at most {most:,} tokens, but max_tokens is {wanted:,}.",
            (spelled("use {} or less", option("max_tokens", most)),),
            "max_tokens",
        )
    for refusal in field_refusals(model, version, catalog):
        if given := [name for name in refusal.fields if name in body]:
            yield f"{refusal.who} takes no {' or '.join(given)}{refusal.why}.", refusal.ways, given[0]


def _effort(body: Mapping[str, Any], model: Model) -> _Broken:
    effort, levels = _effort_of(body), allowed_efforts(model)
    if effort is None or effort in levels:
        return
    if levels:
        yield f"{model.name} has no effort level {effort!r}.", (f"use one of {', '.join(levels)}",), "effort"
    else:
        yield (
            f"{model.name} does not support effort levels.",
            (spelled("leave {} out", option("effort")),),
            "effort",
        )


def _effort_of(body: Mapping[str, Any]) -> str | None:
    config = body.get("output_config")
    return config.get("effort") if isinstance(config, Mapping) else None


def _thinking(checked: Mapping[str, Any], body: Mapping[str, Any], model: Model) -> _Broken:
    thinking = checked.get("thinking")
    if not isinstance(thinking, Mapping):
        return
    kind, effort = str(thinking.get("type")), _effort_of(checked)
    word = _WORDS.get(kind, kind)
    chosen: str | Spelling = option("thinking", word)
    if kind == "enabled":
        chosen = spelled("{} with {}", option("thinking"), word)
    if kind not in (kinds := allowed_thinking(model)):
        words = alternatives([_WORDS.get(each, each) for each in kinds])
        yield (
            spelled("{} does not take {}.", model.name, chosen),
            (spelled("use {} with {}", option("thinking"), words),),
            "thinking",
        )
    if kind == "enabled":
        yield from _budget(thinking.get("budget_tokens", 0), body.get("max_tokens"), model)
    elif kind not in allowed_thinking(model, effort):
        how = "without thinking" if kind == "disabled" else "with thinking between tools only"
        limit = allowed_efforts(model, kind)[-1]
        yield (
            f"{model.name} cannot work at effort {effort!r} {how}.",
            (
                spelled("use {} or lower", option("effort", limit)),
                changing("thinking", spelled("leave out {}", chosen)),
            ),
            "effort",
        )


def _budget(budget: int, max_tokens: Json, model: Model) -> _Broken:
    least = model.rules.min_thinking_budget
    if budget < least:
        yield (
            f"A thinking budget has at least {least:,} tokens, not {budget:,}.",
            (spelled("use {} or more", option("thinking", least)),),
            "thinking",
        )
    # A max_tokens that is set by hand may not be a number.
    elif isinstance(max_tokens, int) and budget not in allowed_budgets(model, max_tokens):
        yield (
            f"The thinking budget of {budget:,} tokens leaves nothing of max_tokens, which is {max_tokens:,}.",
            (spelled("raise {} above {}", raised("max_tokens", budget), str(budget)),),
            "thinking",
        )


def _messages(checked: Mapping[str, Any], body: Mapping[str, Any], model: Model) -> _Broken:
    last = (checked.get("messages") or [{}])[-1]
    content = last.get("content")
    # A turn that was paused ends with the call of a server tool; sending it back is not a prefill.
    end = content[-1] if isinstance(content, list) and content else {"type": "text"}
    begun = last.get("role") == "assistant" and isinstance(end, Mapping) and end.get("type") == "text"
    if begun and not model.rules.prefill:
        yield f"{model.name} does not support prefilled answers.", ("end with a user message",), ""
    choice, thinking = checked.get("tool_choice"), body.get("thinking")
    if not isinstance(choice, Mapping) or choice.get("type") not in {"any", "tool"}:
        return
    if not model.rules.forced_tool_choice:
        yield f"{model.name} cannot be forced to call a tool.", ("set tool_choice to auto",), ""
    if isinstance(thinking, Mapping) and thinking.get("type") == "enabled":
        yield (
            "A forced tool and a thinking budget cannot be combined.",
            (spelled("leave {} out", option("thinking")),),
            "thinking",
        )


def _tools(body: Mapping[str, Any], model: Model, catalog: Catalog) -> _Broken:
    tools, computer = body.get("tools"), model.rules.computer_tools
    refused = {
        start: of.get("tool") for of in catalog.services.values() for start in of.get("refused_tools", ())
    }
    for tool in tools if isinstance(tools, list) else ():
        kind = str(tool.get("type")) if isinstance(tool, Mapping) else ""
        for start, instead in refused.items():
            if kind.startswith(start):
                cure = f"use {instead}" if instead else "leave it out"
                yield f"Vertex AI does not take the tool type {kind}.", (cure,), ""
        if kind.startswith("computer_") and computer is not None and kind not in computer:
            yield (
                f"{model.name} does not take the tool type {kind} on Vertex AI.",
                (f"use {' or '.join(computer)}",),
                "",
            )


def _speed(body: Mapping[str, Any], model: Model, region: str, catalog: Catalog) -> _Broken:
    places = catalog.services["fast_mode"]["locations"]
    if body.get("speed") != "fast":
        return
    if model.prices.fast_factor is None:
        yield f"{model.name} has no fast mode on Vertex AI.", ("leave speed out",), ""
    elif region not in places:
        yield (
            f"Fast mode is not served in {region}.",
            (spelled("use {}", option("region", *places)),),
            "region",
        )
