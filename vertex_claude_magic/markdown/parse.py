r"""The one Markdown parser of this package: markdown-it-py with tables, strikethrough and formulas.

HTML is off, so that a tag in a reply is text. Every link target is accepted here, because what may be
a link is decided by the renderer, which can still show the others. Formulas are parsed as Claude writes
them, between dollars, ``\(..\)``, ``\[..\]`` or as an environment, so that Markdown leaves them alone.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.markdown.formulas import ENVIRONMENTS, LONGEST, dollar_formula_end

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

__all__ = ["DEEPEST", "parse_blocks", "parse_inline"]

# Deeper nesting makes the parser slow and its recursion deep.
DEEPEST = 40

_CLOSERS = {"$$": "$$", r"\(": r"\)", r"\[": r"\]"}
_BLOCK_OPENERS = ("$$", r"\[", r"\begin{")
_BEGIN = re.compile(r"\\begin\{([A-Za-z]+\*?)\}")
_BLOCK_START = re.compile(r"\$\$|\\\[|\\begin\{([A-Za-z]+\*?)\}")


def _find(state: StateInline, closer: str, start: int) -> int:
    """Find the closer in this paragraph; a search that failed is not repeated."""
    memory: tuple[str, dict[str, tuple[int, int]]] = state.env.get("formula_search", ("", {}))
    if memory[0] is not state.src:
        memory = state.env["formula_search"] = (state.src, {})
    first, beyond = memory[1].get(closer, (0, 0))
    limit = min(state.posMax, start + LONGEST)
    begin = max(start, beyond - len(closer)) if first <= start else start
    found = state.src.find(closer, begin, limit)
    if found < 0:
        memory[1][closer] = (min(first, start) if begin > start else start, max(limit, begin))
    return found


def _inline_rule(state: StateInline, silent: bool) -> bool:
    """Read a formula between dollars or TeX's brackets, or an environment, whose tags belong to the formula."""
    src, pos = state.src, state.pos
    opener = src[pos : pos + 2]
    name = None
    if opener in _CLOSERS:
        closer = _CLOSERS[opener]
        end = _find(state, closer, pos + 2)
    elif src[pos] == "$":
        opener = closer = "$"
        end = dollar_formula_end(src, pos, state.posMax)
    else:
        name = _BEGIN.match(src, pos)
        if name is None or name[1] not in ENVIRONMENTS:
            return False
        closer = f"\\end{{{name[1]}}}"
        end = _find(state, closer, name.end())
    after = end + len(closer)
    if end < 0 or after > state.posMax:
        return False
    source = src[pos:after]
    tex = src[pos + len(opener) : end] if name is None else source
    # A backtick begins code, which no formula between delimiters may reach into.
    if name is None and ("`" in tex or (opener != "$" and not tex.strip())):
        return False
    if not silent:
        token = state.push("math_inline" if opener in {"$", r"\("} else "math_display", "", 0)
        token.content, token.markup = tex, source
    state.pos = after
    return True


def _line(state: StateBlock, number: int) -> str:
    return state.src[state.bMarks[number] + state.tShift[number] : state.eMarks[number]].rstrip()


def _block_rule(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """Take display formulas out of the reach of the other block rules; an unclosed one is a paragraph.

    The opening line alone decides, so that text that is still to come cannot change earlier blocks.
    """
    # Asked of nearly every line, and hardly any is a formula.
    if not state.src.startswith(_BLOCK_OPENERS, state.bMarks[start] + state.tShift[start]):
        return False
    if state.is_code_block(start):
        return False
    first = _line(state, start)
    opener = _BLOCK_START.match(first)
    if opener is None or (opener[1] and opener[1] not in ENVIRONMENTS):
        return False
    closer = f"\\end{{{opener[1]}}}" if opener[1] else _CLOSERS[opener[0]]
    inside = first.find(closer, opener.end())
    # A formula that ends within its first line is part of a paragraph.
    if 0 <= inside < len(first) - len(closer):
        return False
    if silent:
        return True
    after, closed = end, False
    for number in range(start, end):
        line = _line(state, number)
        # A blank line, a fence or a dedent ends it too.
        if not line or line.startswith(("```", "~~~")) or state.sCount[number] < state.blkIndent:
            after = number
            break
        opened_here = number == start and line.find(closer, 2) < 0
        if line.endswith(closer) and not opened_here:
            after, closed = number + 1, True
            break
    source = state.getLines(start, after, state.blkIndent, False).strip()
    state.line = after
    if closed:
        formula = state.push("math_block", "", 0)
        formula.content = source if source.startswith("\\begin") else source[2:-2]
        formula.markup, formula.map = source, [start, after]
    else:
        state.push("paragraph_open", "p", 1).map = [start, after]
        inline = state.push("inline", "", 0)
        inline.content, inline.map, inline.children = source, [start, after], []
        state.push("paragraph_close", "p", -1)
    return True


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": DEEPEST})
    parser.enable(["table", "strikethrough"]).disable(["text_join", "html_block", "html_inline"])
    # Inline content is parsed when it is written, and what did not change is not parsed again.
    parser.core.ruler.disable("inline")
    parser.inline.ruler.before("escape", "math", _inline_rule)
    interrupts = ["paragraph", "reference", "blockquote", "list"]
    parser.block.ruler.before("table", "math", _block_rule, {"alt": interrupts})
    # Which addresses are links is decided in `inline.safe_url`, and as it was written.
    accept_all = {"validateLink": lambda _url: True, "normalizeLink": str, "normalizeLinkText": str}
    for name, function in accept_all.items():
        setattr(parser, name, function)
    return parser


def parse_blocks(text: str) -> list[Token]:
    """Return the block tokens of the text, which must have "\\n" line ends only.

    Inline content is left unparsed; where the text defines link references, its tokens know them.

    >>> [token.type for token in parse_blocks("$$x^2$$")]
    ['math_block']
    """
    environment: dict[str, Any] = {}
    tokens = _parser().parse(text, environment)
    references = environment.get("references")
    for token in tokens if references else ():
        token.meta["references"] = references
    return tokens


def parse_inline(content: str, references: dict[str, Any] | None = None) -> list[Token]:
    """Return the tokens of the content of a paragraph, a heading or a table cell.

    >>> [token.type for token in parse_inline("*a*")]
    ['em_open', 'text', 'em_close']
    """
    found: list[Token] = []
    _parser().inline.parse(content, _parser(), {"references": references} if references else {}, found)
    return found
