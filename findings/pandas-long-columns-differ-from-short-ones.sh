#!/usr/bin/env bash
# pandas 3.1.1 with numexpr 2.14.2: above 1,000,000 rows two kinds of arithmetic give other values than below:
# integers to a negative power become 0, and integers with float32 are rounded to float32.
#
# Expected: what the same columns give with fewer rows. numexpr is a recommended dependency that makes large frames
# faster (documentation, "Installation" and "Accelerated operations"); no other difference is named.
#
# Happens: a column of more than 1,000,000 rows is handed to numexpr, which has rules of its own. `column ** -1` of
# int64 is an error for a short column ("Integers to negative integer powers are not allowed") and 0 in each row of a
# long one. int64 times float32 is float64 for a short column, as in numpy, and float32 for a long one: 16777217
# becomes 16777216. No warning. With the option `compute.use_numexpr` off, long columns are as short ones.
#
# Concerns: what was tried with part of the data and then runs on all of it. Weights and shares (`count ** -1`) are 0,
# and amounts in cents times a rate of a float32 column, which is usual for features of a model, lose their last
# digits. A way out is `pandas.set_option("compute.use_numexpr", False)`, or float64 columns.
#
# Known? Others of this kind: a float32 column and a float32 number give float64 above 1,000,000 rows,
# https://github.com/pandas-dev/pandas/issues/61951 (open), and numexpr itself gives 0 for a negative float power,
# https://github.com/pydata/numexpr/issues/428. These two were not found (searched 2026-12).
#
# This product does no arithmetic on frames.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "pandas==3.1.1" "numexpr==2.14.2"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd

print(*(f"{name} {version(name)}" for name in ("pandas", "numexpr", "numpy")))
SHORT, LONG = 1_000_000, 1_000_001


def column(value, kind, rows):
    return pd.Series(np.full(rows, value, dtype=kind))


def first(calculate, rows):
    """The type of the result and its first value, or the error."""
    try:
        result = calculate(rows)
    except ValueError as error:
        return f"{type(error).__name__}: {error}"
    return f"{result.dtype} {result.iloc[0]}"


CASES = {
    "2 ** -1": (lambda rows: column(2, "int64", rows) ** -1,
                "ValueError: Integers to negative integer powers are not allowed.", "int64 0"),
    "16777217 * 1.0": (lambda rows: column(16777217, "int64", rows) * column(1.0, "float32", rows),
                       "float64 16777217.0", "float32 16777216.0"),
}  # fmt: skip
for name, (calculate, of_short, of_long) in CASES.items():
    short, long = first(calculate, SHORT), first(calculate, LONG)
    pd.set_option("compute.use_numexpr", False)
    without = first(calculate, LONG)
    pd.set_option("compute.use_numexpr", True)
    print(f"{name}: {SHORT:,} rows {short}\n{'':{len(name)}}  {LONG:,} rows {long}, without numexpr {without}")
    if (short, long, without) != (of_short, of_long, of_short):
        sys.exit("No longer as described: one row more makes no difference.")
print("As described: one row more changes the values.")
PYTHON
