"""`%%claude_compare` in a shell: the line, the page, the variable."""

from __future__ import annotations

import copy
import html
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from shells import Page, StoppingPage

from vertex_claude_magic import errors
from vertex_claude_magic.classroom.compare import ColumnQuestion, ComparedColumn
from vertex_claude_magic.emulator import Fault, Flood, Reply
from vertex_claude_magic.notebook.audit import entries, stripped, total
from vertex_claude_magic.notebook.commands.compare import read_varied
from vertex_claude_magic.notebook.completion import candidates
from vertex_claude_magic.notebook.display.columns import ColumnsView, differences, final_bundle
from vertex_claude_magic.notebook.display.footer import details
from vertex_claude_magic.settings.options import AskOptions
from vertex_claude_magic.settings.target import resolve_target
from vertex_claude_magic.vertex.reply import Reply as Answered
from vertex_claude_magic.vertex.reply import Usage


def test_a_comparison_is_one_output_in_three_forms(shell):
    """HTML side by side, Markdown and text below each other."""
    shell.emulator.answer("**Four.**", "**Four.**")
    replies = shell.ok("%%claude_compare -m haiku,sonnet\nWhat is 2 + 2?")
    assert [reply.text for reply in replies] == ["**Four.**", "**Four.**"]
    (output,) = shell.page.outputs
    assert set(output) == {"text/html", "text/markdown", "text/plain"}
    assert output["text/html"].count("Four.") == 2
    assert "**haiku**\n\n**Four.**" in output["text/markdown"]
    assert "[haiku]\n**Four.**" in output["text/plain"]
    assert "What differs" in output["text/plain"]
    assert "The same in all: the text, word for word" in output["text/plain"]


def test_the_variable_holds_the_replies(shell):
    """In the order of the columns."""
    shell.ok("%%claude_compare both -m haiku,sonnet\nHi")
    both = shell.ip.user_ns["both"]
    assert both.labels == ("haiku", "sonnet")
    assert list(both.df["column"]) == ["haiku", "sonnet"]


def test_the_replies_are_shown_as_their_answers(shell):
    """One below another, as the sanitizer writes them; in a line they are known by the heads of their columns."""
    shell.emulator.answer("One **two**.", "<script>x</script>")
    replies = shell.ok("%%claude_compare replies -m haiku,sonnet\nHi")
    assert repr(replies) == "Replies('haiku', 'sonnet')"
    data, _ = shell.ip.display_formatter.format(replies)
    assert data["text/plain"] == repr(replies)
    assert data["text/markdown"].startswith("**haiku**\n\n")
    assert "\n\n**sonnet**\n\n" in data["text/markdown"]
    assert "One **two**." in data["text/markdown"]
    assert "<script" not in data["text/markdown"]


def test_a_reply_keeps_the_head_of_its_column_where_the_list_is_changed(shell):
    """It is a list, which may be sorted, cut and added to; other replies have the name of their model."""
    replies = shell.ok("%%claude_compare replies --vary effort=low,medium,high -m sonnet\nHi")
    replies.reverse()
    assert repr(replies) == "Replies('sonnet · high', 'sonnet · medium', 'sonnet · low')"
    replies[:2] = [type(replies[0])(model="claude-of-mine")]
    assert repr(replies) == "Replies('claude-of-mine', 'sonnet · low')"
    assert shell.ip.display_formatter.format(replies)[0]["text/markdown"].startswith("**claude-of-mine**")


def test_the_returned_replies_are_not_shown_twice(shell, capsys):
    """The page has them already."""
    shell.ok("%%claude_compare -m haiku,sonnet\nHi")
    assert "Replies(" not in capsys.readouterr().out


def test_a_line_compares_too(shell):
    """The options come before the prompt."""
    assert len(shell.ok("%claude_compare -q -m haiku,sonnet What is 2 + 2?")) == 2
    assert shell.body["messages"][0]["content"] == "What is 2 + 2?"


def test_another_option_is_varied(shell):
    """Its values head the columns."""
    replies = shell.ok("%%claude_compare -q -m sonnet --vary effort=low,high\nHi")
    assert replies.labels == ("sonnet · low", "sonnet · high")
    assert sorted(each.body["output_config"]["effort"] for each in shell.asked) == ["high", "low"]


def test_regions_and_systems_are_varied(shell):
    """Each column goes where it says, with the system prompt that it says."""
    replies = shell.ok("%%claude_compare -q -m sonnet --vary region=us,eu\nHi")
    assert replies.labels == ("sonnet · us", "sonnet · eu")
    assert sorted(re.search("/locations/([^/]+)/", each.path)[1] for each in shell.asked) == ["eu", "us"]
    shell.ok('%%claude_compare -q -m sonnet --vary \'system="Be brief, please.","Be thorough."\'\nHi')
    assert sorted(each.body["system"] for each in shell.asked[2:]) == ["Be brief, please.", "Be thorough."]


def test_a_quiet_comparison_shows_nothing(shell, capsys):
    """The variable has it."""
    capsys.readouterr()
    for cell in ("%%claude_compare a -q -m haiku,sonnet\nHi", "%claude_compare -q -m haiku,sonnet Hi"):
        shell.ok(cell)
        assert shell.page.outputs == []
        assert "Out[" not in capsys.readouterr().out


def test_templates_are_filled_in_each_column(shell):
    """From the user's variables."""
    shell.ok("n = 3")
    shell.ok("%%claude_compare -q -m haiku,sonnet\nGive {{ n }}.")
    assert {each.body["messages"][0]["content"] for each in shell.asked} == {"Give 3."}


def test_saved_prompts_can_be_compared(shell, tmp_path, monkeypatch):
    """Each column asks another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompts").mkdir()
    for name in ("short", "long"):
        (tmp_path / "prompts" / f"{name}.md").write_text(f"A {name} answer to {{{{ topic }}}}.")
    shell.ok("%%claude_compare -q -m haiku --vary prompt=short,long --with topic=x\n")
    assert len({str(each.body["messages"]) for each in shell.asked}) == 2


def test_a_failed_column_says_so_on_the_page(shell):
    """In its own column, and the cell does not fail."""
    shell.emulator.answer(Reply(content="Begun", fault=Fault(cut_after=700)), "Whole.")
    shell.ok("%%claude_compare -m haiku,sonnet\nHi")
    assert "Failed: The answer was cut off" in shell.page.text
    assert "Whole." in shell.page.text


def test_a_column_that_was_cut_off_names_no_cure_that_a_comparison_lacks(shell):
    """Its variable holds a list, and no conversation goes on from several answers."""
    shell.emulator.answer("A long answer " * 50, "Short.")
    shell.ok("%%claude_compare -m haiku,sonnet -n 10\nHi")
    assert "larger --max-tokens." in shell.page.text
    assert "--after" not in shell.page.text


def test_model_text_reaches_the_page_only_as_text(shell):
    """In every form of the output, also while it comes."""
    text = "<img src=x onerror=alert(1)> [a](javascript:x) $x$ \x1b[31m"
    shell.emulator.answer(text, text)
    shell.ok("%%claude_compare -m haiku,sonnet\nHi")
    (output,) = shell.page.outputs
    assert "<img" not in output["text/html"] + output["text/markdown"]
    assert "javascript:x)" not in output["text/markdown"]
    assert "\x1b" not in output["text/plain"]


def test_the_name_of_a_model_reaches_the_page_only_as_text(shell):
    """A label is the user's own, and may have been pasted."""
    shell.ok("%%claude_compare -m 'claude-<b>x,haiku' --force\nHi")
    (output,) = shell.page.outputs
    assert "<b>" not in output["text/html"]


def test_a_dry_run_shows_every_request_and_asks_no_model(shell):
    """The first whole, of the others what differs; the costs of all together."""
    shell.ok("%%claude_compare -m haiku,sonnet --dry-run --max-tokens 1000\nWhat is 2 + 2?")
    assert not shell.asked
    (output,) = shell.page.outputs
    assert "| haiku | claude-haiku-5-5 | global |" in output["text/markdown"]
    assert output["text/plain"].count('"content": "What is 2 + 2?"') == 1
    assert "sonnet: what differs from the first request" in output["text/plain"]
    assert "models/claude-sonnet-5-5:streamRawPredict" in output["text/plain"]
    assert "All columns together: between" in output["text/plain"]


def test_a_dry_run_shows_what_differs_between_the_bodies(shell):
    """Each column has its own value; one that cannot be asked says why."""
    shell.ok("%%claude_compare -m haiku,opus-4.1 --vary temperature=0.2,1 --dry-run\nHi")
    (output,) = shell.page.outputs
    assert '{\n  "temperature": 1.0\n}' in output["text/plain"]
    assert "takes no temperature" in output["text/plain"]
    assert "The comparison would be refused: a column cannot be asked." in output["text/plain"]


@pytest.mark.parametrize("label", ["claude-<b>x", "claude-*a*", "claude-$x$"])
def test_the_label_of_a_dry_run_is_shown_as_it_is(label, shell):
    """It is the user's own, and may have been pasted."""
    shell.ok(f"%%claude_compare -m '{label},haiku' --force --dry-run\nHi")
    (output,) = shell.page.outputs
    assert "<b>" not in output["text/markdown"]
    assert f"{label}: the request as JSON" in output["text/plain"]


def test_a_dry_run_looks_for_secrets_too(shell):
    """What would be refused is refused."""
    key = "sk-ant-api03-" + "a1B2" * 24
    assert "secret" in str(shell.error(f"%%claude_compare -m haiku,sonnet --dry-run\nUse {key}")).lower()


def test_where_no_column_can_be_asked_a_dry_run_says_why(shell):
    """The reason is that of the first."""
    said = str(shell.error("%%claude_compare -m haiku,sonnet -t 0.5 --dry-run\nHi"))
    assert "No column can be asked" in said
    assert "takes no temperature" in said


def saved(shell, source):
    """The notebook of one cell that has run, as a front end saves it."""
    output = {
        "output_type": "display_data",
        "data": shell.page.outputs[-1],
        "metadata": shell.page.metadata[-1],
    }
    return {"cells": [{"cell_type": "code", "execution_count": 1, "source": source, "outputs": [output]}]}


def test_a_saved_comparison_says_where_each_answer_is_from(shell):
    """As a plain answer does: for `notebook audit`, which lists both, and `strip`, which removes both."""
    source = "%%claude_compare -m haiku,sonnet\nHi"
    shell.emulator.answer("Four.", "Five.")
    replies = shell.ok(source)
    notebook = saved(shell, source)
    found = entries(notebook)
    assert [each.model for each in found] == [reply.model for reply in replies]
    assert [each.answer_edited for each in found] == [each.prompt_edited for each in found] == [False, False]
    assert not any(each.again for each in found)
    assert total(found).answers == 2
    assert stripped(notebook)[1] == 2
    assert stripped(notebook)[0]["cells"][0]["outputs"] == []
    for form in ("text/html", "text/markdown", "text/plain"):
        edited = copy.deepcopy(notebook)
        edited["cells"][0]["outputs"][0]["data"][form] += "!"
        assert all(each.answer_edited for each in entries(edited))


def test_a_comparison_that_never_ended_is_known_as_unfinished():
    """A kernel that is killed leaves the draft in the file."""
    page = Page()
    view = ColumnsView(SimpleNamespace(kernel=object(), user_ns={}, display_pub=page))
    view.draw([ComparedColumn(ColumnQuestion("haiku", "Hi", resolve_target(AskOptions(model="haiku"))))])
    (metadata,) = page.metadata
    (entry,) = entries({"cells": [{"outputs": [{"data": {}, "metadata": metadata}]}]})
    assert entry.unfinished


def test_a_draft_of_a_long_comparison_says_what_will_hold_it():
    """A page that is loaded again meanwhile keeps that draft, and nothing that comes reaches it."""
    page, now = Page(), [0.0]
    column = ComparedColumn(ColumnQuestion("haiku", "Hi", resolve_target(AskOptions(model="haiku"))))
    shell = SimpleNamespace(kernel=object(), user_ns={}, display_pub=page)
    view = ColumnsView(shell, kept_in="replies", clock=lambda: now[0])
    for now[0] in (1.0, 4.0):
        view.draw([column])
    assert ["in replies when complete" in str(each) for each in page.drawn] == [False, True]


# Lines that are refused, and why.
REFUSED = {
    "%%claude_compare -m haiku\nHi": "2 to 8 columns, not 1. Give -m haiku,sonnet, or --vary effort=low,high, for example.",
    "%%claude_compare\nHi": "2 to 8 columns, not 1",
    "%%claude_compare --effort low,high\nHi": "Give -m haiku,sonnet, or --vary effort=low,high, for example.",
    "%%claude_compare -m a,b,c,d,e,f,g,h,i\nHi": "2 to 8 columns, not 9",
    "%%claude_compare -m haiku,sonnet -c talk\nHi": "does not support --chat: a conversation continues from one answer",
    "%%claude_compare -m haiku,sonnet --chat talk\nHi": "does not support --chat",
    "%%claude_compare -m haiku,sonnet --new\nHi": "does not support --new",
    "%%claude_compare -m haiku,sonnet --after answer\nHi": "does not support --after",
    "%%claude_compare -m haiku,sonnet --tools f\nHi": "does not support --tools: your functions would run once for each column",
    "%%claude_compare -m haiku,sonnet -f code\nHi": "does not support --format code: there are several answers",
    "%%claude_compare -m haiku,sonnet --vary effort\nHi": "is not OPTION=a,b",
    "%%claude_compare -m haiku,sonnet --vary effort=low\nHi": "has fewer than two values",
    "%%claude_compare -m haiku,sonnet --vary effort=low,\nHi": "has fewer than two values",
    "%%claude_compare -m haiku,sonnet --vary model=a,b\nHi": "--model is given twice",
    "%%claude_compare -m haiku,sonnet --effort low --vary effort=low,high\nHi": "--effort is given twice",
    "%%claude_compare -m haiku,sonnet --vary tone=a,b\nHi": "is not an option whose values can be compared",
    "%%claude_compare -m haiku,sonnet --vary set=a,b\nHi": "is not an option whose values can be compared",
    "%%claude_compare -m haiku,sonnet --vary quiet=true,false\nHi": "is not an option whose values can be compared",
    "%%claude_compare -m haiku,sonnet --vary show_thinking=yes,no\nHi": "neither true nor false",
    "%%claude_compare -m haiku,sonnet --vary max_tokens=a,b\nHi": "The value of --max-tokens is not a whole number: 'a'.",
    "%%claude_compare -m haiku,sonnet --vary max_tokens=0,5\nHi": "--max-tokens is 0.",
    "%%claude_compare -m haiku-4.5,sonnet-4.5 --vary temperature=0.5,0.6 -c a --dry-run\nHi": "does not support --chat",
    "%%claude_compare -m haiku,sonnet -n 5,10\nHi": "Give a number of tokens above 0; --vary max-tokens=A,B compares several.",
    "%%claude_compare -m haiku-4.5 -t 0.1,0.5\nHi": "Give one number; --vary temperature=A,B compares several.",
    "%%claude_compare -m haiku,sonnet --max-rounds 1,2\nHi": "--vary max-rounds=A,B compares several.",
    "%%claude_compare -m haiku,sonnet --max-cost 1,2\nHi": "not a number: '1,2'. Give a number of USD, such as 0.50.",
    "%%claude_compare -m haiku,sonnet\n": "The prompt is empty",
    "%%claude_compare -m haiku,sonet\nHi": "There is no model 'sonet'. Did you mean sonnet?",
    "%%claude_compare -m haiku,claude-haiku-5-5\nHi": "The column claude-haiku-5-5 asks the same as another one.",
    "%%claude_compare -m opus --vary effort=low,high,low\nHi": "The column opus · low asks the same as another one.",
    "%%claude_compare -m sonnet --vary effort=low,hihg\nHi": "no effort level 'hihg'",
    "%%claude_compare -m haiku,haiku\nHi": "The column haiku asks the same as another one. Leave one of them out.",
}


@pytest.mark.parametrize(("cell", "said"), REFUSED.items())
def test_a_line_that_cannot_be_compared_is_refused(cell, said, shell):
    """With the reason, and nothing is sent."""
    assert said in str(shell.error(cell))
    assert not shell.asked


def test_where_every_column_fails_the_cell_fails(shell):
    """With the error of the first."""
    shell.emulator.fail(*[Fault(status=403)] * 2)
    assert isinstance(shell.error("%%claude_compare -m haiku,sonnet\nHi"), errors.PermissionDenied)


# A value of --vary, and what it means.
VARIED = {
    "effort=low,high": ("effort", ["low", "high"]),
    "--effort=low, high": ("effort", ["low", "high"]),
    "max-tokens=1,2": ("max_tokens", [1, 2]),
    "temperature=0,0.5": ("temperature", [0.0, 0.5]),
    'system="a, b",c': ("system", ["a, b", "c"]),
    "show_thinking=true,FALSE": ("show_thinking", [True, False]),
    "as=City,df": ("as_", ["City", "df"]),
    "region=us,eu": ("region", ["us", "eu"]),
}


@pytest.mark.parametrize(("text", "found"), VARIED.items())
def test_values_are_parted_by_commas(text, found):
    """And read as the option reads them."""
    assert read_varied(text) == found


def column(label: str, reply: Answered | None = None, error: Exception | None = None) -> ComparedColumn:
    made = ComparedColumn(
        ColumnQuestion(label, "Hi", resolve_target(AskOptions(model=label), environment={}))
    )
    made.reply, made.error = reply, error
    return made


def test_what_differs_is_a_table_and_what_does_not_a_line():
    """Columns that failed are left out."""
    replies = [
        Answered(
            blocks=({"type": "text", "text": text},),
            model=model,
            region="global",
            complete=True,
            seconds=seconds,
        )
        for text, model, seconds in (("One two.", "a", 1.0), ("One.", "b", 2.0))
    ]
    columns = [
        column("haiku", replies[0]),
        column("opus", error=ValueError("x")),
        column("sonnet", replies[1]),
    ]
    head, rows, same = differences(columns)
    assert head == ["What differs", "haiku", "sonnet"]
    assert ["model", "a", "b"] in rows
    assert ["words", "2", "1"] in rows
    assert not [row for row in rows if row[0] == "region"]
    assert same == "The same in all: region global, stop reason stopped."


def test_a_column_calls_times_and_tokens_as_the_line_below_any_answer_does():
    """One name for one thing, whichever magic shows it; in the table of what differs too."""
    usage = Usage(input_tokens=19, cache_read_input_tokens=6, output_tokens=152)
    one = Answered(model="claude-haiku-5-5", region="eu", usage=usage, seconds=2.0, first_token_seconds=0.3, cost=0.01,
                   blocks=({"type": "text", "text": "One"},), complete=True)  # fmt: skip
    other = replace(one, first_token_seconds=0.4)
    for kind, text in final_bundle([column("haiku", one), column("opus", other)]).items():
        shown = (
            text
            if kind == "text/plain"
            else re.sub("<[^>]*>|\\\\", "", html.unescape(text).replace("\xa0", " "))
        )
        assert details(one) in shown
        assert "first token" in shown.partition("What differs")[2]


def test_an_answer_that_was_stopped_has_no_count_of_its_output():
    """The count comes with the last events."""
    stopped = Answered(
        blocks=({"type": "text", "text": "One"},), usage=Usage(input_tokens=19, output_tokens=1)
    )
    for text in final_bundle([column("haiku", stopped)]).values():
        assert "19 tokens in / output not counted" in text.replace("&nbsp;", " ")
        assert "1 tokens out" not in text


def test_a_stopped_comparison_says_who_answers(shell):
    """As a stopped answer does."""
    shell.emulator.fail(*[Fault(delay=60)] * 2)
    page = shell.ip.display_pub = StoppingPage()
    page.stops = frozenset({1})
    result = shell.ip.run_cell("%%claude_compare -m haiku,sonnet\nHi")
    assert str(result.error_in_exec) == "Stopped before an answer arrived."
    assert "Stopped here. Run the cell again for the whole answers." in page.text
    assert "Answered by a local server, not Google" in page.text


def test_an_error_is_shown_as_text():
    """Whatever the service said."""
    bundle = final_bundle(
        [column("a", error=ValueError("<script>x</script>")), column("b", Answered(complete=True))]
    )
    assert "<script>" not in bundle["text/html"] + bundle["text/markdown"]


def test_an_update_of_eight_growing_columns_stays_below_8_kb(shell):
    """However long the answers are."""
    columns = [column(f"m{number}") for number in range(8)]
    view = ColumnsView(shell.ip)
    for text, most in (("A word of prose. " * 5_000, 8_000), ("&<>$" * 50_000, 20_000)):
        for each in columns:
            each.text = text
        assert sum(len(part.encode()) for part in view._draft(columns).values()) < most


def test_columns_are_drawn_in_one_output_while_they_grow(shell):
    """It is shown once, and changed in its place."""
    shell.emulator.answer(*[Flood(count=40, text="word ", per_second=80)] * 2)
    shell.ok("%%claude_compare -m haiku,sonnet\nHi")
    assert shell.page.messages.count("show") == 1
    assert "update" in shell.page.messages
    assert len(shell.page.messages) <= 15


def test_tab_completes_the_options():
    """Those of a question and its own."""
    assert [each.text for each in candidates("%%claude_compare", "--va")] == ["--vary"]
    assert [each.text for each in candidates("%%claude_compare", "--eff")] == ["--effort"]
