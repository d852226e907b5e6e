"""Rules for tools and speed, which reach the check from Python code that builds requests; never from `set`."""

from __future__ import annotations

from typing import Any

import pytest

from vertex_claude_magic.errors import ModelRuleError, OptionError
from vertex_claude_magic.models.catalog import Catalog
from vertex_claude_magic.vertex.headers import counting_headers, headers_of
from vertex_claude_magic.vertex.request import RequestOptions, build_request

CATALOG = Catalog.load()
HELLO = [{"role": "user", "content": "Hello"}]
FABLE, FABLE_51, OPUS, SONNET, HAIKU = (
    "claude-fable-5-2",
    "claude-fable-5-1",
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
)
SCREEN = {"type": "computer_20251124", "name": "computer"}
TOOLSET = {"type": "computer_toolset_20260801"}
CUSTOM = {"name": "f", "input_schema": {"type": "object"}}


def search(version: str) -> dict[str, str]:
    return {"type": f"web_search_{version}", "name": "web_search"}


def build(
    model: str, fields: dict[str, Any] | None = None, *, region: str = "global", **options: Any
) -> dict[str, Any]:
    request = build_request(HELLO, RequestOptions(**options), model=model, project="p", region=region,
                            catalog=CATALOG, fields=fields)  # fmt: skip
    return dict(request.body)


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    *[(model, {"tools": [SCREEN]}, "computer_20251124", "computer_toolset_20260801") for model in (FABLE, OPUS, SONNET, HAIKU)],
    (OPUS, {"tools": [CUSTOM, {"type": "computer_20250124", "name": "computer"}]}, "computer_20250124", "computer_toolset_20260801"),
    (OPUS, {"tools": [search("20260209")]}, "web_search_20260209", "web_search_20250305"),
    ("claude-haiku-4-5", {"tools": [CUSTOM, search("20260318")]}, "web_search_20260318", "web_search_20250305"),
    *[
        (OPUS, {"tools": [{"type": kind, "name": "x"}]}, kind, "Leave it out")
        for kind in ("web_fetch_20250910", "web_fetch_20260318", "code_execution_20250825", "advisor_20260301", "mcp_toolset")
    ],
    (OPUS, {"speed": "fast"}, "no fast mode", "Leave speed out"),
    (FABLE_51, {"speed": "fast"}, "no fast mode", "Leave speed out"),
    ("claude-opus-4-8", {"speed": "fast"}, "no fast mode", "Leave speed out"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "fields", "text", "cure"), REFUSED)
def test_what_vertex_refuses_is_refused_with_what_it_takes(model, fields, text, cure):
    with pytest.raises(ModelRuleError, match=text) as caught:
        build(model, fields)
    assert cure in caught.value.cure
    assert "--force" in caught.value.cure


@pytest.mark.parametrize(("model", "fields"), [row[:2] for row in REFUSED])
@pytest.mark.parametrize("how", ["set", "force"])
def test_what_is_set_by_hand_or_forced_is_sent_as_it_stands(model, fields, how):
    body = build(model, set=fields) if how == "set" else build(model, fields, force=True)
    assert {name: body[name] for name in fields} == fields


TAKEN: list[tuple[str, dict[str, Any], str]] = [
    *[(model, {"tools": [TOOLSET]}, "global") for model in (FABLE, OPUS, SONNET, HAIKU)],
    ("claude-opus-4-8", {"tools": [SCREEN]}, "global"),
    (FABLE_51, {"tools": [SCREEN, CUSTOM]}, "global"),
    (OPUS, {"tools": [search("20250305")]}, "global"),
    *[(FABLE, {"speed": "fast"}, place) for place in ("global", "us", "eu")],
    (OPUS, {"speed": "standard"}, "global"),
]


@pytest.mark.parametrize(("model", "fields", "region"), TAKEN)
def test_what_vertex_takes_goes_out(model, fields, region):
    body = build(model, fields, region=region)
    assert {name: body[name] for name in fields} == fields


@pytest.mark.parametrize("region", ["us-east5", "europe-west1", "asia-southeast1"])
def test_fast_mode_is_refused_where_it_is_not_served(region):
    with pytest.raises(ModelRuleError, match=f"not served in {region}"):
        build(FABLE, {"speed": "fast"}, region=region)


BY_HAND: list[tuple[str, dict[str, Any]]] = [
    (SONNET, {"thinking": "between_tools", "set": {"output_config": {"effort": "max"}}}),
    (SONNET, {"effort": "xhigh", "set": {"thinking": {"type": "between_tools"}}}),
    (HAIKU, {"thinking": "off", "set": {"output_config": {"effort": "max"}}}),
]


@pytest.mark.parametrize(("model", "options"), BY_HAND)
def test_an_effort_or_a_thinking_that_is_set_by_hand_is_not_second_guessed(model, options):
    body = build(model, **options)
    assert {**body, **options["set"]} == body


@pytest.mark.parametrize(("effort", "refused"), [("low", False), ("high", False), ("xhigh", True), ("max", True)])  # fmt: skip
def test_thinking_between_tools_works_up_to_effort_high(effort, refused):
    if not refused:
        assert build(SONNET, thinking="between_tools", effort=effort)["output_config"] == {"effort": effort}
        return
    with pytest.raises(ModelRuleError, match="with thinking between tools only") as caught:
        build(SONNET, thinking="between_tools", effort=effort)
    assert "leave out --thinking between_tools" in caught.value.cure


@pytest.mark.parametrize(("betas", "header", "sent"), [
    (["y"], {"anthropic-beta": "x"}, "y,x"),
    (["y"], {"Anthropic-Beta": "x,y"}, "y,x"),
    (["a,b"], {"anthropic-beta": " c ", "ANTHROPIC-BETA": "a"}, "a,b,c"),
    (["a", "a"], {"anthropic-beta": ",,a,"}, "a"),
    ([], {"anthropic-beta": "x"}, "x"),
    ([], {"anthropic-beta": " , "}, None),
])  # fmt: skip
def test_all_betas_go_out_once_and_in_one_header(betas, header, sent):
    headers = headers_of(betas, header, {}, CATALOG)
    assert [value for name, value in headers.items() if name.lower() == "anthropic-beta"] == ([sent] if sent else [])  # fmt: skip


@pytest.mark.parametrize("value", ["a\r\nx-other: 1", "a\nb", "bêta", "a\x00"])
def test_a_beta_that_http_cannot_carry_is_refused(value):
    with pytest.raises(OptionError, match="anthropic-beta"):
        headers_of([], {"anthropic-beta": value}, {}, CATALOG)
    with pytest.raises(OptionError, match="anthropic-beta"):
        headers_of([value], {}, {}, CATALOG)


@pytest.mark.parametrize(("betas", "counted"), [
    (["web-search-2025-03-05"], None),
    (["web-search-2025-03-05", "tool-search-tool-2025-10-19"], None),
    (["effort-2025-11-24", "tool-search-tool-2025-10-19"], "effort-2025-11-24"),
    (["compact-2026-01-12"], "compact-2026-01-12"),
])  # fmt: skip
def test_counting_leaves_two_betas_out_and_every_other_header_in(betas, counted):
    headers = counting_headers(headers_of(betas, {"X-Team": "a"}, {"team": "a"}, CATALOG), CATALOG)
    assert headers.get("anthropic-beta") == counted
    assert {"Content-Type", "X-Team", "X-Vertex-AI-Labels"} <= set(headers)
