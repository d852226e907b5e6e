"""Tools belong to their conversation: a later turn may call them too, asked for in the same way."""

from __future__ import annotations

import pytest
from tool_use import use

SOURCE = '''
calls = []

def mean(column: str) -> float:
    """Mean of a column."""
    calls.append(column)
    return 2.5
'''


@pytest.fixture
def asked(shell):
    """A conversation whose first turn called a function."""
    shell.ok(SOURCE)

    def ask(options: str = "--tools mean"):
        shell.emulator.answer([use(1, "mean", column="mass")], "It is 2.5.")
        return shell.ok(f"%%claude -c data {options}\nMean of mass?")

    return ask


def test_a_later_turn_may_call_the_same_functions(shell, asked):
    """And the calls of the first turn go before its prompt, each with its result."""
    asked()
    shell.emulator.answer([use(2, "mean", column="depth")], "2.5 as well.")
    reply = shell.ok("%%claude -c data\nAnd of depth?")
    assert shell.ip.user_ns["calls"] == ["mass", "depth"]
    kinds = [
        (message["role"], "text" if isinstance(message["content"], str) else message["content"][0]["type"])
        for message in shell.body["messages"]
    ]
    assert kinds == [
        ("user", "text"),
        ("assistant", "tool_use"),
        ("user", "tool_result"),
        ("assistant", "text"),
        ("user", "text"),
        ("assistant", "tool_use"),
        ("user", "tool_result"),
    ]
    assert [call.arguments["column"] for call in reply.tool_calls] == ["depth"]


def test_a_later_turn_asks_before_each_call_where_the_first_one_did(shell, asked, monkeypatch):
    prompts, shown = [], []

    def no(prompt: str = "") -> str:
        prompts.append(prompt)
        shown.append(shell.page.drawn[-1])
        return "no"

    monkeypatch.setattr("builtins.input", no)
    asked("--tools mean --confirm")
    shell.emulator.answer([use(2, "mean", column="depth")], "As you like.")
    shell.ok("%%claude -c data\nAnd of depth?")
    assert len(prompts) == 2
    assert all('mean(column="' in page.partition("Runs only after your yes:")[2] for page in shown)
    assert shell.ip.user_ns["calls"] == []


def test_a_function_that_is_gone_is_not_offered(shell, asked):
    """The service is told of the tool whose calls it reads, and that it may not call it."""
    asked()
    del shell.ip.user_ns["mean"]
    shell.emulator.answer("I cannot look any more.")
    shell.ok("%%claude -c data\nAnd of depth?")
    assert shell.body["tool_choice"] == {"type": "none"}
    assert [tool["name"] for tool in shell.body["tools"]] == ["mean"]
