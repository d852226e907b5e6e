#!/usr/bin/env bash
# scikit-learn 1.9.1: `max_error` and `median_absolute_error` subtract in the type of the values, so that ratings from 0
# to 5 that are held as uint8 have a largest error of 255.
#
# Expected: the same error whatever integers are used, as `mean_absolute_error` and `mean_squared_error` of the same
# values give. The documentation takes "array-like" values, and speaks of no type that is unsuitable.
#
# Happens: where both are unsigned, each prediction that is above the truth counts as an error of nearly 256 (65,536 and
# so on), and for int8 and int16 large errors become small ones. No error and no warning. With predictions that are
# floats, as most regressors give them, both are right; classifiers, rounded predictions and comparisons of images are
# integers.
#
# Concerns: pixels, ratings, ages and counts, which are uint8 in images, in Parquet files and after
# `pd.to_numeric(downcast="unsigned")`. In the second the fault is quiet: a median of 14 comes out as 25. A way out is
# `astype(float)` of one of the two.
#
# Known? In part: https://github.com/scikit-learn/scikit-learn/issues/28827 (closed) is the same of
# `mean_squared_error`, which is right now. Of these two it was not found (searched 2026-12).
#
# This product computes no metrics. Code that a model writes often does.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "scikit-learn==1.9.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from sklearn import metrics

print("scikit-learn", version("scikit-learn"))
cases = {
    "ratings, uint8": (np.array([3, 0, 5, 2], dtype="uint8"), np.array([2, 1, 5, 4], dtype="uint8")),
    "balances, int8": (np.array([100, -90, 80], dtype="int8"), np.array([-100, 90, 75], dtype="int8")),
}
names = ["max_error", "median_absolute_error", "mean_absolute_error", "mean_squared_error"]

differ = set()
for case, (truth, predicted) in cases.items():
    for name in names:
        metric = getattr(metrics, name)
        found, expected = metric(truth, predicted), metric(truth.astype(float), predicted.astype(float))
        mixed = metric(truth, predicted.astype(float))
        print(f"{case}: {name} {found:g}, of floats {expected:g}, with predictions that are floats {mixed:g}")
        if mixed != expected:
            sys.exit("No longer as described: predictions that are floats are compared wrongly too.")
        if found != expected:
            differ.add((case, name))

if differ != {(case, name) for case in cases for name in names[:2]}:
    sys.exit(f"No longer as described: these differ: {sorted(differ)}.")
print("As described: the largest and the median error are wrong for small integers, the means are right.")
PYTHON
