#!/usr/bin/env bash
# jupyter_client 8.10.0: with orjson installed, an integer of more than 64 bits in an output arrives as a rounded float,
# and a NaN as null or as the text "nan", depending on the numbers beside it. Without orjson the integer is exact.
#
# Expected: what a message says does not depend on whether a faster library is there. The documentation of `Session`
# calls orjson and json two packers of messages as JSON, the first the default where it is installed; the one for orjson
# has "fallback to json_packer" for what orjson refuses. JSON has integers of any length, and Python reads them exactly.
#
# Happens: orjson refuses to write an integer above 64 bits, so json writes the message, and rightly; but orjson reads
# it without an error, as the nearest float, so that the fallback of `orjson_unpacker` is not used. NaN is null if
# orjson writes the message, and the text "nan" if json does, which is so when any other number of the message is too
# long. In the executed notebook a number has other digits, and a column of floats has texts in it. Nothing warns;
# orjson need only be there for the sake of another package.
#
# Concerns: who executes notebooks (nbclient, nbconvert, papermill, Jupyter Book) and reads or shows JSON outputs:
# amounts in the smallest unit of a currency (20 ether are 2e19 wei), hashes, ids of 128 bits; and widgets, whose values
# travel the same way. A way out is `c.Session.packer = "json"`, on both sides, or to send such numbers as texts.
#
# Known? Not found in the project's issues (searched 2026-12). https://github.com/jupyter/jupyter_client/pull/1064
# brought orjson, and https://github.com/jupyter/jupyter_client/issues/774 is about NaN without it. That orjson reads
# such an integer as a float is its choice (https://github.com/ijl/orjson/issues/116).
#
# This product puts no number of an answer into an output as JSON; its outputs are texts.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "jupyter_client==8.10.0" "nbclient==0.11.0" "ipykernel==7.4.0" "ipython==9.18.1"

cat > "$folder/execute.py" <<'PYTHON'
import json

from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

CELLS = [
    "from IPython.display import JSON\nJSON({'wei': 20 * 10**18 + 1, 'loss': float('nan')})",
    "JSON({'wei': 10**18 + 1, 'loss': float('nan')})",
]
notebook = new_notebook(cells=[new_code_cell(each) for each in CELLS])
NotebookClient(notebook, kernel_name="python3").execute()
print(json.dumps([cell.outputs[0].data["application/json"] for cell in notebook.cells]))
PYTHON

export HOME="$folder" IPYTHONDIR="$folder/ipython" JUPYTER_PREFER_ENV_PATH=1
"$folder/venv/bin/python" "$folder/execute.py" > "$folder/without"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "orjson==3.13.0"
"$folder/venv/bin/python" "$folder/execute.py" > "$folder/with"

"$folder/venv/bin/python" - "$folder/without" "$folder/with" <<'PYTHON'
import json
import sys
from importlib.metadata import version
from pathlib import Path

print(*(f"{name} {version(name)}" for name in ("jupyter_client", "orjson")))
without, with_orjson = (json.loads(Path(each).read_text()) for each in sys.argv[1:])
print("without orjson:", without)
print("with orjson:   ", with_orjson)
exact = 20 * 10**18 + 1
if without != [{"wei": exact, "loss": "nan"}, {"wei": 10**18 + 1, "loss": "nan"}]:
    sys.exit("No longer as described: without orjson the output is another.")
if with_orjson != [{"wei": 2e19, "loss": "nan"}, {"wei": 10**18 + 1, "loss": None}]:
    sys.exit("No longer as described: with orjson the output is another.")
if not isinstance(with_orjson[0]["wei"], float) or with_orjson[0]["wei"] == exact:
    sys.exit("No longer as described: the integer is exact.")
print("As described: another amount, and two forms of one missing value, because orjson is installed.")
PYTHON
