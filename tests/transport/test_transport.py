"""How requests are sent: connections, interrupts, proxies, TLS, the headers on the wire, and memory."""

from __future__ import annotations

import gc
import http.server
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING

import google.oauth2.credentials
import pytest
import requests
from processes import eventually, forked, needs_fork

from vertex_claude_magic import Claude, ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Emulator, Fault, Flood, Reply
from vertex_claude_magic.transport.connection import make_session, prepared
from vertex_claude_magic.transport.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

QUICK = RetryPolicy(first_wait=0.001, longest_backoff=0.002, silence=3600)
ANSWER = (
    b'data: {"type": "message_start", "message": {"id": "m", "model": "claude-x"}}\n\n'
    b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}}\n\n'
    b'data: {"type": "message_stop"}\n\n'
)
THREAD = "vertex-claude-send"


def client(base_url: str, **options) -> Claude:
    settings = {"project": "p", "model": "haiku", "access_token": "emulator", "policy": QUICK, **options}
    return Claude(base_url=base_url, **settings)


def of(emulator: Emulator, **options) -> Claude:
    return client(emulator.base_url, project=emulator.project, **options)


@pytest.fixture(autouse=True)
def earlier_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of clients that other tests have left, in an exception or a shell, are none of this test's."""
    monkeypatch.setattr(sending_threads, "earlier", frozenset(threading.enumerate()), raising=False)


def sending_threads() -> list[threading.Thread]:
    def running() -> list[threading.Thread]:
        now = threading.enumerate()
        return [thread for thread in now if thread.name == THREAD and thread not in sending_threads.earlier]

    if found := running():
        # What an exception refers to may be garbage that nobody has collected, and owns the thread.
        gc.collect()
        found = running()
    return found


class Watch:
    """A clock that tells by its readings whether the main thread has begun to wait."""

    def __init__(self) -> None:
        self.readings = 0

    def __call__(self) -> float:
        self.readings += threading.current_thread() is threading.main_thread()
        return time.monotonic()

    def waiting(self) -> bool:
        # One reading when the request is sent, one when its stream is made, then those of the wait.
        return self.readings >= 3


class Server(http.server.ThreadingHTTPServer):
    """A small HTTP/1.1 server that counts its connections and answers every POST alike."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.connections: set[int] = set()
        super().__init__(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_) -> None:
        """A client that hangs up is no news."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_POST(self) -> None:
        self.server.connections.add(self.client_address[1])
        self.rfile.read(int(self.headers["Content-Length"]))
        kind, body = "text/event-stream", ANSWER
        if self.server.status != 200:
            kind, body = "application/json", b'{"error": {"code": 400, "message": "no"}}'
        self.send_response(self.server.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def serving(status: int = 200) -> Iterator[Server]:
    with Server(status) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def interrupt_when(holds: Callable[[], bool]) -> Iterator[None]:
    """Press Ctrl-C in the main thread as soon as `holds`; nothing else ends the waits of these tests within an hour."""
    pressed = threading.Event()

    def press() -> None:
        if eventually(holds):
            pressed.set()
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=press)
    thread.start()
    yield
    thread.join()
    assert pressed.is_set()


def test_twenty_questions_share_one_connection():
    """A finished answer gives its connection back before the next question needs it."""
    with serving() as server:
        claude = client(server.base_url)
        assert [claude.ask("Hello").text for _ in range(20)] == ["yes"] * 20
        assert len(server.connections) == 1
        claude.close()


def test_an_adapter_holds_no_pool_that_its_session_has_dropped():
    """urllib3 keeps the pools of ten hosts; a pool that nobody holds closes its connections."""
    with make_session(loopback=True) as session:
        adapter = session.get_adapter("http://127.0.0.1/")

        def pool(host: int) -> weakref.ref:
            request = prepared("POST", f"http://127.0.0.{host}/v1", {}, b"{}")
            return weakref.ref(adapter.get_connection_with_tls_context(request, True))

        first = pool(1)
        assert pool(1) is first
        assert first() is not None
        others = [pool(host) for host in range(2, 13)]
        assert first() is None
        assert pool(1)() is not None
    assert [other() for other in others] == [None] * len(others)


@pytest.mark.parametrize(("payload", "length"), [(b'{"a": "\xc3\xa4"}', "11"), (None, None), (b"", None)])
def test_what_is_sent_has_its_length_in_bytes(payload, length):
    request = prepared("POST" if payload else "GET", "http://127.0.0.1/v1/a%20b?c=d", {"x-a": "b"}, payload)
    assert request.headers.get("content-length") == length
    assert (request.url, request.body) == ("http://127.0.0.1/v1/a%20b?c=d", payload or None)


@pytest.mark.parametrize("value", ["a\nb: c", "a\r\nb", " a"])
def test_a_header_with_a_line_break_is_not_sent(value):
    with pytest.raises(requests.exceptions.InvalidHeader):
        prepared("POST", "http://127.0.0.1/", {"x-a": value}, b"{}")


def test_a_refused_request_gives_its_connection_back_whole():
    """Cleaning up after an error does not shut a connection that somebody else may use by then."""
    with serving(400) as server:
        claude = client(server.base_url)
        for _ in range(5):
            with pytest.raises(errors.BadRequest):
                claude.ask("Hello")
        assert len(server.connections) == 1
        claude.close()


def test_no_thread_is_left_when_the_answer_is_there(claude_emulator):
    """It ends with the client that asked."""
    of(claude_emulator).ask("Hello")
    assert eventually(lambda: not sending_threads())


class Noting(google.oauth2.credentials.Credentials):
    """A token, and the threads in which it is asked for."""

    def __init__(self) -> None:
        super().__init__("emulator")
        self.senders: set[threading.Thread] = set()

    def before_request(self, *arguments) -> None:
        self.senders.add(threading.current_thread())
        super().before_request(*arguments)


def test_a_client_asks_in_the_thread_of_its_last_question_and_ends_it_with_itself(claude_emulator):
    """One waits for the next question, however many were asked at once, and holds nothing of the last one."""
    login = Noting()
    claude = of(claude_emulator, access_token=None, credentials=login)
    asked = [claude.stream(f"Question {number}") for number in range(5)]
    assert all(stream.reply.complete for stream in asked)
    left = [weakref.ref(stream) for stream in asked]
    del asked
    assert eventually(lambda: len(sending_threads()) == 1)
    assert eventually(lambda: not any(stream() for stream in left))
    login.senders.clear()
    for number in range(50):
        assert claude.ask(f"Another {number}").complete
    # The thread may be late for a question, which then gets another one.
    assert len(login.senders) < 50
    claude.close()
    assert eventually(lambda: not sending_threads())
    assert claude.ask("Hello").complete
    del claude
    assert eventually(lambda: not sending_threads())


@needs_fork
def test_a_fork_finds_no_thread_that_waits(claude_emulator):
    """So that Python 3.12 and later do not warn of it; both sides ask in threads of their own."""
    claude = of(claude_emulator)
    assert claude.ask("Hello").complete
    assert eventually(lambda: len(sending_threads()) == 1)
    assert forked(lambda: (len(sending_threads()), claude.ask("In the child").complete)) == [0, True]
    assert not sending_threads()
    assert claude.ask("In the parent").complete


def test_leaving_the_with_block_closes_the_socket(claude_emulator):
    """The server sees the client go, and the sending thread ends."""
    claude_emulator.fail(Fault(stall_after=700))
    with of(claude_emulator).stream("Hello") as stream:
        assert next(iter(stream)).type == "message_start"
    assert stream.done
    assert eventually(lambda: not sending_threads())


def test_an_answer_whose_connection_does_not_end_lets_go_of_it(claude_emulator):
    """The last event ends the answer; nobody waits for the rest, and the thread ends."""
    claude_emulator.answer(Reply(content=ANSWER, fault=Fault(stall_after=len(ANSWER))))
    assert of(claude_emulator).ask("Hello").text == "yes"
    assert eventually(lambda: not sending_threads())


def test_an_abandoned_stream_closes_itself(claude_emulator):
    """Dropping the last reference is enough."""
    claude_emulator.fail(Fault(stall_after=700))
    stream = of(claude_emulator).stream("Hello")
    assert next(iter(stream)).type == "message_start"
    del stream
    assert eventually(lambda: not sending_threads())


@pytest.mark.timeout(300)
def test_an_abandoned_stream_closes_itself_also_where_its_finalizer_runs_in_its_lock(claude_emulator):
    """As where the sending thread frees it, because the garbage collector runs there."""
    claude_emulator.fail(Fault(stall_after=700))
    stream = of(claude_emulator).stream("Hello")
    assert next(iter(stream)).type == "message_start"
    with stream._streams[-1]._response._socket_lock:
        del stream
    assert eventually(lambda: not sending_threads())


def behind(emulator: Emulator, **options):
    """The answer to a question of which more has come than its reader holds, with the calls of its watcher."""
    emulator.answer(Flood(count=3000))
    stream, told = of(emulator).stream("Hello", **options), list[None]()
    stream.watch(lambda: told.append(None))
    return stream, stream._streams[-1]._response, told


def test_an_answer_that_nobody_reads_ends_at_its_deadline(claude_emulator):
    """And wakes nobody meanwhile."""
    stream, response, told = behind(claude_emulator, timeout=0.5)
    assert eventually(response._over.is_set)
    # When it was watched, when the reader held as much as it may, and at the end.
    assert len(told) <= 3
    with pytest.raises(errors.DeadlineExceeded) as caught:
        stream.reply  # noqa: B018 - reading it is the test
    assert caught.value.reply.text


def test_a_reader_that_was_behind_gets_the_whole_answer(claude_emulator):
    """The rest waits in the socket until the reader has read, and the watcher is told once of each time that it has not."""
    stream, response, told = behind(claude_emulator)
    assert eventually(lambda: response._items.qsize() > 512)
    assert len(told) <= 2
    assert stream.reply.text == "word " * 3000


def test_an_answer_that_is_closed_while_its_reader_is_behind_ends_at_once(claude_emulator):
    stream, response, _ = behind(claude_emulator, timeout=3600)
    assert eventually(lambda: response._items.qsize() > 512)
    stream.close()
    assert eventually(lambda: not sending_threads())


INTERRUPTED = [
    ("waiting for the status line", Fault(delay=3600)),
    ("waiting for the first event", Fault(first_event_delay=3600)),
    ("reading", Fault(stall_after=700)),
    ("waiting to try again", Fault(status=503, headers={"Retry-After": "60"})),
]


@pytest.mark.parametrize("fault", [row[1] for row in INTERRUPTED], ids=[row[0] for row in INTERRUPTED])
def test_an_interrupt_ends_any_wait(claude_emulator, fault):
    """Case 22: the socket is closed, the thread ends, and the next question is answered."""
    watch = Watch()
    claude = of(claude_emulator, clock=watch)
    claude_emulator.fail(fault)
    pressed = interrupt_when(lambda: watch.waiting() and bool(claude_emulator.requests))
    with pressed, pytest.raises(ClaudeInterrupt, match="Stopped before an answer arrived"):
        claude.ask("Hello")
    assert eventually(lambda: not sending_threads())
    assert claude.ask("Hello").complete
    assert len(claude_emulator.requests) == 2


def test_an_interrupt_keeps_the_partial_answer(claude_emulator):
    """Case 22: it is on the exception, marked as incomplete."""
    claude_emulator.answer("Once upon a time. " * 40)
    claude_emulator.fail(Fault(stall_after=900))
    watch = Watch()
    stream = of(claude_emulator, clock=watch).stream("Hello")
    next(event for event in stream if event.text)
    watch.readings = 0
    with interrupt_when(watch.waiting), pytest.raises(ClaudeInterrupt) as caught, stream:
        list(stream)
    reply = caught.value.reply
    assert reply.text.startswith("Once")
    assert not reply.complete
    assert reply.stop_reason is None
    assert isinstance(caught.value, KeyboardInterrupt)


def test_an_interrupt_while_the_caller_draws_keeps_the_partial_answer(claude_emulator):
    """Case 22: leaving the with block closes the connection and adds what had arrived."""
    claude_emulator.answer("Once upon a time. " * 40)
    claude_emulator.fail(Fault(stall_after=900))
    stream = of(claude_emulator).stream("Hello")
    next(event for event in stream if event.text)
    with pytest.raises(ClaudeInterrupt) as caught, stream:
        signal.raise_signal(signal.SIGINT)
    assert caught.value.reply.text.startswith("Once")
    assert eventually(lambda: not sending_threads())


def test_an_interrupt_while_connecting_ends_at_once():
    """Case 22: a host whose queue is full lets a connection wait; nobody waits with it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        address = server.getsockname()
        queued = [socket.socket() for _ in range(8)]
        for one in queued:
            one.setblocking(False)
            one.connect_ex(address)
        watch = Watch()
        claude = client(f"http://127.0.0.1:{address[1]}/v1", policy=RetryPolicy(connect=0.3), clock=watch)
        with interrupt_when(watch.waiting), pytest.raises(ClaudeInterrupt):
            claude.ask("Hello")
        assert eventually(lambda: not sending_threads())
        for one in queued:
            one.close()


def test_an_interrupt_ends_counting_tokens_too(claude_emulator):
    """Case 22, for the call that counts."""
    claude_emulator.fail(Fault(delay=3600))
    watch = Watch()
    claude = of(claude_emulator, clock=watch)
    with (
        interrupt_when(lambda: watch.waiting() and bool(claude_emulator.requests)),
        pytest.raises(ClaudeInterrupt),
    ):
        claude.count("Hello")


def test_two_interrupts_in_a_row_do_not_hang(claude_emulator):
    """Case 23: the second one finds everything closed."""
    claude_emulator.fail(Fault(stall_after=700))
    watch = Watch()
    stream = of(claude_emulator, clock=watch).stream("Hello")
    with (
        interrupt_when(lambda: watch.waiting() and bool(claude_emulator.requests)),
        pytest.raises(ClaudeInterrupt),
    ):
        list(stream)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    with pytest.raises(errors.StreamInterrupted):
        stream.reply  # noqa: B018 - reading it is the test
    assert eventually(lambda: not sending_threads())


EXITING = """
import sys
from vertex_claude_magic import Claude
stream = Claude(project="emulator-project", base_url=sys.argv[1], access_token="emulator", model="haiku").stream("Hi")
next(iter(stream))
"""


def test_an_interpreter_that_exits_with_an_open_stream_says_nothing(claude_emulator):
    """Case 24: no traceback, no wait, exit code 0."""
    claude_emulator.fail(Fault(stall_after=700))
    command = [sys.executable, "-W", "error", "-c", EXITING, claude_emulator.base_url]
    done = subprocess.run(command, capture_output=True, timeout=600, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_refused_connection_is_tried_again_and_named():
    """Case 34: nothing was sent, so it may be sent again; each wait is announced."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    notices: list[str] = []
    stream = client(f"http://127.0.0.1:{port}/v1").stream("Hello", notify=notices.append)
    with pytest.raises(errors.NetworkError, match=f"127.0.0.1:{port} refused the connection"):
        stream.reply  # noqa: B018 - reading it is the test
    assert len(notices) == 2
    assert all(notice.startswith("retrying in 0.0 s (") for notice in notices)


def test_a_connection_lost_before_the_status_line_is_tried_again(claude_emulator):
    """Nothing of a reply had come."""
    claude_emulator.fail(Fault(drop=True))
    assert of(claude_emulator).ask("Hello").complete
    assert len(claude_emulator.requests) == 2
    assert len({request.raw for request in claude_emulator.requests}) == 1


LOST = {
    "dropped": Fault(drop=True),
    "reset within the head": Fault(raw=b"HTTP/1.1 2"),
}


@pytest.mark.parametrize("fault", LOST.values(), ids=LOST)
def test_a_question_that_is_not_streamed_is_not_sent_again_once_it_is_out(claude_emulator, fault):
    """Its status line comes when its answer is finished, so each attempt may be a whole answer that is billed."""
    claude_emulator.fail(*[fault] * 3)
    with pytest.raises(errors.NetworkError) as caught:
        of(claude_emulator).ask("Hello", no_stream=True)
    assert len(claude_emulator.requests) == 1
    assert "may be finished and billed" in caught.value.cure


def test_what_was_refused_or_never_out_is_sent_again_streamed_or_not(claude_emulator):
    """Nobody bills it."""
    claude_emulator.fail(Fault(status=503))
    assert of(claude_emulator).ask("Hello", no_stream=True).complete
    assert len(claude_emulator.requests) == 2
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    notices: list[str] = []
    stream = client(f"http://127.0.0.1:{port}/v1").stream("Hello", notify=notices.append, no_stream=True)
    with pytest.raises(errors.NetworkError, match="refused the connection"):
        stream.reply  # noqa: B018 - reading it is the test
    assert len(notices) == 2


def test_a_count_that_is_lost_is_sent_again(claude_emulator):
    """Counting is free of charge."""
    claude_emulator.fail(Fault(drop=True))
    assert of(claude_emulator).count("Hello") > 0
    assert len(claude_emulator.requests) == 2


def test_a_name_that_does_not_resolve_is_named():
    """Case 34: the region's spelling is what is wrong most often."""
    with pytest.raises(
        errors.NetworkError, match=r"us-esat5-aiplatform.googleapis.com was not found"
    ) as caught:
        Claude(project="p", region="us-esat5", model="claude-x", access_token="t", policy=QUICK).ask("Hello")
    assert "region" in caught.value.cure
