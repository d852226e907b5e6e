"""What an output says of where its answer came from, and how an edit is told from what a front end does."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.emulator import Reply as Script
from vertex_claude_magic.records.provenance import (
    METADATA_KEY,
    answer_edited,
    find_provenance,
    prompt_edited,
    provenance,
    stamped,
    text_hash,
)
from vertex_claude_magic.vertex.provenance import Lineage
from vertex_claude_magic.vertex.reply import Reply, usage_from

if TYPE_CHECKING:
    from shells import Shell

DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def stored(shell: Shell) -> dict:
    """The provenance of the only output there is."""
    (metadata,) = shell.page.metadata
    return metadata[METADATA_KEY]


# What front ends and editors do to a text when they save a notebook.
SAME_TEXT = {
    "as a list of lines": ["%%claude\n", "What is  it?\n", "\n", "  indented"],
    "as nbformat splits it": "%%claude\nWhat is  it?\n\n  indented".splitlines(keepends=True),
    "a final newline": "%%claude\nWhat is  it?\n\n  indented\n",
    "many final newlines": "%%claude\nWhat is  it?\n\n  indented\n\n\n",
    "CRLF": "%%claude\r\nWhat is  it?\r\n\r\n  indented",
    "CRLF in lines": ["%%claude\r\n", "What is  it?\r\n", "\r\n", "  indented"],
    "lone CR": "%%claude\rWhat is  it?\r\r  indented",
    "blanks at the ends of lines": "%%claude \nWhat is  it?\t\n  \n  indented  ",
}
OTHER_TEXT = {
    "a character": "%%claude\nWhat is  it!\n\n  indented",
    "case": "%%claude\nwhat is  it?\n\n  indented",
    "a space inside": "%%claude\nWhat is it?\n\n  indented",
    "indentation": "%%claude\nWhat is  it?\n\nindented",
    "a line joined": "%%claude What is  it?\n\n  indented",
    "a blank line inside": "%%claude\nWhat is  it?\n  indented",
    "a line first": "\n%%claude\nWhat is  it?\n\n  indented",
    "an option": "%%claude -m opus\nWhat is  it?\n\n  indented",
    "nothing left": "",
}
NO_TEXT = [None, 3, 0.5, True, {"a": 1}, [1, 2], ["a", None], b"bytes", float("nan")]


@pytest.mark.parametrize("text", SAME_TEXT.values(), ids=SAME_TEXT.keys())
def test_what_a_front_end_changes_on_saving_is_no_edit(text):
    """Lists of lines, line ends, blanks where nobody sees them."""
    assert prompt_edited(text, text_hash("%%claude\nWhat is  it?\n\n  indented")) is False


@pytest.mark.parametrize("text", OTHER_TEXT.values(), ids=OTHER_TEXT.keys())
def test_what_a_reader_could_see_is_an_edit(text):
    """Also one character, and white space that has a meaning."""
    assert prompt_edited(text, text_hash("%%claude\nWhat is  it?\n\n  indented")) is True


@pytest.mark.parametrize("text", NO_TEXT, ids=repr)
def test_what_is_no_text_has_no_hash(text):
    """And stands for an edit where a text was stored."""
    assert text_hash(text) is None
    assert prompt_edited(text, text_hash("")) is True


SPLIT = {
    "empty": "",
    "one": "x",
    "separators that JSON keeps": "a\u2028b\x0bc\x0cd\x1ce\x85f",
    "not ASCII": "Größe 🙂",
    "a lone surrogate": "\ud800",
    "ten megabytes": "word\n" * 2_000_000,
}


@pytest.mark.parametrize("text", SPLIT.values(), ids=SPLIT.keys())
def test_a_text_survives_being_split_into_lines_and_read_again(text):
    """Nbformat cuts at line ends that are none in JSON, and lone surrogates cannot be encoded."""
    assert text_hash(text.splitlines(keepends=True)) == text_hash(text)
    assert len(text_hash(text)) == 64


@given(st.text(), st.text(), st.text())
def test_any_texts_survive_a_notebook_file(markdown, plain, source):
    """Written and read by nbformat, they are the same ones."""
    data = {"text/markdown": markdown, "text/plain": plain}
    output = nbformat.v4.new_output(
        "display_data", data=data, metadata=stamped({"source_hash": text_hash(source)}, data)
    )
    cell = nbformat.v4.new_code_cell(source, outputs=[output])
    for raw in (nbformat.writes(nbformat.v4.new_notebook(cells=[cell])), json.dumps({"cells": [cell]})):
        (read,) = json.loads(raw)["cells"]
        found = find_provenance(read["outputs"][0])
        assert answer_edited(read["outputs"][0]["data"], found["answer_hash"]) is False
        assert prompt_edited(read["source"], found["source_hash"]) is False


def test_the_order_of_keys_does_not_count():
    """JSON objects have none."""
    data = {"text/plain": "a", "text/markdown": "b"}
    hashes = stamped({}, data)[METADATA_KEY]["answer_hash"]
    assert answer_edited(dict(reversed(data.items())), hashes) is False


EDITS = {
    "the Markdown": {"text/markdown": "**Five.**", "text/plain": "Four."},
    "the plain text": {"text/markdown": "**Four.**", "text/plain": "Five."},
    "HTML that is shown in its place": {
        "text/markdown": "**Four.**",
        "text/plain": "Four.",
        "text/html": "Five.",
    },
    "a form removed": {"text/plain": "Four."},
    "no texts": {"text/markdown": 3, "text/plain": None},
    "all gone": {},
    "no data": None,
}


FOUR = {"text/markdown": "**Four.**", "text/plain": "Four."}
KNOWN = {
    "now": stamped({}, FOUR)[METADATA_KEY]["answer_hash"],
    "up to 0.1": {kind: text_hash(text) for kind, text in FOUR.items()},
}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN.keys())
@pytest.mark.parametrize("data", EDITS.values(), ids=EDITS.keys())
def test_every_form_of_an_answer_counts(data, known):
    """Which of them is shown is for the front end to say."""
    assert answer_edited(data, known) is True
    assert answer_edited(FOUR, known) is False


def test_a_prompt_is_compared_with_the_hashes_of_both_releases():
    """Up to 0.1 they had 64 digits; no other beginning of one fits."""
    whole = text_hash("%%claude\nHi")
    assert [prompt_edited("%%claude\nHi", whole[:digits]) for digits in (64, 32, 31, 1, 0)] == [
        False,
        False,
        True,
        True,
        True,
    ]
    assert prompt_edited("%%claude\nHo", whole[:32]) is True
    assert prompt_edited(None, whole) is True


def test_the_metadata_of_an_answer_have_half_of_the_bytes_that_they_had(shell):
    """Up to 0.1 they had 870 bytes: zeros, three hashes of 64 digits, and everything twice that was as usual."""
    shell.emulator.answer("**Four.**")
    shell.ok("%%claude -m haiku\nWhat is 2 + 2?")
    assert len(json.dumps(stored(shell), separators=(",", ":"))) < 435


def test_what_is_not_as_usual_is_stored():
    """A model that another one answered for, a stop reason, tokens of the cache, a request id."""
    usage = usage_from({"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 7, "service_tier": "priority",
                        "cache_creation": {"ephemeral_1h_input_tokens": 0}})  # fmt: skip
    reply = Reply(model="m", stop_reason="max_tokens", request_id="r", usage=usage, replayed=True,
                  lineage=Lineage(requested_model="n"))  # fmt: skip
    found = provenance(reply)
    assert found["usage"] == {
        "input_tokens": 0,
        "output_tokens": 0,
        "cache_read_input_tokens": 7,
        "service_tier": "priority",
    }
    assert (found["requested_model"], found["stop_reason"], found["request_id"]) == ("n", "max_tokens", "r")
    assert found["replayed"] is True


@pytest.mark.parametrize("hashes", [None, {}, "x", 7, [], ["text/plain"]], ids=repr)
def test_without_hashes_nothing_is_said_of_an_edit(hashes):
    """As in a notebook of an older release."""
    assert answer_edited({"text/plain": "Four."}, hashes) is None
    assert prompt_edited("%%claude", None) is None


@pytest.mark.parametrize("known", [None, 3, [], {}], ids=repr)
def test_a_hash_that_is_none_fits_nothing(known):
    """No text and no hash are not the same thing."""
    assert answer_edited({"text/plain": None}, {"text/plain": known}) is True


NOT_OURS = [None, 3, "x", [], {}, {"metadata": None}, {"metadata": []}, {"metadata": {"text/markdown": None}},
            {"metadata": {"text/markdown": METADATA_KEY}}, {"metadata": {"text/plain": {METADATA_KEY: {}}}},
            {METADATA_KEY: {}}]  # fmt: skip


@pytest.mark.parametrize("output", NOT_OURS, ids=repr)
def test_an_output_without_the_key_is_none_of_ours(output):
    """Whatever its types."""
    assert find_provenance(output) is None


@pytest.mark.parametrize("value", [None, 3, "x", [], float("nan")], ids=repr)
def test_an_output_with_the_key_is_one_whatever_the_value(value):
    """It is listed, and nothing is known of it."""
    assert find_provenance({"metadata": {METADATA_KEY: value}}) == {}


def test_a_cell_stores_when_it_asked_and_hashes_of_answer_and_source(shell):
    """The date is UTC; the hashes are those of what the page holds and of the cell."""
    before = datetime.now(timezone.utc).replace(microsecond=0)
    shell.emulator.answer("**Four.**")
    cell = "%%claude -m haiku\nWhat is 2 + 2?"
    shell.ok(cell)
    found = stored(shell)
    date = datetime.strptime(found["date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)
    assert before <= date <= datetime.now(timezone.utc)
    assert answer_edited(shell.page.outputs[0], found["answer_hash"]) is False
    assert prompt_edited(cell, found["source_hash"]) is False
    assert (found["answered_by"], "replayed" in found) == ("emulator", False)


MIXED_CELLS = {
    "a line magic": "x = %claude hi",
    "a line magic among others": "print(1)\n%claude hi\nprint(2)",
    "a loop": "for _ in range(1):\n    get_ipython().run_cell_magic('claude', '', 'hi')",
    "another magic around it": "%%time\n%claude hi",
}


@pytest.mark.parametrize("cell", MIXED_CELLS.values(), ids=MIXED_CELLS.keys())
def test_the_source_is_hashed_only_where_the_cell_is_one_question(cell, shell):
    """Elsewhere an edit of the cell would say nothing of the prompt."""
    shell.emulator.answer("Hello.")
    shell.ok(cell)
    found = stored(shell)
    assert "source_hash" not in found
    assert answer_edited(shell.page.outputs[0], found["answer_hash"]) is False


@pytest.mark.parametrize("options", ["", "-f text", "-f json", "--show-thinking", "--no-stream", "--as int"])
def test_the_hashes_fit_however_the_answer_is_shown(options, shell):
    """They are made of the very texts that the output gets."""
    shell.emulator.answer('{"value": 4}' if options == "--as int" else "[4, 5]")
    shell.ok(f"%%claude {options}\nWhat is 2 + 2?")
    assert answer_edited(shell.page.outputs[0], stored(shell)["answer_hash"]) is False


def test_a_reply_shown_by_its_name_says_the_same_of_itself(shell):
    """Its metadata stand with its Markdown; only the source that it is shown by asks nothing."""
    shell.emulator.answer("**Four.**")
    reply = shell.ok("%%claude answer\nWhat is 2 + 2?")
    asked = stored(shell)
    data, metadata = shell.ip.display_formatter.format(reply)
    shown = find_provenance({"metadata": metadata})
    assert {**shown, "answer_hash": 0, "source_hash": asked["source_hash"]} == {**asked, "answer_hash": 0}
    assert answer_edited(data, shown["answer_hash"]) is False
    assert list(metadata) == ["text/markdown"]


@pytest.mark.parametrize("cell", ["answer", "display(answer)"])
def test_such_a_reply_makes_a_valid_output(cell, shell):
    """As `execute_result` and as `display_data`, plain text by `repr` included (`%pprint`)."""
    reply = shell.ok("%%claude answer\nHello")
    shell.ip.display_formatter.formatters["text/plain"].pprint = cell == "answer"
    data, metadata = shell.ip.display_formatter.format(reply)
    kind = (
        {"output_type": "execute_result", "execution_count": 1}
        if cell == "answer"
        else {"output_type": "display_data"}
    )
    output = nbformat.from_dict({**kind, "data": data, "metadata": metadata})
    nbformat.validate(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell, outputs=[output])]))
    assert answer_edited(data, find_provenance(output)["answer_hash"]) is False


def test_in_a_terminal_nothing_is_added(shell):
    """Only plain text is active there, and so no metadata are made."""
    reply = shell.ok("%%claude answer\nHello")
    shell.ip.display_formatter.active_types = ["text/plain"]
    assert shell.ip.display_formatter.format(reply)[1] == {}


def test_a_reply_from_python_knows_its_lineage_too(claude_emulator):
    """So that it says so where it is shown; a repaired answer is one to the first question."""
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    claude_emulator.answer("no number", '{"value": 4}')
    reply = claude.ask("What is 2 + 2?", model="haiku", as_=int)
    found = provenance(reply)
    assert found["prompt_hash"] == claude.request("What is 2 + 2?", model="haiku", as_=int).digest
    assert DATE.fullmatch(found["date"])
    claude.close()


def test_a_replayed_reply_says_when_it_first_came_and_who_gave_it_then(claude_emulator):
    """Nothing was sent this time, so this time tells nothing."""
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    first, again = (claude.ask("What is 2 + 2?", replay="auto", replay_pace="instant") for _ in range(2))
    claude.close()
    found = provenance(again)
    assert (found["replayed"], found["date"], found["answered_by"]) == (True, again.recorded_at, "emulator")
    assert DATE.fullmatch(found["date"])
    assert found["prompt_hash"] == provenance(first)["prompt_hash"]
    assert len(claude_emulator.requests) == 1


def test_an_answer_that_broke_off_has_its_provenance(shell):
    """`complete` is false, the cost unknown, and the hashes are those of what is left on the page."""
    shell.emulator.answer(Script(content="One. " * 40, fault=Fault(cut_after=1200)))
    shell.error("%%claude\nHello")
    found = stored(shell)
    assert (found["complete"], found["cost_usd"]) == (False, None)
    assert answer_edited(shell.page.outputs[0], found["answer_hash"]) is False


def test_the_demo_says_that_it_is_the_emulator(shell):
    """Also when the reply is shown by its name."""
    shell.ok("%claude_demo")
    shell.magics.emulator.answer("Short.")
    reply = shell.ok("%%claude answer\nHello")
    assert stored(shell)["answered_by"] == "emulator"
    _, metadata = shell.ip.display_formatter.format(reply)
    assert find_provenance({"metadata": metadata})["answered_by"] == "emulator"
    shell.ok("%claude_demo stop")


def test_no_project_token_header_or_path_is_stored(shell, tmp_path):
    """What is saved with a notebook is shared with it."""
    note = tmp_path / "note.txt"
    note.write_text("A note.", encoding="utf-8")
    reply = shell.ok(f"%%claude -a {note} --header 'X-Mine: confidential' --label team=confidential\nHello")
    _, metadata = shell.ip.display_formatter.format(reply)
    for found in (stored(shell), metadata):
        text = json.dumps(found)
        assert not [
            word
            for word in (shell.emulator.project, str(tmp_path), "confidential", "Bearer", "127.0.0.1")
            if word in text
        ]


def test_the_metadata_are_json_whatever_the_service_says():
    """No NaN and no lone surrogate reaches a message."""
    strange = provenance(Reply(model="\ud800", request_id="\ud800", cost=float("inf")))
    text = json.dumps(stamped(strange, {"text/plain": "\ud800"}), allow_nan=False, ensure_ascii=False)
    assert text.encode("utf-8")
