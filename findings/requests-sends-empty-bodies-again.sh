#!/usr/bin/env bash
# requests 2.34.2 with urllib3 2.8.0: an upload whose data is a generator is sent again, after a 503 that is retried or
# a redirect with 307, with an empty body, and the answer is 200.
#
# Expected: the whole body or an error. The documentation of requests ("Chunk-Encoded Requests") has generators as the
# way to send data of unknown size. Both packages rewind a file before they send it again, and both have an exception
# `UnrewindableBodyError` for a body that cannot be rewound. PUT is among the methods that a `Retry` retries by default.
#
# Happens: where a body begins is asked of `tell`. A body without it, such as a generator, counts as one that need not
# be rewound (`set_file_position` in urllib3/util/request.py, `rewindable` in requests/sessions.py), so that the
# exhausted generator is sent once more: one chunk of length 0, which is a complete and valid empty body. The server
# stores an empty object and says so. Files are sent whole both times, and httpx raises `StreamConsumed`. Nothing warns.
#
# Concerns: uploads to object stores and gateways in front of them, which answer 503 under load and 307 to the right
# region, of rows that are encoded on the way, such as JSONL for a batch. A way out is to send bytes or a file, or to
# leave retries to code that makes the generator anew.
#
# Known? Not found for generators (searched 2026-12). https://github.com/urllib3/urllib3/issues/5181 is the same loss
# with files, at redirects that urllib3 follows itself; aiohttp had it with generators and now raises an error
# (https://github.com/aio-libs/aiohttp/pull/12217).
#
# This product sends no generators: its requests are bytes, its uploads files.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "requests==2.34.2" "urllib3==2.8.0" "httpx==0.28.1"

NO_PROXY="*" "$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import httpx
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

received = []


class Store(BaseHTTPRequestHandler):
    """Answers the first request for /busy with 503 and each for /moved with 307, and keeps what it receives."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_PUT(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while length := int(self.rfile.readline() or b"0", 16):
                body += self.rfile.read(length)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        received.append((self.path, body))
        status = 307 if self.path == "/moved" else 503 if received == [("/busy", body)] else 200
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "/stored")
        self.send_header("Content-Length", "0")
        self.end_headers()


def rows():
    yield b'{"row": 1}\n'
    yield b'{"row": 2}\n'


def put(path, data):
    received.clear()
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(3, status_forcelist=[503])))
        status = session.put(f"{address}{path}", data=data).status_code
    print(f"{type(data).__name__:10} {path:7} {status}, bodies received: {[len(body) for _, body in received]}")
    return status, [body for _, body in received]


print(*(f"{name} {version(name)}" for name in ("requests", "urllib3", "httpx")))
server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
address = f"http://127.0.0.1:{server.server_port}"
whole = b"".join(rows())
seen = {(name, path): put(path, data()) for path in ("/busy", "/moved") for name, data in
        {"generator": rows, "file": lambda: io.BytesIO(whole), "bytes": lambda: whole}.items()}  # fmt: skip
received.clear()
try:
    httpx.put(f"{address}/moved", content=rows(), follow_redirects=True)
    by_httpx = "no error"
except httpx.StreamConsumed:
    by_httpx = "StreamConsumed"
print("httpx, generator, /moved:", by_httpx)
server.shutdown()

if by_httpx != "StreamConsumed" or any(
    answer != (200, [whole, whole]) for (name, _), answer in seen.items() if name != "generator"
):
    sys.exit("No longer as described: files, bytes or httpx behave differently.")
if any(answer != (200, [whole, b""]) for (name, _), answer in seen.items() if name == "generator"):
    sys.exit("No longer as described: a generator is sent whole, or is an error.")
print("As described: the second body is empty, and the status is 200.")
PYTHON
