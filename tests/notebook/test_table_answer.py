"""Data on the page: rows as they come, whatever they hold, and no more of them than anybody reads."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

import pandas as pd
import pydantic
import pytest
from markdown_it import MarkdownIt

from vertex_claude_magic.markdown.sanitize import safe_markdown
from vertex_claude_magic.notebook.display.live import AnswerView
from vertex_claude_magic.notebook.display.table_answer import GrowingTable, TableAnswer, table_of
from vertex_claude_magic.vertex.reply import Reply


class Kind(Enum):
    A = "a"


class Pair(NamedTuple):
    x: int
    y: str


@dataclasses.dataclass
class Data:
    x: int
    y: str


class Model(pydantic.BaseModel):
    x: int
    y: str


class Failing:
    def __str__(self):
        raise ValueError


ROWS = "| x | y |\n|---:|---|\n| 1 | a |\n"
NESTED = '| x |\n|---|\n| {"x": 1, "y": "a"} |\n'
TABLES = [
    ([{"x": 1, "y": "a"}], ROWS),
    ([Data(1, "a")], ROWS),
    ([Model(x=1, y="a")], ROWS),
    ([Pair(1, "a")], ROWS),
    (pd.DataFrame({"x": [1], "y": ["a"]}), ROWS),
    ({"x": 1, "y": "a"}, "| field | value |\n|---|---|\n| x | 1 |\n| y | a |\n"),
    (Data(1, "a"), "| field | value |\n|---|---|\n| x | 1 |\n| y | a |\n"),
    ([1, 2], "| value |\n|---:|\n| 1 |\n| 2 |\n"),
    ({"value": 5}, "| field | value |\n|---|---|\n| value | 5 |\n"),
    (5, "5\n"),
    (-1.5, "-1.5\n"),
    (True, "True\n"),
    (Kind.A, "a\n"),
    (date(2026, 11, 30), "2026-11-30\n"),
    ("# two *lines*\n1. of text", "\\# two \\*lines\\*\n\n1\\. of text\n"),
    ([{"x": Model(x=1, y="a")}], NESTED),
    ([{"x": Data(1, "a")}], NESTED),
    ([{"x": Pair(1, "a")}], NESTED),
    ([{"x": {"x": 1, "y": "a"}}], NESTED),
    ([{"x": [Model(x=1, y="a"), None, Kind.A, date(2026, 1, 31)]}],
     '| x |\n|---|\n| &#91;{"x": 1, "y": "a"}, null, "a", "2026-01-31"&#93; |\n'),
    ({"x": Model(x=1, y="a")}, '| field | value |\n|---|---|\n| x | {"x": 1, "y": "a"} |\n'),
    ([{"x": [Kind.A, Kind.A], "y": {3}}], "| x | y |\n|---|---|\n| a, a | 3 |\n"),
    ([{"n": 1.5, "s": "1", "b": True, "d": Decimal("2.50")}, {"n": None, "s": "a"}],
     "| n | s | b | d |\n|---:|---|---|---:|\n| 1.5 | 1 | True | 2.50 |\n|  | a |  |  |\n"),
    ([{"x": Kind.A, "y": None}], "| x | y |\n|---|---|\n| a |  |\n"),
    ([{"x": ["a", "b"], "y": [1, 2]}], "| x | y |\n|---|---|\n| a, b | 1, 2 |\n"),
    ([{"x": 1}, {"y": 2}, {"x": 3, "z": 4}], "| x | y | z |\n|---:|---|---|\n| 1 |  |  |\n|  | 2 |  |\n| 3 |  | 4 |\n"),
    ([{"x": 1}, [2, 3]], "| x | 0 | 1 |\n|---:|---|---|\n| 1 |  |  |\n|  | 2 | 3 |\n"),
    ([[1], [2, 3]], "| 0 | 1 |\n|---:|---|\n| 1 |  |\n| 2 | 3 |\n"),
    ([{"x": Failing()}], "| x |\n|---|\n| \\<Failing\\> |\n"),
    ([], "No rows.\n"),
]  # fmt: skip


FRAMES = [
    (["n", "n", "s"], [[10, 20, "x"], [30, 40, None]],
     "| n | n | s |\n|---:|---:|---|\n| 10 | 20 | x |\n| 30 | 40 |  |\n"),
    (["x", "y", "x"], [[None, "2026-01-31", 1.5], [1, None, None], ["nan", None, None]],
     "| x | y | x |\n|---|---|---:|\n|  | 2026-01-31 00:00:00 | 1.5 |\n| 1 |  |  |\n| nan |  |  |\n"),
    (["i", "b", "d"], [[None, None, None], [1, True, "2026-01-31"]],
     "| i | b | d |\n|---|---|---|\n|  |  |  |\n| 1 | True | 2026-01-31 00:00:00 |\n"),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "rows", "table"), FRAMES, ids=["text", "object", "nullable"])
def test_a_frame_is_shown_as_it_is(shell, columns, rows, table):
    """Each cell in its own column, also below two of one name; what is missing is blank, whatever pandas writes."""
    shell.emulator.answer(json.dumps({"columns": columns, "rows": rows}))
    reply = shell.ok("%%claude answer --as df\nWhat?")
    assert list(reply.df.columns) == columns
    assert shell.page.outputs[-1]["text/markdown"].startswith(safe_markdown(table).rstrip())
    assert table_of(reply.df) == table


@pytest.mark.parametrize(
    ("data", "table"), TABLES, ids=[f"{number}-{type(row[0]).__name__}" for number, row in enumerate(TABLES)]
)
def test_data_of_any_kind_are_a_table(data, table):
    """A row for each element of a list, or for each field of one object."""
    assert table_of(data) == table


HOSTILE = [
    "<script>alert(1)</script>", "a|b|c", "line\nbreak\r\nand more", "![x](http://evil.example/x.png)",
    "[x](javascript:alert(1))", "`code` **bold** _it_ ~~no~~", "$x$ and $$y$$", "\\[x\\] \\(y\\)", "&lt;b&gt;",
    "| --- |", "# head", "1. one", "<!-- -->", "\x1b[31mred", "\u202eabc", "\\", "a\\|b", "http://evil.example", "x" * 10_000,
]  # fmt: skip


@pytest.mark.parametrize("cell", HOSTILE, ids=lambda cell: ascii(cell)[:20])
def test_a_cell_stays_a_cell(cell):
    """As text in one cell of one table; markup of the data is none of the page's."""
    shown = safe_markdown(table_of([{"name": cell, "last": "end"}]))
    tokens = MarkdownIt("commonmark").enable("table").parse(shown)
    cells = [token for token in tokens if token.type == "td_open"]
    assert len(cells) == 2
    kinds = {each.type for token in tokens for each in token.children or ()}
    assert not kinds & {"image", "code_inline", "strong_open", "em_open"}
    links = [
        each.attrGet("href") for token in tokens for each in token.children or () if each.type == "link_open"
    ]
    assert all(link.startswith("http://evil.example") for link in links)
    inline = [each.content for token in tokens for each in token.children or () if each.type == "html_inline"]
    assert set(inline) <= {"<span>", "</span>"}
    assert "html_block" not in {token.type for token in tokens}
    assert "$" not in shown.replace("<span>\\$</span>", "")
    assert len(shown) < 1_500


def test_no_more_rows_than_anybody_reads_are_shown():
    """All of them are in the data."""
    text = table_of([{"n": number} for number in range(100_000)])
    assert text.count("\n") < 60
    assert text.endswith("\n… and 99,950 more rows, all in `.data` and `.df`.\n")


def test_no_more_columns_than_a_page_holds_are_shown():
    """Of all rows those that come first, and how many there are besides; all of them are in the data."""
    first = GrowingTable().add({f"c{number}": number for number in range(500)}).splitlines()[0]
    assert first.count("|") == 21
    for data in (rows := [{f"c{number}": number} for number in range(60)], pd.DataFrame(rows)):
        text = table_of(data)
        assert text.splitlines()[0].count("|") == 21
        assert text.endswith("\n… and 10 more rows and 40 more columns, all in `.data` and `.df`.\n")
    one = {f"c{number}": number for number in range(21)}
    assert table_of([one]).endswith("\n… and 1 more column, all in `.data` and `.df`.\n")


class View(AnswerView):
    """A view that only remembers."""

    def __init__(self):
        self.texts, self.finished, self.line = [], None, None

    def text(self, delta):
        self.texts.append(delta)

    def between(self, line):
        self.line = line

    def finish(self, reply, *, notes=(), metadata):
        self.finished = reply


def fed(text: str, size: int = 7) -> View:
    view = View()
    answer = TableAnswer(view)
    for start in range(0, len(text), size):
        answer.text(text[start : start + size])
    return view


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_row_appears_when_it_is_whole(size):
    """However the pieces fall; what has been shown is not taken back."""
    text = json.dumps({"items": [{"x": number, "y": f"a {number}"} for number in range(3)]})
    assert "".join(fed(text, size).texts) == "| x | y |\n|---:|---|\n| 0 | a 0 |\n| 1 | a 1 |\n| 2 | a 2 |\n"


def test_a_frame_appears_with_its_columns():
    """They come first on the wire."""
    text = '{"columns": ["x", "y"], "rows": [[1, "a"], [2, null]]}'
    assert "".join(fed(text).texts) == "| x | y |\n|---:|---|\n| 1 | a |\n| 2 |  |\n"


@pytest.mark.parametrize("first", [1, None, "a", True], ids=repr)
def test_a_column_is_aligned_by_its_first_row_and_never_moves(first):
    """While rows come nobody knows what follows, and the finished table is the one that was seen growing."""
    items = [{"n": first}, {"n": 2}, {"n": None}]
    text = "".join(fed(json.dumps({"items": items})).texts)
    assert text.splitlines()[1] == ("|---:|" if type(first) is int else "|---|")
    assert table_of(items) == table_of(pd.DataFrame(items, dtype=object)) == text


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_a_single_value_is_no_table_while_it_comes(size):
    """It comes as the only field of an object, which may also be the first of several."""
    assert fed('{"value": 3}', size).texts == []
    both = "".join(fed('{"value": 3, "unit": "m"}', size).texts)
    assert both == "| field | value |\n|---|---|\n| value | 3 |\n| unit | m |\n"


def test_the_fields_of_one_object_appear_one_by_one():
    """A line for each."""
    assert "".join(fed('{"x": 1, "y": "a"}').texts) == "| field | value |\n|---|---|\n| x | 1 |\n| y | a |\n"


@pytest.mark.parametrize("text", ["no JSON at all", '{"items": [', "}}}}", '{"a": {"b": {"c":', "\x00\ud800"])
def test_what_is_no_json_shows_nothing_while_it_comes(text):
    """At the end the raw text is shown, if there are no data."""
    view = fed(text)
    assert "".join(view.texts) == ""
    TableAnswer(view).finish(Reply(blocks=({"type": "text", "text": text},)), metadata={})
    assert view.finished.text == text


def test_the_call_of_a_tool_that_holds_no_data_is_shown_as_its_input():
    """So that nothing that came is lost."""
    view = View()
    call = {"type": "tool_use", "name": "answer", "input": {"x": "é"}}
    TableAnswer(view).finish(Reply(blocks=(call,), stop_reason="tool_use"), metadata={})
    assert view.finished.text == '{"x": "é"}'


def test_data_that_came_by_a_tool_are_no_open_question():
    """A tool that was only a form has no result to wait for."""
    view = View()
    TableAnswer(view).finish(Reply(stop_reason="tool_use", data=[Data(1, "a")]), metadata={})
    assert view.finished.stop_reason == "end_turn"
    assert view.finished.text == ROWS


def test_a_second_round_is_a_table_of_its_own():
    """Its rows begin anew."""
    view = View()
    answer = TableAnswer(view)
    answer.text('{"items": [{"x": 1}, ')
    answer.between("asked once more")
    answer.text('{"items": [{"z": 2}]}')
    assert view.line == "asked once more"
    assert view.texts == ["| x |\n|---:|\n| 1 |\n", "| z |\n|---:|\n| 2 |\n"]


@pytest.mark.parametrize("option", ["list[str]", "df", "int", "'dict[str, int]'"])
def test_a_typed_answer_that_is_shown_again_is_the_table_that_was_shown(shell, option):
    """Not the JSON that came; as Markdown and as text."""
    given = {
        "list[str]": '{"items": ["a", "b"]}',
        "df": '{"columns": ["x"], "rows": [[1]]}',
        "int": '{"value": 4}',
    }
    shell.emulator.answer(given.get(option, '{"a": 1}'))
    reply = shell.ok(f"%%claude answer --as {option}\nWhat?")
    (first,) = shell.page.outputs
    data, _ = shell.ip.display_formatter.format(reply)
    table = first["text/markdown"].partition("\n\n")[0]
    assert table.startswith("4" if option == "int" else "| ")
    assert data["text/markdown"].startswith(table)
    assert data["text/plain"].startswith(first["text/plain"].partition("\n\n")[0])
