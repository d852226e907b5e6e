#!/usr/bin/env bash
# jupytext 1.19.6: three quotation marks in the text of a cell magic, or escaped in a string of Python, join all cells
# below with that cell when the notebook is read back, as a script and as Markdown, so that they no longer run.
#
# Expected: the cells come back. The documentation says that only the text needs to be kept under version control and
# that the notebook "can safely be deleted" and is made from the text again ("Frequently Asked Questions"). Where a cell
# ends is said in the text by a marker, `# %%`, or the end of a fence, which jupytext makes longer than any in the cell.
#
# Happens: the reader ignores markers inside of strings of Python (`StringParser` in jupytext/stringparser.py). It takes
# the text below `%%writefile`, `%%html`, `%%claude` and other magics for Python, in Markdown and R Markdown also that
# of `%%bash`, so that one `"""` there opens a string that nothing ends. In Python `\"""` counts as an end, because only
# the first of the three is seen to be escaped, and then the true end opens a string. The cells below become text of the
# cell with the quotes: code does not run, a file or a prompt has all of it, headings are in it as comments. No warning.
#
# Concerns: notebooks that are kept or paired as .py or .md files, which the text replaces when they are opened: lessons
# about Python, files and templates that a cell writes, prompts with a question about `"""`. A way out is the format
# md:myst, which is right, an even number of such marks in each cell, and `jupytext --test`, which sees it.
#
# Known? For text in Markdown cells and for four quotes it was (https://github.com/jupytext/jupytext/issues/307 and
# https://github.com/jupytext/jupytext/issues/460, both mended); for magics and escaped quotes not found (searched
# 2026-12).
#
# What reaches this product is the joined cell; it asks what stands in it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "jupytext==1.19.6" "nbformat==5.11.1" "nbclient==0.11.0" "ipykernel==7.4.0" "ipython==9.18.1"

cd "$folder"
HOME="$folder" IPYTHONDIR="$folder/ipython" JUPYTER_PREFER_ENV_PATH=1 venv/bin/python - <<'PYTHON'
import ast
import sys
from importlib.metadata import version
from pathlib import Path

import jupytext
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

CELLS = {
    "magic": '%%writefile note.txt\nA docstring begins with """',
    "escaped": r'hint = """A docstring begins with \""" and a line."""',
    "control": '%%writefile note.txt\nA docstring is between """ and """',
}
FORMATS = ("py:percent", "py:light", "md", "md:myst")


def notebook_of(source):
    cells = [new_code_cell(source), new_markdown_cell("## Training"), new_code_cell('print("trained")')]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def run(notebook):
    NotebookClient(notebook, kernel_name="python3").execute()
    printed = [output.text for cell in notebook.cells for output in cell.get("outputs", ()) if "text" in output]
    return [each for each in printed if "note.txt" not in each], Path("note.txt").read_text()


print("jupytext", version("jupytext"))
ast.parse(CELLS["escaped"])
kept = {}
for name, source in CELLS.items():
    before = notebook_of(source)
    for format in FORMATS:
        after = jupytext.reads(jupytext.writes(before, format), format)
        kept[name, format] = [cell.source for cell in after.cells] == [cell.source for cell in before.cells]
        print(f"{name:8} {format:11} cells: {len(before.cells)} before, {len(after.cells)} after")
before = notebook_of(CELLS["magic"])
after = jupytext.reads(jupytext.writes(before, "py:percent"), "py:percent")
ran_before, ran_after = run(before), run(after)
print("the notebook prints and writes:        ", ran_before)
print("after the way through the script it does:", ran_after)
wrong = {key for key, value in kept.items() if not value}
if wrong != {(name, format) for name in ("magic", "escaped") for format in FORMATS[:3]}:
    sys.exit("No longer as described: other cells are kept, or joined.")
if ran_before != (["trained\n"], 'A docstring begins with """\n') or ran_after[0] or "trained" not in ran_after[1]:
    sys.exit("No longer as described: what runs is another.")
print("As described: the cells are one, nothing is trained, and the code is in the file.")
PYTHON
