"""The public fields of objects that are records: named tuples, data classes, models, and classes of the user's own."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import types
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.prompts.values.exceptions import is_library_file

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ROWS", "Record", "fields_of", "hides", "is_own", "loose_fields"]

Fields = list[tuple[str, Any]]
# The classes of rows that are neither mappings nor named tuples, and have `keys`, by the packages that they are of.
ROWS = {"sqlite3": "Row", "google": "Row", "asyncpg": "Record"}


class Record(dict[str, Any]):
    """The fields of an object in place of the object; a path into it has attributes, not keys."""


def fields_of(value: Any) -> Fields | None:
    """Return the public fields of a pydantic model, a data class, a named tuple or a row of a database, else None.

    Raises:
        Exception: whatever a property of the user's own raises.

    >>> import collections
    >>> fields_of(collections.namedtuple("City", "name people")("Oslo", 7))
    [('name', 'Oslo'), ('people', 7)]
    """
    kind = type(value)
    if hasattr(kind, "model_dump") and hasattr(kind, "model_fields"):
        extra = getattr(value, "__pydantic_extra__", None)
        names = list(kind.model_fields)
        return _public([*_values(value, names), *(extra.items() if isinstance(extra, dict) else ())])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _values(value, (field.name for field in dataclasses.fields(value)))
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _public(value._asdict().items())
    parts: tuple[str, ...] = getattr(kind, "__match_args__", ())
    if isinstance(value, tuple) and 0 < len(parts) == len(value):
        # Of C code, such as `time.struct_time` or an interval of Arrow; some have parts without a name.
        return _public(zip(parts, value, strict=True))
    if ROWS.get(kind.__module__.partition(".")[0]) == kind.__name__:
        # By number, because two columns may have one name.
        return [(str(name), value[at]) for at, name in enumerate(value.keys())]
    return None


def loose_fields(value: Any) -> Fields | None:
    """Return the public fields of an attrs class, a namespace, or an object of a class that the user wrote.

    Such an object is sent as its repr where that shows enough. None where there are no fields to show:
    objects of libraries hold connections and locks rather than data.
    """
    kind = type(value)
    attributes = getattr(kind, "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return _values(value, (each.name for each in attributes)) or None
    if not isinstance(value, (types.SimpleNamespace, argparse.Namespace)) and not is_own(kind):
        return None
    slots: list[str] = []
    for each in reversed(kind.__mro__):
        named = vars(each).get("__slots__", ())
        slots += [named] if isinstance(named, str) else list(named)
    own = vars(value) if hasattr(value, "__dict__") else {}
    found = _values(value, (name for name in slots if hasattr(value, name)))
    return [*found, *_public(own.items())] or None


def hides(kind: type) -> bool:
    """Tell whether an attrs class has private fields, which its repr shows."""
    attributes = getattr(kind, "__attrs_attrs__", None)
    return isinstance(attributes, tuple) and any(each.name.startswith("_") for each in attributes)


def _values(value: Any, names: Iterable[str]) -> Fields:
    return [(name, getattr(value, name)) for name in names if not name.startswith("_")]


def _public(pairs: Iterable[tuple[Any, Any]]) -> Fields:
    return [(str(name), each) for name, each in pairs if not str(name).startswith("_")]


def is_own(kind: type) -> bool:
    """Tell whether the user wrote a class: it is of the notebook or of a file outside of the installed packages."""
    if kind.__module__ == "__main__":
        return True
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return isinstance(file, str) and not is_library_file(file)
