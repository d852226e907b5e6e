"""The answer of the emulator where no reply was scripted.

An honest text: its first sentence says that no Claude wrote it, the rest describes the request
that came in, in enough kinds of Markdown to see them drawn. In demo mode the texts of `demo.md` take
its place. Tool calls and structured outputs are made from their schemas.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator, Mapping

from vertex_claude_magic.emulator.messages.ask import Ask, all_blocks, blocks_of
from vertex_claude_magic.emulator.messages.demo import demo_data, demo_text, schema_in
from vertex_claude_magic.emulator.messages.parts import Answer, parts
from vertex_claude_magic.emulator.messages.samples import sample
from vertex_claude_magic.emulator.messages.tokens import input_tokens

__all__ = ["canned", "code"]

_WANTED_TOOL = re.compile(r"use the tools? [`'\"]?([\w-]+)", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff|]+")
_FIRST_WORDS = 60
_CALLS = "This is the emulator, not Claude: it calls the tool that the prompt names, with a made-up input."


def canned(ask: Ask) -> Answer:
    """The answer to a request for which no reply was scripted."""
    thinking = []
    if ask.thinks:
        text = (
            "This is the emulator, and it does not think. It reads the request, counts its parts, "
            f"and describes them; the prompt has {len(ask.prompt):,} characters."
        )
        signature = base64.b64encode(b"emulator:" + secrets.token_bytes(24)).decode()
        # The signature is there also where the request does not ask to see the text.
        text = text if ask.shows_thinking else ""
        thinking = [{"type": "thinking", "thinking": text, "signature": signature}]
    # The tools that the request forces, or that its prompt names.
    tools = {str(tool["name"]): tool for tool in ask.tools}
    choice = ask.body.get("tool_choice") or {}
    kind = choice.get("type")
    if kind == "tool":
        names = [choice["name"]]
    elif kind == "any":
        names = list(tools)[:1]
    else:
        names = [] if kind == "none" else list(dict.fromkeys(_WANTED_TOOL.findall(ask.prompt)))
    names = [name for name in names if name in tools]
    calls = []
    for name in names[:1] if choice.get("disable_parallel_tool_use") else names:
        value, identity = sample(tools[name].get("input_schema")), "toolu_vrtx_" + secrets.token_hex(12)
        made = value if isinstance(value, dict) else {}
        calls.append({"type": "tool_use", "id": identity, "name": tools[name]["name"], "input": made})
    if calls:
        notice = [] if kind in {"any", "tool"} else [{"type": "text", "text": _CALLS}]
        return Answer(parts=parts([*thinking, *notice, *calls]), stop_reason="tool_use")
    schema = ask.schema
    if schema is None and ask.demo:
        schema = schema_in(ask.prompt)
    if schema is not None:
        text = json.dumps(demo_data(ask.prompt, schema) if ask.demo else sample(schema))
    else:
        text = demo_text(ask.prompt, input_tokens(ask.body)) if ask.demo else _markdown(ask)
    return Answer(parts=parts([*thinking, {"type": "text", "text": text}]))


def code(text: str, limit: int = _FIRST_WORDS) -> str:
    """Foreign text as a code span of Markdown, at most `limit` characters, safe in a table.

    >>> code("a `b` | c")
    '`` a `b`   c ``'
    """
    flat = _CONTROL.sub(" ", text[: limit * 4]).strip() or " "
    flat = flat if len(flat) <= limit else flat[: limit - 1] + "…"
    runs = [len(run) for run in re.findall("`+", flat)]
    fence = "`" * (max(runs, default=0) + 1)
    return f"{fence} {flat} {fence}" if runs else f"`{flat}`"


def _markdown(ask: Ask) -> str:
    count = input_tokens(ask.body)
    last = blocks_of(ask.messages[-1]) if ask.messages else []
    what = "it describes the request that it received."
    if any(block.get("type") == "tool_result" for block in last):
        what = "it received a tool result and says what else came with it."
    thinking, rules = ask.body.get("thinking"), ask.model.rules
    # As the panel calls it.
    default = "always on" if rules.thinking_default == "always" else rules.thinking_default
    rows = [
        ("model", ask.model.id),
        ("location", ask.route.location),
        ("max_tokens", ask.body.get("max_tokens")),
        ("effort", ask.effort or f"default ({rules.default_effort or 'none'})"),
        ("thinking", json.dumps(thinking) if thinking else f"default ({default})"),
        ("streamed", "yes" if ask.body.get("stream") else "no"),
    ]
    table = ["| field | value |", "|---|---|", *(f"| {name} | {code(str(value))} |" for name, value in rows)]
    literal = json.dumps(_CONTROL.sub(" ", ask.prompt[:200])[:_FIRST_WORDS], ensure_ascii=False)
    blocks = [
        "## An answer from the emulator",
        f"This is the emulator, not Claude: {what}",
        f"Your prompt begins with {code(ask.prompt)}; the request counts **{count:,} tokens** by estimate.",
        "What came in:",
        "\n".join(table),
        "What came along:",
        "\n".join(f"- {line}" for line in _came_along(ask)),
        "The same request in a line of Python, so that there is some code to look at:",
        f'```python\nquestion = {literal}\nprint(f"{{len(question):,}} characters asked")\n```',
        "And a formula, the estimate of $t$ tokens for $n$ characters:",
        f"$$t = \\lceil n / 4 \\rceil = {count}$$",
        "> Nothing here was written by a model. Point the session at a real project to ask Claude.",
    ]
    return "\n\n".join(blocks) + "\n"


def _came_along(ask: Ask) -> Iterator[str]:
    yield f"messages: {len(ask.messages)}"
    if system := ask.body.get("system"):
        text = system if isinstance(system, str) else " ".join(str(block.get("text", "")) for block in system)
        yield f"system prompt: {code(text)}"
    for tool in ask.body.get("tools") or ():
        yield f"tool: {code(str(tool.get('name', tool.get('type'))))}"
    for block in all_blocks(ask.messages):
        kind, source = str(block.get("type")), block.get("source")
        if kind == "tool_result":
            yield f"tool result: {code(json.dumps(block.get('content', ''), ensure_ascii=False))}"
        elif kind in {"image", "document"} and isinstance(source, Mapping):
            data = str(source.get("data") or json.dumps(source.get("content", "")))
            # Base64 has four characters for three bytes.
            size = len(data) * 3 // 4 if source.get("type") == "base64" else len(data)
            yield f"{kind}: {code(str(source.get('media_type', source.get('type'))))}, {size:,} bytes"
