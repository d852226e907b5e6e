"""The panel by comm messages, as any front end sends them: what is chosen, what goes out, what is kept."""

from __future__ import annotations

import json
import re
from pathlib import Path

import ipywidgets
import pytest
from front import VIEW, Front, living, panel_ended

import vertex_claude_magic
from vertex_claude_magic.emulator import Fault

SECRET = "sesame-4711"
# Of the form of an access token, and none.
SECRET_TOKEN = "ya" + "29.sesame4711sesame4711sesame"
TABS = ("Settings", "Try", "Cost", "System prompt", "Status")


@pytest.fixture
def front(shell):
    """Its panel."""
    return Front.open(shell)


def wait(changed, ready):
    """Wait until something is so; `changed` is set whenever it may have become so."""
    while True:
        changed.clear()
        if ready():
            return
        assert changed.wait(120), "it did not come to pass"


CHANGES = {
    "model": (lambda front: front.pick("Opus 5.5"), lambda sent: "claude-opus-5-5:" in sent.path),
    "family": (lambda front: front.pick("Latest Haiku"), lambda sent: "claude-haiku-5-5:" in sent.path),
    "region": (lambda front: front.choose("Region", "eu"), lambda sent: "/locations/eu/" in sent.path),
    "project": (lambda front: front.enter("Project", "other-project"), lambda sent: "/projects/other-project/" in sent.path),
    "max tokens": (lambda front: front.enter("Max tokens", 1234), lambda sent: sent.body["max_tokens"] == 1234),
    "effort": (lambda front: front.choose("Effort", "low"), lambda sent: sent.body["output_config"] == {"effort": "low"}),
    "thinking": (lambda front: front.choose("Thinking", "adaptive"), lambda sent: sent.body["thinking"] == {"type": "adaptive"}),
    "show thinking": (lambda front: front.enter("Show thinking", True),
                      lambda sent: sent.body["thinking"] == {"type": "adaptive", "display": "summarized"}),
    "budget": (
        lambda front: (front.pick("Haiku 4.5"), front.choose("Thinking", "a budget"), front.enter("Budget, tokens", 3000)),
        lambda sent: sent.body["thinking"] == {"type": "enabled", "budget_tokens": 3000},
    ),
    "temperature": (lambda front: (front.pick("Sonnet 4.5"), front.enter("Temperature", "0.3")),
                    lambda sent: sent.body["temperature"] == 0.3),
    "temperature of zero": (lambda front: (front.pick("Sonnet 4.5"), front.enter("Temperature", "0")),
                            lambda sent: sent.body["temperature"] == 0),
    "top-p": (lambda front: (front.pick("Sonnet 4.5"), front.enter("Top-p", "0,9")), lambda sent: sent.body["top_p"] == 0.9),
    "top-k": (lambda front: (front.pick("Sonnet 4.5"), front.enter("Top-k", "40")), lambda sent: sent.body["top_k"] == 40),
    "system": (lambda front: (front.tab("System prompt"), front.enter("Instructions", "Be brief."), front.click("Apply")),
               lambda sent: sent.body["system"] == "Be brief."),
}  # fmt: skip


@pytest.mark.parametrize(("change", "carried"), CHANGES.values(), ids=CHANGES.keys())
def test_the_next_request_carries_what_was_chosen(shell, front, change, carried):
    """On the wire, asked by a cell that says nothing itself."""
    change(front)
    shell.run("%claude -q hi")
    assert carried(shell.asked[-1])


def test_the_next_request_of_an_untouched_panel_is_that_of_a_session_without_one(shell):
    """Opening it changes nothing."""
    shell.ok("%claude -q hi")
    Front.open(shell)
    shell.ok("%claude -q hi")
    first, second = shell.asked
    assert (first.path, first.body) == (second.path, second.body)


def test_what_a_cell_says_itself_wins(shell, front):
    """Options come before settings."""
    front.pick("Opus 5.5")
    shell.ok("%claude -q -m haiku hi")
    assert "claude-haiku-5-5" in shell.asked[-1].path


def test_it_says_what_was_changed(front):
    """In one line, with what an alias means."""
    front.pick("Latest Opus")
    assert "Model set to opus (claude-opus-5-5) for this session." in front.text()


def test_config_moves_it(shell, front):
    """Whatever is set elsewhere is shown at once."""
    shell.ok('%config ClaudeMagics.model = "haiku-4.5"\n%config ClaudeMagics.region = "us-east5"')
    assert front.picked() == "Haiku 4.5"
    assert front.chosen("Region") == "us-east5"
    assert "Changed outside the panel: region." in front.text()
    shell.ok("%claude_demo")
    assert "Changed outside the panel: demo mode." in front.text()
    shell.ok("%claude_demo stop")


def test_opened_twice_it_is_one_panel(shell, front):
    """Two views can only agree."""
    again = Front.open(shell)
    assert again.root is front.root
    front.choose("Region", "eu")
    assert again.chosen("Region") == "eu"


def test_the_demo_moves_it(shell, front):
    """Its project is the emulator's, and no field claims otherwise."""
    shell.ok("%claude_demo")
    assert "needs no project" in front.text()
    shell.ok("%claude_demo stop")
    assert "needs no project" not in front.text()


def test_reset_returns_to_what_config_and_environment_say(shell, front, monkeypatch):
    """Also to what the class alone would not know."""
    shell.ok("%config ClaudeMagics.max_tokens = 777")
    monkeypatch.setenv("CLOUD_ML_REGION", "eu")
    for label, entry in (("Region", "us"), ("Effort", "low")):
        front.choose(label, entry)
    front.pick("Opus 5")
    front.enter("Max tokens", 50)
    front.click("Reset")
    assert (front.picked(), front.chosen("Region")) == ("Latest Sonnet (5.5)", "eu")
    assert (front.chosen("Effort"), front.control("Max tokens").value) == ("default (high)", 777)
    assert "From CLOUD_ML_REGION." in front.text()


def test_a_row_that_cannot_be_chosen_says_why_and_changes_nothing(shell, front):
    """Nothing that can be chosen would be refused; a browser without scripts hears of it from the kernel."""
    front.choose("Show", "Retired")
    assert "retired 2026-07-05, use claude-haiku-5-5" in front.text()
    front.pick("Haiku 3.5")
    assert "Not changed: Haiku 3.5 is retired 2026-07-05, use claude-haiku-5-5." in front.text()
    assert front.picked() == "Latest Sonnet (5.5)"
    assert shell.magics.model == ""


def test_what_the_new_model_does_not_take_is_dropped_and_named(shell, front):
    """So that no cell is refused for a setting made for another model."""
    front.pick("Sonnet 4.5")
    front.enter("Temperature", "0.3")
    front.pick("Opus 5.5")
    assert "Removed, because the model does not support it: temperature." in front.text()
    assert front.control("Temperature").disabled
    shell.ok("%claude -q hi")
    assert "temperature" not in shell.body


def test_a_region_is_never_changed_by_choosing_a_model(shell, front):
    """Where data stays is the user's to say: a model that the region does not serve cannot be chosen."""
    front.pick("Haiku 4.5")
    front.choose("Region", "us-east5")
    front.pick("Haiku 5.5")
    assert "Not changed: Haiku 5.5 is not served in us-east5." in front.text()
    assert (front.picked(), shell.magics.region) == ("Haiku 4.5", "us-east5")


def test_a_model_in_a_region_that_does_not_serve_it_is_marked(shell, front):
    """As `%config` may have it; the panel says so and stays of use."""
    shell.ok('%config ClaudeMagics.model = "haiku-5.5"\n%config ClaudeMagics.region = "us-east5"')
    assert front.chosen("Region") == "us-east5 · not served here"
    assert "Haiku 5.5 is not served here; choose another region or model." in front.text()
    assert front.picked() == "Haiku 5.5"


def test_every_region_can_be_reached_from_every_model(front):
    """One that does not serve the model says so, and leads to the models that it serves."""
    front.pick("Opus 5.5")
    assert "us-east5 · not served here" in front.options("Region")
    front.choose("Region", "us-east5")
    front.pick("Opus 4.6")
    assert (front.picked(), front.chosen("Region")) == ("Opus 4.6", "us-east5")


@pytest.mark.parametrize("typed", ["abc", "-1", "1.5", "nan", "1e400", "0x1", "--"])
def test_a_number_that_cannot_be_sent_changes_nothing(shell, front, typed):
    """And the field shows the setting again."""
    front.pick("Sonnet 4.5")
    front.enter("Temperature", "0.3")
    front.enter("Temperature", typed)
    assert "Not changed" in front.text()
    assert front.control("Temperature").value == "0.3"
    assert shell.magics.temperature == 0.3


def test_the_line_asks_the_same_in_a_session_without_settings(shell, front, claude_emulator):
    """Everything but the system text's characters is on it."""
    front.pick("Sonnet 4.5")
    front.choose("Region", "us-east5")
    front.enter("Max tokens", 900)
    front.enter("Temperature", "0.5")
    line = front.text().split("%%claude", 1)[1].splitlines()[0].strip()
    shell.ok("%claude -q hi")
    front.click("Reset")
    shell.ok(f"%claude -q {line} hi")
    first, second = shell.asked
    assert (first.path, first.body) == (second.path, second.body)


def test_a_bad_setting_from_elsewhere_is_shown_with_its_cure(shell, front):
    """The panel stays, and stays of use."""
    shell.ok('%config ClaudeMagics.effort = "extreme"')
    assert front.chosen("Effort") == "extreme · not taken"
    assert "These settings will be rejected: " in front.text()
    front.choose("Effort", "low")
    assert "will be rejected" not in front.text()


def test_a_model_that_the_table_does_not_know_is_shown_as_such(shell, front):
    """Facts age; the card says that nothing is checked."""
    shell.ok('%config ClaudeMagics.model = "claude-next-9<b>"')
    assert front.picked() == "claude-next-9<b>"
    assert "This id is not in the model table, so it is sent unchecked." in front.text()
    assert "<b>" not in "".join(each.value for each in front.shown() if isinstance(each, ipywidgets.HTML))


# Trying


def test_a_try_streams_into_the_plain_output_below(shell, front):
    """It is no part of the widget, so it stays in the saved notebook."""
    shell.emulator.answer("**Good** morning.")
    front.click("Try it")
    front.enter("Prompt", "Greet me")
    front.click("Send")
    panel_ended()
    assert "Done: the answer is below the panel." in front.text()
    assert shell.body["messages"] == [{"role": "user", "content": "Greet me"}]
    below = shell.page.outputs[-1]
    assert "**Good** morning." in below["text/markdown"]
    assert "Good" not in front.text()


def test_a_try_is_not_held_up_by_a_cell_nor_a_cell_by_it(shell, front):
    """The button only begins it; the thread asks."""
    shell.emulator.answer("word " * 400)
    shell.emulator.fail(Fault(stall_after=1_500))
    front.click("Try it")
    front.click("Send")
    wait(shell.page.drew, lambda: "word" in shell.page.text)
    shell.emulator.answer("From the cell.")
    assert shell.ok("%claude -q hi").text
    front.click("Stop")
    assert "Stopped." in front.text()


def test_a_try_that_is_stopped_before_any_text_promises_none(shell, front):
    """Nothing is below then; what is there says itself that it is partial."""
    shell.emulator.fail(Fault(delay=60))
    front.click("Try it")
    front.click("Send")
    front.click("Stop")
    panel_ended()
    assert shell.magics.panel.actions.trial_note == "Stopped."


def test_a_message_names_the_system_prompt_as_its_tab_does(shell, front):
    """Not by the name of the setting."""
    front.tab("System prompt")
    front.enter("Instructions", "Be brief.")
    front.click("Apply")
    assert "System prompt set (9 characters) for this session." in front.text()


def test_an_error_of_a_try_is_one_line_with_its_cure(shell, front):
    """As in a cell, and no traceback anywhere."""
    front.enter("Project", "")
    shell.ok('%config ClaudeMagics.model = "claude-unheard-of"')
    front.click("Try it")
    front.click("Send")
    panel_ended()
    assert "claude-unheard-of" in shell.magics.panel.actions.trial_note
    assert len(shell.magics.panel.actions.trial_note.splitlines()) == 1


# Counting


def test_counting_asks_the_chosen_region_and_no_other(shell, front):
    """Free of charge, one count a model, and only on the click."""
    front.choose("Region", "eu")
    front.tab("Cost")
    front.enter("Count what", "How large is Mongolia?")
    assert not shell.emulator.requests
    front.click("Count tokens")
    panel_ended()
    paths = {each.path for each in shell.emulator.requests if "token" not in each.path.rpartition("/")[0]}
    assert all("/locations/eu/" in path and "count-tokens" in path for path in paths if "/locations/" in path)
    assert any("/locations/eu/" in path for path in paths)
    assert "Sonnet 5.5" in front.text()
    assert not shell.asked


def test_a_variable_is_counted_by_its_name(shell, front):
    """Its text, said in words."""
    shell.ok("notes = 'word ' * 400")
    front.tab("Cost")
    front.enter("Count what", "notes")
    front.click("Count tokens")
    panel_ended()
    assert "Counted: the variable notes, 2,000 characters." in front.text()


@pytest.mark.parametrize(
    ("cell", "prompt"),
    [
        ("%%claude -m opus\nHow large is Mongolia?", "How large is Mongolia?"),
        ("%claude How large is Mongolia?", "How large is Mongolia?"),
        ("%time large = 'Mongolia'", "%time large = 'Mongolia'"),
    ],
)
def test_a_cell_is_counted_as_it_was_written(shell, front, cell, prompt):
    """And not as the Python that IPython makes of it, which is what `In` has."""
    shell.ok(cell)
    front.tab("Cost")
    front.enter("Count what", "In[-1]")
    front.click("Count tokens")
    panel_ended()
    assert f"Counted: the cell In[-1], {len(prompt)} characters." in front.text()


def test_what_cannot_be_counted_stays_in_the_field(front, shell):
    """Nothing that was typed is lost to a mistake."""
    shell.ok("numbers = [1, 2]")
    front.tab("Cost")
    front.enter("Count what", "numbers")
    front.click("Count tokens")
    assert front.control("Count what").value == "numbers"
    assert "numbers is a list." in front.text()


# What is kept


def all_state() -> str:
    """Everything that a front end could save of the widgets, defaults included."""
    return json.dumps({key: widget.get_state() for key, widget in living().items()}, default=str)


def test_no_text_of_the_user_stays_in_the_widgets(shell, front):
    """A saved notebook carries their state: prompts and system text live in the kernel only."""
    front.tab("System prompt")
    front.enter("Instructions", f"System {SECRET}")
    front.click("Apply")
    front.tab("Try")
    front.enter("Prompt", f"Prompt {SECRET}")
    front.click("Send")
    front.tab("Cost")
    front.enter("Count what", f"Count {SECRET}")
    front.click("Count tokens")
    panel_ended()
    front.copy_line()
    assert SECRET not in all_state()


def test_a_secret_that_is_pasted_into_a_field_is_refused_and_not_kept(shell, front):
    """Neither in the setting nor in the field or a message, which a saved notebook carries."""
    front.enter("Project", SECRET_TOKEN)
    assert "Not changed: project seems to contain a Google access token." in front.text()
    assert shell.magics.project == ""
    assert SECRET_TOKEN not in all_state()


def test_the_state_is_small(front):
    """With every tab opened; defaults, which front ends leave out, not counted."""
    for title in TABS:
        front.tab(title)
    state = {key: widget.get_state(drop_defaults=True) for key, widget in living().items()}
    assert len(json.dumps(state, default=str)) < 60_000


def test_closing_takes_every_widget_along(shell, front):
    """Also on unloading the extension, and a later panel is a new one."""
    assert living()
    shell.ok("%unload_ext vertex_claude_magic")
    assert not living()


def test_a_panel_that_was_closed_elsewhere_is_made_anew(shell, front):
    """`Widget.close_all()` must not leave a dead one."""
    ipywidgets.Widget.close_all()
    again = Front.open(shell)
    assert again.root is not front.root
    again.choose("Region", "eu")
    assert shell.magics.region == "eu"


# Without a browser


def test_beside_the_widget_stands_a_plain_output_that_reads_without_a_kernel(shell, front):
    """JupyterLab shows an error for a widget that has none."""
    front.choose("Region", "eu")
    widget, below = shell.page.outputs[-2:]
    assert VIEW in widget
    assert "run this cell" in widget["text/plain"]
    assert "region eu" in below["text/markdown"]
    assert "region eu" in below["text/plain"]


def test_something_on_the_line_is_refused_with_a_cure(shell):
    """There is nothing to say there."""
    error = shell.error("%claude_panel opus")
    assert "%config ClaudeMagics.model" in error.cure


def test_what_was_done_is_shown_until_a_tab_is_opened(shell):
    """It has nothing to do with what comes then; why a question would be refused stays."""
    front = Front.open(shell)
    front.choose("Region", "eu")
    assert "Region set to eu for this session." in front.text()
    front.tab("Cost")
    assert "Region set to" not in front.text()
    front.choose("Region", "us")
    front.tab("Status")
    assert "Region set to" not in front.text()


def test_the_text_below_the_panel_is_true_beside_a_working_panel(shell):
    """Every front end shows it; only the bundle of the widget tells what to do where there is no widget."""
    Front.open(shell)
    (panel, below) = shell.page.outputs
    assert "running kernel" in panel["text/plain"]
    assert "text/markdown" not in panel
    assert "Settings of this session: model" in below["text/plain"]
    assert "kernel" not in below["text/plain"] + below["text/markdown"]


def test_a_colour_or_size_of_jupyterlab_has_another_for_front_ends_without_it():
    """A variable that a page does not define makes the whole property void."""
    sources = Path(vertex_claude_magic.__file__).parent.rglob("*.py")
    assert [
        found for file in sources for found in re.findall(r"var\(--jp-[\w-]+\)", file.read_text("utf-8"))
    ] == []


def test_the_arrows_of_lists_are_seen_in_every_theme(shell):
    """Ipywidgets draws them black; the variable that it offers for that is set on the panel alone."""
    Front.open(shell)
    scripts = "".join(
        output["data"]["application/javascript"]
        for widget in living().values()
        if isinstance(widget, ipywidgets.Output)
        for output in widget.outputs
    )
    assert "querySelectorAll('.vertex-claude-panel')" in scripts
    assert "'--jp-widgets-dropdown-arrow'" in scripts
    assert "http" not in scripts.replace("http://www.w3.org/2000/svg", "")
