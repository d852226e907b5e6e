"""One table in its three forms: what they have in common, and what foreign text may do in them."""

from __future__ import annotations

import pytest
from page_html import QUIET_HTML, Elements

from vertex_claude_magic.markdown.sanitize import safe_markdown
from vertex_claude_magic.notebook.pages.html import literal, verbatim
from vertex_claude_magic.notebook.pages.table import BREAK, Column, Inline, Row, Table, lines, span

HOSTILE = [
    "<script>alert(1)</script>",
    '" onclick="x',
    "</td></table><form><button>Run</button></form>",
    "a\nb\r\nc",
    "\x1b[31mred\x07 \u202eabc",
    "[x](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "a|b \\| `code` **bold**",
    "$x$ \\(y\\)",
    "x" * 100_000,
    "\ud800",
    "",
]
LOOKS = ["page", "panel", "facts"]
TABLE = Table(
    columns=(Column("Model"), Column("USD", "right"), Column("Where")),
    rows=[
        Row(("Opus", "12.5", lines(["us", "europe-west1"])), title="the largest"),
        Row((("Haiku", BREAK, "retired"), "0.5", "eu"), current=True),
        Row(("Sonnet", "not served anywhere near")),
    ],
    caption="Prices.",
    notes=["A note."],
)


def test_as_text_columns_are_aligned_and_what_spans_them_makes_none_wider():
    """The lines of a cell stand below each other, numbers end at the right, no line ends in blanks."""
    assert TABLE.plain().splitlines() == [
        "Prices.",
        "Model     USD  Where",
        "Opus     12.5  us",
        "               europe-west1",
        "Haiku     0.5  eu",
        "retired",
        "Sonnet   not served anywhere near",
        "A note.",
    ]


def test_as_markdown_it_is_a_pipe_table_that_the_sanitizer_leaves_as_it_is():
    """Caption and notes are paragraphs, because a pipe table has neither."""
    text = TABLE.markdown()
    assert text.splitlines()[2:5] == [
        "| Model | USD | Where |",
        "| :-- | --: | :-- |",
        "| Opus | 12.5 | us<br>europe-west1 |",
    ]
    assert text.startswith("Prices.\n\n")
    assert text.endswith("\n\nA note.")
    assert safe_markdown(text).count("\n| ") == text.count("\n| ")


def test_as_html_names_are_heads_of_their_rows():
    """A title, the current row and a cell that spans the rest keep their places."""
    page = TABLE.html()
    assert '<th scope="row" style="text-align: left" title="the largest">Opus</th>' in page
    assert '<tr aria-current="true"><th scope="row" style="text-align: left">Haiku<br>retired</th>' in page
    assert '<td colspan="2">not served anywhere near</td>' in page


def test_what_is_above_a_table_is_as_wide_as_the_page_and_not_as_the_table():
    """A caption of the table is squeezed above a narrow one and cut with a wide one; a panel has its own width.

    A table that is wider than the page scrolls in a box of its own.
    """
    page = TABLE.html()
    assert page.startswith('<p>Prices. A note.</p>\n<div style="overflow-x: auto"><table>')
    assert page.endswith("</table></div>")
    assert "<caption" not in page
    assert 'overflow-wrap: anywhere">Prices. A note.</caption>' in TABLE.html("panel")
    nothing = Table(columns=TABLE.columns, rows=[], caption="No models.")
    assert nothing.html() == "<p>No models.</p>\n"


def test_a_panel_says_once_what_its_cells_share():
    """Its state is saved with the notebook."""
    table = Table(columns=(Column("a"), Column("b", "right")), rows=[Row(("x", "1"))] * 50)
    assert table.html("panel").count("text-align: right") == 2
    assert "<td>1</td>" in table.html("panel")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_foreign_text_stays_text_in_html(text, look):
    """In every place of a table, in every look: nothing loads, runs or can be pressed, and all is bounded."""
    cell = (text, BREAK, span("code", text), span("strong", text), Inline("<small>own</small>"))
    page = Table(
        columns=(Column(text), Column("b", wrap="never"), Column(text)),
        rows=[Row((text, cell, text), title=text)],
        caption=text,
        notes=[text],
    ).html(look)
    seen = Elements(page)
    assert seen.elements <= QUIET_HTML | {"span"}
    assert 'title="<' not in page
    assert seen.attributes <= {"scope", "style", "title", "aria-label", "rules", "cellpadding", "valign"}
    assert all(line.isprintable() for line in page.replace("\N{NO-BREAK SPACE}", " ").splitlines())
    assert len(page) < 30_000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_foreign_text_stays_text_in_markdown_and_plain(text):
    """No line more than others have, no cell more, no control character."""
    table = Table(columns=(Column("a"), Column("b")), rows=[Row((text, "1"))], caption=text, notes=[text])
    assert table.plain().count("\n") <= 3
    assert all(line.isprintable() for line in table.plain().splitlines())
    row = next(line for line in table.markdown().splitlines() if line.endswith("| 1 |"))
    assert row.count("|") == 3
    assert "<script" not in table.markdown()
    assert "](" not in table.markdown().replace("\\]", "")


def test_signs_of_a_formula_are_kept_apart_on_a_page():
    """JupyterLab looks for formulas in HTML outputs; the code to copy stays as it is."""
    assert literal("costs $5 or $6").count("<span>$</span>") == 2
    assert literal("$5", formulas=True) == "$5"
    assert verbatim("a  $b\n  c") == "a  $b\n  c"
