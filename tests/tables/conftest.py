"""Tables of every kind for the tests of tables."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.fixture(params=sorted(MAKERS))
def make_table(request):
    """A table from a dict of columns, once in each of three libraries."""
    return MAKERS[request.param]
