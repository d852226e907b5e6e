"""What betas open inside a conversation: system messages with fields of their own, compaction, caching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from vertex_claude_magic.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

OPUS, SONNET, FABLE = "claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-2"
QUESTION = {"role": "user", "content": "Hello"}
ANSWER = {"role": "assistant", "content": "Hi"}
EFFORT = "mid-conversation-output-config-2026-07-01"
CLEAR = "mid-conversation-system-clear-at-2026-08-21"
CONTEXT, COMPACT, ON_DEMAND = "context-management-2025-06-27", "compact-2026-01-12", "compact-2026-09-04"
BINDING, UPDATES = "thinking-binding-controls-2026-08-01", "thinking-display-updates-2026-08-18"
BLOCK = {"type": "compaction", "content": "They greeted each other."}


@pytest.fixture(scope="module")
def client() -> Iterator[anthropic.AnthropicVertex]:
    with (
        Emulator() as emulator,
        anthropic.AnthropicVertex(
            region="global",
            project_id=emulator.project,
            base_url=emulator.base_url,
            access_token="emulator",
            max_retries=0,
        ) as client,
    ):
        yield client


def send(client: anthropic.AnthropicVertex, *betas: str, **change: Any) -> Any:
    options = {"model": OPUS, "max_tokens": 100, "messages": [QUESTION], **change}
    return client.beta.messages.create(**options, **({"betas": list(betas)} if betas else {}))


def after_system(**fields: Any) -> list[Any]:
    return [QUESTION, ANSWER, QUESTION, {"role": "system", **fields}]


TAKEN: list[tuple[list[str], dict[str, Any]]] = [
    ([], {"messages": after_system(content="Be brief.")}),
    ([], {"messages": after_system(content=[{"type": "text", "text": "Be brief."}])}),
    ([], {"model": "claude-sonnet-5", "messages": after_system(content="Be brief.")}),
    ([EFFORT], {"messages": after_system(content="Be brief.", output_config={"effort": "low"})}),
    ([EFFORT], {"messages": after_system(output_config={"effort": "max"})}),
    ([EFFORT], {"messages": after_system(content="Be brief.", output_config={})}),
    ([EFFORT], {"model": SONNET, "thinking": {"type": "adaptive"}, "messages": after_system(output_config={"effort": "low"})}),
    ([CLEAR], {"messages": after_system(content="Be brief.", clear_at="next_user_message")}),
    ([CLEAR], {"messages": [*after_system(content="Be brief.", clear_at="never"), QUESTION]}),
    ([CLEAR, EFFORT], {"messages": after_system(content="x", clear_at="never", output_config={"effort": "high"})}),
    ([CONTEXT], {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}),
    ([CONTEXT], {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}),
    ([COMPACT], {"context_management": {"edits": [{"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50_000}}]}}),
    ([COMPACT, CONTEXT], {"context_management": {"edits": [{"type": "clear_thinking_20251015"}, {"type": "compact_20260112"}]}}),
    ([ON_DEMAND], {"compaction": {"type": "summarize", "instructions": "In one line."}}),
    ([COMPACT], {"messages": [QUESTION, {"role": "assistant", "content": [BLOCK]}, QUESTION]}),
    ([COMPACT], {"messages": [QUESTION, {"role": "assistant", "content": [BLOCK]}]}),
    ([ON_DEMAND], {"messages": [{"role": "assistant", "content": [BLOCK]}, QUESTION]}),
    ([UPDATES], {"thinking": {"type": "adaptive", "display": "updates"}}),
    ([], {"thinking": {"type": "adaptive", "display": None}}),
    ([BINDING], {"thinking": {"type": "adaptive", "block_binding": {}}}),
    ([], {"cache_control": {"type": "ephemeral"}}),
    ([], {"model": FABLE, "tools": [{"type": "browser_toolset_20260801"}, {"type": "computer_toolset_20260801"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("betas", "change"), TAKEN, ids=range(len(TAKEN)))
def test_what_a_beta_opens_is_taken(client, betas, change):
    assert send(client, *betas, **change).type == "message"


REFUSED: list[tuple[list[str], dict[str, Any], str]] = [
    ([], {"messages": after_system(content="x", output_config={"effort": "low"})}, "messages.3.output_config: Extra inputs"),
    ([EFFORT], {"messages": after_system(content="x", output_config={"effort": "huge"})}, "messages.3.output_config.effort: Input should be"),
    ([EFFORT], {"messages": after_system(content="x", output_config={"format": {}})}, "messages.3.output_config.format: Extra inputs"),
    ([EFFORT], {"messages": after_system(content="x", output_config="low")}, "messages.3.output_config: Input should be an object"),
    ([EFFORT], {"messages": after_system()}, "messages.3.content: Field required"),
    ([EFFORT], {"messages": after_system(output_config={})}, "messages.3.content: Field required"),
    ([EFFORT], {"model": SONNET, "thinking": {"type": "between_tools"}, "messages": after_system(content="x", output_config={"effort": "low"})}, "between_tools"),
    ([EFFORT], {"messages": [{**QUESTION, "output_config": {"effort": "low"}}]}, "messages.0.output_config: Extra inputs"),
    ([], {"messages": after_system(content="x", clear_at="never")}, "messages.3.clear_at: Extra inputs"),
    ([CLEAR], {"messages": after_system(content="x", clear_at="tomorrow")}, "messages.3.clear_at: Input should be"),
    ([CLEAR], {"messages": after_system(content="x", clear_at=["never"])}, "messages.3.clear_at: Input should be"),
    ([CLEAR], {"messages": [{**QUESTION, "clear_at": "never"}]}, "messages.0.clear_at: Extra inputs"),
    ([], {"messages": after_system(content="")}, "messages.3: system messages must have non-empty content"),
    ([], {"messages": after_system(content=7)}, "messages.3.content: Input should be"),
    ([], {"messages": after_system(content=[{"type": "image", "source": {}}])}, "messages.3.content.0.type: Input should be 'text'"),
    ([], {"messages": [{"role": "system", "content": "x"}, QUESTION]}, 'first message must use the "user" role'),
    ([], {"model": "claude-opus-4-7", "messages": after_system(content="x")}, 'Unexpected role "system"'),
    ([COMPACT], {"context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]}}, "edits.0: Input tag 'clear_tool_uses_20250919'"),
    ([CONTEXT], {"context_management": {"edits": [{"type": "compact_20260112"}]}}, "edits.0: Input tag 'compact_20260112'"),
    ([CONTEXT], {"context_management": {"edits": ["x"]}}, "edits.0: Input tag None"),
    ([CONTEXT], {"context_management": {"edits": {}}}, "context_management.edits: Input should be a valid list"),
    ([CONTEXT], {"context_management": {"colour": 1}}, "context_management.colour: Extra inputs"),
    ([COMPACT], {"context_management": {"edits": [{"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 49_999}}]}}, "greater than or equal to 50000"),
    ([ON_DEMAND], {"compaction": {"type": "forget"}}, "compaction.type: Input should be 'summarize'"),
    ([ON_DEMAND], {"compaction": {"type": "summarize", "trigger": 1}}, "compaction.trigger: Extra inputs"),
    ([], {"messages": [QUESTION, {"role": "assistant", "content": [BLOCK]}, QUESTION]}, "Input tag 'compaction'"),
    ([UPDATES], {"thinking": {"type": "adaptive", "display": "loud"}}, "'summarized', 'omitted' or 'updates'"),
    ([BINDING], {"thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "keep"}}}, "'error' or 'drop_block'"),
    ([BINDING], {"thinking": {"type": "adaptive", "block_binding": {"colour": 1}}}, "block_binding.colour: Extra inputs"),
    ([BINDING], {"thinking": {"type": "adaptive", "block_binding": "drop_block"}}, "block_binding: Input should be an object"),
    ([BINDING], {"model": SONNET, "thinking": {"type": "between_tools", "block_binding": {}}}, "between_tools.block_binding: Extra inputs"),
    ([], {"cache_control": {"type": "forever"}}, "cache_control.type: Input should be 'ephemeral'"),
    ([], {"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control.ephemeral.ttl"),
    ([], {"cache_control": {"type": "ephemeral"}, "system": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}] * 4}, "Found 5"),
]  # fmt: skip


@pytest.mark.parametrize(("betas", "change", "text"), REFUSED, ids=range(len(REFUSED)))
def test_what_no_beta_opens_is_refused(client, betas, change, text):
    with pytest.raises(anthropic.BadRequestError) as caught:
        send(client, *betas, **change)
    assert text in str(caught.value)


def test_automatic_caching_stores_the_whole_prompt_and_reads_what_it_shares(client):
    """One mark of the request stands for a mark at its last block."""
    question = {"role": "user", "content": "word " * 4_000}
    options = {"cache_control": {"type": "ephemeral"}, "messages": [question]}
    first, second = send(client, **options).usage, send(client, **options).usage
    assert (first.input_tokens, first.cache_read_input_tokens) == (0, 0)
    assert (
        second.cache_read_input_tokens
        == first.cache_creation_input_tokens
        == first.cache_creation.ephemeral_5m_input_tokens
        > 5_000
    )
    grown = send(client, **{**options, "messages": [question, ANSWER, QUESTION]}).usage
    assert grown.cache_read_input_tokens == first.cache_creation_input_tokens
    assert grown.cache_creation_input_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_tells_which_edits_of_its_context_were_applied(client, streamed):
    options = {"model": OPUS, "max_tokens": 100, "messages": [QUESTION], "betas": [CONTEXT],
               "context_management": {"edits": [{"type": "clear_thinking_20251015"}]}}  # fmt: skip
    if streamed:
        with client.beta.messages.stream(**options) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.beta.messages.create(**options)
    assert answer.context_management.applied_edits == []


@pytest.mark.parametrize("beta", ["made-up-2026-01-01", "files-api-2025-04-14", "skills-2025-10-02", "fast-mode-2026-02-01", "message-threads-2026-08-12"])  # fmt: skip
def test_betas_that_vertex_does_not_take_are_refused_by_name(client, beta):
    with pytest.raises(anthropic.BadRequestError, match=rf"Unexpected value\(s\) `{beta}` for the `anthropic-beta` header"):  # fmt: skip
        send(client, beta)


@pytest.mark.parametrize("beta", ["web-search-2025-03-05", "tool-search-tool-2025-10-19"])
def test_two_betas_are_refused_where_tokens_are_counted(client, beta):
    assert send(client, beta).type == "message"
    with pytest.raises(anthropic.BadRequestError, match="Unexpected value"):
        client.beta.messages.count_tokens(model=OPUS, messages=[QUESTION], betas=[beta])
    counted = client.beta.messages.count_tokens(model=OPUS, messages=[QUESTION], betas=["effort-2025-11-24"])
    assert counted.input_tokens > 0


MISSHAPEN: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": [{"type": []}]}]},
    {"messages": [{"role": [], "content": "x"}]},
    {"messages": [QUESTION, {"role": "assistant", "content": [{"type": "thinking", "thinking": 7, "signature": "x"}]}, QUESTION]},
    {"messages": [QUESTION, {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": {}}]}, QUESTION]},
    {"messages": [QUESTION, {"role": "system", "content": [5]}]},
    {"thinking": {"type": []}},
    {"thinking": {"type": "adaptive", "display": []}},
    {"tools": [{"type": []}]},
    {"tools": [{"type": "computer_toolset_20260801", "name": []}]},
    {"tools": [{"type": "computer_toolset_20260801", "name": "computer"}]},
    {"tool_choice": {"type": []}},
    {"cache_control": {"type": "ephemeral", "ttl": []}},
    {"cache_control": 5},
    {"model": FABLE, "speed": []},
    {"service_tier": []},
    {"context_management": {"edits": [{"type": []}]}},
    {"compaction": {"type": []}},
    {"output_config": {"task_budget": []}},
]  # fmt: skip


@pytest.mark.parametrize("change", MISSHAPEN, ids=range(len(MISSHAPEN)))
def test_a_value_of_another_kind_is_refused_and_breaks_nothing(client, change):
    with pytest.raises(anthropic.BadRequestError):
        send(client, CONTEXT, COMPACT, ON_DEMAND, UPDATES, BINDING, CLEAR, EFFORT, "task-budgets-2026-03-13", extra_body=change)  # fmt: skip
