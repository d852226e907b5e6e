"""Batch prediction of the emulator: states, results, refusals."""

from __future__ import annotations

import json

import pytest
import requests

from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.emulator.messages.demo import demo_text

HEADERS = {"Authorization": "Bearer emulator"}


@pytest.fixture
def emulator():
    with Emulator() as made:
        made.buckets.make("rows", "us-east5")
        yield made


def put(emulator, count=4, name="in.jsonl"):
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "anthropic_version": "vertex-2023-10-16"}  # fmt: skip
    lines = [json.dumps({"custom_id": f"r{number}", "request": body}) + "\n" for number in range(count)]
    emulator.buckets.write("rows", name, "".join(lines).encode())


def job(**changes):
    return {
        "displayName": "test",
        "model": "publishers/anthropic/models/claude-sonnet-5-5",
        "inputConfig": {"instancesFormat": "jsonl", "gcsSource": {"uris": ["gs://rows/in.jsonl"]}},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": "gs://rows/out"},
        },
        **changes,
    }


def call(emulator, method, path="", body=None, location="us-east5", **query):
    url = f"{emulator.base_url}/projects/{emulator.project}/locations/{location}/batchPredictionJobs{path}"
    return requests.request(method, url, json=body, headers=HEADERS, params=query, timeout=30)


def follow(emulator, number):
    """Look until the job has ended; the states that were seen, and the job."""
    seen = []
    while True:
        found = call(emulator, "GET", f"/{number}").json()
        seen.append(found["state"].removeprefix("JOB_STATE_"))
        if "completionStats" in found:
            return seen, found


def results(emulator, found):
    directory = found["outputInfo"]["gcsOutputDirectory"].removeprefix("gs://rows/")
    names = emulator.buckets.names("rows", directory + "/")
    return [
        json.loads(line) for name in names for line in emulator.buckets.get("rows", name).content.splitlines()
    ]


def create(emulator, **changes):
    answer = call(emulator, "POST", body=job(**changes))
    assert answer.status_code == 200, answer.text
    assert "outputInfo" not in answer.json()
    return answer.json()["name"].rpartition("/")[2]


def test_a_job_runs_and_its_results_come_in_another_order(emulator):
    put(emulator)
    emulator.answer("One.", "Two.", "Three.", "Four.")
    seen, found = follow(emulator, create(emulator))
    assert seen == ["QUEUED", "RUNNING", "SUCCEEDED"]
    assert found["completionStats"] == {"successfulCount": "4", "failedCount": "0", "incompleteCount": "0"}
    lines = results(emulator, found)
    assert [line["custom_id"] for line in lines] == ["r3", "r2", "r1", "r0"]
    assert lines[0]["response"]["content"][0]["text"] == "Four."
    assert lines[0]["status"] == ""


def test_in_demo_mode_a_row_has_the_answer_that_a_question_has():
    with Emulator(demo=True) as emulator:
        emulator.buckets.make("rows", "us-east5")
        put(emulator, 1)
        (line,) = results(emulator, follow(emulator, create(emulator))[1])
    text = line["response"]["content"][-1]["text"]
    assert line["response"]["stop_reason"] == "max_tokens"
    assert text == demo_text("Hi", 1)[: len(text)] != ""


def test_rows_that_fail_and_rows_that_break_a_rule_have_a_status_and_no_response(emulator):
    put(emulator, 2)
    emulator.buckets.write("rows", "bad.jsonl", b'{"custom_id": "b", "request": {"max_tokens": 1}}\n')
    emulator.batches.fails = lambda name: name == "r1"
    uris = ["gs://rows/in.jsonl", "gs://rows/bad.jsonl"]
    source = {"instancesFormat": "jsonl", "gcsSource": {"uris": uris}}
    _, found = follow(emulator, create(emulator, inputConfig=source))
    by_id = {line["custom_id"]: line for line in results(emulator, found)}
    assert found["completionStats"]["failedCount"] == "2"
    assert by_id["r1"]["response"] == by_id["b"]["response"] == ""
    assert "anthropic_version" in by_id["b"]["status"]


@pytest.mark.parametrize("ending", ["FAILED", "EXPIRED", "PARTIALLY_SUCCEEDED"])
def test_a_job_that_ends_half_way_has_the_results_of_half_its_rows(emulator, ending):
    put(emulator, 10)
    emulator.batches.ending = ending
    _, found = follow(emulator, create(emulator))
    assert found["state"] == f"JOB_STATE_{ending}"
    assert found["completionStats"]["incompleteCount"] == "5"
    assert len(results(emulator, found)) == 5


def test_a_cancelled_job_has_what_was_answered_so_far(emulator):
    put(emulator, 10)
    emulator.batches.rows_per_look = 3
    number = create(emulator)
    for _ in range(3):
        call(emulator, "GET", f"/{number}")
    assert call(emulator, "POST", f"/{number}:cancel").status_code == 200
    seen, found = follow(emulator, number)
    assert seen == ["CANCELLED"]
    assert len(results(emulator, found)) == 3


def test_a_fifth_job_waits_for_one_of_the_four_to_end(emulator):
    put(emulator)
    numbers = [create(emulator) for _ in range(4)]
    refused = call(emulator, "POST", body=job())
    assert refused.status_code == 429
    assert refused.json()["error"]["details"][0]["metadata"]["quota_limit_value"] == "4"
    follow(emulator, numbers[0])
    create(emulator)


REFUSED = [
    ("global", {}, 400, "not supported in region global"),
    ("us-central1", {}, 400, "is in us-east5 and the job in us-central1"),
    ("us-east5", {"model": "publishers/google/models/claude-sonnet-5-5"}, 404, "is not found"),
    ("us-east5", {"model": "publishers/anthropic/models/claude-nosuch"}, 404, "was not found"),
    ("us-east5", {"outputConfig": {}}, 400, "Invalid Cloud Storage URI"),
    ("us-east5", {"outputConfig": {"gcsDestination": "gs://rows/out"}}, 400, "Invalid Cloud Storage URI"),
    ("us-east5", {"inputConfig": "gs://rows/in.jsonl"}, 400, "Invalid Cloud Storage URI"),
    ("us-east5", {"inputConfig": {"gcsSource": ["gs://rows/in.jsonl"]}}, 400, "Invalid Cloud Storage URI"),
]


@pytest.mark.parametrize(("location", "changes", "status", "words"), REFUSED)
def test_what_the_service_refuses_is_refused(emulator, location, changes, status, words):
    put(emulator)
    answer = call(emulator, "POST", body=job(**changes), location=location)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def source(table):
    return {"inputConfig": {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": f"bq://{table}"}}}


def target(table):
    output = {"outputUri": f"bq://{table}"}
    return {"outputConfig": {"predictionsFormat": "bigquery", "bigqueryDestination": output}}


TABLES = [
    ("us-east5", source("p.d.nosuch"), 404, "Not found: Table p.d.nosuch"),
    ("us-east5", {**source("p.d.asked"), **target("p.d.asked")}, 400, "Already Exists: Table p.d.asked"),
    (
        "us-central1",
        {**source("p.d.asked"), **target("p.d.new")},
        400,
        "is in us-east5 and the job in us-central1",
    ),
]


@pytest.mark.parametrize(("location", "changes", "status", "words"), TABLES)
def test_a_source_must_be_there_and_a_table_for_results_must_not(emulator, location, changes, status, words):
    emulator.tables.add("p.d.asked", [{"custom_id": "a", "request": "{}"}])
    answer = call(emulator, "POST", body=job(**changes), location=location)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_rows_of_a_table_are_answered_into_a_table_with_responses_as_json(emulator):
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 400, "anthropic_version": "vertex-2023-10-16"}  # fmt: skip
    rows = [
        {"custom_id": "object", "request": body},
        {"custom_id": "text", "request": json.dumps(body)},
        {"custom_id": "none", "request": None},
    ]
    emulator.tables.add("p.d.asked", rows)
    follow(emulator, create(emulator, **source("p.d.asked"), **target("p.d.new")))
    found = {row["custom_id"]: row for row in emulator.tables.rows("p.d.new")}
    assert found["object"]["response"]["content"]
    assert found["text"]["response"]["content"]
    assert (found["none"]["response"], found["none"]["status"]) == (
        None,
        "INVALID_ARGUMENT: the row contains no request.",
    )


def test_jobs_are_listed_in_pages_and_by_display_name(emulator):
    put(emulator)
    emulator.batches.most = 20
    for number in range(12):
        create(emulator, displayName=f"job {number}")
    first = call(emulator, "GET").json()
    assert len(first["batchPredictionJobs"]) == 10
    rest = call(emulator, "GET", pageToken=first["nextPageToken"]).json()
    assert len(rest["batchPredictionJobs"]) == 2
    one = call(emulator, "GET", filter='displayName="job 3"').json()
    assert [each["displayName"] for each in one["batchPredictionJobs"]] == ["job 3"]


def test_a_job_that_is_made_after_one_was_deleted_takes_the_place_of_no_other(emulator):
    put(emulator)
    first, second = create(emulator, displayName="first"), create(emulator, displayName="second")
    call(emulator, "DELETE", f"/{first}")
    third = create(emulator, displayName="third")
    assert call(emulator, "GET", f"/{second}").json()["displayName"] == "second"
    assert call(emulator, "GET", f"/{third}").json()["displayName"] == "third"


@pytest.mark.parametrize("line", [b"{", b"[1]", b"5", b"\xff", b"[" * 100_000])
def test_a_row_that_is_no_json_object_fails_and_the_job_goes_on(emulator, line):
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "anthropic_version": "vertex-2023-10-16"}  # fmt: skip
    good = json.dumps({"custom_id": "good", "request": body}).encode()
    emulator.buckets.write("rows", "in.jsonl", line + b"\n" + good + b"\n")
    _, found = follow(emulator, create(emulator))
    assert found["state"] == "JOB_STATE_SUCCEEDED"
    assert [(each["custom_id"], bool(each["status"])) for each in results(emulator, found)] == [
        ("good", False),
        ("", True),
    ]


def test_a_job_ends_also_where_its_file_has_blank_lines_or_no_line(emulator):
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9, "anthropic_version": "vertex-2023-10-16"}  # fmt: skip
    row = json.dumps({"custom_id": "a", "request": body}).encode()
    for content, rows in ((b"\n" + row + b"\n\n", "1"), (b"", "0")):
        emulator.buckets.write("rows", "in.jsonl", content)
        _, found = follow(emulator, create(emulator))
        assert found["completionStats"]["successfulCount"] == rows


@pytest.mark.parametrize("answer", [b"event: ping\n\n", Fault(status=500, shape="html")])
def test_a_row_whose_scripted_answer_is_no_message_fails_and_the_job_goes_on(emulator, answer):
    put(emulator, 2)
    emulator.answer(answer, "Two.")
    _, found = follow(emulator, create(emulator))
    assert found["completionStats"]["successfulCount"] == "1"
    assert "INTERNAL" in results(emulator, found)[1]["status"]


def test_a_job_without_its_file_fails_and_says_why(emulator):
    _, found = follow(emulator, create(emulator))
    assert found["state"] == "JOB_STATE_FAILED"
    assert "No such object" in found["error"]["message"]
    assert "gcsOutputDirectory" not in found["outputInfo"]
