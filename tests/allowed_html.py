"""What a page may contain beneath model text: the elements, attributes and addresses that can do nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

TEXT_ELEMENTS = {"a", "br", "code", "del", "em", "s", "span", "strong"}
BLOCK_ELEMENTS = {"blockquote", "div", "hr", "li", "ol", "p", "pre", "ul", "h1", "h2", "h3", "h4", "h5", "h6"}
TABLE_ELEMENTS = {"table", "tbody", "td", "th", "thead", "tr"}
ELEMENTS = TEXT_ELEMENTS | BLOCK_ELEMENTS | TABLE_ELEMENTS
ATTRIBUTES = {
    "ol": {"start"},
    "th": {"style", "align"},
    "td": {"style", "align"},
    "code": {"class"},
    "a": {"href"},
}
ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s\"]+\Z", re.IGNORECASE)
# What a page of the product adds to hold a date together, and to let a wide table scroll; model text may not.
OWN_STYLES = {"white-space: nowrap", "overflow-x: auto"}
ALIGNED = re.compile(r"text-align: ?(?:left|right|center);?\Z")


class _Checker(HTMLParser):
    def __init__(self, extra: dict[str, set[str]]) -> None:
        super().__init__(convert_charrefs=True)
        self.extra = extra
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS and tag not in self.extra:
            self.found.append(f"element {tag}")
        allowed = ATTRIBUTES.get(tag, set()) | self.extra.get(tag, set())
        self.found += [f"attribute {tag} {name}={value}" for name, value in attrs if name not in allowed]
        values = dict(attrs)
        if "href" in values and not ADDRESS.match(values["href"] or "") and "class" not in values:
            self.found.append(f"address {values['href']}")
        held = "style" in self.extra.get(tag, set()) and values.get("style") in OWN_STYLES
        if "style" in values and not held and not ALIGNED.match(values["style"] or ""):
            self.found.append(f"style {values['style']}")

    handle_startendtag = handle_starttag

    def handle_comment(self, data: str) -> None:
        self.found.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"declaration {decl}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"instruction {data}")


def violations(html: str, **extra: set[str]) -> list[str]:
    """Return what the page contains beyond the allowed; `extra` names further attributes by element."""
    checker = _Checker(extra)
    checker.feed(html)
    checker.close()
    return checker.found
