#!/usr/bin/env bash
# narwhals 2.29.0 with polars 2.1.0, pyarrow 26.0.1 and duckdb 2.0.1: one expression that casts a float to an
# integer gives different numbers, or an error, by the library that holds the same valid table.
#
# Expected: the same numbers. The documentation of narwhals says that its interface is a subset of that of polars
# and is there so that one piece of code runs over any data frame; polars cuts off what is behind the point. Where
# libraries differ, the docstrings have a note, as that of `Expr.round`; the docstring of `cast` has none.
#
# Happens: over polars 2.5, 3.5 and 0.7 become 2, 3 and 0. Over a DuckDB relation they become 2, 4 and 1, since
# DuckDB rounds to the nearest and halves to the even neighbour. Over a pyarrow table the same expression raises
# ArrowInvalid, because the value was truncated. Only the last is noticed.
#
# Concerns: libraries that take "any data frame" and make counts, years, bins or cents by `cast`. A way out is
# `floor()` (or a floor and a ceiling by sign) before the cast.
#
# Known? Yes, https://github.com/narwhals-dev/narwhals/pull/3970 is about pyarrow and leaves DuckDB, sqlframe and Ibis
# as they are until somebody decides what is right (open when searched in 2026-11).
#
# This product casts no float to an integer, so what it says about a table is the same for all libraries.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "narwhals==2.29.0" "polars==2.1.0" "pyarrow==26.0.1" "duckdb==2.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import duckdb
import narwhals as nw
import polars as pl
import pyarrow as pa

table = pa.table({"hours": [2.5, -2.5, 3.5, 0.7]})
frames = {"polars": pl.from_arrow(table), "duckdb": duckdb.from_arrow(table), "pyarrow": table}
print(*(f"{name} {version(name)}" for name in ("narwhals", *frames)))
seen = {}
for name, native in frames.items():
    try:
        whole = nw.from_native(native).lazy().select(nw.col("hours").cast(nw.Int64)).collect()
        seen[name] = whole["hours"].to_list()
    except pa.ArrowInvalid as error:
        seen[name] = f"ArrowInvalid: {error}"
    print(f"{name:8} {table['hours'].to_pylist()} -> {seen[name]}")
raised = str(seen["pyarrow"]).startswith("ArrowInvalid")
if (seen["polars"], seen["duckdb"], raised) != ([2, -2, 3, 0], [2, -2, 4, 1], True):
    sys.exit("No longer as described: the libraries agree, or differ in another way.")
print("As described: one expression, two results and one error.")
PYTHON
