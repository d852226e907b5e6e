"""`%%claude` and `%claude` in an IPython shell, on the wire and on the page."""

from __future__ import annotations

import inspect
import json
import re
import threading

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from shells import Shell, run_python

from vertex_claude_magic import Claude, errors
from vertex_claude_magic.emulator import Fault, Reply
from vertex_claude_magic.notebook.commands.options import COMMANDS
from vertex_claude_magic.settings.registry import LINE_OPTIONS, MOST_USED, OPTIONS

METADATA_FIELDS = {
    "model", "region", "usage", "cost_usd", "seconds", "complete",
    "message_id", "prompt_hash", "answered_by", "date", "source_hash", "answer_hash",
}  # fmt: skip


def test_the_list_of_commands_is_that_of_the_magics(shell):
    """Completion, hooks and parsers read the list, IPython the methods."""
    magics = shell.ip.magics_manager.magics
    for kind, mark in (("line", "%"), ("cell", "%%")):
        named = {f"{mark}{name}" for name in magics[kind] if name.startswith("claude")}
        listed = {written for command in COMMANDS.values() for written in command.written}
        assert named == {each for each in listed if each.count("%") == len(mark)}


def test_a_cell_asks_and_its_variable_gets_the_reply(shell):
    """The prompt is the body, NAME holds the reply, and the page one Markdown output."""
    shell.emulator.answer("**Four.**")
    reply = shell.ok("%%claude answer -m haiku\nWhat is 2 + 2?")
    assert shell.body["messages"] == [{"role": "user", "content": "What is 2 + 2?"}]
    assert shell.ip.user_ns["answer"] is reply
    assert (reply.text, reply.complete) == ("**Four.**", True)
    assert len(shell.page.outputs) == 1
    assert shell.page.outputs[0]["text/markdown"].startswith("**Four.**")
    assert shell.page.text.startswith("**Four.**")


def test_the_final_output_records_what_was_asked_and_what_it_cost(shell):
    """Model, region, usage, cost, time, ids and prompt hash stand in the metadata; the prompt and the project do not."""
    reply = shell.ok("%%claude -m haiku\nA secret question")
    stored = shell.page.metadata[0]["vertex_claude_magic"]
    assert set(stored) == METADATA_FIELDS
    assert (stored["model"], stored["usage"]["input_tokens"]) == (reply.model, reply.usage.input_tokens)
    assert "secret" not in json.dumps(stored)
    assert shell.emulator.project not in json.dumps(stored)


def test_the_returned_reply_is_kept_and_not_shown_twice(shell, capsys, monkeypatch):
    """`_` and `Out[n]` hold the reply; the page has it once, without an empty `Out[n]:`, until it is evaluated again."""
    # A doctest leaves its last value there, and IPython then keeps its hands off the name.
    monkeypatch.delattr("builtins._", raising=False)
    shell.emulator.answer("Only once.")
    number = shell.ip.execution_count
    reply = shell.ok("%%claude\nHello")
    assert shell.ip.user_ns["_"] is reply
    assert shell.ip.user_ns["Out"][number] is reply
    shown = capsys.readouterr().out
    assert ("Only once." in shown, "Out[" in shown) == (False, False)
    number = shell.ip.execution_count
    shell.ok("_")
    assert f"Out[{number}]: \nOnly once." in capsys.readouterr().out
    # What is no answer of ours is not touched, nor is a cell that hides its value.
    shell.ok("%claude Hello;")
    shell.ok("1 + 1")
    assert capsys.readouterr().out.endswith(f"Out[{shell.ip.execution_count - 1}]: 2\n")


def test_a_reply_is_shown_as_safe_markdown_when_it_is_evaluated(shell):
    """Also later, model text reaches the page only through the sanitizer."""
    shell.emulator.answer("Hi <img src=x onerror=alert(1)>\x1b[31m")
    reply = shell.ok("%%claude -q\nHello")
    data, _ = shell.ip.display_formatter.format(reply)
    assert "<img" not in data["text/markdown"]
    assert reply.model in data["text/markdown"]
    assert "\x1b" not in data["text/plain"]
    assert data["text/plain"].startswith("Hi <img src=x onerror=alert(1)>")


def test_a_quiet_answer_shows_nothing_until_it_is_evaluated(shell, capsys):
    """`-q` fills the variable; a later line of the same cell may show it."""
    shell.emulator.answer("Quiet one.", "Quiet two.", "Quiet three.")
    shell.ok("%%claude a -q\nHello")
    shell.ok("%claude -q Hello")
    assert not shell.page.messages
    assert "Quiet" not in capsys.readouterr().out
    shell.ok("b = %claude -q Hello\nb")
    assert "Quiet three." in capsys.readouterr().out


def test_a_line_asks_and_its_value_can_be_assigned(shell):
    """`name = %claude prompt` is Python; options come before the prompt."""
    shell.emulator.answer("Ulaanbaatar.")
    shell.ok("city = %claude -m haiku -n 50 What's the capital of Mongolia")
    assert shell.ip.user_ns["city"].text == "Ulaanbaatar."
    assert shell.body["messages"][0]["content"] == "What's the capital of Mongolia"
    assert shell.body["max_tokens"] == 50


# Bodies that something on the way from the cell to the wire might change.
NASTY_BODIES = [
    "Plain.",
    "{x} and {{{x}}} and {{ .x }} and ${{{{x}}}}",
    "{'a': 1, \"b\": [2]}",
    'f"{x!r:>10}"',
    "$x $HOME ${x} $$",
    r"\(x^2\) \[y\] $\frac{1}{2}$ \begin{align}a&=b\end{align}",
    "100 % and %d %(name)s %%",
    "%time x = 1",
    "%%bash\nls",
    "!ls -l",
    "?help\nhelp?",
    "x = %claude is it?",
    "\"\"\"triple\"\"\" and '''more'''",
    r"C:\new\table \u0041 \x41 \\ \n",
    "ends in a backslash \\",
    "two\n\n\nblank lines",
    "    indented\n  less",
    "\tTab first",
    "trailing spaces   \nnext   ",
    "\n\nblank lines first",
    "# a comment?\n#",
    "`code` ```fence```",
    "<b>&amp;</b> <!-- x -->",
    "Größe 日本語 🙂 e\u0301",
    "line\u2028separator\u0085next",
    "-m opus --help",
    "get_ipython().run_line_magic('x')",
    "{% raw %}{{ .Values.x }}{% endraw %}",
    "a;b;",
    "@decorator\ndef f(): ...",
    "; ; ; /f x",
]


@pytest.mark.parametrize("body", NASTY_BODIES, ids=ascii)
def test_the_body_of_a_cell_is_sent_as_it_stands(shell, body):
    """Case 44: only the line break that ends the cell is left out."""
    shell.ip.user_ns["x"] = "REPLACED"
    shell.ok(f"%%claude -q\n{body}")
    assert shell.body["messages"][0]["content"] == body


@pytest.mark.parametrize("prompt", ["$x in {x}", "it's {x!r}", "50% of $x", '"quoted" $x', "a -m opus b"])
def test_the_prompt_of_a_line_is_sent_as_it_stands(shell, prompt):
    """Case 44: IPython does not put variables into it."""
    shell.ip.user_ns["x"] = "REPLACED"
    shell.ok(f"%claude -q {prompt}")
    assert shell.body["messages"][0]["content"] == prompt


# The cell, the prompts that go out.
QUESTIONS = [
    ("%claude -q Is it late?", ["Is it late?"]),
    ("%claude -q Is it late??", ["Is it late??"]),
    ("%claude -q Is it (really)?", ["Is it (really)?"]),
    ("%claude -q What's up?", ["What's up?"]),
    ("%claude -q $x or {x}?", ["$x or {x}?"]),
    ("%claude -q Is it 'late'?  ", ["Is it 'late'?"]),
    ("a = %claude -q Is it late?", ["Is it late?"]),
    ("a = b = 1\n%claude -q One?\n%claude -q Two?\nc = 3", ["One?", "Two?"]),
    ("for i in range(2):\n    %claude -q Again?\n", ["Again?", "Again?"]),
    ("for i in range(2):\n    a = %claude -q Again?\n", ["Again?", "Again?"]),
    ("if False:\n    %claude -q Never?\nelse:\n    %claude -q Ever?", ["Ever?"]),
    ("%claude -q one \\\n  two?", ["one    two?"]),
    ("%claude -q ?", ["?"]),
    ("%claude -q A smile :( or not?", ["A smile :( or not?"]),
]


@pytest.mark.parametrize(("cell", "prompts"), QUESTIONS, ids=[row[0] for row in QUESTIONS])
def test_a_prompt_that_ends_in_a_question_mark_is_a_prompt(shell, cell, prompts):
    """IPython would take it for a request for help."""
    shell.ok(cell)
    assert [each.body["messages"][0]["content"] for each in shell.asked] == prompts


@pytest.mark.parametrize("head", ["", "reply = "])
def test_a_hint_for_a_fix_and_the_prompt_of_a_comparison_may_end_so_too(shell, head):
    """`%claude_fix?` and `%claude_compare?` stay requests for help."""
    shell.ok(f"{head}%claude_compare -q -m haiku,sonnet Is it late?")
    assert [each.body["messages"][0]["content"] for each in shell.asked] == ["Is it late?"] * 2
    shell.error("1 / 0")
    shell.ok(f"{head}%claude_fix -q --explain What's zero?")
    assert str(shell.body["messages"][0]["content"]).endswith("What's zero?")
    for help_page in ("%claude_fix?", "%claude_compare?", "%claude_fix??"):
        shell.ok(help_page)
    assert len(shell.asked) == 3


@pytest.mark.parametrize(
    "cell", ["%claude?", "%claude??", "%%claude?", "%claude -h", "%claude --help", "%%claude -h\nx"]
)
def test_help_is_shown_and_nothing_is_asked(shell, cell, capsys):
    """`%claude?` stays a request for help."""
    shell.ok(cell)
    assert "--max-tokens" in shell.page.text + capsys.readouterr().out
    assert not shell.emulator.requests


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS.keys())
def test_every_magic_shows_its_own_page(shell, command, option):
    """Whichever way it is written, and nothing is asked or changed."""
    for written in command.written:
        shell.ok(f"{written} {option}" + ("\n" if written.startswith("%%") else ""))
        page = inspect.getdoc(getattr(type(shell.magics), command.name))
        assert shell.page.text.startswith(page.splitlines()[0])
    assert not shell.emulator.requests
    assert shell.magics.emulator is None


@pytest.mark.parametrize("cell", ["%claude?", "%claude -h", "%%claude -h\nx", "%%claude --help\n"])
def test_the_help_page_is_short_and_names_the_long_one(shell, cell, capsys):
    """At most 30 lines, which are on the screen at once."""
    shell.ok(cell)
    page = inspect.getdoc(type(shell.magics).claude)
    assert 15 < len(page.splitlines()) <= 30
    assert max(map(len, page.splitlines())) <= 110
    assert "%%claude --help all" in shell.page.text + capsys.readouterr().out
    assert all(f"{OPTIONS[name].long} " in page for name in MOST_USED)


@pytest.mark.parametrize("cell", ["%%claude --help\n", "%%claude --help all\n", "%%claude_map --help\n"])
def test_a_help_page_is_broken_between_words_and_has_no_marks_of_the_documentation(shell, cell):
    """JupyterLab breaks the lines of outputs inside of words; two colons are for Sphinx."""
    shell.ok(cell)
    (page,) = [data["text/html"] for data in shell.page.outputs]
    assert page.startswith('<pre style="margin: 0; font-size: 90%; word-break: normal; ')
    assert "::" not in page


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_magic_shows_its_page_behind_help(shell, name, option):
    """The docstring, as `?` shows it; nothing else is done."""
    (written, *_) = COMMANDS[name].written
    shell.ok(f"{written} {option}\nx" if written.startswith("%%") else f"{written} {option}")
    assert inspect.getdoc(getattr(type(shell.magics), name)).splitlines()[0] in shell.page.text
    assert not shell.emulator.requests


@pytest.mark.parametrize(
    "cell", ["%claude --help all", "%%claude -h all\n", "%%claude --help all\nx", "%%claude answer -h all\nx"]
)
def test_all_options_are_on_a_page_of_their_own(shell, cell):
    """In groups, each option once."""
    shell.ok(cell)
    listed = re.findall(r"^  (?:-\w, )?(--[\w-]+)", shell.page.text, re.MULTILINE)
    assert sorted(listed) == sorted({row.long for row in LINE_OPTIONS.values()})
    assert "Cost and re-runs" in shell.page.text
    assert "{{ name }}" in shell.page.text
    # What a cell of JupyterLab shows in one line on a page of 1,000 pixels.
    assert max(map(len, shell.page.text.splitlines())) <= 108
    assert not shell.emulator.requests


@pytest.mark.parametrize("cell", ["%%claude all\nHi", "%%claude -q all\nHi", "%%claude --help al\nHi"])
def test_all_is_a_word_behind_help_only(shell, cell):
    """Elsewhere it is a variable, or a word too many."""
    assert "'al" in str(shell.error(cell))
    assert not shell.emulator.requests


def test_a_magic_in_a_string_is_a_string(shell):
    """The rule looks at tokens and not at lines."""
    shell.ok('text = """\n%claude Is it late?\n"""')
    assert shell.ip.user_ns["text"] == "\n%claude Is it late?\n"


EMPTY = ["%%claude", "%%claude\n", "%%claude\n   \n\t\n", "%%claude answer -m opus\n\n"]


@pytest.mark.parametrize("cell", EMPTY, ids=ascii)
def test_an_empty_cell_is_refused_before_anything_is_sent(shell, cell):
    """Case 43: empty, or only blanks."""
    assert "empty" in str(shell.error(cell))
    assert not shell.emulator.requests


def test_a_prompt_of_five_megabytes_ends_in_one_line(shell):
    """Case 43: it is more than any model takes; the error says so and nothing hangs."""
    error = shell.error("%%claude -m haiku\n" + "word " * 1_000_000)
    assert isinstance(error, (errors.PromptTooLong, errors.RequestTooLarge, errors.OptionError))
    assert len(str(error)) < 500


ERRORS = [
    ("%%claude -m opus -t 0.5\nhi", None, errors.ModelRuleError, "temperature"),
    ("%%claude --temp 1\nhi", None, errors.OptionError, "--temperature"),
    ("%%claude -r 'a/b'\nhi", None, errors.OptionError, "location"),
    ("%%claude -m nonsense\nhi", None, errors.ClaudeError, "nonsense"),
    ("%%claude\nhi", Fault(status=403, message="Permission denied <b>here</b>\x1b[31m"), errors.PermissionDenied, "here"),
    ("%%claude\nhi", Fault(status=400, shape="html"), errors.BadRequest, "400"),
    ("%%claude\nhi", Fault(cut_after=900), errors.StreamInterrupted, "cut off"),
    ("%%claude\nhi", Fault(error_after=4), errors.Overloaded, ""),
    ("%claude --timeout 0 hi", None, errors.OptionError, "timeout"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "fault", "kind", "word"), ERRORS, ids=[f"{row[0]!r}-{row[2].__name__}" for row in ERRORS]
)
def test_an_error_is_one_line_that_fails_the_cell(shell, capsys, cell, fault, kind, word):
    """What happened and the cure, no traceback; the variable keeps its old value (cases 47 and 50)."""
    if fault is not None:
        shell.emulator.fail(fault)
    shell.ip.user_ns["answer"] = "old"
    error = shell.error(cell.replace("%%claude", "%%claude answer"))
    said = capsys.readouterr()
    lines = (said.out + said.err).strip().splitlines()
    assert isinstance(error, kind)
    assert error.cure
    assert word in lines[-1]
    assert lines[-1].startswith(type(error).__name__)
    assert len(lines) == 1
    assert lines[-1].isprintable()
    assert shell.ip.user_ns["answer"] == "old"


def test_what_had_arrived_stays_on_the_page_when_an_answer_breaks_off(shell):
    """The error carries it too, as an incomplete reply."""
    shell.emulator.answer(Reply(content="One. " * 40, fault=Fault(cut_after=1200)))
    error = shell.error("%%claude\nCount")
    assert error.reply.text.startswith("One. ")
    assert not error.reply.complete
    assert shell.page.text.startswith("One. ")
    assert "Stopped. This is a partial answer" in shell.page.text


@pytest.mark.parametrize("store", [True, False])
def test_an_error_before_any_text_leaves_no_half_drawn_line(shell, store):
    """The waiting line goes away."""
    shell.emulator.fail(400)
    shell.run("%%claude\nhi", store_history=store)
    assert shell.page.messages == ["show", "clear"]


@pytest.mark.parametrize("options", ["", "--no-stream -n 100"])
def test_a_retry_is_announced_with_its_reason(shell, options):
    """Also when the answer is shown only once it is complete."""
    shell.emulator.fail(Fault(status=529, headers={"retry-after-ms": "150"}))
    shell.ok(f"%%claude {options}\nhi")
    assert any("529" in text for text in shell.page.drawn[1:-1])
    assert len(shell.page.outputs) == 1


def test_the_search_for_credentials_is_announced(shell, monkeypatch):
    """It can take seconds, so the page says what is being waited for before it begins."""
    monkeypatch.delenv("ANTHROPIC_VERTEX_PROJECT_ID")
    shell.ok("%%claude\nhi")
    assert any("looking for Google credentials" in text for text in shell.page.drawn[:2])


CONCERNS_AN_ANSWER = {
    "rows left out": ("%%claude\nMean of {{ big }}?", "rows of big. To send more:"),
    "nothing to mark": ("%%claude --cache\nHi", "--cache had nothing to mark"),
    "an option without effect": ("%%claude --confirm\nHi", "--confirm has no effect without --tools"),
    "not saved": (
        "%%claude --allow-secrets\nIs AIzaSyA-1234567890abcdefghijklmnopqrstu a key?",
        "Neither prompt nor",
    ),
}


@pytest.mark.parametrize(("cell", "said"), CONCERNS_AN_ANSWER.values(), ids=CONCERNS_AN_ANSWER)
def test_what_concerns_an_answer_is_in_sight_beside_every_answer_that_it_concerns(shell, cell, said):
    """Also where another answer had the same said of it; the first may be gone from the page by then."""
    shell.ok("import pandas; big = pandas.DataFrame({'a': range(100_000)})")
    for _ in range(2):
        shell.ok(cell)
        assert said in shell.page.text
        assert said not in shell.page.outputs[-1]["text/markdown"].partition("</details>")[0]


def test_what_the_table_says_of_a_model_is_in_sight_once_and_then_in_the_fold(shell, tmp_path):
    """It is the same for all questions to that model."""
    file = tmp_path / "models.json"
    file.write_text('{"models": [{"id": "claude-haiku-5-5", "locations": ["eu"]}]}')
    shell.ok(f"%config ClaudeMagics.models_file = {str(file)!r}")
    for shown in (True, False):
        shell.ok("%%claude -m claude-haiku-5-5 -r global\nHi")
        assert ("does not list Claude Haiku" in shell.page.text) is shown
        assert "does not list" in shell.page.outputs[-1]["text/markdown"]


def test_an_answer_names_its_model_as_the_table_of_the_user_does(shell, tmp_path):
    """Also one that is replayed, and the turn of a conversation."""
    file = tmp_path / "models.json"
    file.write_text('{"models": [{"id": "claude-haiku-5-5", "name": "Claude of the lab"}]}')
    shell.ok(f"%config ClaudeMagics.models_file = {str(file)!r}")
    for line in ("", "--replay only", "-c talk"):
        shell.ok(f"%%claude -m claude-haiku-5-5 {line}\nHi")
        assert "of the lab · " in shell.page.outputs[-1]["text/plain"]


@pytest.mark.parametrize(
    ("line", "streamed"), [("--set stream=false", False), ("--set stream=true --no-stream", True)]
)
def test_a_field_by_hand_decides_how_an_answer_is_sent(shell, line, streamed):
    """And the answer is shown as ever."""
    shell.emulator.answer("Four.")
    assert shell.ok(f"%%claude {line}\n2 + 2?").text == "Four."
    assert ("stream" in shell.body) is streamed
    assert shell.page.text.startswith("Four.")


def test_an_answer_that_is_not_streamed_is_shown_once(shell):
    """`--no-stream` draws the waiting line and then the whole answer."""
    shell.emulator.answer("word " * 500)
    shell.ok("%%claude --no-stream -n 20000\nhi")
    assert [text.startswith("word") for text in shell.page.drawn] == [False, True]


def test_text_and_json_are_shown_as_such(shell):
    """`-f text` has no Markdown at all; `-f json` is indented and kept as data."""
    shell.emulator.answer("**not bold**", '{"a": [1]}')
    shell.ok("%%claude -f text\nhi")
    assert set(shell.page.outputs[0]) == {"text/plain"}
    assert shell.page.text.startswith("**not bold**")
    reply = shell.ok("%%claude -f json\nhi")
    assert reply.data == {"a": [1]}
    assert '"a": [\n' in shell.page.outputs[0]["text/markdown"]


def test_thinking_is_folded_away_above_the_answer(shell):
    """Only if it is asked for."""
    shell.ok("%%claude --thinking adaptive --show-thinking\nhi")
    assert shell.page.outputs[0]["text/markdown"].startswith("<details><summary>Thinking</summary>")
    shell.ok("%%claude --thinking adaptive\nhi")
    assert "Thinking" not in shell.page.outputs[0]["text/markdown"]


def test_a_loop_keeps_every_answer(shell):
    """Only a `%%claude` cell clears its outputs; a loop of lines, or of cell magics called from Python, does not."""
    shell.emulator.answer("One.", "Two.", "Three.", "Four.")
    shell.ok("for word in ('a', 'b'):\n    %claude Say something")
    assert [text.splitlines()[0] for text in _texts(shell)] == ["One.", "Two."]
    shell.ok("for word in 'ab':\n    get_ipython().run_cell_magic('claude', '', word)")
    assert [text.splitlines()[0] for text in _texts(shell)] == ["Three.", "Four."]


def _texts(shell: Shell) -> list[str]:
    return [data["text/plain"] for data in shell.page.outputs]


# A line of a function that has the variables `loc`, `path` and `City`, and what of them is not found.
LOCALS = {
    "%claude -q hey {{ loc }}": "No variable named 'loc'.",
    "%claude -q hey {{ loc.n }}": "No variable named 'loc' (in {{ loc.n }}).",
    "%claude -q -a path hey": "'path' is neither a variable nor a file.",
    "%claude -q --as list[City] hey": "--as refers to 'City', which is not defined.",
    "%claude_compare -m haiku,sonnet hey {{ loc }}": "No variable named 'loc'.",
}


@pytest.mark.parametrize(("line", "said"), LOCALS.items())
def test_of_a_variable_of_a_function_it_is_said_that_only_those_of_the_notebook_are_seen(shell, line, said):
    """With what sees it; nothing is sent."""
    shell.ok(f"def f():\n    loc, path, City = 7, 'x', int\n    {line}")
    name = said.split("'")[1]
    assert str(shell.error("f()")) == (
        f"{said} {name} is a variable of a function, and a magic uses only those of the notebook; in a function write "
        "Claude().ask(prompt, names=locals())."
    )
    assert not shell.asked


def test_of_what_is_no_variable_of_the_function_either_the_nearest_is_suggested(shell):
    shell.ok("local = 7\ndef f():\n    location = 7\n    %claude -q hey {{ locl }}")
    assert shell.error("f()").cure.startswith("Did you mean local?")
    assert shell.error("%claude -q hey {{ locl }}").cure.startswith("Did you mean local?")
    assert not shell.asked


def test_inside_another_magic_the_answer_stays_where_it_belongs(shell):
    """Case 68: nested in `%%time` it is drawn in one output, and nothing is cleared."""
    shell.emulator.answer("Nested.")
    shell.ok("%%time\n%%claude answer\nhi")
    assert "clear" not in shell.page.messages
    assert shell.ip.user_ns["answer"].text == "Nested."
    assert shell.page.text.startswith("Nested.")


def test_a_thread_is_told_that_it_cannot_draw(shell):
    """Case 68: its output would land in whichever cell runs by then; quietly it may ask."""
    shell.emulator.answer("Said quietly.")
    shell.ip.user_ns["caught"] = caught = []
    call = "get_ipython().run_line_magic('claude', {!r})"
    shell.ip.ex(f"def loud():\n try: {call.format('hi')}\n except Exception as error: caught.append(error)")
    shell.ip.ex(f"def quiet():\n caught.append({call.format('-q hi')})")
    for name in ("loud", "quiet"):
        thread = threading.Thread(target=shell.ip.user_ns[name])
        thread.start()
        thread.join(120)
    assert "background thread" in str(caught[0])
    assert caught[1].text == "Said quietly."


def test_it_works_under_python_without_assertions_and_outside_ipython(claude_emulator):
    """Case 49: `python -O`, no IPython loaded, one question from plain Python."""
    done = run_python(
        "import sys, vertex_claude_magic as v; r = v.Claude().ask('hi'); print(r.complete, 'IPython' in sys.modules)",
        "-O",
        **claude_emulator.environment,
    )
    assert done.split() == ["True", "False"]


LINE_VARIABLES = [
    ("What is {topic}?", "{topic} was sent as written. To send the value, write {{ topic }}."),
    ("What is $topic worth?", "$topic was sent as written. To send the value, write {{ topic }}."),
    ("Price of ${topic}", "${topic} was sent as written. To send the value, write {{ topic }}."),
    (
        "Compare {topic} and $other",
        "{topic}, $other were sent as written. To send the value, write {{ topic }}.",
    ),
    ("-m haiku Is {topic} fine", "{topic} was sent as written. To send the value, write {{ topic }}."),
]


@pytest.mark.parametrize(("line", "note"), LINE_VARIABLES, ids=[row[0] for row in LINE_VARIABLES])
def test_a_variable_that_other_line_magics_would_fill_in_is_pointed_out(shell, line, note):
    """IPython fills `{name}` and `$name` in on other lines; here they go out as they are, and the answer says so."""
    shell.ip.user_ns.update(topic="tea", other="coffee")
    shell.ok(f"%claude {line}")
    assert note in shell.page.text
    assert line.removeprefix("-m haiku ") in str(shell.body["messages"])


@pytest.mark.parametrize(
    "line",
    ["Solve {x} = $5", "A set {unknown_name}", "{{ topic }} only", "$unknown_name", "{topic", "{ topic }"],
)
def test_braces_that_name_no_variable_are_left_alone(shell, line):
    """No note where nothing could have been meant."""
    shell.ip.user_ns.update(topic="tea")
    shell.ip.user_ns.pop("x", None)
    shell.ok(f"%claude {line}")
    assert "was sent as written" not in shell.page.text


NEAR_ALIASES = [
    ("sonet", "sonnet"),
    ("Sonnett", "sonnet"),
    ("opuss", "opus"),
    ("haiko", "haiku"),
    ("sonnet-4-55", "sonnet-4.5"),
    ("haiku4.5", "haiku-4.5"),
    ("fabel", "fable"),
]


@pytest.mark.parametrize(("typed", "meant"), NEAR_ALIASES)
def test_a_bare_word_near_an_alias_is_refused_before_sending(shell, typed, meant):
    """No Claude model on Vertex AI has such an id, so it is a slip."""
    error = shell.error(f"%%claude -m {typed}\nhi")
    assert f"Did you mean {meant}?" in error.cure
    assert "--force" in error.cure
    assert not shell.asked


@pytest.mark.parametrize("typed", ["sonnet,haiku", "sonnet,claude-next-1"])
def test_several_models_are_refused_before_sending_and_led_to_a_comparison(shell, typed):
    """No id of a model has a comma; the service would answer that the model was not found."""
    error = shell.error(f"%%claude -m {typed}\nhi")
    assert not shell.asked
    assert "is several models" in str(error)
    assert "%%claude_compare" in error.cure
    shell.error(f"%config ClaudeMagics.model = {typed!r}\n%claude hi")
    with pytest.raises(errors.OptionError, match=r"with compare\(\)"):
        Claude(model=typed).request("hi")


@pytest.mark.parametrize("line", ["-m sonet --force", "-m claude-sonet-9", "-m gpt-neo"])
def test_any_other_unknown_model_is_sent(shell, line):
    """Facts age: the service knows its own models best."""
    shell.error(f"%%claude {line}\nhi")
    assert shell.asked


@pytest.mark.parametrize(
    ("cell", "magic"),
    [
        ("%%claude What is the capital of Mongolia?", "%claude"),
        ("%%claude What's the capital of Mongolia?", "%claude"),
        ("%%claude answer -m haiku Is it late?\n\n", "%claude"),
        ("%%claude_compare -m haiku,sonnet Is it late?", "%claude_compare"),
    ],
)
def test_a_prompt_on_the_line_of_a_cell_magic_is_led_to_the_line_magic(shell, cell, magic):
    """Below the line, where the cell has lines, it is not a slip of one sign."""
    error = shell.error(cell)
    assert f"in one line after {magic}" in error.cure
    assert "in one line" not in shell.error(f"{cell.strip()}\nReally?").cure
    assert not shell.asked
    shell.ok(cell.strip().replace("%%", "%", 1).replace("answer ", ""))
    assert len(shell.asked) == (2 if "compare" in cell else 1)


@pytest.mark.parametrize(
    ("cell", "kept_in"),
    [
        ("%%claude answer\nhi", "answer"), ("%%claude\nhi", "Out[{}]"), ("%%claude answer --as int\nhi", "answer"),
        ("%%claude_compare both -m haiku,sonnet\nhi", "both"), ("%%claude_compare -m haiku,sonnet\nhi", "Out[{}]"),
        ("%claude hi", ""), ("a = %claude hi", ""),
    ],
)  # fmt: skip
def test_a_draft_names_what_will_hold_the_answer(shell, monkeypatch, cell, kept_in):
    """The variable, or the output of a cell that only asks; of a line nobody knows where its value goes."""
    monkeypatch.setattr("vertex_claude_magic.notebook.display.footer._LONG", 0)
    shell.emulator.answer("1", "1")
    kept_in = kept_in.format(shell.ip.execution_count)
    reply = shell.ok(cell)
    line = f"in {kept_in} when complete"
    assert (line in shell.page.drawn[0]) if kept_in else ("when complete" not in "".join(shell.page.drawn))
    assert "when complete" not in shell.page.text
    if kept_in:
        assert eval(kept_in, shell.ip.user_ns) is reply


@pytest.mark.parametrize("cell", ["%%claude", "%%claude -m haiku", "%%claude\n", "%%claude answer\n  \n\n"])
def test_a_cell_without_a_prompt_is_answered_in_our_words(shell, cell):
    """IPython would call it a cell magic whose body is empty and name `%claude`."""
    error = shell.error(cell)
    assert isinstance(error, errors.OptionError)
    assert "The prompt is empty" in str(error)


@pytest.mark.parametrize("magic", sorted(name for each in COMMANDS.values() for name in each.written))
def test_a_prompt_is_typed_on_the_lines_below_its_magic(shell, magic):
    """Consoles ask whether what was typed is complete; a cell magic is so after an empty line."""
    typed = [magic, f"{magic} answer -m haiku", f"{magic} answer\nWhy?", f"{magic} answer\nWhy?\n\n"]
    plain, ours = TransformerManager(), shell.ip.input_transformer_manager
    assert [ours.check_complete(each) for each in typed] == [plain.check_complete(each) for each in typed]
