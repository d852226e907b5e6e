#!/usr/bin/env bash
# scipy 1.17.1: the paired t-test of unsigned integers finds a large significant difference where there is none, and
# `tmean` of uint8 values is below the least of them.
#
# Expected: the result that the same numbers give as floats. The documentation takes "array-like", and the tests beside
# it (`ttest_ind`, `wilcoxon`, `mannwhitneyu`) give the same for every type of integer.
#
# Happens: `ttest_rel` subtracts in the type of the values, so a difference of -1 becomes 255, 65,535 or 2**64 - 1. The
# sign of the statistic turns and p falls from 0.18 to 0.002; the confidence interval shows it, if somebody asks for it.
# `tmean` sums in the type of the values since it serves other array libraries too. No error and no warning.
#
# Concerns: scores, counts and ages before and after, held in small unsigned types by Parquet, SPSS and Stata files, by
# `pd.to_numeric(downcast="unsigned")` and by counts of polars. Whoever reads only p publishes an effect that is not
# there. A way out is `astype(float)`, or `ttest_1samp` of the differences of floats.
#
# Known? Not found (searched 2026-12).
#
# This product runs no tests of hypotheses. Code that a model writes often does.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "scipy==1.17.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from scipy import stats

print("scipy", version("scipy"))
before, after = np.array([12, 15, 9, 14, 10, 13, 11, 16]), np.array([14, 13, 12, 15, 9, 15, 12, 17])


def as_type(name: str) -> tuple[np.ndarray, np.ndarray]:
    return before.astype(name), after.astype(name)


expected = stats.ttest_rel(*as_type("float64"))
signed = stats.ttest_rel(*as_type("int8"))
print(f"float64: t {expected.statistic:.2f}, p {expected.pvalue:.4f}; int8: p {signed.pvalue:.4f}")
if signed.pvalue != expected.pvalue:
    sys.exit("No longer as described: signed integers are tested wrongly too.")

for name in ("uint8", "uint16", "uint32", "uint64"):
    found = stats.ttest_rel(*as_type(name))
    interval = found.confidence_interval()
    print(f"{name}: t {found.statistic:.2f}, p {found.pvalue:.4f}, interval {interval.low:.3g} to {interval.high:.3g}")
    for test in (stats.ttest_ind, stats.wilcoxon):
        if test(*as_type(name)).pvalue != test(*as_type("float64")).pvalue:
            sys.exit(f"No longer as described: {test.__name__} differs too.")
    if not (found.statistic > 0 and found.pvalue < 0.01 < 0.1 < expected.pvalue):
        sys.exit("No longer as described: no significant difference of the other sign is found.")

lights = np.array([200, 210, 220], dtype="uint8")
print(f"tmean of {lights.tolist()}: {stats.tmean(lights):.2f}, mean {lights.mean():.2f}")
if stats.tmean(lights) > lights.min():
    sys.exit("No longer as described: tmean is right.")
print("As described: unsigned differences wrap around in the paired t-test, sums in tmean.")
PYTHON
