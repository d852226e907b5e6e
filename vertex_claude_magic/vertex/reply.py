"""What came back: the values `Reply` and `Usage`, under the names of the Messages API, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import add
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from vertex_claude_magic.models.prices import rate
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.text import number_of, quote

if TYPE_CHECKING:
    import pandas as pd

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.model import Model
    from vertex_claude_magic.vertex.provenance import Lineage
    from vertex_claude_magic.vertex.tool_call import ToolCall

__all__ = [
    "CacheCreation",
    "OutputTokensDetails",
    "Reply",
    "ServerToolUse",
    "Usage",
    "answerer_of",
    "cost",
    "usage_from",
]


class CacheCreation(NamedTuple):
    """Tokens written to the prompt cache, by the time that they live."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class ServerToolUse(NamedTuple):
    """How often the service's own tools ran."""

    web_search_requests: int = 0
    web_fetch_requests: int = 0


class OutputTokensDetails(NamedTuple):
    """What the output tokens were spent on."""

    thinking_tokens: int = 0


_Counts = TypeVar("_Counts", CacheCreation, OutputTokensDetails, ServerToolUse)


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Tokens of one reply, under the names that the Messages API uses.

    `input_tokens` counts only what was neither read from nor written to the prompt cache;
    `total_input_tokens` is the sum of the three. `raw` is the usage object as it arrived. The service counts
    `output_tokens` at the end: in the reply of an answer that was stopped it is what came with the first event,
    mostly 1, and no count of what was written. `iterations` has what the service reports of each of its steps, with a
    `type`; what a step of the type "compaction" took is in none of the other fields.

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
    speed: str | None = None
    service_tier: str | None = None
    type: str | None = None
    iterations: tuple[Usage, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def counted(self) -> bool:
        """Whether the service has said how many tokens it read and wrote; some gateways do not."""
        return len(_counts(self.raw, ("input_tokens", "output_tokens"))) == 2

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

    def __add__(self, other: Usage) -> Usage:
        """Return the tokens of two requests that are rounds of one question; what is no number is that of the second.

        >>> both = Usage(output_tokens=3) + Usage(output_tokens=4, server_tool_use=ServerToolUse(2))
        >>> both.output_tokens, both.server_tool_use.web_search_requests
        (7, 2)
        """
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_creation_input_tokens=self.cache_creation_input_tokens + other.cache_creation_input_tokens,
            cache_read_input_tokens=self.cache_read_input_tokens + other.cache_read_input_tokens,
            cache_creation=_both(self.cache_creation, other.cache_creation),
            output_tokens_details=_both(self.output_tokens_details, other.output_tokens_details),
            server_tool_use=_both(self.server_tool_use, other.server_tool_use),
            speed=other.speed or self.speed,
            service_tier=other.service_tier or self.service_tier,
            iterations=self.iterations + other.iterations,
            raw=_merged(self.raw, other.raw),
        )


def _both(first: _Counts | None, second: _Counts | None) -> _Counts | None:
    if first is None or second is None:
        return second or first
    return type(second)(*map(add, first, second))


def _merged(first: Mapping[str, Json], second: Mapping[str, Json]) -> dict[str, Json]:
    """Return the second usage object with its numbers, also those within, added to the numbers of the first."""
    merged = {**first, **second}
    for name, former in first.items():
        value = second.get(name)
        if type(former) is int and type(value) is int:
            merged[name] = former + value
        elif isinstance(former, dict) and isinstance(value, dict):
            merged[name] = _merged(former, value)
    return merged


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer.

    `text` is raw model text and is never sanitised; show it through the magic or the Markdown
    representation. `cost` is an estimate in USD, or None where a price is unknown; `uncached_cost` is what
    it would have been without the prompt cache, None where the cache was not used. `data` is the
    validated answer of `--as`, or the value of a JSON answer. `seconds` and
    `first_token_seconds` are wall-clock seconds from sending. `complete` is False when the stream was
    cut or stopped. `model` is the model that the service says it used. A `replayed` answer came from a
    record: nothing was sent and it cost nothing, its tokens and times are those of the first time, and
    `recorded_at` says when that was (UTC, ISO 8601) and `recorded_from` who answered: "vertex", "gateway",
    "local" (a server on a machine) or "emulator". `lineage` tells which question it answers, and `question` is the
    body of the request that it answers, for a follow-up. In a conversation `chat` is its name and `turn` the number
    of this turn, from 1; `follows` says what a follow-up (`--after`) follows. `tool_calls` are the calls of Python
    functions in all rounds, in their order.
    """

    # What a cell of a table shows of it in a prompt (`frames.cells`), as a prompt does: no times, ids and costs.
    _in_cells: ClassVar[str] = "text"

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
    recorded_at: str | None = field(default=None, compare=False)
    recorded_from: str | None = field(default=None, compare=False)
    complete: bool = False
    # Read from the blocks, and a data frame has no plain equality.
    data: Any = field(default=None, compare=False)
    lineage: Lineage | None = field(default=None, repr=False, compare=False)
    other_events: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    chat: str | None = field(default=None, compare=False)
    turn: int | None = field(default=None, compare=False)
    follows: str | None = field(default=None, repr=False, compare=False)
    question: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)
    tool_calls: tuple[ToolCall, ...] = ()
    # The model as a page names it, by the model table of the question; empty where that does not know it.
    model_name: str = field(default="", repr=False, compare=False)
    # Of an answer in several rounds: the reply of each, the last one included.
    parts: tuple[Reply, ...] = field(default=(), repr=False, compare=False)

    @property
    def rounds(self) -> tuple[Reply, ...]:
        """The replies of one question, one for each request, the last one included.

        `usage`, `cost` and `seconds` of this reply are their sums; a plain answer has one round.

        >>> [each.text for each in Reply(blocks=({"type": "text", "text": "Hi"},)).rounds]
        ['Hi']
        """
        return self.parts or (self,)

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
        lists = (block.get("citations") for block in self.blocks)
        return tuple(citation for cited in lists if isinstance(cited, list) for citation in cited)

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
    def df(self) -> pd.DataFrame | None:
        """The data as a pandas data frame: a row for each element, a column for each field; None without data.

        Raises:
            MissingExtra: pandas is not installed.
        """
        # No error: hasattr, debuggers and whatever else reads all attributes would raise it.
        if self.data is None:
            return None
        from vertex_claude_magic.frames.make import frame_of

        return frame_of(self.data)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        """Return it in one line; each field can be looked at by its name.

        >>> usage = Usage(input_tokens=9, output_tokens=3)
        >>> Reply(blocks=({"type": "text", "text": "Four."},), model="claude-opus-5-5", usage=usage, complete=True)
        <Reply claude-opus-5-5, 12 tokens: 'Four.'>
        """
        usage = self.usage
        tokens = number_of(usage.total_input_tokens + usage.output_tokens, "token")
        partial = "" if self.complete else ", not complete"
        return f"<Reply {quote(self.model, 60)}, {tokens}{partial}: {quote(self.text, 60)!r}>"

    def _repr_markdown_(self) -> str:
        from vertex_claude_magic.markdown.sanitize import safe_markdown

        return safe_markdown(self.text)

    def __hash__(self) -> int:
        return hash((self.message_id, self.model, self.text))


def answerer_of(reply: Reply) -> str | None:
    """Return who wrote an answer, a word of `provenance.answered_by`; None where nobody knows.

    >>> answerer_of(Reply(recorded_from="emulator"))
    'emulator'
    """
    return reply.recorded_from or (reply.lineage.answered_by if reply.lineage is not None else None)


def _joined(blocks: Iterable[Mapping[str, Any]], kind: str) -> str:
    texts = [block.get(kind) for block in blocks if block.get("type") == kind]
    return "".join([text for text in texts if isinstance(text, str)])


def usage_from(raw: Mapping[str, Any]) -> Usage:
    """Read a usage object; what is missing or null counts as zero, what is unknown stays in `raw`.

    >>> usage_from({"input_tokens": 5, "cache_read_input_tokens": None}).input_tokens
    5
    """
    values: dict[str, Any] = _counts(raw, _COUNTS)
    for name, kind in _NESTED.items():
        part = raw.get(name)
        if isinstance(part, Mapping):
            values[name] = kind(**_counts(part, kind._fields))
    for name in ("service_tier", "speed", "type"):
        if isinstance(raw.get(name), str):
            values[name] = raw[name]
    if isinstance(steps := raw.get("iterations"), (list, tuple)):
        # A step has none of its own, and a deeper one would be no answer of the service.
        plain = [{**step, "iterations": None} for step in steps if isinstance(step, Mapping)]
        values["iterations"] = tuple(map(usage_from, plain))
    return Usage(**values, raw=dict(raw))


def _counts(raw: Mapping[str, Any], names: Iterable[str]) -> dict[str, int]:
    return {name: raw[name] for name in names if type(raw.get(name)) is int and 0 <= raw[name] < _MOST_TOKENS}


_NESTED: Mapping[str, type[CacheCreation | OutputTokensDetails | ServerToolUse]] = {
    "cache_creation": CacheCreation,
    "output_tokens_details": OutputTokensDetails,
    "server_tool_use": ServerToolUse,
}
# No answer has as many tokens, and whatever stores or prices a number takes this one.
_MOST_TOKENS = 10**12
_COUNTS = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def cost(model: Model, location: str, usage: Usage, *, batch: bool = False) -> float | None:
    """Return what one answer cost in USD, or None where a price that it needs is unknown.

    The batch discount is taken from every token price (Google Cloud docs, Batch predictions with Claude
    models, 2026-11), and fast mode multiplies every one (Google Cloud docs, Fast mode for Claude models,
    2026-11). The fee of a web search is an add-on that gets neither discount nor premium.

    Args:
        model: The row of the model that answered.
        location: The location that served the request.
        usage: The usage object of the reply.
        batch: Whether the answer came from batch prediction.

    >>> from vertex_claude_magic.models.catalog import Catalog
    >>> sonnet = Catalog.load().find("claude-sonnet-5-5")
    >>> cost(sonnet, "global", Usage(input_tokens=1_000, output_tokens=500))
    0.007
    """
    # A step that is no message is not in the other numbers (anthropic 2.14.0, `BetaUsage.iterations`).
    beside = [step for step in usage.iterations if step.type != "message"]
    # What an advisor or a fallback took has the price of another model.
    if {step.type for step in beside} - {"compaction"}:
        return None
    parts: list[tuple[int, float | None]] = []
    for used in (usage, *beside):
        one_hour = used.cache_creation.ephemeral_1h_input_tokens if used.cache_creation else 0
        counts = {
            "input": used.input_tokens,
            "output": used.output_tokens,
            # What the detail leaves unexplained was written for five minutes, the default of the API.
            "cache_write_5m": max(used.cache_creation_input_tokens - one_hour, 0),
            "cache_write_1h": one_hour,
            "cache_read": used.cache_read_input_tokens,
        }
        tier = rate(model, location, used.total_input_tokens)
        # A price that is not needed may be unknown.
        parts += [(count, getattr(tier, name, None)) for name, count in counts.items() if count]
    tools = usage.server_tool_use
    searches, fee = tools.web_search_requests if tools else 0, model.prices.web_search
    factor = model.prices.batch_factor if batch else 1.0
    pace = model.prices.fast_factor if usage.speed == "fast" else 1.0
    needed = [*[price for _, price in parts], *([fee] if searches else ())]
    if factor is None or pace is None or None in needed:
        return None
    tokens = sum([count * (price or 0.0) for count, price in parts]) / 1_000_000
    # Twelve decimals take the noise of binary fractions away and keep a token of the cheapest model exact.
    return round(tokens * factor * pace + searches * (fee or 0.0) / 1_000, 12)
