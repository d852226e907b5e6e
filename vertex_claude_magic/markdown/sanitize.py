"""Every text that a model wrote passes here before it is displayed.

Front ends disagree about Markdown, and JupyterLab trusts what a cell has just shown. So model text is
parsed, and what is shown is written anew from the parse, in a form that leaves nothing to disagree about:
no HTML, no image, no link but to web and mail addresses, code byte for byte, dollars as dollars.
Plain prose passes as it stands; the parser is loaded by the first text that holds markup.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from vertex_claude_magic.markdown.characters import (
    hidden_characters,
    replace_invalid,
    safe_plain,
    visible,
    with_newlines,
)
from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Block", "as_text", "fenced", "hidden_characters", "safe_blocks", "safe_markdown", "safe_plain"]

# Beyond these parsing takes seconds, while an answer is drawn several times a second.
LONGEST_TEXT = 1_000_000
MOST_MARKUP = 120_000

_LINE_END = re.compile(r"\r\n?|\n")
# What no parser can take for markup, so that plain prose needs none: signs of prose inside lines that begin with
# a letter, a quote or a bracket, no double blanks (a hard break), no blank before a line end.
_START = "(?:[^\\W\\d_]|[\"'(\u201c\u2018])"
_PROSE_SIGNS = "[.,;:'\"()?!%\u2013\u2014\u2018\u2019\u201c\u201d\u2022\u2026]"
_HYPHEN = r"(?<=[^\W_])-(?=[^\W_])"
# At most a thousand signs at a time: `re` keeps 120 bytes for each one that a repeated group has matched, which for an
# answer of 1.5 MB were 180 MB.
_PROSE = re.compile(rf"(?:[^\W_]|{_PROSE_SIGNS}|{_HYPHEN}| (?![ \n]|\Z)|\n+(?={_START})){{1,1000}}")
_PROSE_START, _BLANK_END = re.compile(_START), re.compile(r"[ \n]*\Z")
# The same for one line that is shown literally.
_LITERAL = re.compile(r"(?:[A-Za-z]|[^\x00-\x7f])(?:[A-Za-z0-9 ,;()-]|[^\x00-\x7f]|\.(?=\d))*")
_GAP = re.compile(r"\n\n+")


class Block(NamedTuple):
    """A top-level block: its span of characters in the source, and the safe Markdown for it."""

    start: int
    end: int
    markdown: str


def _parsed_blocks(text: str, starts: Sequence[int]) -> Iterator[tuple[Block, str]]:
    """Yield each top-level block with the kind of its first token; one nested too deeply is shown as code."""
    from vertex_claude_magic.markdown import canonical, parse

    source = replace_invalid(with_newlines(text))
    lines = source.split("\n")
    for tokens in canonical.sibling_blocks(parse.parse_blocks(source)):
        first, after = tokens[0].map or [0, len(lines)]
        # The parser drops what is nested more deeply than it may, without a word.
        if max([token.level for token in tokens]) >= parse.DEEPEST - 3:
            shown = canonical.fenced("\n".join(lines[first:after]), "text")
        else:
            shown = canonical.canonical(tokens)
        end = starts[after] if after < len(starts) else len(text)
        if shown:
            yield Block(start=starts[first], end=end, markdown=shown), tokens[0].type


def _joined(blocks: Sequence[tuple[Block, str]], text: str, starts: Sequence[int]) -> tuple[Block, ...]:
    """Join the last block to the one before where more text could still move the border between them.

    The border is firm when the first line of the last block is complete, or when a blank line parts it
    from anything but a list, which may take up a line that only begins like a paragraph.
    """
    found = [block for block, _kind in blocks]
    if len(found) < 2:
        return tuple(found)
    before, last = found[-2:]
    incomplete = bisect_right(starts, last.start) == len(starts)
    apart = not text[before.start : last.start].rstrip(" \t").endswith(("\n\n", "\r\r", "\n\r\n"))
    if incomplete and (apart or blocks[-2][1].endswith("list_open")):
        both = Block(start=before.start, end=last.end, markdown=f"{before.markdown}\n\n{last.markdown}")
        return (*found[:-2], both)
    return tuple(found)


def _is_prose(text: str) -> bool:
    found, at = _PROSE_START.match(text), 0
    # Each sign can be matched in one way only, so what one step has matched needs no second look.
    while found is not None:
        at = found.end()
        found = _PROSE.match(text, at)
    return at > 0 and _BLANK_END.match(text, at) is not None


def safe_blocks(text: str) -> tuple[Block, ...]:
    r"""Cut the text into top-level blocks, in order, each with Markdown that is safe to show.

    All but the last are finished: text that is appended later cannot change them. The exception is a
    link reference definition, which turns bracketed words of earlier blocks into links once it arrives.

    >>> [(block.start, block.end, block.markdown) for block in safe_blocks("One.\n\n* two")]
    [(0, 5, 'One.'), (6, 11, '* two')]
    """
    if _is_prose(text) and (text.isascii() or visible(text) == text):
        # Without any markup there are only paragraphs.
        borders = [(gap.start() + 1, gap.end()) for gap in _GAP.finditer(text)]
        start, paragraphs = 0, []
        for end, following in [*borders, (len(text), len(text))]:
            if paragraph := text[start:end].strip():
                paragraphs.append(Block(start=start, end=end, markdown=paragraph))
            start = following
        return tuple(paragraphs)
    steps = 0
    if len(text) > MOST_MARKUP // 3:
        # Of some 10 microseconds each: a sign takes one, a line three, the start of an image five.
        signs = sum(map(text.count, "*_`[]!<>$\\~&|"))
        steps = signs + 3 * (text.count("\n") + text.count("!["))
    if len(text) > LONGEST_TEXT or steps > MOST_MARKUP:
        return (Block(start=0, end=len(text), markdown=fenced(text, "text")),)
    starts = [0, *[end.end() for end in _LINE_END.finditer(text)]]
    return _joined(list(_parsed_blocks(text, starts)), text, starts)


def safe_markdown(text: str) -> str:
    r"""Return Markdown that shows what the text shows and does nothing else, in every front end.

    HTML becomes text, images become links that name their host, links lead to http, https and mailto
    addresses, formulas stay formulas unless they could act, and other dollars stay dollars. The content of
    code blocks is kept byte for byte, except that CRLF becomes LF and that NUL and lone surrogates become
    U+FFFD. Text of more than 1,000,000 characters or 120,000 signs of markup, and blocks nested more than
    18 lists or 37 quotations deep, are shown as a code block. Applying it twice shows the same but escapes anew.

    Source of the syntax: CommonMark 0.31.2 (2024-01) and GitHub Flavored Markdown 0.29 (2019-04).

    >>> print(safe_markdown("*Hi* <img src=x onerror=alert(1)> [a](javascript:alert(1))"))
    *Hi* &lt;img src=x onerror=alert(1)> a (`javascript:alert(1)`)
    """
    return "\n\n".join(block.markdown for block in safe_blocks(text))


def as_text(text: str) -> str:
    """Return the text, shown literally, as one line of Markdown; for names, errors and quoted prompts.

    >>> print(as_text("*a* | <b> costs $5"))
    \\*a\\* &#124; &lt;b> costs <span>\\$</span>5
    """
    line = visible(replace_invalid(" ".join(text.split())))
    if _LITERAL.fullmatch(line):
        return line
    from vertex_claude_magic.markdown.literal import escape_text, guard_line

    line = guard_line(escape_text(line, in_table=True))
    # What the caller appends may begin with a bracket, and "![" would be an image.
    return line[:-1] + "&#33;" if line.endswith("!") else line


def fenced(text: str, language: str = "") -> str:
    r"""Return a code block with the text, whose fence the text cannot close.

    >>> fenced("```", "python")
    '````python\n```\n````'
    """
    from vertex_claude_magic.markdown import canonical

    return canonical.fenced(replace_invalid(with_newlines(text)), language)
