"""What the model table and the API version forbid, said before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ModelRuleError

if TYPE_CHECKING:
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model, Rules

__all__ = ["check_rules"]

_SAMPLING = ("temperature", "top_p", "top_k")
_LIFT = "or add --force to send it all the same."


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
    _check_max_tokens(checked, model)
    _check_version(checked, str(body.get("anthropic_version")), catalog)
    _check_sampling(checked, model)
    _check_effort(checked, model)
    _check_thinking(checked, body, model)
    _check_prefill(checked, model)
    _check_tool_choice(checked, body, model)
    _check_tools(checked, model, catalog)
    _check_speed(checked, model, region, catalog)


def _check_max_tokens(body: Mapping[str, Any], model: Model) -> None:
    limit = model.max_output_tokens
    if limit is not None and body.get("max_tokens", 0) > limit:
        raise ModelRuleError(
            f"{model.name} writes at most {limit:,} tokens, and max_tokens is {body['max_tokens']:,}.",
            cure=f"Use --max-tokens {limit} or less, {_LIFT}",
        )


def _check_version(body: Mapping[str, Any], version: str, catalog: Catalog) -> None:
    refused = [name for name in catalog.api_versions.get(version, {}).get("refuses", ()) if name in body]
    if refused:
        raise ModelRuleError(
            f"API version {version} takes no {' or '.join(refused)}.",
            cure=f"Leave it out, set anthropic_version to vertex-2023-10-16, {_LIFT}",
        )


def _check_sampling(body: Mapping[str, Any], model: Model) -> None:
    given = [name for name in _SAMPLING if name in body]
    if given and not model.rules.sampling:
        raise ModelRuleError(
            f"{model.name} takes no {' or '.join(given)}: it answers 400 to sampling parameters.",
            cure=f"Leave it out and steer with the prompt or --effort, {_LIFT}",
        )


def _check_effort(body: Mapping[str, Any], model: Model) -> None:
    effort = _effort(body)
    if effort is None or effort in model.rules.effort:
        return
    if not model.rules.effort:
        raise ModelRuleError(f"{model.name} takes no effort level.", cure=f"Leave --effort out, {_LIFT}")
    raise ModelRuleError(
        f"{model.name} has no effort level {effort!r}.",
        cure=f"Use one of {', '.join(model.rules.effort)}, {_LIFT}",
    )


def _effort(body: Mapping[str, Any]) -> str | None:
    config = body.get("output_config")
    return config.get("effort") if isinstance(config, Mapping) else None


def _check_thinking(checked: Mapping[str, Any], body: Mapping[str, Any], model: Model) -> None:
    thinking = checked.get("thinking")
    if not isinstance(thinking, Mapping):
        return
    kind, rules = str(thinking.get("type")), model.rules
    if kind not in rules.thinking:
        raise ModelRuleError(
            f"{model.name} does not take {_spoken(kind)}.", cure=f"Use {_thinking_choices(rules)}, {_LIFT}"
        )
    if kind == "enabled":
        _check_budget(thinking, body, rules)
    if kind in {"disabled", "between_tools"}:
        _check_disabled(checked, kind, model)


def _check_budget(thinking: Mapping[str, Any], body: Mapping[str, Any], rules: Rules) -> None:
    budget, max_tokens = thinking.get("budget_tokens", 0), body.get("max_tokens")
    if budget < rules.min_thinking_budget:
        raise ModelRuleError(
            f"A thinking budget has at least {rules.min_thinking_budget:,} tokens, not {budget:,}.",
            cure=f"Use --thinking {rules.min_thinking_budget} or more, {_LIFT}",
        )
    if isinstance(max_tokens, int) and budget >= max_tokens:
        raise ModelRuleError(
            f"The thinking budget of {budget:,} tokens leaves nothing of max_tokens, which is {max_tokens:,}.",
            cure=f"Raise --max-tokens above {budget}, {_LIFT}",
        )


def _check_disabled(checked: Mapping[str, Any], kind: str, model: Model) -> None:
    limit, effort = model.rules.disabled_max_effort, _effort(checked)
    levels = model.rules.effort
    if limit in levels and effort in levels and levels.index(effort) > levels.index(limit):
        how = "without thinking" if kind == "disabled" else "with thinking between tools only"
        raise ModelRuleError(
            f"{model.name} cannot work at effort {effort!r} {how}.",
            cure=f"Use --effort {limit} or lower, or leave {_spoken(kind)} out, {_LIFT}",
        )


def _check_tools(checked: Mapping[str, Any], model: Model, catalog: Catalog) -> None:
    tools = checked.get("tools")
    kinds = (
        [tool.get("type") for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    )
    computer = model.rules.computer_tools
    services = catalog.services.values()
    refused = [(start, of.get("tool")) for of in services for start in of.get("refused_tools", ())]
    for kind in map(str, kinds):
        found = [instead for start, instead in refused if kind.startswith(start)]
        if found:
            raise ModelRuleError(
                f"Vertex AI does not take the tool type {kind}.",
                cure=f"{f'Use {found[0]}' if found[0] else 'Leave it out'}, {_LIFT}",
            )
        if kind.startswith("computer_") and computer is not None and kind not in computer:
            raise ModelRuleError(
                f"{model.name} does not take the tool type {kind} on Vertex AI.",
                cure=f"Use {' or '.join(computer)}, {_LIFT}",
            )


def _check_speed(checked: Mapping[str, Any], model: Model, region: str, catalog: Catalog) -> None:
    if checked.get("speed") != "fast":
        return
    places = catalog.services["fast_mode"]["locations"]
    if model.prices.fast_factor is None:
        raise ModelRuleError(f"{model.name} has no fast mode on Vertex AI.", cure=f"Leave speed out, {_LIFT}")
    if region not in places:
        raise ModelRuleError(
            f"Fast mode is not served in {region}.", cure=f"Use --region {' or '.join(places)}, {_LIFT}"
        )


def _check_tool_choice(checked: Mapping[str, Any], body: Mapping[str, Any], model: Model) -> None:
    choice = checked.get("tool_choice")
    if not isinstance(choice, Mapping) or choice.get("type") not in {"any", "tool"}:
        return
    thinking = body.get("thinking")
    if not model.rules.forced_tool_choice:
        raise ModelRuleError(
            f"{model.name} cannot be forced to call a tool.", cure=f"Set tool_choice to auto, {_LIFT}"
        )
    if isinstance(thinking, Mapping) and thinking.get("type") == "enabled":
        raise ModelRuleError(
            "A forced tool and a thinking budget exclude one another.", cure=f"Leave --thinking out, {_LIFT}"
        )


def _check_prefill(body: Mapping[str, Any], model: Model) -> None:
    last = (body.get("messages") or [{}])[-1]
    if last.get("role") != "assistant" or model.rules.prefill:
        return
    content = last.get("content")
    # A turn that was paused ends with the call of a server tool; sending it back is no prefill.
    end = content[-1] if isinstance(content, list) and content else {"type": "text"}
    if isinstance(end, Mapping) and end.get("type") == "text":
        raise ModelRuleError(
            f"{model.name} does not go on with an answer that you begin.",
            cure=f"End with a user message, {_LIFT}",
        )


_OPTION = {
    "enabled": "a token budget",
    "adaptive": "adaptive",
    "disabled": "off",
    "between_tools": "between_tools",
}


def _spoken(kind: str) -> str:
    return (
        f"--thinking with {_OPTION[kind]}" if kind == "enabled" else f"--thinking {_OPTION.get(kind, kind)}"
    )


def _thinking_choices(rules: Rules) -> str:
    return "--thinking with " + " or ".join(_OPTION.get(kind, kind) for kind in rules.thinking)
