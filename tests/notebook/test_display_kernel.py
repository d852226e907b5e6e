"""Answers in a real kernel for readers that know no update, threads of the user's, and traceback tools.

In a module of its own: a kernel's client has an event loop, and a shell in this process would have another.
"""

from __future__ import annotations

from types import MappingProxyType

import pytest
from kernel import running_kernel

ANSWER = "Forty-two."
LONG = f"{ANSWER} And more of it.\n\n" * 100


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running_kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        kernel.ok("%load_ext vertex_claude_magic\nimport asyncio, threading\nip = get_ipython()")
        yield kernel


@pytest.fixture
def kernel(process, claude_emulator):
    """That kernel, asking the emulator of this test."""
    process.ok(f"import os; os.environ.update({claude_emulator.environment!r})")
    return process


ONE_ANSWER = MappingProxyType(
    {
        "a cell": "%%claude\nhi",
        "a cell with a name": "%%claude answer\nhi",
        "a line": "%claude hi",
        "an assignment": "x = %claude hi",
        "text": "%%claude -f text\nhi",
        "no stream": "%%claude --no-stream\nhi",
        "a magic called by code": "for _ in 'a':\n    ip.run_cell_magic('claude', '', 'hi')",
        "a cell run by code": "ip.run_cell('%%claude\\nhi');",
    }
)


@pytest.mark.parametrize("cell", ONE_ANSWER.values(), ids=ONE_ANSWER.keys())
@pytest.mark.parametrize("metadata", [{}, {"tags": ["parameters"]}, {"papermill": {"status": "running"}}])
def test_a_client_that_sends_no_cell_id_gets_one_final_output(cell, metadata, kernel, claude_emulator):
    """nbclient, papermill and nbval: no draft, no update, no clearing, and the output says where it came from."""
    claude_emulator.answer(LONG)
    run = kernel.ok(cell, metadata=metadata)
    (message,) = run.of("display_data", "update_display_data", "clear_output", "execute_result")
    assert message.kind == "display_data"
    assert message.text.startswith(LONG.rstrip())
    assert message.content["metadata"]["vertex_claude_magic"]["complete"] is True
    assert not message.content["transient"]


THREADS = MappingProxyType(
    {
        "a line": "await asyncio.to_thread(ip.run_line_magic, 'claude', 'hi')",
        "a cell": "await asyncio.to_thread(ip.run_cell_magic, 'claude', '', 'hi')",
        "an executor": "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor() as pool:\n    pool.submit(ip.run_line_magic, 'claude', 'hi').result()",
    }
)


@pytest.mark.parametrize("code", THREADS.values(), ids=THREADS.keys())
def test_a_magic_in_a_thread_of_the_user_s_says_why_it_draws_nothing(code, kernel, claude_emulator):
    """In one line with the cure, before anything is sent."""
    run = kernel.run(code)
    assert run.status == "error"
    (line,) = run.traceback
    assert "cannot show output from a background thread" in line
    assert "--quiet" in line
    assert not run.displays
    assert not claude_emulator.requests


@pytest.mark.parametrize(
    "magic", ["run_line_magic, 'claude', '-q hi'", "run_cell_magic, 'claude', '-q', 'hi'"]
)
def test_a_quiet_magic_works_in_a_thread(magic, kernel, claude_emulator):
    """That is the cure."""
    claude_emulator.answer(ANSWER)
    run = kernel.ok(f"reply = await asyncio.to_thread(ip.{magic})\nprint(reply.text)")
    assert run.printed.strip() == ANSWER
    assert not run.displays


@pytest.mark.parametrize("kinds", ["(Exception,)", "(BaseException,)", "(ValueError, OSError)"])
@pytest.mark.parametrize("question", ["%%claude --nosuch\nhi", "%claude --as nosuch hi"])
def test_an_error_reaches_the_front_end_in_one_line_whatever_handler_is_set(kinds, question, kernel):
    """The cell fails, so that Run All stops."""
    kernel.ok(f"ip.set_custom_exc({kinds}, lambda *a, **k: print('REPORT'))")
    run = kernel.run(question)
    kernel.ok("ip.set_custom_exc((), None)")
    assert run.status == "error"
    assert len(run.traceback) == 1
    assert [message.kind for message in run.outputs] == ["error"]
