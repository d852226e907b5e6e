"""Foreign text made fit for HTML: the only place that escapes for the pages and the panel."""

from __future__ import annotations

import re
from html import escape

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.text import quote

__all__ = ["literal", "unbroken", "verbatim"]

_LONGEST = 1_000
# JupyterLab looks for formulas in HTML outputs too; neither sign begins one in an element of its own.
_FORMULA = re.compile(r"[$\\]")
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")


def literal(text: str, *, formulas: bool = False) -> str:
    """Return foreign text as one line of at most 1,000 characters, all of it shown as it is.

    Args:
        text: Text from anywhere.
        formulas: Whether what reads as a formula may stay one: in an attribute, in `<code>`, and in widgets,
            where no front end looks for formulas.

    >>> literal("<b>\\n&"), literal("$x$")
    ('&lt;b&gt; &amp;', '<span>$</span>x<span>$</span>')
    """
    shown = escape(quote(safe_plain(text[: _LONGEST * 8]), _LONGEST))
    return shown if formulas else _FORMULA.sub(r"<span>\g<0></span>", shown)


def unbroken(text: str, *, formulas: bool = False) -> str:
    """Return foreign text as `literal` does, its dates in one piece: a browser breaks lines at their hyphens too.

    >>> unbroken("as of 2026-11-28")
    'as of <span style="white-space: nowrap">2026-11-28</span>'
    """
    return _DATE.sub(r'<span style="white-space: nowrap">\g<0></span>', literal(text, formulas=formulas))


def verbatim(text: str) -> str:
    """Return text for `<pre>` or `<code>`, with its blanks and line ends.

    >>> verbatim("a  <b>")
    'a  &lt;b&gt;'
    """
    return escape(safe_plain(text))
