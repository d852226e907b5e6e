"""Block tokens written as canonical Markdown.

Every container is written out in full, code is always fenced with a fence that its content cannot close,
and nothing relies on rules that parsers read differently. Code that a front end would search for formulas
because it is indented in a list or a quotation is moved out to the margin, where it stays byte for byte.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.inline import formula, inline_lines
from vertex_claude_magic.markdown.parse import parse_inline
from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

__all__ = ["canonical", "fenced", "sibling_blocks"]

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
_DRAWN = frozenset(
    {"geojson", "topojson", "stl", "math", "katex", "latexmath", "asciimath", "dot", "graphviz", "viz",
     "plantuml", "puml", "kroki", "d2", "vega", "vega-lite", "vegalite", "wavedrom", "echarts", "plotly",
     "nomnoml", "svgbob", "ditaa", "flowchart", "sequence", "flow", "abc", "markmap", "drawio",
     "excalidraw", "bokeh", "smiles", "svg-render", "svgrender", "html-preview", "htmlpreview", "iframe",
     "jupyter", "eval-rst", "raw", "include"}
)  # fmt: skip


class _Piece(NamedTuple):
    """A stretch of Markdown; `at_margin` says that no list and no quotation may enclose it."""

    markdown: str
    at_margin: bool = False


def fenced(content: str, info: str = "") -> str:
    """Return a code block whose fence the content cannot close; the content ends in a line end or is empty.

    Code that JupyterLab 4.6 would alter inside a fence is written as a ``pre`` element instead.

    >>> print(fenced("x = 1", "python"))
    ```python
    x = 1
    ```
    """
    # JupyterLab takes these backslashes out even inside a fence; no sign of the element is left to it.
    parts = _BLANK_LINE.split(content) if "\\\\" in content else ()
    if any(0 <= part.find(start) < part.rfind(end) for part in parts for start, end in _REWRITTEN):
        body = _SIGN.sub(lambda found: f"&#{ord(found[0])};", content.removesuffix("\n"))
        return f"<pre><code>{body}\n</code></pre>"
    # Of the info string one harmless word is left; "text" where drawing or colouring would harm the code.
    word = next(iter(info.split(maxsplit=1)), "")
    if word:
        environment = "\\begin{" in content and "\\end{" in content
        kind = word.lower()
        drawn = kind in _DRAWN or kind.startswith("mermaid")
        harmful = drawn or environment or _PLACEHOLDER.search(content)
        word = "text" if harmful or not _LANGUAGE.fullmatch(word) else word
    # A fence is closed only by one that is at least as long.
    longest = max(map(len, _BACKTICKS.findall(content)), default=2)
    fence = "`" * (longest + 1)
    body = content if not content or content.endswith("\n") else content + "\n"
    return f"{fence}{word}\n{body}{fence}"


@functools.lru_cache(maxsize=1024)
def _known_lines(content: str, *, in_table: bool) -> Sequence[str]:
    return inline_lines(parse_inline(content), in_table=in_table)


def _lines(token: Token, *, in_table: bool = False) -> Sequence[str]:
    """Write inline content; short ones are remembered, because a growing list is drawn many times."""
    references = token.meta.get("references")
    if references or len(token.content) > _LONGEST_KNOWN:
        return inline_lines(parse_inline(token.content, references), in_table=in_table)
    return _known_lines(token.content, in_table=in_table)


def _single_line(lines: Sequence[str], line_break: str) -> str:
    return "".join(line[:-1] + line_break if line.endswith("\0") else line + " " for line in lines).strip()


def _table(tokens: Sequence[Token]) -> str:
    rows: list[list[str]] = []
    rules: list[str] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            style = str(token.attrs.get("style", ""))
            left, right = ("left" in style or "center" in style), ("right" in style or "center" in style)
            rules.append(f"{':' if left else ''}---{':' if right else ''}")
        elif token.type == "inline":
            text = _single_line(_lines(token, in_table=True), "<br>")
            while text.endswith("<br>"):
                text = text[:-4].rstrip()
            rows[-1].append(text)
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


def _list(tokens: Sequence[Token]) -> list[_Piece]:
    opening = tokens[0]
    level = opening.level + 2
    loose = any(t.type == "paragraph_open" and t.level == level and not t.hidden for t in tokens)
    separator = "\n\n" if loose else "\n"
    ordered = opening.type == "ordered_list_open"
    number = int(opening.attrs.get("start", 1))
    pieces: list[_Piece] = []
    for offset, item in enumerate(sibling_blocks(tokens[1:-1])):
        content = item[1:-1]
        # The box of a task is shown as a character, so that no input element arises.
        if len(content) > 2 and content[1].type == "inline" and content[1].content[:4] in _TASK:
            content[1].content = _TASK[content[1].content[:4]] + content[1].content[4:]
        groups = list(_groups(_pieces(content), separator))
        if not groups or groups[0].at_margin:
            groups.insert(0, _Piece(""))
        marker = f"{number + offset}{opening.markup}" if ordered else opening.markup
        pieces.append(_Piece(_indented(groups[0].markdown, marker + " ", " " * (len(marker) + 1))))
        # What follows code that was moved out goes to the margin as well.
        pieces += [_Piece(group.markdown, at_margin=True) for group in groups[1:]]
    return list(_groups(pieces, separator))


def _written(tokens: Sequence[Token]) -> list[_Piece]:
    """Write one block with all its tokens; an empty list if nothing of it is shown."""
    token = tokens[0]
    if token.type in {"bullet_list_open", "ordered_list_open"}:
        return _list(tokens)
    if token.type == "blockquote_open":
        groups = _groups(_pieces(tokens[1:-1]), "\n\n")
        return [
            group if group.at_margin else _Piece(_indented(group.markdown, "> ", "> ")) for group in groups
        ] or [_Piece(">")]
    if token.type in {"fence", "code_block"}:
        # JupyterLab looks for formulas in indented fences too, and one could swallow the closing fence.
        searched = bool(_DOLLAR_SEARCH.search(token.content))
        return [
            _Piece(fenced(token.content, token.info if token.type == "fence" else ""), at_margin=searched)
        ]
    if token.type == "paragraph_open":
        text = "\n".join(_lines(tokens[1])).rstrip("\0").replace("\0", "\\")
        return [_Piece(text)] if text else []
    if token.type == "heading_open":
        text = _single_line(_lines(tokens[1]), " ")
        # Signs at the end of a heading would be taken for its closing sequence.
        if text.endswith("#"):
            text = text[:-1] + "\\#"
        signs = token.markup if token.markup[0] == "#" else "#" * int(token.tag[1])
        return [_Piece(f"{signs} {text}".rstrip())]
    if token.type == "table_open":
        return [_Piece(_table(tokens))]
    if token.type == "math_block":
        return [_Piece(formula(token.content, token.markup, display=True))]
    # The parser makes no other block than a rule. Not "---", which below a line of text makes a heading.
    return [_Piece("___")]


def sibling_blocks(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Cut the tokens into sibling blocks, each from its opening to its closing token."""
    start = depth = 0
    for number, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[start : number + 1]
            start = number + 1


def _pieces(tokens: Sequence[Token]) -> list[_Piece]:
    return [piece for block in sibling_blocks(tokens) for piece in _written(block)]


def canonical(tokens: Sequence[Token]) -> str:
    """Return the Markdown of one top-level block, "" if nothing of it is shown."""
    return "\n\n".join(piece.markdown for piece in _written(tokens))
