"""What a worker process does: functions that return a figure, with the build that PYTHONPATH names.

The process reads `[function, *arguments]` as one line of JSON and answers with a number, so that several builds can
take turns. Nothing of the package is imported before a function needs it.
"""

from __future__ import annotations

import json
import math
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

DELTAS = 10_000
_USAGE = {"input_tokens": 10, "output_tokens": DELTAS}
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": _USAGE}  # fmt: skip


@cache
def _chunks() -> tuple[tuple[bytes, ...], tuple[str, ...], str]:
    """Return a stream of text deltas of twenty characters: its chunks, their payloads and the text."""
    texts = [f"twenty letters {number % 10_000:05d}" for number in range(DELTAS)]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": _MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
          for text in texts),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": _USAGE},
        {"type": "message_stop"},
    ]  # fmt: skip
    payloads = tuple(json.dumps(event) for event in events)
    named = zip(events, payloads, strict=True)
    chunks = tuple(f"event: {event['type']}\ndata: {payload}\n\n".encode() for event, payload in named)
    return chunks, payloads, "".join(texts)


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return 1000 * (time.process_time() - start)


def decode_json() -> float:
    """Milliseconds of CPU of `json.loads` of each payload."""
    _, payloads, _ = _chunks()

    def work() -> None:
        for payload in payloads:
            json.loads(payload)

    return _cpu(work)


def decode_ours() -> float:
    """Milliseconds of CPU from the bytes of the stream to the whole reply."""
    from vertex_claude_magic.vertex.events import MessageDecoder
    from vertex_claude_magic.vertex.reply_builder import ReplyBuilder

    chunks, _, text = _chunks()
    replies = []

    def work() -> None:
        decoder, builder = MessageDecoder(), ReplyBuilder()
        for chunk in chunks:
            for event in decoder.feed(chunk):
                builder.add(event)
        replies.append(builder.reply())

    spent = _cpu(work)
    assert replies[0].text == text
    return spent


_ASKED: dict[str, Any] = {}
_QUESTION = "What is the capital of France?"


def prepare(base_url: str, project: str, folder: str) -> float:
    """Make the clients that `ask` and `bare` use."""
    import requests

    from vertex_claude_magic import Claude

    common = {"access_token": "emulator", "project": project, "base_url": base_url}
    _ASKED["on"] = Claude(journal=str(Path(folder) / "journal.sqlite3"), **common)
    _ASKED["off"] = Claude(journal="off", **common)
    built = _ASKED["on"].request(_QUESTION)
    _ASKED["url"], _ASKED["body"] = built.url, {**json.loads(json.dumps(built.body)), "stream": True}
    _ASKED["session"], _ASKED["number"] = requests.Session(), 0
    return 0.0


def ask(journal: str, count: int) -> float:
    """Milliseconds of CPU of a short answer, the least of `count`; `journal` is "on" or "off"."""
    return min(_cpu(lambda: _ASKED[journal].ask(_next())) for _ in range(count))


def turns(count: int) -> float:
    """Milliseconds of CPU of asking with so many turns of 2 kB, the least of seven."""
    messages = []
    for number in range(count):
        messages.append({"role": "user", "content": f"turn {number} " + "user " * 200})
        messages.append({"role": "assistant", "content": f"turn {number} " + "model " * 170})
    return min(
        _cpu(lambda: _ASKED["on"].ask([*messages, {"role": "user", "content": _next()}])) for _ in range(7)
    )


def bare(count: int) -> float:
    """Milliseconds of CPU of posting the same body with requests and decoding it, the least of `count`."""
    return min(_cpu(_post) for _ in range(count))


def _next() -> str:
    _ASKED["number"] += 1
    return f"{_QUESTION} {_ASKED['number']}"


def _post() -> None:
    body = {**_ASKED["body"], "messages": [{"role": "user", "content": _next()}]}
    headers = {"Authorization": "Bearer emulator", "Content-Type": "application/json"}
    pieces = []
    with _ASKED["session"].post(
        _ASKED["url"], json=body, headers=headers, stream=True, timeout=60
    ) as response:
        response.raise_for_status()
        data = (line[5:] for line in response.iter_lines() if line.startswith(b"data:"))
        pieces += [json.loads(each).get("delta", {}).get("text", "") for each in data]
    assert pieces


def conversation(base_url: str, project: str, folder: str, prompts: list[str], tools: bool) -> float:
    """How many times the CPU of bare requests with the same bodies a turn takes, the least of the last ten of each."""
    import requests

    from vertex_claude_magic import Claude

    def mean(column: str) -> float:
        """Mean of a column."""
        return float(len(column))

    claude = Claude(access_token="emulator", project=project, base_url=base_url, model="haiku",
                    journal=str(Path(folder) / "journal.sqlite3"))  # fmt: skip
    if not hasattr(claude, "chat"):
        # A build from before there were conversations.
        return math.nan
    chat, session = claude.chat("growth"), requests.Session()
    options = {"tools": [mean]} if tools else {}
    url, headers = claude.request("Hi").url, {"Authorization": "Bearer emulator"}
    ours: list[float] = []
    bare: list[float] = []
    for prompt in prompts:
        replies: list[Any] = []
        ours.append(_cpu(lambda prompt=prompt, replies=replies: replies.append(chat.ask(prompt, **options))))
        bodies = [dict(each.question or {}) for each in replies[0].rounds]
        bare.append(_cpu(lambda bodies=bodies: [_posted(session, url, headers, body) for body in bodies]))
    claude.close()
    return min(ours[-10:]) / min(bare[-10:])


def stored(folder: str) -> float:
    """Megabytes in a folder."""
    return sum(each.stat().st_size for each in Path(folder).iterdir()) / 1e6


def _posted(session: Any, url: str, headers: dict[str, str], body: dict[str, Any]) -> None:
    with session.post(url, json=body, headers=headers, stream=True, timeout=60) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith(b"data:"):
                json.loads(line[5:])


def main() -> None:
    """Serve until there are no more lines."""
    for line in sys.stdin:
        function, *arguments = json.loads(line)
        print(json.dumps(globals()[function](*arguments)), flush=True)


if __name__ == "__main__":
    main()
