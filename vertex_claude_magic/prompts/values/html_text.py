"""HTML as the text that a reader sees."""

from __future__ import annotations

import re
from html.parser import HTMLParser

__all__ = ["html_text"]

_HIDDEN = frozenset({"script", "style", "head", "template", "noscript"})
_BLOCKS = frozenset({"address", "article", "aside", "blockquote", "br", "caption", "dd", "details", "div",
                     "dl", "dt", "figcaption", "figure", "footer", "h1", "h2", "h3", "h4", "h5", "h6",
                     "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table",
                     "tbody", "tfoot", "thead", "tr", "ul"})  # fmt: skip
_CELLS = frozenset({"td", "th"})
_BLANKS = re.compile(r"[ \t\r\f\v]+")


def html_text(markup: str) -> str:
    """Return what a reader sees of HTML: a line for each block or row, cells of a table apart by `|`.

    Scripts and styles are left out; the text of a picture is its `alt`.

    >>> html_text("<table><tr><th>city<th>n</tr><tr><td>Oslo<td>7</tr></table><p>a &amp; b</p><script>x()</script>")
    'city | n\\nOslo | 7\\na & b'
    """
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = (_BLANKS.sub(" ", line).strip(" ") for line in "".join(reader.pieces).split("\n"))
    return "\n".join(line.removeprefix("| ") for line in lines if line.strip("| "))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._hidden = 0
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in _HIDDEN
        self._preformatted += tag == "pre"
        if tag in _BLOCKS:
            self.pieces.append("\n")
        elif tag in _CELLS:
            self.pieces.append(" | ")
        elif tag == "img" and not self._hidden:
            alt = dict(attrs).get("alt")
            self.pieces.append(f"[picture: {alt}]" if alt else "[a picture, left out]")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # HTML knows no such tag but for those that never close.
        self.handle_starttag(tag, attrs)
        if tag in _HIDDEN:
            self._hidden -= 1

    def handle_endtag(self, tag: str) -> None:
        if tag in _HIDDEN:
            self._hidden = max(self._hidden - 1, 0)
        self._preformatted = max(self._preformatted - (tag == "pre"), 0)
        if tag in _BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            # Only in `pre` a line end of the source is one on the page.
            self.pieces.append(data if self._preformatted else data.replace("\n", " "))
