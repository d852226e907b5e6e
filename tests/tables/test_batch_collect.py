"""What a batch gives when it is collected: the table as it was sent, whatever became of table, files and types since."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest
from batches import PROMPT, TO, created, finished, found

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


def delete_results(emulator, job, number=1):
    for name in emulator.buckets.names("rows", f"run/claude-batch-{job.id}/results-{number:04}"):
        emulator.buckets.delete("rows", name)


LOOKS = {
    "it is collected": lambda job: job.result(),
    "failures are sent again": lambda job: job.retry(),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize("kernel", ["its kernel", "another kernel"])
@pytest.mark.parametrize("collected", [True, False])
def test_results_that_were_deleted_are_an_error_and_nothing_is_paid_twice(
    emulator, claude, journal, look, kernel, collected
):
    job = finished(claude.batch([{"n": n} for n in range(4)], PROMPT, to=TO, rows_per_job=2, max_tokens=200))
    if collected:
        job.result()
    delete_results(emulator, job, 2)
    asked = job if kernel == "its kernel" else found(emulator, journal, job.id)
    with pytest.raises(
        errors.OptionError, match="The results of job 2 are gone: no line of 2 answered"
    ) as caught:
        look(asked)
    assert caught.value.cure.startswith("Restore them there")
    assert len(created(emulator)) == 2


def test_a_job_that_answered_nothing_has_no_results_to_lose(emulator, claude):
    emulator.batches.fails = lambda name: True
    job = finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=200))
    delete_results(emulator, job)
    assert all(row["error"] == "RowFailed: The results have no line of this row." for row in job.result())
    emulator.batches.fails = lambda name: False
    assert [row["error"] for row in finished(job.retry()).result()] == [None, None]


def test_results_are_not_missed_whose_rows_were_all_answered_later(emulator, claude):
    job = finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=5))
    assert [row["stop_reason"] for row in job.result()] == ["max_tokens", "max_tokens"]
    finished(job.retry())
    delete_results(emulator, job)
    assert [row["stop_reason"] for row in job.result()] == ["max_tokens", "max_tokens"]
