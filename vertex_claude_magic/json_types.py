"""The type of decoded JSON, for what somebody else sent or wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Json"]

# Any value may be anywhere in it, so that a reader has to check before it goes deeper.
Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"
