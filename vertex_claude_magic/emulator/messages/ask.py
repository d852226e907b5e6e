"""One call to a Claude model as the service sees it: `Ask`, and what can be read off it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

from vertex_claude_magic.emulator.http.response import at
from vertex_claude_magic.vertex.blocks import content_blocks

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.model import Model

__all__ = ["Ask", "Route", "blocks_of", "route"]

_ROUTE = re.compile(
    r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)"
    r"/publishers/(?P<publisher>[^/]+)/models/(?P<model>[^/]+):(?P<verb>\w+)"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The path of a call, taken apart and decoded."""

    project: str
    location: str
    model: str
    publisher: str = "anthropic"
    verb: str = "rawPredict"

    @property
    def counting(self) -> bool:
        """Whether the call counts tokens; the model is in the body then."""
        return self.model == "count-tokens"

    @property
    def streaming(self) -> bool:
        """Whether the verb is the one that streams."""
        return self.verb == "streamRawPredict"

    def resource(self, model: str) -> str:
        """The path of a model in this place, as Google's errors name it."""
        return f"projects/{self.project}/locations/{self.location}/publishers/{self.publisher}/models/{model}"


def route(path: str) -> Route | None:
    """Take the path of a call apart, or return None if it is not such a path.

    >>> route("/v1/projects/p/locations/us/publishers/anthropic/models/claude-x%40default:rawPredict").model
    'claude-x@default'
    """
    found = _ROUTE.fullmatch(path)
    return Route(**{name: unquote(part) for name, part in found.groupdict().items()}) if found else None


class History(Protocol):
    """What a call may ask of the answers before it; `history.py` has it."""

    def remember(self, ask: Ask, answer: Mapping[str, Any]) -> None:
        """Take note of an answer (a whole message) to a request."""

    def paused(self, message: Mapping[str, Any]) -> bool:
        """Whether an assistant message is, or ends with, the whole content of a turn that was paused."""

    def mismatches(self, ask: Ask) -> Iterator[tuple[str, str]]:
        """Return place and reason of each thinking block that the service cannot take as it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A call with its body, the model it is for, the betas of its header, and what was answered before.

    `demo` asks for the written answers of the demo where no reply was scripted.
    """

    route: Route
    body: Mapping[str, Any]
    model: Model
    catalog: Catalog
    betas: tuple[str, ...] = field(default=())
    history: History | None = field(default=None, compare=False)
    demo: bool = False

    @property
    def messages(self) -> list[Any]:
        """The messages of the body, or an empty list if they are not a list."""
        messages = self.body.get("messages")
        return messages if isinstance(messages, list) else []

    @property
    def thinks(self) -> bool:
        """Whether the model thinks before it answers this request."""
        kind = at(self.body, "thinking", "type")
        return self.model.rules.thinking_default != "off" if kind is None else kind in ("enabled", "adaptive")

    @property
    def shows_thinking(self) -> bool:
        """Whether the thinking arrives as text.

        From Opus 4.7 on, the models that take no sampling parameters, it does so only on request,
        says the page "What's new in Claude Opus 5.5".
        """
        display = at(self.body, "thinking", "display")
        return display == "summarized" or (display is None and self.model.rules.sampling)

    @property
    def effort(self) -> Json:
        """The effort that was asked for."""
        return at(self.body, "output_config", "effort")

    @property
    def drops_thinking(self) -> bool:
        """Whether thinking blocks that do not fit what is before them shall be dropped, not refused."""
        return at(self.body, "thinking", "block_binding", "prefix_mismatch_behavior") == "drop_block"

    @property
    def schema(self) -> Json:
        """The JSON schema that the answer must have, or None."""
        return at(self.body, "output_config", "format", "schema")

    @property
    def tools(self) -> list[Mapping[str, Any]]:
        """The tools that the client runs itself."""
        # Tools of the service have a type of their own.
        tools = self.body.get("tools") or []
        return [tool for tool in tools if tool.get("type", "custom") == "custom"]

    @property
    def prompt(self) -> str:
        """The text of the last user message."""
        users = [entry for entry in self.messages if entry.get("role") == "user"]
        texts = blocks_of(users[-1]) if users else []
        return "\n".join(str(block.get("text", "")) for block in texts if block.get("type") == "text")


def blocks_of(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The content blocks of a message; a bare string is one text block.

    >>> blocks_of({"role": "user", "content": "hello"})
    [{'type': 'text', 'text': 'hello'}]
    """
    return content_blocks(message.get("content"))


def all_blocks(messages: list[Any]) -> Iterator[Mapping[str, Any]]:
    """Every content block of a conversation, in order."""
    for message in messages:
        if isinstance(message, Mapping):
            yield from blocks_of(message)
