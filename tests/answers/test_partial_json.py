"""Rows of a JSON text that is still coming."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vertex_claude_magic.answers.partial_json import Growing


def grown(text, size=1):
    """Everything that is given out while a text comes in pieces of one size."""
    growing, rows, fields = Growing(), [], []
    for at in range(0, len(text), size):
        growing.feed(text[at : at + size])
        rows += growing.rows()
        fields += growing.fields()
    return rows, fields


SAYS = [
    ("", [], []),
    ("[]", [], []),
    ("{}", [], []),
    ('{"items": []}', [], []),
    ('{"rows": [], "n": 3}', [], [("n", 3)]),
    ("[1, 2.5, -3e2, true, false, null]", [1, 2.5, -300.0, True, False, None], []),
    ('["a", "b,]\\"[{", "\\\\"]', ["a", 'b,]"[{', "\\"], []),
    ('[{"a": [1, {"b": "]"}]}, [[]]]', [{"a": [1, {"b": "]"}]}, [[]]], []),
    ('{"items": [{"a": 1}, {"b": 2}]}', [{"a": 1}, {"b": 2}], []),
    ('{"rows": [[1, 2], [3, 4]], "columns": ["a", "b"]}', [[1, 2], [3, 4]], [("columns", ["a", "b"])]),
    ('{"columns": ["a"], "rows": [[1]]}', [[1]], [("columns", ["a"])]),
    ('{"name": "Oslo", "size": 7, "tags": ["a"], "at": {"items": [1]}}', [],
     [("name", "Oslo"), ("size", 7), ("tags", ["a"]), ("at", {"items": [1]})]),
    ('{"items": {"a": 1}}', [], [("items", {"a": 1})]),
    ('{"": 1, "": 2}', [], [("", 1), ("", 2)]),
    ('{"a:b,c": "d"}', [], [("a:b,c", "d")]),
    (' \n{ "items" : [ 1 , 2 ] , "more" : 3 } \n', [1, 2], [("more", 3)]),
    ('["\\ud83d\\ude00", "\\u00e9"]', ["\U0001f600", "\u00e9"], []),
    # In front of it and behind it.
    ('```json\n[{"a": 1}]\n```', [{"a": 1}], []),
    ('It\'s "this" [sic]:\n\n```json\n{"items": [1]}\n```\nDone [2].', [1], []),
    ("{x} [1, 2]", [1, 2], []),
    ("[] {} [1]", [1], []),
    # Not yet whole.
    ("[1, 2", [1], []),
    ('[{"a": 1}, {"a": ', [{"a": 1}], []),
    ('{"items": [{"a": 1}, {"a', [{"a": 1}], []),
    ('{"name": "Os', [], []),
    ('{"size": 12', [], []),
    ('["a\\', [], []),
    # Broken.
    ("[1,, 2, 3]", [1], []),
    ("[1, NaN, 2]", [1], []),
    ("[1, {], 2]", [1], []),
    ("[1}, 2]", [], []),
    ("[1 2, 3]", [], []),
    ('{"a": 1, b: 2, "c": 3}', [], [("a", 1)]),
    ('{"a": 1, 2: 3, "c": 4}', [], [("a", 1)]),
    ('{"a": 1, "b", "c": 3}', [], [("a", 1)]),
    ('{"a": 1: 2, "c": 3}', [], []),
    ('{"a": "b": 2, "c": 3}', [], []),
    ('{"items": [1] 2, "c": 3}', [1], []),
    ('{"items": 1 [2], "c": 3}', [], []),
    ("]}],:", [], []),
    ('[1, 2] [3]', [1, 2], []),
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
@pytest.mark.parametrize(("text", "rows", "fields"), SAYS, ids=range(len(SAYS)))
def test_what_is_whole_is_given_out_once(text, rows, fields, size):
    assert grown(text, size) == (rows, fields)


def test_a_row_is_there_with_the_character_that_ends_it():
    growing = Growing()
    seen = []
    for letter in '{"items": [{"a": 1}, {"a": 2}]}':
        growing.feed(letter)
        seen += [(letter, row) for row in growing.rows()]
    assert seen == [(",", {"a": 1}), ("]", {"a": 2})]


def test_nothing_comes_twice():
    growing = Growing()
    growing.feed('{"a": 1, "items": [1, 2, ')
    assert (growing.rows(), growing.fields()) == ([1, 2], [("a", 1)])
    assert (growing.rows(), growing.fields()) == ([], [])
    growing.feed("")
    growing.feed('3], "b": 2}')
    assert (growing.rows(), growing.fields()) == ([3], [("b", 2)])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text('[]{}",:\\ \n`', max_size=6)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(TEXT, VALUE, max_size=4), max_size=6)


def pieces(text, cuts):
    places = sorted({cut % (len(text) + 1) for cut in cuts} | {0, len(text)})
    return [text[start:end] for start, end in pairwise(places)]


@settings(max_examples=30)
@given(
    ROWS,
    st.lists(st.integers(0, 10_000), max_size=12),
    st.booleans(),
    st.sampled_from(["", "items", "rows"]),
    st.sampled_from([None, 1]),
)
def test_wherever_a_list_is_cut_its_rows_are_the_same(rows, cuts, plain, key, indent):
    text = json.dumps({key: rows} if key else rows, ensure_ascii=plain, indent=indent)
    growing, found = Growing(), []
    for piece in pieces(f"```json\n{text}\n```", cuts):
        growing.feed(piece)
        found += growing.rows()
    assert found == rows


@given(
    st.dictionaries(TEXT.filter(lambda key: key not in {"items", "rows"}), VALUE, max_size=5),
    st.lists(st.integers(0, 10_000), max_size=12),
)
def test_wherever_an_object_is_cut_its_fields_are_the_same(record, cuts):
    growing, found = Growing(), []
    for piece in pieces(json.dumps(record), cuts):
        growing.feed(piece)
        found += growing.fields()
    assert dict(found) == record
    assert not growing.rows()


@given(st.text('[]{}",:\\ 1ae`\n', max_size=60), st.integers(1, 7))
def test_whatever_comes_nothing_fails_and_cutting_changes_nothing(text, size):
    assert grown(text, size) == grown(text, 1_000)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 50_000,
        "[" * 100_000 + "]" * 100_000,
        "[1, " + "[" * 100_000 + "]" * 100_000 + ", 2]",
    ],
)
def test_depth_without_end_gives_nothing_more(text):
    rows, fields = grown(text, 10_000)
    assert rows in ([], [1])
    assert fields == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 40, 10_000_000])
def test_a_hundred_thousand_rows_come_however_small_the_pieces(size):
    """A reader that starts over with each piece would not come to an end."""
    rows = [{"id": number, "name": f'row "{number}"', "tags": ["a", "b"]} for number in range(100_000)]
    assert grown(json.dumps({"items": rows}), size)[0] == rows
