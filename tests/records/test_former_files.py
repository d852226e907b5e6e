"""Files that versions before the chain of digests wrote: nothing is lost, and what they hold is given again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from journals import a_call, an_ending, client, offline, opened, rows
from test_replay import picture

from vertex_claude_magic.records.journal import parts, review, schema
from vertex_claude_magic.records.journal.importing import add_records
from vertex_claude_magic.records.journal.upkeep import Keep
from vertex_claude_magic.records.recording.file_text import read_recording

FORMER = Path(__file__).parent / "former"
MODEL = "claude-haiku-5-5"
CACHED = [{"type": "text", "text": "Long instructions.", "cache_control": {"type": "ephemeral"}}]
TALK = [
    {"role": "user", "content": "Größe?"},
    {"role": "assistant", "content": "180"},
    {"role": "user", "content": "In cm?"},
]
QUESTIONS = [
    ("What is 2 + 2?", {}, "Four."),
    ([picture(), "What is this?"], {}, "A red pixel."),
    ("Draw a card.", {}, "First."),
    ("Draw a card.", {}, "Second."),
    (TALK, {"system": "Be brief."}, "Brief."),
    ("Cached?", {"system": CACHED}, "It is cached."),
]
# Whatever the day is on which the tests run.
ALL_DAYS = {"journal_days": 36_500}


@pytest.fixture
def journal(tmp_path) -> Path:
    """A journal as the former version left it."""
    path = tmp_path / "journal.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((FORMER / "journal.sql").read_text(encoding="utf-8"))
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return schema.version_of(connection)


def test_answers_of_a_former_journal_are_given_again(journal):
    """With attachments, repeats in their order, conversations and cache marks."""
    assert version(journal) == 2
    claude = offline(journal=str(journal), replay="only", model=MODEL)
    assert [claude.ask(prompt, **options).text for prompt, options, _ in QUESTIONS] == [
        text for *_, text in QUESTIONS
    ]
    assert version(journal) == len(schema.MIGRATIONS)
    found = rows(path=journal)
    assert [row["state"] for row in found] == ["done"] * 6 + ["replayed"] * 6


def test_what_was_spent_is_known_of_a_former_journal_too(journal):
    """The sums of its days are made once."""
    [day] = {row["day"] for row in rows(path=journal)}
    spent = [opened(journal).spent(day, local=local) for local in (False, True)]
    assert sum(each.cost for each in spent) == pytest.approx(
        sum(row["cost"] or 0.0 for row in rows(path=journal))
    )
    assert any(each.cost for each in spent)


def test_nothing_of_a_former_journal_is_lost(journal):
    """Each column of each row, and each table."""
    tables = ("calls", "contents", "attachments", "call_attachments", "notes")
    before = {table: rows(table, journal) for table in tables}
    opened(journal).notes("none")
    for table in tables:
        assert [
            {name: row[name] for name in old}
            for old, row in zip(before[table], rows(table, journal), strict=True)
        ] == before[table]


def test_a_replayed_question_of_a_former_journal_is_shown_with_its_request(journal):
    """The row of the repeat has no content of its own."""
    offline(journal=str(journal), replay="only", model=MODEL).ask("What is 2 + 2?")
    entries = opened(journal).database.read(lambda connection: review.last(connection, 10))
    assert entries[-1].state == "replayed"
    assert [entry.request["body"]["messages"][-1]["content"] for entry in (entries[0], entries[-1])] == [
        "What is 2 + 2?"
    ] * 2


def test_a_refresh_replaces_what_the_former_version_recorded(journal, claude_emulator):
    """Under either digest; and the next look-up gives the new answer."""
    claude_emulator.answer("4")
    claude = client(claude_emulator, journal=str(journal), model=MODEL, **ALL_DAYS)
    claude.ask("What is 2 + 2?", replay="refresh")
    assert [claude.ask("What is 2 + 2?", replay="only").text for _ in range(2)] == ["4", "4"]


def test_answers_of_both_versions_are_pruned_alike(journal):
    """With all that belongs to them."""
    kept = opened(journal)
    call = a_call()
    kept.end(kept.begin(call), call, an_ending(), Keep(days=36_500))
    kept.database.write(review.clear)
    for table in ("calls", "contents", "attachments", "call_attachments", "parts", "turns", "runs"):
        assert rows(table, journal) == []


def test_a_kernel_of_the_former_version_that_has_the_file_open_goes_on(journal):
    """It knows nothing of the new columns; its rows are found by the former digest, and none of ours is harmed."""
    former = read_recording((FORMER / "lesson.claude").read_text(encoding="utf-8"))[0][0]
    with closing(sqlite3.connect(journal, isolation_level=None)) as other:
        kept = opened(journal)
        call = a_call()
        kept.end(kept.begin(call), call, an_ending("ours"), Keep(days=36_500))
        key, answer = b"\1" * 32, parts.pack(former.answer)
        number = other.execute(
            "INSERT INTO calls (at, day, session, notebook, cell, run, key, state, replayable, source, asked, model,"
            " region, project) VALUES (0, '2026-11-29', 's', '', '', '', ?, 'done', 1, 'vertex', 'x', 'm', '', '')",
            (key,),
        ).lastrowid
        other.execute(
            "INSERT INTO contents (call, request, answer) VALUES (?, ?, ?)",
            (number, parts.pack(former.canonical), answer),
        )
        # As it prunes: our row with its content, and nothing of what only we know.
        other.execute("DELETE FROM contents WHERE call = 7")
        other.execute("DELETE FROM calls WHERE id = 7")
    assert kept.find("00" * 32, former=key.hex).canonical == former.canonical
    assert kept.find(call.key) is None
    kept.end(kept.begin(call), call, an_ending("again"), Keep(days=36_500))
    assert kept.find(call.key).answer["content"][0]["text"] == "again"
    assert kept.notices() == ()


def test_the_former_digest_is_worked_out_only_where_there_are_former_rows(journal, tmp_path):
    """It goes through the whole request."""
    asked: list[str] = []

    def former() -> str:
        asked.append("asked")
        return "00" * 32

    opened(journal).find("11" * 32, former=former)
    assert asked == ["asked"]
    fresh = opened(tmp_path / "fresh.sqlite3")
    call = a_call()
    fresh.end(fresh.begin(call), call, an_ending(), Keep())
    fresh.find("11" * 32, former=former)
    assert asked == ["asked"]


def test_what_a_former_journal_holds_is_not_imported_again(journal):
    """The same answers in the same order, though their keys are others."""
    records = read_recording((FORMER / "lesson.claude").read_text(encoding="utf-8"))[0]
    done = opened(journal).database.write(lambda connection: add_records(connection, records, 0.0))
    assert (done.added, done.known) == (0, 6)


@pytest.fixture
def recording(tmp_path) -> Path:
    return Path(shutil.copy(FORMER / "lesson.claude", tmp_path))


def test_answers_of_a_former_recording_are_given_again_and_the_file_stays_as_it_is(recording):
    """It may be read-only."""
    before = recording.read_bytes()
    recording.chmod(0o444)
    claude = offline(journal="off", recording=str(recording), replay="only", model=MODEL)
    assert [claude.ask(prompt, **options).text for prompt, options, _ in QUESTIONS] == [
        text for *_, text in QUESTIONS
    ]
    assert claude.count("What is 2 + 2?") == 7
    assert recording.read_bytes() == before
