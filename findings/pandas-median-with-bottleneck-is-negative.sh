#!/usr/bin/env bash
# pandas 3.1.1 with Bottleneck 1.6.1: the median of an even number of int32 or int64 values wraps around, so that the
# median of positive numbers is negative.
#
# Expected: the same median with Bottleneck and without. The documentation ("Installation", performance dependencies)
# recommends Bottleneck as an accelerator, pandas uses it wherever it is installed, and the median of values lies
# between the least and the greatest.
#
# Happens: `bottleneck.nanmedian` adds the two middle values in their own type before it halves them. Two int32 above
# 2**30 are more than an int32 holds, so the sum starts anew from the least int32; no error and no warning. The mean is
# right, and so are the median of an odd number of values, of the types int16, uint32 and Int32, of a group, and a
# moving median.
#
# Concerns: seconds since 1970 are above 2**30 since 2004, and int32 is what Parquet files, databases and `astype` to
# save memory give; also counts of bytes, populations and prices in cents. Whether a notebook is right depends on a
# package that it does not name, and half of all columns (those with an odd number of rows) show nothing. A way out is
# `pd.set_option("compute.use_bottleneck", False)`, or `astype("int64")` for what is below 2**62.
#
# Known? Not found (searched 2026-12); https://github.com/pydata/bottleneck/issues/83 (closed) is of sums on 32-bit
# machines.
#
# This product takes no median. Code that a model writes often does.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "pandas==3.1.1" "bottleneck==1.6.1"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import pandas as pd

print(*(f"{name} {version(name)}" for name in ("pandas", "bottleneck")))
days = pd.date_range("2026-03-01", periods=4, freq="D")
seconds = pd.Series((days - pd.Timestamp(0)) // pd.Timedelta(seconds=1), dtype="int32")
print("seconds since 1970:", seconds.tolist(), seconds.dtype)


def medians() -> dict[str, float]:
    return {
        "Series": seconds.median(),
        "DataFrame": seconds.to_frame("at").median()["at"],
        "three of them": seconds[:3].median(),
        "as int64": seconds.astype("int64").median(),
        "as Int32": seconds.astype("Int32").median(),
    }


found = medians()
with pd.option_context("compute.use_bottleneck", False):
    expected = medians()
for name, value in found.items():
    print(f"{name}: {value:.0f}, without Bottleneck {expected[name]:.0f}")
print("mean:", seconds.mean())

if not seconds.min() < expected["Series"] < seconds.max():
    sys.exit("No longer as described: without Bottleneck the median is wrong too.")
if found["Series"] >= 0 or found["DataFrame"] >= 0:
    sys.exit("No longer as described: the median lies between the values.")
if any(found[name] != expected[name] for name in ("three of them", "as int64", "as Int32")):
    sys.exit("No longer as described: other medians differ too.")
print("As described: the median of positive int32 values is negative.")
PYTHON
