"""What has arrived is kept: by a reader that is late, by a stop at any moment, and by a program that leaves."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from journals import client, rows
from processes import eventually

from vertex_claude_magic import ClaudeInterrupt, errors
from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.session.stream import Stream, StreamContext
from vertex_claude_magic.transport.transport import Head
from vertex_claude_magic.vertex.request import RequestOptions, build_request

if TYPE_CHECKING:
    from vertex_claude_magic.session.exchange import Exchange
    from vertex_claude_magic.transport.transport import Item

LONG = "Once upon a time. " * 40
HALF = Reply(content=LONG, fault=Fault(stall_after=4000))


class Clock:
    """Seconds that pass as ever, and on which a reader is late when a test says so."""

    late = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.late


def over(stream: Exchange) -> None:
    """Wait until the service has said all; nobody reads it meanwhile."""
    assert stream._streams[-1]._response._over.wait(60)


def begun(stream: Exchange) -> None:
    """Wait until some pieces of an answer are there; nobody reads them meanwhile."""
    assert eventually(lambda: stream._streams[-1]._response._items.qsize() >= 10)


@pytest.mark.parametrize("no_stream", [False, True], ids=["streamed", "whole"])
def test_an_answer_that_is_there_in_time_is_no_late_one(claude_emulator, no_stream):
    """However late it is read."""
    clock = Clock()
    claude_emulator.answer(LONG)
    stream = client(claude_emulator, clock=clock).stream("Hello", timeout=60, no_stream=no_stream)
    over(stream)
    clock.late = 3600
    assert (stream.reply.text, stream.reply.complete) == (LONG, True)
    assert [row["state"] for row in rows()] == ["done"]


def test_a_refusal_that_is_there_in_time_is_told(claude_emulator):
    """And not that no answer came."""
    clock = Clock()
    claude_emulator.fail(Fault(status=403))
    stream = client(claude_emulator, clock=clock).stream("Hello", timeout=60)
    over(stream)
    clock.late = 3600
    with pytest.raises(errors.PermissionDenied):
        stream.reply  # noqa: B018 - reading it is the test


def test_an_answer_that_is_late_keeps_what_was_there_before(claude_emulator):
    clock = Clock()
    claude_emulator.answer(HALF)
    stream = client(claude_emulator, clock=clock).stream("Hello", timeout=60)
    begun(stream)
    clock.late = 3600
    with pytest.raises(errors.DeadlineExceeded, match="within 60 seconds") as caught:
        stream.reply  # noqa: B018 - reading it is the test
    assert caught.value.reply.text
    assert LONG.startswith(caught.value.reply.text)
    assert not caught.value.reply.complete


@pytest.mark.parametrize("name", ["", "talk"], ids=["alone", "in a conversation"])
def test_a_stop_keeps_what_nobody_has_read_yet(claude_emulator, name):
    """Pressed while the caller draws what came before."""
    claude_emulator.answer(HALF)
    claude = client(claude_emulator)
    stream = claude.chat(name).stream("Hello") if name else claude.stream("Hello")
    begun(stream)
    with pytest.raises(ClaudeInterrupt) as caught, stream:
        signal.raise_signal(signal.SIGINT)
    assert caught.value.reply.text
    assert LONG.startswith(caught.value.reply.text)
    assert not caught.value.reply.complete
    assert [row["state"] for row in rows()] == ["stopped"]
    assert [turn.reply.text for turn in claude.chat("talk").turns] == [caught.value.reply.text][: len(name)]


def test_a_stop_keeps_a_whole_answer_that_nobody_has_read_yet(claude_emulator):
    """It can be given again, and what it cost is known."""
    claude_emulator.answer(LONG)
    claude = client(claude_emulator)
    stream = claude.stream("Hello")
    over(stream)
    with pytest.raises(ClaudeInterrupt) as caught, stream:
        signal.raise_signal(signal.SIGINT)
    assert (caught.value.reply.text, caught.value.reply.complete) == (LONG, True)
    [row] = rows()
    assert (row["state"], row["cost"] == caught.value.reply.cost > 0) == ("done", True)
    assert claude.ask("Hello", replay="only").text == LONG


def test_a_reply_that_was_closed_before_it_was_read_is_an_error_that_has_it(claude_emulator):
    """Always: whether the rest had arrived by then is chance."""
    claude_emulator.answer(LONG)
    with client(claude_emulator).stream("Hello") as stream:
        over(stream)
    with pytest.raises(errors.StreamInterrupted, match="closed") as caught:
        stream.reply  # noqa: B018 - reading it is the test
    assert (caught.value.reply.text, caught.value.reply.complete) == (LONG, True)


# What is handed to a stream, piece by piece


def piece(text: str) -> bytes:
    delta = f'{{"type": "text_delta", "text": "{text}"}}'
    return f'data: {{"type": "content_block_delta", "index": 0, "delta": {delta}}}\n\n'.encode()


class Response:
    """A response of which `get` gives one step at a time, None or an item; a stop is pressed where they end."""

    started = 0.0
    may_be_billed = True

    def __init__(self, *steps: Item | None, rest: tuple[Item, ...] = ()) -> None:
        self.steps, self.rest = list(steps), rest
        self.cancelled = False

    def get(self, seconds: float) -> Item | None:
        if not self.steps:
            raise KeyboardInterrupt
        return self.steps.pop(0)

    def arrived(self) -> list[Item]:
        return list(self.rest) if self.cancelled else []

    def cancel(self) -> None:
        self.cancelled = True


class Recorder:
    """One that is stopped while it adds the call to the journal, and keeps how it ended."""

    begun = ended = False

    def begin(self) -> None:
        self.begun = True
        raise KeyboardInterrupt

    def end(self, reply: Any, **how: Any) -> None:
        self.ended, self.text = True, reply.text


def read(response: Response, recorder: Recorder | None = None) -> str:
    """The text of a stream that is stopped."""
    messages = [{"role": "user", "content": "Hi"}]
    request = build_request(messages, RequestOptions(), model="claude-x", project="p", region="global",
                            catalog=Catalog.load())  # fmt: skip
    stream = Stream(response, StreamContext(request, Catalog.load(), recorder=recorder))
    with pytest.raises(ClaudeInterrupt) as caught:
        list(stream)
    assert response.cancelled
    return caught.value.reply.text


HEAD = Head("text/event-stream", None)
START = b'data: {"type": "message_start", "message": {"id": "m", "model": "claude-x"}}\n\n'


def test_a_stop_while_the_call_is_added_to_the_journal_keeps_what_comes_meanwhile():
    recorder = Recorder()
    response = Response(HEAD, START, None, rest=(piece("one "), piece("two")))
    assert read(response, recorder) == recorder.text == "one two"


def test_a_stop_never_leaves_a_piece_out():
    """Where one was taken when it was pressed, none of those behind it follows."""
    response = Response(HEAD, START, piece("one "), rest=(piece("three"),))
    assert read(response) == "one "
