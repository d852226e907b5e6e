"""What came back: the values `Reply` and `Usage`, and the builder that folds stream events into them.

The fold follows the streaming page of the Messages API: a `message_start`, then content blocks that
grow by deltas, then a `message_delta` with the stop reason and cumulative usage, then `message_stop`.
Kinds of events, deltas and blocks that are not known here are kept or passed over, never fatal,
because the API promises to add some.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vertex_claude_magic.vertex.origin import Origin
    from vertex_claude_magic.vertex.sse import Event

__all__ = ["Reply", "ReplyBuilder", "Usage", "usage_from"]


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheCreation:
    """Tokens written to the prompt cache, by the time that they live."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerToolUse:
    """How often the service's own tools ran."""

    web_search_requests: int = 0
    web_fetch_requests: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputTokensDetails:
    """What the output tokens were spent on."""

    thinking_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one reply, under the names that the Messages API uses.

    `input_tokens` counts only what was neither read from nor written to the prompt cache;
    `total_input_tokens` is the sum of the three. `raw` is the usage object as it arrived.

    >>> Usage(input_tokens=3, cache_read_input_tokens=4).total_input_tokens
    7
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputTokensDetails | None = None
    server_tool_use: ServerToolUse | None = None
    service_tier: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def total_input_tokens(self) -> int:
        """All tokens of the prompt, cached or not."""
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens

    @property
    def cached(self) -> bool:
        """Whether tokens were read from or written to the prompt cache."""
        return bool(self.cache_creation_input_tokens or self.cache_read_input_tokens)

    @property
    def uncached(self) -> Usage:
        """The same tokens as if there were no prompt cache."""
        return replace(
            self,
            input_tokens=self.total_input_tokens,
            cache_creation_input_tokens=0,
            cache_read_input_tokens=0,
            cache_creation=None,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """One answer.

    `text` is raw model text and is never sanitised; show it through the magic or the Markdown
    representation. `cost` is an estimate in USD, or None where a price is unknown; `uncached_cost` is what
    it would have been without the prompt cache, None where the cache was not used. `data` is the
    validated answer of `--as`, or the value of a JSON answer. `seconds` and
    `first_token_seconds` are wall-clock seconds from sending. `complete` is False when the stream was
    cut or stopped. `model` is the model that the service says it used. `origin` tells what it answers.
    """

    blocks: tuple[Mapping[str, Any], ...] = ()
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: Mapping[str, Any] | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float | None = None
    uncached_cost: float | None = field(default=None, repr=False)
    model: str = ""
    region: str = ""
    message_id: str | None = None
    request_id: str | None = None
    seconds: float = 0.0
    first_token_seconds: float | None = None
    replayed: bool = False
    complete: bool = False
    # Read from the blocks, and a data frame has no plain equality.
    data: Any = field(default=None, compare=False)
    origin: Origin | None = field(default=None, repr=False, compare=False)
    other_events: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """All text blocks, joined as they came."""
        return _joined(self.blocks, "text")

    @property
    def thinking(self) -> str:
        """The thinking that the service chose to show, joined; often empty."""
        return _joined(self.blocks, "thinking")

    @property
    def citations(self) -> tuple[Mapping[str, Any], ...]:
        """All citations of the text blocks, in their order."""
        return tuple(citation for block in self.blocks for citation in _list(block.get("citations")))

    @property
    def code(self) -> tuple[str, ...]:
        """The contents of the fenced code blocks of the text, in their order.

        >>> Reply(blocks=({"type": "text", "text": "So:\\n```python\\nx = 1\\n```"},)).code
        ('x = 1\\n',)
        """
        from markdown_it import MarkdownIt

        tokens = MarkdownIt("commonmark").parse(self.text)
        return tuple(token.content for token in tokens if token.type == "fence")

    @property
    def df(self) -> Any:
        """The data as a pandas data frame: a row for each element, a column for each field.

        Raises:
            OptionError: there are no data; ask with `--as`.
            MissingExtra: pandas is not installed.
        """
        from vertex_claude_magic.errors import OptionError
        from vertex_claude_magic.frame import frame_of

        if self.data is None:
            raise OptionError("This reply holds no data.", cure="Ask with --as df, or with --as and a type.")
        return frame_of(self.data)

    def __str__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        from vertex_claude_magic.markdown.sanitize import safe_markdown

        return safe_markdown(self.text)

    def __hash__(self) -> int:
        return hash((self.message_id, self.model, self.text))


def _joined(blocks: Iterable[Mapping[str, Any]], kind: str) -> str:
    return "".join(_string(block.get(kind)) for block in blocks if block.get("type") == kind)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def usage_from(raw: Mapping[str, Any]) -> Usage:
    """Read a usage object; what is missing or null counts as zero, what is unknown stays in `raw`.

    >>> usage_from({"input_tokens": 5, "cache_read_input_tokens": None}).input_tokens
    5
    """
    values: dict[str, Any] = _counts(raw, _COUNTS)
    for name, kind in _NESTED.items():
        part = raw.get(name)
        if isinstance(part, Mapping):
            values[name] = kind(**_counts(part, [entry.name for entry in fields(kind)]))
    if isinstance(raw.get("service_tier"), str):
        values["service_tier"] = raw["service_tier"]
    return Usage(**values, raw=dict(raw))


def _counts(raw: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    return {name: raw[name] for name in names if type(raw.get(name)) is int}


_NESTED: Mapping[str, type[CacheCreation | OutputTokensDetails | ServerToolUse]] = {
    "cache_creation": CacheCreation,
    "output_tokens_details": OutputTokensDetails,
    "server_tool_use": ServerToolUse,
}
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
# Deltas that append to a string of their block: the key in the delta, which is also the key in the block.
_APPENDING = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
# What a block must have been whose start never came, by the first delta that did.
_START_KIND = {
    "text_delta": "text",
    "citations_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
    "compaction_delta": "compaction",
}
_MAX_OTHER_EVENTS = 1000


class _Block:
    """One content block while it grows; pieces are joined only when somebody looks."""

    __slots__ = ("content", "pieces")

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.pieces: dict[str, list[str]] = {}

    def append(self, key: str, piece: str) -> None:
        try:
            self.pieces[key].append(piece)
        except KeyError:
            self.pieces[key] = [piece]

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

    >>> from vertex_claude_magic.vertex.sse import Event
    >>> builder = ReplyBuilder()
    >>> builder.add(Event("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}}))
    >>> builder.reply().text
    'Hi'
    """

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}
        self._order: list[tuple[int, _Block]] = []
        self._others: list[Mapping[str, Any]] = []
        self.complete = False

    def add(self, event: Event) -> None:
        """Take one more event; unknown kinds are kept, events after the end are ignored."""
        kind, data = event
        if self.complete or kind == "ping":
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
        elif kind != "content_block_stop":
            self._keep(data)

    def add_message(self, message: Mapping[str, Any]) -> None:
        """Take a whole message at once, as an answer that was not streamed arrives."""
        self._open(message)
        self.complete = True

    def reply(self, **known: Any) -> Reply:
        """The reply so far; `known` are fields that the stream does not carry (region, seconds, cost)."""
        message = self._message
        details = message.get("stop_details")
        return Reply(
            blocks=tuple(block.snapshot() for _, block in sorted(self._order, key=itemgetter(0))),
            stop_reason=_string(message.get("stop_reason")) or None,
            stop_sequence=_string(message.get("stop_sequence")) or None,
            stop_details=details if isinstance(details, Mapping) else None,
            usage=usage_from(self._usage),
            message_id=_string(message.get("id")) or None,
            complete=self.complete,
            other_events=tuple(self._others),
            **{"model": str(message.get("model") or ""), **known},
        )

    def _open(self, message: Any) -> None:
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
            self._place(self._index(data, max(self._blocks, default=-1) + 1), _Block(dict(block)))

    def _place(self, index: int, block: _Block) -> None:
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
            key = _APPENDING.get(kind)
        except (KeyError, TypeError):
            self._delta(self._legible(data, delta))
            return
        if key is None:
            self._whole_delta(kind, delta, data)
        elif isinstance(piece := delta.get(key), str):
            (block or self._block_of(data, kind)).append(key, piece)

    def _legible(self, data: Mapping[str, Any], delta: Mapping[str, Any]) -> dict[str, Any]:
        # A delta without an index belongs to the block that came last.
        index = self._index(data, max(self._blocks, default=0))
        return {**data, "index": index, "delta": {**delta, "type": str(delta.get("type"))}}

    def _block_of(self, data: Mapping[str, Any], kind: str) -> _Block:
        index = self._index(data, max(self._blocks, default=0))
        if index not in self._blocks:
            # A delta whose block never started: the text is worth more than the protocol.
            self._place(index, _Block({"type": _START_KIND[kind]}))
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
            content["citations"] = [*_list(content.get("citations")), citation]

    def _message_delta(self, data: Mapping[str, Any]) -> None:
        delta = data.get("delta")
        if isinstance(delta, Mapping):
            self._message.update({key: value for key, value in delta.items() if value is not None})
        self._merge_usage(data.get("usage"))
        if set(data) - {"type", "delta", "usage"}:
            self._keep(data)

    def _merge_usage(self, usage: Any) -> None:
        # Later values are cumulative; a null or missing one keeps what was said before.
        if isinstance(usage, Mapping):
            self._usage.update({key: value for key, value in usage.items() if value is not None})

    def _keep(self, data: Mapping[str, Any]) -> None:
        if data and len(self._others) < _MAX_OTHER_EVENTS:
            self._others.append(data)
