"""The fold of stream events into a reply: what is kept, what is tolerated, and when it is complete."""

from __future__ import annotations

import copy
import json
import pickle
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator import Fault
from vertex_claude_magic.emulator import Reply as Scripted
from vertex_claude_magic.errors import StreamInterrupted
from vertex_claude_magic.vertex.events import Event, MessageDecoder
from vertex_claude_magic.vertex.reply import Reply, Usage, usage_from
from vertex_claude_magic.vertex.reply_builder import ReplyBuilder

STREAMS = {
    path.stem: path.read_bytes()
    for path in sorted(Path(__file__).parents[1].joinpath("streams").glob("*.sse"))
}


def event(kind, **fields):
    """One event of the Messages API."""
    return Event(kind, {"type": kind, **fields})


def start(index, **block):
    return event("content_block_start", index=index, content_block=block)


def delta(index, **fields):
    return event("content_block_delta", index=index, delta=fields)


def text(index, piece):
    return delta(index, type="text_delta", text=piece)


def tool_json(index, piece):
    return delta(index, type="input_json_delta", partial_json=piece)


STOP = event("message_stop")
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}


def fold(*events):
    """The reply that these events make."""
    builder = ReplyBuilder()
    for one in events:
        builder.add(one)
    return builder.reply()


def fold_bytes(*chunks):
    """The reply that these bytes make."""
    builder, decoder = ReplyBuilder(), MessageDecoder()
    for chunk in chunks:
        for one in decoder.feed(chunk):
            builder.add(one)
    return builder.reply()


@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 5000)))
def test_any_split_of_the_bytes_gives_the_same_reply(name, cuts):
    """Case 2: for every recorded stream, wherever the network cuts it."""
    data = STREAMS[name]
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert fold_bytes(*(data[a:b] for a, b in pairwise(places))) == fold_bytes(data)


@pytest.mark.parametrize("ending", [b"\r", b"\r\n"], ids=["CR", "CRLF"])
@pytest.mark.parametrize("name", STREAMS)
def test_line_endings_change_nothing(name, ending):
    """Case 3: the same reply with other line endings, byte by byte."""
    data = STREAMS[name].replace(b"\n", ending)
    assert fold_bytes(*(data[i : i + 1] for i in range(len(data)))) == fold_bytes(STREAMS[name])


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_at_any_byte_is_never_complete(name):
    """Case 1: before the very last byte the reply is partial, and its text a beginning of the whole text."""
    builder, decoder, data = ReplyBuilder(), MessageDecoder(), STREAMS[name]
    whole = fold_bytes(data).text
    for position in range(len(data)):
        assert not builder.complete, f"complete after {position} of {len(data)} bytes"
        for one in decoder.feed(data[position : position + 1]):
            builder.add(one)
            assert whole.startswith(builder.reply().text)
    assert builder.complete
    assert builder.reply().complete


@pytest.mark.parametrize("place", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_a_cut_answer_is_an_error_with_the_partial_text(claude_emulator, place):
    """Cases 1 and 8: over a real connection that ends cleanly but too early."""
    data = STREAMS["text"]
    cut = int(place * (len(data) - 1))
    claude_emulator.answer(Scripted(content=data, fault=Fault(cut_after=cut, ending="end")))
    claude = Claude(
        project=claude_emulator.project, base_url=claude_emulator.base_url, access_token="emulator"
    )
    with pytest.raises(StreamInterrupted) as caught:
        claude.ask("Hi", model="haiku")
    partial, expected = caught.value.reply, fold_bytes(data[:cut])
    assert (partial.blocks if partial else ()) == expected.blocks
    assert partial is None or not partial.complete


def test_unknown_events_are_kept_and_do_not_disturb():
    """Case 16: what the API will add one day is in `other_events`, the answer is as if it were not there."""
    reply = fold_bytes(STREAMS["unknown_events"])
    assert reply.text == "Known text."
    assert [other["type"] for other in reply.other_events] == [
        "weather_report", "message_note", "content_block_progress"]  # fmt: skip


def test_unknown_deltas_are_kept_and_do_not_disturb():
    """Case 16: a delta of a new kind neither ends up in the text nor makes a block."""
    reply = fold_bytes(STREAMS["unknown_delta"])
    assert reply.text == "Before."
    assert reply.other_events[0]["delta"] == {"type": "colour_delta", "colour": "red"}
    assert fold(delta(3, type="colour_delta")).blocks == ()


def test_unknown_blocks_are_kept():
    """Case 16: a block of a new kind stays in `blocks` as it came."""
    assert fold_bytes(STREAMS["unknown_block"]).blocks[0] == {
        "type": "hologram",
        "frames": [1, 2],
        "depth": {"m": 3},
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("text", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_use"),
        ("pause_turn", "pause_turn"),
        ("refusal", "refusal"),
        ("context_window", "model_context_window_exceeded"),
        ("beta_compaction", "compaction"),
        ("stop_reason_unknown", "solar_flare"),
    ],
)
def test_every_stop_reason_is_said(name, reason):
    """Case 16: known and unknown stop reasons arrive as they are, in a complete reply."""
    reply = fold_bytes(STREAMS[name])
    assert (reply.stop_reason, reply.complete) == (reason, True)


def test_a_refusal_says_why():
    """Case 16: the details of a refusal are kept; a refusal is a complete reply, not an error."""
    reply = fold_bytes(STREAMS["refusal"])
    assert reply.stop_details == {
        "type": "refusal", "category": "cyber", "explanation": "This asks for help with an attack."}  # fmt: skip


def test_what_a_message_delta_adds_is_kept():
    """Beta: context management is said beside the stop reason."""
    assert fold_bytes(STREAMS["beta_mcp"]).other_events[0]["context_management"]["applied_edits"]


# Case 17: pieces of a tool input, and the block that they make.
INPUTS = {
    "none": ([], {"input": {}}),
    "empty": ([""], {"input": {}}),
    "an empty object": (["{", "}"], {"input": {}}),
    "one piece": (['{"a": 1}'], {"input": {"a": 1}}),
    "every character": (list('{"a": ["\\u00e9\\n", -1.5e3, null, true]}'), {"input": {"a": ["é\n", -1500.0, None, True]}}),
    "inside an escape": (['{"a": "\\', 'u00', 'e9"}'], {"input": {"a": "é"}}),
    "cut": (['{"to": "a', "@b"], {"input": {}, "partial_json": '{"to": "a@b'}),
    "cut after a value": (['{"a": 1, "b": 2'], {"input": {}, "partial_json": '{"a": 1, "b": 2'}),
    "no JSON": (["do it"], {"input": {}, "partial_json": "do it"}),
    "no object": (["[1]"], {"input": {}, "partial_json": "[1]"}),
    "too much": (['{"a": 1}}'], {"input": {}, "partial_json": '{"a": 1}}'}),
    "deep": (["[" * 100_000], {"input": {}, "partial_json": "[" * 100_000}),
}  # fmt: skip


@pytest.mark.parametrize(("pieces", "expected"), INPUTS.values(), ids=INPUTS)
def test_a_tool_input_is_whole_or_text(pieces, expected):
    """Case 17: an input that was cut is never half an input; it is empty and its text is kept beside it."""
    (block,) = fold(start(0, **TOOL), *(tool_json(0, piece) for piece in pieces)).blocks
    assert block == {**TOOL, **expected}


@given(st.lists(st.integers(0, 200)))
def test_a_tool_input_may_be_split_anywhere(cuts):
    """Case 17: the pieces mean nothing by themselves."""
    value = {"city": 'São "Paulo" \\ 🎉', "days": [1, 2.5, None], "deep": {"a": {"b": True}}}
    data = json.dumps(value)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [tool_json(0, data[a:b]) for a, b in pairwise(places)]
    assert fold(start(0, **TOOL), *pieces).blocks[0]["input"] == value


# Case 15 and worse: events out of order or out of shape, and the blocks that remain.
TEXT_A, TEXT_B = {"type": "text", "text": "a"}, {"type": "text", "text": "b"}
ODD = {
    "delta before start": ([text(0, "a")], [TEXT_A]),
    "thinking before start": ([delta(0, type="thinking_delta", thinking="t")], [{"type": "thinking", "thinking": "t"}]),
    "signature before start": ([delta(0, type="signature_delta", signature="s")], [{"type": "thinking", "signature": "s"}]),
    "citation before start": (
        [delta(0, type="citations_delta", citation={"type": "x"})], [{"type": "text", "citations": [{"type": "x"}]}]),
    "index gap": ([start(0, **TEXT_A), start(7, **TEXT_B)], [TEXT_A, TEXT_B]),
    "blocks out of order": ([start(1, **TEXT_B), start(0, **TEXT_A)], [TEXT_A, TEXT_B]),
    "index taken": ([start(0, **TEXT_A), start(0, type="text", text=""), text(0, "b")], [TEXT_A, TEXT_B]),
    "no index": (
        [event("content_block_start", content_block=TEXT_A), event("content_block_start", content_block=TEXT_B),
         event("content_block_delta", delta={"type": "text_delta", "text": "!"})], [TEXT_A, {"type": "text", "text": "b!"}]),
    "index is a list": ([start(0, **TEXT_A), delta([], type="text_delta", text="!")], [{"type": "text", "text": "a!"}]),
    "kind is a list": ([start(0, **TEXT_A), delta(0, type=["text_delta"], text="!")], [TEXT_A]),
    "kind is missing": ([start(0, **TEXT_A), delta(0, text="!")], [TEXT_A]),
    "delta is null": ([start(0, **TEXT_A), event("content_block_delta", index=0, delta=None)], [TEXT_A]),
    "text is null": ([start(0, **TEXT_A), text(0, None)], [TEXT_A]),
    "text is a number": ([start(0, **TEXT_A), text(0, 5)], [TEXT_A]),
    "block is null": ([event("content_block_start", index=0, content_block=None)], []),
    "text of the block is null": ([start(0, type="text", text=None), text(0, "a")], [TEXT_A]),
    "text of the block is a number": ([start(0, type="text", text=5), text(0, "a")], [TEXT_A]),
    "citation is null": ([start(0, **TEXT_A), delta(0, type="citations_delta", citation=None)], [TEXT_A]),
    "message is null": ([event("message_start", message=None), start(0, **TEXT_A)], [TEXT_A]),
    "content is null": ([event("message_start", message={"content": None}), start(0, **TEXT_A)], [TEXT_A]),
    "two starts of the message": ([event("message_start", message={"id": "m"})] * 2 + [start(0, **TEXT_A)], [TEXT_A]),
    "stop of a block that never started": ([event("content_block_stop", index=9), start(0, **TEXT_A)], [TEXT_A]),
    "stop of a block, twice": ([start(0, **TEXT_A), *[event("content_block_stop", index=0)] * 2], [TEXT_A]),
    "text after the end": ([start(0, **TEXT_A), STOP, text(0, "late"), STOP], [TEXT_A]),
    "empty event": ([Event("", {}), start(0, **TEXT_A)], [TEXT_A]),
}  # fmt: skip


@pytest.mark.parametrize(("events", "blocks"), ODD.values(), ids=ODD)
def test_events_out_of_order_are_tolerated(events, blocks):
    """Case 15: no crash, and no text that had arrived is lost."""
    reply = fold(*events)
    assert list(reply.blocks) == blocks
    assert reply.text == "".join(block.get("text", "") for block in blocks)
    assert reply.other_events == tuple(other for other in reply.other_events if other)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
KINDS = st.sampled_from([
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"])  # fmt: skip
DELTAS = st.sampled_from([
    "text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta", "compaction_delta", "new"])  # fmt: skip
NESTED = st.dictionaries(st.sampled_from(
    ["text", "thinking", "partial_json", "citation", "usage", "content", "stop_reason", "model", "id", "citations"]), JSON)  # fmt: skip


@st.composite
def strange_events(draw):
    """An event of a known kind with wrong content."""
    inner = {**draw(NESTED), "type": draw(DELTAS | JSON)}
    fields = {
        "index": draw(JSON),
        "delta": inner,
        "content_block": inner,
        "message": inner,
        "usage": draw(JSON),
    }
    return Event(draw(KINDS), {name: value for name, value in fields.items() if draw(st.booleans())})


@given(st.lists(strange_events(), max_size=8))
def test_no_event_crashes_the_fold(events):
    """Case 15: any JSON in any place; the reply can still be read, printed and hashed."""
    reply = fold(*events)
    assert isinstance(reply.text + reply.thinking + repr(reply), str)
    assert reply.citations is not None
    assert hash(reply) == hash(fold(*events))


# Case 18: usage of message_start and of message_delta, and what remains.
USAGE = {
    "cumulative": ({"input_tokens": 5, "output_tokens": 1}, {"output_tokens": 9}, (5, 9)),
    "null keeps": (
        {"input_tokens": 5, "output_tokens": 1},
        {"input_tokens": None, "output_tokens": 9},
        (5, 9),
    ),
    "missing keeps": ({"input_tokens": 5, "output_tokens": 1}, {}, (5, 1)),
    "no usage at the end": ({"input_tokens": 5, "output_tokens": 1}, None, (5, 1)),
    "no usage at the start": (None, {"input_tokens": 5, "output_tokens": 9}, (5, 9)),
    "zero counts": ({"input_tokens": 5, "output_tokens": 1}, {"input_tokens": 0, "output_tokens": 0}, (0, 0)),
    "no numbers of an answer": ({"input_tokens": -1, "output_tokens": 10**12}, {}, (0, 0)),
    "no numbers": ({"input_tokens": "5", "output_tokens": True}, [1], (0, 0)),
}


@pytest.mark.parametrize(("first", "last", "expected"), USAGE.values(), ids=USAGE)
def test_later_usage_wins_and_null_keeps_the_earlier_one(first, last, expected):
    """Case 18: counts are cumulative; what is null or missing stays as it was said before."""
    usage = fold(
        event("message_start", message={"usage": first}), event("message_delta", delta={}, usage=last)
    ).usage
    assert (usage.input_tokens, usage.output_tokens) == expected


def test_usage_has_the_names_of_the_API():
    """Every known field is an attribute, the parts are objects, and unknown fields stay in `raw`."""
    usage = fold_bytes(STREAMS["text"]).usage
    assert (usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (
        25,
        3,
        7,
    )
    assert (
        usage.cache_creation.ephemeral_5m_input_tokens,
        usage.cache_creation.ephemeral_1h_input_tokens,
    ) == (1, 2)
    assert (usage.total_input_tokens, usage.service_tier) == (35, "standard")
    assert fold_bytes(STREAMS["usage_cumulative"]).usage.output_tokens_details.thinking_tokens == 250
    assert fold_bytes(STREAMS["web_search"]).usage.server_tool_use.web_search_requests == 1
    assert usage_from({"moons": 3}).raw == {"moons": 3}
    assert usage_from({}) == Usage()


def test_text_and_thinking_are_told_apart():
    """`text` joins text blocks, `thinking` joins thinking blocks, wherever they stand."""
    reply = fold_bytes(STREAMS["thinking_interleaved"])
    assert (reply.text, reply.thinking) == ("Both.", "First look.Then again.")
    assert reply.blocks[0]["signature"] == "czE="
    assert fold_bytes(STREAMS["thinking_omitted"]).thinking == ""
    assert str(reply) == "Both."


def test_citations_of_all_blocks_are_listed_in_their_order():
    """All five kinds of places that the API cites."""
    kinds = [citation["type"] for citation in fold_bytes(STREAMS["citations"]).citations]
    assert kinds == ["char_location", "page_location", "content_block_location", "search_result_location",
                     "web_search_result_location", "char_location", "page_location"]  # fmt: skip


def test_code_is_what_stands_in_fences():
    """Fences of both kinds, in lists too; inline code and unfinished sentences are not code."""
    source = "a `b`\n\n```python\nx = 1\n```\n- item\n\n  ~~~\n  y\n  ~~~\n\n````md\n```\n````\n"
    assert Reply(blocks=({"type": "text", "text": source},)).code == ("x = 1\n", "y\n", "```\n")
    assert Reply().code == ()


def test_a_long_stream_of_unknown_events_does_not_fill_the_memory():
    """Only the first thousand are kept."""
    assert len(fold(*[event("noise")] * 1500).other_events) == 1000


def test_an_answer_of_many_small_pieces_takes_little_more_memory_than_its_text():
    """What they were is kept beside the text in a byte each; as texts they would take ten times as much."""
    builder, count = ReplyBuilder(), 100_000
    tracemalloc.start()
    try:
        for number in range(count):
            delta = {"index": 0, "delta": {"type": "text_delta", "text": f"{number % 10_000:05d}"}}
            builder.add(Event("content_block_delta", {"type": "content_block_delta", **delta}))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 1.5 * 5 * count
    assert len(builder.reply().text) == 5 * count


@pytest.mark.parametrize(
    ("text", "complete", "shown"),
    [
        ("Four.", True, "<Reply claude-opus-5-5, 1,012 tokens: 'Four.'>"),
        ("Fo", False, "<Reply claude-opus-5-5, 1,012 tokens, not complete: 'Fo'>"),
        ("x" * 9_000, True, f"<Reply claude-opus-5-5, 1,012 tokens: '{'x' * 59}…'>"),
        ("a\n\x1b[2J\u202eb", True, "<Reply claude-opus-5-5, 1,012 tokens: 'a [2J b'>"),
    ],
    ids=["short", "partial", "long", "hostile"],
)
def test_a_reply_in_a_list_or_a_debugger_is_one_short_line(text, complete, shown):
    """Model, tokens and how it begins; the rest can be looked at by name."""
    usage = Usage(input_tokens=9, cache_read_input_tokens=1_000, output_tokens=3)
    block = {"type": "text", "text": text}
    assert repr(Reply(blocks=(block,), model="claude-opus-5-5", usage=usage, complete=complete)) == shown


@pytest.mark.parametrize("name", STREAMS)
def test_a_reply_is_a_value(name):
    """It can be pickled, copied, compared, hashed and printed."""
    reply = fold_bytes(STREAMS[name])
    for twin in (pickle.loads(pickle.dumps(reply)), copy.copy(reply), copy.deepcopy(reply)):
        assert (twin, hash(twin), repr(twin)) == (reply, hash(reply), repr(reply))
    assert reply != fold()


@pytest.mark.parametrize("longest", [5, 255, 256, 70_000])
@pytest.mark.parametrize("count", [1, 1023, 1024, 1025, 2049, 10_000])
def test_the_lengths_of_many_pieces_are_kept_beside_their_joined_text(count, longest):
    """Pieces of two blocks by turns: the text is whole, and each block knows how long its pieces were."""
    builder, texts = ReplyBuilder(), [f"{number} " for number in range(count)]
    texts[count // 2] = f"{'x' * (longest - 1)} "
    for number, text in enumerate(texts):
        delta = {"index": number % 2, "delta": {"type": "text_delta", "text": text}}
        builder.add(Event("content_block_delta", {"type": "content_block_delta", **delta}))
        if number % 1000 == 0:
            assert builder.reply().text.count(" ") == number + 1
    blocks = [texts[::2], texts[1::2]] if count > 1 else [texts]
    assert [block["text"] for block in builder.reply().blocks] == ["".join(block) for block in blocks]
    assert builder.pieces() == [[len(text) for text in block] for block in blocks]
