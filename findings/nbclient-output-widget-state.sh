#!/usr/bin/env bash
# nbclient 0.11.0 with ipywidgets 8.1.9: in an executed notebook, what `append_stdout` and its like put into an
# Output widget disappears at the next `print` within the widget, and what was cleared comes back.
#
# Expected: an executed notebook holds what a person sees who runs it. The documentation of ipywidgets ("Output
# widgets: leveraging Jupyter's display system") names two ways to fill an Output widget, `with out:` and
# `out.append_stdout(...)`, and recommends the second for threads. JupyterLab's model of the widget takes over what
# the kernel sets in the trait `outputs`, so both are shown. nbclient has a class that is to act as that model.
#
# Happens: nbclient takes from the kernel only whether the widget is capturing. It keeps a list of outputs of its own,
# into which what the kernel sets never goes, and at each captured output it sends this list to the kernel. So after
# print "one", append_stdout "two", print "three" the widget holds "one three", in the saved state and in the
# kernel's own `out.outputs`. After print "one", `out.outputs = ()`, print "two" it holds "one two". Where nothing is
# captured afterwards, all is as expected.
#
# Concerns: everybody who runs notebooks with widgets through nbclient, so nbconvert --execute, Jupyter Book and
# papermill: logs that threads append, and widgets that are emptied for a new result. The kernel's state is changed
# too, so that later cells can compute something else than in JupyterLab.
#
# Known? Not found in the issues of nbclient and ipywidgets (searched 2026-11). That the two ways may race in a page is
# told in https://github.com/jupyter-widgets/ipywidgets/pull/3261; here each step has a cell of its own, so that
# nothing races. `out.clear_output()` works.
#
# This product shows one final output, and captures nothing, where a notebook runs without a page (display/frontends.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "nbclient==0.11.0" "ipywidgets==8.1.9" "ipykernel==7.4.0" "nbformat==5.11.1"

# No configuration of the user's own.
HOME="$folder" IPYTHONDIR="$folder/ipython" "$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import nbformat
from nbclient import NotebookClient

CAPTURE = "with out:\n    print({!r})"
CASES = {
    "append": ("out.append_stdout('two\\n')", ["one", "two", "three"]),
    "empty": ("out.outputs = ()", ["three"]),
    "append, nothing after": ("out.append_stdout('two\\n')", ["one", "two"]),
}


def lines(outputs):
    return "".join(output["text"] for output in outputs).split()


def executed(between, last):
    cells = [
        "import ipywidgets\nout = ipywidgets.Output()\ndisplay(out)",
        CAPTURE.format("one"), between, *([CAPTURE.format("three")] if last else []), "pass",
        "print(*(output['text'].strip() for output in out.outputs))",
    ]  # fmt: skip
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    states = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    saved = next(state["state"]["outputs"] for state in states if state["model_name"] == "OutputModel")
    return lines(saved), lines(notebook.cells[-1].outputs)


print("nbclient", version("nbclient"), "ipywidgets", version("ipywidgets"))
seen = {}
for name, (between, expected) in CASES.items():
    saved, kernel = executed(between, last=not name.endswith("after"))
    seen[name] = saved, kernel
    print(f"{name:22} expected {expected}, saved {saved}, in the kernel {kernel}")
one_three = (["one", "three"],) * 2
if seen != {"append": one_three, "empty": one_three, "append, nothing after": (["one", "two"],) * 2}:
    sys.exit("No longer as described: what the kernel sets is not overwritten.")
print("As described: the appended line is lost, and the emptied widget has its old line again.")
PYTHON
