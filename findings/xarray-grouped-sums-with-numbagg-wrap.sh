#!/usr/bin/env bash
# xarray 2026.9.0 with flox 0.11.2 and numbagg 0.9.6 (its extra "accel"): with `skipna=True`, grouped sums and products
# of small integers wrap around, so that a count of 400 pixels comes out as 144.
#
# Expected: `groupby(...).sum(skipna=True)` gives what `sum(skipna=True)` of each group gives. The documentation of
# `sum` says that integers have no missing value to skip, and of `use_flox` that flox speeds up the same reductions.
# Both are used wherever they are installed.
#
# Happens: with `skipna=True` flox hands the work to numbagg, which sums int8, uint8, int16, int32 and uint32 in that
# very type; only then it becomes int64. No error and no warning. Without `skipna`, without flox or numbagg, and without
# groups the sums are right. The same holds for `prod` and for `resample`.
#
# Concerns: rasters, masks and satellite bands are uint8 or int16, counts in netCDF files int32. `skipna=True` is passed
# by who also sums variables with missing values, of a whole `Dataset` at once. A sum that should be 37,500 comes out
# below zero, one of 70,000 as a plausible 4,464. A way out is `astype("int64")` before, or to leave `skipna` out.
#
# Known? Not found (searched 2026-12).
#
# This product computes nothing with xarray. Code that a model writes often does.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "xarray==2026.9.0" "flox==0.11.2" "numbagg==0.9.6"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
import xarray as xr

print(*(f"{name} {version(name)}" for name in ("xarray", "flox", "numbagg")))
days = pd.date_range("2026-01-01", "2026-03-31")
counts = xr.DataArray(np.full(len(days), 1_500, dtype="int16"), dims="time", coords={"time": days})
mask = xr.DataArray(np.ones(800, dtype="uint8"), dims="pixel", coords={"zone": ("pixel", np.arange(800) % 2)})
ways = {
    "counts by month": lambda **skip: counts.groupby("time.month").sum(**skip),
    "counts resampled": lambda **skip: counts.resample(time="MS").sum(**skip),
    "pixels by zone": lambda **skip: mask.groupby("zone").sum(**skip),
}

for name, way in ways.items():
    with xr.set_options(use_flox=False):
        expected = way(skipna=True)
    plain, skipping = way(), way(skipna=True)
    print(f"{name}: {skipping.values} {skipping.dtype}, without flox {expected.values}, without skipna {plain.values}")
    if plain.values.tolist() != expected.values.tolist():
        sys.exit("No longer as described: without skipna the sums differ too.")
    if skipping.values.tolist() == expected.values.tolist():
        sys.exit("No longer as described: the sums are right.")

whole = counts.sel(time="2026-01").sum(skipna=True).item()
print("January without groups:", whole)
if whole != 31 * 1_500:
    sys.exit("No longer as described: sums without groups are wrong too.")
print("As described: grouped sums wrap around in the type of the values.")
PYTHON
