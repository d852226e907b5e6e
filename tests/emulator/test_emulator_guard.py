"""Who may talk to the emulator, how it starts and ends, and how it is run by itself."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.__main__ import main
from vertex_claude_magic.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from typing_extensions import Self

AUTHORIZED = {"Authorization": "Bearer emulator"}
BODY: dict[str, Any] = {
    "anthropic_version": "vertex-2023-10-16",
    "max_tokens": 2000,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def url(emulator: Emulator) -> str:
    place = f"projects/{emulator.project}/locations/global"
    return f"{emulator.base_url}/{place}/publishers/anthropic/models/claude-sonnet-5:rawPredict"


STRANGERS = [
    ({"Host": "rebound.example"}, 421),
    ({"Host": "rebound.example:80"}, 421),
    ({"Host": "127.0.0.1"}, 421),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), STRANGERS)
def test_foreign_hosts_and_other_origins_are_refused(emulator, headers, status):
    """Case 66."""
    response = requests.post(url(emulator), json=BODY, headers={**AUTHORIZED, **headers}, timeout=120)
    assert response.status_code == status


def test_its_own_pages_and_localhost_are_welcome(emulator):
    headers = {
        **AUTHORIZED,
        "Origin": emulator.origin,
        "Host": emulator.origin.replace("127.0.0.1", "localhost")[7:],
    }
    assert requests.post(url(emulator), json=BODY, headers=headers, timeout=120).status_code == 200


def test_it_listens_on_loopback_only_and_on_a_port_of_its_own(emulator):
    """Case 66."""
    with Emulator() as other:
        assert other.origin != emulator.origin
    assert emulator.origin.startswith("http://127.0.0.1:")
    with socket.socket() as elsewhere:
        elsewhere.bind(("127.0.0.2", int(emulator.origin.rsplit(":", 1)[1])))


def test_close_frees_the_port_ends_the_thread_and_removes_the_key_and_may_be_repeated():
    before = set(threading.enumerate())
    emulator = Emulator()
    key = Path(emulator.environment["GOOGLE_APPLICATION_CREDENTIALS"])
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
    emulator.close()
    emulator.close()
    assert not key.parent.exists()
    assert set(threading.enumerate()) <= before
    with pytest.raises(requests.ConnectionError):
        requests.get(emulator.origin, timeout=1)


FEW_FILES = """
import os, resource
from vertex_claude_magic.emulator import Emulator
Emulator().close()
highest = max(map(int, os.listdir("/proc/self/fd")))
taken = [os.open(os.devnull, os.O_RDONLY)]
while taken[-1] <= highest:
    taken.append(os.open(os.devnull, os.O_RDONLY))
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
for spare in range(40):
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[-1] + 1 + spare, hard))
    try:
        Emulator().close()
    except OSError as error:
        print("refused", error.errno)
    else:
        print("started")
        break
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="a way of Linux to see which files are open")
def test_where_too_few_files_can_be_opened_it_fails_and_does_not_wait():
    """Whichever file it is that cannot be opened, that of the socket or one of the loop in its thread."""
    command = [sys.executable, "-c", FEW_FILES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    *refused, last = done.stdout.splitlines()
    assert last == "started"
    assert set(refused) == {f"refused {errno.EMFILE}"}
    assert len(refused) > 3


def test_a_fault_of_its_own_is_an_error_and_not_a_silence(emulator):
    emulator.answer([{"text": "a block without a type"}, 3])
    response = requests.post(url(emulator), json=BODY, headers=AUTHORIZED, timeout=120)
    assert response.status_code == 500
    assert "The emulator failed" in response.json()["error"]["message"]


def test_it_says_how_to_install_tornado(monkeypatch):
    monkeypatch.setitem(sys.modules, "tornado", None)
    with pytest.raises(MissingExtra, match=r'pip install "vertex-claude-magic\[demo\]"'):
        Emulator()


def test_the_command_prints_the_address_and_the_environment_and_ends_at_a_signal():
    command = [sys.executable, "-m", "vertex_claude_magic.emulator"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(6)]
        exported = dict(line.removeprefix("export ").split("=", 1) for line in lines[1:5])
        assert lines[0] == exported["ANTHROPIC_VERTEX_BASE_URL"]
        assert lines[0].startswith("http://127.0.0.1:")
        assert Path(exported["GOOGLE_APPLICATION_CREDENTIALS"]).exists()
        assert "Claude" in lines[5]
        assert "Ctrl-C" in lines[5]
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0
    assert not Path(exported["GOOGLE_APPLICATION_CREDENTIALS"]).exists()


class Pressed(io.StringIO):
    """An output: so many lines of Python after it was flushed, this process gets a signal.

    It gets it again and again until the block ends, so that the code under test may also wait before that line.
    """

    def __init__(self, number: signal.Signals, lines: int) -> None:
        super().__init__()
        self._number, self._left = number, lines
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._repeat)

    def _repeat(self) -> None:
        while not self._over.wait(0.05):
            os.kill(os.getpid(), self._number)

    def flush(self) -> None:
        self._thread.start()
        # The function that is running too: on its own, tracing begins with the next one that is called.
        sys._getframe(1).f_trace = self._trace
        sys.settrace(self._trace)

    def _trace(self, _: FrameType, event: str, __: object) -> Any:
        self._left -= event == "line"
        if self._left >= 0:
            return self._trace
        sys.settrace(None)
        signal.raise_signal(self._number)
        return None

    def __enter__(self) -> Self:
        # What comes after the command has ended must not end the tests.
        self._former = signal.signal(self._number, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)
        self._over.set()
        self._thread.join()
        signal.signal(self._number, self._former)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("lines", range(25))
def test_a_signal_ends_the_command_at_whatever_line_it_is(number, lines):
    """Also where the code that waits for the signal holds a lock."""
    with Pressed(number, lines) as out:
        assert main([], out=out) == 0


@pytest.mark.parametrize(
    "options", [["--port", "99999"], ["--port", "-5"], ["--pace", "-1"], ["--pace", "nan"], ["--pace", "inf"]]
)
def test_the_command_refuses_a_number_that_cannot_be_in_one_line(options, capsys):
    """With what to give in its place."""
    assert main(options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert options[1].strip("-") in line


def test_the_command_says_in_one_line_why_it_cannot_start(tmp_path, capsys):
    assert main(["--script", str(tmp_path / "missing.json")]) == 2
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        assert main(["--port", str(taken.getsockname()[1])]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_the_fixture_works_in_a_users_own_tests(tmp_path):
    test = tmp_path / "test_mine.py"
    test.write_text("def test_mine(claude_emulator):\n    assert claude_emulator.base_url.endswith('/v1')\n")
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "pytest",
        "-q",
        "-p",
        "vertex_claude_magic.emulator.pytest_plugin",
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*command, str(test)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr
