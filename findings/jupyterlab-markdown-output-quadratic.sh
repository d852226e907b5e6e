#!/usr/bin/env bash
# JupyterLab 4.6.6: showing one Markdown output takes work that grows with the square of the number of its blocks.
#
# Expected: twice the text takes twice the work. It is parsed once, and a browser lays out thousands of paragraphs of
# HTML in a few hundredths of a second.
#
# Happens: JupyterLab walks the parsed tokens to highlight code in them. The walk of the marked release in its bundle
# (16.4.2) collects the promises of the callback, one for each token, by `values = values.concat(...)`, which copies
# those that were collected before. With 500, 1,000 and 2,000 short paragraphs some 2, 8 and 30 million entries are
# copied: four times as many for twice the paragraphs. All of it is one task, in which the page neither scrolls nor
# takes a click; of an output of 160 kB it took longer here than to make the HTML safe.
#
# Concerns: long answers of language models, generated reports, and whatever else displays Markdown of more than a few
# hundred blocks at once. Several outputs with a part each cost the sum of small squares.
#
# Known? Other editors that use marked have met it and walk the tokens by themselves. Not found in JupyterLab's issues
# (searched 2026-11).
#
# This product draws an answer while it comes in outputs of bounded size; only the last drawing is one output
# (benchmarks/README.md).
set -euo pipefail

folder=$(mktemp -d)
server=
trap 'test -z "$server" || kill "$server" 2>/dev/null; wait; rm -rf "$folder"' EXIT
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "jupyterlab==4.6.6" "playwright==1.65.2"

export HOME="$folder" JUPYTER_RUNTIME_DIR="$folder/runtime" JUPYTER_CONFIG_DIR="$folder/config" JUPYTER_DATA_DIR="$folder/data"
mkdir "$folder/notebooks"
"$folder/venv/bin/jupyter" lab --no-browser --allow-root --port=0 --IdentityProvider.token= \
    --ServerApp.root_dir="$folder/notebooks" >"$folder/log" 2>&1 &
server=$!

"$folder/venv/bin/python" - "$folder" "$browser" <<'PYTHON'
import json
import sys
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

# How many entries every `concat` of the page has copied.
COUNTING = """
const concat = Array.prototype.concat;
window.copied = 0;
Array.prototype.concat = function (...more) {
  const made = concat.apply(this, more);
  window.copied += made.length;
  return made;
};
"""


def notebook(paragraphs):
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": "some *words*\n\n" * paragraphs}}
    cell = {"cell_type": "code", "id": "one", "source": "", "metadata": {}, "execution_count": 1, "outputs": [output]}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}


folder, browser = Path(sys.argv[1]), sys.argv[2]
end = time.monotonic() + 300
while not (found := list((folder / "runtime").glob("jpserver-*.json"))) and time.monotonic() < end:
    time.sleep(0.5)
url = json.loads(found[0].read_text())["url"]
copied = {}
with sync_playwright() as playwright:
    chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
    for paragraphs in (500, 1000, 2000):
        (folder / "notebooks" / f"{paragraphs}.ipynb").write_text(json.dumps(notebook(paragraphs)))
        page = chromium.new_page()
        page.add_init_script(COUNTING)
        page.goto(f"{url}lab/workspaces/w{paragraphs}/tree/{paragraphs}.ipynb")
        page.wait_for_function(
            f"document.querySelectorAll('.jp-OutputArea .jp-RenderedMarkdown p').length === {paragraphs}", timeout=300_000
        )
        copied[paragraphs] = page.evaluate("window.copied")
        page.close()
    chromium.close()
print({paragraphs: f"{count:,} entries copied" for paragraphs, count in copied.items()})
for once, twice in ((500, 1000), (1000, 2000)):
    assert 3.5 < copied[twice] / copied[once] < 4.5, "the work no longer grows with the square of the text"
print("as described")
PYTHON
