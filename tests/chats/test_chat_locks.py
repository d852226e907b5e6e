"""One question at a time in a conversation: what others do with its name meanwhile, and who waits for whom."""

from __future__ import annotations

import threading

import pytest
from journals import client

from vertex_claude_magic import Chat, errors

# Seconds that a test waits for another thread before it fails.
LONG = 20


@pytest.fixture(params=["in the journal", "in the kernel"])
def claude(request, claude_emulator):
    claude = client(claude_emulator, journal="off" if request.param == "in the kernel" else "")
    yield claude
    claude.close()


def prompts(claude, name: str) -> list[str]:
    return [turn.prompt for turn in claude.chat(name).turns]


def load(chat: Chat, claude, path) -> None:
    chat.save(path)
    Chat.load(path, session=claude)


MOVES = {
    "rename": lambda chat, *_: chat.rename("new"),
    "fork": lambda chat, *_: chat.fork("new"),
    "fork with a summary": lambda chat, *_: chat.fork_with_summary("new", "Sum up", chat.turns[0].reply),
    "load": lambda chat, claude, folder: load(chat, claude, folder / "new.ipynb"),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
def test_a_name_in_which_a_first_question_is_under_way_is_taken(claude, claude_emulator, tmp_path, move):
    """Its answer becomes a turn there, and the other conversation keeps its turns and its name."""
    old, new = claude.chat("old"), claude.chat("new")
    claude_emulator.answer("1", "2", "First answer")
    for text in ("One", "Two"):
        old.ask(text)
    with new.stream("First") as stream:
        with pytest.raises(errors.OptionError, match="A question in 'new' is still running in this thread"):
            move(old, claude, tmp_path)
        assert stream.reply.turn == 1
    assert (prompts(claude, "old"), prompts(claude, "new")) == (["One", "Two"], ["First"])


@pytest.mark.parametrize(
    ("status", "turns"),
    [(None, {"old": ["One"], "new": ["First"]}), (400, {"old": [], "new": ["One"]})],
    ids=["answered", "failed"],
)
def test_a_new_name_waits_for_a_question_of_another_thread(claude, claude_emulator, status, turns):
    """It is taken if that was answered, and free if that failed; no turn is lost either way."""
    old, new, under_way = claude.chat("old"), claude.chat("new"), threading.Event()
    old.ask("One")
    if status is not None:
        claude_emulator.fail(status)

    def ask() -> None:
        with new.stream("First") as stream:
            under_way.set()
            try:
                stream.reply  # noqa: B018 - it asks
            except errors.BadRequest:
                assert status is not None

    asker = threading.Thread(target=ask)
    asker.start()
    assert under_way.wait(LONG)
    if status is None:
        with pytest.raises(errors.OptionError, match="A conversation named 'new' already exists"):
            old.rename("new")
    else:
        old.rename("new")
    asker.join(LONG)
    assert {name: prompts(claude, name) for name in turns} == turns


def test_a_conversation_cannot_get_the_name_that_it_has(claude):
    """It does not wait for itself."""
    chat = claude.chat("talk")
    chat.ask("One")
    with pytest.raises(errors.OptionError, match="A conversation named 'talk' already exists"):
        chat.rename("talk")
    assert prompts(claude, "talk") == ["One"]


def test_a_question_that_an_ended_thread_left_open_is_waited_for(claude):
    """Also by the thread that gets the number of the one that has ended, which is mostly the next one."""
    chat, opened, waits = claude.chat("talk"), [], threading.Event()
    first = threading.Thread(target=lambda: opened.append(chat.stream("One")))
    first.start()
    first.join(LONG)

    def ask() -> None:
        with chat.stream("Two", notify=lambda _: waits.set()) as stream:
            opened.append(stream.reply.turn)

    second = threading.Thread(target=ask)
    second.start()
    assert waits.wait(LONG)
    assert opened[0].reply.turn == 1
    second.join(LONG)
    assert (opened[1], prompts(claude, "talk")) == (2, ["One", "Two"])
