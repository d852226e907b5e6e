#!/usr/bin/env bash
# pandas 3.1.1 with numexpr 2.14.2: `abs`, `floor` and `ceil` in `DataFrame.query` and `DataFrame.eval` give floats
# for integers, so that numbers above 2**53 change, and a search for one finds its neighbours.
#
# Expected: integers, as `Series.abs`, `numpy.floor` and `engine="python"` give for them. The documentation
# ("Enhancing performance", `eval`) lists these functions as supported in expressions, and presents the engines as two
# ways to the same result.
#
# Happens: numexpr has these functions for floats only and converts the column first. 9007199254740993 becomes
# 9007199254740992, neighbours become equal, and `query("abs(number) == 9007199254740993")` finds the row of
# 9007199254740992 as well. No warning. The arithmetic operators and comparisons of the same expression keep int64.
#
# Concerns: numbers of posts, orders and bookings have 17 to 19 digits, and a sign for a reversal is common. A join or
# a search for duplicates over the result of `eval("number = abs(number)")` brings unlike rows together. A way out is
# `engine="python"`, or `frame["number"].abs()`.
#
# Known? Not found (searched 2026-12).
#
# This product evaluates no expression of pandas. Code that a model writes often uses `query`.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "pandas==3.1.1" "numexpr==2.14.2"

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import pandas as pd

print(*(f"{name} {version(name)}" for name in ("pandas", "numexpr")))
NUMBER = 2**53 + 1
frame = pd.DataFrame({"number": [NUMBER, -NUMBER, NUMBER - 1, 5]})
right = [NUMBER, NUMBER, NUMBER - 1, 5]

for expression in ("abs(number)", "floor(number)", "ceil(number)"):
    got = frame.eval(expression)
    by_python = frame.eval(expression, engine="python")
    print(f"{expression:14} {got.dtype} {got.map(int).tolist()}")
    print(f"{'by Python':14} {by_python.dtype} {by_python.tolist()}")
    if by_python.dtype != "int64" or by_python.abs().tolist() != right:
        sys.exit("No longer as described: the engine of Python changes them too.")
    if got.dtype != "float64" or got.map(int).abs().tolist() == right:
        sys.exit("No longer as described: integers stay integers.")

question = f"abs(number) == {NUMBER}"
found, by_python = frame.query(question), frame.query(question, engine="python")
print(f'query("{question}") finds {len(found)} rows, with engine="python" {len(by_python)}')
if (len(found), len(by_python)) != (3, 2):
    sys.exit("No longer as described: a row of another number is not found.")
if frame.eval("number + 0").tolist() != frame["number"].tolist():
    sys.exit("No longer as described: the operators change integers too.")
print("As described: functions of an expression round integers to floats.")
PYTHON
