"""The object that asks: prompts, streams, replies, deadlines, counting, and what it holds in memory."""

from __future__ import annotations

import inspect
import json
import re
import socket
import threading
import time
from contextlib import suppress

import pytest

from vertex_claude_magic import Claude, Event, Reply, errors
from vertex_claude_magic.emulator import Emulator, Fault, Flood
from vertex_claude_magic.settings.loaded import set_policy
from vertex_claude_magic.settings.policy import Policy
from vertex_claude_magic.spelling import in_python
from vertex_claude_magic.transport.retry import RetryPolicy

SONNET = "claude-sonnet-4-5@20250929"


def client(emulator: Emulator, **options) -> Claude:
    settings = {"project": emulator.project, "access_token": "emulator", "model": SONNET, **options}
    return Claude(base_url=emulator.base_url, **settings)


def body(emulator: Emulator) -> dict:
    return emulator.requests[-1].body


def test_a_stream_says_in_one_line_what_it_asks_and_how_far_it_is(claude_emulator):
    """In the output of a cell or in a debugger; looking at it sends nothing."""
    claude_emulator.answer("Four.")
    claude = client(claude_emulator, model="claude-haiku-4-5@20251001", max_cost=1.0)
    stream = claude.stream("What is 2 + 2?")
    assert re.fullmatch(
        "<Exchange claude-haiku-4-5@20251001 in global, under way: [0-5] characters>", repr(stream)
    )
    assert stream.reply.text == "Four."
    assert repr(stream) == "<Exchange claude-haiku-4-5@20251001 in global, over: 5 characters>"
    claude.close()


def test_a_client_that_may_not_ask_can_be_looked_at(claude_emulator):
    """A debugger, or a cell that ends in it, asks nothing."""
    claude = client(claude_emulator, model="haiku")
    assert repr(claude) == "Claude(model='haiku', region='global')"
    set_policy(Policy(closed=("Claude is switched off by the course.", "Ask the teacher.")))
    try:
        assert repr(claude) == "Claude()"
    finally:
        set_policy(None)


BRACED = {
    "a question": lambda claude: claude.ask("Sum {{ n }}."),
    "a list": lambda claude: claude.ask(["Sum", "{{ n.total }}."]),
    "a stream": lambda claude: claude.stream("Sum {{ n }}.").reply,
    "a turn": lambda claude: claude.chat("talk").ask("Sum {{ n }}."),
    "a comparison": lambda claude: claude.compare("Sum {{ n }}.", ["haiku", "opus"]),
    "beside other braces": lambda claude: claude.ask(["{{ f(x) }}", "Sum {{ n }}."]),
    "a count": lambda claude: claude.count("Sum {{ n }}."),
    "a request": lambda claude: (claude.request("Sum {{ n }}."), claude.ask("Sum {{ n }}.")),
}
NO_TEMPLATES = {
    "names": lambda claude: claude.ask("Sum {{ n }}.", names={"n": 1}),
    "literal": lambda claude: claude.ask("Sum {{ n }}.", literal=True),
    "escaped": lambda claude: claude.ask("Sum \\{{ n }}."),
    "other braces": lambda claude: claude.ask(
        "{{#each x}} {{ .Values.x }} {{\\bf x}} {n} {{{ n }}} {{ f(x) }}"
    ),
    "messages": lambda claude: claude.ask([{"role": "user", "content": "{{ n }}"}]),
}


@pytest.mark.parametrize("ask", BRACED.values(), ids=BRACED)
def test_a_template_without_names_is_sent_as_it_stands_and_logged_once(claude_emulator, caplog, ask):
    """In Python braces may be meant, and a question that is sent without its values costs all the same."""
    claude = client(claude_emulator, model="haiku")
    ask(claude)
    ask(claude)
    assert "{{ n" in json.dumps(body(claude_emulator)["messages"][-1])
    (line,) = [record.getMessage() for record in caplog.records]
    path = re.match(r"\{\{ (n|n\.total) \}\} ", line)[1]
    assert line == (
        f'{{{{ {path} }}}} is sent as written. To send the value, give names={{"n": n}}; '
        "literal=True sends the braces as they are."
    )


def test_a_script_has_a_prompt_and_no_body(claude_emulator):
    """The word for a cell is another one."""
    claude = client(claude_emulator)
    for ask in (
        lambda: claude.ask("Sum {{ n }}.", names={}),
        lambda: claude.ask("Sum {{ f(n) }}.", names={}),
        lambda: claude.map(["a"], "Sum {{ n }}.", progress=False),
    ):
        with pytest.raises(
            errors.OptionError, match="literal=True sends the whole prompt unchanged"
        ) as caught:
            ask()
        caught.value.spell_for_cell()
        assert "--literal sends the whole body unchanged" in caught.value.cure


@pytest.mark.parametrize("ask", NO_TEMPLATES.values(), ids=NO_TEMPLATES)
def test_braces_that_are_filled_or_meant_are_not_logged(claude_emulator, caplog, ask):
    ask(client(claude_emulator, model="haiku"))
    assert caplog.messages == []


def test_a_reply_knows_what_was_asked_and_what_it_took(claude_emulator):
    """Text, model, region, tokens, cost and times."""
    claude_emulator.answer("Four.")
    before = time.monotonic()
    reply = client(claude_emulator).ask("What is 2 + 2?")
    assert isinstance(reply, Reply)
    assert (reply.text, str(reply), reply.complete, reply.stop_reason) == ("Four.", "Four.", True, "end_turn")
    assert (reply.model, reply.region, reply.replayed) == ("claude-sonnet-4-5-20250929", "global", False)
    assert reply.usage.input_tokens > 0
    assert reply.usage.output_tokens > 0
    assert reply.cost == pytest.approx((reply.usage.input_tokens * 3 + reply.usage.output_tokens * 15) / 1e6)
    assert 0 < reply.first_token_seconds <= reply.seconds <= time.monotonic() - before


@pytest.mark.parametrize("prompt", [
    "Hello",
    [{"type": "text", "text": "Hello"}],
    [{"role": "user", "content": "Hello"}],
    ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "Hello"}),
], ids=["a text", "blocks", "messages", "a conversation"])  # fmt: skip
def test_a_prompt_is_a_text_blocks_or_messages(claude_emulator, prompt):
    """All of them become messages that end with the user's."""
    assert client(claude_emulator).ask(prompt).complete
    last = body(claude_emulator)["messages"][-1]
    assert last["role"] == "user"
    assert "Hello" in json.dumps(last["content"])


@pytest.mark.parametrize("prompt", ["", "  \n\t ", [], [" "], 7, None], ids=repr)
def test_a_prompt_that_is_none_of_these_is_refused_before_sending(claude_emulator, prompt):
    """Case 43: with a cure, and nothing on the wire."""
    with pytest.raises(errors.OptionError) as caught:
        client(claude_emulator).ask(prompt)
    assert caught.value.cure
    assert claude_emulator.requests == []


def test_a_text_is_not_gone_through_letter_by_letter(claude_emulator):
    """A prompt of megabytes would take seconds."""

    class Text(str):
        __slots__ = ()

        def __iter__(self):
            raise AssertionError

    reply = client(claude_emulator).ask(Text("Hello"))
    assert reply.question["messages"] == [{"role": "user", "content": "Hello"}]


def test_the_prompt_may_be_a_keyword(claude_emulator):
    """As in claude.ask(prompt=...)."""
    assert client(claude_emulator).ask(prompt="Hello", max_tokens=9).complete
    assert body(claude_emulator)["max_tokens"] == 9


def test_a_stream_is_iterated_for_events_then_gives_the_reply(claude_emulator):
    """The events' texts are the reply's text."""
    claude_emulator.answer("One, two, three.")
    with client(claude_emulator).stream("Count") as stream:
        events = list(stream)
        reply = stream.reply
    assert all(isinstance(event, Event) for event in events)
    assert (events[0].type, events[-1].type) == ("message_start", "message_stop")
    assert "".join(event.text for event in events) == reply.text == "One, two, three."
    assert stream.reply == reply
    assert list(stream) == []


def test_a_partial_reply_can_be_had_at_any_time(claude_emulator):
    """It waits for nothing, and says that it is not all."""
    claude_emulator.answer("Once upon a time. " * 40)
    claude_emulator.fail(Fault(stall_after=900))
    with client(claude_emulator).stream("Tell") as stream:
        assert stream.partial().text == ""
        next(event for event in stream if event.text)
        partial = stream.partial()
    assert partial.text.startswith("Once")
    assert not partial.complete
    assert partial.seconds > 0


def test_waiting_a_moment_gives_what_has_arrived_and_no_more(claude_emulator):
    """So that a display can do something else in between."""
    claude_emulator.fail(Fault(delay=30))
    with client(claude_emulator).stream("Hello") as stream:
        assert stream.wait(0) == []
        assert stream.wait(0.01) == []
        assert not stream.done


def test_a_reply_that_was_closed_too_early_is_an_error_with_what_had_arrived(claude_emulator):
    """Never a success."""
    claude_emulator.answer("Once upon a time. " * 40)
    claude_emulator.fail(Fault(stall_after=900))
    with client(claude_emulator).stream("Tell") as stream:
        next(event for event in stream if event.text)
    with pytest.raises(errors.StreamInterrupted, match="closed") as caught:
        stream.reply  # noqa: B018 - reading it is the test
    assert caught.value.reply.text.startswith("Once")
    assert stream.wait(60) == []


def test_a_failed_stream_fails_again_when_its_reply_is_read_again(claude_emulator):
    """The error is remembered; an incomplete reply is not passed off as the answer."""
    claude_emulator.fail(Fault(cut_after=700, ending="end"))
    stream = client(claude_emulator).stream("Hello")
    for _ in range(2):
        with pytest.raises(errors.StreamInterrupted):
            stream.reply  # noqa: B018


def test_the_deadline_is_measured_by_the_clock_that_is_given(claude_emulator):
    """Case 92: the clock is monotonic, so neither a change of the time of day nor of the season moves it."""
    claude_emulator.fail(Fault(delay=30))
    with pytest.raises(errors.DeadlineExceeded, match="600 seconds"):
        # A thousand seconds pass while the request is there.
        client(claude_emulator, clock=lambda: 1_000.0 * len(claude_emulator.requests)).ask("Hello")
    assert inspect.signature(Claude).parameters["clock"].default.__name__ == "monotonic"


def test_where_nothing_arrives_at_all_it_is_not_the_answer_that_is_too_long(claude_emulator):
    """A request of less would not arrive either; a part of an answer shows that the way is open."""
    claude_emulator.fail(Fault(delay=30))
    late = {"clock": lambda: 1_000.0 * len(claude_emulator.requests)}
    with pytest.raises(errors.DeadlineExceeded, match=r"Nothing arrived from 127\.0\.0\.1") as caught:
        client(claude_emulator, **late).ask("Hello")
    assert caught.value.cure == "Run vertex-claude doctor to find where it stops, or raise timeout=."


def test_the_deadline_holds_over_retries(claude_emulator):
    """Case 11: all attempts and waits together. On this clock each attempt takes 0.2 s, and the third is not answered."""
    claude_emulator.fail(Fault(status=503), Fault(status=503), *[Fault(delay=3600)] * 3)
    policy = RetryPolicy(retries=5, first_wait=0.01)
    with pytest.raises(errors.DeadlineExceeded):
        client(
            claude_emulator, policy=policy, timeout=0.5, clock=lambda: 0.2 * len(claude_emulator.requests)
        ).ask("Hello")
    assert len(claude_emulator.requests) == 3


@pytest.mark.parametrize("name", ["access_token", "credentials", "policy", "clock"])
def test_an_argument_of_the_client_is_no_option_of_a_question(claude_emulator, name):
    """A misspelt one is told from the options too."""
    with pytest.raises(errors.OptionError) as caught:
        client(claude_emulator).ask("Hello", **{name: "SECRET"})
    assert str(caught.value) == f"{name} is not an option of a question. Give it to Claude({name}=...)."
    with pytest.raises(errors.OptionError, match=f"Did you mean {name}") as caught:
        Claude(**{f"{name[:3]}{name[4:]}": "SECRET"})
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "false", 0], ids=repr)
@pytest.mark.parametrize("ask", [Claude.ask, Claude.request, Claude.count])
def test_a_field_that_does_not_say_how_the_answer_is_read_is_refused(claude_emulator, ask, value):
    """The address goes with it, so what the service would make of it cannot be left to the service."""
    with pytest.raises(errors.OptionError) as refused:
        ask(client(claude_emulator), "Hello", set={"stream": value})
    assert str(refused.value) == 'set={"stream": ...} is neither true nor false. Use true or false.'
    assert claude_emulator.requests == []


REPLACED = 'set={"messages": ...} is sent in place of the prompt.'


@pytest.mark.parametrize(("prompt", "count"), [("Hello", 1), ("", 0), ([], 0)], ids=repr)
def test_messages_that_are_set_by_hand_replace_the_prompt_and_it_is_told(claude_emulator, prompt, count):
    """What is set by hand is sent as it is; without a prompt nothing is left out."""
    messages = [{"role": "user", "content": "By hand"}]
    stream = client(claude_emulator).stream(prompt, set={"messages": messages})
    assert [str(in_python(notice.text)) for notice in stream.notices()].count(REPLACED) == count
    assert stream.reply.complete
    assert body(claude_emulator)["messages"] == messages


UNARY = [
    ({}, True),
    ({"no_stream": True}, False),
    ({"no_stream": True, "max_tokens": 21333}, False),
    ({"no_stream": True, "max_tokens": 21334}, True),
    ({"no_stream": True, "set": {"max_tokens": 64000}}, True),
    ({"no_stream": True, "model": "claude-opus-4-1@20250805", "max_tokens": 8193}, True),
    ({"no_stream": True, "model": "claude-opus-4-1@20250805", "max_tokens": 8192}, False),
    ({"set": {"stream": True}}, True),
    ({"set": {"stream": False}}, False),
    ({"set": {"stream": False}, "max_tokens": 30_000}, False),
    ({"no_stream": True, "set": {"stream": True}}, True),
    ({"no_stream": True, "max_tokens": 21334, "set": {"stream": False}}, False),
]


@pytest.mark.parametrize(("options", "streamed"), UNARY, ids=[str(row[0]) for row in UNARY])
def test_a_long_answer_is_streamed_even_if_the_user_did_not_ask_for_it(claude_emulator, options, streamed):
    """Case 21: a silent connection of many minutes would break on the way."""
    assert client(claude_emulator).ask("Hello", **options).complete
    assert body(claude_emulator).get("stream", False) is streamed
    assert claude_emulator.requests[0].path.endswith(":streamRawPredict" if streamed else ":rawPredict")


def test_a_whole_answer_is_the_same_reply(claude_emulator):
    """Not streamed: same text, tokens and cost, in one event less stream."""
    claude_emulator.answer("Four.", "Four.")
    streamed, whole = (client(claude_emulator).ask("2 + 2?", no_stream=flag) for flag in (False, True))
    for name in ("text", "stop_reason", "model", "usage", "cost", "complete", "blocks"):
        assert getattr(streamed, name) == getattr(whole, name)
    assert whole.first_token_seconds <= whole.seconds


@pytest.mark.parametrize("asker", ["client", "conversation"])
def test_a_program_that_iterates_gets_events_whatever_a_cell_shows(claude_emulator, asker):
    """The setting `no_stream` is about drawing; given with the question it holds."""
    claude = client(claude_emulator, no_stream=True, max_tokens=50)
    source = claude if asker == "client" else claude.chat("talk")
    assert [event.text for event in source.stream("Hello") if event.text]
    assert not [*source.stream("Hello", no_stream=True)]


def test_a_reply_in_json_is_read(claude_emulator):
    """Bare, in a fence, or not JSON at all: NaN and Infinity are values of Python's reader only."""
    read = {
        '{"a": 1}': {"a": 1},
        '```json\n{"a": 1}\n```': {"a": 1},
        " [1.5]\n": [1.5],
        "none": None,
        "[NaN, 1]": None,
        '{"a": -Infinity}': None,
    }
    claude_emulator.answer(*read)
    claude = client(claude_emulator, format="json")
    assert [claude.ask("Hello").data for _ in read] == [*read.values()]


def test_counting_tokens_sends_the_prompt_to_the_chosen_region_only(claude_emulator):
    """And never to a model."""
    claude = client(claude_emulator, region="asia-southeast1")
    assert claude.count("Hello there", system="Be brief.") > 0
    assert [request.path.rpartition("/")[2] for request in claude_emulator.requests] == [
        "count-tokens:rawPredict"
    ]
    assert "/locations/asia-southeast1/" in claude_emulator.requests[0].path
    assert body(claude_emulator)["model"] == "claude-sonnet-4-5"


def test_a_region_that_does_not_count_tokens_says_so(claude_emulator):
    """The prompt goes nowhere else by itself, and the model is not called missing."""
    with pytest.raises(errors.ModelNotFound, match="Counting tokens is not served in europe-west1") as caught:
        client(claude_emulator, region="europe-west1").count("Hello")
    assert "asia-southeast1" in caught.value.cure
    assert len(claude_emulator.requests) == 1


@pytest.mark.parametrize("answer", [b"[]", b"{}", b'{"input_tokens": "5"}', b"<html>", b""])
def test_a_count_that_is_none_is_a_protocol_error(claude_emulator, answer):
    """A proxy's page is not a number of tokens."""
    claude_emulator.fail(Fault(status=200, body=answer))
    with pytest.raises(errors.ProtocolError, match="token count"):
        client(claude_emulator).count("Hello")


def test_building_a_request_sends_nothing(claude_emulator):
    """The request that ask would send, without the token."""
    claude = client(claude_emulator)
    request = claude.request("Hello", max_tokens=5)
    assert claude_emulator.requests == []
    assert "authorization" not in {name.lower() for name in request.headers}
    claude.ask("Hello", max_tokens=5)
    assert body(claude_emulator) == request.body


def test_what_is_being_waited_for_is_told(claude_emulator):
    """Credentials, then a retry, from the asking thread."""
    said: list[tuple[str, str]] = []

    def note(text: str) -> None:
        said.append((threading.current_thread().name, text))

    claude_emulator.fail(503)
    claude = client(claude_emulator, policy=RetryPolicy(first_wait=0.001))
    assert claude.stream("Hello", notify=note).reply.complete
    with pytest.raises(errors.ProjectNotFound):
        client(claude_emulator, project=None).stream("Hello", notify=note)
    here = threading.current_thread().name
    assert [name for name, _ in said] == [here, here]
    assert [text.split(" (")[0] for _, text in said] == [
        "retrying in 0.0 s",
        "looking for Google credentials",
    ]


@pytest.mark.parametrize("wrong", [{"model": "sonet"}, {"model": "claude-3-5-haiku@20241022"}, {"region": "e u"},
                                   {"max_tokens": 0}], ids=str)  # fmt: skip
def test_what_is_certainly_wrong_is_said_before_credentials_are_looked_for(claude_emulator, wrong):
    """Whoever has neither login nor the right name is told of the name, which is mended at once."""
    said: list[str] = []
    claude = client(claude_emulator, project=None)
    with pytest.raises(errors.OptionError):
        claude.stream("Hello", notify=said.append, **wrong)
    with pytest.raises(errors.OptionError):
        claude.request("Hello", **wrong)
    assert said == []


def test_many_threads_may_ask_one_object(claude_emulator):
    """Each gets its own answer."""
    claude = client(claude_emulator)
    replies: dict[int, str] = {}

    def ask(number: int) -> None:
        replies[number] = claude.ask(f"number {number}", stop=[f"<{number}>"]).text

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 16
    assert {request.body["stop_sequences"][0] for request in claude_emulator.requests} == {
        f"<{number}>" for number in range(16)
    }


def test_a_closed_object_can_be_used_again(claude_emulator):
    """It drops idle connections and nothing else."""
    claude = client(claude_emulator)
    claude.ask("Hello")
    claude.close()
    assert claude.ask("Hello").complete


def test_a_with_block_closes_it(claude_emulator):
    """Also one that fails; the object can be used again here too."""
    with suppress(LookupError), client(claude_emulator) as claude:
        assert claude.ask("Hello").complete
        assert claude._session.transport._sessions
        raise LookupError
    assert not claude._session.transport._sessions
    assert claude.ask("Hello").complete


def test_a_flood_that_nobody_reads_stays_in_the_socket():
    """The server is held back; this process holds a bounded part of 200,000 deltas."""
    delta = b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "word "}}\n\n'
    chunk = b"%x\r\n%b\r\n" % (len(delta), delta)
    sent = [0]
    blocked = threading.Event()

    def flood(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            connection.settimeout(0.3)
            try:
                while sent[0] < 200_000:
                    connection.sendall(chunk * 100)
                    sent[0] += 100
            except TimeoutError:
                pass
            blocked.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        thread = threading.Thread(target=flood, args=(server,))
        thread.start()
        claude = Claude(
            project="p",
            model="x",
            base_url=f"http://127.0.0.1:{server.getsockname()[1]}/v1",
            access_token="t",
        )
        with claude.stream("Hello"):
            assert blocked.wait(120)
        thread.join()
    # What the server could send is what the socket's buffers and this process hold.
    assert sent[0] * len(chunk) < 16_000_000 < 200_000 * len(chunk)


def test_a_flood_that_is_read_is_whole(claude_emulator):
    """20,000 deltas at once: none is lost."""
    claude_emulator.answer(Flood(count=20_000, text="word "))
    assert client(claude_emulator).ask("Hello").text == "word " * 20_000


def test_the_wire_carries_what_the_request_says_and_our_name(claude_emulator):
    """The body byte for byte, the token, and no compression that would hold events back."""
    claude = client(claude_emulator)
    request = claude.request("Grüße 🙂")
    claude.ask("Grüße 🙂")
    received = claude_emulator.requests[0]
    assert received.raw == request.payload
    assert received.body == json.loads(json.dumps(request.body))
    assert received.headers["authorization"] == "Bearer emulator"
    assert received.headers["user-agent"].startswith("vertex-claude-magic")
    assert received.headers["accept-encoding"] == "identity"
    assert "cookie" not in received.headers


def test_below_an_answer_the_emulator_is_called_by_its_name(claude_emulator):
    """It says who it is; another server on this machine is only that."""
    stream = client(claude_emulator).stream("Hello")
    assert stream.reply.complete
    told = [notice.text for notice in stream.notices()]
    assert "Answered by the emulator, not by Claude (see base_url)." in told
