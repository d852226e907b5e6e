"""TLS, proxies and .netrc: what the surroundings of the user may change about a request, and what they may not."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tls import BODY, GOOGLE, answer_tls, make_certificate, received, serving

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.transport.retry import RetryPolicy

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

ONCE = RetryPolicy(retries=0)


def client(base_url: str | None = None, **options) -> Claude:
    settings = {"project": "p", "model": "haiku", "access_token": "t", "policy": ONCE, **options}
    return Claude(base_url=base_url, **settings)


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A certificate for this machine and for Google's host that nobody has signed."""
    return make_certificate(tmp_path)


def test_a_certificate_that_nobody_signed_is_a_tls_error_and_never_tried_again(certificate):
    """Case 34: the token is not sent, and the cure names the company's own CA file."""
    notices: list[str] = []
    seen: list[bytes] = []
    with serving(lambda connection: answer_tls(connection, certificate, seen)) as port:
        stream = client(f"https://127.0.0.1:{port}/v1", policy=RetryPolicy()).stream(
            "Hello", notify=notices.append
        )
        with pytest.raises(errors.TLSError, match="certificate") as caught:
            stream.reply  # noqa: B018 - reading it is the test
    assert "REQUESTS_CA_BUNDLE" in caught.value.cure
    assert (notices, seen) == ([], [])


def test_plain_http_behind_an_https_address_is_a_tls_error():
    """Case 34: it is not called a bad certificate, because there was none."""
    with (
        serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port,
        pytest.raises(errors.TLSError, match="TLS connection") as caught,
    ):
        client(f"https://127.0.0.1:{port}/v1").ask("Hello")
    assert "certificate" not in caught.value.message


def test_a_file_of_certificates_that_does_not_exist_is_named(monkeypatch, tmp_path):
    """Case 34: the setting is wrong, not the host."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(errors.TLSError, match="trusted certificates") as caught:
        client().ask("Hello")
    assert "REQUESTS_CA_BUNDLE" in caught.value.cure


def test_a_company_proxy_with_its_own_certificate_is_passed_and_the_netrc_file_is_not_asked(
    certificate, monkeypatch, home
):
    """Cases 34 and 39: proxy and CA file of the surroundings hold for Google, and the token is still ours."""
    for name in (".netrc", "_netrc"):
        (home / name).write_text(f"machine {GOOGLE} login a password b\ndefault login c password d\n")
        (home / name).chmod(0o600)
    seen: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        seen.append(received(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        answer_tls(connection, certificate, seen)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(proxy) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        claude = client(access_token="ours")
        assert claude.ask("Hello").text == "yes"
        claude.close()
    tunnel, request = seen
    assert tunnel.startswith(f"CONNECT {GOOGLE}:443".encode())
    assert b"ours" not in tunnel
    assert b"authorization: Bearer ours" in request


def test_a_proxy_stands_before_every_other_host(monkeypatch):
    """Case 34: the settings of the surroundings hold for real calls, and a dead proxy is named."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(errors.NetworkError, match=r"The proxy on the way to \S+ was not reached") as caught:
        client().ask("Hello")
    assert "NO_PROXY" in caught.value.cure


@pytest.mark.skipif(find_spec("socks") is not None, reason="PySocks is installed")
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4"])
def test_a_socks_proxy_without_its_package_names_the_package(monkeypatch, variable, scheme):
    """The address may be right, and requests takes it once PySocks is there."""
    monkeypatch.setenv(variable, f"{scheme}://user:s3cret@127.0.0.1:9")
    with pytest.raises(
        errors.NetworkError, match="needs a SOCKS proxy, and PySocks is not installed"
    ) as caught:
        client().ask("Hello")
    assert caught.value.cure == 'Run: pip install "requests[socks]"'
    assert "s3cret" not in f"{caught.value!r} {caught.value.details}"


@pytest.mark.parametrize(
    ("proxy", "base_url"),
    [
        ("http://user:s3cret@[bad", None),
        ("http://user:s3cret@host:port", None),
        ("http://user:s3cret@proxy..example:1", None),
        (f"http://user:s3cret@{'a' * 64}.example:1", None),
        (None, "https://us..googleapis.com/v1"),
    ],
)
def test_an_address_that_is_none_is_called_a_wrong_setting_and_its_password_is_not_told(
    monkeypatch, proxy, base_url
):
    """Case 34: asking again, as after a lost connection, would not help."""
    if proxy is not None:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(errors.NetworkError, match="cannot be made with these settings") as caught:
        client(base_url).ask("Hello")
    assert "HTTPS_PROXY" in caught.value.cure
    assert "s3cret" not in f"{caught.value!r} {caught.value.details}"


def test_what_the_surroundings_say_counts_for_the_next_request_of_the_same_client(
    certificate, monkeypatch, tmp_path
):
    """Whoever sets a proxy or a CA file in a cell does not make a new client for it."""
    seen: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        seen.append(received(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        answer_tls(connection, certificate, seen)

    claude = client()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(errors.NetworkError, match=r"The proxy on the way to \S+ was not reached"):
        claude.ask("Hello")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(errors.TLSError, match="trusted certificates"):
        claude.ask("Hello")
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    with serving(proxy) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        reply = claude.ask("Hello")
        claude.close()
    assert reply.text == "yes"
    assert seen[0].startswith(f"CONNECT {GOOGLE}:443".encode())


def test_stop_ends_an_answer_that_comes_through_a_proxy_which_is_asked_over_tls(certificate, monkeypatch):
    """TLS in TLS is no socket of Python; what is stopped must still end, or it is billed to its end."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    last: SimpleQueue[bytes] = SimpleQueue()

    def proxy(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as outer:
            received(outer)
            outer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            arrived, answer = ssl.MemoryBIO(), ssl.MemoryBIO()
            inner = context.wrap_bio(arrived, answer, server_side=True)

            def carried(step: Callable[[], object]) -> None:
                try:
                    step()
                    waits = False
                except ssl.SSLWantReadError:
                    waits = True
                outer.sendall(answer.read())
                if waits:
                    arrived.write(outer.recv(65536))
                    carried(step)

            carried(inner.do_handshake)
            carried(lambda: inner.read(65536))
            event = BODY.partition(b"\n\n")[0] + b"\n\n"
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\n"
            carried(lambda: inner.write(head + event))
            # Nothing, once the client has hung up.
            last.put(outer.recv(1))

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(proxy) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"https://127.0.0.1:{port}")
        claude = client()
        stream = claude.stream("Hello")
        assert next(iter(stream)).text == "yes"
        stream.close()
        assert last.get(timeout=30) == b""
        claude.close()


def test_the_netrc_file_does_not_replace_the_token(claude_emulator, home):
    """Case 39: a default entry is for browsers of other sites."""
    for name in (".netrc", "_netrc"):
        file = home / name
        file.write_text("default login somebody password something\n")
        file.chmod(0o600)
    assert (
        client(claude_emulator.base_url, project=claude_emulator.project, access_token="emulator")
        .ask("Hello")
        .complete
    )
    assert claude_emulator.requests[0].headers["authorization"] == "Bearer emulator"


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_does_not_stand_before_loopback(claude_emulator, monkeypatch, name):
    """Case 39: the emulator is reached directly."""
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (
        client(claude_emulator.base_url, project=claude_emulator.project, access_token="emulator")
        .ask("Hello")
        .complete
    )
