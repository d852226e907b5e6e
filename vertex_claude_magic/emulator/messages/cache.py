"""The prompt cache, played: which part of a prompt is read, which is written, which is new.

As the page "Prompt caching" describes it: a prompt is tools, then system, then messages; each
`cache_control` ends a prefix that is stored for five minutes or an hour; a later prompt that
begins with a stored prefix reads it, and reading renews its time. Prefixes shorter than the
model's minimum are not stored.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from vertex_claude_magic.emulator.messages.tokens import input_parts

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["PromptCache"]

_SECONDS = {"5m": 300.0, "1h": 3600.0}
_MOST_ENTRIES = 10_000


class _Prefix(NamedTuple):
    key: str
    tokens: int
    ttl: str | None


class PromptCache:
    """The stored prefixes; `clock` gives seconds.

    >>> cache = PromptCache(clock=lambda: 0.0)
    >>> block = {"type": "text", "text": "x" * 40, "cache_control": {"type": "ephemeral"}}
    >>> body = {"system": [block], "messages": [{"role": "user", "content": "hello"}]}
    >>> cache.usage(body, scope="m", minimum=8)["cache_creation_input_tokens"]
    10
    >>> cache.usage(body, scope="m", minimum=8)["cache_read_input_tokens"]
    10
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def usage(self, body: Mapping[str, Any], *, scope: str, minimum: int) -> dict[str, Any]:
        """The input half of a usage object, in tokens; stores what the request asks to be stored."""
        digest, total = hashlib.sha256(scope.encode()), 0
        prefixes: list[_Prefix] = []
        for part, size in input_parts(body):
            total += size
            bare = part
            if isinstance(part, dict):
                # Marks move from request to request and are not part of what is stored.
                bare = {key: value for key, value in part.items() if key != "cache_control"}
            digest.update(json.dumps(bare, sort_keys=True).encode())
            prefixes.append(_Prefix(key=digest.hexdigest(), tokens=total, ttl=_ttl(part)))
        if prefixes and (ttl := _ttl(body)):
            # Automatic caching: a mark of the whole request holds at its last part.
            prefixes[-1] = prefixes[-1]._replace(ttl=prefixes[-1].ttl or ttl)
        marks = [prefix for prefix in prefixes if prefix.ttl and prefix.tokens >= minimum]
        with self._lock:
            now, read = self._clock(), 0
            # A request without marks neither reads nor writes the cache.
            if marks:
                read = max(
                    (part.tokens for part in prefixes if self._until.get(part.key, 0.0) > now), default=0
                )
            for mark in marks:
                self._until[mark.key] = now + _SECONDS[mark.ttl or "5m"]
            # Oldest first: dictionaries keep the order of insertion.
            while len(self._until) > _MOST_ENTRIES:
                self._until.pop(next(iter(self._until)))
        written, start = {"5m": 0, "1h": 0}, read
        for mark in marks:
            written[mark.ttl or "5m"] += max(0, mark.tokens - start)
            start = max(start, mark.tokens)
        return {
            "input_tokens": total - max(read, *(mark.tokens for mark in marks), 0) if marks else total,
            "cache_creation_input_tokens": sum(written.values()),
            "cache_read_input_tokens": read,
            "cache_creation": {f"ephemeral_{ttl}_input_tokens": tokens for ttl, tokens in written.items()},
            "service_tier": "standard",
        }


def _ttl(part: Json) -> str | None:
    mark = part.get("cache_control") if isinstance(part, dict) else None
    return str(mark.get("ttl") or "5m") if isinstance(mark, Mapping) else None
