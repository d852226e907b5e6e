"""What a turn of a long conversation costs: what is new in it, and next to nothing for each turn before it."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import vertex_claude_magic
from vertex_claude_magic import Chat

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = str(Path(vertex_claude_magic.__file__).parent)
# Calls of functions of this package for each message that is sent again, in each request. While messages did not
# remember what was worked out about them, they were 18, and 23 in a conversation with tools.
MOST_CALLS = 15


def mean(column: str) -> float:
    """Mean of a column."""
    return float(len(column))


def calls_of(work: Callable[[], object]) -> int:
    """Do something, and return how many functions of this package were called for it in this thread."""
    calls = 0

    def count(frame: Any, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(PACKAGE)

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("tools", [False, True], ids=["plain", "with tools"])
def test_a_turn_does_next_to_nothing_for_each_turn_before_it(claude, claude_emulator, tools):
    """Neither prompt nor answer is copied, encoded, hashed or searched for secrets again."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "mean", "input": {"column": "mass"}}
    chat, options = claude.chat("talk"), {"tools": [mean]} if tools else {}
    calls = []
    for number in range(44):
        each = [{**call, "id": f"toolu_{number}"}]
        claude_emulator.answer(*([each] if tools else []), f"Answer {number}")
        calls.append(calls_of(partial(chat.ask, f"Question {number}", **options)))
    # The least of four, because what a turn waits for takes calls too.
    few, many = min(calls[8:12]), min(calls[40:44])
    # Two messages a turn in one request; with tools four, in two.
    assert (many - few) / 32 / (8 if tools else 2) < MOST_CALLS


def test_what_is_sent_again_is_what_was_sent(claude, claude_emulator):
    """The bytes of a request whose messages are known are those of any other."""
    chat = claude.chat("talk")
    for text in ("One é", "Two", "Three"):
        claude_emulator.answer(f"Answer to {text} \U0001f427")
        chat.ask(text)
    request = claude.request("Four", chat="talk")
    plain = json.loads(json.dumps(request.body))
    assert request.payload == json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()
    assert len(plain["messages"]) == 7
    again = claude.request(plain["messages"], set={"max_tokens": plain["max_tokens"]})
    assert again.digest == request.digest


def test_a_turn_of_a_notebook_that_is_loaded_costs_the_same_however_many_there_are(claude, tmp_path):
    """And each has what was before it when it was asked, so that none is stale."""
    claude.chat("talk").ask("Question")
    claude.chat("talk").save(tmp_path / "talk.ipynb")
    notebook = json.loads((tmp_path / "talk.ipynb").read_text(encoding="utf-8"))
    first, turn = notebook["cells"][:2]
    calls = []
    for many in (10, 40, 70):
        notebook["cells"] = [first, *({**turn, "id": f"turn-{number}"} for number in range(many))]
        path = tmp_path / f"{many}.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        calls.append(calls_of(partial(Chat.load, path, session=claude)))
        assert [each.state for each in claude.chat(str(many)).turns] == ["ok"] * many
    assert (calls[2] - calls[1]) < 1.1 * (calls[1] - calls[0])
