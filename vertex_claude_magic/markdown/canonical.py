"""Block tokens written as canonical Markdown.

Every container is written out in full, code is always fenced with a fence that its content cannot close,
and nothing relies on rules that parsers read differently. Code that a front end would search for formulas
because it is indented in a list or a quotation is moved out to the margin, where it stays byte for byte.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.inline import formula, inline_lines
from vertex_claude_magic.markdown.parse import parse_inline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from markdown_it.token import Token

__all__ = ["canonical", "fenced", "top_level"]

# Longer content would make the cache of 1,024 lines large.
_LONGEST_KNOWN = 2000
_BACKTICKS = re.compile("`{3,}")
_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,40}")
# What JupyterLab 4.6 looks for, and the placeholders (@@0@@) that it puts in the place of formulas.
_DOLLAR_SEARCH = re.compile(r"\$|\\begin\{|\\\\[(\[]|@@\d")
_PLACEHOLDER = re.compile(r"@@\d+@@")
_BLANK_LINE = re.compile(r"\n\s*\n")
_REWRITTEN = (("\\\\(", "\\\\)"), ("\\\\[", "\\\\]"))
# ASCII punctuation and the tab, as CommonMark 0.31.2 defines it.
_SIGN = re.compile(r"[!-/:-@\[-`{-~\t]")
# GitHub Flavored Markdown draws a form element for these.
_TASK = {"[ ] ": "\u2610 ", "[x] ": "\u2611 ", "[X] ": "\u2611 "}

# Info strings that a front end draws instead of showing the code: JupyterLab 4.6, GitHub ("Creating
# diagrams", 2025-06), VS Code and nbconvert 7.17 (anything that starts with mermaid).
_DRAWN = re.compile(
    r"mermaid|(?:geojson|topojson|stl|math|katex|latexmath|asciimath|dot|graphviz|viz|plantuml|puml|kroki|d2"
    r"|vega|vega-?lite|vegalite|wavedrom|echarts|plotly|nomnoml|svgbob|ditaa|flowchart|sequence|flow|abc"
    r"|markmap|drawio|excalidraw|bokeh|smiles|svg-?render|html-?preview|iframe|jupyter|eval-rst|raw|include)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of Markdown; `at_margin` says that no list and no quotation may enclose it."""

    markdown: str
    at_margin: bool = False


def _language(info: str, content: str) -> str:
    """Reduce the info string to one harmless word; "text" where drawing or colouring would harm the code."""
    word = next(iter(info.split(maxsplit=1)), "")
    if not word:
        return ""
    environment = "\\begin{" in content and "\\end{" in content
    harmful = _DRAWN.match(word) or environment or _PLACEHOLDER.search(content)
    return word if _LANGUAGE.fullmatch(word) and not harmful else "text"


def _rewritten(content: str) -> bool:
    """Say whether JupyterLab would take backslashes out of the code, which it does even inside a fence."""
    if "\\\\" not in content:
        return False
    parts = _BLANK_LINE.split(content)
    return any(0 <= part.find(start) < part.rfind(end) for part in parts for start, end in _REWRITTEN)


def _preformatted(content: str) -> str:
    """Write code as an HTML element without attributes, each sign as a character reference."""
    body = _SIGN.sub(lambda found: f"&#{ord(found[0])};", content.removesuffix("\n"))
    return f"<pre><code>{body}\n</code></pre>"


def fenced(content: str, info: str = "") -> str:
    """Return a code block whose fence the content cannot close; the content ends in a line end or is empty.

    Code that JupyterLab 4.6 would alter inside a fence is written as a ``pre`` element instead.

    >>> print(fenced("x = 1", "python"))
    ```python
    x = 1
    ```
    """
    if _rewritten(content):
        return _preformatted(content)
    # A fence is closed only by one that is at least as long.
    longest = max(map(len, _BACKTICKS.findall(content)), default=2)
    fence = "`" * (longest + 1)
    body = content if not content or content.endswith("\n") else content + "\n"
    return f"{fence}{_language(info, content)}\n{body}{fence}"


@functools.lru_cache(maxsize=1024)
def _known_lines(content: str, *, in_table: bool) -> Sequence[str]:
    return inline_lines(parse_inline(content), in_table=in_table)


def _lines(token: Token, *, in_table: bool = False) -> Sequence[str]:
    """Write inline content; short ones are remembered, because a growing list is drawn many times."""
    references = token.meta.get("references")
    if references or len(token.content) > _LONGEST_KNOWN:
        return inline_lines(parse_inline(token.content, references), in_table=in_table)
    return _known_lines(token.content, in_table=in_table)


def _paragraph(lines: Sequence[str]) -> str:
    joined = "\n".join(lines).rstrip("\0")
    return joined.replace("\0", "\\")


def _single_line(lines: Sequence[str], line_break: str) -> str:
    return "".join(line[:-1] + line_break if line.endswith("\0") else line + " " for line in lines).strip()


def _heading(token: Token, content: Token) -> str:
    text = _single_line(_lines(content), " ")
    # Signs at the end of a heading would be taken for its closing sequence.
    if text.endswith("#"):
        text = text[:-1] + "\\#"
    return f"{token.markup if token.markup[0] == '#' else '#' * int(token.tag[1])} {text}".rstrip()


def _cell(content: Token) -> str:
    text = _single_line(_lines(content, in_table=True), "<br>")
    while text.endswith("<br>"):
        text = text[:-4].rstrip()
    return text


def _rule(token: Token) -> str:
    style = str(token.attrs.get("style", ""))
    left, right = ("left" in style or "center" in style), ("right" in style or "center" in style)
    return f"{':' if left else ''}---{':' if right else ''}"


def _table(tokens: Sequence[Token]) -> str:
    rows: list[list[str]] = []
    rules = [_rule(token) for token in tokens if token.type == "th_open"]
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(_cell(token))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], f"| {' | '.join(rules)} |", *lines[1:]])


def _indented(markdown: str, first: str, others: str) -> str:
    start, *following = markdown.split("\n")
    rest = (others + line if line else others.rstrip() for line in following)
    return "\n".join([first + start if start else first.rstrip(), *rest])


def _groups(pieces: Sequence[_Piece], separator: str) -> Iterator[_Piece]:
    """Join neighbours that may stay inside a container."""
    inside: list[str] = []
    for piece in pieces:
        if not piece.at_margin:
            inside.append(piece.markdown)
            continue
        if inside:
            yield _Piece(separator.join(inside))
        yield piece
        inside = []
    if inside:
        yield _Piece(separator.join(inside))


def _quote(tokens: Sequence[Token]) -> list[_Piece]:
    groups = _groups(_pieces(tokens[1:-1]), "\n\n")
    return [
        group if group.at_margin else _Piece(_indented(group.markdown, "> ", "> ")) for group in groups
    ] or [_Piece(">")]


def _task(tokens: Sequence[Token]) -> None:
    """Show the box of a task as a character, so that no input element arises."""
    if len(tokens) > 2 and tokens[1].type == "inline" and tokens[1].content[:4] in _TASK:
        tokens[1].content = _TASK[tokens[1].content[:4]] + tokens[1].content[4:]


def _item(tokens: Sequence[Token], marker: str, *, tight: bool) -> list[_Piece]:
    """Write one item; what follows code that was moved out stands at the margin as well."""
    _task(tokens[1:-1])
    groups = list(_groups(_pieces(tokens[1:-1]), "\n" if tight else "\n\n"))
    if not groups or groups[0].at_margin:
        groups.insert(0, _Piece(""))
    first = _Piece(_indented(groups[0].markdown, marker + " ", " " * (len(marker) + 1)))
    return [first, *(_Piece(group.markdown, at_margin=True) for group in groups[1:])]


def _list(tokens: Sequence[Token]) -> list[_Piece]:
    opening = tokens[0]
    level = opening.level + 2
    tight = not any(t.type == "paragraph_open" and t.level == level and not t.hidden for t in tokens)
    ordered = opening.type == "ordered_list_open"
    number = int(opening.attrs.get("start", 1))
    pieces: list[_Piece] = []
    for offset, item in enumerate(_blocks(tokens[1:-1])):
        marker = f"{number + offset}{opening.markup}" if ordered else opening.markup
        pieces += _item(item, marker, tight=tight)
    return list(_groups(pieces, "\n" if tight else "\n\n"))


def _code(tokens: Sequence[Token]) -> list[_Piece]:
    """Write a code block; one that would be searched for formulas when indented goes to the margin."""
    token = tokens[0]
    # JupyterLab looks for formulas in indented fences too, and one could swallow the closing fence.
    searched = bool(_DOLLAR_SEARCH.search(token.content))
    return [_Piece(fenced(token.content, token.info if token.type == "fence" else ""), at_margin=searched)]


def _plain_paragraph(tokens: Sequence[Token]) -> list[_Piece]:
    text = _paragraph(_lines(tokens[1]))
    return [_Piece(text)] if text else []


_WRITERS: dict[str, Callable[[Sequence[Token]], list[_Piece]]] = {
    "paragraph_open": _plain_paragraph,
    "heading_open": lambda tokens: [_Piece(_heading(tokens[0], tokens[1]))],
    "fence": _code,
    "code_block": _code,
    "bullet_list_open": _list,
    "ordered_list_open": _list,
    "blockquote_open": _quote,
    "table_open": lambda tokens: [_Piece(_table(tokens))],
    "math_block": lambda tokens: [_Piece(formula(tokens[0].content, tokens[0].markup, display=True))],
    # Not "---", which below a line of text makes a heading.
    "hr": lambda _tokens: [_Piece("___")],
}


def _blocks(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Cut the tokens into sibling blocks, each from its opening to its closing token."""
    start = depth = 0
    for number, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[start : number + 1]
            start = number + 1


def _pieces(tokens: Sequence[Token]) -> list[_Piece]:
    return [piece for block in _blocks(tokens) for piece in _WRITERS[block[0].type](block)]


def top_level(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Return the top-level blocks of a document, each with all its tokens."""
    return _blocks(tokens)


def canonical(tokens: Sequence[Token]) -> str:
    """Return the Markdown of one top-level block, "" if nothing of it is shown."""
    return "\n\n".join(piece.markdown for piece in _WRITERS[tokens[0].type](tokens))
