"""Sending: a thread for each request, retries before the first byte, a deadline, and a stop that works at once.

The thread reads; the caller waits on a queue. That way a kernel interrupt ends any wait (also a slow
name look-up), the display can redraw while the server is silent, and a deadline holds against a drip.
"""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from vertex_claude_magic import errors
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.process import ReusableThreads, at_fork, refuse_copies
from vertex_claude_magic.spelling import Spelling, option, raised, spelled, ways
from vertex_claude_magic.text import quote
from vertex_claude_magic.transport.retry import RetryPolicy, asked_wait, backoff, may_retry
from vertex_claude_magic.transport.waiting import SLICE, Flag, bare, no_credentials_in, take
from vertex_claude_magic.vertex.endpoint import check_token_host, is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import requests

    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.models.catalog import Catalog
    from vertex_claude_magic.models.observed import Seen
    from vertex_claude_magic.transport.auth import Authorizer
    from vertex_claude_magic.vertex.request import Request

__all__ = ["Ended", "Head", "PendingResponse", "Start", "Transport", "WaitNotice"]

_ERROR_BYTES = 64 * 1024
_QUEUED_CHUNKS = 512
# Seconds, as good as no limit. Of more than 2**31 ms a socket waits what is left of their number in 32 bits.
_LONGEST_SILENCE = 1e6


class WaitNotice(NamedTuple):
    """What is being waited for, for the user to read."""

    text: str


class Head(NamedTuple):
    """The status line was 200; content type, request id and server from the headers."""

    content_type: str
    request_id: str | None
    server: str = ""


class Ended(NamedTuple):
    """The body is over; `error` is None if the connection ended as HTTP wants it."""

    error: errors.ClaudeError | None


Item = WaitNotice | Head | bytes | Ended
# Runs something in a thread of a name.
Start = Callable[[Callable[[], object], str], object]


class Transport:
    """Sends requests with one authorizer; keeps connections open between them.

    Args:
        authorizer: Gives each request its token.
        policy: Retries and time limits.
        clock: Monotonic seconds.
        chance: A random number from 0 to 1, by which the waits of several clients differ.
    """

    def __init__(
        self,
        authorizer: Authorizer,
        policy: RetryPolicy | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.authorizer = authorizer
        self.policy = policy or RetryPolicy()
        self.clock = clock
        self.chance = chance
        # To start a thread takes a tenth of the time of a short answer, so the next question gets that of the last one.
        self._threads = ReusableThreads(spare=1)
        self._begin_anew()
        at_fork(self, child=Transport._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        # By whether they are for loopback.
        self._sessions: dict[bool, requests.Session] = {}

    __reduce__ = refuse_copies("A Transport", "Create a Claude client in the other process.")

    def send(
        self, request: Request, catalog: Catalog, *, timeout: float, trusted_hosts: Collection[str] = (),
        retry: bool = True, seen: Seen | None = None, start: Start | None = None,
        before: Callable[[PendingResponse], None] = lambda _: None,
    ) -> PendingResponse:  # fmt: skip
        """Start sending and return at once; where stop is pressed meanwhile, it is cancelled.

        Args:
            request: What is sent.
            catalog: The model table, for the cures of errors that may come back.
            timeout: Seconds for the whole answer, retries included.
            trusted_hosts: Hosts beside Google's that may see a token (the user's gateways).
            retry: Whether the policy's retries hold; a refused token is renewed once in any case.
            seen: Returns what was last seen live, for the same cures, None if nothing was; called in the sending
                thread.
            start: Runs the sending in a thread, instead of one that this transport has.
            before: Takes the response before anything is sent, for whoever must know it also where this is stopped.

        Raises:
            UntrustedHost: a token would go where it must not.
            ThreadUnavailable: no thread can start here.
        """
        check_token_host(request.url, trusted_hosts)
        retries = self.policy.retries if retry else 0
        response = PendingResponse(self, request, catalog, timeout=timeout, retries=retries, seen=seen)
        before(response)
        try:
            response.start(start or self._threads.start)
            return response  # noqa: TRY300 - also where stop is pressed at the end
        except BaseException:
            response.cancel()
            raise

    def with_own_connections(self) -> Transport:
        """Return a transport of the same login with connections of its own."""
        return Transport(self.authorizer, self.policy, clock=self.clock, chance=self.chance)

    def apart(self, policy: RetryPolicy, clock: Callable[[], float]) -> Transport:
        """Return a transport whose login has a state of its own too, to be tried without touching this one."""
        return Transport(self.authorizer.apart(), policy, clock=clock)

    def session(self, url: str) -> requests.Session:
        """Return the session for a URL; those on loopback have one of their own, without proxies."""
        from vertex_claude_magic.transport.connection import make_session

        loopback = is_loopback(url)
        with self._lock:
            if loopback not in self._sessions:
                self._sessions[loopback] = make_session(loopback=loopback)
            return self._sessions[loopback]

    def close(self) -> None:
        """Close all idle connections, and end the thread that waits; the object stays usable."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
            self._threads.close()
            self._threads = ReusableThreads(spare=1)


class PendingResponse:
    """One request on its way since `started`: `get` what arrives, `cancel` at any time from any thread.

    `may_be_billed` says whether the service may have it and has not refused it.
    """

    def __init__(
        self, transport: Transport, request: Request, catalog: Catalog, *, timeout: float, retries: int,
        seen: Seen | None = None,
    ) -> None:  # fmt: skip
        self._transport = transport
        self._retries = retries
        self._request = request
        self._catalog, self._seen = catalog, seen
        self._timeout = timeout
        self.started = transport.clock()
        self._deadline = self.started + timeout
        self._items: SimpleQueue[Item] = SimpleQueue()
        self._body = bytearray()
        self._ended: Ended | None = None
        self._cancelled = Flag()
        # Set where the thread waits for a reader who is behind.
        self._taken: Flag | None = None
        self._socket: socket.socket | None = None
        self._socket_lock = threading.Lock()
        # Since when credentials are waited for, and whether they are there.
        self._asked_at, self._authorised = self.started, False
        self._answered = False
        self.may_be_billed = False
        self._tell: Callable[[], None] | None = None
        self._over = Flag()
        at_fork(self, child=PendingResponse._leave_to_parent)

    def start(self, start: Start) -> None:
        """Send it, in a thread that `start` gives; not where it is made, so that stop never leaves it to nobody."""
        start(self._run, "vertex-claude-send")

    __reduce__ = refuse_copies("A response on its way", "Ask in the other process.")

    def _leave_to_parent(self) -> None:
        # The thread is the parent's, and so is the socket; its lock may be held by a thread that is not here.
        self._items, self._cancelled = SimpleQueue(), Flag()
        self._socket, self._socket_lock = None, threading.Lock()
        self._over = Flag()
        self._over.set()
        self._authorised = True
        self._items.put(
            Ended(
                errors.StreamInterrupted(
                    "This answer goes to the process that asked for it, not to its fork.",
                    cure="Ask again in this process.",
                )
            )
        )

    def get(self, seconds: float) -> Item | None:
        """Return the next item, or None if none came within `seconds`.

        What has arrived comes first. Behind it is an end with `DeadlineExceeded`, where the time for the whole answer
        is over, or with `CredentialsNotFound`, where to look for credentials took longer than the policy allows.
        """
        clock, limit = self._transport.clock, self._transport.policy.credentials
        now = clock()
        end = now + seconds
        while True:
            with suppress(Empty):
                return take(self._items, min(SLICE, min(end, self._deadline) - now))
            now = clock()
            if now >= self._deadline:
                self.cancel()
                self._items.put(Ended(self._late()))
            elif not self._authorised and now - self._asked_at >= limit:
                self.cancel()
                self._items.put(Ended(no_credentials_in(limit)))
            elif now >= end:
                return None

    def arrived(self) -> list[Item]:
        """Return what has arrived already, without waiting."""
        items: list[Item] = []
        with suppress(Empty):
            while True:
                items.append(self._items.get_nowait())
        if self._taken is not None:
            self._taken.set()
        return items

    def watch(self, tell: Callable[[], None]) -> None:
        """Have `tell` called from the sending thread when the body is over, or once when much of it waits to be taken.

        It is called at once if something has arrived already.
        """
        self._tell = tell
        # Behind that, because the thread looks the other way round.
        if not self._items.empty():
            tell()

    def cancel(self) -> None:
        """Shut the socket and let the thread end; safe to call twice, or when all is over."""
        self._cancelled.set()
        if self._taken is not None:
            self._taken.set()
        with self._socket_lock:
            self._shut()

    def settle(self, seconds: float) -> None:
        """Let the thread read the end of the body, so that the connection can serve again; then cancel."""
        if not self._over.wait(seconds):
            self.cancel()

    def whole(self, tick: Callable[[], None] = lambda: None) -> Json:
        """Wait for the whole body and return it as JSON, None if it is not JSON; for short answers.

        Args:
            tick: Called several times a second while nothing has come; to show that it is waited.

        Raises:
            ClaudeError: the service refused the request or could not be reached.
            ClaudeInterrupt: the user stopped it.
        """
        try:
            while not self.poll(SLICE):
                tick()
        except KeyboardInterrupt:
            self.cancel()
            raise errors.ClaudeInterrupt from None
        return self.result()

    def poll(self, seconds: float) -> bool:
        """Take in what arrives within `seconds`, and tell whether the body is over; for several at once."""
        first = None if self._ended else self.get(seconds)
        for item in () if first is None else (first, *self.arrived()):
            if isinstance(item, bytes):
                self._body += item
            elif isinstance(item, Ended):
                self._ended = item
                break
        return self._ended is not None

    def result(self) -> Json:
        """Return the body as JSON, None if it is not JSON; once `poll` says that it is over.

        Raises:
            ClaudeError: the service refused the request, could not be reached, or took too long.
        """
        if self._ended is not None and self._ended.error is not None:
            raise self._ended.error
        try:
            body: Json = json.loads(self._body)
        except (ValueError, RecursionError):
            return None
        return body

    def _run(self) -> bool:
        """Send; False if it was cancelled, so that nothing is left of what somebody has stopped."""
        from vertex_claude_magic.transport.connection import reporting_sockets

        try:
            with reporting_sockets(self._use):
                self._attempts()
            ended = Ended(None)
        except errors.ClaudeError as error:
            ended = Ended(bare(error))
        except Exception as failure:  # noqa: BLE001 - a thread must not die silently, whatever a library raises
            ended = Ended(self._named(failure))
        self._items.put(ended)
        self._over.set()
        if self._tell is not None:
            self._tell()
        return not self._cancelled.is_set()

    def _use(self, sock: socket.socket | None) -> None:
        with self._socket_lock:
            self._socket = sock
            if self._cancelled.is_set():
                self._shut()
            elif sock is not None:
                # Told before anything is sent on it.
                self.may_be_billed = True

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # TLS in TLS (a proxy that is asked by https) has no `shutdown`; the socket inside of it has.
                getattr(self._socket, "socket", self._socket).shutdown(socket.SHUT_RDWR)

    @property
    def _host(self) -> str:
        return quote(urlsplit(self._request.url).netloc, 100)

    def _named(self, failure: BaseException) -> errors.ClaudeError:
        from vertex_claude_magic.transport.connection import network_error

        return network_error(failure, self._host, self._silence_limit())

    def _silence_limit(self) -> float:
        # An answer that is not streamed is silent until it is whole.
        patience = self._transport.policy.silence if self._request.streamed else _LONGEST_SILENCE
        return min(patience, self._timeout, _LONGEST_SILENCE)

    def _attempts(self) -> None:
        authorizer, renewed, attempt = self._transport.authorizer, False, 0
        while not self._cancelled.is_set():
            headers = authorizer.headers()
            self._authorised = True
            response = self._open(headers, attempt)
            if response is None:
                attempt += 1
                continue
            self._answered = True
            with response:
                if response.status_code == 200:
                    self._deliver(response)
                    return
                error = self._refusal(response)
                self.may_be_billed = False
                # A page with 401 is somebody else's, and must not cost a token.
                if (
                    isinstance(error, errors.AuthenticationFailed)
                    and response.status_code == 401
                    and not renewed
                ):
                    renewed = True
                    self._items.put(WaitNotice("getting a new token (the last one was refused, 401)"))
                    self._asked_at, self._authorised = self._transport.clock(), False
                    if authorizer.renew(headers):
                        continue
                    self._authorised = True
                    from vertex_claude_magic.transport.auth import ANOTHER_TOKEN

                    error.cure = ANOTHER_TOKEN
                self._pause_or_raise(response, error, attempt)
                attempt += 1

    def _open(self, headers: Mapping[str, str], attempt: int) -> requests.Response | None:
        import requests

        from vertex_claude_magic.transport.connection import may_send_again

        try:
            return self._post(headers)
        except (requests.exceptions.RequestException, OSError) as failure:
            error, again = self._named(failure), may_send_again(failure)
        error.details["may_retry"] = again
        asks = "max_tokens" in self._request.body
        if again and asks and self.may_be_billed and not self._request.streamed:
            # In one piece an answer comes when it is finished; a run over a table counts it and asks again.
            error.cure = "The answer may be finished and billed, so it was not asked for again; ask again."
            again = False
        if not again or self._cancelled.is_set() or attempt >= self._retries:
            raise error
        self._wait(backoff(attempt, self._transport.policy, self._transport.chance), error.message)
        return None

    def _post(self, headers: Mapping[str, str]) -> requests.Response:
        from vertex_claude_magic.transport.connection import USER_AGENT, prepared, surroundings

        url, policy = self._request.url, self._transport.policy
        session = self._transport.session(url)
        own = {**self._request.headers, "User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        method, payload = self._request.method, self._request.payload or None
        ready = prepared(method, url, own, payload)
        # Prepared here and not by the session, so that a .netrc entry cannot replace the token.
        around = surroundings(session, url)
        patience = (policy.connect, self._silence_limit())
        # Not by the session's own `send`, which follows redirects, runs hooks and collects cookies.
        return session.get_adapter(url).send(ready, timeout=patience, **around)

    def _deliver(self, response: requests.Response) -> None:
        from vertex_claude_magic.transport.connection import streamed_chunks

        headers = response.headers
        kind, server = headers.get("content-type", ""), headers.get("server", "")
        self._items.put(Head(kind, headers.get("request-id"), server))
        clock = self._transport.clock
        for chunk in streamed_chunks(response):
            self._items.put(chunk)
            # At every chunk: one that reads a drip never finds the queue empty.
            if clock() >= self._deadline:
                raise self._late()
            if self._items.qsize() > _QUEUED_CHUNKS:
                # The reader is behind: let the socket hold the rest instead of this queue.
                taken = self._taken = Flag()
                # Only now, so that nothing is missed that is taken, or stopped, meanwhile.
                while self._items.qsize() > _QUEUED_CHUNKS and not self._cancelled.is_set():
                    if self._tell is not None:
                        self._tell()
                    taken.wait(min(self._deadline - clock(), threading.TIMEOUT_MAX))
                    if clock() >= self._deadline:
                        raise self._late()
                    taken.clear()

    def _late(self) -> errors.DeadlineExceeded:
        longer = spelled("raise {}", raised("timeout", self._timeout))
        # Only of a stream the first bytes come long before the last.
        if self._request.streamed and not self._answered:
            doctor = Spelling("%claude_doctor", "vertex-claude doctor")
            return errors.DeadlineExceeded(
                f"Nothing arrived from {self._host} within {self._timeout:g} seconds.",
                cure=ways(spelled("run {} to find where it stops", doctor), longer),
            )
        return errors.DeadlineExceeded(
            f"No complete answer within {self._timeout:g} seconds.",
            cure=ways(longer, "ask for less", spelled("lower {}", option("effort"))),
        )

    def _refusal(self, response: requests.Response) -> errors.ClaudeError:
        if 300 <= response.status_code < 400:
            target = quote(response.headers.get("location", ""), 100)
            return errors.NetworkError(
                f"{self._host} redirects to {target!r}; redirects are not followed.",
                cure="A proxy or a login page may be between this machine and Google; check the base URL.",
                details={"status": response.status_code},
            )
        from vertex_claude_magic.transport.connection import streamed_chunks
        from vertex_claude_magic.transport.failures import RequestNames, error_from_response

        body = bytearray()
        # The status is known already; a body that breaks off changes nothing about that.
        with suppress(Exception):
            for chunk in streamed_chunks(response):
                body += chunk
                if len(body) >= _ERROR_BYTES:
                    break
        return error_from_response(
            response.status_code,
            bytes(body[:_ERROR_BYTES]),
            RequestNames.about(self._request, self._catalog, self._seen),
            content_type=response.headers.get("content-type", ""),
        )

    def _pause_or_raise(self, response: requests.Response, error: errors.ClaudeError, attempt: int) -> None:
        policy = self._transport.policy
        # By name, because the pairs of urllib3's headers have each of several with one name.
        headers = {name.lower(): response.headers[name] for name in response.headers}
        error.details["may_retry"] = may_retry(response.status_code, headers, error)
        if not error.details["may_retry"]:
            raise error
        asked = asked_wait(headers, datetime.now(timezone.utc))
        if asked is not None:
            error.details["retry_after"] = asked
        if attempt >= self._retries:
            raise error
        wait = backoff(attempt, policy, self._transport.chance) if asked is None else asked
        if wait > policy.longest_wait or wait > self._deadline - self._transport.clock():
            if asked is not None:
                error.cure = spelled(
                    "The service asks to wait {} seconds; ask again then. {}", f"{asked:,.0f}", error.cure
                )
            raise error
        self._wait(wait, f"{type(error).__name__}, {response.status_code}")

    def _wait(self, seconds: float, reason: str) -> None:
        self._items.put(WaitNotice(f"retrying in {seconds:.1f} s ({reason.rstrip('.')})"))
        self._cancelled.wait(seconds)
