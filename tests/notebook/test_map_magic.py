"""`%%claude_map`: the line, the variable, the page while it runs and when it is over (cases 81, 83)."""

from __future__ import annotations

import re
import threading
import time

import pandas as pd
import pytest
from shells import Page, interrupt_while_waiting

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.notebook.display.table_run import TableRunView
from vertex_claude_magic.notebook.options import parse_table_line
from vertex_claude_magic.records.recording.recording import Recording
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.registry import LINE_OPTIONS, help_lines
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.tables.batch.checks import BATCH_OPTIONS
from vertex_claude_magic.tables.estimate import batch_note
from vertex_claude_magic.tables.options import MAP_OPTIONS
from vertex_claude_magic.tables.progress import Progress

PROMPT = "\nRepeat {{ text }}"


@pytest.fixture
def shell(shell):
    shell.ip.user_ns["reviews"] = pd.DataFrame({"text": [f"row {number}" for number in range(6)]})
    return shell


def test_the_variable_has_the_table_with_the_answers(shell):
    """And the page one line: rows, cost, time."""
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5" + PROMPT)
    labels = shell.ip.user_ns["labels"]
    assert list(labels.columns) == [
        "text", "answer", "error", "stop_reason", "input_tokens", "output_tokens", "cost"]  # fmt: skip
    assert labels["answer"].notna().all()
    assert len(shell.page.outputs) == 1
    assert shell.page.text.startswith("6 rows: 6 answered. ≈$0.0")
    assert set(shell.page.outputs[0]) == {"text/html", "text/plain"}


def test_the_same_cell_again_asks_nothing(shell):
    """Nor one with other options of the run, nor one that was moved; the variable is its place."""
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5" + PROMPT)
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --max-active 2 --max-cost 5" + PROMPT)
    assert len(shell.asked) == 6
    assert "6 by an earlier run" in shell.page.text
    shell.ok("%%claude_map others reviews -m claude-haiku-4-5" + PROMPT)
    assert len(shell.asked) == 12


class Broken:
    @property
    def table(self):
        raise ValueError("no data yet")


NO_TABLE = (
    ("reviews.head(1)", "reviews.head(1) is not a path: it contains a call, and expressions are not evaluated. Assign it to a"),
    ("reviews[0:1]", "reviews[0:1] is not a path: an index is a whole number or a quoted string. Assign it to a variable first"),
    ("reviews+reviews", "reviews+reviews is not a path: it contains an operator"),
    ("reviews._x", "reviews._x is not a path: '_x' is private"),
    ("[1,2]", "'[1,2]' is not the name of a table. Assign the table to a variable first"),
    ("data.reviws", "This dict has no key 'reviws' (in data.reviws). Did you mean reviews?"),
    ("data['x']", "This dict has no item at 'x' (in data['x']). Look at it in a cell of its own."),
    ("reviews.head", "reviews.head is a method, and its result is not known before it is called. Assign reviews.head() to"),
    ("broken.table", "broken.table failed with ValueError: no data yet. Look at it in a cell of its own."),
    ("reviws", "No variable named 'reviws'. Did you mean reviews?"),
)  # fmt: skip


@pytest.mark.parametrize(("table", "said"), NO_TABLE)
def test_a_name_of_no_table_is_refused_with_advice_about_tables(shell, table, said):
    """None about templates: it stands in no braces, and none of them could be sent."""
    shell.ip.user_ns.update(data={"reviews": [{"text": "a"}]}, broken=Broken())
    error = str(shell.error(f"%%claude_map labels {table}{PROMPT}"))
    assert error.startswith(said)
    assert "{{" not in error
    assert "--literal" not in error


LINES = (
    ("labels reviews -m opus", ("labels", "reviews", {"model": "opus"})),
    ("labels data.reviews", ("labels", "data.reviews", {})),
)


@pytest.mark.parametrize(("line", "wanted"), LINES)
def test_a_line_names_the_variable_and_the_table(line, wanted):
    """Then come options."""
    parsed, table = parse_table_line(line, LINE_OPTIONS, "%%claude_map")
    assert (parsed.name, table, parsed.options) == wanted


WRONG = (
    ("", "is missing the variable for the result, and the table"),
    ("labels", "is missing the table"),
    ("labels -m opus", "is missing the table"),
    ("1x reviews", "'1x' is not a valid variable name"),
    ("class reviews", "reserved name in Python"),
    ("labels nosuch", "No variable named 'nosuch'"),
    ("labels review", "Did you mean reviews"),
    ("labels reviews more", "'more' is not an option"),
    ("labels reviews.text", "Assign it as a table, and use that: t = reviews.text.to_frame()"),
    ("labels reviews()", "it contains a call"),
    ("labels reviews --max-act 3", "cannot be abbreviated"),
    ("labels reviews --max-active x", "The value of --max-active is not a whole number: 'x'."),
    ("labels reviews --max-active 0", "--max-active is 0."),
    ("labels reviews --on-error skip", "Use return or stop."),
    ("labels reviews -f code", "does not take --format code"),
    ("labels reviews --as df", "data frame"),
)


@pytest.mark.parametrize(("line", "wanted"), WRONG)
def test_a_line_that_cannot_be_is_one_error_and_sends_nothing(shell, line, wanted):
    """With a cure; the variable keeps its value."""
    shell.ip.user_ns["labels"] = "kept"
    error = shell.error(f"%%claude_map {line}{PROMPT}")
    assert isinstance(error, errors.OptionError)
    assert wanted in str(error)
    assert shell.asked == []
    assert shell.ip.user_ns["labels"] == "kept"


@pytest.mark.parametrize("magic", ["%%claude_map", "%%claude_batch"])
@pytest.mark.parametrize(("table", "quoted"), [("data", "data"), ("data.reviews", "data.reviews"),
                                               ('"data[\'reviews\']"', "data['reviews']")])  # fmt: skip
def test_a_result_in_the_place_of_its_table_is_refused_with_the_line_to_write(shell, magic, table, quoted):
    """Such a cell could not be run again, as its page advises, and a failure would leave no table."""
    data = shell.ip.user_ns["data"] = {"reviews": shell.ip.user_ns["reviews"]}
    error = shell.error(f"{magic} data {table} -m claude-haiku-4-5{PROMPT}")
    assert str(error) == (
        f"The result would replace its own table data. Write another name for it: {magic} data_result {quoted}"
    )
    assert shell.emulator.requests == []
    assert shell.ip.user_ns["data"] is data


def test_failed_rows_do_not_fail_the_cell_and_the_last_line_counts_them(shell):
    """By kind."""
    shell.emulator.answer("a", Fault(status=400), "b", Fault(status=400), "c", "d")
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --max-active 1" + PROMPT)
    assert "4 answered, 2 failed (BadRequest 2: see the column error)" in shell.page.text
    assert shell.ip.user_ns["labels"]["error"].notna().sum() == 2
    shell.emulator.answer("a", Fault(status=400), "b", "b", "c", "d")
    shell.ok("%%claude_map more reviews -m claude-haiku-4-5 --prefix my_ --max-active 1" + PROMPT)
    assert "1 failed (BadRequest 1: see the column my_error)" in shell.page.text


MISSING = {
    "two rows": (["a", None, float("nan")], "2 rows have no value in {{ text }}; null is sent for it."),
    "one row": (["a", "b", None], "1 row has no value in {{ text }}; null is sent for it."),
    "none": (["a", "b", ""], ""),
}


@pytest.mark.parametrize("kind", [pd.DataFrame, lambda rows: pd.DataFrame(rows).to_dict("records")])
@pytest.mark.parametrize("options", ["", "--dry-run"])
@pytest.mark.parametrize(("values", "said"), MISSING.values(), ids=MISSING)
def test_rows_without_a_value_are_asked_and_counted(shell, values, said, options, kind):
    """Before they are paid by the dry run, and below the run; what is sent stays the same."""
    shell.ip.user_ns["reviews"] = kind({"text": values, "stars": [1, None, 3]})
    shell.ok(f"%%claude_map labels reviews -m claude-haiku-4-5 {options}" + PROMPT)
    assert re.findall(r"\d rows? ha.* no value in .*", shell.page.text) == ([said] if said else [])
    if said and not options:
        assert "Repeat null" in {each.body["messages"][0]["content"] for each in shell.asked}


def test_a_limit_leaves_the_rest_empty_and_says_how_to_go_on(shell):
    """The cell does not fail."""
    shell.ok(
        "%%claude_map labels reviews -m claude-haiku-4-5 -n 1000 --max-cost 0.009 --max-active 1" + PROMPT
    )
    labels = shell.ip.user_ns["labels"]
    assert 0 < labels["answer"].notna().sum() < 6
    assert "not asked" in shell.page.text
    assert "could exceed the limit of $0.009" in shell.page.text
    assert (
        "or raise --max-cost. With nothing else changed, run it again to ask only the rest."
        in shell.page.text
    )


def test_a_limit_that_no_row_fits_fails_the_cell(shell):
    """Or Run All would go on with a table of nothing."""
    error = shell.error("%%claude_map labels reviews -m claude-haiku-4-5 -n 1000 --max-cost 0.00001" + PROMPT)
    assert str(error) == (
        "The next row may cost up to ≈$0.0071 and so could exceed the limit of $0.00001: $0 is spent (estimates). "
        "Lower --max-tokens, or raise --max-cost."
    )
    assert "could exceed" not in shell.page.text
    assert shell.ip.user_ns["labels"]["answer"].isna().all()
    assert shell.asked == []


def test_a_run_that_asked_nothing_does_not_say_who_answered(shell):
    """In the demo, where every answer has that line."""
    shell.ok("%claude_demo")
    try:
        shell.error("%%claude_map labels reviews -m claude-haiku-4-5 --max-cost 0.00001" + PROMPT)
        assert "0 answered" in shell.page.text
        assert "Answered by the emulator" not in shell.page.text
        shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --limit 1" + PROMPT)
        assert "Answered by the emulator" in shell.page.text
    finally:
        shell.ok("%claude_demo stop")


def test_an_interrupt_leaves_a_usable_table(shell):
    """Case 81: in under a second, one line, and the cell ends as an interrupt so that Run All stops."""
    shell.emulator.fail(*[Fault(delay=0.0)] * 2, *[Fault(delay=30.0)] * 9)
    before = threading.active_count()
    with interrupt_while_waiting(shell.emulator):
        started = time.monotonic()
        error = shell.error("%%claude_map labels reviews -m claude-haiku-4-5 --max-active 3" + PROMPT)
    assert time.monotonic() - started < 10
    assert isinstance(error, KeyboardInterrupt)
    assert "of 6 rows; labels contains the finished rows. Run it again to ask only the rest." in str(error)
    labels = shell.ip.user_ns["labels"]
    assert list(labels["text"]) == [f"row {number}" for number in range(6)]
    assert labels["answer"].notna().sum() <= 3
    assert labels["error"].isna().all()
    assert "not asked" in shell.page.text
    assert threading.active_count() <= before + 5


STOPPED = {
    "": "Run it again to ask only the rest.",
    "--fresh": "Run it again without --fresh to ask only the rest.",
    "journal off": "Run it again to ask all rows, because no answer is stored.",
}


@pytest.mark.parametrize(("how", "said"), STOPPED.items())
def test_an_interrupt_says_how_only_the_rest_is_asked(shell, how, said):
    """With --fresh the same cell asks all rows again, and where nothing is stored any cell does."""
    if how == "journal off":
        shell.ok("%config ClaudeMagics.journal = 'off'")
    shell.emulator.fail(*[Fault(delay=30.0)] * 9)
    with interrupt_while_waiting(shell.emulator):
        error = shell.error(f"%%claude_map labels reviews {how if how == '--fresh' else ''}{PROMPT}")
    assert isinstance(error, KeyboardInterrupt)
    assert str(error).endswith(f"labels contains the finished rows. {said}")


def test_what_concerns_all_rows_leaves_what_is_done(shell):
    """The cell fails with that error."""
    shell.emulator.answer("zero", Fault(status=403), "never")
    error = shell.error("%%claude_map labels reviews -m claude-haiku-4-5 --max-active 1" + PROMPT)
    assert isinstance(error, errors.PermissionDenied)
    assert list(shell.ip.user_ns["labels"]["answer"].dropna()) == ["zero"]


def test_a_dry_run_shows_prompts_tokens_and_a_price_range(shell):
    """No model is asked, and the variable is not touched."""
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 -n 100 --dry-run" + PROMPT)
    text = shell.page.text
    assert "no" not in shell.ip.user_ns.get("labels", "")
    assert shell.asked == []
    assert "6 rows, about " in text
    assert "(6 rows counted)" in text
    assert 'Repeat <data name="text">row 2</data>' in text
    assert "row 3" not in text
    assert "Between" in text
    assert "Added columns: answer, error, stop_reason, input_tokens, output_tokens, cost." in text


EQUAL = pd.DataFrame({"text": ["one", "two"] * 30})


def test_a_dry_run_counts_rows_that_ask_the_same_once(shell):
    """As the run asks them, and so its price is that of two rows."""
    shell.ip.user_ns["equal"] = EQUAL
    shell.ok("%%claude_map labels equal -m claude-haiku-4-5 -n 100 --dry-run" + PROMPT)
    assert "60 rows, 2 to ask (58 the same as another row), about " in shell.page.text
    assert "(2 rows counted)" in shell.page.text
    shell.ok("%%claude_map labels equal -m claude-haiku-4-5 -n 100" + PROMPT)
    assert len(shell.asked) == 2


def test_a_dry_run_leaves_out_rows_that_an_earlier_run_has_answered(shell):
    """Unless they are asked again with --fresh; a row that the run would ask is one that the dry run counts."""
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --limit 2" + PROMPT)
    asked = len(shell.asked)
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --dry-run" + PROMPT)
    assert "6 rows, 4 to ask (2 answered by an earlier run), about " in shell.page.text
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --fresh --dry-run" + PROMPT)
    assert "6 rows, about " in shell.page.text
    shell.ok("%%claude_map others reviews -m claude-haiku-4-5 --dry-run" + PROMPT)
    assert "6 rows, about " in shell.page.text
    assert len(shell.asked) == asked == 2


def test_a_dry_run_with_nothing_to_ask_has_no_price(shell):
    shell.ip.user_ns["equal"] = EQUAL
    shell.ok("%%claude_map labels equal -m claude-haiku-4-5" + PROMPT)
    shell.ok("%%claude_map labels equal -m claude-haiku-4-5 --dry-run" + PROMPT)
    assert (
        "60 rows, none to ask (2 answered by an earlier run, 58 the same as another row)." in shell.page.text
    )
    assert "Between" not in shell.page.text


def test_a_dry_run_says_which_rows_are_recorded_and_records_nothing(shell, tmp_path):
    """As for one question it shows the price of asking; what an earlier run has answered is recorded by a run alone."""
    recording = tmp_path / "lesson.claude"
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --limit 3" + PROMPT)
    shell.ok(f"%config ClaudeMagics.recording = {str(recording)!r}")
    shell.ok("%%claude_map others reviews -m claude-haiku-4-5 --limit 2" + PROMPT)
    before = Recording(recording).all()
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 --replay auto --dry-run" + PROMPT)
    assert "6 rows, 5 to ask (1 answered by an earlier run), about " in shell.page.text
    assert "Saved answers to 2 rows exist: they would be used, free of charge." in shell.page.text
    assert Recording(recording).all() == before


def test_a_dry_run_leaves_out_rows_that_cannot_be_sent(shell):
    """They are shown, if they are among the first."""
    shell.ip.user_ns["keys"] = pd.DataFrame({"text": ["AKIAIOSFODNN7EXAMPLE", "a", "b"]})
    shell.ok("%%claude_map labels keys -m claude-haiku-4-5 --dry-run" + PROMPT)
    assert "3 rows, 2 to ask (1 cannot be sent), about " in shell.page.text
    assert "Row 0 cannot be sent" in shell.page.text


DRY = (("%%claude_map labels reviews", "Between ", "As a batch (%%claude_batch) between "),
       ("%%claude_batch labels reviews --to gs://rows/run", "estimates at the price of a batch", "Between "))  # fmt: skip


@pytest.mark.parametrize(("line", "one", "two"), DRY)
def test_a_dry_run_says_what_a_batch_would_cost(shell, line, one, two):
    """Half of the price at a location that is not global."""
    shell.ok(f"{line} -m claude-sonnet-5-5 -n 100 --dry-run" + PROMPT)
    assert one in shell.page.text
    assert two in shell.page.text


def test_a_dry_run_says_nothing_of_batches_where_no_source_says_that_the_model_takes_them(shell):
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 -n 100 --dry-run" + PROMPT)
    assert "As a batch" not in shell.page.text


# Model, USD spent, rows asked, whether a batch is worth a word.
BATCHES = (
    ("claude-sonnet-5-5", 4.0, 2000, True), ("claude-sonnet-5-5", 4.0, 999, False),
    ("claude-sonnet-5-5", 0.9, 2000, False), ("claude-sonnet-5-5", None, 2000, False),
    ("claude-haiku-4-5", 4.0, 2000, False), ("claude-of-tomorrow", 4.0, 2000, False),
)  # fmt: skip


@pytest.mark.parametrize(("model", "spent", "rows", "said"), BATCHES)
def test_what_a_batch_would_have_cost_is_said_where_it_pays(model, spent, rows, said):
    """A small run is over before a batch has begun; no batch has the price of global."""
    for region, usd in (("global", "2.20"), ("us-east5", "2.00")):
        target = resolve_target(AskOptions(model=model, region=region))
        wanted = f"As a batch (%%claude_batch) these rows would have cost ≈${usd}." if said else ""
        assert batch_note(target, spent, rows) == wanted


def test_quiet_shows_nothing(shell):
    """But errors."""
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5 -q" + PROMPT)
    assert shell.page.outputs == []
    assert shell.ip.user_ns["labels"]["answer"].notna().all()


def test_a_column_hides_a_variable_and_that_is_said(shell):
    """Once."""
    shell.ip.user_ns["text"] = "no"
    shell.ok("%%claude_map labels reviews -m claude-haiku-4-5" + PROMPT)
    assert shell.page.text.count("is the column of the table, not the variable of the same name") == 1


def test_a_hostile_column_name_makes_no_element(shell):
    """Names and values are foreign text on the page."""
    shell.ip.user_ns["odd"] = pd.DataFrame({"<img src=x onerror=alert(1)>": ["a"]})
    error = shell.error("%%claude_map labels odd" + PROMPT)
    assert "Columns: <img src=x onerror=alert(1)>." in str(error)
    assert shell.page.outputs == []


@pytest.mark.parametrize(("name", "options"), [("claude_map", MAP_OPTIONS), ("claude_batch", BATCH_OPTIONS)])
def test_the_help_page_lists_the_options_as_the_registry_words_them(shell, name, options):
    """`%%claude_map --help` and `?`."""
    shell.ok(f"%%{name} --help" + PROMPT)
    listed = " ".join(shell.page.text.split())
    for row in options:
        assert " ".join(help_lines([row]).split()) in listed


# The page


class Moved:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def drawn(shell, reports: int, rows: int) -> tuple[Page, float]:
    page, clock = Page(), Moved()
    shell.ip.display_pub = page
    view = TableRunView(shell.ip, clock=clock)
    for number in range(reports):
        clock.now += 0.25
        view.draw(Progress(rows=rows, answered=rows * number // reports, seconds=clock.now, allowed=16))
    view.finish(Progress(rows=rows, answered=rows, seconds=clock.now), ("a <b>note</b>",))
    return page, clock.now


def test_the_page_is_one_output_that_does_not_grow_with_the_rows(shell, monkeypatch):
    """Case 83: one output, redrawn; the last one is a line, and foreign text in it is only text."""
    page, _ = drawn(shell, 40, 100_000)
    assert page.messages.count("show") == 1
    assert page.messages.count("update") == 40
    assert len(page.outputs) == 1
    assert max(len(str(each)) for each in page.drawn) < 400
    html = page.outputs[0]["text/html"]
    assert "<progress" not in html
    assert "a &lt;b&gt;note&lt;/b&gt;" in html
    for element in ("<style", "<script", "<form", "<button", "<a "):
        assert element not in html


def test_the_page_of_a_long_run_says_what_will_hold_the_table(shell):
    """A page that is loaded again meanwhile keeps that draft, and nothing that comes reaches it."""
    page, clock = Page(), Moved()
    shell.ip.display_pub = page
    view, line = TableRunView(shell.ip, kept_in="labels", clock=clock), "in labels when complete"
    for clock.now in (1.0, 4.0):
        view.draw(Progress(rows=2, answered=1, seconds=clock.now, allowed=16))
    assert [line in str(each) for each in page.drawn] == [False, True]
    view.finish(Progress(rows=2, answered=2, seconds=5.0), ())
    assert line not in str(page.outputs)


def test_a_run_names_its_variable(shell, monkeypatch):
    """As soon as it has lasted long enough."""
    monkeypatch.setattr("vertex_claude_magic.notebook.display.footer._LONG", 0)
    shell.ok("%%claude_map labels reviews" + PROMPT)
    assert "in labels when complete" in str(shell.page.drawn)


PROGRESS = Progress(
    rows=1000, answered=400, asked=307, earlier=100, failed={"BadRequest": 7}, input_tokens=9000, output_tokens=4000, cost=0.5,
    active=12, allowed=16, pause=7.2, seconds=60.0, paused=7.0, median=0.5,
)  # fmt: skip


def test_the_line_of_a_run_tells_what_somebody_who_waits_wants_to_know():
    """Rows done and failed, tokens and dollars so far and expected, rate, concurrency, pause, time left."""
    assert PROGRESS.line() == (
        "407 of 1,000 rows, 7 failed · 9,000 + 4,000 tokens · ≈$0.50 so far, ≈$1.47 expected · 5.1 rows/s · "
        "12 of 16 active · paused for 8 s, as the service asked · 1 min 56 s left"
    )
    assert PROGRESS.summary() == (
        "1,000 rows: 400 answered (100 by an earlier run), 7 failed (BadRequest 7: see the column error), 593 not asked. "
        "≈$0.50. 1 min 0 s, 7.0 s of it paused as the service asked, median 0.5 s per answer."
    )
