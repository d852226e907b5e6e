"""What can go wrong on purpose: the value `Fault`, which describes one failure on the wire.

A fault either answers in place of the service (a status, a redirect, a dropped connection, raw
bytes) or spoils the delivery of the answer that the call would have had (delays, cuts, stalls, odd
chunks). Several of its fields may be set at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from vertex_claude_magic.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Fault", "as_fault"]

Shape = Literal["google", "array", "anthropic", "text", "html", "empty"]
Ending = Literal["close", "reset", "chunk", "end"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One failure; all delays are in seconds, all positions in bytes of the body.

    Args:
        status: Answer with this HTTP status and no reply.
        shape: How the body of that error looks; `array` is Google's object in a one-element array.
        message: The error's text, or None for a usual one.
        reason: Google's `reason` (such as SERVICE_DISABLED), or the Anthropic error type.
        body: The exact body of the error, in place of `shape`.
        headers: Headers added to the response, such as `Retry-After`.
        location: Redirect (302 unless `status` says otherwise) to this address.
        delay: Wait before the status line.
        first_event_delay: Wait between the headers and the first byte of the body.
        cut_after: End the response after so many bytes of the body.
        ending: How a cut ends: `close` (no final chunk), `reset` (TCP RST), `chunk` (inside a
            chunk), `end` (a clean end of the response, only too early).
        stall_after: Fall silent after so many bytes of the body.
        stall_seconds: How long; None means until the client goes away.
        drip: Seconds between pieces of `split` bytes (1 byte if `split` is not set).
        split: Send chunks of so many bytes.
        merge: Send the whole body as one chunk.
        error_after: After so many events send an `error` event and end.
        error_type: The type in that event.
        gzip: Compress the body.
        http10: Answer as HTTP/1.0 does, with the end of the connection as the end of the body.
        content_type: A content type other than the right one.
        drop: Close the connection before the status line.
        raw: Put exactly these bytes on the wire and close.

    >>> Fault(status=429, headers={"Retry-After": "5"}).replaces_reply
    True
    >>> Fault(cut_after=100, ending="reset").replaces_reply
    False
    """

    status: int | None = None
    shape: Shape = "google"
    message: str | None = None
    reason: str | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    location: str | None = None
    delay: float = 0.0
    first_event_delay: float = 0.0
    cut_after: int | None = None
    ending: Ending = "close"
    stall_after: int | None = None
    stall_seconds: float | None = None
    drip: float | None = None
    split: int | None = None
    merge: bool = False
    error_after: int | None = None
    error_type: str = "overloaded_error"
    gzip: bool = False
    http10: bool = False
    content_type: str | None = None
    drop: bool = False
    raw: bytes | None = None

    @property
    def replaces_reply(self) -> bool:
        """Whether the service is not asked at all."""
        return self.status is not None or self.location is not None or self.drop or self.raw is not None


def as_fault(value: Fault | int | Mapping[str, Any]) -> Fault:
    """Read a fault from itself, from a bare HTTP status, or from a mapping of its fields.

    >>> as_fault(503).status
    503
    >>> as_fault({"cut_after": 10}).cut_after
    10
    """
    if isinstance(value, Fault):
        return value
    if isinstance(value, int):
        return Fault(status=value)
    known = {entry.name for entry in fields(Fault)}
    if unknown := sorted(set(value) - known):
        raise OptionError(
            f"A fault has no field named {', '.join(unknown)}.",
            cure=f"Its fields are {', '.join(sorted(known))}.",
        )
    # JSON has no bytes.
    encoded = {
        name: part.encode()
        for name, part in value.items()
        if name in {"body", "raw"} and isinstance(part, str)
    }
    return Fault(**{**value, **encoded})
