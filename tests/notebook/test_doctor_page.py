"""`%claude_doctor`: what is shown while it looks, the page that stays, and how it is stopped."""

from __future__ import annotations

import _thread
import threading
from html import unescape
from types import SimpleNamespace

import pytest
from allowed_html import violations
from shells import Page, Shell, StoppingPage, loaded_shell

from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.errors import ClaudeInterrupt, OptionError
from vertex_claude_magic.health.doctor.examination import TimeLimits
from vertex_claude_magic.health.doctor.finding import Finding
from vertex_claude_magic.notebook.commands.doctor import PageView, run_doctor
from vertex_claude_magic.notebook.display.live_page import LivePage
from vertex_claude_magic.notebook.pages import doctor as doctor_page

HOSTILE = '<img src=x onerror=alert(1)> $x$ \\(y\\) \x1b[31m\u202e <button data-commandlinker-command="x">'


@pytest.fixture
def shell(claude_emulator) -> Shell:
    shell = loaded_shell(claude_emulator)
    # A token that needs no login, as in the demo.
    shell.magics.emulator = claude_emulator
    yield shell
    shell.magics.emulator = None


def page_of(shell: Shell, cell: str) -> Page:
    shell.ok(cell)
    return shell.page


def allowed(html: str) -> list[str]:
    page = html.replace("; overflow-wrap: anywhere", "")
    return violations(page, caption={"style"}, th={"scope", "style"}, span={"style"}, div={"style"})


def test_the_page_that_stays_is_one_static_table_with_a_text(shell):
    """Nothing that loads, runs or can be pressed; the magic returns nothing."""
    assert shell.ok("%claude_doctor") is None
    (output,) = shell.page.outputs
    assert sorted(output) == ["text/html", "text/plain"]
    assert allowed(output["text/html"]) == []
    assert output["text/html"].count("<tr>") == 18
    assert "No problems found" in output["text/html"]
    assert output["text/plain"].splitlines()[-1].startswith("No problems found")


def test_it_is_one_display_that_is_updated(shell):
    """The first message shows it, all others change it, and the last is whole."""
    page = page_of(shell, "%claude_doctor --probe")
    assert page.messages[0] == "show"
    assert set(page.messages[1:]) <= {"update"}
    assert len(page.messages) >= 2
    assert page.drawn[0] == "… versions"
    assert len(page.outputs[0]["text/html"].encode()) < 8_000


def test_an_illness_is_shown_and_is_no_error(shell):
    """The cell goes on: it is a diagnosis; the cure is a link into the console of the user's project."""
    shell.emulator.simulate("model_not_enabled")
    assert shell.ok("%claude_doctor") is None
    (output,) = shell.page.outputs
    link = (
        "https://console.cloud.google.com/agent-platform/publishers/anthropic/model-garden/claude-sonnet-5-5"
    )
    assert f'<strong>Open:</strong> <a href="{link}?project=emulator-project">' in output["text/html"]
    assert "Wrong: model." in output["text/html"]
    assert allowed(output["text/html"]) == []


def test_a_command_stands_in_code(shell):
    """To be copied as it is."""
    shell.emulator.simulate("api_disabled")
    shell.ok("%claude_doctor")
    command = "gcloud services enable aiplatform.googleapis.com --project emulator-project"
    assert f"<strong>Run:</strong> <code>{command}</code>" in shell.page.outputs[0]["text/html"]


REMARKS = {
    "curl -v https://example.com/ (who answers there?)": (
        "curl -v https://example.com/",
        "(who answers there?)",
    ),
    "df -h '/a (1)' (free space there)": ("df -h &#x27;/a (1)&#x27;", "(free space there)"),
    "mv '/a (1)' '/a (1).old'": ("mv &#x27;/a (1)&#x27; &#x27;/a (1).old&#x27;", ""),
}


@pytest.mark.parametrize("run", REMARKS)
def test_only_what_is_to_be_run_looks_like_code(run):
    command, remark = REMARKS[run]
    html = doctor_page.html([Finding("failure", "No.", f"Run: {run}", name="network")])
    assert f"<code>{command}</code>{remark and f' {remark}'}</td>" in html


def test_what_a_server_says_is_only_text(shell):
    """No markup, no formula, no control character, in HTML and in plain text."""
    shell.emulator.fail(Fault(status=401, body=b"{}"), Fault(status=403, message=HOSTILE))
    shell.ok("%claude_doctor")
    (output,) = shell.page.outputs
    assert allowed(output["text/html"]) == []
    assert "&lt;img src=x onerror=alert(1)&gt;" in output["text/html"]
    assert "<span>$</span>x<span>$</span>" in output["text/html"]
    assert "<span>\\</span>(y" in output["text/html"]
    for text in output.values():
        assert not {"\x1b", "\u202e"} & set(text)


OF_CONSOLE = "Open: https://console.cloud.google.com"
HOSTILE_FINDINGS = [
    Finding(name=HOSTILE, outcome="failure", seen=HOSTILE, cure=f"Run: {HOSTILE}"),
    Finding(name="a", outcome="failure", seen="x", cure=f"{OF_CONSOLE}/?project=p {HOSTILE}"),
    Finding(name="b", outcome="failure", seen="x", cure=f"{OF_CONSOLE}/?project={HOSTILE}"),
    Finding(name="c", outcome="failure", seen="x", cure=f"{OF_CONSOLE}.evil.example/ (x)"),
    Finding(name="d", outcome="failure", seen="x", cure="Open: javascript:alert(1)"),
    Finding(name="e", outcome="failure", seen="y" * 9000, cure=HOSTILE),
]


def test_names_of_the_user_are_only_text_too():
    """A project, a model or a region may be anything; only Google's console becomes a link."""
    page = doctor_page.html(HOSTILE_FINDINGS, HOSTILE)
    assert allowed(page) == []
    assert page.count("<a href=") == 1
    assert 'href="https://console.cloud.google.com/?project=p"' in page
    assert len(page.encode()) < 8_000
    assert "\x1b" not in doctor_page.plain(HOSTILE_FINDINGS, HOSTILE)


def test_while_it_waits_the_seconds_are_told():
    """So that nobody takes it for dead."""
    page, now = Page(), [0.0]
    shell = SimpleNamespace(kernel=object(), user_ns={}, display_pub=page)
    view = PageView(LivePage(shell, lambda: now[0]), lambda: now[0])
    view.begin("network")
    now[0] = 2.3
    view.tick()
    assert page.drawn == ["… network", "… network · 2 s"]


def interrupted(shell: Shell, *stops: int) -> tuple[StoppingPage, BaseException | None]:
    page = shell.ip.display_pub = StoppingPage()
    page.stops = frozenset(stops)
    return page, shell.ip.run_cell("%claude_doctor").error_in_exec


@pytest.mark.parametrize("stops", [(1,), (2,), (2, 3)], ids=["at once", "while it waits", "twice"])
def test_stopping_it_keeps_what_is_known(shell, stops, capsys):
    """The page is whole, the rest is not checked, and Run All stops with one line."""
    shell.emulator.simulate("service_silent")
    page, error = interrupted(shell, *stops)
    assert isinstance(error, ClaudeInterrupt)
    assert "Stopped before this." in page.text
    assert page.outputs[-1]["text/html"].count("<tr>") == 18
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_an_interrupt_ends_it(shell):
    """In the middle of waiting for a host that says nothing and would be waited for for an hour, by a real signal."""
    shell.emulator.simulate("service_silent")
    page = shell.ip.display_pub = Page()
    stopped: list[bool] = []

    def press() -> None:
        while not any("network" in text for text in list(page.drawn)):
            assert page.drew.wait(60)
            page.drew.clear()
        _thread.interrupt_main()

    def wait() -> None:
        try:
            run_doctor(shell.magics, "", limits=TimeLimits(whole=3600, host=3600, answer=3600))
        except ClaudeInterrupt:
            stopped.append(True)

    thread = threading.Thread(target=press)
    thread.start()
    shell.ip.user_ns["wait"] = wait
    shell.ip.run_cell("wait()")
    thread.join()
    assert stopped
    assert "ok           claude-sonnet-5-5" in page.text


BAD = {
    "an unknown option": "--prob",
    "a word": "please",
    "a location that is none": '-r "us east"',
    "names without a report": "--with-names",
    "a report in no folder": "--report nowhere/doctor.txt",
    "an option without value": "--report",
    "an option of %%claude": "--effort low",
}


@pytest.mark.parametrize("line", BAD.values(), ids=BAD)
def test_bad_options_are_refused_before_anything_is_looked_at(shell, line):
    """As everywhere, by one line with a cure."""
    assert isinstance(shell.error(f"%claude_doctor {line}"), OptionError)
    assert shell.emulator.requests == []


def test_a_written_report_is_said_to_be_there(shell, tmp_path, monkeypatch):
    """Below the page, as a conversation that was exported is."""
    monkeypatch.chdir(tmp_path)
    shell.ok("%claude_doctor --report doctor.txt")
    assert shell.page.text.splitlines()[-1] == "The report is in doctor.txt."
    assert (tmp_path / "doctor.txt").exists()


def test_the_options_of_the_line_hold_for_the_diagnosis_only(shell):
    """And are shown as such; the settings stay."""
    shell.ok("%claude_doctor -m opus -r eu")
    assert "in eu (option)" in shell.page.text
    assert (shell.magics.model, shell.magics.region) == ("", "")


def test_help_is_shown_on_request(shell):
    """The same page as `%claude_doctor?`."""
    shell.ok("%claude_doctor --help")
    assert "--report FILE" in shell.page.text
    assert shell.emulator.requests == []


def test_in_a_terminal_the_lines_are_printed(claude_emulator, monkeypatch, capsys):
    """Each as soon as it is known, the verdict last."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    shell = loaded_shell(claude_emulator)
    run_doctor(shell.magics, "--probe", limits=TimeLimits())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("✓ versions")
    assert lines[-1].startswith("No problems found (16 passed")


def test_in_the_demo_the_page_says_who_answers(shell):
    """Neither Google nor Claude; nothing is said of credentials that nobody looked at, nor of a project of Google's."""
    shell.ok("%claude_doctor")
    (data,) = shell.page.outputs
    text = data["text/plain"]
    assert text.splitlines()[-1].endswith(
        "The demo's emulator answers, not Google and not Claude; %claude_demo stop ends demo mode."
    )
    assert "emulator answers, not Google" in unescape(data["text/html"].partition("<table>")[0])
    assert "A fixed demo token; your Google credentials were not used." in text
    assert "emulator-project (from %claude_demo)." in text
    assert "is enabled for emulator-project, says the demo's emulator." in text
    assert "console.cloud.google.com" not in text
    shell.magics.base_url, shell.magics.emulator = shell.magics.emulator.base_url, None
    shell.ok("%claude_doctor -p emulator-project")
    assert "A local server answers, not Google (see base_url)." in shell.page.text
    assert "emulator-project (option); no quota project" in shell.page.text
    assert "%claude_demo" not in shell.page.text.replace("%claude_demo needs none", "")


def test_a_time_that_reads_as_nothing_is_left_out():
    """And its column where all of them are; a check that took long has it."""
    quick, slow = Finding("ok", "Yes.", name="a", seconds=0.04), Finding("ok", "Yes.", name="b", seconds=0.26)
    assert "0.0 s" not in doctor_page.plain([quick, slow]) + doctor_page.html([quick, slow])
    assert "(0.3 s)" in doctor_page.plain([quick, slow])
    assert "Time" in doctor_page.html([quick, slow])
    assert "Time" not in doctor_page.html([quick])
