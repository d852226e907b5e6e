"""The administrator's road: the wire, the model list, permissions, operations."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from vertex_claude_magic import Claude, ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.transport.admin import Admin, ListedModel
from vertex_claude_magic.transport.config_change import change_logging
from vertex_claude_magic.transport.logging_config import LoggingConfig
from vertex_claude_magic.transport.resources import ModelPlace
from vertex_claude_magic.transport.retry import RetryPolicy

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
        return client._session.send(request, client._session.target(), retry=retry).whole()

    place = ModelPlace(project=emulator.project, region=region, model=model, base_url=emulator.base_url)
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
    place = ModelPlace(project="p", region=region, model=MODEL)

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
        _ = ModelPlace(project="p", region="eu", base_url=base_url).v1beta1


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
        claude._session.admin(claude._session.target()).config()


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
    admin = Admin(lambda request, *, retry=True: page, ModelPlace(project="p", region="global"), clock=Clock().read,
                  pause=Clock().pause)  # fmt: skip
    assert admin.models() == models


def test_a_list_that_never_ends_is_left():
    """A page token that always names another page must not keep the cell for ever."""
    calls = []

    def call(request, *, retry=True):
        calls.append(request)
        return {"publisherModels": [], "nextPageToken": "again"}

    admin = Admin(call, ModelPlace(project="p", region="global"), clock=Clock().read, pause=Clock().pause)
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


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        ("BILLING_DISABLED", "billing/linkedaccount"),
        ("SECURITY_POLICY_VIOLATED", "security/service-perimeter"),
        ("USER_PROJECT_DENIED", "roles/serviceusage.serviceUsageConsumer"),
    ],
)
def test_a_refusal_for_another_reason_than_a_role_keeps_its_own_cure(admin, claude_emulator, reason, cure):
    """Also of those that are refusals of permission too."""
    for ask in (admin.config, admin.models, lambda: admin.set_config({}, seconds=60)):
        claude_emulator.fail(Fault(status=403, reason=reason, message="no"))
        with pytest.raises(errors.PermissionDenied) as refused:
            ask()
        assert cure in refused.value.cure


# Operations


def test_an_operation_is_followed_to_its_end(admin, claude_emulator, clock):
    """At its own address, less and less often."""
    claude_emulator.configs.polls = 8
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
    claude_emulator.configs.polls = 10_000
    with pytest.raises(errors.DeadlineExceeded, match="has not finished yet") as late:
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
    claude_emulator.configs.failure, claude_emulator.configs.polls = failure, looks
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

    admin = Admin(
        call, ModelPlace(project="p", region="eu", model=MODEL), clock=Clock().read, pause=Clock().pause
    )
    with pytest.raises(errors.ProtocolError):
        admin.set_config({}, seconds=60)
    assert len(asked) == 1


def test_an_interrupt_ends_the_following(claude_emulator, clock):
    """As the pause raises it; the operation goes on at Google."""
    claude_emulator.configs.polls = 5
    admin = admin_of(claude_emulator, clock)

    def interrupted(seconds):
        raise ClaudeInterrupt

    admin._pause = interrupted
    with pytest.raises(ClaudeInterrupt):
        change(admin, ON)
