#!/usr/bin/env bash
# anthropic 2.14.0 (extra `vertex`): `AnthropicVertex.with_options(region=...)` changes the location in the path of
# a request and keeps the host of the former region.
#
# Expected: a client for europe-west1 sends to the host of europe-west1. The docstring of `copy` (whose other name
# is `with_options`) says that it makes a client with the options of the present one, "with optional overriding",
# and region is one of those that it takes. The constructor makes the host from the region.
#
# Happens: the copy is given the base URL of the first client, as if the user had named it, so its region no longer
# decides on the host. A request for europe-west1 goes to the host of us-east5, and one for `global` too. Nothing
# warns, and `client.region` shows the new value. The asynchronous client does the same.
#
# Concerns: whoever keeps one client and changes the region for a single call, above all for a rule that says in
# which region data may be processed. A way out is `with_options(region=..., base_url=...)` or a new client.
#
# Known? Not found in the project's issues (searched 2026-11).
#
# This product builds its addresses itself and has no such copy, so its users are not concerned.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -qq --disable-pip-version-check "anthropic[vertex]==2.14.0"

# A transport in memory answers, so nothing leaves the machine.
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

import anthropic
import httpx2
from anthropic import AnthropicVertex, AsyncAnthropicVertex

ANSWER = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-5-5", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Hi"}],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}  # fmt: skip
QUESTION = {"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
asked = []


def answer(request):
    asked.append((request.url.host, request.url.path.split("/locations/")[1].split("/")[0]))
    return httpx2.Response(200, json=ANSWER)


async def answer_async(request):
    return answer(request)


access = {"project_id": "a-project", "access_token": "a-token"}
transport = httpx2.MockTransport(answer)
first = AnthropicVertex(region="us-east5", http_client=httpx2.Client(transport=transport), **access)
first.messages.create(**QUESTION)
for region in ("europe-west1", "global"):
    first.with_options(region=region).messages.create(**QUESTION)
AnthropicVertex(region="europe-west1", http_client=httpx2.Client(transport=transport), **access).messages.create(
    **QUESTION
)


async def main():
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer_async))
    other = AsyncAnthropicVertex(region="us-east5", http_client=client, **access)
    await other.with_options(region="europe-west1").messages.create(**QUESTION)


asyncio.run(main())
print("anthropic", anthropic.__version__)
names = ("made for us-east5", "copied for europe-west1", "copied for global", "made for europe-west1",
         "async copy for europe-west1")  # fmt: skip
for name, (host, location) in zip(names, asked, strict=True):
    print(f"{name:28} location {location:13} host {host}")
old, new = "us-east5-aiplatform.googleapis.com", "europe-west1-aiplatform.googleapis.com"
seen = [(old, "us-east5"), (old, "europe-west1"), (old, "global"), (new, "europe-west1"), (old, "europe-west1")]
if asked != seen:
    sys.exit("No longer as described: a copy for another region does not keep the former host.")
print("As described: the copies have the new location in the path and the former host.")
PYTHON
