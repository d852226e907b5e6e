"""Where an answer in a notebook came from: what its output says of it, and whether it was edited since.

The writer (the cell that asks) and the reader (`vertex-claude notebook audit`) share this module. What it says
is a note and no proof: the metadata of a file can be edited too.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.vertex.provenance import Lineage

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.reply import Reply

__all__ = [
    "DRAFT",
    "METADATA_KEY",
    "answer_edited",
    "find_provenance",
    "prompt_edited",
    "provenance",
    "stamped",
    "text_hash",
]

METADATA_KEY = "vertex_claude_magic"
# What an output says of itself while the answer comes: a kernel that is killed leaves it in the file.
DRAFT: Mapping[str, Any] = {METADATA_KEY: {"state": "unfinished"}}

_MARKDOWN = "text/markdown"
# All that a finished answer is stored as.
_STORED = (_MARKDOWN, "text/plain")


def provenance(reply: Reply, *, source: str | None = None) -> dict[str, Any]:
    """Return what is stored of a reply beside its text: JSON without project, token, header or path.

    Args:
        reply: The reply; without a `lineage` what that would say stays unknown.
        source: The source of the cell that asked, if the question was all that it held.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> provenance(Reply(model="claude-opus-4-1", complete=True))["date"] is None
    True
    """
    lineage = reply.lineage or Lineage()
    by = reply.recorded_from or lineage.answered_by
    return {
        "model": reply.model,
        "requested_model": lineage.requested_model,
        "region": reply.region,
        "usage": dict(reply.usage.raw),
        "cost_usd": reply.cost,
        "seconds": round(reply.seconds, 3),
        "stop_reason": reply.stop_reason,
        "complete": reply.complete,
        "message_id": reply.message_id,
        "request_id": reply.request_id,
        "prompt_hash": lineage.prompt_hash,
        "emulated": by == "emulator",
        "answered_by": by,
        "replayed": reply.replayed,
        "date": reply.recorded_at or lineage.date,
        "source_hash": None if source is None else text_hash(source),
    }


def stamped(metadata: Mapping[str, Any], bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of an output: provenance, and hashes of the texts with which it is stored.

    >>> stamped({"cost_usd": float("nan")}, {})
    {'vertex_claude_magic': {'cost_usd': None, 'answer_hashes': {}}}
    """
    stored = {
        **metadata,
        "answer_hashes": {kind: text_hash(bundle[kind]) for kind in _STORED if kind in bundle},
    }
    try:
        # Nearly always it is such JSON; copied that way it costs 2 calls, and below it costs 60.
        text = json.dumps(stored, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError):
        return {METADATA_KEY: _replaced(stored)}
    return {METADATA_KEY: json.loads(text)}


def find_provenance(output: Json) -> Mapping[str, Json] | None:
    """Return what an output of a notebook says of its answer, or None if it is no answer of ours.

    It stands in the metadata of the output, or in those of its Markdown where a reply was shown by its
    name. Nothing in it can be relied on, not even its types.

    >>> find_provenance({"metadata": {"text/markdown": {"vertex_claude_magic": {"model": "m"}}}})
    {'model': 'm'}
    """
    metadata = output.get("metadata") if isinstance(output, Mapping) else None
    inner = metadata.get(_MARKDOWN) if isinstance(metadata, Mapping) else None
    for place in (metadata, inner):
        if isinstance(place, Mapping) and METADATA_KEY in place:
            found = place[METADATA_KEY]
            return found if isinstance(found, Mapping) else {}
    return None


def answer_edited(data: Json, hashes: Json) -> bool | None:
    """Tell whether the data of an output are not what was stored; None if the hashes do not tell.

    >>> answer_edited({"text/plain": ["Four.\\n"]}, {"text/plain": text_hash("Four.")})
    False
    >>> answer_edited({"text/plain": "Five."}, {"text/plain": text_hash("Four.")})
    True
    """
    if not isinstance(hashes, Mapping) or not hashes:
        return None
    if not isinstance(data, Mapping) or set(data) != set(hashes):
        return True
    return any(not isinstance(known, str) or text_hash(data[kind]) != known for kind, known in hashes.items())


def prompt_edited(source: Json, known: Json) -> bool | None:
    """Tell whether the source of a cell is not what was run; None if the hash does not tell."""
    return text_hash(source) != known if isinstance(known, str) else None


def text_hash(text: Json) -> str | None:
    r"""Return the SHA-256 of a text as 64 hexadecimal digits; None if it is no text.

    A notebook keeps a text whole or as a list of lines. Line ends, blanks at the end of a line and blank
    lines at the end do not count, because front ends and editors change them on saving.

    >>> text_hash("%%claude\r\nHi \r\n") == text_hash(["%%claude\n", "Hi"])
    True
    """
    if isinstance(text, (list, tuple)) and all(isinstance(line, str) for line in text):
        text = "".join(text)
    if not isinstance(text, str):
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept = "\n".join([line.rstrip(" \t") for line in lines]).rstrip("\n")
    return hashlib.sha256(kept.encode("utf-8", "replace")).hexdigest()


def _replaced(value: Json) -> Json:
    """Return a value that any Jupyter message can carry: no lone surrogates, and no NaN."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(_replaced(str(key))): _replaced(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(item) for item in value]
    return value
