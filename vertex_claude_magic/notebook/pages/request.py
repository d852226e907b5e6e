"""A request as something to look at: its blocks one by one, its body as JSON, and a curl command."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import ClaudeError
from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.notebook.pages.html import literal
from vertex_claude_magic.notebook.pages.table import Cell, Column, Inline, Row, Table, span
from vertex_claude_magic.text import number_of
from vertex_claude_magic.vertex.blocks import content_blocks
from vertex_claude_magic.vertex.digest import without_secret_fields
from vertex_claude_magic.vertex.endpoint import check_token_host, is_loopback
from vertex_claude_magic.vertex.headers import shown_headers

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.vertex.request import Request

__all__ = ["BlockRow", "block_rows", "blocks_html", "blocks_plain", "curl_command", "shown_body"]

_THUMBNAIL = 160
_MOST_THUMBNAILS = 12
_MOST_ROWS = 100
_BEGINNING = 100
# Nobody pastes a line with a longer body.
_LONGEST_INLINE = 20_000
_COLUMNS = (Column("Block", wrap="never"), Column("Type"), Column("Size"), Column("Begins with"))
# The tags around data (`fenced_data` in prompts/compose.py), of which the name says enough.
_TAG = re.compile(r'</data(?:-\d+)?>|<data(?:-\d+)? name="(?P<name>[^"<>]*)"[^<>]*>')
_GCLOUD = "$(gcloud auth application-default print-access-token)"


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockRow:
    """One block of a request: its place, what it is, how large, and how it begins."""

    place: str
    type: str
    size: str
    beginning: str
    block: Mapping[str, Any]


def block_rows(body: Mapping[str, Any], image_tokens: int = 0) -> tuple[BlockRow, ...]:
    """Return a row for each block that goes out, in the order in which the model reads them.

    Args:
        body: The body of the request.
        image_tokens: The most tokens that an image counts, from the model table; 0 where that is not known.

    >>> rows = block_rows({"system": "Be brief.", "messages": [{"role": "user", "content": "?"}]})
    >>> [(row.place, row.size) for row in rows]
    [('system', '9 characters, ≈3 tokens'), ('message 1, user', '1 character, ≈1 token')]
    """
    rows = []
    for place, block in _blocks(body):
        source = block.get("source") or {}
        text = block.get("text")
        if isinstance(text, str):
            size, beginning = _text_size(text), text
        elif isinstance(source, Mapping) and source.get("type") == "base64":
            # Base64 has four characters for three bytes.
            count = len(str(source.get("data", ""))) * 3 // 4
            size = f"{count:,} bytes" if count < 10_000 else f"{count / 1000:,.0f} kB"
            size += f", {source.get('media_type')}"
            if image_tokens and block.get("type") == "image":
                size += f", at most {number_of(image_tokens, 'token')}"
            beginning = str(block.get("title") or "")
        else:
            text = json.dumps(
                {key: value for key, value in block.items() if key != "type"}, ensure_ascii=False
            )
            size, beginning = _text_size(text), text
        cached = ", cached up to here" if block.get("cache_control") else ""
        looked_at = _TAG.sub(
            lambda tag: f" {html.unescape(tag['name'])}: " if tag["name"] else " ",
            beginning[: _BEGINNING * 10],
        )
        shown = " ".join(safe_plain(looked_at).split())
        if not shown and len(beginning) <= _BEGINNING:
            # What ends the tag of a picture or a document is a block of its own.
            shown = " ".join(safe_plain(beginning).split())
        if len(shown) > _BEGINNING or len(beginning) > _BEGINNING * 10:
            shown = f"{shown[:_BEGINNING].rstrip()}…"
        row = BlockRow(
            place=place, type=str(block.get("type")), size=size + cached, beginning=shown, block=block
        )
        rows.append(row)
    return tuple(rows)


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tool in body.get("tools") or ():
        marked = {"cache_control": tool["cache_control"]} if "cache_control" in tool else {}
        yield "tool", {"type": "tool", "text": json.dumps(tool, ensure_ascii=False), **marked}
    output_format = (body.get("output_config") or {}).get("format")
    if output_format:
        yield "format", {"type": "schema", "text": json.dumps(output_format, ensure_ascii=False)}
    for block in content_blocks(body.get("system")):
        yield "system", block
    for number, message in enumerate(body.get("messages") or (), start=1):
        for block in content_blocks(message.get("content")):
            yield f"message {number}, {message.get('role')}", block


def _text_size(text: str) -> str:
    from vertex_claude_magic.prompts.parts import estimate_tokens

    tokens = estimate_tokens(text)
    return f"{number_of(len(text), 'character')}, ≈{number_of(tokens, 'token')}"


def blocks_html(rows: Sequence[BlockRow]) -> str:
    """Return the blocks as an HTML table, with small pictures of images."""
    left, former = _MOST_THUMBNAILS, ""
    shown = []
    for row in rows[:_MOST_ROWS]:
        picture = _picture(row) if left else None
        left -= picture is not None
        begins: Cell = picture or (span("code", row.beginning) if row.beginning else "")
        # A place is named once, and not again for each block of it.
        place = "" if row.place == former else row.place
        former = row.place
        shown.append(Row((place, row.type, row.size, begins)))
    rest = _rest(rows)
    return f"{Table(columns=_COLUMNS, rows=shown).html()}{f'<p>{rest}</p>' if rest else ''}"


def _picture(row: BlockRow) -> Inline | None:
    if row.type != "image":
        return None
    from vertex_claude_magic.prompts.values.images import thumbnail_png

    data = thumbnail_png(row.block, _THUMBNAIL)
    if data is None:
        return None
    source = base64.b64encode(data).decode("ascii")
    return Inline(f'<img alt="{literal(row.place, formulas=True)}" src="data:image/png;base64,{source}">')


def _rest(rows: Sequence[BlockRow]) -> str:
    return f"… and {len(rows) - _MOST_ROWS:,} more blocks" if len(rows) > _MOST_ROWS else ""


def blocks_plain(rows: Sequence[BlockRow]) -> str:
    """Return the blocks as plain lines."""
    lines = [f"{row.place}: {row.type}, {row.size}" for row in rows[:_MOST_ROWS]]
    return "\n".join(line for line in [*lines, _rest(rows)] if line)


def shown_body(body: Json) -> Json:
    """Return the body without the data of images and documents, which nobody reads.

    >>> shown_body({"source": {"type": "base64", "data": "iVBORw0KGgoAAAANSUhEUg=="}})
    {'source': {'type': 'base64', 'data': 'iVBORw0KGgoA… (24 characters of base64)'}}
    """
    if isinstance(body, Mapping):
        data = body.get("data")
        if body.get("type") == "base64" and isinstance(data, str):
            return {**body, "data": f"{data[:12]}… ({len(data):,} characters of base64)"}
        return {key: shown_body(value) for key, value in body.items()}
    if isinstance(body, (list, tuple)):
        return [shown_body(each) for each in body]
    return body


def curl_command(request: Request, trusted_hosts: Sequence[str] = ()) -> str:
    """Return a shell command that sends the request; it asks gcloud for a token and contains none.

    For a host that gets no Google token the variable `$TOKEN` takes its place, and for the value of a header of the
    user's a variable with the name of the header. Of a field that holds a secret the value is left out. A long body is
    read from the file `request.json`.
    """
    bearer = "$TOKEN"
    with suppress(ClaudeError):
        check_token_host(request.url, trusted_hosts)
        bearer = "$TOKEN" if is_loopback(request.url) else _GCLOUD
    data = "--data-binary @request.json"
    if len(request.payload) <= _LONGEST_INLINE:
        # In ASCII, so that what is pasted is what goes out.
        body = without_secret_fields(json.loads(request.payload))
        data = f"-d {shlex.quote(json.dumps(body, separators=(',', ':')))}"
    headers = []
    for name, value in shown_headers(request.headers).items():
        if value == request.headers[name]:
            headers.append(shlex.quote(f"{name}: {value}"))
        elif name.lower() != "user-agent":
            variable = re.sub(r"\W", "_", f"HEADER_{name}").upper()
            headers.append(f'{shlex.quote(f"{name}: ")}"${variable}"')
    lines = [
        f"curl -N -X {request.method} {shlex.quote(request.url)}",
        f'-H "Authorization: Bearer {bearer}"',
        *(f"-H {header}" for header in headers),
        data,
    ]
    return " \\\n  ".join(lines)
