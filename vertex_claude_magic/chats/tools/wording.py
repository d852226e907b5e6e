"""How a call is written for people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["call_text"]

_LONGEST_VALUE, _LONGEST = 60, 160


def call_text(name: str, arguments: Mapping[str, Any]) -> str:
    """Return a call on one line, with long values cut.

    >>> call_text("mean", {"column": "mass", "n": 3})
    'mean(column="mass", n=3)'
    """
    values = (
        f"{key}={quote(json.dumps(value, ensure_ascii=False, default=str), _LONGEST_VALUE)}"
        for key, value in arguments.items()
    )
    return quote(f"{name}({', '.join(values)})", _LONGEST)
