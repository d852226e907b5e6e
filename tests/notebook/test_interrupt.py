"""Stopping a question wherever it is: nothing that has arrived is lost, and the next one works."""

from __future__ import annotations

import pytest
from journals import rows
from shells import Shell, StoppingPage

from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.errors import ClaudeInterrupt

PARTIAL = Reply(content="One. " * 40, fault=Fault(stall_after=1200))


def interrupted(shell: Shell, cell: str, *stops: int) -> tuple[StoppingPage, BaseException]:
    """Run a cell on a page that is stopped at these messages; return the page and the error."""
    page = shell.ip.display_pub = StoppingPage()
    page.stops = frozenset(stops)
    result = shell.ip.run_cell(cell)
    return page, result.error_in_exec


def test_an_interrupt_while_the_answer_is_drawn_keeps_what_had_arrived(shell, capsys):
    """Case 22: on the page, marked, and in the variable; the error is one line."""
    shell.emulator.answer(PARTIAL)
    page, error = interrupted(shell, "%%claude answer\nCount", 2)
    assert isinstance(error, ClaudeInterrupt)
    assert shell.ip.user_ns["answer"].text.startswith("One.")
    assert shell.ip.user_ns["answer"].complete is False
    assert page.text.startswith("One.")
    assert "Stopped. This is a partial answer" in page.text
    assert capsys.readouterr().out.splitlines() == ["KeyboardInterrupt: The answer up to here is saved."]


def test_an_interrupt_at_the_first_line_leaves_an_empty_page(shell, capsys):
    """Nothing had arrived, so nothing is saved; the old value of the variable stays."""
    shell.ip.user_ns["answer"] = "old"
    page, error = interrupted(shell, "%%claude answer\nCount", 1)
    assert isinstance(error, ClaudeInterrupt)
    assert error.reply is None
    assert shell.ip.user_ns["answer"] == "old"
    assert page.messages == ["show", "clear"]
    assert capsys.readouterr().out.splitlines() == ["KeyboardInterrupt: Stopped before an answer arrived."]


@pytest.mark.parametrize("second", [3, 4])
def test_a_second_interrupt_while_the_page_is_tidied_loses_nothing(shell, second):
    """Case 23: the user presses stop twice."""
    shell.emulator.answer(PARTIAL)
    page, error = interrupted(shell, "%%claude answer\nCount", 2, second)
    assert isinstance(error, ClaudeInterrupt)
    assert shell.ip.user_ns["answer"].text.startswith("One.")
    assert page.text.startswith("One.")
    assert "Stopped. This is a partial answer" in page.text


def test_an_interrupt_while_the_finished_answer_is_drawn_keeps_all_of_it(shell):
    """The reply is whole, and so it says."""
    shell.emulator.answer("All of it.")
    page, error = interrupted(shell, "%%claude answer --no-stream\nCount", 2)
    assert isinstance(error, ClaudeInterrupt)
    assert shell.ip.user_ns["answer"].complete is True
    assert page.text.startswith("All of it.")


def test_the_connection_is_closed_and_the_next_question_works(shell):
    """The stalled answer holds nothing up."""
    shell.emulator.answer(PARTIAL, "Next.")
    interrupted(shell, "%%claude\nCount", 2)
    assert shell.ok("%%claude\nAgain").text == "Next."


@pytest.mark.parametrize(
    "cell", ["%%claude\nCount", "%claude Count", "%%claude -f text\nCount", "x = %claude Count"]
)
@pytest.mark.parametrize("stop", [1, 2])
def test_the_page_and_the_error_do_not_repeat_each_other(cell, stop, shell, capsys):
    """Where the answer stops stands on the page, and once; the error says the rest, or all if nothing came."""
    shell.emulator.answer(PARTIAL)
    page, error = interrupted(shell, cell, stop)
    said = page.text.replace("One. ", "") + capsys.readouterr().out
    assert said.count("KeyboardInterrupt") == 1
    assert said.lower().count("stopped") == 1
    assert said.count("up to here") == (1 if error.reply else 0)


@pytest.mark.parametrize("asker", ["Claude()", "Claude().chat('talk')"], ids=["alone", "in a conversation"])
@pytest.mark.parametrize("cells", ["{0}\n{1}", "{0}\0{1}"], ids=["in one cell", "begun in another cell"])
def test_an_interrupt_in_a_loop_over_a_stream_closes_it(shell, asker, cells):
    """The loop is the user's own; the call is counted as stopped, and what came of it is kept."""
    shell.emulator.answer(PARTIAL, "Next.")
    loop = "for event in stream:\n    if event.text:\n        raise KeyboardInterrupt"
    begin = f"from vertex_claude_magic import Claude\nasker = {asker}\nstream = asker.stream('Count')"
    results = [shell.ip.run_cell(cell) for cell in cells.format(begin, loop).split("\0")]
    assert isinstance(results[-1].error_in_exec, KeyboardInterrupt)
    stream = shell.ip.user_ns["stream"]
    assert (stream.done, stream.partial().text.startswith("One.")) == (True, True)
    assert [row["state"] for row in rows()] == ["stopped"]
    assert shell.ok("asker.ask('Again')").text == "Next."


def test_an_interrupt_of_another_cell_leaves_a_stream_open(shell):
    shell.emulator.answer("All of it.")
    shell.ok("from vertex_claude_magic import Claude\nstream = Claude().stream('Count')")
    shell.ip.run_cell("raise KeyboardInterrupt")
    assert shell.ip.user_ns["stream"].reply.text == "All of it."
