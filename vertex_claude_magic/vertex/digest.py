"""What decides an answer: the part of a request that two questions must share to be the same question.

It is model, betas and body. What only says how the answer travels (`stream`), what the service may cache on the way
(`cache_control`) or who pays and where (URL, project, location, labels, other headers) is not part of it. Attachments
are represented by their SHA-256, so that comparing, storing and reading a request does not need their bytes. The value
of a field that holds a secret is left out, because all that is here is stored, and what is stored must have the same
digest. The order of keys does not count; everything else does, white space included.

The digest of a conversation is a chain: that of its first messages and the hash of the next one. So what a turn costs
does not grow with all that was said before, and two conversations with the same beginning share it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from operator import is_not
from typing import TYPE_CHECKING, Any

from vertex_claude_magic.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from vertex_claude_magic.json_types import Json

__all__ = [
    "ATTACHMENT_BYTES",
    "ATTACHMENT_HASH",
    "BETA_HEADER",
    "Parts",
    "SentMessage",
    "attachments",
    "canonical",
    "digest_of",
    "former_digest_of",
    "parts_of",
    "unmarked",
    "with_attachments",
    "with_mark",
    "with_messages",
    "without_marks",
    "without_secret_fields",
]

BETA_HEADER = "anthropic-beta"
# What a canonical request has of an attachment in place of its data: the hash (hexadecimal) and the size of its bytes.
ATTACHMENT_HASH, ATTACHMENT_BYTES = "sha256", "bytes"
_MARK = "cache_control"
# What a body shares with others, beside its messages.
_SHARED = ("system", "tools")
# Made once: `json.dumps` makes one for each call that is not all defaults.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
# Hashes of texts that this process met, so that a long conversation is not hashed again with each turn.
_hashes: dict[Any, bytes] = {}
_MOST_HASHES, _LONGEST_HASHED = 4_096, 4_000
# How the names of fields end whose value is a secret, such as the token of an MCP server; a `key` alone may be any.
_SECRET = ("authorization", "cookie", "credential", "passphrase", "password", "passwd", "secret", "token",
           "apikey", "accesskey", "authkey", "privatekey", "secretkey")  # fmt: skip
# Tokens in the plural are mostly those that a model counts.
_SECRETS = (*_SECRET, *(f"{word}s" for word in _SECRET if word != "token"),
            "accesstokens", "apitokens", "authtokens", "bearertokens", "refreshtokens")  # fmt: skip
_LEFT_OUT = "[not shown]"
# How a body shows that it holds more than texts.
_TOLD = (b'"base64"', b'"url"', b'"file"', b'"cache_control"')


class SentMessage(dict[str, Any]):
    """A message that goes out again with each turn of a conversation, with what each turn would compute again.

    Nobody changes it, and JSON can carry it. `payload` is it as it goes over the wire, `canonical` and `digest` are as
    for any message. `only_text` tells whether it holds neither attachments nor cache marks. `harmless` is set once no
    secret was found in it.

    >>> message = SentMessage({"role": "user", "content": "Hi"})
    >>> message.payload, message.canonical is message, message.only_text
    (b'{"role":"user","content":"Hi"}', True, True)
    """

    __slots__ = ("canonical", "digest", "harmless", "only_text", "payload")

    def __init__(self, message: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.payload = json.dumps(self, ensure_ascii=False, separators=(",", ":")).encode()
        self.only_text = not any(word in self.payload for word in _TOLD)
        plain = self if self.only_text else without_marks(_hashed(dict(self)))
        self.canonical = self if plain == self or not isinstance(plain, Mapping) else SentMessage(plain)
        self.digest: bytes = _hash(self) if self.canonical is self else self.canonical.digest
        self.harmless = False


def canonical(
    model: str, headers: Mapping[str, str], body: Mapping[str, Any], *, keep_marks: bool = False
) -> dict[str, Any]:
    """Return model, betas and body of a request, with attachments as their hashes.

    Args:
        model: The model.
        headers: The headers, of which only the betas count.
        body: The body.
        keep_marks: Whether to leave the cache marks in, as versions before the chain did.

    >>> canonical("claude-haiku-5-5", {}, {"max_tokens": 9, "stream": True})
    {'model': 'claude-haiku-5-5', 'body': {'max_tokens': 9}}
    """
    named = ",".join([value for name, value in headers.items() if name.lower() == BETA_HEADER])
    betas = sorted({name.strip() for name in named.split(",")} - {""})
    kept = {
        name: _hashed(value) if isinstance(value, (Mapping, list, tuple)) else value
        for name, value in without_secret_fields(body).items()
        if name != "stream"
    }
    content = {"model": model, **({"beta": betas} if betas else {}), "body": kept}
    return content if keep_marks else dict(unmarked(content))


def without_secret_fields(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body without the values of fields that are named as secrets are.

    Messages stay as they are: what they hold is content, and the check for secrets looks at it.

    >>> server = {"url": "https://mcp.example", "authorization_token": "abc"}
    >>> without_secret_fields({"max_tokens": 9, "mcp_servers": [server]})["mcp_servers"]
    [{'url': 'https://mcp.example', 'authorization_token': '[not shown]'}]
    """
    return {name: value if name == "messages" else _shown(name, value) for name, value in body.items()}


def _shown(name: str, value: Json) -> Json:
    if isinstance(value, str):
        return (
            _LEFT_OUT
            if value and name.lower().replace("-", "").replace("_", "").endswith(_SECRETS)
            else value
        )
    if isinstance(value, Mapping):
        return {inner: _shown(str(inner), part) for inner, part in value.items()}
    return [_shown(name, part) for part in value] if isinstance(value, (list, tuple)) else value


def unmarked(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a canonical request without cache marks, which change what an answer costs and never the answer.

    >>> unmarked({"body": {"system": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]}})
    {'body': {'system': [{'type': 'text', 'text': 'Hi'}]}}
    """
    body = content["body"]
    kept = {name: without_marks(body[name]) for name in ("messages", *_SHARED) if name in body}
    if _MARK not in body and not [name for name, part in kept.items() if part is not body[name]]:
        return content
    return {**content, "body": {name: kept.get(name, part) for name, part in body.items() if name != _MARK}}


def with_mark(blocks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return blocks or tools with a cache mark on the last: the service caches all that stands up to it.

    >>> with_mark([{"type": "text", "text": "Hi"}])
    [{'type': 'text', 'text': 'Hi', 'cache_control': {'type': 'ephemeral'}}]
    """
    return [*map(dict, blocks[:-1]), {**blocks[-1], _MARK: {"type": "ephemeral"}}]


def without_marks(value: Json) -> Any:
    """Return messages, blocks or tools without cache marks; the same object where there are none.

    >>> without_marks({"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {}}]})
    {'role': 'user', 'content': [{'type': 'text', 'text': 'Hi'}]}
    """
    if isinstance(value, (list, tuple)):
        if all(map(_is_plain_message, value)):
            return value
        parts = [part if _is_plain_message(part) else without_marks(part) for part in value]
        return parts if any(map(is_not, parts, value)) else value
    if not isinstance(value, Mapping):
        return value
    # Not deeper than content goes: the input of a tool may have any names.
    content = value.get("content")
    inner = without_marks(content) if isinstance(content, (list, tuple)) else content
    if _MARK not in value and inner is content:
        return value
    return {name: inner if name == "content" else part for name, part in value.items() if name != _MARK}


def _is_plain_message(message: Json) -> TypeGuard[dict[str, Any]]:
    """Tell whether a message is one text, as most are; in a long conversation nothing else may take time."""
    if type(message) is SentMessage:
        # Both what is hashed and what is without marks is what it is.
        return message.canonical is message
    if type(message) is not dict or len(message) != 2:
        return False
    content = message.get("content")
    return type(content) is str or _text_of(content) is not None


def _text_of(content: Json) -> str | None:
    """Return the text of a content that is one text or one block of it and no more, None for any other."""
    if type(content) is list and len(content) == 1 and type(content[0]) is dict:
        block = content[0]
        content = block.get("text") if len(block) == 2 and block.get("type") == "text" else None
    return content if type(content) is str else None


class Parts(NamedTuple):
    """A request in the parts that it shares with others, each with its SHA-256 (32 bytes).

    Args:
        content: The canonical request.
        frame: The canonical request, with None in the place of what is below.
        shared: The system text and each tool: name in the body, value and hash.
        messages: The messages, None where the body has no list of them.
        hashes: The hash of each message.
        links: For each message the digest of the conversation up to it.
        frame_hash: The hash of the frame with its shared parts.
        digest: The digest of the whole.
    """

    content: Mapping[str, Any]
    frame: Mapping[str, Any]
    shared: tuple[tuple[str, Any, bytes], ...]
    messages: Sequence[Any] | None
    hashes: tuple[bytes, ...]
    links: tuple[bytes, ...]
    frame_hash: bytes
    digest: bytes


def parts_of(content: Mapping[str, Any], *, may_have_marks: bool = True) -> Parts:
    """Return a canonical request in its parts.

    Args:
        content: What `canonical` gives.
        may_have_marks: Whether it may hold cache marks.

    >>> one, two = ({"role": "user", "content": text} for text in ("Hi", "And now?"))
    >>> short, long = (parts_of({"model": "m", "body": {"messages": each}}) for each in ([one], [one, two]))
    >>> short.links == long.links[:1]
    True
    """
    plain = unmarked(content) if may_have_marks else content
    body, shared = dict(plain["body"]), []
    messages = body.get("messages")
    if isinstance(messages, (list, tuple)):
        body["messages"] = None
    else:
        messages = None
    for name in _SHARED:
        value = body.get(name)
        if value:
            each = value if name == "tools" and isinstance(value, (list, tuple)) else [value]
            shared += [(name, part, _hash(part)) for part in each]
            # Whether it was a list has to come back, and to count.
            body[name] = None if each is not value else []
    frame = {**plain, "body": body}
    named = [name.encode() + part for name, _, part in shared]
    frame_hash = hashlib.sha256(b"".join([_hash(frame), *named])).digest()
    hashes, links = _chain(messages or ())
    whole = _whole(frame_hash, links)
    return Parts(content, frame, tuple(shared), messages, hashes, links, frame_hash, whole)


def with_messages(parts: Parts, messages: Sequence[Any]) -> Parts:
    """Return the parts of the same request with other messages; only those are looked at.

    Args:
        parts: A request that has messages.
        messages: As they are sent.

    >>> one, two = ([{"role": "user", "content": text}] for text in ("Hi", "And now?"))
    >>> first, second = (parts_of({"model": "m", "body": {"messages": each}}) for each in (one, two))
    >>> with_messages(first, two) == second
    True
    """
    plain: Any = without_marks(_hashed(messages))
    hashes, links = _chain(plain)
    return parts._replace(
        content={**parts.content, "body": {**parts.content["body"], "messages": plain}},
        messages=plain,
        hashes=hashes,
        links=links,
        digest=_whole(parts.frame_hash, links),
    )


def _chain(messages: Sequence[Any]) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Return the hash of each message, and the digest of the conversation up to it."""
    hashes, links = tuple(map(_message_hash, messages)), list[bytes]()
    for digest in hashes:
        links.append(hashlib.sha256((links[-1] if links else b"") + digest).digest())
    return hashes, tuple(links)


def _whole(frame_hash: bytes, links: tuple[bytes, ...]) -> bytes:
    return hashlib.sha256(frame_hash + (links[-1] if links else b"")).digest()


def _hash(value: Json) -> bytes:
    return hashlib.sha256(_encode(value).encode("ascii")).digest()


def _message_hash(message: Json) -> bytes:
    if type(message) is SentMessage:
        return message.digest
    text = _text_of(message["content"]) if _is_plain_message(message) else None
    if text is None or len(text) > _LONGEST_HASHED or not isinstance(message, Mapping):
        return _hash(message)
    # A text remembers its own hash, so that this costs less than to go through it.
    key = (message.get("role"), text, text is message["content"])
    try:
        found = _hashes.get(key)
    except TypeError:
        # A role that is none.
        return _hash(message)
    if found is None:
        if len(_hashes) >= _MOST_HASHES:
            _hashes.clear()
        _hashes[key] = found = _hash(message)
    return found


def digest_of(content: Mapping[str, Any]) -> str:
    """Return the digest of what `canonical` gives, as 64 hexadecimal digits.

    >>> one = {"model": "m", "body": {"a": 1, "b": 2}}
    >>> digest_of(one) == digest_of({"body": {"b": 2, "a": 1}, "model": "m"})
    True
    """
    return parts_of(content).digest.hex()


def former_digest_of(content: Mapping[str, Any]) -> str:
    """Return the digest that versions before the chain gave: the SHA-256 of the whole content, cache marks included.

    >>> former_digest_of({"a": 1, "b": 2}) == former_digest_of({"b": 2, "a": 1})
    True
    """
    return _hash(content).hex()


def attachments(value: Json) -> dict[str, bytes]:
    """Return the attachments of a body by their hash: what base64 sources of content blocks hold.

    >>> list(attachments({"type": "base64", "media_type": "image/png", "data": "aGk="}).values())
    [b'hi']
    """
    # Most requests have none.
    from vertex_claude_magic.json_types import objects

    found: dict[str, bytes] = {}
    for part in objects(value):
        if _is_source(part):
            content = _content(part["data"])
            found[hashlib.sha256(content).hexdigest()] = content
    return found


def _hashed(value: Json) -> Json:
    """Return a value with attachments as their hashes; texts are not copied, since a request is never changed.

    This is what journal and recordings store of an attachment in a request, and part of the digest: a change here makes
    every answer to a question with an attachment a new question.
    """
    if type(value) is SentMessage and (value.only_text or b'"cache_control"' not in value.payload):
        return value.canonical
    if isinstance(value, Mapping):
        if _is_source(value):
            data = _content(value["data"])
            rest = {name: part for name, part in value.items() if name != "data"}
            return {**rest, ATTACHMENT_HASH: hashlib.sha256(data).hexdigest(), ATTACHMENT_BYTES: len(data)}
        return {name: _hashed(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [part if _is_plain_message(part) else _hashed(part) for part in value]
    return value


def with_attachments(value: Json, content: Callable[[str], bytes]) -> Any:
    """Return a value of a canonical request as it was sent, with the bytes of its attachments.

    Args:
        value: The value.
        content: Returns the bytes of an attachment by their SHA-256 (hexadecimal).

    >>> sent = [{"type": "base64", "media_type": "image/png", "data": "aGk="}]
    >>> with_attachments(canonical("m", {}, {"messages": sent})["body"]["messages"], lambda _: b"hi") == sent
    True
    """
    if isinstance(value, list):
        return [with_attachments(part, content) for part in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") != "base64" or ATTACHMENT_HASH not in value:
        return {
            name: part if isinstance(part, str) else with_attachments(part, content)
            for name, part in value.items()
        }
    rest = {name: part for name, part in value.items() if name not in {ATTACHMENT_HASH, ATTACHMENT_BYTES}}
    return {**rest, "data": base64.b64encode(content(value[ATTACHMENT_HASH])).decode("ascii")}


def _is_source(value: Mapping[str, Json]) -> TypeGuard[Mapping[str, Any]]:
    # "Vision" and "PDF support" (Claude docs, 2026): sources of images and documents.
    return value.get("type") == "base64" and isinstance(value.get("data"), str)


def _content(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error):
        return data.encode("utf-8", "replace")
