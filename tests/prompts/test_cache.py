"""`--cache`: marks on what the next question will share, and a footer that tells what it saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vertex_claude_magic.notebook.display.footer import details
from vertex_claude_magic.vertex.reply import Reply, Usage

if TYPE_CHECKING:
    from shells import Shell

MARK = {"type": "ephemeral"}
LONG = "All that is known about prices. " * 2_000


@pytest.fixture
def shell(shell) -> Shell:
    shell.ip.user_ns.update(table={"price": [1, 2]}, LONG=LONG)
    return shell


def test_the_system_prompt_and_the_attachments_are_marked(shell):
    """The service stores all that stands before a mark: tools, system, then the attachments."""
    shell.ok("%%claude --cache -s 'Be brief.' -a table\nWhat is the mean?")
    body = shell.body
    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": MARK}]
    attached, asked = body["messages"][0]["content"]
    assert attached["cache_control"] == MARK
    assert asked == {"type": "text", "text": "What is the mean?"}


def test_the_tool_of_a_typed_answer_is_marked(shell):
    """Where a forced tool asks for the data."""
    shell.emulator.answer('{"value": 5}')
    shell.ok("%%claude --cache -m claude-opus-4-1 --as int\nHow many?")
    (tool,) = shell.body["tools"]
    assert tool["cache_control"] == MARK


def test_without_the_option_nothing_is_marked(shell):
    """Writing to the cache costs more than reading without one."""
    shell.ok("%%claude -s 'Be brief.' -a table\nWhat is the mean?")
    assert "cache_control" not in str(shell.body)


def test_a_question_with_nothing_to_mark_says_so(shell):
    """The prompt itself changes with every question."""
    shell.ok("%%claude --cache\nWhat is the mean?")
    assert "--cache had nothing to mark" in shell.page.text
    assert "cache_control" not in str(shell.body)


def test_the_footer_tells_what_filling_costs_and_what_reading_saves(shell):
    """Against the same question without a cache, in USD."""
    shell.ok("%config ClaudeMagics.value_tokens = 50000")
    shell.ok("%%claude first --cache -a LONG\nOne?")
    (page,) = [each["text/markdown"] for each in shell.page.outputs]
    assert "written to cache" in page
    assert "filling the cache cost ≈" in page
    shell.ok("%%claude second --cache -a LONG\nTwo?")
    assert "the cache saved ≈" in shell.page.outputs[0]["text/markdown"]
    first, second = shell.ip.user_ns["first"], shell.ip.user_ns["second"]
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens > 0
    assert second.cost < second.uncached_cost
    assert first.cost > first.uncached_cost


def test_what_is_too_short_to_be_cached_is_said(shell):
    """The service ignores the mark without a word."""
    shell.ok("%%claude --cache -s 'Be brief.'\nOne?")
    assert "was not cached" in shell.page.text


@pytest.mark.parametrize(
    ("cost", "without", "shown"),
    [
        (0.002, 0.01, " · the cache saved ≈$0.0080"),
        (0.0125, 0.01, " · filling the cache cost ≈$0.0025 more"),
        (0.01, 0.01, ""),
        (None, 0.01, ""),
        (0.01, None, ""),
    ],
)
def test_the_footer_says_no_more_than_is_known(cost, without, shown):
    """An estimate, like the cost itself."""
    usage = Usage(input_tokens=1, output_tokens=1)
    line = details(
        Reply(model="m", usage=usage, seconds=1.0, complete=True, cost=cost, uncached_cost=without)
    )
    assert line.partition(" out")[2].partition(" · ")[2].partition(" · ")[2] == shown.removeprefix(" · ")
