"""Which room turns which kind of value into parts of a prompt.

Kinds of other libraries are known by the module of their class, so that nothing is imported that the
user has not imported already.
"""

from __future__ import annotations

import io
import os
import types
import warnings
from collections import UserDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from importlib import import_module
from typing import Any
from uuid import UUID

from vertex_claude_magic.errors import ClaudeError, OptionError
from vertex_claude_magic.prompts.parts import Budget, Part, Text, shorten
from vertex_claude_magic.prompts.values.cells import in_order
from vertex_claude_magic.prompts.values.data import text_or_fields
from vertex_claude_magic.prompts.values.images import is_image
from vertex_claude_magic.prompts.values.plain_text import ELIDED, display_content, numbers_of
from vertex_claude_magic.prompts.values.records import Record
from vertex_claude_magic.prompts.values.refusals import is_listed, is_refused, kind_name, refusal
from vertex_claude_magic.text import message_of, quote

__all__ = ["parts_of", "stands_apart"]

_MODULES = "vertex_claude_magic.prompts.values"
Room = tuple[str, str]

_PLAIN_ROOM: Room = ("data", "plain_parts")
_FIGURE_ROOM: Room = ("figures", "figure_parts")
_JSON_ROOM: Room = ("data", "json_parts")
# The first that fits; the kinds of one row exclude those of the rows before it.
_PYTHON: tuple[tuple[Any, Room], ...] = (
    (BaseException, ("exceptions", "failure_parts")),
    (str, ("data", "text_parts")),
    ((int, float, complex, Decimal, Fraction, date, time, timedelta, UUID, type(None)), _PLAIN_ROOM),
    ((bytes, bytearray, memoryview, io.IOBase), ("files", "bytes_parts")),
    (os.PathLike, ("files", "path_parts")),
    (types.ModuleType, ("source", "module_parts")),
    (
        (types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, partial),
        ("source", "source_parts"),
    ),
)
_LISTS = (list, tuple, deque, set, frozenset)
_STRUCTURES = (Mapping, AbstractSet, UserDict, *_LISTS, types.MappingProxyType, Iterator, types.CoroutineType)
# Lists are looked through for frames and pictures up to this length; longer ones are data.
_LOOKED_THROUGH = 100
_DEEPEST = 5
_HEAD = 32
_LONGEST_LIST = 10_000


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
    if isinstance(value, _LISTS) and depth < _DEEPEST and not hasattr(value, "_asdict") and _is_mixed(value):
        if isinstance(value, AbstractSet):
            value = in_order(value, _LOOKED_THROUGH)
        for number, each in _each_once(value):
            inner = replace(budget, name=f"{budget.name}[{number}]")
            for part in _parts(each, inner, depth=depth + 1):
                yield replace(part, path=f"[{number}]{part.path}")
        return
    if is_listed(value):
        raise refusal(value, budget.name)
    room = _room_of(value)
    yield from _by_display(value, budget) if room is None else _enter(room, value, budget)


def _each_once(values: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Return the elements with their places; of what is drawn on one figure (bars, lines) only the first."""
    figures: set[int] = set()
    for number, each in enumerate(values):
        figure = getattr(each, "figure", None) if _of_library(each) == _FIGURE_ROOM else None
        if figure is None or id(figure) not in figures:
            yield number, each
        figures.add(id(figure))


def _enter(room: Room, value: Any, budget: Budget) -> tuple[Part, ...]:
    convert: Callable[[Any, Budget], tuple[Part, ...]] = getattr(
        import_module(f"{_MODULES}.{room[0]}"), room[1]
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
        f"A {kind_name(type(value))} could not be read: {type(error).__name__}: {quote(message_of(error), 100)}.",
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
_LABELLED: Mapping[str, Mapping[str, str]] = {
    "xarray": dict.fromkeys(("Dataset", "DataArray", "DataTree", "Variable", "Coordinates"), "xarray_parts"),
    "h5py": {"HLObject": "hdf_parts"},
    "scipy": {"_spbase": "sparse_parts", "spmatrix": "sparse_parts"},
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
        if found := _LABELLED.get(library, {}).get(name):
            return "labelled", found
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
    if is_listed(value):
        return False
    return isinstance(value, (bytes, bytearray, memoryview, os.PathLike)) or _is_apart(_of_library(value))


def _is_apart(room: Room | None) -> bool:
    return room is not None and room[1] not in {"array_parts", "series_parts"}


def stands_apart(value: Any) -> bool:
    """Tell whether a value inside a structure becomes a part of its own: a frame, a figure, an image.

    Arrays do not, and series do only where they have an index, since JSON has lists.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return is_image(bytes(value[:_HEAD]))
    room = _of_library(value)
    if room is not None and room[1] == "series_parts":
        index = getattr(value, "index", None)
        return index is not None and not callable(index) and type(index).__name__ != "RangeIndex"
    if room is not None and room[1] == "array_parts":
        return _is_picture(value)
    if type(value).__module__.startswith("polars.series"):
        return False
    return _is_apart(room) or isinstance(display_content(value), bytes)


def _is_picture(value: Any) -> bool:
    """Tell whether an array has the shape of a picture and is too long to be read as a list."""
    shape: tuple[int, ...] = value.shape
    return (
        len(shape) == 3 and shape[2] in {3, 4} and str(value.dtype) == "uint8" and value.size > _LONGEST_LIST
    )


def _by_display(value: Any, budget: Budget) -> tuple[Part, ...]:
    """Turn any other object into what IPython would show of it: an image, a text, or its public fields."""
    kind = kind_name(type(value))
    if is_refused(value):
        raise refusal(value, budget.name)
    content = display_content(value)
    if content is not None and not isinstance(content, (str, bytes)):
        return tuple(replace(part, kind=kind) for part in parts_of(content, budget))
    shown = _shown(value, budget)
    image = (shown or {}).get("image/png") or (shown or {}).get("image/jpeg")
    if image := image or (content if isinstance(content, bytes) else None):
        from vertex_claude_magic.prompts.values.images import image_bytes_parts

        return tuple(replace(part, kind=kind) for part in image_bytes_parts(_decoded(image), budget))
    try:
        text, fields = text_or_fields(value, shown)
    except Exception as error:
        raise _failed(value, error) from error
    if fields:
        return tuple(
            replace(part, kind=kind, about="") if not part.path else part
            for part in _enter(_JSON_ROOM, Record(fields), budget)
        )
    if text is not None and text.caution == ELIDED and (array := numbers_of(value)) is not None:
        return tuple(replace(part, kind=kind) for part in parts_of(array, budget))
    if text is None:
        raise refusal(value, budget.name)
    body, cut = shorten(text.text, budget)
    return (Text(body=body, kind=kind, cut=cut, caution=text.caution),)


def _shown(value: Any, budget: Budget) -> Mapping[str, Any] | None:
    try:
        return budget.present(value) if budget.present is not None else None
    except Exception as error:
        raise _failed(value, error) from error


def _decoded(image: Any) -> bytes:
    import base64

    return base64.b64decode(image) if isinstance(image, str) else bytes(image)
