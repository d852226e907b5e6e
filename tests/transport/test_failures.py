"""Error responses: every shape is read, every message that users of Vertex AI meet has its class and its cure."""

from __future__ import annotations

import json
import re

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.transport.failures import (
    RequestNames,
    error_from_event,
    error_from_response,
    read_failure,
)

CATALOG = Catalog.load()
HOSTILE = "line\nbreak \x1b[31m \u202e <b> " + "x" * 5000


def asked(**changes: str) -> RequestNames:
    names = {"model": "claude-opus-4-6", "project": "my-project", "region": "us-central1", **changes}
    return RequestNames(catalog=CATALOG, **names)


def google(status: int, message: str, code: str = "", reason: str = "", **metadata: str) -> bytes:
    error = {"code": status, "message": message, "status": code}
    if reason or metadata:
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        error["details"] = [{"@type": "x"}, {"@type": kind, "reason": reason, "metadata": metadata}]
    return json.dumps({"error": error}).encode()


def anthropic(kind: str, message: str) -> bytes:
    error = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_vrtx_1"}
    return json.dumps(error).encode()


RESOURCE = "`projects/my-project/locations/us-central1/publishers/anthropic/models/claude-opus-4-6`"
# Messages, shortened, as users of Vertex AI reported them in 2025 and 2026: status, body, class, words of the line.
ROWS = {
    "401": (401, google(401, "Request had invalid authentication credentials.", "UNAUTHENTICATED"),
            errors.AuthenticationFailed, ["gcloud auth application-default login", "no restart"]),
    "403 no permission": (403, google(403, "Permission 'aiplatform.endpoints.predict' denied on resource (or it may "
                                      "not exist).", "PERMISSION_DENIED", "IAM_PERMISSION_DENIED"),
                          errors.PermissionDenied, ["roles/aiplatform.user", "my-project", "claude-opus-4-6"]),
    "403 perimeter": (403, google(403, "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: "
                                  "Qe4", "PERMISSION_DENIED", "SECURITY_POLICY_VIOLATED"),
                      errors.PermissionDenied, ["administrator", "security/service-perimeter?project=my-project"]),
    "403 no billing": (403, google(403, "This API method requires billing to be enabled.", "PERMISSION_DENIED",
                                   "BILLING_DISABLED"),
                       errors.PermissionDenied, ["billing/linkedaccount?project=my-project"]),
    "403 payer": (403, google(403, "Caller does not have required permission to use project other.", "PERMISSION_DENIED",
                              "USER_PROJECT_DENIED", consumer="projects/other"), errors.PermissionDenied,
                  ["add-iam-policy-binding other", "roles/serviceusage.serviceUsageConsumer", "set-quota-project my-project"]),
    "403 payer, unnamed": (403, google(403, "no", "PERMISSION_DENIED", "USER_PROJECT_DENIED"), errors.PermissionDenied,
                           ["add-iam-policy-binding my-project", "roles/serviceusage.serviceUsageConsumer"]),
    "403 disabled, by reason": (403, google(403, "no", "PERMISSION_DENIED", "SERVICE_DISABLED"),
                                errors.APIDisabled, ["gcloud services enable aiplatform.googleapis.com", "my-project"]),
    "403 disabled, by text": (403, google(403, "Vertex AI API has not been used in project 7 before or it is disabled."),
                              errors.APIDisabled, ["gcloud services enable", "my-project"]),
    "403 disabled in Google's own project": (403, google(403, "no", "", "SERVICE_DISABLED", consumer="projects/764086"),
                                             errors.APIDisabled, ["764086", "set-quota-project my-project"]),
    "403 data sharing": (403, google(403, "Access to this model requires data sharing to be enabled for publisher "
                                     "'anthropic'. See setPublisherModelConfig."),
                         errors.DataSharingRequired, ["administrator", "Model Garden", "my-project"]),
    "400 not enabled": (400, google(400, f"Project my-project is not allowed to use Publisher Model {RESOURCE}.",
                                    "FAILED_PRECONDITION"),
                        errors.ModelNotEnabled, ["Model Garden", "Enable", "my-project", "entitlementManager"]),
    "400 wrong region": (400, google(400, f"Publisher Model {RESOURCE} is not servable in region us-central1.",
                                     "FAILED_PRECONDITION"),
                         errors.ModelNotFound, ["--region us-east5, global", "us-central1"]),
    "400 wrong verb": (400, google(400, "claude-opus-4-6 is not supported in the generateContent API.",
                                   "FAILED_PRECONDITION"), errors.BadRequest, ["base URL", "rawPredict"]),
    "404": (404, google(404, f"Publisher Model {RESOURCE} was not found or your project does not have access to it.",
                        "NOT_FOUND"), errors.ModelNotFound, ["my-project", "us-central1", "us-east5"]),
    "429 quota, by text": (429, google(429, "Quota exceeded for aiplatform.googleapis.com/"
                                       "online_prediction_requests_per_base_model with base model: x.",
                                       "RESOURCE_EXHAUSTED"),
                           errors.QuotaExceeded, ["quota is 0", "my-project", "--region global"]),
    "429 quota, by metric": (429, google(429, "no", "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED",
                                         quota_metric="aiplatform.googleapis.com/global_input_tokens"),
                             errors.QuotaExceeded, ["global_input_tokens"]),
    "429 capacity": (429, google(429, "Resource exhausted. Please try again later.", "RESOURCE_EXHAUSTED"),
                     errors.RateLimited, ["Ask again", "another --region"]),
    "400 prompt too long": (400, anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
                            errors.PromptTooLong, ["210000", "--dry-run counts"]),
    "413 prompt too long": (413, anthropic("request_too_large", "Prompt is too long"), errors.PromptTooLong, ["413"]),
    "400 max_tokens": (400, anthropic("invalid_request_error", "max_tokens: 99999 > 64000, which is the maximum allowed "
                                      "number of output tokens for claude-opus-4-6"),
                       errors.BadRequest, ["Lower --max-tokens"]),
    "400 thinking": (400, anthropic("invalid_request_error", '"thinking.type.disabled" is not supported for this model.'),
                     errors.BadRequest, ["thinking.type.disabled", "--dry-run"]),
    "400 extra field": (400, anthropic("invalid_request_error", "speed: Extra inputs are not permitted"),
                        errors.BadRequest, ["speed", "Leave that field out"]),
    "400 beta": (400, anthropic("invalid_request_error", "Unexpected value(s) for the `anthropic-beta` header"),
                 errors.BadRequest, ["--beta"]),
    "413": (413, anthropic("request_too_large", "Request exceeds the maximum size"),
            errors.RequestTooLarge, ["smaller files"]),
    "500": (500, anthropic("api_error", "Internal server error"), errors.ServerError, ["500", "another --region"]),
    "503": (503, google(503, "The service is currently unavailable.", "UNAVAILABLE"), errors.ServerError, ["503"]),
    "504": (504, google(504, "Deadline expired", "DEADLINE_EXCEEDED"), errors.ServerError, ["504"]),
    "529": (529, anthropic("overloaded_error", "Overloaded"), errors.Overloaded, ["overloaded", "us-central1"]),
    "overloaded as 500": (500, anthropic("overloaded_error", "Overloaded"), errors.Overloaded, ["overloaded"]),
    "402": (402, anthropic("billing_error", "No credit"), errors.APIError, ["402", "No credit"]),
    "418": (418, b"teapot", errors.APIError, ["418", "teapot", "base URL"]),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "words"), ROWS.values(), ids=ROWS)
def test_every_message_that_users_meet_has_its_class_and_its_cure(status, body, kind, words):
    """Cases 25 to 31: one line that names project, region and model where they matter, and quotes the service."""
    error = error_from_response(status, body, asked())
    assert type(error) is kind
    for word in words:
        assert word in str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 700
    assert error.status == status
    assert error.details["project"] == "my-project"


@pytest.mark.parametrize(("status", "body", "_kind", "_words"), ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("region", ["global", "us"])
@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-opus-5-5", "claude-unknown"])
def test_no_cure_names_the_location_that_was_asked(status, body, _kind, _words, region, model):
    """Whoever has just asked there is not told to try it."""
    cure = error_from_response(status, body, asked(region=region, model=model)).cure
    named = re.search(r"--region ([a-z0-9, -]+[a-z0-9])", cure)
    assert named is None or region not in named[1].split(", ")


@pytest.fixture
def lock_regions():
    """What has a policy allow only these regions, until the test is over."""
    yield lambda *allowed: set_policy(Policy(locks={"region": allowed}, origin="the course"))
    set_policy(None)


@pytest.mark.parametrize(("status", "body", "kind", "_words"), ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("region", ["us-central1", "eu"])
def test_no_cure_names_another_region_where_a_policy_locks_it(
    status, body, kind, _words, region, lock_regions
):
    """It would be refused; in one that the table does not have for the model, and in one that it does."""
    lock_regions(region)
    error = error_from_response(status, body, asked(region=region, model="claude-haiku-5-5"))
    assert type(error) is kind
    assert error.cure
    assert "--region" not in error.cure


def test_the_cure_for_a_location_of_a_policy_names_the_others_that_it_allows_and_its_author(lock_regions):
    failure = google(400, "Publisher Model is not servable in region us-central1.", "FAILED_PRECONDITION")
    lock_regions("us-central1")
    assert error_from_response(400, failure, asked()).cure == (
        "Use another model, or ask the author of the course, which locks region."
    )
    lock_regions("us-central1", "eu")
    assert error_from_response(400, failure, asked()).cure == (
        "Use --region eu, or ask the author of the course, which locks region."
    )


@pytest.mark.parametrize("row", ["403 perimeter", "403 no billing"])
def test_a_role_is_no_cure_where_another_reason_is_given(row):
    """Whoever has the role is kept out all the same."""
    status, body, *_ = ROWS[row]
    assert "add-iam-policy-binding" not in str(error_from_response(status, body, asked()))


def test_a_key_file_that_is_refused_is_not_cured_by_a_login(monkeypatch):
    """It is used in place of the login, as long as the variable names it."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/somewhere/key.json")
    status, body, *_ = ROWS["401"]
    cure = error_from_response(status, body, asked()).cure
    assert cure.startswith("Set GOOGLE_APPLICATION_CREDENTIALS to a key file that is valid, or remove it")


@pytest.mark.parametrize(("status", "body", "kind", "_words"), ROWS.values(), ids=ROWS)
def test_the_array_that_streams_wrap_errors_in_says_the_same(status, body, kind, _words):
    """Google's front end sends its error object in a one-element array when a stream was asked for."""
    if body.startswith(b"{"):
        wrapped = error_from_response(status, b"[" + body + b"]", asked())
        assert str(wrapped) == str(error_from_response(status, body, asked()))


SHAPES = {
    "google": (google(400, "said"), "", "said"),
    "array": (b"[" + google(400, "said") + b"]", "", "said"),
    "anthropic": (anthropic("invalid_request_error", "said"), "", "said"),
    "plain text": (b"said", "text/plain", "said"),
    "a web page": (b"<html>said</html>", "text/html", "a web page, not an API answer: <html>said</html>"),
    "a web page without a type": (b"  <!DOCTYPE html>said", "", "a web page, not an API answer:   <!DOCTYPE html>said"),
    "nothing": (b"", "", "an empty answer"),
    "spaces": (b" \r\n ", "", "an empty answer"),
    "another object": (b'{"message": "said"}', "", '{"message": "said"}'),
    "an error that is a text": (b'{"error": "said"}', "", '{"error": "said"}'),
    "an empty array": (b"[]", "", "[]"),
    "a number": (b"5", "", "5"),
    "bytes": (b"\xff\xfe said", "", "\ufffd\ufffd said"),
    "nested too deeply": (b"[" * 100_000, "", "[" * 100_000),
    "wrong types inside": (b'{"error": {"message": 5, "status": null, "details": [3, {"reason": 4, "metadata": 5}]}}',
                           "", "5"),
    "an Anthropic error of wrong types": (b'{"type": "error", "error": {"type": 5, "message": null}, "request_id": 7}',
                                          "", ""),
}  # fmt: skip


@pytest.mark.parametrize(("body", "content_type", "message"), SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("status", [400, 404, 500])
def test_a_body_of_any_shape_becomes_one_readable_line(status, body, content_type, message):
    """Case 25: the message is found or the body is shown; length-limited, no control characters."""
    assert read_failure(status, body, content_type).message == message
    error = error_from_response(status, body, asked(), content_type=content_type)
    assert isinstance(error, errors.APIError)
    assert str(error).isprintable()
    assert len(str(error)) < 700
    assert len(error.details["body"]) <= 4000


@pytest.mark.parametrize("shape", ["google", "array", "anthropic", "text", "html", "empty"])
def test_every_shape_is_read_from_the_wire(claude_emulator, shape):
    """Case 25, through a socket."""
    claude_emulator.fail(Fault(status=400, shape=shape, message="said so"))
    with pytest.raises(errors.BadRequest) as caught:
        of(claude_emulator).ask("Hello")
    assert ("said so" in str(caught.value)) is (shape != "empty")


def of(emulator: Emulator, **options) -> Claude:
    return Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator", **options)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 529, 600])
def test_hostile_text_stays_one_short_line(status):
    """Nothing of the server's, and nothing of the user's own names, can break or flood the line."""
    body = google(status, HOSTILE, HOSTILE, "SERVICE_DISABLED", consumer=HOSTILE, quota_metric=HOSTILE)
    error = error_from_response(status, body, asked(model=HOSTILE, project=HOSTILE, region=HOSTILE))
    assert str(error).isprintable()
    assert len(str(error)) <= 801
    assert error.message.isprintable()
    assert error.cure.isprintable()


@pytest.mark.parametrize("reason", ["USER_PROJECT_DENIED", "SERVICE_DISABLED"])
@pytest.mark.parametrize(
    "said", ["x; rm -r .", "x --member=user:eve@example.com", "$(id)", "--help", "x" * 101]
)
def test_what_is_no_project_id_gets_into_no_command(reason, said):
    """A cure is pasted into a terminal, and a server may name anything as the project that pays."""
    cure = error_from_response(403, google(403, "no", "", reason, consumer=f"projects/{said}"), asked()).cure
    assert said not in cure
    assert "my-project" in cure


def test_the_request_id_is_kept_for_support():
    """Anthropic's errors carry it in the body."""
    error = error_from_response(500, anthropic("api_error", "no"), asked())
    assert error.request_id == "req_vrtx_1"


NEAREST = {
    "a misspelt model": ({"model": "claude-sonet-5-5"}, "claude-sonnet-5-5"),
    "a model without its date": ({"model": "claude-opus-4-5@20240101"}, "claude-opus-4-5@20251101"),
    "a misspelt model in a misspelt region": (
        {"model": "claude-sonet-5-5", "region": "us-eats5"},
        "us-east5",
    ),
    "a model elsewhere": ({"model": "claude-haiku-4-5@20251001", "region": "us-eats5"}, "--region us-east5"),
    "a region of the same continent": (
        {"model": "claude-haiku-4-5@20251001", "region": "europe-west4"},
        "europe-west1",
    ),
    "a retired model": ({"model": "claude-3-opus@20240229", "region": "global"}, "retired. Use claude-opus"),
    "a model that is served there": ({"model": "claude-opus-5", "region": "global"}, "Model Garden"),
}


@pytest.mark.parametrize(("changes", "words"), NEAREST.values(), ids=NEAREST)
def test_a_404_suggests_the_nearest_known_model_or_region(changes, words):
    """Case 28: from the model table, never by changing anything silently."""
    error = error_from_response(404, google(404, "not found"), asked(**changes))
    assert words in error.cure


def test_a_404_for_a_model_like_no_other_still_has_a_cure():
    """Case 28: with nothing near, the table is named."""
    error = error_from_response(404, google(404, "not found"), asked(model="zzzz", region="xx"))
    assert "nearest" not in error.cure
    assert "%claude_models" in error.cure


VERTEX = [
    ({"project": "another"}, errors.PermissionDenied, "another"),
    ({"model": "claude-nine"}, errors.ModelNotFound, "claude-nine"),
    ({"model": "claude-haiku-4-5@20251001", "region": "us-central1"}, errors.ModelNotFound, "us-central1"),
    ({"access_token": "expired"}, errors.AuthenticationFailed, "login"),
    ({"set": {"speed": "fast"}}, errors.BadRequest, "speed"),
]


@pytest.mark.parametrize(("changes", "kind", "word"), VERTEX, ids=[str(row[0]) for row in VERTEX])
@pytest.mark.parametrize("no_stream", [False, True], ids=["streamed", "whole"])
def test_what_the_service_refuses_is_named_in_both_shapes(claude_emulator, changes, kind, word, no_stream):
    """The emulator refuses as Vertex AI does: in an array where a stream was asked for, else as an object."""
    settings = {"project": claude_emulator.project, "access_token": "emulator", **changes}
    with pytest.raises(kind) as caught:
        Claude(base_url=claude_emulator.base_url, no_stream=no_stream, **settings).ask("Hello")
    assert word in str(caught.value)
    assert len(claude_emulator.requests) == 1


EVENTS = [
    {},
    {"error": None},
    {"error": "text"},
    {"error": {"type": None}},
    {"error": {"type": ["x"], "message": {}}},
]


@pytest.mark.parametrize("data", EVENTS, ids=str)
def test_an_error_event_without_a_type_is_a_server_error(data):
    """Case 12: whatever is missing in it."""
    error = error_from_event({"type": "error", **data}, asked())
    assert type(error) is errors.ServerError
    assert error.cure
