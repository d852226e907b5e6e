"""Where an answer in a notebook came from: what its output says of it, and whether it was edited since.

The writer (the cell that asks) and the reader (`vertex-claude notebook audit`) share this module. What it says
is a note and no proof: the metadata of a file can be edited too.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.vertex.provenance import Lineage
from vertex_claude_magic.vertex.reply import answerer_of

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.reply import Reply

__all__ = [
    "DRAFT",
    "METADATA_KEY",
    "QUOTING",
    "answer_edited",
    "answers_in",
    "comparison",
    "find_provenance",
    "prompt_edited",
    "provenance",
    "stamped",
    "text_hash",
]

METADATA_KEY = "vertex_claude_magic"
# What an output says of itself while the answer comes: a kernel that is killed leaves it in the file.
DRAFT: Mapping[str, Any] = {METADATA_KEY: {"state": "unfinished"}}
# Of a page with prompts and beginnings of answers: no answer of its own, but none is left where answers are removed.
QUOTING: Mapping[str, Any] = {METADATA_KEY: {"answers": []}}

_HASH = re.compile("[0-9a-f]{32}")
_MARKDOWN = "text/markdown"
# All that finished answers are stored as; HTML is for those side by side.
_STORED = (_MARKDOWN, "text/html", "text/plain")


def provenance(reply: Reply, *, source: str | None = None) -> dict[str, Any]:
    """Return what is stored of a reply beside its text: JSON without project, token, header or path.

    Args:
        reply: The reply; without a `lineage` what that would say stays unknown.
        source: The source of the cell that asked, if the question was all that it held.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> provenance(Reply(model="claude-opus-4-1", complete=True))
    {'model': 'claude-opus-4-1', 'region': '', 'usage': {}, 'cost_usd': None, 'seconds': 0.0, 'complete': True}
    """
    lineage = reply.lineage or Lineage()
    requested = lineage.requested_model
    usual = {
        "requested_model": None if requested == reply.model else requested,
        "stop_reason": None if reply.stop_reason == "end_turn" else reply.stop_reason,
        "message_id": reply.message_id,
        "request_id": reply.request_id,
        "prompt_hash": lineage.prompt_hash,
        "answered_by": answerer_of(reply),
        "replayed": reply.replayed,
        "date": reply.recorded_at or lineage.date,
        # Of an answer in several requests: how many, and which functions were called how often.
        "requests": len(reply.parts),
        "tools": dict(Counter(call.name for call in reply.tool_calls)),
        "source_hash": None if source is None else _short(text_hash(source)),
    }
    return {
        "model": reply.model,
        "region": reply.region,
        "usage": _counted(reply.usage.raw),
        "cost_usd": reply.cost,
        "seconds": round(reply.seconds, 3),
        "complete": reply.complete,
        **{name: value for name, value in usual.items() if value},
    }


def comparison(replies: Iterable[Reply], *, source: str | None = None) -> dict[str, Any]:
    """Return what is stored of replies that are one output: that of each of which anything came, in order.

    >>> from vertex_claude_magic.vertex.reply import Reply
    >>> comparison([Reply(model="a"), Reply(model="b", blocks=({"type": "text", "text": "B"},))])["answers"][0]["model"]
    'b'
    """
    return {"answers": [provenance(reply, source=source) for reply in replies if reply.blocks]}


def answers_in(found: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Return what an output says of each of its answers, usually of one.

    >>> answers_in({"model": "a"})
    [{'model': 'a'}]
    >>> answers_in({"answers": [{"model": "a"}, {"model": "b"}, 3], "answer_hash": "c"})
    [{'answer_hash': 'c', 'model': 'a'}, {'answer_hash': 'c', 'model': 'b'}]
    """
    answers = found.get("answers")
    if not isinstance(answers, list):
        return [found]
    shared = {name: value for name, value in found.items() if name != "answers"}
    return [{**shared, **each} for each in answers if isinstance(each, Mapping)]


def _counted(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Return a usage object without the zeros that most of it consists of; both sums always stay."""
    sums = {name: usage[name] for name in ("input_tokens", "output_tokens") if name in usage}
    rest = {
        name: _counted(value) if isinstance(value, Mapping) else value
        for name, value in usage.items()
        if value and not (name == "service_tier" and value == "standard")
    }
    return {**sums, **{name: value for name, value in rest.items() if value}}


def stamped(metadata: Mapping[str, Any], bundle: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata of an output: provenance, and one hash of the texts with which it is stored.

    >>> stamped({"cost_usd": float("nan")}, {})
    {'vertex_claude_magic': {'cost_usd': None}}
    """
    texts = {kind: bundle[kind] for kind in _STORED if kind in bundle}
    stored = {**metadata, **({"answer_hash": _answer_hash(texts)} if texts else {})}
    try:
        # Nearly always it is such JSON; copied that way it costs 2 calls, and below it costs 60.
        text = json.dumps(stored, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
    except (TypeError, ValueError):
        return {METADATA_KEY: _replaced(stored)}
    return {METADATA_KEY: json.loads(text)}


def find_provenance(output: Json) -> Mapping[str, Json] | None:
    """Return what an output of a notebook says of its answer, or None if it is not an answer of ours.

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


def answer_edited(data: Json, known: Json) -> bool | None:
    """Tell whether the data of an output are not what was stored; None if the hash does not tell.

    Args:
        data: The data of the output.
        known: The hash of all its texts, or, as up to release 0.1, a hash for each.

    >>> answer_edited({"text/plain": ["Four.\\n"]}, {"text/plain": text_hash("Four.")})
    False
    >>> output = stamped({}, {"text/plain": "Four."})["vertex_claude_magic"]
    >>> answer_edited({"text/plain": "Four."}, output["answer_hash"])
    False
    >>> answer_edited({"text/plain": "Five."}, output["answer_hash"])
    True
    """
    if isinstance(known, str) and _HASH.fullmatch(known):
        return not isinstance(data, Mapping) or _answer_hash(data) != known
    if not isinstance(known, Mapping) or not known:
        return None
    if not isinstance(data, Mapping) or set(data) != set(known):
        return True
    return any(not isinstance(each, str) or text_hash(data[kind]) != each for kind, each in known.items())


def prompt_edited(source: Json, known: Json) -> bool | None:
    """Tell whether the source of a cell is not what was run; None if the hash does not tell."""
    whole = text_hash(source)
    return known not in {whole, _short(whole)} if isinstance(known, str) else None


def _answer_hash(data: Mapping[str, Any]) -> str | None:
    """Return one hash of all forms of an answer; None if one of them is not text."""
    hashes = [(kind, text_hash(data[kind])) for kind in sorted(data)]
    if any(found is None for _, found in hashes):
        return None
    return _short(text_hash("\n".join(f"{kind} {found}" for kind, found in hashes)))


def _short(digest: str | None) -> str | None:
    # 128 bits tell two texts apart as well as 256, and a notebook has three hashes an answer.
    return digest and digest[:32]


def text_hash(text: Json) -> str | None:
    r"""Return the SHA-256 of a text as 64 hexadecimal digits; None if it is not text.

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
    normalized = "\n".join([line.rstrip(" \t") for line in lines]).rstrip("\n")
    return hashlib.sha256(normalized.encode("utf-8", "replace")).hexdigest()


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
