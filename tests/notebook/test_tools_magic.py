"""`%%claude --tools`: calls in the cell, what functions print and draw, and stopping between two calls."""

from __future__ import annotations

import importlib
import re
from html import unescape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt
from tool_use import use

from vertex_claude_magic.chats.tools.wording import call_text
from vertex_claude_magic.errors import ClaudeError, ClaudeInterrupt
from vertex_claude_magic.notebook.completion import candidates

if TYPE_CHECKING:
    from shells import Shell

SOURCE = '''
def mean(column: str) -> float:
    """Mean of a column."""
    print("reading", column)
    return 2.5

def stop(column: str) -> float:
    """Stopped by the user."""
    raise KeyboardInterrupt

def hostile(column: str) -> str:
    """Text that somebody else wrote."""
    return "</details><script>alert(1)</script>\\n```\\n<img src=x onerror=alert(1)>"

def figure(column: str):
    """A histogram."""
    from matplotlib.figure import Figure
    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot([1, 2])
    return drawn
'''


@pytest.fixture
def cell(shell: Shell):
    """Run one cell with the functions above it."""
    assert shell.run(SOURCE).success
    return shell.run


def test_a_call_is_a_folded_line_between_the_texts(shell, cell, capsys):
    """With arguments, time, result and what it printed; the text of each round stays."""
    first = {"type": "text", "text": "Let me look."}
    shell.emulator.answer([first, use(1, "mean", column="mass")], "It is **2.5**.")
    capsys.readouterr()
    assert cell("%%claude answer --tools mean\nMean?").success
    (output,) = shell.page.outputs
    markdown = output["text/markdown"]
    assert markdown.index("Let me look.") < markdown.index("<details>") < markdown.index("It is **2.5**.")
    assert '<summary>mean(column="mass") · ' in markdown
    assert (
        "</summary>\nPrinted:\n\n```\nreading mass\n```\n\n<br>\nResult:\n\n```\n2.5\n```\n\n</details>\n\n<br>\n\nIt is"
        in markdown
    )
    assert "reading" not in capsys.readouterr().out
    assert '[mean(column="mass") · ' in output["text/plain"]
    assert shell.ip.user_ns["answer"].tool_calls[0].result == 2.5


def test_a_result_alone_needs_no_label(shell):
    shell.ok("def double(n: int) -> int:\n    'Double.'\n    return 2 * n")
    shell.emulator.answer([use(1, "double", n=2), use(2, "double", n=3)], "4 and 6.")
    shell.ok("%%claude --tools double\nGo")
    folds = [
        rest.partition("</details>")[0]
        for rest in shell.page.outputs[0]["text/markdown"].split("</summary>\n\n")
    ]
    assert folds[1:3] == ["```\n4\n```\n\n", "```\n6\n```\n\n"]


def test_what_a_function_returns_cannot_leave_its_fence(shell, cell):
    """Nothing of it is HTML."""
    shell.emulator.answer([use(1, "hostile", column="x")], "Done.")
    assert cell("%%claude --tools hostile\nGo").success
    (output,) = shell.page.outputs
    markdown = output["text/markdown"]
    tokens = MarkdownIt("commonmark").parse(markdown)
    html = "".join(token.content for token in tokens if token.type == "html_block")
    # The first is the call, the second the fold of the footer.
    call, _, _ = html.partition("</details>")
    assert re.findall(r"</?\w+", call) == ["<details", "<summary", "</summary"]
    (fence,) = [token.content for token in tokens if token.type == "fence"]
    assert "<script>alert(1)</script>" in fence


ARGUMENTS = {
    "HTML": {"column": "</summary><b>&"},
    "two prices": {"low": "$5", "high": "$10"},
    "a formula as a name": {r"$\href{https://a.example/}{x}$": 1},
    "brackets of a formula": {"column": r"\(x\) \[y\]"},
    "an environment": {r"\begin{align}": r"\end{align}"},
}


@pytest.mark.parametrize("arguments", ARGUMENTS.values(), ids=ARGUMENTS)
def test_the_line_of_a_call_shows_its_arguments_as_they_are(shell, cell, arguments):
    """It is an HTML block, which front ends search for formulas before and after they parse it."""
    shell.emulator.answer([use(1, "mean", **arguments)], "Done.")
    assert cell("%%claude --tools mean\nGo").success
    (output,) = shell.page.outputs
    summary = output["text/markdown"].partition("<summary>")[2].partition("</summary>")[0]
    assert not re.search(r"[$\\]", summary)
    assert set(re.findall(r"<[^>]*>", summary)) <= {"<span>", "</span>"}
    shown = unescape(re.sub(r"</?span>", "", summary))
    assert shown.startswith(f"{call_text('mean', arguments)} · ")


def test_a_figure_that_a_function_returns_is_shown_below(shell, cell):
    shell.emulator.answer([use(1, "figure", column="x")], "Done.")
    assert cell("%%claude --tools figure\nGo").success
    answer, picture = shell.page.outputs
    assert "Done." in answer["text/markdown"]
    assert "image/png" in picture


def test_an_interrupt_inside_a_function_ends_the_cell_and_runs_nothing_more(shell, cell):
    """What had arrived stays, marked, and the next question works."""
    first = {"type": "text", "text": "Let me look."}
    shell.emulator.answer([first, use(1, "stop", column="a"), use(2, "mean", column="b")], "no")
    result = cell("%%claude answer --tools stop,mean\nGo")
    assert isinstance(result.error_in_exec, ClaudeInterrupt)
    assert shell.ip.user_ns["answer"].text == "Let me look."
    assert shell.ip.user_ns["answer"].complete is False
    assert "Stopped" in shell.page.text
    assert sum("RawPredict" in each.path for each in shell.emulator.requests) == 1
    assert cell("%%claude answer\nAgain").success
    assert shell.ip.user_ns["answer"].complete


def test_calls_that_had_ended_before_an_interrupt_stay_in_the_reply_and_on_the_page(shell, cell):
    shell.emulator.answer([use(1, "mean", column="a"), use(2, "stop", column="b")], "no")
    result = cell("%%claude answer --tools stop,mean\nGo")
    assert isinstance(result.error_in_exec, ClaudeInterrupt)
    assert str(result.error_in_exec) == "The answer up to here is saved."
    (call,) = shell.ip.user_ns["answer"].tool_calls
    assert (call.name, call.result) == ("mean", 2.5)
    assert '<summary>mean(column="a") · ' in shell.page.outputs[0]["text/markdown"]


def test_without_a_line_to_type_on_a_confirmation_is_no(shell, cell, monkeypatch):
    def no_input(prompt: str = "") -> str:
        raise EOFError

    monkeypatch.setattr("builtins.input", no_input)
    shell.emulator.answer([use(1, "mean", column="a")], "As you like.")
    assert cell("%%claude answer --tools mean --confirm\nGo").success
    (call,) = shell.ip.user_ns["answer"].tool_calls
    assert (call.is_error, call.result) == (
        True,
        "Nobody could be asked to allow this call, because there is no input here, so it was not run.",
    )


@pytest.mark.parametrize("options", ["", "--no-stream "])
def test_a_call_that_waits_for_a_yes_is_not_shown_as_running(shell, cell, monkeypatch, options):
    """The line above the question says what is true until the yes."""
    before = []

    def no(prompt: str = "") -> str:
        before.append(shell.page.outputs[-1]["text/markdown"])
        return "no"

    monkeypatch.setattr("builtins.input", no)
    shell.emulator.answer([use(1, "mean", column="a")], "As you like.")
    assert cell(f"%%claude --tools mean --confirm {options}\nGo").success
    (shown,) = before
    assert 'Runs only after your yes:\n\n```text\nmean(column="a")\n```\n\n' in shown
    assert "Running" not in shown


STEP = '''
def step(n: int) -> str:
    """One step."""
    look()
    return "done"
'''


@pytest.fixture
def looks(shell):
    """What the page shows at each call of the function step, from its top to its end."""
    seen = []
    shell.ip.user_ns["look"] = lambda: seen.append(
        "\n\n".join(output["text/markdown"] for output in shell.page.outputs)
    )
    assert shell.run(STEP).success
    return seen


@pytest.mark.parametrize("magic", ["%%claude {}\nGo", "x = 1\n%claude {} Go"], ids=["cell", "line"])
def test_while_a_function_runs_the_calls_before_it_are_the_lines_that_they_will_be(shell, looks, magic):
    """One line says Running, and nothing that was on the page goes away at the end."""
    text = {"type": "text", "text": "Let me look."}
    shell.emulator.answer(
        [text, *(use(n, "step", n=n) for n in range(3))], [use(3, "step", n=3)], "It is **done**."
    )
    shell.ok(magic.format("--tools step"))
    final = shell.page.outputs[0]["text/markdown"]
    folds = re.findall(r"<details><summary>step.*?</details>", final, re.DOTALL)
    for number, look in enumerate(looks):
        above, running, _ = look.partition(f"Running step(n={number})")
        assert running
        assert "Running" not in above
        assert re.findall(r"<details><summary>step.*?</details>", above, re.DOTALL) == folds[:number]
        assert final.startswith(above.rstrip())
    assert (len(looks), len(folds)) == (4, 4)


def test_without_streaming_the_page_says_what_runs_until_it_has_ended(shell, looks):
    shell.emulator.answer([use(1, "step", n=1), use(2, "step", n=2)], "Done.")
    shell.ok("%%claude --no-stream --tools step\nGo")
    assert [re.findall(r"Running step\D*(\d)", look) for look in looks] == [["1"], ["2"]]
    assert "Running" not in shell.page.drawn[-2]


def test_what_was_recorded_is_on_the_page_while_the_rest_is_asked(shell, looks):
    """The first call and its text come from the journal; the second was never made."""
    text = {"type": "text", "text": "Let me look."}
    shell.emulator.answer([text, use(1, "step", n=1)], [use(2, "step", n=2)], "It is done.")
    shell.ok("%%claude --tools step --max-rounds 2\nGo")
    looks.clear()
    shell.ok("%%claude --tools step --replay auto\nGo")
    (look,) = looks
    marks = re.findall(
        r"Let me look|step\(n=1\) · not called again|Running step\(n=2\)",
        unescape(re.sub(r"</?span>", "", look)),
    )
    assert marks == ["Let me look", "step(n=1) · not called again", "Running step(n=2)"]


NO_YES, REFUSED = "the answer was not exactly yes", "you refused it"
# What is typed at the first question and at the second, and what is said of it.
TYPED = {
    "no": (["no"], REFUSED),
    "n": (["n"], REFUSED),
    "y and no": (["y", "No"], REFUSED),
    "y twice": (["y", "y"], NO_YES),
    "nothing": ([""], NO_YES),
    "nobody is there": ([], ""),
}


@pytest.mark.parametrize(("typed", "why"), TYPED.values(), ids=TYPED)
def test_a_call_that_was_not_allowed_is_no_error(shell, cell, monkeypatch, tmp_path, typed, why):
    """In the answer, a replay and an export; an answer that is no yes is told."""
    left = [*typed]

    def answer(prompt: str = "") -> str:
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.chdir(tmp_path)
    cell("def fail(column: str) -> str:\n    'Fail.'\n    raise ValueError")
    shell.emulator.answer([use(1, "mean", column="a"), use(2, "fail", wrong=1)], "As you like.")
    shell.ok("%%claude -c talk --tools mean,fail --confirm\nGo")
    assert not left
    assert re.findall(r"mean was not run, because (.*)\.", shell.page.text) == ([why] if why else [])
    shown = [shell.page.text]
    shell.ok("%%claude -c talk --tools mean,fail --confirm --new --replay only\nGo")
    shown.append(shell.page.text)
    shell.ok("%claude_chat talk --export talk.md")
    shown.append(unescape(Path("talk.md").read_text(encoding="utf-8")))
    for text in shown:
        assert re.findall(r'mean\(column="a"\) · ([a-z ]+)', text) == ["not allowed"]
        assert re.findall(r"fail\(wrong=1\) · ([a-z ]+)", text) == ["error"]


def test_what_is_no_exact_yes_is_asked_once_more(shell, cell, monkeypatch):
    """A slip is not final; only the second yes runs the call, and the model hears of no refusal."""
    typed, asked = ["y", "yes"], []
    monkeypatch.setattr("builtins.input", lambda prompt="": asked.append(prompt) or typed.pop(0))
    shell.emulator.answer([use(1, "mean", column="a")], "It is 2.5.")
    assert cell("%%claude answer --tools mean --confirm\nGo").success
    assert "Type yes to run mean" in asked[1]
    assert shell.ip.user_ns["answer"].tool_calls[0].result == 2.5
    assert "not run" not in shell.page.text


def test_a_stop_at_the_question_whether_a_call_may_run_is_told_once(shell, cell, monkeypatch, capsys):
    """The answer up to there is on the page and in the variable, and the error says no other thing."""

    def stop(prompt: str = "") -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", stop)
    shell.emulator.answer([use(1, "mean", column="a")], "no")
    result = cell("%%claude answer --tools mean --confirm\nGo")
    assert str(result.error_in_exec) == "The answer up to here is saved."
    assert "Stopped. This is a partial answer" in shell.page.text
    assert shell.ip.user_ns["answer"].complete is False


def test_at_the_limit_of_requests_one_cure_is_given(shell, cell):
    """That of the note: the functions are there, and a cell can send no result itself."""
    shell.emulator.answer([use(1, "mean", column="a")], [use(2, "mean", column="b")])
    assert cell("%%claude --tools mean --max-rounds 2\nGo").success
    assert "Claude requested the tool mean, which was not run." in shell.page.text
    assert "Stopped after 2 requests; the last calls were not run. Raise --max-rounds." in shell.page.text
    assert not re.search("Send its result|without tools|Give functions", shell.page.text)


def test_once_it_may_run_a_call_is_shown_as_running(shell, cell, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt="": "yes")
    shell.emulator.answer([use(1, "mean", column="a")], "It is 2.5.")
    assert cell("%%claude --tools mean --confirm\nGo").success
    waits, runs = (
        [word in drawn for drawn in shell.page.drawn] for word in ("Runs only after", "Running mean(")
    )
    assert waits.index(True) < runs.index(True)
    assert not any(both == (True, True) for both in zip(waits, runs, strict=True))


def test_a_replay_says_that_nothing_was_called_again(shell, cell):
    shell.emulator.answer([use(1, "mean", column="mass")], "It is 2.5.")
    assert cell("%%claude --tools mean\nMean?").success
    assert cell("%%claude --tools mean --replay only\nMean?").success
    assert "not called again" in shell.page.outputs[-1]["text/markdown"]


def test_quiet_shows_nothing_also_of_what_a_function_prints(shell, cell, capsys):
    """Only errors; the call has what it printed."""
    shell.emulator.answer([use(1, "mean", column="mass"), use(2, "figure", column="x")], "It is 2.5.")
    capsys.readouterr()
    shown = len(shell.page.outputs)
    assert cell("%%claude answer -q --tools mean,figure\nMean?").success
    assert "reading" not in capsys.readouterr().out
    assert len(shell.page.outputs) == shown
    assert shell.ip.user_ns["answer"].tool_calls[0].printed == "reading mass\n"


def test_without_streaming_the_texts_and_calls_come_in_their_order(shell, cell):
    shell.emulator.answer(
        [{"type": "text", "text": "Let me look."}, use(1, "mean", column="mass")], "It is 2.5."
    )
    assert cell("%%claude --no-stream --tools mean\nMean?").success
    (output,) = shell.page.outputs
    plain = output["text/plain"]
    assert plain.index("Let me look.") < plain.index("[mean(") < plain.index("It is 2.5.")
    assert [each.body.get("stream") for each in shell.asked] == [None, None]


def test_what_an_inherited_function_prints_stays_out_of_the_answer(shell, cell, capsys):
    """In a later cell of a conversation, whose line names no tools."""
    shell.emulator.answer([use(1, "mean", column="mass")], "2.5", [use(2, "mean", column="depth")], "2.5")
    assert cell("%%claude -c talk --tools mean\nMean of mass?").success
    capsys.readouterr()
    assert cell("%%claude -c talk\nAnd of depth?").success
    assert "reading" not in capsys.readouterr().out
    assert "reading depth" in shell.page.outputs[-1]["text/markdown"]


def test_an_output_says_how_many_requests_and_which_functions_made_it(shell, cell):
    """Beside tokens and cost, which are sums; the hash is that of the question."""
    shell.emulator.answer([use(1, "mean", column="a"), use(2, "mean", column="b")], "It is 2.5.")
    assert cell("%%claude answer --tools mean\nMean?").success
    found = shell.page.metadata[-1]["vertex_claude_magic"]
    answer = shell.ip.user_ns["answer"]
    assert (found["requests"], found["tools"]) == (2, {"mean": 2})
    assert found["usage"]["output_tokens"] == sum(each.usage.output_tokens for each in answer.rounds)
    assert found["prompt_hash"] == answer.rounds[0].lineage.prompt_hash
    assert cell("%%claude\nHi").success
    assert not {"requests", "tools"} & set(shell.page.metadata[-1]["vertex_claude_magic"])


def test_what_is_not_recorded_of_an_answer_is_asked_and_all_of_it_shown(shell, cell):
    """The first round comes from the journal, the second was never answered."""
    first = [{"type": "text", "text": "Let me look."}, use(1, "mean", column="mass")]
    shell.emulator.answer(first, "It is 2.5.")
    assert cell("%%claude --tools mean --max-rounds 1\nMean?").success
    assert cell("%%claude --tools mean --replay auto\nMean?").success
    text = shell.page.outputs[-1]["text/plain"]
    assert text.index("Let me look.") < text.index("[mean(") < text.index("It is 2.5.")
    assert "not called again" not in text


def test_tab_completes_functions_also_behind_a_comma():
    names = {"mean": len, "table": 3, "_hidden": len, "Kind": int}
    offered = [each.text for each in candidates("%%claude --tools", "", names)]
    assert offered == ["mean", "web_search"]
    assert [each.text for each in candidates("%%claude --tools", "mean,we", names)] == ["mean,web_search"]


# Nearly the name of something that IPython puts among the variables of its user.
NEARLY = ["opne", "exot", "qiut", "get_ipyton", "Iin", "Outt"]
NAMED = {
    "a template": "%%claude\n{{{{ {} }}}}",
    "a tool": "%%claude --tools {}\nHi",
    "a type": "%%claude --as {}\nHi",
    "an attachment": "%%claude -a {}\nHi",
    "a reply": "%%claude --after {}\nHi",
    "a table": "%%claude_map out {}\nHi {{{{ item }}}}",
    "a column": "%%claude_map out rows\n{{{{ {} }}}}",
}


@pytest.mark.parametrize("name", NEARLY)
@pytest.mark.parametrize("cell", NAMED.values(), ids=NAMED)
def test_a_name_of_ipython_is_suggested_nowhere(shell, cell, name):
    """It is no variable of the user, who would follow the suggestion in vain."""
    shell.ip.user_ns["rows"] = ["a"]
    error = shell.error(cell.format(name))
    assert name in error.message
    assert not set(re.findall(r"\w+", error.cure)) & {"In", "Out", "exit", "quit", "get_ipython", "open"} - {
        name
    }
    assert not shell.asked


class Proxy:
    """Stands for something that is not there now, as the proxies of web frameworks do."""

    @property
    def __module__(self) -> str:
        raise RuntimeError("Working outside of a request.")


@pytest.mark.parametrize("cell", NAMED.values(), ids=NAMED)
def test_nothing_of_a_variable_is_read_to_suggest_a_name(shell, cell):
    """An attribute of a proxy or of a lazy module may raise anything."""
    lazy = ModuleType("lazy")
    lazy.__getattr__ = lambda name: importlib.import_module(f"not there: {name}")
    shell.ip.user_ns.update(rows=["a"], lazy=lazy, proxy=Proxy())
    assert isinstance(shell.error(cell.format("frmae")), ClaudeError)
    shell.ok("%claude What is $frame, and {lazy}?")
    assert {each.text for each in candidates("%%claude_map out", "", shell.ip.user_ns)} >= {"rows"}


def test_a_name_on_a_line_that_is_ipythons_own_is_not_pointed_out(shell):
    """Braces around a word of English stand for no variable."""
    shell.ok("%claude What does {exit} do, and $open?")
    assert "sent as written" not in shell.page.text


@pytest.mark.parametrize("name", ["open", "exit", "get_ipython", "len", "print", "eval"])
def test_a_function_of_python_or_ipython_is_no_tool(shell, name):
    """Claude would read files by `open`, which nobody has written for it."""
    error = shell.error(f"%%claude --tools {name}\nHi")
    assert error.message == f"'{name}' is a function of Python or IPython itself, not one of yours."
    assert not shell.asked


def test_a_function_of_the_user_may_have_the_name_of_one_of_ipython(shell):
    shell.ok("def open(door: str) -> str:\n    'Open a door.'\n    return 'opened'")
    shell.ok("%%claude --tools open\nHi")
    assert [tool["description"] for tool in shell.body["tools"]] == ["Open a door."]
