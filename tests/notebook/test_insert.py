"""`-f code`: the code of an answer goes into one new cell, by the way of each front end, and is never run."""

from __future__ import annotations

import io
import json
import sys
from types import ModuleType, SimpleNamespace

import pytest
from shells import bare_shell

from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.notebook.display.code_blocks import find_blocks
from vertex_claude_magic.notebook.display.insert import insert_code, makes_cells

ANSWER = """Two steps.

```python
x = 1
```

Then:

```python
raise SystemExit("never run")
```
"""
BOTH = '# --- block 1 of 2 ---\nx = 1\n\n# --- block 2 of 2 ---\nraise SystemExit("never run")'


# Front by front


class Recorder:
    """What a shell has to have for an insertion, and what was asked of it."""

    def __init__(self, **attributes):
        self.asked = []
        self.user_ns = {}
        self.kernel = object()
        vars(self).update(attributes)

    def set_next_input(self, text, replace):
        self.asked.append((text, replace))


def test_in_colab_it_is_one_scratch_cell(monkeypatch):
    """There IPython's way would insert two (googlecolab/colabtools issue 5176)."""
    made = []
    frontend = ModuleType("google.colab._frontend")
    frontend.create_scratch_cell = lambda code, bottom_pane: made.append((code, bottom_pane))
    colab = ModuleType("google.colab")
    colab._frontend = frontend
    monkeypatch.setitem(sys.modules, "google.colab", colab)
    shell = Recorder()
    assert insert_code(shell, "x = 1") == "scratch"
    assert made == [("x = 1", True)]
    assert not shell.asked


def test_vs_code_takes_it_as_the_next_input():
    """It names the notebook in the namespace."""
    shell = Recorder(user_ns={"__vsc_ipynb_file__": "a.ipynb"})
    assert insert_code(shell, "x = 1") == "cell"
    assert shell.asked == [("x = 1", False)]


@pytest.mark.parametrize(
    "parent", [None, {}, {"metadata": None}, {"metadata": {}}, {"metadata": {"cellId": ""}}]
)
def test_whoever_sends_no_cell_id_may_not_show_it(parent):
    """It is offered, and nobody says that there is a new cell."""
    shell = Recorder(get_parent=lambda: parent)
    assert insert_code(shell, "x = 1") == "unknown"
    assert shell.asked == [("x = 1", False)]


def test_in_a_terminal_it_stands_at_the_next_prompt_and_on_the_screen(shell, capsys, monkeypatch):
    """Enter runs it, and nothing else does."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    shell.emulator.answer(ANSWER)
    shell.ip.run_cell("%%claude -f code\nGo").raise_error()
    assert shell.ip.rl_next_input == BOTH
    printed = capsys.readouterr().out
    assert "x = 1" in printed
    assert "The code was not run." in printed


# What is code


@pytest.mark.parametrize(
    ("markdown", "blocks"),
    [
        ("No code.", ()),
        ("```\nx = 1\n```", ("x = 1",)),
        ("```py\nx = 1\n```", ("x = 1",)),
        ("```{python}\nx = 1\n```", ("x = 1",)),
        ("~~~Python3 title\nx = 1\n~~~", ("x = 1",)),
        ("1. First\n\n   ```python\n   x = 1\n   ```", ("x = 1",)),
        ("````python\n'''\n```\n'''\n````", ("'''\n```\n'''",)),
        ("```bash\nrm -rf /\n```", ()),
        ("```text\n1 2\n```", ()),
        ("```html\n<b>\n```\n```python\ny\n```", ("y",)),
        ("```python\n\n```", ()),
        ("```python\nnever closed", ("never closed",)),
        ("```python\r\nx = 1\r\ny = 2\r\n```", ("x = 1\ny = 2",)),
        ("`x = 1`", ()),
    ],
)
def test_python_is_what_says_so_or_says_nothing(markdown, blocks):
    """Shell commands, tables and HTML stay in the answer."""
    assert tuple(block.code for block in find_blocks(markdown)) == blocks


def test_an_answer_without_code_says_so(shell):
    """No empty cell appears."""
    shell.emulator.answer("I would rather not. ```x```")
    shell.ok("%%claude -f code\nGo")
    assert "The answer contains no Python code, so there is no new cell." in shell.page.text
    assert getattr(shell.ip, "rl_next_input", None) is None


def test_what_nobody_sees_does_not_reach_the_cell(shell):
    """Hidden characters may make code mean something else than it seems to (CVE-2021-42574)."""
    shell.emulator.answer("```python\nadmin = '\u202e' # \u2066check\x1b[8m\n```")
    shell.ok("%%claude -f code\nGo")
    assert shell.ip.rl_next_input == "admin = '' # check"
    assert "Invisible characters were removed: RIGHT-TO-LEFT OVERRIDE" in shell.page.text


def test_an_answer_that_was_stopped_inserts_nothing(shell):
    """Half a cell helps nobody; what arrived stays in the variable."""
    text = "```python\nx = 1\n```\n\n" + "And more. " * 400
    shell.emulator.answer(Reply(content=text, fault=Fault(cut_after=4000)))
    shell.error("%%claude answer -f code\nGo")
    assert getattr(shell.ip, "rl_next_input", None) is None


LAB = {"cellId": "a", "deletedCells": [], "recordTiming": False}
SERVER = {"JPY_SESSION_NAME": "/home/me/lesson.ipynb"}
CONSOLE = {"JPY_SESSION_NAME": "/home/me/console-1-5d5e"}


@pytest.mark.parametrize(
    ("metadata", "environ", "expected"),
    [
        (LAB, SERVER, True),
        (LAB, {}, True),
        ({"cellId": "a", "deletedCells": ["b"]}, SERVER, True),
        ({"cellId": "a"}, CONSOLE, False),
        ({"cellId": "a", "trusted": True}, CONSOLE, False),
        # A console may share the kernel of a notebook.
        ({"cellId": "a"}, SERVER, False),
        ({"cellId": "a"}, {}, True),
        ({"cellId": ""}, {}, False),
        ({}, SERVER, False),
        ({}, {"VSCODE_PID": "1"}, True),
        (None, {}, False),
    ],
)
def test_only_a_notebook_makes_a_new_cell_of_code(metadata, environ, expected):
    """A code console sends a cell's id too, and has no cells to add to."""
    shell = SimpleNamespace(kernel=object(), user_ns={}, get_parent=lambda: {"metadata": metadata})
    assert makes_cells(shell, environ) is expected


@pytest.mark.parametrize(("cell", "expected"), [("a", True), ("b", False)])
def test_a_cell_of_the_notebook_s_file_is_one_of_a_notebook(cell, expected, tmp_path):
    """A console beside the notebook, on the same kernel, has cells that are not in the file."""
    path = tmp_path / "lesson.ipynb"
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "id": "a", "source": "%%claude"}]}))
    shell = SimpleNamespace(kernel=object(), user_ns={}, get_parent=lambda: {"metadata": {"cellId": cell}})
    assert makes_cells(shell, {"JPY_SESSION_NAME": str(path)}) is expected


def test_without_messages_nobody_makes_a_cell():
    """In a terminal, and outside IPython."""
    assert makes_cells(bare_shell(), {}) is False
    assert makes_cells(None, {}) is False
