#!/usr/bin/env bash
# pandas 3.1.1: `convert_dtypes` makes other numbers of integers above 2**53 if a None is beside them: of a column of
# objects with 9007199254740993 and None it makes an Int64 column with 9007199254740992.
#
# Expected: the same numbers. The docstring says that columns are converted to the best possible types that support
# `pd.NA`, and Int64 holds both. `astype("Int64")` of the same column keeps the number, and so does `convert_dtypes`
# where the missing value is `pd.NA`.
#
# Happens: the objects are first inferred as floats because of the None (or NaN), and whole floats then become integers,
# so the result looks right: type Int64, no decimals, no warning. Neighbouring numbers become equal, with
# `dtype_backend="pyarrow"` too.
#
# Concerns: `DataFrame(rows, dtype=object).convert_dtypes()` is the usual way to keep long ids of JSON or of a database
# beside missing values from becoming floats, and here it changes them. A way out is `astype("Int64")`, or
# `fillna(pd.NA)` before.
#
# Known? Not found; of `convert_dtypes` with long integers there is another fault, an error beyond int64,
# https://github.com/pandas-dev/pandas/issues/66517 (searched 2026-12).
#
# This product does not call it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "pandas==3.1.1" "pyarrow==26.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import json
import sys
from importlib.metadata import version

import pandas as pd

print(*(f"{name} {version(name)}" for name in ("pandas", "pyarrow")))
ROWS = '[{"id": 9007199254740993, "x": 1}, {"id": 9007199254740992, "x": 2}, {"id": null, "x": 3}]'
frame = pd.DataFrame(json.loads(ROWS), dtype=object)
right = [9007199254740993, 9007199254740992]


def ids(column):
    """The type of a column and its numbers."""
    return str(column.dtype), [int(each) for each in column.dropna()]


wrong = {
    "convert_dtypes": frame.convert_dtypes()["id"],
    "by pyarrow": frame.convert_dtypes(dtype_backend="pyarrow")["id"],
}
good = {
    "astype": frame["id"].astype("Int64"),
    "pd.NA": frame.assign(id=frame["id"].map(lambda each: pd.NA if each is None else each)).convert_dtypes()["id"],
}
for name, column in {"object": frame["id"], **wrong, **good}.items():
    print(f"{name:14}", *ids(column))
if any(ids(column)[1] == right or "int64" not in ids(column)[0].lower() for column in wrong.values()):
    sys.exit("No longer as described: the numbers are kept, or are no integers.")
if any(ids(column) != ("Int64", right) for column in good.values()):
    sys.exit("No longer as described: the numbers are changed by astype, or beside pd.NA, too.")
print("As described: an integer column with other integers.")
PYTHON
