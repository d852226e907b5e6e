"""A last look for secrets before a prompt leaves the machine.

Only forms that are hardly ever anything else: key headers, and tokens with a prefix of their issuer.
The prefixes are those that the issuers document for secret scanning (GitHub docs, "Supported secret
scanning patterns", 2026; Google Cloud docs, "Token types", 2026).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vertex_claude_magic.errors import SecretFound
from vertex_claude_magic.named_tuple import NamedTuple
from vertex_claude_magic.spelling import flag, spelled
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vertex_claude_magic.json_types import Json

__all__ = ["SearchedText", "check_headers", "check_secrets", "find_secret", "searchable"]

# What it is, words of which one is there in any case, and the form. No form repeats without bound, so that
# no text takes long.
_FORMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("a private key", ("PRIVATE KEY",), r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    ("a Google access token", ("ya29.",), r"\bya29\.[\w-]{20}"),
    ("a Google refresh token", ("1//0",), r"\b1//0[\w-]{30}"),
    ("a Google API key", ("AIza",), r"\bAIza[\w-]{35}(?![\w-])"),
    ("a Google client secret", ("GOCSPX-",), r"\bGOCSPX-[\w-]{20}"),
    ("an Anthropic key", ("sk-ant-",), r"\bsk-ant-[\w-]{20}"),
    (
        "an OpenAI key",
        ("sk-",),
        r"\bsk-(?:proj-|svcacct-|admin-)?(?=[\w-]{0,31}\d)(?=[\w-]{0,31}[A-Z])[\w-]{32}",
    ),
    ("an AWS access key", ("AKIA", "ASIA"), r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("a GitHub token", ("gh", "github_pat_"), r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{50})"),
    ("a GitLab token", ("glpat-",), r"\bglpat-[\w-]{20}"),
    ("a Slack token", ("xox",), r"\bxox[abeoprs]-[\w-]{10}"),
    ("a Stripe key", ("k_live_",), r"\b[rs]k_live_[0-9a-zA-Z]{20}"),
    ("a Hugging Face token", ("hf_",), r"\bhf_[A-Za-z0-9]{30}"),
    ("an npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a PyPI token", ("pypi-AgEI",), r"\bpypi-AgEI[\w-]{50}"),
    ("a SendGrid key", ("SG.",), r"\bSG\.[\w-]{20,30}\.[\w-]{40}"),
    ("a storage account key", ("AccountKey=",), r"AccountKey=[A-Za-z0-9+/]{60}"),
    ("a signed web token", ("eyJ",), r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,8000}\.[\w-]{20}"),
    (
        "an Authorization header",
        ("uthorization", "UTHORIZATION"),
        r"(?i:\bauthorization\b['\"]?\s{0,9}[:=]\s{0,9}['\"]?(?:bearer|basic)\s{1,9})[\w.~+/=-]{20}",
    ),
)


# Texts in which no secret was found, because the messages of a conversation are sent again with each turn.
_harmless: set[str] = set()
_MOST_HARMLESS, _LONGEST_HARMLESS = 4_096, 4_000


class SearchedText(NamedTuple):
    """A text that would be sent, and what the user knows it by (`the prompt`, `{{ cfg }}`)."""

    name: str
    text: str


def find_secret(text: str) -> tuple[str, int] | None:
    """Return what kind of secret a text seems to contain and in which line (from 1), or None.

    >>> find_secret("hello\\nkey = AKIAIOSFODNN7EXAMPLE")
    ('an AWS access key', 2)
    """
    if text in _harmless:
        return None
    found: list[tuple[int, str]] = []
    for kind, words, form in _FORMS:
        for word in words:
            if word in text:
                match = re.search(form, text)
                found += [(match.start(), kind)] if match else []
                break
    if not found:
        if len(text) <= _LONGEST_HARMLESS:
            if len(_harmless) >= _MOST_HARMLESS:
                _harmless.clear()
            _harmless.add(text)
        return None
    start, kind = min(found)
    return kind, text.count("\n", 0, start) + 1


def searchable(value: Json) -> str:
    """Return the texts of a JSON value that may be a secret, names included, in their order and one below the other.

    The data of pictures and documents are none of them: they may contain any letters by chance.

    >>> searchable([{"type": "text", "text": "a"}, {"source": {"type": "base64", "data": "b"}}]).split()
    ['type', 'text', 'text', 'a', 'source', 'type', 'base64', 'data']
    """
    texts: list[str] = []
    # No recursion, because a tool may have been called with a value of any depth.
    waiting: list[Json] = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping):
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
    texts = [(f"The header {quote(name, 60)!r}", value) for name, value in header.items()]
    texts += [(f"The billing label {quote(name, 60)!r}", value) for name, value in label.items()]
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
