"""`%%claude_batch` and `%claude_batch`: send, list, look, wait, cancel, collect, send failures again."""

from __future__ import annotations

import json

import pandas as pd
import polars as pl
import pytest
from shells import StoppingPage, loaded_shell

from vertex_claude_magic import errors
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.tables.batch.job import BatchJob

CELL = "%%claude_batch labels reviews --to gs://rows/run -m sonnet --rows-per-job 2\nIs this good? {{ text }}"


@pytest.fixture(autouse=True)
def table(shell, claude_emulator):
    claude_emulator.buckets.make("rows", "us-east5")
    claude_emulator.batches.looks = 0
    shell.ip.user_ns["reviews"] = pd.DataFrame({"text": ["a", "b", "c"]}, index=[7, 8, 9])


def other_kernel(shell):
    """A shell that shares nothing with the first one but the journal."""
    return loaded_shell(shell.emulator)


def end(job):
    job.wait(pause=lambda _: None)


def test_a_cell_sends_the_rows_and_puts_the_jobs_into_the_variable(shell):
    shell.ok(CELL)
    job = shell.ip.user_ns["labels"]
    assert isinstance(job, BatchJob)
    assert (job.name, job.rows, len(job.jobs)) == ("labels", 3, 2)
    assert "3 rows" in shell.page.text
    assert "files in gs://rows/run/claude-batch-" in shell.page.text
    assert "estimate, at half price" in shell.page.text


@pytest.mark.parametrize(("model", "locations", "said"), [
    ("sonnet", [], ""),
    ("sonnet", ["us-east5"], ""),
    ("sonnet", ["europe-west1"], "No source says whether Claude Sonnet 5.5 takes batches in us-east5; if it does not, the job fails."),
    ("haiku", [], "No source says whether Claude Haiku 5.5 takes batches; if it does not, the job fails."),
])  # fmt: skip
def test_a_batch_says_what_is_not_known_of_it_and_of_no_other(shell, tmp_path, model, locations, said):
    """A note that every batch has would be read by nobody; it is sent all the same."""
    changed = tmp_path / "models.json"
    batch = {**Catalog.load().services["batch"], "locations": locations}
    changed.write_text(json.dumps({"services": {"batch": batch}}))
    shell.ok(f"%config ClaudeMagics.models_file = {str(changed)!r}")
    shell.ok(CELL.replace("sonnet", model))
    assert ("No source says" in shell.page.text) == bool(said)
    assert said in shell.page.text
    assert len(shell.ip.user_ns["labels"].jobs) == 2


def test_another_kernel_lists_follows_and_collects_it(shell):
    shell.ok(CELL)
    later = other_kernel(shell)
    later.ok("%claude_batch")
    assert "labels" in later.page.text
    later.ok("%claude_batch labels")
    end(later.ip.user_ns["labels"])
    later.ok("%claude_batch labels --wait")
    assert "SUCCEEDED" in later.page.text
    later.ip.user_ns["reviews"] = shell.ip.user_ns["reviews"]
    later.ok("%claude_batch labels --collect frame")
    frame = later.ip.user_ns["frame"]
    assert list(frame.index) == [7, 8, 9]
    assert list(frame.columns[:2]) == ["text", "answer"]
    assert frame["error"].isna().all()
    assert "frame has the table with the answers" in later.page.text


COLLECT = "%claude_batch labels --collect FRAME puts its answers into FRAME."


def test_a_batch_that_has_ended_says_how_its_answers_are_read(shell):
    """And not while it runs, nor once they were."""
    shell.ok(CELL)
    shell.ok("%claude_batch labels")
    assert COLLECT not in shell.page.text
    end(shell.ip.user_ns["labels"])
    for line in ("%claude_batch labels", "%claude_batch labels --wait"):
        shell.ok(line)
        assert COLLECT in shell.page.text
    for line in ("%claude_batch labels --collect frame", "%claude_batch labels"):
        shell.ok(line)
        assert COLLECT not in shell.page.text


TYPE = """
from pydantic import BaseModel

class Score(BaseModel):
    value: int = 5
"""


def test_another_kernel_looks_the_type_of_the_answers_up_whenever_it_collects(shell):
    shell.ok(TYPE)
    shell.emulator.answer("{}", '{"value": "7"}', '{"value": 8}')
    shell.ok(CELL.replace("\n", " --as Score\n"))
    end(shell.ip.user_ns["labels"])
    later = other_kernel(shell)
    later.ok("%claude_batch labels --collect frame")
    assert "by the schema alone, because the type Score is not defined here" in later.page.text
    # The second one is text, and whether the type takes it nobody here knows.
    assert later.page.text.rpartition("1 row has an error.")[1]
    assert "--retry-failed" not in later.page.text
    error = later.error("%claude_batch labels --retry-failed")
    assert "1 row has an answer that only the type Score can check" in str(error)
    later.ok(TYPE)
    later.ok("%claude_batch labels --collect frame")
    assert list(later.ip.user_ns["frame"]["value"]) == [5, 7, 8]
    assert "schema alone" not in later.page.text


def test_rows_of_which_only_the_type_could_tell_are_named_where_others_are_sent_again(shell):
    shell.ok(TYPE)
    shell.emulator.answer("no JSON", '{"value": "7"}', '{"value": 8}')
    shell.ok(CELL.replace("\n", " --as Score\n"))
    end(shell.ip.user_ns["labels"])
    later = other_kernel(shell)
    later.ok("%claude_batch labels --collect frame")
    assert (
        "2 rows have an error. %claude_batch labels --retry-failed sends 1 of them again." in later.page.text
    )
    later.ok("%claude_batch labels --retry-failed")
    assert "which is not defined here as it was sent. It was not sent again." in later.page.text
    assert [each.rows for each in later.ip.user_ns["labels"].jobs] == [2, 1, 1]


def test_without_its_table_the_result_has_the_numbers_of_the_rows(shell):
    shell.ok(CELL)
    later = other_kernel(shell)
    later.ip.user_ns["reviews"] = pd.DataFrame({"text": ["other"]})
    later.ok("%claude_batch labels")
    end(later.ip.user_ns["labels"])
    later.ok("%claude_batch labels --collect frame")
    assert list(later.ip.user_ns["frame"]["row"]) == [0, 1, 2]
    assert "not at hand" in later.page.text


@pytest.mark.parametrize("frame", ["frame", "reviews"])
def test_a_table_that_was_changed_in_place_since_is_collected_as_it_was_sent(shell, frame):
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    shell.ip.user_ns["reviews"]["text"] = "changed"
    shell.ok(f"%claude_batch labels --collect {frame}")
    assert list(shell.ip.user_ns[frame]["text"]) == ["a", "b", "c"]
    assert shell.ip.user_ns[frame]["error"].isna().all()
    assert f"{frame} has the table as it was sent, with the answers." in shell.page.text


def test_a_lazy_table_is_computed_once_and_not_again_when_it_is_collected(shell):
    computed = []
    lazy = pl.LazyFrame({"text": ["a", "b", "c"]}).map_batches(lambda frame: computed.append(1) or frame)
    shell.ip.user_ns["reviews"] = lazy
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    before = len(computed)
    shell.ok("%claude_batch labels --collect frame")
    assert shell.ip.user_ns["frame"]["text"].to_list() == ["a", "b", "c"]
    assert len(computed) == before


@pytest.mark.parametrize("kernel", [lambda shell: shell, other_kernel], ids=["its kernel", "another kernel"])
@pytest.mark.parametrize("frame", ["frame", "reviews"])
def test_columns_that_the_table_got_since_are_in_the_result(shell, kernel, frame):
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    later, reviews = kernel(shell), shell.ip.user_ns["reviews"]
    reviews["stars"] = [1, 2, 3]
    later.ip.user_ns["reviews"] = reviews
    later.ok(f"%claude_batch labels --collect {frame}")
    assert list(later.ip.user_ns[frame].columns[:3]) == ["text", "stars", "answer"]


@pytest.mark.parametrize("kernel", [lambda shell: shell, other_kernel], ids=["its kernel", "another kernel"])
@pytest.mark.parametrize("frame", ["frame", "reviews"])
def test_a_column_of_the_users_own_is_not_overwritten_and_the_cure_keeps_both(shell, kernel, frame):
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    later, reviews = kernel(shell), shell.ip.user_ns["reviews"]
    reviews["answer"] = ["my", "own", "notes"]
    later.ip.user_ns["reviews"] = reviews
    error = later.error(f"%claude_batch labels --collect {frame}")
    assert "The table already has the column answer" in str(error)
    assert "Rename it in the table" in error.cure
    assert list(later.ip.user_ns["reviews"].columns) == ["text", "answer"]
    later.ok("reviews = reviews.rename(columns={'answer': 'notes'})")
    # The second time over what the first time gave.
    for _ in range(2):
        later.ok(f"%claude_batch labels --collect {frame}")
        assert list(later.ip.user_ns[frame].columns[:3]) == ["text", "notes", "answer"]
        assert list(later.ip.user_ns[frame]["notes"]) == ["my", "own", "notes"]


def test_failed_rows_are_sent_again_and_no_other(shell):
    shell.emulator.batches.fails = lambda name: name.endswith("-1")
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    shell.ok("%claude_batch labels --collect frame")
    assert "1 row has an error. %claude_batch labels --retry-failed sends it again." in shell.page.text
    shell.emulator.batches.fails = lambda _: False
    shell.ok("%claude_batch labels --retry-failed")
    job = shell.ip.user_ns["labels"]
    assert [each.rows for each in job.jobs] == [2, 1, 1]
    end(job)
    shell.ok("%claude_batch labels --collect frame")
    assert shell.ip.user_ns["frame"]["error"].isna().all()


def test_a_frame_is_kept_whose_results_were_deleted(shell):
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    shell.ok("%claude_batch labels --collect frame")
    frame, buckets = shell.ip.user_ns["frame"], shell.emulator.buckets
    for name in buckets.names("rows"):
        buckets.delete("rows", name)
    error = shell.error("%claude_batch labels --collect frame")
    assert "The results of the jobs 1, 2 are gone: no line of 3 answered rows" in str(error)
    assert shell.ip.user_ns["frame"] is frame
    assert "--retry-failed" not in f"{error} {error.cure} {shell.page.text}"


def test_an_error_stands_alone(shell):
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    error = shell.error("%claude_batch labels --retry-failed")
    assert "None of the rows sent has failed" in str(error)
    assert shell.page.text == ""


def test_a_wrong_variable_is_refused_before_anything_is_read(shell):
    """So that no empty output stays above the error."""
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    requests = len(shell.emulator.requests)
    assert "'1x' is not a valid variable name" in str(shell.error("%claude_batch labels --collect 1x"))
    assert "'class' is a reserved name" in str(shell.error("%claude_batch labels --collect class"))
    assert shell.page.messages == []
    assert len(shell.emulator.requests) == requests


def test_cancel_ends_the_jobs(shell):
    shell.ok(CELL)
    shell.ok("%claude_batch labels --cancel")
    assert "CANCELLED" in shell.page.text


def test_the_list_has_no_column_for_jobs_where_each_batch_is_one(shell):
    """And what belongs together is one below the other, so that it fits into half a window."""
    shell.ok(CELL.replace("--rows-per-job 2", ""))
    shell.ok("%claude_batch")
    head = shell.page.text.splitlines()[1]
    assert head.split() == ["Batch", "State", "Rows", "Done", "Failed", "Model", "Begun"]
    assert "claude-sonnet-5-5<br>" in shell.page.outputs[-1]["text/html"]
    shell.ok(CELL)
    shell.ok("%claude_batch")
    assert "Jobs" in shell.page.text.splitlines()[1]


def test_where_there_is_nothing_to_cancel_that_is_said(shell):
    """Its state alone would look as if it had been cancelled just now."""
    shell.ok(CELL)
    end(shell.ip.user_ns["labels"])
    said = "There was nothing to cancel: it had ended."
    shell.ok("%claude_batch labels")
    assert said not in shell.page.text
    shell.ok("%claude_batch labels --cancel")
    assert "SUCCEEDED" in shell.page.text
    assert said in shell.page.text


def test_a_batch_that_is_cancelled_does_not_say_so(shell):
    """Nor one that ended since its state was last asked for; once cancelled it cannot be cancelled again."""
    shell.ok(CELL)
    said = "There was nothing to cancel: it had ended."
    shell.ok("%claude_batch labels --cancel")
    assert said not in shell.page.text
    end(shell.ip.user_ns["labels"])
    shell.ok("%claude_batch labels --cancel")
    assert "CANCELLED" in shell.page.text
    assert said in shell.page.text


def test_pages_and_the_dry_run_agree_on_rows_that_ask_the_same(shell):
    shell.ip.user_ns["reviews"] = pd.DataFrame({"text": ["a", "b", "a", b"x", "a"]})
    shell.ok(CELL.replace("\n", " --dry-run\n"))
    assert "5 rows, 2 to ask (2 the same as another row, 1 cannot be sent), about" in shell.page.text
    shell.ok(CELL.replace("--rows-per-job 2", ""))
    assert "2 rows ask the same as an earlier row, whose answer they get." in shell.page.text
    end(shell.ip.user_ns["labels"])
    shell.ok("%claude_batch labels --collect frame")
    assert "5 rows (3 different), 2 done, 1 failed" in shell.page.text
    assert list(shell.ip.user_ns["frame"]["error"].isna()) == [True, True, True, False, True]
    shell.ok("%claude_batch")
    assert "5 (3 different)" in shell.page.text


def test_a_dry_run_sends_nothing(shell):
    shell.ok(CELL.replace("-m sonnet", "-m sonnet --dry-run"))
    assert "labels" not in shell.ip.user_ns
    assert shell.emulator.buckets.names("rows") == []


SOURCE = "%%claude_batch labels bq://emulator-project.rows.asked --to gs://rows/run -m sonnet"


@pytest.fixture
def requests(shell):
    message = {"role": "user", "content": "Is this good?"}
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 400, "messages": [message]}
    rows = [{"custom_id": name, "request": body} for name in "xyz"]
    shell.emulator.tables.add("emulator-project.rows.asked", rows)


@pytest.mark.usefixtures("requests")
def test_finished_requests_in_bigquery_need_no_body(shell):
    shell.ok(SOURCE)
    end(shell.ip.user_ns["labels"])
    shell.ok("%claude_batch labels --collect frame")
    assert "frame has the custom_id of each row and its answer." in shell.page.text
    assert list(shell.ip.user_ns["frame"]["custom_id"]) == list("xyz")


@pytest.mark.usefixtures("requests")
def test_a_dry_run_of_finished_requests_sends_nothing(shell):
    shell.ok(f"{SOURCE} --dry-run\n")
    assert "3 rows in bq://emulator-project.rows.asked" in shell.page.text
    assert "an estimate, at half price" in shell.page.text
    assert "labels" not in shell.ip.user_ns


@pytest.mark.usefixtures("requests")
@pytest.mark.parametrize("cell", [CELL, f"{SOURCE}\n"], ids=["rows", "finished requests"])
def test_a_stop_at_any_moment_leaves_no_page_that_says_what_is_being_done(shell, cell):
    """And once the rows are up, the variable has the batch: `%claude_batch NAME` goes on with it, not with a former one."""
    shell.ok(CELL)
    former = shell.ip.user_ns["labels"]
    end(former)
    later = []
    for moment in range(1, 20):
        shell.ip.user_ns["labels"] = former
        page = shell.page = shell.ip.display_pub = StoppingPage()
        page.stops = frozenset([moment])
        error = shell.ip.run_cell(cell).error_in_exec
        assert "…" not in page.text
        if error is None:
            break
        assert isinstance(error, errors.ClaudeInterrupt)
        job = shell.ip.user_ns["labels"]
        assert ("The rows are up" in str(error)) == (job is not former)
        if job is not former:
            later.append(moment)
            assert f"{job.rows} rows" in page.text
            shell.ok("%claude_batch labels")
            assert "WAITING" not in shell.page.text
            end(job)
    assert later
    assert moment < 19


def test_an_error_behind_the_upload_leaves_the_batch_in_the_variable(shell):
    """Its cure names the variable, which may hold a former batch."""
    shell.ok(CELL)
    former = shell.ip.user_ns["labels"]
    # The bucket is asked, the file goes up, the job is refused.
    shell.emulator.fail(Fault(), Fault(), 403)
    error = shell.error(CELL.replace("--rows-per-job 2", ""))
    assert "The rows are up; %claude_batch labels creates the jobs." in error.cure
    assert shell.page.text == ""
    assert shell.ip.user_ns["labels"] is not former
    shell.ok("%claude_batch labels")
    assert "QUEUED" in shell.page.text


REFUSED = [
    ("%claude_batch nosuch", "No batch named 'nosuch'"),
    ("%claude_batch --wait", "batch name is missing"),
    ("%claude_batch a b", "more than one variable name"),
    ("%claude_batch labels --cancel --wait", "cannot be combined with"),
    ("%%claude_batch labels\nx", "is missing the table"),
    ("%%claude_batch labels reviews\n{{ text }}", "--to gs://bucket/prefix"),
    ("%%claude_batch labels nosuch --to gs://rows/x\n{{ text }}", "No variable named 'nosuch'"),
    ("%%claude_batch labels reviews --to gs://rows/x --wait\n{{ text }}", "does not take --wait"),
    ("%%claude_batch labels reviews --to gs://rows/x --timeout 5\n{{ text }}", "does not take --timeout"),
    ("%%claude_batch labels reviews --to gs://rows/x --max-active 5\n{{ text }}", "--max-active"),
    (f"{SOURCE}\n{{{{ text }}}}", "so there is no prompt"),
    (f"{SOURCE} --as int\n", "so --as has no effect"),
    ("%%claude_batch labels bq://a.b --to gs://rows/x\n", "not a BigQuery table"),
]


@pytest.mark.parametrize(("cell", "words"), REFUSED)
def test_what_cannot_be_is_said_in_one_line(shell, cell, words):
    error = shell.error(cell)
    assert isinstance(error, errors.OptionError)
    assert words in str(error)


def test_what_a_server_says_is_escaped(shell):
    shell.ok(CELL)
    job = shell.ip.user_ns["labels"]
    import dataclasses

    (first, *_) = job.jobs
    job.context.batches.save(dataclasses.replace(first, error="<script>alert(1)</script>"))
    from vertex_claude_magic.notebook.pages.batch import job_page

    html, _ = job_page(job)
    assert "<script" not in html


def test_help_names_the_options(shell):
    shell.ok("%claude_batch --help")
    assert "--retry-failed" in shell.page.text
