"""The text of an object of any class: what IPython would show of it, or its repr."""

from __future__ import annotations

import functools
import re
import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.prompts.values.html_text import html_text
from vertex_claude_magic.prompts.values.records import is_own
from vertex_claude_magic.prompts.values.refusals import is_refused
from vertex_claude_magic.prompts.values.stable_text import is_elided, is_name_only, named_only, stable_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from vertex_claude_magic.json_types import Json

__all__ = ["ELIDED", "ObjectText", "display_content", "numbers_of", "object_text"]

ELIDED = "its library's own text, which puts dots in the place of what it leaves out"
# Text forms by MIME type, and the methods that make them, for where IPython is not there to ask.
_FORMS = (("text/latex", "_repr_latex_"), ("image/svg+xml", "_repr_svg_"), ("text/html", "_repr_html_"))
_DISPLAY = ("IPython.core.display", "IPython.lib.display")
# statsmodels notes in a summary when it was made; its width stays.
_CLOCK = re.compile(
    r"(?<=^Date:)( +)(\w{3}, \d{2} \w{3} \d{4}|\d{4}-\d{2}-\d{2} \d{2}:\d{2})|(?<=^Time:)( +)(\d{2}:\d{2}:\d{2})",
    re.MULTILINE,
)
_CODE = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.MethodWrapperType, type, functools.partial,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ObjectText:
    """A text, and what it does not show; `caution` is empty where it shows everything."""

    text: str
    caution: str = ""


def object_text(value: Any, shown: Mapping[str, Any] | None = None) -> ObjectText | None:
    """Return the text of an object, the same in every process; None if it does not show what it contains.

    Args:
        value: The object.
        shown: What IPython shows of it by MIME type; without it, its own methods are asked.

    Raises:
        Exception: whatever a repr of the user's own raises.
    """
    if is_refused(value):
        return None
    if isinstance(value, types.ModuleType):
        return ObjectText(f"<module {value.__name__!r}>")
    content = display_content(value)
    markdown = (shown or {}).get("text/markdown")
    for whole in (content, markdown):
        if isinstance(whole, str) and whole.strip():
            return ObjectText(whole)
    plain = shown.get("text/plain") if shown is not None else repr(value)
    if isinstance(plain, str) and plain.strip() and (isinstance(value, _CODE) or not is_name_only(plain)):
        library = type(value).__module__
        if library.startswith("statsmodels."):
            plain = _CLOCK.sub(lambda found: re.sub(r"\S", "-", found.group()), plain)
        names = named_only(plain)
        elided = is_elided(plain) and not is_own(type(value)) and library != "builtins"
        geometry = getattr(value, "wkt", None) if elided and library.startswith("shapely.") else None
        if isinstance(geometry, str):
            return ObjectText(geometry)
        plain = stable_text(plain)
        for number in (hex(id(value)), str(id(value))):
            # An identity that the class writes in its own way.
            plain = plain.replace(number, "…")
        if names:
            return ObjectText(plain, f"of {', '.join(names[:3])} no more than the name, not what it contains")
        return ObjectText(plain, ELIDED if elided else "")
    for mime, method in _FORMS:
        make = getattr(type(value), method, None)
        text = shown.get(mime) if shown is not None else make(value) if callable(make) else None
        text = html_text(text) if mime == "text/html" and isinstance(text, str) else text
        if isinstance(text, str) and text.strip():
            return ObjectText(stable_text(text))
    return None


def display_content(value: Any) -> Json | bytes:
    """Return what a display object of IPython (HTML, Latex, JSON, Image ...) was made of; None for anything else."""
    if not type(value).__module__.startswith(_DISPLAY):
        return None
    data: Json | bytes = getattr(value, "data", None)
    return data if data is not None else getattr(value, "url", None)


def numbers_of(value: Any) -> NDArray[Any] | None:
    """Return a tensor, or whatever else gives its values to numpy, as an array; None if it does not."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(type(value), "__array__"):
        return None
    try:
        array: NDArray[Any] = numpy.asarray(value)
    except Exception:  # noqa: BLE001 - a tensor on another device, or one that is still to be computed
        return None
    return array if array.ndim else None
