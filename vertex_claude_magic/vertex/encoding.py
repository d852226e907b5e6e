"""The body of a request as JSON: fit for UTF-8 and encoded once; messages of a conversation remember their bytes."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.errors import OptionError
from vertex_claude_magic.text import quote
from vertex_claude_magic.vertex.digest import SentMessage

if TYPE_CHECKING:
    from vertex_claude_magic.json_types import Json

__all__ = ["clean", "encoded"]

# Made once: `json.dumps` makes one for each call that is not all defaults.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
# What is sent as it is, whatever its value.
_SAME = (bool, int, type(None))


def encoded(body: Mapping[str, Any]) -> tuple[bytes, bytes]:
    """Return a body as it goes over the wire, and the same without the messages that are known to hold only text.

    >>> encoded({"model": "claude-haiku-5-5", "max_tokens": 5})[0]
    b'{"model":"claude-haiku-5-5","max_tokens":5}'
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not any(type(each) is SentMessage for each in messages):
        payload = _json(body)
        return payload, payload
    whole, telling = [], []
    for message in messages:
        if type(message) is SentMessage:
            whole.append(message.payload)
            telling += [] if message.only_text else whole[-1:]
        else:
            whole.append(_json(message))
            telling += whole[-1:]
    fields = {name: _json(value) for name, value in body.items() if name != "messages"}

    def joined(each: list[bytes]) -> bytes:
        pairs = (
            _json(name) + b":" + (fields[name] if name in fields else b"[" + b",".join(each) + b"]")
            for name in body
        )
        return b"{" + b",".join(pairs) + b"}"

    return joined(whole), joined(telling)


def _json(value: Json) -> bytes:
    return _encode(value).encode("utf-8", "replace")


def clean(value: Json) -> Any:
    """Return a copy of JSON, in which what UTF-8 cannot carry (lone surrogates) is replaced.

    Raises:
        OptionError: it holds what JSON cannot carry, such as NaN.

    >>> clean({"n": (1, 2.5), "text": "\\ud83d\\ude00"})
    {'n': [1, 2.5], 'text': '😀'}
    """
    if type(value) is SentMessage:
        return value
    if isinstance(value, str):
        if value.isascii():
            return value
        with suppress(UnicodeEncodeError):
            value.encode()
            return value
        # Surrogate pairs are joined, and U+FFFD takes the place of lone ones.
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, Mapping):
        cleaned: dict[str, Any] = {}
        for name, part in value.items():
            # Most are such, and a call for each would be half of the work on a small body.
            same = part.isascii() if type(part) is str else type(part) in _SAME
            key = name if type(name) is str and name.isascii() else clean(str(name))
            cleaned[key] = part if same else clean(part)
        return cleaned
    if isinstance(value, (list, tuple)):
        return [clean(part) for part in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    # The repr of an object is code of the user's, which may raise.
    what = (
        repr(value) if isinstance(value, float) else f"A value of the type {quote(type(value).__name__, 60)}"
    )
    raise OptionError(f"{what} cannot be sent as JSON.", cure="Use strings, numbers, lists or dicts.")
