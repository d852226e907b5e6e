"""Environments of their own for the peers, made once and found again, and what each peer's cells are.

What a peer is called with stands here beside its requirement, so that an update of a peer is one place.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["PEERS", "Peer", "python_of"]

_ANTHROPIC_LOAD = """
import os
from anthropic import AnthropicVertex
from IPython.display import Markdown, display
client = AnthropicVertex(region="global", project_id=os.environ["ANTHROPIC_VERTEX_PROJECT_ID"],
                         base_url=os.environ["ANTHROPIC_VERTEX_BASE_URL"])
def ask(prompt):
    shown, text = display(Markdown(""), display_id=True), ""
    with client.messages.stream(model="claude-sonnet-5-5", max_tokens=16000,
                                messages=[{"role": "user", "content": prompt}]) as stream:
        for piece in stream.text_stream:
            text += piece
            shown.update(Markdown(text))
"""
_CHATLAS_LOAD = """
import os
from chatlas import ChatAnthropic
chat = ChatAnthropic(model="claude-sonnet-4-5", api_key="none", kwargs={"base_url": os.environ["ANTHROPIC_BASE_URL"]})
"""


class Peer(NamedTuple):
    """A peer: what pip installs, the cell that loads it, and the one that asks; empty where it asks no Claude."""

    requirements: tuple[str, ...]
    load: str
    ask: str = ""


PEERS: dict[str, Peer] = {
    "anthropic[vertex]": Peer(("anthropic[vertex]",), _ANTHROPIC_LOAD, "ask('What is the answer?')"),
    "chatlas": Peer(("chatlas", "anthropic"), _CHATLAS_LOAD, "_ = chat.chat('What is the answer?')"),
    "jupyter-ai-magics": Peer(
        ("jupyter-ai-magics", "langchain-anthropic<0.4"),
        "%load_ext jupyter_ai_magics",
        "%%ai anthropic-chat:claude-3-5-sonnet-20241022\nWhat is the answer?",
    ),
    "jupyter-ai-magic-commands": Peer(
        ("jupyter-ai-magic-commands",),
        "%load_ext jupyter_ai_magic_commands",
        "%%ai anthropic/claude-sonnet-4-5\nWhat is the answer?",
    ),
    "bigquery-magics": Peer(("bigquery-magics",), "%load_ext bigquery_magics"),
}


def python_of(name: str) -> str:
    """Return the Python of the environment of a peer, made if it is not there.

    Raises:
        RuntimeError: it cannot be installed here.
    """
    version = ".".join(map(str, sys.version_info[:2]))
    folder = Path(tempfile.gettempdir()) / f"vertex-claude-peers-{version}" / name.partition("[")[0]
    python = folder / "bin" / "python"
    whole = folder / "installed"
    if not whole.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "ipykernel",
                   *PEERS[name].requirements]  # fmt: skip
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["pip failed"])[-1])
        subprocess.run([str(python), "-m", "compileall", "-q", str(folder / "lib")], check=False)
        whole.touch()
    return str(python)
