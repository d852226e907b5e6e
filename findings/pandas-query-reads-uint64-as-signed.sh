#!/usr/bin/env bash
# pandas 3.1.1 with numexpr 2.14.2: `DataFrame.query` and `DataFrame.eval` read a uint64 column as signed, so that
# values from 2**63 on count as negative: `query("key >= 0")` drops their rows.
#
# Expected: what the same comparison of the column gives, and what `engine="python"` gives. The documentation
# ("Enhancing performance", `eval`) presents the engines as two ways to the same result, of which numexpr is taken
# wherever it is installed.
#
# Happens: numexpr has no unsigned 64-bit integers, and the bits are taken for an int64. Half of all hashes are below
# zero, and quotients have the wrong sign; no error and no warning. A number above 2**63 in the expression is an
# OverflowError. The column itself (`frame[frame["key"] >= 0]`) is compared rightly, also in long frames, because
# there pandas leaves uint64 to numpy.
#
# Concerns: uint64 is the type of `pandas.util.hash_pandas_object`, of hashes and keys from polars, DuckDB and
# ClickHouse, and of device and user numbers in Parquet files. A sample by hash ("key < 5 * 10**18") has too many
# rows, and a check that drops bad rows ("key > 0") drops good ones. A way out is `engine="python"`, or a mask in
# place of `query`.
#
# Known? In part: that a uint64 column in `query` was an error, https://github.com/pandas-dev/pandas/issues/39617
# (closed). That rows are dropped in silence was not found (searched 2026-12).
#
# This product evaluates no expression of pandas. Code that a model writes often uses `query`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "pandas==3.1.1" "numexpr==2.14.2"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import pandas as pd

print(*(f"{name} {version(name)}" for name in ("pandas", "numexpr")))
frame = pd.DataFrame({"name": ["a", "b", "c", "d"]})
frame["key"] = pd.util.hash_pandas_object(frame["name"], index=False)
print(frame.to_string(index=False), frame["key"].dtype, sep="\n")

key = frame["key"]
for question, mask in {"key >= 0": key >= 0, "key < 0": key < 0, "key < 5 * 10**18": key < 5 * 10**18}.items():
    found = frame.query(question)["name"].tolist()
    by_python = frame.query(question, engine="python")["name"].tolist()
    print(f'query("{question}"): {found}, with engine="python": {by_python}')
    if by_python != frame.loc[mask, "name"].tolist():
        sys.exit("No longer as described: the engine of Python disagrees with the column.")
    if found == by_python:
        sys.exit("No longer as described: a uint64 column is compared as what it is.")

if frame[frame["key"] >= 0].shape != frame.shape:
    sys.exit("No longer as described: the column itself is compared wrongly too.")
doubled = pd.DataFrame({"eval": frame.eval("key / 2"), "column": frame["key"] / 2})
print(doubled.to_string(index=False))
if (doubled["eval"] >= 0).all():
    sys.exit("No longer as described: the quotients are right.")
print("As described: what is 2**63 or more counts as negative.")
PYTHON
