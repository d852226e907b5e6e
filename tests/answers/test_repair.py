"""One repair round as values: what to send after an answer that does not fit, and what both answers cost."""

from __future__ import annotations

import pytest

from vertex_claude_magic.answers.repair import TypedQuestion, fitted_or_repair
from vertex_claude_magic.answers.shape import shape_of
from vertex_claude_magic.errors import AnswerRefused, AnswerTruncated
from vertex_claude_magic.vertex.next_round import NextRound
from vertex_claude_magic.vertex.reply import Reply
from vertex_claude_magic.vertex.request import Request

QUESTION = TypedQuestion(shape=shape_of(list[int]), way="format")
REQUEST = Request(
    url="https://example.test/m:rawPredict",
    headers={},
    body={"messages": [{"role": "user", "content": "Numbers?"}]},
    model="m",
    project="p",
    region="global",
)


def text(body, **fields):
    return Reply(blocks=({"type": "text", "text": body},), **fields)


def test_an_answer_that_fits_has_its_data():
    assert fitted_or_repair(text("[1, 2]"), QUESTION, REQUEST).data == [1, 2]


def test_an_answer_that_does_not_fit_is_shown_to_claude():
    repair = fitted_or_repair(text('["a"]'), QUESTION, REQUEST)
    assert isinstance(repair, NextRound)
    asked, answer, advice = repair.request.body["messages"]
    assert (asked, answer["content"]) == (REQUEST.body["messages"][0], [{"type": "text", "text": '["a"]'}])
    assert "items[0]" in advice["content"]
    assert repair.why.startswith("did not match (items[0]")
    assert len(REQUEST.body["messages"]) == 1


def test_a_tool_that_was_called_gets_a_result_that_says_what_is_wrong():
    block = {
        "type": "tool_use",
        "id": "t1",
        "name": "answer",
        "input": {"items": ["a"]},
        "partial_json": None,
    }
    repair = fitted_or_repair(Reply(blocks=(block,), complete=True), QUESTION, REQUEST)
    _, answer, advice = repair.request.body["messages"]
    assert answer["content"] == [{key: block[key] for key in ("type", "id", "name", "input")}]
    assert [(each["tool_use_id"], each["is_error"]) for each in advice["content"]] == [("t1", True)]


@pytest.mark.parametrize(
    "blocks", [(), ({"type": "thinking", "thinking": "…"},), ({"type": "text", "text": " "},)]
)
def test_an_answer_without_anything_to_show_is_only_asked_for_again(blocks):
    repair = fitted_or_repair(Reply(blocks=blocks), QUESTION, REQUEST)
    assert [each["role"] for each in repair.request.body["messages"]] == ["user", "user"]


@pytest.mark.parametrize(("reason", "error"), [("refusal", AnswerRefused), ("max_tokens", AnswerTruncated)])
def test_what_asking_again_would_not_mend_is_an_error(reason, error):
    with pytest.raises(error):
        fitted_or_repair(text("[1,", stop_reason=reason), QUESTION, REQUEST)
