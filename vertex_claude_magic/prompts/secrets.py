"""A last look for secrets before a prompt leaves the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import SecretFound
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.secret_forms import find_secret
from vertex_claude_magic.spelling import flag, spelled
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.json_types import Json

__all__ = ["SearchedText", "check_headers", "check_secrets", "find_secret", "searchable"]


class SearchedText(NamedTuple):
    """A text that would be sent, and what the user knows it by (`the prompt`, `{{ cfg }}`)."""

    name: str
    text: str


def searchable(value: Json) -> str:
    """Return the texts of a JSON value that may be a secret, names included, in their order and one below the other.

    The data of pictures and documents are none of them: they may contain any letters by chance.

    >>> searchable([{"type": "text", "text": "a"}, {"source": {"type": "base64", "data": "b"}}]).split()
    ['type', 'text', 'text', 'a', 'source', 'type', 'base64', 'data']
    """
    texts: list[str] = []
    # No recursion, because a tool may have been called with a value of any depth.
    waiting: list[Json] = [value]
    # By identity what was looked through, because a value may contain itself; kept, so that no other gets its identity.
    known: dict[int, Json] = {}
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            texts.append(part)
            continue
        if id(part) in known:
            continue
        known[id(part)] = part
        if isinstance(part, Mapping):
            encoded = part.get("type") == "base64"
            for name, inner in reversed(list(part.items())):
                waiting += [name] if encoded and name == "data" else [inner, name]
        elif isinstance(part, (list, tuple)):
            waiting += reversed(part)
    return "\n".join(texts)


def check_secrets(places: list[SearchedText]) -> None:
    """Stop where a text seems to contain a secret; the secret itself is not repeated.

    Raises:
        SecretFound: it says where to look.
    """
    for name, text in places:
        found = find_secret(text)
        if found is not None:
            kind, line = found
            raise SecretFound(
                f"Line {line} of {quote(name, 80)} looks like {kind}, so no request was sent.",
                cure=spelled("Remove it, or add {} to send it anyway.", flag("allow_secrets")),
                details={"kind": kind, "line": line},
            )


def check_headers(
    header: Mapping[str, str], label: Mapping[str, str], beta: Sequence[str], *, allowed: bool
) -> None:
    """Stop where what goes into headers contains a key of Anthropic or Google, unless that is allowed.

    Vertex AI needs none. Keys of other issuers pass: a gateway may want its own, and a header is the place for it.

    Raises:
        SecretFound: it names the header, and not what is in it.
    """
    if allowed:
        return
    # A slip of the hand puts the key in the place of the name.
    texts = [(f"The header {quote(name, 60)!r}", f"{name} {value}") for name, value in header.items()]
    texts += [(f"The billing label {quote(name, 60)!r}", f"{name} {value}") for name, value in label.items()]
    texts += [("A beta", name) for name in beta]
    for place, text in texts:
        kind, _ = find_secret(text) or ("", 0)
        if "Anthropic" in kind or "Google" in kind:
            raise SecretFound(
                f"{place} looks like {kind}, so no request was sent.",
                cure=spelled(
                    "Leave it out: your Google login is enough for Vertex AI. For a gateway that needs it, add {}.",
                    flag("allow_secrets"),
                ),
                details={"kind": kind},
            )
