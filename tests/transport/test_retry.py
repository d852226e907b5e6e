"""When a request is sent again: the rules as tables, then the waits and the resends on a real socket."""

from __future__ import annotations

import ssl
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
import requests
import urllib3

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.transport.connection import may_send_again, network_error
from vertex_claude_magic.transport.retry import RetryPolicy, asked_wait, backoff, may_retry

QUICK = RetryPolicy(first_wait=0.001, longest_backoff=0.002, silence=10)
NOW = datetime(2026, 3, 29, 0, 59, 58, tzinfo=timezone.utc)
QUOTA = "Quota exceeded for aiplatform.googleapis.com/online_prediction_requests_per_base_model with base model: x."


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


WAITS = [
    ({}, None),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": "5"}, 5.0),
    ({"retry-after": " 5 "}, 5.0),
    ({"retry-after": "0.25"}, 0.25),
    ({"retry-after": "61"}, 61.0),
    ({"retry-after": "99999"}, 99999.0),
    ({"retry-after": "-1"}, None),
    ({"retry-after": "-0.5"}, None),
    ({"retry-after": "nan"}, None),
    ({"retry-after": "inf"}, None),
    ({"retry-after": "1e300"}, None),
    ({"retry-after": ""}, None),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "5 seconds"}, None),
    ({"retry-after": http_date(30)}, 30.0),
    ({"retry-after": http_date(7200)}, 7200.0),
    ({"retry-after": http_date(0)}, None),
    ({"retry-after": http_date(-1100)}, None),
    ({"retry-after": "Xyz, 32 Foo 2026 99:99:99 GMT"}, None),
    ({"retry-after": "Sun, 29 Mar 2026 01:00:03 +" + "9" * 30}, None),
    ({"retry-after": f"Sun, 29 Mar {'9' * 30} 01:00:03 GMT"}, None),
    ({"retry-after": "Sun, 29 Mar 2026 01:00:03"}, 5.0),
    ({"retry-after-ms": "250"}, 0.25),
    ({"retry-after-ms": "250", "retry-after": "5"}, 0.25),
    ({"retry-after-ms": "x", "retry-after": "5"}, 5.0),
    ({"retry-after-ms": "-1", "retry-after": "5"}, 5.0),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS, ids=[str(row[0]) for row in WAITS])
def test_the_wait_is_what_the_server_asks_for_if_that_makes_sense(headers, seconds):
    """Case 30: seconds, milliseconds or a date; anything else counts as nothing said."""
    assert asked_wait(headers, NOW) == seconds


def test_the_change_to_summer_time_does_not_change_a_wait():
    """Case 92: a date is compared in UTC, also across the hour that does not exist in Europe."""
    assert asked_wait({"retry-after": "Sun, 29 Mar 2026 02:00:03 +0100"}, NOW) == 5.0
    assert asked_wait({"retry-after": "Sun, 29 Mar 2026 03:00:03 +0200"}, NOW) == 5.0


BACKOFF = [(0, 0.0, 0.5), (1, 0.0, 1.0), (2, 0.0, 2.0), (4, 0.0, 8.0), (5, 0.0, 8.0), (40, 0.0, 8.0),
           (0, 1.0, 0.375), (9, 1.0, 6.0)]  # fmt: skip


@pytest.mark.parametrize(("attempt", "chance", "seconds"), BACKOFF)
def test_the_backoff_doubles_up_to_a_limit_and_varies_by_a_quarter(attempt, chance, seconds):
    """The official SDK's numbers: from 0.5 seconds to 8, minus up to 25 percent."""
    assert backoff(attempt, RetryPolicy(), lambda: chance) == seconds


PLAIN = errors.APIError("x", cure="y")
SPENT = errors.QuotaExceeded("x", cure="y")
RULES = [
    *[(status, {}, PLAIN, True) for status in (408, 409, 429, 500, 502, 503, 504, 510, 512, 529, 599)],
    *[(status, {}, PLAIN, False) for status in (400, 401, 402, 403, 404, 405, 410, 413, 422, 499)],
    (511, {}, PLAIN, False),  # a portal that wants a login, and not the service
    (503, {"x-should-retry": "false"}, PLAIN, False),
    (400, {"x-should-retry": "true"}, PLAIN, True),
    (400, {"x-should-retry": " TRUE "}, PLAIN, True),
    (503, {"x-should-retry": "perhaps"}, PLAIN, True),
    (429, {}, SPENT, False),
    (429, {"retry-after": "1"}, SPENT, True),
    (429, {"retry-after-ms": "10"}, SPENT, True),
    (429, {"x-should-retry": "true"}, SPENT, True),
]


@pytest.mark.parametrize(("status", "headers", "error", "again"), RULES)
def test_what_is_tried_again(status, headers, error, again):
    """Cases 29, 31, 33: the header decides first; a used-up quota waits only for a named time."""
    assert may_retry(status, headers, error) is again


def ask(emulator: Emulator, **options) -> tuple[object, list[str]]:
    """The reply or the error, and the notices that were shown."""
    notices: list[str] = []
    claude = Claude(
        project=emulator.project,
        base_url=emulator.base_url,
        access_token="emulator",
        policy=QUICK,
        model="haiku",
    )
    stream = claude.stream("Hello", notify=notices.append, **options)
    try:
        return stream.reply, notices
    except errors.ClaudeError as error:
        return error, notices


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_failure_is_followed_by_success(claude_emulator, status):
    """Case 32: the same body again, after a wait that is announced with its reason."""
    claude_emulator.fail(status, Fault(status=status, shape="anthropic"))
    reply, notices = ask(claude_emulator)
    assert reply.complete
    assert len({request.raw for request in claude_emulator.requests}) == 1
    assert len(claude_emulator.requests) == 3
    assert len(notices) == 2
    assert all(notice.startswith("retrying in 0.0 s (") and f", {status})" in notice for notice in notices)


def test_after_two_retries_the_error_is_told(claude_emulator):
    """Case 32: three requests, then the service's own words."""
    claude_emulator.fail(503, 503, Fault(status=503, message="still down"))
    error, notices = ask(claude_emulator)
    assert type(error) is errors.ServerError
    assert "still down" in str(error)
    assert (len(claude_emulator.requests), len(notices)) == (3, 2)


@pytest.mark.parametrize("status", [400, 403, 404, 413])
def test_what_waiting_does_not_cure_is_told_at_once(claude_emulator, status):
    """Case 29: one request, no notice."""
    claude_emulator.fail(status)
    error, notices = ask(claude_emulator)
    assert error.status == status
    assert (len(claude_emulator.requests), notices) == (1, [])


@pytest.mark.parametrize(("status", "said", "count"), [(503, "false", 1), (400, "true", 2)])
def test_the_server_decides_with_x_should_retry(claude_emulator, status, said, count):
    """Case 33, on the wire."""
    claude_emulator.fail(Fault(status=status, headers={"X-Should-Retry": said}))
    ask(claude_emulator)
    assert len(claude_emulator.requests) == count


def test_a_used_up_quota_stops_at_once_and_names_a_quota_of_zero(claude_emulator):
    """Case 31: the first call of a new project meets it."""
    claude_emulator.fail(Fault(status=429, message=QUOTA))
    error, notices = ask(claude_emulator)
    assert type(error) is errors.QuotaExceeded
    assert "quota is 0" in error.cure
    assert (len(claude_emulator.requests), notices) == (1, [])


@pytest.mark.parametrize("value", ["61", "99999", "1e9"])
def test_a_long_wait_is_told_and_not_sat_out(claude_emulator, value):
    """Case 30: above a minute the user decides."""
    claude_emulator.fail(Fault(status=429, headers={"Retry-After": value}))
    error, notices = ask(claude_emulator)
    assert f"asks to wait {float(value):,.0f} seconds" in error.cure
    assert (len(claude_emulator.requests), notices) == (1, [])


def test_a_wait_that_outlasts_the_deadline_is_not_begun(claude_emulator):
    """Case 30: 30 seconds do not fit into an answer's 10."""
    claude_emulator.fail(Fault(status=503, headers={"Retry-After": "30"}))
    error, _ = ask(claude_emulator, timeout=10)
    assert type(error) is errors.ServerError
    assert "30 seconds" in error.cure


def test_a_named_wait_is_announced_and_kept(claude_emulator):
    """Case 30: milliseconds win over seconds."""
    claude_emulator.fail(Fault(status=429, headers={"Retry-After": "50", "Retry-After-Ms": "120"}))
    reply, notices = ask(claude_emulator)
    assert notices == ["retrying in 0.1 s (RateLimited, 429)"]
    assert reply.seconds >= 0.12


def test_an_error_whose_body_breaks_off_keeps_its_status(claude_emulator):
    """What the status line said stands."""
    claude_emulator.fail(*[Fault(status=503, cut_after=10)] * 3)
    error, notices = ask(claude_emulator)
    assert (type(error), error.status, len(notices)) == (errors.ServerError, 503, 2)


POOL = urllib3.HTTPSConnectionPool("host")
FAILURES = [
    (requests.ConnectTimeout(), errors.DeadlineExceeded, "did not accept", False),
    (requests.ReadTimeout(), errors.DeadlineExceeded, "sent nothing for 7 seconds", False),
    (urllib3.exceptions.ReadTimeoutError(POOL, "/", "x"), errors.DeadlineExceeded, "sent nothing", False),
    (requests.exceptions.SSLError(ssl.SSLEOFError(8, "EOF")), errors.TLSError, "TLS connection", False),
    (ssl.SSLCertVerificationError(1, "bad"), errors.TLSError, "certificate", False),
    (OSError("Could not find a suitable TLS CA certificate bundle, invalid path: x"), errors.TLSError,
     "trusted certificates", False),
    (requests.exceptions.InvalidSchema("no adapter"), errors.NetworkError, "settings", False),
    (requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support."), errors.NetworkError, "SOCKS proxy", False),
    (requests.exceptions.InvalidProxyURL("?"), errors.NetworkError, "settings", False),
    (requests.exceptions.ProxyError(), errors.NetworkError, "proxy blocked", True),
    (requests.exceptions.ProxyError(urllib3.exceptions.ProxyError("Unable to connect to proxy", OSError(
        "Tunnel connection failed: 403 Forbidden"))), errors.NetworkError, "proxy blocked", True),
    (requests.exceptions.ProxyError(urllib3.exceptions.ProxyError("Unable to connect to proxy",
        urllib3.exceptions.NewConnectionError(POOL, "refused"))), errors.NetworkError, "was not reached", True),
    (requests.exceptions.ProxyError(urllib3.exceptions.ProxyError("Unable to connect to proxy",
        urllib3.exceptions.ConnectTimeoutError(POOL, "late"))), errors.NetworkError, "was not reached", True),
    (ConnectionResetError(104, "reset"), errors.NetworkError, "lost", True),
    (urllib3.exceptions.ProtocolError("gone", ConnectionAbortedError()), errors.NetworkError, "lost", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cause", "kind", "says", "again"),
    FAILURES,
    ids=[f"{type(row[0]).__name__}-{row[2]}" for row in FAILURES],
)
def test_every_failure_of_a_connection_has_a_kind_and_a_rule(cause, kind, says, again):
    """Case 34: typed, with the host, one line, and tried again only where that may help."""
    error = network_error(cause, "host.example", 7)
    assert type(error) is kind
    assert says in error.message
    assert error.cure
    assert may_send_again(cause) is again
    assert error.__cause__ is None
