"""Code that comes back into a notebook, in a real kernel: what the front end is asked to insert, and when.

In a module of its own: a kernel's client has an event loop, and a shell in this process would have another.
"""

from __future__ import annotations

import re

import pytest
from kernel import running_kernel
from test_fix import ANSWER as MENDING
from test_fix import BROKEN, MENDED
from test_insert import ANSWER, BOTH

from vertex_claude_magic.notebook.cells import MARK


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with running_kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        kernel.ok("%load_ext vertex_claude_magic")
        yield kernel


@pytest.fixture
def kernel(process, claude_emulator):
    """That kernel, asking the emulator of this test."""
    process.ok(f"import os; os.environ.update({claude_emulator.environment!r})")
    process.ok("table = {'price': 3}")
    return process


def test_all_blocks_go_into_one_new_cell(kernel, claude_emulator):
    """JupyterLab and Notebook 7 send the cell's id, and take one new cell for each cell that runs."""
    claude_emulator.answer(ANSWER)
    run = kernel.ok("%%claude answer -f code\nGo", metadata={"cellId": "a1"})
    (payload,) = run.payload
    mark, _, code = payload["text"].partition("\n")
    assert (payload["source"], payload["replace"], code) == ("set_next_input", False, BOTH)
    assert re.fullmatch(MARK, mark)
    (output,) = run.outputs
    assert "Two steps." in output.text
    assert "Code added in a new cell below." in output.text
    assert "x = 1" not in output.text
    assert kernel.value("answer.code") == str(("x = 1\n", 'raise SystemExit("never run")\n'))
    assert kernel.value("'x' in globals()") == "False"


def test_without_a_cell_id_the_code_is_shown_as_well(kernel, claude_emulator):
    """So that nothing is lost where nobody makes a cell of it: nbclient, papermill, an older front end."""
    claude_emulator.answer(ANSWER)
    run = kernel.ok("%%claude -f code\nGo", metadata={})
    (output,) = run.outputs
    assert "x = 1" in output.text
    assert "SystemExit" in output.text
    assert "new cell" not in output.text


def test_the_setting_holds_as_the_option_does(kernel, claude_emulator):
    """And the option wins over it."""
    claude_emulator.answer(ANSWER, ANSWER)
    kernel.ok("%config ClaudeMagics.format = 'code'")
    try:
        assert kernel.ok("%%claude\nGo", metadata={"cellId": "a2"}).payload
        assert not kernel.ok("%%claude -f markdown\nGo", metadata={"cellId": "a3"}).payload
    finally:
        kernel.ok("%config ClaudeMagics.format = 'markdown'")


def test_a_quiet_question_inserts_and_shows_nothing(kernel, claude_emulator):
    """`-q` is about the page."""
    claude_emulator.answer(ANSWER)
    run = kernel.ok("%%claude -q -f code\nGo", metadata={"cellId": "a4"})
    assert run.payload
    assert not run.outputs


def test_a_key_error_is_explained_and_the_mended_cell_is_put_below(kernel, claude_emulator):
    """The page shows what changes, not the whole cell again; nothing is run."""
    claude_emulator.answer(MENDING)
    assert kernel.run(BROKEN).status == "error"
    run = kernel.ok("%claude_fix", metadata={"cellId": "b2"})
    assert run.payload == [{"source": "set_next_input", "text": MENDED, "replace": False}]
    output = run.displays[-1]
    assert output.text.startswith("The column is called `price`.")
    assert '-total = table["prcie"] * 2\n+total = table["price"] * 2\n print(total)' in output.text
    assert "Code added in a new cell below." in output.text
    assert kernel.value("'total' in globals()") == "False"
    assert kernel.ok(run.payload[0]["text"]).printed == "6\n"
    sent = "\n".join(block["text"] for block in claude_emulator.requests[-1].body["messages"][0]["content"])
    assert "KeyError: 'prcie'" in sent
    assert '<data name="table"' in sent
    assert 'File "notebook cell", line 1' in sent
    assert "ipykernel_" not in sent


def test_a_mended_cell_is_put_below_once(kernel, claude_emulator):
    """Run All makes no second one; another error in the same cell has another answer, which goes below."""
    claude_emulator.answer(MENDING, MENDING, MENDING.replace("* 2", "* 3"))
    payloads = []
    for broken in (BROKEN, BROKEN, BROKEN.replace("* 2", "* 3")):
        kernel.run(broken)
        run = kernel.ok("%claude_fix", metadata={"cellId": "b3"})
        payloads.append([payload["text"] for payload in run.payload])
        assert "What changes:" in run.displays[-1].text
    assert payloads == [[MENDED], [], [MENDED.replace("* 2", "* 3")]]


def test_the_exception_hooks_stay_as_they_were(kernel, claude_emulator):
    """Other tools set them."""
    claude_emulator.answer(MENDING)
    before = kernel.value("(sys.excepthook, get_ipython().CustomTB, get_ipython().custom_exceptions)"
                          " if 'sys' in globals() else __import__('sys').excepthook")  # fmt: skip
    kernel.run(BROKEN)
    kernel.ok("%claude_fix")
    after = kernel.value("(sys.excepthook, get_ipython().CustomTB, get_ipython().custom_exceptions)"
                         " if 'sys' in globals() else __import__('sys').excepthook")  # fmt: skip
    assert before == after
