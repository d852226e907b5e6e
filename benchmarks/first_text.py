"""From sending a cell to the first text of the answer on the front end, in a real kernel.

The service is the emulator in another process, with a service-account file, so that google-auth loads its
key and fetches a token. Compared with what one writes by hand: `requests`, google-auth and an
`update_display` for each delta. Cold is the sum of a fresh kernel's first two cells: loading and asking.

The answer stays open for a moment after its first words, as real ones do. A second question gets the whole
answer at once, which says what the end of an answer costs. The emulator's own time is that between a bare
socket's request and the first words; it is told, and stays in the figures.
"""

from __future__ import annotations

import argparse
import json
import socket
import time
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kernel import Kernel, kernel
from service import service
from table import environment, markdown, middle, ratio, verdict

from vertex_claude_magic.emulator.messages.parts import sse

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST, REST = "Forty-two, said", " the machine, and fell silent."
PAUSE_SECONDS = 0.05
WARM_CELLS = 15
WARM_LIMIT_MS = 5.0
COLD_LIMIT = 1.3

BARE_LOAD = """
import json, os
import google.auth, google.auth.transport.requests, requests
from IPython.display import Markdown, display, update_display
session = requests.Session()
session.trust_env = False
credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
refresh = google.auth.transport.requests.Request(session)
url = (os.environ["ANTHROPIC_VERTEX_BASE_URL"] + "/projects/" + os.environ["ANTHROPIC_VERTEX_PROJECT_ID"]
       + "/locations/global/publishers/anthropic/models/claude-sonnet-5-5:streamRawPredict")
def ask(prompt):
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 16000, "stream": True,
            "messages": [{"role": "user", "content": prompt}]}
    headers, text = {}, ""
    credentials.before_request(refresh, "POST", url, headers)
    shown = display(Markdown(""), display_id=True)
    with session.post(url, json=body, headers=headers, stream=True) as response:
        response.raise_for_status()
        for line in response.iter_lines():
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                if event["type"] == "content_block_delta":
                    text += event["delta"].get("text", "")
                    shown.update(Markdown(text))
"""
# The floor of any cell that shows something.
FLOOR = ("from IPython.display import Markdown, display", f"display(Markdown({FIRST!r}))")
WAYS: Mapping[str, tuple[str, str]] = {
    "requests, google-auth and `update_display`, by hand": (
        BARE_LOAD,
        "ask('What is the answer?')",
    ),
    "`%load_ext vertex_claude_magic`, `%%claude`": (
        "%load_ext vertex_claude_magic",
        "%%claude\nWhat is the answer?",
    ),
    "floor: `display(Markdown(...))`, nothing asked": FLOOR,
}
BARE, OURS, _ = WAYS
Times = dict[str, list[float]]


def script() -> list[dict[str, Any]]:
    """Answer every prompt; the one that ends in `Now!` at once, the others with a pause after the first words."""
    usage = {"input_tokens": 9, "output_tokens": 9}
    start = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [],
    }
    deltas = [{"type": "text_delta", "text": text} for text in (FIRST, REST)]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**start, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ]
    opened = sum(len(sse(event)) for event in events[:3])
    pause = {"stall_after": opened, "stall_seconds": PAUSE_SECONDS}
    return [{"match": "Now!", "reply": events}, {"match": "", "reply": events, "fault": pause}]


def measure(way: str, environ: Mapping[str, str], times: dict[str, Times]) -> None:
    """Run one fresh kernel and note milliseconds."""
    load, ask = WAYS[way]
    with kernel(environ) as running:
        # Any front end has asked the kernel for something before; its own first steps are not counted.
        running.run("1 + 1")
        loading = running.run(load).seconds * 1000
        first = _first_text(running, ask)
        warm = [_first_text(running, ask) for _ in range(WARM_CELLS)]
        whole = [_first_text(running, ask.replace("?", "? Now!")) for _ in range(WARM_CELLS)]
    found = {
        "load": loading,
        "first": first,
        "cold": loading + first,
        "warm": median(warm),
        "whole": median(whole),
    }
    for name, value in found.items():
        times[way].setdefault(name, []).append(value)


def server_milliseconds(environ: Mapping[str, str]) -> float:
    """Return the milliseconds that a bare socket waits for the first words."""
    base = urlsplit(environ["ANTHROPIC_VERTEX_BASE_URL"])
    path = (
        f"{base.path}/projects/{environ['ANTHROPIC_VERTEX_PROJECT_ID']}/locations/global/publishers/anthropic"
    )
    body = json.dumps(
        {"anthropic_version": "vertex-2023-10-16", "max_tokens": 16000, "stream": True,
         "messages": [{"role": "user", "content": "What is the answer?"}]}
    ).encode()  # fmt: skip
    head = (
        f"POST {path}/models/claude-sonnet-5-5:streamRawPredict HTTP/1.1\r\nHost: {base.netloc}\r\n"
        f"Authorization: Bearer emulator\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((str(base.hostname), int(base.port or 0))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return median(_exchange(connection, head.encode() + body) for _ in range(WARM_CELLS))


def _exchange(connection: socket.socket, request: bytes) -> float:
    sent, came = time.perf_counter(), b""
    connection.sendall(request)
    while FIRST.encode() not in came:
        came += connection.recv(65536)
    waited = time.perf_counter() - sent
    while not came.endswith(b"0\r\n\r\n"):
        came += connection.recv(65536)
    return waited * 1000


def _first_text(running: Kernel, ask: str) -> float:
    return running.run(ask).seconds_to(FIRST) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    times: dict[str, Times] = {way: {} for way in WAYS}
    server: list[float] = []
    rounds = parser.parse_args().rounds
    with service(script()) as environ:
        for way in WAYS:
            measure(way, environ, {way: {}})
        for _ in range(rounds):
            for way in WAYS:
                measure(way, environ, times)
            server.append(server_milliseconds(environ))
    report(times, median(server))


def report(times: Mapping[str, Times], server: float) -> None:
    cold = {way: ratio(times[way]["cold"], times[BARE]["cold"]) for way in WAYS}
    rows = [
        [way, *(middle(times[way][name]) for name in ("load", "first", "cold")), middle(cold[way], 2),
         middle(times[way]["warm"]), middle(times[way]["whole"])]
        for way in WAYS
    ]  # fmt: skip
    print(environment())
    print()
    head = ["way", "load cell ms", "first ask ms", "both ms", "ratio", "later asks ms", "whole at once ms"]
    print(markdown(head, rows))
    print()
    warm, whole = (median(times[OURS][name]) for name in ("warm", "whole"))
    print(verdict("warm, ms, of an answer that goes on", warm, WARM_LIMIT_MS))
    print(verdict("warm, ms, of an answer that comes at once", whole, WARM_LIMIT_MS))
    print(f"- the emulator's own time, which is in all figures: {server:.1f} ms")
    print(f"- warm, ratio to the work by hand: {median(ratio(times[OURS]['warm'], times[BARE]['warm'])):.2f}")
    print(verdict("cold, ratio", median(cold[OURS]), COLD_LIMIT))


if __name__ == "__main__":
    main()
