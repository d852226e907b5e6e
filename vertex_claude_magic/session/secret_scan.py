"""A last look for secrets before a prompt leaves the machine.

Only forms that are hardly ever anything else: key headers, and tokens with a prefix of their issuer.
The prefixes are those that the issuers document for secret scanning (GitHub docs, "Supported secret
scanning patterns", 2026; Google Cloud docs, "Token types", 2026).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from vertex_claude_magic.errors import SecretFound, quote

__all__ = ["Place", "check_secrets", "find_secret"]

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    ("a Google access token", r"\bya29\.[\w-]{20,}"),
    ("a Google refresh token", r"\b1//0[\w-]{30,}"),
    ("a Google API key", r"\bAIza[\w-]{35}(?![\w-])"),
    ("a Google client secret", r"\bGOCSPX-[\w-]{20,}"),
    ("an Anthropic key", r"\bsk-ant-[\w-]{20,}"),
    ("an OpenAI key", r"\bsk-(?:proj-|svcacct-|admin-)?(?=[\w-]*\d)[\w-]{32,}"),
    ("an AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("a GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{50,})"),
    ("a GitLab token", r"\bglpat-[\w-]{20,}"),
    ("a Slack token", r"\bxox[abeoprs]-[\w-]{10,}"),
    ("a Stripe key", r"\b[rs]k_live_[0-9a-zA-Z]{20,}"),
    ("a Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("an npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("a PyPI token", r"\bpypi-AgEI[\w-]{50,}"),
    ("a SendGrid key", r"\bSG\.[\w-]{20,}\.[\w-]{40,}"),
    ("a storage account key", r"AccountKey=[A-Za-z0-9+/]{60,}={0,2}"),
    ("a signed web token", r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}"),
    (
        "an Authorization header",
        r"(?i:\bauthorization\b['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)\s+)[\w.~+/=-]{20,}",
    ),
)
_ANY = re.compile("|".join(f"(?P<p{index}>{pattern})" for index, (_, pattern) in enumerate(_PATTERNS)))


class Place(NamedTuple):
    """A text that would be sent, and what the user knows it by (`the prompt`, `{{ cfg }}`)."""

    name: str
    text: str


def find_secret(text: str) -> tuple[str, int] | None:
    """Return what kind of secret a text seems to hold and in which line (from 1), or None.

    >>> find_secret("hello\\nkey = AKIAIOSFODNN7EXAMPLE")
    ('an AWS access key', 2)
    """
    found = _ANY.search(text)
    if found is None:
        return None
    kind = _PATTERNS[int(str(found.lastgroup)[1:])][0]
    return kind, text.count("\n", 0, found.start()) + 1


def check_secrets(places: list[Place]) -> None:
    """Stop where a text seems to hold a secret; the secret itself is not repeated.

    Raises:
        SecretFound: it says where to look.
    """
    for name, text in places:
        found = find_secret(text)
        if found is not None:
            kind, line = found
            raise SecretFound(
                f"Line {line} of {quote(name, 80)} looks like {kind}, so nothing was sent.",
                cure="Take it out, or add --allow-secrets to send it all the same.",
                details={"kind": kind, "line": line},
            )
