"""What a batch gives when it is collected: the table as it was sent, whatever became of table, files and types since."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import polars as pl
import pytest
from batches import PROMPT, TO, created, finished, found, make_claude
from pydantic import BaseModel, Field, field_validator

from vertex_claude_magic import errors
from vertex_claude_magic.prompts.scope import Scope
from vertex_claude_magic.tables.batch.checks import batch_options
from vertex_claude_magic.tables.batch.find import find_batch
from vertex_claude_magic.tables.batch.submit import submit


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


class Person(BaseModel):
    """What a schema cannot say: a default, a conversion, a bound beyond structured outputs, a validator."""

    name: str
    score: int = Field(default=5, ge=0, le=10)

    @field_validator("name")
    @classmethod
    def upper(cls, value: str) -> str:
        return value.strip().upper()


ROWS = [{"n": n} for n in range(4)]
PEOPLE = ({"name": " ab "}, {"name": "cd", "score": "7"}, {"name": "ef", "score": 99}, "no JSON")
BY_SCHEMA = "checked by the schema alone, because the type Person is not defined here as it was sent"
OTHER_TYPE = {"Person": dataclasses.make_dataclass("Person", [("name", str)])}


def people(emulator, claude, given):
    """A batch of four answers: good, good by a conversion, out of bounds, no JSON."""
    emulator.answer(*(each if isinstance(each, str) else json.dumps(each) for each in PEOPLE))
    options, asked = batch_options({"to": TO, "max_tokens": 200, "as_": given}, "batch")
    session = claude._session
    scope = Scope(names={"Person": Person})
    return finished(submit(session, ROWS, PROMPT, session.target(asked), options, name="people", scope=scope))


def in_another_kernel(emulator, journal, names):
    return find_batch(make_claude(emulator, journal=journal)._session, "people", names)


def answers(job):
    found = job.collect(ROWS)
    return [(row["name"], row["score"], row["error"] is None) for row in found.table], found


@pytest.mark.parametrize("given", [Person, "Person"], ids=["a type", "a text"])
def test_another_kernel_that_knows_the_type_gives_the_same_data_and_pays_for_the_same_rows(
    emulator, claude, journal, given
):
    here = people(emulator, claude, given)
    later = in_another_kernel(emulator, journal, {"Person": Person})
    expected = [("AB", 5, True), ("CD", 7, True), (None, None, False), (None, None, False)]
    for job in (here, later):
        rows, found = answers(job)
        assert rows == expected
        assert (found.notices, found.undecided) == ((), 0)
    later.retry()
    assert [job.rows for job in later.jobs] == [4, 2]


@pytest.mark.parametrize("names", [{}, OTHER_TYPE], ids=["no type", "another type of that name"])
def test_a_kernel_that_does_not_know_the_type_says_so_and_pays_for_no_answer_that_may_be_right(
    emulator, claude, journal, names, caplog
):
    people(emulator, claude, Person)
    job = in_another_kernel(emulator, journal, names)
    rows, found = answers(job)
    assert rows == [(" ab ", None, True), (None, None, False), ("ef", 99, True), (None, None, False)]
    (notice,) = found.notices
    assert BY_SCHEMA in notice
    assert "Define it again, and collect again." in notice
    assert found.undecided == 1
    job.result()
    job.retry()
    assert [each.rows for each in job.jobs] == [4, 1]
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert notice in said
    assert any("1 row has an answer that only the type Person can check" in text for text in said)


def test_where_only_the_type_could_tell_nothing_is_sent(emulator, claude, journal):
    emulator.answer(json.dumps({"name": "cd", "score": "7"}))
    finished(claude.batch([{"n": 1}], PROMPT, to=TO, as_=Person, name="people", max_tokens=200))
    job = in_another_kernel(emulator, journal, {})
    with pytest.raises(
        errors.OptionError, match="1 row has an answer that only the type Person can check"
    ) as caught:
        job.retry()
    assert "Define it again" in caught.value.cure
    assert len(created(emulator)) == 1


SAME_BY_SCHEMA = {
    "a JSON schema": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "a type of Python": dict[str, str],
}


@pytest.mark.parametrize("kind", SAME_BY_SCHEMA.values(), ids=SAME_BY_SCHEMA)
def test_what_every_kernel_knows_needs_no_notice(emulator, claude, journal, kind):
    emulator.answer('{"name": "ab"}')
    finished(claude.batch([{"n": 1}], PROMPT, to=TO, as_=kind, name="people", max_tokens=200))
    found = in_another_kernel(emulator, journal, {}).collect()
    assert found.notices == ()
    assert found.errors == 0


def with_column(table, name, values):
    """The table with a column more, of the same kind."""
    if isinstance(table, pd.DataFrame):
        return table.assign(**{name: values})
    if isinstance(table, pl.DataFrame):
        return table.with_columns(pl.Series(name, values))
    return table.append_column(name, [values])


def as_pandas(table):
    return table if isinstance(table, pd.DataFrame) else table.to_pandas()


@pytest.mark.parametrize("kernel", ["its kernel", "another kernel"])
@pytest.mark.parametrize("name", ["answer", "cost"])
def test_a_column_that_the_table_got_since_is_never_overwritten(
    emulator, claude, journal, make_table, kernel, name
):
    table = make_table({"n": [1, 2]})
    job = finished(claude.batch(table, PROMPT, to=TO, max_tokens=200))
    asked = job if kernel == "its kernel" else found(emulator, journal, job.id)
    with pytest.raises(errors.OptionError, match=f"The table already has the column {name}") as caught:
        asked.result(with_column(table, name, ["mine", "too"]))
    assert "Rename it in the table" in caught.value.cure
    renamed = as_pandas(asked.result(with_column(table, "own", ["mine", "too"])))
    assert list(renamed["own"]) == ["mine", "too"]
    assert renamed["answer"].notna().all()


def test_an_earlier_result_gets_the_new_answers(emulator, claude, make_table):
    """As `%claude_batch NAME --collect FRAME` does a second time, once more rows are answered."""
    emulator.batches.fails = lambda name: name.endswith("-1")
    job = finished(claude.batch(make_table({"n": [1, 2]}), PROMPT, to=TO, max_tokens=200))
    first = job.result()
    emulator.batches.fails = lambda _: False
    finished(job.retry())
    second = as_pandas(job.result(first))
    assert list(second.columns) == list(as_pandas(first).columns)
    assert second["error"].isna().all()
