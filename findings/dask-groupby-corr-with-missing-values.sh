#!/usr/bin/env bash
# dask 2026.8.0: `groupby(...).corr()` and `.cov()` give wrong values if a column has missing values: -1.46 for two
# columns whose correlation is 1.
#
# Expected: what pandas gives, which leaves out a row where one of the two values is missing ("excluding NA/null
# values" in the docstring, which dask shows as its own). The same method of the whole frame, `DataFrame.corr`, does so
# in dask too.
#
# Happens: each column is summed over all its own values, the products over the rows that have both, and the number of
# rows is taken to be the geometric mean of the two counts. So sums of different rows are set off against each other.
# The covariance of x and 2 x + 1 gets a negative sign, the correlation leaves the range from -1 to 1, or is a plausible
# 0.4. What a column has with itself is right, and without missing values all is. Nothing tells the two apart: numpy
# warns of a division in both.
#
# Concerns: who looks for what belongs together by station, customer or product in data with gaps. Values between -1
# and 1 raise no doubt. A way out is to drop the rows with a gap in one of the two columns first, for each pair.
#
# Known? Not found for groups. That the whole frame was wrong is https://github.com/dask/dask/issues/1086, mended in
# 2016 (searched 2026-11).
#
# This product refuses a frame of dask that is not computed, and computes no correlations.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "dask[dataframe]==2026.8.0" "pandas==3.1.1" "pyarrow==26.0.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
import warnings
from importlib.metadata import version

import dask.dataframe as dd
import pandas as pd

# Dask tries the method on a frame of one row, with and without gaps.
warnings.simplefilter("ignore", RuntimeWarning)
SIZE = 40
whole = pd.DataFrame({"station": ["a", "b"] * (SIZE // 2), "x": [float(each) for each in range(SIZE)]})
whole["y"] = 2 * whole["x"] + 1


def without(rows):
    """The frame with y missing in some rows."""
    return whole.assign(y=whole["y"].mask(whole.index.isin(rows)))


def of_pair(frame, method):
    """What the method says of x and y, for each station."""
    table = getattr(frame.groupby("station")[["x", "y"]], method)()
    table = table.compute() if hasattr(table, "compute") else table
    return [round(float(table.loc[(station, "x"), "y"]), 3) for station in "ab"]


print(*(f"{name} {version(name)}" for name in ("dask", "pandas")))
FRAMES = {
    "no gaps": whole,
    "each third y missing": without(range(1, SIZE, 3)),
    "last half missing": without(range(20, SIZE)),
}
seen = {}
for name, frame in FRAMES.items():
    parted = dd.from_pandas(frame, npartitions=2)
    for method in ("corr", "cov"):
        seen[name, method] = (of_pair(frame, method), of_pair(parted, method))
        print(f"{name:21} {method:4} of x and y by station: pandas {seen[name, method][0]}, dask {seen[name, method][1]}")
    ungrouped = float(parted[["x", "y"]].corr().compute().loc["x", "y"])
    print(f"{name:21} corr of the whole frame, dask: {ungrouped:.3f}")
    if round(ungrouped, 6) != 1:
        sys.exit("No longer as described: the correlation of the whole frame is wrong too.")
if any(seen["no gaps", method][0] != seen["no gaps", method][1] for method in ("corr", "cov")):
    sys.exit("No longer as described: without gaps the two differ as well.")
if seen["each third y missing", "corr"] != ([1.0, 1.0], [0.438, 0.227]):
    sys.exit("No longer as described: with some gaps the correlation is another.")
if max(seen["last half missing", "corr"][1]) >= -1 or max(seen["last half missing", "cov"][1]) >= 0:
    sys.exit("No longer as described: the correlation is in its range, or the covariance has its sign.")
print("As described: with gaps both are wrong for groups, and right for the whole frame.")
PYTHON
