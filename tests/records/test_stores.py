"""The open files of a session belong to an object: it is handed on, it goes with the session, and nothing is left of it."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import weakref
from pathlib import Path

import pytest
from journals import asked, client, offline, rows
from shells import run_python

from vertex_claude_magic import Claude
from vertex_claude_magic.records.journal.database import Database
from vertex_claude_magic.records.stores import Stores
from vertex_claude_magic.settings.origin import Origin, asking_for, current_origin, set_origin


def test_a_relative_recording_does_not_follow_the_folder(claude_emulator, tmp_path, monkeypatch):
    """It counts from where it was first used, whatever a cell changes to; so does a journal."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    claude = client(claude_emulator, recording="lesson.claude", journal="j.db", replay="auto")
    claude.ask("Hello")
    monkeypatch.chdir(tmp_path / "two")
    assert claude.ask("Hello").replayed
    claude.ask("And now?")
    claude.close()
    assert list((tmp_path / "two").iterdir()) == []
    assert len(rows(path=tmp_path / "one" / "j.db")) == 3


def test_a_recording_that_a_cell_sets_counts_from_there(shell, tmp_path, monkeypatch):
    """Also if the folder changes before the first question."""
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path)
    shell.ok("%config ClaudeMagics.recording = 'lesson.claude'")
    shell.ok("import os; os.chdir('two')")
    shell.ok("%%claude\nHello")
    assert (tmp_path / "lesson.claude").exists()
    assert list((tmp_path / "two").iterdir()) == []


GONE = """
import os
import sys
from vertex_claude_magic import Claude
sys.stderr = sys.stdout
os.chdir(os.environ["FOLDER"])
os.rmdir(os.environ["FOLDER"])
claude = Claude(model="claude-haiku-4-5", access_token="emulator", recording=os.environ["RECORDING"] or None, replay="auto")
print(claude.ask("Hello").text)
chat = claude.chat("talk")
print(chat.ask("Hello").turn, chat.ask("Hello").turn, len(claude.chat("talk").turns))
print([row["error"] for row in claude.map(["a", "b"], "Repeat {{ item }}")])
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows deletes no working folder")
@pytest.mark.parametrize("recording", ["", "lesson.claude"])
@pytest.mark.parametrize("journal", ["off", "j.sqlite3", "default"])
def test_a_working_folder_that_was_deleted_costs_no_answer(claude_emulator, tmp_path, recording, journal):
    """Conversations and table runs go on too; what has its files there says that it cannot be written."""
    claude_emulator.answer(*["Hi."] * 5)
    (tmp_path / "gone").mkdir()
    # Without the working folder in the path, as in a kernel: Python 3.13.0 raises a SystemError at a missing attribute of a
    # module where that folder was deleted, and `import socket` looks one up.
    flags = ["-P"] if sys.version_info >= (3, 11) else []
    printed = run_python(
        GONE, *flags, FOLDER=str(tmp_path / "gone"), RECORDING=recording,
        VERTEX_CLAUDE_JOURNAL=str(tmp_path / "j") if journal == "default" else journal,
        ANTHROPIC_VERTEX_BASE_URL=claude_emulator.base_url, ANTHROPIC_VERTEX_PROJECT_ID=claude_emulator.project,
    )  # fmt: skip
    assert [line for line in ("Hi.", "1 2 2", "[None, None]") if line in printed.splitlines()] == [
        "Hi.",
        "1 2 2",
        "[None, None]",
    ]
    assert ("The recording lesson.claude cannot be written (No such file or directory)" in printed) == bool(
        recording
    )
    assert ("j.sqlite3 cannot be used (No such file or directory)" in printed) == (journal == "j.sqlite3")


def test_two_sessions_have_nothing_in_common_but_the_file(claude_emulator):
    """Each gives repeats from the first, as two kernels do."""
    claude_emulator.answer("A", "B")
    one = client(claude_emulator)
    one.ask("Draw")
    one.ask("Draw")
    assert [client(claude_emulator, replay="only").ask("Draw").text for _ in range(2)] == ["A", "A"]
    again = client(claude_emulator, replay="only")
    assert [again.ask("Draw").text for _ in range(3)] == ["A", "B", "A"]


def test_the_sessions_of_a_notebook_share_its_files(shell, claude_emulator):
    """A `Claude()` of a cell goes on where the magics were."""
    claude_emulator.answer("A", "B")
    shell.ok("from vertex_claude_magic import Claude\nreplies = [Claude().ask('Draw') for _ in range(2)]")
    assert Claude()._session.records.stores is shell.magics.stores
    assert [Claude(replay="only").ask("Draw").text for _ in range(2)] == ["A", "B"]


def test_what_nobody_has_any_more_is_closed(claude_emulator):
    """The connection to the journal goes with the session."""
    claude = client(claude_emulator)
    claude.ask("Hello")
    journal = claude._session.records.stores.journal(str(Path("~/x").expanduser()))
    connection = weakref.ref(journal)
    del claude, journal
    gc.collect()
    assert connection() is None


def test_a_journal_that_is_garbage_closes_its_file(tmp_path):
    """Also where it is part of a circle, which only the garbage collector frees."""
    database = Database(tmp_path / "j")
    database.itself = database
    connection = database.read(lambda connection: connection)
    del database
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


@pytest.mark.parametrize("collected", [(), (0,), (0, 1), (0, 1, 2)])
def test_a_journal_and_its_connection_are_freed_in_any_order(tmp_path, monkeypatch, collected):
    """Since Python 3.13, sqlite3 warns of a connection that is freed before it was closed."""
    warned = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: warned.append(raised.exc_value))
    database = Database(tmp_path / "j")
    database.itself = database
    for generation in collected:
        gc.collect(generation)
    database.read(lambda _: None)
    del database
    gc.collect()
    assert warned == []


def test_closed_files_are_opened_again(claude_emulator, tmp_path):
    """And what was asked of them is forgotten."""
    claude = client(claude_emulator, recording=str(tmp_path / "r"))
    claude.ask("Hello")
    claude._session.records.stores.close()
    assert claude.ask("Hello", replay="auto").replayed
    assert len(asked(claude_emulator)) == 1


@pytest.mark.parametrize("named", ["", "~/a", "a/b", "/a", "~nobody-of-this-name/j"])
def test_a_name_is_one_file(named):
    """Whatever it looks like."""
    stores = Stores()
    assert stores.path(named).is_absolute()
    assert stores.recording(named) is stores.recording(str(stores.path(named)))
    assert stores.journal(named) is stores.journal(named)


def test_who_knows_the_cells_is_forgotten_when_it_is_gone():
    """A shell that is gone without a word leaves nothing behind."""

    class Watch:
        def origin(self) -> Origin:
            return Origin(cell="c1")

    watch = Watch()
    set_origin(watch.origin)
    assert current_origin().cell == "c1"
    with asking_for(Origin(cell="c2")):
        assert current_origin().cell == "c2"
    del watch
    gc.collect()
    assert current_origin().cell == ""


def test_a_recording_is_found_by_a_session_that_shares_no_file(claude_emulator, tmp_path):
    """What one wrote, another reads at once."""
    recording = str(tmp_path / "lesson.claude")
    client(claude_emulator, recording=recording).ask("Hello")
    assert offline(recording=recording, journal="off", replay="only").ask("Hello").replayed
