"""CPU from the bytes of a stream to the whole reply: ours, the official SDK's, and `json.loads` of the payloads alone.

Text deltas of twenty characters, one event a chunk, no socket: the SDK reads them from a transport in memory.
"""

from __future__ import annotations

import argparse
import json
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
from table import environment, markdown, middle, ratio, verdict

from vertex_claude_magic.vertex.events import MessageDecoder
from vertex_claude_magic.vertex.reply_builder import ReplyBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DELTAS = 10_000
JSON_LIMIT = 2.5
SDK_LIMIT = 0.2

_USAGE = {"input_tokens": 10, "output_tokens": DELTAS}
_MESSAGE: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": [],
    "stop_reason": None, "stop_sequence": None, "usage": _USAGE,
}  # fmt: skip


def _delta(number: int) -> dict[str, Any]:
    text = f"twenty letters {number % 10_000:05d}"
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def _events() -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _MESSAGE}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield from map(_delta, range(DELTAS))
    yield {"type": "content_block_stop", "index": 0}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": _USAGE,
    }
    yield {"type": "message_stop"}


EVENTS = tuple(_events())
PAYLOADS = tuple(json.dumps(event) for event in EVENTS)
CHUNKS = tuple(
    f"event: {event['type']}\ndata: {payload}\n\n".encode()
    for event, payload in zip(EVENTS, PAYLOADS, strict=True)
)  # fmt: skip
TEXT = "".join(_delta(number)["delta"]["text"] for number in range(DELTAS))


class _Chunks(httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        return iter(CHUNKS)


def _client() -> anthropic.Anthropic:
    def answer(_request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=_Chunks())

    transport = httpx2.MockTransport(answer)
    return anthropic.Anthropic(api_key="none", http_client=httpx2.Client(transport=transport))


CLIENT = _client()
ASKED: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 64_000,
    "messages": [{"role": "user", "content": "Hi"}],
}


def json_alone() -> str:
    for payload in PAYLOADS:
        json.loads(payload)
    return TEXT


def ours() -> str:
    decoder, builder = MessageDecoder(), ReplyBuilder()
    for chunk in CHUNKS:
        for event in decoder.feed(chunk):
            builder.add(event)
    return builder.reply().text


def sdk_stream() -> str:
    with CLIENT.messages.stream(**ASKED) as stream:
        for _ in stream:
            pass
        return str(stream.get_final_text())


def sdk_events() -> str:
    events = CLIENT.messages.create(stream=True, **ASKED)
    return "".join(event.delta.text for event in events if event.type == "content_block_delta")


JSON, OURS, SDK = "`json.loads` of each payload", "bytes to `Reply`", "official SDK, `messages.stream`"
WAYS: dict[str, Callable[[], str]] = {
    JSON: json_alone,
    OURS: ours,
    SDK: sdk_stream,
    "official SDK, `create(stream=True)`, events only": sdk_events,
}


def measure(work: Callable[[], str]) -> float:
    """Return milliseconds of CPU, after checking that nothing was lost."""
    start = time.process_time()
    text = work()
    spent = time.process_time() - start
    assert text == TEXT
    return spent * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = [
        {name: measure(work) for name, work in WAYS.items()} for _ in range(parser.parse_args().rounds + 1)
    ]
    times = {name: [found[name] for found in rounds[1:]] for name in WAYS}
    print(environment(("anthropic", "httpx2", "pydantic")))
    print()
    rows = [
        [name, middle(times[name]), middle(ratio(times[name], times[JSON]), 2),
         middle(ratio(times[name], times[SDK]), 3)]
        for name in WAYS
    ]  # fmt: skip
    print(markdown(["way", f"CPU ms per {DELTAS:,} deltas", "to json.loads", "to the SDK's stream"], rows))
    print()
    print(verdict("to json.loads, ratio", median(ratio(times[OURS], times[JSON])), JSON_LIMIT))
    print(verdict("to the SDK's stream, ratio", median(ratio(times[OURS], times[SDK])), SDK_LIMIT, digits=3))


if __name__ == "__main__":
    main()
