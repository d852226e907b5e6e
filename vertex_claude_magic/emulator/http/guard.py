"""Who may talk to the emulator: requests addressed to its own loopback name, and no other origin's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vertex_claude_magic.emulator.messages.problems import Problem

if TYPE_CHECKING:
    from vertex_claude_magic.emulator.http.response import Received, Response

__all__ = ["refuse_foreign"]


def refuse_foreign(received: Received, origin: str) -> Response | None:
    """Refuse a foreign Host header (421) and a page of another origin (403), or return None.

    Both keep a web page in the user's browser from using the emulator, the first one by a host name
    that its owner points at the loopback address (DNS rebinding).
    """
    # A browser sends the name that the page used, so a foreign name is a page of somebody else.
    port = urlsplit(origin).port
    own = {f"127.0.0.1:{port}", f"localhost:{port}"}
    if received.host.lower() not in own:
        return Problem(code=421, message="The emulator answers only at its own loopback address.").response()
    source = received.headers.get("origin")
    if source is not None and source.lower() not in {f"http://{host}" for host in own}:
        return Problem(code=403, message="The emulator takes no requests from other origins.").response()
    return None
