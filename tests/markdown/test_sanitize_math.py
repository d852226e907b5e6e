"""Dollars: which are money and which hold a formula, and which formulas are typeset."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic.markdown.formulas import canonical_formula
from vertex_claude_magic.markdown.sanitize import safe_markdown

MONEY = {
    "It costs $5.": "It costs \\$5.",
    "$5 and $10": "<span>\\$</span>5 and <span>\\$</span>10",
    "US$5/US$10": "US<span>\\$</span>5/US<span>\\$</span>10",
    "**$5**–**$10**": "**<span>\\$</span>5**–**<span>\\$</span>10**",
    "$5 is not $x$": "<span>\\$</span>5 is not $x$",
    "\\$x\\$": "<span>\\$</span>x<span>\\$</span>",
    "&#36;x&#36;": "<span>\\$</span>x<span>\\$</span>",
    "a $$ b": "a <span>\\$</span><span>\\$</span> b",
    "`$5` and `$10`": "`$5` and `$10`",
    "`$$` and `$$`": "<code>&#36;&#36;</code> and <code>&#36;&#36;</code>",
}

FORMULAS = {
    "$x^2$": "$x^2$",
    "\\(x_1\\)": "$x_1$",
    "\\[x\\]": "$$x$$",
    "$$\nx\n=\n1\n$$": "$$x = 1$$",
    "\\[\nx\n\\]\ntext": "$$x$$\n\ntext",
    "\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}": "$$\\begin{align} a &= b \\\\ c &= d \\end{align}$$",
    "text $$x$$ text": "text $$x$$ text",
    "$a*b$ and $c*d$": "$a*b$ and $c*d$",
    "$a<b$": "$a< b$",
    "$x$$y$": "<span>\\$</span>x<span>\\$</span>$y$",
    "\\(x\\)\\(y\\)": "$x$ $y$",
    "\\(x\\)2": "$x$ 2",
    "$x$`y`": "$x$ `y`",
    "$\\text{\\$5}$": "$\\text{\\$5}$",
    "$f\\\\$": "$f$",
    "$[a](b)$": "$[a] (b)$",
    '$\\text{"a"}$': "$\\text{''a''}$",
    "$|x|$": "$|x|$",
    "| $\\|x\\|$ |\n|---|": "| $\\vert x\\vert$ |\n| --- |",
    "- a\n- $$x$$": "- a\n- $$x$$",
    "$a % comment\nb$": "$a b$",
    "$a\\hspace{10em}b\\\\[12pt] c\\kern-15pt d$": "$a\\hspace{10em}b\\\\[12pt] c\\kern-15pt d$",
    "\\begin{equation}\\label{a} x\\end{equation}": "$$\\begin{equation} x\\end{equation}$$",
}

# Commands that link, style, load, define or hide; braces and signs that front ends count differently.
NOT_TYPESET = (
    r"\href{javascript:alert(1)}{x}",
    r"\href {http://a}{x}",
    r"\url{http://a}",
    r"\require{html} x",
    r"\style{color:red}{x}",
    r"\class{a}{x}",
    r"\cssId{a}{x}",
    r"\data{a=b}{x}",
    r"\htmlClass{a}{x}",
    r"\htmlData{a=b}{x}",
    r"\includegraphics{http://a}",
    r"\unicode[font]{65}",
    r"\def\x{y}",
    r"\let\frac\href",
    r"\newcommand{\x}{y}",
    r"\renewcommand\frac{y}",
    r"\newenvironment{a}{b}{c}",
    r"\DeclareMathOperator{\x}{y}",
    r"\csname href\endcsname",
    r"\mmlToken{mi}[href=x]{y}",
    r"\bbox[background:url(http://a)]{x}",
    r"\toggle{a}{b}\endtoggle",
    r"\texttip{a}{b}",
    r"\enclose{circle}[style=x]{y}",
    r"\rule{999em}{999em}",
    r"\hspace{-9999px} x",
    r"x \\[9999em] y",
    r"x \\*[999em] y",
    r"a\abovewithdelims() 999em b",
    "\\rule{" + " " * 41 + "999em}{1em}",
    r"\rule{99em}{99em}",
    r"\underbracket[999em]{x}",
    r"\overbracket[1pt][999em]{x}",
    r"\mathmakebox[999em]{x}",
    r"\makebox[1pt] [999em]{x}",
    r"\raisebox{999em}{x}",
    r"\hspace { 999 em }",
    r"\MoveEqLeft[999] x",
    r"\shoveleft[999em]{x}",
    r"\rule{25.5 pc}{1em}",
    r"\rule{12in}{12cm}",
    r"\begin{unknown}x\end{unknown}",
    r"\begin{align}x\end{gather}",
    r"{x",
    r"x}",
    r"}{",
    r"@@0@@",
    r"\eqref{a}",
    r"\refeq{a}",
    r"\cancel[style=x]{y}",
    r"\newtagform{a}{b}{c}",
    "x @ y",
    "{" * 60 + "}" * 60,
)


@pytest.mark.parametrize("source", MONEY)
def test_money_stays_money(source: str) -> None:
    """Case 55: a dollar that opens no formula is written so that JupyterLab and MathJax leave it alone.

    Measured in JupyterLab 4.6.6 (2026-11): neither a backslash nor a character reference is enough
    beside a second dollar, because MathJax searches the page; an element around the sign is.
    """
    assert safe_markdown(source) == MONEY[source]


@pytest.mark.parametrize("source", FORMULAS)
def test_formulas_are_written_between_dollars_on_one_line(source: str) -> None:
    """All ways to write a formula become the one that Jupyter typesets."""
    assert safe_markdown(source) == FORMULAS[source]


@pytest.mark.parametrize("tex", NOT_TYPESET)
@pytest.mark.parametrize("frame", ["${}$", "\\({}\\)", "$$\n{}\n$$", "a $${}$$ b", "| \\({}\\) |\n|---|"])
def test_a_formula_that_could_act_is_not_typeset(tex: str, frame: str) -> None:
    """Case 56: it is shown as code, where no front end looks for formulas, or as text without one."""
    shown = safe_markdown(frame.format(tex))
    outside_code = re.sub(r"(`+).+?\1|<code>.*?</code>|<span>\\\$</span>", "", shown)
    assert "$" not in outside_code.replace("\\$", "")


# Those of amsmath that JupyterLab typesets.
TYPESET_ENVIRONMENTS = [
    "align", "align*", "alignat", "alignat*", "equation", "equation*", "eqnarray", "eqnarray*", "flalign", "flalign*", "gather",
    "gather*", "multline", "multline*", "matrix", "bmatrix", "Bmatrix", "pmatrix", "vmatrix", "Vmatrix", "smallmatrix", "aligned",
    "alignedat", "array", "cases", "dcases", "rcases", "gathered", "split",
]  # fmt: skip
# What stands between delimiters, and how it may be typeset; None where it may not.
ONE_LINE = [
    ("", None),
    (" ", None),
    ("% only a comment", None),
    ("x\\", None),  # a backslash would escape the closing dollar
    ("x\\\\\\", None),
    ("a$b", None),
    ("|x|", "|x|"),
    ("x % c `\n y", None),
    (r"5\% x", r"5\% x"),
    (r"\{x", r"\{x"),
    (r"\label{a}x", "x"),
    (r"\label{a", None),
    # A comment parts a command from what it acts on, and one line joins them.
    ("url%\n(x)", None),
    ("cancel%\n[x]", None),
    ("\\href%\n{x}", None),
    (r"\begin x", None),
    (r"\begin{align} x", None),
    (r"\end{align} x", None),
    (r"\begin{align}\begin{cases}x\end{align}\end{cases}", None),
    *[(rf"\begin{{{name}}}x\end{{{name}}}", rf"\begin{{{name}}}x\end{{{name}}}") for name in TYPESET_ENVIRONMENTS],
    ("{" * 40 + "x" + "}" * 40, "{" * 40 + "x" + "}" * 40),
    ("{" * 41 + "x" + "}" * 41, None),
    ("x" * 4000, "x" * 4000),
    ("x" * 4001, None),
]  # fmt: skip


@pytest.mark.parametrize(("tex", "line"), ONE_LINE)
def test_a_formula_is_one_line_that_ends_where_its_delimiter_is(tex: str, line: str | None) -> None:
    """Case 56: whole, balanced, and short enough to be typeset at once."""
    assert canonical_formula(tex) == line


# Numbers that are no lengths, and lengths as people write them.
TYPESET = [
    r"x = 1 \mbox{ if } n > 100",
    r"\fbox{x = 2024}",
    r"\boxed{x=100}",
    r"x_{\mbox{year 2024}}",
    r"\begin{cases} 1 & \mbox{if } x > 100 \\ 0 & \mbox{else} \end{cases}",
    r"\underbracket{a_{100}+b}",
    r"\underbracket[1pt][2pt]{a}",
    r"\hspace{1em} 1 2 3",
    r"a \\[1em] 100 & 200 \\[2ex] 300",
    r"a \\ [0, 100]",
    r"\rule{1em}{0.4pt}",
    r"\genfrac{}{}{0pt}{}{n}{k}",
    r"\hspace{10em} x \kern-15pt y",
]


@pytest.mark.parametrize("tex", TYPESET)
def test_a_number_is_not_taken_for_a_length(tex: str) -> None:
    """Formulas of textbooks stay formulas."""
    assert canonical_formula(tex) is not None


def test_a_comment_does_not_hide_a_length() -> None:
    """It is taken out before the formula is one line, and what is left is what the front end reads."""
    assert "$" not in safe_markdown("$$\n\\rule%" + "a" * 45 + "\n{999em}{999em}\n$$")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("$$ is a process id:\n```sh\necho $$\n```", "```sh\necho $$\n```"),
        ("\\[not closed\n\n- a", "- a"),
        ("\\begin{align}\n\ntext", "text"),
    ],
)
def test_an_unclosed_formula_takes_nothing_with_it(source: str, expected: str) -> None:
    """What follows an opening sign that nothing closes is read as usual."""
    assert safe_markdown(source).split("\n\n")[-1] == expected


def protected(markdown: str) -> str:
    """Hide the dollars in code as JupyterLab 4.6.6 does before it looks for formulas."""
    if "`" not in markdown and "~~~" not in markdown:
        return markdown
    fence = r"^(`{3,}|(?:~T){3,})[^`\n]*\n(?:[\s\S]*?)^\1`*$"
    hidden = markdown.replace("~", "~T")
    for pattern in (fence, r"(?:^|[^\\])(`+)(?:[^\n]*?[^`\n])\1(?!`)"):
        hidden = re.sub(pattern, lambda found: found[0].replace("$", "~D"), hidden, flags=re.MULTILINE)
    return hidden


def jupyterlab_formulas(markdown: str) -> list[str]:
    """Find formulas in the source as JupyterLab 4.6.6 does (removeMath of its rendermime package)."""
    search = r"(\$\$?|\\(?:begin|end)\{[a-z]*\*?\}|\\[{}$]|[{}]|(?:\n\s*)+|@@\d+@@|\\\\[()\[\]])"
    tokens = re.split(search, protected(markdown))
    found: list[str] = []
    start, closer, depth = -1, "", 0
    for at in range(1, len(tokens), 2):
        token = tokens[at]
        if start >= 0:
            if token == closer and depth == 0:
                found.append("".join(tokens[start : at + 1]).replace("~T", "~"))
                start = -1
            elif token.count("\n") > 1:
                start, depth = -1, 0
            depth = max(0, depth + {"{": 1, "}": -1}.get(token, 0))
        elif token in CLOSERS or token.startswith("\\begin"):
            start, closer, depth = at, CLOSERS.get(token, "\\end" + token[6:]), 0
    return found


CLOSERS = {"$": "$", "$$": "$$", "\\\\(": "\\\\)", "\\\\[": "\\\\]"}
SIGNS = [
    "$",
    "$$",
    "\\$",
    "\\(",
    "\\)",
    "\\[",
    "\\]",
    "\\\\(",
    "{",
    "}",
    "\\{",
    "\\\\",
    "&#36;",
    "@@0@@",
    "@\\@0@@",
]
WORDS = [
    "x",
    "5",
    " ",
    "\n",
    "\n\n",
    "|",
    "**",
    "[a](http://b)",
    "<b>",
    "http://a",
    "~",
    "~~~",
    "\\begin{align}",
    "\\end{align}",
]
CODE = ["`x`", "`$`", "``$a`b$``", "\n```\n$x$\n```\n", "\n- ```\n  $x\n  ```\n"]


@given(st.lists(st.sampled_from([*SIGNS, *WORDS, *CODE]), max_size=14).map("".join))
def test_jupyterlab_finds_the_formulas_that_we_wrote_and_no_others(source: str) -> None:
    """No text can make the search for formulas swallow what stands between two of them."""
    markdown = safe_markdown(source)
    prose = re.sub(
        r"^(```+)[^`\n]*\n.*?^\1$|(`+)(?!`).*?(?<!`)\2(?!`)", "", markdown, flags=re.DOTALL | re.MULTILINE
    )
    written = re.findall(r"(?<![\\$])(\$\$?)(?!\$)((?:\\.|[^$\\])+?)\1", prose, re.DOTALL)
    found = jupyterlab_formulas(markdown)
    inside_code = [tex for tex in found if tex.startswith("\\begin") and "```" not in tex]
    assert [tex for tex in found if tex not in inside_code] == [sign + tex + sign for sign, tex in written]
