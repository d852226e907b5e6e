"""The diagnosis: each set-up problem is found by one check with one cure, and nothing is sent that costs or changes."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from shells import run_python
from tls import answer_tls, make_certificate, received, serving

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator import SETUP_PROBLEMS, Emulator, SetupProblem
from vertex_claude_magic.errors import APIDisabled, LoginExpired, ModelNotFound, OptionError, Overloaded
from vertex_claude_magic.health.doctor import setup_checks
from vertex_claude_magic.health.doctor.cures import cure_of
from vertex_claude_magic.health.doctor.diagnosis import Diagnosis
from vertex_claude_magic.health.doctor.examination import (
    DoctorCheck,
    TimeLimits,
    Timer,
    examine,
    unfinished,
)
from vertex_claude_magic.health.doctor.finding import MARKS, Finding, has_problem, verdict
from vertex_claude_magic.health.doctor.setup import Setup
from vertex_claude_magic.health.probe import FIXED_TEXT
from vertex_claude_magic.records.journal.schema import MIGRATIONS, migrate
from vertex_claude_magic.session.session import Session, open_session
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.transport.auth import ApplicationDefault, FixedToken
from vertex_claude_magic.transport.connectivity import Reached
from vertex_claude_magic.transport.identity import Identity

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

LOGIN = "Run: gcloud auth application-default login"
CONSOLE = "Open: https://console.cloud.google.com/"
NO_ADDRESS = "Set: ANTHROPIC_VERTEX_BASE_URL to nothing, to reach Google's own address."
CARD = f"{CONSOLE}agent-platform/publishers/anthropic/model-garden/claude-sonnet-5-5?project=emulator-project"
EMAIL = "emulator@emulator-project.iam.gserviceaccount.com"
STATUS = "Open: https://status.cloud.google.com"
# What answers is waited for however slow the machine; what never answers is left soon.
PATIENT = TimeLimits(whole=3600, credentials=600, host=600, answer=600)
HASTY = replace(PATIENT, host=0.3, answer=0.3)
ORDER = ["versions", "runtime", "settings", "credentials", "project", "network", "clock", "token", "service", "API", "permission",
         "lifecycle", "model", "quota", "one token", "widgets", "journal"]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Row:
    """What ails the set-up, and what must be said: the check, words of its line, how its cure begins."""

    check: str
    says: str
    cure: str
    simulated: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    kind: str = "service_account"
    probe: bool = False
    limits: TimeLimits = PATIENT


def row(check: str, says: str, cure: str, simulated: str | None = None, **more: Any) -> Row:
    return Row(check=check, says=says, cure=cure, simulated=simulated, **more)


USER = {"kind": "authorized_user"}
# By the set-up problem of the emulator, or by a choice that is wrong by itself.
ROWS = [
    row("credentials", "No Google credentials were found", LOGIN, "no_credentials"),
    row("credentials", "/nowhere/key.json", "Set: GOOGLE_APPLICATION_CREDENTIALS", "key_file_missing"),
    row("credentials", "not a usable credentials file", "Set: GOOGLE_APPLICATION_CREDENTIALS", "key_file_unreadable"),
    row("token", "expired or revoked", LOGIN, "login_expired", **USER),
    row("token", "service account's key", f"{CONSOLE}iam-admin/serviceaccounts?project=emulator-project (are {EMAIL}",
        "login_expired"),
    row("credentials", "identity of the workload", f"{CONSOLE}iam-admin/workload-identity-pools", "login_expired",
        kind="external_account"),
    row("token", "asks for a new login", f"{LOGIN} --impersonate-service-account={EMAIL}",
        "login_expired", kind="impersonated_service_account"),
    row("token", "Reauthentication is needed", LOGIN, "reauth_needed", **USER),
    row("token", "characters that a header cannot carry", LOGIN, "token_malformed"),
    row("service", "refused the access token (401)", "Set: GOOGLE_APPLICATION_CREDENTIALS", "token_refused"),
    row("project", "No Google Cloud project is set", "Set: GOOGLE_CLOUD_PROJECT", "project_missing"),
    row("permission", "may not call", "Run: gcloud projects add-iam-policy-binding somebody-elses-project --member="
        f"serviceAccount:{EMAIL} --role=roles/aiplatform.user", "project_wrong"),
    row("API", "project 764086051850", "Run: gcloud auth application-default set-quota-project emulator-project",
        "quota_project_wrong", **USER),
    row("API", "is not enabled for project emulator-project", "Run: gcloud services enable aiplatform.googleapis.com "
        "--project emulator-project", "api_disabled"),
    row("permission", "billing", f"{CONSOLE}billing/linkedaccount?project=emulator-project", "billing_disabled"),
    row("permission", "aiplatform.endpoints.predict", "Run: gcloud projects add-iam-policy-binding emulator-project",
        "permission_denied"),
    row("permission", "use project emulator-project", "Run: gcloud projects add-iam-policy-binding emulator-project "
        "--member=user:YOUR-EMAIL --role=roles/serviceusage.serviceUsageConsumer", "quota_project_denied", **USER),
    row("permission", "prohibited by organization's policy", f"{CONSOLE}security/service-perimeter?project=",
        "perimeter_closed"),
    row("model", "data-sharing consent", CARD, "data_sharing_required"),
    row("model", "is not enabled for project", f"{CARD} (press Enable", "model_not_enabled"),
    row("model", "was not found", f"{CARD} (is it enabled", "model_ended"),
    row("model", "not served in global", "Use: --region us", "region_wrong"),
    row("model", "not served in us-east5", "Use: --region us", options={"region": "us-east5",
        "model": "claude-sonnet-5-5"}, simulated="region_wrong"),
    row("model", "not served in europe-west9", "Use: --region eu", options={"region": "europe-west9",
        "model": "claude-sonnet-5-5"}, simulated="region_wrong"),
    row("service", "generateContent", NO_ADDRESS, "verb_wrong"),
    row("quota", "global_online_prediction_requests_per_base_model",
        f"{CONSOLE}iam-admin/quotas?project=emulator-project (ask for more global_online_prediction_requests_per_base_"
        "model for claude-sonnet-5-5)", "quota_zero", probe=True),
    row("quota", "in us-east5 is used up", "Use: --region global", "quota_zero_in_region", probe=True,
        options={"region": "us-east5", "model": "sonnet"}),
    row("service", "Too many requests", "Use: --region us", "capacity_shared"),
    row("service", "overloaded", "Use: --region us", "overloaded"),
    row("service", "failed for claude-sonnet-5-5 in global (500)", STATUS, "server_error"),
    row("service", "(503)", STATUS, "unavailable"),
    row("one token", "prompt is too long", NO_ADDRESS, "prompt_too_long", probe=True),
    row("service", "too large (413)", NO_ADDRESS, "request_too_large"),
    row("one token", "maximum allowed number", NO_ADDRESS, "max_tokens_refused", probe=True),
    row("one token", "thinking.type.disabled", NO_ADDRESS, "thinking_refused", probe=True),
    row("service", "Extra inputs are not permitted", NO_ADDRESS, "field_added"),
    row("network", "us-eats5-aiplatform.googleapis.com was not found", "Use: --region us-east5", "host_unknown"),
    row("network", "refused the connection", NO_ADDRESS, "host_unreachable"),
    row("settings", "not sent to 'gateway.example'", "Set: ANTHROPIC_VERTEX_BASE_URL to nothing, unless gateway.example",
        "host_untrusted"),
    row("service", "has no such address (404)", "Set: ANTHROPIC_VERTEX_BASE_URL to an address that ends in /v1",
        "path_wrong"),
    row("network", "was not reached", "Set: HTTPS_PROXY", "proxy_dead"),
    # Whether what is no TLS answers, or waits for more, is chance: the random bytes of a handshake may hold two line ends.
    row("network", "TLS", NO_ADDRESS, "tls_broken", limits=HASTY),
    row("network", "a web page (200)", CONSOLE[:-1], "captive_portal"),
    row("network", "that leads to 'https://login.example.com/", CONSOLE[:-1], "login_redirect"),
    row("network", "sent nothing for 0.3 seconds", NO_ADDRESS, "service_silent", limits=HASTY),
    row("clock", "60 minutes behind", "Run: ", "clock_off"),
    row("lifecycle", "retired 2026-07-05", "Use: --model claude-haiku-5-5", options={"model": "claude-3-5-haiku@20241022"}),
    row("model", "was not found", "Use: --model claude-sonnet-5-5", options={"model": "claude-sonet-5-5"}),
    row("settings", "No active model of the family haiku", "Use: --region global",
        options={"model": "haiku", "region": "asia-southeast1"}),
    row("settings", "No active model of the family mythos", "Use: --model sonnet", options={"model": "mythos"}),
    row("settings", "is not a Google Cloud location", "Use: --region us-east5", options={"region": "us east5"}),
    row("project", "is not a valid project", "Set: GOOGLE_CLOUD_PROJECT to the id", options={"project": ".."}),
]  # fmt: skip


@pytest.fixture
def prepare(claude_emulator, monkeypatch) -> Callable[..., Diagnosis]:
    """Get ready to examine a session that has the emulator's environment; google-auth is the real one."""

    def prepared(case: Row | None = None, **settings: Any) -> Diagnosis:
        case = case or row("", "", "")
        if case.simulated is not None:
            claude_emulator.simulate(case.simulated)
        for name, value in claude_emulator.environment.items():
            monkeypatch.setenv(name, value)
        if "GOOGLE_APPLICATION_CREDENTIALS" in claude_emulator.environment and "key_file" not in str(
            case.simulated
        ):
            file = claude_emulator.credentials_file(case.kind)
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        claude = Claude(credentials=ApplicationDefault(request=claude_emulator.google_request))
        found = {"spends": case.probe, "limits": case.limits, **settings}
        return Diagnosis(claude._session, case.options, **found)

    return prepared


@pytest.fixture
def diagnose(prepare) -> Callable[..., Diagnosis]:
    """Examine such a session."""

    def examined(case: Row | None = None, **settings: Any) -> Diagnosis:
        return run(prepare(case, **settings))

    return examined


def run(diagnosis: Diagnosis) -> Diagnosis:
    list(diagnosis.run())
    return diagnosis


def named(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


@pytest.mark.parametrize("case", ROWS, ids=lambda each: f"{each.simulated or each.options}-{each.kind}")
def test_each_set_up_problem_is_found_by_one_check_with_one_cure(diagnose, claude_emulator, case):
    """One failure and no other: what depends on it is skipped, what does not is still looked at."""
    findings = diagnose(case).findings
    assert [finding.name for finding in findings if finding.outcome == "failure"] == [case.check]
    found = named(findings)[case.check]
    assert case.says in found.seen
    assert found.cure.startswith(case.cure)
    assert [found.cure.count(word) for word in ("Run: ", "Open: ", "Use: ", "Set: ")].count(1) == 1


def test_every_set_up_problem_of_the_emulator_has_its_row():
    """A tripwire: a new one needs a diagnosis; the slow metadata server has a test in a process of its own."""
    assert {case.simulated for case in ROWS} - {None} == set(SETUP_PROBLEMS) - {"metadata_slow"}
    assert len(SETUP_PROBLEMS) >= 25


def test_a_healthy_set_up_is_all_green(diagnose):
    """With the one-token request, a journal and a notebook, everything is ok."""
    diagnosis = diagnose(row("", "", "", probe=True), front_end="colab")
    assert [finding.name for finding in diagnosis.findings] == ORDER
    assert {finding.outcome for finding in diagnosis.findings} == {"ok"}
    assert not has_problem(diagnosis.findings)


def test_a_healthy_set_up_has_no_problem_without_the_one_token_request(diagnose):
    """What nobody looked at is told apart from what is well."""
    found = named(diagnose().findings)
    assert {name for name, each in found.items() if each.outcome != "ok"} == {
        "quota", "one token", "widgets"}  # fmt: skip
    assert found["quota"].outcome == "not checked"
    assert "console.cloud.google.com/iam-admin/quotas?project=emulator-project" in found["quota"].cure
    assert "fraction of a cent" in found["one token"].seen


def test_the_lines_tell_where_each_thing_comes_from(diagnose):
    """Whose credentials, from which file; which project, named by whom; until when the token is good."""
    found = named(diagnose().findings)
    assert f"Service account of {EMAIL}, GOOGLE_APPLICATION_CREDENTIALS, /" in found["credentials"].seen
    assert found["project"].seen.startswith("emulator-project (from ANTHROPIC_VERTEX_PROJECT_ID)")
    assert "good for 60 minutes" in found["token"].seen
    assert "claude-sonnet-5-5 (sonnet, default) in global (from CLOUD_ML_REGION)" in found["settings"].seen
    for name in ("ipython", "ipywidgets", "requests", "google-auth", "Python 3."):
        assert name in found["versions"].seen


def test_the_project_may_come_from_the_credentials(monkeypatch, claude_emulator):
    """Where nothing else names it."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(claude_emulator.credentials_file()))
    auth = ApplicationDefault(request=claude_emulator.google_request)
    diagnosis = run(Diagnosis(Claude(base_url=claude_emulator.base_url, credentials=auth)._session))
    assert named(diagnosis.findings)["project"].seen.startswith("emulator-project (from the credentials)")


def test_a_login_without_a_quota_project_is_a_warning(claude_emulator, monkeypatch):
    """It works until Google counts against its own project; nothing is reported."""
    file = claude_emulator.credentials_file("authorized_user")
    SetupProblem(about="no quota project", without=("quota_project_id",)).apply(file)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    auth = ApplicationDefault(request=claude_emulator.google_request)
    claude = Claude(base_url=claude_emulator.base_url, project="emulator-project", credentials=auth)
    diagnosis = run(Diagnosis(claude._session))
    found = named(diagnosis.findings)["project"]
    assert found.outcome == "warning"
    assert found.cure == "Run: gcloud auth application-default set-quota-project emulator-project"
    assert not has_problem(diagnosis.findings)


@pytest.mark.parametrize(("region", "near"), [("mars", "global, us or eu"), ("us-eats5", "us-east5")])
def test_a_location_that_the_table_does_not_know_is_a_warning(diagnose, region, near):
    """And no failure: Google may have a new one."""
    found = named(
        diagnose(row("", "", "", options={"region": region, "model": "claude-sonnet-5-5"})).findings
    )
    assert found["settings"].outcome == "warning"
    assert "knows no location of this name" in found["settings"].seen
    assert found["settings"].cure == f"Use: --region {near}, if this is a typo."


@pytest.mark.parametrize("region", ["mars", "us-east5", "europe-west1"])
def test_a_location_that_the_table_does_not_list_for_the_model_is_not_called_well(diagnose, region):
    """Whether tokens are counted there or not: the reason and a place that is listed are said."""
    here = row("", "", "", options={"region": region, "model": "claude-sonnet-5-5"})
    found = named(diagnose(here).findings)["model"]
    assert found.outcome == "not checked"
    assert f"claude-sonnet-5-5 in {region}: the model table lists it only in global, us, eu" in found.seen
    assert found.cure.startswith("Use: --region ")


def test_a_location_that_answers_is_well_whatever_the_table_lists(claude_emulator, monkeypatch, tmp_path):
    """Locations change more often than the table; one token shows it."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    table = tmp_path / "models.json"
    table.write_text(json.dumps({"models": [{"id": "claude-sonnet-5-5", "locations": ["us"]}]}))
    session = Claude(access_token="emulator", models_file=str(table))._session
    outcomes = [
        named(
            run(
                Diagnosis(session, {"region": "global", "model": "claude-sonnet-5-5"}, spends=spends)
            ).findings
        )["model"].outcome
        for spends in (False, True)
    ]
    assert outcomes == ["not checked", "ok"]


def test_where_no_tokens_are_counted_the_model_is_not_checked(diagnose):
    """The call still shows that token, API and permission are right; one token shows the rest."""
    here = {"region": "europe-west1", "model": "sonnet"}
    found = named(diagnose(row("", "", "", options=here)).findings)
    assert [found[name].outcome for name in ("service", "API", "permission", "model")] == [
        "ok", "ok", "ok", "not checked"]  # fmt: skip
    assert "does not count tokens" in found["model"].seen
    found = named(diagnose(row("", "", "", options=here, probe=True)).findings)
    assert [found[name].outcome for name in ("model", "quota", "one token")] == [
        "not checked",
        "ok",
        "ok",
    ]


def calls(emulator: Emulator) -> list[Any]:
    return [each for each in emulator.requests if "/publishers/" in each.path]


@pytest.mark.parametrize(
    "case", [None, *ROWS], ids=lambda each: str(each and (each.simulated or each.options))
)
def test_no_diagnosis_sends_a_prompt_spends_tokens_or_changes_anything(prepare, claude_emulator, home, case):
    """Only a GET without token and the counting of the fixed text; and one token where it is wished for."""
    diagnosis = prepare(case)
    before = dict(os.environ), Path.cwd(), sorted(home.rglob("*"))
    list(diagnosis.run())
    assert (dict(os.environ), Path.cwd(), sorted(home.rglob("*"))) == before
    for call in calls(claude_emulator):
        if call.method == "GET":
            assert (call.raw, call.headers.get("authorization")) == (b"", None)
            continue
        assert call.method == "POST"
        assert call.body["messages"] == [{"role": "user", "content": FIXED_TEXT}]
        assert call.path.endswith("/count-tokens:rawPredict") or (
            case and case.probe and call.body["max_tokens"] == 1
        )
    google = [each for each in claude_emulator.requests if "/publishers/" not in each.path]
    assert {
        each.method for each in google if "/v1/projects" not in each.path and "token" not in each.path
    } <= {"GET"}


def test_each_thing_is_asked_once(diagnose, claude_emulator):
    """Five checks read the one free call."""
    diagnose(row("", "", "", probe=True))
    paths = [call.path.rpartition("/")[2] for call in calls(claude_emulator)]
    assert paths == ["claude-sonnet-5-5", "count-tokens:rawPredict", "claude-sonnet-5-5:rawPredict"]


def test_with_a_base_url_on_this_machine_nothing_goes_elsewhere(claude_emulator, monkeypatch):
    """Credentials whose tokens come from Google are not renewed, and nobody asks a metadata server."""
    monkeypatch.setenv(
        "GOOGLE_APPLICATION_CREDENTIALS", str(claude_emulator.credentials_file("authorized_user"))
    )
    claude = Claude(base_url=claude_emulator.base_url, project=claude_emulator.project)
    diagnosis = run(Diagnosis(claude._session))
    found = named(diagnosis.findings)
    assert found["token"].outcome == "skipped"
    assert "oauth2.googleapis.com" in found["token"].seen
    assert found["service"].seen == "It depends on: token."
    assert not has_problem(diagnosis.findings)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.delenv("NO_GCE_CHECK")
    found = named(run(Diagnosis(claude._session)).findings)["credentials"]
    assert (found.outcome, "contact metadata.google.internal" in found.seen) == ("skipped", True)
    file = claude_emulator.credentials_file("external_account")
    file.write_text(
        file.read_text().replace(f"{claude_emulator.origin}/v1/token", "https://sts.googleapis.com/v1/token")
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    found = named(run(Diagnosis(claude._session)).findings)["credentials"]
    assert (found.outcome, "contact sts.googleapis.com" in found.seen) == ("skipped", True)


def test_the_demo_needs_no_login(claude_emulator):
    """A fixed token is not a problem."""
    claude = Claude(
        base_url=claude_emulator.base_url, project=claude_emulator.project, access_token="emulator"
    )
    diagnosis = run(Diagnosis(claude._session))
    assert not has_problem(diagnosis.findings)
    assert named(diagnosis.findings)["token"].seen == "A fixed token, which is never renewed."


def older(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, MIGRATIONS[:1])


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version = 99")


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")


def damaged(path: Path) -> None:
    path.write_bytes(b"Dear diary,\n" * 500)


def without_folder(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("a file in the place of the folder")


# How the journal is, what the check says, how the line and its cure begin.
JOURNALS = [
    (lambda path: None, "ok", "None yet; the next question creates ", ""),
    (older, "ok", "kB, schema 1, of an older version", ""),
    (newer, "failure", "by a newer version of this package (schema 99)", "Run: pip install --upgrade"),
    (of_another_program, "failure", "belongs to another program", "Set: VERTEX_CLAUDE_JOURNAL to"),
    (damaged, "failure", "is not a journal", "Run: mv "),
    (
        lambda path: path.symlink_to("/dev/null"),
        "failure",
        "is a symbolic link",
        "Set: VERTEX_CLAUDE_JOURNAL to",
    ),
    (without_folder, "failure", "cannot be used", "Set: VERTEX_CLAUDE_JOURNAL to"),
]


@pytest.mark.parametrize(
    ("make", "outcome", "says", "cure"), JOURNALS, ids=lambda each: getattr(each, "__name__", None)
)
def test_the_journal_is_looked_at_and_left_as_it_is(
    diagnose, monkeypatch, tmp_path, make, outcome, says, cure
):
    """An older schema waits for the next question, a newer one for an upgrade; nothing is made or changed."""
    path = tmp_path / "kept" / "journal.sqlite3"
    path.parent.mkdir()
    make(path)
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", str(path))
    before = path.read_bytes() if path.is_file() else None
    last = diagnose().findings[-1]
    assert (last.name, last.outcome) == ("journal", outcome)
    assert says in last.seen
    assert last.cure.startswith(cure)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_journal_that_somebody_locks_is_named(diagnose, monkeypatch, tmp_path):
    """Case 75: whoever holds the write lock is not waited for longer than half a second."""
    path = tmp_path / "journal.sqlite3"
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", str(path))
    older(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        last = diagnose().findings[-1]
    assert (last.outcome, "is locked by another program" in last.seen) == ("failure", True)


def test_a_journal_that_is_off_is_no_illness(diagnose, monkeypatch):
    """It says who switched it off."""
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", "off")
    last = diagnose().findings[-1]
    assert (last.outcome, last.seen) == (
        "not checked", "The journal is off (from VERTEX_CLAUDE_JOURNAL), so nothing is saved.")  # fmt: skip


OLD = {
    "an old google-auth": ("versions", {"google-auth": "1.35"}, "failure", 'Run: pip install "google-auth>='),
    "no requests": ("versions", {"requests": None}, "failure", 'Run: pip install "requests>='),
    "no ipywidgets": ("widgets", {"ipywidgets": None}, "warning", 'Run: pip install "ipywidgets>='),
    "old ipywidgets": ("widgets", {"ipywidgets": "7.6.5"}, "warning", 'Run: pip install "ipywidgets>='),
    "a part of JupyterLab that does not fit": (
        "widgets", {"ipywidgets": "8.1.5", "jupyterlab_widgets": "1.1.11"}, "warning",
        'Run: pip install "jupyterlab_widgets==3.*"'),
    "Colab's ipywidgets": ("widgets", {"ipywidgets": "7.7.1", "jupyterlab_widgets": "1.1.11"}, "ok", ""),
}  # fmt: skip


def seen_by(
    check: str, *, options: AskOptions | None = None, front: str = "jupyter", **probes: Any
) -> Finding:
    """What one check says of what these probes see."""
    session = Session(lambda: options or AskOptions(), FixedToken("t"))
    setup = Setup(session, front_end=front)
    vars(setup).update(probes)
    return getattr(setup_checks, check)(setup)


@pytest.mark.parametrize(("check", "versions", "outcome", "cure"), OLD.values(), ids=OLD)
def test_versions_that_do_not_fit_are_told(check, versions, outcome, cure):
    """By what is installed, without importing it."""
    usual = {"ipython": "9.1", "requests": "2.33", "google-auth": "2.60", "ipywidgets": "8.1.5"}
    found = seen_by(check, installed={**usual, **versions}.get)
    assert found.outcome == outcome
    assert found.cure.startswith(cure)
    assert bool(found.cure) is (outcome != "ok")


def test_what_sends_is_not_missed_where_nothing_can_be_sent():
    """Pyodide has neither requests nor google-auth, and no `pip install` there would help."""
    known = {"ipython": "9.1", "ipywidgets": "8.1.5"}
    assert seen_by("versions", installed=known.get, connects=False).outcome == "ok"
    assert seen_by("versions", installed={}.get, connects=False).outcome == "failure"
    assert seen_by("runtime", connects=False).outcome == "failure"


def test_colab_has_a_part_of_its_own_for_widgets():
    """What is installed for JupyterLab there says nothing."""
    versions = {"ipywidgets": "7.7.1", "jupyterlab_widgets": "3.0.16"}
    assert seen_by("widgets", installed=versions.get).outcome == "warning"
    assert seen_by("widgets", installed=versions.get, front="colab").outcome == "ok"


def answered(**more: Any) -> Reached:
    return Reached(host="gateway.example", **{"status": 401, **more})


def test_a_trusted_gateway_may_show_strangers_a_page():
    """No token is sent to find out, and so nothing is reported."""
    page = answered(status=200, content_type="text/html")
    trusting = AskOptions(base_url="https://gateway.example/v1", trusted_hosts=("gateway.example",))
    assert seen_by("network", reached=page).outcome == "failure"
    assert seen_by("network", reached=page, options=trusting).outcome == "not checked"


CLOCKS = [
    (None, "not checked"),
    (0.4, "ok"),
    (-299.0, "ok"),
    (299.0, "ok"),
    (301.0, "failure"),
    (-301.0, "failure"),
]


@pytest.mark.parametrize(("ahead", "outcome"), CLOCKS)
def test_a_clock_may_be_five_minutes_off(ahead, outcome):
    """Beyond that Google refuses what it signs; an answer without a date tells nothing."""
    assert seen_by("clock", reached=answered(ahead=ahead)).outcome == outcome


def disabled(consumer: str) -> APIDisabled:
    info = {"reason": "SERVICE_DISABLED", "metadata": {"consumer": f"projects/{consumer}"}}
    body = json.dumps({"error": {"code": 403, "message": "no", "details": [info]}})
    return APIDisabled("no", cure="", details={"status": 403, "body": body})


PAYING = [
    ("mine", None, "mine", "services enable aiplatform.googleapis.com --project mine"),
    ("123456", None, "mine", "services enable aiplatform.googleapis.com --project mine"),
    ("123456", "pays", "mine", "services enable aiplatform.googleapis.com --project pays"),
    ("mine", "pays", "mine", "services enable aiplatform.googleapis.com --project mine"),
    ("32555940559", None, "mine", "auth application-default set-quota-project mine"),
    ("123456", None, "a b; rm -rf ~", "services enable aiplatform.googleapis.com --project 'a b; rm -rf ~'"),
    ("123456", None, None, "services enable aiplatform.googleapis.com --project YOUR-PROJECT"),
]


@pytest.mark.parametrize(("consumer", "quota", "project", "command"), PAYING)
def test_the_api_is_enabled_where_quotas_are_counted(consumer, quota, project, command):
    """The error may name a number; the quota project of the login is then the one that is meant."""
    setup = Setup(open_session(project=project, access_token="t"))
    vars(setup)["identity"] = Identity(kind="user login", source="a file", quota_project=quota)
    cure = cure_of(disabled(consumer), setup)
    assert cure == f"Run: gcloud {command}"


ROLE = "gcloud iam service-accounts add-iam-policy-binding robot@p.iam --member=user:YOUR-EMAIL "
ENABLE = "gcloud services enable iamcredentials.googleapis.com --project 12"


@pytest.mark.parametrize(
    ("run", "command"),
    [("", f"{ROLE}--role=roles/iam.serviceAccountTokenCreator"), (f"Run: {ENABLE}", ENABLE)],
    ids=["a role", "a service"],
)
def test_whoever_may_not_act_for_an_account_is_told_what_is_missing(run, command):
    """The error knows the command where the service named what is off."""
    setup = Setup(open_session(project="mine", access_token="t"))
    vars(setup)["identity"] = Identity(
        kind="impersonated service account", source="a file", account="robot@p.iam"
    )
    error = LoginExpired("No.", cure="", details={"kind": "impersonated service account", "run": run})
    assert cure_of(error, setup) == f"Run: {command}"


SLOW_METADATA = """
import sys
from vertex_claude_magic.cli.doctor import main
from vertex_claude_magic.health.doctor.examination import TimeLimits
print("ended with", main(["--project", "p", "--region", "global"], limits=TimeLimits(credentials=0.5)))
"""


def test_a_metadata_server_that_is_slow_is_named_and_left(claude_emulator, home):
    """In a process of its own, because google-auth reads the server's address when it is imported."""
    claude_emulator.simulate("metadata_slow")
    settings = {name: claude_emulator.environment[name] for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP")}
    printed = run_python(SLOW_METADATA, PATH="", CLOUDSDK_CONFIG=str(home), NO_GCE_CHECK="", **settings)
    (line,) = [line for line in printed.splitlines() if line.startswith("✗ credentials")]
    assert "within 0.5 seconds (a metadata server or gcloud does not answer)" in line
    assert LOGIN in printed
    assert printed.splitlines()[-1] == "ended with 1"


@pytest.fixture
def certificate(tmp_path) -> Path:
    """A certificate for this machine and for Google's host that nobody has signed."""
    return make_certificate(tmp_path)


def test_a_certificate_that_nobody_signed_is_named(certificate):
    """A proxy that opens TLS, with the setting that lets it; the token is not sent."""
    seen: list[bytes] = []
    with serving(lambda connection: answer_tls(connection, certificate, seen)) as port:
        claude = Claude(base_url=f"https://127.0.0.1:{port}/v1", project="p", access_token="t")
        found = named(run(Diagnosis(claude._session)).findings)["network"]
    assert (found.outcome, "certificate" in found.seen, seen) == ("failure", True, [])
    assert found.cure == "Set: REQUESTS_CA_BUNDLE to the CA file of the company proxy that intercepts TLS."


def test_a_file_of_certificates_that_does_not_exist_is_named(monkeypatch, tmp_path):
    """The setting is wrong, not the host."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    found = named(run(Diagnosis(Claude(project="p", access_token="t")._session)).findings)["network"]
    assert found.cure == "Set: REQUESTS_CA_BUNDLE to a file that exists, or to nothing."


@pytest.mark.skipif(find_spec("socks") is not None, reason="PySocks is installed")
def test_a_socks_proxy_without_its_package_names_the_package(monkeypatch):
    """What curl finds out about the host would not help."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    found = named(run(Diagnosis(Claude(project="p", access_token="t")._session)).findings)["network"]
    assert (found.outcome, found.cure) == ("failure", 'Run: pip install "requests[socks]"')


def test_a_company_proxy_is_told_with_who_signed(certificate, monkeypatch):
    """Where its certificate is trusted, the line says through whom the connection goes; no password is shown."""

    def proxy(connection: socket.socket) -> None:
        received(connection)
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        answer_tls(connection, certificate, [])

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with serving(proxy) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:s3cret@127.0.0.1:{port}")
        diagnosis = run(Diagnosis(Claude(project="p", region="global", access_token="t")._session))
    found = named(diagnosis.findings)["network"]
    assert found.outcome == "ok"
    assert f"certificate by a test, through the proxy 127.0.0.1:{port}." in found.seen
    assert "over TLSv1." in found.seen
    assert "s3cret" not in str(diagnosis.findings)


def steps(*seconds: float) -> tuple[list[DoctorCheck], Callable[[], float]]:
    """Checks that take so long, by a clock that only they move."""
    now = [0.0]

    def take(each: float) -> Finding:
        now[0] += each
        return Finding(outcome="ok", seen="Seen.")

    checks = [DoctorCheck(name=str(at), look=lambda each=each: take(each)) for at, each in enumerate(seconds)]
    return checks, lambda: now[0]


def test_a_diagnosis_ends_when_its_time_is_over():
    """What was not reached is not checked; the usual limit is below 15 seconds."""
    checks, clock = steps(5, 5, 5, 5, 5)
    timer = Timer(clock, TimeLimits().whole)
    found = list(examine(checks, timer=timer, cure=str))
    assert [each.outcome for each in found] == ["ok", "ok", "ok", "not checked", "not checked"]
    assert "The diagnosis reached its time limit of 14 seconds" in found[-1].seen
    assert timer.left(5.0) == 0.0
    assert TimeLimits().whole < 15


def test_no_step_may_take_longer_than_what_is_left():
    """So the last step cannot run over."""
    now = [0.0]
    timer = Timer(lambda: now[0], 14.0)
    now[0] = 12.5
    assert timer.left(5.0) == 1.5


def test_what_depends_on_a_failure_names_the_first_cause():
    """Also over several steps."""

    def fail() -> Finding:
        raise OptionError("No.", cure="x")

    checks = [
        DoctorCheck(name="a", look=fail),
        DoctorCheck(name="b", look=fail, needs=("a",)),
        DoctorCheck(name="c", look=fail, needs=("b",)),
        DoctorCheck(name="d", look=lambda: Finding(outcome="ok", seen="Well.")),
    ]
    found = list(examine(checks, timer=Timer(lambda: 0.0, 1), cure=lambda error: f"Run: {error.cure}"))
    assert [each.outcome for each in found] == ["failure", "skipped", "skipped", "ok"]
    assert found[0].cure == "Run: x"
    assert found[2].seen == "It depends on: a."
    assert verdict(found) == "Wrong: a."


def test_a_check_that_breaks_does_not_end_the_diagnosis():
    """Whatever a library raises."""
    checks = [
        DoctorCheck(name="a", look=lambda: 1 / 0),
        DoctorCheck(name="b", look=lambda: Finding(outcome="ok", seen="x")),
    ]
    found = list(examine(checks, timer=Timer(lambda: 0.0, 1), cure=str))
    assert (found[0].outcome, "ZeroDivisionError" in found[0].seen) == ("not checked", True)
    assert found[1].outcome == "ok"


def test_a_diagnosis_that_is_stopped_keeps_what_is_known():
    """The rest is not checked, in its place."""
    checks, _ = steps(1, 1, 1)
    rest = unfinished(checks, [Finding(name="0", outcome="ok", seen="x")])
    assert [(each.name, each.outcome) for each in rest] == [("1", "not checked"), ("2", "not checked")]


def test_every_outcome_has_a_mark():
    """No two look alike, also without colour."""
    assert len(set(MARKS.values())) == 5


def test_the_session_keeps_its_own_token(prepare, claude_emulator):
    """What is tried are the same credentials, apart: a question before and after has one token."""
    prepare()
    claude = Claude(credentials=ApplicationDefault(request=claude_emulator.google_request))
    claude.ask("Hello")
    run(Diagnosis(claude._session))
    claude.ask("Hello")
    tokens = [each.headers["authorization"] for each in claude_emulator.requests if "streamRaw" in each.path]
    assert len(tokens) == 2
    assert len(set(tokens)) == 1


@pytest.mark.parametrize(("kind", "free", "locked"), [
    (ModelNotFound, "Use: --model claude-", "Ask: the author of p.toml, which fixes model"),
    (Overloaded, "Use: --region ", "Open: https://status.cloud.google.com"),
])  # fmt: skip
def test_no_cure_is_to_use_what_a_policy_does_not_allow(kind, free, locked):
    """Neither another model nor another location."""
    model, region = {ModelNotFound: ("claude-3-opus@20240229", "global"), Overloaded: ("opus", "us-east5")}[
        kind
    ]
    error = kind("No.", cure="", details={"status": 404 if kind is ModelNotFound else 529})
    setup = Setup(open_session(project="p", access_token="t", model=model, region=region))
    assert cure_of(error, setup).startswith(free)
    set_policy(Policy(locks={"model": (model,), "region": (region,)}, origin="p.toml"))
    try:
        assert cure_of(error, Setup(open_session(project="p", access_token="t"))).startswith(locked)
    finally:
        set_policy(None)
