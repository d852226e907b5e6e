"""Every hostile reply, shown in a real JupyterLab: nothing runs, nothing is fetched, nothing can be pressed.

The same notebook is looked at twice: as it was run, when JupyterLab trusts its outputs and does not
sanitise them, and opened again untrusted and without a kernel. Cases 51 to 56 and 59.
"""

from __future__ import annotations

import json
import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from allowed_html import violations
from hostile import BENIGN, HOSTILE
from lab import LabPage, untrusted_copy, write_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLES = {
    "prices": "It costs $5 and $10, or US$7; **$8**/month. Together $x^2$ and $9.",
    "formulas": "Inline $a<b$ and \\(c_1\\).\n\n\\[\n\\frac{1}{2}\n\\]\n\n\\begin{align}\nx &= 1 \\\\\ny &= 2\n\\end{align}",
    "formula-in-table": "| a | b |\n|---|---|\n| $x$ | $5 |",
    "escaped-formula": "Write \\\\(x\\\\) or `$$y$$` or &#36;z&#36; or \\$w\\$",
}
CODE = {
    "python": "def f():\n\treturn '<b>' + \"$A $B\"  \n\n\n# `x` ~~y~~ &lt; @@0@@",
    "latex": "\\begin{align}\n  x &= \\$5 \\\\[2pt]\n\\end{align}",
    "regex": "re.compile('\\\\(a\\\\)|\\\\[b\\\\]')",
    "shell": "echo $HOME $PATH ~/x ``` $$",
    "html": "<img src=x onerror=window.__pwned=1>\n<script>window.__pwned=1</script>",
}
PLACES = {
    "top": "{fence}{language}\n{code}\n{fence}",
    "list": "1. one\n   - two\n{indented}\n   - three\n2. four",
    "quote": "> a\n>\n{quoted}\n>\n> b",
}


def _code_reply(place: str, language: str) -> str:
    lines = ["`````" + language, *CODE[language].split("\n"), "`````"]
    indented = "\n".join("     " + line for line in lines)
    quoted = "\n".join("> " + line for line in lines)
    return PLACES[place].format(
        fence="`````", language=language, code=CODE[language], indented=indented, quoted=quoted
    )


CODE_REPLIES = {f"{place}-{language}": _code_reply(place, language) for place in PLACES for language in CODE}
REPLIES = {**HOSTILE, **BENIGN, **SAMPLES, **CODE_REPLIES}

CELL = """\
import json
from IPython.display import Markdown, display
from vertex_claude_magic.markdown.sanitize import safe_markdown
for reply in json.loads({source!r}):
    display(Markdown(safe_markdown(reply) or "(empty)"))
"""

# JupyterLab's own: colours of highlighted code, the anchor of a heading, typeset formulas.
LAB_ADDS = {
    "a": {"href", "target", "rel", "class"},
    "code": {"class"},
    "span": {"class"},
    "pre": {"class"},
    **{f"h{n}": {"data-jupyter-id"} for n in range(1, 7)},
}
FORMULA = re.compile(r"<mjx-container.*?</mjx-container>", re.DOTALL)


class Shown:
    """What one look at the notebook found."""

    def __init__(self, lab: LabPage) -> None:
        self.html = dict(zip(REPLIES, lab.outputs(), strict=True))
        self.text = dict(zip(REPLIES, lab.texts(), strict=True))
        self.pwned = lab.page.evaluate("() => window.__pwned")
        self.dialogs, self.strangers = list(lab.dialogs), lab.strangers()
        self.named = lab.page.eval_on_selector_all(
            ".jp-OutputArea-output [id], .jp-OutputArea-output [name]", "nodes => nodes.map(n => n.outerHTML)"
        )


@pytest.fixture(scope="module")
def notebook(lab: LabPage) -> Path:
    cell = CELL.format(source=json.dumps(list(REPLIES.values())))
    return write_notebook(lab.server.root / "hostile.ipynb", [cell])


@pytest.fixture(scope="module")
def looks(lab: LabPage, notebook: Path) -> Iterator[dict[str, Shown]]:
    """Run the notebook and look; save, close, open an untrusted copy without a kernel, and look again."""
    lab.open(notebook)
    lab.run_all()
    found = {"run": Shown(lab)}
    lab.save()
    lab.close()
    lab.open(untrusted_copy(notebook, "untrusted.ipynb"), kernel=False)
    lab.settle()
    found["untrusted"] = Shown(lab)
    yield found
    lab.close()


@pytest.fixture(params=["run", "untrusted"])
def shown(request: pytest.FixtureRequest, looks: dict[str, Shown]) -> Shown:
    return looks[request.param]


def test_no_script_of_a_reply_ran(shown: Shown) -> None:
    """No handler, script or address with a script in it ran, and no dialog opened (cases 51, 52, 54)."""
    assert (shown.pwned, shown.dialogs) == (None, [])


def test_the_browser_asks_nobody_but_the_jupyter_server(shown: Shown) -> None:
    """Showing the replies fetches nothing from anywhere (cases 53, 56, 59)."""
    assert shown.strangers == []


def test_only_harmless_elements_and_attributes_are_in_the_page(shown: Shown) -> None:
    """Beneath the outputs stand no elements and attributes but those of plain text (cases 51 to 54)."""
    pages = {name: FORMULA.sub("", html) for name, html in shown.html.items()}
    found = {name: violations(page, **LAB_ADDS) for name, page in pages.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_nothing_beneath_the_outputs_has_a_name(shown: Shown) -> None:
    """No id and no name arises that could shadow the page's own objects (case 54)."""
    assert shown.named == []


def test_formulas_hold_no_links_and_no_styles_of_their_own(shown: Shown) -> None:
    """A typeset formula has no address to press and no picture to load (case 56)."""
    formulas = "".join(part for html in shown.html.values() for part in FORMULA.findall(html))
    assert re.findall(r"<a\b|href=|url\(|<img|background", formulas) == []


def test_dollars_are_shown_as_dollars(shown: Shown) -> None:
    """Amounts of money stay amounts, also beside a formula (case 55)."""
    text = shown.text["prices"]
    assert all(amount in text for amount in ("$5 and $10", "US$7", "$8/month", "$9."))
    assert shown.html["prices"].count("<mjx-container") == 1


def test_formulas_are_typeset(shown: Shown) -> None:
    """The four ways to write a formula are all typeset."""
    assert shown.html["formulas"].count("<mjx-container") == 4
    assert "$" not in shown.text["formulas"]
    assert "$5" in shown.text["formula-in-table"]


def test_escaped_formulas_stay_text(shown: Shown) -> None:
    """What the reply shows literally is not typeset, although the page is searched for formulas again."""
    assert shown.text["escaped-formula"].strip() == r"Write \(x\) or $$y$$ or $z$ or $w$"
    assert "mjx" not in shown.html["escaped-formula"]


@pytest.mark.parametrize("name", CODE_REPLIES)
def test_code_is_shown_as_it_was_written(shown: Shown, name: str) -> None:
    """Code blocks are shown byte for byte, in lists and quotations too (case 55)."""
    blocks = re.findall(r"<pre[^>]*>(.*?)</pre>", shown.html[name], re.DOTALL)
    assert [unescape(re.sub(r"<[^>]*>", "", block)).removesuffix("\n") for block in blocks] == [
        CODE[name.split("-")[1]]
    ]


def test_the_watch_sees_what_raw_text_does(lab: LabPage) -> None:
    """The same page does run a handler and ask for an image when text is shown unsanitised."""
    raw = HOSTILE["img-onerror"] + "\n\n" + HOSTILE["image-inline"]
    cell = f"from IPython.display import Markdown, display\ndisplay(Markdown({raw!r}))"
    browser = lab.page.context.browser
    assert browser is not None
    page = LabPage(page=browser.new_page(), server=lab.server).start()
    try:
        page.open(write_notebook(lab.server.root / "raw.ipynb", [cell]))
        page.run_all()
        assert page.page.evaluate("() => window.__pwned") == 1
        assert [url for url in page.strangers() if "evil.example" in url] != []
    finally:
        page.page.close()
