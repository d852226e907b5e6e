"""`%claude_models --check`, `--probe` and `--live`: what is asked, what it proves, what is kept, and who hears of it."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from page_html import QUIET_HTML, Elements
from shells import Page

from vertex_claude_magic import Claude, ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.health.check import (
    MOST_CALLS,
    AvailabilityCheck,
    Grid,
    GridCell,
    availability_of,
    plan,
)
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.observed import Sighting
from vertex_claude_magic.notebook.pages.availability import html, plain
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.policy import Policy

CATALOG = Catalog.load()
SECRET = "sesame-4711"
STATES = ("usable", "not enabled", "no quota", "not served", "retired", "not checked")
# One problem each, by a model that has nothing else.
BARRED = [
    ("claude-opus-5", "not enabled", "not enabled"),
    ("claude-sonnet-5", "no quota", "no quota"),
    ("claude-opus-4-7", "not served", "not served"),
    ("claude-opus-4-1", "retired", "retired"),
]


@pytest.fixture
def client(claude_emulator):
    return Claude(project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator")


def checked(client, *locations, **options) -> Grid:
    """Run a check to its end."""
    check = AvailabilityCheck(
        client._session, client._session.target(), locations=locations or ("global",), **options
    )
    check.run(lambda: None)
    return check.grid


def state(grid, model, location="global"):
    return grid.cells[GridCell(CATALOG.find(model).id, location)].state


def calls(emulator):
    """Every call to a model or a count, not those for a login."""
    return [each for each in emulator.requests if ":rawPredict" in each.path]


# What goes out


@pytest.mark.parametrize(("cell", "place"), [
    ("%claude_models --check", "global"),
    ("%claude_models --probe", "global"),
    ("%config ClaudeMagics.region = 'eu'\n%claude_models --check", "eu"),
    ("%claude_models --check -r us", "us"),
])  # fmt: skip
def test_no_check_leaves_the_chosen_location(shell, claude_emulator, cell, place):
    """Neither in its path nor by another host."""
    shell.ok(cell)
    asked = calls(claude_emulator)
    assert asked
    assert all(f"/locations/{place}/" in each.path for each in asked)


def test_other_locations_are_asked_when_the_user_names_them(shell, claude_emulator):
    """Repeated or with commas, each once."""
    shell.ok("%claude_models haiku --check -r us,eu -r us")
    assert {each.path.split("/")[5] for each in calls(claude_emulator)} == {"us", "eu"}


@pytest.mark.parametrize("option", ["--check", "--probe", "--live"])
def test_no_text_of_the_user_goes_out(shell, claude_emulator, option):
    """No system text, label, header or beta of the session; the text is the same for everybody."""
    shell.magics.system = f"System {SECRET}"
    shell.magics.label = {"team": SECRET}
    shell.ip.user_ns["prompt"] = SECRET
    shell.ok(f"%claude_models {option}")
    for request in claude_emulator.requests:
        assert (
            SECRET
            not in request.raw.decode("utf-8", "replace") + json.dumps(dict(request.headers)) + request.path
        )
    assert {json.dumps(each.body["messages"]) for each in calls(claude_emulator)} <= {
        '[{"role": "user", "content": "Is this working?"}]'
    }


def test_a_check_counts_and_a_probe_asks_for_one_token(client, claude_emulator):
    """The first is free; the second is all that costs."""
    checked(client, family="haiku")
    counts, before = calls(claude_emulator), len(calls(claude_emulator))
    assert all(each.path.endswith("/count-tokens:rawPredict") for each in counts)
    assert all("max_tokens" not in each.body for each in counts)
    checked(client, family="haiku", probe=True)
    questions = calls(claude_emulator)[before:]
    assert {each.body["max_tokens"] for each in questions} == {1}
    assert not any("count-tokens" in each.path for each in questions)


def test_calls_are_bounded(client, claude_emulator):
    """However many locations are named; the others say why they were not asked."""
    grid = checked(client, *CATALOG.locations(), "europe-west4", "us-central1", "asia-east1", probe=True)
    assert grid.asked == len(calls(claude_emulator)) == MOST_CALLS
    left = [cell for cell in grid.cells.values() if "60 calls" in cell.reason]
    assert left
    assert {cell.state for cell in left} == {"not checked"}


def test_no_more_than_eight_are_under_way(client, claude_emulator):
    """Others wait for their turn; a server that answers none of them is asked no more."""
    claude_emulator.fail(*[Fault(delay=60)] * 30)
    check, ticks = AvailabilityCheck(client._session, client._session.target(), locations=["global"]), []

    def stopped():
        answered, _ = check.progress
        ticks.append(len(calls(claude_emulator)) - answered)
        return len(ticks) > 15 and max(ticks) >= 8

    check.run(lambda: None, stopped)
    assert max(ticks) == 8


def test_a_refused_call_is_not_repeated(client, claude_emulator):
    """A check tells how things are now; retries would only hide that, and exceed the bound."""
    claude_emulator.fail(*[503] * 100)
    grid = checked(client, family="haiku")
    assert len(calls(claude_emulator)) == grid.asked
    assert state(grid, "claude-haiku-5-5") == "not checked"


# What it says


@pytest.mark.parametrize(("model", "why", "said"), BARRED)
def test_a_probe_names_each_state_with_its_reason(client, claude_emulator, model, why, said):
    """And no other cell suffers."""
    claude_emulator.bar(model, "global", why)
    grid = checked(client, "global", probe=True)
    cell = grid.cells[GridCell(CATALOG.find(model).id, "global")]
    assert (cell.state, cell.proof) == (said, "answer")
    assert cell.reason
    assert state(grid, "claude-sonnet-5-5") == "usable"


def test_a_state_of_one_location_is_not_that_of_another(client, claude_emulator):
    """A quota of zero in one region only."""
    claude_emulator.bar("claude-sonnet-5-5", "eu", "no quota")
    grid = checked(client, "global", "eu", probe=True)
    assert (state(grid, "claude-sonnet-5-5"), state(grid, "claude-sonnet-5-5", "eu")) == (
        "usable",
        "no quota",
    )


def test_a_count_never_claims_what_it_cannot_prove(shell, claude_emulator):
    """Counting has a quota of its own: such a cell is starred, and the star is explained."""
    claude_emulator.bar("claude-sonnet-5", "global", "no quota")
    shell.ok("%claude_models sonnet --check")
    row = next(line for line in shell.page.text.splitlines() if line.startswith("Sonnet 5 "))
    assert "usable*" in row
    assert "Only a question shows whether" in shell.page.text


def test_where_tokens_are_not_counted_nothing_is_claimed(client, claude_emulator):
    """By the table, before asking; by the service, when it says so."""
    grid = checked(client, "northamerica-northeast1", family="haiku")
    assert not calls(claude_emulator)
    assert state(grid, "claude-haiku-5-5", "northamerica-northeast1") == "not checked"
    grid = checked(client, "us-east5", family="haiku")
    cell = grid.cells[GridCell("claude-haiku-4-5@20251001", "us-east5")]
    assert (cell.state, cell.reason) == ("not checked", "tokens are not counted here; --probe asks the model")


def test_what_the_table_knows_is_not_asked(client, claude_emulator):
    """A model that the table lists elsewhere, and one that is retired; in an unknown location all are asked."""
    ask, told = plan(CATALOG, ["eu"])
    assert told[GridCell("claude-opus-4-6", "eu")][0] == "not served"
    assert told[GridCell("claude-3-opus@20240229", "eu")][0] == "retired"
    assert not {cell.model for cell in ask} & {"claude-opus-4-6", "claude-3-opus@20240229"}
    ask, _ = plan(CATALOG, ["europe-north7"], probe=True)
    assert {cell.model for cell in ask} == {row.id for row in CATALOG.models if row.lifecycle != "retired"}


VERDICTS = [
    (errors.ModelNotEnabled, {}, "claude-opus-5", "not enabled"),
    (errors.DataSharingRequired, {}, "claude-fable-5", "not enabled"),
    (errors.CountNotServed, {"status": 404}, "claude-opus-5", "not checked"),
    (errors.ModelNotFound, {"status": 400}, "claude-opus-5", "not served"),
    (errors.ModelNotFound, {"status": 404}, "claude-opus-5", "not enabled"),
    (errors.ModelNotFound, {"status": 404}, "claude-opus-4-1", "retired"),
    (errors.RateLimited, {"status": 429}, "claude-opus-5", "not checked"),
    (errors.Overloaded, {"status": 529}, "claude-opus-5", "not checked"),
    (errors.ServerError, {"status": 500}, "claude-opus-5", "not checked"),
    (errors.BadRequest, {"status": 400}, "claude-opus-5", "not checked"),
    (errors.NetworkError, {}, "claude-opus-5", "not checked"),
    (errors.DeadlineExceeded, {}, "claude-opus-5", "not checked"),
]


@pytest.mark.parametrize(("kind", "details", "model", "said"), VERDICTS)
def test_each_error_says_what_is_available(kind, details, model, said):
    """What does not tell of the model says nothing about it."""
    for probe in (True, False):
        found, reason = availability_of(
            kind("It broke.", cure="", details=details), CATALOG.find(model), probe=probe
        )
        assert found == said
        assert reason


@pytest.mark.parametrize(("probe", "said"), [(True, "no quota"), (False, "not checked")])
def test_a_quota_for_counting_is_not_that_of_the_model(probe, said):
    """Only a question that is refused for its quota tells of it."""
    error = errors.QuotaExceeded("A quota is used up.", cure="")
    assert availability_of(error, None, probe=probe)[0] == said


@pytest.mark.parametrize(("fault", "kind"), [
    (Fault(status=403, reason="SERVICE_DISABLED", message="disabled"), errors.APIDisabled),
    (Fault(status=403, message="denied"), errors.PermissionDenied),
    (Fault(status=401), errors.AuthenticationFailed),
])  # fmt: skip
def test_what_concerns_every_model_ends_the_check_with_its_cure(client, claude_emulator, fault, kind):
    """One cause is one error, and not twenty cells."""
    claude_emulator.fail(*[fault] * 100)
    with pytest.raises(kind) as failed:
        checked(client)
    assert failed.value.cure
    assert len(calls(claude_emulator)) <= 8


def test_a_consent_that_is_missing_for_one_model_ends_nothing(client, claude_emulator):
    """It is a 403 of that model alone."""
    claude_emulator.fail(Fault(status=403, message="Access requires data sharing to be enabled"))
    grid = checked(client)
    assert sum("data sharing" in cell.reason for cell in grid.cells.values()) == 1
    assert sum(cell.state == "usable" for cell in grid.cells.values()) > 10


def test_a_call_that_is_not_answered_in_time_is_not_checked(claude_emulator):
    """The clock jumps ahead once the other has answered, so nobody waits; the rest of the grid stands."""
    claude_emulator.fail(Fault(delay=600))
    ahead = [0.0]

    def clock():
        return time.monotonic() + ahead[0]

    client = Claude(project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator",
                    clock=clock)  # fmt: skip
    check = AvailabilityCheck(
        client._session, client._session.target(), locations=["global"], family="haiku", clock=clock
    )

    def tick():
        if check.progress == (1, 2):
            ahead[0] = 20.0

    check.run(tick)
    (late,) = (cell for cell in check.grid.cells.values() if cell.state == "not checked")
    assert "within 20 seconds" in late.reason
    assert check.progress == (2, 2)


NO_ANSWERS = [
    b"",
    b"<html>Log in</html>",
    b"null",
    b"[]",
    b"{}",
    b'{"input_tokens": "9"}',
    b'{"content": "x"}',
]


@pytest.mark.parametrize("probe", [True, False])
@pytest.mark.parametrize("body", NO_ANSWERS)
def test_a_good_status_alone_proves_nothing(client, claude_emulator, body, probe):
    """A login page has one too."""
    claude_emulator.fail(*[Fault(status=200, body=body)] * 10)
    grid = checked(client, family="haiku", probe=probe)
    assert state(grid, "claude-haiku-5-5") == "not checked"
    assert client._session.status.notes.notes("availability") == {}


# How it is shown


def every_state() -> Grid:
    """A grid with every state, in two locations, and hostile texts."""
    models = [row.id for row in CATALOG.models][:3]
    cells = {}
    for number, found in enumerate(STATES):
        cell = GridCell(models[number % 3], ("global", "<b>eu")[number // 3])
        cells[cell] = Sighting(project="p<i>", location=cell.location, model=cell.model, state=found, day="2026-11-26",
                               reason=f"<img src=x> {found} \x1b[2J", proof="count")  # fmt: skip
    return Grid(project="p<i>", models=tuple(models), locations=("global", "<b>eu"), cells=cells, asked=6)


def test_the_grid_reads_well_with_and_without_html():
    """Every state in words with its reason; inert elements, foreign text literal."""
    grid = every_state()
    page, text = html(grid, CATALOG), plain(grid, CATALOG)
    seen = Elements(page)
    assert seen.elements <= QUIET_HTML
    assert seen.attributes <= {"scope", "style", "colspan"}
    for found in STATES:
        assert found in page
        assert found in text
        assert found == "usable" or f"&lt;img src=x&gt; {found}" in page
    assert "\x1b" not in page + text
    assert "<img" not in page
    assert max(map(len, text.splitlines())) <= 170
    # Beside long reasons the name of a model would be broken at its blank.
    assert page.count("white-space: nowrap") >= len(grid.models)


def test_a_probe_says_what_it_costs(shell):
    """An estimate by the table; a count says that it is free."""
    shell.ok("%claude_models haiku --probe")
    assert "one-token questions (together ≈$0.000017)" in shell.page.text
    shell.ok("%claude_models haiku --check")
    assert "free counts" in shell.page.text


@pytest.mark.parametrize("option", ["--check", "--probe"])
def test_a_check_that_a_policy_forbids_shows_no_page(shell, claude_emulator, option):
    """A grid of models that were not checked would say that they had been asked."""
    set_policy(Policy(forbids=frozenset({"live"}), origin="claude-policy.toml"))
    try:
        assert "Live calls are switched off" in str(shell.error(f"%claude_models haiku {option}"))
    finally:
        set_policy(None)
    assert "not checked" not in shell.page.text
    assert claude_emulator.requests == []


def test_one_count_is_one_count():
    assert "by 1 free count on" in plain(replace(every_state(), asked=1), CATALOG)
    assert "by 1 one-token question, which cost" in plain(
        replace(every_state(), asked=1, probe=True), CATALOG
    )


def test_it_is_one_output_that_grows(shell):
    """Drawn when it begins and when it ends, in one place."""
    shell.ok("%claude_models --check")
    assert shell.page.messages[0] == "show"
    assert set(shell.page.messages[1:]) == {"update"}
    assert len(shell.page.outputs) == 1
    assert "to go" in shell.page.drawn[0]
    assert "to go" not in shell.page.drawn[-1]


class StoppingPage(Page):
    """A page on which the user presses stop once more than ten answers are there."""

    pressed = False

    def publish(self, *args, **options):
        super().publish(*args, **options)
        if not self.pressed and self.drawn[-1].count("✓ usable*") > 10:
            self.pressed = True
            raise KeyboardInterrupt


def test_an_interrupt_keeps_what_is_known(shell, claude_emulator):
    """Without the answer, which never comes; on the page and in the notes, what was not answered is not checked."""
    claude_emulator.fail(Fault(delay=3600))
    page = shell.ip.display_pub = StoppingPage()
    error = shell.ip.run_cell("%claude_models --check").error_in_exec
    assert isinstance(error, ClaudeInterrupt)
    assert "the check ended before its answer" in page.text
    assert page.text.count("✓ usable*") > 10
    assert len(shell.magics.status.notes.notes("availability")) > 10


REFUSED = ["%claude_models gemini --check", "%claude_models --check --regi eu", "%claude_models --live --check",
           "%claude_models sonnet --live", "%claude_models --live -r us -r eu", "%claude_models -r us -r eu",
           "%claude_models -p other", "%claude_models --check -r 'a/b'"]  # fmt: skip


@pytest.mark.parametrize("cell", REFUSED)
def test_what_makes_no_sense_is_refused_before_anything_is_sent(shell, claude_emulator, cell):
    """With a cure in one line."""
    error = shell.error(cell)
    assert error.cure
    assert not claude_emulator.requests
