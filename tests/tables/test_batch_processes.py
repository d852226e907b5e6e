"""A batch outlives the process that sent it: another one follows it, and only failures are sent again."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.tables.batch.find import find_batch

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS, PER_JOB = 5_000, 2_000
TO = "gs://rows/run"

SENDER = """
import sys, pandas as pd
from vertex_claude_magic import Claude
base_url, journal, rows, per_job = sys.argv[1:]
claude = Claude(project="emulator-project", base_url=base_url, access_token="emulator", journal=journal,
                model="sonnet", region="global")
claude.batch(pd.DataFrame({"n": range(int(rows))}), "Repeat {{ n }}.", to="gs://rows/run", name="labels",
             rows_per_job=int(per_job), max_tokens=400)
print("sent", flush=True)
sys.stdin.read()
"""


def sent_and_killed(emulator, journal, rows=ROWS, per_job=PER_JOB):
    """Send a batch in a process of its own, and kill that as soon as it has."""
    command = [sys.executable, "-c", SENDER, emulator.base_url, journal, str(rows), str(per_job)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "sent\n"
        process.send_signal(signal.SIGKILL)


def lines_of(emulator):
    return [
        json.loads(line)["custom_id"]
        for name in emulator.buckets.names("rows")
        if "/rows-" in name
        for line in emulator.buckets.get("rows", name).content.splitlines()
    ]


def row(name):
    return int(name.rpartition("-")[2])


def test_another_process_brings_5000_rows_back_in_order_and_sends_only_failures_again(emulator, tmp_path):
    emulator.batches.fails = lambda name: row(name) % 100 == 0
    emulator.batches.shards = 3
    journal = str(tmp_path / "journal.sqlite3")
    sent_and_killed(emulator, journal)
    claude = later_client(emulator, journal)
    job = find_batch(claude._session, "labels").wait(pause=lambda _: None)
    assert [each.rows for each in job.jobs] == [2_000, 2_000, 1_000]
    assert (job.done, job.failed) == (4_950, 50)
    table = pd.DataFrame({"n": range(ROWS)})
    frame = job.result(table)
    wrong = frame["error"].notna()
    assert list(frame.index[wrong]) == list(range(0, ROWS, 100))
    # The emulator repeats the prompt, so that each answer shows whose it is.
    right = frame[~wrong]
    assert all(f"Repeat {n}." in answer for n, answer in zip(right["n"], right["answer"], strict=True))
    before = lines_of(emulator)
    assert len(before) == len(set(before)) == ROWS
    emulator.batches.fails = lambda _: False
    job.retry().wait(pause=lambda _: None)
    again = lines_of(emulator)[len(before) :]
    assert sorted(again) == sorted(
        name for name in before if int(name.rpartition("-")[2]) in set(frame.index[wrong])
    )
    whole = job.result(table)
    assert whole["error"].isna().all()
    assert all(f"Repeat {n}." in answer for n, answer in zip(whole["n"], whole["answer"], strict=True))
    created = [
        each for each in emulator.requests if each.method == "POST" and each.path.endswith("PredictionJobs")
    ]
    assert len(created) == 4


def later_client(emulator, journal):
    return Claude(project="emulator-project", base_url=emulator.base_url, access_token="emulator",
                  journal=journal, region="global")  # fmt: skip


def counted(claude, journal):
    """What the journal says that all calls cost, and what those may cost that have not ended."""
    (usage,) = claude._session.records.stores.journal(journal).usage()
    return usage.cost, usage.open_cost


@pytest.mark.parametrize("cancelled", [False, True], ids=["answered", "cancelled"])
def test_what_another_process_has_sent_costs_what_its_results_say(emulator, tmp_path, cancelled):
    """In its own sum and in that of the day, also for a job that was never created."""
    emulator.batches.rows_per_look = 1
    journal = str(tmp_path / "journal.sqlite3")
    sent_and_killed(emulator, journal, rows=10, per_job=2)
    claude = later_client(emulator, journal)
    job = find_batch(claude._session, "labels")
    assert [each.state for each in job.jobs].count("WAITING") == 1
    cost, worst = counted(claude, journal)
    assert cost == 0 < worst
    if cancelled:
        job.cancel()
    frame = job.wait(pause=lambda _: None).result()
    assert job.cost == pytest.approx(frame["cost"].sum())
    assert counted(claude, journal) == (pytest.approx(job.cost), 0)
    assert claude._session.records.spending(claude._session.target()).today_local.usd == pytest.approx(
        job.cost
    )


def test_a_cost_that_an_earlier_version_left_out_is_counted_when_the_batch_is_collected_again(
    emulator, tmp_path
):
    journal = str(tmp_path / "journal.sqlite3")
    sent_and_killed(emulator, journal, rows=3)
    claude = later_client(emulator, journal)
    job = find_batch(claude._session, "labels").wait(pause=lambda _: None)
    job.result()
    cost = job.cost
    with closing(sqlite3.connect(journal)) as file, file:
        # As it left the rows: the job is counted, and its call goes on.
        file.execute("UPDATE calls SET state = 'sent', cost = NULL")
        assert file.execute("SELECT counted FROM batch_jobs").fetchall() == [(1,)]
    assert job.cost is None
    job.result()
    assert job.cost == cost > 0
    assert counted(claude, journal) == (cost, 0)


def test_a_cost_whose_row_was_deleted_meanwhile_is_counted_all_the_same(emulator, tmp_path):
    journal = str(tmp_path / "journal.sqlite3")
    sent_and_killed(emulator, journal, rows=3)
    claude = later_client(emulator, journal)
    job = find_batch(claude._session, "labels").wait(pause=lambda _: None)
    with closing(sqlite3.connect(journal)) as file, file:
        file.execute("DELETE FROM calls")
    frame = job.result()
    assert job.cost == pytest.approx(frame["cost"].sum())
    assert counted(claude, journal) == (job.cost, 0)


def test_faults_of_the_storage_upload_nothing_twice_and_mix_nothing(emulator, tmp_path):
    """Files in chunks and in one piece; refused, dropped, cut off before and after they had arrived."""
    lost, fine = Fault(cut_after=1, ending="reset"), Fault()
    # The bucket; the session of the first file and its two chunks, the last one lost; the second file whole.
    emulator.fail(fine, 503, fine, Fault(drop=True), fine, lost, 503, lost)
    claude = Claude(project="emulator-project", base_url=emulator.base_url, access_token="emulator",
                    model="sonnet", region="global", journal=str(tmp_path / "journal"))  # fmt: skip
    table = pd.DataFrame({"n": range(2_500), "text": ["x" * 5_000] * 2_500})
    claude.batch(table, "Repeat {{ n }}. {{ text }}", to=TO, rows_per_job=PER_JOB, max_tokens=400)
    stored = [emulator.buckets.get("rows", name) for name in emulator.buckets.names("rows")]
    assert len(stored) == 2
    # Generations count all writes to the buckets, so that none was in vain.
    assert abs(stored[1].generation - stored[0].generation) == 1
    assert [row(name) for name in lines_of(emulator)] == list(range(2_500))
    assert len(stored[0].content) > 8 * 1024 * 1024
