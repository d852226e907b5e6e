"""One question until it is settled: its rounds, its limits over all of them, and its notices as values."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import SimpleQueue

import pytest
from journals import client
from shells import interrupt_while_waiting

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.chats.opening import open_exchange
from vertex_claude_magic.emulator import Emulator, Fault, Reply
from vertex_claude_magic.records.budget import RunBudget, worst_case
from vertex_claude_magic.session.exchange import ROUND, Exchange, sum_of_rounds
from vertex_claude_magic.vertex.reply import CacheCreation, ServerToolUse, Usage
from vertex_claude_magic.vertex.reply import Reply as PlainReply

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


TOLD_BESIDE = {
    "what was edited": {"context_management": {"applied_edits": []}},
    "a container": {"delta": {"stop_reason": "end_turn", "container": {"id": "c", "expires_at": "x"}}},
    "a field of tomorrow": {"news": 1},
}


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("name", TOLD_BESIDE)
def test_a_known_event_with_more_in_it_is_not_called_unknown(session, claude_emulator, name, streamed):
    """It is in `other_events`; the notice is for events of which nobody here knows what they are."""
    ends = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, **TOLD_BESIDE[name]}
    message = {"type": "message", "role": "assistant", "content": [], "model": "claude-haiku-5-5"}
    events = [{"type": "message_start", "message": message}, ends, {"type": "news"}, {"type": "message_stop"}]
    body, kind = "".join(f"data: {json.dumps(event)}\n\n" for event in events), "text/event-stream"
    if not streamed:
        body, kind = json.dumps({**message, **ends["delta"], **ends, "type": "message"}), "application/json"
    claude_emulator.fail(Fault(status=200, body=body.encode(), content_type=kind))
    with Exchange(session, "Hi", session.target({"no_stream": not streamed})) as asked:
        reply = asked.reply
    assert reply.other_events or not streamed
    told = [text for text in texts(asked.notices()) if "unknown event" in text]
    assert told == (["The answer also contained unknown event types: news."] if streamed else [])


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


@pytest.mark.parametrize("replay", ["off", "only"])
@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("second", [GOOD, "Oslo again"], ids=["repaired", "never fits"])
def test_one_look_each_time_that_it_says_something_brings_it_to_its_end(
    session, claude_emulator, replay, streamed, second
):
    """Also over its second round, so that no row of a table waits for the look at all rows now and then."""
    claude_emulator.answer(Reply(content="Oslo"), Reply(content=second))
    if replay == "only":
        with exchange(session, no_stream=not streamed) as asked, suppress(errors.AnswerInvalid):
            asked.reply  # noqa: B018 - read to be recorded
    told: SimpleQueue[None] = SimpleQueue()
    with exchange(session, no_stream=not streamed, replay=replay) as asked:
        asked.start()
        asked.watch(lambda: told.put(None))
        while not asked.done:
            told.get(timeout=30)
            asked.wait(0)
    assert len([each for each in claude_emulator.requests if "Predict" in each.path]) == 2


def test_a_limit_holds_for_a_question_with_all_its_rounds(session, claude_emulator):
    """One round fits below it; the first and the worst case of the second together do not."""
    claude_emulator.answer(Reply(content="Oslo. " * 600), Reply(content=GOOD))
    target = session.target({"as_": City, "max_tokens": 2_000})
    probe = Exchange(session, "Which city?", target)
    tokens, _ = session.count_or_bound(probe.request, target)
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


REFUSED, CUT = Fault(status=400), Reply(content=GOOD, fault=Fault(cut_after=700))


@pytest.mark.parametrize(
    ("second", "max_cost", "error", "rounds"),
    [
        (REFUSED, None, errors.BadRequest, 1),
        (CUT, None, errors.StreamInterrupted, 2),
        (GOOD, 0.0055, errors.CostLimitExceeded, 1),
    ],
    ids=["refused", "cut off", "too expensive"],
)
def test_a_question_that_fails_in_a_later_round_keeps_the_rounds_before(
    session, claude_emulator, second, max_cost, error, rounds
):
    """In the error, and once: what they said, and what they cost."""
    claude_emulator.answer(Reply(content="Oslo. " * 100), second)
    asked = exchange(session, max_tokens=1_000, max_cost=max_cost, model="claude-haiku-4-5")
    with asked, pytest.raises(error) as failure:
        list(asked)
    for reply in (failure.value.reply, asked.partial()):
        assert (reply.complete, len(reply.rounds)) == (False, rounds)
        first = reply.rounds[0]
        assert first.text == "Oslo. " * 100
        assert reply.usage.input_tokens == sum(each.usage.input_tokens for each in reply.rounds)
        # What a round cost that broke off is not known.
        assert reply.cost == (first.cost if rounds == 1 else None)


def test_a_stop_before_a_later_round_is_sent_keeps_the_rounds_before(session, claude_emulator):
    """There its input tokens are counted, because a limit is set."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    claude_emulator.answer([{"type": "text", "text": "Let me look."}, call], "Oslo.")
    with ExitStack() as stack:

        def look() -> str:
            """Look."""
            claude_emulator.fail(Fault(delay=60))
            claude_emulator.requests.clear()
            stack.enter_context(interrupt_while_waiting(claude_emulator))
            return "seen"

        target = session.target({"tools": (look,), "max_cost": 1.0, "model": "claude-haiku-4-5"})
        asked = open_exchange(session, "Which city?", target)
        with pytest.raises(errors.ClaudeInterrupt) as interrupt, asked:
            list(asked)
    reply = interrupt.value.reply
    assert [each.text for each in reply.rounds] == ["Let me look."]
    assert [each.result for each in reply.tool_calls] == ["seen"]
    assert (reply.complete, reply.usage) == (False, reply.rounds[0].usage)
    assert 0 < reply.cost == session.records.budget.spent(local=True)


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


READS = {
    "iterates it": list,
    "asks for its reply": lambda stream: stream.reply,
    "waits for its events": lambda stream: stream.wait(60),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_second_thread_that_reads_an_answer_gets_an_error_and_the_first_gets_the_answer(
    claude_emulator, read
):
    """Each event goes to one of them, so that one of two would wait for an end that the other took."""
    claude_emulator.fail(Fault(status=429))
    claude_emulator.answer("Four.")
    refused = []

    def second() -> None:
        try:
            read(stream)
        except errors.StreamInterrupted as error:
            refused.append(str(error))

    stream = client(claude_emulator).stream("Hello", notify=lambda _: in_a_thread(second))
    assert [event.type for event in stream][-1] == "message_stop"
    assert stream.reply.text == "Four."
    cure = "Read it in one thread, and give its events or its reply to the others."
    assert refused == [f"Another thread is reading this answer. {cure}"]


def test_threads_may_read_an_answer_one_after_the_other(claude_emulator):
    """As `asyncio.to_thread(next, iterator)` does; a thread that asks for the reply then has it at once."""
    claude_emulator.answer("Four.")
    stream = client(claude_emulator).stream("Hello")
    events, types = iter(stream), []
    while (event := in_a_thread(lambda: next(events, None))) is not None:
        types.append(event.type)
    assert (types[0], types[-1]) == ("message_start", "message_stop")
    assert in_a_thread(lambda: stream.reply).text == "Four."


def in_a_thread(run):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def test_an_exchange_that_was_closed_unsent_has_no_reply(session, claude_emulator):
    asked = exchange(session)
    asked.close()
    with pytest.raises(errors.StreamInterrupted, match="before it was sent"):
        _ = asked.reply
    assert claude_emulator.requests == []


class ClosingBudget(RunBudget):
    """Has another thread close the question while a round of it is made ready to be sent."""

    def close_at(self, round_number: int, asked: Exchange) -> None:
        self.left, self.asked = round_number, asked

    def reserve(self, *args, **named) -> int:
        self.left -= 1
        if not self.left:
            in_a_thread(self.asked.close)
        return super().reserve(*args, **named)


@pytest.mark.parametrize("round_number", [1, 2])
def test_a_round_that_is_made_ready_while_another_thread_closes_its_question_is_not_sent(
    session, claude_emulator, round_number
):
    """Nobody would read its answer, and it would cost money."""
    claude_emulator.answer(Reply(content="Oslo"), Reply(content=GOOD))
    budget = ClosingBudget(session.records.budget, limit=1.0)
    asked = Exchange(session, "Which city?", session.target({"as_": City}), budget=budget)
    budget.close_at(round_number, asked)
    list(asked)
    sent = [each for each in claude_emulator.requests if "streamRawPredict" in each.path]
    assert len(sent) == round_number - 1
    with pytest.raises(errors.StreamInterrupted) as closed:
        _ = asked.reply
    texts_of_rounds = [each.text for each in closed.value.reply.rounds] if closed.value.reply else []
    assert texts_of_rounds == ["Oslo"] * (round_number - 1)
    assert budget.cost == session.records.budget.spent(local=True)


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


def test_the_sum_of_rounds_is_a_sum_in_every_field_that_counts():
    """Searches, what was written to the cache and for how long, what it would have cost without; also in `raw`."""
    wrote = Usage(
        input_tokens=10,
        cache_creation_input_tokens=200,
        cache_creation=CacheCreation(ephemeral_1h_input_tokens=200),
        server_tool_use=ServerToolUse(web_search_requests=4),
        raw={"input_tokens": 10, "server_tool_use": {"web_search_requests": 4}, "service_tier": "standard"},
    )
    read = Usage(
        input_tokens=5,
        cache_read_input_tokens=200,
        server_tool_use=ServerToolUse(web_search_requests=1),
        service_tier="priority",
        raw={"input_tokens": 5, "server_tool_use": {"web_search_requests": 1}, "service_tier": "priority"},
    )
    plain = Usage(input_tokens=7, raw={"input_tokens": 7})
    rounds = [
        PlainReply(usage=wrote, cost=0.5, uncached_cost=0.25),
        PlainReply(usage=read, cost=0.125, uncached_cost=0.25),
        PlainReply(usage=plain, cost=0.5),
    ]
    whole = sum_of_rounds(rounds[:-1], rounds[-1])
    usage = whole.usage
    assert (usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (
        22,
        200,
        200,
    )
    assert usage.cache_creation == CacheCreation(ephemeral_1h_input_tokens=200)
    assert usage.server_tool_use == ServerToolUse(web_search_requests=5)
    assert usage.service_tier == "priority"
    assert usage.raw == {
        "input_tokens": 22,
        "server_tool_use": {"web_search_requests": 5},
        "service_tier": "priority",
    }
    assert (whole.cost, whole.uncached_cost) == (1.125, 1.0)
    assert sum_of_rounds([rounds[-1]], rounds[-1]).uncached_cost is None
