"""Replay, limits and the journal as a notebook shows them."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.emulator import Reply as Answer
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.completion import candidates
from vertex_claude_magic.records.session_records import journal_of

if TYPE_CHECKING:
    from shells import Shell

BADGE = re.compile(r"⟲ replayed from \d{4}-\d\d-\d\d \d\d:\d\d UTC")


@pytest.fixture
def shell(shell) -> Shell:
    """A shell that asks the emulator, as the environment says, and plays what is kept at once."""
    shell.ok('%config ClaudeMagics.replay_pace = "instant"')
    return shell


def rows(shell: Shell, columns: str) -> list[tuple]:
    """Rows of the journal, read past our own code."""
    with sqlite3.connect(journal_of(shell.magics.session().target(), shell.magics.stores).path) as connection:
        found = connection.execute(f"SELECT {columns} FROM calls ORDER BY id").fetchall()
    connection.close()
    return found


def test_an_answer_that_is_kept_is_given_again_and_wears_a_badge(shell):
    """With the date of its first time, in the page and in its metadata, and nothing on the wire."""
    shell.emulator.answer("Four.")
    first = shell.ok("%%claude\nWhat is 2 + 2?")
    again = shell.ok("%%claude --replay auto\nWhat is 2 + 2?")
    assert (again.text, again.replayed, again.cost) == ("Four.", True, 0.0)
    assert len(shell.asked) == 1
    assert BADGE.search(shell.page.text)
    assert "no request sent" in shell.page.text
    assert "Answered by the emulator, not by Claude." in shell.page.text
    (stored,) = (each["vertex_claude_magic"] for each in shell.page.metadata)
    assert (stored["replayed"], stored["answered_by"], stored["date"]) == (
        True,
        "emulator",
        again.recorded_at,
    )
    assert (again.usage, again.seconds) == (first.usage, pytest.approx(first.seconds, abs=0.001))


def test_what_the_journal_knew_goes_into_the_recording_too(shell, tmp_path):
    """A notebook that was asked before it had a recording can still be shipped with one."""
    shell.ok("%%claude -q\nOnce")
    shell.ok(f'%config ClaudeMagics.recording = "{(tmp_path / "lesson.claude").as_posix()}"')
    shell.ok("%%claude -q --replay auto\nOnce")
    shell.ok('%config ClaudeMagics.journal = "off"')
    assert shell.ok("%%claude -q --replay only\nOnce").replayed
    assert len(shell.asked) == 1


def test_a_miss_in_only_is_one_line_and_nothing_is_sent(shell):
    """It names what differs."""
    shell.ok("%%claude -n 500\nWhat is 2 + 2?")
    error = shell.error("%%claude -n 600 --replay only\nWhat is 2 + 2?")
    assert isinstance(error, errors.ReplayMiss)
    assert "max_tokens (600, recorded 500)" in str(error)
    assert len(shell.asked) == 1


@pytest.mark.parametrize("way", ["option", "setting", "environment"])
def test_replay_is_an_option_a_setting_and_a_variable(shell, monkeypatch, way):
    """The option beats the setting, which beats the environment."""
    shell.ok("%%claude -q\nOnce")
    if way == "environment":
        monkeypatch.setenv("VERTEX_CLAUDE_REPLAY", "auto")
    elif way == "setting":
        monkeypatch.setenv("VERTEX_CLAUDE_REPLAY", "off")
        shell.ok('%config ClaudeMagics.replay = "auto"')
    option = "--replay auto" if way == "option" else ""
    assert shell.ok(f"%%claude -q {option}\nOnce").replayed
    assert not shell.ok("%%claude -q --replay off\nOnce").replayed


def test_a_cell_that_is_run_again_replaces_its_answer_and_others_keep_theirs(shell):
    """Two cells with the same question are two questions; the second run of one is the first once more."""
    shell.emulator.answer("A", "B", "A, better")
    cells = ["a = %claude -q Which?", "b = %claude -q Which?"]
    for cell in [*cells, cells[0]]:
        shell.ok(cell)
    shell.ok('%config ClaudeMagics.replay = "only"')
    texts = {shell.ok(f"%claude -q Which?{' ' * n}").text for n in range(4)}
    assert texts == {"B", "A, better"}


def test_the_journal_knows_the_notebook(shell, monkeypatch):
    """As Jupyter Server or VS Code name it; the home folder is not spelled out."""
    monkeypatch.setenv("JPY_SESSION_NAME", str(Path.home() / "lessons" / "week-1.ipynb"))
    shell.ok("%%claude -q\nOne")
    shell.ip.user_ns["__vsc_ipynb_file__"] = "/data/two.ipynb"
    shell.ok("%%claude -q\nTwo")
    assert [name for (name,) in rows(shell, "notebook")] == ["~/lessons/week-1.ipynb", "/data/two.ipynb"]


def test_python_in_a_cell_is_known_by_its_notebook_too(shell, monkeypatch):
    """`Claude().ask` beside the magic stands in the same notebook and cell."""
    monkeypatch.setenv("JPY_SESSION_NAME", "both.ipynb")
    shell.ok("%claude -q One")
    shell.ok("from vertex_claude_magic import Claude; Claude().ask('Two')")
    assert rows(shell, "notebook, cell <> ''") == [("both.ipynb", 1)] * 2


def test_a_journal_that_does_not_work_costs_one_line(shell, tmp_path):
    """The answer comes all the same, and the next one says nothing more about it."""
    (tmp_path / "broken.sqlite3").write_text("this is no database, and never was one")
    shell.ok(f'%config ClaudeMagics.journal = "{(tmp_path / "broken.sqlite3").as_posix()}"')
    assert shell.ok("%%claude\nHello").complete
    assert shell.page.text.count("is not a journal") == 1
    assert shell.ok("%%claude\nHello again").complete
    assert "is not a journal" not in shell.page.text


def test_one_line_switches_the_journal_off(shell, home):
    """Then nothing is written anywhere."""
    shell.ok('%config ClaudeMagics.journal = "off"')
    shell.ok("%%claude -q\nHello")
    assert not [path for path in home.rglob("*") if "claude" in path.name]
    assert isinstance(shell.error("%%claude --replay only\nHello"), errors.ReplayMiss)


def test_a_limit_refuses_before_anything_is_asked(shell):
    """One line with the worst case; only the free count went out."""
    error = shell.error("%%claude --max-cost 0.001\nWrite a book.")
    assert isinstance(error, errors.CostLimitExceeded)
    assert "up to ≈$0.16 (an estimate)" in str(error)
    assert shell.asked == []
    assert shell.ok("%%claude --max-cost 0.001 -n 50\nWrite a line.").complete


@pytest.mark.parametrize("limit", ["max_session_cost", "max_daily_cost"])
def test_session_and_day_have_limits_too(shell, limit):
    """Each answer brings the limit nearer, until the next could cross it."""
    shell.emulator.answer("word " * 400, "word " * 400)
    shell.ok(f"%config ClaudeMagics.{limit} = 0.03")
    assert shell.ok("%%claude -q -n 2000\nOne").cost > 0.003
    assert shell.ok("%%claude -q -n 2000\nTwo").complete
    error = shell.error("%%claude -q -n 2500\nThree")
    assert isinstance(error, errors.CostLimitExceeded)
    assert limit in error.cure


def test_the_totals_stand_below_the_answer_on_request(shell):
    """Of the session and of the day, as estimates."""
    shell.ok("%%claude\nOne")
    assert "Session" not in shell.page.text
    shell.ok("%config ClaudeMagics.show_spend = True")
    shell.ok("%%claude\nTwo")
    line = next(line for line in shell.page.text.splitlines() if line.startswith("Session"))
    # The emulator answers, so nothing was spent.
    assert line.startswith("Session $0 · today $0 (estimates). Demo and emulator (not billed):")


@pytest.mark.parametrize(
    "fault", [Fault(cut_after=0), Fault(cut_after=900, ending="reset")], ids=["at once", "later"]
)
def test_what_may_have_been_spent_is_never_said_as_if_it_were(shell, fault):
    """One question is answered, one breaks off: every line says what is known, and "up to" what it may be at most."""
    shell.emulator.answer("word " * 200, Answer(content="word " * 200, fault=fault))
    shell.ok("%config ClaudeMagics.show_spend = True")
    cost = shell.ok("%%claude\nOne").cost
    shell.error("%%claude\nTwo")
    shell.ok("%%claude --replay auto\nOne")
    below = [line for line in shell.page.text.splitlines() if line.startswith("Session")]
    shell.ok("%claude_usage")
    page = [line for line in shell.page.text.splitlines() if line.startswith("Demo and emulator")]
    most = re.findall(r"up to ≈\$([0-9.]+)", page[0])
    assert len(set(most)) == 1
    assert float(most[0]) > 5 * cost
    said = f"{usd_estimate(cost)} (up to ≈${most[0]})"
    assert page == [
        f"Demo and emulator (not billed): {said} this session, {said} today, at the table's prices."
    ]
    assert below[-1].endswith(page[0])


def test_a_dry_run_tells_whether_the_answer_is_kept(shell):
    """And asks no model to find out."""
    shell.ok("%%claude --dry-run\nKept?")
    assert "is kept" not in shell.page.text
    shell.ok("%%claude -q\nKept?")
    shell.ok("%%claude --dry-run\nKept?")
    assert "exists: --replay auto would use it, free of charge" in shell.page.text
    assert len(shell.asked) == 1


def test_a_stopped_answer_is_in_the_journal_and_is_not_given_again(shell):
    """What it cost is not known, so the most that it may have cost stands there."""
    shell.emulator.answer("Once upon a time. " * 40)
    shell.emulator.fail(Fault(stall_after=900))
    stream = Claude().stream("Tell", max_tokens=1000)
    next(event for event in stream if event.text)
    stream.close()
    (row,) = rows(shell, "state, cost, cost_most, replayable")
    assert (row[0], row[1], row[3]) == ("stopped", None, 0)
    assert row[2] == pytest.approx(0.01, rel=0.01)


def test_the_settings_say_where_the_journal_is(shell):
    """Below the home folder, which is not spelled out."""
    shell.ok("%claude")
    line = next(line for line in shell.page.text.splitlines() if line.startswith("journal"))
    assert "~/" in line
    assert str(Path.home()) not in shell.page.text


def test_tab_completes_the_ways_to_replay():
    """The four words, and no others."""
    assert [each.text for each in candidates("%%claude --replay", "")] == ["off", "auto", "only", "refresh"]


def test_what_is_kept_is_shown_through_the_sanitizer(shell, tmp_path):
    """Case 89: a recording of a stranger is data."""
    recording = tmp_path / "strange.claude"
    shell.ok(f'%config ClaudeMagics.recording = "{recording.as_posix()}"')
    shell.emulator.answer("Hello.")
    shell.ok("%%claude\nHi")
    text = recording.read_text(encoding="utf-8").replace(
        "Hello.", "<img src=x onerror=alert(1)> ![a](https://e.example)"
    )
    recording.write_text(text, encoding="utf-8")
    shell.ok("%%claude --replay only\nHi")
    shown = json.dumps(shell.page.outputs)
    assert "onerror" in shown
    assert "<img" not in shell.page.outputs[0]["text/markdown"]
    assert "![a](" not in shell.page.outputs[0]["text/markdown"]
