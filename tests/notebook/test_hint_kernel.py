"""Hints in a real kernel, to which the front end tells which cell runs, as JupyterLab and Notebook 7 do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from kernel import running_kernel

if TYPE_CHECKING:
    from kernel import Kernel

WRONG = "def first(values):\n    return values[len(values)]"
CALL = "print(first([1, 2]))"


@pytest.fixture
def kernel(claude_emulator, tmp_path):
    """A kernel that asks the emulator of this test."""
    with running_kernel(tmp_path, **claude_emulator.environment) as kernel:
        kernel.ok("%load_ext vertex_claude_magic", metadata={"cellId": "load"})
        yield kernel


def fail(kernel: Kernel, code: str, cell: str) -> None:
    assert kernel.run(code, metadata={"cellId": cell}).status == "error"


def hint(kernel: Kernel) -> str:
    """The last line of the hint that says how far it goes, or the line in its place."""
    run = kernel.ok("%claude_hint", metadata={"cellId": "hint"})
    drawn = "\n".join(message.text for message in run.displays[-1:])
    found = [line.partition(" · ")[0] for line in drawn.splitlines() if line.startswith("Hint ")]
    return found[0] if found else drawn.strip()


def test_a_cell_is_the_same_after_it_was_edited(kernel, claude_emulator):
    """Its success ends the hints about what it failed with, however much was changed in it."""
    claude_emulator.answer(*["A hint."] * 6)
    fail(kernel, "table = {'price': 1}\ntable['prcie'] + 1", "work")
    assert hint(kernel) == "Hint 1 of 4"
    fail(kernel, "table = {'price': 1}\n# a try\ntable['prise'] + 1", "work")
    assert hint(kernel) == "Hint 2 of 4"
    kernel.ok("1", metadata={"cellId": "other"})
    assert hint(kernel) == "Hint 3 of 4"
    kernel.ok("sum([1, 2])", metadata={"cellId": "work"})
    assert hint(kernel) == "What failed has succeeded since."
    fail(kernel, "table['prcie'] + 1", "work")
    assert hint(kernel) == "Hint 1 of 4"


def test_an_edited_function_is_no_success_until_its_call_is(kernel, claude_emulator):
    """Defining it anew runs nothing of it."""
    claude_emulator.answer(*["A hint."] * 6)
    kernel.ok(WRONG, metadata={"cellId": "function"})
    fail(kernel, CALL, "call")
    assert hint(kernel) == "Hint 1 of 4"
    kernel.ok(WRONG.replace("len(values)]", "len(values) + 1]"), metadata={"cellId": "function"})
    fail(kernel, CALL, "call")
    assert hint(kernel) == "Hint 2 of 4"
    kernel.ok(WRONG.replace("len(values)", "0"), metadata={"cellId": "function"})
    kernel.ok(CALL, metadata={"cellId": "call"})
    assert hint(kernel) == "What failed has succeeded since."


def test_a_loop_that_never_ends_is_stopped_and_can_be_hinted_at(kernel, claude_emulator, tmp_path):
    """The stop button ends a check too; what was running is what the hint is about."""
    claude_emulator.answer("A hint.")
    (tmp_path / "exercises").mkdir()
    (tmp_path / "exercises" / "loop.toml").write_text(
        'task = "Write f()."\n[[checks]]\ncode = "f() == 1"\nmessage = "f() is 1."\n'
    )
    kernel.ok("def f():\n    print('begun', flush=True)\n    while True:\n        pass")
    run = kernel.run("%claude_hint --check loop", during=lambda message: message.text and kernel.interrupt())
    assert run.error == "KeyboardInterrupt"
    assert hint(kernel) == "Hint 1 of 4"
    assert "while True:" in str(claude_emulator.requests[-1].body["messages"])
