"""Named arrays as text: xarray's datasets, HDF5 files, and sparse matrices, with dimensions, attributes and values.

Their own text shows a few rounded values of each array, or none.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits, estimate_tokens
from vertex_claude_magic.prompts.values.cells import short_text
from vertex_claude_magic.prompts.values.refusals import kind_name

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

__all__ = ["hdf_parts", "sparse_parts", "xarray_parts"]

_LEAST_SHARE = 30
_LONGEST_ATTRIBUTE = 2_000
_MOST_ARRAYS = 1_000
# Of an array that is still in its file, rows of no more than this many elements are read.
_MOST_READ = 1_000_000


class _Named(Protocol):
    """What arrays and groups of xarray and of HDF5 have in common."""

    @property
    def attrs(self) -> Mapping[Any, Any]: ...


class _Variable(_Named, Protocol):
    """An array of xarray."""

    @property
    def dims(self) -> Sequence[Hashable]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


class _Dataset(_Named, Protocol):
    """Several arrays of xarray."""

    @property
    def sizes(self) -> Mapping[Hashable, int]: ...
    @property
    def coords(self) -> Mapping[Hashable, _Variable]: ...
    @property
    def data_vars(self) -> Mapping[Hashable, _Variable]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Section:
    """One array or group: what it is called, lines about it, and where its values are (None if it has none)."""

    title: str
    lines: tuple[str, ...] = ()
    values: Any = None
    name: str = ""


def xarray_parts(value: Any, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a Dataset, DataArray, DataTree or Variable of xarray into text."""
    kind = type(value).__name__
    if hasattr(value, "subtree"):
        nodes = [(node.path, node.to_dataset(inherit=False)) for node in value.subtree]
        sections = [each for path, node in nodes for each in _dataset(node, f"group {path}")]
    elif hasattr(value, "data_vars"):
        sections = list(_dataset(value, "xarray.Dataset"))
    elif hasattr(value, "dims") and hasattr(value, "dtype"):
        coords = getattr(value, "coords", {})
        sections = [
            _variable("values of", short_text(getattr(value, "name", None) or kind), value),
            *(_variable("coordinate", short_text(name), each) for name, each in coords.items()),
        ]
    else:
        sections = [_variable("coordinate", short_text(name), each) for name, each in value.items()]
    sizes = getattr(value, "sizes", None) or {}
    about = ", ".join(f"{short_text(name, 40)} {size:,}" for name, size in sizes.items())
    return _text(f"xarray.{kind}", sections, about, limits)


def _dataset(value: _Dataset, title: str) -> Iterator[_Section]:
    dimensions = ", ".join(f"{short_text(name)} {size:,}" for name, size in value.sizes.items())
    yield _Section(title=f"{title}, dimensions: {dimensions or 'none'}", lines=_attributes(value.attrs))
    for name, each in value.coords.items():
        yield _variable("coordinate", short_text(name), each)
    for name, each in value.data_vars.items():
        yield _variable("variable", short_text(name), each)


def _variable(word: str, name: str, value: _Variable) -> _Section:
    dimensions = ", ".join(
        f"{short_text(each)} {size:,}" for each, size in zip(value.dims, value.shape, strict=True)
    )
    return _Section(
        title=f"{word} {name} ({dimensions})", lines=_attributes(value.attrs), values=value, name=name
    )


def _attributes(attributes: Mapping[Any, Any]) -> tuple[str, ...]:
    return tuple(
        # HDF5 has attributes as scalars and arrays of numpy.
        f"  {short_text(name, 80)}: "
        + short_text(each.tolist() if type(each).__module__ == "numpy" else each, _LONGEST_ATTRIBUTE)
        for name, each in list(attributes.items())[:_MOST_ARRAYS]
    )


def hdf_parts(value: Any, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn an open HDF5 file, group or dataset into text.

    Raises:
        OptionError: the file is closed.
    """
    if not value:
        raise OptionError(
            f"{limits.name} belongs to a closed HDF5 file.", cure="Open it again, and use that."
        )
    if hasattr(value, "shape"):
        sections = [_hdf_section(value.name or "dataset", value)]
    else:
        found: list[_Section] = [_hdf_section(value.name or "/", value)]

        def visit(name: str, each: _Named) -> bool | None:
            found.append(_hdf_section(name, each))
            # Anything but None ends the walk.
            return True if len(found) > _MOST_ARRAYS else None

        value.visititems(visit)
        sections = found
    return _text(kind_name(type(value)), sections, "", limits)


def _hdf_section(name: str, value: _Named) -> _Section:
    name = short_text(name)
    if not hasattr(value, "shape"):
        return _Section(title=f"group {name}", lines=_attributes(value.attrs))
    return _Section(title=f"dataset {name}", lines=_attributes(value.attrs), values=value, name=name)


def sparse_parts(value: Any, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a sparse matrix or array of scipy into text: the place and value of each element that is stored."""
    stored = value.tocoo()
    coordinates = getattr(stored, "coords", None) or (stored.row, stored.col)
    shape = " × ".join(f"{size:,}" for size in value.shape)
    about = f"{shape}, dtype {value.dtype}, {stored.nnz:,} stored"
    names = (
        ["row", "column"] if len(coordinates) == 2 else [f"axis {axis}" for axis in range(len(coordinates))]
    )
    lines = [f"sparse, {about}; all others are 0", ",".join([*names, "value"])]
    left, count = limits.characters - sum(map(len, lines)), 0
    for place in range(stored.nnz):
        line = ",".join(short_text(each[place].item()) for each in (*coordinates, stored.data))
        left -= len(line) + 1
        if left < 0:
            break
        lines.append(line)
        count += 1
    cut = f"the first {count:,} of {stored.nnz:,} stored values" if count < stored.nnz else ""
    return (Text(body="\n".join(lines), kind=kind_name(type(value)), about=about, cut=cut),)


def _text(kind: str, sections: Sequence[_Section], about: str, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Write the sections one below the other; what their titles leave of the length is shared out evenly."""
    heads = ["\n".join([each.title, *each.lines]) for each in sections]
    left = limits.tokens - sum(estimate_tokens(head) + 4 for head in heads)
    waiting = sum(each.values is not None for each in sections)
    written: list[str] = []
    cuts: list[str] = []
    cautions: list[str] = []
    used = 0
    for number, (section, head) in enumerate(zip(sections, heads, strict=True)):
        if used > limits.tokens and number:
            cuts.append(f"the first {number:,} of {len(sections):,} arrays and groups")
            break
        if section.values is None:
            written.append(head)
            used += estimate_tokens(head)
            continue
        share = max(left // max(waiting, 1), _LEAST_SHARE)
        values, cut, caution = _values(section, replace(limits, tokens=share))
        waiting -= 1
        left -= estimate_tokens(values)
        used += estimate_tokens(head) + estimate_tokens(values)
        written.append(f"{head}\n{values}")
        cuts += [f"of {section.name} {cut}"] if cut else []
        cautions += [f"{section.name} {caution}"] if caution else []
    cut = "; ".join(cuts[:3]) + (f"; of {len(cuts) - 3:,} others a part too" if len(cuts) > 3 else "")
    return (
        Text(body="\n\n".join(written), kind=kind, about=about, cut=cut, caution="; ".join(cautions[:3])),
    )


def _values(section: _Section, limits: ValueLimits) -> tuple[str, str, str]:
    """Return the values of an array as text, what was cut, and what else is missing."""
    import numpy as np

    from vertex_claude_magic.prompts.values.arrays import array_parts

    value = section.values
    shape = value.shape
    if shape is None:
        return "empty", "", ""
    if getattr(value, "chunks", None) and hasattr(getattr(value, "data", None), "dask"):
        return f"dtype {value.dtype}, not computed", "", "is not computed"
    rows = shape[0] if shape else 1
    whole = math.prod(shape) <= _MOST_READ
    wanted = rows if whole else max(1, min(rows, _MOST_READ * rows // max(math.prod(shape), 1)))
    read = value if whole else value[:wanted]
    if getattr(getattr(value, "dtype", None), "kind", "") == "O" and hasattr(read, "asstr"):
        # HDF5 gives texts as bytes; an object that is not text stays.
        with contextlib.suppress(TypeError):
            read = read.asstr()
    array = np.asarray(getattr(read, "values", None) if hasattr(read, "values") else read[()])
    if not array.ndim:
        single = array[()] if array.dtype.kind in "mM" else array.item()
        return f"dtype {array.dtype}: {short_text(single, limits.characters)}", "", ""
    part = array_parts(array, limits)[0]
    if not isinstance(part, Text):
        # A picture has no place among other arrays; as rows of numbers it is none.
        part = array_parts(array.reshape(len(array), -1), limits)[0]
    if not isinstance(part, Text):
        return "", "not the values", ""
    cut = part.cut
    if not whole:
        cut = f"{cut} of which {wanted:,} were read" if cut else f"the first {wanted:,} of {rows:,} rows"
    return part.body, cut, part.caution
