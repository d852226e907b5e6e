"""After a fork: the child uses nothing that is the parent's, and the parent goes on unharmed."""

from __future__ import annotations

import gc
import http.server
import os
import socket
import sqlite3
import threading
from contextlib import ExitStack, closing

import pytest
from journals import KEEP, a_call, an_ending, client, opened, rows
from processes import forked, living_fork, needs_fork

from vertex_claude_magic import Claude, ClaudeError
from vertex_claude_magic.process import process_id
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.settings.origin import Origin, asking_for, current_origin, session_id
from vertex_claude_magic.transport.auth import ApplicationDefault

pytestmark = [needs_fork]


START = (
    b'data: {"type": "message_start", "message": {"id": "m", "model": "claude-x"}}\n\n'
    b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "yes"}}\n\n'
)
END = b'data: {"type": "message_stop"}\n\n'


class Service:
    """A server that keeps connections open; the end of an answer to "slow" comes when it is let go.

    `connections` holds the client's port of each question: what tells connections apart.
    """

    def __init__(self) -> None:
        self.connections: list[int] = []
        self.let_go = threading.Semaphore(0)
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                slow = b"slow" in self.rfile.read(int(self.headers["content-length"]))
                service.connections.append(self.client_address[1])
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Content-Length", str(len(START + END)))
                self.end_headers()
                self.wfile.write(START)
                if slow:
                    service.let_go.acquire(timeout=60)
                self.wfile.write(END)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self.server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    def client(self, **options) -> Claude:
        base_url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        return Claude(project="p", base_url=base_url, access_token="emulator", model="haiku", **options)

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture
def service():
    service = Service()
    yield service
    service.close()


def begun(claude: Claude):
    """An answer whose beginning is here and whose end is not."""
    stream = claude.stream("slow")
    while not stream.partial().text:
        stream.wait(1)
    # Nothing is there, so there is time for the journal.
    stream.wait(0)
    return stream


def error_of(work) -> str:
    try:
        work()
    except ClaudeError as error:
        return str(error)
    return ""


def test_each_child_and_the_parent_gets_its_own_answer(claude_emulator):
    claude = client(claude_emulator)
    for name in ("parent", "child 0", "parent 0", "child 1", "parent 1"):
        claude_emulator.answer(f"to {name}")
    assert claude.ask("first").text == "to parent"
    for number in range(2):
        assert forked(lambda: claude.ask("child").text) == f"to child {number}"
        assert claude.ask("parent").text == f"to parent {number}"


def test_a_child_opens_a_connection_of_its_own_and_the_parent_keeps_its_own(service):
    """The parent's connection lies idle in its pool when the fork is made."""
    claude = service.client()
    claude.ask("one")
    assert forked(lambda: claude.ask("two").text) == "yes"
    claude.ask("three")
    parents, childs, again = service.connections
    assert parents == again != childs


def test_a_grandchild_gets_its_own_answer(claude_emulator):
    claude = client(claude_emulator)
    claude_emulator.answer("parent", "child", "grandchild")
    claude.ask("x")
    assert forked(lambda: [claude.ask("x").text, forked(lambda: claude.ask("x").text)]) == [
        "child",
        "grandchild",
    ]


@pytest.mark.parametrize(
    "part", ["session", "authorizer", "tally", "notices", "journal", "recording", "reminder"]
)
def test_a_lock_that_another_thread_holds_at_the_fork_is_not_the_childs(claude_emulator, part, tmp_path):
    """As when a pool of processes starts while another thread asks."""
    claude = client(claude_emulator, recording=str(tmp_path / "lesson.json"))
    claude_emulator.answer("parent", "child", "parent again")
    claude.ask("one")
    journal = claude._session.records.stores.journal(str(default_path()))
    lock = {
        "session": claude._session.transport._lock,
        "authorizer": threading.Lock(),
        "tally": claude._session.records.budget._lock,
        "notices": claude._session.records._lock,
        "journal": journal._lock,
        "recording": claude._session.records.stores.recording(str(tmp_path / "lesson.json"))._lock,
        "reminder": claude._session.status.reminder._lock,
    }[part]
    if part == "authorizer":
        login = ApplicationDefault()
        claude._session.transport.authorizer, lock = login, login._lock
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        if part == "authorizer":
            # There is no login; the child says so and does not wait for the parent's look-up.
            assert "credentials" in forked(lambda: error_of(lambda: claude.ask("two")))
        else:
            assert forked(lambda: claude.ask("two").text) == "child"
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("what", ["read", "close", "leave", "free"])
def test_a_stream_that_is_open_at_the_fork_goes_on_in_the_parent_only(service, what):
    """The child gets an error, and what it does with its copy ends nothing of the parent's."""
    stream = begun(service.client())

    def child() -> str:
        if what == "read":
            return error_of(lambda: stream.reply)
        if what == "leave":
            stream.__exit__(None, None, None)
        elif what == "close":
            stream.close()
        else:
            stream._streams[-1].__del__()
        return ""

    assert ("process" in forked(child)) == (what == "read")
    assert [row["state"] for row in rows()] == ["sent"]
    service.let_go.release()
    assert stream.reply.complete
    assert [row["state"] for row in rows()] == ["done"]


def test_a_child_asks_while_the_parents_answer_streams(service):
    claude = service.client()
    with begun(claude) as stream:
        assert forked(lambda: claude.ask("quick").complete)
        service.let_go.release()
        assert stream.reply.complete
    assert len(set(service.connections)) == 2


def test_a_fork_made_by_another_thread_than_the_one_that_waits_for_an_answer(service):
    claude = service.client()
    found: list[bool] = []

    def fork() -> None:
        found.append(forked(lambda: claude.ask("quick").complete))
        service.let_go.release()

    with begun(claude) as stream:
        thread = threading.Thread(target=fork)
        thread.start()
        assert stream.reply.complete
        thread.join()
    assert found == [True]


def test_a_transaction_under_way_at_the_fork_is_neither_rolled_back_nor_committed_by_the_child(
    claude_emulator,
):
    """The child closes its journal and frees what it can."""
    journal = opened(default_path())
    call = a_call("parent")
    number = journal.begin(call)

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE calls SET asked = 'changed' WHERE id = ?", (number,))
        held.set()
        over.wait()

    held, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: journal.database.write(work))
    thread.start()
    held.wait()

    def child() -> str:
        journal.close()
        gc.collect()
        return "closed"

    try:
        assert forked(child) == "closed"
    finally:
        over.set()
        thread.join()
    assert [row["asked"] for row in rows()] == ["changed"]


def test_no_connection_to_the_journal_is_open_on_both_sides(claude_emulator):
    """SQLite's own locks hold for a process, so a file that is open at a fork is not safe on either side."""
    journal = opened(default_path())

    def keep(text: str) -> None:
        call = a_call(text)
        journal.end(journal.begin(call), call, an_ending("x"), KEEP)

    keep("parent")

    def child() -> bool:
        inherited = journal.database._connection is not None
        keep("child")
        return inherited

    assert forked(child) is False
    keep("parent again")
    with closing(sqlite3.connect(default_path())) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(rows()) == 3


def test_a_child_is_a_session_of_its_own_in_the_journal_and_belongs_to_no_cell(claude_emulator):
    claude = client(claude_emulator)
    with asking_for(Origin(notebook="lesson.ipynb", cell="c1", run="7")):
        claude.ask("parent")
        mine = session_id()
        assert forked(lambda: [session_id() == mine, claude.ask("child").complete]) == [False, True]
        assert current_origin().cell == "c1"
    parent, child = rows()
    assert (parent["cell"], parent["run"]) == ("c1", "7")
    assert (child["cell"], child["run"]) == ("", "")
    assert parent["session"] != child["session"]


def test_a_child_reserves_nothing_of_the_parents_session_limit(claude_emulator):
    """What the parent holds back for a question under way is the parent's."""
    claude = client(claude_emulator)
    budget = claude._session.records.budget
    budget.reserve(5.0, local=True)
    budget.commit(budget.reserve(1.0, local=True), 0.5)
    assert forked(lambda: [budget.spent(local=True), budget.reserve(6.0, local=True, limit=6.0)])[0] == 0.0
    assert budget.spent(local=True) == 5.5


def test_what_a_child_spends_counts_for_the_day_of_the_parent(claude_emulator):
    claude = client(claude_emulator)
    before = claude.ask("parent").cost
    assert before
    cost = forked(lambda: claude.ask("child").cost)
    today = claude._session.records.spending(claude._session.target()).today_local
    assert today is not None
    assert today.usd == pytest.approx(before + cost)
    assert "today" in error_of(lambda: claude.ask("parent", max_daily_cost=before + cost)).lower()


def test_a_recordings_lock_that_the_parent_gives_back_is_not_kept_by_a_child(tmp_path):
    """A lock on a folder belongs to the open file, which a fork shares."""
    import fcntl

    holding = Recording(tmp_path / "lesson.json")._alone()
    with ExitStack() as stack:
        with holding:
            stack.enter_context(living_fork())
        handle = os.open(tmp_path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(handle)


def test_two_forks_have_two_identities():
    children = {forked(process_id) for _ in range(3)}
    assert len(children | {process_id()}) == 4


def test_a_child_closes_its_copy_of_a_socket_without_a_word_to_the_server():
    from vertex_claude_magic.process import at_fork
    from vertex_claude_magic.transport.connection import _close_copy

    ours, servers = socket.socketpair()
    with ours, servers:
        at_fork(ours, child=_close_copy)
        assert forked(ours.fileno) == -1
        servers.settimeout(30)
        ours.sendall(b"still open")
        assert servers.recv(100) == b"still open"
