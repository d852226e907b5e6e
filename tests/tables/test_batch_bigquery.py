"""Results and requests in BigQuery: the job names the tables, and Google's own client reads them from a stand-in."""

from __future__ import annotations

import json
import sys

import pandas as pd
import pytest
from batches import make_claude

from vertex_claude_magic import errors
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.transport.auth import FixedToken
from vertex_claude_magic.transport.bigquery import open_table

TABLE = "bq://emulator-project.results.labels"
SOURCE = "bq://emulator-project.rows.asked"


@pytest.fixture
def emulator(emulator):
    emulator.tables.page = 4
    return emulator


def request(n, **more):
    message = {"role": "user", "content": f"Repeat {n}."}
    return {"anthropic_version": "vertex-2023-10-16", "max_tokens": 400, "messages": [message], **more}


def add_source(emulator, rows):
    emulator.tables.add(SOURCE.removeprefix("bq://"), rows)


def asked(count=10, **more):
    """Rows of finished requests, whose ids tell nothing of their order."""
    return [
        {"custom_id": f"id {n * 7 % count}", "request": json.dumps(request(n, **more)), "other": str(n)}
        for n in range(count)
    ]


def created(emulator):
    return [
        each.body
        for each in emulator.requests
        if each.method == "POST" and each.path.endswith("/batchPredictionJobs")
    ]


def finished(job):
    return job.wait(pause=lambda _: None)


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


def test_each_job_has_a_table_of_its_own_which_was_not_there_before(emulator, claude):
    """One table for all would be refused by Google, and its rows counted once for each job."""
    emulator.batches.fails = lambda name: name.endswith("-3")
    job = finished(
        claude.batch(pd.DataFrame({"n": range(10)}), "Repeat {{ n }}.", to=TABLE, via="gs://rows/run",
                     rows_per_job=4, max_tokens=400)
    )  # fmt: skip
    tables = [TABLE, f"{TABLE}_2", f"{TABLE}_3"]
    assert [each["outputConfig"]["bigqueryDestination"]["outputUri"] for each in created(emulator)] == tables
    once = job.result()["cost"].sum()
    (usage,) = claude._session.records.stores.journal(claude._session.target().journal).usage()
    assert usage.cost == pytest.approx(once)
    emulator.batches.fails = lambda _: False
    assert finished(job.retry()).result()["error"].isna().all()
    assert job.jobs[3].output == f"{TABLE}_4"


TARGETS = [{"to": "gs://rows/run"}, {"to": TABLE, "via": "gs://rows/run"}]


@pytest.mark.parametrize("places", TARGETS, ids=["to files", "to a table"])
@pytest.mark.parametrize("as_text", [True, False], ids=["texts", "JSON"])
def test_rows_of_a_table_are_answered_as_they_are_and_found_by_their_ids(emulator, claude, places, as_text):
    rows = asked()
    if not as_text:
        rows = [{**row, "request": json.loads(row["request"])} for row in rows]
    add_source(emulator, rows)
    emulator.batches.fails = lambda name: name == "id 3"
    job = finished(claude.batch(SOURCE, "", **places))
    (body,) = created(emulator)
    assert body["inputConfig"] == {"instancesFormat": "bigquery", "bigquerySource": {"inputUri": SOURCE}}
    assert emulator.buckets.names("rows", "run/claude-batch") == emulator.buckets.names("rows")
    assert not [name for name in emulator.buckets.names("rows") if "/rows-" in name]
    frame = job.result()
    assert list(frame.columns) == ["custom_id", "answer", "error", "stop_reason", "input_tokens", "output_tokens",
                                   "cost"]  # fmt: skip
    assert list(frame["custom_id"]) == [row["custom_id"] for row in rows]
    assert list(frame["custom_id"][frame["error"].notna()]) == ["id 3"]
    right = frame["error"].isna()
    assert all(f"Repeat {n}." in answer for n, answer in enumerate(frame["answer"]) if right[n])
    assert (job.rows, job.done, job.failed) == (10, 9, 1)


def test_finished_requests_are_not_sent_where_nothing_may_be_sent(emulator, journal):
    add_source(emulator, asked())
    with pytest.raises(errors.ReplayMiss, match="replay is set to only"):
        make_claude(emulator, journal=journal, replay="only").batch(SOURCE, "", to="gs://rows/run")
    assert created(emulator) == []


def test_a_later_process_sends_only_failed_requests_again_and_they_are_the_same(emulator, claude, journal):
    add_source(emulator, asked(system="Be brief."))
    emulator.batches.fails = lambda name: name in {"id 3", "id 8"}
    finished(claude.batch(SOURCE, "", to="gs://rows/run", name="asked"))
    emulator.batches.fails = lambda _: False
    from vertex_claude_magic.tables.batch.find import find_batch

    later = find_batch(make_claude(emulator, journal=journal)._session, "asked")
    finished(later.retry())
    assert created(emulator)[1]["inputConfig"]["instancesFormat"] == "jsonl"
    (name,) = [name for name in emulator.buckets.names("rows") if "/rows-" in name]
    lines = [json.loads(line) for line in emulator.buckets.get("rows", name).content.splitlines()]
    expected = {row["custom_id"]: json.loads(row["request"]) for row in asked(system="Be brief.")}
    assert {line["custom_id"]: line["request"] for line in lines} == {
        each: expected[each] for each in ("id 3", "id 8")
    }
    frame = later.result()
    assert frame["error"].isna().all()
    with pytest.raises(errors.OptionError, match="it takes no table"):
        later.result(pd.DataFrame({"n": range(10)}))


def test_its_worst_case_is_half_the_price_of_every_request(emulator, claude, journal):
    add_source(emulator, asked())
    with pytest.raises(errors.CostLimitExceeded, match="This batch may cost up to"):
        claude.batch(SOURCE, "", to="gs://rows/run", max_cost=0.01)
    assert created(emulator) == []
    job = claude.batch(SOURCE, "", to="gs://rows/run", max_cost=1)
    most = job.jobs[0].cost_most
    # Sonnet 5.5: USD 10 per million of output, 10 % more in a region, half of it in batch.
    assert most > 10 * 400 * 10 * 1.1 / 2 / 1e6
    (usage,) = claude._session.records.stores.journal(journal).usage()
    assert usage.open_cost == pytest.approx(most)


SEARCH = [{"type": "web_search_20250305", "name": "web_search"}]


@pytest.mark.parametrize("fields", [{"tools": SEARCH}, {"max_tokens": 400.0}], ids=["a search", "a fraction"])
def test_a_request_whose_cost_is_not_known_before_crosses_a_limit(emulator, claude, fields):
    add_source(emulator, [*asked(2), {"custom_id": "odd", "request": json.dumps(request(1, **fields))}])
    with pytest.raises(errors.CostLimitExceeded, match="not known"):
        claude.batch(SOURCE, "", to="gs://rows/run", max_cost=1_000)
    assert created(emulator) == []


def test_requests_that_will_fail_are_counted_beforehand(emulator, claude, caplog):
    rows = asked(4)
    nan = json.dumps(request(1, temperature=float("nan")))
    wrong = {"bad": "{", "none": None, "nan": nan}
    add_source(emulator, [*rows, *({"custom_id": name, "request": wrong[name]} for name in wrong)])
    job = claude.batch(SOURCE, "", to="gs://rows/run", max_cost=1)
    assert "3 rows have no messages or no max_tokens, and will fail (first: bad)." in caplog.text
    frame = finished(job).result()
    failed = list(frame["custom_id"][frame["error"].notna()])
    assert failed[:2] == ["bad", "none"]
    # They cost nothing when they go again.
    assert job.retry().jobs[1].cost_most == 0


def test_rows_that_were_added_after_the_job_had_read_them_have_an_error(emulator, claude):
    add_source(emulator, asked(4))
    job = finished(claude.batch(SOURCE, "", to="gs://rows/run"))
    add_source(emulator, [{"custom_id": "late", "request": json.dumps(request(5))}])
    frame = job.result()
    assert list(frame["custom_id"])[-1] == "late"
    assert "no line of this row" in frame["error"].iloc[-1]
    assert frame["error"].notna().sum() == 1


def one(**changes):
    return [{"custom_id": "a", "request": json.dumps(request(1)), **changes}]


WRONG_SOURCES = [
    ([], "There is no table"),
    ([{"custom_id": "a"}], "has no column request"),
    ([{"request": "{}"}], "has no column custom_id"),
    (one(status="x"), "has a column status"),
    (one(response="x"), "has a column response"),
    (one(custom_id=None), "has no custom_id"),
    (one(custom_id=""), "has no custom_id"),
    (one() + one(), "custom_id 'a' occurs twice"),
    (one(request="no json"), "No row of"),
    (one(request="[" * 100_000), "No row of"),
    (one(request=json.dumps({"messages": "x", "max_tokens": 1})), "No row of"),
    (one(request=json.dumps(request(1, max_tokens=True))), "No row of"),
]


@pytest.mark.parametrize(("rows", "words"), WRONG_SOURCES, ids=[words for _, words in WRONG_SOURCES])
def test_a_table_that_no_job_could_answer_is_refused(emulator, claude, rows, words):
    add_source(emulator, rows)
    with pytest.raises(errors.OptionError, match=words) as caught:
        claude.batch(SOURCE, "", to="gs://rows/run")
    assert caught.value.cure
    assert created(emulator) == []


WRONG_OPTIONS = [
    ({"prompt": "Repeat {{ n }}."}, "contains finished requests, so there is no prompt"),
    *(
        ({name: value}, f"so {name}= has no effect")
        for name, value in {
            "as_": "int", "system": "x", "max_tokens": 5, "effort": "low", "temperature": 0.5, "set": {"a": 1},
            "beta": ["x"], "attach": ["x"], "literal": True, "cache": True, "format": "text", "rows_per_job": 5,
        }.items()
    ),
    ({"header": {"a": "b"}}, "does not take header"),
    ({"table": "bq://p.d"}, "not a BigQuery table"),
    ({"table": "bq://p.d.t;x"}, "not a BigQuery table"),
    ({"to": "gs://elsewhere/run"}, "is in us-east5, and the bucket in us-central1"),
    ({"to": TABLE}, "need a place in Cloud Storage"),
    ({"region": "eu"}, "the chosen location is eu"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), WRONG_OPTIONS, ids=range(len(WRONG_OPTIONS)))
def test_what_does_not_go_with_finished_requests_is_refused(emulator, claude, changes, words):
    emulator.buckets.make("elsewhere", "us-central1")
    add_source(emulator, asked(2))
    options = {"table": SOURCE, "prompt": "", "to": "gs://rows/run", **changes}
    with pytest.raises(errors.OptionError, match=words) as caught:
        claude.batch(options.pop("table"), options.pop("prompt"), **options)
    assert caught.value.cure
    assert created(emulator) == []


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
POLICIES = [
    (Policy(locks={"system": ("Be kind.",)}, origin="the course"), {}, "system is locked by the course"),
    (Policy(ceilings={"max_tokens": 100}, origin="the course"), {}, "max_tokens is limited to 100 by the course"),
    (Policy(forbids=frozenset({"tools"}), origin="the course"), {"tools": [{"name": "f"}]}, "Tools are switched off"),
    (
        Policy(forbids=frozenset({"attachments"}), origin="the course"),
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        "Attachments are switched off by the course",
    ),
    (Policy(locks={"model": ("haiku",)}, origin="the course"), {}, "model is locked to haiku"),
    (Policy(ceilings={"max_cost": 1e-6}, origin="the course"), {}, "This batch may cost up to"),
    (Policy(forbids=frozenset({"live"}), origin="the course"), {}, "Live calls are switched off by the course"),
    (Policy(closed=("Claude is switched off by the course.", "Ask the teacher.")), {}, "switched off by the course"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "fields", "words"), POLICIES, ids=range(len(POLICIES)))
def test_a_policy_holds_for_requests_that_are_finished(emulator, claude, policy, fields, words):
    add_source(emulator, [{"custom_id": "a", "request": json.dumps(request(1, **fields))}])
    set_policy(policy)
    try:
        with pytest.raises(errors.ClaudeError, match=words):
            claude.batch(SOURCE, "", to="gs://rows/run")
    finally:
        set_policy(None)
    assert created(emulator) == []


def rows_of(table, authorizer=None, base_url=None, environment=None):
    given = {} if environment is None else environment
    with open_table(authorizer or FixedToken("t"), "p", table, base_url, environment=given) as found:
        return list(found.rows(["custom_id"]))


def test_a_table_that_is_not_there_is_said_to_be_missing(emulator):
    with pytest.raises(errors.OptionError, match=r"There is no table bq://p\.d\.nothing"):
        rows_of("bq://p.d.nothing", base_url=emulator.base_url)


@pytest.mark.parametrize(("status", "kind"), [(403, errors.PermissionDenied), (400, errors.NetworkError)])
def test_a_refusal_says_what_to_do(emulator, status, kind):
    emulator.tables.add("p.d.t", [{"custom_id": "a"}])
    emulator.fail(status)
    with pytest.raises(kind, match=r"bq://p\.d\.t") as caught:
        rows_of("bq://p.d.t", base_url=emulator.base_url)
    assert caught.value.cure


def test_the_missing_library_is_named_with_its_install_line(monkeypatch, emulator):
    monkeypatch.setitem(sys.modules, "google.cloud.bigquery", None)
    with pytest.raises(errors.MissingExtra, match="pip install google-cloud-bigquery"):
        rows_of(TABLE, base_url=emulator.base_url)


@pytest.mark.parametrize("base_url", [None, "https://us-east5-aiplatform.googleapis.com/v1"])
def test_tables_do_not_stay_here_while_questions_go_to_google(base_url):
    with pytest.raises(errors.OptionError, match="cannot read them"):
        rows_of(TABLE, base_url=base_url, environment={"BIGQUERY_EMULATOR_HOST": "127.0.0.1:9050"})


@pytest.mark.parametrize("host", ["http://10.0.0.1:9050", "evil.example", "http://127.0.0.1.evil.example"])
def test_an_emulator_host_on_another_machine_is_refused(host):
    with pytest.raises(errors.UntrustedHost, match="BIGQUERY_EMULATOR_HOST"):
        rows_of(TABLE, environment={"BIGQUERY_EMULATOR_HOST": host})
