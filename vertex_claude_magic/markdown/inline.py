"""Inline tokens written as Markdown that no two parsers read differently.

Literal text keeps its looks: only characters that could become markup are escaped, with a backslash or
a character reference. Links go to web and mail addresses only, images become links that name their host,
and the target of anything else is shown as code. The only HTML that is ever written are ``br``,
``code`` and ``span`` without attributes, around text that is escaped itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from vertex_claude_magic.markdown.characters import visible
from vertex_claude_magic.markdown.formulas import canonical_formula
from vertex_claude_magic.markdown.literal import LITERAL_DOLLAR, escape_text, guard_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

__all__ = ["code_span", "formula", "inline_lines", "safe_url"]

# Addresses are texts, compiled by the first link that is met.
# Written as explicit links: JupyterLab takes everything up to a space into a bare address, quotes and angle
# brackets included. So an address here ends before any sign that could be read differently.
_BARE_ADDRESS = (
    r"(?i)(?<!\w)https?://\w(?:[\w.-]*\w)?(?::\d+)?(?![\w@\\]|[.:-]+[\w@\\])"
    r"(?:[/?#](?:[\w./?#&=%+,;:@!-]*[\w/#&=%+-])?)?"
)
# Two formulas, a formula and a digit, or two code spans that touch would be read as one.
_TOUCHING = re.compile(r"\$[$`\d]|``")
_BREAKS = {"softbreak": "\n", "hardbreak": "\0\n"}
# Stands for a literal dollar until it is known how many there are; the source holds no NUL.
_DOLLAR = "\0d"
_BREAK = re.compile(r"<br *\t*/?>", re.IGNORECASE)

# No user information, which is written to deceive: https://google.com@evil.example.
_ADDRESS = r"(?i)(https?)://([^\s/?#\\@:\[\]]+)(:\d{1,5})?(?=[/?#]|\Z)(.*)"
_HOST = r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})"
_MAIL = r"(?i)mailto:[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}"
_URL_SAFE = "/?#&=:@!+,;._-%"
_LONGEST_URL = 4000
# JupyterLab takes these for formulas even inside backticks.
_MATH_IN_CODE = re.compile(r"\$\$|\\begin|\\end|\\\\[()\[\]]|@@\d")
_BACKTICKS = re.compile("`+")
_ASCII_SIGN = re.compile(r"(?![\w\s])[\x00-\x7f]")


def code_span(content: str, *, in_table: bool = False) -> str:
    """Return the content as inline code that cannot be closed from within.

    Content that a front end would take for a formula, even inside backticks, is written as a ``code``
    element with every sign as a character reference.

    >>> print(code_span("a`b"), code_span("$$"))
    ``a`b`` <code>&#36;&#36;</code>
    """
    flat = visible(content).replace("\n", " ").replace("\t", " ")
    if not flat.strip():
        return ""
    if _MATH_IN_CODE.search(flat) or (in_table and "|" in flat):
        return f"<code>{_ASCII_SIGN.sub(lambda found: f'&#{ord(found[0])};', flat)}</code>"
    longest = max(map(len, _BACKTICKS.findall(flat)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if flat[0] in "` " or flat[-1] in "` " else ""
    return f"{ticks}{pad}{flat}{pad}{ticks}"


def formula(tex: str, source: str, *, display: bool, in_table: bool = False) -> str:
    """Return the formula between dollars, or its source as code where it must not be typeset."""
    safe = canonical_formula(tex, in_table=in_table)
    if safe is None:
        return code_span(source, in_table=in_table)
    return f"$${safe}$$" if display and not in_table else f"${safe}$"


def safe_url(target: str) -> tuple[str, str]:
    """Return the address as it may be in a link, and the host it leads to; two empty strings if inert.

    Allowed are http, https and plain mailto addresses, without user information and hidden characters.

    >>> safe_url("https://example.org/a b?x=1"), safe_url("javascript:alert(1)")
    (('https://example.org/a%20b?x=1', 'example.org'), ('', ''))
    """
    # Longer addresses are data, and browsers cut them at different lengths.
    if len(target) > _LONGEST_URL or visible(target) != target:
        return "", ""
    if re.fullmatch(_MAIL, target):
        return target, target[7:]
    found = re.fullmatch(_ADDRESS, target)
    if not found:
        return "", ""
    try:
        # Letters of other scripts may look like those of a well-known host; Punycode shows the difference.
        host = found[2] if found[2].isascii() else found[2].encode("idna").decode("ascii")
    except UnicodeError:
        return "", ""
    if not re.fullmatch(_HOST, host):
        return "", ""
    rest = quote(found[4], safe=_URL_SAFE).replace("@@", "%40%40").replace("~", "%7E").replace("&", "&amp;")
    return f"{found[1].lower()}://{host}{found[3] or ''}{rest}", host


class _Writer:
    """The Markdown of one run of inline tokens, as it grows; a NUL marks a hard line break or a literal dollar."""

    def __init__(self, *, in_table: bool) -> None:
        self.in_table = in_table
        self.parts: list[str] = []
        self.links: list[tuple[str, str, int]] = []

    def add(self, text: str) -> None:
        """Append, and part what would read differently side by side: formulas, code spans, "!" and a link."""
        last = self.parts[-1] if self.parts else ""
        if text.startswith("[") and last.endswith("!"):
            self.parts[-1] = last[:-1] + "&#33;"
        if text:
            self.parts.append(" " + text if _TOUCHING.match(last[-1:] + text[0]) else text)

    def text(self, text: str) -> None:
        """Write literal text, in which a NUL marks a line break and bare addresses become links."""
        for number, piece in enumerate(text.split("\0\n")):
            self.add("\0\n" if number else "")
            end = 0
            for found in re.finditer(_BARE_ADDRESS, piece) if "://" in piece and not self.links else ():
                url = safe_url(found[0])[0]
                if url:
                    self.literal(piece[end : found.start()])
                    self.add(f"[{self.escaped(found[0])}](<{url}>)")
                    end = found.end()
            self.literal(piece[end:])

    def escaped(self, text: str) -> str:
        return escape_text(text, dollar=_DOLLAR, in_table=self.in_table)

    def literal(self, text: str) -> None:
        self.add(self.escaped(text))

    def code(self, content: str) -> None:
        self.add(code_span(content, in_table=self.in_table))

    def open_link(self, target: str) -> None:
        url = safe_url(target)[0]
        self.add("[" if url else "")
        self.links.append((target, url, len(self.parts)))

    def close_link(self) -> None:
        target, url, start = self.links.pop()
        shown = "".join(self.parts[start:])
        if url:
            self.literal("" if shown else target)
            self.parts.append(f"](<{url}>)")
        # A link that may not lead anywhere shows its target, once.
        elif target and shown == self.escaped(target):
            del self.parts[start:]
            self.code(target)
        else:
            self._inert(target)

    def _inert(self, target: str) -> None:
        code = code_span(target, in_table=self.in_table)
        if code:
            self.parts.append(f" ({code})")

    def image(self, token: Token) -> None:
        """Write an image as a link that names its host: nothing is fetched before a click."""
        target = str(token.attrs.get("src", ""))
        url, host = safe_url(target)
        alt = "".join(child.content for child in token.children or ())
        linked = bool(url) and not self.links
        self.add("[" if linked else "")
        self.literal(f"image: {alt} ({host})" if host else f"image: {alt}")
        if linked:
            self.parts.append(f"](<{url}>)")
        elif not url:
            self._inert(target)

    def write(self, token: Token) -> None:
        """Write any token but text."""
        kind = token.type
        if kind == "code_inline":
            self.code(token.content)
        elif kind == "link_open":
            self.open_link(str(token.attrs.get("href", "")))
        elif kind == "link_close":
            self.close_link()
        elif kind == "image":
            self.image(token)
        elif kind in {"math_inline", "math_display"}:
            display = kind == "math_display"
            self.add(formula(token.content, token.markup, display=display, in_table=self.in_table))
        else:
            self.add(_BREAKS.get(kind, token.markup))


def inline_lines(tokens: Sequence[Token], *, in_table: bool = False) -> list[str]:
    """Return the lines of a paragraph, a heading or a table cell; a hard break ends in a NUL."""
    writer = _Writer(in_table=in_table)
    # Neighbouring texts are joined, because the parser cuts at every sign that could be markup.
    text = ""
    for token in tokens:
        if token.type == "text":
            # The one piece of HTML that is understood is a line break.
            text += _BREAK.sub("\0\n", token.content) if "<" in token.content else token.content
        elif token.type == "text_special":
            text += token.content.replace("\n", " ")
        else:
            writer.text(text)
            writer.write(token)
            text = ""
    writer.text(text)
    written = "".join(writer.parts)
    # A dollar that is alone in its paragraph needs no more than a backslash. Counted is what is written, whatever it
    # came from: texts, titles of images, addresses, code, formulas.
    dollar = r"\$" if written.count(_DOLLAR) + written.count("$") < 2 else LITERAL_DOLLAR
    lines: list[str] = []
    for raw in written.replace(_DOLLAR, dollar).split("\n"):
        hard = raw.endswith("\0")
        line = guard_line(raw[:-1] if hard else raw)
        if line:
            lines.append(line + "\0" if hard else line)
        elif hard and lines and not lines[-1].endswith("\0"):
            lines[-1] += "\0"
    return lines
