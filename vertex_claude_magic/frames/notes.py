"""What is known of a table beside its cells: coordinate systems, categories, units, attributes, metadata."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.frames.cells import cell_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from narwhals.dtypes import DType
    from narwhals.typing import IntoSeries

__all__ = ["attributes_of", "metadata_of", "remark_of"]

_MOST_CATEGORIES = 40
# A time in nanoseconds where narwhals has no type for it: inside a list or a struct.
_NESTED_NANOSECONDS = re.compile(r"(?:List|Array|Struct)\(.*(?:time_unit='ns'|\bTime\b)")


def remark_of(native: IntoSeries, dtype: DType) -> str:
    """Say what a type does not: the coordinate system of geometries, the categories that are not used, precision."""
    if type(native).__module__.startswith("geopandas"):
        crs = native.crs
        if crs is None:
            return "no CRS"
        return f"CRS {crs.to_string()}" + (f" ({crs.name})" if crs.to_authority() else "")
    if not hasattr(native, "iloc"):
        return "times inside to the microsecond" if _NESTED_NANOSECONDS.search(repr(dtype)) else ""
    if not hasattr(native.dtype, "categories"):
        return ""
    ordered, names = native.cat.ordered, native.cat.categories
    used = native.cat.codes.nunique() - int(native.isna().any())
    if not ordered and used == len(names):
        # The rows and the summary show them all.
        return ""
    shown = (" < " if ordered else ", ").join(
        cell_of(name, 1_000, "the categories").text for name in names[:_MOST_CATEGORIES]
    )
    more = f" and so on, {len(names):,} in all" if len(names) > _MOST_CATEGORIES else ""
    return f"{'categories in order' if ordered else 'categories'}: {shown}{more}"


def attributes_of(value: pd.DataFrame | pd.Series[Any]) -> tuple[str, ...]:
    """Return a line about the attributes that a frame or series of pandas carries (`attrs`), if there are any."""
    attributes = getattr(value, "attrs", None)
    return (f"Attributes: {_json(attributes)}",) if attributes else ()


def metadata_of(schema: Any) -> tuple[str, ...]:
    """Return the metadata of an Arrow schema and of its fields; what pandas writes there is for pandas."""
    found = {"": schema.metadata, **{field.name: field.metadata for field in schema}}
    lines = []
    for name, metadata in found.items():
        texts = {_decoded(key): _decoded(text) for key, text in (metadata or {}).items() if key != b"pandas"}
        if texts:
            lines.append(f"Metadata{f' of {name}' if name else ''}: {_json(texts)}")
    return tuple(lines)


def _json(value: Mapping[Any, Any]) -> str:
    cell = cell_of(dict(value), 100_000, "the attributes")
    return cell.text if not cell.total else f"{cell.text}… (of {cell.total})"


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
