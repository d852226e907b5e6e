"""What the emulator refuses, as Vertex AI does, rule by rule over real HTTP."""

from __future__ import annotations

import base64
import copy
from typing import TYPE_CHECKING, Any

import pytest
import requests

from vertex_claude_magic.emulator import Emulator
from vertex_claude_magic.emulator.google.endpoints import Google
from vertex_claude_magic.emulator.http.response import Received
from vertex_claude_magic.emulator.messages.script import Script
from vertex_claude_magic.emulator.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

SONNET_45 = "claude-sonnet-4-5@20250929"
SONNET_46 = "claude-sonnet-4-6"
OPUS_48 = "claude-opus-4-8"
OPUS_5 = "claude-opus-5"
OPUS_55 = "claude-opus-5-5"
SONNET_55 = "claude-sonnet-5-5"
HAIKU_45 = "claude-haiku-4-5@20251001"
HAIKU_55 = "claude-haiku-5-5"
FABLE_51 = "claude-fable-5-1"
USER = {"role": "user", "content": "Hello"}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
BODY = {"anthropic_version": "vertex-2023-10-16", "max_tokens": 100, "messages": [USER]}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n\0").decode()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


def call(emulator: Emulator, model: str, body: Any, **options: Any) -> requests.Response:
    location, verb = options.pop("location", "global"), options.pop("verb", "rawPredict")
    project = options.pop("project", emulator.project)
    publisher = options.pop("publisher", "anthropic")
    url = f"{emulator.base_url}/projects/{project}/locations/{location}/publishers/{publisher}/models/{model}:{verb}"
    headers = {"Authorization": "Bearer emulator", **options.pop("headers", {})}
    return requests.post(url, json=body, headers=headers, timeout=120, **options)


def said(*blocks: Any, role: str = "user") -> dict[str, Any]:
    message = {"role": role, "content": list(blocks)}
    return {"messages": [USER, message] if role == "assistant" else [message]}


def image(**source: Any) -> dict[str, Any]:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG, **source}}


USED = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}],
}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
MARK = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}

# model, what is changed in the body (a value of None removes the field), a piece of the refusal
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (SONNET_45, {"anthropic_version": None}, "anthropic_version: Field required"),
    (SONNET_45, {"anthropic_version": "2023-06-01"}, "anthropic_version: Input should be 'vertex-2023-10-16' or '2026-10-21'"),
    (SONNET_45, {"anthropic_version": ["vertex-2023-10-16"]}, "anthropic_version: Input should be 'vertex-2023-10-16' or"),
    (SONNET_45, {"model": SONNET_45}, "model: Extra inputs are not permitted"),
    (SONNET_45, {"colour": "red"}, "colour: Extra inputs are not permitted"),
    (SONNET_45, {"speed": "fast"}, "speed: Extra inputs are not permitted"),
    (SONNET_45, {"inference_geo": "us"}, "inference_geo: Extra inputs are not permitted"),
    (SONNET_45, {"cache_control": {"type": "always"}}, "cache_control.type: Input should be 'ephemeral'"),
    (SONNET_45, {"context_management": {}}, "context_management: Extra inputs are not permitted"),
    (SONNET_45, {"max_tokens": None}, "max_tokens: Field required"),
    (SONNET_45, {"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
    (SONNET_45, {"max_tokens": "100"}, "max_tokens: Input should be a valid integer"),
    (SONNET_45, {"max_tokens": True}, "max_tokens: Input should be a valid integer"),
    (SONNET_45, {"max_tokens": 64001}, "max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for claude-sonnet-4-5-20250929"),
    (SONNET_45, {"stream": "yes"}, "stream: Input should be a valid boolean"),
    (SONNET_45, {"service_tier": "gold"}, "service_tier"),
    (SONNET_45, {"metadata": {"team": "x"}}, "metadata.team: Extra inputs are not permitted"),
    (SONNET_45, {"metadata": "x"}, "metadata: Input should be an object"),
    (SONNET_45, {"stop_sequences": "END"}, "stop_sequences: Input should be a valid list"),
    (SONNET_45, {"stop_sequences": [" "]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    (SONNET_45, {"temperature": 1.5}, "temperature: range: 0..1"),
    (SONNET_45, {"top_k": -1}, "top_k: Input should be"),
    (SONNET_45, {"temperature": 0.5, "thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}, "`temperature` may only be set to 1"),
    (OPUS_48, {"temperature": 0.5}, "`temperature` is not supported for this model."),
    (OPUS_55, {"top_k": 5}, "`top_k` is not supported for this model."),
    (SONNET_45, {"temperature": 1, "anthropic_version": "2026-10-21"}, "temperature: not supported with API version 2026-10-21"),
    (SONNET_45, {"top_p": 0.9, "anthropic_version": "2026-10-21"}, "top_p: not supported with API version 2026-10-21"),
    (SONNET_45, {"thinking": {"type": "adaptive"}}, '"thinking.type.adaptive" is not supported for this model.'),
    (OPUS_48, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, '"thinking.type.enabled" is not supported for this model.'),
    (OPUS_55, {"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model.'),
    (FABLE_51, {"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model.'),
    (SONNET_55, {"thinking": {"type": "disabled"}}, '"thinking.type.disabled" is not supported for this model.'),
    (OPUS_5, {"thinking": {"type": "disabled"}, "output_config": {"effort": "max"}}, 'above effort "high"'),
    (HAIKU_55, {"thinking": {"type": "disabled"}, "output_config": {"effort": "xhigh"}}, 'above effort "high"'),
    (SONNET_45, {"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
    (SONNET_45, {"thinking": {"type": "enabled", "budget_tokens": 1000}}, "greater than or equal to 1024"),
    (SONNET_45, {"thinking": {"type": "enabled", "budget_tokens": 1024}}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
    (SONNET_46, {"thinking": {"type": "adaptive", "display": "loud"}}, "thinking.adaptive.display"),
    (SONNET_46, {"thinking": {"type": "adaptive", "budget_tokens": 9}}, "thinking.adaptive.budget_tokens: Extra inputs"),
    (SONNET_46, {"thinking": {"type": "deep"}}, "thinking: Input tag 'deep'"),
    (HAIKU_45, {"output_config": {"effort": "high"}}, "output_config.effort: Extra inputs are not permitted"),
    (SONNET_46, {"output_config": {"effort": "xhigh"}}, "output_config.effort: Input should be 'low', 'medium', 'high' or 'max'"),
    (SONNET_46, {"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
    (SONNET_46, {"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema: Field required"),
    (SONNET_46, {"output_config": {"format": {"type": "json_schema", "schema": {"type": {"a": 1}}}}}, "output_config.format.schema: JSON schema is invalid"),
    (SONNET_46, {"output_config": {"format": {"type": "json_schema", "schema": {"type": "number", "minimum": 10**400}}}}, "output_config.format.schema: JSON schema is invalid"),
    (SONNET_45, {"tools": [{"name": "weather", "input_schema": {"type": "object", "properties": ["city"]}}]}, "tools.0.custom.input_schema: JSON schema is invalid"),
    (SONNET_46, {"output_config": {"task_budget": {}}}, "output_config.task_budget: Extra inputs are not permitted"),
    (OPUS_55, {"tools": [TOOL], "tool_choice": {"type": "any"}}, 'tool_choice: type "tool" and "any" are not supported for this model.'),
    (SONNET_55, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "weather"}}, "are not supported for this model"),
    (SONNET_45, {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "other"}}, "Tool 'other' not found in provided tools"),
    (SONNET_45, {"tool_choice": {"type": "auto"}}, "tool_choice may only be specified while providing tools."),
    (SONNET_45, {"tools": [TOOL], "tool_choice": {"type": "maybe"}}, "tool_choice: Input tag 'maybe'"),
    (SONNET_45, {"tools": [TOOL], "tool_choice": {"type": "any"}, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}, "Thinking may not be enabled when tool_choice forces tool use."),
    (SONNET_45, {"tools": {}}, "tools: Input should be a valid list"),
    (SONNET_45, {"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    (SONNET_45, {"tools": [{**TOOL, "name": "a b"}]}, "tools.0.custom.name: String should match pattern"),
    (SONNET_45, {"tools": [{"name": "weather"}]}, "tools.0.custom.input_schema: Field required"),
    (SONNET_45, {"tools": [{**TOOL, "colour": 1}]}, "tools.0.custom.colour: Extra inputs are not permitted"),
    (SONNET_45, {"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, "tools.0: Input tag 'web_search_20260209'"),
    (SONNET_45, {"tools": [{"type": "code_execution_20250825", "name": "code_execution"}]}, "tools.0: Input tag"),
    (SONNET_46, {"messages": [USER, {"role": "assistant", "content": "{"}]}, "does not support assistant message prefill"),
    (SONNET_45, {"messages": [USER, {"role": "assistant", "content": "So "}]}, "cannot end with trailing whitespace"),
    (SONNET_45, {"messages": None}, "messages: Field required"),
    (SONNET_45, {"messages": []}, "messages: at least one message is required"),
    (SONNET_45, {"messages": "Hello"}, "messages: Input should be a valid list"),
    (SONNET_45, {"messages": [{"role": "system", "content": "x"}]}, 'messages: Unexpected role "system"'),
    (SONNET_45, {"messages": [{"role": "assistant", "content": "x"}]}, 'first message must use the "user" role'),
    (SONNET_45, {"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
    (SONNET_45, {"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    (SONNET_45, {"messages": [{**USER, "name": "Ann"}]}, "messages.0.name: Extra inputs are not permitted"),
    (SONNET_45, said({"type": "text", "text": ""}), "text content blocks must be non-empty"),
    (SONNET_45, said({"type": "text", "text": " \n"}), "must contain non-whitespace text"),
    (SONNET_45, said({"type": "video"}), "messages.0.content.0: Input tag 'video'"),
    (SONNET_45, said({"type": "text", "text": "x", "colour": 1}), "messages.0.content.0.text.colour: Extra inputs"),
    (SONNET_45, said({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}), "messages.0.content.0.image.source: Input tag 'url'"),
    (SONNET_45, said({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}), "messages.0.content.0.document.source: Input tag 'url'"),
    (SONNET_45, said({"type": "document", "source": {"type": "file", "file_id": "x"}}), "Input tag 'file'"),
    (SONNET_45, said(image(media_type="image/tiff")), "image.source.base64.media_type: Input should be"),
    (SONNET_45, said(image(data="not base64!")), "image.source.base64.data: Invalid base64 data"),
    (SONNET_45, said(image(media_type="image/jpeg")), "appears to be a image/png image"),
    (SONNET_45, said(image(data=PNG + "A" * 5 * 2**20)), "image exceeds 5 MB maximum"),
    (SONNET_45, said(*[image()] * 101), "Too many images and documents: 101 > 100"),
    (SONNET_45, said(image(), role="assistant"), "`image` blocks are not allowed in assistant messages"),
    (SONNET_45, said({"type": "document", "source": {"type": "text", "media_type": "text/csv", "data": "x"}}), "media_type: Input should be 'text/plain'"),
    (SONNET_45, said({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "scope": "global"}}), "scope: Extra inputs are not permitted"),
    (SONNET_45, said({"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "2h"}}), "ttl: Input should be '5m' or '1h'"),
    (SONNET_45, said(*[MARK] * 5), "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    (SONNET_45, said(RESULT), "unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
    (SONNET_45, {"messages": [USER, USED, USER]}, "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_1"),
    (SONNET_45, {"messages": [USER, {"role": "assistant", "content": [{"type": "tool_use", "name": "weather", "input": {}}]}]}, "messages.1.content.0.tool_use.id: Field required"),
    (SONNET_45, said({"type": "tool_result", "content": "sunny"}), "messages.0.content.0.tool_result.tool_use_id: Field required"),
    (SONNET_45, {"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
    (SONNET_45, {"system": 3}, "system: Input should be a valid string or a list of text blocks"),
    (SONNET_45, {"messages": [{"role": "user", "content": "word " * 160_020}]}, "prompt is too long: 200028 tokens > 200000 maximum"),
    (SONNET_45, {"anthropic_version": "2026-10-21", **said({"type": "text", "text": "x", "citations": [{}]})}, "citations are not allowed on text blocks"),
    (SONNET_45, {"anthropic_version": "2026-10-21", **said({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}, role="assistant")}, "`document` blocks are not allowed in assistant messages"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "change", "text"), REFUSED, ids=[row[2][:40] for row in REFUSED])
def test_a_body_that_breaks_a_rule_is_refused_in_the_words_of_the_api(emulator, model, change, text):
    body = {key: value for key, value in {**BODY, **change}.items() if value is not None}
    response = call(emulator, model, body)
    assert response.status_code == 400
    error = response.json()
    assert error["type"] == "error"
    assert error["error"]["type"] == "invalid_request_error"
    assert error["request_id"].startswith("req_vrtx_")
    assert text in error["error"]["message"]


ACCEPTED: list[tuple[str, dict[str, Any]]] = [
    (SONNET_45, {}),
    ("claude-sonnet-4-5", {}),
    ("claude-opus-5-5@default", {}),
    ("claude-sonnet-4-5@default", {}),
    (SONNET_45, {"anthropic_version": "2026-10-21"}),
    (SONNET_45, {"temperature": 0.2, "top_p": 0.9, "top_k": 5}),
    (SONNET_45, {"messages": [USER, {"role": "assistant", "content": "{"}]}),
    (SONNET_46, {"output_config": {"effort": "max"}, "thinking": {"type": "adaptive"}}),
    (SONNET_46, {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 2000}),
    (OPUS_48, {"thinking": {"type": "disabled"}, "output_config": {"effort": "xhigh"}}),
    (OPUS_5, {"thinking": {"type": "disabled"}, "output_config": {"effort": "high"}}),
    (OPUS_55, {"thinking": {"type": "adaptive", "display": "summarized"}}),
    (SONNET_55, {"thinking": {"type": "between_tools"}}),
    (SONNET_45, said(image(), {"type": "text", "text": "What is this?"})),
    (SONNET_45, said({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "title": "t"})),
    (SONNET_45, {"tools": [TOOL], "messages": [USER, USED, {"role": "user", "content": [RESULT]}]}),
    (SONNET_45, {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 1}]}),
    (SONNET_45, {"metadata": {"user_id": "u"}, "stop_sequences": ["END"], "service_tier": "auto"}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "change"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_what_the_model_takes_is_answered(emulator, model, change):
    response = call(emulator, model, {**BODY, **change})
    assert response.status_code == 200, response.text
    assert response.json()["type"] == "message"


def places(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Where the parts of a JSON value are."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value):
        yield (key,)
        if isinstance(part, (dict, list)):
            yield from ((key, *inner) for inner in places(part))


def test_a_value_of_a_wrong_kind_is_refused_or_taken_wherever_it_stands():
    """The emulator itself fails at none: each is answered as the service answers it, by 200 or 400."""
    google = Google(origin="http://127.0.0.1:1", project="p")
    service = Service(project="p", google=google, script=Script(), pace=None)
    schema = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"type": "string", "minLength": 1}}},
    }
    body = {
        **BODY,
        "system": [MARK],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "use the tool weather"}, image()]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "signature": "s"}, *USED["content"]]},
            {"role": "user", "content": [{**RESULT, "content": [MARK]}]},
        ],
        "tools": [{**TOOL, "input_schema": schema}],
        "tool_choice": {"type": "auto"},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": schema}},
        "stop_sequences": ["END"],
        "metadata": {"user_id": "u"},
        "context_management": {"edits": [{"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 60_000}}]},
    }  # fmt: skip
    headers = {"authorization": "Bearer emulator", "anthropic-beta": "compact-2026-01-12"}
    path = f"/v1/projects/p/locations/global/publishers/anthropic/models/{SONNET_46}:rawPredict"
    statuses = set()
    for place in places(body):
        for odd in (None, True, -1, 10**400, float("inf"), "x", [], [[]], {}, {"type": {}}):
            changed: Any = copy.deepcopy(body)
            holder = changed
            for key in place[:-1]:
                holder = holder[key]
            holder[place[-1]] = odd
            answer, _ = service.handle(Received(method="POST", path=path, headers=headers, body=changed))
            assert b"".join(answer.pieces)
            statuses.add(answer.status)
    assert statuses == {200, 400}


NOT_SERVED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"model": "claude-sonnet-9"}, 404, "NOT_FOUND", "was not found or your project does not have access to it"),
    ({"model": "claude-sonnet-4-5-20250929"}, 404, "NOT_FOUND", "claude-sonnet-4-5-20250929"),
    ({"model": "claude-3-5-haiku@20241022"}, 404, "NOT_FOUND", "was not found"),
    ({"model": "claude-mythos-5"}, 404, "NOT_FOUND", "was not found"),
    ({"model": "a%2Fb"}, 404, "NOT_FOUND", "a/b"),
    ({"publisher": "google"}, 404, "NOT_FOUND", "publishers/google/models"),
    ({"verb": "generateContent"}, 404, "NOT_FOUND", "was not found"),
    ({"location": "us-east1"}, 400, "FAILED_PRECONDITION", "is not servable in region us-east1"),
    ({"location": "us-east5", "model": OPUS_55}, 400, "FAILED_PRECONDITION", "is not servable in region us-east5"),
    ({"project": "other"}, 403, "PERMISSION_DENIED", "Permission 'aiplatform.endpoints.predict' denied on resource"),
    ({"headers": {"Authorization": "Bearer foreign"}}, 401, "UNAUTHENTICATED", "invalid authentication credentials"),
    ({"headers": {"Authorization": ""}}, 401, "UNAUTHENTICATED", "missing required authentication credential"),
    ({"headers": {"Authorization": "Basic emulator"}}, 401, "UNAUTHENTICATED", "authentication credential"),
]  # fmt: skip


@pytest.mark.parametrize("verb", ["rawPredict", "streamRawPredict"])
@pytest.mark.parametrize(
    ("change", "code", "status", "text"), NOT_SERVED, ids=[row[3][:30] for row in NOT_SERVED]
)
def test_what_google_refuses_has_googles_shape_and_is_an_array_where_a_stream_was_asked(
    emulator, verb, change, code, status, text
):
    options = {"verb": verb, "model": SONNET_45, **change}
    response = call(emulator, options.pop("model"), {**BODY, "stream": True}, **options)
    body = response.json()
    assert response.status_code == code
    wrapped = options["verb"] == "streamRawPredict"
    assert isinstance(body, list) is wrapped
    error = (body[0] if wrapped else body)["error"]
    assert (error["code"], error["status"]) == (code, status)
    assert text in error["message"]


def test_a_body_over_30_mb_is_too_large(emulator):
    body = {**BODY, "messages": [{"role": "user", "content": "x" * (30 * 2**20)}]}
    response = call(emulator, SONNET_45, body)
    assert response.status_code == 413
    assert response.json()["error"]["type"] == "request_too_large"


@pytest.mark.parametrize("raw", [b"", b"hello", b"[1]", b'{"a":', b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(emulator, raw):
    url = f"{emulator.base_url}/projects/{emulator.project}/locations/global/publishers/anthropic/models/{SONNET_45}:rawPredict"
    response = requests.post(url, data=raw, headers={"Authorization": "Bearer emulator"}, timeout=120)
    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"


COUNTING: list[tuple[dict[str, Any], str, int, str]] = [
    ({}, "global", 400, "model: Field required"),
    ({"model": SONNET_45}, "global", 400, "is not supported for token counting"),
    ({"model": "claude-sonnet-4-5", "max_tokens": 9}, "global", 400, "max_tokens: Extra inputs are not permitted"),
    ({"model": "claude-sonnet-9"}, "global", 404, "was not found"),
    ({"model": "claude-sonnet-4-5"}, "us-east5", 400, "is not servable in region us-east5"),
    ({"model": OPUS_55, "thinking": {"type": "disabled"}}, "us", 400, "is not supported for this model"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "location", "code", "text"), COUNTING, ids=[row[3] for row in COUNTING])
def test_counting_tokens_has_rules_of_its_own(emulator, change, location, code, text):
    response = call(emulator, "count-tokens", {"messages": [USER], **change}, location=location)
    assert response.status_code == code
    assert text in response.text


def test_counting_needs_no_anthropic_version_and_agrees_with_usage(emulator):
    counted = call(emulator, "count-tokens", {"model": "claude-sonnet-4-5", "messages": [USER]})
    answered = call(emulator, SONNET_45, BODY)
    assert counted.json() == {"input_tokens": answered.json()["usage"]["input_tokens"]}
