#!/usr/bin/env bash
# google-cloud-storage 3.17.1: if an object is replaced while it is downloaded in chunks, the download is the beginning
# of the old content and the end of the new, without an error.
#
# Expected: the content is that of one version. The docstring of `download_to_file` says only that with a `chunk_size`
# each request downloads so many bytes. The change that made downloads resume after a lost connection asks for the
# version with which they began, "to make sure the same object content is requested"
# (https://github.com/googleapis/google-resumable-media-python/pull/294), and `transfer_manager.
# download_chunks_concurrently` reads the version first and names it in each request.
#
# Happens: of a blob that was made by `bucket.blob(name, chunk_size=...)` each chunk is read from whatever the object is
# at that moment. The answers name the version in a header, and nothing compares them. No checksum is compared either,
# which the docstring says of a `chunk_size`, so a file of the right size is half of yesterday and half of today.
# `download_to_filename`, `download_as_bytes` and `download_as_text` do so too. With a version, as a blob of `get_blob`
# has it, the same download ends in NotFound, and one without a chunk size is whole, of the old version.
#
# Concerns: whoever sets `chunk_size` to save memory or to get past a proxy, and reads what another program writes anew:
# exports, checkpoints, results of batches, logs. A way out is to get the blob by `bucket.get_blob(name)`, or to give no
# `chunk_size`.
#
# Known? Not found in the project's issues (searched 2026-11). That a download names the version of the blob, and
# NotFound is then a surprise, is https://github.com/googleapis/google-cloud-python/issues/4499.
#
# This product downloads in one request, and compares the checksum (transport/storage.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "google-cloud-storage==3.17.1" "google-auth==2.63.0" "google-crc32c==1.9.0"

# A server on this machine is the bucket, so nothing leaves it.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import base64
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from itertools import groupby
from urllib.parse import parse_qs, urlsplit

import google_crc32c
from google.api_core.exceptions import NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

CHUNK = 256 * 1024
CONTENT = {1: b"a" * 3 * CHUNK, 2: b"b" * 3 * CHUNK}


class Bucket(BaseHTTPRequestHandler):
    """A bucket with one object, which somebody replaces once its first bytes were read."""

    live = 1

    def do_GET(self):
        url = urlsplit(self.path)
        asked = parse_qs(url.query)
        live = Bucket.live
        content = CONTENT[live]
        checksum = base64.b64encode(google_crc32c.Checksum(content).digest()).decode()
        if int(asked.get("generation", [live])[0]) != live:
            return self.answer(404, b"{}", {})
        if asked.get("alt") != ["media"]:
            about = {"name": "report", "bucket": "a-bucket", "generation": str(live), "size": str(len(content))}
            return self.answer(200, json.dumps(about).encode(), {"Content-Type": "application/json"})
        headers = {"X-Goog-Generation": str(live), "X-Goog-Hash": f"crc32c={checksum}"}
        Bucket.live = 2
        if "Range" not in self.headers:
            return self.answer(200, content, headers)
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self.answer(206, content[first : last + 1], headers)

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": len(body)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = storage.Client(
    project="a-project", credentials=AnonymousCredentials(),
    client_options={"api_endpoint": f"http://127.0.0.1:{server.server_port}"},
)  # fmt: skip
bucket = client.bucket("a-bucket")


def known():
    blob = bucket.get_blob("report")
    blob.chunk_size = CHUNK
    return blob


def downloaded(made):
    """Which bytes arrive, and how many of each."""
    Bucket.live = 1
    try:
        content = made().download_as_bytes()
    except NotFound:
        return "NotFound"
    return [(chr(byte), len(list(run))) for byte, run in groupby(content)]


print("google-cloud-storage", version("google-cloud-storage"))
found = {
    "without a chunk size": downloaded(lambda: bucket.blob("report")),
    "in chunks": downloaded(lambda: bucket.blob("report", chunk_size=CHUNK)),
    "in chunks, of get_blob": downloaded(known),
}
server.shutdown()
for name, content in found.items():
    print(f"{name:24} {content}")
if [*found.values()] != [[("a", 3 * CHUNK)], [("a", CHUNK), ("b", 2 * CHUNK)], "NotFound"]:
    sys.exit("No longer as described: a download in chunks is of one version, or raises an error.")
print("As described: a third of the old version and two thirds of the new.")
PYTHON
