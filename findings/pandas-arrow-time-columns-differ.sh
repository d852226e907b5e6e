#!/usr/bin/env bash
# pandas 3.1.1 with pyarrow 26.0.1: of a time column of a pyarrow type, `dt.isocalendar` gives year 0, week 0 and day 0
# for a missing time, and `dt.round` takes halves up where a datetime64 column takes them to the even side.
#
# Expected: what the same column gives as datetime64. The documentation ("PyArrow functionality") presents the types of
# pyarrow as another representation with the same accessors, and missing values as NA.
#
# Happens: `isocalendar` returns integers without a mask, so a missing time is week 0 of the year 0, which no `isna` and
# no `dropna` finds; `dt.year` of the same column is NA. `dt.round("h")` of 00:30 is 01:00, and 00:00 for
# datetime64. No warning.
#
# Concerns: `read_parquet` and `read_csv` with `dtype_backend="pyarrow"`, and frames from databases by Arrow. Sums by
# week get a group 0 with all rows that have no date, and the same code over the same file puts half of the half hours
# into another hour. A way out is `.astype("datetime64[us]")` before `.dt`.
#
# Known? Of `isocalendar` with pyarrow types other faults: https://github.com/pandas-dev/pandas/issues/55893 and
# https://github.com/pandas-dev/pandas/issues/65894 (both closed). These two were not found (searched 2026-12).
#
# This product computes nothing with times; it sends them as they are.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "pandas==3.1.1" "pyarrow==26.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import pandas as pd

print(*(f"{name} {version(name)}" for name in ("pandas", "pyarrow")))
times = pd.Series(pd.to_datetime(["2024-01-01 00:30", "2024-01-01 01:30", None])).astype("datetime64[us]")
by_arrow = times.astype("timestamp[us][pyarrow]")

weeks, arrow_weeks = times.dt.isocalendar()["week"], by_arrow.dt.isocalendar()["week"]
print(f"week:  datetime64 {weeks.tolist()}, pyarrow {arrow_weeks.tolist()}")
print(f"year:  datetime64 {times.dt.year.tolist()}, pyarrow {by_arrow.dt.year.tolist()}")
if weeks.isna().tolist() != [False, False, True] or by_arrow.dt.year.isna().tolist() != [False, False, True]:
    sys.exit("No longer as described: of datetime64, or as a year, a missing time is no missing value.")
if arrow_weeks.tolist() != [1, 1, 0]:
    sys.exit("No longer as described: a missing time has no week 0.")

hours, arrow_hours = (each.dt.round("h").dt.hour.tolist()[:2] for each in (times, by_arrow))
print(f"round: datetime64 {hours}, pyarrow {arrow_hours}")
if ([0, 2], [1, 2]) != (hours, arrow_hours):
    sys.exit("No longer as described: halves are rounded alike.")
print("As described: the type of a column changes weeks and rounded times.")
PYTHON
