"""Results in BigQuery: the job names the table, and Google's own client reads it from a stand-in of its REST routes."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.transport.auth import FixedToken
from vertex_claude_magic.transport.bigquery import table_rows

TABLE = "bq://emulator-project.results.labels"


@pytest.fixture
def emulator():
    with Emulator() as made:
        made.buckets.make("rows", "us-east5")
        made.tables.page = 4
        yield made


@pytest.fixture
def claude(emulator, tmp_path):
    return Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator", model="sonnet",
                  region="global", journal=str(tmp_path / "journal"))  # fmt: skip


def test_the_job_writes_to_the_table_and_the_answers_come_back_over_pages(emulator, claude):
    emulator.batches.fails = lambda name: name.endswith("-3")
    table = pd.DataFrame({"n": range(10)})
    job = claude.batch(table, "Repeat {{ n }}.", to=TABLE, via="gs://rows/run", max_tokens=400)
    job.wait(pause=lambda _: None)
    created = next(each.body for each in emulator.requests if each.path.endswith("/batchPredictionJobs"))
    assert created["outputConfig"] == {
        "predictionsFormat": "bigquery",
        "bigqueryDestination": {"outputUri": TABLE},
    }
    assert created["inputConfig"]["gcsSource"]["uris"][0].startswith("gs://rows/run/")
    frame = job.result()
    assert list(frame.index[frame["error"].notna()]) == [3]
    right = frame[frame["error"].isna()]
    assert all(f"Repeat {n}." in answer for n, answer in zip(right["n"], right["answer"], strict=True))
    assert job.jobs[0].results == TABLE


def test_a_table_that_is_not_there_is_said_to_be_missing(emulator):
    rows = table_rows(FixedToken("t"), "p", "bq://p.d.nothing", emulator.base_url, environment={})
    with pytest.raises(errors.OptionError, match=r"There is no table bq://p\.d\.nothing"):
        list(rows)


def test_the_missing_library_is_named_with_its_install_line(monkeypatch, emulator):
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    with pytest.raises(errors.MissingExtra, match="pip install google-cloud-bigquery"):
        list(table_rows(FixedToken("t"), "p", TABLE, emulator.base_url, environment={}))


@pytest.mark.parametrize("host", ["http://10.0.0.1:9050", "evil.example", "http://127.0.0.1.evil.example"])
def test_an_emulator_host_on_another_machine_is_refused(host):
    rows = table_rows(FixedToken("t"), "p", TABLE, None, environment={"BIGQUERY_EMULATOR_HOST": host})
    with pytest.raises(errors.UntrustedHost, match="BIGQUERY_EMULATOR_HOST"):
        list(rows)
