"""A rehearsal: a process that answers from records only and notes every question, and what it would have to send.

`vertex-claude notebook check` starts such a kernel and names the file of notes in the environment.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ReplayMiss
from vertex_claude_magic.settings.environment import REHEARSAL
from vertex_claude_magic.settings.origin import current_origin

if TYPE_CHECKING:
    from vertex_claude_magic.records.sources import ReplaySources
    from vertex_claude_magic.vertex.request import Request

__all__ = ["note_question", "refusal"]


def note_question(request: Request, sources: ReplaySources, *, found: bool) -> None:
    """Note a question, one JSON object a line; does nothing outside a rehearsal."""
    noted: dict[str, Any] = {
        "digest": request.digest,
        "found": found,
        "recording": str(sources.recording.path) if sources.recording is not None else "",
    }
    if not found:
        noted["canonical"] = request.canonical
    _note(noted)


def refusal() -> ReplayMiss:
    """Note whatever would leave a rehearsal (a check, a count, a login, a batch), and return the error for it."""
    _note({"refused": True})
    return ReplayMiss(
        "A rehearsal answers from the recording and sends nothing.",
        cure="Run the cell outside of vertex-claude notebook check.",
    )


def _note(noted: dict[str, Any]) -> None:
    if path := os.environ.get(REHEARSAL):
        # One write a line, so that the lines of two threads do not mix.
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123 - a path from the environment
            file.write(json.dumps({"cell": current_origin().cell, **noted}) + "\n")
