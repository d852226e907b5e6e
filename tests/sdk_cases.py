"""The requests that this package and the official SDK must build alike, as plain data.

It imports nothing but the standard library, because the recorder runs it where only the SDK is installed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROJECT = "my-project"
# A 1x1 GIF and the smallest PDF header, base64: what they show does not matter here.
GIF = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
PDF = "JVBERi0xLjQKJSVFT0YK"

HAIKU_4_5, SONNET_4_5 = "claude-haiku-4-5@20251001", "claude-sonnet-4-5@20250929"
OPUS_4_5, OPUS_4_6, OPUS_4_8 = "claude-opus-4-5@20251101", "claude-opus-4-6", "claude-opus-4-8"
SONNET_4_6, SONNET_5, SONNET_5_5 = "claude-sonnet-4-6", "claude-sonnet-5", "claude-sonnet-5-5"
OPUS_5, OPUS_5_5, HAIKU_5_5, FABLE_5_1 = (
    "claude-opus-5",
    "claude-opus-5-5",
    "claude-haiku-5-5",
    "claude-fable-5-1",
)

HELLO = [{"role": "user", "content": "Hello"}]
TURNS = [
    {"role": "user", "content": "What is 2 + 2? Umlauts: äöü, 日本語, 🎉"},
    {"role": "assistant", "content": [{"type": "text", "text": "4"}]},
    {"role": "user", "content": "And 3 + 3?"},
]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TOOL_TURNS = [
    {"role": "user", "content": "Weather in Paris?"},
    {"role": "assistant", "content": [
        {"type": "thinking", "thinking": "They want weather.", "signature": "c2ln"},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "18 °C"}]},
]  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


def user(*blocks: dict[str, Any]) -> list[dict[str, Any]]:
    """One user turn of blocks and a question."""
    return [{"role": "user", "content": [*blocks, {"type": "text", "text": "What is this?"}]}]


def source(kind: str, media: str, data: str, **more: Any) -> dict[str, Any]:
    """A block with a base64 source."""
    return {"type": kind, "source": {"type": "base64", "media_type": media, "data": data}, **more}


def cached(ttl: str) -> dict[str, str]:
    """A cache breakpoint."""
    return {"type": "ephemeral", "ttl": ttl}


@dataclass(frozen=True)
class Case:
    """One call: `kind` is create, stream or count; `body` has the fields of the Messages API."""

    name: str
    kind: str = "stream"
    model: str = SONNET_4_5
    region: str = "global"
    project: str = PROJECT
    body: dict[str, Any] = field(default_factory=dict)
    betas: tuple[str, ...] = ()
    beta_client: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """The whole body, with the fields that every call needs."""
        needed: dict[str, Any] = {"messages": HELLO}
        if self.kind != "count":
            needed["max_tokens"] = 1024
        return {**needed, **self.body}


CASES = (
    # Locations: each kind of host.
    Case("stream in global"),
    Case("stream in us", model=SONNET_5_5, region="us"),
    Case("stream in eu", model=OPUS_5, region="eu"),
    Case("stream in us-east5", region="us-east5"),
    Case("stream in europe-west1", model=HAIKU_4_5, region="europe-west1"),
    Case("stream in asia-southeast1", model=OPUS_4_6, region="asia-southeast1"),
    Case("create in global", kind="create", model=HAIKU_4_5),
    Case("create in eu", kind="create", model=SONNET_5, region="eu"),
    Case("create in us-east5", kind="create", region="us-east5"),
    # Projects and spellings of models.
    Case("domain-scoped project", project="example.com:my-project"),
    Case("bare id", model="claude-sonnet-4-5"),
    Case("id at default", model="claude-opus-5-5@default"),
    Case("newest id", kind="create", model=FABLE_5_1),
    # System prompts.
    Case("system as text", body={"system": "Answer in French. “Oui”"}),
    Case("system as blocks", model=OPUS_4_8, body={"system": [{"type": "text", "text": "Be brief."}]}),
    Case("system cached for five minutes", body={
        "system": [{"type": "text", "text": "Long.", "cache_control": cached("5m")}]}),
    Case("system cached for an hour", kind="create", model=SONNET_5, region="us", body={
        "system": [{"type": "text", "text": "Long.", "cache_control": cached("1h")}]}),
    # Turns.
    Case("several turns", body={"messages": TURNS}),
    Case("tool turns with thinking", model=OPUS_5_5, body={"messages": TOOL_TURNS, "tools": [WEATHER]}),
    Case("prefilled answer", kind="create", model=HAIKU_4_5, body={
        "messages": [*HELLO, {"role": "assistant", "content": "{"}]}),
    # Tools.
    Case("tools", model=SONNET_5, body={"tools": [WEATHER], "tool_choice": {"type": "auto"}}),
    Case("forced tool", kind="create", body={
        "tools": [WEATHER], "tool_choice": {"type": "tool", "name": "get_weather"}}),
    Case("any tool, one at a time", model=OPUS_5, body={
        "tools": [WEATHER], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}}),
    Case("no tool", model=HAIKU_5_5, body={"tools": [WEATHER], "tool_choice": {"type": "none"}}),
    Case("strict cached tool", model=OPUS_4_8, body={
        "tools": [{**WEATHER, "strict": True, "cache_control": cached("1h")}]}),
    Case("web search", model=SONNET_4_6, region="us-east5", body={
        "tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]}),
    # Images and documents.
    Case("image", model=HAIKU_4_5, body={"messages": user(source("image", "image/gif", GIF))}),
    Case("cached image", kind="create", model=OPUS_5, body={
        "messages": user(source("image", "image/gif", GIF, cache_control=cached("5m")))}),
    Case("PDF with citations", model=SONNET_4_6, body={
        "messages": user(source("document", "application/pdf", PDF, title="T", citations={"enabled": True}))}),
    Case("plain text document", body={"messages": user({
        "type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Grass is green."}})}),
    # Thinking and effort.
    Case("thinking with a budget", body={"max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 2048}}),
    Case("thinking adaptive", model=OPUS_4_6, body={"thinking": {"type": "adaptive"}}),
    Case("thinking summarised", model=OPUS_5_5, body={"thinking": {"type": "adaptive", "display": "summarized"}}),
    Case("thinking off", kind="create", model=SONNET_5, body={"thinking": {"type": "disabled"}}),
    Case("thinking between tools", model=SONNET_5_5, body={
        "thinking": {"type": "between_tools"}, "tools": [WEATHER]}),
    Case("effort", model=OPUS_5_5, region="eu", body={"output_config": {"effort": "xhigh"}}),
    Case("effort and thinking", kind="create", model=OPUS_4_5, body={
        "max_tokens": 3000, "output_config": {"effort": "low"},
        "thinking": {"type": "enabled", "budget_tokens": 1024}}),
    Case("effort and a schema", model=HAIKU_5_5, body={
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}}}),
    # The rest of the body.
    Case("metadata", body={"metadata": {"user_id": "13803d75-b4b5"}}),
    Case("stop sequences", kind="create", body={"stop_sequences": ["\n\nHuman:", "END"]}),
    Case("temperature", body={"temperature": 0.2}),
    Case("temperature zero", kind="create", model=HAIKU_4_5, body={"temperature": 0.0}),
    Case("top_p and top_k", model=OPUS_4_6, region="us-east5", body={"top_p": 0.9, "top_k": 40}),
    Case("service tier", model=OPUS_5, body={"service_tier": "standard_only"}),
    # Betas.
    Case("one beta as a header", betas=("context-1m-2025-08-07",)),
    Case("beta client", model=OPUS_5, region="us", beta_client=True, betas=("context-management-2025-06-27",), body={
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
    Case("two betas", kind="create", beta_client=True,
         betas=("interleaved-thinking-2025-05-14", "context-1m-2025-08-07"), body={
             "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2048, "tools": [WEATHER]}),
    # Counting.
    Case("count", kind="count", model=OPUS_5_5),
    Case("count in eu", kind="count", model=SONNET_5, region="eu", body={"system": "Be brief."}),
    Case("count with everything", kind="count", model=OPUS_4_6, region="us-east5", betas=("context-1m-2025-08-07",),
         body={"messages": TOOL_TURNS, "tools": [WEATHER], "tool_choice": {"type": "auto"},
               "system": [{"type": "text", "text": "Be brief.", "cache_control": cached("5m")}],
               "thinking": {"type": "adaptive"}}),
    Case("count with a suffix", kind="count", model=HAIKU_4_5, region="europe-west1"),
)  # fmt: skip
