"""The keywords of the Python interface for editors and type checkers; at run time the registry alone decides.

`**options: Unpack[AskKeywords]` (PEP 692) lets an editor complete `max_tokens=`, and a type checker find a name that
does not exist. A test compares the names and the words of each with the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

# That of `typing` cannot be part of a Python 3.10 signature.
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from vertex_claude_magic.vertex.reply import Reply

__all__ = ["AskKeywords", "BatchKeywords", "ChatKeywords", "MapKeywords", "QuestionKeywords", "RowKeywords"]

Tool = Callable[..., Any] | Mapping[str, Any] | str


class RowKeywords(TypedDict, total=False):
    """What every question takes, a row of a batch included; units as in `AskOptions`."""

    model: str | None
    region: str | None
    project: str | None
    base_url: str | None
    anthropic_version: str | None
    trusted_hosts: str | Sequence[str] | None
    models_file: str | None
    system: str | Sequence[Mapping[str, Any]] | None
    max_tokens: int | None
    stop: str | Sequence[str] | None
    effort: str | None
    thinking: str | int | None
    show_thinking: bool | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    set: Mapping[str, Any] | None
    beta: str | Sequence[str] | None
    label: Mapping[str, str] | None
    attach: Any
    cache: bool | None
    as_: Any
    confirm: bool | Callable[[str, Mapping[str, Any]], object] | None
    literal: bool | None
    force: bool | None
    allow_secrets: bool | None
    value_tokens: int | None
    prompt_tokens: int | None
    context_tokens: int | None
    format: Literal["markdown", "text", "json", "code"] | None
    recording: str | None
    replay_pace: Literal["instant", "recorded"] | None
    replay_errors: bool | None
    journal: str | None
    journal_days: int | None
    journal_megabytes: int | None
    max_cost: float | None
    max_session_cost: float | None
    max_daily_cost: float | None
    show_spend: bool | None


class BatchKeywords(RowKeywords, total=False):
    """What `Claude.batch` takes."""

    via: str | None
    rows_per_job: int | None
    prefix: str | None


class QuestionKeywords(RowKeywords, total=False):
    """What a question takes that is sent at once, as those of `Claude.compare`."""

    header: Mapping[str, str] | None
    max_rounds: int | None
    no_stream: bool | None
    timeout: float | None
    replay: Literal["off", "auto", "only", "refresh"] | None


class MapKeywords(QuestionKeywords, total=False):
    """What `Claude.map` takes."""

    max_active: int | None
    rpm: float | None
    on_error: Literal["return", "stop"] | None
    limit: int | None
    prefix: str | None
    fresh: bool | None


class ChatKeywords(QuestionKeywords, total=False):
    """What `Chat.ask` and `Chat.stream` take."""

    new: bool | None
    tools: Tool | Sequence[Tool] | None


class AskKeywords(ChatKeywords, total=False):
    """What `Claude` itself, `ask`, `stream`, `count` and `request` take."""

    chat: str | None
    after: Reply | None
