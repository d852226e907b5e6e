"""The administrator's road: the model list, reading and changing a configuration, operations, the wire."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from vertex_claude_magic import Claude, ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.vertex.admin import Admin, ListedModel, Place
from vertex_claude_magic.vertex.config_change import change_logging
from vertex_claude_magic.vertex.logging_config import LoggingConfig, check_sample, check_table
from vertex_claude_magic.vertex.retry import RetryPolicy

MODEL, REGION = "claude-opus-4-6", "us-east5"
TABLE = "bq://my-project.claude_logs.requests"
ON = LoggingConfig(enabled=True, sample=0.1, table=TABLE)
OFF = LoggingConfig(enabled=False)
# What others have set beside logging, of today and of a day to come.
SIBLINGS = {
    "dataSharingEnabledProvider": "ANTHROPIC",
    "claudeFeatureConfig": {"advancedAiEnabled": True, "unheardOf": [1, {"deep": None}]},
    "settingOfTomorrow": {"keep": "me", "numbers": [0.25, 10**15]},
    "etag": "abc=",
}
LOGGING = {"enabled": True, "samplingRate": 1, "bigqueryDestination": {"outputUri": "bq://old-project.d.t", "more": 1},
           "enableOtelLogging": True}  # fmt: skip


@dataclass(kw_only=True)
class Clock:
    """Seconds that pass only by pausing."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def read(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def admin_of(emulator: Emulator, clock: Clock, *, region: str = REGION, model: str = MODEL) -> Admin:
    """An administrator at the emulator, whose pauses take no time."""
    policy = RetryPolicy(first_wait=0.001, longest_backoff=0.002)
    client = Claude(
        project=emulator.project, base_url=emulator.base_url, access_token="emulator", policy=policy
    )

    def call(request, *, retry=True):
        return client.exchange(request, client.options, retry=retry).whole()

    place = Place(project=emulator.project, region=region, model=model, base_url=emulator.base_url)
    return Admin(call, place, clock=clock.read, pause=clock.pause)


@pytest.fixture
def admin(claude_emulator, clock):
    return admin_of(claude_emulator, clock)


def change(admin, wanted):
    return change_logging(admin, wanted, seconds=60, tell=lambda _: None)


def sent(emulator):
    """Method and last part of the path of each request, in order."""
    return [(each.method, each.path.rpartition("/")[2]) for each in emulator.requests]


# The wire


def test_reading_is_a_get_without_a_body(admin, claude_emulator):
    """To the chosen location, with the token and the project that pays."""
    assert admin.config() == {}
    (request,) = claude_emulator.requests
    assert (request.method, request.raw) == ("GET", b"")
    assert request.path == (
        "/v1beta1/projects/emulator-project/locations/us-east5/publishers/anthropic/models/"
        "claude-opus-4-6:fetchPublisherModelConfig"
    )
    assert request.headers["authorization"] == "Bearer emulator"


def test_the_list_names_who_pays(admin, claude_emulator):
    """It has no project in its path; the other methods do, and need no right to be charged for."""
    admin.models()
    admin.config()
    listing, reading = claude_emulator.requests
    assert listing.headers["x-goog-user-project"] == "emulator-project"
    assert "x-goog-user-project" not in reading.headers


@pytest.mark.parametrize(
    "fault",
    [Fault(status=404, shape="html"), Fault(status=404, shape="empty"), Fault(status=404, shape="text")],
)
def test_a_404_that_is_not_googles_is_not_taken_for_an_empty_configuration(admin, claude_emulator, fault):
    """A wrong base URL or a proxy must not read as off."""
    claude_emulator.fail(fault)
    with pytest.raises(errors.ModelNotFound):
        admin.config()


def test_writing_sends_the_whole_configuration(admin, claude_emulator):
    """Google's method replaces it, so everything has to be in it."""
    claude_emulator.configs.put(REGION, MODEL, {**SIBLINGS, "loggingConfig": LOGGING})
    change(admin, ON)
    (write,) = (each for each in claude_emulator.requests if each.method == "POST")
    assert write.path.endswith(
        f"/locations/{REGION}/publishers/anthropic/models/{MODEL}:setPublisherModelConfig"
    )
    wanted = {**LOGGING, "samplingRate": 0.1, "bigqueryDestination": {"outputUri": TABLE, "more": 1}}
    assert write.body == {"publisherModelConfig": {**SIBLINGS, "loggingConfig": wanted}}


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("us-east5", "us-east5-aiplatform.googleapis.com"),
    ],
)
def test_each_location_is_asked_at_its_own_host(region, host):
    """An administrator's request leaves the chosen location no more than a question does."""
    seen = []
    place = Place(project="p", region=region, model=MODEL)

    def call(request, *, retry=True):
        seen.append(request.url)
        return {}

    admin = Admin(call, place, clock=Clock().read, pause=Clock().pause)
    admin.config()
    admin.models()
    assert {urlsplit(url).netloc for url in seen} == {host}
    assert all("/v1beta1/" in url for url in seen)


@pytest.mark.parametrize(
    "base_url", ["https://gateway.example/api", "https://gateway.example/v1/x", "http://127.0.0.1:1"]
)
def test_a_base_url_without_v1_is_refused(base_url):
    """The address of these methods cannot be told from it."""
    with pytest.raises(errors.OptionError, match="/v1"):
        _ = Place(project="p", region="eu", base_url=base_url).api


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1",
        "http://aiplatform.googleapis.com/v1",
        "https://googleapis.com.evil.example/v1",
    ],
)
def test_a_token_goes_to_no_other_host(url):
    """The same check as for questions."""
    claude = Claude(project="p", base_url=url, access_token="secret")
    with pytest.raises(errors.UntrustedHost):
        claude.admin(claude.options).config()


HOSTILE = ["..", "a/b", "a?b#c", ";x", "m:otherVerb;x", "", "x" * 1_000]


@pytest.mark.parametrize("model", HOSTILE)
def test_a_model_name_never_changes_host_or_verb(model, claude_emulator, clock):
    """Refused, or percent-encoded in its place."""
    admin = admin_of(claude_emulator, clock, model=model)
    with contextlib.suppress(errors.ClaudeError):
        admin.config()
    for request in claude_emulator.requests:
        assert request.path.endswith(":fetchPublisherModelConfig")
        assert request.path.count("/") == 9


def test_redirects_are_not_followed(admin, claude_emulator):
    """Nor is the token shown to where they lead."""
    claude_emulator.fail(Fault(location=f"{claude_emulator.origin}/elsewhere"))
    with pytest.raises(errors.NetworkError, match="redirects"):
        admin.config()
    assert len(claude_emulator.requests) == 1


# The list


def test_the_list_is_read_to_its_last_page(claude_emulator, clock):
    """However small the pages are that come."""
    for number in range(130):
        claude_emulator.list_model(f"claude-next-{number}", "PUBLIC_PREVIEW")
    models = admin_of(claude_emulator, clock).models()
    assert ListedModel(name="claude-next-129", version="default", stage="PUBLIC_PREVIEW") in models
    assert "claude-sonnet-4-5@20250929" in {model.id for model in models}
    queries = [each.query for each in claude_emulator.requests]
    assert [query.get("pageToken") for query in queries] == [None, "100"]


ODD_PAGES = [
    ({}, []),
    ({"publisherModels": None}, []),
    ({"publisherModels": "x"}, []),
    ({"publisherModels": [None, 1, {}, {"name": None}, {"name": "publishers/anthropic/models/"}]}, []),
    ({"publisherModels": [{"name": "claude-x"}]}, [ListedModel(name="claude-x", version="", stage="")]),
]


@pytest.mark.parametrize(("page", "models"), ODD_PAGES)
def test_odd_entries_of_the_list_are_passed_over(page, models):
    """What is not understood is no model."""
    admin = Admin(lambda request, *, retry=True: page, Place(project="p", region="global"), clock=Clock().read,
                  pause=Clock().pause)  # fmt: skip
    assert admin.models() == models


def test_a_list_that_never_ends_is_left():
    """A page token that always names another page must not keep the cell for ever."""
    calls = []

    def call(request, *, retry=True):
        calls.append(request)
        return {"publisherModels": [], "nextPageToken": "again"}

    admin = Admin(call, Place(project="p", region="global"), clock=Clock().read, pause=Clock().pause)
    assert admin.models() == []
    assert len(calls) == 50


def test_a_host_without_a_list_says_where_there_is_one(admin, claude_emulator):
    """It holds no text of the user's, so the cure may name global; nothing goes there by itself."""
    claude_emulator.fail(Fault(status=404))
    with pytest.raises(errors.APIError, match="no list of models") as refused:
        admin.models()
    assert "--region global" in refused.value.cure
    assert len(claude_emulator.requests) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"<html>", b"null"])
def test_what_is_no_json_object_is_a_protocol_error(admin, claude_emulator, body):
    """Something stands between."""
    for read in (admin.config, admin.models):
        claude_emulator.fail(Fault(status=200, body=body))
        with pytest.raises(errors.ProtocolError):
            read()


# Read, merge, write


@pytest.mark.parametrize("wanted", [ON, OFF])
@pytest.mark.parametrize(
    "before", [{}, SIBLINGS, {"loggingConfig": LOGGING}, {**SIBLINGS, "loggingConfig": LOGGING}]
)
def test_no_sibling_is_lost_by_any_change(admin, claude_emulator, before, wanted):
    """Known or not, deep or flat; switching off keeps the table too."""
    claude_emulator.configs.put(REGION, MODEL, before)
    result = change(admin, wanted)
    after = claude_emulator.configs.get(REGION, MODEL)
    siblings = {name: value for name, value in before.items() if name != "loggingConfig"}
    assert {name: value for name, value in after.items() if name != "loggingConfig"} == siblings
    assert wanted.holds_in(after)
    assert result.config == after
    old = before.get("loggingConfig", {})
    kept = {name: old[name] for name in old.keys() - {"enabled", "samplingRate", "bigqueryDestination"}}
    assert kept.items() <= after.get("loggingConfig", {}).items()


def test_it_reads_right_before_it_writes_and_right_after(admin, claude_emulator):
    """Three requests in this order, and nothing between reading and writing."""
    change(admin, ON)
    fetch, write = (f"{MODEL}:{verb}PublisherModelConfig" for verb in ("fetch", "set"))
    assert sent(claude_emulator) == [("GET", fetch), ("POST", write), ("GET", fetch)]


@pytest.mark.parametrize(("before", "wanted"), [({}, OFF), ({"loggingConfig": {"enabled": False}}, OFF)])
def test_what_holds_already_is_not_written(admin, claude_emulator, before, wanted):
    """A write that changes nothing could still undo somebody else's."""
    if before:
        claude_emulator.configs.put(REGION, MODEL, before)
    result = change(admin, wanted)
    assert not result.written
    assert {each.method for each in claude_emulator.requests} == {"GET"}


def test_single_precision_is_not_taken_for_a_change(admin, claude_emulator):
    """Google keeps the share as a float of 32 bits."""
    logging = {
        "enabled": True,
        "samplingRate": 0.10000000149011612,
        "bigqueryDestination": {"outputUri": TABLE},
    }
    claude_emulator.configs.put(REGION, MODEL, {"loggingConfig": logging})
    assert not change(admin, ON).written


def others_sharing(config):
    """Somebody who switches data sharing on, keeping the rest."""
    return {**config, "dataSharingEnabledProvider": "ANTHROPIC"}


def others_from_scratch(config):
    """Somebody whose tool writes its own setting and nothing else."""
    return {"claudeFeatureConfig": {"advancedAiEnabled": True}}


def test_what_somebody_else_adds_at_the_same_time_is_kept_and_said(admin, claude_emulator):
    """Logging holds, so there is nothing to write again."""
    claude_emulator.configs.meanwhile(others_sharing)
    result = change(admin, ON)
    assert result.changed_meanwhile == ("dataSharingEnabledProvider",)
    assert claude_emulator.configs.get(REGION, MODEL)["dataSharingEnabledProvider"] == "ANTHROPIC"
    assert ON.holds_in(result.config)
    assert sum(each.method == "POST" for each in claude_emulator.requests) == 1


def test_a_write_that_wiped_ours_is_met_with_one_more_on_top_of_it(admin, claude_emulator):
    """The second write holds the other's setting; what the other took away is not brought back."""
    claude_emulator.configs.put(REGION, MODEL, {"dataSharingEnabledProvider": "ANTHROPIC"})
    claude_emulator.configs.meanwhile(others_from_scratch)
    result = change(admin, ON)
    after = claude_emulator.configs.get(REGION, MODEL)
    assert after.keys() == {"claudeFeatureConfig", "loggingConfig"}
    assert result.changed_meanwhile == ("claudeFeatureConfig", "dataSharingEnabledProvider")
    assert ON.holds_in(after)


def test_somebody_who_always_wipes_it_is_told_of_after_two_tries(admin, claude_emulator):
    """An error with its cure; no third write, no war."""
    claude_emulator.configs.meanwhile(*[others_from_scratch] * 5)
    with pytest.raises(errors.ConfigChanged, match="set twice") as lost:
        change(admin, ON)
    assert "administers" in lost.value.cure
    assert sum(each.method == "POST" for each in claude_emulator.requests) == 2


def test_a_location_that_ignores_the_setting_is_not_believed(admin, claude_emulator):
    """Its operation ends well and nothing was set: the read-back tells."""
    claude_emulator.configs.ignores_writes = True
    with pytest.raises(errors.ConfigChanged, match="takes no such setting"):
        change(admin, ON)


@pytest.mark.parametrize("status", [409, 500, 503])
def test_a_failed_write_is_not_sent_again_by_itself(admin, claude_emulator, status):
    """Between two tries somebody else may write, and the second would be stale."""
    claude_emulator.fail(Fault(delay=0, status=200, body=b"{}"), Fault(status=status))
    with pytest.raises(errors.ClaudeError):
        change(admin, ON)
    assert [method for method, _ in sent(claude_emulator)] == ["GET", "POST"]


def test_a_failed_reading_is_tried_again(admin, claude_emulator):
    """Reading twice does no harm."""
    claude_emulator.fail(503)
    assert admin.config() == {}
    assert len(claude_emulator.requests) == 2


# Permissions


@pytest.mark.parametrize(
    ("verb", "role"),
    [
        ("fetchPublisherModelConfig", "roles/aiplatform.viewer"),
        ("setPublisherModelConfig", "roles/aiplatform.admin"),
    ],
)
def test_a_missing_permission_names_the_role_and_the_command(admin, claude_emulator, verb, role):
    """With the user's own project filled in, and nothing changed."""
    claude_emulator.configs.put(REGION, MODEL, SIBLINGS)
    claude_emulator.configs.denied = frozenset({verb})
    with pytest.raises(errors.PermissionDenied) as denied:
        change(admin, ON)
    assert (
        f"gcloud projects add-iam-policy-binding emulator-project --member=user:YOU --role={role}"
        in denied.value.cure
    )
    assert f"aiplatform.endpoints.{verb}" in str(denied.value)
    assert claude_emulator.configs.get(REGION, MODEL) == SIBLINGS


def test_a_disabled_api_keeps_its_own_cure(admin, claude_emulator):
    """A role would not help there."""
    claude_emulator.fail(Fault(status=403, reason="SERVICE_DISABLED", message="disabled"))
    with pytest.raises(errors.APIDisabled) as disabled:
        admin.config()
    assert "gcloud services enable" in disabled.value.cure


# Operations


def test_an_operation_is_followed_to_its_end(admin, claude_emulator, clock):
    """At its own address, less and less often."""
    claude_emulator.configs.looks = 8
    change(admin, ON)
    looks = [each for each in claude_emulator.requests if "/operations/" in each.path]
    assert len(looks) == 8
    assert {each.path for each in looks} == {
        "/v1beta1/projects/emulator-project/locations/us-east5/operations/1000"
    }
    assert clock.pauses == sorted(clock.pauses)
    assert (clock.pauses[0], clock.pauses[-1]) == (1.0, 10.0)


def test_an_operation_that_does_not_end_is_left_at_its_deadline(admin, claude_emulator, clock):
    """It goes on at Google, and the error says so."""
    claude_emulator.configs.looks = 10_000
    with pytest.raises(errors.DeadlineExceeded, match="not over yet") as late:
        change(admin, ON)
    assert clock.now <= 60
    assert "%claude_logging status" in late.value.cure


FAILURES = [
    ({"code": 5, "message": "Dataset my-project:claude_logs was not found"}, errors.OperationFailed),
    ({"code": 7, "message": "Permission bigquery.tables.create denied"}, errors.PermissionDenied),
    ({"code": 13}, errors.OperationFailed),
    ({}, errors.OperationFailed),
]


@pytest.mark.parametrize(("failure", "kind"), FAILURES)
@pytest.mark.parametrize("looks", [0, 2])
def test_a_failed_operation_is_an_error_with_googles_words(admin, claude_emulator, failure, kind, looks):
    """At once or later; nothing is read as success, and nothing was lost."""
    claude_emulator.configs.put(REGION, MODEL, SIBLINGS)
    claude_emulator.configs.failure, claude_emulator.configs.looks = failure, looks
    with pytest.raises(kind) as failed:
        change(admin, ON)
    assert failure.get("message", "no reason") in str(failed.value)
    assert "BigQuery" in failed.value.cure
    assert claude_emulator.configs.get(REGION, MODEL) == SIBLINGS


ODD_OPERATIONS = [
    {},
    [],
    None,
    {"name": ""},
    {"name": "https://evil.example/operations/1"},
    {"name": "projects/p/locations/l/operations/../../x"},
    {"name": "projects/p/locations/../operations/1"},
    {"name": "projects/p/locations/l/operations/1?x=1"},
    {"name": "projects/p/locations/l/operations/1#x"},
    {"name": "projects/p/locations/l/operations/1:cancel"},
    {"name": "//evil.example/operations/1"},
]


@pytest.mark.parametrize("operation", ODD_OPERATIONS)
def test_the_name_of_an_operation_cannot_lead_elsewhere(operation):
    """It becomes part of an address that gets a token."""
    asked = []

    def call(request, *, retry=True):
        asked.append(request.url)
        return operation

    admin = Admin(call, Place(project="p", region="eu", model=MODEL), clock=Clock().read, pause=Clock().pause)
    with pytest.raises(errors.ProtocolError):
        admin.set_config({}, seconds=60)
    assert len(asked) == 1


def test_an_interrupt_ends_the_following(claude_emulator, clock):
    """As the pause raises it; the operation goes on at Google."""
    claude_emulator.configs.looks = 5
    admin = admin_of(claude_emulator, clock)

    def interrupted(seconds):
        raise ClaudeInterrupt

    admin._pause = interrupted
    with pytest.raises(ClaudeInterrupt):
        change(admin, ON)


# Values


@pytest.mark.parametrize(
    "table",
    ["", "x", "project.dataset.table", "bq://project", "bq://my-project.dataset", "bq://my-project.d.t.more",
     "bq://my-project.d.t;x", "bq://my-project.d.t' OR 1", "bq://My-Project.d.t", "bq://my-project.d-x.t", "bq://my-project..t",
     "bq://my-project.d.", "gs://my-project.d.t", "bq://my-project.d.t\n", "bq://p.d.t", "bq://my-project.d.`t`"],
)  # fmt: skip
def test_what_is_no_table_is_refused(table):
    """Before anything is sent."""
    with pytest.raises(errors.OptionError, match="BigQuery table"):
        check_table(table)


@pytest.mark.parametrize("table", [TABLE, "bq://my-project.d.t-1", "bq://example.com:my-project.d.t"])
def test_the_address_of_a_table_is_taken(table):
    """Domains before the project included."""
    assert check_table(table) == table


@pytest.mark.parametrize("rate", [0, -0.1, 1.0001, float("nan"), float("inf"), float("-inf")])
def test_what_is_no_share_is_refused(rate):
    """Nothing, everything twice, and what is no number."""
    with pytest.raises(errors.OptionError, match="share"):
        check_sample(rate)


ODD_CONFIGS = [
    {"loggingConfig": None},
    {"loggingConfig": []},
    {"loggingConfig": {"enabled": "true"}},
    {"loggingConfig": {"samplingRate": "x", "bigqueryDestination": "y"}},
    {"loggingConfig": {"bigqueryDestination": {"outputUri": 7}}},
]


@pytest.mark.parametrize("config", ODD_CONFIGS)
def test_an_odd_configuration_reads_as_off(config):
    """And can be switched on all the same."""
    assert LoggingConfig.of(config) == OFF
    assert ON.holds_in(ON.laid_into(config))


def test_requests_at_once_share_nothing(claude_emulator):
    """Two administrators of two models do not meet."""
    admins = [
        admin_of(claude_emulator, Clock(), model=model) for model in ("claude-opus-4-6", "claude-sonnet-4-6")
    ]
    threads = [threading.Thread(target=change, args=(each, ON)) for each in admins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert all(ON.holds_in(each.config()) for each in admins)
