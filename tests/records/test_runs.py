"""Runs own their calls: what is under way is not pruned, neither by days nor by size, until it ends or is given up."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from journals import DAY, NOON, a_call, an_ending, opened, rows, run_of
from processes import forked, needs_fork
from shells import ROOT

from vertex_claude_magic.records.journal.runs import lives, this_process
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.settings.origin import Origin

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.journal import Journal

CELL = Origin(notebook="lesson.ipynb", cell="c1", run="7")
SMALL = Keep(megabytes=1)


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path, clock) -> Journal:
    return opened(tmp_path / "journal.sqlite3", clock=clock)


def keep(journal: Journal, text: str = "Hello", **changes) -> None:
    call = a_call(text, at=journal._clock(), **changes)
    journal.end(journal.begin(call), call, an_ending(os.urandom(20_000).hex()), Keep())


def left(journal: Journal) -> int:
    return len(rows(path=journal.path))


def test_the_calls_of_a_run_are_not_dropped_while_it_is_open(journal):
    """The file may be larger meanwhile, which is told once; and what belongs to no run makes space."""
    keep(journal, "before")
    with run_of(journal, "map", session="s1", origin=CELL) as run:
        for number in range(40):
            keep(journal, str(number), run_id=run)
        for _ in range(3):
            journal._upkeep(SMALL)
        assert left(journal) == 40
        notices = journal.notices()
        assert len(notices) == 2
        assert "larger than 1 MB" in notices[1]
    journal._upkeep(SMALL)
    assert 0 < left(journal) < 40


def ends(journal: Journal, text: str, run: int | None, **ending) -> None:
    journal.end(None, a_call(text, run_id=run), an_ending(**ending), Keep())


def test_the_calls_of_a_run_that_end_together_are_one_transaction(journal):
    """Of this thread; what belongs to no run, or ends in another thread, is written at once."""
    with run_of(journal, "map", session="s1", origin=CELL) as run:
        with journal.together():
            ends(journal, "a", run)
            ends(journal, "b", run)
            assert left(journal) == 0
            ends(journal, "c", None)
            other = threading.Thread(target=ends, args=(journal, "d", run))
            other.start()
            other.join()
            assert left(journal) == 2
        assert left(journal) == 4
        ends(journal, "e", run)
        assert left(journal) == 5


def test_two_runs_at_once_write_each_what_is_its_own(journal):
    """Also where the other one begins and ends in between."""
    begun, go_on = threading.Event(), threading.Event()

    def other() -> None:
        with run_of(journal, "map", session="s1", origin=CELL) as run, journal.together():
            ends(journal, "other", run)
            begun.set()
            go_on.wait(60)

    thread = threading.Thread(target=other)
    with run_of(journal, "map", session="s1", origin=CELL) as run, journal.together():
        ends(journal, "first", run)
        thread.start()
        assert begun.wait(60)
        ends(journal, "second", run)
        assert left(journal) == 0
        go_on.set()
        thread.join()
        assert [row["key"].hex() for row in rows(path=journal.path)] == [a_call("other").key]
        ends(journal, "third", run)
        assert left(journal) == 1
    assert left(journal) == 4


def test_a_call_that_cannot_be_stored_takes_none_of_the_others_with_it(journal):
    """It is told once."""
    with run_of(journal, "map", session="s1", origin=CELL) as run, journal.together():
        ends(journal, "a", run)
        ends(journal, "b", run, input_tokens=2**70)
        ends(journal, "c", run)
    assert [row["key"].hex() for row in rows(path=journal.path)] == [a_call("a").key, a_call("c").key]
    assert len(journal.notices()) == 1


@pytest.mark.parametrize(("state", "tries"), [("done", 8), ("stopped", 2)])
def test_a_journal_that_another_program_holds_is_asked_once_for_calls_that_end_together(
    journal, state, tries
):
    """Each by itself would fare no better; whoever has stopped them waits for half a second only."""
    with (
        run_of(journal, "map", session="s1", origin=CELL) as run,
        closing(sqlite3.connect(journal.path)) as other,
    ):
        ends(journal, "before", run)
        other.execute("BEGIN IMMEDIATE")
        statements: list[str] = []
        journal.database._connection.set_trace_callback(statements.append)
        with journal.together():
            for text in "abcd":
                ends(journal, text, run, state=state)
        assert statements == ["BEGIN IMMEDIATE"] * tries
        [notice] = journal.notices()
        assert "locked by another program" in notice
        other.rollback()
        ends(journal, "after", run)
    assert left(journal) == 2


def test_calls_that_go_out_together_are_one_transaction_and_know_their_numbers_then(journal):
    """What is under way when a process is killed was billed, so it is there before its answer."""
    numbers = dict[str, int]()
    with run_of(journal, "map", session="s1", origin=CELL) as run:
        each = {text: a_call(text, run_id=run) for text in "abc"}
        with journal.together():
            for text, call in each.items():
                assert journal.begin(call, later=partial(numbers.__setitem__, text)) is None
            assert (left(journal), numbers) == (0, {})
        assert [row["state"] for row in rows(path=journal.path)] == ["sent"] * 3
        with journal.together():
            for text, call in each.items():
                journal.end(numbers[text], call, an_ending(text), Keep())
    found = rows(path=journal.path)
    assert [(row["id"], row["key"].hex(), row["state"], row["replayable"]) for row in found] == [
        (numbers[text], call.key, "done", 1) for text, call in each.items()
    ]
    assert len(rows("contents", journal.path)) == 3


def test_a_call_that_goes_out_and_ends_together_is_there_once(journal):
    numbers = list[int]()
    with run_of(journal, "map", session="s1", origin=CELL) as run:
        call = a_call(run_id=run)
        with journal.together():
            assert journal.begin(call, later=numbers.append) is None
            journal.end(None, call, an_ending(), Keep())
    assert [row["state"] for row in rows(path=journal.path)] == ["done"]
    assert [row["uses"] for row in rows("parts", journal.path)] == [1, 1]


def test_a_call_that_goes_out_with_one_that_cannot_be_stored_knows_its_number(journal):
    numbers = list[int]()
    with run_of(journal, "map", session="s1", origin=CELL) as run, journal.together():
        journal.begin(a_call("a", run_id=run), later=numbers.append)
        ends(journal, "b", run, input_tokens=2**70)
    # It is told at each attempt to write, and the last one holds.
    assert numbers[-1:] == [row["id"] for row in rows(path=journal.path)] == [1]


def test_of_answers_that_are_written_together_the_later_replaces_the_earlier_as_ever(journal):
    """Each sees those before it, and what an earlier run of the cell has left."""
    again = CELL._replace(run="8")
    with run_of(journal, "map", session="s1", origin=CELL) as run:
        ends(journal, "a", run, answer={"content": [], "model": "before"})
        with journal.together():
            for number, origin in enumerate((CELL, again, again)):
                answer = {"content": [], "model": str(number)}
                call = a_call("a", run_id=run, origin=origin)
                journal.end(None, call, an_ending(answer=answer), Keep())
    assert [row["replayable"] for row in rows(path=journal.path)] == [1, 0, 1, 1]


def test_the_frame_of_a_run_is_stored_once_and_counted_once_a_call(journal):
    """Also if the file is emptied or replaced meanwhile, so that the number it had is that of something else."""
    for text in "abc":
        ends(journal, text, None)
    [frame] = [row for row in rows("parts", journal.path) if row["uses"] == 3]
    with closing(sqlite3.connect(journal.path)) as file:
        for table in ("calls", "contents", "turns", "parts"):
            file.execute(f"DELETE FROM {table}")
        file.execute("INSERT INTO parts VALUES (?, x'00', 1, x'00')", (frame["id"],))
        file.commit()
    for text in "ab":
        ends(journal, text, None)
    found = {row["hash"]: row for row in rows("parts", journal.path)}
    assert (found[b"\0"]["uses"], found[frame["hash"]]["uses"]) == (1, 2)
    assert [call.canonical for call in journal.recent()] == [a_call(text).canonical for text in "ba"]


def test_calls_that_end_together_are_kept_when_the_block_ends_in_an_interrupt(journal):
    def stopped() -> None:
        with journal.together():
            ends(journal, "a", run)
            raise KeyboardInterrupt

    with run_of(journal, "map", session="s1", origin=CELL) as run:
        with pytest.raises(KeyboardInterrupt):
            stopped()
        assert left(journal) == 1


def test_the_days_do_not_count_for_a_run_that_is_open(journal, clock):
    """A chat that goes on for months is whole."""
    run = journal.open_run("chat", session="s1", origin=CELL)
    keep(journal, run_id=run)
    for days, text in ((39, "Still there?"), (1, "And now?")):
        clock.now += days * DAY
        keep(journal, text, run_id=run)
    journal._upkeep(Keep())
    assert left(journal) == 3
    journal.close_run(run)
    journal._upkeep(Keep())
    assert left(journal) == 2


def test_a_run_of_a_cell_begins_with_its_first_question_and_ends_with_the_next_cells(journal):
    """One row for each cell, and none for a script."""
    for cell, run in (("c1", "1"), ("c1", "1"), ("c2", "2"), ("c1", "3"), ("", "")):
        keep(journal, origin=Origin(notebook="n", cell=cell, run=run))
    found = rows("runs", journal.path)
    assert [(row["kind"], row["cell"], row["run"], row["ended"] is None) for row in found] == [
        ("cell", "c1", "1", False), ("cell", "c2", "2", False), ("cell", "c1", "3", True),
    ]  # fmt: skip
    assert [row["run_id"] for row in rows(path=journal.path)] == [1, 1, 2, 3, None]
    journal.close()
    assert all(row["ended"] for row in rows("runs", journal.path))


def test_whoever_else_writes_for_a_cell_goes_on_with_its_run(journal, clock):
    """As another thread of it does, which writes before the first knows the number of the run that it began."""
    other = opened(journal.path, clock=clock)
    for each, cell in ((journal, "c1"), (other, "c1"), (other, "c2"), (journal, "c2")):
        keep(each, origin=Origin(notebook="n", cell=cell, run="1"))
    assert [row["cell"] for row in rows("runs", journal.path)] == ["c1", "c2"]
    assert [row["run_id"] for row in rows(path=journal.path)] == [1, 1, 2, 2]


def test_a_run_that_has_ended_is_open_again_for_whoever_else_writes_for_its_cell(journal, clock):
    """Or its calls could be pruned while the cell goes on."""
    late = opened(journal.path, clock=clock)
    for each, cell in ((journal, "c1"), (journal, "c2"), (late, "c1")):
        keep(each, origin=Origin(notebook="n", cell=cell, run="1"))
    assert [row["run_id"] for row in rows(path=journal.path)] == [1, 2, 1]
    assert [row["ended"] for row in rows("runs", journal.path)] == [None, None]


def test_a_cell_that_goes_on_in_the_background_has_one_run(journal):
    """Its threads may ask while later cells do."""
    for run in ("1", "2", "1", "2", "1"):
        keep(journal, origin=Origin(cell="c", run=run))
    assert len(rows("runs", journal.path)) == 2
    assert [row["run_id"] for row in rows(path=journal.path)] == [1, 2, 1, 2, 1]


def test_a_question_of_a_cell_costs_one_row_and_no_transaction_more(journal):
    """Two transactions each, as outside of a cell."""
    done: list[str] = []
    keep(journal, "the first makes the file")
    journal.database._connection.set_trace_callback(done.append)
    for origin in (Origin(), CELL):
        done.clear()
        keep(journal, origin=origin)
        assert done.count("COMMIT") == 2
    assert sum(text.startswith("INSERT INTO runs") for text in done) == 1


def test_a_run_whose_rows_are_gone_is_forgotten(journal, clock):
    """Also one that never asked anything."""
    with run_of(journal, "map", session="s1", origin=CELL) as run:
        keep(journal, run_id=run)
    with run_of(journal, "batch", session="s1", origin=CELL):
        pass
    clock.now += 31 * DAY
    journal._upkeep(Keep())
    assert (left(journal), rows("runs", journal.path)) == (0, [])


def test_a_file_that_was_replaced_has_no_runs_of_the_former_one(journal):
    """The run begins anew there."""
    keep(journal, origin=CELL)
    for file in journal.path.parent.iterdir():
        file.unlink()
    keep(journal, origin=CELL)
    assert len(rows("runs", journal.path)) == 1
    assert rows(path=journal.path)[0]["run_id"] == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from journals import KEEP, NOON, a_call, an_ending
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.settings.origin import Origin

journal = Journal(Path(sys.argv[1]), clock=lambda: NOON)
run = journal.open_run("map", session="s1", origin=Origin())
for number in range(int(sys.argv[2])):
    call = a_call(str(number), run_id=run)
    journal.end(journal.begin(call), call, an_ending(os.urandom(20_000).hex()), Keep(megabytes=1))
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(path: Path, count: int) -> None:
    surroundings = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(count)], env=surroundings, check=False
    )
    assert done.returncode == -signal.SIGKILL


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal")
def test_what_a_killed_process_had_asked_is_there_at_the_cap_and_for_as_many_days_as_anything(journal, clock):
    """So that it can be resumed; then nobody holds it any more."""
    killed(journal.path, 120)
    journal._upkeep(SMALL)
    assert left(journal) == 120
    for days in (31, 1):
        clock.now += days * DAY
        keep(journal, "later")
    journal._upkeep(SMALL)
    assert left(journal) == 2
    assert rows("runs", journal.path) == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only /proc tells a process that has ended")
def test_a_killed_process_whose_parent_does_not_ask_for_it_has_ended():
    """Such as the kernel of a program that is busy, or in a container whose first process waits for none."""
    code = "import sys\nfrom vertex_claude_magic.records.journal.runs import this_process\nprint(this_process(), flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)}) as child:  # fmt: skip
        process = child.stdout.readline().strip()
        assert lives(process)
        child.kill()
        # It ends, and stays in the table of processes.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not lives(process)


def test_a_process_that_lives_keeps_its_run_however_long_it_pauses(journal, clock):
    """As a kernel over the holidays."""
    run = journal.open_run("chat", session="s1", origin=CELL)
    keep(journal, run_id=run)
    clock.now += 60 * DAY
    keep(journal, "of another")
    journal._upkeep(Keep())
    assert left(journal) == 2


@needs_fork
def test_a_fork_does_not_go_on_with_the_runs_of_its_parent(journal):
    """It is a process and a session of its own."""
    keep(journal, origin=CELL)

    def ask() -> list[str]:
        keep(journal, origin=CELL, session="child")
        return list(journal.notices())

    assert forked(ask) == []
    parent, child = rows("runs", journal.path)
    assert parent["process"] == this_process() != child["process"]
    assert [row["run_id"] for row in rows(path=journal.path)] == [1, 2]


def test_a_run_where_the_journal_does_not_work_is_none(tmp_path):
    """Nothing stands in the way of the questions."""
    journal = opened(tmp_path)
    with run_of(journal, "map", session="s1", origin=CELL) as run:
        assert run is None
    assert len(journal.notices()) == 1
