"""Rows of a batch that ask the same: sent and paid once, as in `%%claude_map`, with the answer in all of their places."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest
from batches import PROMPT, TO, created, finished, found, make_claude

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Reply

N = [1, 2, 1, 1, 3, 2]
TABLE = pd.DataFrame({"n": N})
# A row of each, as its answer is or fails.
ENDS = {
    "answers": ("One.", {}),
    "answers that are cut off": (None, {"max_tokens": 5}),
    "answers of a type": ('{"value": 1}', {"as_": dict[str, int]}),
    "answers of another type": ("no JSON", {"as_": dict[str, int], "max_rounds": 1}),
}


def sent(emulator):
    """The rows that went up, each with its prompt."""
    names = [name for name in emulator.buckets.names("rows") if "rows-" in name]
    lines = [
        json.loads(line) for name in names for line in emulator.buckets.get("rows", name).content.splitlines()
    ]
    return [
        (int(line["custom_id"].rpartition("-")[2]), line["request"]["messages"][0]["content"])
        for line in lines
    ]


def column(frame, name):
    return [None if pd.isna(value) else value for value in frame[name]]


def test_equal_rows_go_up_once_and_the_answer_is_in_all_of_their_places(emulator, claude, make_table):
    emulator.answer("One.", "Two.", "Three.")
    job = finished(claude.batch(make_table({"n": N}), PROMPT, to=TO, max_tokens=200))
    assert sent(emulator) == [(0, "Repeat 1."), (1, "Repeat 2."), (4, "Repeat 3.")]
    result = job.result()
    frame = result if isinstance(result, pd.DataFrame) else result.to_pandas()
    assert column(frame, "answer") == ["One.", "Two.", "One.", "One.", "Three.", "Two."]
    assert column(frame, "error") == [None] * 6
    # A copy took no tokens and cost nothing, so that the column has the sum of the bill.
    assert [usd == 0 for usd in column(frame, "cost")] == [False, False, True, True, False, True]
    assert sum(column(frame, "cost")) == pytest.approx(job.cost)


@pytest.mark.parametrize(("answer", "options"), ENDS.values(), ids=ENDS)
def test_it_is_the_table_that_a_map_gives(emulator, claude, answer, options):
    for _ in range(12 if answer else 0):
        emulator.answer(Reply(match=None, content=answer))
    options = {"max_tokens": 100, **options}
    mapped = claude.map(TABLE, PROMPT, max_active=1, progress=False, fresh=True, **options)
    options.pop("max_rounds", None)
    batched = finished(claude.batch(TABLE, PROMPT, to=TO, **options)).result()
    assert list(mapped.columns) == list(batched.columns)
    for name in mapped.columns.drop("cost"):
        assert column(mapped, name) == column(batched, name)
    missing = [[usd if not usd else "some" for usd in column(each, "cost")] for each in (mapped, batched)]
    assert missing[0] == missing[1]


@pytest.mark.parametrize("kernel", ["its kernel", "another kernel"])
def test_a_failure_is_that_of_all_equal_rows_and_goes_again_once(emulator, claude, journal, kernel):
    emulator.batches.fails = lambda name: name.endswith("-0")
    job = finished(claude.batch(TABLE, PROMPT, to=TO, max_tokens=200, name="labels"))
    if kernel == "another kernel":
        job = found(emulator, journal, "labels")
    frame = job.result(TABLE)
    assert [error is None for error in column(frame, "error")] == [False, True, False, False, True, True]
    assert column(frame, "input_tokens")[2:4] == [None, None]
    emulator.batches.fails = lambda _: False
    before = len(sent(emulator))
    finished(job.retry())
    assert sent(emulator)[before:] == [(0, "Repeat 1.")]
    assert column(job.result(TABLE), "error") == [None] * 6


def test_a_limit_a_job_and_the_counts_know_only_what_is_sent(emulator, claude, journal):
    one = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=1_000).jobs[0].cost_most
    limited = make_claude(emulator, journal=journal, max_cost=one * 1.5)
    job = finished(limited.batch([{"n": 1}] * 100, PROMPT, to=TO, max_tokens=1_000))
    with pytest.raises(errors.CostLimitExceeded):
        limited.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=1_000)
    assert (job.rows, job.done, job.failed, job.copies) == (100, 1, 0, 99)
    jobs = claude.batch(TABLE, PROMPT, to=TO, rows_per_job=2, max_tokens=100).jobs
    assert [each.rows for each in jobs] == [2, 1]


def test_that_equal_rows_are_sent_once_is_said(emulator, claude, caplog):
    claude.batch(TABLE, PROMPT, to=TO, max_tokens=200)
    assert "3 rows ask the same as an earlier row, whose answer they get." in caplog.text
    caplog.clear()
    claude.batch(TABLE.drop_duplicates(), PROMPT, to=TO, max_tokens=200)
    assert "the same" not in caplog.text


def test_a_row_that_cannot_be_sent_has_no_copies(emulator, claude):
    rows = finished(
        claude.batch([{"n": b"x"}, {"n": 1}, {"n": b"x"}], PROMPT, to=TO, max_tokens=200)
    ).result()
    assert [row["error"] is None for row in rows] == [False, True, False]
    assert len(sent(emulator)) == 1


def test_while_the_job_of_the_first_row_goes_on_its_copies_are_empty(emulator, claude):
    emulator.batches.rows_per_look = 1
    job = claude.batch([{"n": n} for n in (1, 2, 2)], PROMPT, to=TO, rows_per_job=1, max_tokens=200)
    while [each.state for each in job.jobs].count("SUCCEEDED") < 1:
        job.refresh()
    rows = job.collect().table
    assert all(row["error"] is None for row in rows)
    assert (rows[1]["answer"] is None) == (rows[2]["answer"] is None)


def test_a_batch_of_a_version_that_sent_every_row_is_collected(emulator, claude, journal):
    job = finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=200, name="labels"))
    plan = {name: value for name, value in job.batch.plan.items() if name not in {"copies", "as"}}
    earlier = found(emulator, journal, "labels")
    earlier._batch = dataclasses.replace(job.batch, plan=plan)
    assert [row["error"] for row in earlier.result([{"n": 1}, {"n": 2}])] == [None, None]
    assert earlier.copies == 0
    assert len(created(emulator)) == 1
