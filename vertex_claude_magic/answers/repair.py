"""An answer as data: which way it is asked for, how it is read, and the one repair round.

Three ways lead to the same data: structured outputs where the model has them, a forced tool where it
takes one, and otherwise an instruction. Whatever the way, valid JSON is taken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from vertex_claude_magic import errors
from vertex_claude_magic.answers.shape import Misfit, Shape

if TYPE_CHECKING:
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.vertex.reply import Reply, Usage
    from vertex_claude_magic.vertex.request import Request

__all__ = [
    "CUT_OFF",
    "TypedQuestion",
    "Way",
    "choose_way",
    "fields_for",
    "fitted",
    "repair_request",
    "settle",
]

Way = Literal["format", "tool", "instruction"]

_TOOL = "answer"
_KEPT_BLOCKS = {"text", "thinking", "redacted_thinking", "tool_use"}
CUT_OFF = {"max_tokens", "model_context_window_exceeded"}
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
_SHOWN = 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedQuestion:
    """What the answer must look like, and the way it is asked for."""

    shape: Shape
    way: Way


def choose_way(model: Model | None, body: Mapping[str, Any], *, strict: bool = True) -> Way:
    """Choose the way for a model; one that the table does not know is taken for a new one.

    Forcing a tool and thinking exclude one another (Claude docs, "Extended thinking", 2026).

    Args:
        model: The row of the model.
        body: The fields of the request that matter here.
        strict: Whether structured outputs can carry all that the type allows.

    >>> choose_way(None, {})
    'format'
    """
    if strict and (model is None or model.rules.structured_outputs):
        return "format"
    thinking = body.get("thinking")
    thinks = isinstance(thinking, Mapping) and thinking.get("type") != "disabled"
    forced = model is not None and model.rules.forced_tool_choice
    return "tool" if forced and not thinks else "instruction"


def fields_for(question: TypedQuestion) -> dict[str, Any]:
    """Return the body fields that ask for the data; none where an instruction in the prompt does."""
    schema = dict(question.shape.schema)
    if question.way == "format":
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}
    if question.way == "tool":
        tool = {
            "name": _TOOL,
            "description": f"Give the answer as {question.shape.name}.",
            "input_schema": schema,
        }
        return {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
    return {}


def fitted(reply: Reply, question: TypedQuestion) -> Reply:
    """Return the reply with its validated data.

    Raises:
        AnswerRefused: Claude declined.
        AnswerTruncated: the answer was cut off before the data were whole.
        AnswerInvalid: the answer is something else; what it lacks is in `details`.
    """
    if reply.stop_reason == "refusal":
        raise errors.AnswerRefused(
            "Claude declined, so there is no data.",
            cure="Put the question differently, or ask another model.",
            reply=reply,
        )
    try:
        return replace(reply, data=_read(reply, question.shape))
    except Misfit as misfit:
        if reply.stop_reason in CUT_OFF:
            raise errors.AnswerTruncated(
                f"The answer was cut off after {reply.usage.output_tokens:,} output tokens, so the data are not whole.",
                cure="Ask again with a larger --max-tokens.",
                reply=reply,
            ) from None
        raise errors.AnswerInvalid(
            f"The answer is no {question.shape.name}: {misfit.problem}",
            cure="The raw text is in the error's reply. Ask again, or loosen the type.",
            details={"problem": misfit.problem, "advice": misfit.advice, "text": _raw(reply)[:_SHOWN]},
            reply=reply,
        ) from None


def _read(reply: Reply, shape: Shape) -> Any:
    for block in reply.blocks:
        if block.get("type") == "tool_use" and block.get("name") == _TOOL:
            if partial := block.get("partial_json"):
                return shape.read(str(partial))
            return shape.take(block.get("input"))
    return shape.read(reply.text)


def _raw(reply: Reply) -> str:
    tools = [str(block.get("partial_json") or block.get("input")) for block in reply.blocks
             if block.get("type") == "tool_use"]  # fmt: skip
    return reply.text or "\n".join(tools)


def settle(
    first: Reply,
    question: TypedQuestion,
    request: Request,
    resend: Callable[[Request, str], Reply],
) -> Reply:
    """Return the reply with its data, after one repair round if the first answer does not fit.

    Args:
        first: The answer as it came.
        question: What was asked for.
        request: The request that `first` answers.
        resend: Sends the repairing request; its second argument says why, in a few words.

    Raises:
        AnswerInvalid: also the second answer does not fit; the error's reply holds it, with the cost of both.
    """
    try:
        return fitted(first, question)
    except (errors.AnswerRefused, errors.AnswerTruncated):
        raise
    except errors.AnswerInvalid as error:
        problem, advice = error.details["problem"], error.details["advice"]
    again = resend(repair_request(request, first, advice), f"does not fit ({problem}), asking once more")
    return fitted(_added(first, again), question)


def repair_request(request: Request, reply: Reply, advice: str) -> Request:
    """Build the request that shows Claude its own answer and what is wrong with it."""
    said = [_as_sent(block) for block in reply.blocks if block.get("type") in _KEPT_BLOCKS]
    said = [block for block in said if block.get("type") != "text" or str(block.get("text", "")).strip()]
    tools = [block for block in said if block["type"] == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": block.get("id"), "is_error": True, "content": advice}
        for block in tools
    ]
    told: Any = results or advice
    turns = (
        [{"role": "assistant", "content": said}] if any(block["type"] != "thinking" for block in said) else []
    )
    messages = [*request.body["messages"], *turns, {"role": "user", "content": told}]
    if not turns:
        messages = [*request.body["messages"], {"role": "user", "content": advice}]
    return replace(request, body={**request.body, "messages": messages})


def _as_sent(block: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in block.items()
        if value is not None and key not in {"partial_json", "citations"}
    }


def _added(first: Reply, second: Reply) -> Reply:
    """Return the second reply with the tokens, cost and seconds of both."""
    known = first.cost is not None and second.cost is not None
    return replace(
        second,
        usage=_summed(first.usage, second.usage),
        cost=(first.cost or 0.0) + (second.cost or 0.0) if known else None,
        seconds=first.seconds + second.seconds,
        first_token_seconds=first.first_token_seconds,
        lineage=first.lineage,
    )


def _summed(first: Usage, second: Usage) -> Usage:
    counts = {name: getattr(first, name) + getattr(second, name) for name in _COUNTS}
    return dataclasses.replace(second, **counts, raw={**second.raw, **counts})
