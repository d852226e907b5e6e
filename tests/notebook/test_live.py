"""What a reader sees of an answer while it comes, and what stays of it."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from markdown_it import MarkdownIt
from nbconvert.filters import markdown2html

from vertex_claude_magic.chats.tools.wording import call_in_full
from vertex_claude_magic.markdown.sanitize import safe_markdown
from vertex_claude_magic.notebook.display.live import LiveAnswer
from vertex_claude_magic.notebook.display.output import Pace
from vertex_claude_magic.notebook.display.tool_calls import call_line
from vertex_claude_magic.records.provenance import METADATA_KEY, answer_edited
from vertex_claude_magic.vertex.reply import Reply, Usage
from vertex_claude_magic.vertex.tool_call import ToolCall

LABEL = "claude-sonnet-4-5 · global"
HOSTILE_THINKING = "So.</details><script>alert(1)</script>\n\n```\n</details>\nunclosed <summary>"
SURROGATE = "bad \ud800 half"


class Recorder:
    """A screen that remembers every message as (kind, bundle, metadata, display id)."""

    def __init__(self):
        self.log = []

    def show(self, bundle, metadata, display_id):
        self.log.append(("show", dict(bundle), dict(metadata), display_id))

    def update(self, bundle, metadata, display_id):
        self.log.append(("update", dict(bundle), dict(metadata), display_id))

    def clear(self):
        self.log.append(("clear", {}, {}, None))

    @property
    def kinds(self):
        return [entry[0] for entry in self.log]

    @property
    def last(self):
        return self.log[-1][1]


class Clock:
    """Seconds that the test moves."""

    now = 100.0

    def __call__(self):
        return self.now


def reply(text="", *, thinking="", **fields):
    """Build a finished reply."""
    blocks = [{"type": "thinking", "thinking": thinking}] if thinking else []
    values = {"complete": True, "stop_reason": "end_turn", "model": "claude-sonnet-4-5", "region": "global"}
    usage = Usage(input_tokens=5, output_tokens=7)
    return Reply(blocks=(*blocks, {"type": "text", "text": text}), usage=usage, **{**values, **fields})


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def screen():
    return Recorder()


@pytest.fixture
def build(screen, clock):
    """Return a function that makes and starts an answer on the recorder."""

    def start(**options):
        answer = LiveAnswer(screen, clock=clock, **{"in_cell": True, **options})
        answer.start(LABEL)
        return answer

    return start


def test_something_is_shown_before_anything_comes(build, screen):
    """The first paint names model and region, at once."""
    build()
    assert screen.kinds == ["show"]
    assert LABEL in screen.last["text/plain"]
    assert "◌" in screen.last["text/markdown"]


def test_a_status_is_drawn_at_once(build, screen):
    """Whoever says what it waits for may block right after, so there is no waiting for the next draw."""
    answer = build()
    answer.status("looking for Google credentials")
    assert answer.due_in() == 0
    answer.draw()
    assert "looking for Google credentials" in screen.last["text/plain"]


def test_what_happens_between_two_rounds_is_drawn_at_once(build, screen):
    """A function that is called may block right after, also where something was drawn just now."""
    answer = build()
    for name in ("first", "second"):
        answer.runs(f"{name}()")
        assert answer.due_in() == 0
        answer.draw()
        assert f"Running {name}()" in screen.last["text/markdown"]


FORMATS = {"markdown": "text/markdown", "json": "text/markdown", "text": "text/plain"}


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("in_cell", [True, False])
def test_one_line_says_what_runs_and_a_call_that_has_ended_is_the_line_that_it_will_be(
    build, screen, clock, kind, in_cell
):
    """Whatever the format, in a cell and elsewhere; the text of the next round is below the calls of the one before."""
    answer, calls, parts = build(in_cell=in_cell, format=kind), [], []
    page = FORMATS[kind]
    for number in range(3):
        clock.now += 1
        answer.text(f"Part {number}")
        answer.draw()
        for name in ("load", "fail"):
            answer.runs(f"{name}(n={number})")
            answer.draw()
            assert screen.last[page].count("Running") == 1
            clock.now += 0.1
            calls.append(
                ToolCall(
                    id="t",
                    name=name,
                    arguments={"n": number},
                    content="1",
                    seconds=2,
                    is_error=name == "fail",
                )
            )
            answer.called(calls[-1])
            clock.now += 0.1
            answer.draw()
            assert "Running" not in screen.last[page]
            lines = re.findall(r"(?:load|fail)\(n.*?\) · (?:error · )?2\.0 s", unescape(screen.last[page]))
            assert lines == [call_line(call) for call in calls]
        parts.append(reply(f"Part {number}", tool_calls=tuple(calls[-2:]), stop_reason="tool_use"))
    clock.now += 1
    answer.text("Part 3")
    answer.draw()
    draft = screen.last[page]
    answer.finish(reply("Part 3", parts=(*parts, reply("Part 3")), tool_calls=tuple(calls)), metadata={})
    if kind == "markdown":
        assert screen.last[page].startswith(draft.partition("\n\n<small>◌")[0])
    marks = re.findall(r"Part \d|(?:load|fail)\(", draft)
    assert marks == [mark for number in range(3) for mark in (f"Part {number}", "load(", "fail(")] + [
        "Part 3"
    ]


def test_a_call_that_waits_for_a_yes_is_in_sight_before_somebody_is_asked(build, screen):
    """However much was drawn within this second, because whoever answers must have been able to read it."""
    answer = build()
    for number in range(40):
        answer.between(f"Line {number}")
        answer.draw()
    assert answer.asks('run(code="1")')
    assert 'run(code="1")' in screen.last["text/markdown"]


@pytest.mark.parametrize("said", ["asks", "runs"])
@pytest.mark.parametrize("above", ["", "Let me look."])
@pytest.mark.parametrize("waits", ["", "thinking"])
def test_a_call_that_has_ended_waits_for_nobody(build, screen, clock, said, above, waits):
    """Where the answer does not stream, the next status alone tells that the call is over."""
    answer = build()
    if above:
        answer.between(above)
        answer.draw()
    getattr(answer, said)("rm(path=1)")
    clock.now += 1
    answer.draw()
    assert "rm(path=1)" in screen.last["text/markdown"]
    answer.status(waits)
    clock.now += 1
    answer.draw()
    assert "rm(path=1)" not in screen.last["text/markdown"]
    assert above in screen.last["text/markdown"]


CALLS = {
    "short": {"path": "a"},
    "lines": {"sql": "a\n" * 1_500, "path": "a" * 70},
    "signs of many bytes": {"sql": "日\n" * 1_000, "path": "a" * 70},
    "what JSON escapes": {"sql": '"\\' * 1_500, "path": "a" * 70},
    "no sign of its own": {"sql": "\U000e0101" * 1_000, "path": "a" * 70},
    "many": {f"p{number}": "日\n" * 70 for number in range(60)},
}
# What has come when the call does: what is thought, what is read, and how much of that at a time.
COME = {
    "nothing": ("", "", 1),
    "thinking": ("我想一想<b> " * 100, "", 1),
    "a little": ("", "Let me look.", 100),
    "thinking and text": ("我想一想<b> " * 100, "word " * 300, 100),
    "text that fills outputs": ("", ("word " * 12 + "\n\n") * 100, 100),
    "text all at once": ("", ("字 " * 12 + "\n\n") * 100, 10**6),
    "more than all outputs hold": ("", ("word " * 60 + "\n\n") * 1_000, 10_000),
}


@pytest.mark.parametrize("markdown", [True, False])
@pytest.mark.parametrize("come", COME)
@pytest.mark.parametrize("call", CALLS)
def test_a_question_before_a_call_is_no_larger_than_another_update(
    build, screen, clock, call, come, markdown
):
    """Design of updates: 8,000 bytes on the wire; all text stands above it, and no argument pushes another one out."""
    answer, (thinking, text, piece) = build(markdown=markdown, show_thinking=True), COME[come]
    answer.thinking(thinking)
    for start in range(0, len(text), piece):
        answer.text(text[start : start + piece])
        answer.draw()
        clock.now += 0.3
    assert answer.asks(call_in_full("run", CALLS[call]))
    question = screen.last["text/markdown"]
    sizes = [len(json.dumps(bundle, ensure_ascii=False).encode()) for _, bundle, *_ in screen.log]
    assert max(sizes) <= 8_000
    assert sum(kind == "show" for kind in screen.kinds) <= 45
    assert all(f"{name}=" in question for name in CALLS[call])
    assert (call == "short") is ("characters more)" not in question)
    if come != "more than all outputs hold":
        page = "".join({shown: bundle["text/markdown"] for _, bundle, _, shown in screen.log}.values())
        assert [page.count(word) for word in ("word", "字", "look")] == [
            text.count(word) for word in ("word", "字", "look")
        ]
    clock.now += 2
    answer.called(ToolCall(id="t", name="run", content="1", seconds=1))
    answer.draw()
    assert "Runs only after your yes" not in screen.last["text/markdown"]


def test_where_an_output_cannot_change_the_line_that_asks_has_the_call(build, screen):
    for options in ({"live": False}, {"quiet": True}):
        assert build(**options).asks("run()") is False
    assert screen.log == []


def test_the_same_status_is_not_drawn_twice(build, screen):
    """Repeating a status draws nothing."""
    answer = build()
    for _ in range(3):
        answer.status("waiting")
        answer.draw()
    assert screen.kinds == ["show", "update"]


def test_the_seconds_of_waiting_tick_once_a_second(build, screen, clock):
    """While nothing comes, the line says how long it has been."""
    answer = build()
    assert answer.due_in() == pytest.approx(1.0)
    clock.now += 1.01
    answer.draw()
    assert screen.last["text/plain"].endswith("· 1 s")
    assert answer.due_in() == pytest.approx(1.0)


@pytest.mark.parametrize("in_cell", [True, False])
def test_a_draft_of_a_long_answer_says_what_will_hold_it(build, screen, clock, in_cell):
    """A page that is loaded again meanwhile keeps that draft, and nothing that comes reaches it."""
    line = "in answer when complete"
    answer = build(in_cell=in_cell, kept_in="answer")
    clock.now += 1.01
    answer.draw()
    assert line not in screen.last["text/markdown"]
    clock.now += 2
    answer.draw()
    assert f"{LABEL} · 3 s · {line}" in screen.last["text/markdown"]
    answer.text("First.")
    answer.draw()
    assert screen.last["text/markdown"].endswith(f"◌ {LABEL} · {line}</small>")
    answer.finish(reply("First."), metadata={})
    assert line not in str(screen.last)


def test_the_first_text_is_drawn_at_once(build, screen, clock):
    """No throttle stands before the first text, however young the last draw is."""
    answer = build()
    answer.status("waiting for the answer")
    answer.draw()
    clock.now += 0.001
    answer.text("Hello")
    assert answer.due_in() == 0
    answer.draw()
    assert screen.last["text/plain"].startswith("Hello")
    assert "waiting for the answer" not in screen.last["text/plain"]


def test_later_text_waits_for_its_turn(build, screen, clock):
    """The second text is drawn a twelfth of a second after the first."""
    answer = build()
    answer.text("one ")
    answer.draw()
    answer.text("two")
    assert answer.due_in() == pytest.approx(1 / 12)
    answer.draw()
    assert len(screen.log) == 2
    clock.now += 0.084
    answer.draw()
    assert screen.last["text/plain"].startswith("one two")


def test_nothing_is_due_when_nothing_is_new(build):
    """After the text so far is drawn there is nothing to wake up for."""
    answer = build()
    answer.text("one")
    answer.draw()
    assert answer.due_in() is None


def test_the_finished_answer_is_one_static_output(build, screen):
    """In a cell of its own all outputs give way to one, which has text, footer and metadata."""
    answer = build()
    answer.text("**Hi** there")
    answer.draw()
    answer.finish(reply("**Hi** there"), notes=["Answered by the emulator."], metadata={"model": "m"})
    assert screen.kinds[-2:] == ["clear", "show"]
    _, bundle, metadata, display_id = screen.log[-1]
    assert bundle["text/markdown"].startswith("**Hi** there\n\n<details><summary><small>")
    assert "emulator" in bundle["text/markdown"]
    assert bundle["text/plain"].startswith("**Hi** there\n\nSonnet 4.5 · ")
    assert (metadata[METADATA_KEY]["model"], display_id) == ("m", None)
    assert answer_edited(bundle, metadata[METADATA_KEY]["answer_hash"]) is False
    assert answer.due_in() is None


def test_outside_a_cell_of_its_own_there_is_one_output_all_along(build, screen, clock):
    """Nothing of the cell is cleared there: one display id is drawn again to the end."""
    answer = build(in_cell=False)
    for _ in range(50):
        answer.text("word " * 40)
        clock.now += 0.1
        answer.draw()
    answer.finish(reply("word " * 2000), metadata={})
    assert screen.kinds[0] == "show"
    assert set(screen.kinds[1:]) == {"update"}
    assert len({entry[3] for entry in screen.log}) == 1
    assert "small" in screen.last["text/markdown"]


def test_an_answer_that_was_not_streamed_is_shown_whole(build, screen):
    """A replayed reply never came as deltas."""
    build().finish(reply("All at once."), metadata={})
    assert screen.last["text/plain"].startswith("All at once.")


def test_definitions_of_links_reach_back(build, screen):
    """A link whose definition comes last is a link in the finished answer."""
    text = "See [the page][1].\n\nMore.\n\n[1]: https://example.com/page"
    answer = build()
    answer.text(text)
    answer.draw()
    answer.finish(reply(text), metadata={})
    assert screen.last["text/markdown"].startswith(safe_markdown(text))
    assert "example.com/page" in screen.last["text/markdown"]


def test_a_partial_answer_is_marked(build, screen):
    """An interrupted answer keeps what had arrived and says that it stopped."""
    answer = build()
    answer.text("As far as it")
    answer.finish(reply("As far as it", complete=False, stop_reason=None), metadata={})
    assert screen.last["text/plain"].startswith("As far as it\n\n⚠ Stopped. This is a partial answer")
    assert "⚠ Stopped. This is a partial answer" in screen.last["text/markdown"]


def test_quiet_shows_nothing(build, screen):
    """Not even the first paint or the finished answer."""
    answer = build(quiet=True)
    answer.status("waiting")
    answer.text("text")
    answer.draw()
    assert answer.due_in() is None
    answer.finish(reply("text"), metadata={})
    answer.abandon()
    assert screen.log == []


def test_without_display_updates_there_is_only_the_finished_answer(build, screen):
    """Case 71: no pile of outputs where none can be changed."""
    answer = build(live=False)
    answer.status("waiting")
    for _ in range(100):
        answer.text("text ")
        answer.draw()
    answer.finish(reply("text " * 100), metadata={})
    assert screen.kinds == ["show"]


@pytest.mark.parametrize(("in_cell", "kind"), [(True, "clear"), (False, "update")])
def test_an_abandoned_answer_leaves_no_header_behind(build, screen, in_cell, kind):
    """Before an error is shown the waiting line goes away, and nothing more is drawn."""
    answer = build(in_cell=in_cell)
    answer.abandon()
    answer.text("late")
    answer.draw()
    assert screen.kinds == ["show", kind]
    assert not any(screen.last.values())


def test_thinking_is_shown_as_it_comes_and_folded_at_the_end(build, screen, clock):
    """While it streams only its last lines are there, at the end all of it above the answer."""
    thinking = "\n".join(f"Thought number {n}." for n in range(200))
    answer = build(show_thinking=True)
    answer.thinking(thinking)
    answer.draw()
    assert "<details open>" in screen.last["text/markdown"]
    assert "Thought number 199" in screen.last["text/plain"]
    assert len(screen.last["text/markdown"]) < 1_000
    answer.text("Answer.")
    answer.draw()
    assert screen.last["text/markdown"].startswith("<details><summary>")
    answer.finish(reply("Answer.", thinking=thinking), metadata={})
    assert "Thought number 0" in screen.last["text/markdown"]
    assert "Thought" not in screen.last["text/plain"]


def test_thinking_is_not_shown_unless_asked_for(build, screen):
    """It only makes the waiting line say so."""
    answer = build()
    answer.thinking("secret plan")
    answer.draw()
    assert "thinking" in screen.last["text/plain"]
    answer.finish(reply("Answer.", thinking="secret plan"), metadata={})
    assert "secret plan" not in json.dumps(screen.log)


@pytest.mark.parametrize(
    "render", [markdown2html, MarkdownIt("commonmark").render], ids=["nbconvert", "markdown-it"]
)
def test_thinking_cannot_leave_its_fold(build, screen, render):
    """Case 51: no text in the thinking closes the fold or becomes an element."""
    build(show_thinking=True).finish(reply("The *answer*.", thinking=HOSTILE_THINKING), metadata={})
    html = render(screen.last["text/markdown"])
    inside, _, outside = html.partition("</details>")
    assert "unclosed" in inside
    assert "<script" not in html
    assert html.count("</details>") == html.count("<details>") == html.count("<summary>") == 2
    assert "<em>answer</em>" in outside


@pytest.mark.parametrize(
    "render", [markdown2html, MarkdownIt("commonmark").render], ids=["nbconvert", "markdown-it"]
)
def test_markdown_inside_the_fold_is_markdown(build, screen, render):
    """Blank lines end the HTML block before and after the thinking."""
    build(show_thinking=True).finish(reply("Yes.", thinking="- one\n- **two**"), metadata={})
    html = render(screen.last["text/markdown"])
    assert "<strong>two</strong>" in html.partition("</details>")[0]


def test_text_is_shown_literally(build, screen):
    """With the format "text" there is only text/plain."""
    answer = build(format="text")
    answer.text("# not a *heading*")
    answer.draw()
    assert list(screen.last) == ["text/plain"]
    answer.finish(reply("# not a *heading*"), metadata={})
    assert list(screen.last) == ["text/plain"]
    assert screen.last["text/plain"].startswith("# not a *heading*\n\n")


@pytest.mark.parametrize(
    "text", ['{"a":[1,"é"]}', '```json\n{"a":[1,"é"]}\n```', '\n~~~\n{"a":[1,"é"]}\n~~~\n']
)
def test_json_is_indented_at_the_end(build, screen, text):
    """A reply that is one fenced block counts as what is in it; while it comes it is code."""
    answer = build(format="json")
    answer.text(text)
    answer.draw()
    assert "a" in screen.last["text/markdown"]
    answer.finish(reply(text), metadata={})
    assert screen.last["text/plain"].startswith('{\n  "a": [\n    1,\n    "é"\n  ]\n}\n\n')
    assert screen.last["text/markdown"].startswith("```json\n{\n")


@pytest.mark.parametrize(
    "text",
    [
        "{'a': 1}",
        '{"a": ',
        "Sure: {}",
        "```json\n{]\n```",
        "9" * 5_000,
        "[" * 100_000,
        "[NaN, 1]",
        '{"a": -Infinity}',
        "[1e999]",
    ],
)
def test_what_is_no_json_is_shown_as_it_came(build, screen, text):
    """The text stays, with a note that says why."""
    answer = build(format="json")
    answer.text(text)
    answer.finish(reply(text), metadata={})
    assert screen.last["text/plain"].startswith(text)
    assert "Not valid JSON" in screen.last["text/plain"]


def test_lone_surrogates_never_reach_a_message(build, screen, clock):
    """Case 58: whatever holds one, each message can be encoded."""
    answer = build(show_thinking=True)
    answer.status(SURROGATE)
    answer.draw()
    answer.thinking(SURROGATE)
    clock.now += 1
    answer.draw()
    answer.text(f"{SURROGATE}\n\n```\n{SURROGATE}\n```\n\n[a]: x")
    answer.draw()
    answer.finish(
        reply(SURROGATE, thinking=SURROGATE, model=SURROGATE, stop_reason=SURROGATE),
        notes=[SURROGATE],
        metadata={"request_id": SURROGATE, "usage": {SURROGATE: [SURROGATE, 1, None]}, "cost": float("nan")},
    )
    json.dumps(screen.log, ensure_ascii=False, allow_nan=False).encode("utf-8")


def test_pace_lets_no_second_hold_more_than_its_limit(clock):
    """Messages that do not fit are put off until the oldest is more than a second old."""
    pace = Pace(clock, limit=3)
    sent = []
    for _ in range(200):
        clock.now += 0.03
        if pace.free_at(1) <= clock.now:
            pace.count()
            sent.append(clock.now)
    assert all(later - first > 1.0 for first, later in zip(sent, sent[3:], strict=False))
    assert len(sent) > 14


@pytest.mark.parametrize("in_cell", [True, False])
@pytest.mark.parametrize("at", range(5))
def test_an_answer_whose_output_is_cleared_while_it_streams_stands_there_at_the_end(
    build, screen, clock, at, in_cell
):
    """Whoever cleared it, and whenever: an output that is gone gets no update, a new one is shown."""
    cleared = []
    answer = build(in_cell=in_cell, clears=lambda: len(cleared))
    for number, text in enumerate(["", "One. ", "", "Two. ", "Three."]):
        if number == at:
            cleared.append(clock.now)
            screen.log.append(("cleared", {}, {}, None))
        clock.now += 1
        answer.text(text)
        answer.draw()
    answer.finish(reply("One. Two. Three."), metadata={})
    after = screen.log[screen.kinds.index("cleared") + 1 :]
    shown = [entry for entry in after if entry[0] != "clear"]
    assert shown[0][0] == "show"
    assert {entry[3] for entry in shown if entry[0] == "update"} <= {
        entry[3] for entry in shown if entry[0] == "show"
    }
    assert "Three." in shown[-1][1]["text/plain"]


@pytest.mark.parametrize("in_cell", [True, False])
def test_what_was_cleared_before_the_question_does_not_count(build, screen, in_cell):
    """The output is there, so it is changed."""
    answer = build(in_cell=in_cell, clears=lambda: 7)
    answer.text("Text")
    answer.draw()
    assert screen.kinds == ["show", "update"]
