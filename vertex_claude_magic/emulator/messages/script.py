"""Scripted replies: what the emulator answers in a test or a lesson, and the file with them.

A script file is JSON, a list of `{"match": "words of the prompt", "reply": ..., "fault": {...}}`.
An entry with `match` answers every prompt that contains those words, with `model` ("haiku") only those
for a model whose id holds that; an entry without `match` answers once, in the order of the file. A file
named `*.sse` is one raw event stream that answers every prompt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.emulator.http.faults import Fault, as_fault
from vertex_claude_magic.emulator.messages.parts import Answer, events, parts, sse
from vertex_claude_magic.emulator.messages.tokens import CHARACTERS_PER_TOKEN
from vertex_claude_magic.errors import OptionError

if TYPE_CHECKING:
    import os

    from vertex_claude_magic.json_types import Json

__all__ = ["Flood", "Reply", "Script", "as_reply", "load_script"]

Content = str | bytes | dict[str, Any] | list[dict[str, Any]] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One scripted reply, delivered well or with a fault.

    Args:
        content: A text; a content block, a list of them, a whole message, or a list of stream events
            (these two are sent as they are); the raw bytes of an event stream; None for the canned answer.
        stop_reason: Why a text or a list of blocks ends.
        fault: How the delivery goes wrong.
        match: Words of the prompt that this reply answers, in a script file.
        model: Part of the id of the model that this reply answers for, in a script file; every model by default.
    """

    content: Content = None
    stop_reason: str | None = None
    fault: Fault | None = None
    match: str | None = None
    model: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flood:
    """A reply of `count` text deltas, each of `text`; `per_second` of them, or all at once.

    >>> len(list(Flood(count=3, text="x").pieces("msg_1", "claude-x", {})))
    9
    """

    count: int
    text: str = "word "
    per_second: float | None = None

    @property
    def interval(self) -> float:
        """Seconds between two deltas."""
        return 1 / self.per_second if self.per_second else 0.0

    def answer(self) -> Answer:
        """The whole answer, for a request that does not stream."""
        return Answer(parts=parts([{"type": "text", "text": self.text * self.count}]))

    def pieces(self, message_id: str, model: str, usage: Mapping[str, Any]) -> Iterator[bytes]:
        """The events of the stream as bytes, the deltas encoded once for all."""
        empty = Answer(parts=parts([{"type": "text", "text": ""}]))
        whole = list(events(empty, message_id=message_id, model=model, usage=usage))
        whole[-2]["usage"]["output_tokens"] = -(-len(self.text) * self.count // CHARACTERS_PER_TOKEN)
        frame = [sse(event) for event in whole]
        delta = {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": self.text},
        }
        return chain(frame[:3], repeat(sse(delta), self.count), frame[3:])


Scripted = Reply | Flood
# What `Emulator.answer` takes.
Answerable = Scripted | Fault | Content


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """The replies of a script file."""

    matching: tuple[Reply, ...] = ()
    ordered: tuple[Reply, ...] = ()

    def match(self, prompt: str, model: str = "") -> Reply | None:
        """The first reply whose words occur in the prompt, and whose model in the id of the model.

        >>> Script(matching=(Reply(match="colour", content="blue"),)).match("Which colour?").content
        'blue'
        """
        fits = (each for each in self.matching if (each.match or "") in prompt and each.model in model)
        return next(fits, None)


def as_reply(value: Answerable) -> Scripted:
    """Read a reply from what `Emulator.answer` takes.

    >>> as_reply("Hello").content
    'Hello'
    """
    if isinstance(value, (Reply, Flood)):
        return value
    if isinstance(value, Fault):
        return Reply(fault=value)
    if value is None or isinstance(value, (str, bytes, Mapping, list)):
        return Reply(content=dict(value) if isinstance(value, Mapping) else value)
    raise OptionError(
        f"The emulator cannot answer with a {type(value).__name__}.",
        cure="Give a string, content blocks, a message, stream events, bytes, a Reply, a Flood or a Fault.",
    )


def load_script(path: str | os.PathLike[str]) -> Script:
    """Read a script file.

    Raises:
        OptionError: The file cannot be read, or is not a script.
    """
    file = Path(path)
    try:
        data = file.read_bytes()
        # A recorded stream is played as it is, whatever it holds.
        if file.suffix == ".sse":
            return Script(matching=(Reply(match="", content=data),))
        return _script(json.loads(data))
    except (OSError, ValueError, TypeError) as error:
        raise OptionError(f"The script {file} cannot be used: {error}.", cure=_SCRIPT_CURE) from error


_SCRIPT_CURE = 'Write a JSON list such as [{"match": "words of the prompt", "reply": "the answer"}].'


def _script(entries: Json) -> Script:
    if not isinstance(entries, list):
        raise TypeError("it is not a list")
    replies = []
    for entry in entries:
        if not isinstance(entry, Mapping) or not {"reply", "fault"} & set(entry):
            raise TypeError("an entry has neither reply nor fault")
        if unknown := set(entry) - {"match", "model", "reply", "fault", "stop_reason"}:
            raise ValueError(f"an entry has an unknown field {min(unknown)}")
        reply = Reply(
            match=entry.get("match"),
            model=str(entry.get("model", "")),
            content=entry.get("reply"),
            fault=as_fault(entry["fault"]) if "fault" in entry else None,
            stop_reason=entry.get("stop_reason"),
        )
        replies.append(reply)
    return Script(
        matching=tuple(reply for reply in replies if reply.match is not None),
        ordered=tuple(reply for reply in replies if reply.match is None),
    )
