"""The type of decoded JSON, for what somebody else sent or wrote, and the search for the objects in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Json", "objects"]

# Any value may be anywhere in it, so that a reader has to check before it goes deeper.
Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


def objects(value: Json) -> Iterator[Mapping[str, Json]]:
    """Yield each JSON object in a value once, those in objects too; the value may be of any depth, and contain itself.

    >>> list(objects([{"a": {"b": 1}}, 2]))
    [{'a': {'b': 1}}, {'b': 1}]
    """
    waiting: list[Json] = [value]
    # By identity, and kept, so that no other gets its identity.
    known: dict[int, Json] = {}
    while waiting:
        part = waiting.pop()
        if not isinstance(part, (Mapping, list, tuple)) or id(part) in known:
            continue
        known[id(part)] = part
        if isinstance(part, Mapping):
            yield part
        waiting += part.values() if isinstance(part, Mapping) else part
