#!/usr/bin/env bash
# IPython 9.18.1: `clear_output` under `capture_output` (and `%%capture`) does not wait, leaves the printed text, and
# adds terminal codes to it, in a notebook as well.
#
# Expected: what is captured is what the cell would have shown. The docstring of `clear_output` says that it clears
# the output of the cell, and of `wait` that the clearing waits until new output is there to replace the old one. In a
# notebook nothing is left of text that was printed before, and a `clear_output(wait=True)` at the end clears nothing.
#
# Happens, within `with capture_output() as captured:`
# - `clear_output(wait=True)` drops the captured displays at once. A loop that ends with it leaves none.
# - what was printed before stays in `captured.stdout`, so old and new lines are there together.
# - each call adds the code that erases a line in a terminal, ESC [2K and a carriage return, to `captured.stdout`, and
#   twice, because the one for stderr goes there too. A test that compares the text, or a file that it is written to,
#   has them in it.
#
# Concerns: tests of notebook code by `capture_output`, and cells with a progress display that somebody silences
# with `%%capture out` and shows later with `out.show()`.
#
# Known? Not found in the project's issues (searched 2026-11).
#
# This product asks whether output is captured and then shows one final output and clears nothing
# (notebook/display/frontends.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "ipython==9.18.1" "ipykernel==7.4.0"

# No configuration of the user's own.
HOME="$folder" IPYTHONDIR="$folder/ipython" "$folder/venv/bin/python" - <<'PYTHON'
import ast
import sys
from importlib.metadata import version

from jupyter_client.manager import run_kernel

CODE = """
from IPython.display import clear_output, display
from IPython.utils.capture import capture_output

with capture_output() as waiting:
    display("step 1")
    clear_output(wait=True)
with capture_output() as printed:
    print("step 1")
    clear_output()
    print("step 2")
print([[output.data["text/plain"] for output in waiting.outputs], printed.stdout])
"""
PLAIN = """
display("step 1")
clear_output(wait=True)
"""


def outputs_of(client, code):
    shown, clearing = [], False

    def take(message):
        nonlocal clearing
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            clearing = True
            shown[:] = shown if content["wait"] else []
        elif kind in {"stream", "display_data"}:
            shown[:] = [] if clearing else shown
            clearing = False
            shown.append(content.get("text") or content["data"]["text/plain"])

    client.execute_interactive(code, output_hook=take, timeout=300)
    return shown


print("ipython", version("ipython"), "ipykernel", version("ipykernel"))
with run_kernel(kernel_name="python3") as client:
    displays, text = ast.literal_eval(outputs_of(client, CODE)[-1])
    notebook = outputs_of(client, PLAIN)
print("a display and clear_output(wait=True): in a notebook", notebook, "captured", displays)
print("a line, clear_output() and a line: captured", repr(text))
if (notebook, displays, text) != (["'step 1'"], [], "step 1\n" + "\x1b[2K\r" * 2 + "step 2\n"):
    sys.exit("No longer as described: what is captured is what a notebook would show.")
print("As described: the display is gone, the old line is not, and the codes are in the text.")
PYTHON
