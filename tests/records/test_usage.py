"""`%claude_usage`: hand-computed sums, what stands apart, what is said where nothing is known, and shown once."""

from __future__ import annotations

import math
import re
import sys
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from vertex_claude_magic import errors
from vertex_claude_magic.notebook.commands.usage import UsageReport
from vertex_claude_magic.notebook.pages.usage import bar, html, plain
from vertex_claude_magic.records.budget import Budget, Limits
from vertex_claude_magic.records.journal.calls import Call, Ending, add, add_replay, end
from vertex_claude_magic.records.journal.journal import Journal
from vertex_claude_magic.records.journal.ledger import UsageRow
from vertex_claude_magic.records.journal.location import default_path
from vertex_claude_magic.records.session_records import SessionRecords
from vertex_claude_magic.records.spending import Spending
from vertex_claude_magic.records.stores import Stores
from vertex_claude_magic.records.usage import Sum, UsageSummary, sums, total, usage_of
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.origin import Origin, session_id
from vertex_claude_magic.settings.target import resolve_target

TODAY = date(2026, 11, 26)
QUIET_HTML = {"p", "small", "br", "span", "table", "thead", "tbody", "tr", "th", "td", "div"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>.ipynb",
    '"><button>Run</button>',
    "\x1b[2J\x1b]0;title\x07evil.ipynb",
    "\x9b31mred",
    "abc\u202ecod.ipynb",
    "a\u200bb\u00ad\U000e0041.ipynb",
    "first\nsecond\r\nTotal  0",
    "$x$ and $y$ \\(z\\) \\begin{matrix}.ipynb",
    "&lt;b&gt;",
    "n" * 5_000,
    "\ud800.ipynb",
    "",
]


def moment(day: date) -> float:
    """Noon of a day on the clock of this machine."""
    return datetime(day.year, day.month, day.day, 12).astimezone().timestamp()


def keep(journal: Journal, day: date, *, notebook="lesson.ipynb", model="claude-haiku-5-5", source="vertex",
         session="another", state="done", **ending) -> None:  # fmt: skip
    """Put one call into the journal as if it had been asked on that day."""
    call = Call(at=moment(day), session=session, origin=Origin(notebook=notebook), key="ab" * 32, canonical={},
                asked=model, model=model, region="global", project="p", source=source)  # fmt: skip

    def work(connection):
        if state == "replayed":
            add_replay(connection, call, ending["answer"], error=False)
        else:
            end(connection, add(connection, call), call, Ending(state=state, source=source, **ending))

    journal.database.write(work)


def ask_usage(
    options=None, budget=None, *, days=None, this_session=False, today=TODAY, stores=None
) -> UsageSummary:
    target, stores = resolve_target(options or AskOptions()), stores or Stores()
    records = SessionRecords(lambda: moment(today), stores, budget)
    return usage_of(
        target,
        records.spending(target),
        today=today,
        days=days,
        this_session=this_session,
        stores=stores,
    )


@pytest.fixture
def journal() -> Journal:
    """The journal of an empty home: the one that every setting left alone names."""
    return Journal(default_path())


@pytest.fixture
def history(journal) -> Journal:
    """Two days of two notebooks: the sums below are made from these numbers by hand."""
    yesterday = TODAY - timedelta(days=1)
    counted = {"input_tokens": 100, "cache_write_tokens": 20, "cache_read_tokens": 30, "output_tokens": 7}
    keep(journal, TODAY, cost=0.25, cost_most=0.25, **counted)
    keep(journal, TODAY, model="claude-opus-5-5", cost=0.5, cost_most=0.5, **counted)
    keep(journal, TODAY, state="failed", cost=0.0, cost_most=0.0)
    keep(journal, TODAY, state="stopped", cost=None, cost_most=0.125, input_tokens=10)
    keep(journal, yesterday, notebook="thesis.ipynb", cost=None, cost_most=None, **counted)
    keep(journal, yesterday, cost=1.0, cost_most=1.0, **counted)
    keep(journal, TODAY, state="replayed", answer=1)
    keep(journal, TODAY, source="emulator", cost=8.0, cost_most=8.0, **counted)
    return journal


def test_the_sums_are_those_made_by_hand(history):
    """Calls, failed, replayed, tokens, known costs, the worst case of what was stopped, what replay saved."""
    paid = [row for row in ask_usage().rows if not row.local]
    assert total(paid, "all") == Sum(
        name="all",
        calls=6,
        failed=1,
        replayed=1,
        input_tokens=4 * 150 + 10,
        cached_tokens=4 * 30,
        output_tokens=4 * 7,
        cost=0.25 + 0.5 + 1.0,
        open_cost=0.125,
        unknown=1,
        saved=0.25,
    )


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("day", [("2026-11-26", 4, 0.75), ("2026-11-25", 2, 1.0)]),
        ("model", [("claude-haiku-5-5", 5, 1.25), ("claude-opus-5-5", 1, 0.5)]),
        ("notebook", [("lesson.ipynb", 5, 1.75), ("thesis.ipynb", 1, 0.0)]),
    ],
)
def test_each_group_has_its_sum_and_the_dearest_or_newest_comes_first(history, by, expected):
    """By day, model and notebook, of the calls that may be billed."""
    found = sums([row for row in ask_usage().rows if not row.local], by)
    assert [(each.name, each.calls, each.cost) for each in found] == expected


def row(**values) -> UsageRow:
    names = {entry.name: 0 for entry in fields(UsageRow)}
    return UsageRow(**{**names, "day": "2026-11-26", "notebook": "n", "model": "m", "local": False, **values})


def test_of_many_notebooks_the_dearest_are_shown_and_the_rest_is_summed():
    """A page stays a page, and nothing is lost from it."""
    found = sums([row(notebook=f"{at}", calls=1, cost=float(at)) for at in range(100)], "notebook", most=10)
    assert [each.name for each in found[:2]] == ["99", "98"]
    assert len(found) == 10
    assert found[-1].name == "91 more"
    assert sum(each.cost for each in found) == sum(range(100))


def test_the_dearest_come_first_by_the_most_that_they_may_have_cost():
    """What broke off counts, and of what costs the same the one with more calls comes first, then the name."""
    rows = [
        row(notebook="b", calls=1, cost=1.0),
        row(notebook="a", calls=1, cost=1.0),
        row(notebook="many", calls=5, cost=1.0),
        row(notebook="broken off", calls=1, cost=0.25, open_cost=1.0),
    ]
    assert [each.name for each in sums(rows, "notebook")] == ["broken off", "many", "a", "b"]
    assert [each.name for each in sums(rows, "notebook", most=4)] == ["broken off", "many", "a", "b"]


def test_what_this_machine_answered_stands_apart(history):
    """The emulator's 8 USD cost nothing, and are in no sum of what may be billed."""
    text = plain(ask_usage())
    paid, local = text.split("Answered on this machine")
    assert "8.0000" not in paid
    assert "8.0000" in local
    assert "nothing was billed" in local


def test_stopped_calls_are_up_to_and_unknown_prices_unknown(history):
    """With the words that explain both, and only where they occur."""
    text = plain(ask_usage(), "notebook")
    thesis = next(line for line in text.splitlines() if line.startswith("thesis"))
    lesson = next(line for line in text.splitlines() if line.startswith("lesson"))
    assert "unknown" in thesis
    assert "1 unknown" in thesis
    assert "1.8750" in lesson
    assert "maximum cost" in text
    assert "models_file" in text
    assert "Up to" not in plain(ask_usage(days=1, today=TODAY + timedelta(days=9)))


@pytest.mark.parametrize("show", [plain, html])
def test_every_figure_says_that_it_is_an_estimate(history, show):
    """In the heads of the columns, in the sums of session and day, and on top; no dollar sign begins a formula."""
    text = show(ask_usage())
    assert text.count("(est.)") >= 2 * 2
    assert "estimates from the price table; the bill is Google" in text
    assert all("estimate" in line for line in text.splitlines() if line.startswith(("This session", "Today")))
    assert show is plain or "$" not in text.replace("<span>$</span>", "")


def test_days_count_from_today_back(history, journal):
    """One day is today; without a number as many as the journal keeps."""
    keep(journal, TODAY - timedelta(days=29), notebook="old.ipynb", cost=0.1)
    keep(journal, TODAY - timedelta(days=30), notebook="older.ipynb", cost=0.1)

    def days(usage):
        return sorted({each.day for each in usage.rows})

    assert days(ask_usage(days=1)) == ["2026-11-26"]
    assert days(ask_usage(days=2)) == ["2026-11-25", "2026-11-26"]
    assert days(ask_usage())[0] == "2026-10-28"
    assert days(ask_usage(AskOptions(journal_days=90)))[0] == "2026-10-27"
    assert ask_usage(days=10**6).since == "0001-01-01"


def test_this_session_is_what_this_process_asked(history, journal):
    """Not what other kernels did, on whichever day."""
    keep(journal, TODAY - timedelta(days=400), session=session_id(), notebook="mine.ipynb", cost=0.1)
    assert [each.notebook for each in ask_usage(this_session=True).rows] == ["mine.ipynb"]
    assert ask_usage(this_session=True, days=5).rows == ()


def test_sums_stand_against_the_limits(history):
    """What the session spent by its own sums, and today by the journal: 0.25 + 0.5, and 0.125 that were stopped."""
    budget = Budget()
    for usd in (0.25, 0.5):
        budget.commit(budget.reserve(usd, local=False), usd)
    text = plain(ask_usage(AskOptions(max_session_cost=2.5, max_daily_cost=5), budget))
    assert "This session: ≈$0.75 of $2.50 (max_session_cost) (estimate" in text
    assert "Today, all notebooks: ≈$0.75 (up to ≈$0.88) of $5 (max_daily_cost) (estimate)" in text
    assert "max_session_cost" not in plain(ask_usage())


def test_a_column_of_nothing_but_zeros_is_left_out(journal):
    """And so is a chart of one bar; what the page has space for it can show."""
    keep(journal, TODAY, cost=0.25, input_tokens=10, output_tokens=5)
    keep(journal, TODAY, cost=0.25, model="claude-opus-5-5", input_tokens=10, output_tokens=5)
    for show in (plain, html):
        day, model = show(ask_usage(), "day"), show(ask_usage(), "model")
        for head in ("Saved", "Failed", "Replayed", "Cached", "Up to"):
            assert head not in model
        assert "Chart" not in day
        assert "█" not in day
        assert "Chart" in model
        assert "Tokens out" in day
    keep(journal, TODAY, state="failed", cost=0.0)
    assert "Failed" in plain(ask_usage(), "day")


def test_where_nothing_was_spent_there_is_no_chart(journal):
    """Replays alone, for example, of a notebook that was checked."""
    keep(journal, TODAY, state="replayed", answer=1)
    keep(journal, TODAY, state="replayed", answer=1, model="claude-opus-5-5")
    for show in (plain, html):
        text = show(ask_usage())
        assert "Replayed" in text
        assert "Chart" not in text


def test_without_a_group_it_is_one_chart_by_day_and_model(history):
    """The newest day first, named once, its dearest model first; the title says what all of it came to."""
    text = plain(ask_usage())
    table = text.split("\n\n")[1].splitlines()
    assert [line.split()[:2] for line in table[1:4]] == [
        ["2026-11-26", "claude-opus-5-5"],
        ["claude-haiku-5-5", "██░░"],
        ["2026-11-25", "claude-haiku-5-5"],
    ]
    assert table[4].startswith("Total ")
    assert "6 calls, ≈$1.75 (up to ≈$1.88) + 1 unknown." in text.partition("\n")[0]
    assert "<td>2026-11-26" not in html(ask_usage())


def test_a_long_time_stays_one_page():
    """The days before the last month are one row, and nothing is lost."""
    rows = tuple(row(day=f"{date(2026, 1, 1) + timedelta(days=at)}", calls=1, cost=1.0) for at in range(60))
    usage = replace(usage_named("x"), rows=rows)
    lines = plain(usage).split("\n\n")[1].splitlines()
    assert len(lines) == 1 + 31 + 2
    assert lines[-2].split()[:1] == ["earlier"]
    assert "29.0000" in lines[-2]


def test_a_session_with_an_unknown_price_is_not_a_sum_of_zero():
    """It says that it does not know."""
    budget = Budget()
    budget.commit(budget.reserve(None, local=False), None)
    usage = ask_usage(budget=budget)
    assert math.isinf(usage.spending.session.usd)
    assert "This session: not known, because a price is missing" in plain(usage)


def test_the_page_says_where_the_journal_is_and_how_to_switch_it_off(history):
    """With its size and the days that it keeps, and without the name of the user's folder."""
    last = plain(ask_usage(AskOptions(journal_days=45))).splitlines()[-1]
    assert last.startswith("The journal is ~")
    assert str(Path.home()) not in last
    assert "kB" in last
    assert "45 days" in last
    assert '%config ClaudeMagics.journal = "off"' in last


def test_with_no_journal_yet_the_page_is_there_and_no_file_is_made(home):
    """Nothing was asked, and looking changes nothing."""
    text = plain(ask_usage())
    assert "No calls." in text
    assert not list(home.iterdir())


def _newer(path):
    journal = Journal(path)
    journal.database.write(lambda connection: connection.execute("PRAGMA user_version = 99"))
    journal.close()


UNREADABLE = {
    "off by setting": ("off", lambda _: None, "%config ClaudeMagics.journal"),
    "no database": (None, lambda path: path.write_bytes(b"no database" * 1_000), "Move the file away"),
    "a folder": (None, lambda path: path.mkdir(), "Use a regular file"),
    "newer": (None, _newer, "Upgrade"),
    "a file in the place of its folder": (
        "{path}/journal",
        lambda path: path.write_text("x"),
        "Set journal to another",
    ),
}


@pytest.mark.parametrize(("named", "make", "cure"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_journal_that_cannot_tell_is_one_line_with_a_cure(tmp_path, named, make, cure):
    """And the session's own sums are there all the same."""
    path = tmp_path / "journal"
    make(path)
    budget = Budget()
    budget.commit(budget.reserve(0.25, local=False), 0.25)
    place = (named or "{path}").format(path=path)
    usage = ask_usage(AskOptions(journal=place, max_daily_cost=1), budget)
    first, second, third = plain(usage).splitlines()
    assert cure in first
    assert "≈$0.25" in second
    assert "max_daily_cost refuses" in third
    assert "<table>" not in html(usage)


def test_a_journal_switched_off_by_a_setting_is_switched_on_by_the_line_that_is_said(shell):
    """As it stands there."""
    shell.ok('%config ClaudeMagics.journal = "off"\n%claude_usage')
    (line,) = re.findall(r"Switch it on with (%config .*)$", shell.page.text, re.MULTILINE)
    shell.ok(f"{line}\n%claude_usage")
    assert "off" not in shell.page.text.partition("Switch it off")[0]


def test_a_journal_switched_off_by_the_environment_names_the_variable(monkeypatch):
    """The cure is where the switch is."""
    monkeypatch.setenv("VERTEX_CLAUDE_JOURNAL", "off")
    assert "Unset VERTEX_CLAUDE_JOURNAL" in plain(ask_usage())


class Elements(HTMLParser):
    """Collects elements, attributes and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


def usage_named(name: str) -> UsageSummary:
    return UsageSummary(rows=(row(notebook=name, model=name, day=name, calls=1),), since="", until="", this_session=False,
                 spending=Spending(), limits=Limits())  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_outside_stay_text(name):
    """Cases 51 and 57: no markup, no control, no second line, no formula, and bounded."""
    usage = usage_named(name)
    page = Elements(html(usage))
    assert page.elements <= QUIET_HTML
    assert page.attributes <= {"scope", "style"}
    # A dollar or backslash has an element of its own, which no search for formulas crosses.
    assert all(len(text) == 1 for text in page.texts if "$" in text or "\\" in text)
    text = plain(usage)
    assert all(line.isprintable() for line in text.splitlines())
    assert text.count("\n") == plain(usage_named("x")).count("\n")
    assert max(map(len, text.splitlines())) < 200


@pytest.mark.parametrize(
    ("value", "beside", "most", "drawn"),
    [
        (0.0, 0.0, 0.0, ""),
        (0.0, 0.0, 4.0, ""),
        (4.0, 0.0, 4.0, "██████████"),
        (2.0, 0.0, 4.0, "█████"),
        (1e-9, 0.0, 4.0, "▏"),
        (2.2, 0.0, 4.0, "█████▌"),
        (2.0, 2.0, 4.0, "█████░░░░░"),
        (0.0, 4.0, 4.0, "░░░░░░░░░░"),
    ],
)
def test_the_chart_is_of_block_characters(value, beside, most, drawn):
    """Full for what is known, light for what may come beside it, and never nothing for something."""
    assert bar(value, beside, most) == drawn


def test_questions_of_a_notebook_are_counted(shell, monkeypatch):
    """Two are asked, one of them is given again, one fails; what the emulator answers stands apart."""
    shell.ok("%claude -q -m haiku one")
    shell.ok("%claude -q -m opus two")
    shell.emulator.fail(400)
    shell.error("%claude -q -m haiku three")
    monkeypatch.setenv("VERTEX_CLAUDE_REPLAY", "auto")
    assert shell.ok("%claude -q -m haiku one").replayed
    report = shell.ok("%claude_usage --by model")
    found = {each.name: each for each in sums(report.rows, "model")}
    assert {name: (each.calls, each.failed, each.replayed) for name, each in found.items()} == {
        "claude-haiku-5-5": (2, 1, 1),
        "claude-opus-5-5": (1, 0, 0),
    }
    assert all(each.local for each in report.rows)
    assert "not billed" in shell.page.text
    assert "This session and today, all notebooks: $0 (estimate)" in shell.page.text


def test_a_name_that_no_database_takes_stands_in_nobody_s_way(shell):
    """A past bug: half a character in the name of a notebook, as VS Code may tell it, ended its questions."""
    shell.ip.user_ns["__vsc_ipynb_file__"] = "caf\udce9.ipynb"
    assert shell.ok("%claude -q -m haiku one").complete
    assert [each.notebook for each in shell.ok("%claude_usage").rows] == ["caf\ufffd.ipynb"]


def test_it_is_one_static_output(shell):
    """An HTML table and text, with the same names in both."""
    shell.ok("%claude -q -m haiku one")
    shell.ok("%claude_usage")
    (data,) = shell.page.outputs
    assert set(data) == {"text/html", "text/plain"}
    assert "claude-haiku-5-5" in data["text/plain"]
    assert "claude-haiku-5-5" in data["text/html"]
    assert Elements(data["text/html"]).elements <= QUIET_HTML
    assert max(map(len, data["text/plain"].splitlines()[:-1])) <= 130


def test_the_report_is_shown_once_and_can_be_shown_again(shell, capsys):
    """By the magic, not by the displayhook too; a later cell that ends in it shows it."""
    report = shell.ok("%claude_usage")
    assert isinstance(report, UsageReport)
    assert "Usage of all notebooks" not in capsys.readouterr().out
    assert len(shell.page.outputs) == 1
    assert report in shell.ip.user_ns["Out"].values()
    shell.ok("kept = %claude_usage")
    assert len(shell.page.outputs) == 1
    shell.ok("kept")
    assert "Usage of all notebooks" in capsys.readouterr().out


def test_its_repr_is_one_line(history):
    """As in a list of reports."""
    text = repr(UsageReport(usage=ask_usage()))
    assert (
        text
        == "UsageReport(7 calls, ≈$1.75 (up to ≈$1.88) + 1 unknown (estimate), 1 answered on this machine)"
    )


def test_its_rows_come_as_a_frame(history):
    """With numbers as numbers and days as dates."""
    import pandas as pd

    frame = UsageReport(usage=ask_usage()).df
    assert list(frame.columns) == [entry.name for entry in fields(UsageRow)]
    assert frame.groupby("local")["cost"].sum().tolist() == [1.75, 8.0]
    assert pd.api.types.is_datetime64_any_dtype(frame["day"])


def test_without_pandas_the_frame_names_the_command(history, monkeypatch):
    """The rows are there all the same."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    report = UsageReport(usage=ask_usage())
    assert report.rows
    with pytest.raises(errors.MissingExtra, match=r"pip install .vertex-claude-magic\[data\]"):
        _ = report.df


@pytest.mark.parametrize("line", ["--days", "--days 0", "--days -1", "--days x", "--days 9999999", "--day 3", "--by",
                                  "--by hour", "model", "--session --all", "--by \x1b[31m"])  # fmt: skip
def test_a_line_that_it_does_not_know_is_refused(shell, line):
    """With what it takes; abbreviations too."""
    error = shell.error(f"%claude_usage {line}")
    assert isinstance(error, errors.OptionError)
    assert "--days N" in str(error)
    assert str(error).isprintable()


@pytest.mark.parametrize(
    "line", ["", "--days 7", "--days=7 --by=day", "--by notebook --session", "--session"]
)
def test_its_options_go_together(shell, line):
    """In any order."""
    shell.ok("%claude -q -m haiku one")
    assert len(shell.ok(f"%claude_usage {line}").rows) == 1


def test_its_help_has_examples(shell):
    """As text, and through IPython's question mark."""
    shell.ok("%claude_usage --help")
    assert "%claude_usage --session" in shell.page.text
    assert shell.run("%claude_usage?").success


def test_it_is_quick_over_many_calls():
    """20,000 calls are read once and summed by SQLite, in a few hundred of its steps each."""
    stores, steps = Stores(), [0]
    journal = stores.journal(str(default_path()))

    def count():
        steps[0] += 1000

    def work(connection):
        call = Call(at=moment(TODAY), session="s", key="ab" * 32, canonical={}, asked="m", model="m", region="r",
                    project="p", source="vertex")  # fmt: skip
        for _ in range(20_000):
            add(connection, call)

    journal.database.write(work)
    journal.database.read(lambda connection: connection.set_progress_handler(count, 1000))
    usage = ask_usage(stores=stores)
    assert len(usage.rows) == 1
    assert total(usage.rows, "").calls == 20_000
    assert 0 < steps[0] < 20_000 * 400
