#!/usr/bin/env bash
# xarray 2026.9.0 with numbagg 0.9.6: `ffill` and `bfill` change integers above 2**53, although no value is missing, and
# with `skipna=True` so do `min` and `max`, and `argmax` finds another place.
#
# Expected: integers have no missing value, so a fill leaves them as they are, and `skipna=True` is the same as without.
# That is what happens with Bottleneck, and for `min`, `max` and `argmax` with neither of the two. The documentation
# describes both as ways to the same results; numbagg is used wherever it is installed.
#
# Happens: the values go through float64 and come back as int64, rounded to the nearest multiple of 256. No error and no
# warning. Numbers that are different become the same.
#
# Concerns: identifiers of posts, users and records (snowflakes, hashes) and nanoseconds since 1970 that are held as
# int64. `Dataset.ffill` fills all variables at once, so one that has gaps is reason enough to change the identifiers
# beside it; what is joined by them afterwards finds nothing, or the wrong rows. A way out is to fill only the variables
# that have gaps, or `set_options(use_numbagg=False, use_bottleneck=True)`.
#
# Known? Not found (searched 2026-12).
#
# This product computes nothing with xarray. Code that a model writes often does.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "xarray==2026.9.0" "numbagg==0.9.6" "bottleneck==1.6.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import xarray as xr

print(*(f"{name} {version(name)}" for name in ("xarray", "numbagg", "bottleneck")))
ids = [1_152_921_504_606_846_977, 1_152_921_504_606_846_979, 1_152_921_504_606_846_981]
data = xr.Dataset({"post": ("row", np.array(ids)), "score": ("row", [0.5, np.nan, 0.7])})
ways = {
    "ffill": lambda: data.ffill("row")["post"],
    "bfill": lambda: data.bfill("row")["post"],
    "max": lambda: data["post"].max(),
    "max(skipna=True)": lambda: data["post"].max(skipna=True),
    "argmax(skipna=True)": lambda: data["post"].argmax("row", skipna=True),
}

differ = []
for name, way in ways.items():
    found = way().values.tolist()
    with xr.set_options(use_numbagg=False, use_bottleneck=True):
        expected = way().values.tolist()
    print(f"{name}: {found}, with Bottleneck {expected}")
    if found != expected:
        differ.append(name)
    if name.endswith("fill") and expected != ids:
        sys.exit("No longer as described: with Bottleneck the fill changes integers too.")

if differ != ["ffill", "bfill", "max(skipna=True)", "argmax(skipna=True)"]:
    sys.exit(f"No longer as described: these differ: {differ}.")
if len(set(data.ffill("row")["post"].values.tolist())) != 1:
    sys.exit("No longer as described: the three identifiers are still different.")
print("As described: integers are changed where nothing is missing.")
PYTHON
