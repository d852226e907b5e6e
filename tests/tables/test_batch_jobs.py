"""A table as a batch: up in files, back in the order of its rows, whatever ends how; failures alone go again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from functools import partial

import pandas as pd
import pytest
from batches import (
    PROMPT,
    TO,
    created,
    finished,
    found,
    make_claude,
    quick,
    retried_in_vain,
    sent_and_meanwhile,
)
from journals import rows

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.records.journal.runs import this_process
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.tables.batch.find import find_batch
from vertex_claude_magic.tables.batch.lines import LineFile, Lines
from vertex_claude_magic.tables.batch.upload import put_up


@dataclasses.dataclass
class Label:
    label: str
    score: int


def uploaded(emulator, ending="rows-"):
    """All lines that went up, in the order of the files."""
    names = [name for name in emulator.buckets.names("rows") if ending in name and name.endswith(".jsonl")]
    return [
        json.loads(line) for name in names for line in emulator.buckets.get("rows", name).content.splitlines()
    ]


def test_answers_come_back_in_the_rows_of_the_table(emulator, claude, make_table):
    table = make_table({"n": [1, 2, 3], "other": ["a", "b", "c"]})
    emulator.answer("One.", "Two.", "Three.")
    job = claude.batch(table, PROMPT, to=TO, max_tokens=100)
    result = finished(job).result()
    assert type(result) is type(table)
    frame = result if isinstance(result, pd.DataFrame) else result.to_pandas()
    assert list(frame["answer"]) == ["One.", "Two.", "Three."]
    assert list(frame["n"]) == [1, 2, 3]
    assert frame["error"].isna().all()
    assert (job.state, job.rows, job.done, job.failed) == ("SUCCEEDED", 3, 3, 0)


def test_a_line_holds_the_request_without_model_and_stream(emulator, claude):
    claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=100, system="Be brief.")
    (line,) = uploaded(emulator)
    assert line["request"] == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Repeat 1."}],
        "system": "Be brief.",
    }
    (body,) = created(emulator)
    assert body["model"] == "publishers/anthropic/models/claude-sonnet-5-5"
    assert body["inputConfig"]["instancesFormat"] == "jsonl"


def test_fields_of_a_type_are_columns_and_an_answer_that_does_not_fit_is_an_error_of_its_row(
    emulator, claude
):
    emulator.answer('{"label": "good", "score": 3}', "no JSON", '{"label": "bad", "score": "x"}')
    job = finished(claude.batch([{"n": 1}, {"n": 2}, {"n": 3}], PROMPT, to=TO, as_=Label))
    rows = job.result()
    assert (rows[0]["label"], rows[0]["score"], rows[0]["error"]) == ("good", 3, None)
    assert [row["label"] for row in rows[1:]] == [None, None]
    assert all(row["error"].startswith("AnswerInvalid") for row in rows[1:])
    # It was answered and is paid.
    assert rows[1]["cost"] > 0


def test_a_type_is_checked_in_a_later_process_by_its_schema(emulator, claude, journal):
    emulator.answer('{"label": "good", "score": 3}', '{"label": "bad"}')
    finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, as_=Label, name="labels"))
    later = found(emulator, journal, "labels").result([{"n": 1}, {"n": 2}])
    assert later[0]["label"] == "good"
    assert "score" in later[1]["error"]


def test_the_cost_is_half_and_is_counted_once(emulator, claude, journal):
    emulator.answer("One.", "Two.")
    job = finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=50))
    rows = job.result()
    job.result()
    found(emulator, journal, job.id).result()
    record = claude._session.records.stores.journal(journal)
    (usage,) = record.usage()
    assert usage.cost == pytest.approx(sum(row["cost"] for row in rows))
    assert usage.open_cost == 0
    # Sonnet 5.5: USD 2 and 10 per million, 10 % more in a region, half of it in batch.
    first = rows[0]
    assert first["cost"] == pytest.approx(
        (first["input_tokens"] * 2 + first["output_tokens"] * 10) * 1.1 / 2 / 1e6
    )


def test_before_it_is_collected_the_worst_case_counts(emulator, claude, journal):
    claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=1_000)
    records = claude._session.records
    (usage,) = records.stores.journal(journal).usage()
    assert usage.open_cost > 0
    spent = records.spending(claude._session.target())
    assert spent.session_local.usd == spent.today_local.usd == usage.open_cost


def test_only_rows_that_failed_go_again_and_their_answers_take_their_places(emulator, claude):
    table = pd.DataFrame({"n": range(10)})
    emulator.batches.fails = lambda name: name.endswith(("-3", "-7"))
    job = finished(claude.batch(table, PROMPT, to=TO, rows_per_job=4, max_tokens=200))
    assert (job.done, job.failed, job.state) == (8, 2, "SUCCEEDED")
    assert list(job.result()["error"].notna().to_numpy().nonzero()[0]) == [3, 7]
    emulator.batches.fails = lambda _: False
    before = len(uploaded(emulator))
    finished(job.retry())
    again = uploaded(emulator)[before:]
    assert [line["custom_id"].rpartition("-")[2] for line in again] == ["3", "7"]
    assert job.result()["error"].isna().all()
    assert job.failed == 0
    with pytest.raises(errors.OptionError, match="None of the rows sent has failed"):
        job.retry()


def test_a_row_that_is_answered_twice_is_one_row(emulator, claude):
    """Google counts an answer that was cut off as done, and the row goes again."""
    job = finished(claude.batch(pd.DataFrame({"n": range(3)}), PROMPT, to=TO, max_tokens=5))
    assert job.result()["stop_reason"].eq("max_tokens").all()
    job.retry()
    assert (job.rows, job.done) == (3, 0)
    finished(job)
    assert (job.rows, job.done, job.failed) == (3, 3, 0)


def cancelled_before_it_was_created(emulator, job):
    """Google refuses another job now, and so it waits."""
    emulator.batches.most = 0
    with contextlib.suppress(errors.QuotaExceeded):
        job.retry()
    job.cancel()
    emulator.batches.most = 4


NEVER_SENT = {
    "the upload is refused": retried_in_vain,
    "it is cancelled before its job is created": cancelled_before_it_was_created,
}


@pytest.mark.parametrize("end", NEVER_SENT.values(), ids=NEVER_SENT)
@pytest.mark.parametrize("failing", [5, 2])
def test_rows_that_were_not_sent_again_after_all_are_as_they_were(emulator, claude, end, failing):
    emulator.batches.fails = lambda name: int(name.rpartition("-")[2]) < failing
    job = finished(claude.batch(pd.DataFrame({"n": range(5)}), PROMPT, to=TO, max_tokens=200))
    job.result()
    before = (job.done, job.failed)
    assert before == (5 - failing, failing)
    for _ in range(2):
        end(emulator, job)
        assert (job.done, job.failed) == before
    emulator.batches.fails = lambda _: False
    finished(job.retry())
    assert (job.done, job.failed) == (5, 0)
    assert job.result()["error"].isna().all()


def test_answers_that_were_cut_off_and_not_sent_again_after_all_stay_done(emulator, claude):
    job = finished(claude.batch(pd.DataFrame({"n": range(3)}), PROMPT, to=TO, max_tokens=5))
    job.result()
    retried_in_vain(emulator, job)
    assert (job.last_state, job.done, job.failed) == ("SUCCEEDED", 3, 0)


def test_of_rows_that_go_again_in_several_jobs_those_of_a_cancelled_one_are_as_they_were(emulator, claude):
    emulator.batches.fails = lambda _: True
    job = finished(
        claude.batch(pd.DataFrame({"n": range(10)}), PROMPT, to=TO, rows_per_job=2, max_tokens=200)
    )
    assert (job.done, job.failed) == (0, 10)
    emulator.batches.fails = lambda _: False
    # Four jobs of the five are created, and the one that waits is cancelled.
    job.retry()
    for each in job.jobs:
        if each.state == "WAITING":
            job.context.batches.save(dataclasses.replace(each, state="CANCELLED", counted=1))
    finished(job)
    assert (job.done, job.failed) == (8, 2)


def test_more_than_four_jobs_wait_until_somebody_looks(emulator, claude):
    job = claude.batch(pd.DataFrame({"n": range(12)}), PROMPT, to=TO, rows_per_job=2, max_tokens=200)
    assert [each.state for each in job.jobs].count("WAITING") == 2
    assert len(created(emulator)) == 4
    finished(job)
    assert len(created(emulator)) == 6
    assert job.state == "SUCCEEDED"
    assert job.result()["error"].isna().all()


def few_looks():
    """Waits for nothing, and gives up on a batch that would be followed for ever."""
    left = iter(range(60))
    return lambda _: next(left)


def four_batches(claude):
    return [claude.batch([{"n": n}], PROMPT, to=TO, max_tokens=200) for n in range(4)]


def test_jobs_of_other_batches_that_have_ended_unseen_hold_no_batch_up(emulator, claude):
    others = four_batches(claude)
    job = claude.batch([{"n": 4}, {"n": 5}], PROMPT, to=TO, rows_per_job=1, max_tokens=200)
    assert [each.state for each in job.jobs] == ["WAITING", "WAITING"]
    job.wait(pause=few_looks())
    assert (job.state, job.done) == ("SUCCEEDED", 2)
    # Their results are there for whoever collects them.
    assert {each.last_state for each in others} == {"SUCCEEDED"}
    assert [each.result()[0]["error"] for each in others] == [None] * 4


def test_jobs_of_other_batches_that_go_on_keep_a_batch_waiting(emulator, claude):
    emulator.batches.looks = 1_000
    four_batches(claude)
    job = claude.batch([{"n": 4}], PROMPT, to=TO, max_tokens=200)
    assert job.refresh()[0].state == "WAITING"
    assert len(created(emulator)) == 4


UNSEEN = {
    "under way": {},
    # Whoever was creating it was killed, and nobody knows whether it was.
    "being created": {"job": "", "state": "CREATING", "owner": "a:b:0"},
}


@pytest.mark.parametrize("source", ["local", "vertex"])
@pytest.mark.parametrize("change", UNSEEN.values(), ids=UNSEEN)
def test_jobs_that_the_service_does_not_have_hold_no_batch_up(claude, journal, change, source):
    """Those of a demo that ended with its kernel, and those of another service."""
    for each in four_batches(claude):
        each.context.batches.save(dataclasses.replace(each.jobs[0], **change))
    with contextlib.closing(sqlite3.connect(journal)) as file, file:
        file.execute("UPDATE batches SET source = ?", (source,))
    with Emulator() as later:
        later.buckets.make("rows", "us-east5")
        job = make_claude(later, journal=journal).batch([{"n": 4}], PROMPT, to=TO, max_tokens=200)
        assert len(created(later)) == 1
        assert finished(job).done == 1
        # What is of another service is not asked for here.
        asked = {
            each.path for each in later.requests if each.method == "GET" and "batchPrediction" in each.path
        }
        assert source == "local" or len(asked) == 1


def test_a_wait_outlasts_jobs_of_others_in_the_project_that_no_journal_here_knows(emulator, claude, tmp_path):
    """Such as those of a colleague: Google refuses the job for as long as they take all places."""
    emulator.batches.looks = 1_000
    others = four_batches(make_claude(emulator, journal=str(tmp_path / "others.sqlite3")))
    job = claude.batch([{"n": 4}], PROMPT, to=TO, max_tokens=200)
    assert job.last_state == "WAITING"
    looks = []

    def pause(_):
        looks.append(job.last_state)
        if len(looks) == 20:
            emulator.batches.looks = 1
            others[0].wait(pause=few_looks())
        assert len(looks) < 60

    job.wait(pause=pause)
    assert set(looks[:20]) == {"WAITING"}
    assert (job.state, job.done) == ("SUCCEEDED", 1)


def test_a_look_at_other_batches_that_fails_ends_nothing(emulator, journal):
    claude = quick(emulator, journal)
    four_batches(claude)
    job = claude.batch([{"n": 4}], PROMPT, to=TO, max_tokens=200)
    emulator.fail(403)
    assert job.refresh()[0].state == "WAITING"
    job.wait(pause=few_looks())
    assert job.done == 1


def test_a_loop_over_the_state_brings_a_batch_to_its_end_and_the_last_state_asks_nobody(emulator, claude):
    """Also the jobs that wait, which nobody else would create."""
    job = claude.batch(pd.DataFrame({"n": range(5)}), PROMPT, to=TO, rows_per_job=1, max_tokens=200)
    assert "WAITING" in {each.state for each in job.jobs}
    states = list(iter(lambda: job.state, "SUCCEEDED"))
    assert set(states) <= {"QUEUED", "PENDING", "RUNNING"}
    assert len(created(emulator)) == 5
    before = len(emulator.requests)
    assert job.last_state == "SUCCEEDED"
    assert len(emulator.requests) == before


@pytest.mark.parametrize("ending", ["FAILED", "EXPIRED", "PARTIALLY_SUCCEEDED"])
def test_a_job_that_ends_half_way_gives_what_is_there_and_the_rest_can_go_again(emulator, claude, ending):
    emulator.batches.ending = ending
    job = finished(claude.batch(pd.DataFrame({"n": range(10)}), PROMPT, to=TO, max_tokens=200))
    frame = job.result()
    assert frame["answer"].notna().sum() == 5
    assert frame["error"].dropna().str.contains(ending).all()
    emulator.batches.ending = "SUCCEEDED"
    assert finished(job.retry()).result()["error"].isna().all()


def test_a_cancelled_job_gives_what_was_answered(emulator, claude):
    emulator.batches.rows_per_look = 3
    job = claude.batch(pd.DataFrame({"n": range(10)}), PROMPT, to=TO, max_tokens=200)
    for _ in range(3):
        job.refresh()
    job.cancel()
    frame = finished(job).result()
    assert job.state == "CANCELLED"
    assert frame["answer"].notna().sum() == 3
    assert frame["error"].dropna().str.contains("CANCELLED").all()


@pytest.mark.parametrize("before", ["FAILED", "EXPIRED", "PARTIALLY_SUCCEEDED", "CANCELLED"])
@pytest.mark.parametrize(("again", "state"), [("SUCCEEDED", "SUCCEEDED"), ("FAILED", None)])
def test_what_went_again_decides_what_a_batch_has_come_to(emulator, claude, before, again, state):
    """It was all that had failed; where it fails too, what the first jobs brought still counts."""
    emulator.batches.ending = before if before != "CANCELLED" else "SUCCEEDED"
    job = claude.batch(pd.DataFrame({"n": range(6)}), PROMPT, to=TO, rows_per_job=2, max_tokens=200)
    if before == "CANCELLED":
        job.cancel()
    finished(job).result()
    assert job.state == before
    emulator.batches.ending = again
    finished(job.retry()).result()
    assert job.state == job.last_state == (state or ("FAILED" if before != "PARTIALLY_SUCCEEDED" else before))
    assert (job.done == 6) == (again == "SUCCEEDED")


def test_a_file_that_went_up_again_is_not_all_that_had_failed(emulator, claude, journal):
    """Where the process was killed between the first file and the second."""
    emulator.batches.ending = "FAILED"
    job = claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, rows_per_job=1, max_tokens=200, name="labels")
    finished(job).result()
    emulator.batches.ending = "SUCCEEDED"
    killed = job.retry().jobs[-1]
    job.context.batches.save(dataclasses.replace(killed, state="WRITING", job="", owner="boot:1:999999999"))
    later = finished(found(emulator, journal, "labels"))
    assert [each.state for each in later.jobs] == ["FAILED", "FAILED", "SUCCEEDED", "FAILED"]
    assert later.state == "PARTIALLY_SUCCEEDED"


def test_a_later_process_finds_follows_and_collects_it(emulator, claude, journal):
    table = pd.DataFrame({"n": range(6)}, index=list("uvwxyz"))
    claude.batch(table, PROMPT, to=TO, rows_per_job=2, name="labels", max_tokens=200)
    job = finished(found(emulator, journal, "labels"))
    result = job.result(table)
    assert list(result.index) == list("uvwxyz")
    assert result["error"].isna().all()
    numbered = job.result()
    assert list(numbered["row"]) == list(range(6))
    others = {"its rows are different": table.iloc[::-1], "it has 5 rows, and 6 were sent": table.iloc[:5]}
    for said, other in others.items():
        with pytest.raises(errors.OptionError, match=f"not the table of the batch labels: {said}"):
            job.result(other)


def test_a_job_whose_answer_was_lost_is_found_and_not_created_twice(emulator, claude):
    # The bucket is asked, the file goes up, the job is created and its answer is cut off.
    emulator.fail(Fault(), Fault(), Fault(cut_after=1, ending="reset"))
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    assert len(created(emulator)) == 1
    assert finished(job).done == 1


def test_a_job_that_a_killed_process_was_creating_is_found(emulator, claude, journal):
    job = claude.batch([{"n": 1}], PROMPT, to=TO, name="labels", max_tokens=200)
    # As if the process had ended after Google had created the job, and before it could be noted.
    (kept,) = job.jobs
    batches = job.context.batches
    batches.save(dataclasses.replace(kept, state="CREATING", job="", owner="boot:1:999999999"))
    later = finished(found(emulator, journal, "labels"))
    assert len(created(emulator)) == 1
    assert later.done == 1


LOOKS = {
    "another session looks": lambda job: job.refresh(),
    "another session waits": lambda job: job.wait(pause=lambda _: None, timeout=0),
    "another session collects": lambda job: job.result(),
    "another session cancels": lambda job: job.cancel(),
}


@pytest.mark.parametrize("state", ["WRITING", "CREATING"])
@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_job_is_created_once_whatever_another_thread_does_meanwhile(emulator, claude, journal, look, state):
    seen = []

    def meanwhile(job):
        with contextlib.suppress(errors.DeadlineExceeded, errors.OptionError):
            look(job)
        seen.append(job.last_state)

    job = sent_and_meanwhile(emulator, claude, journal, state, meanwhile)
    assert seen == [state]
    assert len(created(emulator)) == 1
    assert finished(job).done == 1


@pytest.mark.parametrize("state", ["WRITING", "CREATING"])
def test_a_batch_whose_job_is_being_created_says_that_it_is_not_cancelled_and_can_be_afterwards(
    emulator, claude, journal, state
):
    said = []

    def cancel(job):
        with pytest.raises(errors.OptionError, match="created now, and was not cancelled") as caught:
            job.cancel()
        said.append(caught.value.cure)

    job = sent_and_meanwhile(emulator, claude, journal, state, cancel)
    assert said == ["Cancel the batch again in a moment."]
    job.cancel()
    assert finished(job).state == "CANCELLED"


@pytest.mark.parametrize("arrived", [True, False])
def test_a_job_that_this_process_was_creating_when_it_was_stopped_is_looked_for_and_not_lost(
    emulator, claude, arrived
):
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    (kept,) = job.jobs
    if not arrived:
        emulator.batches._jobs.clear()
    job.context.batches.save(dataclasses.replace(kept, state="CREATING", job="", owner=this_process()))
    assert finished(job).done == 1
    assert len(created(emulator)) == (1 if arrived else 2)


def test_a_job_whose_answer_and_search_were_lost_is_looked_for_before_it_is_created_again(
    emulator, journal, caplog
):
    """Also by another process, since nobody is creating it any more."""
    claude = quick(emulator, journal)
    # The bucket is asked, the file goes up, the job is created and its answer is cut off, and the search for it fails.
    emulator.fail(Fault(), Fault(), Fault(cut_after=1, ending="reset"), 503)
    job = claude.batch([{"n": 1}], PROMPT, to=TO, name="labels", max_tokens=200)
    assert "A job could not be created now" in caplog.text
    assert [(each.state, each.owner) for each in job.jobs] == [("CREATING", "")]
    assert finished(job).done == 1
    assert len(created(emulator)) == 1


@pytest.mark.parametrize("arrived", [True, False])
def test_a_job_that_a_killed_process_was_creating_is_cancelled_and_none_is_created(
    emulator, claude, journal, arrived
):
    job = claude.batch([{"n": 1}], PROMPT, to=TO, name="labels", max_tokens=200)
    (kept,) = job.jobs
    if not arrived:
        emulator.batches._jobs.clear()
    job.context.batches.save(dataclasses.replace(kept, state="CREATING", job="", owner="boot:1:999999999"))
    later = found(emulator, journal, "labels")
    later.cancel()
    assert finished(later).state == "CANCELLED"
    assert len(created(emulator)) == 1


def test_a_job_that_was_cancelled_while_it_waited_costs_nothing(emulator, claude, journal):
    job = claude.batch(pd.DataFrame({"n": range(5)}), PROMPT, to=TO, rows_per_job=1, max_tokens=1_000)
    record = claude._session.records.stores.journal(journal)
    (before,) = record.usage()
    job.cancel()
    (after,) = record.usage()
    assert 0 < after.open_cost < before.open_cost
    finished(job).result()
    (ended,) = record.usage()
    assert (ended.open_cost, ended.cost) == (0, 0)


def test_results_that_were_deleted_count_as_the_worst_case(emulator, claude, journal):
    job = finished(claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=1_000))
    for name in emulator.buckets.names("rows", f"run/claude-batch-{job.id}/results"):
        emulator.buckets.delete("rows", name)
    with pytest.raises(errors.OptionError, match="The results of job 1 are gone"):
        job.result()
    assert job.cost is None
    (usage,) = claude._session.records.stores.journal(journal).usage()
    assert (usage.cost, usage.open_cost) == (0, job.jobs[0].cost_most)


def test_jobs_that_another_process_has_added_meanwhile_are_not_touched(emulator, claude, journal):
    emulator.batches.fails = lambda _: True
    job = finished(claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200, name="labels"))
    (first,) = job.jobs
    context = job.context
    theirs = dataclasses.replace(first, number=2, attempt=2, state="QUEUED", job="theirs")
    context.batches.add(job.batch, [theirs], partial(context.call_of, job.batch), more=True)
    lines = Lines(files=[LineFile(rows=1, size=1)])
    with pytest.raises(errors.JournalError):
        put_up(context, job.batch, lines, before=[first])
    lines.files[0].content.close()
    assert [(each.state, each.job) for each in job.jobs][1] == ("QUEUED", "theirs")
    assert [row["state"] for row in rows(path=journal)] == ["sent", "sent"]


def test_a_file_that_a_killed_process_was_uploading_is_said_to_be_lost(emulator, claude, journal):
    job = claude.batch([{"n": 1}], PROMPT, to=TO, name="labels", max_tokens=200)
    (kept,) = job.jobs
    job.context.batches.save(dataclasses.replace(kept, state="WRITING", job="", owner="boot:1:999999999"))
    later = finished(found(emulator, journal, "labels"))
    assert later.state == "FAILED"
    assert "run the cell again" in later.jobs[0].error
    # What was reserved for it is free again.
    assert rows(path=journal) == []
    assert later.cost == 0


def test_a_file_that_a_killed_process_was_uploading_is_cancelled(emulator, claude, journal):
    job = claude.batch([{"n": 1}], PROMPT, to=TO, name="labels", max_tokens=200)
    (kept,) = job.jobs
    job.context.batches.save(dataclasses.replace(kept, state="WRITING", job="", owner="boot:1:999999999"))
    found(emulator, journal, "labels").cancel()
    assert job.last_state == "CANCELLED"
    assert (rows(path=journal), job.cost) == ([], 0)


REFUSED = [
    ({"region": "us-central1"}, "us-east5, and the chosen location is us-central1"),
    ({"to": "gs://wide/x"}, "where no jobs run"),
    (
        {"to": "gs://nowhere/x"},
        "There is no bucket 'nowhere'. An emulator stands in for Cloud Storage here: use gs://emulator-bucket",
    ),
    ({"to": "rows/x"}, "not a Cloud Storage location"),
    ({"to": "bq://p.d.t"}, "need a place in Cloud Storage"),
    ({"beta": ["context-1m-2025-08-07"]}, "carries no headers"),
    ({"set": {"speed": "fast"}, "model": "claude-fable-5-2"}, "no fast mode"),
    ({"timeout": 5}, "does not take timeout"),
    ({"replay": "only"}, "does not take replay"),
    ({"header": {"x-a": "b"}}, "does not take header"),
    ({"set": {"stream": True}}, r'does not take set={"stream": ...}: nothing is streamed'),
    ({"set": {"stream": False}}, r'does not take set={"stream": ...}: nothing is streamed'),
    (
        {"set": {"model": "opus"}},
        r'does not take set={"model": ...}: the job names the model of all its rows',
    ),
    ({"format": "code"}, "does not take"),
    ({"model": "claude-3-opus"}, "retired|no longer"),
    ({"max_cost": 0.0001}, "This batch may cost up to"),
    ({"max_session_cost": 0.0001}, "This batch may cost up to .* session limit of"),
    ({"max_daily_cost": 0.0001}, "daily limit"),
    ({"rows_per_job": 0}, "rows_per_job"),
    ({"project": "../x"}, "is not a valid project id"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_what_cannot_be_is_refused_before_anything_goes_up(emulator, claude, changes, words):
    options = {"to": TO, "max_tokens": 1_000, **changes}
    with pytest.raises(errors.ClaudeError, match=words) as caught:
        claude.batch([{"n": 1}], PROMPT, **options)
    assert caught.value.cure
    assert emulator.buckets.names("rows") == []
    assert created(emulator) == []


def test_nothing_is_sent_where_only_records_answer(emulator, journal, monkeypatch, tmp_path):
    claude = make_claude(emulator, journal=journal, replay="only")
    with pytest.raises(errors.ReplayMiss, match="nothing is sent") as caught:
        claude.batch([{"n": 1}], PROMPT, to=TO)
    assert caught.value.cure == 'Write Claude(replay="off"), or leave the batch out.'
    job = make_claude(emulator, journal=journal).batch([{"n": 1}], PROMPT, to=TO, max_tokens=400)
    finished(job)
    before = len(emulator.requests)
    monkeypatch.setenv("VERTEX_CLAUDE_REHEARSAL", str(tmp_path / "notes"))
    other = make_claude(emulator, journal=journal)
    with pytest.raises(errors.ReplayMiss, match="A rehearsal"):
        other.batch([{"n": 1}], PROMPT, to=TO)
    with pytest.raises(errors.ReplayMiss, match="A rehearsal"):
        found(emulator, journal, job.id).result()
    assert len(emulator.requests) == before


def test_a_row_that_cannot_be_sent_is_an_error_of_its_own(emulator, claude):
    rows = finished(claude.batch([{"n": 1}, {"n": b"x"}, {"n": 3}], PROMPT, to=TO, max_tokens=200)).result()
    assert [row["error"] is None for row in rows] == [True, False, True]
    assert "bytes" in rows[1]["error"]
    assert len(uploaded(emulator)) == 2


def test_a_row_that_is_too_large_is_an_error_of_its_own(emulator, claude):
    rows = finished(claude.batch([{"n": "x" * 33_000_000}, {"n": 2}], PROMPT, to=TO, max_tokens=200)).result()
    assert rows[0]["error"].startswith("RequestTooLarge: The request is 33.0 MB")
    assert rows[1]["error"] is None


def test_results_of_strangers_and_repeated_lines_change_nothing(emulator, claude):
    emulator.answer("One.", "Two.")
    job = finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=200))
    folder = job.jobs[0].results.removeprefix("gs://rows/")
    message = {"content": [{"type": "text", "text": "forged"}], "usage": {}}
    lines = [
        {"custom_id": "other-0", "response": message},
        {"custom_id": f"{job.id}-99", "response": message},
        {"custom_id": f"{job.id}-0", "response": message},
        {"custom_id": 5},
        [],
    ]
    content = "\n".join(map(json.dumps, lines)) + "\nno json\n\n"
    emulator.buckets.write("rows", f"{folder}/z.jsonl", content.encode())
    found = job.collect()
    assert [row["answer"] for row in found.table] == ["One.", "Two."]
    assert found.errors == 0
    assert found.notices == ("5 lines of the results could not be assigned to a row.",)


def test_a_line_that_was_cut_off_is_one_row_without_an_answer(emulator, claude):
    job = finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=200))
    (name,) = emulator.buckets.names("rows", "run/claude-batch-" + job.id + "/results")
    whole = emulator.buckets.get("rows", name).content
    emulator.buckets.write("rows", name, whole[:-20])
    errors_ = [row["error"] is None for row in job.result()]
    assert sorted(errors_) == [False, True]


def test_a_batch_is_not_followed_at_another_service(emulator, claude, journal):
    claude.batch([{"n": 1}], PROMPT, to=TO, name="labels", max_tokens=200)
    elsewhere = Claude(project="p", access_token="t", journal=journal)
    with pytest.raises(errors.OptionError, match="a server on this machine"):
        find_batch(elsewhere._session, "labels").refresh()


def test_without_a_journal_it_lives_in_the_session(emulator, caplog):
    claude = make_claude(emulator, journal="off")
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    assert "no later kernel finds this batch" in caplog.text
    assert finished(job).result()[0]["error"] is None


def test_a_job_that_cannot_be_created_now_is_created_by_a_later_look(emulator, journal, caplog):
    claude = quick(emulator, journal)
    # The bucket is asked, the file goes up, the job is refused, and it is not there.
    emulator.fail(Fault(), Fault(), 503)
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    assert "A job could not be created now" in caplog.text
    assert job.last_state == "WAITING"
    assert finished(job).done == 1
    assert len(uploaded(emulator)) == 1


def test_a_refusal_of_the_job_says_that_the_rows_are_up(emulator, journal):
    emulator.fail(Fault(), Fault(), 403)
    with pytest.raises(errors.PermissionDenied) as caught:
        quick(emulator, journal).batch([{"n": 1}], PROMPT, to=TO, max_tokens=200, name="labels")
    assert "The rows are up; .wait() creates the jobs." in caught.value.cure
    assert finished(found(emulator, journal, "labels")).done == 1
    assert len(uploaded(emulator)) == 1


def test_a_wait_outlasts_failed_looks_but_not_five_in_a_row(emulator, journal):
    emulator.batches.looks = 3
    job = quick(emulator, journal).batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    emulator.fail(503, 503, 503, 503)
    assert finished(job).done == 1
    other = quick(emulator, journal).batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    emulator.fail(503, 503, 503, 503, 503)
    with pytest.raises(errors.ServerError):
        finished(other)
    emulator.fail(403)
    with pytest.raises(errors.PermissionDenied):
        finished(other)
    assert finished(other).done == 1


def test_a_quota_of_no_jobs_at_all_is_an_error(emulator, claude):
    emulator.batches.most = 0
    with pytest.raises(errors.QuotaExceeded, match="Waiting does not help if the quota is 0"):
        claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)


def test_rows_wait_to_go_again_while_others_of_the_project_have_all_jobs(emulator, claude, journal, tmp_path):
    emulator.batches.ending = "FAILED"
    job = finished(claude.batch([{"n": 1}, {"n": 2}], PROMPT, to=TO, max_tokens=200))
    emulator.batches.ending = "SUCCEEDED"
    emulator.batches.looks = 3
    others = make_claude(emulator, journal=str(tmp_path / "others.sqlite3"))
    theirs = others.batch(pd.DataFrame({"n": range(4)}), PROMPT, to=TO, rows_per_job=1, max_tokens=200)
    job.retry()
    assert job.last_state == "WAITING"
    assert "1 job waits and is created while a kernel follows the batch" in job.waiting
    finished(theirs)
    assert finished(job).result()[1]["error"] is None


POLICIES = [
    (Policy(locks={"model": ("haiku",)}, origin="the course"), "model is locked to haiku by the course"),
    (Policy(ceilings={"max_cost": 1e-9}, origin="the course"), "This batch may cost up to"),
    (Policy(ceilings={"max_tokens": 100}, origin="the course"), "max_tokens is limited to 100 by the course"),
    (Policy(forbids=frozenset({"live"}), origin="the course"), "Live calls are switched off by the course"),
    (
        Policy(closed=("Claude is switched off by the course.", "Ask the teacher.")),
        "switched off by the course",
    ),
]


@pytest.fixture
def policy():
    yield set_policy
    set_policy(None)


@pytest.mark.parametrize(("ruled", "words"), POLICIES, ids=range(len(POLICIES)))
def test_a_policy_holds_before_anything_goes_up(emulator, claude, policy, ruled, words):
    policy(ruled)
    with pytest.raises(errors.ClaudeError, match=words):
        claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    assert emulator.buckets.names("rows") == []


def test_a_policy_that_came_later_holds_for_what_is_not_sent_yet(emulator, claude, journal, policy):
    job = claude.batch(
        pd.DataFrame({"n": range(10)}), PROMPT, to=TO, rows_per_job=2, name="labels", max_tokens=200
    )
    policy(Policy(locks={"model": ("haiku",)}, origin="the course"))
    other = Claude(
        project=emulator.project, base_url=emulator.base_url, access_token="emulator", journal=journal
    )
    with pytest.raises(errors.OptionError, match="model is locked to haiku by the course"):
        finished(find_batch(other._session, "labels"))
    assert len(created(emulator)) == 4
    policy(None)
    emulator.batches.ending = "FAILED"
    finished(job)
    policy(Policy(locks={"model": ("haiku",)}, origin="the course"))
    with pytest.raises(errors.OptionError, match="model is locked to haiku by the course"):
        find_batch(other._session, "labels").retry()
    assert len(created(emulator)) == 5


def test_a_wait_that_is_too_long_ends_and_the_jobs_go_on(emulator, claude):
    emulator.batches.looks = 50
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    with pytest.raises(errors.DeadlineExceeded):
        job.wait(0.0, pause=lambda _: None)
    assert job.state == "PENDING"


def test_an_interrupt_of_a_wait_leaves_the_jobs_running(emulator, claude):
    emulator.batches.looks = 50
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(errors.ClaudeInterrupt, match="the jobs continue"):
        job.wait(pause=stop)
    assert not [each for each in emulator.requests if each.path.endswith(":cancel")]


def test_an_upload_that_fails_sends_nothing_and_leaves_no_job(emulator, claude, journal):
    # The bucket is asked, the first file goes up, and the second one is refused.
    emulator.fail(Fault(), Fault(), 403)
    with pytest.raises(errors.PermissionDenied):
        claude.batch(
            pd.DataFrame({"n": range(4)}), PROMPT, to=TO, rows_per_job=2, max_tokens=200, name="labels"
        )
    assert created(emulator) == []
    assert claude._session.records.stores.journal(journal).usage() == []
    lost = found(emulator, journal, "labels")
    assert lost.state == "FAILED"
    with pytest.raises(errors.OptionError, match="never uploaded"):
        lost.retry()


def test_a_result_without_a_named_folder_is_looked_for_where_it_was_to_go(emulator, claude):
    emulator.answer("One.")
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    job.wait(pause=lambda _: None)
    (kept,) = job.jobs
    assert kept.results.startswith(kept.output)
    job.context.batches.save(dataclasses.replace(kept, results=kept.output))
    assert job.result()[0]["answer"] == "One."


def test_nothing_can_be_collected_before_a_job_has_ended(claude):
    job = claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    with pytest.raises(errors.OptionError, match="has ended yet"):
        job.result()


TEXT = {"type": "text", "text": "x"}
HOSTILE = [
    {"response": {"content": [5, None, "x"]}},
    {"response": {"content": [{"type": "text"}], "usage": []}},
    {"response": {"content": [TEXT], "usage": {"input_tokens": -1, "output_tokens": 10**30}}},
    {"response": {"content": [TEXT], "stop_reason": {"a": 1}, "model": 5}},
    {"response": {"content": {"type": "text"}}},
    {"response": [TEXT]},
    {"response": "{" * 5_000},
    {"response": "[" * 100_000},
    {"response": None, "status": None},
    {"response": {}, "status": '{"error": "x"}'},
    {"response": {}, "status": {"error": {"message": "y"}}},
    {"response": {}, "status": "\x1b[31m<script>" + "z" * 10_000},
    {"response": {"content": [{"type": "text", "text": "\ud800\x00"}]}},
    {
        "response": {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        "status": "x",
    },
]


def test_a_message_counts_beside_a_status_because_it_is_paid(emulator, claude):
    job = finished(claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=400))
    (name,) = emulator.buckets.names("rows", "run/claude-batch-" + job.id + "/results")
    usage = {"input_tokens": 5, "output_tokens": 5}
    line = {
        "custom_id": f"{job.id}-0",
        "response": {"content": [TEXT], "usage": usage},
        "status": "a warning",
    }
    emulator.buckets.write("rows", name, json.dumps(line).encode())
    (row,) = job.result()
    assert (row["answer"], row["error"]) == ("x", None)
    assert row["cost"] > 0


@pytest.mark.parametrize("as_", [None, Label])
@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_a_strange_result_is_its_rows_own_and_never_an_exception(emulator, claude, line, as_, make_table):
    more = {} if as_ is None else {"as_": as_}
    job = finished(claude.batch(make_table({"n": [1, 2]}), PROMPT, to=TO, max_tokens=400, **more))
    folder = job.jobs[0].results.removeprefix("gs://rows/")
    content = json.dumps({"custom_id": f"{job.id}-0", **line}) + "\n"
    emulator.buckets.write("rows", f"{folder}/predictions.jsonl", content.encode())
    result = job.result()
    frame = result if isinstance(result, pd.DataFrame) else result.to_pandas()
    errors_ = list(frame["error"])
    # The other row has no result at all, and says so.
    assert "no line of this row" in errors_[1]
    assert "\x1b" not in str(errors_[0])
    assert len(str(errors_[0])) < 1_000
