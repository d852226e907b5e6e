"""Bytes to events: the rules of the WHATWG HTML standard, section 9.2.6, and how broken streams end."""

from __future__ import annotations

import contextlib
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vertex_claude_magic.errors import ProtocolError
from vertex_claude_magic.vertex.events import (
    MAX_EVENT_BYTES,
    Event,
    EventDecoder,
    LineDecoder,
    MessageDecoder,
    ServerSentEvent,
    parse_event,
)

BOM = b"\xef\xbb\xbf"
MIB = 2**20

# Chunks as they arrive, and the lines that are complete after them.
LINES = {
    "nothing": ([b""], []),
    "no ending yet": ([b"a"], []),
    "LF": ([b"a\n"], [b"a"]),
    "CR": ([b"a\r"], [b"a"]),
    "CRLF": ([b"a\r\n"], [b"a"]),
    "LF LF": ([b"a\n\nb\n"], [b"a", b"", b"b"]),
    "CR CR": ([b"a\r\rb\r"], [b"a", b"", b"b"]),
    "CRLF CRLF": ([b"a\r\n\r\nb\r\n"], [b"a", b"", b"b"]),
    "LF CR is two endings": ([b"a\n\rb\n"], [b"a", b"", b"b"]),
    "mixed": ([b"a\rb\nc\r\nd\n\re\r"], [b"a", b"b", b"c", b"d", b"", b"e"]),
    "CR and LF in two chunks": ([b"a\r", b"\nb\n"], [b"a", b"b"]),
    "CR, nothing, LF": ([b"a\r", b"", b"\nb\n"], [b"a", b"b"]),
    "CR, LF alone, LF alone": ([b"a\r", b"\n", b"\n"], [b"a", b""]),
    "CR, then text": ([b"a\r", b"b\r"], [b"a", b"b"]),
    "CR, then CR": ([b"a\r", b"\rb\r"], [b"a", b"", b"b"]),
    "CR, then LF and the end of another line": ([b"a\r", b"\nb", b"c\n"], [b"a", b"bc"]),
    "line over many chunks": ([b"a", b"b", b"", b"c", b"\n"], [b"abc"]),
    "ending alone in a chunk": ([b"a", b"\n", b"b", b"\r", b"\n", b"c", b"\r\n"], [b"a", b"b", b"c"]),
    "last line without an ending": ([b"a\nb"], [b"a"]),
    "U+2028, U+2029, U+0085 end no line": (["a\u2028b\u2029c\u0085d\n".encode()], ["a\u2028b\u2029c\u0085d".encode()]),
    "VT, FF, FS, GS, RS, NUL end no line": ([b"a\x0bb\x0cc\x1cd\x1de\x1ef\x00g\n"], [b"a\x0bb\x0cc\x1cd\x1de\x1ef\x00g"]),
    "BOM": ([BOM + b"a\n"], [b"a"]),
    "BOM over three chunks": ([b"\xef", b"\xbb", b"\xbf", b"a\n"], [b"a"]),
    "BOM, then nothing": ([BOM], []),
    "only the first BOM": ([BOM + BOM + b"a\n"], [BOM + b"a"]),
    "BOM of a later line": ([b"a\n" + BOM + b"b\n"], [b"a", BOM + b"b"]),
    "half a BOM": ([b"\xef\xbb", b"a\n"], [b"\xef\xbba"]),
    "half a BOM, then an ending": ([b"\xef", b"\n"], [b"\xef"]),
}  # fmt: skip

# Streams and their events as (name, data). The first five are the examples of the standard.
EVENTS = {
    "three data lines": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [(b"", b"YHOO\n+2\n10")]),
    "comment, data and id": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [(b"", b"first event"), (b"", b"second event"), (b"", b" third event")],
    ),
    "empty data, twice": (b"data\n\ndata\ndata\n\ndata:", [(b"", b""), (b"", b"\n")]),
    "with and without a space": (b"data:test\n\ndata: test\n\n", [(b"", b"test"), (b"", b"test")]),
    "names": (b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", [(b"add", b"73857293"), (b"remove", b"2153")]),
    "name without data": (b"event: ping\n\ndata: x\n\n", [(b"", b"x")]),
    "name without a space": (b"event:ping\ndata:{}\n\n", [(b"ping", b"{}")]),
    "name after data": (b"data: x\nevent: late\n\n", [(b"late", b"x")]),
    "last name wins": (b"event: a\nevent: b\ndata: x\n\n", [(b"b", b"x")]),
    "name without a value": (b"event: a\nevent\ndata: x\n\n", [(b"", b"x")]),
    "name is not kept": (b"event: a\ndata: 1\n\ndata: 2\n\n", [(b"a", b"1"), (b"", b"2")]),
    "empty data line": (b"event: a\ndata:\n\n", [(b"a", b"")]),
    "empty data line with a space": (b"event: a\ndata: \n\n", [(b"a", b"")]),
    "empty lines among data": (b"data: a\ndata:\ndata: b\n\n", [(b"", b"a\n\nb")]),
    "comments are heartbeats": (b":\n: hi\n:data: no\ndata: x\n\n:\n\n", [(b"", b"x")]),
    "retry and unknown fields": (b"retry: 10\nfoo: bar\nfoo\nDATA: no\ndata: x\n\n", [(b"", b"x")]),
    "a space before a field makes another field": (b" data: x\n\n", []),
    "colons in data": (b"data: a: b:c\n\n", [(b"", b"a: b:c")]),
    "unfinished event is dropped": (b"data: a\n\ndata: b\n", [(b"", b"a")]),
    "unfinished line is dropped": (b"data: a\n\ndata: b", [(b"", b"a")]),
    "blank lines only": (b"\n\n\n\r\n\r\r", []),
    "NUL": (b"data: a\x00b\n\n", [(b"", b"a\x00b")]),
}  # fmt: skip

NOT_OBJECTS = {
    "text": b"hello",
    "cut": b'{"type": "ping"',
    "two objects": b'{"type": "ping"}{"type": "ping"}',
    "array": b'[{"type": "ping"}]',
    "string": b'"type"',
    "number": b"5",
    "null": b"null",
    "invalid UTF-8": b'{"type": "\xff\xfe"}',
    "half a character": b'{"type": "\xc3"}',
    "UTF-16": '{"type": "ping"}'.encode("utf-16"),
    "a BOM inside": BOM + b'{"type": "ping"}',
    "control character": b'{"type": "a\x07b"}',
    "deep": b"[" * 100_000,
    "a number of 5,000 digits": b'{"type": "ping", "n": ' + b"9" * 5000 + b"}",
    "HTML": b"<html><script>alert(1)</script>",
}

TEXT = 'Grüße 🎉 日本 \u2028 \u0085 \x00 \\ "quoted" \r\n end'


def lines_of(*chunks):
    """All lines of a decoder that is fed these chunks."""
    decoder = LineDecoder()
    return [line for chunk in chunks for line in decoder.feed(chunk)]


def events_of(*chunks):
    """All events of line and event decoders that are fed these chunks."""
    lines, events = LineDecoder(), EventDecoder()
    return [event for chunk in chunks for event in events.feed(lines.feed(chunk))]


def messages_of(*chunks):
    """All events of the Messages API in these chunks."""
    decoder = MessageDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def single_bytes(data):
    """The same bytes, one a chunk."""
    return [data[i : i + 1] for i in range(len(data))]


def split_at(data, cuts):
    """The same bytes, cut at these positions."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def stream_of(*payloads, ending=b"\n"):
    """A stream of JSON events, with a line ending of choice."""
    lines = [
        f"event: {payload['type']}\ndata: {json.dumps(payload, ensure_ascii=False)}\n\n"
        for payload in payloads
    ]
    return "".join(lines).encode().replace(b"\n", ending)


STREAM = stream_of(
    {"type": "ping"}, {"type": "text", "value": TEXT}, {"type": "end", "list": [1, {"a": None}]}
)


@pytest.mark.parametrize(("chunks", "lines"), LINES.values(), ids=LINES)
def test_lines_end_at_LF_CR_or_CRLF_and_nowhere_else(chunks, lines):
    """Case 3 and 4: three endings, one leading byte order mark, wherever the chunks are cut."""
    assert lines_of(*chunks) == lines


@pytest.mark.parametrize(("chunks", "lines"), LINES.values(), ids=LINES)
def test_lines_do_not_depend_on_the_chunks(chunks, lines):
    """Case 2: all in one chunk and one byte a chunk give the same lines."""
    whole = b"".join(chunks)
    assert lines_of(whole) == lines_of(*single_bytes(whole)) == lines


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
@pytest.mark.parametrize(("stream", "events"), EVENTS.values(), ids=EVENTS)
def test_events_follow_the_standard(stream, events, ending):
    """Cases 6 and 7: fields, comments, names and blank lines, for each kind of line ending."""
    if b"\r" not in stream:
        stream = stream.replace(b"\n", ending)
    assert (
        events_of(stream) == events_of(*single_bytes(stream)) == [ServerSentEvent(*event) for event in events]
    )


def test_a_leading_byte_order_mark_is_ignored():
    """Case 5: the first event of a stream with a byte order mark is an event like any other."""
    assert events_of(BOM + b"data: x\n\n") == [ServerSentEvent(b"", b"x")]


@pytest.mark.parametrize("ending", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
def test_text_arrives_exactly(ending):
    """Case 4: emoji, NUL, line separators and escapes come out as they went in, also byte by byte."""
    stream = stream_of({"type": "text", "value": TEXT}, ending=ending)
    expected = [Event("text", {"type": "text", "value": TEXT})]
    assert messages_of(stream) == messages_of(*single_bytes(stream)) == expected


@given(st.lists(st.integers(0, len(STREAM))), st.sampled_from([b"\n", b"\r", b"\r\n"]), st.booleans())
def test_any_split_gives_the_same_events(cuts, ending, marked):
    """Case 2: wherever the network cuts, the events are the same."""
    stream = (BOM if marked else b"") + STREAM.replace(b"\n", ending)
    assert messages_of(*split_at(stream, cuts)) == messages_of(STREAM)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_any_split_of_any_bytes_gives_the_same_lines(data, cuts):
    """The line decoder has no state that depends on the chunks."""
    assert lines_of(*split_at(data, cuts)) == lines_of(data)


SOUP = st.lists(
    st.sampled_from([b"data: x", b"data", b"event: e", b":c", b"\n", b"\r", b"\r\n", b"\n\n", BOM, b"id"])
)


@given(SOUP, st.lists(st.integers(0, 200)))
def test_any_split_of_any_stream_gives_the_same_server_sent_events(parts, cuts):
    """Also for streams that nobody would send."""
    data = b"".join(parts)
    assert events_of(*split_at(data, cuts)) == events_of(data)


@given(st.binary(max_size=300))
def test_no_bytes_crash_the_decoder(data):
    """Whatever comes, it is events or one typed error."""
    with contextlib.suppress(ProtocolError):
        messages_of(data)


DELTA = b"event: content_block_delta\ndata: "
HI = b'{"type": "content_block_delta", "delta": {"text": "Hi"}}'
# Chunks that look like one whole delta, and what comes before them.
DELTAS = {
    "a delta": (b"", DELTA + HI + b"\n\n"),
    "two": (b"", 2 * (DELTA + HI + b"\n\n")),
    "with a name of another event behind it": (b"", DELTA + HI + b"\n\nevent: x\n"),
    "its blank line to come": (b"", DELTA + HI + b"\n"),
    "a comment for its blank line": (b"", DELTA + HI + b"\n:"),
    "a blank behind it": (b"", DELTA + HI + b" \n\n"),
    "a blank before it": (b"", DELTA + b" " + HI + b"\n\n"),
    "JSON in two lines": (b"", DELTA + HI.replace(b", ", b",\n") + b"\n\n"),
    "JSON with a carriage return": (b"", DELTA + HI.replace(b", ", b",\r") + b"\n\n"),
    "carriage returns behind it": (b"", DELTA + HI + b"\r\r"),
    "CRLF": (b"", (DELTA + HI + b"\n\n").replace(b"\n", b"\r\n")),
    "no type": (b"", DELTA + b'{"index": 0}\n\n'),
    "a type that is a number": (b"", DELTA + b'{"type": 1}\n\n'),
    "another type": (b"", DELTA + b'{"type": "ping"}\n\n'),
    "inside a line": (b": ", DELTA + HI + b"\n\n"),
    "inside an event": (b'data: {"type": "x"}\n', DELTA + HI + b"\n\n"),
    "inside an event with a name": (b"event: x\n", DELTA + HI + b"\n\n"),
    "after a carriage return": (b":\r", DELTA + HI + b"\n\n"),
    "after half a byte order mark": (BOM[:2], DELTA + HI + b"\n\n"),
    **{f"data: {name}": (b"", DELTA + data + b"\n\n") for name, data in NOT_OBJECTS.items()},
}


def outcome(*chunks):
    """The events of these chunks, and the error that ends them."""
    decoder, events = MessageDecoder(), []
    try:
        for chunk in chunks:
            events.extend(decoder.feed(chunk))
    except ProtocolError as error:
        return events, str(error)
    return events, ""


@pytest.mark.parametrize(("before", "chunk"), DELTAS.values(), ids=DELTAS)
def test_a_chunk_that_looks_like_one_delta_is_read_like_any_other(before, chunk):
    """What a whole chunk gives is what its bytes give one by one, whatever came before and comes behind."""
    start, end = b":\n\n" + before, b'\n\ndata: {"type": "end"}\n\n'
    assert outcome(start, chunk, end) == outcome(*single_bytes(start + chunk + end))
    assert outcome(before, chunk, end) == outcome(*single_bytes(before + chunk + end))


def test_only_the_first_byte_order_mark_of_a_stream_is_dropped():
    """Also where whole deltas come first."""
    delta = DELTA + HI + b"\n\n"
    assert len(messages_of(delta, delta, BOM + delta, delta)) == 4
    assert [event.type for event in messages_of(delta, BOM + b'data: {"type": "x"}\n\n', delta)] == [
        "content_block_delta",
        "content_block_delta",
    ]


@pytest.mark.parametrize("data", NOT_OBJECTS.values(), ids=NOT_OBJECTS)
def test_data_that_is_no_JSON_object_is_a_protocol_error(data):
    """Case 13: one line with the start of the data, escaped, and a cure."""
    with pytest.raises(ProtocolError, match="not a JSON object") as caught:
        messages_of(b"event: x\ndata: " + data + b"\n\n")
    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_events_before_a_malformed_one_are_not_lost():
    """Case 13: what is complete comes out first, even when it arrived in the same chunk."""
    arrived = iter(MessageDecoder().feed(b'data: {"type": "a"}\n\ndata: {"type": "b"}\n\ndata: {\n\n'))
    assert [next(arrived).type, next(arrived).type] == ["a", "b"]
    with pytest.raises(ProtocolError):
        next(arrived)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [(b"ping", b'{"type": "pong"}', "pong"), (b"ping", b"{}", "ping"), (b"", b"{}", ""), (b"e", b'{"type": 5}', "e")],
    ids=["both", "name only", "neither", "type is no string"],
)  # fmt: skip
def test_the_type_in_the_JSON_wins_over_the_name(name, data, kind):
    """Case 7: the name of the event only stands in where the JSON has no type."""
    assert parse_event(ServerSentEvent(name, data)).type == kind


@pytest.mark.parametrize("around", [b"%s ", b" %s", b"\t%s\r", b" %s\n\n"], ids=repr)
def test_white_space_around_the_JSON_is_none_of_it(around):
    """As JSON has it (RFC 8259, section 2)."""
    assert parse_event(ServerSentEvent(b"", around % b'{"type": "ping"}')) == Event("ping", {"type": "ping"})


@pytest.mark.parametrize("second", [b"{}", b" {}", b"x", b"\x00", b","], ids=repr)
def test_what_follows_the_object_makes_it_no_JSON(second):
    """One event holds one object."""
    with pytest.raises(ProtocolError, match="not a JSON object"):
        parse_event(ServerSentEvent(b"", b'{"type": "ping"}' + second))


@pytest.mark.parametrize("name", [b"", b"ping", b"message_stop"])
def test_an_event_with_empty_data_carries_nothing(name):
    """Case 7: it is dispatched, but it neither fails the answer nor ends it."""
    assert messages_of(b"event: " + name + b"\ndata:\n\n") == [Event("", {})]


def fed_until_refused(chunk):
    """How many bytes of 50 MiB, fed in such chunks, are taken before the protocol error."""
    decoder, fed = MessageDecoder(), 0
    while fed < 50 * MIB:
        try:
            decoder.feed(chunk)
        except ProtocolError as error:
            return fed, str(error)
        fed += len(chunk)
    return fed, ""


@pytest.mark.parametrize(
    "chunk",
    [b"x" * 65536, (b"data: " + b"x" * 8000 + b"\n") * 16],
    ids=["line", "lines"],
)
def test_a_gigantic_event_is_refused_before_it_fills_the_memory(chunk):
    """Case 13: one endless line, or endless lines of one event, are an error once 32 MiB have come."""
    fed, message = fed_until_refused(chunk)
    assert "32 MiB" in message
    assert fed <= MAX_EVENT_BYTES


def test_a_long_answer_of_small_events_is_never_too_large():
    """The limit is for one event, also when every chunk ends inside an event."""
    decoder, chunk = EventDecoder(), [b"data: " + b"x" * MIB, b"", b"data: {}"]
    dispatched = sum(len(decoder.feed(chunk)) for _ in range(40))
    assert dispatched == 40


def test_an_event_below_the_limit_arrives_whole():
    """A search result of many megabytes is an event like any other."""
    data = b'{"type": "big", "content": "' + b"y" * (8 * MIB) + b'"}'
    (event,) = messages_of(*split_at(b"data: " + data + b"\n\n", range(0, 9 * MIB, 65536)))
    assert len(event.data["content"]) == 8 * MIB


@pytest.mark.parametrize(
    ("data", "text", "thinking"),
    [
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}, "a", ""),
        ({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "b"}}, "", "b"),
        ({"type": "content_block_delta", "delta": {"type": "text_delta", "text": None}}, "", ""),
        ({"type": "content_block_delta", "delta": {"type": "text_delta"}}, "", ""),
        ({"type": "content_block_delta", "delta": None}, "", ""),
        ({"type": "content_block_delta"}, "", ""),
        ({"type": "message_stop", "delta": {"type": "text_delta", "text": "no"}}, "", ""),
    ],
)
def test_an_event_says_what_it_adds(data, text, thinking):
    """`text` and `thinking` are what a display appends; they are empty for anything else."""
    event = Event(data["type"], data)
    assert (event.text, event.thinking) == (text, thinking)
