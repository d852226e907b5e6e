"""One output that is drawn again in its place, whatever is drawn in it."""

from __future__ import annotations

import pytest

from vertex_claude_magic.notebook.display.output import Output


class Recorder:
    """A screen that remembers kind, text and display id of each message."""

    def __init__(self):
        self.log = []

    def show(self, bundle, metadata, display_id):
        self.log.append(("show", bundle["text/plain"], display_id))

    def update(self, bundle, metadata, display_id):
        self.log.append(("update", bundle["text/plain"], display_id))

    def clear(self):
        self.log.append(("clear", "", None))


def text(words):
    return {"text/plain": words}


@pytest.fixture
def screen():
    return Recorder()


def test_it_is_shown_once_and_then_updated(screen):
    """All messages of one output have one display id, and the next output has another."""
    output = Output(screen, clock=lambda: 0.0)
    output.draw(text("a"))
    output.draw(text("b"))
    output.begin(text("c"))
    output.draw(text("d"))
    first, second, third, fourth = (display_id for _, _, display_id in screen.log)
    assert [kind for kind, _, _ in screen.log] == ["show", "update", "show", "update"]
    assert first == second != third == fourth


def test_an_output_that_was_cleared_is_shown_anew(screen):
    """No update reaches it, so it gets a new display id."""
    cleared = [0]
    output = Output(screen, clock=lambda: 0.0, clears=lambda: cleared[0])
    output.draw(text("a"))
    cleared[0] = 1
    output.draw(text("b"))
    output.finish(text("end"), {}, alone=False)
    assert [kind for kind, _, _ in screen.log] == ["show", "show", "update"]
    assert screen.log[0][2] != screen.log[1][2]


@pytest.mark.parametrize(
    ("alone", "messages"), [(True, ["show", "clear", "show"]), (False, ["show", "update"])]
)
def test_the_end_takes_the_place_of_what_was_drawn(screen, alone, messages):
    """Of all outputs where they are its own, of one elsewhere."""
    output = Output(screen, clock=lambda: 0.0)
    output.draw(text("a"))
    output.finish(text("end"), {}, alone=alone)
    assert [kind for kind, _, _ in screen.log] == messages


def test_without_updates_an_output_has_no_display_id(screen):
    """A reader that knows no update would show each state below the other."""
    output = Output(screen, clock=lambda: 0.0, updates=False)
    output.draw(text("end"))
    assert screen.log == [("show", "end", None)]
    assert not output.shown


def test_shown_twice_it_is_one_output_in_two_places(screen):
    """As the panel that is opened in two cells."""
    output = Output(screen, clock=lambda: 0.0)
    output.show(text("a"))
    output.show(text("a"))
    output.draw(text("b"))
    assert len({display_id for _, _, display_id in screen.log}) == 1
    assert screen.log[-1][0] == "update"


def test_no_second_holds_more_than_14_messages(screen):
    """However often it is asked."""
    now = [0.0]
    output = Output(screen, clock=lambda: now[0])
    times = []
    for step in range(4_000):
        now[0] = step / 1_000
        if output.is_due(0.0):
            output.draw(text(str(step)))
            times.append(now[0])
    assert max(sum(start <= each < start + 1 for each in times) for start in times) <= 14


@pytest.mark.parametrize(
    ("late", "after"),
    [(0.0, 0.2), (0.03, 0.17), (0.14, 0.06), (0.16, 0.2), (5.0, 0.2)],
)
def test_a_draw_that_comes_late_does_not_put_the_next_one_off(screen, late, after):
    """The interval counts from when it was due, unless there was nothing to draw for longer."""
    now = [10.0]
    output = Output(screen, clock=lambda: now[0])
    output.draw(text("a"))
    due = output.due_at(0.2)
    now[0] = due + late
    output.draw(text("b"), due=due)
    assert output.due_at(0.2) - now[0] == pytest.approx(after)
    output.begin(text("c"), due=due)
    assert output.due_at(0.2) - now[0] == pytest.approx(after)
