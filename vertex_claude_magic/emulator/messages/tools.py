"""The rules of tools: which kinds the model takes, what each must say, and which may be forced.

Each function yields the texts of the rules that are broken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vertex_claude_magic.emulator.messages.rules import extra, unknown_tag
from vertex_claude_magic.emulator.messages.samples import INVALID_SCHEMA, is_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vertex_claude_magic.emulator.messages.ask import Ask
    from vertex_claude_magic.json_types import Json

__all__ = ["broken"]

_CHOICE_FIELDS = {
    "auto": {"type", "disable_parallel_tool_use"},
    "any": {"type", "disable_parallel_tool_use"},
    "tool": {"type", "name", "disable_parallel_tool_use"},
    "none": {"type"},
}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_TOOL_FIELDS = {
    "type", "name", "description", "input_schema", "strict", "cache_control", "defer_loading",
    "eager_input_streaming", "input_examples", "allowed_callers",
}  # fmt: skip
# Beginnings of types, because versions follow.
_SERVER_TOOLS = ("web_search_20250305", "bash_", "text_editor_", "memory_", "computer_", "tool_search_tool_",
                 "browser_toolset_")  # fmt: skip


def broken(ask: Ask) -> Iterator[str]:
    """The rules that the tools of a request break, and the choice among them."""
    tools = ask.body.get("tools")
    if tools is not None and not isinstance(tools, list):
        yield "tools: Input should be a valid list"
        return
    for index, tool in enumerate(tools or ()):
        yield from _tool(ask, tool, f"tools.{index}.")
    # A toolset has no name.
    names = [tool["name"] for tool in tools or () if isinstance(tool, dict) and "name" in tool]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    choice = ask.body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(kind, str) or kind not in _CHOICE_FIELDS:
        yield f"tool_choice: {unknown_tag(kind)}"
        return
    yield from extra(choice, _CHOICE_FIELDS[kind], f"tool_choice.{kind}.")
    if not tools:
        yield "tool_choice may only be specified while providing tools."
    if kind not in {"any", "tool"}:
        return
    if not ask.model.rules.forced_tool_choice:
        yield 'tool_choice: type "tool" and "any" are not supported for this model.'
    thinking = ask.body.get("thinking")
    if thinking and thinking["type"] == "enabled":
        yield "Thinking may not be enabled when tool_choice forces tool use."
    if kind == "tool" and choice.get("name") not in names:
        yield f"Tool '{choice.get('name')}' not found in provided tools"


def _tool(ask: Ask, tool: Json, place: str) -> Iterator[str]:
    if not isinstance(tool, dict):
        yield f"{place.rstrip('.')}: Input should be an object"
        return
    kind, only = str(tool.get("type", "custom")), ask.model.rules.computer_tools
    foreign = kind.startswith("computer_") and only is not None and kind not in only
    if kind == "custom":
        yield from extra(tool, _TOOL_FIELDS, f"{place}custom.")
        if not _TOOL_NAME.fullmatch(str(tool.get("name", ""))):
            yield f"{place}custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        schema = tool.get("input_schema")
        if not isinstance(schema, dict):
            yield f"{place}custom.input_schema: Field required"
        elif schema.get("type") != "object":
            yield f"{place}custom.input_schema.type: Input should be 'object'"
        elif not is_schema(schema):
            yield f"{place}custom.input_schema: {INVALID_SCHEMA}"
    elif not kind.startswith(_SERVER_TOOLS) or foreign:
        yield f"{place.rstrip('.')}: {unknown_tag(tool['type'])}"
    elif "_toolset_" in kind:
        # It is known by its type and takes no name of its own.
        if "name" in tool:
            yield f"{place}name: Extra inputs are not permitted"
    elif not isinstance(tool.get("name"), str):
        yield f"{place}name: Field required"
