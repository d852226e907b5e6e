"""A reply, or an error, as plain JSON that can be stored, read in review and played again as a stream.

It holds what the answer says and how it came: the content blocks of the Messages API, and for each
block the pieces that it arrived in (characters, milliseconds after the piece before).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from vertex_claude_magic import errors
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.vertex.events import Event

if TYPE_CHECKING:
    from vertex_claude_magic.errors import ClaudeError
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.reply import Reply
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = [
    "Pace",
    "RecordedReply",
    "error_fields",
    "error_of",
    "read_recorded_reply",
    "recorded_reply",
    "steps",
    "tool_calls_of",
]

# For each block: characters, milliseconds, characters, milliseconds ...
Pace = Sequence[Sequence[int]]
Step = tuple[float, Event]

_MOST_BLOCKS = 10_000
# Project numbers have ten digits and more ("Creating and managing projects", Google Cloud docs).
_NUMBER = r"\b\d{9,}\b"
_LONGEST_WAIT = 24 * 3600.0
# Fields that are neither a text nor missing, or may not be missing: their types, and what these are called.
_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "usage": ((Mapping,), "an object"),
    "complete": ((bool,), "true or false"),
    "model": ((str,), "a string"),
    "region": ((str,), "a string"),
    "stop_details": ((Mapping, type(None)), "an object"),
    "error": ((Mapping, type(None)), "an object"),
}


# Nobody changes it, and a recorded reply is copied, which a MappingProxyType does not allow.
_NO_USAGE: Mapping[str, Any] = {}


class RecordedReply(NamedTuple):
    """What is stored of a reply; names and values are those of the Messages API, times are seconds.

    `error` has the type, message, cure and status of an error that ended it. `tool_results` are the `tool_result`
    blocks with which the calls in it were answered, each with the `seconds` that the function ran.
    """

    content: Sequence[Mapping[str, Any]] = ()
    model: str = ""
    region: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] = _NO_USAGE
    other_events: Sequence[Mapping[str, Any]] = ()
    complete: bool = True
    seconds: float = 0.0
    first_token_seconds: float | None = None
    pace: Pace = ()
    error: Mapping[str, Any] | None = None
    tool_results: Sequence[Mapping[str, Any]] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON object, times to the millisecond, without what is as usual."""
        usual, found = self._field_defaults, dict[str, Any]()
        for name, value in zip(self._fields, self, strict=True):
            part = round(value, 3) if isinstance(value, float) else value
            if part != usual[name]:
                found[name] = part
        return found


def recorded_reply(reply: Reply, pace: Pace = (), error: Mapping[str, Any] | None = None) -> RecordedReply:
    """Return what is stored of a reply; ids of requests and messages are not.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> recorded_reply(Reply(blocks=({"type": "text", "text": "Hi"},), complete=True)).as_json()
    {'content': ({'type': 'text', 'text': 'Hi'},)}
    """
    return RecordedReply(
        content=reply.blocks,
        model=reply.model,
        region=reply.region,
        stop_reason=reply.stop_reason,
        stop_sequence=reply.stop_sequence,
        stop_details=reply.stop_details,
        usage=reply.usage.raw,
        other_events=reply.other_events,
        complete=reply.complete,
        seconds=reply.seconds,
        first_token_seconds=reply.first_token_seconds,
        pace=pace,
        error=error,
        tool_results=tuple(
            {**call.block, "seconds": call.seconds and max(round(call.seconds, 3), 0.001)}
            for call in reply.tool_calls
        ),
    )


def tool_calls_of(recorded: RecordedReply) -> tuple[ToolCall, ...]:
    """Return the calls of functions in a recorded reply, with what they were answered with.

    >>> use = {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 2}}
    >>> result = {"type": "tool_result", "tool_use_id": "t1", "content": "4"}
    >>> [call.result for call in tool_calls_of(RecordedReply(content=[use], tool_results=[result]))]
    ['4']
    """
    from vertex_claude_magic.vertex.tool_call import ToolCall

    # A file may have been written by anybody: a call without an id has no result.
    uses = {
        str(block["id"]): block
        for block in recorded.content
        if block.get("type") == "tool_use" and "id" in block
    }
    found = list[ToolCall]()
    for result in recorded.tool_results:
        use = uses.get(str(result.get("tool_use_id")))
        if use is None:
            continue
        seconds, content, given = result.get("seconds"), result.get("content"), use.get("input")
        content = content if isinstance(content, (str, list, tuple)) else ""
        found.append(
            ToolCall(
                id=str(use["id"]),
                name=str(use.get("name")),
                arguments=given if isinstance(given, Mapping) else {},
                result=content,
                is_error=result.get("is_error") is True,
                seconds=float(seconds) if isinstance(seconds, (int, float)) else 0.0,
                content=content,
                replayed=True,
            )
        )
    return tuple(found)


def error_fields(error: ClaudeError, project: str) -> dict[str, Any]:
    """Return what is stored of an error: no detail of the server's, and no project.

    >>> from vertex_claude_magic.errors import PermissionDenied
    >>> error_fields(PermissionDenied("Not in projects/p-1.", cure="Ask.", details={"status": 403}), "p-1")
    {'type': 'PermissionDenied', 'message': 'Not in projects/your-project.', 'cure': 'Ask.', 'status': 403}
    """
    texts = {"message": error.message, "cure": error.cure}
    anonymous = {
        name: re.sub(_NUMBER, "0", text.replace(project, "your-project")) for name, text in texts.items()
    }
    return {"type": type(error).__name__, **anonymous, **({"status": error.status} if error.status else {})}


def error_of(recorded: RecordedReply) -> ClaudeError | None:
    """Return the error that ended the answer, None if it ended well."""
    if recorded.error is None:
        return None
    kind = getattr(errors, str(recorded.error.get("type")), errors.APIError)
    known = isinstance(kind, type) and issubclass(kind, errors.ClaudeError)
    status = recorded.error.get("status")
    return (kind if known else errors.APIError)(
        str(recorded.error.get("message")),
        cure=str(recorded.error.get("cure")),
        details={"status": status} if isinstance(status, int) else {},
    )


def read_recorded_reply(value: Json) -> RecordedReply:
    """Read a recorded reply from JSON that may come from anybody.

    Raises:
        RecordingInvalid: it is not an answer; the message names the field.

    >>> read_recorded_reply({"content": [{"type": "text", "text": "Hi"}], "seconds": 1.5}).seconds
    1.5
    """
    if not isinstance(value, Mapping):
        raise _unfit("answer", "an object")
    found: dict[str, Any] = {}
    for name, part in value.items():
        if name in {"content", "other_events", "tool_results"}:
            found[name] = _objects(name, part)
        elif name == "pace":
            blocks = part if isinstance(part, (list, tuple)) else ()
            counts = [tuple(each) if isinstance(each, (list, tuple)) else () for each in blocks]
            numbers = list(chain.from_iterable(counts))
            # Without a step of Python for each of them: a long answer came in hundreds of pieces.
            if set(map(type, numbers)) - {int} or (
                numbers and not 0 <= min(numbers) <= max(numbers) <= 10**9
            ):
                raise _unfit("pace", "lists of whole numbers")
            found[name] = tuple(counts)
        elif name == "seconds" or (name == "first_token_seconds" and part is not None):
            # A `bool` is an `int` of Python; a NaN is in no range.
            if isinstance(part, bool) or not isinstance(part, (int, float)) or not 0 <= part <= _LONGEST_WAIT:
                raise _unfit(name, "a number of seconds")
            found[name] = float(part)
        elif name in RecordedReply._fields:
            kind, wanted = _KINDS.get(name, ((str, type(None)), "a string"))
            if not isinstance(part, kind):
                raise _unfit(name, wanted)
            found[name] = part
    return RecordedReply(**found)


def _objects(name: str, value: Json) -> tuple[Mapping[str, Any], ...]:
    if not isinstance(value, (list, tuple)) or len(value) > _MOST_BLOCKS:
        raise _unfit(name, f"a list of at most {_MOST_BLOCKS:,} objects")
    for part in value:
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            raise _unfit(name, "a list of objects with a type")
        for key in ("text", "thinking"):
            if part["type"] == key and not isinstance(part.get(key, ""), str):
                raise _unfit(name, f"a list of blocks whose {key} is a string")
    return tuple(value)


def _unfit(name: str, wanted: str) -> errors.RecordingInvalid:
    return errors.RecordingInvalid(
        f"The field {name!r} of an answer is not {wanted}.",
        cure="Get the file again from its source, or record it again.",
    )


def steps(recorded: RecordedReply, message_id: str | None = None) -> Iterator[Step]:
    """Return the events of the answer, each with the seconds to wait before it.

    They add up to the reply that was recorded.
    """
    from copy import deepcopy

    from vertex_claude_magic.vertex.blocks import part_events, take_apart

    # Copies, because a reply belongs to its user, and the recorded reply may be stored again.
    usage, content, other_events, stop_details = deepcopy(
        (recorded.usage, recorded.content, recorded.other_events, recorded.stop_details)
    )
    message = {"id": message_id, "type": "message", "role": "assistant", "model": recorded.model}
    start: dict[str, Any] = {"message": {**message, "content": [], "usage": usage}}
    yield 0.0, Event("message_start", {"type": "message_start", **start})
    for index, block in enumerate(content):
        part = take_apart(block, closing=False)
        pace = recorded.pace[index] if index < len(recorded.pace) else ()
        # The first wait is that of the start, the others those of the pieces.
        pieces, waits, at = list[str](), [0.0], 0
        for length, milliseconds in zip(pace[::2], pace[1::2], strict=False):
            if at < len(part.text) and length:
                pieces.append(part.text[at : at + length])
                waits.append(milliseconds / 1000)
                at += length
        if at < len(part.text):
            # After an edit by hand the rest comes in one piece.
            pieces.append(part.text[at:])
        left = iter(waits)
        for data in part_events(index, part, pieces):
            yield next(left, 0.0), Event(data["type"], data)
    for event in other_events:
        yield 0.0, Event(event["type"], dict(event))
    if recorded.complete:
        delta = {"stop_reason": recorded.stop_reason, "stop_sequence": recorded.stop_sequence,
                 "stop_details": stop_details}  # fmt: skip
        yield 0.0, Event("message_delta", {"type": "message_delta", "delta": delta, "usage": usage})
        yield 0.0, Event("message_stop", {"type": "message_stop"})
