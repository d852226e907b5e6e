"""TLS on this machine for tests: a certificate that nobody signed, and a socket that answers with it."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

GOOGLE = "aiplatform.googleapis.com"
BODY = (
    b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}}\n\n'
    b'data: {"type": "message_stop"}\n\n'
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


def make_certificate(folder: Path) -> Path:
    """Write a certificate for this machine and for Google's host that nobody has signed."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.now(timezone.utc)
    usage = dict.fromkeys(
        ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only",
         "decipher_only"], False)  # fmt: skip
    made = x509.CertificateBuilder(name, name, public, x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    for extension, critical in (
        (x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(GOOGLE)]), False),
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), True),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
    ):
        made = made.add_extension(extension, critical=critical)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "certificate.pem"
    file.write_bytes(pem + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return file


def received(connection: socket.socket) -> bytes:
    """A request, head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            left = int(line.partition(b":")[2]) - len(body)
            while left > 0 and (more := connection.recv(left)):
                left -= len(more)
                data += more
    return data


def answer_tls(connection: socket.socket, file: Path, seen: list[bytes]) -> None:
    """Shake hands, then answer one request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with context.wrap_socket(connection, server_side=True) as secured:
        seen.append(received(secured))
        secured.sendall(ANSWER)


@contextmanager
def as_google(file: Path, seen: list[bytes]) -> Iterator[str]:
    """Stand for Google's host: yield the address of a proxy that answers for it; `seen` gets each request."""

    def proxy(connection: socket.socket) -> None:
        received(connection)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        answer_tls(connection, file, seen)

    with serving(proxy) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serving(work: Callable[[socket.socket], None]) -> Iterator[int]:
    """Let `work` serve each connection on a free port of this machine."""
    server = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    work(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()
