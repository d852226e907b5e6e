"""A request as it was received and a response before any byte of it is on the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vertex_claude_magic.json_types import Json

__all__ = ["EVENT_STREAM", "Received", "Response", "at", "json_response"]

EVENT_STREAM = "text/event-stream; charset=utf-8"
JSON = "application/json; charset=utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class Received:
    """One request as it came in; header names are in lower case, `body` is its JSON or None."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    body: Any = None

    @property
    def host(self) -> str:
        """The Host header."""
        return self.headers.get("host", "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Response:
    """One response: each of `pieces` is one chunk of a stream, or part of a body of known length.

    Args:
        status: The HTTP status.
        pieces: The body.
        content_type: The media type of the body.
        headers: More headers.
        stream: Whether the length is not known and the body is sent in chunks.
        interval: Seconds between two pieces.
        batch: Whether pieces that are due together may leave in one write.
    """

    status: int = 200
    pieces: Iterable[bytes] = ()
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = False
    interval: float = 0.0
    batch: bool = False


def at(value: Json, *path: str) -> Json:
    """Return what stands at a place in a JSON value, one name after the other; None if nothing does.

    >>> at({"thinking": {"type": "adaptive"}}, "thinking", "type")
    'adaptive'
    """
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def json_response(value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON body with a status.

    >>> json_response({"input_tokens": 3}).pieces
    (b'{"input_tokens": 3}',)
    """
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Response(status=status, pieces=(data,), headers=headers or {})
