#!/usr/bin/env bash
# narwhals 2.29.0 with pyarrow 26.0.1: `first()` or `last()` with `.over(GROUP, order_by=...)` puts the values of one
# group into the rows of another, where the table is not sorted by that column already.
#
# Expected: each row gets the value of its own group, as over pandas, polars and DuckDB. The docstring of `Expr.over`
# says that with `order_by` the expression is evaluated on the sorted frame and that the results come back in the
# original order of the rows. "Order-dependence" in the documentation names `first` and `last` as what needs `order_by`.
#
# Happens: over a pyarrow table the values are right and stay in the sorted order, so they are beside rows that they do
# not belong to. Of two shops whose first prices are 10 and 101, rows of both get the price of the other one. With one
# price by day it looks plausible: no error, no warning, the right length and type. `price / first price` is then wrong
# in most rows. A table that is sorted already comes out right, as tables of examples and tests are.
#
# Concerns: libraries that take "any data frame" and compute a change since the first value, an index of 100, or the
# last known state, and read Parquet or Arrow data with it. A way out is to sort the table before, or to join the result
# of `group_by(...).agg(...)`.
#
# Known? Not of pyarrow (searched 2026-11). pandas had a similar fault, fixed in 2026-05
# (https://github.com/narwhals-dev/narwhals/pull/3603); missing values in the group were another fault, in pandas and
# pyarrow (https://github.com/narwhals-dev/narwhals/issues/3300).
#
# This product reads tables by narwhals and computes nothing over groups.
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
    "shop": ["A", "B", "A", "B", "A"],
    "day": [3, 1, 1, 2, 2],
    "price": [30, 101, 10, 102, 20],
})  # fmt: skip


def frames(table):
    return {
        "pandas": table.to_pandas(),
        "polars": pl.from_arrow(table),
        "duckdb": duckdb.from_arrow(table),
        "pyarrow": table,
    }


def ends(native):
    """Each row with the first and the last price of its shop, sorted by shop and day."""
    price = nw.col("price")
    found = nw.from_native(native).with_columns(
        first=price.first().over("shop", order_by="day"), last=price.last().over("shop", order_by="day")
    )
    rows = found.lazy().collect().to_arrow().to_pylist()
    return [(row["shop"], row["first"], row["last"]) for row in sorted(rows, key=lambda row: (row["shop"], row["day"]))]


print(*(f"{name} {version(name)}" for name in ("narwhals", *frames(table))))
right = [("A", 10, 30)] * 3 + [("B", 101, 102)] * 2
seen = {name: ends(native) for name, native in frames(table).items()}
for name, rows in seen.items():
    print(f"{name:8} shop, first price, last price: {rows}")
in_order = ends(table.sort_by("day"))
print(f"pyarrow, sorted by day before:          {in_order}")
if any(seen[name] != right for name in ("pandas", "polars", "duckdb")) or in_order != right:
    sys.exit("No longer as described: other libraries, or a sorted table, do not give the ends of each shop.")
if seen["pyarrow"] == right or {row[0] for row in seen["pyarrow"] if row not in right} != {"A", "B"}:
    sys.exit("No longer as described: over pyarrow each row has its own shop's prices, or it differs in another way.")
print("As described: over pyarrow rows of both shops have the prices of the other one.")
PYTHON
