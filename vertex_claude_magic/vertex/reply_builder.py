"""The fold of a stream into a `Reply`.

It follows the streaming page of the Messages API: a `message_start`, then content blocks that
grow by deltas, then a `message_delta` with the stop reason and cumulative usage, then `message_stop`.
Kinds of events, deltas and blocks that are not known here are kept or passed over, never fatal,
because the API promises to add some.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.vertex.events import PIECES
from vertex_claude_magic.vertex.reply import Reply, usage_from

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.events import Event
    from vertex_claude_magic.vertex.reply import Usage

__all__ = ["ReplyBuilder"]

# What a block must have been whose start never came, by the first delta that did.
_START_KIND = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
    "compaction_delta": "compaction",
}
# Fields of a whole message that `Reply` has no place of its own for.
_EXTRAS = ("context_management", "input_transformations", "container", "diagnostics")
# Pieces between two times that they are joined.
_JOINED_AT = 1024
_LARGEST_BYTE = 255
# Unknown events of a long stream must not fill the memory.
_MAX_OTHER_EVENTS = 1000


def _string(value: Json) -> str:
    return value if isinstance(value, str) else ""


class _GrowingBlock:
    """One content block while it grows; pieces are joined when somebody looks, and when there are many."""

    __slots__ = ("content", "joined", "pieces")

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.pieces: dict[str, list[str]] = {}
        # For each key what the first entries of its list are: how many, and how long the pieces were that they hold,
        # in a byte each as long as none is longer than 255.
        self.joined: dict[str, tuple[int, array[int]]] = {}

    def join(self) -> None:
        """Join the pieces that came since the last time: a short text takes ten times the memory of its letters."""
        for key, pieces in self.pieces.items():
            done, lengths = self.joined.get(key, (0, array("B")))
            if len(pieces) > done:
                new = [len(piece) for piece in pieces[done:]]
                if lengths.typecode == "B" and max(new) > _LARGEST_BYTE:
                    lengths = array("I", lengths)
                lengths.extend(new)
                pieces[done:] = ["".join(pieces[done:])]
                self.joined[key] = (done + 1, lengths)

    def lengths(self) -> list[int]:
        """How long the pieces were, in characters."""
        found: list[int] = []
        for key, pieces in self.pieces.items():
            done, lengths = self.joined.get(key, (0, ()))
            found += [*lengths, *map(len, pieces[done:])]
        return found

    def snapshot(self) -> dict[str, Any]:
        block = dict(self.content)
        for key, pieces in self.pieces.items():
            joined = "".join(pieces)
            if key == "partial_json":
                block.update(_tool_input(joined, block))
            else:
                block[key] = _string(block.get(key)) + joined
        return block


def _tool_input(text: str, block: Mapping[str, Any]) -> dict[str, Any]:
    if not text:
        return {"input": block.get("input") or {}}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    # Cut by max_tokens or broken: nobody may run a tool on half an input, so it stays text.
    return {"input": value} if isinstance(value, dict) else {"input": {}, "partial_json": text}


class ReplyBuilder:
    """Fold the events of one stream into a `Reply`.

    >>> from vertex_claude_magic.vertex.events import Event
    >>> builder = ReplyBuilder()
    >>> builder.add(Event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}}))
    >>> builder.reply().text
    'Hi'
    """

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, _GrowingBlock] = {}
        self._order: list[tuple[int, _GrowingBlock]] = []
        self._others: list[Mapping[str, Any]] = []
        self.complete = False
        # How many pieces have been appended so far.
        self.appended = 0

    def add(self, event: Event) -> None:
        """Take one more event; unknown kinds are kept, events after the end are ignored."""
        kind, data = event
        if self.complete:
            return
        if kind == "content_block_delta":
            self._delta(data)
        elif kind == "content_block_start":
            self._start(data)
        elif kind == "message_start":
            self._open(data.get("message"))
        elif kind == "message_delta":
            self._message_delta(data)
        elif kind == "message_stop":
            self.complete = True
        elif kind not in {"content_block_stop", "ping"}:
            self._keep(data)

    def add_message(self, message: Mapping[str, Any]) -> None:
        """Take a whole message at once, as an answer that was not streamed arrives."""
        self._open(message)
        self.complete = True

    def reply(self, *, usage: Usage | None = None, **known: Any) -> Reply:
        """The reply so far.

        Args:
            usage: `self.usage`, where the caller has it.
            known: Fields that the stream does not carry (region, seconds), or that replace one of it (model).
        """
        message = self._message
        details = message.get("stop_details")
        extras = {name: message[name] for name in _EXTRAS if message.get(name) is not None}
        # An answer that is played again brings the event that was made here the first time.
        made = "message" in [event.get("type") for event in self._others]
        rest = ({"type": "message", **extras},) if extras and not made else ()
        blocks = [block.snapshot() for _, block in sorted(self._order, key=itemgetter(0))]
        return Reply(
            blocks=tuple(blocks),
            stop_reason=_string(message.get("stop_reason")) or None,
            stop_sequence=_string(message.get("stop_sequence")) or None,
            stop_details=details if isinstance(details, Mapping) else None,
            message_id=_string(message.get("id")) or None,
            complete=self.complete,
            other_events=(*self._others, *rest),
            usage=self.usage if usage is None else usage,
            **{"model": self.model, **known},
        )

    @property
    def model(self) -> str:
        """The model that the service says it used, empty before it has."""
        return str(self._message.get("model") or "")

    @property
    def usage(self) -> Usage:
        """The tokens so far."""
        return usage_from(self._usage)

    def pieces(self) -> list[list[int]]:
        """How long the pieces were that each block arrived in, in characters."""
        blocks = [block for _, block in sorted(self._order, key=itemgetter(0))]
        return [block.lengths() for block in blocks]

    def _open(self, message: Json) -> None:
        if not isinstance(message, Mapping):
            return
        self._message.update(message)
        self._merge_usage(message.get("usage"))
        content = message.get("content")
        for index, block in enumerate(content if isinstance(content, list) else ()):
            self._start({"index": index, "content_block": block})

    def _start(self, data: Mapping[str, Any]) -> None:
        block = data.get("content_block")
        if isinstance(block, Mapping):
            self._place(self._index(data, max(self._blocks, default=-1) + 1), _GrowingBlock(dict(block)))

    def _place(self, index: int, block: _GrowingBlock) -> None:
        # A second block under a taken index hides the first one from deltas, but both are in the reply.
        self._blocks[index] = block
        self._order.append((index, block))

    def _index(self, data: Mapping[str, Any], otherwise: int) -> int:
        index = data.get("index")
        return index if isinstance(index, int) else otherwise

    def _delta(self, data: Mapping[str, Any]) -> None:
        delta = data.get("delta")
        if not isinstance(delta, dict):
            return
        try:
            kind, block = delta["type"], self._blocks.get(data["index"])
            key = PIECES.get(kind)
        except (KeyError, TypeError):
            # A delta without an index belongs to the block that came last.
            index = self._index(data, max(self._blocks, default=0))
            self._delta({**data, "index": index, "delta": {**delta, "type": str(delta.get("type"))}})
            return
        if key is None:
            self._whole_delta(kind, delta, data)
        elif isinstance(piece := delta.get(key), str):
            block = block or self._block_of(data, kind)
            pieces = block.pieces.get(key)
            if pieces is None:
                pieces = block.pieces[key] = []
            pieces.append(piece)
            self.appended = appended = self.appended + 1
            if not appended % _JOINED_AT:
                block.join()

    def _block_of(self, data: Mapping[str, Any], kind: str) -> _GrowingBlock:
        index = self._index(data, max(self._blocks, default=0))
        if index not in self._blocks:
            # A delta whose block never started: the text is worth more than the protocol.
            self._place(index, _GrowingBlock({"type": _START_KIND[kind]}))
        return self._blocks[index]

    def _whole_delta(self, kind: str, delta: dict[str, Any], data: Mapping[str, Any]) -> None:
        if kind not in _START_KIND:
            self._keep(data)
            return
        content = self._block_of(data, kind).content
        if kind == "signature_delta":
            content["signature"] = delta.get("signature")
        elif kind == "compaction_delta":
            content.update({key: value for key, value in delta.items() if key != "type"})
        elif isinstance(citation := delta.get("citation"), Mapping):
            former = content.get("citations")
            content["citations"] = [*(former if isinstance(former, list) else ()), citation]

    def _message_delta(self, data: Mapping[str, Any]) -> None:
        delta = data.get("delta")
        if isinstance(delta, Mapping):
            self._message.update({key: value for key, value in delta.items() if value is not None})
        self._merge_usage(data.get("usage"))
        if set(data) - {"type", "delta", "usage"}:
            self._keep(data)

    def _merge_usage(self, usage: Json) -> None:
        # Later values are cumulative; a null or missing one keeps what was said before.
        if isinstance(usage, Mapping):
            self._usage.update({key: value for key, value in usage.items() if value is not None})

    def _keep(self, data: Mapping[str, Any]) -> None:
        if data and len(self._others) < _MAX_OTHER_EVENTS:
            self._others.append(data)
