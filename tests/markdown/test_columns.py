"""Model text as HTML in columns: tables, line breaks, bare spans and code, whatever a model writes."""

from __future__ import annotations

from html.parser import HTMLParser

import hostile
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic.markdown.columns import cell_html, column_html, lines_and_tables, table_html

ELEMENTS = {"table", "thead", "tbody", "tr", "th", "td", "br", "span", "code", "div", "wbr"}
COLUMN = (
    "display: inline-table; table-layout: fixed; vertical-align: top; width: 49%; min-width: 16em; max-width: 44em; "
    "margin-top: 0; overflow-wrap: break-word"
)
STYLES = {COLUMN, "text-align: left; vertical-align: top", "overflow-x: auto"}
HOSTILE = {name: text for group in hostile.GROUPS for name, text in group.items()}
# Texts that aim at this writer.
AIMED = {
    "closes the cell": "</td></tr></tbody></table><script>window.__pwned=1</script>",
    "closes an attribute": '" onmouseover="window.__pwned=1',
    "a tag over two lines": "<img\nsrc=x\nonerror=window.__pwned=1>",
    "an entity": "&lt;script&gt;&#60;script&#62;&#x3c;script&#x3e;",
    "a link": "[a](javascript:window.__pwned=1) ![b](http://evil.example/leak.png)",
    "a reference": "[a]: javascript:x\n\n[a]",
    "an autolink": "<javascript:alert(1)> <http://evil.example/>",
    "a table": "| <b> | `|` |\n|---|---|\n| </td> | <!-- |",
    "code": "```html\n</table><script>x</script>\n```",
    "a formula": r"$\href{javascript:x}{y}$ and \(x\) and $$\require{html}\style{x}{y}$$",
    "controls": "a\x00b\x1b[31mc\u202ed\ufeffe\ud800",
    "a comment": "<!--><img src=x onerror=1>-->",
    "deep": "> " * 200 + "x",
    "deep lists": "".join(f"{'  ' * depth}* x\n" for depth in range(100)),
}


class Checker(HTMLParser):
    """Collects what may not be there."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        if tag not in ELEMENTS:
            self.found.append(f"element {tag}")
        self.found += [f"{name}={value}" for name, value in attrs if name != "style" or value not in STYLES]
        if tag not in {"br", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.found.append(f"end of {tag}")

    def handle_comment(self, data):
        self.found.append("comment")

    handle_decl = handle_pi = unknown_decl = handle_comment

    def handle_data(self, data):
        self.text += data


def checked(html: str) -> Checker:
    checker = Checker()
    checker.feed(html)
    checker.close()
    return checker


@pytest.mark.parametrize("rendered", [True, False])
@pytest.mark.parametrize("text", [*HOSTILE.values(), *AIMED.values()], ids=[*HOSTILE, *AIMED])
def test_whatever_a_model_writes_there_are_only_tables_breaks_spans_and_code(text, rendered):
    """In every place: the text, the title, the lines below."""
    found = checked(column_html(text, text, [text], of=2, rendered=rendered) + table_html([text], [[text]]))
    assert found.found == []
    assert found.open == []


@given(st.text())
def test_any_text_is_only_tables_breaks_spans_and_code(text):
    """Also what nobody thought of."""
    found = checked(column_html(text, text, of=2))
    assert (found.found, found.open) == ([], [])


@pytest.mark.parametrize("text", AIMED.values(), ids=AIMED.keys())
def test_a_dollar_and_a_backslash_are_elements_of_their_own(text):
    """So no front end takes them for a formula."""
    html = column_html("a", text, of=2)
    assert html.count("$") == html.count("<span>$</span>")
    assert html.count("\\") == html.count("<span>\\</span>")


def test_code_has_letters_of_one_width():
    """Line by line, with its indentation."""
    html = column_html("a", "See:\n\n```py\nif x:\n\n    y\n```\n\nSo.", of=2)
    assert "See:<br><br><code>if x:</code><br><br><code>&nbsp;&nbsp;&nbsp;&nbsp;y</code><br><br>So." in html


# Markdown, and the lines that are read.
LINES = {
    "prose": ("One\nand two.\n\nThree.", ["One and two.", "", "Three."]),
    "a line that ends": ("One.  \nTwo.", ["One.", "Two."]),
    "a long item": ("- a\n  and b\n- c", ["• a and b", "• c"]),
    "emphasis": ("**a** *b* `d`", ["a b d"]),
    "a heading": ("# A\ntext", ["A", "", "text"]),
    "a list": ("- a\n- b\n\nc", ["• a", "• b", "", "c"]),
    "numbers": ("3. a\n4. b", ["3. a", "4. b"]),
    "a list in a list": ("- a\n  - b\n- c", ["• a", "  • b", "• c"]),
    "code": ("```py\nif x:\n    y\n```\nz", ["if x:", "    y", "", "z"]),
    "a table": ("| a | b |\n|---|---|\n| 1 | **2** |", [[["a", "b"], ["1", "2"]]]),
    "a table in prose": ("So:\n\n| a |\n|---|\n| 1 |\n\nDone.", ["So:", "", [["a"], ["1"]], "Done."]),
    "a table in a list": ("- | a |\n  |---|\n  | 1 |\n- b", ["• ", [["a"], ["1"]], "• b"]),
    "an empty table": ("| a |\n|---|", [[["a"]]]),
    "a list from zero": ("0. a\n1. b", ["0. a", "1. b"]),
    "struck out": ("~~wrong~~ right", ["~~wrong~~ right"]),
    "a link": ("[a](http://b)", ["a (http://b)"]),
    "an image": ("![a](http://b)", ["a (http://b)"]),
    "an inline formula": ("so $x^2$", ["so $x^2$"]),
    "html": ("<b>x</b>", ["<b>x</b>"]),
    "a rule": ("a\n\n---\n\nb", ["a", "", "―", "", "b"]),
    "nothing": ("", []),
}


@pytest.mark.parametrize(("text", "lines"), LINES.values(), ids=LINES.keys())
def test_the_lines_are_the_text_that_markdown_means(text, lines):
    """Without its marks."""
    assert lines_and_tables(text) == lines


@pytest.mark.parametrize(("of", "share"), [(2, "49%"), (3, "32%"), (4, "24%"), (8, "24%")])
def test_columns_share_the_width_of_the_page(of, share):
    """At most four are beside each other."""
    assert f"width: {share};" in column_html("haiku", "Four.", of=of)


@pytest.mark.parametrize(
    "text", ["https://example.org/" + "long" * 30, "| a |\n|---|\n| 1 |", "```\ncode\n```", ""]
)
def test_a_column_is_as_wide_when_it_is_whole_as_while_it_grows(text):
    """Whatever is in it, so nothing beside it moves."""
    growing, whole = (column_html("haiku", text, of=2, rendered=each) for each in (False, True))
    assert {each.partition(">")[0] for each in (growing, whole)} == {f'<table style="{COLUMN}"'}


@pytest.mark.parametrize(("word", "shown"), [
    ("statistically", "statistically"),
    ("a" * 18, "a" * 18),
    ("a" * 19, "a" * 12 + "<wbr>" + "a" * 7),
    ("a" * 24, "a" * 12 + "<wbr>" + "a" * 12),
    ("a" * 11 + "&" * 14, "a" * 11 + "&amp;<wbr>" + "&amp;" * 12 + "<wbr>&amp;"),
    ("two " + "b" * 20, "two " + "b" * 12 + "<wbr>" + "b" * 8),
    ("a" * 12 + "\u0301" + "a" * 12, "a" * 12 + "\u0301a<wbr>" + "a" * 11),
    ("\u0915\u094d\u0937" * 8, "\u0915\u094d\u0937" * 4 + "<wbr>" + "\u0915\u094d\u0937" * 4),
    ("\u0915" * 11 + "\u094d" + "\u0937" * 12, "\u0915" * 11 + "\u094d" + "\u0937<wbr>" + "\u0937" * 11),
    ("\U0001f469\u200d\U0001f469\u200d\U0001f467" * 5, "\U0001f469\u200d\U0001f469\u200d\U0001f467" * 5),
])  # fmt: skip
def test_a_long_word_of_a_table_may_be_broken(word, shown):
    """Never within the name of a sign or beside a mark that joins; a word of ordinary length stays whole."""
    assert f">{shown}</td>" in table_html([], [[word]])


def test_a_table_is_a_table_in_its_column():
    """With its head, and no row of it is a line of the text around it."""
    html = column_html("haiku", "So:\n\n| a | b |\n|---|---|\n| 1 | <b> |\n\nDone.", of=2)
    style = ' style="text-align: left; vertical-align: top"'
    assert (
        f'So:<br><div style="overflow-x: auto"><table><thead><tr><th{style}>a</th><th{style}>b</th></tr></thead>'
        f"<tbody><tr><td{style}>1</td><td{style}>&lt;b&gt;</td></tr></tbody></table></div>Done."
    ) in html


@pytest.mark.parametrize(("line", "held"), [
    ("haiku · first token 0.1 s · global", "haiku&nbsp;· first token 0.1&nbsp;s&nbsp;· global"),
    ("16 tokens in / 131 out", "16 tokens in&nbsp;/ 131 out"),
    ("⚠ Failed: 3 seconds", "⚠ Failed: 3 seconds"),
])  # fmt: skip
def test_no_line_of_the_facts_below_a_column_begins_with_a_sign_or_a_unit(line, held):
    assert f">{held}</td>" in column_html("haiku", "", [line], of=3)


def test_code_keeps_its_indentation():
    """HTML would show several blanks as one."""
    assert cell_html("if x:\n    y  z") == "if x:<br>&nbsp;&nbsp;&nbsp;&nbsp;y &nbsp;z"


def test_a_text_of_nothing_but_markup_is_shown_as_it_came():
    """Parsing it would take seconds."""
    text = "*" * 50_000
    assert lines_and_tables(text) == [text]


@pytest.mark.parametrize("rendered", [True, False])
def test_a_column_without_a_text_has_no_empty_row(rendered):
    """Such as one that failed: what is said of it is right below its title."""
    assert column_html("haiku", "", ["Failed."], of=2, rendered=rendered).count("<td") == 1
