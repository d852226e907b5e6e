"""Values without readable content, and what to give in their place."""

from __future__ import annotations

import io
import itertools
import types
from collections.abc import AsyncIterable, Awaitable, Iterator
from typing import Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote

__all__ = ["is_listed", "is_refused", "kind_name", "refusal"]

# A list of one would never end.
_ENDLESS = (itertools.count, itertools.cycle, itertools.repeat)
_CAN_BE_GIVEN = (
    "Use a data frame, an array, a figure, an image, a file (pathlib.Path), bytes, a dict or list, a string, "
    "a function, a class, a module or an exception, or the str() of this value"
)
# Library, classes, and what to give; {x} is how the user calls the value. Their reprs may look whole and tell nothing,
# or hold what differs from process to process.
_KINDS: tuple[tuple[str, str, str], ...] = (
    ("requests", "Response", "Use {{{{ {x}.text }}}}, or assign {x}.json() to a variable and use that."),
    ("httpx", "Response", "Use {{{{ {x}.text }}}}, or assign {x}.json() to a variable and use that."),
    ("urllib3", "BaseHTTPResponse HTTPResponse", "Use {{{{ {x}.data }}}}."),
    ("http", "HTTPResponse", "Assign {x}.read() to a variable and use that."),
    ("pandas", "Styler StylerRenderer", "Use {{{{ {x}.data }}}}, the frame that it shows."),
    ("pandas", "BaseGroupBy GroupBy", "Use an aggregate of it, such as the result of {x}.mean()."),
    ("IPython", "DisplayHandle", "Use what it displays."),
    ("IPython", "Audio Video", "Models do not accept audio or video; describe it in text."),
    ("IPython", "IFrame", "Use {{{{ {x}.src }}}}, or the content of the page."),
    ("threading", "Thread", "Use what it works on."),
    ("_thread", "lock RLock", "Use the data that it protects."),
    ("socket", "socket", "Use what was received from it."),
    ("sqlite3", "Connection Cursor", "Use the rows of a query, such as {x}.execute(...).fetchall()."),
    (
        "networkx",
        "Graph",
        "Assign networkx.node_link_data({x}) or list({x}.edges) to a variable and use that.",
    ),
    ("concurrent", "Future", "Assign {x}.result() to a variable and use that."),
    ("weakref", "ReferenceType", "Assign {x}() to a variable and use that."),
    ("builtins", "weakref ReferenceType", "Assign {x}() to a variable and use that."),
    ("unittest", "NonCallableMock Base", "Use the object that it replaces."),
)
# Methods by which objects of many libraries describe themselves, the best first.
_METHODS = (
    "summary",
    "to_pandas",
    "to_dataframe",
    "to_dict",
    "as_dict",
    "to_frame",
    "to_list",
    "tolist",
    "to_json",
)


def is_refused(value: Any) -> bool:
    """Tell whether a value is of a kind that never goes out from inside a structure, whatever its repr says."""
    kinds = (Iterator, Awaitable, AsyncIterable, io.IOBase, types.FrameType)
    return isinstance(value, kinds) or is_listed(type(value))


def is_listed(kind: type) -> bool:
    """Tell whether values of a class are refused although they may pass as another kind: a mock is a path as well."""
    return bool(_way(kind))


def _way(kind: type) -> str:
    for each in kind.__mro__:
        library = each.__module__.partition(".")[0]
        for name, classes, way in _KINDS:
            if library == name and each.__name__ in classes.split():
                return way
    return ""


def refusal(value: Any, place: str) -> OptionError:
    """Return the error for a value without readable content.

    Args:
        value: The value.
        place: How the user calls it, such as `cfg['lock']`.
    """
    name, place = kind_name(type(value)), quote(place, 80)
    if not is_listed(type(value)):
        if isinstance(value, io.IOBase):
            return OptionError(
                f"{place} is an open file ({name}).",
                cure=f"Assign {place}.read() to a variable and use that, or use its path.",
            )
        kind = quote(type(value).__name__, 40)
        if isinstance(value, Awaitable):
            return OptionError(
                f"{place} is not finished ({kind}).", cure=f"Use the result of: await {place}."
            )
        if isinstance(value, (Iterator, AsyncIterable)):
            if isinstance(value, AsyncIterable):
                way = f"Use [each async for each in {place}]."
            elif isinstance(value, _ENDLESS):
                way = f"Use a part of it, such as list(itertools.islice({place}, 100))."
            else:
                way = f"Use list({place})."
            return OptionError(f"{place} is an iterator ({kind}), which reading would use up.", cure=way)
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return OptionError(
        f"{place} cannot be put into a prompt: {article} {name} does not show what it contains.",
        cure=_cure(value, place),
    )


def _cure(value: Any, place: str) -> str:
    """Return what to give in the place of a value, from the ways in which its class describes itself."""
    if way := _way(type(value)):
        return way.format(x=place)
    # Made when the object draws, and no attribute of its class.
    if "figure_" in getattr(value, "__dict__", {}):
        return f"Use {{{{ {place}.figure_ }}}}."
    for each in _METHODS:
        # Looked up in the class, so that no property runs.
        method = next((vars(base)[each] for base in type(value).__mro__ if each in vars(base)), None)
        # statsmodels wraps its results, and the wrapper passes every name on.
        wrapped = each == "summary" and type(value).__module__.startswith("statsmodels.")
        if callable(method) or (method is None and wrapped):
            return f"Assign {place}.{each}() to a variable and use that. {_CAN_BE_GIVEN}."
    return f"{_CAN_BE_GIVEN}."


def kind_name(kind: type) -> str:
    """Return how a class is called in a tag or an error: with its library in front.

    >>> kind_name(dict), kind_name(OptionError)
    ('dict', 'vertex_claude_magic.OptionError')
    """
    module = kind.__module__
    plain = module in {"builtins", "__main__"}
    return quote(kind.__qualname__ if plain else f"{module.partition('.')[0]}.{kind.__qualname__}", 60)
