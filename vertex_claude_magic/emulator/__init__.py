"""A look-alike of Claude on Vertex AI that runs on this machine: for demos, lessons and tests.

    from vertex_claude_magic.emulator import Emulator

    with Emulator() as emulator:
        emulator.answer("The answer of the next call.")
        ...                                  # point a client at emulator.base_url, token "emulator"

It plays the messages and token-counting calls, the model list, the configuration of publisher models
with its operations, and enough of Google's token endpoints and metadata server for google-auth to log
in. It refuses what Vertex AI refuses, and fails on demand: one call with `fail`, until further notice with
`simulate` and a name out of `SETUP_PROBLEMS`. `python -m vertex_claude_magic.emulator` runs it by itself,
and `pytest_plugins = ["vertex_claude_magic.emulator.pytest_plugin"]` gives tests the fixture
`claude_emulator`. It needs tornado, which every Jupyter kernel has.
"""

from __future__ import annotations

from vertex_claude_magic.emulator.google.setup_problems import SETUP_PROBLEMS, SetupProblem
from vertex_claude_magic.emulator.http.faults import Fault
from vertex_claude_magic.emulator.http.response import Received
from vertex_claude_magic.emulator.messages.script import Flood, Reply
from vertex_claude_magic.emulator.server import Emulator

__all__ = ["SETUP_PROBLEMS", "Emulator", "Fault", "Flood", "Received", "Reply", "SetupProblem"]
