"""Arrays of numpy as parts of a prompt: a picture as an image, anything else as text with all its digits."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.frames.cells import Cell, cell_of, number_text
from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits
from vertex_claude_magic.prompts.values.cells import short_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["array_parts"]

# Values up to which all of them are looked at for the range and the mean.
_SAMPLE = 100_000
_LEAST_EDGE = 16
_TRIES = 8


def array_parts(value: NDArray[Any], limits: ValueLimits) -> tuple[PromptPart, ...]:
    """Turn a numpy array into text: shape, dtype, its range, and the values as far as they go.

    Bytes in the shape of a picture (height, width, 3 or 4 channels) that are too many for a text become an
    image. Of anything else that is too long, a block goes out that begins at the first value and is about as
    long along each axis; `cut` names it for all axes.

    Raises:
        OptionError: an element has no text of its own.

    >>> import numpy as np
    >>> array_parts(np.arange(3), ValueLimits())[0].body
    'shape (3,), dtype int64, 0 to 2; mean 1\\n\\n[0 1 2]'
    """
    import numpy as np

    about = f"shape {tuple(value.shape)}, dtype {short_text(str(value.dtype), 1_000)}"
    summary = _summary(value)
    body = f"{about}, {summary}" if summary else about
    text, cut = _values(value, max(limits.characters - len(body), 40))
    kind = f"numpy.{type(value).__name__}"
    is_picture = value.dtype == "uint8" and value.ndim == 3 and value.shape[2] in {3, 4}
    if cut and is_picture and min(value.shape[:2]) >= _LEAST_EDGE and not hasattr(value, "mask"):
        with contextlib.suppress(ImportError):  # as text then
            from PIL import Image

            from vertex_claude_magic.prompts.values.images import image_parts

            (part,) = image_parts(Image.fromarray(np.ascontiguousarray(value)), limits)
            return (replace(part, kind=f"{kind} drawn as a picture"),)
    return (Text(body=f"{body}\n\n{text}", kind=kind, about=about, cut=cut),)


def _summary(value: NDArray[Any]) -> str:
    import numpy as np

    if value.dtype.kind not in "iufb" or not value.size:
        return ""
    flat = value.reshape(-1) if value.flags.c_contiguous else value.flat[:_SAMPLE]
    sampled = flat[:: flat.size // _SAMPLE + 1] if flat.size > _SAMPLE else flat
    present: Any = np.ma.asarray(sampled).compressed()
    missing = int(np.isnan(present).sum()) if present.dtype.kind == "f" else 0
    known = present[~np.isnan(present)] if missing else present
    note = " (from a sample)" if value.size > _SAMPLE else ""
    nan = f", {missing:,} NaN" if missing else ""
    if not known.size:
        return f"nothing but NaN{note}"
    try:
        # The sum is exact, so that every machine writes the same digits.
        mean = number_text(math.fsum(known.tolist()) / known.size)
    except (OverflowError, ValueError):
        mean = "NaN"
    return f"{_number(known.min())} to {_number(known.max())}; mean {mean}{nan}{note}"


def _number(value: np.generic) -> str:
    return str(value).removesuffix(".0") if value.dtype.kind == "f" else str(int(value))


def _values(value: NDArray[Any], limit: int) -> tuple[str, str]:
    """Return the values as text and what it holds of them: all, or a block from the first value on."""
    shape, most = tuple(value.shape), limit
    for _ in range(_TRIES):
        block = _block(shape, most)
        shortened: list[Cell] = []
        text = _written(value[tuple(slice(0, size) for size in block)], limit, shortened)
        if len(text) <= limit or max(block, default=0) <= 1:
            break
        # Values of a kind take about the same.
        most = min(math.prod(block) - 1, int(math.prod(block) * limit / len(text) * 0.97))
    if block == shape:
        cut = ""
    elif len(shape) == 1:
        cut = f"the first {block[0]:,} of {shape[0]:,} values"
    elif len(shape) == 2:
        cut = f"the first {block[0]:,} of {shape[0]:,} rows and {block[1]:,} of {shape[1]:,} columns"
    else:
        held, whole = (" × ".join(f"{size:,}" for size in sizes) for sizes in (block, shape))
        cut = f"the first {held} of {whole} values"
    if len(text) > limit:
        text, cut = text[:limit], f"the beginning of {cut or 'the values'}"
    if shortened:
        values = "value" if len(shortened) == 1 else "values"
        cut = f"{cut or 'all values'}, with {len(shortened):,} long {values} shortened"
    return text, cut


def _block(shape: Sequence[int], most: int) -> tuple[int, ...]:
    """Return the sizes of a block of at most so many values whose axes are as long as each other, or whole.

    >>> _block((400, 640, 3), 3_000), _block((10, 10), 100)
    ((31, 31, 3), (10, 10))
    """
    if math.prod(shape) <= most:
        return tuple(shape)
    low, high = 1, max(shape)
    while high - low > 1:
        middle = (low + high) // 2
        fits = math.prod(min(size, middle) for size in shape) <= most
        low, high = (middle, high) if fits else (low, middle)
    return tuple(min(size, low) for size in shape)


def _written(block: NDArray[Any], limit: int, shortened: list[Cell]) -> str:
    import numpy as np

    def element(value: Any) -> str:
        cell = Cell("None") if value is None else cell_of(value, max(limit // 4, 40), "the array")
        text = repr(cell.text) if isinstance(value, str) else cell.text
        if not cell.total:
            return text
        shortened.append(cell)
        return f"{text}… (of {cell.total})"

    # Each by its own shortest text: the options that a user has set for showing arrays cut digits.
    writers: Any = {"object": element, "float_kind": str, "complex_kind": str, "numpystr": element}
    with np.printoptions(legacy=False):
        return np.array2string(block, threshold=block.size + 1, max_line_width=120, formatter=writers)
