"""One output that is drawn again while something goes on, in every front end."""

from __future__ import annotations

import pytest
from shells import Page

from vertex_claude_magic.notebook.display.live_page import LivePage


class Shell:
    """A shell that shows its outputs on a page."""

    def __init__(self) -> None:
        self.display_pub = Page()
        self.user_ns: dict = {}


def test_it_is_drawn_four_times_a_second_at_most_and_at_the_end():
    """Whatever comes in between; what is not drawn is not made."""
    shell, now, made = Shell(), [0.0], []
    view = LivePage(shell, clock=lambda: now[0])

    def page():
        made.append(now[0])
        return f"<p>{now[0]}</p>", str(now[0])

    for step in range(101):
        now[0] = step / 100
        view.draw(page, done=False)
    view.draw(page, done=True)
    assert made == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert shell.display_pub.messages == ["show", *["update"] * 5]
    assert shell.display_pub.text == "1.0"


def test_what_is_waited_for_is_said_at_once_and_as_text():
    """However soon after the last; the page takes its place."""
    shell = Shell()
    view = LivePage(shell, clock=lambda: 0.0)
    view.say("first")
    view.say("<b>second</b>")
    assert shell.display_pub.outputs == [
        {"text/html": "<p>&lt;b&gt;second&lt;/b&gt;</p>", "text/plain": "<b>second</b>"}
    ]
    view.draw(lambda: ("<p>done</p>", "done"), done=True)
    assert shell.display_pub.text == "done"


def test_what_was_waited_for_is_taken_away_before_an_error_and_a_page_is_not():
    """An error stands alone; a page that was drawn stays."""
    shell = Shell()
    view = LivePage(shell, clock=lambda: 0.0)
    view.clear()
    assert shell.display_pub.outputs == []
    view.say("waiting")
    view.clear()
    assert shell.display_pub.text == ""
    view.draw(lambda: ("<p>x</p>", "x"), done=True)
    view.clear()
    assert shell.display_pub.text == "x"


def test_where_the_outputs_of_the_cell_were_cleared_it_is_shown_anew():
    """By a callback of the user's, say: an update would go to an output that is there no more."""
    shell = Shell()
    view = LivePage(shell, clock=lambda: 0.0)
    view.say("waiting")
    shell.display_pub.clear_output(wait=True)
    view.draw(lambda: ("<p>x</p>", "x"), done=True)
    assert shell.display_pub.messages == ["show", "clear", "show"]
    assert shell.display_pub.text == "x"


@pytest.mark.parametrize("done", [False, True])
def test_where_outputs_cannot_change_only_the_end_is_shown(monkeypatch, done):
    """Spyder's console takes no updates."""
    import sys

    monkeypatch.setitem(sys.modules, "spyder_kernels", sys)
    shell = Shell()
    view = LivePage(shell)
    view.say("waiting")
    view.draw(lambda: ("<p>x</p>", "x"), done=done)
    assert shell.display_pub.text == ("x" if done else "")


def test_a_line_is_printed_in_a_terminal_alone(capsys):
    """A notebook has the page that changes."""
    terminal = Shell()
    terminal.display_pub = None
    LivePage(terminal).print("QUEUED")
    LivePage(Shell()).print("never")
    assert capsys.readouterr().out == "QUEUED\n"
