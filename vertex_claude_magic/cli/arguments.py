"""The parser of the command line, and values that several commands take."""

from __future__ import annotations

import argparse
import re
from datetime import date
from typing import TYPE_CHECKING

from vertex_claude_magic.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

__all__ = ["Parser", "day"]


class Parser(argparse.ArgumentParser):
    """A parser that says which of its words one that it does not know is nearest to."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, and end with status 2."""
        found = re.search(r"unrecognized arguments: (-[^\s=]+)|invalid choice: '([^']*)'", message)
        near = nearest(found[1] or found[2], [*self.words()]) if found else ""
        super().error(f"{message}. Did you mean {near}?" if near else message)

    def words(self) -> Iterator[str]:
        """Yield the options and the choices of this parser, and of its actions."""
        for action in self._actions:
            yield from action.option_strings
            yield from map(str, action.choices or ())
            below = action.choices.values() if isinstance(action.choices, dict) else ()
            for parser in below:
                yield from parser.words()


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
