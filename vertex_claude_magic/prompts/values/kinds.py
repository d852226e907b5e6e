"""Which kind a value is, by its class alone.

Classes of other libraries are known by the names of their module and class, so that nothing is imported that the
user has not imported already.
"""

from __future__ import annotations

import io
import os
import types
from collections import UserDict, deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from typing import Any, Literal, TypeGuard
from uuid import UUID

from vertex_claude_magic.prompts.values.images import is_image
from vertex_claude_magic.prompts.values.plain_text import display_content
from vertex_claude_magic.prompts.values.records import ROWS
from vertex_claude_magic.prompts.values.refusals import is_listed
from vertex_claude_magic.vertex.reply import Reply

__all__ = ["Kind", "Several", "apart_key", "is_mixed", "kind_of", "library_kind"]

Kind = Literal["array", "bytes", "exception", "figure", "frame", "hdf", "image", "module", "number", "path", "reply",
               "scalar", "series", "source", "sparse", "structure", "text", "xarray"]  # fmt: skip
Several = list[Any] | tuple[Any, ...] | deque[Any] | set[Any] | frozenset[Any]

# The first that fits.
_PYTHON: tuple[tuple[Any, Kind], ...] = (
    # A member of an enumeration may be a text or a number as well.
    (Enum, "number"),
    (BaseException, "exception"),
    (str, "text"),
    (Reply, "reply"),
    ((int, float, complex, Decimal, Fraction, date, time, timedelta, UUID, type(None)), "number"),
    ((bytes, bytearray, memoryview, io.IOBase), "bytes"),
    (os.PathLike, "path"),
    (types.ModuleType, "module"),
    ((types.FunctionType, types.BuiltinFunctionType, types.MethodType, type, partial), "source"),
)
_LISTS = (list, tuple, deque, set, frozenset)
_STRUCTURES = (Mapping, AbstractSet, UserDict, *_LISTS, types.MappingProxyType, Iterator, types.CoroutineType)
# narwhals could tell frames and series, but not the index, batches and arrays, and asking it would import it
# for every object of any library.
_FRAMES: Mapping[str, Kind] = {
    "DataFrame": "frame",
    "LazyFrame": "frame",
    "Series": "series",
    "Index": "series",
}
_CLASSES: Mapping[str, Mapping[str, Kind]] = {
    **dict.fromkeys(("pandas", "modin", "cudf", "dask", "polars", "narwhals"), _FRAMES),
    "pyarrow": {
        "Table": "frame",
        "RecordBatch": "frame",
        "ChunkedArray": "series",
        "Array": "series",
        "Scalar": "scalar",
    },
    **{package: {name: "structure"} for package, name in ROWS.items()},
    "duckdb": {"DuckDBPyRelation": "frame"},
    "_duckdb": {"DuckDBPyRelation": "frame"},
    "ibis": {"Table": "frame"},
    "pyspark": {"DataFrame": "frame"},
    "sqlframe": {"BaseDataFrame": "frame"},
    "numpy": {"ndarray": "array", "generic": "array"},
    "xarray": dict.fromkeys(("Dataset", "DataArray", "DataTree", "Variable", "Coordinates"), "xarray"),
    "h5py": {"HLObject": "hdf"},
    "scipy": {"_spbase": "sparse", "spmatrix": "sparse"},
    "PIL": {"Image": "image"},
    "matplotlib": {"FigureBase": "figure", "Artist": "figure"},
    "plotly": {"BaseFigure": "figure"},
    "altair": {"TopLevelMixin": "figure", "SchemaBase": "figure"},
    "seaborn": dict.fromkeys(("Grid", "FacetGrid", "PairGrid", "JointGrid", "ClusterGrid"), "figure"),
}
# Lists are looked through for frames and pictures up to this length; longer ones are data.
_LOOKED_THROUGH = 100
_LONGEST_LIST = 10_000


def kind_of(value: Any) -> Kind | None:
    """Return the kind of a value; None for what goes by its own display.

    >>> kind_of({"a": 1}), kind_of(3), kind_of(object())
    ('structure', 'number', None)
    """
    for classes, kind in _PYTHON:
        if isinstance(value, classes):
            return kind
    if found := library_kind(value):
        return found
    structured = isinstance(value, _STRUCTURES) or hasattr(type(value), "model_dump") or is_dataclass(value)
    sequence = isinstance(value, Sequence) and not hasattr(value, "_repr_mimebundle_")
    return "structure" if structured or sequence else None


def library_kind(value: Any) -> Kind | None:
    """Return the kind of a value if its class, or one that it is derived from, is of a library that is known here."""
    for each in type(value).__mro__:
        kind = _CLASSES.get(each.__module__.partition(".")[0], {}).get(each.__name__)
        if kind == "array" and value.dtype.kind == "O" and value.size:
            # plt.subplots gives its axes as an array.
            first = next(iter(value.flat))
            if any(base.__module__.startswith("matplotlib") for base in type(first).__mro__):
                return "figure"
        if kind is not None:
            return kind
    return None


def is_mixed(value: Any) -> TypeGuard[Several]:
    """Tell whether a value is a short list, tuple or set that contains what is not JSON: a frame, a figure, a file."""
    if not isinstance(value, _LISTS) or hasattr(value, "_asdict") or not 0 < len(value) <= _LOOKED_THROUGH:
        return False
    return any(
        isinstance(each, (bytes, bytearray, memoryview, os.PathLike))
        or library_kind(each) not in {None, "array", "scalar", "series", "structure"}
        for each in value
        if not is_listed(type(each))
    )


def apart_key(value: Any) -> int | None:
    """Return a key for a value that becomes a part of its own inside a structure: a frame, a figure, an image.

    Everything that is drawn on one figure has the key of that figure. None for what is written as JSON, as arrays
    are, and series without an index.
    """
    kind = library_kind(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        apart = is_image(value)
    elif kind == "series":
        index = getattr(value, "index", None)
        apart = index is not None and not callable(index) and type(index).__name__ != "RangeIndex"
    elif kind == "array":
        # In the shape of a picture, and too long to be read as a list.
        shape: tuple[int, ...] = value.shape
        is_picture = len(shape) == 3 and shape[2] in {3, 4} and str(value.dtype) == "uint8"
        apart = is_picture and value.size > _LONGEST_LIST
    else:
        apart = kind not in {None, "scalar", "structure"} or isinstance(display_content(value), bytes)
    if not apart:
        return None
    figure = getattr(value, "figure", None)
    return id(value if figure is None or callable(figure) else figure)
