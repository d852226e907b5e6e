"""What the emulator checks of earlier answers in a conversation, driven through the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest

from vertex_claude_magic.emulator import Emulator, Reply
from vertex_claude_magic.models.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKED = ("claude-fable-5-2", "claude-fable-5-1", "claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5")
NOT_CHECKED = ("claude-opus-4-8", "claude-sonnet-5", "claude-opus-5", "claude-fable-5", "claude-sonnet-4-6")
OPUS, SONNET = "claude-opus-5-5", "claude-sonnet-5-5"
ADAPTIVE = {"type": "adaptive"}
QUESTION = {"role": "user", "content": "How far is Oslo?"}
NEXT = {"role": "user", "content": "And Bergen?"}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
BINDING = "thinking-binding-controls-2026-08-01"
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Oslo"}}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[anthropic.AnthropicVertex]:
    with anthropic.AnthropicVertex(
        region="global",
        project_id=emulator.project,
        base_url=emulator.base_url,
        access_token="emulator",
        max_retries=0,
    ) as client:
        yield client


def asked(model: str = OPUS, **change: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 4000, "thinking": ADAPTIVE, "system": "Be brief.", "tools": [TOOL],
            "messages": [QUESTION], **change}  # fmt: skip


def first_answer(client: anthropic.AnthropicVertex, model: str = OPUS, **change: Any) -> list[Any]:
    content = client.messages.create(**asked(model, **change)).content
    assert content[0].type == "thinking"
    return content


def conversation(content: Any, question: Any = QUESTION) -> list[Any]:
    return [question, {"role": "assistant", "content": content}, NEXT]


@pytest.mark.parametrize("model", [*CHECKED, *NOT_CHECKED])
def test_a_conversation_that_only_grew_is_taken(client, model):
    content = first_answer(client, model)
    answer = client.messages.create(**asked(model, messages=conversation(content)))
    again = [*conversation(content), {"role": "assistant", "content": answer.content}, QUESTION]
    assert client.messages.create(**asked(model, messages=again)).type == "message"


def test_a_streamed_answer_is_remembered_like_a_whole_one(client):
    with client.messages.stream(**asked()) as stream:
        content = stream.get_final_message().content
    assert client.messages.create(**asked(messages=conversation(content))).type == "message"
    with pytest.raises(anthropic.BadRequestError, match="conversation before this thinking block"):
        client.messages.create(**asked(system="Be kind.", messages=conversation(content)))


EDITED: list[tuple[str, dict[str, Any], Any]] = [
    ("other system", {"system": "Be kind."}, QUESTION),
    ("no system", {"system": []}, QUESTION),
    ("other tool", {"tools": [{**TOOL, "name": "forecast"}]}, QUESTION),
    ("tool described anew", {"tools": [{**TOOL, "description": "The weather."}]}, QUESTION),
    ("no tools", {"tools": []}, QUESTION),
    ("other question", {}, {"role": "user", "content": "How far is Rome?"}),
    ("question in two blocks", {}, {"role": "user", "content": [{"type": "text", "text": "How far"}, {"type": "text", "text": "is Oslo?"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("change", "question"), [row[1:] for row in EDITED], ids=[row[0] for row in EDITED])
@pytest.mark.parametrize("model", CHECKED)
def test_a_thinking_block_is_refused_after_what_is_before_it_was_edited(client, model, change, question):
    """Fable 5.2 checks for every account, the others for new ones; the emulator's project is a new one."""
    messages = conversation(first_answer(client, model), question)
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.1\.content\.0: the conversation before"):
        client.messages.create(**asked(model, messages=messages, **change))
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.1\.content\.0"):
        client.messages.count_tokens(
            **{
                key: value
                for key, value in asked(model, messages=messages, **change).items()
                if key != "max_tokens"
            }
        )


@pytest.mark.parametrize("model", NOT_CHECKED)
def test_models_before_preserved_thinking_take_an_edited_conversation(client, model):
    messages = conversation(first_answer(client, model))
    assert client.messages.create(**asked(model, system="Be kind.", messages=messages)).type == "message"


ALIKE: list[tuple[str, dict[str, Any], Any]] = [
    ("system as a block", {"system": [{"type": "text", "text": "Be brief."}]}, QUESTION),
    ("question as a block", {}, {"role": "user", "content": [{"type": "text", "text": QUESTION["content"]}]}),
    ("a cache mark", {"system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]}, QUESTION),
    ("a marked tool", {"tools": [{**TOOL, "cache_control": {"type": "ephemeral"}}]}, QUESTION),
    ("another length", {"max_tokens": 100}, QUESTION),
    ("another effort", {"output_config": {"effort": "low"}}, QUESTION),
]  # fmt: skip


@pytest.mark.parametrize(("change", "question"), [row[1:] for row in ALIKE], ids=[row[0] for row in ALIKE])
def test_what_changes_no_word_of_the_conversation_is_taken(client, change, question):
    messages = conversation(first_answer(client), question)
    assert client.messages.create(**asked(messages=messages, **change)).type == "message"


def test_an_edited_conversation_is_taken_without_its_thinking_blocks(client):
    content = [block for block in first_answer(client) if block.type != "thinking"]
    assert (
        client.messages.create(**asked(system="Be kind.", messages=conversation(content))).type == "message"
    )


@pytest.mark.parametrize("model", [OPUS, "claude-opus-4-8", "claude-haiku-4-5"])
@pytest.mark.parametrize("text", ["", "Other thoughts.", "I"])
def test_a_changed_thinking_block_is_refused_by_every_model(client, emulator, model, text):
    thought = {"type": "thinking", "thinking": "I know.", "signature": f"sig-{model}-{text}"}
    emulator.answer(Reply(content=[thought, {"type": "text", "text": "Far."}]))
    client.messages.create(**asked(model, thinking=anthropic.NOT_GIVEN))
    messages = conversation([{**thought, "thinking": text}, {"type": "text", "text": "Far."}])
    with pytest.raises(anthropic.BadRequestError, match="cannot be modified"):
        client.messages.create(**asked(model, thinking=anthropic.NOT_GIVEN, messages=messages))


@pytest.mark.parametrize("missing", ["signature", "data"])
def test_a_thinking_block_needs_its_proof(client, missing):
    block = {"signature": {"type": "thinking", "thinking": "x"}, "data": {"type": "redacted_thinking"}}[
        missing
    ]
    with pytest.raises(anthropic.BadRequestError, match=f"{missing}: Field required"):
        client.messages.create(**asked(messages=conversation([block, {"type": "text", "text": "x"}])))


@pytest.mark.parametrize("block", [
    {"type": "thinking", "thinking": "x", "signature": "from another service"},
    {"type": "redacted_thinking", "data": "from another service"},
])  # fmt: skip
def test_a_thinking_block_of_unknown_origin_is_let_through(client, block):
    assert client.messages.create(**asked(messages=conversation([block, {"type": "text", "text": "x"}])))


@pytest.mark.parametrize("streamed", [False, True])
def test_a_block_that_does_not_fit_is_dropped_and_reported_on_request(client, streamed):
    thinking = {**ADAPTIVE, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}
    options = asked(system="Be kind.", thinking=thinking, messages=conversation(first_answer(client)))
    if streamed:
        with client.beta.messages.stream(**options, betas=[BINDING]) as stream:
            answer = stream.get_final_message()
    else:
        answer = client.beta.messages.create(**options, betas=[BINDING])
    assert [entry.model_dump() for entry in answer.input_transformations] == [
        {"type": "thinking_dropped", "path": "messages.1.content.0", "reason": "prefix_binding_mismatch"}
    ]


@pytest.mark.parametrize("behavior", [{}, {"prefix_mismatch_behavior": "error"}, None])
def test_block_binding_refuses_by_default(client, behavior):
    thinking = {**ADAPTIVE, "block_binding": behavior}
    options = asked(system="Be kind.", thinking=thinking, messages=conversation(first_answer(client)))
    with pytest.raises(anthropic.BadRequestError, match="conversation before"):
        client.beta.messages.create(**options, betas=[BINDING])


def test_a_block_of_another_model_is_dropped_without_a_word(client):
    messages = conversation(first_answer(client, OPUS))
    assert client.messages.create(**asked("claude-fable-5-2", messages=messages)).type == "message"
    answer = client.beta.messages.create(**asked("claude-fable-5-2", messages=messages), betas=[BINDING])
    assert [entry.reason for entry in answer.input_transformations] == ["model_binding_mismatch"]


def test_thinking_between_tools_goes_back_with_the_result(client):
    question = {"role": "user", "content": "Please use the tool weather."}
    content = first_answer(client, messages=[question])
    result = {"type": "tool_result", "tool_use_id": content[-1].id, "content": "sunny"}
    turns = [question, {"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    assert client.messages.create(**asked(messages=turns)).stop_reason == "end_turn"
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.1\.content\.0"):
        client.messages.create(**asked(messages=[NEXT, *turns[1:]]))


PAUSED: list[tuple[str, list[dict[str, Any]]]] = [
    ("a call", [CALL]),
    ("a result", [CALL, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}]),
    ("a text", [{"type": "text", "text": "Let me look further."}]),
    ("a text that ends in a space", [{"type": "text", "text": "Let me look "}]),
    ("thinking", [{"type": "text", "text": "So"}, {"type": "thinking", "thinking": "Hm", "signature": "paused"}]),
]  # fmt: skip


@pytest.mark.parametrize("content", [row[1] for row in PAUSED], ids=[row[0] for row in PAUSED])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", [SONNET, OPUS, "claude-opus-4-8"])
def test_a_paused_turn_that_the_sdk_sends_back_goes_on(client, emulator, model, streamed, content):
    """Whatever its last block is, the turn is the one that was paused."""
    emulator.answer(Reply(content=content, stop_reason="pause_turn"), "Done.")
    options = asked(model, tools=[SEARCH])
    if streamed:
        with client.messages.stream(**options) as stream:
            paused = stream.get_final_message()
    else:
        paused = client.messages.create(**options)
    assert paused.stop_reason == "pause_turn"
    back = [QUESTION, {"role": "assistant", "content": paused.content}]
    assert client.messages.create(**{**options, "messages": back}).content[0].text == "Done."


def test_the_tool_runner_resumes_a_paused_turn(client, emulator):
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather of a city."""
        return f"sunny in {city}"

    texts = [{"type": "text", "text": "First I look."}], [{"type": "text", "text": "Then I look again."}]
    emulator.answer(*(Reply(content=text, stop_reason="pause_turn") for text in texts), "Sunny.")
    runner = client.beta.messages.tool_runner(
        model=SONNET, max_tokens=100, tools=[weather], messages=[QUESTION]
    )
    assert runner.until_done().content[0].text == "Sunny."
    assert [turn["role"] for turn in emulator.requests[-1].body["messages"]][1:] == ["assistant"] * 2


@pytest.mark.parametrize("text", ["Let me look", "Let me look further. And", "So "])
def test_a_turn_that_the_client_began_or_changed_is_prefill(client, emulator, text):
    emulator.answer(Reply(content="Let me look further.", stop_reason="pause_turn"))
    client.messages.create(**asked(SONNET))
    messages = [QUESTION, {"role": "assistant", "content": text}]
    with pytest.raises(anthropic.BadRequestError, match="prefill"):
        client.messages.create(**asked(SONNET, messages=messages))


@pytest.mark.parametrize(("model", "checked"), [
    ("claude-fable-5-2", "every account"),
    ("claude-mythos-5-2", "every account"),
    ("claude-mythos-5-1", "every account"),
    *[(model, "new accounts") for model in CHECKED[1:]],
    *[(model, None) for model in (*NOT_CHECKED, "claude-mythos-5", "claude-haiku-4-5", "claude-opus-4-7")],
])  # fmt: skip
def test_the_table_says_for_whom_the_history_is_checked(model, checked):
    row = Catalog.load().find(model)
    assert row is not None
    assert row.rules.preserved_thinking == checked
