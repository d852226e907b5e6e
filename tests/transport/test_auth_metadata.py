"""The metadata server of Compute Engine, and machines without one.

Each test runs a process of its own, because google-auth reads the server's address when it is imported.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic.transport.retry import RetryPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from vertex_claude_magic.emulator import Emulator

ASK = """
import json, sys
from vertex_claude_magic import Claude, ClaudeError
from vertex_claude_magic.transport.retry import RetryPolicy
base_url, project, patience, count = sys.argv[1], sys.argv[2] or None, float(sys.argv[3]), int(sys.argv[4])
claude = Claude(base_url=base_url, project=project, model="haiku", policy=RetryPolicy(credentials=patience))
said = []
for _ in range(count):
    try:
        said.append(["reply", claude.ask("Hello").complete])
    except ClaudeError as error:
        said.append([type(error).__name__, str(error)])
print(json.dumps({"said": said}))
"""
IMPORT = """
import socket, sys
def refuse(*_, **__):
    raise SystemExit("the network was used")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
import vertex_claude_magic
from vertex_claude_magic import Claude
claude = Claude(model="opus")
repr(claude)
claude.request("Hello", project="p")
print(sorted(name for name in ("requests", "google.auth", "urllib3") if name in sys.modules))
"""


def run(code: str, *arguments: str, home: Path, host: str | None = None) -> str:
    environment = {
        "CLOUDSDK_CONFIG": str(home),
        "HOME": str(home),
        "PATH": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **({"GCE_METADATA_HOST": host, "GCE_METADATA_IP": host} if host else {}),
    }
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    # google-auth itself warns on stderr where there is no metadata server; nothing else may stand there.
    assert [line for line in done.stderr.splitlines() if "metadata" not in line.lower()] == []
    return done.stdout


def ask(
    emulator: Emulator, home: Path, host: str, *, project: str = "", patience: float = 12, count: int = 1
) -> dict:
    arguments = (emulator.base_url, project, str(patience), str(count))
    return json.loads(run(ASK, *arguments, home=home, host=host))


def test_on_compute_engine_project_and_token_come_from_the_metadata_server(claude_emulator, home):
    """Nothing is configured, and two questions take one token."""
    host = claude_emulator.origin.removeprefix("http://")
    assert ask(claude_emulator, home, host, count=2)["said"] == [["reply", True], ["reply", True]]
    assert sum(request.path.endswith("/token") for request in claude_emulator.requests) == 1


def test_an_account_that_is_disabled_on_the_machine_is_named(claude_emulator, home):
    """Case 36: no login of a person helps there."""
    claude_emulator.google.denial = "revoked"
    host = claude_emulator.origin.removeprefix("http://")
    ((kind, text),) = ask(claude_emulator, home, host, project=claude_emulator.project)["said"]
    assert kind == "LoginExpired"
    assert "metadata server of this machine" in text
    assert "gcloud auth" not in text


@pytest.mark.parametrize("project", ["", "emulator-project"], ids=["project unknown", "project known"])
def test_a_metadata_server_that_never_answers_is_not_waited_for(claude_emulator, home, project):
    """Case 35: the look-up is left after the policy's time, also by the next question."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        answer = ask(claude_emulator, home, host, project=project, patience=0.3, count=2)
    for kind, text in answer["said"]:
        assert kind == "CredentialsNotFound"
        assert "within 0.3 seconds" in text
        assert "gcloud auth application-default login" in text
    assert claude_emulator.requests == []


@pytest.mark.slow
def test_off_cloud_the_user_is_told_in_less_than_15_seconds(claude_emulator, home):
    """Case 35, with the patience that users have."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = ask(claude_emulator, home, f"127.0.0.1:{silent.getsockname()[1]}")
    kind, text = answer["said"][0]
    assert kind == "CredentialsNotFound"
    # google-auth's own tries end a little before or after that, because it waits a random time between them.
    assert "gcloud auth application-default login" in text
    assert RetryPolicy().credentials == 12 < 15


def test_importing_and_building_a_request_use_no_network_and_load_no_http(home):
    """Case 35: credentials are looked up late."""
    assert run(IMPORT, home=home).strip() == "[]"
