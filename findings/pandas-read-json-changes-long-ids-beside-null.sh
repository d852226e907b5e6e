#!/usr/bin/env bash
# pandas 3.1.1: `read_json` with `dtype_backend` gives a column of whole numbers with a null as integers of another
# value: 1234567890123456789 comes as 1234567890123456768. `read_csv` keeps it.
#
# Expected: the numbers of the file. The documentation says that with `dtype_backend="numpy_nullable"` or "pyarrow" the
# frame has nullable types, whose purpose is that a missing value does not turn integers into floats ("Nullable integer
# data type" in the user guide). `read_csv` and `read_sql` with the same argument give the exact numbers.
#
# Happens: the column is read as floats, because of the null, and these are converted at the end. The result has the
# type Int64 or int64[pyarrow], so that nothing shows where the digits went, and two neighbouring ids are one. A null
# anywhere in the column, or a record without the key, changes all the others. Neither `dtype={"id": "Int64"}` nor
# `dtype=False` nor `precise_float=True` helps, and no warning is given. Without a null the numbers are right, so are
# they with `lines=True, engine="pyarrow"`, which reads by another way.
#
# Concerns: ids of posts, orders, rows and devices have 17 to 19 digits in many APIs and databases, and a parent or a
# reply-to is null in some rows. Joins then match nothing or the wrong row. A way out is
# `pd.DataFrame(json.load(file), dtype=...)` with nullable types by column, or the engine of pyarrow for lines.
#
# Known? Not found for `dtype_backend`. For ids in quotation marks it was
# https://github.com/pandas-dev/pandas/issues/44684, and for `read_csv` with the engine of pyarrow
# https://github.com/pandas-dev/pandas/pull/62053, both mended (searched 2026-11).
#
# This product reads JSON with Python and makes Int64 columns of it (frames/make.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "pandas==3.1.1" "pyarrow==26.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import io
import json
import sqlite3
import sys
from importlib.metadata import version

import pandas as pd

FIRST, LAST = 1234567890123456789, 1234567890123456791
IDS = [FIRST, None, LAST]
records = json.dumps([{"id": each} for each in IDS])
lines = "".join(json.dumps({"id": each}) + "\n" for each in IDS)
table = sqlite3.connect(":memory:")
table.execute("create table posts (id integer)")
table.executemany("insert into posts values (?)", [(each,) for each in IDS])


def plain(frame):
    return [None if each is pd.NA else int(each) for each in frame["id"]]


print(*(f"{name} {version(name)}" for name in ("pandas", "pyarrow")))
print("in the file:", IDS)
for backend in ("numpy_nullable", "pyarrow"):
    changed = {
        "read_json": pd.read_json(io.StringIO(records), dtype_backend=backend),
        "lines": pd.read_json(io.StringIO(lines), lines=True, dtype_backend=backend),
        "dtype=Int64": pd.read_json(io.StringIO(records), dtype={"id": "Int64"}, dtype_backend=backend),
        "dtype=False": pd.read_json(io.StringIO(records), dtype=False, precise_float=True, dtype_backend=backend),
    }
    kept = {
        "engine=pyarrow": pd.read_json(
            io.BytesIO(lines.encode()), lines=True, engine="pyarrow", dtype_backend=backend
        ),
        "read_csv": pd.read_csv(
            io.StringIO("id,n\n" + "".join(f"{'' if each is None else each},1\n" for each in IDS)),
            dtype_backend=backend,
        ),
        "read_sql": pd.read_sql("select id from posts", table, dtype_backend=backend),
        "without null": pd.read_json(io.StringIO(records.replace("null", "5")), dtype_backend=backend),
    }
    for name, frame in {**changed, **kept}.items():
        print(f"{backend:14} {name:14} {frame['id'].dtype!s:14} {plain(frame)}")
    if any(plain(frame)[0] == FIRST or plain(frame)[0] != plain(frame)[2] for frame in changed.values()):
        sys.exit("No longer as described: read_json keeps the ids, or tells them apart.")
    if any("int" not in str(frame["id"].dtype).lower() for frame in changed.values()):
        sys.exit("No longer as described: the type of the column shows that it holds no integers.")
    if any(plain(frame)[::2] != [FIRST, LAST] for frame in kept.values()):
        sys.exit("No longer as described: another way to read them changes the ids too.")
print("As described: with a null in the column both ids have become one.")
PYTHON
