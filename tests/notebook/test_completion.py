"""Tab on the line of a magic."""

from __future__ import annotations

import json
from types import SimpleNamespace

import IPython
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from IPython.core.completer import provisionalcompleter
from shells import loaded_shell

from vertex_claude_magic import Claude
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.notebook.completion import candidates, complete, field_candidates, match
from vertex_claude_magic.notebook.magics import load, unload
from vertex_claude_magic.settings.registry import LINE_OPTIONS

matchers = pytest.mark.skipif(
    IPython.version_info < (8, 6), reason="IPython has matchers from 8.6 on; the older hook has its own test"
)

# The line up to the cursor, some of what is offered, some of what is not.
LINES = [
    ("%%claude --m", {"--max-tokens", "--model"}, {"--beta"}),
    ("%%claude --", {row.long for row in LINE_OPTIONS.values()}, {"-m"}),
    ("%%claude -m so", {"sonnet", "sonnet-4.5"}, {"opus"}),
    (
        "%%claude -m claude-son",
        {"claude-sonnet-5-5", "claude-sonnet-4-5@20250929"},
        {"claude-opus-4-1@20250805"},
    ),
    ("%%claude -m claude-sonnet-4-5@2", {"claude-sonnet-4-5@20250929"}, {"claude-sonnet-5-5"}),
    ("%%claude --model=op", {"opus", "opus-4.1"}, {"sonnet"}),
    ("%%claude answer -q -r ", {"global", "us", "eu", "us-east5"}, {"opus"}),
    ("%%claude --region=us-", {"us-east5"}, {"us"}),
    ("%%claude --effort h", {"high"}, {"low"}),
    ("%%claude --thinking ", {"adaptive", "off", "between_tools"}, set()),
    ("%%claude -f ", {"markdown", "text", "json", "code"}, set()),
    ("%%claude -a my_", {"my_frame", "my_type", "my_notes.txt"}, {"_my_secret"}),
    ("%%claude --attach=my_folder/", {"my_folder/report.pdf"}, {"my_frame"}),
    ("%%claude --as ", {"df", "my_type"}, set()),
    ("%claude -m hai", {"haiku"}, {"sonnet"}),
    ("%claude --no", {"--no-stream"}, set()),
    ("%claude_models so", {"sonnet"}, {"opus"}),
    ("%claude_models --", {"--region", "--check", "--probe", "--live", "--project"}, {"--model", "--table"}),
    ("%claude_models --check ", {"sonnet", "haiku"}, set()),
    ("%claude_logging ", {"status", "on", "off"}, {"sonnet"}),
    ("%claude_logging on --t", {"--table"}, {"--temperature", "--thinking"}),
    ("%claude_logging on -m hai", {"haiku"}, {"sonnet"}),
    ("%claude_logging off -r e", {"eu"}, {"us"}),
    ("%claude_models --region e", {"eu"}, {"us"}),
    ("%claude_models --check -r us,e", {"us,eu"}, {"us,us", "eu"}),
    ("%%claude_compare -m sonnet,", {"sonnet,haiku", "sonnet,opus"}, {"sonnet,sonnet", "haiku"}),
    ("%%claude_compare -m sonnet,ha", {"sonnet,haiku"}, {"sonnet,opus"}),
    (
        "%%claude_compare --vary ",
        {"effort=", "max-tokens=", "model=", "cache="},
        {"chat=", "tools=", "beta=", "max-cost=", "dry-run=", "help=", "my_type"},
    ),
    ("%%claude_compare --vary eff", {"effort="}, {"model="}),
    ("%%claude_compare --vary effort=", {"low", "high"}, {"sonnet"}),
    ("%%claude_compare --vary effort=lo", {"low"}, {"high"}),
    ("%%claude_compare --vary effort=low,", {"low,high"}, {"low,low", "high"}),
    ("%%claude_compare --vary=effort=low,h", {"low,high"}, {"low,low"}),
    ("%%claude_compare -m haiku --vary region=eu,u", {"eu,us"}, {"eu,eu"}),
    ("%%claude_compare --vary model=so", {"sonnet"}, {"opus"}),
    ("%%claude_compare --vary format=", {"text", "json"}, {"true"}),
    ("%%claude_compare --vary cache=", {"true", "false"}, set()),
    ("%%claude_compare --vary as=", {"df", "my_type"}, set()),
    ("%%claude_compare --", {"--vary", "--model"}, {"--chat", "--new", "--after", "--tools"}),
    ("%%claude_map labels ", {"my_frame", "my_map"}, {"my_type", "my_box", "haiku"}),
    ("%%claude_batch labels my_f", {"my_frame"}, {"my_map", "my_folder"}),
    ("%%claude_map labels reviews --", {"--limit", "--model"}, {"--chat", "--new", "--after", "--tools"}),
    ("%%claude_batch labels reviews --", {"--to", "--model"}, {"--chat", "--tools", "--timeout", "--replay"}),
    ("%claude_fix --", {"--explain", "--model"}, {"--prompt", "--with"}),
    ("%claude_demo ", {"stop"}, set()),
    ("%claude_usage --", {"--by", "--days", "--session"}, {"--model"}),
    ("%claude_usage --days 7 --by ", {"day", "model", "notebook"}, {"my_type"}),
]


@pytest.fixture(scope="module")
def shell():
    shell = loaded_shell()
    shell.ip.user_ns.update(my_frame=[1], my_type=int, _my_secret=1)
    shell.ip.user_ns.update(
        my_box=SimpleNamespace(size=1, colour="red"), my_map={"title": "A", "two words": 2}
    )
    return shell


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the notebook, with a few files."""
    (tmp_path / "my_notes.txt").write_text("Notes.")
    (tmp_path / "my_folder").mkdir()
    (tmp_path / "my_folder" / "report.pdf").write_text("")
    monkeypatch.chdir(tmp_path)


def completed(shell, line: str, cursor: int | None = None) -> set[str]:
    """Every line that the completer of a kernel would make of this one."""
    with provisionalcompleter():
        found = list(shell.ip.Completer.completions(line, len(line) if cursor is None else cursor))
    return {line[: each.start] + each.text + line[each.end :] for each in found}


@pytest.mark.parametrize(("line", "offered", "others"), LINES, ids=[row[0] for row in LINES])
def test_tab_offers_what_may_stand_there(shell, line, offered, others):
    """Through IPython's own completer, whose words end at `@` and `=`."""
    at = max(line.rfind(" "), line.rfind("=") if "--" in line else -1) + 1
    lines = completed(shell, line)
    assert {line[:at] + word for word in offered} <= lines
    assert not {line[:at] + word for word in others} & lines


def test_retired_models_are_not_offered():
    """They would be refused."""
    assert "claude-3-opus@20240229" not in {each.text for each in candidates("%%claude -m", "claude")}


@pytest.mark.parametrize(
    "before",
    [
        "",
        "%%claude",
        "%%claude -n",
        "%claude_logging on",
        "%claude_logging on --table",
        "%%claude -s 'a",
        "%other",
    ],
)
def test_nothing_is_made_up_where_free_text_stands(before):
    """Numbers and texts are the user's."""
    assert candidates(before, "wor") == []


@pytest.mark.parametrize("word", ["~nobody-of-this-name", "~nobody-of-this-name/"])
def test_below_the_home_folder_of_somebody_who_is_not_there_no_file_is_offered(word):
    """And Tab ends in no traceback."""
    assert [each for each in candidates("%%claude --attach", word) if each.text.startswith("~")] == []


def test_a_word_that_goes_on_behind_the_cursor_is_no_trouble(shell):
    """Only what stands before the cursor counts."""
    assert "%%claude -m sonnet -q" in completed(shell, "%%claude -m son -q", len("%%claude -m son"))


def test_other_lines_complete_as_ever(shell):
    """A variable of the user's is still found."""
    shell.ip.user_ns["my_variable"] = 1
    assert "my_variable" in completed(shell, "my_var")


# The cell up to the cursor, some of what is offered for its last word, some of what is not.
CALLS = [
    ("claude.ask('Hi', max_t", {"max_tokens="}, {"max_rounds="}),
    (
        "claude.ask(",
        {"model=", "attach=", "tools=", "my_frame"},
        {"quiet=", "dry_run=", "context="},
    ),
    ("claude.ask('Hi', model='opus', mo", {"models_file="}, {"model="}),
    ("reply = claude.ask(\n    'Hi (and \\'bye\\')',  # a note, (\n    eff", {"effort="}, set()),
    ("print(claude.ask(str(1), te", {"temperature="}, set()),
    ("claude.stream('Hi', eff", {"effort="}, set()),
    ("claude.map(my_frame, 'Sort {{ x }}', max_", {"max_active=", "max_tokens=", "max_cost="}, set()),
    ("claude.map(my_frame, 'Sort', ", {"limit="}, {"chat=", "tools="}),
    ("claude.batch(my_frame, 'Sort', to='gs://a/b', r", {"rows_per_job=", "region="}, {"replay="}),
    ("claude.compare('Hi', ['haiku'], ", {"effort="}, {"chat=", "tools="}),
    ("Claude(re", {"region=", "recording=", "replay="}, set()),
    ("Claude().ask('Hi', eff", {"effort="}, set()),
    ("Claude(project='p').chat('stats').ask('Hi', eff", {"effort="}, set()),
    ("chat.ask('Hi', ", {"new="}, {"chat=", "after="}),
    ("lab.claude.count('Hi', eff", {"effort="}, set()),
    ("!echo it's so\nclaude.ask('Hi', eff", {"effort="}, set()),
    ("print('a)')\nclaude.ask(f'{my_type}', eff", {"effort="}, set()),
    ("claude.ask('Hi', model='op", {"opus", "opus-4.1"}, {"sonnet"}),
    ('claude.ask("Hi", region = "us-', {"us-east5"}, {"us"}),
    ("claude.ask('Hi', effort='", {"low", "high"}, {"my_frame"}),
    ("claude.ask('Hi', format='", {"text", "json"}, set()),
    ("claude.ask('Hi', replay_pace='", {"instant", "recorded"}, set()),
    ("claude.ask('Hi', attach='my_folder/", {"my_folder/report.pdf"}, {"my_frame"}),
    ("claude.map(my_frame, 'x', on_error='", {"return", "stop"}, set()),
]
# Where no keyword of ours may come.
NO_CALLS = [
    "claude.ask('Hi, mod",
    'claude.ask("""Hi, mod',
    "claude.ask(len(mod",
    "claude.ask(['Hi'], attach=[mod",
    "claude.ask('Hi', model=mod",
    "claude.ask('Hi')\nmod",
    "claude.ask.mod",
    "claude.chat(mod",
    "print(mod",
    "my_map['ask'](mod",
    "my_frame().ask(mod",
    "nobody.ask(mod",
    "pressed.ask(mod",
    "%%claude\nclaude.ask('Hi', mod",
    "((((mod",
    "))))mod",
]


class Pressed:
    """A user's object whose property must not run on Tab."""

    @property
    def ask(self):
        """Raise."""
        raise AssertionError


@pytest.fixture
def python(shell):
    """The shell with clients under several names."""
    claude = Claude(project="p", access_token="t")
    shell.ip.user_ns.update(claude=claude, Claude=Claude, chat=claude.chat("stats"), pressed=Pressed())
    shell.ip.user_ns.update(lab=SimpleNamespace(claude=claude))
    return shell


@matchers
@pytest.mark.parametrize(("cell", "offered", "others"), CALLS, ids=[row[0] for row in CALLS])
def test_tab_offers_the_keywords_of_a_call_and_their_values(python, cell, offered, others):
    """Those that the function takes and that are not given yet; beside a keyword, also what Python knows."""
    at = max(cell.rfind(mark) for mark in " ('\"") + 1
    found = {each[at:] for each in completed(python, cell)}
    assert offered <= found
    assert not others & found


@matchers
@pytest.mark.parametrize("cell", NO_CALLS)
def test_elsewhere_in_python_no_keyword_is_offered(python, cell):
    assert not {each for each in completed(python, cell) if each.endswith(("model=", "models_file="))}


def offered(shell, line: str) -> list[tuple[str, str]]:
    """What the completer of a kernel offers, in its order: text and type."""
    with provisionalcompleter():
        return [(each.text, each.type) for each in shell.ip.Completer.completions(line, len(line))]


# The line up to the cursor, and how what is offered begins: its order and its types.
ORDERED = [
    ("%%claude --", [("--model", "option"), ("--region", "option"), ("--project", "option")]),
    ("%%claude answer -r ", [("global", "region"), ("us", "region"), ("eu", "region")]),
    ("%%claude --effort ", [("low", "effort"), ("medium", "effort"), ("high", "effort")]),
    ("%%claude -f ", [(each, "format") for each in ("markdown", "text", "json", "code")]),
    ("%claude --replay=o", [("off", "replay"), ("only", "replay")]),
    ("answer = %claude -f t", [("text", "format")]),
    ("%%claude\nLook at {{ my_f", [("my_frame", "list")]),
    ("%%claude -m opus\n\nA {{my_", [("my_box", "SimpleNamespace"), ("my_frame", "list")]),
    ("%%claude\n{{ my_box.", [("my_box.colour", "str"), ("my_box.size", "int")]),
    ("%%claude\n{{ my_map.ti", [("my_map.title", "str")]),
]


@matchers
@pytest.mark.parametrize(("line", "first"), ORDERED, ids=[row[0] for row in ORDERED])
def test_only_ours_is_offered_in_our_order_with_types(shell, line, first):
    """No variable of the user's, no file and no word of IPython's stands between."""
    found = offered(shell, line)
    assert found[: len(first)] == first
    assert {kind for _, kind in found} <= {kind for _, kind in first} | {
        "list",
        "type",
        "int",
        "str",
        "dict",
        "Watched",
    }
    assert not {text for text, _ in found} & {"my_notes.txt", "%%time", "print"}


TABLES = {
    "a list of dicts": ([{"text": "a", "two words": 1}], ["text", "row['two words']", "row"]),
    "a list of strings": (["a", "b"], ["item"]),
    "pandas": (pd.DataFrame({"text": ["a"], "n": [1]}), ["text", "n", "row"]),
    "polars": (pl.DataFrame({"text": ["a"]}), ["text", "row"]),
    "pyarrow": (pa.table({"text": ["a"]}), ["text", "row"]),
    "pandas, with a column that is called as pyarrow's names are": (
        pd.DataFrame({"column_names": ["a"]}),
        ["column_names", "row"],
    ),
    "no table": (3, []),
    "nothing": (None, []),
    "an empty list": ([], []),
}


@matchers
@pytest.mark.parametrize("magic", ["%%claude_map", "%%claude_batch"])
@pytest.mark.parametrize("kind", TABLES)
def test_a_template_over_rows_is_offered_the_fields_of_a_row_first(shell, monkeypatch, magic, kind):
    """Then the variables, which it may use as well; no other prompt has fields."""
    table, fields = TABLES[kind]
    monkeypatch.setitem(shell.ip.user_ns, "my_rows", table)
    found = [text for text, _ in offered(shell, f"{magic} out my_rows -m haiku\nSay {{{{ ")]
    assert found[: len(fields)] == fields
    assert "my_frame" in found
    assert {text for text, _ in offered(shell, "%%claude out my_rows\n{{ ")}.isdisjoint(fields)


def test_tab_works_nothing_out():
    """The names of a query's columns may be in files far away, and polars warns of it."""
    assert field_candidates("%%claude_map out query", {"query": pl.LazyFrame({"text": ["a"]})}) == []


@matchers
def test_a_model_is_offered_with_its_price(shell):
    """USD per million tokens in and out at global; an alias shows the price of what it stands for now."""
    found = dict(offered(shell, "%%claude -m "))
    newest = Catalog.load().find(Catalog.load().model_id("sonnet", "global")).prices.tiers[0]
    assert found["sonnet"] == f"model\u00a0${newest.input:g}\u00a0/\u00a0${newest.output:g}"
    assert found["claude-haiku-4-5@20251001"] == "model\u00a0$1\u00a0/\u00a0$5"
    assert next(iter(found)) == "sonnet"


@matchers
@pytest.mark.parametrize(
    ("line", "candidate"),
    [
        ("%%claude -m ", ("test", "model\u00a0$2\u00a0/\u00a0$4")),
        ("%%claude -m claude-t", ("claude-test-9", "model\u00a0$2\u00a0/\u00a0$4")),
        ("%%claude -r ", ("mars-east1", "region")),
        ("%%claude_compare --vary region=", ("region=mars-east1", "region")),
        ("%claude_models ", ("test", "family")),
        ("Claude().ask('Hi', model='", ("claude-test-9", "model\u00a0$2\u00a0/\u00a0$4")),
    ],
)
def test_tab_knows_the_table_of_the_user(tmp_path, line, candidate):
    """As a question does: what `models_file` adds is offered wherever a model or a location is."""
    row = {"id": "claude-test-9", "name": "Claude Test 9", "family": "test", "lifecycle": "active",
           "locations": ["mars-east1"], "prices": {"tiers": [{"input": 2.0, "output": 4.0}]}}  # fmt: skip
    file = tmp_path / "models.json"
    file.write_text(json.dumps({"models": [row]}))
    own = loaded_shell()
    own.ip.user_ns["Claude"] = Claude
    assert candidate not in offered(own, line)
    own.ok(f"%config ClaudeMagics.models_file = {str(file)!r}")
    assert candidate in offered(own, line)


@matchers
def test_tab_is_no_place_for_an_error_of_a_setting(tmp_path):
    """A file that cannot be read is refused by the question; Tab knows what everybody has."""
    own = loaded_shell()
    own.magics.models_file = str(tmp_path / "gone.json")
    assert "sonnet" in dict(offered(own, "%%claude -m "))


@matchers
@pytest.mark.parametrize(
    "line", ["%%claude -m ", "%%claude -r ", "%%claude -", "%%claude -c ", "%%claude\n{{ odd"]
)
def test_a_type_is_one_line_in_the_list_of_a_front_end(shell, line):
    """JupyterLab breaks a type at a space and prints its lines over one another."""
    shell.ip.user_ns["odd"] = type("Odd name", (), {})()
    found = offered(shell, line)
    assert found
    assert not [kind for _, kind in found if " " in kind]


@matchers
@pytest.mark.parametrize(
    "line",
    [
        "%%claude\nplain my_f",
        "%%claude\nescaped \\\\{{ my_f",
        "%%claude\nthree {{{ my_f",
        "%%claude\nclosed {{ my_frame }} my_f",
        "%%time\n{{ my_f",
    ],
)
def test_a_name_is_offered_only_inside_double_braces(shell, line):
    """Elsewhere in a prompt IPython completes as it does in every cell."""
    context = SimpleNamespace(
        full_text=line, text_until_cursor=line.rpartition("\n")[2], cursor_line=line.count("\n")
    )
    assert not match(shell.ip, context)["completions"]


@matchers
def test_tab_runs_no_code_of_the_user(shell):
    """A property is not read, also where it stands in the middle of a path."""
    ran = []

    class Watched:
        @property
        def part(self):
            ran.append("read")
            return {"a": 1}

    shell.ip.user_ns["my_watched"] = Watched()
    offered(shell, "%%claude\n{{ my_watched.")
    offered(shell, "%%claude\n{{ my_watched.part.")
    assert ran == []


@pytest.mark.parametrize(
    ("line", "symbol", "found"),
    [
        ("%%claude -m claude-sonnet-4-5@2", "2", ["20250929"]),
        ("%%claude --model=op", "op", ["opus", "opus-5.5"]),
        ("Look at {{ my_f", "my_f", ["my_frame"]),
    ],
)
def test_the_older_hook_of_ipython_gets_the_same(shell, line, symbol, found):
    """IPython up to 8.5 has no matchers; its hook sees the line alone and only the last part of a word."""
    event = SimpleNamespace(text_until_cursor=line, symbol=symbol)
    assert complete(shell.ip, event)[: len(found)] == found


@matchers
def test_unloading_takes_the_matcher_away(shell):
    """Loading twice leaves one, unloading none."""
    own = loaded_shell()
    load(own.ip)
    known = own.ip.Completer.custom_matchers
    assert len(known) == 1
    unload(own.ip)
    assert known == []
