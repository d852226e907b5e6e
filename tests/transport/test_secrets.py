"""No secret leaves: not in what is printed, pickled, logged, or shown as a traceback, however verbose."""

from __future__ import annotations

import json
import logging
import pickle
import sys
import traceback
from pathlib import Path

import pytest
from leaks import FAULTS, everything_about, in_every_xmode
from requests.exceptions import InvalidHeader, InvalidProxyURL
from shells import loaded_shell

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.emulator.google.credentials import CLIENT_SECRET, REFRESH_TOKEN
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.pages.request import curl_command
from vertex_claude_magic.transport.auth import ApplicationDefault, FixedToken
from vertex_claude_magic.transport.connection import network_error
from vertex_claude_magic.transport.retry import RetryPolicy
from vertex_claude_magic.vertex.request import build_count_request

TOKEN = "ya29.c.s3cret-t0ken-of-the-user"
QUICK = RetryPolicy(first_wait=0.001, longest_backoff=0.002, silence=1, credentials=20)


def client(emulator: Emulator, **settings) -> Claude:
    return Claude(
        project=emulator.project, base_url=emulator.base_url, model="haiku", policy=QUICK, **settings
    )


def fails(emulator: Emulator, fault: Fault, claude: Claude) -> errors.ClaudeError:
    emulator.fail(fault, fault, fault)
    try:
        claude.ask("Hello")
    except errors.ClaudeError as error:
        return error
    raise AssertionError("it was answered")


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fixed_token_is_in_no_traceback_log_or_pickle(claude_emulator, caplog, fault):
    """Case 64: with every local variable of every frame printed, and every logger at DEBUG."""
    caplog.set_level(logging.DEBUG)
    error = fails(claude_emulator, fault, client(claude_emulator, access_token=TOKEN))
    received = [request.headers.get("authorization") for request in claude_emulator.requests]
    assert set(received) == {f"Bearer {TOKEN}"}
    for text in (everything_about(error), in_every_xmode(error), caplog.text, repr(pickle.dumps(error))):
        assert TOKEN not in text


@pytest.mark.parametrize("denial", [None, "revoked", "reauth"])
@pytest.mark.parametrize("kind", ["service_account", "authorized_user", "external_account"])
def test_no_part_of_a_credentials_file_is_in_a_traceback_or_a_log(
    claude_emulator, caplog, monkeypatch, kind, denial
):
    """Case 64: the key, the refresh token and the client secret, in a failing login and in a failing question."""
    caplog.set_level(logging.DEBUG, logger="vertex_claude_magic")
    file = claude_emulator.credentials_file(kind)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    claude_emulator.google.denial = denial
    auth = ApplicationDefault(request=claude_emulator.google_request)
    error = fails(claude_emulator, Fault(status=403), client(claude_emulator, credentials=auth))
    private = json.loads(file.read_text()).get("private_key", "-----BEGIN PRIVATE KEY").splitlines()
    secrets = {REFRESH_TOKEN, CLIENT_SECRET, "ya29.emulator-", *[line for line in private if line]}
    for text in (everything_about(error), in_every_xmode(error), caplog.text, repr(auth), str(error.details)):
        assert [secret for secret in secrets if secret in text] == []


def test_nothing_that_holds_a_token_prints_it(claude_emulator):
    """Case 64: the objects of one question, while it is under way."""
    claude = Claude(project=claude_emulator.project, base_url=claude_emulator.base_url, access_token=TOKEN)
    claude_emulator.fail(Fault(delay=30))
    with claude.stream("Hello") as stream:
        exchange = stream._streams[-1]._response
        for value in (
            claude,
            claude.request("Hello"),
            stream,
            exchange,
            claude._session.transport,
            FixedToken(TOKEN),
        ):
            assert TOKEN not in f"{value!r} {value!s}"
    assert TOKEN not in repr(vars(claude.request("Hello").__class__))


def test_what_holds_a_token_is_not_pickled(claude_emulator):
    """Case 64: a pickle lands in caches and files."""
    claude = Claude(project="p", base_url=claude_emulator.base_url, access_token=TOKEN)
    for value in (FixedToken(TOKEN), ApplicationDefault(), claude, claude._session.transport):
        with pytest.raises(TypeError):
            pickle.dumps(value)


def test_a_request_and_a_reply_can_be_pickled_and_hold_no_token(claude_emulator):
    """Case 64: they are what gets stored."""
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    request = claude.request("Hello")
    reply = claude.ask("Hello")
    for value in (request, reply):
        assert pickle.loads(pickle.dumps(value)) == value
        assert b"Bearer" not in pickle.dumps(value)
    assert not {"authorization", "proxy-authorization"} & {name.lower() for name in request.headers}


KEY = "k3y-of-the-gateway"


@pytest.mark.parametrize("name", ["X-Gateway-Key", "x-api-key", "Cookie"])
def test_the_value_of_a_header_is_sent_and_printed_nowhere(claude_emulator, name):
    """Case 64: it may be a key. What this package writes itself can be read."""
    beta = "context-1m-2025-08-07"
    given = {"header": {name: KEY}, "label": {"team": "a"}, "beta": [beta]}
    claude = client(claude_emulator, access_token="emulator", **given)
    claude.ask("Hello")
    assert claude_emulator.requests[-1].headers[name.lower()] == KEY
    request, target = claude.request("Hello"), claude._session.target()
    shown = [request, request.headers, target, target.request_options, claude._session.settings(), claude]
    assert KEY not in "".join(f"{value!r} {value!s}" for value in shown)
    assert KEY not in repr(build_count_request(request, Catalog.load()))
    assert KEY not in repr(pickle.loads(pickle.dumps(request)))
    assert KEY not in curl_command(request)
    for known in ("application/json", beta, request.headers["X-Vertex-AI-Labels"]):
        assert known in repr(request)
        assert known in curl_command(request)


def test_a_dry_run_names_the_headers_and_shows_no_value_of_them(claude_emulator, monkeypatch):
    """Case 64: the page is saved with the notebook; that of a comparison too."""
    for each, value in claude_emulator.environment.items():
        monkeypatch.setenv(each, value)
    shell = loaded_shell(claude_emulator)
    for cell in ("%%claude --dry-run", "%%claude_compare -m haiku,opus --dry-run"):
        shell.ok(f"{cell} --header 'X-Gateway-Key: {KEY}'\nHello")
        page = json.dumps(shell.page.outputs)
        assert "X-Gateway-Key" in page
        assert KEY not in page


NO_HEADERS = [
    f"X-Gateway-Key: {KEY}",
    [f"X-Gateway-Key: {KEY}"],
    [("X-Gateway-Key", KEY)],
    KEY.encode(),
    {f"X-Gateway-Key: {KEY}"},
    {f"X-Gateway-Key: {KEY}": ""},
    {f"X-Gateway-Key={KEY}": "a"},
    {"X-Gateway-Key": [KEY]},
    {"X-Gateway-Key": KEY.encode()},
    {"X-Gateway-Key": f"{KEY}\n"},
]


@pytest.mark.parametrize("given", NO_HEADERS, ids=repr)
def test_what_is_given_for_headers_is_refused_without_being_quoted(given):
    """Case 64: whoever writes it in the wrong form has a key in it all the same."""
    with pytest.raises(errors.OptionError) as caught:
        Claude(project="p", header=given).request("Hello")
    assert "header" in caught.value.message
    assert KEY not in f"{caught.value} {caught.value.details}"


def test_an_odd_token_is_not_repeated(claude_emulator):
    """Cases 37 and 64: the error about it does not show it, nor do the frames that it passes."""
    odd = TOKEN + "\nX-Injected: 1"
    with pytest.raises(errors.CredentialsError) as caught:
        Claude(project="p", base_url=claude_emulator.base_url, access_token=odd).ask("Hello")
    assert TOKEN not in str(caught.value)
    stored = [
        frame.locals or {} for frame in shown_frames(caught.value) if "test" not in Path(frame.filename).name
    ]
    assert TOKEN not in repr(stored)


def shown_frames(error: BaseException) -> traceback.StackSummary:
    return traceback.TracebackException.from_exception(error, capture_locals=True).stack


def test_the_error_that_python_remembers_holds_no_token_either(claude_emulator):
    """Case 64: post-mortem tools walk the frames of the last error."""
    error = fails(claude_emulator, Fault(status=403), client(claude_emulator, access_token=TOKEN))
    trace, frames = error.__traceback__, []
    while trace is not None:
        frames.append(trace.tb_frame)
        trace = trace.tb_next
    inner = [frame for frame in frames if frame.f_code.co_filename != __file__]
    assert inner
    for frame in inner:
        for value in frame.f_locals.values():
            assert TOKEN not in repr(value)
            assert not (isinstance(value, dict) and "authorization" in value)
    assert sys.exc_info() == (None, None, None)


ELSEWHERE = [
    "http://aiplatform.googleapis.com/v1",
    "https://user:pass@aiplatform.googleapis.com/v1",
    "https://aiplatform.googleapis.com.evil.example/v1",
    "https://aiplatform.googleapis.com./v1",
    "https://evilgoogleapis.com/v1",
    "https://ɡoogleapis.com/v1",
    "http://127.0.0.1.evil.example/v1",
    "http://192.168.0.1/v1",
    "https://gateway.example/v1",
    "ftp://127.0.0.1/v1",
    "//aiplatform.googleapis.com/v1",
    "not a URL",
]


@pytest.mark.parametrize("place", ["argument", "environment", "option"])
@pytest.mark.parametrize("url", ELSEWHERE)
def test_a_token_goes_to_google_and_loopback_and_nowhere_else(monkeypatch, url, place):
    """Cases 40 and 41: wherever the address comes from, it is refused by name before credentials are looked up."""
    untouched = object()
    settings = {"base_url": url} if place == "argument" else {}
    if place == "environment":
        monkeypatch.setenv("ANTHROPIC_VERTEX_BASE_URL", url)
    claude = Claude(project="p", credentials=untouched, **settings)
    with pytest.raises(errors.UntrustedHost):
        claude.ask("Hello", **({"base_url": url} if place == "option" else {}))


def test_a_gateway_is_trusted_when_it_is_named_for_this_question_only():
    """Case 41: over https, and not for the next question."""
    claude = Claude(project="p", access_token=TOKEN, base_url="https://gateway.example/v1", policy=QUICK)
    with pytest.raises(errors.NetworkError, match=r"gateway.example was not found"):
        claude.ask("Hello", trusted_hosts=["gateway.example"])
    with pytest.raises(errors.UntrustedHost):
        claude.ask("Hello")
    with pytest.raises(errors.UntrustedHost):
        claude.ask("Hello", base_url="http://gateway.example/v1", trusted_hosts=["gateway.example"])


def test_a_redirect_never_sees_the_token(claude_emulator):
    """Case 40: not followed, so nothing arrives there."""
    with Emulator() as other:
        claude_emulator.fail(Fault(location=f"{other.base_url}/x", status=307))
        with pytest.raises(errors.NetworkError):
            client(claude_emulator, access_token=TOKEN).ask("Hello")
        assert other.requests == []


def test_cookies_are_not_kept(claude_emulator):
    """A proxy's cookie goes nowhere."""
    claude_emulator.fail(Fault(status=400, headers={"Set-Cookie": "session=1"}))
    claude = client(claude_emulator, access_token="emulator")
    with pytest.raises(errors.BadRequest):
        claude.ask("Hello")
    claude.ask("Hello")
    assert "cookie" not in claude_emulator.requests[1].headers


@pytest.mark.parametrize(
    "failure", [InvalidHeader("in value: ' s3cret'"), InvalidProxyURL("http://me:s3cret@[")], ids=repr
)
def test_a_setting_that_cannot_be_used_is_not_quoted(failure):
    """Case 64: a header's value or a proxy's password may be in the text of the library's exception."""
    error = network_error(failure, "host", 1)
    assert "s3cret" not in everything_about(error)
    assert error.details["cause"].startswith(type(failure).__name__)
