"""A script that is one cell, as `jupyter run` sends it.

In a module of its own, because it starts a kernel of its own and with it an event loop.
"""

from __future__ import annotations

from kernel import running_kernel

ANSWER = "Forty-two."


def test_a_script_that_is_one_cell_loads_and_asks(tmp_path, claude_emulator):
    """`jupyter run` sends a whole file as one cell."""
    claude_emulator.answer(ANSWER, ANSWER)
    with running_kernel(tmp_path, **claude_emulator.environment) as kernel:
        run = kernel.ok(
            "%load_ext vertex_claude_magic\n%claude Is it late?\nx = %claude Really?\nx.text", metadata={}
        )
    assert [message.kind for message in run.outputs] == ["display_data", "display_data", "execute_result"]
    assert [each.body["messages"][0]["content"] for each in claude_emulator.requests if each.body] == [
        "Is it late?",
        "Really?",
    ]
