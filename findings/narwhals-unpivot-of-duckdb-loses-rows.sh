#!/usr/bin/env bash
# narwhals 2.29.0 with duckdb 2.0.1: `unpivot` of a DuckDB relation leaves out each value that is missing; over pandas,
# polars and pyarrow the same expression keeps it as a row.
#
# Expected: a row for each row and column, as polars has it. The documentation of narwhals says that its interface is
# a subset of that of polars, the docstring of `LazyFrame.unpivot` compares it with pandas' `melt`, which keeps missing
# values too, and its example, without a missing value, is run on a DuckDB relation.
#
# Happens: narwhals writes an UNPIVOT statement for DuckDB, which excludes nulls unless it says INCLUDE NULLS, and does
# not say so. Of three people with two questions each, three of six rows come back, and the one who answered nothing
# is gone. All that counts rows then differs: the share of questions without an answer is 0 instead of one half, and a
# mean over filled zeros is that of the answers alone. No error, no warning.
#
# Concerns: libraries that take "any data frame" and bring it into the long form, to plot it, to count what is missing,
# or to hand it on row by row. A way out is to write a value in place of what is missing before, or to unpivot by
# DuckDB's own statement with INCLUDE NULLS.
#
# Known? Not found in narwhals's issues or its documentation (searched 2026-11). DuckDB documents it for its statement.
#
# This product does not unpivot; it reads a relation column by column (frames/read.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "narwhals==2.29.0" "duckdb==2.0.1" "polars==2.1.0" "pyarrow==26.0.1" "pandas==3.1.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import duckdb
import narwhals as nw
import polars as pl
import pyarrow as pa

table = pa.table({
    "person": ["Ann", "Bob", "Cid"],
    "sleep": pa.array([7, None, 8], pa.int64()),
    "sport": pa.array([None, None, 3], pa.int64()),
})  # fmt: skip
frames = {
    "pandas": pl.from_arrow(table).to_pandas().convert_dtypes(),
    "polars": pl.from_arrow(table),
    "pyarrow": table,
    "duckdb": duckdb.from_arrow(table),
}
print(*(f"{name} {version(name)}" for name in ("narwhals", *frames)))
seen = {}
for name, native in frames.items():
    answers = nw.from_native(native).lazy().unpivot(on=["sleep", "sport"], index="person").collect()
    rows = [(row["person"], row["variable"], row["value"]) for row in answers.to_arrow().to_pylist()]
    missing = sum(value is None for _, _, value in rows)
    seen[name] = sorted(rows, key=lambda row: row[:2])
    people = ", ".join(sorted({person for person, _, _ in rows}))
    print(f"{name:8} {len(rows)} rows of {people}; without an answer: {missing / len(rows):.0%}")
frame = table
own = duckdb.sql(
    "select person, question, answer from frame unpivot include nulls (answer for question in (sleep, sport))"
).fetchall()
whole = [("Ann", "sleep", 7), ("Ann", "sport", None), ("Bob", "sleep", None), ("Bob", "sport", None),
         ("Cid", "sleep", 8), ("Cid", "sport", 3)]  # fmt: skip
print(f"DuckDB's own statement with INCLUDE NULLS: {len(own)} rows")
if any(seen[name] != whole for name in ("pandas", "polars", "pyarrow")) or sorted(own, key=lambda row: row[:2]) != whole:
    sys.exit("No longer as described: the other libraries, or DuckDB itself, do not keep what is missing.")
if seen["duckdb"] != [row for row in whole if row[2] is not None]:
    sys.exit("No longer as described: the relation keeps what is missing.")
print("As described: over DuckDB three rows and one person are gone.")
PYTHON
