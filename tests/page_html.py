"""The HTML that pages of the product may use, and a reader of what one uses."""

from __future__ import annotations

from html.parser import HTMLParser

QUIET_HTML = {"table", "caption", "thead", "tbody", "tr", "th", "td", "pre", "p", "small", "br", "code", "b", "strong",
              "em", "details", "summary", "ul", "li", "span", "sup", "abbr", "div"}  # fmt: skip


class Elements(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
