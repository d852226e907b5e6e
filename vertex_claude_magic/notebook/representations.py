"""What IPython's formatters make of an object that goes into a prompt, without a trace in the cell."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.formatters import BaseFormatter, DisplayFormatter

__all__ = ["representations"]


def representations(formatter: DisplayFormatter, value: Any) -> dict[str, Any]:
    """Return the representations of an object by MIME type; one that fails is not there.

    `DisplayFormatter.format` draws an object that can draw itself, and shows the traceback of a representation that
    fails as an error of the cell, though the cell goes on (IPython 7.34 to 9.18).

    Args:
        formatter: The `display_formatter` of a shell.
        value: The object.
    """
    made = _made(formatter.mimebundle_formatter, value)
    found = dict(made) if isinstance(made, Mapping) else {}
    for kind, each in formatter.formatters.items():
        # A printer that the user has registered comes before the object's own bundle.
        if kind not in found or _is_registered(each, value):
            made = _made(each, value)
            if isinstance(made, str if kind.startswith("text/") else (str, bytes, Mapping, list)):
                found[kind] = made
    return found


def _made(formatter: BaseFormatter, value: Any) -> Any:
    # Without what IPython wraps around it to show errors.
    call = getattr(type(formatter).__call__, "__wrapped__", type(formatter).__call__)
    made = None
    # The object's own code, which may raise anything.
    with suppress(Exception):
        made = call(formatter, value)
    # Metadata is for displays.
    return made[0] if isinstance(made, tuple) and len(made) == 2 else made


def _is_registered(formatter: BaseFormatter, value: Any) -> bool:
    try:
        formatter.lookup(value)
    except KeyError:
        return False
    return True
