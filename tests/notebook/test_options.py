"""The line of `%%claude` and `%claude`: what each character of it means."""

from __future__ import annotations

import builtins
import keyword
import re

import pytest

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.notebook.commands.help import full_page
from vertex_claude_magic.notebook.commands.options import COMMANDS
from vertex_claude_magic.notebook.options import ParsedLine, parse_cell_line, parse_prompt_line
from vertex_claude_magic.settings.options import AskOptions, merge
from vertex_claude_magic.settings.registry import LINE_OPTIONS

ON_THE_LINE = tuple(dict.fromkeys(LINE_OPTIONS.values()))

# The line of a cell, the variable, the options.
CELL_LINES = [
    ("", None, {}),
    ("   \t ", None, {}),
    ("answer", "answer", {}),
    ("antwort_1 -q", "antwort_1", {"quiet": True}),
    ("größe", "größe", {}),
    ("-m opus", None, {"model": "opus"}),
    ("--model opus", None, {"model": "opus"}),
    ("--model=opus", None, {"model": "opus"}),
    ("-m=opus", None, {"model": "opus"}),
    ("--model 'opus'", None, {"model": "opus"}),
    ('--model="opus"', None, {"model": "opus"}),
    ("-m claude-sonnet-4-5@20250929 -r us-east5", None, {"model": "claude-sonnet-4-5@20250929", "region": "us-east5"}),
    ("a -p my-project", "a", {"project": "my-project"}),
    ("a -p example.com:my-project", "a", {"project": "example.com:my-project"}),
    ('-s "it\'s short"', None, {"system": "it's short"}),
    ("-s 'say \"no\"'", None, {"system": 'say "no"'}),
    (r'-s "say \"no\""', None, {"system": 'say "no"'}),
    (r"-s 'it\'s'", None, {"system": "it's"}),
    (r'-s "C:\new\table"', None, {"system": r"C:\new\table"}),
    (r'-s "ends in \\"', None, {"system": "ends in \\"}),
    ("-s it's", None, {"system": "it's"}),
    ("--system=it's", None, {"system": "it's"}),
    ('-s ""', None, {"system": ""}),
    ("-s ''", None, {"system": ""}),
    ('-s "--model"', None, {"system": "--model"}),
    ('-s "-"', None, {"system": "-"}),
    ("-s -", None, {"system": "-"}),
    ("-s a=b", None, {"system": "a=b"}),
    ("--system=a=b", None, {"system": "a=b"}),
    ('-s "{x} $HOME {{y}} $x"', None, {"system": "{x} $HOME {{y}} $x"}),
    ("-s {x}$x", None, {"system": "{x}$x"}),
    ('-s "two\tcolumns"', None, {"system": "two\tcolumns"}),
    ("-n 500", None, {"max_tokens": 500}),
    ("-n 1_000", None, {"max_tokens": 1000}),
    ("-n 1,000", None, {"max_tokens": 1000}),
    ("-n 16,000 --top-k 1,234,567", None, {"max_tokens": 16_000, "top_k": 1_234_567}),
    ("-n -16,000", None, {"max_tokens": -16_000}),
    ("-n -5", None, {"max_tokens": -5}),
    ("-t 0.5 --top-p .9 --top-k 40", None, {"temperature": 0.5, "top_p": 0.9, "top_k": 40}),
    ("-t -1", None, {"temperature": -1.0}),
    ("--timeout 30", None, {"timeout": 30.0}),
    ("--stop END", None, {"stop": ("END",)}),
    ('--stop END --stop "the end"', None, {"stop": ("END", "the end")}),
    ("--beta a-1 --beta=b-2", None, {"beta": ("a-1", "b-2")}),
    ('--set top_k=5', None, {"set": {"top_k": 5}}),
    ("""--set 'metadata={"user_id": "u 1"}'""", None, {"set": {"metadata": {"user_id": "u 1"}}}),
    ("""--set metadata='{"user_id": "u 1"}'""", None, {"set": {"metadata": {"user_id": "u 1"}}}),
    ("""--set='metadata={"user_id": "u 1"}'""", None, {"set": {"metadata": {"user_id": "u 1"}}}),
    ('--set speed="very fast"', None, {"set": {"speed": "very fast"}}),
    ('--set=speed="fast"', None, {"set": {"speed": "fast"}}),
    ("--set a=1 --set b=null --set a=2", None, {"set": {"a": 2, "b": None}}),
    ("--header 'X-Team: a: b'", None, {"header": {"X-Team": "a: b"}}),
    ("--header X-Team:a --header X-Day:b", None, {"header": {"X-Team": "a", "X-Day": "b"}}),
    ("--label team=research --label=day=1", None, {"label": {"team": "research", "day": "1"}}),
    ('--label team="my team"', None, {"label": {"team": "my team"}}),
    ("--label team='my team'", None, {"label": {"team": "my team"}}),
    ("--effort high --thinking adaptive", None, {"effort": "high", "thinking": "adaptive"}),
    ("--thinking 2000", None, {"thinking": "2000"}),
    ("-f json --no-stream -q", None, {"format": "json", "no_stream": True, "quiet": True}),
    ("--show-thinking --force --dry-run", None, {"show_thinking": True, "force": True, "dry_run": True}),
    ("-q -q", None, {"quiet": True}),
    ("-h", None, {"help": True}),
    ("--help", None, {"help": True}),
    ("x --", "x", {}),
]  # fmt: skip

# The line of `%claude`, the options, the prompt.
PROMPT_LINES = [
    ("What is it?", {}, "What is it?"),
    ("-m haiku What's {x} in $5?", {"model": "haiku"}, "What's {x} in $5?"),
    ("-q \"quoted\" and 'more'", {"quiet": True}, "\"quoted\" and 'more'"),
    ("say   three  spaces  ", {}, "say   three  spaces"),
    ("Why -m opus?", {}, "Why -m opus?"),
    ("-m opus -- -m is an option?", {"model": "opus"}, "-m is an option?"),
    ("-- --help", {}, "--help"),
    ("- a dash", {}, "- a dash"),
    ("it's an 'unclosed quote", {}, "it's an 'unclosed quote"),
    ('"unclosed', {}, '"unclosed'),
    ('-s "be brief" \'t is late', {"system": "be brief"}, "'t is late"),
    ("x='a b' what?", {}, "x='a b' what?"),
    (r"\d+ and C:\temp", {}, r"\d+ and C:\temp"),
    ("-m opus", {"model": "opus"}, ""),
    ("", {}, ""),
    ("100% of {{braces}} & <b>", {}, "100% of {{braces}} & <b>"),
]

# The line, words of the error.
REFUSED = [
    ("--temp 1", ("cannot be abbreviated", "--temperature")),
    ("--mod opus", ("cannot be abbreviated", "--model")),
    ("--to 1", ("cannot be abbreviated", "--top-p or --top-k")),
    ("--modell opus", ("no option", "--model")),
    ("-x", ("no option",)),
    ("--mx 3", ("no option", "%%claude --help all")),
    ("--md haiku", ("no option", "Did you mean --model?")),
    ("-model opus", ("no option", "Did you mean --model?")),
    ("-mopus", ("no option",)),
    ("--Model opus", ("no option", "--model")),
    ("-m opus -m haiku", ("--model", "twice")),
    ("-m opus --model=haiku", ("--model", "twice")),
    ("-m", ("--model", "needs a value")),
    ("-m -r eu", ("--model", "needs a value")),
    ("-s --dry-run", ("--system", "needs a value")),
    ("-n many", ("many", "whole number")),
    ("-n 1.5", ("1.5", "whole number")),
    *(
        (f"-n {each}", ("--max-tokens", each, "whole number"))
        for each in (
            "1,2",
            "5,10",
            "1,00",
            "1000,000",
            "1,0000",
            "1,000,00",
            ",100",
            "100,",
            "1,,000",
            "1_,000",
            "1__0",
            "_1",
        )
    ),
    ("-t warm", ("warm", "number")),
    ("-t 0,5", ("0,5", "number")),
    ("-q=yes", ("--quiet", "takes no value")),
    ("--set x", ("KEY=JSON",)),
    ("--set =1", ("KEY=JSON",)),
    ("--set x=hello", ("hello", "not JSON", '"text"')),
    ("--header Team", ("colon",)),
    ("--label team", ("KEY=VALUE", "Write --label team=VALUE.")),
    ("--with word", ("KEY=VALUE", "Write --with word=VALUE.")),
    ("-s 'not closed", ("quote", "not closed", '". Close it.')),
    ("--tools in_stock, price", ("'price' is not an option. Write no space after the comma.",)),
    ("answer -m haiku, sonnet -q", ("'sonnet' is not an option. Write no space after the comma.",)),
    ("--as dict[str,  int]", ("'int]' is not an option. Write no space after the comma.",)),
    ('--as {"a": int}', ("'int}' is not an option. Quote the whole value, because it has spaces.",)),
    ('--as Literal["a b"]', ("is not an option. Quote the whole value, because it has spaces.",)),
    ("--stream", ("answers stream by default.", "--no-stream shows the answer only when it is complete.")),
    ("What is this?", ("'is'", "lines below")),
    ("answer more", ("'more'", "lines below")),
    ("1st", ("1st", "variable")),
    ("a.b", ("a.b", "variable")),
    ("'answer'", ("answer", "not an option")),
    ("-f code c", ("'c'", "not an option", "The variable for the reply goes before the options")),
    ("-q 'two words'", ("'two words'", "before the options", "lines below")),
    ("a -q b", ("'b'", "not an option", "The prompt goes on the lines below")),
    ("x -- y", ("'y'", "not an option")),
]


@pytest.mark.parametrize(
    ("line", "name", "options"), CELL_LINES, ids=[row[0] or "empty" for row in CELL_LINES]
)
def test_the_line_of_a_cell_is_read_to_the_letter(line, name, options):
    """Case 46: quotes, apostrophes, the form with =, repeated options, braces and dollars."""
    assert parse_cell_line(line) == ParsedLine(name=name, options=options)


@pytest.mark.parametrize(
    ("line", "options", "prompt"), PROMPT_LINES, ids=[row[0] or "empty" for row in PROMPT_LINES]
)
def test_after_its_options_a_line_is_a_prompt_to_the_letter(line, options, prompt):
    """Case 46: what follows the options is neither split nor unquoted."""
    assert parse_prompt_line(line) == ParsedLine(options=options, prompt=prompt)


@pytest.mark.parametrize(("line", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_line_that_cannot_be_meant_is_refused_with_a_suggestion(line, words):
    """Case 46: unknown, abbreviated, doubled and valueless options; one line says what to write."""
    with pytest.raises(OptionError) as caught:
        parse_cell_line(line)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert caught.value.cure
    assert "\n" not in said


RESERVED = sorted(
    {*keyword.kwlist, *(name for name in dir(builtins) if name.isidentifier()), "In", "Out", "_", "__"}
)


# How a magic is written that refuses options of a question, and what it refuses.
REFUSING = {
    "%%claude_map labels reviews": ("chat", "new", "after", "tools"),
    "%%claude_batch labels reviews --to gs://rows/run": (
        "chat", "new", "after", "tools", "max_rounds", "replay", "no_stream", "timeout", "header", "wait", "cancel",
        "collect", "retry_failed"),
    "%%claude_compare -m haiku,sonnet": ("chat", "new", "after", "tools"),
    "%claude_fix": ("prompt", "with_"),
}  # fmt: skip


@pytest.mark.parametrize(("written", "refused"), REFUSING.items(), ids=[line.split()[0] for line in REFUSING])
def test_an_option_that_is_refused_is_not_suggested(shell, written, refused):
    """It is read, so that its own error gives the reason; one that is misspelt gets another suggestion, or none."""
    shell.ip.user_ns["reviews"] = [{"text": "a"}]
    body = "" if written.startswith("%claude") else "\nRepeat {{ text }}"
    known = {row.name: row for row in COMMANDS[written.split()[0].strip("%")].by_name.values()}
    names = {known[name].long for name in refused}
    for name in refused:
        row = known[name]
        value = {"flag": "", "integer": "1", "number": "1", "fields": "a:b=c"}.get(row.kind, "x")
        assert f"{row.long}" in (said := str(shell.error(f"{written} {row.long} {value}{body}")))
        assert "does not" in said
        for misspelt in {
            row.long[:-1],
            row.long[:-2],
            f"{row.long}s",
            row.long.replace("-", "_").replace("__", "--"),
        }:
            if misspelt not in {each.long for each in known.values()}:
                cure = shell.error(f"{written} {misspelt} {value}{body}").cure
                assert not names & set(re.findall(r"--[a-z][a-z-]*", cure)), (misspelt, cure)
    assert not shell.asked


def test_what_lists_all_options_is_named(shell):
    """`%%claude?` lists those that are used most."""
    assert "%%claude --help all lists all options" in shell.error("%claude -x").cure
    shell.ok("%%claude --help all")
    assert all(row.long in shell.page.text for row in LINE_OPTIONS.values())


@pytest.mark.parametrize("name", RESERVED)
def test_no_name_of_python_or_ipython_can_take_the_reply(name):
    """Case 50: a keyword, a builtin, or a name that IPython keeps."""
    with pytest.raises(OptionError, match="Choose another variable"):
        parse_cell_line(f"{name} -q")


HOSTILE_NAMES = ["a\x1b[31mb", "x" * 500 + "!", "\u202eabc\u202c-", "a;b", "a=1"]


@pytest.mark.parametrize("name", HOSTILE_NAMES, ids=ascii)
def test_a_refusal_quotes_foreign_text_on_one_short_line(name):
    """No control character and no wall of text gets into the message."""
    with pytest.raises(OptionError) as caught:
        parse_cell_line(name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("option", ON_THE_LINE, ids=lambda option: option.long)
def test_every_option_stands_on_the_help_page(option):
    """The page of `%%claude --help all` and the parser do not drift apart."""
    page = full_page()
    assert option.long in page
    assert f"{option.short}, {option.long}" in page or not option.short


def test_every_option_has_its_name_in_python():
    """Each long option is an argument of `Claude.ask`, except those that say how the answer is shown."""
    numbers = {
        "max_tokens": 1,
        "max_rounds": 1,
        "temperature": 0.5,
        "top_p": 0.5,
        "top_k": 1,
        "timeout": 1.0,
        "max_cost": 1.0,
        "context": 1,
    }
    samples = {
        "set": {},
        "header": {},
        "label": {},
        "with_": {},
        "stop": ("x",),
        "confirm": True,
        "beta": ("x",),
        "format": "text",
        "replay": "auto",
        **numbers,
    }
    shown = {"quiet", "dry_run", "help"}
    flags = {row.name: True for row in ON_THE_LINE if row.kind == "flag"}
    asked = {
        row.name: {**samples, **flags}.get(row.name, "x") for row in ON_THE_LINE if row.name not in shown
    }
    assert isinstance(merge(AskOptions(), asked), AskOptions)


def test_a_very_long_line_is_read_at_once():
    """A hundred thousand words cost no more than their length."""
    assert parse_prompt_line("word " * 100_000).prompt.startswith("word word")
