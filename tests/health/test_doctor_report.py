"""`vertex-claude doctor` and the report: exit codes, and a text that tells nobody who its author is."""

from __future__ import annotations

import json
import logging
import os
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic import Claude
from vertex_claude_magic.__main__ import main as vertex_claude
from vertex_claude_magic.cli.doctor import main
from vertex_claude_magic.emulator import SETUP_PROBLEMS, Fault
from vertex_claude_magic.emulator.google.credentials import CLIENT_SECRET, EMAIL, REFRESH_TOKEN
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.health.doctor.examination import TimeLimits
from vertex_claude_magic.health.doctor.report import names_of, public, report
from vertex_claude_magic.health.doctor.setup import Setup
from vertex_claude_magic.session.session import open_session
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.transport.auth import ApplicationDefault

if TYPE_CHECKING:
    from collections.abc import Iterator

HASTY = TimeLimits(host=0.5, answer=0.5)
PROJECT = "emulator-project"


@pytest.fixture
def surroundings(claude_emulator, monkeypatch, home):
    """Point the environment at the emulator, its key file in a folder of the user's with a space in its name."""

    def point(simulated: str | None = None, kind: str = "service_account") -> None:
        if simulated is not None:
            claude_emulator.simulate(simulated)
        for name, value in claude_emulator.environment.items():
            if not name.startswith("GCE"):
                monkeypatch.setenv(name, value)
        file = home / "my keys" / "key.json"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(claude_emulator.credentials_file(kind).read_bytes())
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))

    return point


def test_the_exit_code_is_0_where_nothing_is_wrong(surroundings, capsys):
    """What was not checked is nothing wrong."""
    surroundings()
    assert vertex_claude(["doctor"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len([line for line in printed if line[:1] in "✓!✗○·"]) == 17
    assert printed[-1].startswith("No problems found")


POLICIES = {
    "a slip": (
        "[limits]\nmax_cost = 'much'\n",
        "✗ policy            failure      claude-policy.toml, line 2",
    ),
    "no TOML": ("[limits\n", "✗ policy            failure      claude-policy.toml"),
    "one in force": ("[limits]\ntools = false\n", "✓ policy            ok           A policy is in force"),
}


@pytest.fixture
def course(monkeypatch, tmp_path) -> Iterator[Path]:
    """A folder whose policy is found by what runs there."""
    monkeypatch.chdir(tmp_path)
    set_policy(None)
    yield tmp_path
    set_policy(None)


@pytest.mark.parametrize(("text", "line"), POLICIES.values(), ids=POLICIES)
def test_a_policy_is_a_check_of_its_own(surroundings, claude_emulator, course, capsys, text, line):
    """One that cannot be read turns everything off, so nothing is sent; what is on this machine is still looked at."""
    surroundings()
    (course / "claude-policy.toml").write_text(text)
    broken = line.startswith("✗")
    assert vertex_claude(["doctor"]) == int(broken)
    printed = capsys.readouterr().out
    assert line in printed
    assert "✓ credentials" in printed
    assert bool(claude_emulator.requests) is not broken
    if broken:
        assert "network           skipped      It depends on: policy." in printed
        assert "Wrong: policy." in printed


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], "✗ settings"),
        (["--trusted-host", "gateway.invalid"], "✓ settings"),
        (["--trusted-host", "other.invalid"], "✗ settings"),
        (["--trusted-host", "https://gateway.invalid/v1"], "✗ settings"),
    ],
    ids=lambda each: " ".join(each) or "none" if isinstance(each, list) else "",
)
def test_an_administrator_names_the_gateway_on_the_line(
    surroundings, monkeypatch, capsys, arguments, settings
):
    """No variable does: a file that an editor loads could set it beside the address. The cure has the line."""
    surroundings()
    monkeypatch.setenv("ANTHROPIC_VERTEX_BASE_URL", "https://gateway.invalid/v1")
    assert main(arguments, limits=HASTY) == 1
    printed = capsys.readouterr().out
    assert settings in printed
    if not arguments:
        assert "vertex-claude doctor --trusted-host gateway.invalid" in printed


def test_the_exit_code_is_1_where_something_is_wrong(surroundings, capsys):
    """For scripts; the cure stands below its line."""
    surroundings("api_disabled")
    assert vertex_claude(["doctor", "--model", "opus"]) == 1
    printed = capsys.readouterr().out
    assert "Run: gcloud services enable aiplatform.googleapis.com --project emulator-project" in printed
    assert printed.splitlines()[-1] == "Wrong: API. A local server answers, not Google (see base_url)."


BAD = [["--prob"], ["please"], ["--report"]]


@pytest.mark.parametrize("arguments", BAD, ids=str)
def test_bad_usage_ends_with_2(arguments, capsys):
    """Abbreviations too."""
    with pytest.raises(SystemExit) as ended:
        vertex_claude(["doctor", *arguments])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--region", "us east"],
        ["--with-names"],
        ["--report", "nowhere/x.txt"],
        ["--report", "~nobody-of-this-name/x.txt"],
    ],
)
def test_what_cannot_be_examined_ends_with_2(arguments, claude_emulator, capsys):
    """With one line of error, before anything is looked at."""
    assert vertex_claude(["doctor", *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert claude_emulator.requests == []


def written(tmp_path: Path, *more: str) -> str:
    file = tmp_path / "doctor.txt"
    main(["--probe", "--report", str(file), *more], limits=HASTY)
    return file.read_text(encoding="utf-8")


def test_the_last_line_says_where_the_report_is(surroundings, tmp_path, capsys):
    """Nothing else tells that it was written."""
    written(tmp_path)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("The report is in ")
    assert last.endswith("doctor.txt.")


@pytest.mark.parametrize("name", [None, *SETUP_PROBLEMS])
def test_a_report_tells_nobody_who_its_author_is(surroundings, tmp_path, home, name):
    """No email, project, number, token or path, whatever is wrong."""
    surroundings(name)
    text = written(tmp_path)
    assert text.startswith("vertex-claude doctor, 20")
    assert len(text.splitlines()) >= 18
    for secret in (EMAIL, PROJECT, "somebody-elses-project", "764086051850", str(home), "my keys", "key.json",
                   "ya29", "gateway.example"):  # fmt: skip
        assert secret not in text, secret


@pytest.mark.parametrize("exists", [True, False], ids=["a key", "no key"])
@pytest.mark.parametrize("where", ["data", "link", "relative"])
def test_a_report_names_no_folder_wherever_it_is(
    surroundings, tmp_path_factory, tmp_path, monkeypatch, where, exists
):
    """Folders have the names of clients and of people: of the key, and of the journal."""
    surroundings()
    folder = tmp_path_factory.mktemp("acme-corp") / "jane smith"
    folder.mkdir()
    monkeypatch.chdir(folder.parent)
    (folder.parent / "acme-link").symlink_to(folder)
    shown = {"data": folder, "link": folder.parent / "acme-link", "relative": Path("jane smith")}[where]
    if exists:
        shutil.copy(os.environ["GOOGLE_APPLICATION_CREDENTIALS"], folder / "payroll.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(shown / "payroll.json"))
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", str(shown / "jane.sqlite"))
    text = written(tmp_path)
    lines = {line.split()[1]: line for line in text.splitlines() if line[:1] in "✓✗"}
    assert [lines[name].count("[path]") for name in ("credentials", "journal")] == [1, 1]
    assert [name for name in ("acme", "jane", "smith", "payroll") if name in text] == []


def test_a_report_keeps_names_on_request(surroundings, tmp_path, home):
    """For whoever helps in private; still without a token."""
    surroundings()
    text = written(tmp_path, "--with-names")
    for name in (EMAIL, PROJECT, str(home / "my keys" / "key.json")):
        assert name in text
    assert "ya29" not in text


def test_a_report_of_numbers_and_mail_that_a_server_names(surroundings, tmp_path, claude_emulator):
    """What nobody could know beforehand is found by its form."""
    surroundings()
    said = "Denied for jane.doe+x@corp.example on projects/another-one and project 123456789012."
    claude_emulator.fail(Fault(status=401, body=b"{}"), Fault(status=403, message=said))
    text = written(tmp_path)
    assert "Denied for [email] on projects/[project] and project [number]'." in text


@pytest.mark.parametrize("kind", ["service_account", "authorized_user"])
@pytest.mark.parametrize(
    "name", [None, "login_expired", "token_refused", "permission_denied", "token_malformed"]
)
def test_no_secret_is_shown_logged_or_written(
    surroundings, claude_emulator, tmp_path, capsys, caplog, kind, name
):
    """Case 64: no token, no part of a key, in what is printed, in the report, and in logs at DEBUG."""
    caplog.set_level(logging.DEBUG)
    surroundings(name, kind)
    private = json.loads(claude_emulator.credentials_file(kind).read_text()).get("private_key", "")
    claude = Claude(credentials=ApplicationDefault(request=claude_emulator.google_request))
    file = tmp_path / "doctor.txt"
    main(["--probe", "--with-names", "--report", str(file)], session=claude._session, limits=HASTY)
    sent = {request.headers.get("authorization", "") for request in claude_emulator.requests}
    assert any(each.startswith("Bearer ya29.") for each in sent) or name in {
        "login_expired",
        "token_malformed",
    }
    secrets = {REFRESH_TOKEN, CLIENT_SECRET, "ya29.", *filter(None, private.splitlines())}
    own = "".join(record.getMessage() for record in caplog.records if record.name.startswith("vertex_claude"))
    for text in (capsys.readouterr().out, file.read_text(encoding="utf-8"), own):
        assert [secret for secret in secrets if secret in text] == []
    # Libraries log the addresses that they ask, and no token stands in an address.
    assert "ya29." not in caplog.text


def test_a_file_that_is_no_report_is_not_written_over(tmp_path, surroundings):
    """A former report is; whatever else has that name stays."""
    surroundings()
    file = tmp_path / "doctor.txt"
    file.write_text("my notes")
    with pytest.raises(OptionError, match="already exists with other content"):
        written(tmp_path)
    assert file.read_text() == "my notes"
    file.unlink()
    written(tmp_path)
    assert written(tmp_path).count("vertex-claude doctor,") == 1


def test_a_report_that_cannot_be_written_is_an_error(tmp_path):
    """A folder of that name, for example."""
    (tmp_path / "doctor.txt").mkdir()
    with pytest.raises(OptionError, match="already exists with other content"):
        written(tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_pipe_in_the_place_of_the_report_is_not_waited_for(tmp_path, claude_emulator, capsys):
    """Nor is a terminal: whoever names one gets an error, before anything is looked at."""
    os.mkfifo(tmp_path / "pipe")
    assert vertex_claude(["doctor", "--report", str(tmp_path / "pipe")]) == 2
    assert "already exists with other content" in capsys.readouterr().err
    assert claude_emulator.requests == []


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="This system has no names for open files")
def test_the_output_of_the_command_itself_is_no_place_for_the_report(claude_emulator, capsys):
    """As /dev/stdout is in a pipeline: a link to a pipe that has no name."""
    reads, writes = os.pipe()
    assert vertex_claude(["doctor", "--report", f"/dev/fd/{writes}"]) == 2
    assert "already exists with other content" in capsys.readouterr().err
    assert claude_emulator.requests == []
    os.close(reads)
    os.close(writes)


def test_a_gateway_at_an_address_of_ipv6_is_hidden_and_this_machine_is_not(monkeypatch):
    """The port is what stands behind the last colon, and brackets of the report stay as they are."""

    def known(base_url):
        monkeypatch.setenv("ANTHROPIC_VERTEX_BASE_URL", base_url)
        return names_of(Setup(open_session(project="a-project", access_token="emulator")))

    assert known("http://[::1]:8080/v1") == {"a-project": "[project]"}
    assert known("https://[2001:db8::7]:8443/v1") == {
        "a-project": "[project]",
        "[2001:db8::7]:8443": "[host]",
        "[2001:db8::7]": "[host]",
    }


HIDDEN = [
    ("me@example.com", {}, "[email]"),
    ("a-project-b and a-project", {"a-project": "[project]"}, "a-project-b and [project]"),
    ("?project=example.com:p", {"example.com:p": "[project]"}, "?project=[project]"),
    ("?project=example.com%3Ap", {"example.com:p": "[project]"}, "?project=[project]"),
    ("'/home/me/My Keys/k.json'", {}, "'[path]'"),
    ("in /data/acme corp/jane/k.json (0.4 s)", {}, "in [path] (0.4 s)"),
    ("creates /mnt/acme/journal.sqlite.", {}, "creates [path]"),
    ("creates ~/acme/journal.sqlite.", {}, "creates [path]"),
    ("~jane/k.json, no more", {}, "[path], no more"),
    ("'../acme/k.json' and './acme/k.json'", {}, "'[path]' and '[path]'"),
    (r"'C:\Users\jane\k.json' and 'D:/acme/k.json'", {}, "'[path]' and '[path]'"),
    (r"'\\acme\keys\k.json' and '//acme/keys/k.json'", {}, "'[path]' and '[path]'"),
    ("file:///data/acme/k.json", {}, "[path]"),
    ("'…me/jane/k.json'", {}, "'…[path]'"),
    ("FILE=/data/acme/k.json", {}, "FILE=[path]"),
    ("'acme/k.json'", {"acme/k.json": "[path]"}, "'[path]'"),
    ("https://cloud.google.com/vertex-ai/docs, --role=roles/aiplatform.user, text/html, </html>, 3 / 4, a/b", {},
     "https://cloud.google.com/vertex-ai/docs, --role=roles/aiplatform.user, text/html, </html>, 3 / 4, a/b"),
    ("an address that ends in /v1; http://127.0.0.1:8080/v1 and http://[::1]:8080/v1", {},
     "an address that ends in /v1; http://127.0.0.1:8080/v1 and http://[::1]:8080/v1"),
    ("'//aiplatform.googleapis.com/projects/p-1/locations/us'", {},
     "'//aiplatform.googleapis.com/projects/[project]/locations/us'"),
    ("number 1234567, year 2026, port 127.0.0.1:43210, ≈$0.000024", {},
     "number [number], year 2026, port 127.0.0.1:43210, ≈$0.000024"),
    ("claude-haiku-4-5@20251001 and claude-sonnet-4-5-20250929", {},
     "claude-haiku-4-5@20251001 and claude-sonnet-4-5-20250929"),
    ("'visit https://console/?project=my-pr…'", {"my-project": "[project]"}, "'visit …'"),
    ("'sent by jane@exam…'", {}, "'sent by …'"),
    ("at gate.corp:8443 and gate.corp", {"gate.corp:8443": "[host]", "gate.corp": "[host]"}, "at [host] and [host]"),
    ("ya29.a0Af_x-y eyJhbGciOi.J9x.zz", {}, "[token] [token]"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "names", "left"), HIDDEN, ids=[row[0] for row in HIDDEN])
def test_what_is_hidden_and_what_is_not(text, names, left):
    """A name is a whole word; what only looks like it stays."""
    assert public(text, names) == left


def test_an_empty_report_has_its_title():
    """And the time, in UTC."""
    when = datetime(2026, 11, 26, 20, 30, tzinfo=timezone.utc)
    assert report([], when=when, names={}).splitlines()[0] == "vertex-claude doctor, 2026-11-26 20:30 UTC"
