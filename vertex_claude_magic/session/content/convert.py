"""Which room turns which kind of value into parts of a prompt.

Kinds of other libraries are known by the module of their class, so that nothing is imported that the
user has not imported already.
"""

from __future__ import annotations

import io
import os
import re
import types
import warnings
from collections import UserDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from importlib import import_module
from typing import Any
from uuid import UUID

from vertex_claude_magic.errors import ClaudeError, OptionError, quote, said
from vertex_claude_magic.session.content.parts import Budget, Media, Part, Text, shorten

__all__ = ["parts_of"]

_ROOMS = "vertex_claude_magic.session.content"
_CAN_BE_GIVEN = (
    "Give a data frame, an array, a figure, an image, a file (pathlib.Path), bytes, a dict or list, a text, "
    "a function, a class, a module or an exception, or its str()"
)
Room = tuple[str, str]

_PLAIN_ROOM: Room = ("values", "plain_parts")
_FIGURE_ROOM: Room = ("figures", "figure_parts")
_JSON_ROOM: Room = ("values", "json_parts")
# The first that fits; the kinds of one row exclude those of the rows before it.
_PYTHON: tuple[tuple[Any, Room], ...] = (
    (BaseException, ("failures", "failure_parts")),
    (str, ("values", "text_parts")),
    ((int, float, complex, Decimal, Fraction, date, time, timedelta, UUID, type(None)), _PLAIN_ROOM),
    ((bytes, bytearray, memoryview, io.IOBase), ("files", "bytes_parts")),
    (os.PathLike, ("files", "path_parts")),
    (types.ModuleType, ("source", "module_parts")),
    (
        (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, partial),
        ("source", "source_parts"),
    ),
)
# `<Thing object at 0x7f...>` tells nothing.
_NAME_ONLY = re.compile(r"<[^<>\n]{1,200} at 0x[0-9a-fA-F]+>")
_LISTS = (list, tuple, deque, set, frozenset)
_STRUCTURES = (Mapping, AbstractSet, UserDict, *_LISTS, types.MappingProxyType, Iterator, types.CoroutineType)
# Lists are looked through for frames and pictures up to this length; longer ones are data.
_LOOKED_THROUGH = 100
_DEEPEST = 5


def parts_of(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn a live object into parts of a prompt, by its kind.

    Args:
        value: Anything; a list that holds frames, images or files becomes the parts of its elements.
        budget: How many tokens one value may take, and the limits of images and documents.

    Raises:
        OptionError: the value cannot be sent; the cure says what can.
        MissingExtra: a library that is needed for it is not installed.

    >>> parts_of({"a": 1}, Budget())[0].kind
    'dict'
    """
    return tuple(_parts(value, budget, depth=0))


def _parts(value: Any, budget: Budget, *, depth: int) -> Iterator[Part]:
    if isinstance(value, _LISTS) and depth < _DEEPEST and _is_mixed(value):
        for each in _each_once(value):
            yield from _parts(each, budget, depth=depth + 1)
        return
    room = _room_of(value)
    yield from _by_display(value, budget) if room is None else _enter(room, value, budget)


def _each_once(values: Iterable[Any]) -> Iterator[Any]:
    """Return the elements; of what is drawn on one figure (bars, lines) only the first stands for it."""
    figures: set[int] = set()
    for each in values:
        figure = getattr(each, "figure", None) if _of_library(each) == _FIGURE_ROOM else None
        if figure is None or id(figure) not in figures:
            yield each
        figures.add(id(figure))


def _enter(room: Room, value: Any, budget: Budget) -> tuple[Part, ...]:
    convert: Callable[[Any, Budget], tuple[Part, ...]] = getattr(
        import_module(f"{_ROOMS}.{room[0]}"), room[1]
    )
    try:
        with warnings.catch_warnings():
            # What a library says about its own ways is no matter of the prompt.
            warnings.simplefilter("ignore")
            return convert(value, budget)
    except (ClaudeError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise _failed(value, error) from error


def _failed(value: Any, error: Exception) -> OptionError:
    return OptionError(
        f"A {_name(type(value))} could not be read: {type(error).__name__}: {quote(said(error), 100)}.",
        cure="Look at it in a cell of its own, or give its str().",
    )


def _room_of(value: Any) -> Room | None:
    for find in (_of_python, _of_library, _of_structure):
        room = find(value)
        if room is not None:
            return room
    return None


def _of_python(value: Any) -> Room | None:
    if _is_enum(value):
        return _PLAIN_ROOM
    return next((room for kinds, room in _PYTHON if isinstance(value, kinds)), None)


def _is_enum(value: Any) -> bool:
    return any(each.__module__ == "enum" and each.__name__ == "Enum" for each in type(value).__mro__)


_FRAMES: Mapping[str, str] = {
    "DataFrame": "frame_parts",
    "LazyFrame": "frame_parts",
    "Series": "series_parts",
    "Index": "series_parts",
}
_TABLES: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("pandas", "modin", "cudf", "dask", "polars", "narwhals"), _FRAMES),
    "pyarrow": {
        "Table": "frame_parts",
        "RecordBatch": "frame_parts",
        "ChunkedArray": "series_parts",
        "Array": "series_parts",
    },
    "duckdb": {"DuckDBPyRelation": "frame_parts"},
    "_duckdb": {"DuckDBPyRelation": "frame_parts"},
    "ibis": {"Table": "frame_parts"},
    "pyspark": {"DataFrame": "frame_parts"},
    "sqlframe": {"BaseDataFrame": "frame_parts"},
    "numpy": {"ndarray": "array_parts", "generic": "array_parts"},
}
_FIGURES: Mapping[str, tuple[str, ...]] = {
    "matplotlib": ("FigureBase", "Artist"),
    "plotly": ("BaseFigure",),
    "altair": ("TopLevelMixin", "SchemaBase"),
    "seaborn": ("Grid", "FacetGrid", "PairGrid", "JointGrid", "ClusterGrid"),
}


def _of_library(value: Any) -> Room | None:
    for each in type(value).__mro__:
        library, name = each.__module__.partition(".")[0], each.__name__
        if (library, name) == ("PIL", "Image"):
            return "images", "image_parts"
        if name in _FIGURES.get(library, ()):
            return _FIGURE_ROOM
        if found := _TABLES.get(library, {}).get(name):
            return _table_or_figures(value, found)
    return None


def _table_or_figures(value: Any, convert: str) -> Room:
    # plt.subplots gives its axes as an array.
    if convert == "array_parts" and value.dtype.kind == "O" and value.size:
        first = next(iter(value.flat))
        if any(each.__module__.startswith("matplotlib") for each in type(first).__mro__):
            return _FIGURE_ROOM
    return "tables", convert


def _of_structure(value: Any) -> Room | None:
    structured = isinstance(value, _STRUCTURES) or hasattr(type(value), "model_dump") or is_dataclass(value)
    sequence = isinstance(value, Sequence) and not hasattr(value, "_repr_mimebundle_")
    return _JSON_ROOM if structured or sequence else None


def _is_mixed(values: Any) -> bool:
    """Tell whether a list holds anything that is no JSON: a frame, a figure, a file."""
    if not values or len(values) > _LOOKED_THROUGH:
        return False
    return any(_stands_alone(each) for each in values)


def _stands_alone(value: Any) -> bool:
    if isinstance(value, (bytes, bytearray, memoryview, os.PathLike)):
        return True
    room = _of_library(value)
    return room is not None and (room[0] != "tables" or room[1] in {"frame_parts", "polars_parts"})


def _by_display(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn any other object into what IPython would show of it: an image, Markdown, or plain text."""
    shown = _shown(value, budget)
    if image := shown.get("image/png") or shown.get("image/jpeg"):
        from vertex_claude_magic.session.content.images import image_bytes_parts

        parts = image_bytes_parts(_decoded(image), budget)
        return tuple(_renamed(part, value) for part in parts)
    text = next(
        (text for mime in ("text/markdown", "text/plain") if isinstance(text := shown.get(mime), str)), ""
    )
    if not text.strip():
        raise OptionError(
            f"An object of type {_name(type(value))} cannot be put into a prompt.", cure=f"{_CAN_BE_GIVEN}."
        )
    body, cut = shorten(text, budget)
    return (Text(body=body, kind=_name(type(value)), cut=cut),)


def _shown(value: Any, budget: Budget) -> Mapping[str, Any]:
    shown: dict[str, Any] = {}
    if budget.present is not None:
        try:
            shown.update(budget.present(value))
        except Exception as error:
            raise _failed(value, error) from error
    else:
        try:
            shown["text/plain"] = repr(value)
        except Exception as error:
            raise _failed(value, error) from error
    if _NAME_ONLY.fullmatch(str(shown.get("text/plain", ""))):
        del shown["text/plain"]
    return shown


def _decoded(image: Any) -> bytes:
    import base64

    return base64.b64decode(image) if isinstance(image, str) else bytes(image)


def _renamed(part: Part, value: Any) -> Part:
    if isinstance(part, Media):
        return Media(block=part.block, kind=_name(type(value)), about=part.about, cut=part.cut)
    return part


def _name(kind: type) -> str:
    module = kind.__module__
    plain = module in {"builtins", "__main__"}
    return quote(kind.__qualname__ if plain else f"{module.partition('.')[0]}.{kind.__qualname__}", 60)
