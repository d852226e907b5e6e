"""Where no thread can start, a question ends in one line with a cure, and what needs no thread works."""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from queue import SimpleQueue

import pytest
from journals import client, rows
from kernel import own_loop

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.process import ReusableThreads, can_connect, check_connect
from vertex_claude_magic.settings.origin import Origin, asking_for, current_origin

SAYS = "No thread can be started here"


def refuse_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


@pytest.fixture
def no_threads(monkeypatch):
    """As Pyodide's `threading` is: the module is there, and no thread starts."""
    return lambda: monkeypatch.setattr(threading.Thread, "start", refuse_thread)


@pytest.mark.parametrize(
    "ask",
    [
        lambda claude: claude.ask("Hello"),
        lambda claude: claude.stream("Hello"),
        lambda claude: claude.count("Hello"),
        lambda claude: claude.ask("Hello", max_session_cost=5.0),
        lambda claude: claude.ask("Hello", as_=int),
        lambda claude: claude.ask("Hello", replay="auto"),
        lambda claude: claude.ask("Hello", no_stream=True),
    ],
    ids=["ask", "stream", "count", "limit", "typed", "replay auto", "whole"],
)
def test_python_gets_one_line_with_a_cure(claude_emulator, no_threads, ask):
    claude = client(claude_emulator)
    no_threads()
    with pytest.raises(errors.ThreadUnavailable, match=SAYS) as caught:
        ask(claude)
    assert "only recorded answers are available here" in str(caught.value)
    assert 'replay="only"' in caught.value.cure
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert claude._session.records.budget._held == {}
    assert claude_emulator.requests == []


def test_a_thread_that_cannot_start_takes_no_place_of_another(monkeypatch):
    """A limit of the system may be over when the next one is wanted."""
    threads, ran = ReusableThreads(at_most=1), SimpleQueue()
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse_thread)
        with pytest.raises(errors.ThreadUnavailable, match=SAYS):
            threads.start(lambda: ran.put(1), "test-full")
    threads.start(lambda: ran.put(2), "test-full")
    assert ran.get(timeout=60) == 2
    threads.close()


def test_whether_anything_can_be_sent_is_one_question(no_threads):
    """Asked by whatever would bind a socket or tell the user; the start of a thread is handed in, or is the system's."""

    def refuse(run, name):
        raise errors.ThreadUnavailable("None.", cure="x")

    assert can_connect()
    assert not can_connect(refuse)
    no_threads()
    assert not can_connect()
    with pytest.raises(errors.ThreadUnavailable, match=SAYS):
        check_connect()


def test_an_emulator_asks_before_it_binds_a_socket(no_threads, monkeypatch):
    """Pyodide has no socket to bind either, and would raise an OSError."""

    def unsupported(*arguments: object, **options: object) -> None:
        raise OSError(138, "Not supported")

    monkeypatch.setattr(socket, "create_server", unsupported)
    no_threads()
    with pytest.raises(errors.ThreadUnavailable, match=SAYS):
        Emulator()


def test_a_project_that_only_the_credentials_name_is_not_looked_for(claude_emulator, no_threads, monkeypatch):
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.delenv("ANTHROPIC_VERTEX_PROJECT_ID", raising=False)
    no_threads()
    with pytest.raises(errors.ThreadUnavailable, match=SAYS):
        Claude().ask("Hello")


def test_a_recorded_answer_is_given(claude_emulator, no_threads):
    claude_emulator.answer("recorded")
    client(claude_emulator).ask("Hello")
    claude = client(claude_emulator, replay="only")
    no_threads()
    assert claude.ask("Hello").text == "recorded"
    assert "".join(claude.stream("Hello").reply.text) == "recorded"


@pytest.mark.parametrize(
    "cell",
    [
        "%%claude\nHello",
        "%claude Hello",
        "%claude -q Hello",
        "%%claude -q\nHello",
        "%claude_demo",
        "%claude_models --check",
    ],
)
def test_a_cell_gets_one_line_with_a_cure(shell, no_threads, cell):
    no_threads()
    result = shell.run(cell)
    assert isinstance(result.error_in_exec, errors.ThreadUnavailable)


@pytest.mark.parametrize(
    "cell",
    [
        "%%claude --dry-run\nHello",
        "%claude_models",
        "%claude_usage",
        "%claude",
        "%claude_panel",
        "%claude --help",
    ],
)
def test_what_sends_nothing_works(shell, no_threads, cell):
    no_threads()
    assert shell.run(cell).success


def test_a_cell_gets_its_recorded_answer(shell, no_threads):
    shell.run("%%claude\nHello")
    no_threads()
    result = shell.run("%%claude --replay only\nHello")
    assert result.success


def test_a_figure_is_drawn_for_a_recorded_answer(claude_emulator, no_threads):
    figure = importlib.import_module("matplotlib.figure").Figure()
    figure.subplots().plot([1, 2])
    client(claude_emulator).ask(["What is it?", figure])
    claude = client(claude_emulator, replay="only")
    no_threads()
    assert claude.ask(["What is it?", figure]).replayed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no limit on the processes of a user")
def test_a_real_limit_on_threads_gives_the_line(claude_emulator, no_threads):
    """RLIMIT_NPROC does not bind root; the stack that no address space is left for does the same."""
    code = """
import resource, threading
from vertex_claude_magic import Claude, ClaudeError
import requests, urllib3, sqlite3, google.auth, vertex_claude_magic.transport.connection
claude = Claude()
threading.stack_size(1 << 30)
soft = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + (1 << 29)
resource.setrlimit(resource.RLIMIT_AS, (soft, soft))
try:
    claude.ask("Hello")
except ClaudeError as error:
    print(type(error).__name__)
"""
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not tell how much address space is used")
    environment = {**os.environ, **claude_emulator.environment}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.stdout.split() == ["ThreadUnavailable"], done.stderr


def test_to_thread_asks_for_the_cell_that_awaits_it(shell):
    shell.run("import asyncio\nfrom vertex_claude_magic import Claude\nclaude = Claude()")
    shell.run(
        "await asyncio.gather(*(asyncio.to_thread(claude.ask, f'q{n}') for n in range(3)))\nclaude.ask('main')"
    )
    found = rows()
    assert len(found) == 4
    assert len({(row["cell"], row["run"]) for row in found}) == 1
    assert found[0]["cell"]
    assert found[0]["run"]


def test_two_runs_of_a_cell_that_asks_in_threads_are_two_runs(shell):
    """So that the second takes the place of the first, as it does without threads."""
    shell.run("import asyncio\nfrom vertex_claude_magic import Claude\nclaude = Claude()")
    for _ in range(2):
        shell.run("await asyncio.to_thread(claude.ask, 'Hello')")
    first, second = rows()
    assert first["cell"] == second["cell"] != ""
    assert first["run"] != second["run"]
    assert [row["replayable"] for row in (first, second)] == [0, 1]


def test_a_thread_that_runs_in_the_cells_context_asks_for_the_cell(shell):
    shell.run(
        "import contextvars, threading\nfrom vertex_claude_magic import Claude\nclaude = Claude()\n"
        "thread = threading.Thread(target=contextvars.copy_context().run, args=(claude.ask, 'Hello'))\n"
        "thread.start()\nthread.join()"
    )
    (row,) = rows()
    assert row["cell"]
    assert row["run"]


POOL = """
from concurrent.futures import ThreadPoolExecutor
from vertex_claude_magic import Claude
with ThreadPoolExecutor(4) as pool:
    list(pool.map(Claude().ask, ["one", "two", "three", "four", "five"]))
"""


def cells(found=None) -> list[tuple[str, str]]:
    return [(row["cell"], row["run"]) for row in found or rows()]


def test_a_pool_that_a_cell_starts_asks_for_the_cell(shell):
    shell.run(POOL)
    shell.run("Claude().ask('Hello')")
    *pool, later = cells()
    assert len(set(pool)) == 1
    assert all(pool[0])
    assert later not in pool
    assert {row["run_id"] for row in rows()[:5]} == {1}


def test_a_pool_that_lives_asks_for_the_cell_that_uses_it(shell):
    shell.run("from concurrent.futures import ThreadPoolExecutor\nfrom vertex_claude_magic import Claude")
    shell.run("pool = ThreadPoolExecutor(1)\nreply = pool.submit(Claude().ask, 'one').result()")
    shell.run("reply = pool.submit(Claude().ask, 'two').result()\nClaude().ask('three')")
    first, second, third = cells()
    assert first != second == third
    shell.run("pool.shutdown()")


def test_a_thread_that_outlives_its_cell_asks_for_it(shell):
    shell.run(
        "import threading\nfrom vertex_claude_magic import Claude\nclaude, go = Claude(), threading.Event()\n"
        "def work():\n    go.wait()\n    claude.ask('late')\n"
        "thread = threading.Thread(target=work)\nthread.start()\nclaude.ask('Hello')"
    )
    shell.ip.user_ns["go"].set()
    shell.ip.user_ns["thread"].join()
    assert len(set(cells())) == 1


def test_a_thread_that_no_cell_started_asks_for_none(shell):
    go, begun = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait()
        shell.ip.user_ns["claude"].ask("Hello")

    thread = threading.Thread(target=work)
    thread.start()
    begun.wait()
    shell.ip.user_ns.update(go=go, thread=thread)
    shell.run("from vertex_claude_magic import Claude\nclaude = Claude()\ngo.set()\nthread.join()")
    assert cells() == [("", "")]


def test_what_runs_after_a_cell_does_not_ask_for_it(shell):
    shell.run("from vertex_claude_magic import Claude\nclaude = Claude()")
    shell.ip.user_ns["claude"].ask("Hello")
    (row,) = rows()
    assert (row["cell"], row["run"]) == ("", "")


ORIGIN = Origin(notebook="lesson.ipynb", cell="c1", run="7")


def test_an_origin_can_be_handed_to_a_thread(claude_emulator):
    claude = client(claude_emulator)

    def work() -> None:
        with asking_for(ORIGIN):
            claude.ask("Hello")
        claude.ask("Hello again")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [row["run"] for row in rows()] == ["7", ""]


def test_an_origin_goes_with_tasks_to_thread_and_copied_contexts_and_with_nothing_else():
    async def main() -> list[str]:
        async def task() -> Origin:
            return current_origin()

        with asking_for(ORIGIN):
            begun = asyncio.ensure_future(task())
            copied = contextvars.copy_context()
            found = [await asyncio.to_thread(current_origin)]
        return [each.run for each in (*found, await begun, copied.run(current_origin), current_origin())]

    # Old ipykernels patch `asyncio.run`, which then takes the present loop, whoever has closed it (nest_asyncio 1.6).
    with own_loop():
        assert asyncio.run(main()) == ["7", "7", "7", ""]
