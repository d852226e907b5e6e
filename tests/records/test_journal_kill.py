"""Kernels that are killed, and kernels that write at once: what was said to be kept is there, and the file is whole."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from journals import rows
from shells import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")

WRITER = """
import os, sys
from pathlib import Path
from journals import KEEP, a_call, an_ending
from vertex_claude_magic.records.journal.database import Database
from vertex_claude_magic.records.journal.journal import Journal

path, log = Path(sys.argv[1]), sys.argv[2]

def opened():
    journal = Journal(path)
    # How long a lock is waited for in a kernel has tests of its own. Here a writer waits for its turn, however slow
    # the machine is.
    journal.database = Database(path, shares=lambda _: log == "wal", tries=100_000)
    return journal

def write(journal, name, report):
    call = a_call(name + " word" * 200, session=name, attachments={f"{hash(name) % 2**64:064x}": os.urandom(20_000)})
    number = journal.begin(call)
    report(b"sent %a\\n" % name)
    journal.end(number, call, an_ending("answer " * 200), KEEP)
    assert journal.notices() == ()
    report(b"done %a\\n" % name)
"""

# One process that has everything imported forks a writer for each round, and kills it: at a random moment from its
# start on (0), at a random moment after it has reported some lines (1), or while it waits between question and answer
# (2). How many lines there are at least depends on what was waited for, and not on the machine.
KILLER = (
    WRITER
    + """
import random, select, signal, sqlite3

def check(said):
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert not said or connection.execute("PRAGMA journal_mode").fetchone() == (log,)
    if not said and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        # Killed before it had a table.
        connection.close()
        return
    states = dict(connection.execute("SELECT session, state FROM calls"))
    answered = {name for (name,) in connection.execute(
        "SELECT session FROM calls JOIN contents ON contents.call = calls.id WHERE answer IS NOT NULL")}
    whole = {name for (name,) in connection.execute(
        "SELECT session FROM calls JOIN call_attachments ON call = calls.id JOIN attachments USING (hash)")}
    connection.close()
    for line in said:
        state, name = line.split(" ", 1)
        name = name.strip("'")
        assert name in states and name in whole, line
        assert state == "sent" or (states[name] == "done" and name in answered), line
    # No call is half there.
    assert set(states) == whole

said, mid, awaited = [], 0, 0
for turn in range(int(sys.argv[3])):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        journal, number = opened(), 0

        def report(line):
            os.write(writer, line)
            if turn % 3 == 2 and number == turn % 4 and line.startswith(b"sent"):
                signal.pause()

        while True:
            write(journal, f"{turn}-{number}", report)
            number += 1
    os.close(writer)
    # The first writes include those that make the file.
    wanted, seen = (0, 1 + turn % 5, 1 + 2 * (turn % 4))[turn % 3], b""
    awaited += wanted
    while seen.count(b"\\n") < wanted:
        piece = os.read(reader, 65536)
        assert piece, "the writer has ended"
        seen += piece
    select.select([], [], [], random.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    while piece := os.read(reader, 65536):
        seen += piece
    os.close(reader)
    lines = seen.decode().splitlines()
    mid += bool(lines) and lines[-1].startswith("sent")
    said += lines
    if path.exists():
        check(said)
assert len(said) >= awaited
print(len(said), mid)
"""
)

EIGHT = (
    WRITER
    + """
name = sys.argv[3]
journal = opened()
sys.stdout.write("ready\\n"); sys.stdout.flush()
sys.stdin.read()
for number in range(30):
    write(journal, f"{name}-{number}", lambda line: None)
"""
)


def started(code: str, path: Path, *arguments: str) -> subprocess.Popen[str]:
    surroundings = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    command = [sys.executable, "-c", code, str(path), *arguments]
    return subprocess.Popen(
        command,
        env=surroundings,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("log", ["wal", "delete"])
def test_what_was_kept_survives_being_killed_at_any_moment(tmp_path, log):
    """Case 75: 50 times and ten, with content and attachments; nothing is half there, and the file is sound."""
    with started(KILLER, tmp_path / "kept" / "journal.sqlite3", log, "60") as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    kept, between = map(int, out.split())
    assert kept > 60
    # A third of them was killed between question and answer.
    assert between >= 20


@pytest.mark.parametrize("log", ["wal", "delete"])
def test_eight_kernels_that_write_at_once_lose_nothing(tmp_path, log):
    """Case 77: each 30 questions and answers, all into one new file."""
    path = tmp_path / "journal.sqlite3"
    processes = [started(EIGHT, path, log, str(number)) for number in range(8)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.close()
    for process in processes:
        with process:
            assert process.stderr.read() == ""
    found = rows(path=path)
    assert len(found) == 240
    assert {row["state"] for row in found} == {"done"}
    assert len(rows("contents", path)) == len(rows("attachments", path)) == 240
