"""HTTP connections: pooled `requests` sessions whose sockets another thread can shut, and their failures named.

Closing a `requests` response that another thread is reading can block until the server speaks;
shutting its socket down does not. So each connection reports its socket to the exchange that uses it.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from contextlib import suppress
from functools import lru_cache
from http.client import HTTPMessage, HTTPResponse
from queue import LifoQueue
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection

from vertex_claude_magic import errors
from vertex_claude_magic.process import at_fork
from vertex_claude_magic.spelling import option, spelled, ways
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "CHECK_NETWORK",
    "USER_AGENT",
    "Response",
    "make_session",
    "may_send_again",
    "network_error",
    "prepared",
    "reporting_sockets",
    "streamed_chunks",
    "surroundings",
]

USER_AGENT = "vertex-claude-magic"
# The keepalive of the official SDK (anthropic 2.12.0): a silent NAT forgets a connection sooner than a model thinks.
_KEEPALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
for _name, _value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5)):
    if hasattr(socket, _name):
        _KEEPALIVE.append((socket.IPPROTO_TCP, getattr(socket, _name), _value))

_CHUNK_BYTES = 65536
# A body up to this size goes out in one piece with its head.
_ONE_PIECE_BYTES = 16_384
# An ordinary head: fields of printable ASCII, each on one line (RFC 9112, 4 and 5).
_FIELD = r"[-!#$%&'*+.^_`|~0-9A-Za-z]+:[ \t]*(?:[!-~][\t -~]*)?\r\n"
_HEAD = re.compile(rf"HTTP/1\.1 ([2-5][0-9][0-9]) ([ -~]*)\r\n((?:{_FIELD})+)\r\n")
# As many as http.client takes, which counts the empty line behind them as well.
_MOST_FIELDS = 99
_FRAMING = {"connection", "content-length", "transfer-encoding"}
_LENGTH = re.compile("[0-9]{1,15}")
# URLs whose pool an adapter remembers: one for each model and location that is asked.
_MOST_URLS = 64
_BAD_SETTINGS = (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema,
                 requests.exceptions.MissingSchema, requests.exceptions.InvalidHeader,
                 urllib3_errors.LocationValueError)  # fmt: skip
_listener = threading.local()


class reporting_sockets:  # noqa: N801 - a context manager, used like a function
    """While this is entered, this thread reports the sockets it uses to `report`, and None when they go back."""

    def __init__(self, report: Callable[[socket.socket | None], None]) -> None:
        self._report = report

    def __enter__(self) -> None:
        _listener.report = self._report

    def __exit__(self, *_: object) -> None:
        _listener.report = None


class _Reporting:
    """Mixin of a connection class: reports its socket to the sender, before anything is sent on it."""

    sock: socket.socket
    # What waits for the rest of its request, None where nothing does.
    _head: bytes | None = None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        at_fork(self.sock, child=_close_copy)
        _report(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> Any:
        _report(self.sock)
        body = kwargs.get("body")
        # urllib3 sends head and body one by one: two packets, and two hand-overs of the interpreter's lock.
        self._head = b"" if isinstance(body, bytes) and len(body) <= _ONE_PIECE_BYTES else None
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            whole, self._head = self._head, None
        if whole:
            self.send(whole)

    def send(self, data: Any) -> None:
        if self._head is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._head += data


class _Returning:
    """Mixin of a pool: a connection that is returned belongs to nobody, so nobody may shut it."""

    pool: LifoQueue[Any] | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        at_fork(self, child=_Returning._empty)

    def _empty(self) -> None:
        # In place, because urllib3 drains this very queue when the pool is freed, and a thread that is not in the
        # child may hold its lock.
        if self.pool is not None:
            LifoQueue.__init__(self.pool, self.pool.maxsize)

    def _put_conn(self, connection: Any) -> None:
        _report(None)
        super()._put_conn(connection)  # type: ignore[misc]


def _close_copy(sock: socket.socket) -> None:
    """Close a fork's copy of a socket and send the server nothing: the connection is the parent's."""
    with suppress(OSError):
        # Not `shutdown`, which ends the connection for both; nor `close`, which waits for readers to close too.
        # TLS in TLS (a proxy that is asked by https) has no `detach`, and closes the socket inside.
        os.close(sock.detach()) if hasattr(sock, "detach") else sock.close()


def _report(sock: socket.socket | None) -> None:
    report = getattr(_listener, "report", None)
    if report is not None:
        report(sock)


class Response(HTTPResponse):
    """A response that reads an ordinary head at once, and leaves any other to `http.client`.

    That reads line by line and parses the fields as those of an e-mail, which takes a sixth of all that it costs to
    send a short question (CPython 3.11).
    """

    def begin(self) -> None:
        """Read the head."""
        there = self.fp.peek() if self.headers is None else b""
        text = there[: there.find(b"\r\n\r\n") + 4].decode("latin-1")
        if not self._take(text):
            super().begin()

    def _take(self, text: str) -> bool:
        """Take what `begin` finds in a head (as CPython 3.10 to 3.13); False if it is not ordinary."""
        head = _HEAD.fullmatch(text)
        if head is None or self.debuglevel or self._method == "HEAD":  # type: ignore[attr-defined]
            return False
        status, reason, fields = head.groups()
        message, framing = HTTPMessage(), list[tuple[str, str]]()
        lines = fields.split("\r\n")[:-1]
        for line in lines:
            name, _, value = line.partition(":")
            value = value.lstrip(" \t")
            # What the parser of e-mails is to call.
            message.set_raw(name, value)
            lower = name.lower()
            if lower in _FRAMING:
                framing.append((lower, value))
            elif lower == "content-type" and value.lower().startswith(("multipart/", "message/")):
                return False
        message.set_payload("")
        if status in {"204", "304"} or len(lines) > _MOST_FIELDS or len(framing) != 1:
            return False
        name, value = framing[0]
        if name == "content-length" and _LENGTH.fullmatch(value):
            self.chunked, self.length = False, int(value)
        elif name == "transfer-encoding" and value.lower() == "chunked":
            self.chunked, self.length, self.chunk_left = True, None, None
        else:
            return False
        self.fp.read(len(text))
        self.code = self.status = int(status)
        self.reason, self.version, self.will_close = reason.strip(), 11, False
        self.headers = self.msg = message
        return True


class _ReportingHTTP(_Reporting, HTTPConnection):
    response_class = Response


class _ReportingHTTPS(_Reporting, HTTPSConnection):
    response_class = Response


class _HTTPPool(_Returning, HTTPConnectionPool):
    ConnectionCls = _ReportingHTTP


class _HTTPSPool(_Returning, HTTPSConnectionPool):
    ConnectionCls = _ReportingHTTPS


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        # They are the manager's, which drops those that were not used for long, and all of them with the session.
        self._pools: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()
        sockets = [*HTTPConnection.default_socket_options, *_KEEPALIVE]
        super().init_poolmanager(connections, maxsize, block, socket_options=sockets, **options)
        _use_reporting_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **options)
        _use_reporting_pools(manager)
        return manager

    # The next three give what those of requests 2.34.2 give, without what a request of ours never has: to look up the
    # pool by all that tells pools apart, to take the URL apart and to collect cookies took a fifth of a short answer.

    def get_connection_with_tls_context(
        self, request: requests.PreparedRequest, verify: Any, proxies: Any = None, cert: Any = None
    ) -> Any:
        key = (request.url, verify, cert, *(proxies or {}).items())
        pool = self._pools.get(key)
        if pool is None or pool.pool is None:
            if len(self._pools) >= _MOST_URLS:
                self._pools.clear()
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            self._pools[key] = pool
        return pool

    def request_url(self, request: requests.PreparedRequest, proxies: Any) -> str:
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        response = requests.Response()
        # urllib3's own headers take any case too.
        response.status_code, response.headers = resp.status, resp.headers
        response.raw, response.request, response.reason = resp, req, resp.reason
        response.url = req.url or ""
        return response


def _use_reporting_pools(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}


def make_session(*, loopback: bool) -> requests.Session:
    """Make a session that never retries by itself; on loopback it ignores proxies and other surroundings."""
    session = requests.Session()
    session.trust_env = not loopback
    adapter = _Adapter(pool_maxsize=64)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


# To take a URL apart, put it together and quote it anew costs 0.1 to 0.2 ms, a tenth of a short answer.
@lru_cache(maxsize=64)
def _prepared_url(url: str) -> str | None:
    return requests.Request("POST", url).prepare().url


def prepared(
    method: str, url: str, headers: Mapping[str, str], payload: bytes | None
) -> requests.PreparedRequest:
    """Return a request that is ready to be sent.

    Raises:
        requests exceptions: the URL or a header cannot be sent.
    """
    ready = requests.PreparedRequest()
    ready.method, ready.url = method, _prepared_url(url)
    ready.prepare_headers(headers)
    if payload:
        # All that requests does with bytes, once it has found out that they are no form, no file and no iterator.
        ready.body = payload
        ready.headers["Content-Length"] = str(len(payload))
    else:
        ready.prepare_body(payload, None)
    return ready


def surroundings(session: requests.Session, url: str) -> dict[str, Any]:
    """Return the proxies and the certificates of a request, as the environment has them now.

    As `Session.merge_environment_settings`, for a session that has no settings of its own: to merge each setting with
    its default takes as long as to read the answer's headers (requests 2.34.2).
    """
    proxies: dict[str, str] = {}
    verify: str | bool = True
    if session.trust_env:
        proxies = get_environ_proxies(url)
        verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    return {"verify": verify, "proxies": proxies}


def streamed_chunks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it arrives, decompressed, whatever the framing (chunked, length, or until close).

    Raises:
        requests or urllib3 exceptions; `network_error` names them.
    """
    read1, coded = response.raw.read1, "content-encoding" in response.headers
    # An event is a chunk, and the machinery of decoding takes a third of the time of reading one (urllib3 2.8.0).
    while chunk := read1(_CHUNK_BYTES, decode_content=coded):
        yield chunk


def network_error(failure: BaseException, host: str, seconds: float) -> errors.NetworkError:
    """Name a failure of the connection and its cure.

    The exception is not chained: `requests` keeps the request in it, and with it the token.
    """
    causes = _causes(failure)
    kind, what, cure = next(
        (row[1:] for row in _FAILURES if any(isinstance(cause, row[0]) for cause in causes)), _LOST
    )
    if what == _BY_PROXY and any(isinstance(cause, _NO_CONNECTION) for cause in causes):
        what, cure = _NO_PROXY
    if any(_is_ca_path(cause) for cause in causes):
        kind, what, cure = _NO_CA_FILE
    # The text of requests 2.34.2, which has no type of its own for it.
    if any("SOCKS support" in str(cause) for cause in causes if isinstance(cause, _BAD_SETTINGS)):
        what, cure = _NO_SOCKS
    # A bad setting is quoted by name only: its text may hold a proxy's password or the value of a header.
    text = "" if isinstance(failure, _BAD_SETTINGS) else f": {causes[-1]}"
    cause = quote(f"{type(causes[-1]).__name__}{text}", 120)
    details = {
        "cause": cause,
        "causes": [type(each).__name__ for each in causes],
        "host": host,
        # The operating system's own words, such as "Connection reset by peer".
        "system": quote(getattr(causes[-1], "strerror", None) or "", 80),
    }
    cure = cure if isinstance(cure, str) else ways(*cure)
    return kind(what.format(host=host, seconds=f"{seconds:g}"), cure=cure, details=details)


def may_send_again(failure: BaseException) -> bool:
    """Tell whether a new attempt may fare better: not with a bad certificate, a silent host or a bad setting."""
    return not any(isinstance(cause, _FINAL) or _is_ca_path(cause) for cause in _causes(failure))


def _is_ca_path(cause: BaseException) -> bool:
    # requests reports a CA file that is not there as a bare OSError, with a text and no number.
    return type(cause) is OSError and cause.errno is None and "TLS CA certificate bundle" in str(cause)


def _causes(failure: BaseException) -> list[BaseException]:
    causes, seen = [failure], {id(failure)}
    for cause in causes:
        inner = [cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args]
        for part in inner:
            if isinstance(part, BaseException) and id(part) not in seen:
                seen.add(id(part))
                causes.append(part)
    return causes


CHECK_NETWORK = "Check the network, and ask again."
_LOST = (errors.NetworkError, "The connection to {host} was lost.", "Ask again.")
_NO_CA_FILE = (errors.TLSError, "The file of trusted certificates does not exist.",
               "Correct or remove REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE.")  # fmt: skip
_NO_SOCKS = ("The request to {host} needs a SOCKS proxy, and PySocks is not installed.",
             'Run: pip install "requests[socks]"')  # fmt: skip
_BY_PROXY = "The proxy blocked the request to {host}."
_NO_PROXY = ("The proxy on the way to {host} was not reached.",
             "Check the address in HTTPS_PROXY and whether the proxy runs, or list the host in NO_PROXY.")  # fmt: skip
_NO_CONNECTION = (urllib3_errors.NewConnectionError, urllib3_errors.ConnectTimeoutError)
_TIMEOUTS = (requests.exceptions.Timeout, urllib3_errors.ReadTimeoutError, TimeoutError)
_TLS = (requests.exceptions.SSLError, urllib3_errors.SSLError, ssl.SSLError)
_FINAL = (*_TIMEOUTS, *_TLS, *_BAD_SETTINGS)
# First match wins; an exception of requests wraps one of urllib3, which wraps one of the socket.
_FAILURES: tuple[tuple[Any, type[errors.NetworkError], str, str | tuple[str, ...]], ...] = (
    (ssl.SSLCertVerificationError, errors.TLSError, "The certificate of {host} could not be verified.",
     "If a company proxy intercepts TLS, set REQUESTS_CA_BUNDLE to its CA file; also check this machine's clock."),
    (_TLS, errors.TLSError, "The TLS connection to {host} failed.",
     "Check the base URL, and whether there is a proxy between this machine and the host."),
    (_BAD_SETTINGS, errors.NetworkError, "The request to {host} cannot be made with these settings.",
     "Check the base URL, HTTPS_PROXY and the headers."),
    (requests.exceptions.ProxyError, errors.NetworkError, _BY_PROXY,
     "Check HTTPS_PROXY, or list the host in NO_PROXY."),
    (urllib3_errors.NameResolutionError, errors.NetworkError, "The host name {host} was not found.",
     "Check the network and the region's spelling."),
    (requests.exceptions.ConnectTimeout, errors.DeadlineExceeded, "{host} did not accept a connection in time.",
     CHECK_NETWORK),
    (ConnectionRefusedError, errors.NetworkError, "{host} refused the connection.",
     "Check the base URL and the network."),
    (_TIMEOUTS, errors.DeadlineExceeded,
     "{host} sent nothing for {seconds} seconds.", ("ask again", spelled("raise {}", option("timeout")))),
)  # fmt: skip
