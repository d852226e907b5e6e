"""The safe Markdown of hostile replies in real renderers: only harmless HTML comes out, at any moment."""

from __future__ import annotations

import re
from html import unescape

import pytest
from allowed_html import violations
from hostile import HOSTILE
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from nbconvert.filters.markdown_mistune import markdown2html_mistune

from vertex_claude_magic.markdown.sanitize import safe_markdown

COMMONMARK = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

# What nbconvert adds itself: colours in code, and an anchor at each heading.
NBCONVERT_ADDS = {
    "a": {"href", "class"},
    "div": {"class"},
    "span": {"class"},
    **{f"h{level}": {"id"} for level in range(1, 7)},
}


def cuts(text: str, number: int) -> list[int]:
    """Return some lengths at which a stream may stand, the whole among them."""
    return sorted({*range(0, len(text), max(1, len(text) // number)), len(text)})


def problems(markdown: str) -> list[str]:
    return violations(COMMONMARK.render(markdown)) + violations(
        markdown2html_mistune(markdown), **NBCONVERT_ADDS
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_is_harmless_in_every_renderer(name: str) -> None:
    """Cases 51 to 59: CommonMark with HTML switched on, and nbconvert, show nothing but text and links."""
    reply = HOSTILE[name]
    assert {cut: found for cut in cuts(reply, 4) if (found := problems(safe_markdown(reply[:cut])))} == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_reply_is_harmless_at_every_moment(name: str) -> None:
    """The same for every prefix, as each is drawn while the answer streams in."""
    reply = HOSTILE[name]
    pages = {cut: violations(COMMONMARK.render(safe_markdown(reply[:cut]))) for cut in range(len(reply) + 1)}
    assert {cut: found for cut, found in pages.items() if found} == {}


CODE_SIGNS = ["`", "``", "```", "```\n", "\n```\n", "~~~\n", "</code>", "<pre>", "&#96;"]
FORMULA_SIGNS = [
    "$",
    "$$",
    "\\$",
    "\\(",
    "\\)",
    "\\[",
    "\\]",
    "\\\\(",
    "\\\\)",
    "{",
    "}",
    "@@0@@",
    "@\\@0@@",
    "&#36;",
]
ENVIRONMENT = ["\\begin{align}", "\\end{align}", "\\"]
LINES = [
    "\n",
    "\n\n",
    "\n  ",
    "\n    ",
    "- ",
    "> ",
    "1. ",
    "\n- ",
    "\n> ",
    "\n# ",
    "\n===\n",
    "\n---\n",
    "\n: ",
]
ACTING = [
    "<img src=x onerror=z>",
    "<script>z</script>",
    "[x](javascript:z)",
    "![x](http://e/i)",
    '" onclick="z',
]
LINK_PARTS = ["[x]", "](", ")", "!", "\n[x]: javascript:z\n", "<http://e>", "http://e", "www.e"]
TEXT = [
    "a",
    "b c",
    "*",
    "**",
    "_",
    "~~",
    "|",
    "\n| a |\n|---|\n| ",
    "&lt;",
    "&#10;",
    "&#32;",
    "<br>",
    "<!--",
    "-->",
]
SPACES = [" ", "\t", "\r\n", "\u2028", "\x0c", "\u200b"]
FRAGMENTS = [*CODE_SIGNS, *FORMULA_SIGNS, *ENVIRONMENT, *LINES, *ACTING, *LINK_PARTS, *TEXT, *SPACES]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join))
def test_no_mixture_of_fragments_gets_through(reply: str) -> None:
    """Whatever is put together from the parts that matter to parsers, the result is harmless."""
    assert problems(safe_markdown(reply)) == []


@pytest.mark.parametrize("name", HOSTILE)
def test_applied_twice_it_is_still_harmless(name: str) -> None:
    """Safe Markdown may be passed through again; it is escaped anew, never undone."""
    assert violations(COMMONMARK.render(safe_markdown(safe_markdown(HOSTILE[name])))) == []


# What would begin a block at the start of a line, and ways in which literal text gets there.
BEGINNINGS = [
    "* x",
    "+ x",
    "- x",
    "1. x",
    "2) x",
    "# x",
    "> x",
    "[x] x",
    "[ ] x",
    "=== ",
    "---",
    "| x |",
    ": x",
    "~~~",
    "[x]: x",
]
AHEAD = [
    "a<br> {}",
    "a\n&#32;{}",
    "a\n&#9;{}",
    "- &#32;{}",
    "- <br> {}",
    "1. <br>&#32; {}",
    "> &#32;{}",
    "# &#32;{}",
    "&#32;{}",
]


@pytest.mark.parametrize("ahead", AHEAD)
@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_literal_text_at_the_start_of_a_line_begins_no_block(ahead: str, beginning: str) -> None:
    """Blanks before it are dropped, so that what stood in the middle of a line may begin one."""

    def elements(text: str) -> list[list[str]]:
        shown = safe_markdown(ahead.format(text))
        return [
            re.findall(r"<([a-z]+\d?)", render(shown))
            for render in (COMMONMARK.render, markdown2html_mistune)
        ]

    assert elements(beginning) == elements("x")


def test_nbconvert_leaves_no_two_dollars_in_one_stretch_of_text() -> None:
    """Case 55: an exported page is searched by MathJax, which reads across no element."""
    html = markdown2html_mistune(safe_markdown("It costs $5 and $10, or **$7** and $x^2$ more than $9."))
    stretches = re.split(r"<[^>]*>", html.replace("$x^2$", ""))
    assert all(stretch.count("$") < 2 for stretch in stretches)
    assert html.count("$x^2$") == 1


# Where a literal dollar can come from; `{}` is one.
DOLLARS = [
    "costs {}5 or {}10",
    "![costs {}5 or {}10](https://a.b/x.png)",
    "![{}5](https://a.b/x.png) and ![{}6](javascript:x)",
    "![{}5](https://a.b/x.png) or {}10",
    "[costs {}5 or {}10](https://a.b/x)",
    "[](<https://a.b/{}x{}>)",
    "[costs {}5](https://a.b 'or {}10') or {}12",
    "{}5 and `x{}` and {}6",
    "# {}5 or {}6",
    "| a |\n|---|\n| ![{}5 or {}6](https://a.b/x.png) |",
    "- {}5<br>{}6",
    "{}5 ~~{}6~~ *{}7*",
]


@pytest.mark.parametrize("dollar", ["$", "\\$", "&#36;", "&dollar;"])
@pytest.mark.parametrize("source", DOLLARS)
def test_no_two_literal_dollars_are_in_one_stretch_of_text(source: str, dollar: str) -> None:
    """The page is searched for formulas once more, and what is between two dollars may act."""
    shown = safe_markdown(source.replace("{}", dollar))
    for render in (COMMONMARK.render, markdown2html_mistune):
        # Code is not searched.
        html = re.sub(r"<code>.*?</code>", "", render(shown))
        assert all(stretch.count("$") < 2 for stretch in re.split(r"<[^>]*>", unescape(html)))
