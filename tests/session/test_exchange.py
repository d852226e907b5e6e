"""One question until it is settled: its rounds, its limits over all of them, and its notices as values."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Emulator, Fault, Reply
from vertex_claude_magic.session.exchange import ROUND, Exchange, sum_of_rounds
from vertex_claude_magic.vertex.reply import Reply as PlainReply
from vertex_claude_magic.vertex.reply import Usage

GOOD = '{"name": "Oslo", "people": 700000}'


@dataclass
class City:
    name: str
    people: int


@pytest.fixture
def session(claude_emulator: Emulator):
    claude = Claude(
        project=claude_emulator.project,
        base_url=claude_emulator.base_url,
        access_token="emulator",
        model="haiku",
    )
    yield claude._session
    claude.close()


def exchange(session, **options) -> Exchange:
    return Exchange(session, "Which city?", session.target({"as_": City, **options}))


def texts(notices) -> list[str]:
    return [notice.text for notice in notices]


def test_nothing_is_sent_before_it_is_started(session, claude_emulator):
    """Making it builds the request, which can be looked at."""
    asked = exchange(session)
    assert asked.request.model.startswith("claude-haiku")
    assert claude_emulator.requests == []
    asked.close()


def test_a_question_of_one_round_ends_with_its_reply(session, claude_emulator):
    claude_emulator.answer(GOOD)
    with exchange(session) as asked:
        events = list(asked)
    assert ROUND not in {event.type for event in events}
    assert asked.reply.data == City("Oslo", 700_000)
    assert asked.done


def test_a_second_round_is_an_event_and_the_sums_are_those_of_both(session, claude_emulator):
    """Tokens, cost and seconds; the first text was that of the first round."""
    claude_emulator.answer(Reply(content="Oslo"), Reply(content=GOOD))
    with exchange(session) as asked:
        events = list(asked)
    assert [event.type for event in events].count(ROUND) == 1
    first, second = (each.body for each in claude_emulator.requests)
    assert second["messages"][: len(first["messages"])] == first["messages"]
    # What each round says at its beginning and its end.
    inputs = [
        event.data["message"]["usage"]["input_tokens"] for event in events if event.type == "message_start"
    ]
    outputs = [event.data["usage"]["output_tokens"] for event in events if event.type == "message_delta"]
    assert len(inputs) == len(outputs) == 2
    assert asked.reply.usage.input_tokens == sum(inputs)
    assert asked.reply.usage.output_tokens == sum(outputs)
    assert asked.reply.cost > 0
    assert "The first answer did not match" in texts(asked.notices())[0]


def test_a_limit_holds_for_a_question_with_all_its_rounds(session, claude_emulator):
    """One round fits below it; the first and the worst case of the second together do not."""
    claude_emulator.answer(Reply(content="Oslo. " * 600), Reply(content=GOOD))
    target = session.target({"as_": City, "max_tokens": 2_000})
    probe = Exchange(session, "Which city?", target)
    tokens, _ = session.count_or_bound(probe.request, target)
    from vertex_claude_magic.records.budget import worst_case

    most = worst_case(probe.request, target.catalog, tokens)
    probe.close()
    claude_emulator.requests.clear()
    with (
        Exchange(session, "Which city?", target.replace(max_cost=most * 1.2)) as asked,
        pytest.raises(errors.CostLimitExceeded, match="--max-cost"),
    ):
        list(asked)
    sent = [each for each in claude_emulator.requests if "count-tokens" not in each.path]
    assert len(sent) == 1


def test_notices_are_values_that_say_what_they_are_about(session, claude_emulator):
    """And each is given once."""
    claude_emulator.answer("Yes.")
    with Exchange(session, "Is it?", session.target({"cache": True, "system": "Be brief."})) as asked:
        assert asked.reply.text == "Yes."
    notices = asked.notices()
    assert {notice.kind for notice in notices} <= {"answer", "request", "lifecycle", "spend", "records"}
    assert any("was not cached" in notice.text for notice in notices if notice.kind == "answer")
    assert not [notice for notice in asked.notices() if notice.kind in {"lifecycle", "records"}]


def test_an_exchange_that_failed_fails_again_when_its_reply_is_read_again(session, claude_emulator):
    claude_emulator.fail(Fault(cut_after=700, ending="end"))
    with exchange(session, as_=None) as asked:
        for _ in range(2):
            with pytest.raises(errors.StreamInterrupted):
                _ = asked.reply
    assert asked.wait(60) == []


def test_an_exchange_that_was_closed_unsent_has_no_reply(session, claude_emulator):
    asked = exchange(session)
    asked.close()
    with pytest.raises(errors.StreamInterrupted, match="before it was sent"):
        _ = asked.reply
    assert claude_emulator.requests == []


def test_all_rounds_are_paid_for():
    """What one of them cost may be unknown; then the sum is."""
    first = PlainReply(
        usage=Usage(input_tokens=3, output_tokens=2), cost=0.1, seconds=1.0, first_token_seconds=0.5
    )
    second = PlainReply(usage=Usage(input_tokens=5, output_tokens=1), cost=0.2, seconds=2.0)
    both = sum_of_rounds([first], second)
    assert (both.usage.input_tokens, both.usage.output_tokens) == (8, 3)
    assert (both.cost, both.seconds, both.first_token_seconds) == (pytest.approx(0.3), 3.0, 0.5)
    assert sum_of_rounds([first], PlainReply()).cost is None
    assert sum_of_rounds([], second) is second
