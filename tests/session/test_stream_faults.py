"""Every way a stream can go wrong, through a real socket: the error's kind, the partial reply, no second request."""

from __future__ import annotations

import re

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator, Fault
from vertex_claude_magic.transport.retry import RetryPolicy

QUICK = RetryPolicy(first_wait=0.001, longest_backoff=0.002, silence=20)
IMPATIENT = RetryPolicy(silence=0.5)
# In the frame of a text answer, message_start and content_block_start are over by then, message_stop is not.
MIDDLE = 900
LONG = "Once upon a time. " * 40


def client(emulator: Emulator, **options) -> Claude:
    return Claude(
        project=emulator.project,
        base_url=emulator.base_url,
        access_token="emulator",
        model="claude-sonnet-4-5@20250929",
        **{"policy": QUICK, **options},
    )


def failure(
    emulator: Emulator, kind: type[errors.ClaudeError], policy: RetryPolicy = QUICK, **options
) -> errors.ClaudeError:
    with pytest.raises(kind) as caught:
        client(emulator, policy=policy).ask("Hello", **options)
    return caught.value


def sse(*events: str) -> bytes:
    return "".join(f"data: {event}\n\n" for event in events).encode()


START = '{"type": "message_start", "message": {"id": "m", "model": "claude-x", "usage": {"input_tokens": 3}}}'
BLOCK = '{"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}'
DELTA = '{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}'
STOP = '{"type": "message_stop"}'
BEGUN = sse(START, BLOCK, DELTA)

BROKEN = [
    ("a clean end without message_stop (case 8)", Fault(cut_after=MIDDLE, ending="end")),
    ("a close without the last chunk (case 9)", Fault(cut_after=MIDDLE, ending="close")),
    ("a close inside a chunk (case 9)", Fault(cut_after=MIDDLE, ending="chunk")),
    ("a reset (case 9)", Fault(cut_after=MIDDLE, ending="reset")),
    ("an HTTP/1.0 body that ends early (case 20)", Fault(cut_after=MIDDLE, http10=True)),
    ("a compressed body that ends early (case 20)", Fault(cut_after=500, gzip=True)),
]


@pytest.mark.parametrize("fault", [row[1] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_reply_that_breaks_off_is_an_error_that_keeps_what_had_arrived(claude_emulator, fault):
    """Never a success, never sent again, and the text so far is on the error."""
    claude_emulator.answer(LONG)
    claude_emulator.fail(fault)
    error = failure(claude_emulator, errors.StreamInterrupted)
    assert error.reply is not None
    assert not error.reply.complete
    assert error.reply.text
    assert LONG.startswith(error.reply.text)
    assert len(claude_emulator.requests) == 1
    # What raised it inside of Python tells a user nothing.
    assert not re.search(r"[A-Z]\w+(Error|Read|Length)\b|\(\)", error.message)


@pytest.mark.parametrize("after", [0, 1, 150])
def test_a_reply_that_breaks_off_before_its_first_word_has_no_partial_reply(claude_emulator, after):
    """The headers had come, so the prompt is not sent a second time."""
    claude_emulator.fail(Fault(cut_after=after))
    assert failure(claude_emulator, errors.StreamInterrupted).reply is None
    assert len(claude_emulator.requests) == 1


def test_the_cause_of_a_broken_connection_is_kept(claude_emulator):
    """Case 9: the operating system's own word is in the details."""
    claude_emulator.answer(LONG)
    claude_emulator.fail(Fault(cut_after=MIDDLE, ending="reset"))
    error = failure(claude_emulator, errors.StreamInterrupted)
    assert "ConnectionResetError" in error.details["cause"]
    assert "the connection broke (Connection reset by peer)." in error.message


def test_a_silent_server_is_named_with_the_limit(claude_emulator):
    """Case 10: the read timeout is ours, says how long it waited, and keeps the partial reply."""
    claude_emulator.answer(LONG)
    claude_emulator.fail(Fault(stall_after=MIDDLE))
    error = failure(claude_emulator, errors.DeadlineExceeded, IMPATIENT)
    assert "sent nothing for 0.5 seconds" in str(error)
    assert error.reply is not None
    assert error.reply.text
    assert len(claude_emulator.requests) == 1


def test_a_server_that_is_silent_before_its_status_line_is_not_asked_again(claude_emulator):
    """Case 10: it may be working on the answer already."""
    claude_emulator.fail(Fault(delay=5))
    assert failure(claude_emulator, errors.DeadlineExceeded, IMPATIENT).reply is None
    assert len(claude_emulator.requests) == 1


def test_pings_reset_the_silence_timer(claude_emulator):
    """Case 10: pings and text that take longer than the patience of half a second, never silent as long."""
    claude_emulator.answer(sse(*['{"type": "ping"}'] * 5) + BEGUN + sse(STOP))
    claude_emulator.fail(Fault(drip=0.1, split=60))
    reply = client(claude_emulator, policy=IMPATIENT).ask("Hello")
    assert reply.text == "half"
    assert reply.seconds > IMPATIENT.silence


@pytest.mark.parametrize("no_stream", [False, True], ids=["streamed", "whole"])
def test_the_deadline_holds_against_a_drip(claude_emulator, no_stream):
    """Case 11: bytes that keep coming do not stretch the time for the whole answer."""
    claude_emulator.fail(Fault(drip=0.02))
    error = failure(claude_emulator, errors.DeadlineExceeded, timeout=0.3, no_stream=no_stream)
    assert "0.3 seconds" in str(error)
    assert isinstance(error, TimeoutError)


def test_the_deadline_holds_for_counting_tokens_too(claude_emulator):
    """Case 11, for the short answer of the counting call."""
    claude_emulator.fail(Fault(drip=0.05))
    with pytest.raises(errors.DeadlineExceeded):
        client(claude_emulator).count("Hello", timeout=0.2)


ERROR_EVENTS = [
    ("overloaded_error", errors.Overloaded, 529),
    ("api_error", errors.ServerError, 500),
    ("timeout_error", errors.ServerError, 504),
    ("invalid_request_error", errors.BadRequest, 400),
    ("authentication_error", errors.AuthenticationFailed, 401),
    ("permission_error", errors.PermissionDenied, 403),
    ("not_found_error", errors.ModelNotFound, 404),
    ("request_too_large", errors.RequestTooLarge, 413),
    ("rate_limit_error", errors.RateLimited, 429),
    ("billing_error", errors.APIError, 402),
    ("a_new_kind_of_error", errors.ServerError, 500),
]


@pytest.mark.parametrize(("kind", "expected", "status"), ERROR_EVENTS, ids=[row[0] for row in ERROR_EVENTS])
def test_an_error_event_is_typed_by_its_type(claude_emulator, kind, expected, status):
    """Case 12: not by the status 200 that came with the headers; the partial reply is kept."""
    claude_emulator.answer(LONG)
    claude_emulator.fail(Fault(error_after=5, error_type=kind, message="so it is"))
    error = failure(claude_emulator, errors.APIError)
    assert type(error) is expected
    assert (error.status, error.details["type"], error.details["message"]) == (status, kind, "so it is")
    assert error.reply is not None
    assert error.reply.text
    assert len(claude_emulator.requests) == 1


MALFORMED = [
    ("JSON cut short", b'data: {"type": "content_block_delta", \n\n'),
    ("a bare word", b"data: hello\n\n"),
    ("an array", b"data: []\n\n"),
    ("null", b"data: null\n\n"),
    ("invalid UTF-8", b'data: {"type": "ping\xff"}\n\n'),
    ("nested too deeply", b"data: " + b"[" * 100_000 + b"\n\n"),
    ("an event of 40 MB (case 13)", b"data: " + b"x" * 40_000_000 + b"\n\n"),
]


@pytest.mark.parametrize("tail", [row[1] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_what_is_not_an_event_is_a_protocol_error(claude_emulator, tail):
    """Case 13: typed, one line, and what had arrived before is kept."""
    claude_emulator.answer(BEGUN + tail + sse(STOP))
    error = failure(claude_emulator, errors.ProtocolError)
    assert len(str(error)) < 600
    assert len(claude_emulator.requests) == 1
    assert error.reply is not None
    assert error.reply.text == "half"


STRANGE = [
    ("an empty 200", "text/plain", b"", "nothing"),
    ("a web page", "text/html; charset=utf-8", b"<html><b>Log in</b>\x1b[31m</html>", "<html><b>Log in</b>"),
    ("JSON instead of a stream", "application/json", b'{"content": []}', "content"),
    ("bytes", "application/octet-stream", b"\xff\x00\xfe", "octet-stream"),
    ("a long page", "text/html", b"<p>" + b"x" * 5_000_000, "<p>xxx"),
]


@pytest.mark.parametrize(
    ("content_type", "body", "shown"), [row[1:] for row in STRANGE], ids=[row[0] for row in STRANGE]
)
def test_a_200_that_is_no_stream_is_shown_by_its_type_and_first_characters(
    claude_emulator, content_type, body, shown
):
    """Case 14: escaped, at most 200 characters of it."""
    claude_emulator.answer(body)
    claude_emulator.fail(Fault(content_type=content_type))
    error = failure(claude_emulator, errors.ProtocolError)
    assert shown in str(error)
    assert content_type.partition(";")[0] in str(error)
    assert "\x1b" not in str(error)
    assert len(str(error)) < 500
    assert "proxy" in error.cure


def test_an_event_stream_without_events_is_interrupted(claude_emulator):
    """Case 14: an empty body of the right type is no answer either."""
    claude_emulator.answer(b"")
    failure(claude_emulator, errors.StreamInterrupted)


@pytest.mark.parametrize("no_stream", [False, True], ids=["streamed", "whole"])
def test_a_redirect_to_a_login_page_is_not_followed(claude_emulator, no_stream):
    """Case 19: the error says where it leads and what that may mean."""
    claude_emulator.fail(Fault(location=f"{claude_emulator.origin}/login"))
    error = failure(claude_emulator, errors.NetworkError, no_stream=no_stream)
    assert "/login" in str(error)
    assert "login page" in error.cure
    assert error.status == 302
    assert len(claude_emulator.requests) == 1


WHOLE = [
    ("one byte a chunk", Fault(split=1)),
    ("all in one chunk", Fault(merge=True)),
    ("gzip (case 20)", Fault(gzip=True)),
    ("gzip, one byte a chunk (case 20)", Fault(gzip=True, split=1)),
    ("HTTP/1.0 (case 20)", Fault(http10=True)),
    ("a type without a charset", Fault(content_type="text/event-stream")),
    ("a stall that passes", Fault(stall_after=MIDDLE, stall_seconds=0.05)),
    ("late headers", Fault(delay=0.05, first_event_delay=0.05)),
]


@pytest.mark.parametrize("fault", [row[1] for row in WHOLE], ids=[row[0] for row in WHOLE])
def test_odd_framing_does_not_change_the_answer(claude_emulator, fault):
    """Cases 2, 4, 20: the same text, whatever the chunks, the compression and the version of HTTP."""
    text = "Größe 🙂 \u2028 \x85 end. " * 20
    claude_emulator.answer(text)
    claude_emulator.fail(fault)
    reply = client(claude_emulator).ask("Hello")
    assert (reply.text, reply.complete) == (text, True)


def test_gzip_and_http_1_0_stream_event_by_event(claude_emulator):
    """Case 20: the first text is there while the server holds the rest back."""
    for fault in (Fault(gzip=True, stall_after=600), Fault(http10=True, stall_after=MIDDLE)):
        claude_emulator.answer(LONG)
        claude_emulator.fail(fault)
        with client(claude_emulator).stream("Hello") as stream:
            assert next(event.text for event in stream if event.text)
            assert not stream.done


def test_a_whole_answer_that_is_cut_is_an_error(claude_emulator):
    """A unary body shorter than its stated length is never a success."""
    claude_emulator.answer(LONG)
    claude_emulator.fail(Fault(cut_after=200))
    failure(claude_emulator, errors.StreamError, no_stream=True)
    assert len(claude_emulator.requests) == 1


# The last two are more than a socket takes: one is refused, of the other 0.2 seconds are left (CPython 3.11).
@pytest.mark.parametrize("timeout", [600.0, 1e10, 2**32 / 1000 + 0.2], ids=str)
def test_a_whole_answer_may_take_longer_than_the_silence_between_events(claude_emulator, timeout):
    """A unary answer is silent until it is whole; only the deadline bounds it."""
    claude_emulator.answer("late")
    claude_emulator.fail(Fault(first_event_delay=0.7))
    claude = client(claude_emulator, policy=IMPATIENT, timeout=timeout)
    assert claude.ask("Hello", no_stream=True).text == "late"
