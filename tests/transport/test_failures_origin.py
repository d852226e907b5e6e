"""Who really answered at the API's address: told by what came, so that a proxy is never a missing role or login."""

from __future__ import annotations

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.health.check import availability_of
from vertex_claude_magic.health.doctor.diagnosis import Diagnosis
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.transport.failures import RequestNames, error_from_response
from vertex_claude_magic.transport.retry import may_retry

ASKED = RequestNames(model="claude-opus-4-6", project="my-project", region="us-east5", catalog=Catalog.load())
PAGE = b"<!DOCTYPE html><html><body>Blocked by policy</body></html>"
GOOGLE = b'{"error": {"code": %d, "status": "X", "message": "said by the service"}}'
BLAMES_THE_LOGIN = ("auth application-default login", "access token")
BLAMES_THE_ROLE = ("roles/", "may not call")
BLAMES_THE_MODEL = ("was not found", "Model Garden", "%claude_models")
NEVER = (*BLAMES_THE_LOGIN, *BLAMES_THE_ROLE, *BLAMES_THE_MODEL)

# Status, body, content type; then the class and words of the line.
ROWS = {
    "a page with 401": (401, PAGE, "text/html", errors.APIError, ["web page", "Sign in to the network"]),
    "a page with 403": (403, PAGE, "text/html; charset=utf-8", errors.APIError, ["web page", "(403)", "proxy"]),
    "a page with 403 and no type": (403, b"\n " + PAGE, "", errors.APIError, ["web page", "proxy"]),
    "XML of a gateway with 403": (403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml",
                                  errors.APIError, ["web page", "proxy"]),
    "a text with 403": (403, b"Access denied (policy 7)", "text/plain", errors.APIError, ["proxy or gateway", "policy 7"]),
    "a page with 404": (404, PAGE, "text/html", errors.ModelNotFound, ["web page", "/v1", "us-east5"]),
    "a page with 405": (405, PAGE, "text/html", errors.APIError, ["web page"]),
    "407 with a page": (407, PAGE, "text/html", errors.APIError, ["proxy", "HTTPS_PROXY"]),
    "407 with nothing": (407, b"", "", errors.APIError, ["proxy", "HTTPS_PROXY"]),
    "a page with 451": (451, PAGE, "text/html", errors.APIError, ["web page"]),
    "511 with a page": (511, PAGE, "text/html", errors.APIError, ["web page", "Sign in to the network"]),
    "a page with 500": (500, PAGE, "text/html", errors.ServerError, ["service failed"]),
    "a page with 502": (502, PAGE, "text/html", errors.ServerError, ["service failed"]),
    "a page with 503": (503, PAGE, "text/html", errors.ServerError, ["service failed"]),
    "a text with 504": (504, b"upstream request timeout", "text/plain", errors.ServerError, ["service failed"]),
    "a page with 429": (429, PAGE, "text/html", errors.RateLimited, ["Too many requests"]),
}  # fmt: skip


@pytest.mark.parametrize(("status", "body", "content_type", "kind", "words"), ROWS.values(), ids=ROWS)
def test_what_a_proxy_or_a_portal_says_blames_neither_login_nor_role_nor_model(
    status, body, content_type, kind, words
):
    """The status alone does not tell who answered; the body does."""
    error = error_from_response(status, body, ASKED, content_type=content_type)
    assert type(error) is kind
    assert all(word in str(error) for word in words)
    assert not [word for word in NEVER if word in str(error)]
    assert "Vertex AI said" not in str(error) or not body
    assert error.status == status


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, errors.AuthenticationFailed), (403, errors.PermissionDenied), (404, errors.ModelNotFound)],
)
def test_what_the_service_says_keeps_its_meaning(status, kind):
    """Google's own object is the service's word, whatever type a proxy gives it."""
    error = error_from_response(status, GOOGLE % status, ASKED, content_type="text/html")
    assert type(error) is kind
    assert "Vertex AI said: 'said by the service'" in str(error)


def test_a_sentence_that_is_quoted_has_one_full_stop():
    """Most messages of the service end in one of their own."""
    body = b'{"error": {"code": 400, "message": "The prompt is odd.", "status": "INVALID_ARGUMENT"}}'
    assert "Vertex AI said: 'The prompt is odd'. " in str(error_from_response(400, body, ASKED))


def test_a_captive_portal_is_not_asked_again():
    """511 lets nothing through until somebody signs in (RFC 6585); 503 may."""
    page = error_from_response(511, PAGE, ASKED)
    assert not may_retry(511, {}, page)
    assert may_retry(503, {}, error_from_response(503, PAGE, ASKED))


def test_a_page_says_nothing_about_a_model():
    """The overview of what is usable here takes a 404 of a proxy for no word of the service."""
    page = error_from_response(404, PAGE, ASKED, content_type="text/html")
    said = error_from_response(404, GOOGLE % 404, ASKED)
    row = ASKED.catalog.find(ASKED.model)
    assert availability_of(page, row, probe=True)[0] == "not checked"
    assert availability_of(said, row, probe=True)[0] == "not enabled"


def of(emulator: Emulator) -> Claude:
    return Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator")


@pytest.mark.parametrize("status", [401, 403, 404, 407, 511])
@pytest.mark.parametrize("no_stream", [False, True], ids=["streamed", "whole"])
def test_a_page_is_named_on_the_wire_after_one_request(claude_emulator, status, no_stream):
    """A page costs no second request and no new token."""
    claude_emulator.fail(Fault(status=status, shape="html", message="Blocked by policy"))
    with pytest.raises(errors.APIError) as caught:
        of(claude_emulator).ask("Hello", no_stream=no_stream)
    assert "Vertex AI said" not in str(caught.value)
    assert not [word for word in NEVER if word in str(caught.value)]
    assert len(claude_emulator.requests) == 1


@pytest.mark.parametrize(
    ("status", "words"), [(401, "base_url"), (403, "base_url"), (407, "HTTPS_PROXY"), (511, "sign in")]
)
def test_the_doctor_names_the_page_and_no_login(claude_emulator, status, words):
    """The check of the service fails, and those behind it are not blamed."""
    claude_emulator.fail(*[Fault(status=status, shape="html", message="Blocked by policy")] * 4)
    found = {each.name: each for each in Diagnosis(of(claude_emulator)._session).run()}
    failures = [each for each in found.values() if each.outcome == "failure"]
    assert failures
    assert found["permission"].outcome == "skipped"
    for each in failures:
        assert words in each.cure
        assert not [word for word in NEVER if word in f"{each.seen} {each.cure}"]
