"""What a reply answers, and who gave it, for whoever finds it later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.vertex.endpoint import is_google, is_loopback

if TYPE_CHECKING:
    from datetime import datetime

    from vertex_claude_magic.vertex.request import Request

__all__ = ["ANSWERED_BY_DEMO", "EMULATOR_SERVER", "Lineage", "answered_by", "lineage_of", "who_answered"]

# How the emulator of this package names itself in the header Server.
EMULATOR_SERVER = "vertex-claude-emulator"


class Lineage(NamedTuple):
    """Which question a reply answers, when, and who answered.

    `requested_model` is the id that was asked for and `prompt_hash` the `Request.digest`; `date` is when it was
    asked (UTC, ISO 8601, to the second); `answered_by` is a word of `answered_by`, None where nobody knows.
    """

    requested_model: str = ""
    prompt_hash: str | None = None
    date: str | None = None
    answered_by: str | None = None


def answered_by(url: str, server: str = "") -> str:
    """Return who answers at a URL: "vertex", "gateway", "local" (a server on this machine) or "emulator".

    Args:
        url: Where the request goes.
        server: What the server says of itself; only on this machine that is believed.

    >>> answered_by("https://aiplatform.googleapis.com/v1"), answered_by("http://127.0.0.1:9/v1", EMULATOR_SERVER)
    ('vertex', 'emulator')
    """
    if is_loopback(url):
        return "emulator" if server == EMULATOR_SERVER else "local"
    return "vertex" if is_google(url) else "gateway"


def who_answered(by: str | None, more: str = "") -> str:
    """Return the line that says who has answered, where it was not Claude on Vertex AI; empty where it was.

    Args:
        by: A word of `answered_by`.
        more: What else the line says.

    >>> who_answered("emulator"), who_answered("local", " (see base_url)"), who_answered("vertex")
    ('Answered by the emulator, not by Claude.', 'Answered by a local server, not Google (see base_url).', '')
    """
    who = {"emulator": "the emulator, not by Claude", "local": "a local server, not Google"}.get(by or "")
    return f"Answered by {who}{more}." if who else ""


# Below all that the emulator of `%claude_demo` has answered.
ANSWERED_BY_DEMO = who_answered("emulator", "; %claude_demo stop ends demo mode")


def lineage_of(request: Request, *, date: datetime, server: str = "") -> Lineage:
    """Return the lineage of the reply to a request; hashing one that has megabytes takes milliseconds.

    Args:
        request: The request.
        date: When it was sent, in UTC.
        server: What the server says of itself.
    """
    return Lineage(
        requested_model=request.model,
        prompt_hash=request.digest,
        # To the second, without the offset: a third of what `strftime` takes.
        date=f"{date.isoformat()[:19]}Z",
        answered_by=answered_by(request.url, server),
    )
