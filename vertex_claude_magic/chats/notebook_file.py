"""A conversation as a notebook that runs, and a notebook with answers as a conversation.

A notebook comes from anybody. Of one that is loaded, prompts and answers are taken, and no option, tool, system text or
thinking: nothing in it decides where the next question goes or what it may do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.chats.entry import TurnEntry, answer_blocks, answer_message, chain
from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.files import replace_former
from vertex_claude_magic.markdown.characters import safe_plain
from vertex_claude_magic.markdown.sanitize import safe_markdown
from vertex_claude_magic.prompts.template import parse_template
from vertex_claude_magic.records.notebook_file import check_notebook, read_notebook
from vertex_claude_magic.records.provenance import (
    METADATA_KEY,
    answer_edited,
    find_provenance,
    prompt_edited,
    provenance,
    stamped,
)
from vertex_claude_magic.settings.registry import LINE_OPTIONS
from vertex_claude_magic.text import on_line, quote, quote_path
from vertex_claude_magic.vertex.blocks import content_blocks
from vertex_claude_magic.vertex.provenance import Lineage
from vertex_claude_magic.vertex.reply import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from vertex_claude_magic.json_types import Json

__all__ = ["cell_source", "notebook_of", "read_turns", "write_notebook"]

_MOST_BYTES = 200_000_000
_MOST_CELLS = 10_000
_QUESTION = re.compile(r"\s*%%claude(?!\S)[^\n]*\n?")
# A cell that is one line, whose answer may go into a variable.
_LINE = re.compile(r"\s*(?:\w+\s*=\s*)?%claude[ \t]+(?P<rest>[^\n]*\S)\s*")
_OPTION = re.compile(r"(?P<name>--?[a-z][a-z-]*)(?P<joined>=\S*)?\s+")
_VALUE = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\S+)\s+""")
_THINKING = re.compile(r"\A<details(?: open)?><summary>Thinking</summary>.*?</details>\s*", re.DOTALL)
# What a cell shows below an answer: warnings, then the footer, folded since 2026-11, then notes.
_BELOW = re.compile(
    r"(?:\n\n⚠ [^\n]*)*"
    r"(?:\n\n<details><summary><small>[^\n]*</small></summary>\n\n<small>[^\n]*</small>\n\n</details>)?"
    r"(?:\n\n<small>[^\n]*</small>)?\s*\Z"
)
# Between the texts of an answer: a call of a function, folded, with its result and what it printed in fences; since
# 2026-11 with labels, and with a blank line below the last call.
_CALL = re.compile(
    r"(?:\A|(?<=\n\n))<details><summary>(?:[^\n<]|</?span>)*</summary>(?:\nPrinted:)?\n\n"
    r"(?:(?:<br>\nResult:\n\n)?(?P<fence>`{3,}|~{3,})[^\n]*\n(?:.*?\n)?(?P=fence)\n\n){0,2}</details>"
    r"(?:\n\n(?:<br>\n\n)?|\Z)",
    re.DOTALL,
)
_SOURCES = re.compile(r"\n\n\*\*Sources\*\*\n\n(?:\d+\. [^\n]*(?:\n|\Z))+(?:\n… [^\n]*)?\s*\Z")
# What stands for an image or a document; the attachments in front of a prompt; and what a prompt has, on a line of its
# own, where an object was given.
_OBJECT = "\N{OBJECT REPLACEMENT CHARACTER}"
_ATTACHED = re.compile(rf"\A(?:(?:{_OBJECT}|<(data(?:-\d+)?) .*?</\1>)\s*)*", re.DOTALL)
_VALUE_LINE = re.compile(r"^<\w+>$", re.MULTILINE)
# Not sets, because a file may have a list where a text belongs.
_DATA_BLOCKS = ("image", "document")
_DATA_KINDS = ("image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf")
_ANSWERERS = ("vertex", "gateway", "local", "emulator")


def cell_source(name: str, entry: TurnEntry) -> str:
    """Return the cell that asks a turn again."""
    model = f" -m {on_line(entry.model)}" if entry.model else ""
    literal = " --literal" if _is_literal(entry) else ""
    return f"%%claude -c {on_line(name)}{model}{literal}\n{entry.prompt}"


def _is_literal(entry: TurnEntry) -> bool:
    """Tell whether a prompt with templates in it was sent as it stands: with `--literal`, or from Python."""
    try:
        if parse_template(entry.prompt) == (entry.prompt,):
            return False
    except OptionError:
        pass
    asked = entry.messages[0].get("content") if entry.messages else ""
    texts = [block.get("text") for block in asked] if isinstance(asked, list) else [asked]
    return entry.prompt in texts


def notebook_of(name: str, entries: Sequence[TurnEntry]) -> dict[str, Any]:
    """Return a conversation as the JSON of a notebook, each turn a cell with its answer and where that came from.

    Raises:
        OptionError: there are no turns.
    """
    if not entries:
        raise OptionError(f"No conversation named {quote(name, 40)!r}.", cure="Ask a question in it first.")
    load: dict[str, Any] = {
        "cell_type": "code", "id": "load", "metadata": {}, "execution_count": None, "outputs": [],
        "source": "%load_ext vertex_claude_magic",
    }  # fmt: skip
    cells = [load]
    for number, entry in enumerate(entries, start=1):
        source = cell_source(name, entry)
        bundle = {
            "text/markdown": safe_markdown(entry.reply.text),
            "text/plain": safe_plain(entry.reply.text),
        }
        shown = {
            "output_type": "display_data",
            "data": bundle,
            "metadata": stamped(provenance(entry.reply, source=source), bundle),
        }
        cells.append(
            {
                "cell_type": "code",
                "id": f"turn-{number}",
                "metadata": {METADATA_KEY: {"messages": _plain(entry)}},
                "execution_count": None,
                "outputs": [shown],
                "source": source,
            }
        )
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, METADATA_KEY: {"chat": name}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells}


def _plain(entry: TurnEntry) -> list[Mapping[str, Any]]:
    """Return prompt and answer as they are sent, without thinking and tools."""
    asked = [
        message for message in entry.messages[:-1] if message.get("role") == "user" and _is_plain(message)
    ]
    texts = [block for block in answer_blocks(entry.messages) if block.get("type") == "text"]
    answer = answer_message(Reply(blocks=tuple(texts)))
    return [*asked[:1], answer] if asked and answer is not None else []


def write_notebook(path: Path, notebook: Mapping[str, Any]) -> None:
    """Write a notebook, in place of an earlier one of the same conversation.

    Raises:
        OptionError: the name does not end in .ipynb, another file is there, or it cannot be written.
    """
    if path.suffix != ".ipynb":
        raise OptionError(
            f"{quote_path(str(path))} is not a notebook name.", cure="Use a name that ends in .ipynb."
        )

    def is_former(data: bytes) -> bool:
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            return False
        about = found.get("metadata") if isinstance(found, dict) else None
        return isinstance(about, dict) and about.get(METADATA_KEY) == notebook["metadata"][METADATA_KEY]

    text = json.dumps(notebook, ensure_ascii=False, indent=1)
    replace_former(path, f"{text}\n".encode("utf-8", "replace"), is_former)


def read_turns(path: Path) -> list[TurnEntry]:
    """Return the turns in a notebook: the answers that this package wrote, each with its prompt.

    Raises:
        OptionError: it cannot be read, or holds no such answer.
        MissingExtra: nbformat is not installed.
    """
    content = read_notebook(path, most=_MOST_BYTES).content
    check_notebook(content, path)
    entries: list[TurnEntry] = []
    for cell in content["cells"][:_MOST_CELLS]:
        for output in cell.get("outputs") or ():
            found = find_provenance(output)
            shown = _shown_text(output.get("data"))
            # Several answers to one prompt are not a turn.
            if found is not None and "answers" not in found and _answer_text(shown):
                edited = answer_edited(output.get("data"), found.get("answer_hash"))
                entries.append(_entry(cell, shown, found, edited=edited is not False))
    if not entries:
        raise OptionError(
            f"{quote_path(str(path))} contains no answer from Claude.",
            cure="Choose a notebook that has some.",
        )
    return [entry._replace(before=before) for entry, before in zip(entries, chain(entries), strict=False)]


def _entry(cell: Mapping[str, Json], shown: str, found: Mapping[str, Json], *, edited: bool) -> TurnEntry:
    text = _answer_text(shown)
    source = _text(cell.get("source"))
    body, line = _QUESTION.match(source), _LINE.fullmatch(source)
    prompt = source if body is None else source[body.end() :]
    if line is not None:
        prompt = _behind_options(line["rest"])
    complete = found.get("complete") is not False
    named = {
        name: quote(value, 100)
        for name in ("model", "region", "date")
        if isinstance(value := found.get(name), str)
    }
    refused = found.get("stop_reason") == "refusal"
    by = found.get("answered_by")
    reply = Reply(
        blocks=({"type": "text", "text": text},),
        model=named.get("model", ""),
        region=named.get("region", ""),
        complete=complete,
        stop_reason="refusal" if refused else "end_turn" if complete else None,
        lineage=Lineage(
            date=named.get("date"),
            answered_by=by if by in _ANSWERERS else None,
        ),
    )
    metadata = cell.get("metadata")
    ours = metadata.get(METADATA_KEY) if isinstance(metadata, Mapping) else None
    whole = None
    if isinstance(ours, Mapping) and not edited and prompt_edited(source, found.get("source_hash")) is False:
        whole = _checked(ours.get("messages"), prompt, {text, shown.strip()})
    if whole is not None:
        # What was sent holds data that the text of the cell only names, and the answer as it came.
        answer = "".join(block["text"] for block in answer_blocks(whole))
        reply = replace(reply, blocks=({"type": "text", "text": answer},))
        messages = whole
    else:
        messages = (
            {"role": "user", "content": prompt if prompt.strip() else "(no prompt)"},
            {"role": "assistant", "content": text},
        )
    return TurnEntry(
        owner="",
        place=0,
        run="",
        prompt=prompt,
        messages=messages,
        reply=reply,
        state="ok" if complete and not refused else "interrupted",
    )


def _behind_options(line: str) -> str:
    """Return the prompt of a line of `%claude`, which is behind its options."""
    while (found := _OPTION.match(line)) and (row := LINE_OPTIONS.get(found["name"])):
        line = line[found.end() :]
        if row.value and not found["joined"] and (value := _VALUE.match(line)):
            line = line[value.end() :]
    return line.removeprefix("-- ")


def _shown_text(data: Json) -> str:
    return _text(data.get("text/markdown") or data.get("text/plain")) if isinstance(data, Mapping) else ""


def _answer_text(text: str) -> str:
    """Return the answer without what a cell shows around it."""
    return _SOURCES.sub("", _CALL.sub("", _BELOW.sub("", _THINKING.sub("", text)))).strip()


def _text(value: Json) -> str:
    if isinstance(value, list):
        value = "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def _is_plain(message: Mapping[str, Any]) -> bool:
    """Tell whether a message has texts, and data that come along: nothing that is fetched or called."""
    content = message.get("content")
    blocks = content_blocks(content)
    whole = isinstance(content, str) or (isinstance(content, list) and len(blocks) == len(content))
    return whole and bool(blocks) and all(map(_is_plain_block, blocks))


def _is_plain_block(block: Mapping[str, Any]) -> bool:
    if block.get("type") == "text":
        return (
            set(block) == {"type", "text"} and isinstance(block["text"], str) and bool(block["text"].strip())
        )
    source = block.get("source")
    titles = {name: value for name, value in block.items() if name in {"title", "context"}}
    return (
        block.get("type") in _DATA_BLOCKS
        and set(block) - {"title", "context"} == {"type", "source"}
        and all(isinstance(value, str) for value in titles.values())
        and isinstance(source, Mapping)
        and set(source) == {"type", "media_type", "data"}
        and source["type"] == "base64"
        and source["media_type"] in _DATA_KINDS
        and isinstance(source["data"], str)
    )


def _checked(value: Json, prompt: str, answers: Container[str]) -> tuple[Mapping[str, Any], ...] | None:
    """Return a prompt and an answer from a file, None unless they are just that, and are what the cell shows.

    The values of templates and objects, and attachments in front of the prompt, are what it cannot show. Of the answer
    from the file nothing is left out, so that it has nothing more than the cell: `answers` are what that shows, with
    and without what may be around an answer.
    """
    if not isinstance(value, list) or len(value) != 2:
        return None
    roles = [
        message.get("role")
        for message in value
        if isinstance(message, Mapping) and set(message) == {"role", "content"}
    ]
    if roles != ["user", "assistant"] or not all(map(_is_plain, value)):
        return None
    said = [block.get("text") for block in answer_blocks(value)]
    if None in said or safe_markdown("".join(said)).strip() not in answers:
        return None
    blocks = content_blocks(value[0]["content"])
    sent = "".join(block["text"] if block["type"] == "text" else _OBJECT for block in blocks)

    def plain(text: str) -> str:
        return "".join(text.replace("\0", "").split())

    sent, pieces = plain(_ATTACHED.sub("", sent)), [plain(prompt)]
    if [sent] != pieces:
        with suppress(OptionError):
            parts = [part if isinstance(part, str) else "\n<value>\n" for part in parse_template(prompt)]
            pieces = [*map(plain, _VALUE_LINE.split("".join(parts)))]
    # Each piece in its order, from the beginning to the end.
    pieces[0], rest, at = f"\0{pieces[0]}", f"\0{sent}\0", 0
    pieces[-1] += "\0"
    for piece in pieces:
        at = rest.find(piece, at)
        if at < 0:
            return None
        at += len(piece)
    return tuple(value)
