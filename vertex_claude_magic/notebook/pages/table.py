"""One table, written three ways: HTML for notebooks, Markdown, and aligned text for terminals.

Every text of a cell is foreign until it is escaped here. The HTML has no link, script, form, button or style
element and loads nothing; what else a page wants to put into a cell it hands over as `Inline`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.notebook.pages.html import literal, unbroken
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["BREAK", "Cell", "Column", "Inline", "Row", "Table", "lines", "parts", "span"]

_LONGEST = 1_000
# Lines up to this length, that of a dated model id, are not broken in a column whose `wrap` is "long".
_SHORT = len("claude-sonnet-4-5@20250929")
# A blank between tags and not in one, where every ">" of a text is escaped.
_BLANK = re.compile(r" (?![^<>]*>)")


@dataclass(frozen=True, slots=True)
class Inline:
    """A part of a cell as a page wrote it itself, already escaped: HTML, and what text shows in its place."""

    html: str
    plain: str = ""


Part = str | Inline
Cell = Part | tuple[Part, ...]
Look = Literal["page", "panel", "facts"]

BREAK = Inline("<br>", "\n")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        head: Its head; a table without heads has none in any column.
        align: Where its cells begin or end.
        wrap: Where a cell may break: at blanks, "anywhere", "never", or at blanks if it is "long".
    """

    head: str = ""
    align: Literal["left", "right"] = "left"
    wrap: Literal["", "anywhere", "never", "long"] = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row, its name first. With too few cells the last one spans the rest.

    Args:
        cells: The cells.
        title: What the browser shows when the pointer rests on the name.
        current: Whether this is the row of what is chosen.
    """

    cells: tuple[Cell, ...]
    title: str = ""
    current: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Columns, rows, a caption, and notes, which HTML shows with the caption and text below the table.

    On a page the caption is a paragraph above the table: one of the table's own is as wide as the table, so it is
    squeezed above a narrow one and cut with a wide one. A page without rows is that paragraph alone. A table that is
    wider than the page scrolls by itself, and what is around it stays in place.

    >>> table = Table(columns=(Column("Model"), Column("USD", "right")), rows=[Row(("<b>", "0.5"))], caption="Prices.")
    >>> print(table.plain())
    Prices.
    Model  USD
    <b>    0.5
    >>> print(table.markdown().splitlines()[-1])
    | &lt;b> | 0.5 |
    >>> '<th scope="row" style="text-align: left">&lt;b&gt;</th><td>0.5</td>' in table.html()
    True
    """

    columns: Sequence[Column]
    rows: Sequence[Row] = field(repr=False)
    caption: Cell = ""
    notes: Sequence[str] = ()

    def html(self, look: Look = "page") -> str:
        """Return the table as HTML.

        Args:
            look: "page" for the output of a cell; "panel" for a widget, where what cells share is written once,
                because the panel's state is saved with the notebook; "facts" for names with values in a widget.
        """
        table, caption_style = _TABLES[look]
        # JupyterLab shows outputs with its own alignment, which only the style of a cell overrides.
        shared = "" if look == "page" else _style(self.columns[-1], "", look)
        caption = _html((*parts(self.caption), *(f" {note}" for note in self.notes)), look)
        if look == "facts":
            label = literal(_plain(self.caption), formulas=True)
            table, caption = f'{table} aria-label="{label}"', ""
        head = ""
        if any(column.head for column in self.columns):
            cells = (
                f'<th scope="col"{_attribute("style", _style(column, column.head, look))}>'
                f"{_html((column.head,), look, column.wrap)}</th>"
                for column in self.columns
            )
            head = f"<thead>\n<tr>{''.join(cells)}</tr>\n</thead>\n"
        body = "\n".join(self._html_row(row, look, shared) for row in self.rows)
        if body:
            top = ' valign="top"' if look == "facts" else ""
            body = f"<tbody{top}{_attribute('style', shared)}>\n{body}\n</tbody>\n"
        if look == "page":
            above = f"<p>{caption}</p>\n" if caption else ""
            below = f'<div style="overflow-x: auto"><table>\n{head}{body}</table></div>' if self.rows else ""
            return f"{above}{below}"
        inside = f"<caption{_attribute('style', caption_style)}>{caption}</caption>" if caption else ""
        return f"<table{table}>\n{inside}{head}{body}</table>"

    def _html_row(self, row: Row, look: Look, shared: str) -> str:
        cells = []
        for at, (column, cell) in enumerate(zip(self.columns, row.cells, strict=False)):
            style = _style(column, _plain(cell), look)
            tag = "td" if at else "th"
            attributes = _attribute("style", "" if style == shared else style)
            if not at:
                attributes = (
                    f' scope="row"{attributes}{_attribute("title", literal(row.title, formulas=True))}'
                )
            elif at == len(row.cells) - 1 < len(self.columns) - 1:
                attributes += f' colspan="{len(self.columns) - at}"'
            cells.append(f"<{tag}{attributes}>{_html(parts(cell), look, column.wrap)}</{tag}>")
        current = _attribute("aria-current", "true" if row.current else "")
        return f"<tr{current}>{''.join(cells)}</tr>"

    def markdown(self) -> str:
        """Return the table as a pipe table, the caption and the notes in paragraphs of their own."""
        from vertex_claude_magic.markdown.sanitize import as_text

        def line(cells: Sequence[str]) -> str:
            return f"| {' | '.join(cells)} |"

        def cell_text(cell: Cell) -> str:
            return "<br>".join(as_text(quote(each, _LONGEST)) for each in _plain(cell).split("\n"))

        lines = [
            line([as_text(column.head) for column in self.columns]),
            line(["--:" if column.align == "right" else ":--" for column in self.columns]),
        ]
        for row in self.rows:
            cells = [cell_text(cell) for cell in row.cells]
            lines.append(line([*cells, *[""] * (len(self.columns) - len(cells))]))
        paragraphs = [cell_text(self.caption), "\n".join(lines), *map(as_text, self.notes)]
        return "\n\n".join(part for part in paragraphs if part)

    def plain(self) -> str:
        """Return the table as aligned text; the lines of a cell go below each other."""
        heads = [column.head for column in self.columns]
        rows = [[_plain(cell).split("\n") for cell in row.cells] for row in self.rows]
        if any(heads):
            rows.insert(0, [[head] for head in heads])
        widths = [
            # A cell that spans the rest of its row makes no column wider.
            max(
                (
                    len(line)
                    for row in rows
                    if at < len(row) - 1 or len(row) == len(heads)
                    for line in row[at]
                ),
                default=0,
            )
            for at in range(len(heads))
        ]
        lines = [
            "  ".join(
                part.rjust(width) if column.align == "right" else part.ljust(width)
                for part, width, column in zip(parts, widths, self.columns, strict=False)
            ).rstrip()
            for row in rows
            for parts in zip_longest(*row, fillvalue="")
        ]
        caption = _plain(self.caption)
        return "\n".join([*([caption] if caption else []), *lines, *map(_plain, self.notes)])


def lines(texts: Iterable[str]) -> Cell:
    """Return a cell with one line a text.

    >>> Table(columns=[Column()], rows=[Row((lines(["a", "b"]),))]).plain()
    'a\\nb'
    """
    return tuple(part for text in texts for part in (BREAK, text))[1:]


def span(element: Literal["code", "small", "strong"], text: str) -> Inline:
    """Return foreign text in an HTML element.

    >>> span("code", "$a$")
    Inline(html='<code>$a$</code>', plain='$a$')
    """
    shown = literal(text, formulas=element == "code")
    return Inline(f"<{element}>{shown}</{element}>", quote(safe_plain(text), _LONGEST))


# A look is the attributes of the table and the style of its caption.
_TABLES: dict[Look, tuple[str, str]] = {
    "page": ("", ""),
    "panel": (
        # Rules of the colour of the text would stand out.
        (
            ' rules="rows" cellpadding="3" style="width: 100%; border: gray; border-collapse: collapse; '
            'margin: 0; line-height: 1.4"'
        ),
        "text-align: left; overflow-wrap: anywhere",
    ),
    "facts": (' style="width: 100%; border-collapse: collapse; border: 0; margin: 4px 0 0 0"', ""),
}


def _style(column: Column, text: str, look: Look) -> str:
    # A column of numbers needs no style on a page, because JupyterLab aligns tables right.
    styles = [] if look == "page" and column.align == "right" else [f"text-align: {column.align}"]
    if column.wrap == "anywhere":
        styles.append("overflow-wrap: anywhere")
    if look == "panel" and column.align == "left" and not column.wrap:
        # Room for the longest word, and no more, because a panel may have 320 pixels.
        styles.append("overflow-wrap: break-word")
    if column.wrap == "long" and 0 < max(map(len, text.split("\n"))) <= _SHORT:
        styles.append("white-space: nowrap")
    if look == "facts" and column.wrap == "never":
        styles += ["white-space: nowrap", "padding-right: 10px"]
    return "; ".join(styles)


def _attribute(name: str, value: str) -> str:
    return f' {name}="{value}"' if value else ""


def parts(cell: Cell) -> tuple[Part, ...]:
    """Return the pieces of a cell, to put more beside them."""
    return cell if isinstance(cell, tuple) else (cell,)


def _html(pieces: Sequence[Part], look: Look, wrap: str = "") -> str:
    # The panel may have 320 pixels; and what is not broken at all needs nothing to hold its dates together.
    shown_as = unbroken if look == "page" and wrap not in {"long", "never"} else literal
    shown = "".join(
        piece.html if isinstance(piece, Inline) else _spaced(piece, shown_as(piece, formulas=look != "page"))
        for piece in pieces
    )
    return _BLANK.sub("\N{NO-BREAK SPACE}", shown) if wrap == "never" and look == "page" else shown


def _spaced(text: str, shown: str) -> str:
    """Give back the blanks at both ends, which part two pieces of a cell."""
    before, after = " " if text[:1] == " " else "", " " if text[-1:] == " " else ""
    return f"{before}{shown}{after}" if shown else before


def _plain(cell: Cell) -> str:
    return "".join(
        part.plain if isinstance(part, Inline) else _spaced(part, quote(safe_plain(part), _LONGEST))
        for part in parts(cell)
    )
