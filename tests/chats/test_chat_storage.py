"""Conversations in the journal: what shares, what stays, what goes, and an older file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from journals import NOON, client, opened, rows

from vertex_claude_magic import Chat, errors
from vertex_claude_magic.records.journal import chats, review, upkeep
from vertex_claude_magic.records.journal.chats import StoredTurn
from vertex_claude_magic.records.journal.schema import MIGRATIONS, migrate
from vertex_claude_magic.records.journal.upkeep import Keep

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}


@pytest.fixture
def journal(tmp_path):
    return opened(tmp_path / "journal.sqlite3", clock=lambda: NOON)


def turn(text: str, *blocks) -> StoredTurn:
    content = [*blocks, {"type": "text", "text": text}]
    messages = ({"role": "user", "content": content}, {"role": "assistant", "content": f"On {text}"})
    return StoredTurn("ok", messages, {"prompt": text})


def write(journal, name, turns):
    return journal.database.write(lambda connection: chats.write(connection, "n.ipynb", name, turns, NOON))


def read(journal, name):
    return journal.database.read(lambda connection: chats.read(connection, "n.ipynb", name)).turns


def test_what_is_written_is_read_back(journal):
    """Attachments too, byte for byte."""
    write(journal, "talk", [turn("One", IMAGE), turn("Two")])
    found = read(journal, "talk")
    assert [each._replace(id=None) for each in found] == [turn("One", IMAGE), turn("Two")]


def test_what_two_conversations_share_is_stored_once_and_goes_with_the_last(journal):
    """A fork costs a row for each turn; without turns nothing is left."""
    write(journal, "talk", [turn("One", IMAGE)])
    before = len(rows("parts", journal.path))
    write(journal, "fork", [turn("One", IMAGE)])
    assert len(rows("parts", journal.path)) == before
    write(journal, "talk", [])
    assert [each._replace(id=None) for each in read(journal, "fork")] == [turn("One", IMAGE)]
    write(journal, "fork", [])
    for table in ("parts", "attachments", "chats", "chat_turns", "chat_attachments"):
        assert rows(table, journal.path) == []


def test_turns_that_stay_are_not_written_again(journal):
    """One in the middle is replaced; the others keep their numbers in the file."""
    first = write(journal, "talk", [turn("One"), turn("Two"), turn("Three")]).turns
    second = write(journal, "talk", [first[0], turn("New"), first[2]]).turns
    assert (second[0].id, second[2].id) == (first[0].id, first[2].id)
    assert [each.about["prompt"] for each in read(journal, "talk")] == ["One", "New", "Three"]


def test_pruning_takes_nothing_from_a_conversation(claude_emulator, tmp_path):
    """The calls of its turns may go; what was said and sent stays, attachments included."""
    path = tmp_path / "journal.sqlite3"
    claude = client(claude_emulator, journal=str(path))
    chat = claude.chat("talk")
    chat.ask([IMAGE, "What is it?"])
    before = chat.messages()
    claude.close()
    journal = opened(path)
    journal.database.write(
        lambda connection: upkeep.drop_old(connection, date(2999, 1, 1), Keep(days=1), 500)
    )
    assert rows(path=path) == []
    journal.close()
    claude_emulator.answer("Again.")
    other = client(claude_emulator, journal=str(path))
    assert other.chat("talk").messages() == before
    assert other.chat("talk").ask("And now?").turn == 2
    other.close()


def test_a_cleared_journal_has_no_conversations(journal):
    """Its owner has asked for that."""
    write(journal, "talk", [turn("One")])
    journal.database.write(review.clear)
    assert read(journal, "talk") == ()


@pytest.mark.parametrize("steps", range(1, len(MIGRATIONS)))
def test_an_older_journal_takes_conversations(tmp_path, steps):
    """Whatever version wrote it."""
    path = tmp_path / "journal.sqlite3"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:steps])
    journal = opened(path)
    write(journal, "talk", [turn("One")])
    assert len(read(journal, "talk")) == 1


def test_a_process_that_is_gone_holds_nothing(journal):
    """One that lives does; its own second question does not wait for itself."""
    take = lambda who: journal.database.write(lambda c: chats.hold(c, "n", "talk", who, NOON))  # noqa: E731
    assert take("a:b:999999999")
    assert take("mine")
    assert take("mine")


def test_names_with_half_a_character_are_stored(journal):
    """A file may be called so."""
    journal.database.write(lambda c: chats.write(c, "\ud800.ipynb", "talk", [turn("One")], NOON))
    found = journal.database.read(lambda c: chats.read(c, "\ud800.ipynb", "talk"))
    assert len(found.turns) == 1


def test_without_what_was_said_before_nothing_is_asked(claude_emulator, tmp_path):
    """A journal that cannot be read is one line with a cure; the next question with another one is asked."""
    folder = tmp_path / "is a folder"
    folder.mkdir()
    claude = client(claude_emulator, journal=str(folder))
    chat = claude.chat("talk")
    for _ in range(2):
        with pytest.raises(errors.JournalError, match="is a folder"):
            chat.ask("One")
    assert claude_emulator.requests == []
    assert chat.ask("One", journal="off").turn == 1
    claude.close()


def test_a_conversation_that_is_loaded_asks_with_the_client_that_is_given(claude_emulator, tmp_path):
    """Its project, address and login, where the environment has none."""
    claude = client(claude_emulator)
    claude.chat("talk").ask("One")
    claude.chat("talk").save(tmp_path / "again.ipynb")
    assert Chat.load(tmp_path / "again.ipynb", session=claude).ask("Two").turn == 2
    sent = claude_emulator.requests[-1]
    assert f"/projects/{claude_emulator.project}/" in sent.path
    assert [message["role"] for message in sent.body["messages"]] == ["user", "assistant", "user"]


def test_what_is_no_client_is_refused_in_one_line(tmp_path):
    """With how it is given."""
    with pytest.raises(errors.OptionError) as caught:
        Chat.load(tmp_path / "again.ipynb", session="default")
    assert str(caught.value) == "session is of the type str. Give the client that asks: session=Claude()."


@pytest.mark.parametrize("name", ["stats", "my stats", "../a", "Müller & Söhne", "統計", "x" * 80])
def test_a_name_is_what_can_be_read_in_one_line(claude_emulator, name):
    """It is the name of a record and no path: no file is made of it."""
    reply = client(claude_emulator).chat(name).ask("One")
    assert (reply.chat, reply.turn) == (name, 1)
    assert not Path(name).exists()


NO_NAMES = {
    "": "''",
    " ": "' '",
    " a": "' a'",
    "a\nb": r"'a\nb'",
    "a\u202eb": r"'a\u202eb'",
    "x" * 81: "'xxx",
    5: "5",
    None: "None",
}


@pytest.mark.parametrize(("name", "shown"), NO_NAMES.items(), ids=map(ascii, NO_NAMES))
def test_what_cannot_be_read_in_one_line_is_no_name(claude_emulator, name, shown):
    """The message shows what nobody sees in it."""
    with pytest.raises(errors.OptionError) as caught:
        client(claude_emulator).chat(name)
    assert caught.value.message.startswith(shown)
    assert caught.value.cure == (
        "Use at most 80 visible characters with single blanks between them, such as my stats."
    )
