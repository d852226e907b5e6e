"""A prompt over a table: rows asked once, faults, limits, resume and interrupt (cases 74 to 83), on three libraries."""

from __future__ import annotations

import _thread
import io
import itertools
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from journals import rows as journal_rows
from PIL import Image
from shells import ROOT, run_python

from vertex_claude_magic import Claude, ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.tables.progress import Bar, Progress
from vertex_claude_magic.transport.retry import RetryPolicy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def client(claude_emulator, tmp_path):
    return Claude(
        project=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
        journal=str(tmp_path / "journal.sqlite3"),
        model="claude-haiku-4-5",
        max_tokens=1000,
    )


def texts(count: int) -> dict[str, list[str]]:
    return {"text": [f"row {number}" for number in range(count)]}


def column(table, name: str) -> list:
    """A column of any library as Python values, None for a missing one."""
    if isinstance(table, list):
        return [row[name] for row in table]
    values = table[name].to_pylist() if hasattr(table[name], "to_pylist") else table[name].to_list()
    return [None if value is pd.NA else value for value in values]


def asked(emulator) -> list[str]:
    """The rows that came in, as the emulator saw them, oldest first."""
    bodies = [each.body for each in emulator.requests if "Predict" in each.path]
    found = [str(body["messages"][0]["content"]) for body in bodies if "model" not in body]
    return [re.findall(r"row \d+", text)[-1] for text in found]


def run(client, table, prompt="Repeat {{ text }}", **options):
    return client.map(table, prompt, progress=False, **options)


# Answers and their columns


def test_every_row_has_its_own_answer_in_order(client, claude_emulator, make_table):
    """With tokens and cost; the error of a good row is null."""
    out = run(client, make_table(texts(40)), max_active=8)
    assert type(out) is type(make_table(texts(1)))
    for number, answer in enumerate(column(out, "answer")):
        assert f">row {number}</data>" in answer
    assert column(out, "error") == [None] * 40
    assert set(column(out, "stop_reason")) == {"end_turn"}
    assert all(tokens > 0 for tokens in column(out, "input_tokens") + column(out, "output_tokens"))
    assert all(0 < usd < 0.1 for usd in column(out, "cost"))
    assert sorted(asked(claude_emulator)) == sorted(texts(40)["text"])


@pytest.mark.parametrize(
    ("options", "streamed"),
    [({"max_tokens": 1000}, False), ({"max_tokens": 1001}, True), ({"set": {"max_tokens": 9000}}, True),
     ({"max_tokens": 4000, "no_stream": True}, False), ({"max_tokens": 900, "set": {"stream": True}}, True)],
)  # fmt: skip
def test_a_short_answer_comes_in_one_piece_and_a_long_one_as_a_stream(
    client, claude_emulator, options, streamed
):
    """Nobody looks at the answers as they come, but a long silence may end a connection."""
    out = run(client, texts_frame(2), **options)
    assert column(out, "error") == [None, None]
    for request in claude_emulator.requests:
        assert ("streamRawPredict" in request.path, "stream" in request.body) == (streamed, streamed)


def test_a_list_of_strings_gives_dicts_and_a_list_of_dicts_too(client):
    """The item comes first."""
    out = run(client, ["row 1", "row 2"], "Repeat {{ item }}")
    assert [list(row) for row in out] == [
        ["item", "answer", "error", "stop_reason", "input_tokens", "output_tokens", "cost"]
    ] * 2
    assert [row["item"] for row in out] == ["row 1", "row 2"]


def test_a_table_without_rows_asks_nothing_and_has_the_columns(client, claude_emulator, make_table):
    """With their types."""
    out = run(client, make_table({"text": []}))
    assert len(out) == 0
    assert column(out, "answer") == []
    assert claude_emulator.requests == []


@pytest.mark.parametrize("answer", ["a\ud83d b", "\udc00", "\0"], ids=["first half", "second half", "NUL"])
@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table, lambda columns: columns["text"]],
                         ids=["pandas", "polars", "pyarrow", "strings"])  # fmt: skip
def test_a_half_character_in_an_answer_becomes_a_replacement_character(client, claude_emulator, make, answer):
    """JSON can spell it and Arrow cannot hold it; all rows are paid by then."""
    claude_emulator.answer("good", answer, "good too")
    table = make(texts(3))
    out = run(client, table, "{{ item }}" if isinstance(table, list) else "{{ text }}", max_active=1)
    replaced = re.sub("[\ud800-\udfff\0]", "\ufffd", answer)
    assert column(out, "answer") == ["good", replaced, "good too"]
    assert column(out, "error") == [None] * 3


@pytest.mark.parametrize(
    "prompt", ["{{ item }}", "{{ item }} beside {{ picture }}", "{{ picture }} of {{ item }}"]
)
def test_a_half_character_in_a_row_becomes_a_replacement_character(client, claude_emulator, prompt):
    """Two halves are a whole one; wherever a picture stands."""
    rows = ["row 1", "row 2 \ud83d", "row 3 \ud83d\ude00"]
    picture = Image.new("RGB", (8, 8))
    client.map(rows, prompt, names={"picture": picture}, progress=False, max_active=1)
    sent = [str(each.body["messages"][0]["content"]) for each in claude_emulator.requests]
    assert [re.findall(r"row \d[^<]*", text) for text in sent] == [
        ["row 1"],
        ["row 2 \ufffd"],
        ["row 3 \U0001f600"],
    ]


class Label(pydantic.BaseModel):
    label: Literal["good", "bad"]
    score: float | None
    n: int


def test_the_fields_of_a_type_are_columns(client, claude_emulator, make_table):
    """And every row of an answer that does not fit is repaired once, then it is a row's error with the raw text."""
    good = '{"label": "good", "score": null, "n": 3}'
    claude_emulator.answer(
        good, f"Here it is:\n```json\n{good}\n```", "no JSON", good, '{"label": "odd"}', "never"
    )
    out = run(client, make_table(texts(4)), as_=Label, max_active=1)
    assert column(out, "label") == ["good", "good", "good", None]
    assert column(out, "n") == [3, 3, 3, None]
    assert column(out, "score") == [None] * 4
    assert column(out, "error")[:3] == [None] * 3
    assert re.match(r"AnswerInvalid: .*The answer was: never", column(out, "error")[3])
    # The repair is part of what the row cost.
    tokens = column(out, "output_tokens")
    assert tokens[2] > tokens[0]


@pytest.mark.parametrize(
    "kind", [dict, dict[str, int], {"type": "object"}], ids=["dict", "dict of", "schema"]
)
def test_data_whose_fields_are_not_known_before_are_one_column(client, claude_emulator, kind):
    """The same columns for each row, and nothing of an answer is lost."""
    claude_emulator.answer('{"good": 3}', '{"bad": 1, "odd": 2}')
    out = run(client, pd.DataFrame(texts(2)), as_=kind, max_active=1)
    assert list(out.columns)[:3] == ["text", "answer", "error"]
    assert column(out, "answer") == [{"good": 3}, {"bad": 1, "odd": 2}]
    assert column(out, "error") == [None, None]


@pytest.mark.parametrize("path", [("text", "x"), ("text", "x", "z")], ids=["two", "three"])
def test_a_table_with_levels_of_columns_has_the_names_of_an_earlier_run(client, claude_emulator, path):
    """So another one over its result is refused, as for any table; it would replace the answers."""
    frame = pd.DataFrame([["row 1"]], columns=pd.MultiIndex.from_tuples([path]))
    prompt = f'Repeat {{{{ row["{path}"] }}}}'
    out = run(client, frame, prompt)
    with pytest.raises(errors.OptionError, match="already has the columns answer, error, stop_reason"):
        run(client, out, prompt)
    assert len(asked(claude_emulator)) == 1


class Split(pydantic.BaseModel):
    """A number in its schema, and a list in its data."""

    score: float

    @pydantic.field_validator("score", mode="wrap")
    @classmethod
    def in_a_list(cls, value, handler):
        number = handler(value)
        return [number] if number < 0 else number


# What no column takes: the type of the answers, an answer that fits it, another one, and what the row says of the first.
UNFIT = {
    "whole": (int, str(2**63), "3", "A whole number of the column 'answer' has more than 64 bits."),
    "large": ({"type": "number"}, "1" + "0" * 400, "3", "A value in the column 'answer' is not of type number."),
    "a list": (Split, '{"score": -1}', '{"score": 1}', "A value in the column 'score' is not of type number."),
    "deep": ({"type": "array"}, "[" * 300 + "]" * 300, "[]", "A value in the column 'answer' is nested too deeply."),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "answer", "other", "error"), UNFIT.values(), ids=UNFIT)
def test_a_row_whose_answer_fits_no_column_has_its_cost_and_its_tokens(
    client, claude_emulator, make_table, kind, answer, other, error
):
    """It is paid all the same, and the other rows have their answers."""
    claude_emulator.answer(answer, other)
    out = run(client, make_table(texts(2)), as_=kind, max_active=1)
    assert column(out, "error") == [f"OptionError: {error}", None]
    assert column(out, "stop_reason") == ["end_turn"] * 2
    assert all(column(out, name)[0] > 0 for name in ("input_tokens", "output_tokens", "cost"))


def test_a_name_that_the_table_has_is_refused_before_anything_is_sent(client, claude_emulator, make_table):
    """And a prefix goes before all added names."""
    table = make_table({**texts(2), "cost": [1, 2]})
    with pytest.raises(errors.OptionError, match="already has the column cost"):
        run(client, table)
    assert claude_emulator.requests == []
    out = run(client, table, prefix="c_")
    assert column(out, "cost") == [1, 2]
    assert len(column(out, "c_answer")) == 2


REFUSED = (
    ({"format": "code"}, "no cell for the code"),
    ({"max_active": 0}, "max_active is 0"),
    ({"on_error": "ignore"}, "not a value of on_error"),
    ({"max_cost": -1.0}, "max_cost is -1.0"),
    ({"limit": 0}, "limit is 0"),
    ({"nosuch": 1}, "no option 'nosuch'"),
    ({"as_": "df"}, "data frame"),
)


@pytest.mark.parametrize(("options", "wanted"), REFUSED, ids=lambda value: str(value)[:30])
def test_an_option_that_makes_no_sense_is_refused_before_anything_is_sent(
    client, claude_emulator, options, wanted
):
    """With a cure."""
    with pytest.raises(errors.OptionError, match=wanted) as failure:
        run(client, texts_frame(2), **options)
    assert failure.value.cure
    assert claude_emulator.requests == []


def texts_frame(count: int) -> pd.DataFrame:
    return pd.DataFrame(texts(count))


def test_only_the_first_rows_are_asked_with_a_limit(client, claude_emulator, make_table):
    """The result has all rows; the others are empty, without an error."""
    out = run(client, make_table(texts(5)), limit=2)
    assert [answer is not None for answer in column(out, "answer")] == [True, True, False, False, False]
    assert column(out, "error") == [None] * 5
    assert sorted(asked(claude_emulator)) == ["row 0", "row 1"]


def test_identical_rows_are_asked_once(client, claude_emulator, make_table):
    """A copy has the answer, no tokens and no cost."""
    out = run(client, make_table({"text": ["row 1", "row 2", "row 1", "row 1"]}), max_active=2)
    assert sorted(asked(claude_emulator)) == ["row 1", "row 2"]
    answers = column(out, "answer")
    assert answers[0] == answers[2] == answers[3] != answers[1]
    assert [tokens == 0 for tokens in column(out, "input_tokens")] == [False, False, True, True]
    assert [usd == 0 for usd in column(out, "cost")] == [False, False, True, True]


# Faults (cases 78, 79, 82)


def test_identical_rows_share_a_failure_too(client, claude_emulator, make_table):
    """Whether it is known when the second one is read, or comes later; the question is asked once."""
    table = make_table({"text": ["row 0", *texts(70)["text"], "row 0"]})
    claude_emulator.answer(Fault(status=400), *["yes"] * 80)
    out = run(client, table, max_active=1)
    failed = [place for place, error in enumerate(column(out, "error")) if error is not None]
    assert failed == [0, 1, 71]
    assert [column(out, "answer")[place] for place in failed] == [None] * 3
    assert len(asked(claude_emulator)) == 70


def test_identical_rows_share_an_answer_that_was_cut_off(client, claude_emulator, make_table):
    """Case 79: it is no answer to either."""
    seen: list[Progress] = []
    out = client.map(
        make_table({"text": ["row 0"] * 3}), "Repeat {{ text }}", max_tokens=5, progress=seen.append
    )
    assert [error.partition(":")[0] for error in column(out, "error")] == ["AnswerTruncated"] * 3
    assert len(set(column(out, "answer"))) == 1
    assert (seen[-1].failed, seen[-1].done) == ({"AnswerTruncated": 3}, 3)
    assert len(asked(claude_emulator)) == 1
    # It was paid once.
    assert column(out, "output_tokens") == [5, None, None]
    assert [tokens is None for tokens in column(out, "input_tokens")] == [False, True, True]
    assert [cost is None for cost in column(out, "cost")] == [False, True, True]


def test_one_poison_row_hurts_only_itself(client, claude_emulator, make_table):
    """Case 79: 400, a refusal, an answer that is cut off; a re-run asks only those again."""
    refusal = {"type": "message", "content": [], "stop_reason": "refusal", "usage": {"output_tokens": 1}}
    cut = {"type": "message", "content": [{"type": "text", "text": "A beginn"}], "stop_reason": "max_tokens",
           "usage": {"output_tokens": 9}}  # fmt: skip
    claude_emulator.answer("zero", Fault(status=400), refusal, cut, "four")
    table = make_table(texts(5))
    out = run(client, table, max_active=1)
    assert column(out, "answer") == ["zero", None, "", "A beginn", "four"]
    kinds = [text and text.partition(":")[0] for text in column(out, "error")]
    assert kinds == [None, "BadRequest", "AnswerRefused", "AnswerTruncated", None]
    assert column(out, "stop_reason") == ["end_turn", None, "refusal", "max_tokens", "end_turn"]
    claude_emulator.answer("one", "two", "three")
    again = run(client, table, max_active=1)
    assert column(again, "answer") == ["zero", "one", "two", "three", "four"]
    assert column(again, "error") == [None] * 5
    assert asked(claude_emulator)[5:] == ["row 1", "row 2", "row 3"]


def test_a_value_that_cannot_go_is_the_error_of_its_row(client, claude_emulator, make_table):
    """Case 74: bytes; nothing of that row is sent, and the others go on."""
    out = run(client, [{"text": "row 0"}, {"text": b"\x00"}, {"text": "row 2"}])
    assert re.match("OptionError: A value of the column 'text' is 1 bytes", column(out, "error")[1])
    assert sorted(asked(claude_emulator)) == ["row 0", "row 2"]


def test_a_secret_in_one_row_keeps_only_that_row_back(client, claude_emulator):
    """It is not repeated in the error."""
    secret = "AKIAIOSFODNN7EXAMPLE"
    out = run(client, [{"text": "row 0"}, {"text": f"key {secret}"}])
    assert column(out, "error")[1].startswith("SecretFound: ")
    assert secret not in str(out[1]["error"])
    assert asked(claude_emulator) == ["row 0"]


FAULTS = (
    Fault(status=429),
    Fault(status=429, headers={"Retry-After": "0.05"}),
    Fault(status=500),
    Fault(status=529),
    Fault(drop=True),
    Fault(cut_after=200),
    Fault(cut_after=200, ending="reset"),
)


@pytest.mark.parametrize(
    "fault", FAULTS, ids=["429", "429 with a wait", "500", "529", "dropped", "cut", "reset"]
)
def test_what_passes_is_asked_again_within_the_run(client, claude_emulator, make_table, fault):
    """Cases 78 and 79: a refusal that names no quota, a failure of the service, a lost connection, a cut stream."""
    claude_emulator.fail(fault, fault)
    out = run(client, make_table(texts(6)), max_active=3)
    assert column(out, "error") == [None] * 6
    assert all(column(out, "answer"))
    assert len(asked(claude_emulator)) == 8


def test_what_concerns_every_row_ends_the_run(client, claude_emulator, make_table):
    """Case 79: no permission; what is done is in the error, and no row is asked in vain."""
    claude_emulator.answer("zero", Fault(status=403), *["never"] * 8)
    with pytest.raises(errors.PermissionDenied) as failure:
        run(client, make_table(texts(9)), max_active=1)
    table = failure.value.details["table"]
    assert column(table, "answer")[:3] == ["zero", None, None]
    assert len(asked(claude_emulator)) == 2


def test_a_refusal_of_every_row_costs_nothing(client, claude_emulator, tmp_path):
    """Those that are under way are refused as well, and are not counted with what their whole answers would cost."""
    claude_emulator.simulate("model_not_enabled")
    with pytest.raises(errors.ModelNotEnabled):
        run(client, texts_frame(40), max_active=16)
    assert {row["cost_most"] for row in journal_rows(path=tmp_path / "journal.sqlite3")} == {0.0}
    assert client._session.records.budget.spent(local=True) == 0


def test_answers_that_end_with_the_error_of_the_run_are_in_its_table(client, claude_emulator):
    """They are paid."""
    claude_emulator.fail(Fault(status=403, delay=0.2))
    with pytest.raises(errors.PermissionDenied) as failure:
        run(client, texts_frame(4), max_active=4)
    answers = column(failure.value.details["table"], "answer")
    assert sum(answer is not None for answer in answers) == 3


def test_a_run_can_stop_at_the_first_failure(client, claude_emulator, make_table):
    """With on_error="stop"; what is done is in the error."""
    claude_emulator.answer("zero", Fault(status=400), "never")
    with pytest.raises(errors.BadRequest) as failure:
        run(client, make_table(texts(3)), max_active=1, on_error="stop")
    assert column(failure.value.details["table"], "answer") == ["zero", None, None]
    assert len(asked(claude_emulator)) == 2


# Limits (case 80)


def test_a_run_stops_before_the_row_that_could_cross_its_limit(client, claude_emulator, make_table, caplog):
    """Case 80: what is done is returned, what was spent is said; with a higher limit only the rest is asked."""
    worst = worst_of(client)
    out = run(client, make_table(texts(9)), max_active=4, max_cost=worst * 1.6)
    done = sum(answer is not None for answer in column(out, "answer"))
    # One was under way at a time, and the answers cost less than their worst case.
    assert 2 <= done < 9
    assert column(out, "error") == [None] * 9
    assert sum(usd or 0 for usd in column(out, "cost")) <= worst * 1.6
    assert re.search(
        r"The next row may cost up to ≈\$[\d.]+ and so could exceed the limit of \$", caplog.text
    )
    before = len(asked(claude_emulator))
    assert before == done
    again = run(client, make_table(texts(9)), max_cost=1.0)
    assert all(column(again, "answer"))
    assert len(asked(claude_emulator)) == 9


def test_a_limit_that_no_row_fits_is_an_error(client, claude_emulator):
    """What would be asked next is what nothing can be done about without another limit."""
    with pytest.raises(errors.CostLimitExceeded, match="Lower max_tokens=, or raise max_cost=") as failure:
        run(client, texts_frame(9), max_cost=worst_of(client) * 0.5)
    assert column(failure.value.details["table"], "answer") == [None] * 9
    assert asked(claude_emulator) == []


def test_rows_that_are_answered_already_pass_a_limit_that_no_row_fits(client, claude_emulator):
    """They cost nothing."""
    run(client, texts_frame(3))
    out = run(client, texts_frame(9), max_cost=worst_of(client) * 0.5)
    assert sum(answer is not None for answer in column(out, "answer")) == 3
    assert len(asked(claude_emulator)) == 3


def test_a_fresh_run_that_stops_at_its_limit_says_how_only_the_rest_is_asked(client, claude_emulator, caplog):
    """Without `fresh`, which would ask all rows again."""
    run(client, texts_frame(9))
    out = run(client, texts_frame(9), max_active=1, max_cost=worst_of(client) * 1.6, fresh=True)
    done = sum(answer is not None for answer in column(out, "answer"))
    assert 2 <= done < 9
    assert "run it again without fresh=True to ask only the rest." in caplog.text
    assert len(asked(claude_emulator)) == 9 + done
    run(client, texts_frame(9), max_cost=1.0)
    assert len(asked(claude_emulator)) == 9 + done


def worst_of(client) -> float:
    from vertex_claude_magic.records.budget import token_bound, worst_case

    request = client.request('Repeat <data name="text">row 1</data>')
    catalog = client._session.target().catalog
    return worst_case(request, catalog, token_bound(request, catalog))


def test_an_answer_that_broke_off_counts_with_its_worst_case_before_it_is_asked_again(
    client, claude_emulator
):
    """It may have been billed to its end."""
    most = worst_of(client)
    claude_emulator.fail(Fault(cut_after=200))
    out = run(client, texts_frame(1), max_cost=1.5 * most)
    assert column(out, "answer") == [None]
    assert len(asked(claude_emulator)) == 1
    claude_emulator.fail(Fault(cut_after=200))
    assert all(column(run(client, texts_frame(1), max_cost=2.5 * most), "answer"))


ODD = '{"label": "odd"}'
ENDINGS = {
    "repaired": (ODD, '{"label": "good", "score": null, "n": 3}'),
    "not repaired": (ODD, "never"),
    "repair refused": (ODD, Fault(status=400)),
    "repair cut off": (ODD, Reply(content="never " * 90, fault=Fault(cut_after=900))),
    "cut off": (Reply(content="never " * 90, fault=Fault(cut_after=900)),) * 4,
    "refused": (Fault(status=400),),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_run_has_cost_what_its_session_has_spent(client, claude_emulator, ending):
    """Every request counts, however its row ended; one whose price is not known with its worst case."""
    claude_emulator.answer(*ending)
    seen: list[Progress] = []
    out = client.map(texts_frame(1), "Repeat {{ text }}", as_=Label, progress=seen.append, max_tokens=4000)
    spent = client._session.records.budget.spent(local=True)
    assert seen[-1].cost == pytest.approx(spent)
    assert (spent > 0) == (ending != ENDINGS["refused"])
    (cost,) = column(out, "cost")
    # A row has the cost of the call that answered it.
    assert cost is None or cost <= spent * 1.000001


@pytest.mark.parametrize(
    ("ending", "error", "stop_reason", "counted"),
    [
        ("not repaired", "AnswerInvalid", "end_turn", True),
        # The service has not said how many tokens it wrote.
        ("cut off", "StreamInterrupted", None, False),
    ],
)
def test_a_row_that_failed_with_an_answer_says_what_that_took(
    claude_emulator, tmp_path, ending, error, stop_reason, counted
):
    """It is paid all the same."""
    claude_emulator.answer(*ENDINGS[ending])
    client = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator",
        journal=str(tmp_path / "j.sqlite3"), model="claude-haiku-4-5", policy=RetryPolicy(retries=0),
    )  # fmt: skip
    seen: list[Progress] = []
    out = client.map(texts_frame(1), "Repeat {{ text }}", as_=Label, progress=seen.append, max_tokens=4000)
    assert column(out, "error")[0].startswith(f"{error}: ")
    assert column(out, "stop_reason") == [stop_reason]
    assert column(out, "input_tokens")[0] > 0
    assert [value is not None for name in ("output_tokens", "cost") for value in column(out, name)] == [
        counted
    ] * 2
    assert (seen[-1].failed, seen[-1].input_tokens) == ({error: 1}, column(out, "input_tokens")[0])


def test_a_row_that_broke_off_leaves_the_others_their_limit(claude_emulator, tmp_path):
    """What it cost is not known, and so the worst case counts; the price of the model is known."""
    client = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator",
        journal=str(tmp_path / "j.sqlite3"), model="claude-haiku-4-5", max_tokens=1000,
        policy=RetryPolicy(retries=0),
    )  # fmt: skip
    claude_emulator.answer(ENDINGS["cut off"][0], "one", "two")
    seen: list[Progress] = []
    options = {"max_active": 1, "max_cost": 1.0, "max_tokens": 4000, "progress": seen.append}
    out = client.map(texts_frame(3), "Repeat {{ text }}", **options)
    assert [error is None for error in column(out, "error")] == [False, True, True]
    assert 0 < seen[-1].cost < 1.0


@pytest.mark.parametrize(
    "limit", [{}, {"max_session_cost": 1.0}, {"max_daily_cost": 1.0}, {"max_cost": 1.0}], ids=str
)
def test_what_is_not_sent_after_all_costs_nothing(tmp_path, limit):
    """A host that gets no token is found out when the request is about to go."""
    client = Claude(
        project="p", base_url="https://gateway.example/v1", access_token="a-token", model="haiku",
        journal=str(tmp_path / "j.sqlite3"), **limit,
    )  # fmt: skip
    for _ in range(2):
        with pytest.raises(errors.UntrustedHost):
            run(client, texts_frame(1))
    spent = client._session.records.spending(client._session.target())
    assert (spent.session.usd, spent.today.usd) == (0.0, 0.0)


@pytest.mark.parametrize("at_once", [1, 4])
def test_the_limit_of_a_run_holds_for_repairs_too(client, claude_emulator, at_once):
    """A repair that could cross it is not asked; what the row has cost is in the table."""
    long = {"type": "message", "content": [{"type": "text", "text": "No."}], "stop_reason": "end_turn",
            "usage": {"input_tokens": 400, "output_tokens": 1000}}  # fmt: skip
    claude_emulator.answer(*[long] * 40)
    most = worst_of(client)
    limit = 6 * most
    out = client.map(
        texts_frame(8), "Repeat {{ text }}", as_=int, max_active=at_once, max_cost=limit, progress=False
    )
    spent = client._session.records.budget.spent(local=True)
    assert limit / 2 < spent <= limit
    assert sum(usd or 0.0 for usd in column(out, "cost")) == pytest.approx(spent)
    kinds = {str(error).partition(":")[0] for error in column(out, "error")}
    assert kinds <= {"AnswerInvalid", "CostLimitExceeded", "None"}


def test_a_limit_and_an_unknown_price_send_nothing(client, claude_emulator):
    """Case 80."""
    with pytest.raises(errors.CostLimitExceeded, match="not known"):
        run(client, texts_frame(3), model="claude-unheard-of-9", max_cost=5.0)
    assert claude_emulator.requests == []


def test_the_limit_of_the_session_stops_a_run_too(claude_emulator, tmp_path, make_table, caplog):
    """Case 80: and what is done is returned."""
    client = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator",
        journal=str(tmp_path / "j.sqlite3"), model="claude-haiku-4-5", max_tokens=1000, max_session_cost=0.015,
    )  # fmt: skip
    out = run(client, make_table(texts(9)), max_active=1)
    done = sum(answer is not None for answer in column(out, "answer"))
    assert 0 < done < 9
    assert "limit of $0.015" in caplog.text


# Resume (cases 75, 76, 77)


@pytest.mark.parametrize("replay", ["off", "refresh", "auto"])
def test_answered_rows_are_not_asked_again_whatever_replay_says(client, claude_emulator, make_table, replay):
    """Resume is not replay; the second time costs nothing and the answers are the same."""
    first = run(client, make_table(texts(7)))
    again = run(client, make_table(texts(7)), replay=replay)
    assert column(again, "answer") == column(first, "answer")
    assert column(again, "input_tokens") == column(first, "input_tokens")
    assert column(again, "cost") == [0.0] * 7
    assert len(asked(claude_emulator)) == 7


def test_fresh_asks_everything_again(client, claude_emulator):
    """And only that does."""
    run(client, texts_frame(3))
    out = run(client, texts_frame(3), fresh=True)
    assert len(asked(claude_emulator)) == 6
    assert all(usd > 0 for usd in column(out, "cost"))


# What happened to the table or the options, and how many rows are asked anew.
CHANGES = (
    ("reordered", {"text": ["row 2", "row 1", "row 0"]}, {}, 0),
    ("appended", texts(4), {}, 1),
    ("shortened", texts(2), {}, 0),
    ("edited", {"text": ["row 0", "row 7", "row 2"]}, {}, 1),
    ("another column", {**texts(3), "more": [1, 2, 3]}, {}, 0),
    ("more at once", texts(3), {"max_active": 3, "max_cost": 9.0, "rpm": 100_000}, 0),
    ("another system prompt", texts(3), {"system": "Be brief."}, 3),
    ("another model", texts(3), {"model": "claude-sonnet-4-5"}, 3),
    ("another length", texts(3), {"max_tokens": 900}, 3),
    ("another prompt", texts(3), {"prompt": "Say {{ text }}"}, 3),
    ("another type", texts(3), {"as_": Label}, 3),
)


@pytest.mark.parametrize(
    ("name", "columns", "options", "more"), CHANGES, ids=[change[0] for change in CHANGES]
)
def test_a_row_is_found_again_by_its_request(
    client, claude_emulator, make_table, name, columns, options, more
):
    """Case 76: whatever its place; and what decides the answer is part of the request."""
    run(client, make_table(texts(3)))
    out = run(client, make_table(columns), **options)
    assert len(asked(claude_emulator)) == 3 + more
    if "as_" not in options:
        for text, answer in zip(columns["text"], column(out, "answer"), strict=True):
            assert f">{text}</data>" in answer


def test_a_row_is_found_again_under_another_index_and_in_another_library(client, claude_emulator):
    """Case 76: neither is part of the question."""
    run(client, texts_frame(3))
    run(client, texts_frame(3).set_index(pd.Index(list("abc"))))
    for make in (pl.DataFrame, pa.table):
        run(client, make(texts(3)))
    assert len(asked(claude_emulator)) == 3


MOVING = """
import os
from vertex_claude_magic import Claude
os.chdir(os.environ["FIRST"])
claude = Claude(model="claude-haiku-4-5", access_token="emulator")
claude.map(["row 1", "row 2"], "Repeat {{ item }}")
os.chdir(os.environ["LATER"])
claude.map(["row 1", "row 2"], "Repeat {{ item }}")
"""


def test_a_row_belongs_to_the_working_folder_that_its_process_began_in(claude_emulator, tmp_path):
    """Another folder knows nothing of it; code that changes the folder between two runs pays for nothing again."""
    counts = []
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    for first, later in ((0, 1), (0, 0), (1, 0)):
        run_python(
            MOVING, FIRST=str(folders[first]), LATER=str(folders[later]), VERTEX_CLAUDE_JOURNAL=str(tmp_path / "j.sqlite3"),
            ANTHROPIC_VERTEX_BASE_URL=claude_emulator.base_url, ANTHROPIC_VERTEX_PROJECT_ID=claude_emulator.project,
        )  # fmt: skip
        counts.append(len(asked(claude_emulator)))
    assert counts == [2, 2, 4]


def test_a_typed_row_that_was_repaired_is_found_again(client, claude_emulator):
    """With both of its rounds; and one whose answer never fitted is asked again."""
    good = '{"label": "good", "score": 1.5, "n": 3}'
    claude_emulator.answer("no JSON", good, "never", "never")
    first = run(client, texts_frame(2), as_=Label, max_active=1)
    assert column(first, "label") == ["good", None]
    claude_emulator.answer(good)
    again = run(client, texts_frame(2), as_=Label, max_active=1)
    assert column(again, "label") == ["good", "good"]
    assert column(again, "input_tokens")[0] == column(first, "input_tokens")[0]
    assert len(asked(claude_emulator)) == 5


def test_a_recording_answers_a_table_without_a_network(client, claude_emulator, tmp_path):
    """As it does a cell; and what only the journal knew goes into it."""
    run(client, texts_frame(3))
    recording = str(tmp_path / "lesson.claude")
    with_file = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator",
        journal=str(tmp_path / "journal.sqlite3"), model="claude-haiku-4-5", max_tokens=1000, recording=recording,
    )  # fmt: skip
    first = run(with_file, texts_frame(3))
    assert len(asked(claude_emulator)) == 3
    alone = Claude(
        project="p", base_url="http://127.0.0.1:9/v1", access_token="x", journal="off", model="claude-haiku-4-5",
        max_tokens=1000, recording=recording, replay="only",
    )  # fmt: skip
    out = run(alone, texts_frame(5), max_active=1)
    assert column(out, "answer")[:3] == column(first, "answer")
    # How the nearest record differs is looked for once.
    differs, other = column(out, "error")[3:]
    assert differs.startswith("ReplayMiss: ")
    assert (
        other == 'ReplayMiss: Nothing is recorded for this row, and replay="only" sends nothing.' != differs
    )


def test_every_row_is_in_the_journal_under_its_run(client, tmp_path):
    """Which is over when the table is."""
    run(client, texts_frame(5))
    path = tmp_path / "journal.sqlite3"
    (found,) = journal_rows("runs", path)
    assert (found["kind"], found["ended"] is not None) == ("map", True)
    calls = journal_rows(path=path)
    assert [(call["state"], call["run_id"]) for call in calls] == [("done", found["id"])] * 5


def test_without_a_journal_a_run_works_and_remembers_nothing(client, claude_emulator):
    """Case 75: off, or one that cannot be written."""
    off = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator", journal="off",
        model="claude-haiku-4-5",
    )  # fmt: skip
    assert all(column(run(off, texts_frame(2)), "answer"))
    assert all(column(run(off, texts_frame(2)), "answer"))
    assert len(asked(claude_emulator)) == 4


def test_a_broken_journal_costs_no_answer(claude_emulator, tmp_path, caplog):
    """Case 75: it is said once."""
    path = tmp_path / "journal.sqlite3"
    path.write_bytes(b"no database at all " * 100)
    client = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator",
        journal=str(path), model="claude-haiku-4-5",
    )  # fmt: skip
    assert all(column(run(client, texts_frame(4)), "answer"))
    assert caplog.text.count("is not a journal") == 1


KERNEL = """
import importlib, sys
from vertex_claude_magic import Claude

base_url, journal, rows, library, make = sys.argv[1:]
table = getattr(importlib.import_module(library), make)({"text": [f"row {n}" for n in range(int(rows))]})
claude = Claude(project="emulator-project", base_url=base_url, access_token="emulator", journal=journal,
                model="claude-haiku-4-5", max_tokens=1000)
out = claude.map(table, "Repeat {{ text }}", max_active=8, progress=False)
answers, texts, errors = (out[name].to_pylist() if hasattr(out[name], "to_pylist") else out[name].to_list()
                          for name in ("answer", "text", "error"))
print(sum(f">{text}<" in answer for text, answer in zip(texts, answers)), sum(isinstance(error, str) for error in errors))
"""
LIBRARIES = {"pandas": "DataFrame", "polars": "DataFrame", "pyarrow": "table"}


class Kernels:
    """Processes that map the same table with the same journal."""

    def __init__(self, emulator, folder: Path, rows: int, library: str) -> None:
        self.wanted = f"{rows} 0"
        self._folder = folder
        self._command = [sys.executable, "-c", KERNEL, emulator.base_url, str(folder / "j.sqlite3"), str(rows), library,
                         LIBRARIES[library]]  # fmt: skip

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self._command,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=self._folder,
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no such signal")
@pytest.mark.parametrize("library", LIBRARIES)
def test_a_killed_run_repeats_no_more_than_the_calls_under_way(claude_emulator, tmp_path, library):
    """Case 75: at several moments, told by how many questions have come; every row is answered once in the end."""
    rows, active, kills = 40, 8, 3
    claude_emulator.fail(*[Fault(delay=0.02)] * 1000)
    kernels = Kernels(claude_emulator, tmp_path, rows, library)
    for _ in range(kills):
        before = len(asked(claude_emulator))
        with kernels.start() as process:
            while len(asked(claude_emulator)) < before + 9 and process.poll() is None:
                time.sleep(0.002)
            process.kill()
    with kernels.start() as last:
        assert last.communicate()[0].strip() == kernels.wanted
    found = asked(claude_emulator)
    assert set(found) == set(texts(rows)["text"])
    assert len(found) <= rows + kills * active


@pytest.mark.parametrize("library", LIBRARIES)
def test_two_kernels_at_the_same_table_lose_nothing_and_meet(claude_emulator, tmp_path, library):
    """Case 77: the second goes from the end, so that only what is under way or looked up there is asked twice."""
    rows = 400
    claude_emulator.fail(*[Fault(delay=0.03)] * 2000)
    kernels = Kernels(claude_emulator, tmp_path, rows, library)
    with kernels.start() as first, kernels.start() as second:
        for kernel in (first, second):
            assert kernel.communicate()[0].strip() == kernels.wanted
    found = asked(claude_emulator)
    assert set(found) == set(texts(rows)["text"])
    # Each may have looked 64 rows up before the other one asked them, and has 8 under way.
    assert len(found) <= rows + 2 * (64 + 8) + 64


# Interrupt (case 81) and progress (case 83)


def test_an_interrupt_gives_what_is_done_in_under_a_second(client, claude_emulator, make_table):
    """Case 81: the sockets of those under way are shut, those behind are never sent, a re-run asks only the rest."""
    claude_emulator.fail(*[Fault(delay=0.0)] * 6, *[Fault(delay=30.0)] * 50)
    pressed: list[float] = []

    def show(progress: Progress) -> None:
        if progress.answered >= 6 and not pressed:
            pressed.append(time.monotonic())
            _thread.interrupt_main()

    with pytest.raises(ClaudeInterrupt, match="Stopped after 6 of 40 rows") as stopped:
        client.map(make_table(texts(40)), "Repeat {{ text }}", max_active=4, progress=show)
    assert time.monotonic() - pressed[0] < 1
    assert sum(answer is not None for answer in column(stopped.value.table, "answer")) == 6
    assert len(asked(claude_emulator)) <= 10


@pytest.mark.parametrize("ending", ["interrupt", "a row that failed"])
def test_a_row_under_way_at_the_end_counts_as_stopped_and_its_worst_case_as_up_to(
    client, claude_emulator, ending
):
    """It was asked, and what it has cost nobody knows."""
    seen: list[Progress] = []

    def show(progress: Progress) -> None:
        seen.append(progress)
        if ending == "interrupt" and (progress.answered, progress.active) == (1, 2) and not progress.stopped:
            _thread.interrupt_main()

    # The last of those that go out at the same time is over first.
    claude_emulator.fail(Fault(delay=30.0), Fault() if ending == "interrupt" else 400, Fault(delay=30.0))
    with pytest.raises((ClaudeInterrupt, errors.BadRequest)):
        client.map(texts_frame(9), "Repeat {{ text }}", max_active=2, on_error="stop", progress=show)
    first, stopped = (
        ("1 answered", 2)
        if ending == "interrupt"
        else ("0 answered, 1 failed (BadRequest 1: see the column error)", 1)
    )
    assert f"9 rows: {first}, {stopped} stopped, {8 - stopped} not asked. " in seen[-1].summary()
    worst = worst_of(client)
    assert seen[-1].open_cost == pytest.approx(stopped * worst, rel=0.01)
    assert re.search(r"\. (\$0|≈\$[0-9.]+) \(up to ≈\$[0-9.]+\)\. ", seen[-1].summary())


def test_a_row_counts_as_asked_if_it_was_sent_in_this_run(client, claude_emulator):
    """The rate, the cost of the rest and the time left are worked out from these; no copy, failed or not, costs anything."""
    rows = [{"x": each} for each in (*["row 1"] * 2, *["row 2"] * 3, *[b"no text"] * 2)]
    seen: list[Progress] = []

    def run(**options) -> tuple[int, int]:
        before = len(asked(claude_emulator))
        client.map(rows, "Repeat {{ x }}", max_active=1, progress=seen.append, **options)
        return seen[-1].asked, len(asked(claude_emulator)) - before

    assert run(replay="only", fresh=True) == (0, 0)
    claude_emulator.answer("Good.")
    claude_emulator.fail(Fault(), 400)
    assert run() == (2, 2)
    assert (seen[-1].done, seen[-1].failures, seen[-1].copies) == (7, 5, 1)
    assert seen[-1].expected == seen[-1].cost
    claude_emulator.fail(400)
    assert run() == (1, 1)
    claude_emulator.answer("Good.")
    assert run(replay="auto", fresh=True) == (1, 1)
    assert run(replay="auto", fresh=True) == (0, 0)


@pytest.mark.parametrize("active", [1, 16])
def test_an_interrupt_asks_once_for_a_journal_that_another_program_holds(client, claude_emulator, active):
    """However many rows are under way, and after all of their connections; and it asks in a hurry, so twice and no more."""
    client.ask("Before")
    claude_emulator.fail(*[Fault(delay=600)] * active)
    stores, statements = client._session.records.stores, list[str]()
    database = stores.journal(str(client._session.target().journal)).database
    other = sqlite3.connect(database.path, isolation_level=None)

    def show(progress: Progress) -> None:
        if len(claude_emulator.requests) > active and not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")
            database._connection.set_trace_callback(statements.append)
            _thread.interrupt_main()

    with closing(other):
        with pytest.raises(ClaudeInterrupt):
            client.map(texts_frame(20), "Repeat {{ text }}", max_active=active, progress=show)
        # The third time is for the end of the run.
        assert statements.count("BEGIN IMMEDIATE") == 3
    assert column(run(client, texts_frame(2)), "error") == [None, None]


def test_progress_tells_how_far_a_run_is(client, make_table):
    """At the end everything is done; a report comes from the caller's thread."""
    seen: list[Progress] = []
    client.map(make_table({"text": ["row 1", "row 2", "row 1"]}), "Repeat {{ text }}", progress=seen.append)
    last = seen[-1]
    assert (last.rows, last.done, last.copies, last.failures) == (3, 3, 1, 0)
    assert last.cost > 0
    assert last.summary().startswith("3 rows: 3 answered (1 the same as another row).")
    client.map(make_table({"text": ["row 1", "row 2"]}), "Repeat {{ text }}", progress=seen.append)
    assert "2 by an earlier run" in seen[-1].summary()


class Terminal(io.StringIO):
    """What a terminal of 80 columns shows; tqdm asks the environment how wide it is."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_the_bar_of_a_terminal_is_one_line_that_says_each_thing_once(monkeypatch, kind):
    """A log, which cannot take a line back, has all that is known."""
    monkeypatch.setenv("COLUMNS", "80")
    out = kind()
    bar = Bar(out)
    bar(Progress(rows=60_000, answered=17_999, asked=18_000, failed={"BadRequest": 1}, input_tokens=450_000,
                 output_tokens=513_000, cost=0.00026, active=8, allowed=16, seconds=4_800, pause=12.0))  # fmt: skip
    bar.close()
    last = out.getvalue().split("\r")[-1].rstrip()
    if kind is Terminal:
        assert len(last) <= 80
        assert re.search(r"^ 30%\|\S.*\| 18000/60000, 1 failed · ≈\$0\.00026 · paused for 12 s", last)
    else:
        assert "450,000 + 513,000 tokens" in last


def test_progress_comes_at_most_four_times_a_second(claude_emulator, tmp_path):
    """Case 83: by the clock, however many rows end."""
    now = [0.0]

    def clock() -> float:
        now[0] += 0.001
        return now[0]

    client = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator", journal="off",
        model="claude-haiku-4-5", clock=clock,
    )  # fmt: skip
    moments: list[float] = []
    client.map(texts_frame(60), "Repeat {{ text }}", progress=lambda _: moments.append(now[0]))
    assert len(moments) <= now[0] * 4 + 2


def test_a_run_has_no_more_threads_than_calls_under_way(claude_emulator, make_table):
    """Case 83: however many rows there are, and none is left."""
    ticks = itertools.count()
    client = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator", journal="off",
        model="claude-haiku-4-5", clock=lambda: next(ticks) / 100,
    )  # fmt: skip
    before, seen = set(threading.enumerate()), list[int]()

    def ours() -> int:
        return sum(thread.name == "vertex-claude-send" for thread in set(threading.enumerate()) - before)

    client.map(
        make_table(texts(200)), "Repeat {{ text }}", max_active=4, progress=lambda _: seen.append(ours())
    )
    assert 0 < max(seen) <= 4
    for thread in set(threading.enumerate()) - before:
        if thread.name == "vertex-claude-send":
            thread.join(10)
    assert ours() == 0


# The prompt cache


def test_with_a_long_shared_part_one_row_goes_first(client, claude_emulator):
    """The others read what it wrote to the prompt cache."""
    shared = "A rule that holds. " * 2000
    out = run(client, texts_frame(6), "{{ rules }}\n{{ text }}", names={"rules": shared}, value_tokens=50_000)
    assert all(column(out, "answer"))
    bodies = [each.body for each in claude_emulator.requests]
    assert all("cache_control" in body["messages"][0]["content"][0] for body in bodies)
    prices = column(out, "cost")
    # Reading the cache costs a tenth of writing it, and a bit more.
    assert max(prices[1:]) < prices[0] / 5
