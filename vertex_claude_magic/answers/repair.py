"""An answer as data: which way it is asked for, how it is read, and the one repair round.

Three ways lead to the same data: structured outputs where the model has them, a forced tool where it
takes one, and otherwise an instruction. Whatever the way, valid JSON is taken.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from vertex_claude_magic import errors
from vertex_claude_magic.answers.shape import AnswerMismatch, Shape
from vertex_claude_magic.spelling import Spelled, Spelling, changing, raised, spelled, ways
from vertex_claude_magic.vertex.blocks import sent_back
from vertex_claude_magic.vertex.next_round import NextRound

if TYPE_CHECKING:
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.request import Request

__all__ = [
    "CUT_OFF",
    "RepairOnce",
    "TypedQuestion",
    "Way",
    "choose_way",
    "fields_for",
    "fitted",
    "fitted_or_repair",
    "raw_text_cure",
    "repair_request",
]

Way = Literal["format", "tool", "instruction"]

_TOOL = "answer"
CUT_OFF = {"max_tokens", "model_context_window_exceeded"}
_SHOWN = 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class TypedQuestion:
    """What the answer must look like, and the way it is asked for."""

    shape: Shape[Any]
    way: Way


def choose_way(model: Model | None, *, thinks: bool, strict: bool) -> Way:
    """Choose the way for a model; one that the table does not know is taken for a new one.

    Forcing a tool and thinking cannot be combined (Claude docs, "Extended thinking", 2026).

    Args:
        model: The row of the model.
        thinks: Whether the request asks it to think.
        strict: Whether structured outputs can carry all that the type allows.

    >>> choose_way(None, thinks=False, strict=True)
    'format'
    """
    if strict and (model is None or model.rules.structured_outputs):
        return "format"
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
            cure=ways("rephrase the question", changing("model", "ask another model")),
            reply=reply,
        )
    # An answer by the tool is data already; one that was cut off is still text.
    tools = [block for block in reply.blocks if block.get("type") == "tool_use"]
    answer = next((block for block in tools if block.get("name") == _TOOL), None)
    try:
        if answer is None:
            return replace(reply, data=question.shape.read(reply.text))
        if partial := answer.get("partial_json"):
            return replace(reply, data=question.shape.read(str(partial)))
        return replace(reply, data=question.shape.take(answer.get("input")))
    except AnswerMismatch as misfit:
        if reply.stop_reason in CUT_OFF:
            # The limit is that of each request.
            tokens = reply.rounds[-1].usage.output_tokens
            larger = spelled("ask again with a larger {}", raised("max_tokens", tokens))
            raise errors.AnswerTruncated(
                f"The answer was cut off after {tokens:,} output tokens, so the data is incomplete.",
                cure=ways(larger),
                reply=reply,
            ) from None
        text = reply.text or "\n".join(
            str(block.get("partial_json") or block.get("input")) for block in tools
        )
        raise errors.AnswerInvalid(
            f"The answer does not match {question.shape.name}: {misfit.problem.rstrip('.')}.",
            cure=raw_text_cure("NAME.text of %%claude NAME"),
            details={"problem": misfit.problem, "advice": misfit.advice, "text": text[:_SHOWN]},
            reply=reply,
        ) from None


def raw_text_cure(place: str) -> Spelled:
    """Return what to do about an answer that is not the data that were asked for.

    Args:
        place: Where a cell finds its text; Python code has it on the error.
    """
    return spelled(
        "The raw text is in {}. Ask again, or use a less strict type.", Spelling(place, "the error's reply")
    )


def fitted_or_repair(reply: Reply, question: TypedQuestion, request: Request) -> Reply | NextRound:
    """Return the reply with its validated data, or what to send so that Claude gives them.

    Args:
        reply: The answer as it came.
        question: What was asked for.
        request: The request that `reply` answers.

    Raises:
        AnswerRefused: Claude declined.
        AnswerTruncated: the answer was cut off before the data were whole.
    """
    try:
        return fitted(reply, question)
    except (errors.AnswerRefused, errors.AnswerTruncated):
        raise
    except errors.AnswerInvalid as error:
        why = f"did not match ({error.details['problem']}), so it was requested again"
        following = repair_request(request, reply, error.details["advice"])
        return NextRound(request=following, why=why, replaces=True)


class RepairOnce:
    """A step of a question that asks for data: it reads them, and asks once more where they do not fit.

    Args:
        question: What was asked for.
        max_rounds: The most requests of the question; None for no limit.

    >>> from vertex_claude_magic.answers.shape import shape_of
    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> step = RepairOnce(TypedQuestion(shape=shape_of(list[int]), way="format"))
    >>> step(Reply(blocks=({"type": "text", "text": "[1]"},), complete=True), None).data
    [1]
    """

    def __init__(self, question: TypedQuestion, *, max_rounds: int | None = None) -> None:
        self._question = question
        self._max_rounds = max_rounds
        self._repaired = False

    def __call__(self, reply: Reply, request: Request) -> Reply | NextRound:
        """Return the reply with its data, or the repair.

        Raises:
            AnswerInvalid: the answer of the repair, or of the last request that is allowed, does not fit, Claude
                declined, or it was cut off.
        """
        last = self._max_rounds is not None and len(reply.rounds) >= self._max_rounds
        if self._repaired or last:
            return fitted(reply, self._question)
        found = fitted_or_repair(reply, self._question, request)
        self._repaired = isinstance(found, NextRound)
        return found


def repair_request(request: Request, reply: Reply, advice: str) -> Request:
    """Build the request that shows Claude its own answer and what is wrong with it."""
    blocks = sent_back(reply)
    results = [
        {"type": "tool_result", "tool_use_id": block.get("id"), "is_error": True, "content": advice}
        for block in blocks
        if block["type"] == "tool_use"
    ]
    # Thinking alone is not an answer that could be corrected.
    answer = [{"role": "assistant", "content": blocks}] if blocks else []
    # Each call of a tool has to be answered by its result (Claude docs, "Tool use").
    return request.with_messages(
        [*request.body["messages"], *answer, {"role": "user", "content": results or advice}]
    )
