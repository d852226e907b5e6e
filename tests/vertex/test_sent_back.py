"""The blocks of an answer as they go back: what the official SDK would send, and what its types allow."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Any, Union

import anthropic.types as ga
import anthropic.types.beta as beta
import pytest
import typing_extensions
from pydantic import TypeAdapter

from vertex_claude_magic.vertex.blocks import sent_back
from vertex_claude_magic.vertex.reply import Reply

CITED = {
    "type": "char_location",
    "cited_text": "A note.",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 7,
    "file_id": None,
}
FOUND = {
    "type": "web_search_result_location",
    "cited_text": "Penguins swim.",
    "encrypted_index": "Eo8B",
    "title": None,
    "url": "https://example.org/penguins",
}
RESULT = {
    "type": "web_search_result",
    "encrypted_content": "EqgB",
    "page_age": None,
    "title": "Penguins",
    "url": "https://example.org/penguins",
}
UNAVAILABLE = {"error_code": "unavailable"}


def result(kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"type": f"{kind}_tool_result", "tool_use_id": "srvtoolu_1", "content": content, **more}


# Each as the service gives it, with the nulls that it has.
EXAMPLES = [
    {"type": "text", "text": "See.", "citations": [CITED, FOUND]},
    {"type": "text", "text": "See.", "citations": None},
    {"type": "thinking", "thinking": "", "signature": "sig"},
    {"type": "redacted_thinking", "data": "c2VjcmV0"},
    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"at": None, "deep": [{"x": None}]}},
    {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
    result("web_search", [RESULT], caller={"type": "direct"}),
    result("web_search", {"type": "web_search_tool_result_error", **UNAVAILABLE}),
    result("web_fetch", {"type": "web_fetch_tool_result_error", **UNAVAILABLE}),
    result("advisor", {"type": "advisor_tool_result_error", **UNAVAILABLE}),
    result("code_execution", {"type": "code_execution_tool_result_error", **UNAVAILABLE}),
    result("bash_code_execution", {"type": "bash_code_execution_tool_result_error", **UNAVAILABLE}),
    result(
        "text_editor_code_execution",
        {"type": "text_editor_code_execution_tool_result_error", "error_message": None, **UNAVAILABLE},
    ),
    result("tool_search", {"type": "tool_search_tool_search_result", "tool_references": []}),
    {"type": "mcp_tool_use", "id": "mcptoolu_1", "name": "f", "server_name": "s", "input": {}},
    {
        "type": "mcp_tool_result",
        "tool_use_id": "mcptoolu_1",
        "is_error": False,
        "content": [{"type": "text", "text": "x", "citations": None}],
    },
    {"type": "container_upload", "file_id": "file_1"},
    {"type": "compaction", "content": "So far.", "encrypted_content": None},
]


def members(union: Any) -> list[Any]:
    """The types of a union, unions in it resolved."""
    if typing.get_origin(union) in {typing.Annotated, typing_extensions.Required, list, Iterable}:
        return members(typing.get_args(union)[0])
    if typing.get_origin(union) in {Union, types.UnionType}:
        return [each for part in typing.get_args(union) for each in members(part)]
    return [union]


def fields_of(model: Any) -> dict[str, tuple[Any, bool]]:
    """Type of each field of a request's type, and whether it has to be there."""
    hints = typing_extensions.get_type_hints(model, include_extras=True)
    return {
        name: (hint, typing_extensions.get_origin(hint) is typing_extensions.Required)
        for name, hint in hints.items()
    }


def kind_of(model: Any) -> str:
    (name,) = typing.get_args(members(fields_of(model)["type"][0])[0])
    return str(name)


def misfits(value: Any, hint: Any) -> list[str]:
    """What a value has or lacks against a type of requests, as far as objects with a `type` go."""
    if isinstance(value, list):
        return [wrong for each in value for wrong in misfits(each, hint)]
    models = {kind_of(each): each for each in members(hint) if typing_extensions.is_typeddict(each)}
    if not isinstance(value, dict) or not models:
        return []
    fields = fields_of(models[value["type"]])
    wrong = [f"{name} is missing" for name, (_, needed) in fields.items() if needed and name not in value]
    wrong += [f"{name} is unknown" for name in value if name not in fields]
    return wrong + [
        each for name, part in value.items() if name in fields for each in misfits(part, fields[name][0])
    ]


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: part if name == "input" else without_nulls(part)
            for name, part in value.items()
            if part is not None or name in {"title", "document_title"}
        }
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def answered(*blocks: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return sent_back(Reply(blocks=blocks, complete=True, **more))


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block["type"])
def test_a_block_goes_back_as_the_official_sdk_sends_it(block):
    """Save for nulls that requests need not have."""
    # Thinking has something behind it.
    ours, _ = answered(block, {"type": "text", "text": "So."})
    theirs = TypeAdapter(beta.BetaContentBlock).validate_python(block)
    # As `anthropic._utils._transform` writes a model that is among the messages.
    assert ours == without_nulls(theirs.model_dump(exclude_unset=True, mode="json"))


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: block["type"])
def test_a_block_that_goes_back_has_the_fields_of_a_request_and_no_others(block):
    ours, _ = answered(block, {"type": "text", "text": "So."})
    assert misfits(ours, beta.BetaContentBlockParam) == []


def test_every_kind_of_block_of_the_official_sdk_is_known():
    """A new one needs a line in `_SENT` and an example here."""
    kinds = {
        typing.get_args(model.model_fields["type"].annotation)[0]
        for union in (ga.ContentBlock, beta.BetaContentBlock)
        for model in members(union)
    }
    assert kinds == {block["type"] for block in EXAMPLES} | {"fallback", "mcp_tool_listing"}


CALL = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
TEXT = {"type": "text", "text": "See.", "citations": [FOUND]}
CASES: dict[str, tuple[tuple[dict[str, Any], ...], dict[str, Any], list[dict[str, Any]]]] = {
    "a call that a limit cut off": (({**CALL, "partial_json": '{"a'},), {"stop_reason": "max_tokens"}, []),
    "a call that is no JSON": (({**CALL, "partial_json": "{]"},), {"stop_reason": "tool_use"}, [CALL]),
    "a text of blanks": (({"type": "text", "text": " \n"},), {}, []),
    "a text that is none": (({"type": "text", "text": None},), {}, []),
    "thinking without a signature": (({"type": "thinking", "thinking": "Hm."}, CALL), {}, [CALL]),
    "thinking at the end": ((CALL, {"type": "redacted_thinking", "data": "x"}), {}, [CALL]),
    "a result without its call": (({"type": "web_search_tool_result", "content": []},), {}, []),
    "a block that no SDK knows": (({"type": "of_tomorrow", "text": "x"},), {}, []),
}


@pytest.mark.parametrize(("blocks", "more", "sent"), CASES.values(), ids=CASES)
def test_what_the_service_would_refuse_is_left_out(blocks, more, sent):
    assert answered(*blocks, **more) == sent


def test_of_an_answer_that_was_stopped_only_the_texts_go_back():
    """What they cite stands in blocks that may be incomplete."""
    blocks = ({"type": "thinking", "thinking": "Hm.", "signature": "s"}, TEXT, CALL)
    assert sent_back(Reply(blocks=blocks, complete=False)) == [{"type": "text", "text": "See."}]
