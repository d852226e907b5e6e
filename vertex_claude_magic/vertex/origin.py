"""What a reply is the answer to, for whoever finds it later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.vertex.endpoint import is_loopback

if TYPE_CHECKING:
    from datetime import datetime

    from vertex_claude_magic.vertex.request import Request

__all__ = ["Origin", "origin_of"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Which question a reply answers, when, and who answered.

    `requested_model` is the id that was asked for and `prompt_hash` the `Request.digest`; `date` is when it was
    asked (UTC, ISO 8601, to the second). `local` tells whether a server on this machine answered and not
    Google, `emulated` whether that was the demo's emulator.
    """

    requested_model: str = ""
    prompt_hash: str | None = None
    date: str | None = None
    local: bool = False
    emulated: bool = False


def origin_of(request: Request, *, date: datetime, emulated: bool = False) -> Origin:
    """Return the origin of the reply to a request; hashing one that has megabytes takes milliseconds.

    Args:
        request: The request.
        date: When it was sent, in UTC.
        emulated: Whether it went to the demo's emulator.
    """
    return Origin(
        requested_model=request.model,
        prompt_hash=request.digest,
        date=date.strftime("%Y-%m-%dT%H:%M:%SZ"),
        local=is_loopback(request.url),
        emulated=emulated,
    )
