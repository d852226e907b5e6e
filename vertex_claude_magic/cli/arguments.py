"""Values on the command line that several commands take."""

from __future__ import annotations

import argparse
from datetime import date

from vertex_claude_magic.text import quote

__all__ = ["day"]


def day(text: str) -> str:
    """Return a day as YYYY-MM-DD.

    Raises:
        ArgumentTypeError: it is not a date.

    >>> day("2026-11-26")
    '2026-11-26'
    """
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{quote(text, 40)!r} is not a date such as 2026-11-26") from None
