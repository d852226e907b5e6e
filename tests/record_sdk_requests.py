"""Record what `anthropic[vertex]` 1.17.0, the last version that sends `vertex-2023-10-16`, puts on the wire.

Run `python tests/record_sdk_requests.py`: it makes an environment of its own in a temporary folder, installs
that version there, builds every case of `sdk_cases.py` against a transport that only takes notes, and
writes `sdk_requests_1_17_0.json`. Nothing but the installation needs a network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SDK = "anthropic[vertex]==1.17.0"
OUTPUT = HERE / "sdk_requests_1_17_0.json"
# Legacy fields that the SDK's signatures lost in 1.0.0; they still travel as extra body.
SAMPLING = ("temperature", "top_p", "top_k")


def capture(case: Any) -> dict[str, Any]:
    """Let the installed SDK build one case and return what it would have sent."""
    import httpx2
    from anthropic import AnthropicVertex

    seen: list[httpx2.Request] = []

    def note(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(200, json={"input_tokens": 1})

    client = AnthropicVertex(
        region=case.region,
        project_id=case.project,
        access_token="recorded-by-nobody",
        http_client=httpx2.Client(transport=httpx2.MockTransport(note)),
    )
    with client:
        call(client, case)
    return wire(seen[-1])


def call(client: Any, case: Any) -> None:
    """Make the call of a case."""
    fields = dict(case.fields)
    extra = {name: fields.pop(name) for name in SAMPLING if name in fields}
    options: dict[str, Any] = {"model": case.model, **fields, **({"extra_body": extra} if extra else {})}
    messages = client.beta.messages if case.beta_client else client.messages
    if case.beta_client:
        options["betas"] = list(case.betas)
    elif case.betas:
        options["extra_headers"] = {"anthropic-beta": ",".join(case.betas)}
    if case.kind == "count":
        messages.count_tokens(**options)
    elif case.kind == "stream":
        messages.create(**options, stream=True).close()
    else:
        messages.create(**options)


def wire(request: Any) -> dict[str, Any]:
    """What of a request is compared."""
    return {
        "method": request.method,
        "host": request.url.host,
        "path": request.url.raw_path.decode("ascii"),
        "beta": request.headers.get("anthropic-beta"),
        "body": json.loads(request.content),
    }


def record() -> None:
    """Print all cases as JSON; runs inside the environment that has the SDK."""
    sys.path.insert(0, str(HERE))
    from sdk_cases import CASES

    json.dump({case.name: capture(case) for case in CASES}, sys.stdout, indent=1, ensure_ascii=False)


def environment() -> dict[str, str]:
    """The environment of the recording process: nothing in it that the SDK would read."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "CLOUD_ML_"))
    }
    return {**kept, "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}


def main() -> None:
    """Make the environment, record in it, and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = next(path for path in Path(folder).glob("*/python*") if path.stem == "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", SDK], check=True)
        done = subprocess.run(
            [python, "-W", "ignore", __file__, "--record"], check=True, capture_output=True, encoding="utf-8",
            env=environment(),
        )  # fmt: skip
    OUTPUT.write_text(done.stdout + "\n", encoding="utf-8")


if __name__ == "__main__":
    record() if "--record" in sys.argv else main()
