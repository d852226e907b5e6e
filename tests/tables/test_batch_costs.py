"""What a batch may cost and did: by the rules of a question, on the day on which it is sent, and never above a limit."""

from __future__ import annotations

import dataclasses
from datetime import date

import pandas as pd
import pytest
from batches import PROMPT, TO, created, finished, make_claude, quick, retried_in_vain, sent_and_meanwhile
from journals import DAY, rows

from vertex_claude_magic import errors
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.records.budget import token_bound, worst_case
from vertex_claude_magic.records.journal.calls import day_of
from vertex_claude_magic.records.journal.upkeep import Keep, drop_old
from vertex_claude_magic.tables.batch.find import find_batch
from vertex_claude_magic.tables.batch.job import BatchJob
from vertex_claude_magic.tables.questions import row_questions
from vertex_claude_magic.tables.rows import read_rows


def at_day(job, days):
    """The same batch as a kernel has it so many days after it was begun."""
    now = job.batch.at + days * DAY
    return BatchJob(dataclasses.replace(job.context, clock=lambda: now), job.batch), day_of(now)


def test_rows_that_go_again_count_on_the_day_on_which_they_do(emulator, claude, journal):
    """With what they may cost, and then with what they did; the day on which the batch was begun has its own sum."""
    emulator.batches.fails = lambda name: name.endswith("-0")
    job = finished(claude.batch([{"n": 0}, {"n": 1}], PROMPT, to=TO, max_tokens=100))
    answered = sum(row["cost"] or 0 for row in job.result())
    emulator.batches.fails = lambda _: False
    later, day = at_day(job, 2)
    record = claude._session.records.stores.journal(journal)
    later.retry()
    spent = record.spent(day, local=True).usd
    assert spent == later.jobs[1].cost_most > 0
    assert record.spent(day_of(job.batch.at), local=True).usd == pytest.approx(answered)
    finished(later).result()
    assert 0 < record.spent(day, local=True).usd < spent
    assert later.cost == pytest.approx(answered + record.spent(day, local=True).usd)


def test_a_job_that_is_cancelled_before_it_is_created_costs_nothing(emulator, journal):
    emulator.fail(Fault(), Fault(), 503)
    job = quick(emulator, journal).batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    record = job.context.session.records.stores.journal(journal)
    day = day_of(job.batch.at)
    assert record.spent(day, local=True).usd == job.jobs[0].cost_most > 0
    job.cancel()
    assert (job.cost, record.spent(day, local=True).usd) == (0.0, 0.0)


def test_rows_that_go_again_are_held_to_the_limit_of_the_day_on_which_they_do(emulator, claude, journal):
    # Each answer is cut off, so that it is paid and can go again.
    job = finished(claude.batch([{"n": 0}], PROMPT, to=TO, max_tokens=5, name="labels"))
    limit = job.jobs[0].cost_most
    limited = find_batch(make_claude(emulator, journal=journal, max_daily_cost=limit)._session, "labels")
    later, _ = at_day(limited, 2)
    finished(later.retry()).result()
    with pytest.raises(errors.CostLimitExceeded, match="daily limit"):
        later.retry()
    next_day, _ = at_day(limited, 3)
    assert len(next_day.retry().jobs) == 3


def test_what_a_batch_cost_stays_in_the_journal_while_rows_that_go_again_are_under_way(
    emulator, claude, journal
):
    """Also where all was counted in between, and the days for which calls are kept are over."""
    emulator.batches.fails = lambda _: True
    job = finished(claude.batch([{"n": 0}], PROMPT, to=TO, max_tokens=100))
    job.result()
    later, _ = at_day(job, 2)
    later.retry()
    database = claude._session.records.stores.journal(journal).database
    after = date.fromisoformat(day_of(job.batch.at + 9 * DAY))
    database.write(lambda connection: drop_old(connection, after, Keep(days=1), 100))
    assert [row["state"] for row in rows(path=journal)] == ["done", "sent"]
    finished(later).result()
    database.write(lambda connection: drop_old(connection, after, Keep(days=1), 100))
    assert rows(path=journal) == []


SEARCH = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}
TOOL = {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}
# What decides the worst case of a row: its text, what is attached, what is cached, and tools of the service.
KINDS = {
    "a text": {},
    "a long answer": {"max_tokens": 20_000},
    "a picture": {"attach": ["small.png"]},
    "a PDF": {"attach": ["paper.pdf"]},
    "a cached text": {"system": "Be brief. " * 3_000, "cache": True},
    "tools of the user": {"set": TOOL},
    "a search by the service": {"set": SEARCH},
}


@pytest.fixture
def attached(tmp_path, monkeypatch):
    """A folder with a small picture and a PDF of one page."""
    from PIL import Image
    from pypdf import PdfWriter

    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (200, 200)).save("small.png")
    writer = PdfWriter()
    writer.add_blank_page(100, 100)
    writer.write("paper.pdf")


@pytest.mark.usefixtures("attached")
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_row_costs_at_most_half_of_what_it_costs_at_most_in_a_map(emulator, claude, options):
    """By the same rules, whatever it holds; and not known in batch is what is not known live."""
    emulator.batches.fails = lambda _: True
    given = {"model": "claude-sonnet-5-5", "max_tokens": 200, "force": True, **options}
    mapped = row_questions(
        read_rows([{"n": 1}]), PROMPT, claude._session.target({**given, "region": "us-east5"}), scope=None
    )
    live, catalog = mapped.first.request, mapped.target.catalog
    expected = worst_case(live, catalog, token_bound(live, catalog))
    job = claude.batch([{"n": 1}], PROMPT, to=TO, **given)
    (first,) = job.jobs
    if expected is None:
        assert first.cost_most is None
    else:
        # A row is not streamed, and a token has at least one byte.
        assert expected / 2 * 0.98 < first.cost_most <= expected / 2
    # And so when it goes again, from the file.
    again = finished(job).retry().jobs[1]
    assert again.cost_most == first.cost_most


@pytest.mark.parametrize("limit", ["max_cost", "max_session_cost", "max_daily_cost"])
def test_a_batch_whose_cost_is_not_known_crosses_every_limit_also_when_it_goes_again(
    emulator, claude, journal, limit
):
    with pytest.raises(errors.CostLimitExceeded, match="not known"):
        claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200, set=SEARCH, **{limit: 1_000})
    emulator.batches.fails = lambda _: True
    finished(claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200, set=SEARCH, name="labels"))
    limited = find_batch(make_claude(emulator, journal=journal, **{limit: 1_000})._session, "labels")
    with pytest.raises(errors.CostLimitExceeded, match="not known"):
        limited.retry()
    assert len(created(emulator)) == 1


@pytest.mark.parametrize("limit", ["max_cost", "max_session_cost", "max_daily_cost"])
@pytest.mark.parametrize("rows_per_job", [None, 1, 2])
def test_a_limit_is_compared_with_all_jobs_of_a_batch_together(emulator, claude, most, limit, rows_per_job):
    """In how many jobs its rows go changes neither whether it is refused nor what is said."""
    table = [{"n": number} for number in range(1, 6)]
    options = {"to": TO, "max_tokens": 200, "rows_per_job": rows_per_job}
    with pytest.raises(errors.CostLimitExceeded) as caught:
        claude.batch(table, PROMPT, **options, **{limit: 4.9 * most})
    assert caught.value.message.startswith(
        f"This batch may cost up to {usd_estimate(5 * most)} (an estimate, at half price)"
    )
    assert "fewer rows" in caught.value.cure
    claude.batch(table, PROMPT, **options, **{limit: 5.1 * most})


@pytest.mark.usefixtures("attached")
def test_small_pictures_do_not_keep_a_batch_from_its_limit(emulator, claude):
    claude.batch(
        pd.DataFrame({"n": range(10)}), PROMPT, to=TO, attach=["small.png"], max_tokens=100, max_cost=0.2
    )
    assert len(created(emulator)) == 1


@pytest.fixture
def most(emulator, tmp_path):
    """What a batch of one row may cost at most."""
    other = make_claude(emulator, journal=str(tmp_path / "other.sqlite3"))
    return other.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200).jobs[0].cost_most


SECOND = {
    "a batch": lambda claude: claude.batch([{"n": 2}], PROMPT, to=TO, max_tokens=200),
    "a question": lambda claude: claude.ask("Hello", max_tokens=200),
}


@pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
def test_what_a_batch_may_cost_is_reserved_of_the_day_before_its_upload_begins(
    emulator, journal, most, second
):
    """So that another kernel, whose question comes while the files go up, does not spend the same."""
    limited = [make_claude(emulator, journal=journal, max_daily_cost=1.01 * most) for _ in range(2)]
    refused = []

    def meanwhile(_):
        with pytest.raises(errors.CostLimitExceeded, match="daily limit") as caught:
            second(limited[1])
        refused.append(caught.value)

    sent_and_meanwhile(emulator, limited[0], journal, "WRITING", meanwhile)
    assert len(refused) == 1
    assert [row["cost_most"] for row in rows(path=journal)] == [most]
    # One was to measure.
    assert len(created(emulator)) == 2


def test_what_was_reserved_for_a_batch_is_free_again_if_its_upload_fails(emulator, journal, most):
    """Of the day and of the session; also where rows go again."""
    limits = {"max_daily_cost": 1.01 * most, "max_session_cost": 1.01 * most}
    claude = make_claude(emulator, journal=journal, **limits)
    emulator.batches.fails = lambda _: True
    for _ in range(3):
        # The bucket is asked, and the upload is refused.
        emulator.fail(Fault(), 403)
        with pytest.raises(errors.PermissionDenied):
            claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200)
    job = finished(claude.batch([{"n": 1}], PROMPT, to=TO, max_tokens=200))
    job.result()
    for _ in range(3):
        retried_in_vain(emulator, job)
    job.retry()
    assert [row["cost"] for row in rows(path=journal)] == [0, None]
    # One was to measure.
    assert len(created(emulator)) == 3
