"""Stop is pressed while the journal is written: each call is there once, and as it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from journals import KEEP, NOON, a_call, an_ending, asked, client, opened, rows, run_of

from vertex_claude_magic import ClaudeInterrupt
from vertex_claude_magic.settings.origin import Origin

if TYPE_CHECKING:
    import sqlite3

    from vertex_claude_magic.records.journal.journal import Journal

TEXT = "Once upon a time. " * 40


class Pressed:
    """A connection with which stop is pressed once, at the first statement that begins with `at`."""

    def __init__(self, connection: sqlite3.Connection, at: str, *, done: bool) -> None:
        self.connection, self.at, self.done = connection, at, done

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if not self.at or not statement.startswith(self.at):
            return self.connection.execute(statement, *values)
        self.at = ""
        if self.done:
            self.connection.execute(statement, *values)
        raise KeyboardInterrupt


MOMENTS = {
    "the lock is waited for": {"at": "BEGIN", "done": False},
    "something is written": {"at": "SELECT DISTINCT key", "done": True},
    "it is committed": {"at": "COMMIT", "done": False},
    "it has been committed": {"at": "COMMIT", "done": True},
}


def press(journal: Journal, moment: dict[str, Any]) -> Pressed:
    database = journal.database
    database.write(lambda _: None)
    database._connection = Pressed(database._connection, **moment)
    return database._connection


@pytest.fixture(params=MOMENTS.values(), ids=MOMENTS)
def moment(request) -> dict[str, Any]:
    return request.param


@pytest.fixture
def journal(tmp_path) -> Journal:
    return opened(tmp_path / "journal.sqlite3", clock=lambda: NOON)


def states(journal: Journal) -> list[str]:
    return [row["state"] for row in rows(path=journal.path)]


@pytest.mark.parametrize("begun", [False, True], ids=["ended at once", "was under way"])
def test_the_end_of_a_call_is_written(journal, moment, begun):
    call = a_call()
    number = journal.begin(call) if begun else None
    pressed = press(journal, moment)
    with pytest.raises(KeyboardInterrupt):
        journal.end(number, call, an_ending(), KEEP)
    assert not pressed.at
    assert states(journal) == ["done"]
    assert journal.find(call.key) is not None


def test_a_call_that_goes_out_is_there_once_and_its_end_finds_it(journal, moment):
    moment = {**moment, "at": moment["at"].replace("SELECT DISTINCT key", "INSERT INTO calls")}
    call, numbers = a_call(), list[int]()
    press(journal, moment)
    with pytest.raises(KeyboardInterrupt):
        journal.begin(call, later=numbers.append)
    assert states(journal) == ["sent"]
    journal.end(numbers[-1], call, an_ending(state="stopped"), KEEP)
    assert states(journal) == ["stopped"]


def test_calls_that_are_written_together_are_there_once_each(journal, moment):
    """Those that end at once, that were under way and that go out now."""
    with run_of(journal, "map", session="s1", origin=Origin()) as run:
        each = {text: a_call(text, run_id=run) for text in "abc"}
        # The first one that ends has the file looked after.
        journal.end(None, a_call("before"), an_ending(), KEEP)
        number, numbers = journal.begin(each["b"]), list[int]()
        press(journal, moment)

        def write() -> None:
            with journal.together():
                journal.end(None, each["a"], an_ending(), KEEP)
                journal.end(number, each["b"], an_ending(), KEEP)
                journal.begin(each["c"], later=numbers.append)

        with pytest.raises(KeyboardInterrupt):
            write()
    found = {row["key"].hex(): row for row in rows(path=journal.path)}
    assert [found[call.key]["state"] for call in each.values()] == ["done", "done", "sent"]
    assert numbers[-1] == found[each["c"].key]["id"]
    assert len(rows(path=journal.path)) == 4


def test_a_whole_answer_is_lost_nowhere(claude_emulator, tmp_path, moment):
    """Neither in the journal nor in the recording, the sums or the interrupt."""
    claude = client(claude_emulator, recording=str(tmp_path / "lesson.claude"))
    assert claude.ask("Before").complete
    claude_emulator.answer(TEXT)
    stream = claude.stream("Hello")
    # All is there when it is read, so the first that is written is its end.
    assert stream._streams[-1]._response._over.wait(60)
    press(claude._session.records.stores.journal(""), moment)
    with pytest.raises(ClaudeInterrupt) as caught:
        stream.reply  # noqa: B018 - reading it is the test
    assert (caught.value.reply.text, caught.value.reply.complete) == (TEXT, True)
    budget = claude._session.records.budget
    assert (budget._held, [row["state"] for row in rows()]) == ({}, ["done", "done"])
    assert budget.spent(local=True) == pytest.approx(sum(row["cost"] for row in rows()))
    for only in ({}, {"journal": "off"}):
        offline = client(claude_emulator, recording=str(tmp_path / "lesson.claude"), replay="only", **only)
        assert offline.ask("Hello").text == TEXT
    assert len(asked(claude_emulator)) == 2
