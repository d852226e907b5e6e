"""Lines of results as columns: each in the row of its id, once, with what it took and cost; no job is needed for that."""

from __future__ import annotations

import json
from functools import partial

import pytest

from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.tables.batch.lines import row_of
from vertex_claude_magic.tables.batch.results import Cells, Results, read_results
from vertex_claude_magic.tables.columns import added_columns
from vertex_claude_magic.vertex.reply import Usage

HAIKU = Catalog.load().find("claude-haiku-5-5")
COLUMNS = ["answer", "error", "stop_reason", "input_tokens", "output_tokens", "cost"]


def results(rows=3, *, model=HAIKU, location="us") -> Results:
    place = partial(row_of, "b")
    return Results(place, added_columns(None), rows, model, location, typed=None)


def message(text="Yes.", *, stop_reason="end_turn", **usage):
    usage = {"input_tokens": 1_000, "output_tokens": 100, **usage}
    return {"content": [{"type": "text", "text": text}], "stop_reason": stop_reason, "usage": usage}


def line(row, response=None, **more) -> bytes:
    return json.dumps(
        {"custom_id": f"b-{row}", "response": message() if response is None else response, **more}
    ).encode()


def row(found: Results, place: int) -> dict:
    return {name: found.values[name][place] for name in COLUMNS}


# 1,000 x 0.10 + 100 x 0.50, in millionths, with 10 % for the location; half of it in batch.
COST = 0.0000825
YES = dict(zip(COLUMNS, ["Yes.", None, "end_turn", 1_000, 100, COST], strict=True))
EMPTY = dict.fromkeys(COLUMNS)


def test_a_result_goes_to_the_row_of_its_id_in_whatever_order_it_comes():
    """With what was used together, and its cost."""
    found = results()
    used, cost = read_results(found, iter([line(2, message("Two.")), line(0, message("Zero."))]))
    assert [row(found, place)["answer"] for place in range(3)] == ["Zero.", None, "Two."]
    assert row(found, 0) == {**YES, "answer": "Zero."}
    assert (list(found.known), found.lines, found.unassigned) == ([1, 0, 1], 2, 0)
    assert used == Usage(input_tokens=2_000, output_tokens=200)
    assert cost == pytest.approx(2 * COST)


def test_all_kinds_of_tokens_are_summed():
    """What was written to the cache for an hour costs more than for five minutes."""
    cached = message(
        cache_creation_input_tokens=50, cache_read_input_tokens=7, cache_creation={"ephemeral_1h_input_tokens": 40}
    )  # fmt: skip
    used, _ = read_results(results(), iter([line(0, cached), line(1), line(2, cached)]))
    assert (used.input_tokens, used.output_tokens) == (3_000, 300)
    assert (used.cache_creation_input_tokens, used.cache_read_input_tokens) == (100, 14)
    assert used.cache_creation.ephemeral_1h_input_tokens == 80


# Lines that belong to no row, and how many of them count as such; a blank one says nothing.
STRANGERS = [
    (b'{"custom_id": "other-0", "response": {}}', 1),
    (b'{"custom_id": "b-3", "response": {}}', 1),
    (b'{"custom_id": "b--1", "response": {}}', 1),
    (b'{"custom_id": "b-x", "response": {}}', 1),
    (b'{"custom_id": null}', 1),
    (b'{"response": {}}', 1),
    (b"[1]", 1),
    (b"{", 1),
    (b"[" * 100_000, 1),
    (b"", 0),
    (b"  \n", 0),
]


@pytest.mark.parametrize(("content", "unassigned"), STRANGERS, ids=[repr(each[:40]) for each, _ in STRANGERS])
def test_a_line_of_no_row_is_counted_and_changes_none(content, unassigned):
    """The others are read all the same."""
    found = results()
    read_results(found, iter([content, line(1)]))
    assert (found.unassigned, found.lines) == (unassigned, 2)
    assert [row(found, place) for place in range(3)] == [EMPTY, YES, EMPTY]


def test_of_two_lines_of_a_row_in_one_job_the_first_counts():
    """It is paid once."""
    found = results()
    _, cost = read_results(found, iter([line(0), line(0, message("No."))]))
    assert row(found, 0) == YES
    assert cost == COST


def test_a_later_job_takes_the_place_of_what_an_earlier_one_left():
    """An error, and the tokens of an answer that was cut off."""
    found = results()
    read_results(
        found, iter([line(0, message("Y", stop_reason="max_tokens")), line(1, {}, status="Busy."), line(2)])
    )
    assert row(found, 0)["error"] == "AnswerTruncated: The answer was cut off at max_tokens."
    assert row(found, 1) == {**EMPTY, "error": "RowFailed: Busy."}
    assert list(found.failed()) == [0, 1]
    read_results(found, iter([line(0, {}, status="Busy."), line(1)]))
    assert [row(found, place) for place in range(3)] == [{**EMPTY, "error": "RowFailed: Busy."}, YES, YES]


# The response and the status of a row without an answer, and what its error says.
FAILED = [
    ({}, "Quota exceeded.", "Quota exceeded."),
    ({"content": "Yes."}, "", "the result contains no message"),
    ("", json.dumps({"error": {"message": "Too long."}}), "Too long."),
    ("{", json.dumps({"error": "Too long."}), '{"error": "Too long."}'),
    ("[1]", "[1]", "[1]"),
    (None, None, "the result contains no message"),
]


@pytest.mark.parametrize(("response", "status", "said"), FAILED)
def test_a_row_without_a_message_says_why(response, status, said):
    """In the words of the service; it took nothing."""
    found = results()
    content = json.dumps({"custom_id": "b-1", "response": response, "status": status}).encode()
    assert read_results(found, iter([content])) == (Usage(), 0.0)
    assert row(found, 1) == {**EMPTY, "error": f"RowFailed: {said}"}


def test_a_response_may_be_a_text_of_json():
    """As BigQuery has it."""
    found = results()
    read_results(found, iter([line(0, json.dumps(message()))]))
    assert row(found, 0) == YES


@pytest.mark.parametrize(
    ("model", "usage"), [(None, {}), (HAIKU, {"output_tokens": None})], ids=["no price", "not counted"]
)
def test_a_cost_that_is_not_known_makes_the_sum_unknown(model, usage):
    """And is not taken for nothing."""
    found = results(model=model)
    _, cost = read_results(found, iter([line(0, message(**usage)), line(1)]))
    assert (row(found, 0)["answer"], row(found, 0)["cost"], cost) == ("Yes.", None, None)


def test_rows_that_ask_the_same_have_the_outcome_of_the_first_and_no_cost():
    """As long as that is not known they have none."""
    found = results(6)
    read_results(found, iter([line(0), line(1, {}, status="Busy.")]))
    for first, copy in ((0, 3), (1, 4), (2, 5)):
        found.copy(first, [copy])
    assert row(found, 3) == {**YES, "input_tokens": 0, "output_tokens": 0, "cost": 0.0}
    assert row(found, 4) == {**EMPTY, "error": "RowFailed: Busy."}
    assert row(found, 5) == EMPTY
    assert list(found.known) == [1, 1, 0, 1, 1, 0]


@pytest.mark.parametrize(
    ("kind", "value"), [("integer", 2**62), ("number", 0.5), ("boolean", False), ("string", "a")]
)
def test_a_column_that_is_filled_is_a_sequence(kind, value):
    """In which a value may be missing, may be taken back, and is never one that was not given."""
    cells = Cells(kind, 4)
    cells[1] = cells[2] = value
    cells[2] = None
    assert (len(cells), list(cells), cells[:2], cells[-3]) == (
        4,
        [None, value, None, None],
        [None, value],
        value,
    )
