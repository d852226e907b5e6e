"""Literal text as Markdown: only characters that could become markup are escaped."""

from __future__ import annotations

import re

from vertex_claude_magic.markdown.characters import visible

__all__ = ["LITERAL_DOLLAR", "escape_text", "guard_line"]

# JupyterLab 4.6.6 looks for formulas before it parses Markdown and again in the page, so that two prices on one
# line become a formula, also with a backslash before each; neither pass crosses an element of its own.
LITERAL_DOLLAR = r"<span>\$</span>"
_LITERAL_BACKSLASH = "<span>&#92;</span>"

_INDEX = r"(?<=[A-Za-z0-9 ])\[[A-Za-z0-9]{1,20}\](?=[ .,;)])"
_MARKUP = re.compile(rf"{_INDEX}|[<&`\\*_~\[\]$]|:(?=//)|(?<=[Ww][Ww][Ww])\.")
_TEX_WORD = r"(?:begin|end|ref|eqref)(?![A-Za-z])"
# An index and an asterisk between blanks lose the blank before them where a line is stripped; at the start of an item
# "[x]" is a check box (GitHub Flavored Markdown 0.29, 5.3).
_LINE_START = re.compile(
    r"[#=>|]|[*+-](?= |$)|\[(?=[xX]\](?: |$))|-(?=[-:|=])|:(?=[ :|-]|$)|\d{1,9}(?=[.)](?: |$))"
)


def _escape_one(found: re.Match[str], dollar: str) -> str:
    char, text, at = found[0], found.string, found.start()
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    in_word = after.isascii() and after.isalnum()
    # Within a word an underscore never emphasises (CommonMark 0.31.2, 6.2); between blanks an asterisk does not.
    if char == "_":
        harmless = in_word and before.isascii() and before.isalnum()
    elif char == "*":
        harmless = before == after == " "
    elif char == "&":
        harmless = bool(after) and after != "#" and not in_word
    else:
        harmless = len(char) > 1
    if harmless:
        return char
    if char == "\\":
        # Before a letter it stays (C:\data); the others are parted from what MathJax might see.
        before_word = after.isalnum() and not re.match(_TEX_WORD, text[at + 1 : at + 7])
        return char if before_word else _LITERAL_BACKSLASH
    if char in "*_~":
        return "\\" + char
    return {"<": "&lt;", "&": "&amp;", "$": dollar}.get(char) or f"&#{ord(char)};"


def escape_text(text: str, *, dollar: str = LITERAL_DOLLAR, in_table: bool = False) -> str:
    r"""Escape what could become markup in literal text; line ends become spaces.

    Bare addresses are broken up as well: readers that make links of them take in everything up to the
    next space, the backtick of a code span included.

    >>> print(escape_text("a_b, 2 * 3, x[0], <b> & `code` *not bold*"))
    a_b, 2 * 3, x[0], &lt;b> & &#96;code&#96; \*not bold\*
    """
    flat = visible(text).replace("\t", " ").replace("\n", " ")
    escaped = _MARKUP.sub(lambda found: _escape_one(found, dollar), flat)
    return escaped.replace("|", "&#124;") if in_table else escaped


def guard_line(line: str) -> str:
    """Strip the line and escape what would start a block at its beginning.

    >>> print(guard_line("  1. not a list"), guard_line("# not a heading"), guard_line(" [x] no box"))
    1\\. not a list \\# not a heading &#91;x] no box
    """
    line = line.strip(" \t")
    found = _LINE_START.match(line)
    if found is None:
        return line
    if found[0] == "[":
        # MathJax would take "\\[" for the start of a formula.
        return f"&#91;{line[1:]}"
    cut = found.end() if found[0].isdigit() else 0
    return f"{line[:cut]}\\{line[cut:]}"
