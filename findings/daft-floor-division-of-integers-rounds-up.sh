#!/usr/bin/env bash
# daft 0.7.26: `//` of a negative integer rounds up, to zero, and of the same number as a float it
# rounds down: -7 // 3 is -2, and -7.0 // 3 is -3.
#
# Expected: -3 for both, as in Python, numpy, pandas and polars. The docstring of the operator says
# "Floor divides two numeric expressions"; daft's own `floor` of the quotient is -3.
#
# Happens: integers are divided as the processor does it, which cuts toward zero, for each width and
# sign; floats get a floor. In SQL, `//` does the same. The group around zero is twice as wide: from
# -2 to 2 all is 0 where it was -1 and 0. The days of times before 1970 by `//` are one late, and
# `unix_date` of such a day is 18446744073709551615, because it is a number without a sign. Where a
# column of integers is read as floats, since one value is missing, results change. No error.
#
# Concerns: bins of temperatures, balances, offsets, coordinates and times. A way out is `floor` of
# the true quotient, which is exact below 2**53.
#
# Known? Not found in the issues of daft; the operator came with
# https://github.com/Eventual-Inc/Daft/issues/2418, whose examples are positive (searched 2026-12).
#
# This product does not compute with frames of daft.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "daft==0.7.26" "polars==2.1.0" "pandas==3.1.1" "pyarrow==25.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from collections import Counter
from datetime import datetime
from importlib.metadata import version

import daft
import pandas as pd
import polars as pl
from daft.functions import floor, unix_date

print(*(f"{name} {version(name)}" for name in ("daft", "polars", "pandas")))
DEGREES = list(range(-9, 9))
frame = daft.from_pydict({"degree": DEGREES, "measured": [float(each) for each in DEGREES]})
ways = {
    "Python": [each // 3 for each in DEGREES],
    "polars": (pl.Series(DEGREES) // 3).to_list(),
    "pandas": (pd.Series(DEGREES) // 3).tolist(),
    "daft, floats": frame.select(frame["measured"] // 3).to_pydict()["measured"],
    "daft, floor of the quotient": frame.select(floor(frame["degree"] / 3)).to_pydict()["degree"],
    "daft, integers": frame.select(frame["degree"] // 3).to_pydict()["degree"],
    "daft, SQL": daft.sql("select degree // 3 as bin from frame").to_pydict()["bin"],
}
for way, bins in ways.items():
    print(f"{way:28} {[int(each) for each in bins]}")
sizes = Counter(ways["daft, integers"])
print("rows of each bin:", dict(sorted(sizes.items())), "and in Python:", dict(sorted(Counter(ways["Python"]).items())))
before = daft.from_pydict({"time": [datetime(1969, 12, 31, 18)]})
days = before.select(unix_date(before["time"])).to_pydict()["time"]
print("unix_date of 1969-12-31:", days)
cut = [int(each / 3) for each in DEGREES]
right = ways.pop("Python")
if any(bins != (cut if way in ("daft, integers", "daft, SQL") else right) for way, bins in ways.items()):
    sys.exit(1)
if sizes[0] != 5 or days != [2**64 - 1]:
    sys.exit(1)
print("As described: integers are cut toward zero.")
PYTHON
