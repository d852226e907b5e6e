#!/usr/bin/env bash
# nbconvert 7.17.2: exported as Markdown, a code cell with a line of three backticks ends where that line stands; the
# rest of its code becomes text and headings, and the text of the next cells becomes code.
#
# Expected: code stays code and text stays text, whatever a string in the code holds. The documentation ("Using as a
# command line tool", Markdown) says that Markdown cells are unaffected and that code cells are indented by four
# spaces, which no line can end. Where a program writes fences, CommonMark ("Fenced code blocks") lets them be longer
# than each run of backticks within.
#
# Happens: each code cell gets a fence of three backticks, not four spaces. A prompt that shows the model a block of
# JSON closes it: what follows in the prompt is a heading and a paragraph of the page, in which a tag such as <rule> is
# HTML and not seen, the closing fence opens a block, and the Markdown cell after it is shown as code, until the fence
# of the next code cell. Nothing warns. Printed output is indented and so not concerned.
#
# Concerns: notebooks with prompts, templates and docstrings that hold Markdown, exported for a repository, a site or
# for a model to read: it sees other code than was run. A way out is to write ~~~ in such strings, or an exporter with
# longer fences, as that of jupytext.
#
# Known? Not found in nbconvert's issues (searched 2026-11). jupytext had it and mended it
# (https://github.com/jupytext/jupytext/issues/712).
#
# Code that this product shows as Markdown has a fence longer than what is in it (markdown/canonical.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "nbconvert==7.17.2" "nbformat==5.11.1" "markdown-it-py==4.3.0"

# No configuration of the user's own. markdown-it-py reads CommonMark.
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from markdown_it import MarkdownIt
from nbconvert import MarkdownExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PROMPT = '''PROMPT = """
Answer in JSON:
```json
{"total": 1}
```
# Rules
<rule>Amounts are in cents.</rule>
"""
total = ask(PROMPT)'''
TEXT = "The total is below."


def blocks_of(*sources):
    cells = [make(source) for make, source in zip((new_code_cell, new_markdown_cell, new_code_cell), sources)]
    notebook = new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    page, _ = MarkdownExporter().from_notebook_node(notebook)
    tokens = MarkdownIt("commonmark").parse(page)
    blocks = []
    for before, token in zip([None, *tokens], tokens):
        if token.type == "inline":
            blocks.append((before.type.removesuffix("_open"), token.content.strip()))
        elif token.type in {"fence", "code_block"}:
            blocks.append(("code", token.content.strip()))
    return blocks


print("nbconvert", version("nbconvert"), "markdown-it-py", version("markdown-it-py"))
plain, cut = (blocks_of(source, TEXT, "total * 100") for source in (PROMPT.replace("```", "~~~"), PROMPT))
for name, blocks in (("with ~~~", plain), ("with ```", cut)):
    for kind, content in blocks:
        print(f"{name} {kind:9} {content!r}")
whole = [("code", PROMPT.replace("```", "~~~")), ("paragraph", TEXT), ("code", "total * 100")]
kinds = [kind for kind, _ in cut]
swapped = ("heading", "Rules") in cut and any(kind == "code" and TEXT in content for kind, content in cut)
if plain != whole or kinds != ["code", "heading", "paragraph", "code"] or not swapped:
    sys.exit("No longer as described: the code stays code and the text stays text.")
print("As described: part of the code is a heading and a paragraph, and the text is code.")
PYTHON
