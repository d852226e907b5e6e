"""Notebook files as their cells, with the text of their outputs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.prompts.parts import PromptPart, Text, ValueLimits, estimate_tokens, shorten
from vertex_claude_magic.prompts.values.html_text import html_text
from vertex_claude_magic.prompts.values.stable_text import without_addresses
from vertex_claude_magic.text import number_of, quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vertex_claude_magic.json_types import Json

__all__ = ["notebook_parts"]

# Characters of what a cell printed, and of what it showed as HTML or Markdown, such as an answer.
_OUTPUT = 500
_RICH_OUTPUT = 4_000
# In nbformat 3 the images of an output are beside its text.
_OLD_IMAGES = frozenset({"png", "jpeg", "svg"})
# What IPython, matplotlib, pandas and widgets print where the output itself is of another kind.
_PLACEHOLDER = re.compile(
    r"<(?:[\w.]+\.)+[\w.<>]+(?: object)?(?: at 0x[0-9a-fA-F]+)?>|<\w+ object(?: at 0x[0-9a-fA-F]+)?>"
    r"|<(?:Figure|Axes)[^<>]*>|<pandas[^<>]*>"
    r"|(?:alt|hv)\.\w+\(\.\.\.\)|Output\(\)|HTML\(value=.*\)"
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def notebook_parts(data: bytes, limits: ValueLimits, *, name: str = "") -> tuple[PromptPart, ...]:
    """Turn a notebook file into text: each cell with its kind, and what it printed, shortened.

    Raises:
        OptionError: it is not a notebook.
    """
    try:
        notebook = json.loads(data)
        if "cells" in notebook:
            cells = notebook["cells"]
        else:
            # Before nbformat 4 (2014) cells were in worksheets.
            cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
        texts, shortened = list[str](), 0
        for number, cell in enumerate(cells, start=1):
            lines = [f"# cell {number} ({cell.get('cell_type', 'cell')})"]
            lines.append(_joined(cell.get("source", cell.get("input", ""))))
            for output in cell.get("outputs") or ():
                text, most = _output(output)
                if not text:
                    continue
                shown = text if len(text) <= most else f"{text[:most]}…"
                shortened += len(text) > most
                # As comments, so that a cell with its outputs still reads as code.
                lines.append("# output: " + shown.replace("\n", "\n# "))
            texts.append("\n".join(lines))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise OptionError(
            f"{quote(name, 80) or 'The file'} cannot be read as a notebook.",
            cure="Open it in Jupyter and save it.",
        ) from error
    fitting: list[str] = []
    left, short = limits.tokens, ""
    for text in texts:
        left -= estimate_tokens(text) + 1
        if left < 0:
            break
        fitting.append(text)
    if texts and not fitting:
        first, short = shorten(texts[0], limits)
        fitting = [first]
    cuts = [f"the first {len(fitting):,} of {len(texts):,} cells"] if len(fitting) < len(texts) else []
    if shortened:
        cuts.append(f"of {number_of(shortened, 'long output')} only the beginning")
    if short:
        cuts.append(f"of cell {len(fitting):,} {short}")
    about = number_of(len(texts), "cell")
    return (Text(body="\n\n".join(fitting), kind="Jupyter notebook", about=about, cut="; ".join(cuts)),)


def _output(output: Mapping[str, Any]) -> tuple[str, int]:
    """Return the text of an output, which may be empty, and how many characters of it go out."""
    data = output.get("data") or {}
    if any(str(mime).startswith("image/") for mime in data) or _OLD_IMAGES & set(output):
        return "an image, left out", _OUTPUT
    if output.get("output_type") in {"error", "pyerr"}:
        text = f"{output.get('ename')}: {output.get('evalue')}"
    else:
        text = _joined(output.get("text") or data.get("text/plain") or "")
    text = without_addresses(_COLOURS.sub("", text).strip())
    if data and (not text or _PLACEHOLDER.fullmatch(text)):
        # What a reader saw of an output whose plain text is only the name of an object.
        for mime in ("text/markdown", "text/latex", "application/json", "text/html"):
            content = data.get(mime)
            if content is None:
                continue
            if mime == "application/json":
                return json.dumps(content, ensure_ascii=False), _RICH_OUTPUT
            joined = _joined(content)
            if richer := (html_text(joined) if mime == "text/html" else joined).strip():
                return richer, _RICH_OUTPUT
        kinds = ", ".join(sorted(set(map(str, data)) - {"text/plain"}))
        return " ".join(
            each for each in (text.strip("<>"), kinds and f"({kinds})", "left out") if each
        ), _OUTPUT
    return text, _OUTPUT


def _joined(source: Json) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
