"""Notebook files as their cells, with the text of their outputs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError, quote
from vertex_claude_magic.session.content.parts import Budget, Part, Text, estimate_tokens, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["notebook_parts"]

_OUTPUT = 500
# In nbformat 3 the images of an output stand beside its text.
_OLD_IMAGES = frozenset({"png", "jpeg", "svg"})
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def notebook_parts(data: bytes, budget: Budget, *, name: str = "") -> tuple[Part, ...]:
    """Turn a notebook file into text: each cell with its kind, and what it printed, shortened.

    Raises:
        OptionError: it is no notebook.
    """
    try:
        notebook = json.loads(data)
        cells = notebook["cells"] if "cells" in notebook else _old_cells(notebook)
        texts = [_cell(number, cell) for number, cell in enumerate(cells, start=1)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise OptionError(
            f"{quote(name, 80) or 'The file'} is no notebook that can be read ({type(error).__name__}).",
            cure="Open it in Jupyter and save it.",
        ) from error
    kept, short = _kept(texts, budget)
    cuts = [f"the first {len(kept):,} of {len(texts):,} cells"] if len(kept) < len(texts) else []
    if short:
        cuts.append(f"of cell {len(kept):,} {short}")
    about = f"{len(texts):,} cell{'' if len(texts) == 1 else 's'}"
    return (Text(body="\n\n".join(kept), kind="Jupyter notebook", about=about, cut="; ".join(cuts)),)


def _kept(texts: list[str], budget: Budget) -> tuple[list[str], str]:
    """Return the cells that fit, and what was left out of the first if even that does not."""
    kept: list[str] = []
    room = budget.tokens
    for text in texts:
        room -= estimate_tokens(text) + 1
        if room < 0:
            break
        kept.append(text)
    if kept or not texts:
        return kept, ""
    first, short = shorten(texts[0], budget)
    return [first], short


def _old_cells(notebook: Mapping[str, Any]) -> list[Any]:
    # Before nbformat 4 (2014) cells stood in worksheets.
    return [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]


def _cell(number: int, cell: Mapping[str, Any]) -> str:
    source = _joined(cell.get("source", cell.get("input", "")))
    outputs = [text for output in cell.get("outputs") or () for text in _output(output)]
    return "\n".join([f"# cell {number} ({cell.get('cell_type', 'cell')})", source, *outputs])


def _output(output: Mapping[str, Any]) -> Iterator[str]:
    data = output.get("data") or {}
    if any(str(mime).startswith("image/") for mime in data) or _OLD_IMAGES & set(output):
        yield "# output: an image, left out"
        return
    text = _joined(output.get("text") or data.get("text/plain") or "")
    if output.get("output_type") in {"error", "pyerr"}:
        text = f"{output.get('ename')}: {output.get('evalue')}"
    text = _COLOURS.sub("", text).strip()
    if text:
        short = text if len(text) <= _OUTPUT else f"{text[:_OUTPUT]}…"
        yield "# output: " + short.replace("\n", "\n# ")


def _joined(source: Any) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
