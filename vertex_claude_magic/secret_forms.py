"""The forms of keys and tokens: to find one in a text, and to hide it in what an error quotes.

Only forms that are hardly ever anything else: key headers, and tokens with a prefix of their issuer.
The prefixes are those that the issuers document for secret scanning (GitHub docs, "Supported secret
scanning patterns", 2026; Google Cloud docs, "Token types", 2026).
"""

from __future__ import annotations

import re

__all__ = ["BEGINNINGS", "find_secret", "without_secrets"]

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
    ("a signed URL", ("-Signature=",), r"(?i:[?&]x-(?:goog|amz)-signature=)[0-9A-Fa-f]{64}"),
    # Short passwords and words are those of examples, such as postgres://user:password@localhost.
    (
        "a password in a URL",
        ("://",),
        r"://[^\s/:@]{0,64}:(?=[^\s/:@]{0,15}\d)(?=[^\s/:@]{0,15}[A-Z])(?=[^\s/:@]{0,15}[a-z])[\w.~!*+%-]{16,200}@[\w-]",
    ),
    (
        "an Authorization header",
        ("uthorization", "UTHORIZATION"),
        r"(?i:\bauthorization\b['\"]?\s{0,9}[:=]\s{0,9}['\"]?(?:bearer|basic)\s{1,9})[\w.~+/=-]{20}",
    ),
)


# How keys and tokens begin, also those that are too short or too cut for these forms.
BEGINNINGS = {
    "-----BEGIN": "a private key",
    "ya29.": "a Google access token",
    "1//0": "a Google refresh token",
    "AIza": "a Google API key",
    "GOCSPX-": "a Google client secret",
    "sk-ant-": "an Anthropic key",
    "eyJ": "a signed web token",
    "Bearer ": "an access token",
}
# What ends a key in a sentence or in the `repr` of a value; a private key has lines.
_REST = r"[^\s'\"]*"


# Texts in which no secret was found, because the messages of a conversation are sent again with each turn.
_harmless: set[str] = set()
_MOST_HARMLESS, _LONGEST_HARMLESS = 4_096, 4_000


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


def without_secrets(text: str) -> str:
    """Return a text with the kind of each secret in its place; what only begins like one is hidden as well.

    >>> without_secrets("'AKIAIOSFODNN7EXAMPLE' is not a name.")
    "'[an AWS access key, not shown]' is not a name."
    """
    for start, kind in BEGINNINGS.items():
        if start in text:
            rest = r"(?s:.*)" if start == "-----BEGIN" else r"[^\s'\"]{8}" + _REST
            # Also behind a letter, which may be that of an escaped line end.
            text = re.sub(re.escape(start) + rest, f"[{kind}, not shown]", text)
    for kind, words, form in _FORMS:
        for word in words:
            if word in text:
                text = re.sub(form + _REST, f"[{kind}, not shown]", text)
                break
    return text
