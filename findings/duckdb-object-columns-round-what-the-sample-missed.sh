#!/usr/bin/env bash
# duckdb 2.0.1 with pandas 3.1.1: of a pandas column of Python objects about 1,000 rows are looked at for its type, and
# values in the other rows are rounded to it: 12.345 becomes 12.35, 2.5 becomes 2, and a time of day is lost.
#
# Expected: the values, or an error. The documentation ("Conversion between DuckDB and Python", object columns) says
# that a sample of 1,000 rows is analyzed by default, and that it can be made larger where it led to a wrong type and
# the cast fails.
#
# Happens: the cast does not fail where it can round. Of 5,000 rows each fifth is looked at, of 100,000 each hundredth;
# below 2,000 all are. A Decimal in between is rounded to the digits that were seen, a float to an integer, a date-time
# to its date. A text or a number that is too large is an error, as documented. Sums are wrong too, and a table that is
# made of it keeps the rounded values. Whether a value counts depends on the number of its row. With a
# `pandas_analyze_sample` of all rows, and by pyarrow, the values are right.
#
# Concerns: Decimals come as objects from every database driver and from `read_sql`, and most amounts have two digits
# while a few rates and quantities have more. Date-times beside dates and integers beside floats come from JSON and
# from spreadsheets. A way out is `SET pandas_analyze_sample = ...`, or `pyarrow.Table.from_pandas`.
#
# Known? In part: that the sample leads to an error where a number is too large for the type, as in
# https://github.com/duckdb/duckdb/issues/4897 and https://github.com/duckdb/duckdb/issues/17629. That values are
# rounded was not found (searched 2026-11).
#
# This product reads pandas frames itself. A relation that the user makes of a frame has these values already.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "duckdb==2.0.1" "pandas==3.1.1" "pyarrow==26.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version

import duckdb
import pandas as pd
import pyarrow as pa

# Each fifth row is looked at.
ROWS, BETWEEN, LOOKED_AT = 5000, 777, 775
CASES = {
    "Decimals": (Decimal("10.00"), Decimal("12.345"), Decimal("12.35")),
    "numbers": (1, 2.5, 2),
    "times": (date(2026, 1, 31), datetime(2026, 1, 31, 18, 30), date(2026, 1, 31)),
}


def column(usual, other, row):
    return pd.DataFrame({"x": pd.Series([other if at == row else usual for at in range(ROWS)], dtype=object)})


def by_duckdb(frame, row, sample=None):
    """The value of the row, its type in DuckDB."""
    database = duckdb.connect()
    if sample:
        database.execute(f"set pandas_analyze_sample = {sample}")
    database.register("frame", frame)
    found = database.execute("select x, typeof(x) from frame").fetchall()[row]
    database.close()
    return found


print(*(f"{name} {version(name)}" for name in ("duckdb", "pandas", "pyarrow")))
for name, (usual, other, rounded) in CASES.items():
    frame = column(usual, other, BETWEEN)
    seen, kind = by_duckdb(frame, BETWEEN)
    looked_at = by_duckdb(column(usual, other, LOOKED_AT), LOOKED_AT)[0]
    sampled = by_duckdb(frame, BETWEEN, sample=ROWS)[0]
    print(f"{name:8} {other} in row {BETWEEN}: {seen} ({kind}), with a sample of all: {sampled}", end="; ")
    print(f"in row {LOOKED_AT}: {looked_at}")
    if seen != rounded:
        sys.exit(f"No longer as described: {name} in a row that was not looked at are kept, or an error.")
    if (looked_at, sampled) != (other, other):
        sys.exit(f"No longer as described: {name} are changed in a row that was looked at.")

usual, other, _ = CASES["Decimals"]
frame = column(usual, other, BETWEEN)
total = duckdb.from_df(frame).sum("x").fetchall()[0][0]
by_arrow = duckdb.from_arrow(pa.Table.from_pandas(frame)).sum("x").fetchall()[0][0]
print("sum by DuckDB, by pyarrow and DuckDB, by Python:", total, by_arrow, sum(frame["x"]))
if total == sum(frame["x"]) or by_arrow != sum(frame["x"]):
    sys.exit("No longer as described: the sum is right, or it is wrong by pyarrow too.")
print("As described: what the sample did not see was rounded.")
PYTHON
