"""The rules of the body's own fields: what must be there, what may, and what the model takes.

The per-model rules come from the model table; the texts of the refusals follow the API's own as
users have reported them. Each function yields the texts of the rules that are broken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

from vertex_claude_magic.emulator.messages.samples import INVALID_SCHEMA, is_schema
from vertex_claude_magic.emulator.messages.tokens import input_tokens
from vertex_claude_magic.vertex.allowed import SAMPLING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vertex_claude_magic.emulator.messages.ask import Ask
    from vertex_claude_magic.json_types import Json

__all__ = ["broken", "effort_broken", "extra", "too_long", "unknown_tag"]

_COMMON = {"anthropic_version", "anthropic_beta", "messages", "system", "thinking", "tools", "tool_choice",
           "output_config", "cache_control"}  # fmt: skip
_MESSAGES = {*_COMMON, "max_tokens", "metadata", "service_tier", "stop_sequences", "stream", "temperature", "top_p",
             "top_k"}  # fmt: skip
_COUNTING = _COMMON | {"model"}
# Fields that a beta of the header opens; any one of those named will do.
_WITH_BETA = {
    "context_management": {"context-management-2025-06-27", "compact-2026-01-12"},
    "compaction": {"compact-2026-09-04"},
}
# Edits of a context, each with the beta that opens it.
_EDITS = {
    "clear_tool_uses_20250919": "context-management-2025-06-27",
    "clear_thinking_20251015": "context-management-2025-06-27",
    "compact_20260112": "compact-2026-01-12",
}
_LEAST_TRIGGER = 50_000  # tokens (anthropic 2.14.0, compact_20260112)
_TASK_BUDGETS = "task-budgets-2026-03-13"
_DISPLAY_UPDATES = "thinking-display-updates-2026-08-18"
_BINDING = "thinking-binding-controls-2026-08-01"
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THINKING_FIELDS = {
    "enabled": {"type", "budget_tokens", "display"},
    "adaptive": {"type", "display"},
    "disabled": {"type"},
    "between_tools": {"type"},
}
_DISPLAYS = ("summarized", "omitted")
_MISMATCHES = ("error", "drop_block")
_MOST_STOPS = 8191


def broken(ask: Ask) -> Iterator[str]:
    """The rules that a body breaks, in the order in which the service looks."""
    for check in (_fields, _simple_fields, _output_config, _thinking, _sampling, _context):
        yield from check(ask)


def too_long(ask: Ask) -> Iterator[str]:
    """Whether the prompt fits into the model's context window, by the emulator's own estimate."""
    most = ask.model.context_tokens
    if most is not None and (count := input_tokens(ask.body)) > most:
        yield f"prompt is too long: {count} tokens > {most} maximum"


def _is_count(value: Json) -> TypeGuard[int]:
    """Whether a JSON value is a whole number.

    >>> _is_count(3), _is_count(True), _is_count("3")
    (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool)


def unknown_tag(kind: Json) -> str:
    """The refusal of a `type` that is not known in its place."""
    return f"Input tag {kind!r} found using 'type' does not match any of the expected tags"


def extra(value: Mapping[str, Any], allowed: set[str] | frozenset[str], place: str = "") -> Iterator[str]:
    """A refusal for each key that is not allowed."""
    for key in value:
        if key not in allowed:
            yield f"{place}{key}: Extra inputs are not permitted"


def _one_of(names: Iterable[str]) -> str:
    *most, last = (f"'{name}'" for name in names)
    return f"{', '.join(most)} or {last}" if most else last


def _fields(ask: Ask) -> Iterator[str]:
    body, counting = ask.body, ask.route.counting
    version = body.get("anthropic_version")
    if version is None and not counting:
        yield "anthropic_version: Field required"
    elif version is not None and version not in [*ask.catalog.api_versions]:
        yield f"anthropic_version: Input should be {_one_of(ask.catalog.api_versions)}"
    known = ask.catalog.services["betas"]
    refused = known["refused_in_count"] if counting else ()
    unknown = [f"`{beta}`" for beta in ask.betas if beta not in known["accepted"] or beta in refused]
    if unknown:
        yield f"Unexpected value(s) {', '.join(unknown)} for the `anthropic-beta` header."
    with_beta = {name for name, betas in _WITH_BETA.items() if betas & set(ask.betas)}
    fast = {"speed"} if ask.model.prices.fast_factor else set()
    yield from extra(body, (_COUNTING if counting else _MESSAGES) | with_beta | fast)
    if fast and body.get("speed", "standard") not in ("standard", "fast"):
        yield "speed: Input should be 'standard' or 'fast'"
    if counting:
        return
    value, most = body.get("max_tokens"), ask.model.max_output_tokens
    if value is None:
        yield "max_tokens: Field required"
    elif not _is_count(value):
        yield "max_tokens: Input should be a valid integer"
    elif value < 1:
        yield "max_tokens: Input should be greater than or equal to 1"
    elif most is not None and value > most:
        wrong = f"max_tokens: {value} > {most}, which is the maximum allowed number of output tokens"
        yield f"{wrong} for {ask.model.api_id}"


def _simple_fields(ask: Ask) -> Iterator[str]:
    body = ask.body
    if "stream" in body and not isinstance(body["stream"], bool):
        yield "stream: Input should be a valid boolean"
    if body.get("service_tier") not in (None, "auto", "standard_only"):
        yield "service_tier: Input should be 'auto' or 'standard_only'"
    if not isinstance(metadata := body.get("metadata", {}), dict):
        yield "metadata: Input should be an object"
    else:
        yield from extra(metadata, {"user_id"}, "metadata.")
        if not isinstance(metadata.get("user_id"), (str, type(None))):
            yield "metadata.user_id: Input should be a valid string"
    stops = body.get("stop_sequences", [])
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        yield "stop_sequences: Input should be a valid list"
    elif len(stops) > _MOST_STOPS:
        yield f"stop_sequences: List should have at most {_MOST_STOPS} items"
    elif any(not stop.strip() for stop in stops):
        yield "stop_sequences: each stop sequence must contain non-whitespace"


def _sampling(ask: Ask) -> Iterator[str]:
    body, version = ask.body, str(ask.body.get("anthropic_version"))
    for name in SAMPLING:
        if name not in body:
            continue
        value = body[name]
        if name in ask.catalog.api_versions.get(version, {}).get("refuses", ()):
            yield f"{name}: not supported with API version {version}"
        if not ask.model.rules.sampling:
            yield f"`{name}` is not supported for this model."
        if name == "top_k" and (not _is_count(value) or value < 0):
            yield "top_k: Input should be greater than or equal to 0"
        elif name != "top_k" and not (type(value) in (int, float) and 0 <= value <= 1):
            yield f"{name}: range: 0..1"
    if "top_k" in body and ask.thinks:
        yield "`top_k` must be unset when thinking is enabled."
    if ask.thinks and body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled."


def _thinking(ask: Ask) -> Iterator[str]:
    thinking = ask.body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if not isinstance(kind, str) or kind not in _THINKING_FIELDS:
        yield f"thinking: {unknown_tag(kind)}"
        return
    if kind not in ask.model.rules.thinking:
        supported = _one_of(ask.model.rules.thinking)
        yield f'"thinking.type.{kind}" is not supported for this model. Supported: {supported}.'
    shows = "display" in _THINKING_FIELDS[kind]
    binding = {"block_binding"} if _BINDING in ask.betas and shows else set()
    yield from extra(thinking, _THINKING_FIELDS[kind] | binding, f"thinking.{kind}.")
    displays = (*_DISPLAYS, "updates") if _DISPLAY_UPDATES in ask.betas else _DISPLAYS
    if thinking.get("display") not in (None, *displays):
        yield f"thinking.{kind}.display: Input should be {_one_of(displays)}"
    if binding and (wanted := thinking.get("block_binding")) is not None:
        place = f"thinking.{kind}.block_binding"
        if isinstance(wanted, dict):
            yield from extra(wanted, {"prefix_mismatch_behavior"}, f"{place}.")
            if wanted.get("prefix_mismatch_behavior") not in (None, *_MISMATCHES):
                yield f"{place}.prefix_mismatch_behavior: Input should be {_one_of(_MISMATCHES)}"
        else:
            yield f"{place}: Input should be an object"
    if kind == "enabled":
        budget, least = thinking.get("budget_tokens"), ask.model.rules.min_thinking_budget
        if budget is None:
            yield "thinking.enabled.budget_tokens: Field required"
        elif not _is_count(budget) or budget < least:
            yield f"thinking.enabled.budget_tokens: Input should be greater than or equal to {least}"
        elif not ask.route.counting and budget >= ask.body["max_tokens"]:
            yield "`max_tokens` must be greater than `thinking.budget_tokens`."
    most = ask.model.rules.disabled_max_effort
    limited = most and ask.effort in _EFFORTS and _EFFORTS.index(ask.effort) > _EFFORTS.index(most)
    if limited and kind in {"disabled", "between_tools"}:
        yield f'"thinking.type.{kind}" is not supported for this model above effort "{most}".'


def _output_config(ask: Ask) -> Iterator[str]:
    config = ask.body.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        yield "output_config: Input should be an object"
        return
    budget = {"task_budget"} if _TASK_BUDGETS in ask.betas else set()
    yield from extra(config, {"effort", "format"} | budget, "output_config.")
    task = config.get("task_budget") if budget else None
    if task is not None and (not isinstance(task, dict) or task.get("type") != "tokens"):
        yield "output_config.task_budget.type: Input should be 'tokens'"
    elif task is not None:
        yield from extra(task, {"type", "total", "remaining"}, "output_config.task_budget.")
        if not _is_count(task.get("total")) or task["total"] < 1:
            yield "output_config.task_budget.total: Input should be a valid integer"
    if (effort := config.get("effort")) is not None:
        yield from effort_broken(ask, effort, "output_config")
    if (wanted := config.get("format")) is not None:
        if ask.model.rules.structured_outputs is False:
            yield "output_config.format: Extra inputs are not permitted"
        elif not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
            yield "output_config.format.type: Input should be 'json_schema'"
        elif not isinstance(wanted.get("schema"), dict):
            yield "output_config.format.schema: Field required"
        elif not is_schema(wanted["schema"]):
            yield f"output_config.format.schema: {INVALID_SCHEMA}"
        else:
            yield from extra(wanted, {"type", "schema"}, "output_config.format.")


def effort_broken(ask: Ask, effort: Json, place: str) -> Iterator[str]:
    """Whether the model has a level of effort; `place` names the `output_config` that asks for it."""
    levels = ask.model.rules.effort
    if not levels:
        yield f"{place}.effort: Extra inputs are not permitted"
    elif effort not in levels:
        yield f"{place}.effort: Input should be {_one_of(levels)}"


def _context(ask: Ask) -> Iterator[str]:
    config = ask.body.get("context_management")
    if config is not None and not isinstance(config, dict):
        yield "context_management: Input should be an object"
    elif config is not None:
        yield from extra(config, {"edits"}, "context_management.")
        edits = config.get("edits")
        if edits is not None and not isinstance(edits, list):
            yield "context_management.edits: Input should be a valid list"
        for index, edit in enumerate(edits if isinstance(edits, list) else ()):
            place = f"context_management.edits.{index}"
            kind = edit.get("type") if isinstance(edit, dict) else None
            if not isinstance(kind, str) or _EDITS.get(kind) not in ask.betas:
                yield f"{place}: {unknown_tag(kind)}"
            elif kind.startswith("compact_") and (trigger := edit.get("trigger")) is not None:
                value = trigger.get("value") if isinstance(trigger, dict) else None
                if not _is_count(value) or value < _LEAST_TRIGGER:
                    yield f"{place}.trigger.value: Input should be greater than or equal to {_LEAST_TRIGGER}"
    compaction = ask.body.get("compaction")
    if compaction is not None and not isinstance(compaction, dict):
        yield "compaction: Input should be an object"
    elif compaction is not None:
        yield from extra(compaction, {"type", "instructions"}, "compaction.")
        if compaction.get("type", "summarize") != "summarize":
            yield "compaction.type: Input should be 'summarize'"
