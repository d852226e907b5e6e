"""What requests share is stored once: messages, system texts, tools and frames, by their hash; and it goes with them."""

from __future__ import annotations

import json
import random
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journals import DAY, KEEP, NOON, a_call, an_ending, client, opened, rows

from vertex_claude_magic import errors
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.records.journal import review
from vertex_claude_magic.records.journal.parts import (
    add_attachments,
    attachment,
    drop_attachments,
    pack,
    unpack,
)
from vertex_claude_magic.vertex.digest import attachments, canonical, digest_of, parts_of
from vertex_claude_magic.vertex.request import RequestOptions, build_request

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.journal import Journal

MARK = {"cache_control": {"type": "ephemeral"}}
TOOL = {
    "name": "look",
    "description": "Look.",
    "input_schema": {"type": "object", "properties": {"cache_control": {}}},
}
USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
BODIES = [
    {},
    {"messages": []},
    {"messages": "no list"},
    {"messages": [USER]},
    {"messages": [USER, ASSISTANT, USER]},
    {"messages": [USER], "system": "Be brief.", "max_tokens": 5},
    {"messages": [USER], "system": [{"type": "text", "text": "Be brief."}]},
    {"messages": [USER], "system": ""},
    {"messages": [USER], "tools": [TOOL, {**TOOL, "name": "hear"}]},
    {"messages": [USER], "tools": []},
    {"messages": [USER], "tools": TOOL},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": "é 🙂"}]}, {"role": ["odd"], "content": "x"}, "odd"]},
]  # fmt: skip


@pytest.fixture
def journal(tmp_path) -> Journal:
    return opened(tmp_path / "journal.sqlite3", clock=lambda: NOON)


def keep(journal: Journal, content: dict, at: float = NOON, **changes) -> int:
    call = a_call(canonical=content, key=digest_of(content), at=at, **changes)
    number = journal.begin(call)
    journal.end(number, call, an_ending(), KEEP)
    return number


def request(**body) -> dict:
    return {"model": "claude-x", "body": body}


def counts(journal: Journal) -> tuple[int, int]:
    return len(rows("parts", journal.path)), len(rows("turns", journal.path))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body)[:60])
def test_a_request_comes_back_as_it_was(journal, body):
    """Whatever it has or lacks, and in the order that it had."""
    content = {"model": "claude-x", "beta": ["b"], "body": body}
    number = keep(journal, content)
    entry = journal.database.read(lambda connection: review.entry(connection, number))
    assert entry.request == content
    assert list(entry.request["body"]) == list(body)
    assert journal.find(digest_of(content)).canonical == content


def test_no_two_of_these_requests_are_the_same():
    """A list of tools, one tool, an empty list and none, for example."""
    assert len({digest_of({"model": "claude-x", "body": body}) for body in BODIES}) == len(BODIES)


def test_a_message_a_system_text_and_a_tool_are_stored_once(journal):
    """However many calls have them, and at whatever place of a conversation."""
    for number in range(5):
        question = {"role": "user", "content": f"question {number}"}
        keep(journal, request(messages=[USER, ASSISTANT, question], system="Be brief.", tools=[TOOL]))
    keep(journal, request(messages=[ASSISTANT, USER], max_tokens=5, tools=[TOOL]))
    # Two messages that all share and five that they do not, system, tool and two frames.
    assert counts(journal) == (2 + 5 + 1 + 1 + 2, 2 + 5 + 2)


def test_a_turn_adds_what_is_new_in_it(journal):
    """200 turns of 1 kB each way leave far less than two megabytes."""
    chance = random.Random(1)
    messages: list[dict] = []
    for _ in range(200):
        messages.append({"role": "user", "content": chance.randbytes(500).hex()})
        keep(journal, request(messages=list(messages)))
        messages.append({"role": "assistant", "content": chance.randbytes(500).hex()})
    assert counts(journal) == (399 + 1, 399)
    journal.close()
    assert journal.path.stat().st_size < 500_000
    assert (
        journal.find(digest_of(request(messages=messages[:-1]))).canonical["body"]["messages"]
        == messages[:-1]
    )


def test_many_rows_below_one_long_system_text_stay_small(journal):
    """Less than a kilobyte a row, so that 100,000 leave less than 100 MB."""
    system = random.Random(2).randbytes(10_000).hex()
    for number in range(300):
        keep(
            journal, request(messages=[{"role": "user", "content": f"{number} " + "x" * 100}], system=system)
        )
    journal.close()
    assert journal.path.stat().st_size < 300_000


def test_a_part_goes_with_the_last_call_that_has_it(tmp_path):
    """And not earlier: a conversation stays whole while its last turn is there."""
    now = [NOON]
    journal = opened(tmp_path / "j", clock=lambda: now[0])
    talk = [USER, ASSISTANT, {"role": "user", "content": "And now?"}]
    for day, messages in ((0, talk[:1]), (10, talk), (20, [{"role": "user", "content": "Else"}])):
        keep(
            journal,
            request(messages=messages, system="Be brief." if day < 20 else "", tools=[TOOL]),
            at=NOON + day * DAY,
        )
    for day, left in ((31, (7 + 1, 4)), (41, (3, 1)), (51, (0, 0))):
        now[0] = NOON + day * DAY
        journal._upkeep(KEEP)
        assert counts(journal) == left
        if day == 31:
            assert journal.find(digest_of(request(messages=talk, system="Be brief.", tools=[TOOL]))).canonical
    assert rows("contents", journal.path) == []


MARKED = [
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", **MARK}]}]},
     {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
    ({"messages": [USER], "system": [{"type": "text", "text": "Be brief.", **MARK}]},
     {"messages": [USER], "system": [{"type": "text", "text": "Be brief."}]}),
    ({"messages": [USER], "tools": [TOOL, {**TOOL, **MARK}]}, {"messages": [USER], "tools": [TOOL, TOOL]}),
    ({"messages": [USER], **MARK}, {"messages": [USER]}),
    ({"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "x", **MARK}]}]}]},
     {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "x"}]}]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "plain"), MARKED, ids=["message", "system", "tool", "body", "result"])
def test_a_cache_mark_does_not_make_another_question(marked, plain):
    """It says what the service may cache and never what it answers."""
    assert digest_of(request(**marked)) == digest_of(request(**plain))
    assert canonical("claude-x", {}, marked) == request(**plain)


def test_a_name_in_the_input_of_a_tool_is_no_cache_mark():
    """Data may have any names."""
    used = [{"type": "tool_use", "id": "t", "name": "look", "input": {"cache_control": 1}}]
    assert digest_of(request(messages=[{"role": "assistant", "content": used}])) != digest_of(
        request(messages=[{"role": "assistant", "content": [{**used[0], "input": {}}]}])
    )
    assert canonical("m", {}, {"tools": [TOOL]})["body"] == {"tools": [TOOL]}


TEXTS = st.text(max_size=8)


@given(st.lists(TEXTS, max_size=5), st.lists(TEXTS, max_size=5))
def test_two_conversations_have_one_digest_only_if_they_are_the_same(one, two):
    """A chain does not run together what is separate."""
    first, second = (
        request(messages=[{"role": "user", "content": text} for text in texts]) for texts in (one, two)
    )
    assert (digest_of(first) == digest_of(second)) == (one == two)


@given(st.text(max_size=300) | st.text(alphabet="aé\0", min_size=150, max_size=220))
def test_every_part_is_a_zlib_stream(text):
    """As every version reads it, whether it was worth compressing or not."""
    assert json.loads(zlib.decompress(pack(text))) == unpack(pack(text)) == text


def test_a_part_of_the_file_that_was_changed_is_noticed():
    """A checksum is there for parts that are not compressed too."""
    data = bytearray(pack("Is this review positive?"))
    assert b"review" in data
    data[12] ^= 1
    with pytest.raises(errors.JournalError):
        unpack(bytes(data))


def test_the_digest_of_a_conversation_is_a_chain():
    """The links of its beginning are those of the shorter conversation."""
    messages = [USER, ASSISTANT, USER]
    long = parts_of(request(messages=messages, system="x"))
    assert [parts_of(request(messages=messages[:n])).links[-1] for n in (1, 2, 3)] == list(long.links)


ROWS: dict[str, list] = {
    "text": [{"role": "user", "content": "And now?"}],
    "blocks with a mark": [{"role": "user", "content": [{"type": "text", "text": "a", **MARK}]}],
    "an image": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]}],
    "several": [USER, ASSISTANT, USER],
    "none": [],
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_the_digest_and_the_parts_of_the_same_request_made_whole(name):
    """What all rows share is worked out once; nothing of it may differ."""
    catalog = Catalog.load()
    options = RequestOptions(system="Be short.", max_tokens=9, set={"tools": [{"name": "f", "input_schema": {}}]},
                             beta=("b-1",))  # fmt: skip
    first, whole = (
        build_request(messages, options, model="claude-haiku-4-5", project="p", region="global", catalog=catalog,
                      notices=["once"])
        for messages in ([USER], ROWS[name])
    )  # fmt: skip
    row = first.with_messages(ROWS[name])
    assert (row, row.notices) == (whole, ())
    assert (row.payload, row.digest, row.parts) == (whole.payload, whole.digest, whole.parts)
    assert row.canonical == whole.canonical
    assert row.former_digest() == whole.former_digest()
    assert list(attachments(row.body)) == list(attachments(whole.body))


def test_a_question_with_cache_marks_of_the_product_is_found_without_them(claude_emulator):
    """`--cache` marks what the service may keep; the answer that is recorded with it holds for both."""
    claude = client(claude_emulator)
    system = [{"type": "text", "text": "Long instructions."}]
    claude.ask("Hello", system=[{**system[0], **MARK}])
    assert claude.ask("Hello", system=system, replay="only").replayed


@pytest.mark.parametrize("order", [("call", "turn"), ("turn", "call")])
def test_the_bytes_of_an_attachment_stay_until_the_last_owner_goes(journal, order):
    """A call and a turn of a conversation that have the same number."""
    name, other = "ab" * 32, "cd" * 32
    write, read = journal.database.write, journal.database.read
    write(lambda connection: add_attachments(connection, order[0], 1, {name: b"both", other: b"one"}))
    write(lambda connection: add_attachments(connection, order[1], 1, {name: b"both"}))
    write(lambda connection: drop_attachments(connection, order[0], 1))
    left = [read(lambda connection, name=each: attachment(connection, name)) for each in (name, other)]
    assert left == [b"both", None]
    write(lambda connection: drop_attachments(connection, order[1], 1))
    assert rows("attachments", journal.path) == []
