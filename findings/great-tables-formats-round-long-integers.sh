#!/usr/bin/env bash
# great_tables 1.1.0: `fmt_integer`, `fmt_number` and `fmt_currency` show other digits of an integer
# above 2**53: 9007199254740993 is shown as 9,007,199,254,740,992.
#
# Expected: the digits of the integer. The documentation says of `fmt_integer` that values are
# "always rendered as integer values", and an integer is one; unformatted the same cell is right,
# and a Decimal of the same size is right in each format.
#
# Happens: the value is put through a float, whatever its type, and all digits of that float are
# written, so that nothing looks rounded: 1234567890123456789 ends in 768. It does not depend on
# polars, pandas or pyarrow. The percentage of the number is cut to 16 digits and has zeros behind.
# No error, no warning.
#
# Concerns: tables with amounts in the smallest unit, byte counters, hashes and IDs, which get a
# format so that they have no separators: two IDs are the same on the page, and one copied from it
# finds nothing. A way out is to format texts, or to cast to Decimal.
#
# Known? Not found in the issues of great_tables (searched 2026-12).
#
# This product draws its own tables, with the digits of the value.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "great-tables==1.1.0" "polars==2.1.0" "pyarrow==26.0.1" "pandas==3.1.1"

"$folder/venv/bin/python" - <<'PYTHON'
import re
import sys
from decimal import Decimal
from importlib.metadata import version

import pandas as pd
import polars as pl
import pyarrow as pa
from great_tables import GT

print(*(f"{name} {version(name)}" for name in ("great-tables", "polars", "pandas", "pyarrow")))
IDS = [9007199254740992, 9007199254740993, 1234567890123456789]


def digits(table):
    cells = re.findall(r"<td[^>]*>(.*?)</td>", table.as_raw_html())
    return [int(re.sub(r"\D", "", cell.split(".")[0])) for cell in cells]


frames = {"polars": pl.DataFrame, "pandas": pd.DataFrame, "pyarrow": pa.table}
rounded = [9007199254740992, 9007199254740992, 1234567890123456768]
for name, frame in frames.items():
    table = GT(frame({"id": IDS}))
    exact = GT(frame({"id": [Decimal(each) for each in IDS]}))
    formats = {
        "no format": digits(table),
        "fmt_integer": digits(table.fmt_integer("id", use_seps=False)),
        "fmt_number": digits(table.fmt_number("id", decimals=0)),
        "fmt_currency": digits(table.fmt_currency("id")),
        "Decimal": digits(exact.fmt_integer("id")),
    }
    print(f"{name}: {IDS}")
    for format, found in formats.items():
        print(f"    {format:12} {found}")
        if found != (IDS if format in ("no format", "Decimal") else rounded):
            sys.exit(f"No longer as described: {format} of {name} shows other digits.")
print("As described: a format changes the digits of long integers.")
PYTHON
