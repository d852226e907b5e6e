"""A cell that asks in a loop: each question has its place in a run, whether those before it were answered or not."""

from __future__ import annotations

import itertools

import pytest
from journals import client

from vertex_claude_magic import errors
from vertex_claude_magic.settings.origin import Origin, asking_for


@pytest.fixture
def claude(claude_emulator, tmp_path):
    claude = client(claude_emulator, journal=str(tmp_path / "journal.sqlite3"))
    yield claude
    claude.close()


@pytest.fixture
def chat(claude):
    return claude.chat("talk")


@pytest.fixture
def run(chat, claude_emulator):
    """Run a cell that asks some prompts and goes on where one fails; each answer says in which run it came."""
    numbers = itertools.count(1)

    def run(*prompts: str, failing: tuple[int, ...] = (), cell: str = "a", to=chat) -> None:
        number = next(numbers)
        with asking_for(Origin(cell=cell, run=str(number), cell_id=cell)):
            for place, prompt in enumerate(prompts):
                if place in failing:
                    claude_emulator.fail(400)
                    with pytest.raises(errors.BadRequest):
                        to.ask(prompt)
                else:
                    claude_emulator.answer(f"{prompt}, run {number}")
                    to.ask(prompt)

    return run


def answers(chat) -> list[str]:
    return [turn.reply.text for turn in chat.turns]


def sent(emulator) -> list[str]:
    return [each["content"] for each in emulator.requests[-1].body["messages"] if each["role"] == "assistant"]


@pytest.mark.parametrize("failing", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_what_fails_in_a_second_run_keeps_its_former_turn_and_no_other(run, chat, failing):
    """Neither is one lost nor is one there twice."""
    run("One", "Two", "Three")
    run("Between", cell="b")
    run("One", "Two", "Three", failing=failing)
    expected = [
        f"{prompt}, run {1 if place in failing else 3}"
        for place, prompt in enumerate(("One", "Two", "Three"))
    ]
    assert answers(chat) == [*expected, "Between, run 2"]


def test_the_turns_before_a_question_are_sent_with_it_also_one_of_an_earlier_run(run, chat, claude_emulator):
    run("One", "Two", "Three")
    run("One", "Two", "Three", failing=(1,))
    assert sent(claude_emulator) == ["One, run 2", "Two, run 1"]
    assert [turn.state for turn in chat.turns] == ["ok", "stale", "ok"]


def test_what_failed_at_first_goes_before_what_was_answered_after_it(run, chat):
    """Once its cell runs again."""
    run("One", "Two", "Three", failing=(0,))
    run("Between", cell="b")
    assert answers(chat) == ["Two, run 1", "Three, run 1", "Between, run 2"]
    run("One", "Two", "Three")
    assert answers(chat) == ["One, run 3", "Two, run 3", "Three, run 3", "Between, run 2"]


def test_a_question_that_comes_new_after_one_that_failed_stays_beside_its_cell(run, chat):
    run("One")
    run("Between", cell="b")
    run("One", "Two", failing=(0,))
    assert answers(chat) == ["One, run 1", "Two, run 3", "Between, run 2"]


def test_the_same_prompt_after_a_failure_is_another_try(run, chat):
    """As code asks that tries again by itself."""
    run("One", "Two")
    run("One", "One", "Two", failing=(0,))
    assert answers(chat) == ["One, run 2", "Two, run 2"]


def test_turns_that_a_run_with_a_failure_had_no_question_for_go(run, chat):
    run("One", "Two", "Three")
    run("One", "Two", failing=(0,))
    run("Between", cell="b")
    assert answers(chat) == ["One, run 1", "Two, run 2", "Between, run 3"]


def test_a_failure_takes_no_place_in_another_conversation_or_run(run, chat):
    """It is counted by the conversation, the cell and the run."""
    run("One")
    fork = chat.fork("other")
    run("Two", failing=(0,))
    run("Two", to=fork)
    run("Three")
    assert answers(fork) == ["One, run 1", "Two, run 3"]
    assert answers(chat) == ["Three, run 4"]


def test_what_only_looks_takes_no_place(run, chat, claude, claude_emulator):
    """A request that is built and counted, and not asked."""
    run("One", "Two")
    with asking_for(Origin(cell="a", run="9", cell_id="a")):
        claude.request("One?", chat="talk")
        claude.count("One?", chat="talk")
        claude_emulator.answer("One, run 9")
        chat.ask("One")
    assert answers(chat) == ["One, run 9", "Two, run 1"]
