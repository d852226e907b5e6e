"""Any live object as parts of a prompt: which converter takes which kind of value."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.frames.precision import float_code, shortest_float
from vertex_claude_magic.process import ignored_warnings
from vertex_claude_magic.prompts.parts import (
    Converter,
    PromptPart,
    Text,
    ValueLimits,
    reading_object,
    shorten,
)
from vertex_claude_magic.prompts.values.cells import in_order, short_text
from vertex_claude_magic.prompts.values.data import json_parts, plain_parts, text_or_fields, text_parts
from vertex_claude_magic.prompts.values.images import image_bytes_parts, image_parts
from vertex_claude_magic.prompts.values.kinds import Kind, is_mixed, kind_of, library_kind
from vertex_claude_magic.prompts.values.plain_text import ELIDED, display_content, numbers_of
from vertex_claude_magic.prompts.values.records import Record
from vertex_claude_magic.prompts.values.refusals import is_listed, is_refused, kind_name, refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["parts_of"]

_DEEPEST = 5


def parts_of(value: Any, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a live object into parts of a prompt, by its kind.

    Args:
        value: Anything; a list that holds frames, images or files becomes the parts of its elements.
        limits: How many tokens one value may take, and the limits of images and documents.

    Raises:
        OptionError: the value cannot be sent; the cure says what can.
        MissingExtra: a library that is needed for it is not installed.

    >>> parts_of({"a": 1}, ValueLimits())[0].kind
    'dict'
    """
    # A list of the user's own may raise where it is read through.
    with reading_object(f"This {type(value).__name__}"):
        return tuple(_parts(value, limits, depth=0))


def _parts(value: Any, limits: ValueLimits, *, depth: int) -> Iterator[PromptPart]:
    if depth < _DEEPEST and is_mixed(value):
        elements: Iterable[Any] = in_order(value, len(value)) if isinstance(value, AbstractSet) else value
        figures: set[int] = set()
        for number, each in enumerate(elements):
            figure = getattr(each, "figure", None) if library_kind(each) == "figure" else None
            if figure is not None and id(figure) in figures:
                # Bars and lines that are drawn on one figure are one picture.
                continue
            figures.add(id(figure))
            inner = replace(limits, name=f"{limits.name}[{number}]")
            for part in _parts(each, inner, depth=depth + 1):
                yield replace(part, path=f"[{number}]{part.path}")
        return
    if is_listed(type(value)):
        raise refusal(value, limits.name)
    kind = kind_of(value)
    yield from _by_display(value, limits) if kind is None else _converted(kind, value, limits)


def _converted(kind: Kind, value: Any, limits: ValueLimits) -> tuple[PromptPart, ...]:
    # Warnings of a library about itself, or about a glyph that is missing, do not concern the prompt.
    with reading_object(f"This {kind_name(type(value))}"), ignored_warnings():
        return _converter(kind)(value, limits)


def _converter(kind: Kind) -> Converter:  # noqa: PLR0911 - a table of imports
    """Return what converts values of a kind; its module is imported only when such a value is there."""
    match kind:
        case "text":
            return text_parts
        case "number":
            return plain_parts
        case "structure":
            return partial(json_parts, convert=parts_of)
        case "exception":
            from vertex_claude_magic.prompts.values.exceptions import failure_parts

            return failure_parts
        case "reply":
            from vertex_claude_magic.prompts.values.replies import reply_parts

            return reply_parts
        case "bytes" | "path":
            from vertex_claude_magic.prompts.values.files import bytes_parts, path_parts

            return bytes_parts if kind == "bytes" else path_parts
        case "module" | "source":
            from vertex_claude_magic.prompts.values.source import module_parts, source_parts

            return module_parts if kind == "module" else source_parts
        case "frame" | "series":
            from vertex_claude_magic.prompts.values.tables import frame_parts

            return frame_parts
        case "array":
            return _array_parts
        case "scalar":
            return lambda value, limits: parts_of(value.as_py(), limits)
        case "figure":
            from vertex_claude_magic.prompts.values.figures import figure_parts

            return figure_parts
        case "image":
            return image_parts
        case "xarray" | "hdf" | "sparse":
            from vertex_claude_magic.prompts.values import labelled

            return {
                "xarray": labelled.xarray_parts,
                "hdf": labelled.hdf_parts,
                "sparse": labelled.sparse_parts,
            }[kind]


def _array_parts(value: NDArray[Any] | np.generic, limits: ValueLimits) -> tuple[PromptPart, ...]:
    from vertex_claude_magic.prompts.values.arrays import array_parts

    if value.ndim:
        return array_parts(value, limits)
    item = value.item()
    if value.dtype.kind in "mM" and isinstance(item, int):
        # Python's times know no nanoseconds, and its time differences no months.
        item = value.ravel()[0]
    if type(item).__module__ == "numpy":
        # Python has no such number (a float of 80 bits, a time in units of its own).
        return (Text(body=short_text(str(item)), kind="numpy scalar", bare=True),)
    code = float_code(value.dtype)
    return parts_of(shortest_float(item, code) if code else item, limits)


def _by_display(value: Any, limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn any other object into what IPython would show of it: an image, a text, or its public fields."""
    kind = kind_name(type(value))
    if is_refused(value):
        raise refusal(value, limits.name)
    content = display_content(value)
    if content is not None and not isinstance(content, (str, bytes)):
        return tuple(replace(part, kind=kind) for part in parts_of(content, limits))
    with reading_object(f"This {kind}"):
        shown: Mapping[str, Any] | None = limits.present(value) if limits.present is not None else None
    image = (shown or {}).get("image/png") or (shown or {}).get("image/jpeg")
    if image := image or (content if isinstance(content, bytes) else None):
        data = base64.b64decode(image) if isinstance(image, str) else bytes(image)
        return tuple(replace(part, kind=kind) for part in image_bytes_parts(data, limits))
    with reading_object(f"This {kind}"):
        text, fields = text_or_fields(value, shown)
    if fields:
        return tuple(
            replace(part, kind=kind, about="") if not part.path else part
            for part in _converted("structure", Record(fields), limits)
        )
    if text is not None and text.caution == ELIDED and (array := numbers_of(value)) is not None:
        return tuple(replace(part, kind=kind) for part in parts_of(array, limits))
    if text is None:
        raise refusal(value, limits.name)
    body, cut = shorten(text.text, limits)
    return (Text(body=body, kind=kind, cut=cut, caution=text.caution),)
