"""What was seen live: Google's list beside the table, what a check leaves behind, and who hears of it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from page_html import QUIET_HTML, Elements
from test_availability import CATALOG, calls, checked

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.health.published import compare
from vertex_claude_magic.models.observed import Sighting, Sightings
from vertex_claude_magic.session.status import MemoryNotes, SessionStatus
from vertex_claude_magic.settings.choices import region_choices
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.transport.admin import ListedModel


@pytest.fixture
def client(claude_emulator):
    return Claude(project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator")


# The list of Google


def test_the_list_shows_what_the_table_lacks(shell, claude_emulator):
    """And what it has that Google does not list, and what came back."""
    claude_emulator.list_model("claude-next-9", "PUBLIC_PREVIEW")
    claude_emulator.list_model("claude-opus-4-1@20250805", None)
    claude_emulator.list_model("claude-3-opus@20240229")
    shell.ok("%claude_models --live")
    _, _, text = shell.page.text.partition("In Google's list, not in the table:")
    lacks, _, text = text.partition("In the table, not in Google's list:")
    lost, _, back = text.partition("Retired in the table, still in Google's list:")
    assert "claude-next-9 (PUBLIC_PREVIEW)" in lacks
    assert "claude-opus-4-1@20250805" in lost
    assert "claude-3-opus@20240229" in back
    assert "claude-sonnet-5-5" not in shell.page.text


def test_the_list_is_read_at_the_chosen_location(shell, claude_emulator):
    """One location, no prompt, and nothing else is asked."""
    shell.ok("%claude_models --live -r eu")
    listed = [each for each in claude_emulator.requests if "publishers/anthropic/models" in each.path]
    assert {each.method for each in listed} == {"GET"}
    assert not calls(claude_emulator)


@pytest.mark.parametrize(
    ("name", "version", "known"),
    [
        ("claude-sonnet-4-5", "20250929", True),
        ("claude-sonnet-5-5", "default", True),
        ("claude-sonnet-5-5", "", True),
        ("claude-sonnet-4-5", "20991231", False),
        ("<b>claude", "default", False),
    ],
)
def test_ids_match_in_any_spelling(name, version, known):
    """A version that the table does not have is no match."""
    found = compare(CATALOG, [ListedModel(name=name, version=version, stage="GA")])
    assert (found.lacking == ()) == known


def test_hostile_names_of_the_list_are_text(shell, claude_emulator):
    """They come from elsewhere."""
    claude_emulator.list_model("<img src=x onerror=alert(1)>", "<script>")
    shell.ok("%claude_models --live")
    assert Elements(shell.page.outputs[0]["text/html"]).elements <= QUIET_HTML


# What is kept, and who hears of it


def noted(*cells, when=datetime(2026, 11, 20, tzinfo=timezone.utc)):
    """A session status that remembers these."""
    notes = MemoryNotes(now=lambda: when)
    for project, location, model, found, proof in cells:
        cell = Sighting(project=project, location=location, model=model, state=found, proof=proof)
        notes.note("availability", cell.key, cell.value)
    return SessionStatus(notes=notes)


USABLE_IN_EU = ("emulator-project", "eu", "claude-opus-5", "usable", "answer")
HINTED = [("not enabled", errors.ModelNotEnabled), ("no quota", errors.QuotaExceeded), ("not served", errors.ModelNotFound),
          ("retired", errors.ModelNotFound)]  # fmt: skip


@pytest.mark.parametrize(("why", "kind"), HINTED)
def test_errors_name_where_the_model_was_usable_with_the_date(claude_emulator, why, kind):
    """After the usual cure; another project's check and the refused location itself say nothing."""
    control = noted(USABLE_IN_EU, ("other", "us", "claude-opus-5", "usable", "answer"),
                    ("emulator-project", "global", "claude-opus-5", "usable", "answer"))  # fmt: skip
    claude_emulator.bar("claude-opus-5", "global", why)
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    claude._session.status = control
    with pytest.raises(kind) as refused:
        claude.ask("Hi", model="claude-opus-5")
    assert refused.value.cure.endswith("It was usable in eu when last checked (2026-11-20).")


def test_a_count_gives_no_hint_about_quota(claude_emulator):
    """It has a quota of its own."""
    control = noted(("emulator-project", "eu", "claude-opus-5", "usable", "count"))
    claude_emulator.bar("claude-opus-5", "global", "no quota")
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    claude._session.status = control
    with pytest.raises(errors.QuotaExceeded) as refused:
        claude.ask("Hi", model="claude-opus-5")
    assert "when last checked" not in refused.value.cure


def test_an_error_hears_of_the_check_that_was_made_before(shell, claude_emulator):
    """From the magic to the cure, by way of the notes."""
    claude_emulator.bar("claude-opus-5", "global", "not enabled")
    shell.ok("%claude_models opus --probe -r eu")
    error = shell.error("%claude -m claude-opus-5 hi")
    assert "It was usable in eu when last checked" in error.cure


def test_a_count_does_not_replace_what_an_answer_proved_that_day(client, claude_emulator):
    """A quota of zero stays known although counting goes on."""
    claude_emulator.bar("claude-sonnet-5", "global", "no quota")
    checked(client, family="sonnet", probe=True)
    checked(client, family="sonnet")
    found = client._session.status.sightings().find("claude-sonnet-5", "global", claude_emulator.project)
    assert (found.state, found.proof) == ("no quota", "answer")


def test_only_verdicts_are_kept(client, claude_emulator):
    """What was not checked, and what the table said, is nothing to remember."""
    claude_emulator.fail(*[503] * 100)
    checked(client, "global", "eu")
    assert client._session.status.notes.notes("availability") == {}


def test_the_region_list_is_marked_and_never_changed(client, claude_emulator):
    """The mark is of this project, this model, and has its date."""
    control = noted(
        ("p", "eu", "claude-opus-5", "no quota", "answer"), ("q", "us", "claude-opus-5", "usable", "answer")
    )
    target = resolve_target(AskOptions(model="claude-opus-5", project="p"))
    labels = {choice.value: choice.label for choice in region_choices(target, control.sightings())}
    assert labels["eu"] == "eu · no quota 2026-11-20"
    assert labels["us"] == "us"
    assert list(labels) == [choice.value for choice in region_choices(target)]


def test_without_a_project_the_one_of_the_credentials_is_meant():
    """And never that of the demo, or of any other session."""
    control = noted(("emulator-project", "eu", "claude-opus-5", "usable", "answer"))
    target = resolve_target(AskOptions(model="claude-opus-5"))
    labels = [choice.label for choice in region_choices(target, control.sightings())]
    assert "eu" in labels
    control.project = "emulator-project"
    labels = [choice.label for choice in region_choices(target, control.sightings())]
    assert "eu · usable 2026-11-20" in labels


def test_the_project_of_the_credentials_is_remembered(claude_emulator, monkeypatch):
    """Once they were asked for it."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(claude_emulator.credentials_file()))
    client = Claude(base_url=claude_emulator.base_url)
    checked(client, family="haiku")
    assert (
        client._session.status.sightings().find("claude-haiku-5-5", "global").project
        == claude_emulator.project
    )


ODD_NOTES = [("p", {}), ("p/eu", {"state": "usable"}), ("p/eu/m", {"state": "wonderful"}), ("p/eu/m", None), ("p/eu/m", []),
             ("", {"state": "usable"}), ("p/eu/m", {"state": ["usable"]})]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), ODD_NOTES)
def test_notes_that_are_not_understood_are_left_out(key, value):
    """They outlive versions of this package."""
    assert (
        Sightings.of(
            {key: (value, datetime.now(timezone.utc))}, {"listed": ("x", datetime.now(timezone.utc))}
        ).cells
        == ()
    )


def test_what_was_seen_is_known_to_the_next_kernel(claude_emulator, home):
    """In the journal, with its date; another session's errors tell of it."""
    options = {
        "project": claude_emulator.project,
        "base_url": claude_emulator.base_url,
        "access_token": "emulator",
    }
    first = Claude(**options)
    first._session.status.notes.note("availability", f"{claude_emulator.project}/us/claude-sonnet-5-5",
                             {"state": "usable", "reason": "it answered one token", "proof": "answer"})  # fmt: skip
    first.close()
    claude_emulator.bar("claude-sonnet-5-5", "global", "not enabled")
    with pytest.raises(errors.ModelNotEnabled) as caught:
        Claude(**options).ask("hi")
    assert "It was usable in us when last checked (20" in caught.value.cure


def test_without_a_journal_what_was_seen_lasts_as_long_as_the_session():
    """Nothing is written, and the session knows it all the same."""
    claude = Claude(project="p", access_token="t", journal="off")
    claude._session.status.notes.note("availability", "p/us/m", {"state": "usable"})
    assert claude._session.status.sightings().find("m", "us", "p").state == "usable"
    other = Claude(project="p", access_token="t", journal="off")
    assert other._session.status.sightings().find("m", "us", "p") is None
