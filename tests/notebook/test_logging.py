"""`%claude_logging`: on, off and status in a cell, what is said of their limits, and what is never touched."""

from __future__ import annotations

from html import unescape

import pytest
from page_html import QUIET_HTML, Elements
from shells import Page, interrupt_while_waiting

from vertex_claude_magic import ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.pages.logging import JournalFacts, Status, html, limits, plain
from vertex_claude_magic.transport.logging_config import LoggingConfig
from vertex_claude_magic.transport.resources import ModelPlace
from vertex_claude_magic.vertex.provenance import ANSWERED_BY_DEMO

MODEL = "claude-sonnet-5-5"
TABLE = "bq://my-project.claude_logs.requests"
ON = f"%claude_logging on --table {TABLE} --sample 0.1"
SIBLINGS = {
    "dataSharingEnabledProvider": "ANTHROPIC",
    "claudeFeatureConfig": {"advancedAiEnabled": True},
    "newer": {"x": [1]},
}
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J'; rm -rf ~"


def config(shell, model=MODEL, region="global"):
    return shell.emulator.configs.get(region, model)


def admin_calls(shell):
    return [each for each in shell.emulator.requests if "/v1beta1/" in each.path]


def test_on_off_and_status_as_a_user_runs_them(shell):
    """What is read back is what is said."""
    shell.ok("%claude_logging")
    assert "Google: off" in shell.page.text
    shell.ok(ON)
    assert config(shell)["loggingConfig"] == {
        "enabled": True,
        "samplingRate": 0.1,
        "bigqueryDestination": {"outputUri": TABLE},
    }
    assert "Logging is on (read back after the change)." in shell.page.text
    assert "10 % of calls to this model through this location" in shell.page.text
    shell.ok("%claude_logging status")
    assert "Google: on" in shell.page.text
    assert TABLE in shell.page.text
    shell.ok("%claude_logging off")
    assert config(shell)["loggingConfig"]["enabled"] is False
    assert "Logging is off (read back after the change)." in shell.page.text
    shell.ok("%claude_logging off")
    assert "Logging was already off." in shell.page.text


@pytest.mark.parametrize(
    "cell", [ON, "%claude_logging", "%claude_models haiku --check", "%claude_models --live"]
)
def test_what_the_emulator_of_the_demo_says_of_google_is_marked_as_its_own(shell, cell):
    """Nobody takes the demo's logging, or its list of models, for those of a project."""
    shell.ok(cell)
    assert ANSWERED_BY_DEMO not in shell.page.text
    shell.ok("%claude_demo")
    shell.ok(cell)
    assert ANSWERED_BY_DEMO in shell.page.text
    assert ANSWERED_BY_DEMO in unescape(shell.page.outputs[0]["text/html"])
    shell.ok("%claude_demo stop")


@pytest.mark.parametrize("cell", [ON, "%claude_logging off", "%claude_logging status"])
def test_no_command_touches_another_setting(shell, cell):
    """Data sharing, safety and what is not known here stay as they are, and are named."""
    before = {**SIBLINGS, "loggingConfig": {"enabled": True, "enableOtelLogging": True}}
    shell.emulator.configs.put("global", MODEL, before)
    shell.ok(cell)
    after = config(shell)
    assert {name: after[name] for name in SIBLINGS} == SIBLINGS
    assert after["loggingConfig"]["enableOtelLogging"] is True
    assert "claudeFeatureConfig, dataSharingEnabledProvider, newer" in shell.page.text


def test_status_only_reads(shell):
    """Whatever is set."""
    shell.emulator.configs.put("global", MODEL, SIBLINGS)
    shell.ok("%claude_logging status")
    assert {each.method for each in admin_calls(shell)} == {"GET"}


def test_it_is_about_the_chosen_model_and_location(shell):
    """Those of the session, or those on the line; an alias means what a question would mean."""
    shell.ok("%claude_logging on --table bq://my-project.d.t -m opus -r us-east5")
    assert config(shell, "claude-opus-4-6", "us-east5")["loggingConfig"]["samplingRate"] == 1.0
    assert config(shell) is None
    shell.ok("%config ClaudeMagics.model = 'haiku-4.5'\n%config ClaudeMagics.region = 'europe-west1'\n" + ON)
    assert config(shell, "claude-haiku-4-5@20251001", "europe-west1")["loggingConfig"]["enabled"] is True


REFUSED = [
    "%claude_logging on",
    "%claude_logging on --sample 0.5",
    "%claude_logging on --table bq://my-project.d",
    "%claude_logging on --table my-project.d.t",
    f"%claude_logging on --table {TABLE} --sample 0",
    f"%claude_logging on --table {TABLE} --sample -1",
    f"%claude_logging on --table {TABLE} --sample 1.5",
    f"%claude_logging on --table {TABLE} --sample nan",
    f"%claude_logging on --table {TABLE} --sample ten",
    f"%claude_logging on --table {TABLE} --table {TABLE}",
    f"%claude_logging off --table {TABLE}",
    "%claude_logging status --sample 0.1",
    "%claude_logging enable",
    "%claude_logging on off",
    "%claude_logging on --tab x",
    "%claude_logging --temperature 1",
]


@pytest.mark.parametrize("cell", REFUSED)
def test_a_line_that_makes_no_sense_sends_nothing(shell, cell):
    """Not even for a login; one line that says what would."""
    error = shell.error(cell)
    assert isinstance(error, errors.OptionError)
    assert error.cure
    assert not shell.emulator.requests


def test_a_failed_operation_is_said_and_leaves_a_tidy_page(shell):
    """With Google's words; the page does not go on waiting."""
    shell.emulator.configs.failure = {"code": 5, "message": "Dataset claude_logs was not found"}
    error = shell.error(ON)
    assert isinstance(error, errors.OperationFailed)
    assert "Dataset claude_logs was not found" in str(error)
    assert "%claude_logging status shows the current state" in shell.page.text
    assert "…" not in shell.page.text


def test_a_missing_permission_names_role_and_project(shell):
    """As a command to hand to an administrator."""
    shell.emulator.configs.denied = frozenset({"setPublisherModelConfig"})
    error = shell.error(ON)
    assert isinstance(error, errors.PermissionDenied)
    assert (
        "add-iam-policy-binding emulator-project --member=user:YOU --role=roles/aiplatform.admin"
        in error.cure
    )


def test_a_change_of_somebody_else_is_named(shell):
    """And left as found."""
    shell.emulator.configs.meanwhile(
        lambda found: {**found, "claudeFeatureConfig": {"advancedAiEnabled": True}}
    )
    shell.ok(ON)
    assert (
        "Somebody else changed claudeFeatureConfig at the same time; that change was left alone."
        in shell.page.text
    )
    assert config(shell)["claudeFeatureConfig"] == {"advancedAiEnabled": True}


class StoppingPage(Page):
    """A page on which the user presses stop at once."""

    def publish(self, *args, **options):
        super().publish(*args, **options)
        if len(self.messages) == 1:
            raise KeyboardInterrupt


def test_an_interrupt_ends_it_at_once(shell):
    """Though the operation never ends, with a word on what may hold by now."""
    shell.emulator.configs.polls = 10**9
    page = shell.ip.display_pub = StoppingPage()
    error = shell.ip.run_cell(ON).error_in_exec
    assert isinstance(error, ClaudeInterrupt)
    assert "%claude_logging status shows the current state" in page.text


def test_a_silent_server_is_left_by_an_interrupt(shell):
    """While an answer is awaited, as with questions."""
    shell.emulator.fail(Fault(delay=3600))
    with interrupt_while_waiting(shell.emulator):
        error = shell.ip.run_cell("%claude_logging status").error_in_exec
    assert isinstance(error, ClaudeInterrupt)


# What is said


def test_google_and_the_journal_stand_side_by_side():
    """What each keeps, how long, and where."""
    logging = LoggingConfig(enabled=True, sample=0.1, table="bq://my-project.claude_logs.requests")
    place = ModelPlace(project="my-project", region="global", model=MODEL)
    facts = JournalFacts(days=30, rows=1_234, path="/home/me/journal.db")
    lines = plain(Status(place=place, row=None, logging=logging, journal=facts)).splitlines()
    at = lines.index("how long:")
    assert lines[at : at + 3] == [
        "how long:",
        "  Google: until you delete rows of the table",
        "  here:   30 days",
    ]
    assert "  here:   the calls of this extension, 1,234 so far" in lines
    assert "  here:   /home/me/journal.db" in lines


def test_what_the_journal_keeps_stands_beside_it(shell):
    """Its days, its rows and its place, as they are."""
    shell.ok("%claude -q hi")
    shell.ok("%config ClaudeMagics.journal_days = 60")
    shell.ok("%claude_logging")
    assert "here:   60 days" in shell.page.text
    assert "the calls of this extension, 1 so far" in shell.page.text
    assert "here:   ~/" in shell.page.text


def test_without_a_journal_that_is_said(shell):
    """Not passed over."""
    shell.ok('%config ClaudeMagics.journal = "off"')
    shell.ok("%claude_logging")
    assert "here:   no journal" in shell.page.text


LIMITS = ["Preview", "minutes", "10 MB", "only rows that arrive prove it", "30 days", "other locations are not logged",
          "no location called global", "prompts and answers in full"]  # fmt: skip


@pytest.mark.parametrize("region", ["global", "eu", "us-east5"])
def test_the_limits_are_said_everywhere(shell, region):
    """Whatever the state is."""
    shell.ok(f"%claude_logging status -r {region} -m claude-opus-4-6")
    assert all(limit in shell.page.text for limit in LIMITS)


def status(model, region, **change):
    place = ModelPlace(project="p", region=region, model=model)
    return Status(place=place, row=Catalog.load().find(model), logging=LoggingConfig(), **change)


@pytest.mark.parametrize(
    ("model", "region", "wide", "no_region"),
    [
        ("claude-opus-4-6", "us-east5", False, False),
        ("claude-opus-4-6", "global", True, False),
        ("claude-opus-5-5", "global", True, True),
        ("claude-unheard-of", "eu", True, False),
    ],
)
def test_what_is_doubtful_is_said_where_it_is_doubtful(model, region, wide, no_region):
    """Google's page no longer says whether wide locations are logged; some models have no other."""
    said = " ".join(limits(status(model, region)))
    assert ("It is not certain that calls at global, us and eu are logged: Google's" in said) == wide
    assert ("has no regional endpoint" in said) == no_region


def test_foreign_words_are_text_and_no_command_names_them():
    """A table that somebody else set may be called anything; the page is to be copied from."""
    place = ModelPlace(project=HOSTILE, region="global", model=HOSTILE)
    odd = Status(place=place, row=None, logging=LoggingConfig(enabled=True, sample=float("nan"), table=HOSTILE),
                 others=(HOSTILE,), outcome=HOSTILE, journal=JournalFacts(1, 2, HOSTILE))  # fmt: skip
    page, text = html(odd), plain(odd)
    assert Elements(page).elements <= QUIET_HTML
    assert "<img" not in page
    assert "\x1b" not in text.replace(HOSTILE, "")
    assert "bq query" not in page + text


def test_a_checked_table_comes_with_the_query_that_proves_it(shell):
    """To be copied into a shell."""
    shell.ok(ON)
    assert "FROM `my-project.claude_logs.requests` ORDER BY logging_time DESC LIMIT 5'" in shell.page.text
    assert Elements(shell.page.outputs[0]["text/html"]).elements <= QUIET_HTML


def test_its_progress_and_its_end_are_one_output(shell):
    """What was being waited for is gone at the end."""
    shell.ok(ON)
    assert shell.page.messages[0] == "show"
    assert set(shell.page.messages[1:]) == {"update"}
    said = [text.rpartition(": ")[2] for text in shell.page.drawn[:-1]]
    assert said == ["reading the configuration …", "waiting for Google to change it, which may take minutes …",
                    "reading it back …"]  # fmt: skip
    assert "…" not in shell.page.text


def test_a_terminal_prints_what_is_waited_for(claude_emulator, monkeypatch, capsys):
    """It cannot take a line back, and minutes of silence look like a hang."""
    from shells import bare_shell

    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    shell = bare_shell()
    shell.run_line_magic("load_ext", "vertex_claude_magic")
    shell.run_cell(ON).raise_error()
    printed = capsys.readouterr().out
    assert printed.index("reading the configuration …") < printed.index(
        "Logging is on (read back after the change)."
    )


def test_a_look_that_fails_leaves_no_page(shell):
    """There was nothing to change; the error says all."""
    shell.emulator.configs.denied = frozenset({"fetchPublisherModelConfig"})
    assert isinstance(shell.error("%claude_logging status"), errors.PermissionDenied)
    assert shell.page.outputs == []
