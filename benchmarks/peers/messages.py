"""Anthropic's own `/v1/messages` on this machine, for peers that do not speak the Vertex protocol: one fixed answer."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from script import PAUSE_SECONDS, PIECES, events

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["messages_api"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer with two pieces and a pause between them, or at once where nothing is to be streamed."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        if not body.get("stream"):
            message = {**events([])[0]["message"], "stop_reason": "end_turn",
                       "content": [{"type": "text", "text": "".join(PIECES)}]}  # fmt: skip
            answer = json.dumps(message).encode()
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            return
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number, event in enumerate(events(list(PIECES))):
            if number == len(PIECES) + 1:
                time.sleep(PAUSE_SECONDS)
            chunk = f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def messages_api() -> Iterator[dict[str, str]]:
    """Serve, and yield the environment that points the peers there."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield {"ANTHROPIC_API_KEY": "none", "ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_URL": url,
               "ANTHROPIC_API_BASE": url, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # fmt: skip
    finally:
        server.shutdown()
        server.server_close()
