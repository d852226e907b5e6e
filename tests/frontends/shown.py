"""What a reader sees of a notebook: its outputs as the richest form shows them, or a page's text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["commonmark", "notebook_text", "output_text", "page_text"]


def page_text(html: str) -> str:
    """Return the text of a page that is shown; what is folded away belongs to it."""
    from bs4 import BeautifulSoup

    page = BeautifulSoup(html, "html.parser")
    for hidden in page(["script", "style", "template", "head"]):
        hidden.decompose()
    return page.get_text(" ")


def commonmark(markdown: str) -> str:
    """Return Markdown as HTML, as the readers of notebooks make it."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))


def notebook_text(path: Path, html_of: Callable[[str], str] = commonmark) -> str:
    """Return marks and outputs of a notebook as a front end with HTML and Markdown shows them."""
    return "\n".join(_parts(nbformat.read(path, as_version=4), html_of))


def _parts(notebook: Any, html_of: Callable[[str], str]) -> Iterator[str]:
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield cell.source
        for output in cell.get("outputs", ()):
            yield output_text(output, html_of)


def output_text(output: Mapping[str, Any], html_of: Callable[[str], str] = commonmark) -> str:
    """Return the text of one output, a stream, an error or a display, as its richest form shows it."""
    if "text" in output:
        return str(output["text"])
    if "traceback" in output:
        return "\n".join(output["traceback"])
    data = output["data"]
    if html := data.get("text/html"):
        return page_text(html)
    if markdown := data.get("text/markdown"):
        return page_text(html_of(markdown))
    return str(data.get("text/plain", ""))
