"""Values as exact as their library has them: the digits of narrow floats, and times to the nanosecond."""

from __future__ import annotations

import math
import re
import struct
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import narwhals as nw
    from narwhals.dtypes import DType

__all__ = ["float_code", "nanoseconds", "narrowing", "shortest_float"]

# The digits after which a float of 2 or 4 bytes is always read back as itself (IEEE 754).
_DIGITS = {"e": range(1, 6), "f": range(6, 10)}
_ZEROS = re.compile(r"(?:(\.\d*?[1-9])|\.)0+(?!\d)")


def shortest_float(value: float, code: str) -> float:
    """Return the number with the fewest digits that is the same in a narrower float.

    Args:
        value: A number of that narrower float, widened.
        code: The narrower float as `struct` names it, `f` for 32 bits, `e` for 16.

    >>> shortest_float(0.10000000149011612, "f")
    0.1
    """
    if not math.isfinite(value):
        return value
    packed = struct.pack(code, value)
    for digits in _DIGITS[code]:
        short = float(f"{value:.{digits}g}")
        try:
            if struct.pack(code, short) == packed:
                return short
        except OverflowError:
            continue
    return value


def float_code(dtype: object) -> str:
    """Return how `struct` names the float of 32 or 16 bits that an array holds; empty if it holds anything else.

    Args:
        dtype: That of an array or a number of numpy, or of a library that names its types as numpy does.

    >>> float_code("float32"), float_code("torch.float16"), float_code("int32")
    ('f', 'e', '')
    """
    return {"float32": "f", "float16": "e"}.get(str(dtype).rpartition(".")[2].lower(), "")


def narrowing(dtype: DType) -> Callable[[Any], Any] | None:
    """Return what gives floats of 16 and 32 bits their own digits, also inside a list; None if there are none."""
    import narwhals as nw

    if dtype == nw.Float32:
        return partial(shortest_float, code="f")
    if type(dtype).__name__ == "Float16":
        return partial(shortest_float, code="e")
    if isinstance(dtype, (nw.List, nw.Array)):
        inner = narrowing(_instance(dtype.inner))
        return inner and (lambda values: [None if each is None else inner(each) for each in values])
    if isinstance(dtype, nw.Struct):
        parts = {field.name: narrowing(_instance(field.dtype)) for field in dtype.fields}
        found = {name: convert for name, convert in parts.items() if convert is not None}
        if found:
            return lambda value: {
                name: found[name](part) if name in found and part is not None else part
                for name, part in value.items()
            }
    return None


def _instance(dtype: DType | type[DType]) -> DType:
    return dtype() if isinstance(dtype, type) else dtype


def nanoseconds(series: nw.Series[Any]) -> list[Any] | None:
    """Return times in nanoseconds as texts, because a time of Python counts microseconds; None of other values."""
    import narwhals as nw

    dtype = series.dtype
    if isinstance(dtype, nw.Datetime) and dtype.time_unit == "ns":
        texts = series.cast(nw.String).to_list()
        return [None if text is None else _ZEROS.sub(r"\1", text) for text in texts]
    if isinstance(dtype, nw.Duration) and dtype.time_unit == "ns":
        return [None if each is None else _duration(each) for each in series.dt.total_nanoseconds().to_list()]
    arrow_type = str(getattr(series.to_native(), "type", ""))
    if dtype == nw.Time and "32" not in arrow_type:
        unit = 1000 if "us" in arrow_type else 1
        return [None if each is None else _clock(each * unit) for each in series.cast(nw.Int64).to_list()]
    return None


def _duration(count: int) -> str:
    text, rest = str(timedelta(microseconds=count // 1000)), count % 1000
    return f"{text}{'' if '.' in text else '.000000'}{rest:03d}" if rest else text


def _clock(count: int) -> str:
    seconds, rest = divmod(count, 10**9)
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{rest:09d}".rstrip("0") if rest else text
