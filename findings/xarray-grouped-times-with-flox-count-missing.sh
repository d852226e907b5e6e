#!/usr/bin/env bash
# xarray 2026.9.0 with flox 0.11.2: in grouped times, a missing time (NaT) counts as a value, so that the count is too
# large and the mean lies a hundred thousand years ago.
#
# Expected: what the same calls give for each group by itself, what they give without flox, and what pandas gives. The
# documentation says of `count` that it counts what is not missing, and of `use_flox` that flox speeds up the same
# reductions. It is used wherever it is installed.
#
# Happens: `groupby(...).count()` counts NaT too. `mean()` takes the number that stands for NaT, the least int64, into
# the average, with or without `skipna=True`, and `min(skipna=True)` is NaT; `max(skipna=True)` is right. No error and
# no warning, and a group in which nothing is missing is right.
#
# Concerns: whoever averages or counts times by group: the day of the first frost by region, the time of delivery by
# week. In a figure the mean is off the axis; the counts, and rates that are made of them, look plausible. A way out is
# `set_options(use_flox=False)`, or `to_series()` and pandas.
#
# Known? Not found (searched 2026-12); https://github.com/pydata/xarray/issues/10169 (closed) is of an error that
# grouped times raised.
#
# This product computes nothing with xarray. Code that a model writes often does.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "xarray==2026.9.0" "flox==0.11.2"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import pandas as pd
import xarray as xr

print(*(f"{name} {version(name)}" for name in ("xarray", "flox")))
frost = xr.DataArray(
    pd.to_datetime(["2025-10-02", "2025-10-04", None, "2025-11-10", "2025-11-20"]),
    dims="station",
    coords={"region": ("station", ["north", "north", "north", "south", "south"])},
)
ways = {
    "count()": lambda grouped: grouped.count(),
    "mean()": lambda grouped: grouped.mean(),
    "mean(skipna=True)": lambda grouped: grouped.mean(skipna=True),
    "min(skipna=True)": lambda grouped: grouped.min(skipna=True),
    "max(skipna=True)": lambda grouped: grouped.max(skipna=True),
}


def shown(result: xr.DataArray) -> list[str] | str:
    values = result.values
    return (values.astype("datetime64[D]") if values.dtype.kind == "M" else values).astype(str).tolist()


wrong = []
for name, way in ways.items():
    found = shown(way(frost.groupby("region")))
    with xr.set_options(use_flox=False):
        expected = shown(way(frost.groupby("region")))
    print(f"{name}: {found}, without flox {expected}")
    if expected != [shown(way(part)) for _, part in frost.groupby("region")]:
        sys.exit("No longer as described: without flox it is not what each group gives.")
    if found[1] != expected[1]:
        sys.exit("No longer as described: the group without a missing time differs too.")
    if found[0] != expected[0]:
        wrong.append(name)

print(frost.to_series().groupby(frost["region"].values).agg(["count", "mean"]))
if wrong != ["count()", "mean()", "mean(skipna=True)", "min(skipna=True)"]:
    sys.exit(f"No longer as described: these differ: {wrong}.")
print("As described: a missing time counts as a value.")
PYTHON
