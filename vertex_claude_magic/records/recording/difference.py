"""What differs between a request and the nearest one that is recorded, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.digest import ATTACHMENT_BYTES, ATTACHMENT_HASH, unmarked

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json
    from vertex_claude_magic.records.journal.calls import StoredCall

__all__ = ["differences", "nearest"]

_COMPARED = 2_000
_SHOWN = 40


def nearest(canonical: Mapping[str, Any], candidates: Iterable[StoredCall]) -> StoredCall | None:
    """Return the record whose request is most like this one, None if there are no records."""
    asked = _messages(canonical)

    def likeness(stored: StoredCall) -> float:
        recorded = _messages(stored.canonical)
        # The prompt is what people know a question by; what is beside it only decides between equals.
        one, two = (_text(messages[-1:])[-_COMPARED:] for messages in (asked, recorded))
        same = SequenceMatcher(None, one, two, autojunk=False).quick_ratio()
        parts = len(differences(canonical, stored.canonical)) + (len(asked) != len(recorded))
        return same - 0.01 * (parts + 2 * (_in_blocks(asked) != _in_blocks(recorded)))

    return max(candidates, key=likeness, default=None)


def differences(asked: Mapping[str, Any], recorded: Mapping[str, Any]) -> list[str]:
    """Return the parts that differ, each as a few words: what it is, and what was recorded.

    >>> differences({"model": "a", "body": {"max_tokens": 5}}, {"model": "a", "body": {"max_tokens": 9}})
    ['max_tokens (5, recorded 9)']
    """
    found = [
        _named(name, asked.get(name), recorded.get(name))
        for name in ("model", "beta")
        if asked.get(name) != recorded.get(name)
    ]
    # Cache marks, which former versions recorded, make no other question.
    one, two = unmarked(asked)["body"], unmarked(recorded)["body"]
    names = [name for name in {**one, **two} if name != "messages"]
    found += [_named(name, one.get(name), two.get(name)) for name in names if one.get(name) != two.get(name)]
    mine, theirs = _messages({"body": one}), _messages({"body": two})
    if len(mine) != len(theirs):
        left_out = len(mine) < len(theirs) and _text(mine[-1:]) == _text(theirs[-1:])
        why = "; an earlier turn was not run" if left_out else ""
        return [*found, f"the number of messages ({len(mine)}, recorded {len(theirs)}{why})"]
    for number, (message, former) in enumerate(zip(mine, theirs, strict=True), start=1):
        if message != former:
            # Only the first one: those behind it often differ because of it.
            where = "the prompt" if number == len(mine) else f"message {number}"
            text, before = _text(message), _text(former)
            if text != before:
                return [*found, f"{where} ({_place(text, before)})"]
            if _hashes(message) != _hashes(former):
                return [*found, f"an attachment of {where}"]
            mine_is, theirs_is = (
                "a turn of a conversation" if _in_blocks([each]) else "a question of its own"
                for each in (message, former)
            )
            how = f" ({mine_is}, recorded as {theirs_is})" if mine_is != theirs_is else ""
            return [*found, f"the form of {where}{how}"]
    return found


def _messages(canonical: Mapping[str, Any]) -> Sequence[Json]:
    messages = canonical.get("body", {}).get("messages")
    return messages if isinstance(messages, (list, tuple)) else ()


def _in_blocks(messages: Sequence[Json]) -> bool:
    """Tell whether the last message is sent as blocks, as each turn of a conversation is, and not as a text."""
    last = messages[-1] if messages else None
    return isinstance(last, Mapping) and not isinstance(last.get("content"), str)


def _named(name: str, one: Json, two: Json) -> str:
    label = {"system": "the system prompt", "tools": "the tools", "beta": "the betas"}.get(name, name)
    long = isinstance(one, str) and isinstance(two, str) and max(len(one), len(two)) > _SHOWN
    if isinstance(one, str) and isinstance(two, str) and (long or _shown(one) == _shown(two)):
        return f"{label} ({_place(one, two)})"
    if isinstance(one, (dict, list)) and isinstance(two, (dict, list)) and name == "tools":
        return label
    return f"{label} ({_shown(one)}, recorded {_shown(two)})"


def _shown(value: Json) -> str:
    if value is None:
        return "not given"
    return quote(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _SHOWN)


def _place(one: str, two: str) -> str:
    start = next(
        (at for at, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(two)),
    )
    begin = max(0, start - _SHOWN // 4)
    mine, theirs = _cut(one, begin), _cut(two, begin)
    if mine == theirs:
        # Shown on one line, they would look alike.
        what = (
            "only spaces" if "".join(one.split()) == "".join(two.split()) else "characters that are not seen"
        )
        return f"{what} differ, at {mine!r}"
    return f"{mine!r}, recorded {theirs!r}"


def _cut(text: str, begin: int) -> str:
    piece = quote(text[begin : begin + _SHOWN], _SHOWN)
    return f"{'…' if begin else ''}{piece}{'…' if begin + _SHOWN < len(text) else ''}"


def _text(value: Json) -> str:
    """Return all text of messages, without the hashes of attachments."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        parts = (
            part
            for name, part in value.items()
            if name not in {"type", "role", "media_type", ATTACHMENT_HASH, ATTACHMENT_BYTES}
        )
        return "\n".join(filter(None, map(_text, parts)))
    return "\n".join(filter(None, map(_text, value))) if isinstance(value, (list, tuple)) else ""


def _hashes(value: Json) -> list[str]:
    if isinstance(value, Mapping):
        own = [str(value[ATTACHMENT_HASH])] if ATTACHMENT_HASH in value else []
        return own + [name for part in value.values() for name in _hashes(part)]
    return [name for part in value for name in _hashes(part)] if isinstance(value, (list, tuple)) else []
