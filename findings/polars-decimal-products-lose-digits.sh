#!/usr/bin/env bash
# polars 2.1.0: the product and the quotient of two Decimals have no more digits behind the point than the factor with
# most of them, so that 0.05 times 0.05 is 0.00, and 10.00 divided by 3 is 3.33.
#
# Expected: the digits of the result. Decimals are taken for money because nothing is lost in them, and a product of
# two numbers with two digits has four in SQL, in DuckDB, in pyarrow and in Python's own Decimal. polars checks such
# arithmetic: one that overflows is an error. The documentation of `polars.Decimal` says what precision and scale are,
# and nothing of results.
#
# Happens: the result is rounded to the larger scale of the two, in each step. A fee of 5 % on 0.05 is nothing, a
# share of 0.15 in 0.15 is 0.02, and three thirds of 10.00 are 9.99. Whether cents are right depends on how many zeros
# the rate was written with: 0.19 as 0.1900 gives other totals. `mean` and a division by a float give floats and keep
# the digits. No warning.
#
# Concerns: bills, taxes, exchange rates and shares that are computed with Decimals because floats would not be exact.
# A way out is to cast one factor to a larger scale first, as in `rate.cast(pl.Decimal(38, 6))`.
#
# Known? Yes, by design since https://github.com/pola-rs/polars/pull/24542, whose text says it. Not found in the
# documentation (searched 2026-11).
#
# This product computes nothing with columns of polars; means in its summaries come from exact sums
# (frames/summary.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "polars==2.1.0" "pyarrow==26.0.1" "duckdb==2.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from decimal import Decimal
from importlib.metadata import version

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc


def by_polars(one, other):
    return (pl.Series([one]) * pl.Series([other])).item()


def by_pyarrow(one, other):
    return pc.multiply(pa.array([one]), pa.array([other]))[0].as_py()


def by_duckdb(one, other):
    return duckdb.sql(f"select {one} * {other}").fetchall()[0][0]


print(*(f"{name} {version(name)}" for name in ("polars", "pyarrow", "duckdb")))
PAIRS = [("0.05", "0.05"), ("0.15", "0.15"), ("19.99", "0.19"), ("19.99", "0.1900")]
seen = []
for pair in PAIRS:
    one, other = map(Decimal, pair)
    results = [by_polars(one, other), by_pyarrow(one, other), by_duckdb(one, other), one * other]
    seen.append([str(result) for result in results])
    print(*pair, "polars, pyarrow, DuckDB, Python:", *seen[-1])
amounts = pl.DataFrame({"amount": [Decimal("10.00")], "parts": [3]})
third = amounts.select(pl.col("amount") / pl.col("parts")).item()
wide = amounts.select(pl.col("amount").cast(pl.Decimal(38, 6)) / pl.col("parts")).item()
print("10.00 / 3:", third, "| three of them:", 3 * third, "| with scale 6:", wide)
if [row[0] for row in seen] != ["0.00", "0.02", "3.80", "3.7981"] or (str(third), str(wide)) != ("3.33", "3.333333"):
    sys.exit("No longer as described: the product or the quotient has more digits.")
if any(Decimal(result) != Decimal(row[3]) for row in seen for result in row[1:]):
    sys.exit("No longer as described: pyarrow or DuckDB does not give the exact product.")
print("As described: polars has rounded, and the others have not.")
PYTHON
