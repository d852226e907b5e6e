"""What stands around an answer: times, tokens, cost, warnings with their cures, notes."""

from __future__ import annotations

import pytest

from vertex_claude_magic.models.prices import usd_estimate
from vertex_claude_magic.notebook.display.footer import (
    Repeated,
    details,
    ending,
    folded_thinking,
    footer,
    small,
    waiting,
    warnings,
)
from vertex_claude_magic.vertex.reply import Reply, Usage

WHOLE = {"complete": True, "stop_reason": "end_turn", "blocks": ({"type": "text", "text": "Hi"},)}
HOSTILE_NAMES = [
    "<script>alert(1)</script>",
    "![x](http://evil.test/a.png)",
    "$a$ and $b$",
    "*x* `y` [z](javascript:1)",
]
COSTS = [
    (None, "cost unknown"),
    (float("nan"), "cost unknown"),
    (0.0, "$0"),
    (0.0000213, "≈$0.000021"),
    (0.00213, "≈$0.0021"),
    (0.0123, "≈$0.012"),
    (0.5, "≈$0.50"),
    (0.999, "≈$1.00"),
    (12.3456, "≈$12.35"),
    (1234.5, "≈$1,234.50"),
]
STOPS = [
    ({"stop_reason": "end_turn"}, None),
    ({"stop_reason": "stop_sequence"}, None),
    ({"stop_reason": "max_tokens", "usage": Usage(output_tokens=1000)}, "Cut off at 1,000 output tokens."),
    (
        # The limit is that of each request.
        {
            "stop_reason": "max_tokens",
            "usage": Usage(output_tokens=1000),
            "parts": (Reply(usage=Usage(output_tokens=900)), Reply(usage=Usage(output_tokens=100))),
        },
        "Cut off at 100 output tokens.",
    ),
    ({"stop_reason": "max_tokens"}, "--max-tokens"),
    ({"stop_reason": "model_context_window_exceeded"}, "context window"),
    ({"stop_reason": "pause_turn"}, "Ask Claude to continue"),
    ({"stop_reason": "compaction"}, "Ask Claude to continue"),
    (
        {"stop_reason": "tool_use", "blocks": ({"type": "tool_use", "name": "get_weather"},)},
        "the tool get_weather",
    ),
    ({"stop_reason": "tool_use"}, "a tool"),
    ({"stop_reason": "refusal"}, "Claude declined to continue. Rephrase the question"),
    (
        {
            "stop_reason": "refusal",
            "stop_details": {"category": "cyber", "explanation": "It asks\nfor malware."},
        },
        "declined to continue (cyber): It asks for malware. Rephrase",
    ),
    (
        {"stop_reason": "refusal", "stop_details": {"category": None, "explanation": None}},
        "declined to continue. Rephrase",
    ),
    ({"stop_reason": "tea_time"}, "tea_time"),
    ({"complete": False, "stop_reason": None}, "Stopped. This is a partial answer"),
    ({"complete": False, "stop_reason": "max_tokens"}, "Stopped. This is a partial answer"),
    ({"blocks": ()}, "The answer is empty."),
]


GO_ON = [
    ("max_tokens", None, "or continue with %%claude --after NAME."),
    ("max_tokens", "stats", "or continue with %%claude -c stats."),
    ("pause_turn", "my stats", 'Ask Claude to continue with %%claude -c "my stats".'),
    ("pause_turn", None, "Ask Claude to continue with %%claude --after NAME."),
    ("compaction", "stats", "Ask Claude to continue with %%claude -c stats."),
    ("model_context_window_exceeded", "stats", "%claude_chat stats --remove N"),
    ("model_context_window_exceeded", "my stats", '%claude_chat "my stats" --remove N'),
]


@pytest.mark.parametrize(("stop", "chat", "shown"), GO_ON)
def test_an_answer_that_is_not_whole_says_how_to_go_on_from_it(stop, chat, shown):
    """In its conversation if it is a turn of one, else with a follow-up: a new conversation would not know it."""
    (line,) = warnings(Reply(**{**WHOLE, "stop_reason": stop, "chat": chat}))
    assert shown in line


@pytest.mark.parametrize(("cost", "shown"), COSTS)
def test_a_cost_is_rounded_to_what_matters(cost, shown):
    """Below a dollar two significant digits, above it cents; unknown is said and never shown as zero."""
    assert usd_estimate(cost) == shown


@pytest.mark.parametrize(("fields", "shown"), STOPS)
def test_an_answer_that_is_not_whole_says_why_and_what_to_do(fields, shown):
    """Each stop reason of the Messages API, and those that are not known yet, has one line."""
    lines = warnings(Reply(**{**WHOLE, **fields}))
    assert len(lines) == (shown is not None)
    assert all(shown in line and "\n" not in line for line in lines)


def test_the_footer_is_one_quiet_line_with_the_rest_in_a_fold():
    """Model by its name, seconds, all tokens, and about what it cost; the fold has the exact figures."""
    usage = Usage(
        input_tokens=20, output_tokens=3456, cache_read_input_tokens=1000, cache_creation_input_tokens=5
    )
    reply = Reply(
        model="claude-opus-4-1",
        region="us-east5",
        usage=usage,
        seconds=12.34,
        first_token_seconds=0.456,
        cost=0.2718,
        complete=True,
    )
    assert footer(reply) == "Opus 4.1 · us-east5 · 12.3 s · 4,481 tokens · about 27¢"
    assert details(reply) == (
        "claude-opus-4-1 · us-east5 · first token 0.5 s · "
        "1,025 tokens in / 3,456 out / 1,000 cached / 5 written to cache · ≈$0.27"
    )
    summary, _, fold = ending(reply).markdown.partition("</summary>")
    assert "4,481 tokens" in summary
    assert "first token" not in summary
    assert "first token" in fold
    assert ending(reply).plain.splitlines()[-1] == footer(reply)


@pytest.mark.parametrize(
    ("region", "shown"),
    [("global", "Haiku 5.5 · 1.0 s"), ("eu", "Haiku 5.5 · eu · 1.0 s"), ("", "Haiku 5.5 · 1.0 s")],
)
def test_a_location_is_named_where_it_was_chosen(region, shown):
    """`global` is the default; where else a prompt went is in sight."""
    assert footer(Reply(model="claude-haiku-5-5", region=region, seconds=1.0)).startswith(shown)


def test_a_repeated_note_goes_into_the_fold():
    """It was read the first time."""
    reply = Reply(**WHOLE, model="m")
    first, again = ending(reply, ["a note"]).markdown, ending(reply, [Repeated("a note")]).markdown
    assert first.endswith("</details>\n\n<small>a note</small>")
    assert again.endswith("a note</small>\n\n</details>")
    assert "a note" not in ending(reply, [Repeated("a note")]).plain


def test_a_stopped_answer_does_not_pretend_to_know_its_output():
    """The service counts output tokens in its last events; the first event's count of 1 is no count."""
    reply = Reply(model="m", usage=Usage(input_tokens=20, output_tokens=1), seconds=1.0, complete=False)
    assert footer(reply) == "m · 1.0 s · 20 tokens in / output not counted · cost unknown"
    assert details(reply) == "m · 20 tokens in / output not counted · cost unknown"


def test_a_replayed_answer_is_marked_with_its_date_and_cost_nothing():
    """What the answer cost when it was recorded is not what it costs now."""
    reply = Reply(model="m", replayed=True, recorded_at="2026-11-26T20:31:05Z", cost=0.5)
    assert footer(reply) == "⟲ replayed from 2026-11-26 20:31 UTC · m · 0.0 s · no request sent"
    assert "0.5" not in ending(reply).markdown


def test_unknown_usage_is_left_out():
    """A stream that was cut before its first event has no token counts to show."""
    assert "tokens" not in footer(Reply(model="m"))


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_and_notes_are_shown_literally(name):
    """Nothing that a service or a setting says becomes markup or a formula."""
    from markdown_it import MarkdownIt

    reply = Reply(**{**WHOLE, "model": name, "stop_reason": "refusal", "stop_details": {"explanation": name}})
    html = MarkdownIt("commonmark", {"html": True}).render(ending(reply, [name]).markdown)
    for element in ("<script", "<img", "<a ", "<em>", "<code>"):
        assert element not in html
    assert html.count("<small>") == html.count("</small>") == 3


def test_a_price_is_no_formula():
    """Case 55: every dollar sign of the footer is escaped as JupyterLab needs it."""
    markdown = ending(Reply(**WHOLE, cost=0.02, model="a$b", region="c$d"), ["paid $5 and $10"]).markdown
    assert markdown.count("$") == markdown.count(r"\$") == 5
    # In the summary, an HTML block, where a backslash would be shown.
    assert markdown.count("<span>&#36;</span>") == 2


def test_warnings_footer_and_notes_come_in_this_order():
    """The plain ending has one line for each."""
    reply = Reply(**{**WHOLE, "complete": False}, model="m")
    lines = ending(reply, ["first note", "second\nnote"]).plain.splitlines()
    assert [line[:8] for line in lines] == ["⚠ Stoppe", "m · 0.0 ", "first no", "second n"]


def test_the_waiting_line_says_what_for_and_how_long():
    """Seconds are left out before the first one is over."""
    assert waiting("m · global") == "◌ m · global"
    assert waiting("m · global", "retrying in 2 s (overloaded)", 4) == (
        "◌ m · global · retrying in 2 s (overloaded) · 4 s"
    )


def test_only_inert_elements_are_used():
    """Small print, a line break and a fold; no attribute but the one that opens the fold."""
    assert small("a", "b") == "<small>a<br>b</small>"
    assert folded_thinking("x", opened=True).startswith("<details open><summary>Thinking</summary>\n\n")
    assert folded_thinking("x").endswith("\n\n</details>")


def test_control_characters_never_reach_the_terminal():
    """Case 57: the plain ending is stripped of escapes."""
    assert "\x1b" not in ending(Reply(**{**WHOLE, "model": "m\x1b[31m"}), ["\x1b]52;c;eA==\x07note"]).plain
