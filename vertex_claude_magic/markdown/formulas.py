r"""Which text is a formula, which formula may be typeset, and how it is written so that all front ends agree.

Jupyter front ends look for dollars in the Markdown source before they parse it, and once more in the page.
A formula is therefore written in one form only: one line between dollars, braces balanced, nothing in it
that Markdown or HTML could read as their own. Whatever can act (links, styles, macros) is not typeset.
"""

from __future__ import annotations

import re

__all__ = ["ENVIRONMENTS", "canonical_formula", "dollar_formula_end"]

# Formulas are typeset in the browser, where long or deep ones take seconds.
LONGEST = 4000
DEEPEST = 40

# Environments that mathjax-full 3.2.2, as bundled with JupyterLab 4.6.6, typesets (read 2026-11).
_STARRED = ("align", "alignat", "equation", "eqnarray", "flalign", "gather", "multline")
_MATRICES = ("matrix", "bmatrix", "Bmatrix", "pmatrix", "vmatrix", "Vmatrix", "smallmatrix")
_INNER = ("aligned", "alignedat", "array", "cases", "dcases", "rcases", "gathered", "split")
ENVIRONMENTS = frozenset([*_STARRED, *(name + "*" for name in _STARRED), *_MATRICES, *_INNER])

# From the command maps of mathjax-full 3.2.2 (read 2026-11): html, action, unicode, require, newcommand,
# bbox, enclose, cancel with attributes, mathtools' own; then what KaTeX 0.16 holds back unless it is told
# to trust the text, and the commands of TeX that read, write or define.
_ACTING = re.compile(
    r"\\(?:href|url|require|style|class|cssId|css|data|html\w*|include\w*|input|unicode|def|edef|gdef|xdef|let"
    r"|futurelet|global|long|newcommand|renewcommand|providecommand|newenvironment|renewenvironment|csname"
    r"|endcsname|expandafter|mmlToken|bbox|enclose|toggle|endtoggle|mathtip|texttip|tooltip|action|verb|write"
    r"|openin|openout|read|catcode|special|immediate|char|symbol|label|ref|eqref"
    r"|refeq|\w*tagform|autoload|texthtml|Declare\w*|New\w+|Renew\w+|Provide\w+|mathtoolsset|newsymbol|definecolor|usepackage"
    r"|setOptions|begingroupReset|begingroupSandbox|breakAlign)(?![A-Za-z])"
)
# Lengths by which a formula would cover the rest of the page: three digits, 20 em or pc, 10 in or cm. Most commands
# take one anywhere behind them, others in brackets only: the braces of a box hold a text.
_LENGTH = r"(?:\d{3}|[2-9]\d(?:[.,]\d*)? ?(?:em|pc)|\d\d(?:[.,]\d*)? ?(?:in|cm))"
_HUGE = re.compile(
    r"\\(?:hspace|vspace|[hvm]skip|m?kern|[rR]ule|raise(?:box)?|lower|move(?:left|right)|mspace|above(?:withdelims)?"
    rf"|Space|genfrac)(?![A-Za-z])[^\\$]{{0,40}}{_LENGTH}"
    r"|(?:\\(?:(?:under|over)bracket|MoveEqLeft|shove(?:left|right)|[a-z]*box)(?![A-Za-z]) ?(?:\[[^]\\$]{0,40}\] ?)?"
    rf"|\\\\\*?)\[[^]\\$]{{0,40}}{_LENGTH}"
)
# What could end the formula for one of the readers, or be read as an address or a script by a browser.
_FORBIDDEN = re.compile(
    r"[`@\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]|(?:java|vb)script:|://|url *\(|cancel(?:to)? *\["
)
_DOLLAR = re.compile(r"\\.|\$", re.DOTALL)
_BRACE = re.compile(r"\\[{}$]|[{}]")
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_LABEL = re.compile(r"\\label *\{[^{}]*\}")
_BEFORE_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_ENVIRONMENT = re.compile(r"\\(begin|end) *\{([^}]*)\}")


def dollar_formula_end(text: str, start: int, end: int) -> int:
    """Return where a formula opened by the dollar at `start` closes, or -1 if that dollar opens none.

    Source of the rule: Pandoc User's Guide, extension tex_math_dollars (pandoc 3, 2023): no space after
    the opening dollar, none before the closing one, and no digit after it. The next dollar decides.

    >>> dollar_formula_end("$x$ and", 0, 7), dollar_formula_end("$5 and $10", 0, 10)
    (2, -1)
    """
    if start + 1 >= end or text[start + 1] in " \t\n$":
        return -1
    for found in _DOLLAR.finditer(text, start + 1, min(end, start + LONGEST)):
        if found[0] == "$":
            at = found.start()
            follower = text[at + 1 : at + 2] if at + 1 < end else ""
            ends_well = text[at - 1] not in " \t\n" and not follower.isdigit() and follower != "$"
            return at if ends_well else -1
    return -1


def _balanced(tex: str) -> bool:
    """Count braces as JupyterLab does when it looks for the end of a formula."""
    depth = 0
    for found in _BRACE.finditer(tex):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not 0 <= depth <= DEEPEST:
            return False
    return depth == 0


def _paired(tex: str) -> bool:
    """Say whether all environments are known and closed in order."""
    open_names: list[str] = []
    for kind, name in _ENVIRONMENT.findall(tex):
        if name not in ENVIRONMENTS or (kind == "end" and (not open_names or open_names.pop() != name)):
            return False
        if kind == "begin":
            open_names.append(name)
    return not open_names and "\\begin" not in _ENVIRONMENT.sub("", tex)


def canonical_formula(tex: str, *, in_table: bool = False) -> str | None:
    r"""Return the formula on one line, safe between dollars everywhere, or None if it must not be typeset.

    >>> canonical_formula(r"a<b \\ c"), canonical_formula(r"\href{javascript:alert(1)}{x}")
    ('a< b \\\\ c', None)
    """
    tex = _LABEL.sub("", tex)
    if len(tex) > LONGEST or _FORBIDDEN.search(tex):
        return None
    # A comment would hide the rest of the line once all lines are one.
    line = " ".join(_COMMENT.sub(r"\1", tex).split())
    # This is what the front end reads: a comment may have parted a command from its length.
    if _FORBIDDEN.search(line) or _ACTING.search(line) or _HUGE.search(line):
        return None
    # Spaces part what another reader would take for HTML, a link or a brace.
    line = _BEFORE_TAG.sub("< ", line).replace('"', "''")
    line = line.replace("](", "] (").replace("][", "] [").replace("]:", "] :")
    line = re.sub(r"(?<!\\)((?:\\\\)+)(?=[{}$])", r"\1 ", line)
    # A line break at the end would escape the closing dollar.
    while line.endswith("\\\\"):
        line = line[:-2].rstrip()
    if in_table:
        # A bar ends the cell before the formula is looked at.
        line = line.replace("\\|", r"\Vert ").replace("|", r"\vert ").rstrip()
    bare_dollar = any(found[0] == "$" for found in _DOLLAR.finditer(line))
    if not line or line.endswith("\\") or bare_dollar or not _balanced(line) or not _paired(line):
        return None
    return line
