"""Where the values of a prompt come from; apart from the templates, which most prompts have none of."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Scope"]


class Scope(NamedTuple):
    """Where the values of a prompt come from.

    Args:
        names: The variables that templates and attachments may name.
        present: Gives the display representations of an object by MIME type.
    """

    names: Mapping[str, Any] = MappingProxyType({})
    present: Callable[[Any], Mapping[str, Any]] | None = None
