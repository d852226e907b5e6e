"""How much an answer sends to the front end: messages in a second, bytes, outputs."""

from __future__ import annotations

import json
import random
import re
from functools import cache
from itertools import pairwise

import pytest

from vertex_claude_magic.markdown.sanitize import safe_markdown
from vertex_claude_magic.notebook.display.live import LiveAnswer
from vertex_claude_magic.vertex.reply import Reply
from vertex_claude_magic.vertex.tool_call import ToolCall

WORDS = [
    "the",
    "model",
    "returns",
    "a",
    "value",
    "that",
    "depends",
    "on",
    "data",
    "and",
    "time",
    "so",
    "we",
    "check",
    "it",
    "with",
    "care",
    "before",
    "use",
]


@cache
def document(size):
    """Write realistic Markdown of so many characters: headings, lists, tables, code, short and long paragraphs."""
    dice = random.Random(7)

    def words(count):
        return " ".join(dice.choices(WORDS, k=count))

    kinds = [
        lambda: f"## {words(4)}",
        lambda: f"{words(60)}. **Bold {words(3)}** and `code` in it.",
        lambda: f"{words(500)}.",
        lambda: "\n".join(f"{n}. {words(12)}" for n in range(1, 9)),
        lambda: "\n".join(f"- {words(9)}\n  - {words(5)}" for _ in range(60)),
        lambda: "```python\n" + "\n".join(f"    v{n} = f({n})  # {words(4)}" for n in range(120)) + "\n```",
        lambda: "| a | b |\n|---|---|\n" + "\n".join(f"| {n} | {words(3)} |" for n in range(90)),
        lambda: f"> {words(40)}",
    ]
    parts, length = [], 0
    while length < size:
        parts.append(dice.choice(kinds)())
        length += len(parts[-1]) + 2
    return "\n\n".join(parts)[:size]


class Timed:
    """A screen that notes when each message came and what it held."""

    def __init__(self):
        self.now = 0.0
        self.messages = []
        self.clears = 0

    def clock(self):
        return self.now

    def note(self, kind, bundle, metadata, display_id):
        content = {"data": dict(bundle), "metadata": dict(metadata), "transient": {"display_id": display_id}}
        size = len(json.dumps(content))
        plain = bundle["text/plain"]
        # A draft that is known to be shown as Markdown has no text beside it.
        text = bundle["text/markdown"] if plain == "…" else plain
        self.messages.append((self.now, kind, size, text, display_id))

    def show(self, bundle, metadata, display_id):
        self.note("show", bundle, metadata, display_id)

    def update(self, bundle, metadata, display_id):
        self.note("update", bundle, metadata, display_id)

    def clear(self):
        self.clears += 1

    @property
    def bytes(self):
        return sum(message[2] for message in self.messages)

    def worst_second(self):
        times = [message[0] for message in self.messages]
        return max(sum(1 for time in times if start <= time <= start + 1) for start in times)


@cache
def play(size, rate, *, in_cell=True, delta=20, markdown=True):
    """Play an answer of `size` characters in deltas at `rate` a second on an invented clock."""
    screen, text = Timed(), document(size)
    answer = LiveAnswer(screen, clock=screen.clock, in_cell=in_cell, markdown=markdown)
    answer.start("claude-sonnet-4-5 · global")
    screen.now = 0.4
    for start in range(0, size, delta):
        answer.text(text[start : start + delta])
        answer.draw()
        screen.now += 1 / rate
    reply = Reply(blocks=({"type": "text", "text": text},), complete=True, stop_reason="end_turn")
    answer.finish(reply, metadata={"model": "m"})
    return screen


# What a front end that shows Markdown is sent, and one of which that is not known.
EITHER = pytest.mark.parametrize("markdown", [True, False])
PLAYS = [(10_000, 100), (40_000, 100), (160_000, 100), (40_000, 800), (160_000, 2_000), (160_000, 5_000)]


@EITHER
@pytest.mark.parametrize("in_cell", [True, False])
@pytest.mark.parametrize(("size", "rate"), PLAYS)
def test_no_second_holds_more_than_15_messages(size, rate, in_cell, markdown):
    """Neither steady text nor a burst draws more often, the finished answer included."""
    assert play(size, rate, in_cell=in_cell, markdown=markdown).worst_second() <= 15


@EITHER
@pytest.mark.parametrize(("size", "rate"), PLAYS[:3])
def test_text_that_comes_is_drawn_at_least_five_times_a_second(size, rate, markdown):
    """No two draws of steady text are further apart than a fifth of a second."""
    times = [message[0] for message in play(size, rate, markdown=markdown).messages[1:]]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 0.2


@pytest.mark.parametrize("seed", range(3))
def test_no_second_of_steady_text_has_less_than_five_draws_on_a_busy_machine(seed):
    """Each look at what has come is up to 0.1 s late there; that does not add up from draw to draw."""
    screen, text, dice = Timed(), document(160_000), random.Random(seed)
    answer = LiveAnswer(screen, clock=screen.clock, in_cell=True, markdown=True)
    answer.start("claude-sonnet-4-5 · global")
    taken = 0
    while taken < len(text):
        screen.now += dice.uniform(0.02, 0.11)
        come = 20 * int(100 * screen.now)
        answer.text(text[taken:come])
        taken = come
        answer.draw()
    times = [message[0] for message in screen.messages]
    seconds = [at for at in times if at + 1 <= times[-1]]
    assert min(sum(at <= time < at + 1 for time in times) for at in seconds) >= 5


@EITHER
@pytest.mark.parametrize(("size", "rate"), PLAYS)
def test_only_the_last_message_is_large(size, rate, markdown):
    """Every message but the last has at most 8,000 bytes."""
    *earlier, last = play(size, rate, markdown=markdown).messages
    assert max(message[2] for message in earlier) <= 8_000
    assert last[3].startswith(document(size).rstrip()[:8_000])
    assert last[2] > 2 * size


@EITHER
@pytest.mark.parametrize("in_cell", [True, False])
@pytest.mark.parametrize(("small", "large"), [(10_000, 40_000), (40_000, 160_000)])
def test_bytes_are_linear_in_the_length(small, large, in_cell, markdown):
    """Four times the answer at the same pace costs at most five times the bytes."""
    assert (
        play(large, 100, in_cell=in_cell, markdown=markdown).bytes
        <= 5 * play(small, 100, in_cell=in_cell, markdown=markdown).bytes
    )


@pytest.mark.parametrize(("size", "rate"), [*PLAYS[:3], (1_000_000, 1_000)])
def test_an_answer_costs_at_most_seven_times_its_length(size, rate):
    """All messages of an answer on the open page, the finished one included."""
    assert play(size, rate).bytes <= 7 * size


@EITHER
@pytest.mark.parametrize("in_cell", [True, False])
@pytest.mark.parametrize("size", [10_000, 40_000, 160_000])
@pytest.mark.parametrize("rate", [20_000, 10**9])
def test_a_burst_costs_at_most_four_times_the_answer(size, rate, in_cell, markdown):
    """What comes all at once is drawn once or twice and then whole."""
    assert play(size, rate, in_cell=in_cell, markdown=markdown).bytes <= 4 * size


@EITHER
@pytest.mark.parametrize(("size", "rate"), PLAYS)
def test_a_cell_shows_all_its_outputs(size, rate, markdown):
    """JupyterLab shows the first 50 outputs of a cell; there are at most 45 while the answer comes."""
    screen = play(size, rate, markdown=markdown)
    assert sum(message[1] == "show" for message in screen.messages[:-1]) <= 45
    assert screen.clears == 1


@EITHER
def test_a_finished_part_is_never_drawn_again(markdown):
    """Once the next output is there, the one before stays as it is."""
    present = None
    for _, kind, _, _, display_id in play(40_000, 100, markdown=markdown).messages[:-1]:
        present = display_id if kind == "show" else present
        assert display_id == present


@EITHER
@pytest.mark.parametrize("rate", [100, 800])
def test_text_on_the_page_never_vanishes(rate, markdown):
    """The page, read as one text, only grows at its end until the finished answer takes its place."""
    page, before = {}, ""
    for _, _, _, plain, display_id in play(40_000, rate, markdown=markdown).messages[1:-1]:
        page[display_id] = re.sub(r"(<small>)?◌.*", "", plain)
        text = re.sub(r"\W", "", "".join(page.values()))
        assert text.startswith(before)
        before = text


@EITHER
def test_the_interval_of_one_growing_output_grows_with_it(markdown):
    """Outside a cell of its own the whole is drawn again, in proportion to its length more seldom."""
    times = [message[0] for message in play(160_000, 100, in_cell=False, markdown=markdown).messages]
    assert times[10] - times[9] < 0.2
    assert times[-2] - times[-3] > 2


@EITHER
def test_text_hidden_from_the_last_output_is_counted(markdown):
    """When all outputs are used up the last one says how much is above it, and the end has it all."""
    *_, live, last = play(160_000, 100, markdown=markdown).messages
    assert "more characters, shown in full at the end" in live[3]
    assert "characters more" not in last[3]


def test_a_minute_at_5000_deltas_a_second_loses_nothing():
    """Case 70: messages stay few and small, the text complete."""
    screen, piece = Timed(), "some *text* \n"
    answer = LiveAnswer(screen, clock=screen.clock, in_cell=True)
    answer.start("claude-sonnet-4-5 · global")
    for count in range(300_000):
        answer.text("\n" if count % 50 == 0 else piece[count % 3 : count % 3 + 4])
        if count % 25 == 0:
            answer.draw()
        screen.now += 1 / 5_000
    text = "".join("\n" if count % 50 == 0 else piece[count % 3 : count % 3 + 4] for count in range(300_000))
    answer.finish(Reply(blocks=({"type": "text", "text": text},), complete=True), metadata={})
    assert screen.worst_second() <= 15
    assert max(message[2] for message in screen.messages[:-1]) <= 8_000
    assert screen.messages[-1][3].startswith(text)


@pytest.mark.parametrize("piece", ["{} ", "{}.\n\n"])
def test_a_flood_is_seen_as_it_comes_once_all_outputs_are_used_up(piece):
    """The last output does not fall behind: it shows what has come within the last half second."""
    screen, per_second, seconds = Timed(), 4_000, 15
    answer = LiveAnswer(screen, clock=screen.clock, in_cell=True, markdown=True)
    answer.start("claude-sonnet-4-5 · global")
    for number in range(seconds * per_second):
        answer.text(piece.format(number))
        if number % 20 == 0:
            answer.draw()
        screen.now += 1 / per_second
    text = screen.messages[-1][3]
    assert max(map(int, re.findall(r"\d+", text))) >= (seconds - 0.5) * per_second
    moving = [each[3] for each in screen.messages if "more characters, shown in full at the end" in each[3]]
    assert min(len(text.partition("…</small>")[2].partition("<small>")[0]) for text in moving) >= 200
    assert max(message[2] for message in screen.messages) <= 8_000


def test_the_finished_answer_is_that_of_the_undivided_text():
    """What was kept from the way gives the same Markdown as the whole text at once."""
    screen, text = Timed(), document(40_000)
    bundles = []
    screen.show = lambda bundle, metadata, display_id: bundles.append(bundle)
    answer = LiveAnswer(screen, clock=screen.clock, in_cell=True)
    answer.start("m")
    for start in range(0, len(text), 150):
        answer.text(text[start : start + 150])
        answer.draw()
        screen.now += 0.1
    answer.finish(Reply(blocks=({"type": "text", "text": text},), complete=True), metadata={})
    assert bundles[-1]["text/markdown"].startswith(safe_markdown(text) + "\n\n<details><summary><small>")


@cache
def play_calls(calls, *, printed, in_cell=True, markdown=True, seconds=0.5):
    """Play an answer that calls functions, each in a round of its own, with this many characters of output."""
    screen, text = Timed(), document(300)
    answer = LiveAnswer(screen, clock=screen.clock, in_cell=in_cell, markdown=markdown)
    answer.start("claude-sonnet-4-5 · global")
    parts, done = [], []
    for number in range(calls):
        for start in range(0, len(text), 20):
            screen.now += 0.02
            answer.text(text[start : start + 20])
            answer.draw()
        answer.runs(f"load(n={number})")
        answer.draw()
        screen.now += seconds
        value = f"{number} " * (printed // 2)
        call = ToolCall(
            id="t", name="load", arguments={"n": number}, content=value, printed=value, seconds=seconds
        )
        answer.called(call)
        answer.draw()
        done.append(call)
        parts.append(Reply(blocks=({"type": "text", "text": text},), tool_calls=(call,), complete=True))
    end = Reply(blocks=({"type": "text", "text": "End."},), complete=True, stop_reason="end_turn")
    whole = Reply(
        blocks=end.blocks, complete=True, stop_reason="end_turn", parts=(*parts, end), tool_calls=tuple(done)
    )
    answer.finish(whole, metadata={"model": "m"})
    return screen


CALLED = [(10, 10), (10, 5_000), (60, 900), (60, 5_000)]


@EITHER
@pytest.mark.parametrize("in_cell", [True, False])
@pytest.mark.parametrize("seconds", [0.0, 0.5])
@pytest.mark.parametrize(("calls", "printed"), CALLED)
def test_calls_keep_to_15_messages_a_second(calls, printed, seconds, in_cell, markdown):
    """Also those that take no time at all."""
    screen = play_calls(calls, printed=printed, seconds=seconds, in_cell=in_cell, markdown=markdown)
    assert screen.worst_second() <= 15


@EITHER
@pytest.mark.parametrize(("calls", "printed"), CALLED)
def test_calls_keep_to_messages_and_outputs_of_a_cell(calls, printed, markdown):
    """Of much output a draft shows less."""
    *earlier, last = play_calls(calls, printed=printed, markdown=markdown).messages
    assert max(message[2] for message in earlier) <= 8_000
    assert sum(message[1] == "show" for message in earlier) <= 45
    assert last[3].count("[load(") == calls


@EITHER
@pytest.mark.parametrize("printed", [10, 900, 5_000])
def test_bytes_are_linear_in_the_number_of_calls(printed, markdown):
    """A call that has ended stays still; four times as many cost at most five times the bytes."""
    few, many = (play_calls(calls, printed=printed, markdown=markdown).bytes for calls in (10, 40))
    assert many <= 5 * few


@EITHER
def test_calls_that_have_ended_stay_on_the_page(markdown):
    """Read as one text, it only grows at its end, but for the line of what runs."""
    page, before = {}, ""
    for _, _, _, shown, display_id in play_calls(30, printed=900, markdown=markdown).messages[1:-1]:
        page[display_id] = re.sub(r"(\n*Running [^\n]*)?\n*(<small>)?◌.*", "", shown)
        text = re.sub(r"\W", "", "".join(page.values()))
        assert text.startswith(before)
        before = text
    assert before.count("load") == 30
