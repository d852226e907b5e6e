#!/usr/bin/env bash
# polars 2.1.0: in a column of lists the first list with a value decides the type, and the numbers, decimals and times
# of all later lists are cut to it: `pl.DataFrame({"x": [[0, 1], [0.9, 0.2]]})` holds [0, 1] and [0, 0], without an
# error.
#
# Expected: the type that holds all values, or an error. The documentation of `DataFrame` and `Series` says of `strict`,
# which is True by default, that a value that does not match the given or inferred type exactly is an error, and that
# without it values are cast to that type. For plain values the first holds: [0, 0.9] is a TypeError.
#
# Happens: with lists nothing is raised. The rest of a number is cut off, a Decimal is rounded to the digits behind the
# point of the first one, a date-time loses its time of day and a number becomes True if the first list has such.
# `strict=True` changes nothing. Texts are refused. What the same values become depends on the way in: `strict=False`,
# `from_dicts`, rows, a schema with List(Float64), pandas and pyarrow all give floats, and a schema with List(Int64) is
# an error, although that is the type that is inferred. `map_elements` without `return_dtype` cuts them too.
#
# Concerns: columns of vectors, scores, coordinates, prices or series of measurements that were made in Python, where
# the first happens to be whole: [0, 0], [1, 0], [100]. The frame looks right and has the right length. A way out is a
# schema, or `strict=False`.
#
# Known? Yes, https://github.com/pola-rs/polars/issues/9500 (2023, closed), of numbers; a test for it waits in
# https://github.com/pola-rs/polars/pull/25823. Texts were mended by https://github.com/pola-rs/polars/issues/18841.
# Decimals, times and the difference from `strict=False` were not found (searched 2026-11).
#
# This product names the type of each column that it gives to polars (tables/result.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "polars==2.1.0" "pyarrow==26.0.1" "pandas==3.1.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version

import pandas as pd
import polars as pl
import pyarrow as pa

print(*(f"{name} {version(name)}" for name in ("polars", "pyarrow", "pandas")))
CASES = {
    "numbers": ([[0, 1], [0.9, 0.2]], [[0, 1], [0, 0]]),
    "Decimals": ([[Decimal("1.5")], [Decimal("1.25")]], [[Decimal("1.5")], [Decimal("1.2")]]),
    "times": ([[date(2026, 1, 31)], [datetime(2026, 1, 31, 18, 30)]], [[date(2026, 1, 31)], [date(2026, 1, 31)]]),
    "flags": ([[True], [5]], [[True], [True]]),
}
for name, (given, cut) in CASES.items():
    seen = pl.DataFrame({"x": given}, strict=True)["x"]
    print(f"{name:8} given: {given}")
    print(f"{'':8} in the frame: {seen.to_list()}, of type {seen.dtype}")
    if seen.to_list() != cut:
        sys.exit(f"No longer as described: lists of {name} are not cut to the type of the first.")

vectors = CASES["numbers"][0]
try:
    pl.DataFrame({"x": [each for vector in vectors for each in vector]})
except TypeError as error:
    print("the same numbers as plain values:", str(error).splitlines()[0])
else:
    sys.exit("No longer as described: plain values of two types are no error.")
floats = pl.List(pl.Float64)
others = {
    "strict=False": pl.DataFrame({"x": vectors}, strict=False)["x"],
    "from_dicts": pl.from_dicts([{"x": vector} for vector in vectors])["x"],
    "rows": pl.DataFrame([(vector,) for vector in vectors], schema=["x"], orient="row")["x"],
    "with a schema": pl.DataFrame({"x": vectors}, schema={"x": floats})["x"],
    "by pandas": pl.from_pandas(pd.DataFrame({"x": vectors}))["x"],
    "by pyarrow": pl.from_arrow(pa.table({"x": vectors}))["x"],
}
for name, column in others.items():
    print(f"{name:13} {column.to_list()}")
if any(column.to_list() != vectors for column in others.values()):
    sys.exit("No longer as described: another way into polars does not keep the values.")
print("As described: lists are cut to the type of the first one, by one of the ways in.")
PYTHON
