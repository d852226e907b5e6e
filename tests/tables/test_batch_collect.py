"""What a batch gives when it is collected: the table as it was sent, whatever became of table, files and types since."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest
from batches import PROMPT, TO, finished

from vertex_claude_magic import errors


def dicts(columns):
    return [{"n": n} for n in columns["n"]]


def nested(columns):
    return pd.DataFrame({"n": [[n] for n in columns["n"]]})


CHANGES = {
    "pandas, a column": (pd.DataFrame, lambda table: table.__setitem__("n", table["n"] * 10)),
    "pandas, a cell": (pd.DataFrame, lambda table: table.loc.__setitem__((0, "n"), 9)),
    "pandas, the order": (pd.DataFrame, lambda table: table.iloc.__setitem__(slice(None), [[3], [2], [1]])),
    "pandas, a row": (pd.DataFrame, lambda table: table.loc.__setitem__(3, 4)),
    "pandas, an object in a cell": (nested, lambda table: table["n"][0].append(9)),
    "polars, a column": (pl.DataFrame, lambda table: table.replace_column(0, pl.Series("n", [7, 8, 9]))),
    "polars, a cell": (pl.DataFrame, lambda table: table.__setitem__((0, "n"), 9)),
    "dicts, a value": (dicts, lambda table: table[0].update(n=9)),
    "dicts, the order": (dicts, lambda table: table.reverse()),
    "dicts, a row": (dicts, lambda table: table.pop()),
}


@pytest.mark.parametrize(("make", "change"), CHANGES.values(), ids=CHANGES)
def test_a_table_that_was_changed_in_place_since_takes_no_answer_away(emulator, claude, make, change):
    emulator.answer("One.", "Two.", "Three.")
    table = make({"n": [1, 2, 3]})
    job = finished(claude.batch(table, PROMPT, to=TO, max_tokens=100))
    change(table)
    result = job.result()
    assert type(result) is type(table)
    rows = (
        result
        if isinstance(result, list)
        else pd.DataFrame({name: list(result[name]) for name in ("n", "answer")}).to_dict("records")
    )
    assert [row["answer"] for row in rows] == ["One.", "Two.", "Three."]
    # A Python object in a cell is not copied.
    assert [row["n"] for row in rows] in ([1, 2, 3], [[1, 9], [2], [3]])
    with pytest.raises(errors.OptionError, match="not the table of the batch") as caught:
        job.result(table)
    assert "or none" in caught.value.cure
