"""Outputs of an attached notebook: what a reader saw goes out, or is named as left out."""

from __future__ import annotations

import json

import pytest

from vertex_claude_magic.prompts.parts import Text, ValueLimits
from vertex_claude_magic.prompts.values.convert import parts_of
from vertex_claude_magic.prompts.values.html_text import html_text


def told(*outputs: dict, tokens: int = 4_000) -> Text:
    """A notebook of one cell with these outputs, as it goes out."""
    cells = [{"cell_type": "code", "source": "show()", "outputs": list(outputs)}]
    data = json.dumps({"metadata": {}, "nbformat": 4, "nbformat_minor": 5, "cells": cells}).encode()
    (part,) = parts_of(data, ValueLimits(tokens=tokens))
    return part


def shown(plain: str, **data: object) -> dict:
    """An output of `display(...)`; `_` in a name is the `/` of its type."""
    rich = {name.replace("_", "/", 1): value for name, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": {"text/plain": plain, **rich}}


PLACEHOLDERS = [
    "<IPython.core.display.HTML object>", "<IPython.core.display.Markdown object>", "<X object>",
    "<IPython.core.display.X object>", "<pandas.io.formats.style.Styler at 0x7f22f8408a40>",
    "<pandas Styler object>", "<great_tables.gt.GT object at 0x7f22f8408a40>", "<Figure size 640x480 with 1 Axes>",
    "alt.Chart(...)", "", "<folium.folium.Map at 0x7f22f8408a40>",
]  # fmt: skip


@pytest.mark.parametrize("plain", PLACEHOLDERS)
@pytest.mark.parametrize(
    ("kind", "content", "seen"),
    [("text_html", "<p>Revenue was <b>3,208</b> million</p>", "Revenue was 3,208 million"),
     ("text_html", ["<table><tr><td>1</td>\n", "<td>2</td></tr></table>"], "1 | 2"),
     ("text_markdown", "Costs were **2,417** million", "Costs were **2,417** million"),
     ("text_latex", "$x^2$", "$x^2$"), ("application_json", {"n": [1]}, '{"n": [1]}')],
)  # fmt: skip
def test_what_a_placeholder_stands_for_goes_out(plain, kind, content, seen):
    """HTML as the text that a reader sees, Markdown as it is."""
    body = told(shown(plain, **{kind: content})).body
    assert body == f"# cell 1 (code)\nshow()\n# output: {seen}"


@pytest.mark.parametrize(
    ("output", "line"),
    [(shown("<IPython.lib.display.Audio object>"), "IPython.lib.display.Audio object left out"),
     (shown("<plotly.Figure object>", **{"application_vnd.plotly.v1+json": {}, "text_html": "<script>1</script>"}),
      None),
     (shown("<a.Map at 0x7f22f8408a40>"), "a.Map left out"),
     (shown("", **{"application_vnd.x": 1}), "(application/vnd.x) left out"),
     (shown("<IPython.core.display.Image object>", image_png="iVBOR"), "an image, left out")],
)  # fmt: skip
def test_what_nobody_can_read_is_named_as_left_out(output, line):
    """Without an address."""
    body = told(output).body
    assert body.count("# output: ") == 1
    assert body.endswith("left out")
    assert line is None or body.endswith(f"# output: {line}")


def test_plain_text_that_is_a_text_stays():
    """Also where there is HTML beside it, as with a frame."""
    body = told(shown("   a\n0  1", text_html="<table><tr><td>0<td>1</table>")).body
    assert body.endswith("# output: a\n# 0  1")


def test_what_of_long_outputs_was_cut_is_said():
    """An answer that was shown as Markdown has more than what was printed."""
    stream = {"output_type": "stream", "name": "stdout", "text": "line\n" * 1_000}
    one = told(stream)
    assert one.cut == "of 1 long output only the beginning"
    assert one.body.endswith("…")
    answer = told(shown("<IPython.core.display.Markdown object>", text_markdown="word " * 600))
    assert (answer.cut, answer.body.count("word")) == ("", 600)
    assert told(stream, stream).cut == "of 2 long outputs only the beginning"


def test_an_output_holds_no_address():
    """A notebook that ran again makes the same prompt."""
    stream = {"output_type": "stream", "text": "<Run object at 0x7f22f8408a40>\n"}
    error = {"output_type": "error", "ename": "TypeError", "evalue": "<X object at 0x7f22f8408a40>"}
    assert "0x" not in told(stream, error).body


HTML = [
    ("", ""),
    ("plain", "plain"),
    ("<p>a<p>b", "a\nb"),
    ("a<br>b<br/>c", "a\nb\nc"),
    ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
    ("<table><thead><tr><th></th><th>n</th></tr></thead><tr><th>0</th><td>1</td></tr></table>", "| n\n0 | 1"),
    ("<b>a</b> <i>b</i>", "a b"),
    ("a\n  b", "a b"),
    ("<pre>a\n  b</pre>", "a\nb"),
    ("1 &lt; 2 &amp;&#233;", "1 < 2 &é"),
    ("<script>x</script><style>y</style><template>z</template>a", "a"),
    ("<img src=x alt='a cat'><img src=y>", "[picture: a cat][a picture, left out]"),
    ("<div><div>a</div></div>", "a"),
    ("a < b", "a < b"),
    ("</div></script>a", "a"),
]


@pytest.mark.parametrize(("markup", "text"), HTML)
def test_html_is_the_text_that_a_reader_sees(markup, text):
    """Whatever is open or closed too often."""
    assert html_text(markup) == text
