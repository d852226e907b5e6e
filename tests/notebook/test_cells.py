"""Cells inside cells: whose outputs an answer may clear, and questions in the cell that loads the extension."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace

import pytest
from shells import EXTENSION, Page, bare_shell

from vertex_claude_magic.notebook.cells import CellWatch

ANSWER = "Forty-two."
# What a user's cell can run, each behind an output of its own.
OUTPUT = "get_ipython().display_pub.publish({'text/plain': 'first'})\n"
NESTED = MappingProxyType(
    {
        "run_cell": "get_ipython().run_cell('%%claude\\nhi')",
        "run_cell twice": "for _ in range(2):\n    get_ipython().run_cell('%%claude\\nhi')",
        "run_cell that keeps history": "get_ipython().run_cell('%%claude\\nhi', store_history=True)",
        "run_cell in run_cell": "get_ipython().run_cell('get_ipython().run_cell(\"%%claude\\\\nhi\")')",
        "run_cell after an empty one": "get_ipython().run_cell('')\nget_ipython().run_cell('%%claude\\nhi')",
        "run_cell after one that fails": "get_ipython().run_cell('1/0')\nget_ipython().run_cell('%%claude\\nhi')",
        "run_cell_magic": "get_ipython().run_cell_magic('claude', '', 'hi')",
        "run_cell_magic in a loop": "for _ in 'ab':\n    get_ipython().run_cell_magic('claude', '', 'hi')",
        "a line magic": "%claude hi",
        "%rerun": "%rerun 1",
        "%run of a script": "%run question.ipy",
    }
)


@pytest.mark.parametrize("code", NESTED.values(), ids=NESTED.keys())
def test_a_question_inside_another_cell_leaves_the_outputs_of_that_cell_alone(
    code, shell, tmp_path, monkeypatch
):
    """Only a cell that holds nothing but the question may clear what is below it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "question.ipy").write_text("%%claude\nhi\n" if "cell" in code else "%claude hi\n")
    shell.emulator.answer(*[ANSWER] * 4)
    shell.run("%%claude\nhi")
    shell.run(f"{OUTPUT}{code}")
    assert "clear" not in shell.page.messages
    assert shell.page.outputs[0] == {"text/plain": "first"}
    assert ANSWER in shell.page.text


def test_a_cell_of_its_own_is_one_again_after_a_nested_one(shell):
    """Several outputs become the one final output there."""
    shell.emulator.answer(*[ANSWER] * 3)
    shell.run("get_ipython().run_cell('')\nget_ipython().run_cell('%%claude\\nhi')\nraise ValueError")
    shell.run("%%claude\nhi")
    assert shell.page.messages[-2:] == ["clear", "show"]
    assert len(shell.page.outputs) == 1


class ClearingPage(Page):
    """A page whose outputs are cleared by somebody else after so many messages."""

    after = 0

    def publish(self, *args, **options):
        super().publish(*args, **options)
        if len(self.messages) == self.after:
            self.shell_clears()


@pytest.mark.parametrize(
    "cell", ["%%claude\nhi", "%claude hi", "x = %claude hi", "for _ in 'a':\n    %claude hi"]
)
@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("wait", [True, False])
def test_an_answer_whose_output_was_cleared_stands_there_at_the_end(cell, after, wait, shell):
    """A callback or a thread of the user's called `clear_output` while it streamed."""
    shell.emulator.answer(f"{ANSWER} " * 40)
    page = shell.ip.display_pub = ClearingPage()
    page.after, page.shell_clears = after, lambda: shell.ip.display_pub.clear_output(wait=wait)
    shell.ip.run_cell(cell).raise_error()
    assert "clear" in page.messages
    (output,) = page.outputs
    assert output["text/plain"].startswith(ANSWER)
    assert page.metadata[0]["vertex_claude_magic"]["complete"] is True


def test_the_publisher_of_ipython_is_as_before_after_unloading(shell):
    """Nothing is counted any more."""
    shell.emulator.answer(ANSWER)
    shell.ok("%claude hi")
    page = shell.page
    assert page.clear_output != Page.clear_output.__get__(page)
    shell.ip.run_cell(f"%unload_ext {EXTENSION}")
    assert page.clear_output == Page.clear_output.__get__(page)


@pytest.mark.parametrize("between", ["", "  \n", "x = 1", "%%claude\nnested"])
def test_a_message_of_the_front_end_begins_anew(between):
    """Whatever IPython failed to report of the cell before."""
    message = ["1"]
    watch = CellWatch(message=lambda: message[0])
    watch.begin(SimpleNamespace(raw_cell=between))
    message[0] = "2"
    watch.begin(SimpleNamespace(raw_cell="%%claude\nhi"))
    assert watch.is_one_question()


def test_the_outer_cell_goes_on_after_a_nested_one():
    """So that its next question is one of this cell."""
    watch = CellWatch()
    outer, inner = (SimpleNamespace(raw_cell=source) for source in ("outer", "inner"))
    watch.begin(outer)
    before = watch.origin()
    watch.begin(inner)
    assert watch.source == "inner"
    assert watch.origin() != before
    watch.end(SimpleNamespace(info=inner))
    assert watch.source == "outer"
    assert watch.origin() == before
    watch.end(SimpleNamespace(info=outer))
    assert watch.source is None


# Cells that load the extension and ask, and the prompts that go out.
FIRST = MappingProxyType(
    {
        "one question": ("%claude Is it late?", ["Is it late?"]),
        "two marks": ("%claude Is it really late??", ["Is it really late??"]),
        "a star before the mark": ("%claude Is it late*?", ["Is it late*?"]),
        "an assignment": ("answer = %claude Is it late?\nassert answer.text", ["Is it late?"]),
        "two questions that end alike": ("%claude Is it late?\n%claude Was it late?", ["Is it late?", "Was it late?"]),
        "a loop": ("for _ in range(2):\n    %claude Is it late?", ["Is it late?"] * 2),
        "a condition": ("if True:\n    %claude Is it late?\nelse:\n    %claude Is it early?", ["Is it late?"]),
        "a continued line": ("%claude Is it \\\nlate?", ["Is it  late?"]),
        "options": ("%claude -n 5 Is it late?", ["Is it late?"]),
        "blank lines and comments": ("\n# why?\n\n%claude Is it late?\n", ["Is it late?"]),
        "a question that needs no cure": ("%claude Is it late? Say so.", ["Is it late? Say so."]),
        "in a function": ("def ask():\n    %claude Is it late?\nask()", ["Is it late?"]),
    }
)  # fmt: skip


def asked(emulator):
    """The prompts that went out."""
    return [each.body["messages"][0]["content"] for each in emulator.requests if each.body]


@pytest.mark.parametrize(("code", "prompts"), FIRST.values(), ids=FIRST.keys())
@pytest.mark.parametrize("silent", [False, True])
def test_a_question_mark_ends_a_question_in_the_cell_that_loads_the_extension(
    code, prompts, silent, claude_emulator, monkeypatch
):
    """IPython has translated it into a request for help before the extension is there."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    claude_emulator.answer(*[ANSWER] * 3)
    shell = bare_shell()
    shell.display_pub = Page()
    shell.run_cell(f"%load_ext {EXTENSION}\n{code}", silent=silent).raise_error()
    assert asked(claude_emulator) == prompts


def test_an_assignment_in_a_function_of_that_cell_is_refused_with_a_cure(claude_emulator, monkeypatch):
    """The function was compiled without the variable; nothing is sent."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    shell = bare_shell()
    shell.display_pub = Page()
    code = f"%load_ext {EXTENSION}\ndef ask():\n    x = %claude Is it late?\n    return x\nask()"
    error = shell.run_cell(code).error_in_exec
    assert "a cell of its own" in str(error)
    assert not claude_emulator.requests


def test_help_stays_help_in_the_cell_that_loads_the_extension(claude_emulator, monkeypatch, capsys):
    """For names, for the magic itself, and for a line that looks alike."""
    for name, value in claude_emulator.environment.items():
        monkeypatch.setenv(name, value)
    claude_emulator.answer(ANSWER)
    shell = bare_shell()
    shell.display_pub = Page()
    code = f"%load_ext {EXTENSION}\nlate = 41\n%claude Is it late?\nlate?\n%claude?"
    shell.run_cell(code).raise_error()
    out = capsys.readouterr().out
    assert "int" in out
    assert "Ask a Claude model" in out
    assert asked(claude_emulator) == ["Is it late?"]


def test_pinfo_is_the_one_of_ipython_after_unloading():
    """Nothing is left behind."""
    shell = bare_shell()
    before = shell.find_line_magic("pinfo")
    shell.run_cell(f"%load_ext {EXTENSION}\nif False:\n    %claude Is it late?")
    assert shell.find_line_magic("pinfo") != before
    shell.run_cell(f"%unload_ext {EXTENSION}")
    assert shell.find_line_magic("pinfo") == before
