"""Tables of every kind for the tests of tables; an emulator with buckets, and a client, for those of batches."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from batches import make_claude

from vertex_claude_magic.emulator import Emulator

MAKERS = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


@pytest.fixture(params=sorted(MAKERS))
def make_table(request):
    """A table from a dict of columns, once in each of three libraries."""
    return MAKERS[request.param]


@pytest.fixture
def emulator():
    with Emulator() as made:
        made.buckets.make("rows", "us-east5")
        made.buckets.make("wide", "nam4")
        yield made


@pytest.fixture
def journal(tmp_path):
    return str(tmp_path / "journal.sqlite3")


@pytest.fixture
def claude(emulator, journal):
    return make_claude(emulator, journal=journal)
