"""How a growing answer is divided into outputs that stay still and one that grows."""

from __future__ import annotations

import tracemalloc

import pytest

from vertex_claude_magic.markdown.sanitize import safe_blocks, safe_markdown
from vertex_claude_magic.notebook.display.segments import OutputBody, Segments, cost, cut

LONG_CODE = "```python\n" + "".join(f"value_{n} = f({n})  # line {n}\n" for n in range(250)) + "```"
LONG_LIST = "\n".join(
    f"{n}. item number {n} of a long list\n     - with a part\n     - and another" for n in range(1, 150)
)
LONG_TABLE = "| n | what |\n|---|------|\n" + "\n".join(f"| {n} | row number {n} |" for n in range(200))
LONG_PARAGRAPH = " ".join(f"Sentence number {n} says little." for n in range(350))
LONG_LINES = "\n".join(f"Line {n} of a paragraph with many lines in it" for n in range(200))
LONG_WORD = "x" * 9_000
LONG_QUOTE = "\n".join(f"> line {n} of a long quotation" for n in range(250))
CODE_IN_LIST = (
    "1. Do this:\n\n   ```sh\n" + "".join(f"   echo {n}\n" for n in range(500)) + "   ```\n\n2. Done."
)
CHINESE = "模型返回的文字很长。" * 500
ESCAPES = "a < b && c > d\n" * 400
ORDINARY = "\n\n".join(
    f"## Part {n}\n\nSome *prose* with `code` and **weight**, {n} times.\n\n- one\n- two\n\n"
    f"```python\nprint({n})\n```\n\n| a | b |\n|---|---|\n| {n} | 2 |"
    for n in range(50)
)
TEXTS = {
    "ordinary": ORDINARY,
    "code": LONG_CODE,
    "list": LONG_LIST,
    "table": LONG_TABLE,
    "paragraph": LONG_PARAGRAPH,
    "lines": LONG_LINES,
    "word": LONG_WORD,
    "quote": LONG_QUOTE,
    "code in a list": CODE_IN_LIST,
    "chinese": CHINESE,
    "escapes": ESCAPES,
    "mixed": f"{LONG_PARAGRAPH[:4000]}\n\n{LONG_CODE}\n\n{LONG_LIST}\n\nThe end.",
}

CUTS = [
    ("code at a line end", "```py\na = 1\nb = 2\nc", 8, False, "c", "```py\n"),
    ("code never before its closing fence", "~~~\na\nb\n~~~", 4, False, "b\n~~~", "~~~\n"),
    ("code nowhere fresh", "```py\na = 1\nb = 2", 14, False, None, None),
    ("code by force", "```py\na = 1\nb = 2", 14, True, "", "```py\n"),
    ("table between rows", "|a|b|\n|-|-|\n|1|2|\n|3|", 12, False, "|3|", "|a|b|\n|-|-|\n"),
    ("table head kept whole", "|a|b|\n|-|-|\n|1|", 0, False, None, None),
    ("list between items", "- one\n- two\n  more\n- three", 2, False, "- three", ""),
    ("list inside an item only by force", "- one\n  two\n  three", 4, False, None, None),
    ("list inside an item", "- one\n  two\n  three", 4, True, "  three", "- …\n"),
    ("numbers go on", "9. nine\n10. ten\n    more", 17, True, "more", "10. …\n"),
    ("code in a list", "1. do\n   ```sh\n   a\n   b", 15, True, "   b", "1. …\n   ```sh\n"),
    ("item marks inside code are code", "- do\n  ```\n- x\n  y", 6, False, None, None),
    ("paragraph at a line end", "one two\nthree four", 2, False, "three four", ""),
    ("paragraph at a space by force", "one two three", 5, True, "three", ""),
    ("paragraph not at a space", "one two three", 5, False, None, None),
    ("a word has no good place", "abcdef", 2, True, "", ""),
]


@pytest.mark.parametrize(
    ("block", "after", "forced", "rest", "reopen"), [c[1:] for c in CUTS], ids=[c[0] for c in CUTS]
)
def test_an_open_block_is_cut_where_it_reads_best(block, after, forced, rest, reopen):
    """The next output begins with the rest and with what it needs to read the same."""
    place = cut(block, after, forced=forced)
    found = None if place is None else (block[place.at :], place.reopen)
    assert found == (None if rest is None else (rest, reopen))


def stream(segments, text, size):
    """Feed text in pieces and yield (closed outputs, present body) after each."""
    closed = []
    for start in range(0, len(text), size):
        segments.append(text[start : start + size])
        while segments.pending:
            if full := segments.step():
                closed.append(full)
        yield closed, segments.body()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_no_output_is_too_large(text):
    """Every output stays below 7,700 bytes, which leaves space for the message around it."""
    segments = Segments(safe_blocks, outputs=1000)
    for closed, body in stream(segments, text, 160):
        assert max(cost(b.markdown) + cost(b.plain) for b in [*closed[-1:], body]) < 7_700


@pytest.mark.parametrize("size", [170, 1500, 10**6])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_the_whole_is_what_the_sanitizer_says_of_the_whole(text, size):
    """However the text was divided on the way, its last Markdown is that of the undivided text."""
    segments = Segments(safe_blocks, outputs=45)
    for _ in stream(segments, text, size):
        pass
    assert segments.whole(text) == safe_markdown(text)
    assert segments.holds(text)
    assert not segments.holds(text[:-1])


@pytest.mark.parametrize("piece", ["word ", "word\n", "x"])
def test_a_block_without_end_is_not_held_while_it_is_drawn(piece):
    """Its text is that of the reply; what was drawn and is over needs no other copy of it."""
    segments, text = Segments(safe_blocks, outputs=45), piece * (200_000 // len(piece))
    # What is loaded and remembered once is none of it.
    for _ in stream(Segments(safe_blocks, outputs=45), text[:5_000], 100):
        pass
    tracemalloc.start()
    try:
        for start in range(0, len(text), 5_000):
            segments.append(text[start : start + 5_000])
            while segments.pending:
                segments.step()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 100_000
    assert segments.holds(text)
    assert segments.whole(text) == safe_markdown(text)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_text_that_is_seen_stays_where_it_is(text):
    """The text of all outputs in a row only ever grows at its end."""
    segments, before, outputs = Segments(safe_blocks, outputs=1000), "", 0
    for closed, body in stream(segments, text, 170):
        page = "".join("".join([*(b.plain for b in closed), body.plain]).split())
        assert page.startswith(before)
        assert len(closed) - outputs <= 1
        before, outputs = page, len(closed)
    assert before == "".join(text.split())


def test_text_seen_in_one_output_never_moves_to_the_next():
    """What a reader saw in an output is still in that output when it is frozen (no jump)."""
    segments, seen = Segments(safe_blocks, outputs=1000), ""
    for start in range(0, len(LONG_CODE), 170):
        segments.append(LONG_CODE[start : start + 170])
        if full := segments.step():
            assert full.plain.startswith(seen.rstrip())
        seen = segments.body().plain


def test_code_over_several_outputs_keeps_its_language_and_every_line():
    """Each output is a closed block of the same language, and no line is lost or doubled."""
    segments = Segments(safe_blocks, outputs=1000)
    *_, (closed, body) = stream(segments, LONG_CODE, 100)
    assert len(closed) > 1
    assert all(b.markdown.startswith("```python\n") and b.markdown.endswith("\n```") for b in [*closed, body])
    lines = [line for b in [*closed, body] for line in b.markdown.splitlines() if line.startswith("value_")]
    assert lines == [line for line in LONG_CODE.splitlines() if line.startswith("value_")]


def test_a_long_table_repeats_its_head():
    """Each further output of a table is a table."""
    segments = Segments(safe_blocks, outputs=1000)
    *_, (closed, body) = stream(segments, LONG_TABLE, 100)
    assert closed
    assert all("what" in b.markdown.splitlines()[0] for b in [*closed, body])


def test_numbers_of_a_long_list_go_on():
    """The second output of a list does not begin with one again."""
    segments = Segments(safe_blocks, outputs=1000)
    *_, (_, body) = stream(segments, LONG_LIST, 100)
    assert int(body.markdown.split(".")[0]) > 100


def test_the_last_output_is_a_window():
    """When all outputs are used up the last one lets its oldest text go and counts it."""
    segments = Segments(safe_blocks, outputs=3)
    *_, (closed, body) = stream(segments, LONG_PARAGRAPH + "\n\n" + ORDINARY, 100)
    shown = sum(len(b.plain) for b in [*closed, body])
    assert len(closed) == 2
    assert segments.windowed
    assert segments.hidden > 8_000
    assert abs(shown + segments.hidden - len(LONG_PARAGRAPH) - len(ORDINARY)) < 800
    assert ORDINARY.endswith(body.plain[-200:])


def test_one_growing_output_is_never_closed():
    """Without a number of outputs there is one, and it holds everything."""
    segments = Segments(safe_blocks, outputs=None)
    *_, (closed, body) = stream(segments, ORDINARY, 500)
    assert not closed
    assert body.markdown == safe_markdown(ORDINARY)


def test_source_put_before_the_text_is_shown_but_not_part_of_it():
    """A fence around JSON shows in the Markdown only."""
    segments = Segments(safe_blocks, outputs=45)
    segments.open_with("~~~~json\n")
    *_, (_, body) = stream(segments, '{"a": 1}', 3)
    assert "json" in body.markdown
    assert body.plain == '{"a": 1}'
    assert segments.holds('{"a": 1}')


def test_room_may_be_kept_for_something_above_the_text():
    """An output with something above its text is closed earlier, the next one is not."""

    def first_two(reserved):
        segments = Segments(safe_blocks, outputs=1000)
        segments.reserve(reserved)
        *_, (closed, _) = stream(segments, LONG_LINES, 50)
        return [len(body.plain) for body in closed[:2]]

    assert first_two(2_000)[0] < first_two(0)[0] - 800
    assert abs(first_two(2_000)[1] - first_two(0)[1]) < 200


def test_only_the_open_tail_is_parsed_again():
    """A look at the text takes fewer than 8,000 characters; only a block that was cut is once parsed undivided."""
    sizes = []

    def parse(text):
        sizes.append(len(text))
        return safe_blocks(text)

    for _ in stream(Segments(parse, outputs=45), TEXTS["mixed"], 170):
        pass
    assert max(sizes) <= 16_000
    assert sorted(sizes)[-3] < 8_000


FOLD = "<details><summary>f() · 0.1 s</summary>\n\n```\n{}\n```\n\n</details>"


def test_what_is_no_text_stands_between_two_texts_where_it_came():
    """What is open above it is over, also a fence that was never closed; below it another text begins."""
    segments = Segments(safe_blocks, outputs=45)
    for number, text in enumerate(["One.\n\n- a", "", "```python\nx = 1", "Two *three"]):
        segments.append(text)
        segments.insert(OutputBody(markdown=f"<b>{number}</b>", plain=f"[{number}]"))
    segments.append("# The\n\n")
    segments.append("end")
    while segments.pending:
        assert segments.step() is None
    shown = [
        "One.",
        "- a",
        "<b>0</b>",
        "<b>1</b>",
        "```python\nx = 1\n```",
        "<b>2</b>",
        safe_markdown("Two *three"),
        "<b>3</b>",
    ]
    assert segments.body().markdown == "\n\n".join([*shown, "# The", "end"])
    assert segments.holds("# The\n\nend")
    assert segments.whole("# The\n\nend") == "# The\n\nend"


def test_a_text_that_is_not_all_taken_in_is_not_held():
    """Its parts are parsed when the answer is finished."""
    segments = Segments(safe_blocks, outputs=45)
    segments.append("One")
    segments.insert(OutputBody(markdown="<b>1</b>", plain="[1]"))
    segments.append("Two")
    assert not segments.holds("Two")


@pytest.mark.parametrize("outputs", [1000, 3, None])
@pytest.mark.parametrize("size", [10, 900, 2_400])
@pytest.mark.parametrize("text", ["Text.", "word " * 300, LONG_CODE], ids=["short", "paragraph", "code"])
def test_outputs_stay_small_and_in_order_where_texts_have_much_between_them(text, size, outputs):
    segments, closed, folds = Segments(safe_blocks, outputs=outputs, plain=False), [], 12
    for number in range(folds):
        segments.append(text)
        segments.insert(OutputBody(markdown=FOLD.format(f"{number:02}" * (size // 2)), plain=f"[{number}]"))
        while segments.pending:
            if full := segments.step():
                closed.append(full)
            if outputs:
                assert cost(segments.body().markdown) < 6_500
        in_sight = [*closed[-1:], segments.body()]
        assert any(FOLD.format(f"{number:02}" * (size // 2)) in body.markdown for body in in_sight)
    page = "\n\n".join([*[body.plain for body in closed], segments.body().plain])
    marks = [line for line in page.split("\n\n") if line.startswith("[")]
    everything = [f"[{number}]" for number in range(folds)]
    assert marks == (everything if outputs != 3 else [mark for mark in everything if mark in marks])
