"""marimo: what its import of a notebook leaves of the magics, and what takes their place there."""

from __future__ import annotations

import re

from cells import ANSWER, CELLS, QUESTION, write_lesson
from matrix import check

LEFT_OUT = "is left as a comment that says so, because marimo has no magics; ask with Claude() there"
# What a user writes there in place of the cell.
ASKING = f"""
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
    from vertex_claude_magic import Claude

    reply = Claude().ask({QUESTION!r})
    return mo, reply


@app.cell
def _(mo, reply):
    shown = mo.as_html(reply)
    return (shown,)


if __name__ == "__main__":
    outputs, names = app.run()
    print(names["shown"].text)
"""


def test_the_import_says_which_cells_are_left_out(place):
    """All of ours, each as a comment below a line of marimo's; nothing is run as Python by mistake."""
    write_lesson(place.folder / "lesson.ipynb")
    place.run("marimo", "convert", "lesson.ipynb", "-o", "lesson.py")
    text = (place.folder / "lesson.py").read_text("utf-8")
    compile(text, "lesson.py", "exec")
    found = {}
    for cell in CELLS:
        lines = "\n".join(f"    # {line}".rstrip() for line in cell.source.splitlines()[:1])
        said = re.search(rf"# magic command not supported in marimo.*\n{re.escape(lines)}", text)
        found[cell.name] = LEFT_OUT if said else "is lost"
    check("marimo", found, "marimo")


def test_a_reply_is_shown_by_marimo(place):
    """`Claude()` needs no IPython, and a Reply shows itself as Markdown made safe."""
    (place.folder / "asking.py").write_text(ASKING)
    assert f"<strong>{ANSWER}.</strong>" in place.run("asking")
