"""What the sanitizer does with Markdown: what stays, what becomes text, and what is shown as code."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape

import pytest
from hostile import BENIGN, HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from vertex_claude_magic.markdown.inline import safe_url
from vertex_claude_magic.markdown.sanitize import as_text, fenced, safe_blocks, safe_markdown

SOURCE_READER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
OUTPUT_READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

# Source, and what must come out.
EXACT = {
    "html": ("a <b>c</b>", "a &lt;b>c&lt;/b>"),
    "javascript": ("[x](javascript:alert(1))", "x (`javascript:alert(1)`)"),
    "relative": ("[x](/lab)", "x (`/lab`)"),
    "autolink": ("<javascript:alert(1)>", "`javascript:alert(1)`"),
    "userinfo": ("[bank](https://bank.example@evil.example)", "bank (`https://bank.example@evil.example`)"),
    "link": ("[x](https://a.example/(b) 'title')", "[x](<https://a.example/%28b%29>)"),
    "international": ("[x](https://bücher.example/ü)", "[x](<https://xn--bcher-kva.example/%C3%BC>)"),
    "mail": ("[x](mailto:a@b.example)", "[x](<mailto:a@b.example>)"),
    "image": ("![a cat](http://a.example/c.png)", "[image: a cat (a.example)](<http://a.example/c.png>)"),
    "local-image": ("![a](c.png)", "image: a (`c.png`)"),
    "linked-image": (
        "[![a](http://i.example/p)](http://b.example)",
        "[image: a (i.example)](<http://b.example>)",
    ),
    "bang-link": ("\\![x](http://a.example)", "&#33;[x](<http://a.example>)"),
    "bare-address": ("at http://a.example/x_y.", "at [http&#58;//a.example/x_y](<http://a.example/x_y>)."),
    "bare-userinfo": ("http://a.example@b.example", "http&#58;//a.example@b.example"),
    "bare-www": ("www.a.example", "www.a.example"),
    "bare-www-and-code": ("www.a.example`x`", "www&#46;a.example`x`"),
    "tasks": ("- [ ] a\n- [x] b", "- ☐ a\n- ☑ b"),
    "tasks-after-blanks": ("- &#32;[x] a\n- <br> [X] b", "- &#91;x] a\n- &#91;X] b"),
    "item-after-blanks": ("a<br> * x", "a\\\n\\* x"),
    "line-break": ("a<br>b", "a\\\nb"),
    "line-breaks": ("a<br><br>b", "a\\\nb"),
    "line-break-before-a-line-end": ("a<br>\n<br>b", "a\\\nb"),
    "letter-without-width": ("ab\u3164cd", "abcd"),
    "line-break-in-table": ("| a<BR/>b |\n|---|", "| a<br>b |\n| --- |"),
    "footnote": ("x[^1]", "x&#91;^1&#93;"),
    "pipe-in-code": ("| `a\\|b` |\n|---|", "| <code>a&#124;b</code> |\n| --- |"),
}

LONG = "https://a.example/" + "x" * 3982
# An address, how it may be written in a link, and the host that is named; nothing where it leads nowhere.
ADDRESSES = [
    ("https://a.example", "https://a.example", "a.example"),
    ("HTTPS://A.Example:8443/?q=<b>&c#d", "https://A.Example:8443/?q=%3Cb%3E&amp;c#d", "A.Example"),
    ("https://a.example/a b\"'<>`", "https://a.example/a%20b%22%27%3C%3E%60", "a.example"),
    ("https://a.example/@@x~y", "https://a.example/%40%40x%7Ey", "a.example"),
    ("https://a.example?x", "https://a.example?x", "a.example"),
    # A Cyrillic letter that looks like one of a well-known host, and a dot of another script.
    ("https://\u0440\u0430ypal.example/", "https://xn--ypal-43d9g.example/", "xn--ypal-43d9g.example"),
    ("https://a\u3002example/", "https://a.example/", "a.example"),
    ("mailto:a@b.example", "mailto:a@b.example", "a@b.example"),
    (LONG, LONG, "a.example"),
    *[(address, "", "") for address in (
        LONG + "x", "https://" + "ü" * 70 + ".example/", "https://" + "a" * 254, "https://exa!mple.example/x", "https://a&b.example",
        "https://a%2eb.example", "https://-a.example", "https://.example", "https://a b.example", "https:///x", "https:/a.example",
        "https://a.example:123456/", "https://a.example:/", "https://a.example:x/", "https://a.example\\b", "http://[::1]/",
        "https://a@b.example", "https://a.example/\u200bx", "https://a.example/\u202ex", "https://a.example/\n", " https://a.example",
        "//a.example", "a.example", "", "javascript:alert(1)", "vbscript:x", "data:text/html,x", "file:///etc/passwd", "ftp://a.example",
        "mailto:a@b.example?cc=c@d.example", "mailto:a@b@c.example", "mailto:" + "a" * 65 + "@b.example", "mailto:a@" + "b" * 254,
    )],
]  # fmt: skip

# Info string, and the language that is left of it.
LANGUAGES = {
    "python": "python",
    "c++": "c++",
    "python title=x onclick=y": "python",
    'py"onmouseover="x': "text",
    "mermaid": "text",
    "Mermaid {theme}": "text",
    "mermaidjs": "text",
    "geojson": "text",
    "math": "text",
    "VEGA": "text",
    "vega-lite": "text",
    "svgRender": "text",
    "html-preview": "text",
    # Others that some front end draws.
    **dict.fromkeys([
        "topojson", "stl", "katex", "latexmath", "asciimath", "dot", "graphviz", "viz", "plantuml", "puml", "kroki", "d2", "vegalite",
        "wavedrom", "echarts", "plotly", "nomnoml", "svgbob", "ditaa", "flowchart", "sequence", "flow", "abc", "markmap", "drawio",
        "excalidraw", "bokeh", "smiles", "svg-render", "htmlpreview", "iframe", "jupyter", "eval-rst", "raw", "include",
    ], "text"),
    "dots": "dots",
    "d3": "d3",
    "{raw} html": "text",
    "": "",
}  # fmt: skip

CODE = {
    "tabs-and-trailing-spaces": "\tx  \n  y\t\n",
    "blank-lines": "\n\na\n\n\n",
    "fences": "```\n````\n~~~\n",
    "markup": "# <b>*x*</b> &lt; [y](z) \\\\ | `q`\n",
    "dollars": "echo $A $B $$ \\$\n",
    "formulas": "\\begin{align}\nx\n\\end{align}\n",
    "regular-expression": "re.compile('\\\\(a\\\\)')\n\\\\[ <x> &lt; \\\\]\n",
    "hidden": "a\u202eb\u200bc\x1b[2Jd\x85e\u2028f\x0cg\n",
    "empty": "",
}

ENORMOUS = {
    "one-line": "word *x* " * 110_000,
    "items": "- item\n" * 10_000,
    "quotes": ">" * 10_000 + " x",
    "brackets": "[" * 10_000,
    "links": "[a](" * 25_000,
    "images": "![" * 24_000,
    "stars": "*a **b " * 10_000,
    "backticks": "`" * 1_000_000,
    "backtick-runs": "".join("`" * (n % 1000) + " " for n in range(2000)),
    "dollars": "$a " * 100_000,
    "openers": "\\(" * 60_000,
    "environments": "\\begin{align}" * 60_000,
    "display-lines": "$$\n" * 29_000,
    "entities": "&#" * 60_000,
    "definitions": "".join(f"[r{n}]: http://x\n" for n in range(20_000)),
    "cells": "|a" * 2000 + "|\n" + "|-" * 2000 + "|\n" + "|a|\n" * 2000,
    "lists-in-a-line": "- " * 10_000,
    "lazy": "> a\n" + "b\n" * 29_000,
    "nulls": "\0" * 1_000_000,
}


def code_blocks(markdown: str) -> list[str]:
    """Return the content of the code blocks as a CommonMark reader shows them."""
    html = OUTPUT_READER.render(markdown)
    return [unescape(code) for code in re.findall(r"<pre><code[^>]*>(.*?)</code></pre>", html, re.DOTALL)]


def in_place(code: str, place: str) -> str:
    """Write a code block at the margin, in a list or in a quotation."""
    fence = "`" * (max(map(len, re.findall("`+", code)), default=2) + 3)
    lines = [fence, *code.split("\n")[:-1], fence]
    prefix = {"margin": "", "list": "  ", "quote": "> ", "list in quote": ">   "}[place]
    block = "\n".join(prefix + line for line in lines)
    return {
        "margin": block,
        "list": "- a\n\n" + block,
        "quote": block,
        "list in quote": "> - a\n>\n" + block,
    }[place]


@pytest.mark.parametrize("name", EXACT)
def test_what_could_act_becomes_text_or_a_plain_link(name: str) -> None:
    """Cases 51 to 54: HTML is text, links lead to the web or by mail, images are links that name their host."""
    source, expected = EXACT[name]
    assert safe_markdown(source) == expected


@pytest.mark.parametrize(("address", "url", "host"), ADDRESSES)
def test_a_link_leads_to_the_web_or_by_mail_and_its_host_can_be_told(
    address: str, url: str, host: str
) -> None:
    """Case 54: nothing that readers take differently, deceives, or is long enough to be data."""
    assert safe_url(address) == (url, host)


@pytest.mark.parametrize("name", BENIGN)
def test_ordinary_markdown_means_the_same_afterwards(name: str) -> None:
    """A reader who takes HTML as HTML sees in the output what one who takes it as text sees in the source."""
    expected = SOURCE_READER.render(BENIGN[name])
    shown = OUTPUT_READER.render(safe_markdown(BENIGN[name]))
    assert re.sub("</?span>", "", shown) == expected


@pytest.mark.parametrize(
    "text", ["Plain prose, isn't it? (Yes!)", "Two\nlines.\n\nAnd “more” – é…", "50 % and so", ""]
)
def test_plain_prose_is_left_as_it_stands(text: str) -> None:
    """Text without markup is its own safe Markdown."""
    assert safe_markdown(text) == text


def test_plain_prose_does_not_load_the_parser() -> None:
    """The first words of an answer are shown without waiting for the import of a Markdown parser."""
    program = (
        "import sys; from vertex_claude_magic.markdown.sanitize import safe_markdown;"
        "safe_markdown('Hello, world.'); assert 'markdown_it' not in sys.modules;"
        "safe_markdown('*Hello*'); assert 'markdown_it' in sys.modules;"
        "assert not {'IPython', 'ipywidgets'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


@pytest.mark.parametrize("info", LANGUAGES)
def test_an_info_string_is_one_harmless_word(info: str) -> None:
    """Case 56: what a front end would draw instead of showing, and what is no word, is called text."""
    assert safe_markdown(f"```{info}\nx\n```").split("\n")[0] == "```" + LANGUAGES[info]


@pytest.mark.parametrize("place", ["margin", "list", "quote", "list in quote"])
@pytest.mark.parametrize("name", CODE)
def test_code_stays_as_it_is(name: str, place: str) -> None:
    """Case 55: the content of a code block comes through byte for byte, wherever it stands."""
    assert code_blocks(safe_markdown(in_place(CODE[name], place))) == [CODE[name]]


@given(
    lines=st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0")), max_size=6
    ),
    place=st.sampled_from(["margin", "list", "quote", "list in quote"]),
)
def test_any_code_stays_as_it_is(lines: list[str], place: str) -> None:
    """The same for any text without line ends of other systems, NUL and lone surrogates."""
    code = "".join(line + "\n" for line in lines)
    assert code_blocks(safe_markdown(in_place(code, place))) == [code]


def test_line_ends_nul_and_surrogates_in_code_are_replaced() -> None:
    """Case 58: CRLF and CR become LF; NUL and lone surrogates, which cannot be sent, become U+FFFD."""
    assert safe_markdown("```\r\na\rb\0\ud800\r\n```") == "```\na\nb\ufffd\ufffd\n```"


def test_an_unclosed_fence_is_closed() -> None:
    """Case 55: a code block that is still growing is a whole code block on the page."""
    assert safe_markdown("```python\nx = 1") == "```python\nx = 1\n```"


def test_code_with_dollars_leaves_its_list() -> None:
    """JupyterLab searches indented code for formulas; at the margin the code is whole and the list goes on."""
    source = "1. a\n   ```sh\n   echo $A $B\n   ```\n2. b"
    assert safe_markdown(source) == "1. a\n\n```sh\necho $A $B\n```\n\n2. b"


@pytest.mark.parametrize("name", HOSTILE)
def test_every_block_is_part_of_the_whole(name: str) -> None:
    """The blocks follow one another, lie inside the text and make up the whole answer."""
    text = HOSTILE[name]
    blocks = safe_blocks(text)
    places = [place for block in blocks for place in (block.start, block.end)]
    assert places == sorted(places)
    assert not places or (places[0] >= 0 and places[-1] <= len(text))
    assert "\n\n".join(block.markdown for block in blocks) == safe_markdown(text)


BORDERS = "- a\n*b*\n\n1. c\n\n2. d\n> e\n-f\n\n| g |\n|---|\n#h\n$$\n- i\n\nj\n===\n"
DEFINITION = re.compile(r"^\[[^\]]+\]:", re.MULTILINE)
STREAMED = {name: text for name, text in {**HOSTILE, **BENIGN}.items() if not DEFINITION.search(text)}
STREAMED["borders"] = BORDERS


@pytest.mark.parametrize("name", STREAMED)
def test_finished_blocks_do_not_change(name: str) -> None:
    """While an answer grows, all blocks but the last stay as they are (reference definitions apart)."""
    text = STREAMED[name]
    final = safe_blocks(text)
    for cut in range(0, len(text), max(1, len(text) // 60)):
        finished = safe_blocks(text[:cut])[:-1]
        assert finished == final[: len(finished)]


def test_a_late_definition_is_the_one_exception() -> None:
    """A link reference definition turns words of earlier blocks into links when it arrives."""
    early = safe_blocks("[a]\n\nb\n\n")[0].markdown
    late = safe_blocks("[a]\n\nb\n\n[a]: http://c.example\n")[0].markdown
    assert (early, late) == ("&#91;a&#93;", "[a](<http://c.example>)")


@pytest.mark.parametrize("name", ENORMOUS)
def test_enormous_answers_do_not_hang(name: str) -> None:
    """Case 55: quadratic work would take minutes (benchmarks/linear.py measures), and no depth overflows the stack."""
    shown = safe_markdown(ENORMOUS[name])
    assert len(shown) < 20 * len(ENORMOUS[name])


def test_what_is_nested_too_deeply_is_shown_as_code() -> None:
    """Case 55: nothing of it is lost."""
    assert code_blocks(safe_markdown("> " * 200 + "deep")) == ["> " * 200 + "deep\n"]


@pytest.mark.parametrize("text", [*HOSTILE.values(), *BENIGN.values()])
def test_quoted_text_is_one_literal_line(text: str) -> None:
    """A name or an error message shows its words, on one line, and nothing of it is markup."""
    line = as_text(text)
    html = OUTPUT_READER.renderInline(line)
    assert "\n" not in line
    assert set(re.findall(r"<[^>]*>", html)) <= {"<span>", "</span>"}
    assert OUTPUT_READER.render(line).startswith("<p>") or not line


@pytest.mark.parametrize("text", ["```", "~~~\n```\n`````", "", "a\n", "<b>\r\n"])
def test_a_fence_cannot_be_closed_from_within(text: str) -> None:
    """The content of a code block that we write ourselves is exactly the text."""
    expected = text.replace("\r\n", "\n")
    assert code_blocks(fenced(text, "python")) == [
        expected if expected.endswith("\n") or not text else expected + "\n"
    ]


@pytest.mark.parametrize("length", [998, 999, 1000, 1001, 1999, 2000, 2001, 5000])
def test_markup_is_found_wherever_it_stands_in_long_prose(length):
    """Prose of any length stays as it is, and one sign of markup behind it is still seen."""
    prose = ("word " * 1000)[:length].rstrip()
    assert safe_markdown(prose) == prose
    assert safe_markdown(f"{prose} <b>") == f"{prose} &lt;b>"
