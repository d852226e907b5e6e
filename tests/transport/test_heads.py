"""Heads of answers: ours reads ordinary ones at once, and whatever comes, the result is that of `http.client`."""

from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vertex_claude_magic.transport.connection import Response, make_session, prepared

FRAMED = b"Content-Length: 2\r\n"


class Socket:
    """A socket from which an answer comes, in pieces of so many bytes."""

    def __init__(self, data: bytes, piece: int) -> None:
        self.left, self.piece = data, piece

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(Raw(self))


class Raw(io.RawIOBase):
    def __init__(self, sock: Socket) -> None:
        self.sock = sock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        piece = self.sock.left[: min(self.sock.piece, len(buffer))]
        self.sock.left = self.sock.left[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


def read(kind: type[HTTPResponse], data: bytes, *, piece: int = 8192, method: str = "POST") -> list[object]:
    """Return all that is known of an answer, or what it fails with."""
    response = kind(Socket(data, piece), method=method)
    try:
        response.begin()
        response.begin()
    except (HTTPException, ValueError) as failure:
        return [type(failure), str(failure)]
    message = response.msg
    parts = message.get_payload()
    found = [response.status, response.code, response.reason, response.version, message.items(),
             [part.items() for part in parts] if message.is_multipart() else parts, [type(defect) for defect in message.defects], message.get_unixfrom(),
             response.headers is message, response.chunked, response.length, response.will_close,
             response.isclosed()]  # fmt: skip
    try:
        found.append(response.read())
    except (HTTPException, ValueError) as failure:
        found += [type(failure), str(failure)]
    return [*found, response.isclosed()]


ORDINARY = [
    b"HTTP/1.1 200 OK\r\nDate: Mon, 30 Nov 2026 04:00:00 GMT\r\nServer: x\r\nContent-Length: 2\r\n\r\nhi and more",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-type: text/event-stream\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nX:\r\nY: \t \r\nZ:a \t\r\nx: b:c\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 599 \r\nContent-Length:0\r\nContent-Type: application/json; charset=utf-8\r\n\r\n",
]  # fmt: skip
STRANGE = [
    # The first line.
    b"", b"\r\n", b"\r\n\r\n", b"HTTP/1.1", b"HTTP/1.1 200", b"HTTP/1.1 200\r\n" + FRAMED + b"\r\nhi",
    b"HTTP/1.1  200  OK  \r\n" + FRAMED + b"\r\nhi", b"HTTP/1.1 200 OK\n" + FRAMED + b"\n\nhi",
    b"HTTP/1.0 200 OK\r\n" + FRAMED + b"\r\nhi", b"HTTP/1.7 200 OK\r\n" + FRAMED + b"\r\nhi",
    b"HTTP/0.9 200 OK\r\n\r\nhi", b"HTTP/2.0 200 OK\r\n" + FRAMED + b"\r\nhi", b"ICY 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 -20 OK\r\n\r\n", b"HTTP/1.1 x OK\r\n\r\n",
    b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK\r\n\r\n", b"HTTP/1.1 200 \xff\xfe\r\n" + FRAMED + b"\r\nhi",
    b"HTTP/1.1 700 OK\r\n" + FRAMED + b"\r\nhi", b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n" + FRAMED + b"\r\nhi",
    b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n" + FRAMED + b"\r\nhi",
    b"HTTP/1.1 204 No Content\r\n" + FRAMED + b"\r\nhi", b"HTTP/1.1 304 Not Modified\r\n" + FRAMED + b"\r\nhi",
    b"HTTP/1.1 200 OK\r\n\r\nhi", b"HTTP/1.1 200 OK\r\n" + FRAMED, b"HTTP/1.1 200 OK\r\n" + FRAMED + b"\r",
    *(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nhi" for fields in (
        # Framing.
        b"Connection: close\r\n" + FRAMED, b"Connection: keep-alive\r\n" + FRAMED, b"Connection: close\r\n",
        b"Content-Length: -2\r\n", b"Content-Length: +2\r\n", b"Content-Length: 2 \r\n", b"Content-Length: 2, 2\r\n",
        b"Content-Length: x\r\n", b"Content-Length:\r\n", b"Content-Length: 1_0\r\n", b"Content-Length: \xb2\r\n",
        b"Content-Length: " + b"9" * 5000 + b"\r\n", b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: Chunked\r\n",
        b"Transfer-Encoding: chunked \r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding\x00: chunked\r\n" + FRAMED,
        b"Transfer-Encoding : chunked\r\n" + FRAMED, b" Transfer-Encoding: chunked\r\n" + FRAMED,
        b"\xffTransfer-Encoding: chunked\r\n" + FRAMED, b"Content_Length: 9\r\n" + FRAMED,
        # Fields.
        FRAMED + b"A: b\r\n c\r\n", FRAMED + b"A: b\r\n\tc: d\r\n", b" A: b\r\n" + FRAMED, FRAMED + b"A\r\n",
        FRAMED + b": b\r\n", FRAMED + b"A b: c\r\n", FRAMED + b"A: b\nC: d\r\n", FRAMED + b"A: b\rC: d\r\n",
        FRAMED + b"A: \x00\r\n", FRAMED + b"A: \x1b[0m\r\n", FRAMED + b"A: \xe4\xf6\r\n", FRAMED + b"A: \x85B: c\r\n",
        FRAMED + b"A: \x0b\x0c\x1c\r\n", FRAMED + b"From a: b\r\n", b"From a: b\r\n" + FRAMED, b"A: b\r\r\n" + FRAMED,
        FRAMED + b"Content-Type: multipart/mixed; boundary=x\r\n", FRAMED + b"content-type: message/rfc822\r\n",
        FRAMED + b"Content-Type: \tMESSAGE/delivery-status\r\n", FRAMED + b"Content-Type: multipart\r\n",
        FRAMED + b"A: b\r\n" * 97, FRAMED + b"A: b\r\n" * 98, FRAMED + b"A: b\r\n" * 99, FRAMED + b"A: b\r\n" * 3000,
        FRAMED + b"A: " + b"x" * 65_530 + b"\r\n", FRAMED + b"A: " + b"x" * 65_540 + b"\r\n",
    )),
]  # fmt: skip


@pytest.mark.parametrize("data", ORDINARY)
def test_an_ordinary_head_is_read_at_once(data):
    """As `http.client` would read it, and without a read of a line."""
    assert read(Response, data) == read(HTTPResponse, data)

    class Whole(Response):
        def _read_status(self) -> tuple[str, int, str]:
            raise AssertionError("read line by line")

    assert read(Whole, data) == read(HTTPResponse, data)


@pytest.mark.parametrize("piece", [1, 8192])
@pytest.mark.parametrize("data", [*ORDINARY, *STRANGE])
def test_a_head_means_what_it_means_to_the_standard_library(data, piece):
    """Framing that two readers understand differently would let a server put one answer into another (RFC 9112, 11)."""
    for method in ("POST", "HEAD"):
        assert read(Response, data, piece=piece, method=method) == read(
            HTTPResponse, data, piece=piece, method=method
        )


PIECES = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 ", b"200", b"Content-Length", b"Transfer-Encoding", b"chunked", b": ", b":", b" ", b"\t",
     b"2", b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"A", b"Content-Type: multipart/x", b"Connection: close", b"\x00", b"\xff"]
)  # fmt: skip


@given(st.lists(PIECES | st.binary(max_size=3), max_size=24).map(b"".join), st.booleans())
@example(b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n", True)
def test_any_bytes_mean_what_they_mean_to_the_standard_library(data, begun):
    data = b"HTTP/1.1 200 OK\r\n" + data if begun else data
    assert read(Response, data) == read(HTTPResponse, data)


@given(st.permutations([b"A: b\r\n", b"a: c\r\n", b"X-Y: \t z \r\n", FRAMED, b"Server: s\r\n"]))
def test_the_order_of_fields_stays(fields):
    data = b"".join([b"HTTP/1.1 200 OK\r\n", *fields, b"\r\nhi"])
    assert read(Response, data) == read(HTTPResponse, data)


class Taking:
    """The socket of a connection that notes what is sent at once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.sent.append(data)

    def settimeout(self, seconds: object) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("size", "pieces"), [(2, 1), (16_384, 1), (16_385, 2), (0, 1)])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_short_question_goes_out_in_one_piece(scheme, size, pieces):
    """One packet, or one record of TLS; a long one is not copied for that."""
    payload, sock = b"x" * size, Taking()
    with make_session(loopback=True) as session:
        request = prepared("POST" if size else "GET", f"{scheme}://127.0.0.1/v1", {"x-a": "b"}, payload)
        pool = session.get_adapter(request.url).get_connection_with_tls_context(request, True)
        connection = pool.ConnectionCls("127.0.0.1")
        connection.sock = sock
        with pytest.raises(ValueError, match="header"):
            connection.request("POST", "/v1", body=payload, headers={"x-a": "b\nc"})
        assert not sock.sent
        connection.close()
        connection.sock = sock
        connection.request(request.method, "/v1", body=request.body, headers=request.headers)
    assert len(sock.sent) == pieces
    head, _, body = b"".join(sock.sent).partition(b"\r\n\r\n")
    assert b"\r\nx-a: b" in head
    assert body == payload
