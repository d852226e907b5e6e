"""What differs between a request and the nearest one that is recorded, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.digest import unmarked

if TYPE_CHECKING:
    from vertex_claude_magic.records.journal.calls import StoredCall

__all__ = ["differences", "nearest"]

_COMPARED = 2_000
_SHOWN = 40
_PARTS = 3


def nearest(canonical: Mapping[str, Any], candidates: Iterable[StoredCall]) -> StoredCall | None:
    """Return the record whose request is most like this one, None if there are no records."""
    return max(candidates, key=lambda kept: _likeness(canonical, kept.canonical), default=None)


def _likeness(one: Mapping[str, Any], two: Mapping[str, Any]) -> float:
    matcher = SequenceMatcher(
        None, _text(_messages(one))[-_COMPARED:], _text(_messages(two))[-_COMPARED:], autojunk=False
    )
    same = matcher.quick_ratio()
    # The prompt is what people know a question by; the parts beside it only decide between equals.
    return same - 0.01 * len(differences(one, two))


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
    return found + _messages_differ(_messages({"body": one}), _messages({"body": two}))


def _messages(canonical: Mapping[str, Any]) -> Sequence[Any]:
    messages = canonical.get("body", {}).get("messages")
    return messages if isinstance(messages, (list, tuple)) else ()


def _named(name: str, one: Any, two: Any) -> str:
    label = {"system": "the system prompt", "tools": "the tools", "beta": "the betas"}.get(name, name)
    long = isinstance(one, str) and isinstance(two, str) and max(len(one), len(two)) > _SHOWN
    if isinstance(one, str) and isinstance(two, str) and (long or _shown(one) == _shown(two)):
        return f"{label} ({_place(one, two)})"
    if isinstance(one, (dict, list)) and isinstance(two, (dict, list)) and name == "tools":
        return label
    return f"{label} ({_shown(one)}, recorded {_shown(two)})"


def _shown(value: Any) -> str:
    if value is None:
        return "not given"
    return quote(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _SHOWN)


def _messages_differ(one: Sequence[Any], two: Sequence[Any]) -> list[str]:
    if len(one) != len(two):
        return [f"the number of messages ({len(one)}, recorded {len(two)})"]
    for number, (mine, theirs) in enumerate(zip(one, two, strict=True), start=1):
        if mine != theirs:
            where = "the prompt" if number == len(one) else f"message {number}"
            return [_content(where, mine, theirs)]
    return []


def _content(where: str, one: Any, two: Any) -> str:
    mine, theirs = _text(one), _text(two)
    if mine == theirs:
        return f"an attachment of {where}" if _hashes(one) != _hashes(two) else f"the form of {where}"
    return f"{where} ({_place(mine, theirs)})"


def _place(one: str, two: str) -> str:
    start = next(
        (at for at, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(two)),
    )
    begin = max(0, start - _SHOWN // 4)
    mine, theirs = _cut(one, begin), _cut(two, begin)
    if mine == theirs:
        # Shown on one line, they would look alike.
        return f"white space, at {mine!r}, not as recorded"
    return f"{mine!r}, recorded {theirs!r}"


def _cut(text: str, begin: int) -> str:
    piece = quote(text[begin : begin + _SHOWN], _SHOWN)
    return f"{'…' if begin else ''}{piece}{'…' if begin + _SHOWN < len(text) else ''}"


def _text(value: Any) -> str:
    """Return all text of messages, without what stands for attachments."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        kept = (
            part
            for name, part in value.items()
            if name not in {"type", "role", "sha256", "media_type", "bytes"}
        )
        return "\n".join(filter(None, map(_text, kept)))
    return "\n".join(filter(None, map(_text, value))) if isinstance(value, (list, tuple)) else ""


def _hashes(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [str(value["sha256"])] if "sha256" in value else []
        return own + [name for part in value.values() for name in _hashes(part)]
    return [name for part in value for name in _hashes(part)] if isinstance(value, (list, tuple)) else []
