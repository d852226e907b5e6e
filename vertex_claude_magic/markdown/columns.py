"""Model text as HTML, for texts side by side: the text of its Markdown, in tables.

A cell holds letters, line breaks (`br`, `wbr`), bare `span` and `code` elements, and tables, each in a `div` that
scrolls. There is no attribute but a style, one of three, so there is nothing to disagree about, as in the Markdown that
`sanitize` writes: no link, no image, no formula. Each column is a table of its own, which takes its place beside the
one before or, where the page is narrow, below it.
"""

from __future__ import annotations

import re
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias, cast

from vertex_claude_magic.markdown.characters import replace_invalid, safe_plain, with_newlines
from vertex_claude_magic.markdown.parse import DEEPEST, parse_blocks, parse_inline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markdown_it.token import Token

__all__ = ["CodeLine", "cell_html", "column_html", "lines_and_tables", "table_html"]

# A line of text or code, or the rows of a table, its head first.
Part: TypeAlias = "str | CodeLine | list[list[str]]"

# Front ends look for formulas in HTML too; neither sign begins one in an element of its own.
_FORMULA = re.compile(r"[$\\]")
_BLANKS = re.compile(r"^ +|(?<= ) +")
# Longer texts, and texts with more markup, are shown as they came, because parsing takes seconds.
_LONGEST, _MOST_SIGNS = 200_000, 20_000
_SIGNS = "*_`[]!<>$\\~&|"
# On a wide page the columns share its width; where less than 16em would be left for each, the last ones go below.
# They are as wide while the text grows as when it is whole: a long word is broken, and a table of many words scrolls.
_COLUMN = (
    "display: inline-table; table-layout: fixed; vertical-align: top; width: {}%; min-width: 16em; max-width: 44em; "
    # The classic template of nbconvert gives every table but the first a margin.
    "margin-top: 0; overflow-wrap: break-word"
)
_MOST_BESIDE = 4
_CELL = "text-align: left; vertical-align: top"
_SCROLLS = "overflow-x: auto"
# In a line of facts, "2.1 s · 16 tokens in / 131 out": a line begins with no sign between two, and with no unit.
_HELD = re.compile(r" (?=[·/] )|(?<=\d) (?=s\b)")
# A table gives each column the room of its longest word. A long one may end a line after so many characters, between
# letters, digits and signs of ASCII: accents, vowel signs and joiners belong to the characters on both sides of them.
_LONG_WORD = re.compile(r"[^\s<>]{19,}")
_PIECE = re.compile(r"(?:&#?\w+;|[^&]){12}(?<=[\w!-~])(?=[\w!-~])")


def column_html(title: str, text: str, lines: Sequence[str] = (), *, of: int, rendered: bool = True) -> str:
    """Return one column: a title, a text of a model, and lines below.

    Args:
        title: What heads it.
        text: The text, in Markdown.
        lines: What is said below it.
        of: How many columns there are.
        rendered: Whether the text is parsed; while it grows, it is shown as it comes.

    >>> column_html("haiku", "**Four.**", of=2).count("<td")
    1
    """
    body = cell_html(text)
    if rendered:
        body = ""
        for of_tables, parts in groupby(lines_and_tables(text), lambda part: isinstance(part, list)):
            body += (
                "".join(_table(rows[0], rows[1:]) for rows in cast("Iterator[list[list[str]]]", parts))
                if of_tables
                else "<br>".join(map(_line, cast("Iterator[str]", parts)))
            )
    # An empty cell would be a gap above the lines.
    rows = [*([body] if body else []), *(_HELD.sub("&nbsp;", cell_html(line)) for line in lines)]
    cells = "".join(f'<tr><td style="{_CELL}">{row}</td></tr>' for row in rows)
    head = f'<tr><th style="{_CELL}">{cell_html(title)}</th></tr>'
    style = _COLUMN.format(100 // min(of, _MOST_BESIDE) - 1)
    return f'<table style="{style}"><thead>{head}</thead><tbody>{cells}</tbody></table>'


def table_html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of short texts, all of them shown as they are; with a head, the first cell of a row names it.

    >>> table_html(["", "haiku"], [["time", "3 s"]]).count("<td")
    1
    """
    return _table(head, rows, names=1 if head else 0)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, names: int = 0) -> str:
    """Return a table; the first `names` cells of a row name it."""
    titles = _row(head, names=len(head))
    # A head without cells would be read out as an empty row.
    above = f"<thead>{titles}</thead>" if head else ""
    body = "".join(_row(row, names=names) for row in rows)
    return f'<div style="{_SCROLLS}"><table>{above}<tbody>{body}</tbody></table></div>'


def _row(cells: Sequence[str], *, names: int) -> str:
    kinds = ["th"] * names + ["td"] * (len(cells) - names)
    html = [
        f'<{kind} style="{_CELL}">{_breakable(cell_html(cell))}</{kind}>'
        for kind, cell in zip(kinds, cells, strict=True)
    ]
    return f"<tr>{''.join(html)}</tr>"


def _breakable(html: str) -> str:
    return _LONG_WORD.sub(lambda word: _PIECE.sub(r"\g<0><wbr>", word[0]), html)


def cell_html(text: str) -> str:
    r"""Return text for a cell of a table, with its line ends and indentation, all of it shown as it is.

    >>> cell_html("<b>\n  $x$")
    '&lt;b&gt;<br>&nbsp;&nbsp;<span>$</span>x<span>$</span>'
    """
    return "<br>".join(map(_line, with_newlines(text).split("\n")))


def _line(text: str) -> str:
    shown = escape(safe_plain(replace_invalid(text)).replace("\n", " "), quote=True)
    shown = _FORMULA.sub(r"<span>\g<0></span>", shown.replace("\t", "    "))
    shown = _BLANKS.sub(lambda found: "&nbsp;" * len(found[0]), shown)
    return f"<code>{shown}</code>" if shown and isinstance(text, CodeLine) else shown


def lines_and_tables(text: str) -> list[Part]:
    r"""Return the lines and tables that Markdown means, without its marks; code and formulas stay as they are.

    >>> lines_and_tables("# Sum\n\n* **two** `x`\n* [a](http://b)\n\n| a |\n|---|\n| 1 |")
    ['Sum', '', '• two x', '• a (http://b)', '', [['a'], ['1']]]
    """
    source = replace_invalid(with_newlines(text))
    if len(source) > _LONGEST or sum(map(source.count, _SIGNS)) > _MOST_SIGNS:
        return [*source.split("\n")]
    tokens = parse_blocks(source)
    if any(token.level >= DEEPEST - 3 for token in tokens):
        # The parser drops what is nested more deeply than it may.
        return [*source.split("\n")]
    found = _Parts()
    for token in tokens:
        found.add(token)
    while found.parts and isinstance(last := found.parts[-1], str) and not last.strip():
        found.parts.pop()
    return found.parts


class CodeLine(str):
    """A line of a code block."""

    __slots__ = ()


class _Parts:
    """Block tokens as lines of text and tables."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        # For each list around the present block: the number of its next item, None for bullets.
        self._lists: list[int | None] = []
        self._lead = ""
        self._rows: list[list[str]] | None = None

    def add(self, token: Token) -> None:
        """Take in one token."""
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                start = token.attrGet("start")
                first = 1 if start is None else int(start)
                self._lists.append(first if token.type == "ordered_list_open" else None)
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                self._end_block()
            case "list_item_open":
                number = self._lists[-1]
                mark = "•" if number is None else f"{number}."
                self._lead = f"{'  ' * (len(self._lists) - 1)}{mark} "
                self._lists[-1] = None if number is None else number + 1
            case "table_open":
                if self._lead.strip():
                    self._add_text("")
                self._rows = []
                self.parts.append(self._rows)
            case "tr_open" if self._rows is not None:
                self._rows.append([])
            case "table_close":
                # What follows begins below the table, which has a margin of its own.
                self._rows, self._lead = None, " " * len(self._lead) if self._lists else ""
            case "inline" if self._rows is not None:
                self._rows[-1].append(_inline_text(token).replace("\n", " "))
            case "inline":
                self._add_text(_inline_text(token))
            case "fence" | "code_block" | "math_block":
                if token.type == "math_block":
                    self._add_text(token.markup)
                else:
                    self._add_text(token.content.rstrip("\n"), CodeLine)
                self.parts.append("")
            case "hr":
                self.parts += ["―", ""]
            case "paragraph_close" | "heading_close":
                self._end_block()

    def _add_text(self, text: str, kind: type[str] = str) -> None:
        first, *rest = text.split("\n")
        indent = " " * len(self._lead)
        self.parts += [kind(f"{self._lead}{first}"), *(kind(f"{indent}{each}") for each in rest)]
        self._lead = indent if self._lists else ""

    def _end_block(self) -> None:
        if not self._lists:
            self.parts.append("")
            self._lead = ""


def _inline_text(token: Token) -> str:
    """Return the text of a paragraph; a link is its words and where it leads."""
    shown: list[str] = []
    targets: list[str] = []
    for each in parse_inline(token.content, token.meta.get("references")):
        match each.type:
            case "text" | "code_inline" | "text_special":
                shown.append(each.content)
            case "softbreak":
                # A line that only the source ends, as in the Markdown of a page.
                shown.append(" ")
            case "hardbreak":
                shown.append("\n")
            case "s_open" | "s_close" | "math_inline" | "math_display":
                # Without its marks, what is struck out would say the opposite.
                shown.append(each.markup)
            case "link_open":
                targets.append(str(each.attrGet("href") or ""))
            case "link_close":
                target = targets.pop()
                shown.append("" if shown and shown[-1] == target else f" ({target})")
            case "image":
                shown.append(f"{each.content} ({each.attrGet('src')})")
    return "".join(shown)
