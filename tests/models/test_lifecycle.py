"""Models near their end: what is said, once, where; and when a retired id is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest
from front import Front
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.models.lifecycle import (
    Reminder,
    lifecycle_notice,
    lost_features,
    panel_label,
    status,
    status_details,
    status_lines,
)
from vertex_claude_magic.models.model import Model
from vertex_claude_magic.session.status import SessionStatus

CATALOG = Catalog.load()
TODAY = date(2026, 11, 26)
RETIRED = "claude-3-5-haiku@20241022"


@pytest.fixture
def shell(shell):
    """A session against the emulator, on a fixed day."""
    shell.magics.status.reminder = Reminder(today=lambda: TODAY)
    return shell


# A lifecycle in words

ACTIVE = {"lifecycle": "active", "not_sooner_than": "2027-09-28", "api_retired_on": "2027-01-01"}
# Only Google's dates say how long Vertex AI serves it.
NO_FLOOR = {"lifecycle": "active", "api_retired_on": "2027-01-01"}
DEPRECATED = {
    "lifecycle": "deprecated",
    "deprecated_on": "2026-05-01",
    "api_retired_on": "2026-06-15",
    "not_sooner_than": "2026-12-01",
    "successor": "new",
}
UNDATED = {"lifecycle": "deprecated", "api_retired_on": "2026-06-15", "successor": "new"}
RETIRED_ON = {
    "lifecycle": "retired",
    "retired_on": "2026-07-05",
    "not_sooner_than": "2026-01-01",
    "successor": "new",
}
# Until then it was to stay, and on that day nobody knows when it ends.
PAST = {"lifecycle": "active", "not_sooner_than": "2026-11-26", "successor": "new"}
LIMITED = {"lifecycle": "limited"}
# Beside each: one line, the lines of a cell, all dates, the mark of a column.
WORDS = [
    (ACTIVE, "active, no end before 2027-09-28", "active|at least until 2027-09-28",
     "Available until at least 28 Sep 2027", "active"),
    (NO_FLOOR, "active", "active", "active", "active"),
    (DEPRECATED, "deprecated 2026-05-01, use new", "deprecated 2026-05-01|at least until 2026-12-01|use new",
     "deprecated 2026-05-01, available until at least 2026-12-01, use new", "deprecated"),
    (UNDATED, "deprecated, use new", "deprecated|use new", "deprecated, on the Claude API 2026-06-15, use new",
     "deprecated"),
    (RETIRED_ON, "retired 2026-07-05, use new", "retired 2026-07-05|use new", "retired 2026-07-05, use new",
     "retired"),
    (PAST, "active, may end any day since 2026-11-26, use new", "active|may end any day|use new",
     "active, may end any day since 2026-11-26, use new", "active"),
    (LIMITED, "limited", "limited", "invited customers only", "by invitation"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "line", "lines", "details", "in_column"), WORDS, ids=str)
def test_a_lifecycle_is_put_into_words(fields, line, lines, details, in_column):
    """The date of a state, a floor as a floor, and the date of the Claude API only where no other is known."""
    model = Model(id="m", name="M", family="m", **fields)
    words = (status(model, TODAY), "|".join(status_lines(model, TODAY)), status_details(model, TODAY))
    assert words == (line, lines, details)
    assert panel_label(model) == in_column


# A model near its end

NOTICES = [
    (
        "claude-sonnet-5",
        "may end on Vertex AI from 2026-12-24 on (a floor, no date is set)",
        "Claude Sonnet 5.5",
    ),
    (
        "claude-sonnet-4-5@20250929",
        "ends on the Claude API on 2026-11-30 (Google sets its own date)",
        "Claude Sonnet 5.5",
    ),
    (
        "claude-opus-4-1@20250805",
        "is deprecated and ended on the Claude API on 2026-08-05",
        "Claude Opus 5.5",
    ),
    (
        "claude-haiku-4-5@20251001",
        "may end on Vertex AI any day since 2026-10-15 (no date is set)",
        "Claude Haiku 5.5",
    ),
    ("claude-mythos-preview", "ended on the Claude API on 2026-06-30", None),
]


@pytest.mark.parametrize(("model", "said", "successor"), NOTICES)
def test_a_model_near_its_end_is_told_with_its_successor(model, said, successor):
    """A floor as a floor, and the Claude API's date as that."""
    notice = lifecycle_notice(CATALOG, model, "global", TODAY)
    assert said in notice
    assert (f"{successor} would take its place" in notice) if successor else ("take its place" not in notice)


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "claude-opus-4-8", "claude-unheard-of", RETIRED])
def test_nothing_is_said_of_others(model):
    """Far from its date, unknown, or refused anyway."""
    assert lifecycle_notice(CATALOG, model, "global", TODAY) is None


@pytest.mark.parametrize(
    ("day", "told"), [(date(2026, 10, 24), False), (date(2026, 10, 25), True), (date(2027, 5, 1), True)]
)
def test_it_begins_sixty_days_before_the_date(day, told):
    """And does not end with it, because a floor is no end."""
    assert (lifecycle_notice(CATALOG, "claude-sonnet-5", "global", day) is not None) == told


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2026, 11, 29), "ends on the Claude API on 2026-11-30"),
        (date(2026, 11, 30), "ended on the Claude API on 2026-11-30"),
    ],
)
def test_a_date_of_the_claude_api_is_past_from_that_day_on(day, said):
    """As that of a retired model is."""
    assert said in lifecycle_notice(CATALOG, "claude-sonnet-4-5@20250929", "global", day)


def test_a_deprecated_model_is_told_with_the_day_since_when_it_is():
    """Where the table has one."""
    row = CATALOG.find("claude-opus-4-8")._replace(lifecycle="deprecated", deprecated_on="2026-05-01")
    notice = lifecycle_notice(replace(CATALOG, _spellings={row.id: row}), row.id, "global", TODAY)
    assert notice.startswith("Claude Opus 4.8 is deprecated since 2026-05-01. ")


CHANGES = [
    ("claude-sonnet-4-5@20250929", "global", "no temperature, top_p or top_k"),
    ("claude-sonnet-4-5@20250929", "global", "no thinking budget"),
    (
        "claude-sonnet-4-5@20250929",
        "global",
        "$2 in / $10 out instead of $3 / $15 per million tokens at global",
    ),
    (
        "claude-opus-4-1@20250805",
        "us-east5",
        "$4.40 in / $22 out instead of $15 / $75 per million tokens at us-east5",
    ),
    (
        "claude-opus-4-1@20250805",
        "us-east5",
        "Claude Opus 5.5 (served in global, us, eu) would take its place",
    ),
    ("claude-sonnet-5", "eu", "same price"),
]


@pytest.mark.parametrize(("model", "location", "said"), CHANGES)
def test_it_says_what_would_change(model, location, said):
    """Parameters that it no longer takes, the price at this location, and where it is served."""
    assert said in lifecycle_notice(CATALOG, model, location, TODAY)


@given(old=st.sampled_from(CATALOG.models), new=st.sampled_from(CATALOG.models))
def test_only_what_the_successor_refuses_is_called_lost(old, new):
    """By the same rules that refuse a request."""
    said = list(lost_features(old, new))
    assert ("no temperature, top_p or top_k" in said) == (old.rules.sampling and not new.rules.sampling)
    assert ("no forced tool call" in said) == (
        old.rules.forced_tool_choice and not new.rules.forced_tool_choice
    )
    levels = [level for level in old.rules.effort if level not in new.rules.effort]
    assert [line for line in said if "effort" in line] == (
        [f"no effort {' or '.join(levels)}"] if levels else []
    )
    assert not list(lost_features(new, new))


@pytest.mark.parametrize("day", ["2026", "2026-12", "soon", ""])
def test_a_date_of_another_form_is_passed_over(day):
    """A table of the user's own may hold one."""
    row = CATALOG.find("claude-opus-4-8")._replace(not_sooner_than=day, api_retired_on=day)
    table = replace(CATALOG, _spellings={row.id: row})
    assert lifecycle_notice(table, row.id, "global", TODAY) is None
    assert day in status_details(row, TODAY)


SUCCESSORS = [
    ("claude-opus-5-5", "global", "Claude Opus 5.5 would take its place"),
    # A table of the user's own may name one that it does not have: then the newest that this location serves.
    ("claude-opus-99", "asia-southeast1", "Claude Opus 5 would take its place"),
    (
        "claude-opus-99",
        "antarctica-south1",
        "Claude Opus 5.5 (served in global, us, eu) would take its place",
    ),
    # One that is no better than the model itself helps nobody.
    ("claude-opus-4@20250514", "global", None),
    ("claude-3-opus@20240229", "global", None),
    ("claude-mythos-5-2", "global", None),
    ("claude-opus-4-8", "global", None),
]


@pytest.mark.parametrize(("successor", "location", "said"), SUCCESSORS)
def test_only_an_active_successor_is_named(successor, location, said):
    """Another than the model itself, with the places that serve it where this one does not."""
    row = CATALOG.find("claude-opus-4-8")._replace(not_sooner_than="2026-12-01", successor=successor)
    table = replace(CATALOG, _spellings={**CATALOG._spellings, row.id: row})
    notice = lifecycle_notice(table, row.id, location, TODAY)
    assert said in notice if said else notice.endswith("(a floor, no date is set).")


@pytest.mark.parametrize("unknown", [{"input": None}, {"output": None}])
@pytest.mark.parametrize("which", ["claude-opus-4-8", "claude-opus-5-5"])
def test_no_change_of_price_is_claimed_where_a_price_is_unknown(which, unknown):
    """Of the model or of its successor."""
    rows = {name: CATALOG.find(name) for name in ("claude-opus-4-8", "claude-opus-5-5")}
    old = rows["claude-opus-4-8"]
    rows["claude-opus-4-8"] = old._replace(not_sooner_than="2026-12-01", successor="claude-opus-5-5")
    prices = rows[which].prices
    for tiers in ((), (prices.tiers[0]._replace(**unknown),)):
        rows[which] = rows[which]._replace(prices=prices._replace(tiers=tiers))
        notice = lifecycle_notice(replace(CATALOG, _spellings=rows), "claude-opus-4-8", "eu", TODAY)
        assert "would take its place" in notice
        assert "price" not in notice
        assert "$" not in notice


# Once a session


def test_a_cell_says_it_below_its_answer_and_once(shell):
    """The second answer has it no more; another model has its own."""
    shell.ok("%%claude -m sonnet-4.5\nHi")
    assert "Claude Sonnet 4.5 may end on Vertex AI" in shell.page.text
    shell.ok("%%claude -m sonnet-4.5\nHi")
    assert "may end" not in shell.page.text
    shell.ok("%%claude -m haiku-4.5\nHi")
    assert "Claude Haiku 4.5 may end" in shell.page.text


def test_a_session_that_runs_for_days_says_it_when_the_date_comes_near():
    """That there was nothing to say before does not use it up."""
    days = iter([date(2026, 10, 24), date(2026, 10, 25), date(2026, 10, 26)])
    reminder = Reminder(today=lambda: next(days))
    told = [reminder.tell(CATALOG, "claude-sonnet-5", "global") is not None for _ in range(3)]
    assert told == [False, True, False]


def test_a_quiet_cell_does_not_use_it_up(shell):
    """What nobody saw was not said; nor is it by an answer that failed."""
    shell.ok("%claude -q -m sonnet-4.5 hi")
    shell.emulator.fail(400)
    shell.error("%claude -m sonnet-4.5 hi")
    shell.ok("%%claude -m sonnet-4.5\nHi")
    assert "may end on Vertex AI" in shell.page.text


def test_the_panel_says_it_when_the_model_is_chosen_and_a_cell_then_not(shell):
    """One session, one reminder."""
    front = Front.open(shell)
    front.pick("Sonnet 4.5")
    assert "Claude Sonnet 4.5 may end on Vertex AI" in front.text()
    shell.ok("%%claude\nHi")
    assert "may end on Vertex AI" not in shell.page.text
    front.pick("Opus 5.5")
    front.pick("Sonnet 4.5")
    assert "may end on Vertex AI" not in front.text()


def test_choosing_something_else_says_nothing_of_the_model(shell):
    """Only the choice of a model does."""
    shell.ok("%config ClaudeMagics.model = 'sonnet-4.5'")
    front = Front.open(shell)
    front.enter("Max tokens", 500)
    assert "may end on Vertex AI" not in front.text()


def test_python_code_hears_of_it_in_the_log(claude_emulator, caplog):
    """Once a session, whether it asks or streams; Python prints such a warning where no logging is set up."""
    asker = claude(claude_emulator)
    asker._session.status = SessionStatus(reminder=Reminder(today=lambda: TODAY))
    for _ in range(2):
        asker.ask("Hi", model="sonnet-4.5")
        with asker.stream("Hi", model="haiku-4.5") as stream:
            assert stream.reply.complete
    assert [record.getMessage().partition(" may end")[0] for record in caplog.records] == [
        "Claude Sonnet 4.5",
        "Claude Haiku 4.5",
    ]


# Retired


def claude(emulator, **change) -> Claude:
    return Claude(project=emulator.project, base_url=emulator.base_url, access_token="emulator", **change)


def test_a_retired_id_is_refused_on_the_word_of_the_table_while_no_other_is_known(claude_emulator):
    """Before it is sent, with the successor."""
    with pytest.raises(errors.ModelRuleError, match="retired") as refused:
        claude(claude_emulator).ask("Hi", model=RETIRED)
    assert "claude-haiku-5-5" in refused.value.cure
    assert not claude_emulator.requests


def test_a_list_that_does_not_have_it_either_agrees(claude_emulator):
    """Both sources say so."""
    asker = claude(claude_emulator)
    asker._session.status.notes.note("publisher models", "listed", ["claude-haiku-5-5"])
    with pytest.raises(errors.ModelRuleError):
        asker.ask("Hi", model=RETIRED)


AGAINST = [
    ("publisher models", "listed", [RETIRED]),
    ("publisher models", "listed", ["claude-3-5-haiku"]),
    ("availability", f"p/us-east5/{RETIRED}", {"state": "usable", "proof": "answer"}),
]


@pytest.mark.parametrize(("kind", "key", "value"), AGAINST)
def test_a_live_source_that_knows_it_lets_it_through_with_a_notice(claude_emulator, kind, key, value):
    """The table may be wrong; the service decides, and its error has the cure."""
    asker = claude(claude_emulator)
    asker._session.status.notes.note(kind, key, value)
    assert "it has answered since" in asker.request("Hi", model=RETIRED).notices[0]
    with pytest.raises(errors.ModelNotFound, match="not found"):
        asker.ask("Hi", model=RETIRED)
    assert len(claude_emulator.requests) == 1


def test_the_list_of_google_lets_it_through_in_the_same_session(shell):
    """From `--live` to the next question."""
    shell.emulator.list_model(RETIRED)
    assert isinstance(shell.error(f"%claude -m {RETIRED} hi"), errors.ModelRuleError)
    shell.ok("%claude_models --live")
    assert isinstance(shell.error(f"%claude -m {RETIRED} hi"), errors.ModelNotFound)


@pytest.mark.parametrize("seen", [None, ["claude-haiku-5-5"]])
def test_force_gets_through_whatever_is_known(claude_emulator, seen):
    """The user's word is the last."""
    asker = claude(claude_emulator)
    if seen is not None:
        asker._session.status.notes.note("publisher models", "listed", seen)
    with pytest.raises(errors.ModelNotFound):
        asker.ask("Hi", model=RETIRED, force=True)
    assert len(claude_emulator.requests) == 1


def test_a_table_of_the_users_own_gets_through(claude_emulator, tmp_path):
    """Its rows stand above those of the package."""
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": [{"id": RETIRED, "lifecycle": "active"}]}))
    with pytest.raises(errors.ModelNotFound):
        claude(claude_emulator, models_file=str(file)).ask("Hi", model=RETIRED)
    assert len(claude_emulator.requests) == 1


def test_sightings_are_read_only_where_they_matter(claude_emulator):
    """A question about a living model that is answered looks nothing up."""
    looked = []

    class Watching:
        def note(self, kind, key, value): ...

        def notes(self, kind):
            looked.append(kind)
            return {}

    asker = claude(claude_emulator)
    asker._session.status = SessionStatus(notes=Watching())
    asker.ask("Hi", model="haiku")
    assert looked == []
