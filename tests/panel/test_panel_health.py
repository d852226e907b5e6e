"""The panel's health section: a check in the background, the state of logging, spend against limits."""

from __future__ import annotations

import json
import threading

import pytest
from front import Front, living, panel_ended

from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.models.prices import usd_estimate

MODEL = "claude-sonnet-5-5"
SECRET = "sesame-4711"


@pytest.fixture
def front(shell):
    """Its panel with the section open."""
    front = Front.open(shell)
    front.tab("Status")
    return front


def until(shell, ready):
    """Wait until something is so; the panel says whenever it may have become so."""
    work, changed = shell.magics.panel.actions, threading.Event()
    work.observe(lambda _: changed.set(), "revision")
    while not ready():
        assert changed.wait(120), "it did not come to pass"
        changed.clear()


def checked(front):
    """Press Check and wait for the end."""
    front.click("Check")
    panel_ended()


def read(front):
    """Press Read logging and wait for the end."""
    front.click("Read logging")
    panel_ended()


def model_calls(shell):
    return [each for each in shell.emulator.requests if ":rawPredict" in each.path]


def test_opening_the_section_asks_nothing(shell, front):
    """Neither Google nor the credentials."""
    assert "claude-sonnet-5-5 in global has not been checked yet." in front.text()
    assert not shell.emulator.requests


def test_a_check_asks_the_chosen_location_and_shows_a_grid(shell, front):
    """By free counts, and no text of the user's."""
    shell.magics.system = SECRET
    shell.emulator.bar("claude-opus-5", "eu", "not enabled")
    front.choose("Region", "eu")
    checked(front)
    calls = model_calls(shell)
    assert calls
    assert all("/locations/eu/" in each.path and "count-tokens" in each.path for each in calls)
    assert SECRET not in "".join(each.raw.decode() for each in calls)
    assert "Checked." in front.text()
    assert "✗ not enabled" in front.text()
    assert "claude-sonnet-5-5 in eu: usable when last checked" in front.text()


def test_the_result_of_a_button_comes_before_what_no_button_asked_for(shell, front):
    """Near its button: what was spent is always there, and comes last."""
    shell.ok("%claude -q Hi")
    checked(front)
    read(front)
    text = front.text()
    shown = [
        "Checked.",
        "Google does not log",
        "Models that you can call in global",
        "Spending against limits",
    ]
    places = [text.index(each) for each in shown]
    assert places == sorted(places)


def test_the_region_list_hears_of_it_and_stays_where_it_is(shell, front):
    """A mark with its date, and no silent change."""
    checked(front)
    marked = [entry for entry in front.options("Region") if "usable 20" in entry]
    assert [entry.split(" · ")[0] for entry in marked] == ["global"]
    assert front.control("Region").value == "global"
    assert shell.magics.region == ""


def test_another_model_has_its_own_last_check(shell, front):
    """The line follows the choice; nothing is asked again."""
    shell.emulator.bar("claude-opus-5", "global", "not enabled")
    checked(front)
    before = len(shell.emulator.requests)
    shell.ok("%config ClaudeMagics.model = 'claude-opus-5'")
    assert "claude-opus-5 in global: not enabled when last checked" in front.text()
    assert len(shell.emulator.requests) == before


def test_stop_keeps_what_is_known(shell, front):
    """And the section can check again."""
    shell.emulator.fail(Fault(delay=60))
    front.click("Check")
    until(shell, lambda: "✓ usable*" in front.text())
    front.click("Stop")
    assert "Stopped. Results so far remain." in front.text()
    assert "✓ usable*" in front.text()
    assert not front.control("Check").disabled


def test_what_concerns_every_model_is_one_line_with_its_cure(shell, front):
    """As in a cell."""
    shell.emulator.fail(*[Fault(status=403, reason="SERVICE_DISABLED", message="disabled")] * 20)
    checked(front)
    assert "gcloud services enable aiplatform.googleapis.com --project emulator-project" in front.text()


def test_a_cell_is_not_held_up_by_a_check(shell, front):
    """It goes on in a thread of its own."""
    shell.emulator.fail(Fault(delay=60))
    front.click("Check")
    until(shell, lambda: len(model_calls(shell)) > 1)
    shell.emulator.answer("From the cell.")
    assert shell.ok("%claude -q hi").text == "From the cell."
    front.click("Stop")


def test_the_state_of_logging_is_read_on_demand(shell, front):
    """With the line that switches it on, for this model and place."""
    read(front)
    assert "Google does not log claude-sonnet-5-5 in global." in front.text()
    line = "%claude_logging on --table bq://project.dataset.table --sample 0.1 -m claude-sonnet-5-5 -r global"
    assert line in front.text()
    assert {each.method for each in shell.emulator.requests if "/v1beta1/" in each.path} == {"GET"}


def test_logging_that_is_on_says_where_to(shell, front):
    """And forgets it when another model is chosen."""
    logging = {
        "enabled": True,
        "samplingRate": 0.25,
        "bigqueryDestination": {"outputUri": "bq://my-project.<b>.t"},
    }
    shell.emulator.configs.put("global", MODEL, {"loggingConfig": logging})
    read(front)
    assert (
        "Google logs 25 % of calls to claude-sonnet-5-5 in global, to bq://my-project.<b>.t." in front.text()
    )
    front.pick("Opus 5.5")
    assert "Google logs" not in front.text()


def test_a_refused_reading_names_the_role(shell, front):
    """In one line."""
    shell.emulator.configs.denied = frozenset({"fetchPublisherModelConfig"})
    read(front)
    assert "roles/aiplatform.viewer" in front.text()


def test_spend_stands_against_its_limits(shell, front):
    """As it is at every drawing."""
    paid_session(shell, 0.0412)
    shell.ok("%config ClaudeMagics.max_session_cost = 1")
    front.choose("Region", "eu")
    text = " ".join(front.text().split())
    assert "this session 0.0412 1" in text
    assert "today, all notebooks 0 no limit" in text


def test_spend_follows_the_questions_of_the_session(shell, front):
    """Session and day move with each answer; a limit is shown beside them."""
    shell.ok("%config ClaudeMagics.max_session_cost = 2")
    assert "this session 0 2" in " ".join(front.text().split())
    cost = shell.ok("%%claude -q\nhi").cost
    text = " ".join(front.text().split())
    # What the emulator answers costs nothing, so it stands apart.
    assert "this session 0 2" in text
    assert "today, all notebooks 0 no limit" in text
    assert f"{usd_estimate(cost)} this session, {usd_estimate(cost)} today" in text


def paid_session(shell, usd):
    """Spend USD as a question to Google would."""
    budget = shell.magics.session().records.budget
    budget.commit(budget.reserve(usd, local=False), usd)


def test_panel_usage_page_and_the_line_below_an_answer_agree(shell, front):
    """One sum of the session, whether it was spent before, in, or after the demo."""
    shell.ok("%config ClaudeMagics.show_spend = True")
    paid_session(shell, 0.25)
    shell.ok("%claude_demo")
    shell.ok("%%claude\nhi")
    below = next(line for line in shell.page.text.splitlines() if line.startswith("Session"))
    assert below.startswith("Session ≈$0.25 · today $0 (estimates). ")
    local = below.partition("(estimates). ")[2]
    assert "not billed" in local
    text = " ".join(front.text().split())
    assert "this session 0.2500 no limit" in text
    assert "today, all notebooks 0 no limit" in text
    assert local in text
    shell.ok("%claude_usage")
    assert "This session: ≈$0.25 (estimate" in shell.page.text
    assert "Today, all notebooks: $0 (estimate" in shell.page.text
    assert local in shell.page.text
    shell.ok("%claude_demo stop")
    assert "this session 0.2500 no limit" in " ".join(front.text().split())


def test_the_saved_state_stays_small_and_holds_no_secret(shell, front):
    """With a whole grid in it."""
    shell.magics.system = SECRET
    checked(front)
    read(front)
    for title in ("Settings", "Try", "Cost", "System prompt"):
        front.tab(title)
    state = json.dumps({key: widget.get_state() for key, widget in living().items()}, default=str)
    assert SECRET not in state
    told = {key: widget.get_state(drop_defaults=True) for key, widget in living().items()}
    assert len(json.dumps(told, default=str)) < 60_000
