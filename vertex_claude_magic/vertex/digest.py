"""What decides an answer: the part of a request that two questions must share to be the same question.

It is model, betas and body. What only says how the answer travels (`stream`) or who pays and where
(URL, project, location, labels, other headers) is not part of it. Attachments stand for their SHA-256,
so that comparing, storing and reading a request does not need their bytes. The order of keys does not
count; everything else does, white space included.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["BETA_HEADER", "attachments", "canonical", "digest_of"]

BETA_HEADER = "anthropic-beta"
_HASH = "sha256"


def canonical(model: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return model, betas and body of a request, with attachments as their hashes.

    >>> canonical("claude-haiku-5-5", {}, {"max_tokens": 9, "stream": True})
    {'model': 'claude-haiku-5-5', 'body': {'max_tokens': 9}}
    """
    kept = {name: _hashed(value) for name, value in body.items() if name != "stream"}
    given = ",".join(value for name, value in headers.items() if name.lower() == BETA_HEADER)
    betas = sorted({name.strip() for name in given.split(",")} - {""})
    return {"model": model, **({"beta": betas} if betas else {}), "body": kept}


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what `canonical` gives, as 64 hexadecimal digits.

    >>> digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def attachments(value: Any) -> dict[str, bytes]:
    """Return the attachments of a body by their hash: what base64 sources of content blocks hold.

    >>> list(attachments({"type": "base64", "media_type": "image/png", "data": "aGk="}).values())
    [b'hi']
    """
    found: dict[str, bytes] = {}
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping):
            if _is_source(part):
                content = _content(part["data"])
                found[hashlib.sha256(content).hexdigest()] = content
            else:
                waiting += part.values()
        elif isinstance(part, (list, tuple)):
            waiting += part
    return found


def _hashed(value: Any) -> Any:
    if isinstance(value, Mapping):
        if _is_source(value):
            data = _content(value["data"])
            rest = {name: part for name, part in value.items() if name != "data"}
            return {**rest, _HASH: hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        return {name: _hashed(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hashed(part) for part in value]
    return value


def _is_source(value: Mapping[str, Any]) -> bool:
    # "Vision" and "PDF support" (Claude docs, 2026): sources of images and documents.
    return value.get("type") == "base64" and isinstance(value.get("data"), str)


def _content(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        # What is no base64 is refused by the service, but is a question all the same.
        return data.encode("utf-8", "replace")
