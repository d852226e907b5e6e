"""One value as a short text: a cell of a table, an element of a list; whatever it is, in bounded time."""

from __future__ import annotations

import math
import reprlib
from typing import Any

from vertex_claude_magic.errors import quote

__all__ = ["short_text"]

_LIMIT = 200
# Libraries whose scalars print as people write them; their arrays and frames do not get here whole.
_MOST_BITS = 13_000
_PLAIN = frozenset({"datetime", "decimal", "pandas", "uuid", "numpy", "fractions"})
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _LIMIT
_repr.maxlong = 60


def short_text(value: Any, limit: int = _LIMIT) -> str:
    """Return a value as text of at most `limit` characters; a repr that fails is said.

    >>> short_text("x" * 300, 5), short_text([1, 2])
    ('xxxx…', '[1, 2]')
    """
    if isinstance(value, str):
        text = str(value[: limit + 1])
    elif isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value):,} bytes>"
    elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
        # Python writes no integer of more than 4,300 digits (sys.set_int_max_str_digits).
        return f"a whole number of about {int(value.bit_length() * math.log10(2)):,} digits"
    else:
        try:
            # Scalars as they print; anything that may hold much only as far as a line goes.
            library = type(value).__module__.partition(".")[0]
            plain = library in _PLAIN or isinstance(value, float)
            text = str(value) if plain else _repr.repr(value)
        except Exception as error:  # noqa: BLE001 - a repr of the user's own
            return f"<{quote(type(value).__name__, 40)}, repr failed: {type(error).__name__}>"
    return text if len(text) <= limit else text[: limit - 1] + "…"
