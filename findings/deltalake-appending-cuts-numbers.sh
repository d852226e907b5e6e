#!/usr/bin/env bash
# deltalake 1.6.6: numbers with a fraction that are appended to a column of integers are cut, 2.7
# to 2, without an error; 0.4 becomes True in a column of flags.
#
# Expected: an error. "Writing Delta Tables" in the documentation says that `write_deltalake` "will
# raise ValueError if the schema of the data passed to it differs from the existing table's schema".
# For Decimals with more digits behind the point it does raise one, and for integers that are too
# large.
#
# Happens: floats are cast to the type of the column, within lists too, with and without
# `schema_mode="merge"`. So do `DeltaTable.merge`, `DeltaTable.update`, and an overwrite with a
# predicate. With "merge" a time of day is cut off as well, where the column has dates. What was
# written is in no file any more; the table looks right and has the right number of rows.
#
# Concerns: tables that a notebook fills each day. Prices, scores or measurements that happened to
# be whole when the table was made give a column of integers, and the next file has floats. A way
# out is to compare `DeltaTable.schema()` with the data before, or to cast oneself.
#
# Known? In part: that the cast is done at all, of texts and numbers, is
# https://github.com/delta-io/delta-rs/issues/3917 (closed) and, for `merge`,
# https://github.com/delta-io/delta-rs/issues/4448 (open). That values are cut was not found
# (searched 2026-12).
#
# This product does not write Delta tables.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "deltalake==1.6.6" "pyarrow==26.0.1" "pandas==3.1.1"

FOLDER="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys
import tempfile
from datetime import date, datetime
from decimal import Decimal
from importlib.metadata import version

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

print(*(f"{name} {version(name)}" for name in ("deltalake", "pyarrow", "pandas")))


def path():
    return tempfile.mkdtemp(dir=os.environ["FOLDER"])


def appended(first, second, **options):
    """What the table has of the second, after it was appended to the first."""
    place = path()
    write_deltalake(place, pa.table({"x": [1], "value": first}))
    try:
        write_deltalake(place, pa.table({"x": [2], "value": second}), mode="append", **options)
    except Exception as error:
        return type(error).__name__
    return next(row["value"] for row in DeltaTable(place).to_pyarrow_table().to_pylist() if row["x"] == 2)


MERGE = {"schema_mode": "merge"}
CASES = {
    "a price": ([3], [2.7], {}, 2),
    "a price, merge": ([3], [2.7], MERGE, 2),
    "a share among flags": ([True], [0.4], {}, True),
    "a list": ([[3]], [[2.7]], {}, [2]),
    "a time among dates, merge": ([date(2026, 1, 1)], [datetime(2026, 1, 1, 18, 30)], MERGE, date(2026, 1, 1)),
    "a Decimal": ([Decimal("1.5")], [Decimal("1.25")], {}, "SchemaMismatchError"),
    "too large": (pa.array([3], pa.int32()), [2**40], {}, "Exception"),
}
for name, (first, second, options, expected) in CASES.items():
    found = appended(first, second, **options)
    given = second[0]
    print(f"{name:26} {given!s:20} becomes {found}")
    if type(found) is not type(expected) or found != expected:
        sys.exit(f"No longer as described: {name} becomes {found}.")
place = path()
write_deltalake(place, pd.DataFrame({"day": [1, 2], "price": [3, 4]}))
table = DeltaTable(place)
source = pa.table({"day": [2, 3], "price": [4.9, 2.7]})
joined = table.merge(source, "old.day = new.day", source_alias="new", target_alias="old")
joined.when_matched_update_all().when_not_matched_insert_all().execute()
table.update(predicate="day = 1", new_values={"price": 3.9})
write_deltalake(place, pd.DataFrame({"day": [4, 5], "price": [1.5, 1.5]}), mode="append")
prices = DeltaTable(place).to_pyarrow_table().sort_by("day")["price"].to_pylist()
print("prices of five days, written as 3.9, 4.9, 2.7, 1.5, 1.5:", prices)
if prices != [3, 4, 2, 1, 1]:
    sys.exit("No longer as described: the prices are not cut.")
print("As described: numbers are cut without an error.", flush=True)
os._exit(0)  # Threads of the libraries may end this process with another code.
PYTHON
