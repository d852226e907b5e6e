"""Where a request goes: the host of a location, the path of a model, and which hosts may see a Google token.

Hosts and paths are those of the page "Claude on Google Cloud" (Claude docs, 2026-09-26) and of the
official SDK's Vertex client (anthropic 2.12.0).
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit
from urllib.parse import quote as percent_encode

from vertex_claude_magic import errors
from vertex_claude_magic.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = [
    "base_url_of",
    "check_location",
    "check_project",
    "check_token_host",
    "is_google",
    "is_loopback",
    "model_path",
]

_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A URL that every parser reads alike: visible ASCII, no backslash; a host of letters, digits, dots and hyphens, or an
# IPv6 address in brackets with nothing beside them, without user name and trailing dot.
_PLAIN_URL = re.compile(r"[!-\[\]-~]+")
_PLAIN_NETLOC = re.compile(
    r"(?:[a-z0-9.-]*[a-z0-9-]|\[[0-9a-f.]*:[0-9a-f:.]*\])(?::[0-9]*)?", re.ASCII | re.IGNORECASE
)
# What a trusted host may be written as: a name, or an address.
_TRUSTED_HOST = re.compile(
    r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*", re.IGNORECASE
)
_MULTI_REGIONS = ("us", "eu")
# Wider than Google's rule for an id ("Creating and managing projects", Google Cloud docs, 2026), because a gateway may
# have its own; the name of a project may have blanks and quotes.
_PROJECT_ID = re.compile(r"[A-Za-z0-9._:-]{1,500}")
# pchar of RFC 3986, section 3.3, without ";" and ":", which could end the segment or name another verb.
_SEGMENT_SAFE = "!$&'()*+,=@"


def check_location(location: str) -> str:
    """Return the location if it can be part of a host name (RFC 1123, one label).

    Raises:
        OptionError: it cannot.

    >>> check_location("us-east5")
    'us-east5'
    """
    if not _HOST_LABEL.fullmatch(location):
        raise errors.OptionError(
            f"{quote(location)!r} is not a Google Cloud location.",
            cure="Use global, us, eu, or a region such as us-east5.",
            details={"option": "region"},
        )
    return location


def base_url_of(location: str) -> str:
    """Return the base URL that serves a location, without a trailing slash.

    >>> base_url_of("global"), base_url_of("eu"), base_url_of("us-east5")  # doctest: +NORMALIZE_WHITESPACE
    ('https://aiplatform.googleapis.com/v1', 'https://aiplatform.eu.rep.googleapis.com/v1',
     'https://us-east5-aiplatform.googleapis.com/v1')

    Raises:
        OptionError: the location is not a legal host label.
    """
    check_location(location)
    if location == "global":
        return "https://aiplatform.googleapis.com/v1"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com/v1"
    return f"https://{location}-aiplatform.googleapis.com/v1"


@lru_cache(maxsize=64)
def model_path(*, project: str, location: str, model: str, verb: str) -> str:
    """Return the path of a model's verb below the base URL, percent-encoded.

    Raises:
        OptionError: the project is no id, or the location or the model is empty, or would change the path.

    >>> model_path(project="p", location="global", model="claude-haiku-4-5@20251001", verb="rawPredict")
    '/projects/p/locations/global/publishers/anthropic/models/claude-haiku-4-5@20251001:rawPredict'
    """
    check_project(project)
    location, model = _segment("location", location), _segment("model", model)
    return f"/projects/{project}/locations/{location}/publishers/anthropic/models/{model}:{verb}"


def check_project(project: str) -> str:
    """Return the project if it is an id; that of a domain, example.com:my-project, keeps its colon.

    Raises:
        OptionError: it is none.

    >>> check_project("my-project-123")
    'my-project-123'
    """
    # Dots alone would be taken out of a path.
    if not _PROJECT_ID.fullmatch(project) or not project.strip("."):
        raise errors.OptionError(
            f"{quote(project, 60)!r} is not a valid project id.",
            cure="Use the id, such as my-project-123, and not the name.",
            details={"option": "project"},
        )
    return project


def _segment(name: str, value: str) -> str:
    # Dots, also encoded ones, are taken out of a path by clients and servers (RFC 3986, 5.2.4).
    bare = value.partition(";")[0].lower().replace("%2e", ".")
    if not value.strip() or bare in {"", ".", ".."} or len(value) > 500:
        raise errors.OptionError(
            f"{quote(value, 60)!r} is not a valid {name}.",
            cure=f"Use the {name} as Google Cloud shows it.",
            details={"option": name},
        )
    return percent_encode(value.encode("utf-8", "replace"), safe=_SEGMENT_SAFE)


# Asked several times of the URL of each question; reading it takes 10 microseconds.
@lru_cache(maxsize=64)
def is_loopback(url: str) -> bool:
    """Tell whether a URL points at this machine (127.0.0.0/8, ::1, localhost).

    >>> is_loopback("http://127.0.0.1:8080/v1"), is_loopback("http://127.0.0.1.example.com/v1")
    (True, False)
    """
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def is_google(url: str) -> bool:
    """Tell whether a URL points at a host of Google's API.

    >>> is_google("https://aiplatform.googleapis.com/v1"), is_google("https://googleapis.com.evil.example/v1")
    (True, False)
    """
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    # With the dot: evilgoogleapis.com is another domain.
    return host == "googleapis.com" or host.endswith(".googleapis.com")


def check_token_host(url: str, trusted_hosts: Collection[str] = ()) -> None:
    """Refuse to send a Google token anywhere but to Google over TLS, to loopback, or to a trusted host.

    Raises:
        UntrustedHost: the URL is none of these, or is written so that it only looks like one.

    >>> check_token_host("https://us-east5-aiplatform.googleapis.com/v1/projects/p")
    >>> check_token_host("https://googleapis.com.evil.example/v1")
    Traceback (most recent call last):
    vertex_claude_magic.errors.UntrustedHost: ...
    """
    host, trusted = _trusted(url, frozenset(trusted_hosts))
    if not host:
        raise errors.UntrustedHost(
            "The base URL names no host, so no Google token is sent there.",
            cure="Write it as https://HOST/v1, with a host of googleapis.com, a loopback address or a trusted host.",
        )
    if not trusted:
        cure = (
            "Use an https address of googleapis.com or a loopback address as base URL, or name the host "
            "of your https gateway in the setting trusted_hosts."
        )
        details = {"host": quote(host)}
        for name in trusted_hosts:
            if not _TRUSTED_HOST.fullmatch(name):
                odd = details["odd"] = quote(name, 80)
                cure = f"Write host names alone into trusted_hosts, such as gateway.example: {odd!r} matches none."
        raise errors.UntrustedHost(
            f"A Google token is not sent to {quote(host, 80)!r}.", cure=cure, details=details
        )


# The rows of a table go to one address.
@lru_cache(maxsize=64)
def _trusted(url: str, trusted_hosts: frozenset[str]) -> tuple[str, bool]:
    """Return the host of a URL, and whether it may see a token."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        plain = _PLAIN_URL.fullmatch(url) and _PLAIN_NETLOC.fullmatch(parts.netloc)
        return host, bool(plain and parts.port != 0 and _may_see_token(parts, host, trusted_hosts))
    except ValueError:
        # The address itself is not quoted: it may hold a password.
        return "an address that cannot be read", False


def _may_see_token(parts: SplitResult, host: str, trusted_hosts: Collection[str]) -> bool:
    # Nothing leaves this machine, so TLS is not asked for.
    if is_loopback(f"//{parts.netloc}"):
        return parts.scheme in {"http", "https"}
    return parts.scheme == "https" and (
        is_google(parts.geturl()) or host in {name.lower() for name in trusted_hosts}
    )
