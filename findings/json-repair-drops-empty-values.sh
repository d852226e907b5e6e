#!/usr/bin/env bash
# json_repair 0.64.6: where it repairs a text, an empty list, object or string in an array is left out if white space
# follows it, so that the last row of a pretty-printed array is lost.
#
# Expected: what is well formed stays as it is, wherever in the text the fault is. The documentation of the project says
# that it repairs syntax: brackets, quotes, commas and the like. A list of the same length comes back from the same text
# without line breaks.
#
# Happens: `[["red"], []]` keeps both rows, and so does the same array over several lines if the text is valid JSON.
# With a fault anywhere (a comma too many, an answer that was cut), the empty value at the end of a printed array is
# dropped, and so is `[] ,` inside one. No error, and the log of repairs does not name it.
#
# Concerns: answers of models, which are pretty-printed as a rule and for which the package is made: "a list of tags for
# each of the 20 reviews" comes back with 19, where the last has none, and with white space before a comma all later
# rows move up. A way out is to compare the length, or to ask for objects with a number for each row.
#
# Known? In part: https://github.com/mangiucugna/json_repair/issues/164 (open) has it of empty strings.
#
# This product does not use json_repair: pydantic reads the data of an answer, and an answer that is not valid JSON is
# requested again.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "json_repair==0.64.6"

"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
from importlib.metadata import version

import json_repair

print("json_repair", version("json_repair"))
tags = {"tags": [["red"], ["blue", "large"], []]}
values = {"lists": tags, "objects": {"notes": [{"page": 1}, {}]}, "strings": {"names": ["Ada", ""]}}

for name, value in values.items():
    short = json_repair.loads(json.dumps(value)[:-1] + ",}")
    printed = json.dumps(value, indent=2)
    valid = json_repair.loads(printed)
    cut, log = json_repair.loads(printed.removesuffix("\n}"), logging=True)
    comma = json_repair.loads(printed.removesuffix("\n}") + ",\n}")
    print(f"{name}: in one line {short}, cut {cut}, with a comma too many {comma}")
    print("  log:", [entry["text"] for entry in log])
    if short != value or valid != value:
        sys.exit("No longer as described: the value is lost in one line or in valid JSON too.")
    if cut == value or comma == value:
        sys.exit("No longer as described: the last value is kept.")

spaced = json_repair.loads('{"tags": [["red"] , [] , ["blue"]],}')
print("with white space before commas:", spaced)
if spaced != {"tags": [["red"], ["blue"]]}:
    sys.exit("No longer as described: empty lists before a white space are kept.")
print("As described: empty values are left out.")
PYTHON
