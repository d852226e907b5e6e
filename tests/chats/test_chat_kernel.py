"""Conversations in a real kernel, with the ids that JupyterLab sends for its cells."""

from __future__ import annotations

import pytest
from kernel import Kernel, another_kernel, running_kernel

from vertex_claude_magic.emulator import Fault, Reply

LONG = "A sentence of many. " * 200


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def process(place):
    """One kernel for all tests of this file, with the extension."""
    with running_kernel(place) as kernel:
        kernel.ok("%load_ext vertex_claude_magic")
        yield kernel


@pytest.fixture
def kernel(process, claude_emulator) -> Kernel:
    """That kernel, asking the emulator of this test, without conversations."""
    process.ok(f"import os; os.environ.update({claude_emulator.environment!r})")
    process.ok("from vertex_claude_magic import Claude; Claude().chat('talk').clear()")
    return process


def cell(kernel: Kernel, name: str, code: str):
    return kernel.ok(code, metadata={"cellId": name})


def stopped(kernel: Kernel, name: str, code: str):
    """Run a cell, and press stop once as soon as text is there."""
    pressed = []

    def stop(message) -> None:
        if not pressed and "A sentence" in message.text:
            pressed.append(message)
            kernel.interrupt()

    return kernel.run(code, during=stop, metadata={"cellId": name})


def turns(kernel: Kernel) -> str:
    return kernel.value(
        "[(t.number, t.cell, t.prompt, t.reply.text, t.state) for t in Claude().chat('talk').turns]"
    )


def sent(emulator) -> list[str]:
    """The texts of the last request."""
    messages = emulator.requests[-1].body["messages"]
    return [
        each["content"] if isinstance(each["content"], str) else each["content"][-1]["text"]
        for each in messages
    ]


def ask_three(kernel: Kernel, emulator) -> None:
    emulator.answer("1", "2", "3")
    for name, text in (("a", "One"), ("b", "Two"), ("c", "Three")):
        cell(kernel, name, f"%%claude -c talk\n{text}")


def test_an_edited_cell_replaces_its_turn_in_place(kernel, claude_emulator):
    """With what was before it and nothing else; the turns behind it are there, stale, and its page says so."""
    ask_three(kernel, claude_emulator)
    claude_emulator.answer("2 again")
    run = cell(kernel, "b", "%%claude -c talk\nTwo, edited")
    assert sent(claude_emulator) == ["One", "1", "Two, edited"]
    assert "talk, turn 2 · " in run.outputs[-1].text
    assert "Turn 3 of talk is stale" in run.outputs[-1].text
    assert turns(kernel) == (
        "[(1, 'a', 'One', '1', 'ok'), (2, 'b', 'Two, edited', '2 again', 'ok'), (3, 'c', 'Three', '3', 'stale')]"
    )
    claude_emulator.answer("3 again")
    cell(kernel, "c", "%%claude -c talk\nThree")
    assert sent(claude_emulator) == ["One", "1", "Two, edited", "2 again", "Three"]
    assert "stale" not in turns(kernel)


def test_a_first_answer_that_was_stopped_is_stored_and_not_sent(kernel, claude_emulator):
    """Marked, with a number, until it is kept or the cell runs again; the next cell works."""
    claude_emulator.answer("1", Reply(content=LONG, fault=Fault(stall_after=2_000)), "3", "4")
    cell(kernel, "a", "%%claude -c talk\nOne")
    run = stopped(kernel, "b", "%%claude half -c talk\nTwo")
    assert run.error == "KeyboardInterrupt"
    assert kernel.value("half.complete, half.chat, half.turn") == "False talk 2"
    assert "'interrupted'" in turns(kernel)
    assert "Turn 2 of talk is not sent; %claude_chat talk --keep 2 sends it too." in run.outputs[0].text
    cell(kernel, "c", "%%claude -c talk\nThree")
    assert sent(claude_emulator) == ["One", "1", "Three"]
    cell(kernel, "d", "%claude_chat talk --keep 2")
    cell(kernel, "e", "%%claude -c talk\nFour")
    assert [text[:10] for text in sent(claude_emulator)] == [
        "One",
        "1",
        "Two",
        "A sentence",
        "Three",
        "3",
        "Four",
    ]


def test_a_stopped_run_of_a_cell_leaves_its_former_answer(kernel, claude_emulator):
    """Case 22: the history is as it was before, and the next cell is asked with it."""
    ask_three(kernel, claude_emulator)
    claude_emulator.answer(Reply(content=LONG, fault=Fault(stall_after=2_000)))
    run = stopped(kernel, "b", "%%claude -c talk\nTwo")
    assert "The previous answer of this cell remains turn 2 of talk." in run.outputs[0].text
    assert "(2, 'b', 'Two', '2', 'ok')" in turns(kernel)
    cell(kernel, "d", "%%claude -c talk\nFour")
    assert sent(claude_emulator) == ["One", "1", "Two", "2", "Three", "3", "Four"]


def test_a_loop_that_asks_less_than_before_leaves_no_old_turns(kernel, claude_emulator):
    """The turns of a cell are replaced together, in place."""
    loop = "claude = Claude()\nfor n in range({}): claude.chat('talk').ask(f'Round {{n}}')"
    cell(kernel, "a", loop.format(3))
    cell(kernel, "b", "%%claude -c talk\nAnd now?")
    cell(kernel, "a", loop.format(2))
    cell(kernel, "b", "%%claude -c talk\nAnd now?")
    assert sent(claude_emulator)[::2] == ["Round 0", "Round 1", "And now?"]
    cell(kernel, "a", loop.format(4))
    assert kernel.value("[t.prompt for t in Claude().chat('talk').turns]") == (
        "['Round 0', 'Round 1', 'Round 2', 'Round 3', 'And now?']"
    )


def test_threads_ask_one_after_the_other(kernel, claude_emulator):
    """Case 67, 68: no two turns interleave, and no asker gets an error for having waited."""
    cell(
        kernel,
        "a",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "chat = Claude().chat('talk')\n"
        "with ThreadPoolExecutor(4) as pool: replies = list(pool.map(chat.ask, [f'Question {n}' for n in range(8)]))",
    )
    assert kernel.value("sorted(reply.turn for reply in replies)") == "[1, 2, 3, 4, 5, 6, 7, 8]"
    counts = sorted(
        len(each.body["messages"]) for each in claude_emulator.requests if "messages" in (each.body or {})
    )
    assert counts == [1, 3, 5, 7, 9, 11, 13, 15]


def test_what_a_former_run_of_a_cell_has_started_changes_no_turn_of_the_new_one(kernel, claude_emulator):
    """Case 69: a thread goes on while its cell runs again; its next question is refused, and nothing is sent."""
    start = (
        "import threading\n"
        "go, errors = threading.Event(), []\n"
        "def work(go=go):\n"
        "    chat = Claude().chat('talk')\n"
        "    chat.ask('Old 1')\n"
        "    go.wait(60)\n"
        "    try: chat.ask('Old 2')\n"
        "    except Exception as error: errors.append(str(error))\n"
        "old = threading.Thread(target=work, daemon=True); old.start()"
    )
    cell(kernel, "a", start)
    kernel.ok("while not Claude().chat('talk').turns: old.join(0.01)")
    cell(kernel, "a", "Claude().chat('talk').ask('New 1')")
    before = len(claude_emulator.requests)
    kernel.ok("go.set(); old.join(60)")
    assert len(claude_emulator.requests) == before
    assert "has run again since" in kernel.value("errors")
    assert kernel.value("[turn.prompt for turn in Claude().chat('talk').turns]") == "['New 1']"


def test_a_thread_of_a_cell_that_is_over_goes_on_while_the_cell_does_not_run_again(kernel):
    """Its turns are those of the cell."""
    cell(
        kernel,
        "a",
        "import threading\n"
        "def work():\n"
        "    for number in range(3): Claude().chat('talk').ask(f'Round {number}')\n"
        "thread = threading.Thread(target=work, daemon=True); thread.start()",
    )
    cell(kernel, "b", "thread.join(60)")
    assert kernel.value("[(turn.cell, turn.prompt) for turn in Claude().chat('talk').turns]") == (
        "[('a', 'Round 0'), ('a', 'Round 1'), ('a', 'Round 2')]"
    )


def test_two_kernels_ask_one_after_the_other(kernel, claude_emulator, place):
    """By a note in the journal: the second waits until the first has its answer."""
    claude_emulator.answer(Reply(content=LONG, fault=Fault(stall_after=2_000, stall_seconds=1.0)), "Second.")
    code = (
        "import sys\nfrom vertex_claude_magic import Claude\n"
        "print(Claude(access_token='emulator').chat('talk').ask('From a script').turn)"
    )
    script = f"import subprocess, sys; other = subprocess.Popen([sys.executable, '-c', {code!r}], stdout=subprocess.PIPE)"
    cell(
        kernel, "a", f"stream = Claude().chat('talk').stream('From the notebook'); stream.wait(20)\n{script}"
    )
    cell(kernel, "b", "first = stream.reply")
    assert kernel.value("first.turn, other.communicate()[0]") == "1 b'2\\n'"


DROPPED = {
    "a loop that breaks": "for event in Claude().chat('talk').stream('One'): break",
    "a generator that is deleted": "events = iter(Claude().chat('talk').stream('One')); next(events); del events",
    "a stream that was never read": "Claude().chat('talk').stream('One'); None",
}


@pytest.mark.parametrize("code", DROPPED.values(), ids=DROPPED)
def test_a_stream_that_a_program_drops_holds_nobody_up(kernel, claude_emulator, code):
    """Neither another kernel nor another thread nor the next cell; what was dropped is no turn."""
    if "event" in code:
        # Some of it arrives, and never the end.
        claude_emulator.answer(Reply(content=LONG, fault=Fault(stall_after=2_000)))
    cell(kernel, "a", code)
    script = (
        "from vertex_claude_magic import Claude; "
        "print(Claude(access_token='emulator').chat('talk').ask('From a script').turn)"
    )
    cell(
        kernel,
        "b",
        "import subprocess, sys\n"
        f"other = subprocess.run([sys.executable, '-c', {script!r}], stdout=subprocess.PIPE, timeout=60)",
    )
    assert kernel.value("other.stdout") == "b'1\\n'"
    cell(
        kernel,
        "c",
        "from threading import Thread\n"
        "thread = Thread(target=lambda: Claude().chat('talk').ask('From a thread'), daemon=True)\n"
        "thread.start(); thread.join(60)",
    )
    cell(kernel, "d", "%%claude -c talk\nFrom a cell")
    assert sent(claude_emulator)[::2] == ["From a script", "From a thread", "From a cell"]


def test_restart_and_run_all_rebuilds_it_free_of_charge(process, claude_emulator, tmp_path):
    """With --replay auto nothing is sent, and the turns are those of before."""
    claude_emulator.answer("1", "2", "3")
    for again in (False, True):
        with another_kernel(tmp_path, **claude_emulator.environment, VERTEX_CLAUDE_REPLAY="auto") as kernel:
            kernel.ok("%load_ext vertex_claude_magic")
            for name, text in (("a", "One"), ("b", "Two"), ("c", "Three")):
                run = cell(kernel, name, f"%%claude -c talk\n{text}")
                assert ("⟲ replayed" in run.outputs[-1].text) is again
                assert "stale" not in run.outputs[-1].text
            kernel.ok("from vertex_claude_magic import Claude")
            assert (
                turns(kernel)
                == "[(1, 'a', 'One', '1', 'ok'), (2, 'b', 'Two', '2', 'ok'), (3, 'c', 'Three', '3', 'ok')]"
            )
    assert len([each for each in claude_emulator.requests if "messages" in (each.body or {})]) == 3


def test_a_conversation_is_there_after_a_restart(process, claude_emulator, tmp_path):
    """And belongs to the same cells."""
    claude_emulator.answer("1", "2", "1 again")
    for name, text, count in (("a", "One", 1), ("b", "Two", 3), ("a", "One", 1)):
        with another_kernel(tmp_path, **claude_emulator.environment) as kernel:
            kernel.ok("%load_ext vertex_claude_magic")
            cell(kernel, name, f"%%claude -c talk\n{text}")
            assert len(claude_emulator.requests[-1].body["messages"]) == count
