"""Outputs as IPython publishes them, and which view an answer gets."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from shells import bare_shell

from vertex_claude_magic.notebook.display.frontends import FrontEnd
from vertex_claude_magic.notebook.display.live import LiveAnswer
from vertex_claude_magic.notebook.display.screens import NotebookScreen, make_answer
from vertex_claude_magic.notebook.display.terminal import TerminalAnswer
from vertex_claude_magic.vertex.reply import Reply

NOTEBOOK = FrontEnd(kind="notebook", name="jupyter", updates=True)
REPLY = Reply(blocks=({"type": "text", "text": "**Hi**"},), complete=True, stop_reason="end_turn", model="m")


@pytest.fixture
def shell():
    """A real IPython shell without history, whose displays are caught."""
    made = bare_shell()
    made.display_pub = CapturingDisplayPublisher()
    return made


def test_a_new_output_is_published_with_its_display_id(shell):
    """Data, metadata and the transient id reach the publisher."""
    NotebookScreen(shell.display_pub).show({"text/plain": "a"}, {"k": 1}, "id-1")
    assert shell.display_pub.outputs == [
        {
            "data": {"text/plain": "a"},
            "metadata": {"k": 1},
            "transient": {"display_id": "id-1"},
            "update": False,
        }
    ]


def test_an_output_without_id_has_nothing_transient(shell):
    """The finished answer cannot be changed by a later cell."""
    NotebookScreen(shell.display_pub).show({"text/plain": "a"}, {}, None)
    assert shell.display_pub.outputs[0]["transient"] == {}


def test_an_update_names_the_output_that_changes(shell):
    """The same id, marked as an update."""
    NotebookScreen(shell.display_pub).update({"text/plain": "b"}, {}, "id-1")
    assert shell.display_pub.outputs[0]["update"] is True
    assert shell.display_pub.outputs[0]["transient"] == {"display_id": "id-1"}


def test_a_notebook_gets_a_live_answer(shell):
    """It goes through the shell's own publisher and ends as one output."""
    answer = make_answer(shell, in_cell=True, front=NOTEBOOK)
    answer.start("m · global")
    answer.text("**Hi**")
    answer.draw()
    answer.finish(REPLY, metadata={"model": "m"})
    assert isinstance(answer, LiveAnswer)
    assert len(shell.display_pub.outputs) == 1
    assert shell.display_pub.outputs[0]["data"]["text/markdown"].startswith(
        "**Hi**\n\n<details><summary><small>"
    )


def test_a_front_end_without_updates_gets_one_output(shell):
    """Case 71: nothing is drawn before the end."""
    answer = make_answer(shell, in_cell=True, front=FrontEnd(kind="notebook", name="spyder", updates=False))
    answer.start("m · global")
    answer.text("**Hi**")
    answer.draw()
    assert shell.display_pub.outputs == []
    answer.finish(REPLY, metadata={})
    assert len(shell.display_pub.outputs) == 1


@pytest.mark.parametrize("make", [lambda shell: shell, lambda shell: None], ids=["IPython", "plain Python"])
def test_a_terminal_gets_plain_text(shell, make):
    """The front end is found out where it is not given."""
    out = io.StringIO()
    with redirect_stdout(out):
        answer = make_answer(make(shell), in_cell=True)
        answer.start("m · global")
        answer.text("**Hi**")
        answer.draw()
        answer.finish(REPLY, metadata={})
    assert isinstance(answer, TerminalAnswer)
    assert out.getvalue().startswith("**Hi**\n\nm · ")
