"""The rules of November 2026: what the table, the builder, the prices and the emulator make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from vertex_claude_magic import Claude
from vertex_claude_magic.emulator import Emulator, Reply
from vertex_claude_magic.errors import ModelRuleError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.records.budget import worst_case
from vertex_claude_magic.vertex.events import Event
from vertex_claude_magic.vertex.reply import ServerToolUse, Usage, cost
from vertex_claude_magic.vertex.reply_builder import ReplyBuilder
from vertex_claude_magic.vertex.request import RequestOptions, build_count_request, build_request

if TYPE_CHECKING:
    from collections.abc import Iterator

CATALOG = Catalog.load()
FABLE = "claude-fable-5-2"
SONNET, OPUS, HAIKU = "claude-sonnet-5-5", "claude-opus-5-5", "claude-haiku-5-5"
USER = {"role": "user", "content": "Hello"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
BETWEEN = {"type": "between_tools"}
SCREEN = {"type": "computer_20251124", "name": "computer", "display_width_px": 9, "display_height_px": 9}
SYSTEM = [USER, {"role": "assistant", "content": "Hi"}, USER, {"role": "system", "content": "Be short."}]
COMPACT = {"context_management": {"edits": [{"type": "compact_20260112"}]}}
ADAPTIVE = {"type": "adaptive"}
CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def post(
    emulator: Emulator, model: str, beta: str = "", place: str = "global", **change: Any
) -> requests.Response:
    path = f"projects/{emulator.project}/locations/{place}/publishers/anthropic/models/{model}:rawPredict"
    body = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 100, "messages": [USER], **change}
    headers = {"authorization": "Bearer emulator", **({"anthropic-beta": beta} if beta else {})}
    return requests.post(f"{emulator.base_url}/{path}", json=body, headers=headers, timeout=120)


def build(model: str = SONNET, **options: Any) -> Any:
    return build_request(
        [USER], RequestOptions(**options), model=model, project="p", region="global", catalog=CATALOG
    )


TAKEN = [
    (SONNET, "", {"thinking": BETWEEN, "output_config": {"effort": "high"}}),
    (SONNET, "", {"cache_control": {"type": "ephemeral"}}),
    (HAIKU, "", {"cache_control": {"type": "ephemeral", "ttl": "1h"}}),
    (OPUS, "", {"tools": [{"type": "computer_toolset_20260801"}]}),
    (FABLE, "", {"tools": [{"type": "computer_toolset_20260801"}, TOOL]}),
    ("claude-opus-4-8", "computer-use-2025-11-24", {"tools": [SCREEN]}),
    *[
        (model, "", {"messages": SYSTEM})
        for model in ("claude-opus-4-8", "claude-opus-5", OPUS, "claude-fable-5", FABLE, SONNET, HAIKU)
    ],
    ("claude-sonnet-5", "", {"messages": SYSTEM}),
    (OPUS, "task-budgets-2026-03-13", {"output_config": {"task_budget": {"type": "tokens", "total": 9}}}),
    (OPUS, "compact-2026-01-12", COMPACT),
    (OPUS, "context-management-2025-06-27", {"context_management": {"edits": []}}),
    (OPUS, "compact-2026-09-04", {"compaction": {}}),
    (OPUS, "thinking-display-updates-2026-08-18", {"thinking": {**ADAPTIVE, "display": "updates"}}),
    (
        OPUS,
        "thinking-binding-controls-2026-08-01",
        {"thinking": {**ADAPTIVE, "block_binding": {"prefix_mismatch_behavior": "drop_block"}}},
    ),
    (FABLE, "", {"speed": "fast"}),
    (FABLE, "", {"speed": "standard"}),
]


@pytest.mark.parametrize(("model", "beta", "change"), TAKEN)
def test_the_emulator_takes_what_the_service_takes(emulator, model, beta, change):
    """The right answer is 200; the text of a refusal shows why not."""
    answer = post(emulator, model, beta, **change)
    assert answer.status_code == 200, answer.text


REFUSED = [
    (SONNET, "", {"thinking": BETWEEN, "output_config": {"effort": "xhigh"}}, "between_tools"),
    (SONNET, "", {"thinking": BETWEEN, "output_config": {"effort": "max"}}, "between_tools"),
    *[(model, "", {"tools": [SCREEN]}, "computer_20251124") for model in (OPUS, SONNET, HAIKU, FABLE)],
    (OPUS, "no-such-beta-2026-01-01", {}, "Unexpected value(s)"),
    (OPUS, "compact-2026-01-12,files-api-2025-04-14", {}, "files-api-2025-04-14"),
    ("claude-opus-4-7", "", {"messages": SYSTEM}, "Unexpected role"),
    (OPUS, "", {"output_config": {"task_budget": {"type": "tokens", "total": 9}}}, "task_budget"),
    (OPUS, "", COMPACT, "context_management"),
    (OPUS, "compact-2026-01-12", {"compaction": {}}, "compaction"),
    (OPUS, "", {"thinking": {**ADAPTIVE, "display": "updates"}}, "display"),
    (OPUS, "", {"thinking": {**ADAPTIVE, "block_binding": {}}}, "block_binding"),
    (OPUS, "", {"speed": "fast"}, "speed"),
    (FABLE, "", {"speed": "slow"}, "speed"),
    (FABLE, "", {"max_tokens": 0}, "max_tokens"),
    (SONNET, "", {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, "web_search_20260209"),
    (SONNET, "", {"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, "web_search_20260318"),
]


@pytest.mark.parametrize(("model", "beta", "change", "text"), REFUSED)
def test_the_emulator_refuses_what_the_service_refuses(emulator, model, beta, change, text):
    """Each refusal is a 400 that names what it refuses."""
    answer = post(emulator, model, beta, **change)
    assert (answer.status_code, text in answer.text) == (400, True), answer.text


@pytest.mark.parametrize("last", [CALL, FOUND])
def test_a_paused_turn_goes_on_when_it_is_sent_back(emulator, last):
    """An assistant message that ends with a server tool's block is a continuation and no prefill."""
    tools = [{"type": "web_search_20250305", "name": "web_search"}]
    emulator.answer(Reply(content=[CALL], stop_reason="pause_turn"), "Done.")
    assert post(emulator, SONNET, tools=tools).json()["stop_reason"] == "pause_turn"
    content = [CALL] if last is CALL else [CALL, last]
    back = post(emulator, SONNET, tools=tools, messages=[USER, {"role": "assistant", "content": content}])
    assert (back.status_code, back.json()["content"][0]["text"]) == (200, "Done.")


@pytest.mark.parametrize("speed", ["fast", "standard"])
def test_usage_says_how_fast_the_answer_was_served(emulator, speed):
    """The usage object carries the speed that the body asked for."""
    assert post(emulator, FABLE, speed=speed).json()["usage"]["speed"] == speed


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"input_tokens": 10**6}, 16),
        ({"output_tokens": 10**6}, 80),
        ({"cache_read_input_tokens": 10**6}, 0.4),
        ({"cache_creation_input_tokens": 10**6}, 20),
        ({"server_tool_use": ServerToolUse(web_search_requests=1000)}, 10),
    ],
)
def test_fast_mode_doubles_every_token_price_and_no_search(usage, usd):
    """The speed that the reply states decides, not the one that was asked for."""
    row = CATALOG.find(FABLE)
    assert cost(row, "global", Usage(**usage, speed="fast")) == pytest.approx(usd)


def test_the_worst_case_follows_the_speed_of_the_body():
    """A question that asks for fast mode may cost twice as much."""
    plain, fast = build(FABLE), build(FABLE, set={"speed": "fast"})
    assert worst_case(fast, CATALOG, 500) == pytest.approx(2 * worst_case(plain, CATALOG, 500))


@pytest.mark.parametrize("effort", ["xhigh", "max"])
def test_between_tools_is_refused_above_effort_high(effort):
    """Our own check says it before sending."""
    with pytest.raises(ModelRuleError):
        build(thinking="between_tools", effort=effort)


BETAS = [
    (["a"], {"anthropic-beta": "b"}, "a,b"),
    (["a", "b"], {"Anthropic-Beta": "b, c"}, "a,b,c"),
    ([], {"ANTHROPIC-BETA": "b"}, "b"),
    (["a", "a"], {}, "a"),
]


@pytest.mark.parametrize(("beta", "header", "sent"), BETAS)
def test_betas_of_both_options_share_one_header(beta, header, sent):
    """Google reads one header: no beta is lost and none is sent twice."""
    found = {name.lower(): value for name, value in build(beta=beta, header=header).headers.items()}
    assert found["anthropic-beta"] == sent


@pytest.mark.parametrize("beta", ["web-search-2025-03-05", "tool-search-tool-2025-10-19"])
def test_counting_leaves_out_betas_that_the_service_refuses_there(beta):
    """The others go along; the question itself has them all."""
    request = build(beta=[beta, "compact-2026-01-12"])
    assert build_count_request(request, CATALOG).headers["anthropic-beta"] == "compact-2026-01-12"
    assert beta in request.headers["anthropic-beta"]
    assert "anthropic-beta" not in build_count_request(build(beta=[beta]), CATALOG).headers


@pytest.mark.parametrize("name", ["context_management", "input_transformations", "container", "diagnostics"])
def test_a_whole_message_keeps_what_reply_has_no_field_for(name):
    """What a stream brings in events of its own is in `other_events` here too."""
    builder = ReplyBuilder()
    builder.add_message({"content": [], name: {"id": "x"}})
    assert builder.reply().other_events == ({"type": "message", name: {"id": "x"}},)


def test_a_stream_keeps_what_reply_has_no_field_for_like_a_whole_message():
    """`container` and `diagnostics` come inside the message or its delta, the others beside the delta."""
    builder = ReplyBuilder()
    diagnostics, container, edits = {"cache": None}, {"id": "c", "expires_at": "x"}, {"applied_edits": []}
    begun = {"content": [], "diagnostics": diagnostics, "container": None}
    builder.add(Event("message_start", {"type": "message_start", "message": begun}))
    ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": container},
             "context_management": edits, "usage": {}}  # fmt: skip
    builder.add(Event("message_delta", ended))
    builder.add(Event("message_stop", {"type": "message_stop"}))
    assert builder.reply().other_events == (
        ended,
        {"type": "message", "container": container, "diagnostics": diagnostics},
    )


@pytest.mark.parametrize("streamed", [True, False])
def test_what_an_edited_context_reports_reaches_the_reply_either_way(emulator, streamed):
    """Asked through the package, streamed or not."""
    claude = Claude(project=emulator.project, region="global", base_url=emulator.base_url,
                    access_token="emulator", journal="off", model=OPUS)  # fmt: skip
    edits = {"edits": [{"type": "clear_thinking_20251015"}]}
    reply = claude.ask("Hello", no_stream=not streamed, beta=["context-management-2025-06-27"],
                       set={"context_management": edits})  # fmt: skip
    assert [event["context_management"] for event in reply.other_events] == [{"applied_edits": []}]


def test_what_reply_has_no_field_for_is_the_same_when_it_is_replayed(emulator, tmp_path):
    """A recording keeps it once."""
    claude = Claude(project=emulator.project, region="global", base_url=emulator.base_url, access_token="emulator",
                    journal="off", model=OPUS, recording=str(tmp_path / "r.claude"))  # fmt: skip
    container = {"id": "c", "expires_at": "x"}
    emulator.answer([
        {"type": "message_start", "message": {"content": [], "usage": {}, "diagnostics": {"x": 1}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "container": container},
         "usage": {}, "context_management": {"applied_edits": []}},
        {"type": "message_stop"},
    ])  # fmt: skip
    first, again = claude.ask("Hello"), claude.ask("Hello", replay="only")
    assert (first.replayed, again.replayed) == (False, True)
    assert len(first.other_events) == 2
    assert again.other_events == first.other_events
