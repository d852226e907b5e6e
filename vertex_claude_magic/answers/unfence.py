"""An answer as data: the JSON in a text, also where a model has wrapped it in a code fence."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["read_json_text", "unfenced"]

_ONE_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*\n(.*?)\n?[ ]{0,3}\1[`~]*", re.DOTALL)


def unfenced(text: str) -> str:
    """Return what is inside if the whole text is one fenced block, else the text.

    >>> unfenced('```json\\n{"a": 1}\\n```')
    '{"a": 1}'
    """
    fence = _ONE_FENCE.fullmatch(text.strip())
    return fence[2] if fence else text


def read_json_text(text: str) -> Any:
    """Return the value of an answer that should be JSON, None if it is not.

    >>> read_json_text('~~~\\n[1, 2]\\n~~~')
    [1, 2]
    """
    try:
        return json.loads(unfenced(text))
    except (ValueError, RecursionError):
        return None
