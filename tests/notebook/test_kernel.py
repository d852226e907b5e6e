"""The extension in a real Jupyter kernel: what reaches the front end while an answer is still coming."""

from __future__ import annotations

import os
import subprocess
import sys

import IPython
import pytest
from kernel import Kernel, Message, Run, running_kernel

from vertex_claude_magic.emulator import Emulator, Fault, Flood, Reply

LONG = "A first sentence. " + "And one more sentence of many. " * 60


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """One kernel for all tests of this file, with the extension."""
    with running_kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        kernel.ok("%load_ext vertex_claude_magic")
        yield kernel


@pytest.fixture
def kernel(process, claude_emulator) -> Kernel:
    """That kernel, asking the emulator of this test."""
    process.ok(f"import os; os.environ.update({claude_emulator.environment!r})")
    process.ok("%claude -q warm up")
    return process


@pytest.fixture
def emulator(claude_emulator) -> Emulator:
    return claude_emulator


def stop_when(kernel: Kernel, matches):
    """Press stop when a message of the cell matches; remember when."""
    pressed: list[float] = []

    def during(message: Message) -> None:
        if not pressed and message.kind != "status" and matches(message):
            pressed.append(message.at)
            kernel.interrupt()

    return during, pressed


def assert_stopped(run: Run, pressed: list[float]) -> None:
    """By the interrupt alone, for the emulator would be waited for for an hour; as one line, which makes Run All stop."""
    assert pressed, "the moment to press stop never came"
    assert (run.status, run.error) == ("error", "KeyboardInterrupt")
    (line,) = run.traceback
    assert line.startswith("KeyboardInterrupt: ")
    assert "\n" not in line


def test_text_reaches_the_front_end_before_the_stream_ends(kernel, emulator):
    """The answer stalls half-way until somebody presses stop: what had come by then is on the page by then."""
    emulator.answer(Reply(content=LONG, fault=Fault(stall_after=3000)))
    early: list[Message] = []
    during, pressed = stop_when(
        kernel, lambda message: "A first sentence." in message.text and early.append(message) is None
    )
    run = kernel.run("%%claude answer\nGo on", during=during)
    assert_stopped(run, pressed)
    assert early
    assert not any(LONG.strip() in each.text for each in early)


def test_it_ends_as_one_static_output(kernel, emulator):
    """One display_data with Markdown and text, no display id, no result; everything before it is cleared."""
    emulator.answer("The **end**.")
    run = kernel.ok("%%claude answer\nGo on")
    (output,) = run.outputs
    assert output.kind == "display_data"
    assert set(output.content["data"]) == {"text/markdown", "text/plain"}
    assert output.content["transient"] == {}
    assert output.content["metadata"]["vertex_claude_magic"]["complete"] is True
    assert len(run.of("clear_output")) == 1
    assert not run.of("execute_result")
    assert run.displays[0].text.startswith("◌ claude-")


def test_the_reply_is_a_result_once_it_is_evaluated(kernel, emulator):
    """`_` holds it, and shows as Markdown."""
    emulator.answer("The **end**.")
    kernel.ok("%%claude answer\nGo on")
    (result,) = kernel.ok("_").of("execute_result")
    assert result.content["data"]["text/markdown"].startswith("The **end**.")
    assert result.text.startswith("The **end**.")


_COUNT_RESULTS = """
results = []
def count(hook, finish):
    hook.finish_displayhook = lambda: (results.append(1), finish())
count(get_ipython().displayhook, get_ipython().displayhook.finish_displayhook)
"""


def test_the_kernel_prepares_no_result_for_a_reply_that_is_shown(kernel, emulator):
    """It would flush both streams, and then send nothing; `_` and `Out` hold the reply all the same."""
    emulator.answer("The **end**.")
    kernel.ok(_COUNT_RESULTS)
    kernel.ok("%%claude answer\nGo on")
    assert kernel.ok("assert answer is _\nprint(len(results))").of("stream")[0].text.strip() == "0"
    kernel.ok("answer")
    assert kernel.ok("print(len(results))").of("stream")[0].text.strip() == "1"
    kernel.ok("del get_ipython().displayhook.finish_displayhook")


# The moment, the fault that holds the answer up there, the message that shows that it has come.
MOMENTS = {
    "first paint": (Fault(delay=3600), lambda message: message.text.startswith("◌")),
    "connecting": (Fault(delay=3600), lambda message: message.text.endswith("1 s")),
    "before the first event": (Fault(first_event_delay=3600), lambda message: message.text.endswith("1 s")),
    "backoff": (Fault(status=503, headers={"retry-after": "60"}), lambda message: "503" in message.text),
}


@pytest.mark.parametrize(("fault", "matches"), MOMENTS.values(), ids=MOMENTS.keys())
def test_stop_works_at_once_while_nothing_has_arrived(kernel, emulator, fault, matches):
    """Case 22: the page is tidy, the old value stays, and the next cell works."""
    kernel.ok("answer = 'old'")
    emulator.answer(Reply(fault=fault))
    during, pressed = stop_when(kernel, matches)
    run = kernel.run("%%claude answer\nGo on", during=during)
    assert_stopped(run, pressed)
    assert [output.kind for output in run.outputs] == ["error"]
    assert kernel.value("answer") == "old"
    assert kernel.value("6 * 7") == "42"


def test_stop_in_the_middle_keeps_what_had_arrived(kernel, emulator):
    """Case 22: on the page and in the variable, marked as incomplete."""
    emulator.answer(Reply(content=LONG, fault=Fault(stall_after=3000)))
    during, pressed = stop_when(kernel, lambda message: "A first sentence." in message.text)
    run = kernel.run("%%claude answer\nGo on", during=during)
    assert_stopped(run, pressed)
    answer, error = run.outputs
    assert answer.text.startswith("A first sentence.")
    assert "Stopped. This is a partial answer" in answer.text
    assert error.kind == "error"
    assert kernel.value("answer.complete, answer.text[:7]") == "False A first"


def test_a_line_in_a_loop_stops_the_loop(kernel, emulator):
    """The first answer stays, the second is the one that was stopped, the third is never asked."""
    emulator.answer("First.", Reply(fault=Fault(delay=3600)))
    before = len(emulator.requests)
    shown: list[Message] = []

    def second(message: Message) -> bool:
        shown.extend([message] if message.kind == "display_data" else [])
        return len(shown) == 2

    during, pressed = stop_when(kernel, second)
    run = kernel.run("for word in ('a', 'b', 'c'):\n    %claude What is it?", during=during)
    assert_stopped(run, pressed)
    assert not run.of("clear_output")
    assert len(emulator.requests) - before <= 2


def test_a_flood_is_drawn_at_most_fifteen_times_a_second(kernel, emulator):
    """Case 70: 5,000 deltas a second; nothing is dropped, and no server limit is met."""
    emulator.answer(Flood(count=7_500, text="many words ", per_second=5_000))
    run = kernel.ok("%%claude answer\nGo on")
    times = [each.sent for each in run.displays]
    assert max(sum(start <= at < start + 1 for at in times) for start in times) <= 15
    assert run.outputs[0].text.count("many words") == 7_500
    assert kernel.value("len(answer.text)") == str(7_500 * len("many words "))


def test_a_thread_is_refused_clearly(kernel):
    """Case 68: it would draw into whichever cell runs by then."""
    kernel.ok(
        "import threading\ncaught = []\ndef ask():\n"
        "    try:\n        get_ipython().run_cell_magic('claude', '', 'hi')\n"
        "    except Exception as error:\n        caught.append(str(error))\n"
        "thread = threading.Thread(target=ask); thread.start(); thread.join()"
    )
    assert "background thread" in kernel.value("caught[0]")


def test_tab_completes_in_the_kernel(kernel):
    """The front end gets whole words and where they go."""
    assert "%%claude -m claude-sonnet-4-5@20250929" in kernel.complete("%%claude -m claude-sonnet-4-5@2")
    assert "%%claude --max-tokens" in kernel.complete("%%claude --max")


@pytest.mark.skipif(IPython.version_info < (9,), reason="IPython keeps what cells print since 9.0")
def test_a_context_says_which_printed_text_the_kernel_does_not_store(kernel):
    """That of cells with a top-level await; of others there is nothing to say."""
    kernel.ok("import asyncio\nawait asyncio.sleep(0)\nprint('wai' + 'ted')")
    for cell, missing in (("1", True), ("print(2)  # never awaited", False)):
        kernel.ok(cell)
        (page,) = kernel.ok(f"%%claude --context {1 + missing} --dry-run\nHi").outputs
        found = "IPython stores no printed text of cells with a top-level await: 1 cell of" in page.text
        assert found is missing


def test_an_error_is_one_line_and_fails_the_cell(kernel, emulator):
    """No traceback, nothing half-drawn."""
    emulator.fail(403)
    run = kernel.run("%%claude\nhi")
    assert (run.status, run.error, len(run.traceback)) == ("error", "PermissionDenied", 1)
    assert [output.kind for output in run.outputs] == ["error"]


def test_a_wrong_setting_is_said_in_the_cell(kernel):
    """It fails, so that Run All stops, and the lines below it in the cell do not run."""
    run = kernel.run('%config ClaudeMagics.format = "html"\nprint("below")')
    assert (run.status, run.error) == ("error", "SettingRefused")
    assert run.traceback == [
        "SettingRefused: 'html' is not a value of format. Use markdown, text, json or code."
    ]
    assert run.printed == ""


def test_an_interpreter_ends_without_a_word_while_a_stream_is_open(emulator):
    """Case 24: nothing is printed at exit, and nothing is waited for."""
    emulator.answer(Reply(content=LONG, fault=Fault(stall_after=3000)))
    code = "from vertex_claude_magic import Claude\nstream = Claude().stream('hi')\nprint(next(iter(stream)).type)"
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", code],
        env={**os.environ, **emulator.environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("message_start\n", "")
