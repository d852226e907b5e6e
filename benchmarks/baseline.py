"""What everything is measured against: a hand-written cell, requests, SSE lines and ten display updates a second."""

from __future__ import annotations

__all__ = ["LOAD", "OURS_LOAD", "by_hand", "ours"]

LOAD = """
import json, os, time
import google.auth, google.auth.transport.requests, requests
from IPython.display import Markdown, display
session = requests.Session()
session.trust_env = False
credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
refresh = google.auth.transport.requests.Request(session)
url = (os.environ["ANTHROPIC_VERTEX_BASE_URL"] + "/projects/" + os.environ["ANTHROPIC_VERTEX_PROJECT_ID"]
       + "/locations/global/publishers/anthropic/models/claude-sonnet-5-5:streamRawPredict")
def ask(prompt):
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 16000, "stream": True,
            "messages": [{"role": "user", "content": prompt}]}
    headers, pieces, drawn = {}, [], 0.0
    credentials.before_request(refresh, "POST", url, headers)
    shown = display(Markdown(""), display_id=True)
    with session.post(url, json=body, headers=headers, stream=True) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                if event["type"] == "content_block_delta":
                    pieces.append(event["delta"].get("text", ""))
                    if time.monotonic() - drawn >= 0.1:
                        shown.update(Markdown("".join(pieces)))
                        drawn = time.monotonic()
    shown.update(Markdown("".join(pieces)))
"""
OURS_LOAD = "%load_ext vertex_claude_magic"


def by_hand(prompt: str) -> str:
    """Return the second cell, which asks."""
    return f"ask({prompt!r})"


def ours(prompt: str) -> str:
    """Return the same as a cell of this package."""
    return f"%%claude\n{prompt}"
