"""Every fault that the emulator plays, as it is seen on the wire."""

from __future__ import annotations

import gzip
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from vertex_claude_magic.emulator import Emulator, Fault, Flood, Reply
from vertex_claude_magic.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "claude-sonnet-4-5@20250929"
BODY = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 1000,
    "stream": True,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def path(emulator: Emulator, verb: str = "streamRawPredict") -> str:
    return f"/v1/projects/{emulator.project}/locations/global/publishers/anthropic/models/{MODEL}:{verb}"


def ask(emulator: Emulator, **options: Any) -> requests.Response:
    headers = {"Authorization": "Bearer emulator"}
    url = emulator.origin + path(emulator)
    return requests.post(url, json=BODY, headers=headers, timeout=120, allow_redirects=False, **options)


def connect(emulator: Emulator) -> socket.socket:
    raw = json.dumps(BODY).encode()
    host = emulator.origin.removeprefix("http://")
    head = (
        f"POST {path(emulator)} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer emulator\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
    )
    connection = socket.create_connection(("127.0.0.1", int(host.split(":")[1])), timeout=120)
    connection.sendall(head.encode() + raw)
    return connection


def received(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the server has closed the connection"
    return data


def nothing_more(connection: socket.socket) -> None:
    connection.settimeout(0.1)
    with pytest.raises(TimeoutError):
        connection.recv(1)


def wire(emulator: Emulator) -> tuple[bytes, bytes]:
    """Head and body of one response, byte for byte, read until the server closes."""
    with connect(emulator) as connection:
        data = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def unchunked(body: bytes) -> tuple[list[bytes], bytes]:
    """The complete chunks of a body and what is left after them."""
    chunks: list[bytes] = []
    start = 0
    while (end := body.find(b"\r\n", start)) >= 0:
        length = int(body[start:end], 16)
        if length == 0 or end + 2 + length + 2 > len(body):
            break
        chunks.append(body[end + 2 : end + 2 + length])
        start = end + 2 + length + 2
    return chunks, body[start:]


SHAPES = [
    ("google", "application/json", lambda body: json.loads(body)["error"]["status"] == "UNAVAILABLE"),
    ("array", "application/json", lambda body: json.loads(body)[0]["error"]["code"] == 503),
    ("anthropic", "application/json", lambda body: json.loads(body)["error"]["type"] == "api_error"),
    ("text", "text/plain", lambda body: body == b"The emulator was set to answer 503."),
    ("html", "text/html", lambda body: body.startswith(b"<!DOCTYPE html>")),
    ("empty", "application/json", lambda body: body == b""),
]


@pytest.mark.parametrize(("shape", "content_type", "holds"), SHAPES, ids=[row[0] for row in SHAPES])
def test_a_status_comes_in_every_shape_of_body(emulator, shape, content_type, holds):
    emulator.fail(Fault(status=503, shape=shape, headers={"Retry-After": "7", "x-should-retry": "false"}))
    response = ask(emulator)
    assert response.status_code == 503
    assert response.headers["Content-Type"].startswith(content_type)
    assert (response.headers["Retry-After"], response.headers["x-should-retry"]) == ("7", "false")
    assert holds(response.content)


def test_a_bare_number_is_a_status_and_faults_are_used_up_in_order(emulator):
    emulator.fail(529, 429)
    assert [ask(emulator).status_code for _ in range(3)] == [529, 429, 200]


def test_a_status_does_not_use_up_the_queued_reply(emulator):
    emulator.answer("still here")
    emulator.fail(500)
    assert ask(emulator).status_code == 500
    assert "still" in ask(emulator).text


def test_an_error_can_name_its_reason_and_text(emulator):
    emulator.fail(
        Fault(
            status=403,
            reason="SERVICE_DISABLED",
            message="Vertex AI API has not been used in project 1 before",
        )
    )
    error = ask(emulator).json()["error"]
    assert error["details"][0]["reason"] == "SERVICE_DISABLED"
    assert error["message"].startswith("Vertex AI API has not been used")


def test_an_error_can_have_any_body(emulator):
    emulator.fail(Fault(status=400, body=b"\xff\x00 odd", content_type="application/octet-stream"))
    assert ask(emulator).content == b"\xff\x00 odd"


def test_a_redirect_names_its_target(emulator):
    emulator.fail(Fault(location="https://login.example.com/"))
    response = ask(emulator)
    assert (response.status_code, response.headers["Location"]) == (302, "https://login.example.com/")


def test_a_dropped_connection_ends_before_the_status_line(emulator):
    emulator.fail(Fault(drop=True))
    assert wire(emulator) == (b"", b"")


def test_raw_bytes_are_all_that_is_on_the_wire(emulator):
    emulator.fail(Fault(raw=b"HTTP/1.1 200 Fine\r\n\r\nnot much"))
    assert wire(emulator) == (b"HTTP/1.1 200 Fine", b"not much")


def test_a_whole_answer_is_one_chunk_an_event_and_ends_cleanly(emulator):
    head, body = wire(emulator)
    chunks, rest = unchunked(body)
    assert b"Transfer-Encoding: chunked" in head
    assert rest == b"0\r\n\r\n"
    assert all(chunk.startswith(b"event: ") and chunk.endswith(b"\n\n") for chunk in chunks)
    assert chunks[-1].startswith(b"event: message_stop")


@pytest.mark.parametrize("after", [0, 1, 150])
def test_a_cut_ends_after_so_many_bytes_without_the_last_chunk(emulator, after):
    emulator.fail(Fault(cut_after=after))
    chunks, rest = unchunked(wire(emulator)[1])
    assert len(b"".join(chunks)) == after
    assert rest == b""


def test_a_cut_can_end_inside_a_chunk(emulator):
    emulator.fail(Fault(cut_after=150, ending="chunk"))
    chunks, rest = unchunked(wire(emulator)[1])
    assert len(b"".join(chunks)) == 150
    assert rest == b"1000\r\n"


def test_a_cut_can_be_a_clean_end_of_the_body_without_message_stop(emulator):
    emulator.fail(Fault(cut_after=150, ending="end"))
    response = ask(emulator)
    assert len(response.content) == 150
    assert b"message_stop" not in response.content


def test_a_cut_can_be_a_reset(emulator):
    emulator.fail(Fault(cut_after=150, ending="reset"))
    with connect(emulator) as connection, pytest.raises(ConnectionResetError):
        list(iter(lambda: connection.recv(65536), b""))


def test_a_unary_answer_is_cut_short_of_its_stated_length(emulator):
    emulator.fail(Fault(status=500, cut_after=10))
    head, body = wire(emulator)
    assert len(body) == 10
    assert b"Content-Length: 10" not in head


def test_a_stall_sends_so_many_bytes_and_then_nothing_until_the_client_leaves(emulator):
    emulator.fail(Fault(stall_after=150))
    with connect(emulator) as connection:
        arrived = b""
        while len(body := b"".join(unchunked(arrived.partition(b"\r\n\r\n")[2])[0])) < 150:
            arrived += received(connection)
        nothing_more(connection)
    assert len(body) == 150


@pytest.mark.parametrize("after", [0, 150, 10**9])
def test_a_stall_may_pass(emulator, after):
    emulator.fail(Fault(stall_after=after, stall_seconds=0.01))
    assert "message_stop" in ask(emulator).text


def test_split_sends_chunks_of_one_byte(emulator):
    emulator.answer("hé")
    emulator.fail(Fault(split=1))
    chunks, rest = unchunked(wire(emulator)[1])
    assert {len(chunk) for chunk in chunks} == {1}
    assert "hé".encode() in b"".join(chunks)
    assert rest == b"0\r\n\r\n"


def test_merge_sends_the_body_in_one_piece(emulator):
    emulator.fail(Fault(merge=True))
    chunks, _ = unchunked(wire(emulator)[1])
    assert len(chunks) == 1


def test_a_drip_comes_in_pieces_with_time_between(emulator):
    emulator.answer("x")
    emulator.fail(Fault(drip=0.01, split=200))
    begun = time.monotonic()
    chunks, _ = unchunked(wire(emulator)[1])
    assert len(chunks) > 5
    assert time.monotonic() - begun >= 0.01 * (len(chunks) - 1)


def test_a_delay_comes_before_the_headers(emulator):
    emulator.fail(Fault(delay=3600))
    with connect(emulator) as connection:
        nothing_more(connection)


def test_a_delay_may_come_between_the_headers_and_the_first_event(emulator):
    emulator.fail(Fault(first_event_delay=3600))
    with connect(emulator) as connection:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += received(connection)
        nothing_more(connection)
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert head.count(b"\r\n\r\n") == 1


def test_delays_pass(emulator):
    emulator.fail(Fault(delay=0.05, first_event_delay=0.05))
    begun = time.monotonic()
    assert "message_stop" in ask(emulator).text
    assert time.monotonic() - begun >= 0.1


def test_an_error_event_comes_after_so_many_events(emulator):
    emulator.fail(Fault(error_after=4, error_type="api_error", message="broken"))
    events = ask(emulator).text.strip().split("\n\n")
    assert len(events) == 5
    assert json.loads(events[-1].partition("data: ")[2]) == {
        "type": "error",
        "error": {"type": "api_error", "message": "broken"},
    }


def test_gzip_is_readable_event_by_event(emulator):
    emulator.fail(Fault(gzip=True))
    head, body = wire(emulator)
    chunks, _ = unchunked(body)
    assert b"Content-Encoding: gzip" in head
    assert len(chunks) > 4
    assert b"message_stop" in gzip.decompress(b"".join(chunks))


def test_http_1_0_ends_with_the_connection(emulator):
    emulator.fail(Fault(http10=True))
    head, body = wire(emulator)
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert b"chunked" not in head
    assert body.startswith(b"event: message_start")
    assert body.endswith(b'{"type": "message_stop"}\n\n')


def test_the_content_type_can_be_wrong(emulator):
    emulator.fail(Fault(content_type="text/html"))
    assert ask(emulator).headers["Content-Type"] == "text/html"


def test_a_reply_can_bring_its_own_fault(emulator):
    emulator.answer(
        Reply(content="half of this", fault=Fault(cut_after=700, ending="end")), Fault(status=500)
    )
    assert "message_stop" not in ask(emulator).text
    assert ask(emulator).status_code == 500


def test_a_flood_sends_every_delta_at_once(emulator):
    emulator.answer(Flood(count=20_000, text="é "))
    chunks, rest = unchunked(wire(emulator)[1])
    assert sum("é ".encode() in chunk for chunk in chunks) == 20_000
    assert rest == b"0\r\n\r\n"


def test_a_flood_keeps_its_pace(emulator):
    emulator.answer(Flood(count=500, per_second=5000))
    begun = time.monotonic()
    chunks, _ = unchunked(wire(emulator)[1])
    assert len(chunks) > 5
    assert time.monotonic() - begun >= 0.09


def test_a_fault_with_an_unknown_field_in_a_script_is_refused(emulator, tmp_path):
    script = tmp_path / "script.json"
    script.write_text('[{"fault": {"explode": true}}]')
    with pytest.raises(OptionError, match="explode"):
        Emulator(script=script)


def test_close_ends_a_stalled_answer(emulator):
    emulator.fail(Fault(stall_after=0))
    with connect(emulator) as connection:
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
        emulator.close()
        assert connection.recv(65536) == b""
