#!/usr/bin/env bash
# google-auth 2.63.0: when a server refuses the token of an upload with 401, `AuthorizedSession` gets a new token and
# sends the request again, with an empty body if the data is a file; the answer is 200.
#
# Expected: the second request has the same content, or the 401 is returned. The documentation of the class says that
# it performs requests that need credentials and refreshes them as needed. requests itself goes back to the start of a
# file when it follows a redirect, and raises UnrewindableBodyError if it cannot.
#
# Happens: the same arguments are given to a second request, in which the file stands at its end. An open file and a
# `BytesIO` become a body of no bytes, a generator too, and a form with `files=` has the name of the file and none of
# its content. The response is that of the second request. `AuthorizedHttp`, for urllib3, does the same. Bytes and
# `json=` are sent whole.
#
# Concerns: uploads by hand to Cloud Storage, Drive or an API of one's own, when a token is withdrawn, or a server's
# clock is ahead: an object of 0 bytes replaces yesterday's and counts as uploaded. A way out is to send bytes, or to
# compare the size that the server answers with. The upload methods of google-cloud-storage send bytes.
#
# Known? Yes, https://github.com/googleapis/google-cloud-python/issues/18238 (open when searched in 2026-11), for
# files and generators; forms are not named there.
#
# This product sends bytes (transport/connection.py), and files by google-cloud-storage (transport/storage.py).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check \
    "google-auth==2.63.0" "requests==2.34.2" "urllib3==2.8.0" "packaging==26.4"

# A server on this machine refuses the first token, so nothing leaves it.
export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
HOME="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version

import urllib3
from google.auth.credentials import Credentials
from google.auth.transport.requests import AuthorizedSession
from google.auth.transport.urllib3 import AuthorizedHttp

CONTENT = b"row\n" * 250
come = []


class Server(BaseHTTPRequestHandler):
    """It takes the token "new" and redirects /moved; `come` is what came: the path and how often a row is in it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        come.append((self.path, body.count(b"row\n")))
        moved = self.path == "/moved"
        self.send_response(307 if moved else 200 if self.headers["Authorization"] == "Bearer new" else 401)
        if moved:
            self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Login(Credentials):
    """Its first token is refused, and the second is good."""

    def __init__(self, token="old"):
        super().__init__()
        self.token = token

    def refresh(self, request):
        self.token = "new"


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
file = tempfile.TemporaryFile()
file.write(CONTENT)


def opened():
    file.seek(0)
    return file


def by_requests(path="/", token="old", **data):
    come.clear()
    answer = AuthorizedSession(Login(token)).post(url + path, **data)
    return answer.status_code, [count for _, count in come]


def by_urllib3(body):
    come.clear()
    http = AuthorizedHttp(Login(), http=urllib3.PoolManager())
    return http.urlopen("POST", url + "/", body=body).status, [count for _, count in come]


print(*(f"{name} {version(name)}" for name in ("google-auth", "requests", "urllib3")))
found = {
    "bytes": by_requests(data=CONTENT),
    "a file, redirected": by_requests("/moved", token="new", data=opened()),
    "a file": by_requests(data=opened()),
    "a BytesIO": by_requests(data=io.BytesIO(CONTENT)),
    "a generator": by_requests(data=(CONTENT for _ in range(1))),
    "a form with a file": by_requests(files={"table": opened()}),
    "a file by urllib3": by_urllib3(opened()),
}
server.shutdown()
for name, (status, rows) in found.items():
    print(f"{name:20} rows in the first request and in the second: {rows}, then {status}")
whole = {"bytes", "a file, redirected"}
if found != {name: (200, [250, 250 if name in whole else 0]) for name in found}:
    sys.exit("No longer as described: the second request has the content, or is not sent.")
print("As described: the second request is empty, and its answer is 200.")
PYTHON
